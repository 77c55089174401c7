"""The neighbourhood of an atom as a vector, and how alike two crystals are, atom by atom.

The power spectrum of SOAP, computed by featomic: A. P. Bartok, R. Kondor and G. Csanyi, Phys. Rev.
B 87, 184115 (2013).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from studies.zirconium.reference import optional

if TYPE_CHECKING:
    from ase import Atoms

ZETA = 4  # which `power` counts on
"""Power of the dot product: how many-body the kernel is beyond the descriptor."""

_PAIRS = 1000  # of atoms in a batch: what is computed for each stays in the cache


@dataclass(frozen=True)
class Soap:
    """Settings of the power spectrum; lengths in angstrom."""

    cutoff: float = 6.0
    smoothing: float = 0.5
    width: float = 0.5
    radial: int = 8
    angular: int = 4

    def settings(self) -> dict[str, dict]:
        """Return what featomic's calculator is told."""
        return {
            "cutoff": {
                "radius": self.cutoff,
                "smoothing": {"type": "ShiftedCosine", "width": self.smoothing},
            },
            "density": {"type": "Gaussian", "width": self.width},
            "basis": {
                "type": "TensorProduct",
                "max_angular": self.angular,
                "radial": {"type": "Gto", "max_radial": self.radial - 1},
            },
        }


@dataclass(frozen=True)
class Environments:
    """Environments of the atoms of some configurations.

    Attributes
    ----------
    spectra : NDArray
        Power spectra of unit length, one configuration after the other, shape (N, D).
    counts : NDArray
        Atoms of each configuration, shape (n,).
    """

    spectra: NDArray[np.float64]
    counts: NDArray[np.int64]

    @property
    def starts(self) -> NDArray[np.int64]:
        """First environment of each configuration, shape (n,)."""
        return np.concatenate([[0], np.cumsum(self.counts)[:-1]])

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average values of environments, shape (N, ...), over each configuration."""
        counts = self.counts.reshape(-1, *[1] * (values.ndim - 1))
        return np.add.reduceat(values, self.starts, axis=0) / counts


@dataclass(frozen=True)
class Gradients:
    """How spectra change as atoms move, for a batch of configurations.

    The spectra are not normalised here: `lengths` are theirs.

    Attributes
    ----------
    environments : Environments
        The environments of the batch.
    lengths : NDArray
        Lengths of the spectra before they were made unit vectors, shape (N,).
    center, moved : NDArray
        Whose spectrum changes and which atom moves, for each of P pairs, both counted through the
        batch, shape (P,).
    values : NDArray
        Derivative of the spectrum as it was, per angstrom, shape (P, 3, D).
    """

    environments: Environments
    lengths: NDArray[np.float64]
    center: NDArray[np.int64]
    moved: NDArray[np.int64]
    values: NDArray[np.float64]


def environments(configurations: Sequence[Atoms], soap: Soap, batch: int = 200) -> Environments:
    """Compute the environments of all atoms, a batch of configurations at a time."""
    calculator = _calculator(soap)
    found = []
    for begin in range(0, len(configurations), batch):
        block = calculator.compute(list(configurations[begin : begin + batch])).block()
        spectra = _distinct(block)
        found.append(spectra / np.linalg.norm(spectra, axis=1, keepdims=True))
    return Environments(np.concatenate(found), _counts(configurations))


def gradients(configurations: Sequence[Atoms], soap: Soap) -> Iterator[Gradients]:
    """Compute environments and how they change with the positions, a batch at a time."""
    calculator = _calculator(soap)
    batch = max(1, _PAIRS // max(len(atoms) for atoms in configurations) ** 2)
    for begin in range(0, len(configurations), batch):
        those = list(configurations[begin : begin + batch])
        block = calculator.compute(those, gradients=["positions"]).block()
        spectra, gradient = _distinct(block), block.gradient("positions")
        lengths = np.linalg.norm(spectra, axis=1)
        made = Environments(spectra / lengths[:, None], _counts(those))
        samples = gradient.samples
        yield Gradients(
            made,
            lengths,
            np.asarray(samples["sample"]),
            made.starts[np.asarray(samples["system"])] + np.asarray(samples["atom"]),
            _distinct(gradient, block),
        )


def _calculator(soap: Soap):
    return optional("featomic").SoapPowerSpectrum(**soap.settings())


def _counts(configurations: Sequence[Atoms]) -> NDArray[np.int64]:
    return np.array([len(atoms) for atoms in configurations])


def _distinct(block, like=None) -> NDArray[np.float64]:
    """Leave out components that say the same twice, and keep all dot products as they are."""
    names = (block if like is None else like).properties
    one, other = np.asarray(names["n_1"]), np.asarray(names["n_2"])
    kept = one <= other
    weight = np.where(one < other, np.sqrt(2.0), 1.0)[kept]
    return np.asarray(block.values)[..., kept] * weight


def power(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Raise dot products to the power zeta, by squaring twice, which is many times faster."""
    squared = values * values
    squared *= squared
    return squared


def configuration_kernel(one: Environments, other: Environments) -> NDArray[np.float64]:
    """Compare configurations by the mean similarity of their atoms' environments.

    With unit vectors x of SOAP, ``K_AB = 1 / (N_A N_B) sum_ab (x_a . x_b)^zeta``: the covariance of
    energies per atom when the energy of an atom is a Gaussian process with kernel (x . x')^zeta
    (A. P. Bartok and G. Csanyi, Int. J. Quantum Chem. 115, 1051 (2015)).

    Parameters
    ----------
    one, other : Environments
        Of n and m configurations.

    Returns
    -------
    NDArray
        Shape (n, m), without unit, at most 1.
    """
    rows = []
    ends = np.concatenate([one.starts, [len(one.spectra)]])
    step = max(1, 2_000 // int(one.counts.max()))
    for begin in range(0, len(one.counts), step):
        end = min(begin + step, len(one.counts))
        part = Environments(one.spectra[ends[begin] : ends[end]], one.counts[begin:end])
        values = power(part.spectra @ other.spectra.T)
        rows.append(part.means(other.means(values.T).T))
    return np.concatenate(rows)
