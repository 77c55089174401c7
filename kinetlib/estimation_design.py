"""D-optimal experiments for estimating rate constants, and how far from the best they can be.

An experiment is a number of candidate runs with as many times each. Exchange (Fedorov, Theory of
Optimal Experiments, 1972) finds a good one; a bound tells how good. The criterion is concave in the
weights of (run, time) pairs, and with runs and times chosen in part, weights w, it lies below its
tangent. The tangent is largest at some experiment that is found by sorting, and that value bounds
the criterion of every experiment. Frank and Wolfe's steps towards it raise the criterion and lower
the bound: the equivalence theorem of Kiefer and Wolfowitz, at work.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.estimation import Information
from kinetlib.experiment import Candidates, Experiment

_GAIN = 1e-9  # of a criterion: more than rounding
_HALVINGS = 40  # of the interval in which a step's length is sought


@dataclass(frozen=True)
class Bound:
    """What no experiment exceeds.

    Attributes
    ----------
    criterion
        The bound of the criterion.
    reached
        The criterion at the weights, below it.
    weights
        Of each run and time, shape (runs, T).
    """

    criterion: float
    reached: float
    weights: NDArray[np.float64]


def d_optimal(
    told: Information, n_runs: int, n_times: int, rng: Generator, *, starts: int = 4
) -> Experiment:
    """Search for the experiment of the largest criterion: exchanges, from several starts.

    One time of a run is exchanged for another of the same run, or a run for another with the same
    times, the best of all such exchanges first, until none gains.

    Parameters
    ----------
    told
        What the candidates tell.
    n_runs, n_times
        Different runs, and different times of each.
    rng
        Draws the starts.
    starts
        How many; the best end counts.

    Raises
    ------
    ValueError
        More runs or times than there are candidates.
    """
    times = _measurable(told, n_runs, n_times)
    ends = []
    for _ in range(starts):
        runs = rng.choice(len(told.candidates), n_runs, replace=False)
        rows = [np.sort(rng.choice(times, n_times, replace=False)) for _ in runs]
        chosen = np.zeros(told.rows.shape[1:3], dtype=bool)
        for run, row in zip(runs, rows, strict=True):
            chosen[run, row] = True
        ends.append(_exchanged(told, chosen, times))
    return max(ends, key=told.criterion)


def _measurable(told: Information, n_runs: int, n_times: int) -> NDArray[np.intp]:
    times = np.flatnonzero(told.candidates.times > 0)
    if not (1 <= n_runs <= len(told.candidates) and 1 <= n_times <= len(times)):
        raise ValueError(
            f"expected 1 to {len(told.candidates)} runs and 1 to {len(times)} times after the "
            f"start, as many as there are candidates, got {n_runs} runs and {n_times} times"
        )
    return times


def _exchanged(told: Information, chosen: NDArray[np.bool_], times: NDArray) -> Experiment:
    """Exchange from a choice (runs, T) until nothing is gained."""
    chosen = chosen.copy()
    while _exchange_a_time(told, chosen, times) or _exchange_a_run(told, chosen):
        pass
    return _experiment(chosen)


def _experiment(chosen: NDArray[np.bool_]) -> Experiment:
    runs = np.flatnonzero(chosen.any(1))
    return Experiment(
        tuple(runs.tolist()), tuple(tuple(np.flatnonzero(chosen[r]).tolist()) for r in runs)
    )


def _total(told: Information, weights: NDArray) -> NDArray[np.float64]:
    """P and the information of weighted runs and times, shape (draws, p, p)."""
    at = np.nonzero(weights)
    rows = told.rows[:, at[0], at[1]] * np.sqrt(weights[at])[:, None, None]
    rows = rows.reshape(len(rows), -1, told.p)
    return told.precision + np.swapaxes(rows, 1, 2) @ rows


def _gains(rows: NDArray, total: NDArray) -> NDArray[np.float64]:
    """Mean of ln det(M + V^T V) - ln det M for rows V, (draws, ..., 2, p), and M (draws, p, p)."""
    low = np.linalg.cholesky(np.linalg.inv(total))  # M^-1 = L L^T
    shape = rows.shape
    u = (rows.reshape(len(rows), -1, shape[-1]) @ low).reshape(shape)
    a, b = (u[..., 0, :] ** 2).sum(-1), (u[..., 1, :] ** 2).sum(-1)
    c = (u[..., 0, :] * u[..., 1, :]).sum(-1)
    return np.log((1 + a) * (1 + b) - c**2).mean(0)


def _exchange_a_time(told: Information, chosen: NDArray[np.bool_], times: NDArray) -> bool:
    """Make, in each run, the best exchange of one time; tell whether any gained."""
    gained = False
    for run in np.flatnonzero(chosen.any(1)):
        rows = told.rows[:, run]
        best, swap = _GAIN, None
        for old in np.flatnonzero(chosen[run]):
            chosen[run, old] = False
            free = times[~chosen[run, times]]
            gain = _gains(rows[:, free], _total(told, chosen))
            chosen[run, old] = True
            own = gain[free == old][0]
            if gain.max() - own > best:
                best, swap = gain.max() - own, (old, free[gain.argmax()])
        if swap is not None:
            chosen[run, swap[0]], chosen[run, swap[1]] = False, True
            gained = True
    return gained


def _exchange_a_run(told: Information, chosen: NDArray[np.bool_]) -> bool:
    """Make the best exchange of one run for another with the same times; tell if it gained."""
    free = np.flatnonzero(~chosen.any(1))
    best, swap = np.linalg.slogdet(_total(told, chosen))[1].mean() + _GAIN, None
    for old in np.flatnonzero(chosen.any(1)):
        left = chosen.copy()
        left[old] = False
        rows = told.rows[:, free][:, :, chosen[old]].reshape(len(told.rows), len(free), -1, told.p)
        totals = _total(told, left)[:, None] + np.swapaxes(rows, 2, 3) @ rows
        value = np.linalg.slogdet(totals)[1].mean(0)
        if len(free) and value.max() > best:
            best, swap = value.max(), (old, free[value.argmax()])
    if swap is None:
        return False
    chosen[swap[1]], chosen[swap[0]] = chosen[swap[0]].copy(), False
    return True


def bound(
    told: Information,
    n_runs: int,
    n_times: int,
    *,
    start: Experiment | None = None,
    steps: int = 200,
    close: float = 0.01,
) -> Bound:
    """Bound the criterion of all experiments of so many runs and times, by Frank and Wolfe's steps.

    Parameters
    ----------
    told
        What the candidates tell.
    n_runs, n_times
        Runs of the experiment, and times of each.
    start
        Where the steps begin; all runs and times in equal parts by default.
    steps
        Most steps.
    close
        End where bound and criterion are this close, a coordinate.
    """
    times = _measurable(told, n_runs, n_times)
    weights = np.zeros(told.rows.shape[1:3])
    weights[:, times] = n_runs * n_times / (len(weights) * len(times))
    if start is not None:
        weights[:] = 0.0
        weights[np.array(start.runs)[:, None], np.array(start.times)] = 1.0
    lowest, reached = np.inf, -np.inf
    for _ in range(steps):
        total = _total(told, weights)
        reached = np.linalg.slogdet(total)[1].mean()
        slope = _slope(told, total)
        vertex = _largest(slope, n_runs, n_times, times)
        lowest = min(lowest, reached + float((slope * (vertex - weights)).sum()))
        if lowest - reached < close * told.p:
            break
        weights = weights + _length(total, _total(told, vertex) - total) * (vertex - weights)
    return Bound(float(lowest), float(reached), weights)


def _slope(told: Information, total: NDArray) -> NDArray[np.float64]:
    """Differentiate the criterion by each weight, shape (runs, T)."""
    low = np.linalg.cholesky(np.linalg.inv(total))
    u = told.rows.reshape(len(told.rows), -1, told.p) @ low
    return (u**2).sum(-1).reshape(told.rows.shape[:4]).sum(-1).mean(0)


def _largest(slope: NDArray, n_runs: int, n_times: int, times: NDArray) -> NDArray[np.float64]:
    """Choose the experiment of the largest sum of slopes: best times of each run, best runs."""
    vertex = np.zeros(slope.shape)
    order = times[np.argsort(-slope[:, times], axis=1)[:, :n_times]]
    sums = np.take_along_axis(slope, order, axis=1).sum(1)
    for run in np.argsort(-sums)[:n_runs]:
        vertex[run, order[run]] = 1.0
    return vertex


def _length(total: NDArray, change: NDArray) -> float:
    """Find the step g in [0, 1] of the largest mean ln det(M + g C): where its slope vanishes."""
    low = np.linalg.cholesky(np.linalg.inv(total))
    stretch = np.linalg.eigvalsh(np.swapaxes(low, 1, 2) @ change @ low)  # over -1
    least, most = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        rising = (stretch / (1 + middle * stretch)).sum(-1).mean() > 0
        least, most = (middle, most) if rising else (least, middle)
    return least


def unplanned(
    candidates: Candidates, n_times: int, rng: Generator, *, highest: float = 0.1
) -> Experiment:
    """Draw an experiment as the published design does, on the candidates.

    Three runs with all of the substrate and loadings of up to 10 mol %, one with part of it turned
    into product and one of the loadings; times even, to the horizon.
    """
    fresh = candidates.substrate_0 == candidates.substrate_0.max()
    low = candidates.loading <= highest
    runs = rng.choice(np.flatnonzero(fresh & low), 3, replace=False)
    again = np.isin(candidates.loading, candidates.loading[runs])
    runs = [*runs.tolist(), int(rng.choice(np.flatnonzero(~fresh & again)))]
    return Experiment.common(runs, even(candidates, n_times))


def even(candidates: Candidates, n_times: int) -> Sequence[int]:
    """Places of even times after the start, to the last candidate time."""
    last = candidates.times[-1]
    return candidates.nearest(last * np.arange(1, n_times + 1) / n_times)
