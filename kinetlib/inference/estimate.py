"""Rate constants from what an experiment measured: the most probable ones, and how sure they are.

The posterior's maximum is sought by descents from the draws of the prior's bank that fit best;
Laplace's approximation there gives the covariance. The prior is taken as the normal density with
the bank's mean and covariance, the noise as one on the scale of
`kinetlib.runs.noise.Noise.stabilised`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from kinetlib.inference.descend import descended, slopes
from kinetlib.inference.target import Target


@dataclass(frozen=True)
class Estimates:
    """Most probable coordinates.

    Attributes
    ----------
    x
        Shape (n, p).
    covariance
        By Laplace's approximation, shape (n, p, p).
    """

    x: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviations, shape (n, p)."""
        return np.sqrt(np.einsum("npp->np", self.covariance))


def most_probable(
    target: Target, *, bank: int = 2000, starts: int = 8, steps: int = 40
) -> Estimates:
    """Estimate the coordinates of reactions that were measured alike.

    Parameters
    ----------
    target
        The data, n reactions, with the bank of the mechanism's prior.
    bank
        Draws of the prior's bank, its first, that are searched for starts.
    starts, steps
        Descents of each reaction, and steps of each; the best end counts.
    """
    fits = _Fits(target)
    x, which = fits.starts(target.prior.bank[:bank], starts)
    x, _, which = descended(fits, x, steps, which)
    _, best = np.unique(which, return_index=True)
    x, which = x[best], which[best]
    slope = slopes(fits, x, fits.residuals(x, which), which)
    return Estimates(x, np.linalg.inv(np.swapaxes(slope, 1, 2) @ slope))


class _Fits:
    """Fits to data and to the prior, taken for normal: its residuals stand after those of data."""

    difference = 0.002  # of ln k: the covariance needs slopes, not secants

    def __init__(self, target: Target) -> None:
        self._target, self.within = target, target.within
        self._mean, precision = target.prior.moments()
        self._root = np.linalg.cholesky(precision)

    def _from_prior(self, x: NDArray) -> NDArray[np.float64]:
        return (x - self._mean) @ self._root

    def residuals(self, x: NDArray, which: NDArray) -> NDArray[np.float64]:
        return np.concatenate([self._target.residuals(x, which), self._from_prior(x)], axis=1)

    def starts(self, bank: NDArray, n: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the n draws that fit each reaction best, and whose each is."""
        noise, target = self._target.noise, self._target
        simulated, data = (noise.stabilised(v) for v in (target.curves(bank), target.data))
        squares = cdist(data, simulated, "sqeuclidean")
        squares = np.where(np.isfinite(squares), squares, np.inf)
        squares += (self._from_prior(bank) ** 2).sum(1)
        best = np.argsort(squares, axis=1)[:, :n]
        return bank[best.ravel()], np.repeat(np.arange(len(data)), best.shape[1])
