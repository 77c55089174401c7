"""Profiles: how the best fit changes where one coordinate is held, step by step to the box's end.

A profile tells what the data allow by themselves: an interval by the likelihood alone. Its points
also show the corridors along which the data allow anything, so that draws find their way into them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from kinetlib.inference.descend import descended
from kinetlib.inference.marginal import Level
from kinetlib.inference.problem import Problem

_FIRST, _GROWTH, _LONGEST = 0.7, 1.6, 1.0  # steps: in deviations, factor of each, most in nat
_STEPS = (5, 3)  # of a descent from the neighbour, and again with the noise that is left there
_DROP = 8.0  # ln p(y | x) below the best at which a profile ends
_HALVINGS = 6  # of the last step, where an interval ends


@dataclass(frozen=True)
class Profile:
    """The best fits along one coordinate.

    ``at`` (m,), its values, rising; ``log_likelihood`` (m,); ``x`` (m, D), the fits.
    """

    at: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    x: NDArray[np.float64]

    def interval(self, drop: float) -> tuple[float, float]:
        """Return where ln p(y | x) falls ``drop`` below its best; infinite where it never does."""
        inside = self.log_likelihood >= self.log_likelihood.max() - drop
        first, last = np.flatnonzero(inside)[[0, -1]]
        low = -np.inf if first == 0 else self._crossing(first - 1, first, drop)
        high = np.inf if last == len(self.at) - 1 else self._crossing(last + 1, last, drop)
        return low, high

    def widened(
        self, drop: float, values: NDArray[np.float64], log_likelihood: NDArray[np.float64]
    ) -> tuple[float, float]:
        """Return the interval with all other fits (n,) in it that are as good.

        A profile follows one valley; draws and other ends of descents know of others.
        """
        low, high = self.interval(drop)
        good = values[log_likelihood >= self.log_likelihood.max() - drop]
        return min(low, good.min(initial=np.inf)), max(high, good.max(initial=-np.inf))

    def _crossing(self, outside: int, inside: int, drop: float) -> float:
        level = self.log_likelihood.max() - drop
        out, within = self.log_likelihood[[outside, inside]]
        share = (within - level) / max(within - out, 1e-300)
        return float(self.at[inside] + share * (self.at[outside] - self.at[inside]))


def threshold(n_values: float, n_free: int, level: float = 0.95) -> float:
    """Return how far ln p(y | x) falls at the ends of a profile interval.

    That of a normal model whose noise is estimated too, by Student's t: 1.92 for many values.
    """
    freedom = max(n_values - n_free, 1.0)
    quantile = student.ppf((1 + level) / 2, freedom)
    return float(n_values / 2 * np.log1p(quantile**2 / freedom))


class _Held:
    """Fits of a problem, each with one coordinate held, and the noise that it leaves."""

    difference = 0.002

    def __init__(self, problem: Problem, held: NDArray[np.int64]) -> None:
        self._problem, self._held = problem, held
        self.values = np.zeros(len(held))
        self._relative, self._absolute = (
            np.repeat(part[None], len(held), axis=0)
            for part in (problem.noise.relative, problem.noise.absolute)
        )

    def reweigh(self, x: NDArray[np.float64], which: NDArray[np.int64]) -> None:
        """Count residuals in the noise about coordinates (m, D) from now on."""
        level = self._problem.noise_about(x)
        self._relative[which], self._absolute[which] = level.relative, level.absolute

    def _noise(self, which: NDArray[np.int64]) -> Level:
        return Level(self._relative[which], self._absolute[which])

    def put(self, x: NDArray[np.float64], which: NDArray[np.int64]) -> NDArray[np.float64]:
        x = x.copy()
        x[np.arange(len(x)), self._held[which]] = self.values[which]
        return x

    def residuals(self, x: NDArray, which: NDArray[np.int64]) -> NDArray[np.float64]:
        return self._problem.residuals(self.put(x, which), noise=self._noise(which))

    def slopes(self, x: NDArray, residuals: object, which: NDArray[np.int64]) -> NDArray:
        slope = self._problem.slopes(self.put(x, which), noise=self._noise(which))
        slope[np.arange(len(x)), :, self._held[which]] = 0.0
        return slope

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._problem.within(x)


def profiles(problem: Problem, best: NDArray[np.float64], drop: float) -> list[Profile]:
    """Follow all coordinates from the best fit to both ends, side by side.

    Parameters
    ----------
    problem
        What is fitted, its noise that of the best fit.
    best
        Coordinates of the best fit, shape (D,).
    drop
        Of ln p(y | x) at the ends of the interval wanted, which is found to some percent of its
        width.

    Returns
    -------
    list of Profile
        One a coordinate.
    """
    n = len(best)
    coordinate, sign = np.repeat(np.arange(n), 2), np.tile([-1.0, 1.0], n)
    low, high = problem.within(np.stack([np.full(n, -np.inf), np.full(n, np.inf)]))
    end = np.where(sign < 0, low[coordinate], high[coordinate])
    walk = _Walk(problem, best, coordinate)
    step = np.minimum(_FIRST * _deviations(problem, best)[coordinate], _LONGEST)
    going = np.flatnonzero(walk.at != end)
    while len(going):
        reached = walk.at[going] + sign[going] * step[going]
        over = sign[going] * (reached - end[going]) >= 0
        found = walk.to(going, np.where(over, end[going], reached))
        fallen = found < walk.log_likelihood - max(_DROP, 2 * drop)
        step[going] = np.minimum(step[going] * _GROWTH, _LONGEST)
        going = going[~(fallen | over)]
    _refine(walk, drop)
    return [walk.profile(number) for number in range(n)]


def _deviations(problem: Problem, best: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return standard deviations by the curvature, at most some nat, shape (D,)."""
    slope = problem.slopes(best[None])[0]
    return np.sqrt(np.diag(np.linalg.inv(slope.T @ slope + 0.05 * np.eye(len(best)))))


