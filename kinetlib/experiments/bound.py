"""What no experiment for estimating rate constants exceeds: a convex bound, and a closer one.

An experiment is a number of candidate runs with as many times each. The criterion is concave in the
weights of (run, time) pairs, and with runs and times chosen in part, weights w, it lies below its
tangent. The tangent is largest at some experiment that is found by sorting, and that value bounds
the criterion of every experiment. Frank and Wolfe's steps towards it raise the criterion and lower
the bound: the equivalence theorem of Kiefer and Wolfowitz, at work.

Where the best weights are parts of many runs, no experiment of few runs comes near that bound,
however good it is. Then experiments are parted, into those that do a run and those that do not, and
each part has a bound of its own; a part whose bound is low enough is done with (branch and bound,
Land and Doig, Econometrica 28, 497, 1960). Every tangent bounds, besides, the experiments with and
without each single run, so that most runs are decided without a part of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import numpy as np
from numpy.typing import NDArray

from kinetlib.experiments.information import Information, log_determinant
from kinetlib.runs.plans import Experiment

_HALVINGS = 40  # of the interval in which a step's length is sought
_STEPS = 60  # Frank and Wolfe's, in a part: then it is parted
_NOTHING = 1e-9  # share of a run


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
    with_run, without_run
        Bounds of those experiments that do a run, and of those that do not, shape (runs,).
    """

    criterion: float
    reached: float
    weights: NDArray[np.float64]
    with_run: NDArray[np.float64]
    without_run: NDArray[np.float64]


@dataclass(frozen=True)
class BranchedBound:
    """What no experiment exceeds, by parts.

    Attributes
    ----------
    criterion
        The bound of the criterion.
    parts
        How many parts were bounded.
    unresolved
        How many of them are left whose bound is higher than was wanted.
    """

    criterion: float
    parts: int
    unresolved: int


