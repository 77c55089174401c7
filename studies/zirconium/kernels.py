"""How alike two crystals are, atom by atom."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from studies.zirconium.descriptors import Environments

ZETA = 4  # which `power` counts on
"""Power of the dot product: how many-body the kernel is beyond the descriptor."""


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


def self_kernel(some: Environments) -> NDArray[np.float64]:
    """Return ``K_AA`` of each configuration, shape (n,)."""
    ends = np.concatenate([some.starts, [len(some.spectra)]])
    parts = (some.spectra[a:b] for a, b in zip(ends[:-1], ends[1:], strict=True))
    return np.array([power(part @ part.T).mean() for part in parts])


def distances(kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distances that a kernel matrix implies, ``d^2 = K_AA + K_BB - 2 K_AB``."""
    own = np.diag(kernel)
    return np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * kernel, 0))
