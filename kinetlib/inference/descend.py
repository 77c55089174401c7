"""Descents to where a posterior lies: least squares of many starts, side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_LONGEST = 2.0  # step
_DAMPINGS = np.array([0.1, 1.0, 10.0])  # tried side by side, relative to the current one
_REFUSED = 30.0  # grows the damping where none of them goes downhill
_LEAST, _MOST = 1e-8, 1e6  # damping; whoever needs more has arrived
_GAIN = 1e-4  # share of the cost; whoever gains less has arrived


@dataclass(frozen=True)
class Effort:
    """How much is computed to find where a posterior lies.

    Attributes
    ----------
    bank
        Draws from the prior that are searched.
    starts, steps
        Descents begun at the best of them, and steps of each; half of them are given up after a
        quarter of the steps, and half of the others halfway.
    kernels, draws
        Kernels of each round of importance sampling, and draws from them.
    enough, rounds
        The rounds end at this effective sample size, or after so many.
    """

    bank: int
    starts: int
    steps: int
    kernels: int
    draws: int
    enough: float
    rounds: int


class Fits(Protocol):
    """Fits that share their coordinates: of one reaction, of many samples, of many networks.

    ``difference`` is that of a coordinate, from which slopes are taken, unless there is a method
    ``slopes(x, residuals, which)`` that returns those of the residuals, (m, V, D).
    """

    difference: float

    def residuals(self, x: NDArray[np.float64], which: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return residuals (m, V) at coordinates (m, D) of the fits named (m,), NaN where none."""

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coordinates (m, D) as they may be tried, NaN where they may not."""


def cost(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the sum of squares (m, V), infinite where one is missing, shape (m,)."""
    found = (residuals**2).sum(1) / 2
    return np.where(np.isfinite(found), found, np.inf)


def slopes(
    fits: Fits, x: NDArray[np.float64], residuals: NDArray[np.float64], which: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Differentiate residuals (m, V) at coordinates (m, D): (m, V, D).

    By the fits' own ``slopes``, where they have them, else by forward differences.
    """
    if hasattr(fits, "slopes"):
        return fits.slopes(x, residuals, which)
    m, dimensions = x.shape
    moved = x[:, None] + fits.difference * np.eye(dimensions)
    there = fits.residuals(moved.reshape(-1, dimensions), np.repeat(which, dimensions))
    change = there.reshape(m, dimensions, -1) - residuals[:, None]
    return np.nan_to_num(np.moveaxis(change / fits.difference, 1, 2))


def descended(
    fits: Fits,
    x: NDArray[np.float64],
    steps: int,
    which: NDArray[np.int64] | None = None,
    *,
    halved: bool = True,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]]:
    """Move all starts downhill side by side, by the steps of Levenberg and Marquardt.

    After a quarter and a half of the steps the worse half of each fit's starts is left behind,
    unless all are wanted.

    Parameters
    ----------
    fits
        What is fitted.
    x
        Starts, shape (n, D).
    steps
        Most steps of each.
    which
        Which fit each start belongs to, shape (n,); one for all by default.
    halved
        Whether the worse half is left behind; else all go on to the end.

    Returns
    -------
    tuple
        Where they ended (m, D), what it costs (m,), and which fit they belong to (m,): fit by fit,
        the best of each first.
    """
    which = np.zeros(len(x), dtype=np.int64) if which is None else which
    residuals = fits.residuals(x, which)
    ends = _Ends(x.copy(), residuals, cost(residuals), which, np.full(len(x), 0.01))
    for step in range(steps):
        if halved and step in (steps // 4, steps // 2):
            ends = ends.better_half()
        going = np.flatnonzero(np.isfinite(ends.damping))
        if len(going):
            _step(fits, ends, going)
    ends = ends.take(np.lexsort((ends.value, ends.which)))
    return ends.x, ends.value, ends.which


@dataclass(frozen=True)
class _Ends:
    """Where descents are; ``damping`` is infinite where one has arrived."""

    x: NDArray[np.float64]
    residuals: NDArray[np.float64]
    value: NDArray[np.float64]
    which: NDArray[np.int64]
    damping: NDArray[np.float64]

    def take(self, rows: NDArray[np.int64]) -> _Ends:
        return _Ends(*(values[rows] for values in vars(self).values()))

    def better_half(self) -> _Ends:
        """Leave the worse half of each fit's behind."""
        order = np.lexsort((self.value, self.which))
        _, first, inverse, counts = np.unique(
            self.which[order], return_index=True, return_inverse=True, return_counts=True
        )
        rank = np.arange(len(order)) - first[inverse]
        return self.take(order[rank < np.maximum(1, counts // 2)[inverse]])


def _step(fits: Fits, ends: _Ends, going: NDArray[np.int64]) -> None:
    """Make one step, in place, of those that are on their way."""
    which = np.repeat(ends.which[going], len(_DAMPINGS))
    proposals = fits.within(_proposed(fits, ends.take(going)))
    there = fits.residuals(proposals, which)
    new = cost(there).reshape(len(going), -1)
    choice, least, before = new.argmin(1), new.min(1), ends.value[going]
    better = np.flatnonzero(least < before)
    taken, rows = better * len(_DAMPINGS) + choice[better], going[better]
    ends.x[rows], ends.residuals[rows] = proposals[taken], there[taken]
    ends.value[rows] = least[better]
    factor = np.full(len(going), _REFUSED)
    factor[better] = _DAMPINGS[choice[better]]
    damping = np.maximum(factor * ends.damping[going], _LEAST)
    arrived = (least < before) & (before - least < _GAIN * before) | (damping > _MOST)
    ends.damping[going] = np.where(arrived, np.inf, damping)


def _proposed(fits: Fits, ends: _Ends) -> NDArray[np.float64]:
    """Propose one step a damping, shape (m x dampings, D)."""
    slope = slopes(fits, ends.x, ends.residuals, ends.which)
    downhill = -np.einsum("nvd,nv->nd", slope, np.nan_to_num(ends.residuals))
    square = np.einsum("nvd,nve->nde", slope, slope)
    diagonal = np.einsum("nii->ni", square)
    identity = np.eye(ends.x.shape[1])
    proposals = []
    for factor in _DAMPINGS:
        ridge = (factor * ends.damping)[:, None] * (1.0 + diagonal) + 1e-3
        step = np.linalg.solve(square + identity * ridge[:, None], downhill[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        proposals.append(ends.x + step * np.minimum(1.0, _LONGEST / np.maximum(length, 1e-12)))
    return np.stack(proposals, axis=1).reshape(-1, ends.x.shape[1])