@dataclass(frozen=True)
class _Part:
    """Experiments of ``n_runs`` with ``n_times`` of ``times`` each that do, or may do, some runs.

    ``done`` and ``open``, which may be done, are (runs,); no run is both.
    """

    n_runs: int
    n_times: int
    times: NDArray[np.intp]
    done: NDArray[np.bool_]
    open: NDArray[np.bool_]

    @property
    def decided(self) -> bool:
        return not self.open.any()

    def told_by(self, with_run: NDArray[np.bool_], without_run: NDArray[np.bool_]) -> _Part | None:
        """Return the part whose experiments do some open runs and not others; None if empty."""
        done = self.done | (self.open & with_run)
        left = self.open & ~with_run & ~without_run
        n_done = done.sum()
        if (with_run & without_run & self.open).any() or n_done > self.n_runs:
            return None
        if n_done + left.sum() < self.n_runs:
            return None
        if n_done == self.n_runs:
            left = np.zeros_like(left)
        elif n_done + left.sum() == self.n_runs:
            done, left = done | left, np.zeros_like(left)
        return _Part(self.n_runs, self.n_times, self.times, done, left)

    def even(self) -> NDArray[np.float64]:
        """Weights: all times of the open runs in equal parts, and of those done."""
        nothing = np.zeros((len(self.done), self.times.max() + 1))
        return self.weights_from(nothing)

    def weights_from(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take weights of more experiments to weights of these, little changed."""
        share = weights.sum(1) / self.n_times
        row = np.zeros(weights.shape)
        row[:, self.times] = self.n_times / len(self.times)
        some = share > _NOTHING
        row[some] = weights[some] / share[some, None]
        share = np.where(self.open & some, np.minimum(share, 1.0), 0.0)
        missing = self.n_runs - self.done.sum() - share.sum()
        if missing < 0:
            share *= 1 + missing / share.sum()
        elif self.open.any():
            room = np.where(self.open, 1 - share, 0.0)
            share += missing * room / room.sum()
        return row * np.where(self.done, 1.0, share)[:, None]


def measurable(told: Information, n_runs: int, n_times: int) -> NDArray[np.intp]:
    """Return the places of the times after the start, if an experiment of such a size exists.

    Raises
    ------
    ValueError
        More runs or times than there are candidates.
    """
    times = np.flatnonzero(told.candidates.times > 0)
    if not (1 <= n_runs <= len(told.candidates) and 1 <= n_times <= len(times)):
        raise ValueError(
            f"expected 1 to {len(told.candidates)} runs and 1 to {len(times)} times after the "
            f"start, as many as there are candidates, got {n_runs} runs and {n_times} times"
        )
    return times


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

    Raises
    ------
    ValueError
        More runs or times than there are candidates, no step.
    """
    part = _whole(told, n_runs, n_times)
    if start is None:
        weights = part.even()
    else:
        weights = np.zeros(told.rows.shape[1:3])
        weights[np.array(start.runs)[:, None], np.array(start.times)] = 1.0
    return _relaxed(told, part, weights, steps=steps, close=close)


def branched(
    told: Information,
    experiment: Experiment,
    relaxed: Bound,
    *,
    efficiency: float = 0.95,
    most: int = 1000,
) -> BranchedBound:
    """Lower a bound by parting experiments, until it certifies an efficiency.

    The part of the highest bound comes first, and is parted by the run whose share in its best
    weights is nearest to one half. What is returned bounds all experiments whenever it ends.

    Parameters
    ----------
    told
        What the candidates tell.
    experiment
        What is to be certified.
    relaxed
        The bound of all experiments of its size; see `bound`.
    efficiency
        D-efficiency of the experiment, relative to the bound, that is enough.
    most
        Most parts.

    Raises
    ------
    ValueError
        An efficiency that is not between 0 and 1.
    """
    if not 0 < efficiency < 1:
        raise ValueError(f"efficiency: expected a number between 0 and 1, got {efficiency!r}")
    enough = told.criterion(experiment) - told.p * np.log(efficiency)
    search = _Search(told, float(enough))
    whole = _whole(told, len(experiment.runs), experiment.points)
    search.settle(whole, relaxed)
    while search.heap and search.parts < most:
        search.step()
    return BranchedBound(search.criterion(), search.parts, search.unresolved + len(search.heap))


class _Search:
    """Parts whose bound is too high, the highest first, and the bound of those done with."""

    def __init__(self, told: Information, enough: float) -> None:
        self.told, self.enough = told, enough
        self.heap: list[tuple[float, int, _Part, NDArray]] = []
        self.number = count()
        self.parts = self.unresolved = 0
        self.done_with = -np.inf

    def criterion(self) -> float:
        """Bound all experiments."""
        return max([self.done_with, *(-entry[0] for entry in self.heap)])

    def step(self) -> None:
        """Bound the part that may hold the best."""
        before, _, part, weights = heappop(self.heap)
        found = _relaxed(
            self.told, part, part.weights_from(weights), steps=_STEPS, enough=self.enough
        )
        self.parts += 1
        self.settle(part, found, before=-before)

    def settle(self, part: _Part, found: Bound, *, before: float = np.inf) -> None:
        """Be done with a part whose bound is low enough, or part it."""
        limit = min(before, found.criterion)
        if limit <= self.enough or part.decided:
            self.unresolved += limit > self.enough
            self.done_with = max(self.done_with, limit)
            return
        # Runs without which, or with which, the bound is low enough.
        must = part.open & (found.without_run <= self.enough)
        never = part.open & (found.with_run <= self.enough)
        settled = np.concatenate([found.without_run[must], found.with_run[never]])
        self.done_with = max([self.done_with, *settled.tolist()])
        rest = part.told_by(must, never)
        if rest is None:
            return
        if rest.decided:
            self.push(rest, found.weights, limit)
            return
        share = found.weights.sum(1) / part.n_times
        run = np.where(rest.open, np.abs(share - 0.5), np.inf).argmin()
        alone, none = np.arange(len(share)) == run, np.zeros(len(share), dtype=bool)
        self.push(rest.told_by(alone, none), found.weights, min(limit, found.with_run[run]))
        self.push(rest.told_by(none, alone), found.weights, min(limit, found.without_run[run]))

    def push(self, part: _Part | None, weights: NDArray, limit: float) -> None:
        """Note a part with a bound that it has already."""
        if part is not None:
            heappush(self.heap, (-float(limit), next(self.number), part, weights))


def _whole(told: Information, n_runs: int, n_times: int) -> _Part:
    times, n = measurable(told, n_runs, n_times), len(told.candidates)
    return _Part(n_runs, n_times, times, np.zeros(n, dtype=bool), np.ones(n, dtype=bool))


def _relaxed(
    told: Information,
    part: _Part,
    weights: NDArray[np.float64],
    *,
    steps: int,
    close: float = 0.01,
    enough: float = -np.inf,
) -> Bound:
    """Bound the criterion of a part, until the bound is close, or low enough, or steps are over."""
    if steps < 1:
        raise ValueError(f"steps: expected 1 or more, got {steps!r}")
    lowest = np.inf
    with_run, without_run = np.full((2, len(weights)), np.inf)
    for _ in range(steps):
        factor = told.factor(weights)
        reached = log_determinant(factor)
        slope = _slope(told, factor)
        vertex, gain, less_with, less_without = _best(slope, part)
        tangent = reached + gain - float((slope * weights).sum())
        lowest = min(lowest, tangent)
        with_run = np.minimum(with_run, tangent - less_with)
        without_run = np.minimum(without_run, tangent - less_without)
        if lowest - reached < close * told.p or lowest <= enough:
            break
        length = _length(factor, told.factor(vertex))
        weights = (1 - length) * weights + length * vertex
    return Bound(float(lowest), float(reached), weights, with_run, without_run)


def _slope(told: Information, factor: NDArray) -> NDArray[np.float64]:
    """Differentiate the criterion by each weight, shape (runs, T)."""
    return (told_beyond(told.rows, factor) ** 2).sum((-1, -2)).mean(0)


def told_beyond(rows: NDArray, factor: NDArray) -> NDArray[np.float64]:
    """Rows V, (draws, ..., 2, p), in units of what is known: V U^-1."""
    shape = rows.shape
    return (rows.reshape(len(rows), -1, shape[-1]) @ np.linalg.inv(factor)).reshape(shape)


def largest(
    weights: NDArray[np.float64], n_runs: int, n_times: int, times: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Choose the experiment of the largest sum of weights: best times of each run, best runs."""
    undecided = np.ones(len(weights), dtype=bool)
    return _best(weights, _Part(n_runs, n_times, times, ~undecided, undecided))[0]


def _best(slope: NDArray, part: _Part) -> tuple[NDArray, float, NDArray, NDArray]:
    """Choose the experiment of a part with the largest sum of slopes.

    Returns
    -------
    vertex
        Its weights, shape (runs, T).
    gain
        The sum.
    less_with, less_without
        How much less it would be with each run, and without, shape (runs,); infinite where no such
        experiment is in the part.
    """
    order = part.times[np.argsort(-slope[:, part.times], axis=1)[:, : part.n_times]]
    sums = np.take_along_axis(slope, order, axis=1).sum(1)
    chosen = part.done.copy()
    ranked = np.flatnonzero(part.open)[np.argsort(-sums[part.open], kind="stable")]
    n_open = part.n_runs - int(part.done.sum())
    taken, spare = ranked[:n_open], ranked[n_open:]
    chosen[taken] = True
    vertex = np.zeros(slope.shape)
    for run in np.flatnonzero(chosen):
        vertex[run, order[run]] = 1.0
    less_with = np.where(chosen, 0.0, np.inf)
    less_without = np.where(chosen, np.inf, 0.0)
    if len(taken) and len(spare):  # the last that is taken and the first that is not change places
        less_with[spare] = sums[taken[-1]] - sums[spare]
        less_without[taken] = sums[taken] - sums[spare[0]]
    return vertex, float(sums[chosen].sum()), less_with, less_without


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
