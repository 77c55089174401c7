"""Posterior variances of a Gaussian process over the pool, one observed candidate at a time.

Conditioning on candidates one by one is the Cholesky factorisation of the kernel with these as
pivots: the same numbers, of which the largest, or one drawn in proportion, may be the next pivot.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from kinetlib.design.kernels import Kernel

_COARSE = 1e-6  # of the largest variance: more below zero is no rounding


class Conditioned:
    """A kernel given what has been observed with noise.

    Parameters
    ----------
    kernel
        Prior covariance over N candidates.
    n
        Most candidates that will be observed; n N numbers are held.
    variance
        Of the noise of each observation.

    Attributes
    ----------
    variances
        Posterior variances without the noise, shape (N,).

    Raises
    ------
    ValueError
        From `observe`, where a variance falls below zero: the kernel is not positive semidefinite.
    """

    def __init__(self, kernel: Kernel, n: int, variance: float):
        self._kernel, self._noise = kernel, variance
        self._factors = np.empty((n, len(kernel)))
        self._observed = 0
        self.variances = kernel.diagonal().astype(float)
        self._coarse = _COARSE * float(self.variances.max())

    @property
    def factors(self) -> NDArray[np.float64]:
        """Rows w with posterior covariance k - w^T w, shape (observed, N)."""
        return self._factors[: self._observed]

    def covariance(self, which: int) -> NDArray[np.float64]:
        """Return the posterior covariance with a candidate, shape (N,)."""
        return self._kernel.column(which) - self.factors[:, which] @ self.factors

    def observe(self, which: int) -> NDArray[np.float64]:
        """Condition on a candidate; return the factor w that is taken off, shape (N,)."""
        pivot = self.variances[which]
        factor = self.covariance(which) / np.sqrt(pivot + self._noise)
        left = self.variances - factor**2
        if pivot > self._coarse and left.min() < -self._coarse:
            raise ValueError(
                f"pool: no kernel: given candidate {which} the variance of candidate "
                f"{left.argmin()} is {left.min():.3g}. Give a positive semidefinite one"
            )
        # By Cauchy and Schwarz no factor takes off more than there is; rounding may.
        np.clip(factor, -np.sqrt(self.variances), np.sqrt(self.variances), out=factor)
        self._factors[self._observed] = factor
        self._observed += 1
        self.variances = np.maximum(left, 0.0)
        return factor

    def observe_all(self, which: Iterable[int], tolerance: float) -> None:
        """Condition on several; those that say nothing new are passed over."""
        for candidate in which:
            if self.variances[candidate] + self._noise > tolerance:
                self.observe(candidate)