class _Walk:
    """Steps along coordinates, two directions each, and all that they have found."""

    def __init__(
        self, problem: Problem, best: NDArray[np.float64], coordinate: NDArray[np.int64]
    ) -> None:
        self._problem, self.coordinate = problem, coordinate
        self._fits = _Held(problem, coordinate)
        self._now = np.repeat(best[None], len(coordinate), axis=0)
        self.at = best[coordinate].copy()
        self.log_likelihood = float(problem.log_likelihood(best[None])[0])
        self.points: list[list[tuple[float, float, NDArray[np.float64]]]] = [
            [(value, self.log_likelihood, best)] for value in self.at
        ]

    def to(self, chosen: NDArray[np.int64], values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Hold coordinates at values and descend from where they were; return ln p(y | x)."""
        self.at[chosen] = self._fits.values[chosen] = values
        x, which = self._now[chosen], chosen
        for steps in _STEPS:
            x, _, which = descended(self._fits, x, steps, which)
            x = self._fits.put(x, which)
            self._fits.reweigh(x, which)
        found = self._problem.log_likelihood(x)
        for row, value, there in zip(which, found, x, strict=True):
            self.points[row].append((float(there[self.coordinate[row]]), float(value), there))
            self._now[row] = there
        return found[np.argsort(which)]

    def back_to(self, row: int, x: NDArray[np.float64]) -> None:
        self._now[row] = x

    def profile(self, coordinate: int) -> Profile:
        both = [
            p for row in np.flatnonzero(self.coordinate == coordinate) for p in self.points[row]
        ]
        at, value, x = zip(*both, strict=True)
        _, order = np.unique(at, return_index=True)
        return Profile(np.array(at)[order], np.array(value)[order], np.stack(x)[order])


def _refine(walk: _Walk, drop: float) -> None:
    """Halve the step in which the likelihood falls by ``drop``, all directions side by side."""
    level = walk.log_likelihood - drop
    for _ in range(_HALVINGS):
        rows, values = [], []
        for row, points in enumerate(walk.points):
            ordered = sorted(points, key=lambda point: abs(point[0] - points[0][0]))
            out = next((i for i, point in enumerate(ordered) if point[1] < level), None)
            if out is None or ordered[out - 1][1] - ordered[out][1] < 0.2:
                continue
            rows.append(row)
            values.append((ordered[out - 1][0] + ordered[out][0]) / 2)
            walk.back_to(row, ordered[out - 1][2])
        if not rows:
            break
        walk.to(np.array(rows), np.array(values))
