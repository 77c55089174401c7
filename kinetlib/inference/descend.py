"""Descents to where a likelihood lies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.target import Target

_STEP = 0.02  # of a coordinate, for differences
_LONGEST = 2.0  # step of a descent
_DAMPINGS = (0.1, 1.0, 10.0)  # tried side by side, relative to the current one
_BEYOND = 4.0  # how far a descent may leave the prior's box
_REFUSED = 30.0  # grows the damping where none of them goes downhill


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


def searched(
    target: Target, x: NDArray[np.float64], value: NDArray[np.float64], effort: Effort
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Let the best of some draws (m, D) with costs (m,) descend.

    Returns
    -------
    tuple
        The draws they began at, (starts, D), and where they ended, the best first; see `descended`.
    """
    starts = x[np.argsort(value, kind="stable")[: effort.starts]]
    return starts, descended(target, starts.copy(), effort.steps)


def cost(target: Target, curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return half the sum of squared residuals, infinite where a run failed, shape (n,)."""
    found = (target.residuals(curves) ** 2).sum(1) / 2
    return np.where(np.isfinite(found), found, np.inf)


def slopes(
    target: Target, x: NDArray[np.float64], curves: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Differentiate the residuals by forward differences, shape (n, values, D)."""
    n, dimensions = x.shape
    moved = x[:, None] + _STEP * np.eye(dimensions)
    there = target.residuals(target.curves(moved.reshape(-1, dimensions)))
    change = there.reshape(n, dimensions, -1) - target.residuals(curves)[:, None]
    return np.nan_to_num(np.moveaxis(change / _STEP, 1, 2))


def descended(target: Target, x: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Move all starts downhill side by side: Levenberg-Marquardt steps.

    After a quarter and a half of the steps the worse half is left behind. They may leave the
    prior's box by some way: where it stops a step they would stop for good, far above the least
    cost within.

    Parameters
    ----------
    x
        Starts, shape (n, D).
    steps
        Steps of each.

    Returns
    -------
    NDArray
        Shape (m, D), the best first.
    """
    curves = target.curves(x)
    value = cost(target, curves)
    damping = np.full(len(x), 0.01)
    for step in range(steps):
        if step in (steps // 4, steps // 2):
            best = np.argsort(value)[: max(1, len(x) // 2)]
            x, curves, value, damping = x[best], curves[best], value[best], damping[best]
        proposals = _steps(target, x, curves, damping)
        held = np.flatnonzero(target.prior.may_hold(proposals, beyond=_BEYOND))
        there = np.full((len(proposals), curves.shape[1]), np.nan)
        if len(held):
            there[held] = target.curves(proposals[held])
        new = cost(target, there).reshape(len(x), -1)
        choice = new.argmin(1)
        better = np.flatnonzero(new.min(1) < value)
        taken = better * len(_DAMPINGS) + choice[better]
        x[better], curves[better] = proposals[taken], there[taken]
        factor = np.full(len(x), _REFUSED)
        factor[better] = np.take(_DAMPINGS, choice[better])
        value[better] = new.min(1)[better]
        damping = np.clip(factor * damping, 1e-8, 1e8)
    return x[np.argsort(value)]


def _steps(target: Target, x: NDArray, curves: NDArray, damping: NDArray) -> NDArray:
    """Propose one step a damping, shape (n x dampings, D)."""
    slope = slopes(target, x, curves)
    downhill = -np.einsum("nvd,nv->nd", slope, np.nan_to_num(target.residuals(curves)))
    square = np.einsum("nvd,nve->nde", slope, slope)
    diagonal = np.einsum("nii->ni", square)
    identity = np.eye(x.shape[1])
    proposals = []
    for factor in _DAMPINGS:
        ridge = (factor * damping)[:, None] * (1.0 + diagonal) + 1e-3
        step = np.linalg.solve(square + identity * ridge[:, None], downhill[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        proposals.append(x + step * np.minimum(1.0, _LONGEST / np.maximum(length, 1e-12)))
    return np.stack(proposals, axis=1).reshape(-1, x.shape[1])
