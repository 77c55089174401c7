"""Absolute tolerances that follow the concentrations of each trajectory.

An absolute tolerance says below what size a concentration does not matter, which depends on the
unit it is written in and on the species: what is nothing beside the substrate may be all of the
catalyst. Where the user gives none, each species of each trajectory has its own, a part of its
*reach*: the most it can come to by the sums of concentrations that never rise
(`kinetlib.kinetics.conservation.bounding_sums`), which is exact for what the stoichiometry alone
tells. The tolerance of a species is a millionth of its reach, and no more than what the largest
reach of its trajectory gives: `BASE` where that is between 0.1 and 10, as in the runs of the
catalogue; below 0.01 a billionth of it, so that a run in molar is as right as in micromolar; above
10 a ten-billionth::

    largest reach             1e-9    1e-6    0.01    0.1     1       10      1e3
    atol of most species      1e-18   1e-15   1e-11   1e-9    1e-9    1e-9    1e-7
    of a catalyst 1e-5 of it  1e-20   1e-17   1e-13   1e-12   1e-11   1e-10   1e-8

It falls with a relative tolerance below 1e-6. A species that may stay far below its reach, as an
intermediate that reacts at once does, is held to its own maximum by `below_peaks`, after a coarse
integration that told it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.network import Network

#: The absolute tolerance where the largest reach is between `_LOW` and `_HIGH`.
BASE = 1e-9
_LOW, _HIGH = 0.1, 10.0
_PART = 1e-3  # of a species' reach, times `BASE`: a millionth
_COARSE, _FINE = 1e-3, 1e-2  # likewise of its maximum: what is too coarse, and what is not
_SMALLEST = 1e-250  # of a scale: what is multiplied by it is still a number


def base(rtol: float) -> float:
    """Absolute tolerance at scale 1 that goes with a relative one."""
    return min(BASE, 1e-3 * rtol)


def scales(network: Network, initial: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale the absolute tolerance of each species by its reach.

    Parameters
    ----------
    network
        S species.
    initial
        Concentrations at time 0, shape (n, S), not negative.

    Returns
    -------
    NDArray
        Shape (n, S), or (1, S) where all are 1. A species that nothing bounds has the scale of the
        largest initial concentration.
    """
    sums = network.bounding_sums.astype(float)
    if _all_usual(sums, initial):
        return np.ones((1, initial.shape[1]))
    # What is no number fails on its own.
    reach = _reach(sums, np.where(np.isfinite(initial), initial, 0.0))
    largest = reach.max(axis=1, keepdims=True, initial=0.0)
    low = np.maximum(largest, (largest / _LOW) ** 2)
    general = np.where(largest < _LOW, low, np.maximum(largest / _HIGH, 1.0))
    scale = np.minimum(general, reach / _PART)
    # What cannot be there needs none.
    return np.where(reach > 0.0, np.maximum(scale, _SMALLEST), 1.0)


def _all_usual(sums: NDArray[np.float64], initial: NDArray[np.float64]) -> bool:
    """Tell by the extremes of all trajectories whether every scale is 1; costs a batch nothing."""
    if not (sums > 0).any(axis=0).all() or not len(initial):
        return False
    with np.errstate(invalid="ignore"):
        totals = sums @ initial.T
    if not np.isfinite(totals).all():
        return False
    weights = np.where(sums > 0, sums, np.nan)
    least, most = (
        np.nanmin(extreme[:, None] / weights, axis=0) for extreme in (totals.min(1), totals.max(1))
    )
    return bool((least >= _PART).all() and _LOW <= least.max() and most.max() <= _HIGH)


def _reach(sums: NDArray[np.float64], initial: NDArray[np.float64]) -> NDArray[np.float64]:
    """Most that each species can come to, shape (n, S)."""
    reach = np.full(initial.shape, np.inf)
    for weights in sums:
        at = np.flatnonzero(weights)
        total = initial[:, at] @ weights[at]
        reach[:, at] = np.minimum(reach[:, at], total[:, None] / weights[at])
    open_ended = np.isinf(reach)
    if open_ended.any():
        largest = np.broadcast_to(initial.max(axis=1, keepdims=True), reach.shape)
        reach[open_ended] = largest[open_ended]
    return reach


def below_peaks(
    scale: NDArray[np.float64], peak: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Tell which trajectories had too coarse a tolerance for a species, and finer scales.

    Parameters
    ----------
    scale
        Used so far, shape (n, S) or (1, S).
    peak
        Largest magnitude of each species at any step, shape (n, S).

    Returns
    -------
    tuple
        Which trajectories, shape (n,), and the scales of all, shape (n, S).
    """
    known = peak > 0.0
    coarse = known & (scale * _COARSE > peak)
    finer = np.where(coarse, np.maximum(peak / _FINE, _SMALLEST), scale)
    return coarse.any(axis=1), finer
