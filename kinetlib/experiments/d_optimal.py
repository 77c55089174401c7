"""D-optimal experiments for estimating rate constants.

An experiment is a number of candidate runs with as many times each. Exchange (Fedorov, Theory of
Optimal Experiments, 1972) finds a good one; `kinetlib.experiments.bound` tells how good.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments.bound import (
    Bound,
    BranchedBound,
    bound,
    branched,
    largest,
    measurable,
    told_beyond,
)
from kinetlib.experiments.information import Information, information, log_determinant
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment
from kinetlib.runs.sample import TRAIN, Design

_GAIN = 1e-9  # of a criterion: more than rounding
_TRIED = 6  # runs that are tried in the place of one: those that promise most alone


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
        One more start: the runs and times of largest weights, such as those of
        `kinetlib.experiments.bound.bound`.

    Raises
    ------
    ValueError
        More runs or times than there are candidates.
    """
    times = measurable(told, n_runs, n_times)
    begins = [] if weights is None else [largest(weights, n_runs, n_times, times) > 0]
    for _ in range(starts):
        runs = rng.choice(len(told.candidates), n_runs, replace=False)
        rows = [np.sort(rng.choice(times, n_times, replace=False)) for _ in runs]
        chosen = np.zeros(told.rows.shape[1:3], dtype=bool)
        for run, row in zip(runs, rows, strict=True):
            chosen[run, row] = True
        begins.append(chosen)
    return max((_exchanged(told, begin, times) for begin in begins), key=told.criterion)


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


def _gains(rows: NDArray, factor: NDArray) -> NDArray[np.float64]:
    """Mean of ln det(M + V^T V) - ln det M for rows V, (draws, ..., 2, p), and the factor of M."""
    u = told_beyond(rows, factor)
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


#: D-efficiency that a planned experiment is to have at least, set beforehand.
GOAL = 0.9


#: Starts of the search for an experiment, beside the one from the bound.
STARTS = 2


@dataclass(frozen=True)
class Plan:
    """A planned experiment of one mechanism.

    Attributes
    ----------
    prior
        Of the mechanism, with its bank.
    told
        What the candidates tell at the draws that it was planned on.
    experiment, relaxed
        The experiment, and the convex bound of all experiments of its size.
    limit
        The same bound, lowered by branching where the convex one is too high.
    """

    prior: Prior
    told: Information
    experiment: Experiment
    relaxed: Bound
    limit: BranchedBound

    @property
    def efficiency(self) -> float:
        """D-efficiency relative to the bound: the true one is no lower."""
        return self.told.efficiency(self.experiment, self.limit.criterion)

    @property
    def relaxed_efficiency(self) -> float:
        """D-efficiency relative to the convex bound, which is no lower than the other."""
        return self.told.efficiency(self.experiment, self.relaxed.criterion)


def plan(
    mechanism: str | Mechanism,
    candidates: Candidates,
    rng: Generator,
    *,
    noise: Noise,
    n_runs: int = 4,
    n_times: int = 7,
    draws: int = 60,
    bank: int = 3000,
    design: Design = TRAIN,
    certified: float = GOAL,
    parts: int = 1000,
    threads: int | None = None,
) -> Plan:
    """Plan a D-optimal experiment for a mechanism.

    Parameters
    ----------
    mechanism
        An id of the catalogue, or a Mechanism.
    candidates
        Runs and times to choose from.
    rng
        Source of all draws.
    noise
        Of the measured values.
    n_runs, n_times
        Runs of the experiment, and times of each after the start.
    draws
        Draws from the prior that the criterion is averaged over: the first of the bank.
    bank
        Size of the bank.
    design
        Ranges of the prior.
    certified
        Efficiency that ends the search for a lower bound.
    parts
        Most parts of it.
    threads
        Threads of the integrator.
    """
    prior = draw_prior(mechanisms.get(mechanism), bank, design, rng, threads=threads)
    told = information(prior, candidates, prior.bank[:draws], noise=noise, threads=threads)
    relaxed = bound(told, n_runs, n_times)
    best = d_optimal(told, n_runs, n_times, rng, starts=STARTS, weights=relaxed.weights)
    limit = branched(told, best, relaxed, efficiency=certified, most=parts)
    return Plan(prior, told, best, relaxed, limit)
