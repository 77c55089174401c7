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

from kinetlib.estimation import Information, log_determinant
from kinetlib.experiment import Candidates, Experiment

_GAIN = 1e-9  # of a criterion: more than rounding
_TRIED = 6  # runs that are tried in the place of one: those that promise most alone
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
    told: Information,
    n_runs: int,
    n_times: int,
    rng: Generator,
    *,
    starts: int = 4,
    weights: NDArray[np.float64] | None = None,
) -> Experiment:
    """Search for the experiment of the largest criterion: exchanges, from several starts.

    One time of a run is exchanged for another of the same run, the best of them first, or a run for
    another with times of its own, until nothing gains.

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
    weights
        One more start: the runs and times of largest weights, such as those of `bound`.

    Raises
    ------
    ValueError
        More runs or times than there are candidates.
    """
    times = _measurable(told, n_runs, n_times)
    begins = [] if weights is None else [_largest(weights, n_runs, n_times, times) > 0]
    for _ in range(starts):
        runs = rng.choice(len(told.candidates), n_runs, replace=False)
        rows = [np.sort(rng.choice(times, n_times, replace=False)) for _ in runs]
        chosen = np.zeros(told.rows.shape[1:3], dtype=bool)
        for run, row in zip(runs, rows, strict=True):
            chosen[run, row] = True
        begins.append(chosen)
    return max((_exchanged(told, begin, times) for begin in begins), key=told.criterion)


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
    while _exchange_a_time(told, chosen, times) or _exchange_a_run(told, chosen, times):
        pass
    return _experiment(chosen)


def _experiment(chosen: NDArray[np.bool_]) -> Experiment:
    runs = np.flatnonzero(chosen.any(1))
    return Experiment(
        tuple(runs.tolist()), tuple(tuple(np.flatnonzero(chosen[r]).tolist()) for r in runs)
    )


def _told_beyond(rows: NDArray, factor: NDArray) -> NDArray[np.float64]:
    """Rows V, (draws, ..., 2, p), in units of what is known: V U^-1."""
    shape = rows.shape
    return (rows.reshape(len(rows), -1, shape[-1]) @ np.linalg.inv(factor)).reshape(shape)


def _gains(rows: NDArray, factor: NDArray) -> NDArray[np.float64]:
    """Mean of ln det(M + V^T V) - ln det M for rows V, (draws, ..., 2, p), and the factor of M."""
    u = _told_beyond(rows, factor)
    a, b = (u[..., 0, :] ** 2).sum(-1), (u[..., 1, :] ** 2).sum(-1)
    c = (u[..., 0, :] * u[..., 1, :]).sum(-1)
    # The determinant is no less than 1 + a + b, whatever rounding makes of a b - c^2.
    return np.log(1 + a + b + np.maximum(a * b - c**2, 0.0)).mean(0)


def _exchange_a_time(told: Information, chosen: NDArray[np.bool_], times: NDArray) -> bool:
    """Make, in each run, the best exchange of one time; tell whether any gained."""
    gained = False
    for run in np.flatnonzero(chosen.any(1)):
        rows = told.rows[:, run]
        best, swap = _GAIN, None
        for old in np.flatnonzero(chosen[run]):
            chosen[run, old] = False
            free = times[~chosen[run, times]]
            gain = _gains(rows[:, free], told.factor(chosen))
            chosen[run, old] = True
            own = gain[free == old][0]
            if gain.max() - own > best:
                best, swap = gain.max() - own, (old, free[gain.argmax()])
        if swap is not None:
            chosen[run, swap[0]], chosen[run, swap[1]] = False, True
            gained = True
    return gained


def _exchange_a_run(told: Information, chosen: NDArray[np.bool_], times: NDArray) -> bool:
    """Exchange a run for another with times of its own, if that gains; tell whether it did."""
    n_times, before = chosen.sum(1).max(), _criterion(told, chosen)
    for old in np.flatnonzero(chosen.any(1)):
        left = chosen.copy()
        left[old] = False
        gains = _gains(told.rows, told.factor(left))
        promise = -np.sort(-gains[:, times], axis=1)[:, :n_times].sum(1)
        free = np.flatnonzero(~left.any(1))
        for new in free[np.argsort(-promise[free])[:_TRIED]]:
            trial = _with_run(told, left, new, times, n_times)
            if _criterion(told, trial) > before + _GAIN:
                chosen[:] = trial
                return True
    return False


def _with_run(
    told: Information, left: NDArray[np.bool_], run: int, times: NDArray, n_times: int
) -> NDArray[np.bool_]:
    """Add a run to a choice, each of its times the one that gains most beside those before."""
    trial = left.copy()
    for _ in range(n_times):
        free = times[~trial[run, times]]
        gains = _gains(told.rows[:, run][:, free], told.factor(trial))
        trial[run, free[gains.argmax()]] = True
    return trial


def _criterion(told: Information, chosen: NDArray[np.bool_]) -> float:
    return log_determinant(told.factor(chosen.astype(float)))


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
        factor = told.factor(weights)
        reached = log_determinant(factor)
        slope = _slope(told, factor)
        vertex = _largest(slope, n_runs, n_times, times)
        lowest = min(lowest, reached + float((slope * (vertex - weights)).sum()))
        if lowest - reached < close * told.p:
            break
        weights = weights + _length(factor, told.factor(vertex)) * (vertex - weights)
    return Bound(float(lowest), float(reached), weights)


def _slope(told: Information, factor: NDArray) -> NDArray[np.float64]:
    """Differentiate the criterion by each weight, shape (runs, T)."""
    return (_told_beyond(told.rows, factor) ** 2).sum((-1, -2)).mean(0)


def _largest(slope: NDArray, n_runs: int, n_times: int, times: NDArray) -> NDArray[np.float64]:
    """Choose the experiment of the largest sum of slopes: best times of each run, best runs."""
    vertex = np.zeros(slope.shape)
    order = times[np.argsort(-slope[:, times], axis=1)[:, :n_times]]
    sums = np.take_along_axis(slope, order, axis=1).sum(1)
    for run in np.argsort(-sums)[:n_runs]:
        vertex[run, order[run]] = 1.0
    return vertex


def _length(here: NDArray, there: NDArray) -> float:
    """Find the step g in [0, 1] of the largest mean ln det((1 - g) M + g V): its slope vanishes.

    Both are given by their factors.
    """
    u = there @ np.linalg.inv(here)
    stretch = np.maximum(np.linalg.eigvalsh(np.swapaxes(u, 1, 2) @ u), 0.0) - 1.0
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
