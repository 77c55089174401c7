"""Kernels over a pool of candidates, held whole or evaluated a few columns at a time."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

#: Largest pool whose whole kernel matrix is formed: 10,000 candidates are 0.8 GB.
LARGEST_FULL = 10_000
_BLOCK = 2**23  # numbers held at a time where a whole kernel is gone through


class Kernel(ABC):
    """A positive semidefinite kernel over N candidates.

    Subclass it with the three methods below for a kernel of your own; the rest follows from them.
    Distances are those of the kernel's feature space, d(i, j)^2 = k(i, i) + k(j, j) - 2 k(i, j).

    Attributes
    ----------
    precision
        Relative rounding error of its values.
    """

    precision: float = float(np.finfo(float).eps)

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of candidates."""

    @abstractmethod
    def diagonal(self) -> NDArray[np.float64]:
        """Return k(i, i), shape (N,)."""

    @abstractmethod
    def columns(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return k(., j) of the candidates j in `which`, shape (N, len(which))."""

    def column(self, which: int) -> NDArray[np.float64]:
        """Return k(., j), shape (N,)."""
        return self.columns(np.array([which]))[:, 0]

    def squared_distances(self, which: int) -> NDArray[np.float64]:
        """Return squared distances to candidate `which`, shape (N,)."""
        diagonal = self.diagonal()
        found = diagonal + diagonal[which] - 2.0 * self.column(which)
        found[which] = 0.0
        return np.maximum(found, 0.0)

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each row, shape (N,): the pool's mean embedding at each candidate."""
        total = np.zeros(len(self))
        for block in self._blocks():
            total += self.columns(block).sum(1)
        return total / len(self)

    def full(self, needed_by: str) -> NDArray[np.float64]:
        """Return the whole kernel matrix, shape (N, N).

        Raises
        ------
        ValueError
            Where the pool is too large for that; `needed_by` names who asked.
        """
        if len(self) > LARGEST_FULL:
            raise ValueError(
                f"{needed_by} needs the whole kernel of {len(self):,} candidates, more than "
                f"{LARGEST_FULL:,}: select from part of the pool, within groups, or from "
                "kinetlib.design.low_rank(kernel, rank)"
            )
        return self.columns(np.arange(len(self)))

    def part(self, which: NDArray[np.intp]) -> Kernel:
        """Return the kernel over some of the candidates."""
        return _Part(self, which)

    def cross(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the kernel between target points and the candidates, shape (m, N)."""
        raise ValueError(
            f"{type(self).__name__} has no `cross` and so takes no target: write one, or give the "
            "kernel as a matrix and the target as k(target, pool), shape (m, N)"
        )

    def _blocks(self) -> list[NDArray[np.intp]]:
        size = max(1, _BLOCK // max(1, len(self)))
        return [np.arange(i, min(i + size, len(self))) for i in range(0, len(self), size)]


class Gram(Kernel):
    """A kernel given as its matrix, shape (N, N)."""

    def __init__(self, matrix: ArrayLike):
        given = np.asarray(matrix)
        self.matrix = given.astype(float, copy=False)
        if given.dtype.kind == "f":
            self.precision = float(np.finfo(given.dtype).eps)

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.matrix)

    def diagonal(self) -> NDArray[np.float64]:
        """Return the diagonal, shape (N,)."""
        return self.matrix.diagonal().copy()

    def columns(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return columns, shape (N, len(which))."""
        # Rows of a symmetric matrix are its columns, and lie together in memory.
        return self.matrix[which].T

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each row, shape (N,)."""
        return self.matrix.mean(1)

    def full(self, needed_by: str) -> NDArray[np.float64]:
        """Return the matrix, which is there whatever its size."""
        return self.matrix

    def part(self, which: NDArray[np.intp]) -> Gram:
        """Return the kernel over some of the candidates."""
        part = Gram(self.matrix[np.ix_(which, which)])
        part.precision = self.precision
        return part

    def cross(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take a target as it is given with a matrix: k(target, pool), shape (m, N)."""
        if target.shape[1] != len(self):
            raise ValueError(
                f"target: expected k(target, pool) with {len(self)} columns, one a candidate, got "
                f"shape {target.shape}"
            )
        return target


class Linear(Kernel):
    """Inner products of features, shape (N, d)."""

    def __init__(self, features: ArrayLike):
        self.features = np.asarray(features, dtype=float)

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.features)

    def diagonal(self) -> NDArray[np.float64]:
        """Return squared norms, shape (N,)."""
        return np.einsum("ij,ij->i", self.features, self.features)

    def columns(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return columns, shape (N, len(which))."""
        return self.features @ self.features[which].T

    def squared_distances(self, which: int) -> NDArray[np.float64]:
        """Return squared distances to candidate `which`, shape (N,)."""
        return cdist(self.features, self.features[which : which + 1], "sqeuclidean")[:, 0]

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each row, shape (N,)."""
        return self.features @ self.features.mean(0)

    def part(self, which: NDArray[np.intp]) -> Linear:
        """Return the kernel over some of the candidates."""
        return Linear(self.features[which])

    def cross(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return inner products of target features (m, d) with the pool's, shape (m, N)."""
        return _same_columns(target, self.features) @ self.features.T


class Gaussian(Kernel):
    """exp(-|x - y|^2 / (2 width^2)) of features, shape (N, d), evaluated where it is asked for."""

    def __init__(self, features: ArrayLike, width: float):
        self.features = np.asarray(features, dtype=float)
        if self.features.ndim != 2 or not np.isfinite(self.features).all():
            raise ValueError("features: expected a finite array, candidates by features")
        if not (np.isfinite(width) and width > 0):
            raise ValueError(f"width: expected a positive number, got {width!r}")
        self.width = float(width)

    def __len__(self) -> int:
        """Return the number of candidates."""
        return len(self.features)

    def diagonal(self) -> NDArray[np.float64]:
        """Return ones, shape (N,)."""
        return np.ones(len(self.features))

    def columns(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return columns, shape (N, len(which))."""
        found = self._exponents(self.features[which])
        return np.exp(found, out=found)

    def squared_distances(self, which: int) -> NDArray[np.float64]:
        """Return squared distances to candidate `which`, shape (N,); exact for near neighbours."""
        return -2.0 * np.expm1(self._exponents(self.features[which : which + 1])[:, 0])

    def part(self, which: NDArray[np.intp]) -> Gaussian:
        """Return the kernel over some of the candidates."""
        return Gaussian(self.features[which], self.width)

    def cross(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the kernel between target features (m, d) and the pool's, shape (m, N)."""
        return np.exp(self._exponents(_same_columns(target, self.features))).T

    def _exponents(self, others: NDArray) -> NDArray[np.float64]:
        found = cdist(self.features, others, "sqeuclidean")
        found *= -0.5 / self.width**2
        return found


class _Part(Kernel):
    """Some of the candidates of another kernel."""

    def __init__(self, whole: Kernel, which: NDArray[np.intp]):
        self._whole, self._which, self.precision = whole, which, whole.precision

    def __len__(self) -> int:
        return len(self._which)

    def diagonal(self) -> NDArray[np.float64]:
        return self._whole.diagonal()[self._which]

    def columns(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        return self._whole.columns(self._which[which])[self._which]


def median_width(features: ArrayLike, rng: Generator, n_pairs: int = 10_000) -> float:
    """Return the median distance between two candidates, the usual width of a Gaussian kernel.

    Parameters
    ----------
    features
        Shape (N, d), N at least 2.
    rng
        Draws the pairs.
    n_pairs
        How many pairs of different candidates are looked at.

    Raises
    ------
    ValueError
        If more than half of the pairs coincide: such a width would be 0.
    """
    features = np.asarray(features, dtype=float)
    first = rng.integers(0, len(features), n_pairs)
    second = (first + rng.integers(1, len(features), n_pairs)) % len(features)
    width = float(np.median(np.linalg.norm(features[first] - features[second], axis=1)))
    if width == 0.0:
        raise ValueError("features: most candidates coincide; give a width instead of the median")
    return width


def _same_columns(target: NDArray, features: NDArray) -> NDArray:
    if target.shape[1] != features.shape[1]:
        raise ValueError(
            f"target: expected {features.shape[1]} features a row as in the pool, got shape "
            f"{target.shape}"
        )
    return target
