"""Sums of concentrations that the data keep, and networks that make matter out of nothing.

A sum w x is kept where it changes within each run by no more than the noise of its parts (the null
space of the matrix of reaction data: Bonvin, Rippin, Chem. Eng. Sci. 45, 3417, 1990). It counts
only where it is *determined*: with one molecule more or less of any species that moves it is not
kept. So a species of which there is hardly any says nothing, and nothing is made of it.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from kinetlib.crnn.runs import Curves

_MOST = ((8, 2), (13, 1))  # species at most, and their largest weight then
_BEYOND = 4.0  # standard deviations of the statistic that noise may lift it
_FEWEST = 6  # degrees of freedom to judge a sum by
_BENDS = 3  # slow changes of a run, beside a constant, that a sum is judged by


def kept_sums(curves: Curves, noise: float) -> NDArray[np.int64]:
    """Find the sums that the data keep, and determine: shape (sums, S), whole numbers, small first.

    Judged are all changes, and the slow ones by themselves, in which noise averages out. None are
    found where fewer than six rows have all species.
    """
    n_species = len(curves.species)
    none = np.empty((0, n_species), dtype=np.int64)
    largest = next((weight for size, weight in _MOST if n_species <= size), 0)
    tests = tests_of(curves, noise)
    if not tests or not largest or n_species < 2:
        return none
    weights = np.array(list(product(range(largest + 1), repeat=n_species)))
    weights = weights[(weights > 0).sum(1) > 1]
    moving = ~np.all([test.kept(np.eye(n_species)) for test in tests], axis=0)
    weights = weights[~(weights[:, ~moving] > 0).any(1)]
    weights = weights[np.gcd.reduce(weights, axis=1) == 1] if len(weights) else weights

    def kept(w: NDArray) -> NDArray[np.bool_]:
        return np.all([test.kept(w) for test in tests], axis=0)

    weights = weights[kept(weights)]
    weights = weights[np.lexsort((weights.max(1), weights.sum(1)))]
    steps = np.eye(n_species, dtype=np.int64)[moving]
    found: list[NDArray] = []
    for w in weights:
        if found and np.linalg.matrix_rank([*found, w]) == len(found):
            continue
        around = np.concatenate([w + steps, w - steps])
        if _explained(around[kept(around)] - w, found):
            found.append(w)
    return np.array(found, dtype=np.int64).reshape(-1, n_species) if found else none


def _explained(steps: NDArray, found: list[NDArray]) -> bool:
    """Tell whether all that may be added to a sum is kept by itself, as other sums say."""
    rank = len(found)
    return all(found and np.linalg.matrix_rank([*found, step]) == rank for step in steps)


class SumTest:
    """Changes (rows, S) of species with the variances of their noise: which sums are noise."""

    def __init__(self, change: NDArray, variance: NDArray) -> None:
        self._gram, self._noise = change.T @ change, variance.sum(0)
        own = variance.sum(1)
        self._limit = 1 + _BEYOND * np.sqrt(2 * (own**2).sum()) / own.sum()

    def kept(self, w: NDArray) -> NDArray[np.bool_]:
        """Judge sums (n, S)."""
        return np.einsum("ij,jk,ik->i", w, self._gram, w) <= self._limit * (w**2 @ self._noise)


def tests_of(curves: Curves, noise: float) -> list[SumTest]:
    """Collect changes within runs, of rows that have all species; nothing where these are few."""
    rough, slow = [], []
    deviation = curves.deviation(np.nan_to_num(curves.value), noise)
    for time, value, own in zip(curves.time, curves.value, deviation, strict=True):
        whole = np.isfinite(value).all(1)
        n = int(whole.sum())
        if n < 2:
            continue
        place = time[whole] / (time[whole] + max(float(np.median(time[whole])), 1e-12))
        basis = np.linalg.qr(place[:, None] ** np.arange(min(n, _BENDS + 1)))[0][:, 1:]
        rough.append((value[whole] - value[whole].mean(0), own[whole] ** 2 * (1 - 1 / n)))
        slow.append((basis.T @ value[whole], np.square(basis).T @ own[whole] ** 2))
    if sum(len(change) - 1 for change, _ in rough) < _FEWEST:
        return []
    return [SumTest(*map(np.concatenate, zip(*parts, strict=True))) for parts in (rough, slow)]


def makes_matter(net: NDArray) -> tuple[bool, bool]:
    """Tell whether reactions (R, S) make matter, and whether they lose it, whatever species weigh.

    There are masses, all positive, that no reaction makes more of: else matter is made. There are
    such that each keeps: else it is made or lost.
    """
    total = net.sum(1)
    if (total == 0).all():
        return False, False
    touched = net[:, (net != 0).any(0)].astype(float)
    bounds = [(1.0, None)] * touched.shape[1]
    cost = np.ones(touched.shape[1])
    zero = np.zeros(len(touched))
    if linprog(cost, A_eq=touched, b_eq=zero, bounds=bounds).success:
        return False, False
    if (total <= 0).all() or linprog(cost, A_ub=touched, b_ub=zero, bounds=bounds).success:
        return False, True
    return True, True


def written(weights: NDArray[np.int64], species: tuple[str, ...]) -> str:
    """Write a sum, ``A + 2 B``."""
    terms = zip(weights, species, strict=True)
    return " + ".join(name if n == 1 else f"{n} {name}" for n, name in terms if n)
