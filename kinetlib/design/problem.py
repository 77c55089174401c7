"""What a method of selection is given, checked once and the same for all of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import LinAlgError, cholesky

from kinetlib.design.kernels import Gram, Kernel, Linear

_ROUNDING = 1e-8  # least that a kernel's asymmetry and negative eigenvalues may be, relative
_LARGEST_CHOLESKY = 3000  # pool whose kernel is factorised whole to see that it is one
_PROBED = 200  # pivots by which a larger one is probed


@dataclass(frozen=True)
class Problem:
    """Select `n` candidates in all; those in `start` are among them, and come first.

    Attributes
    ----------
    kernel
        Over N candidates.
    n
        Candidates wanted, those of `start` counted.
    variance
        Of the noise, in units of the kernel.
    start
        Candidates already chosen.
    target
        k(target, pool), shape (m, N), where the target is not the pool.
    generator
        Source of random numbers, if there is one.
    """

    kernel: Kernel
    n: int
    variance: float
    start: NDArray[np.intp]
    target: NDArray[np.float64] | None = None
    generator: Generator | None = None

    @property
    def tolerance(self) -> float:
        """Variance below which rounding decides, as in LAPACK's ``dpstrf``: N eps max k(i, i)."""
        return len(self.kernel) * self.kernel.precision * float(self.kernel.diagonal().max())

    @property
    def ridge(self) -> float:
        """The noise's variance, or the least that keeps matrices regular."""
        return max(self.variance, self.tolerance, np.finfo(float).tiny)

    @property
    def rng(self) -> Generator:
        """Source of random numbers.

        Raises
        ------
        ValueError
            If none was given.
        """
        if self.generator is None:
            raise ValueError("this method draws: give it rng=numpy.random.default_rng(seed)")
        return self.generator

    def unchosen(self) -> NDArray[np.bool_]:
        """Tell which candidates are not in `start`, shape (N,)."""
        free = np.ones(len(self.kernel), dtype=bool)
        free[self.start] = False
        return free

    def continued(self, chosen: NDArray[np.intp]) -> Problem:
        """Return the same problem with more candidates chosen already."""
        return replace(self, start=chosen)

    def within(self, which: NDArray[np.intp], n: int) -> Problem:
        """Return the same problem over some of the candidates."""
        place = np.full(len(self.kernel), -1)
        place[which] = np.arange(len(which))
        start = place[self.start]
        return replace(
            self,
            kernel=self.kernel.part(which),
            n=n,
            start=start[start >= 0],
            target=None if self.target is None else self.target[:, which],
        )


def as_kernel(pool: ArrayLike | Kernel) -> Kernel:
    """Read a pool: a `Kernel`, a kernel matrix (square, symmetric), or features.

    Raises
    ------
    ValueError
        If it is none of these, or the matrix has a negative eigenvalue beyond rounding.
    """
    if isinstance(pool, Kernel):
        diagonal = pool.diagonal()
        if not len(pool) or not np.isfinite(diagonal).all() or diagonal.min() < 0:
            raise ValueError("pool: expected a kernel whose diagonal is finite and not negative")
        return pool
    values = finite_matrix(pool, "pool")
    if values.shape[0] != values.shape[1]:
        return Linear(values)
    kernel = Gram(pool)
    _check_kernel(values, max(_ROUNDING, 100 * kernel.precision))
    return kernel


