"""Sparse Gaussian-process regression of energies and forces on atomic environments.

The energy of an atom is a Gaussian process with covariance ``delta^2 (x . x')^zeta``. It is
represented by its values at M inducing environments z (deterministic training conditional: J.
Quinonero-Candela and C. E. Rasmussen, J. Mach. Learn. Res. 6, 1939 (2005)), as Gaussian
approximation potentials are (A. P. Bartok and G. Csanyi, Int. J. Quantum Chem. 115, 1051 (2015)).
Whitened, that is Bayesian linear regression on M features with standard normal weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import linalg, sparse

from studies.zirconium.descriptors import ZETA, Environments, Gradients, Soap, gradients, power

if TYPE_CHECKING:
    from ase import Atoms

RESIDUAL = 1e-10
"""Share of an environment's prior variance that the inducing ones may leave unexplained."""


@dataclass(frozen=True)
class Noise:
    """Standard deviations that the model takes its labels to have.

    Attributes
    ----------
    energy : float
        eV per atom.
    force : float
        eV per angstrom.
    """

    energy: float = 1e-3
    force: float = 0.05


@dataclass(frozen=True)
class Inducing:
    """Inducing environments, and the prior standard deviation of an atom's energy.

    Attributes
    ----------
    spectra : NDArray
        Unit vectors, shape (M, D).
    factor : NDArray
        Lower Cholesky factor of their kernel matrix, without unit, shape (M, M).
    scale : float
        delta, eV.
    """

    spectra: NDArray[np.float64]
    factor: NDArray[np.float64]
    scale: float

    def whiten(self, kernel: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn covariances with the inducing environments, shape (n, M), into features."""
        return self.scale * linalg.solve_triangular(self.factor, kernel.T, lower=True).T


@dataclass(frozen=True)
class Features:
    """What energies and forces of n configurations of N atoms are linear in.

    Attributes
    ----------
    energy : NDArray
        Of energies per atom, eV, shape (n, M).
    force : NDArray
        Of forces, eV per angstrom, shape (N, 3, M).
    counts : NDArray
        Atoms of each configuration, shape (n,).
    """

    energy: NDArray[np.float64]
    force: NDArray[np.float64]
    counts: NDArray[np.int64]

    def atoms_of(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of `force` that belong to the chosen configurations."""
        ends = np.cumsum(self.counts)
        return np.concatenate([np.arange(ends[i] - self.counts[i], ends[i]) for i in chosen])


@dataclass(frozen=True)
class Model:
    """A fitted potential: normal distribution of the weights.

    Attributes
    ----------
    weights : NDArray
        Their mean, shape (M,).
    factor : NDArray
        Lower Cholesky factor of the inverse of their covariance, shape (M, M).
    """

    weights: NDArray[np.float64]
    factor: NDArray[np.float64]

    def energies(self, features: Features) -> NDArray[np.float64]:
        """Predict energies, eV per atom, shape (n,)."""
        return features.energy @ self.weights

    def forces(self, features: Features) -> NDArray[np.float64]:
        """Predict forces, eV per angstrom, shape (N, 3)."""
        return features.force @ self.weights

    def variances(self, features: Features) -> NDArray[np.float64]:
        """Return the variance of predicted energies, (eV per atom)^2, shape (n,)."""
        solved = linalg.solve_triangular(self.factor, features.energy.T, lower=True)
        return (solved**2).sum(0)


def inducing(
    some: Environments, scale: float, rng: Generator, most: int = 400, among: int = 4000
) -> Inducing:
    """Choose inducing environments by pivoted Cholesky decomposition: no label is asked.

    Parameters
    ----------
    some
        Environments to represent.
    scale
        Prior standard deviation of an atom's energy, eV.
    rng
        Draws those that are looked at.
    most
        Largest number to choose.
    among
        How many are looked at.
    """
    count = min(among, len(some.spectra))
    looked = some.spectra[rng.choice(len(some.spectra), count, replace=False)]
    kernel = power(looked @ looked.T)
    _, pivots, rank, _ = linalg.lapack.dpstrf(kernel, tol=RESIDUAL, lower=1)
    chosen = looked[pivots[: min(rank, most)] - 1]
    own = power(chosen @ chosen.T)
    own[np.diag_indices_from(own)] += RESIDUAL
    return Inducing(chosen, linalg.cholesky(own, lower=True), scale)


def features(configurations: Sequence[Atoms], soap: Soap, basis: Inducing) -> Features:
    """Compute features of energies and forces."""
    energy, force, counts = [], [], []
    for batch in gradients(configurations, soap):
        own = batch.environments
        similarity = own.spectra @ basis.spectra.T
        energy.append(basis.whiten(own.means(power(similarity))))
        slopes = _slopes(batch, similarity, basis)
        force.append(basis.whiten(-slopes.reshape(-1, slopes.shape[-1])).reshape(slopes.shape))
        counts.append(own.counts)
    return Features(np.concatenate(energy), np.concatenate(force), np.concatenate(counts))


def fit(
    some: Features,
    energies: NDArray[np.float64],
    forces: NDArray[np.float64] | None,
    chosen: NDArray[np.int64],
    noise: Noise,
) -> Model:
    """Fit a potential to the energies, and the forces if given, of the chosen configurations.

    Parameters
    ----------
    some
        Features of n configurations of N atoms.
    energies
        eV per atom, shape (n,).
    forces
        eV per angstrom, shape (N, 3), or None to fit energies alone.
    chosen
        Indices of configurations.
    noise
        Of the labels.

    Returns
    -------
    Model
    """
    rows, labels = [some.energy[chosen] / noise.energy], [energies[chosen] / noise.energy]
    if forces is not None:
        atoms = some.atoms_of(chosen)
        rows.append(some.force[atoms].reshape(-1, some.energy.shape[1]) / noise.force)
        labels.append(forces[atoms].ravel() / noise.force)
    design, target = np.concatenate(rows), np.concatenate(labels)
    precision = design.T @ design
    precision[np.diag_indices_from(precision)] += 1.0
    factor = linalg.cholesky(precision, lower=True)
    return Model(linalg.cho_solve((factor, True), design.T @ target), factor)


def _slopes(
    batch: Gradients, similarity: NDArray[np.float64], basis: Inducing
) -> NDArray[np.float64]:
    """Differentiate the total covariance with each inducing environment, shape (N, 3, M)."""
    own = batch.environments.spectra
    along = np.einsum("pcd,pd->pc", batch.values, own[batch.center])
    change = batch.values @ basis.spectra.T - along[..., None] * similarity[batch.center, None, :]
    outer = ZETA * similarity * similarity * similarity / batch.lengths[:, None]
    change *= outer[batch.center, None, :]
    total = sparse.csr_array(
        (np.ones(len(batch.moved)), (batch.moved, np.arange(len(batch.moved)))),
        shape=(len(own), len(batch.moved)),
    )
    return (total @ change.reshape(len(batch.moved), -1)).reshape(len(own), 3, -1)