def finite_matrix(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Read a finite, not empty array of two dimensions."""
    try:
        found = np.asarray(values)
        if found.dtype.kind not in "fiub":
            raise TypeError
        found = found.astype(float, copy=False)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected an array of real numbers") from None
    if found.ndim != 2 or 0 in found.shape:
        raise ValueError(
            f"{name}: expected two dimensions, candidates by features or a square kernel matrix, "
            f"got shape {found.shape}"
        )
    if not np.isfinite(found).all():
        row, column = np.argwhere(~np.isfinite(found))[0]
        raise ValueError(
            f"{name}: {found[row, column]} in row {row}, column {column}; expected finite numbers: "
            "drop or fill these candidates first"
        )
    return found


def _check_kernel(matrix: NDArray[np.float64], tolerance: float) -> None:
    apart = _asymmetry(matrix)
    if apart > tolerance * np.abs(matrix).max():
        raise ValueError(
            f"pool: a square matrix that is not symmetric, up to {apart:.3g} apart; a kernel is: "
            "give (K + K.T) / 2. Features with as many columns as candidates go in as "
            "kinetlib.design.Linear(features)"
        )
    diagonal = matrix.diagonal()
    if diagonal.min() < 0:
        raise _indefinite(f"entry {diagonal.argmin()} of its diagonal is {diagonal.min():.3g}")
    slack = tolerance * diagonal.sum()
    bound = np.sqrt(diagonal)
    for i, row in enumerate(matrix):
        j = int(np.argmax(np.abs(row) - bound[i] * bound))
        if np.abs(row[j]) > bound[i] * bound[j] + slack:
            raise _indefinite(f"k({i}, {j}) = {row[j]:.3g} exceeds sqrt(k({i}, {i}) k({j}, {j}))")
    if len(matrix) > _LARGEST_CHOLESKY:
        _probe(matrix, slack)
        return
    try:
        cholesky(matrix + (slack + np.finfo(float).tiny) * np.eye(len(matrix)), lower=True)
    except LinAlgError:
        raise _indefinite("it has a negative eigenvalue") from None


def _asymmetry(matrix: NDArray) -> float:
    """Return the largest difference to the transpose, with a few rows in hand at a time."""
    rows = max(1, 2**22 // len(matrix))
    starts = range(0, len(matrix), rows)
    return max(
        float(np.abs(matrix[i : i + rows] - matrix[:, i : i + rows].T).max()) for i in starts
    )


def _probe(matrix: NDArray, slack: float) -> None:
    """Look at the Schur complements of the largest pivots: none may be negative."""
    residual, factors = matrix.diagonal().copy(), []
    for _ in range(_PROBED):
        pivot = int(residual.argmax())
        if residual[pivot] <= slack:
            return
        column = matrix[pivot] - sum(f[pivot] * f for f in factors)
        factors.append(column / np.sqrt(residual[pivot]))
        residual -= factors[-1] ** 2
        if residual.min() < -slack:
            raise _indefinite("it has a negative eigenvalue")


def _indefinite(what: str) -> ValueError:
    return ValueError(
        f"pool: a symmetric matrix that is no kernel: {what}. Give a positive semidefinite one, "
        "or the features it came from"
    )


def positions(chosen: ArrayLike | None, size: int, name: str) -> NDArray[np.intp]:
    """Read positions in a pool of `size`, each once; none if None."""
    found = np.asarray([] if chosen is None else chosen)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise ValueError(f"{name}: expected a list of positions (whole numbers), got {chosen!r}")
    found = found.astype(np.intp)
    out = found[(found < 0) | (found >= size)]
    if out.size:
        raise ValueError(f"{name}: position {out[0]} is not among 0 to {size - 1}")
    values, counts = np.unique(found, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"{name}: position {values[counts > 1][0]} is given more than once")
    return found


def count(n: int, size: int, n_start: int) -> int:
    """Read how many candidates are wanted."""
    try:
        n = operator.index(n)
    except TypeError:
        raise ValueError(f"n: expected a whole number, got {n!r}") from None
    if not 1 <= n <= size:
        raise ValueError(f"n: expected 1 to {size}, the size of the pool, got {n}")
    if n < n_start:
        raise ValueError(f"n: {n} in all, but start already has {n_start}; n counts those, too")
    return n


def noise_variance(noise: float) -> float:
    """Square the noise's standard deviation."""
    try:
        value = float(noise)
    except (TypeError, ValueError):
        value = np.nan
    if not (np.isfinite(value) and value >= 0):
        raise ValueError(f"noise: expected a standard deviation, finite and >= 0, got {noise!r}")
    return value**2


def group_numbers(groups: Sequence | NDArray, size: int) -> NDArray[np.intp]:
    """Give each candidate the number of its group among sorted labels, shape (N,)."""
    labels = np.asarray(groups)
    if labels.shape != (size,):
        raise ValueError(
            f"groups: expected one label for each of {size} candidates, got shape {labels.shape}"
        )
    if labels.dtype.kind == "f" and not np.isfinite(labels).all():
        raise ValueError("groups: a label is not finite")
    return np.unique(labels, return_inverse=True)[1]
