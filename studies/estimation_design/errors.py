"""How well rate constants are known after planned and unplanned experiments, by two estimators.

An experiment is planned on some draws from the prior. Others, which it has not seen, are then the
truth: their runs are simulated with noise, and a fit (`kinetlib.inference.estimate`) and a network
trained for that experiment (`studies.estimation_design.network`) estimate the constants. Errors
are in ln k, k counted in inverse horizons; that of knowing nothing is the distance from the
prior's mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments.d_optimal import Plan
from kinetlib.inference.curves import values_of
from kinetlib.inference.estimate import most_probable
from kinetlib.inference.prior import Prior
from kinetlib.inference.target import Target
from kinetlib.runs.noise import FLOOR, Noise
from kinetlib.runs.plans import Candidates, Experiment
from studies.estimation_design.network import train

_INTERVAL = (0.025, 0.5, 0.975)
_INSIDE = 1.959963984540054  # standard deviations to either side of a normal mean hold 95 %


@dataclass(frozen=True)
class Errors:
    """Errors of estimates, by estimator.

    Attributes
    ----------
    error
        By ``"fit"`` and ``"network"``: estimate less truth, shape (n, p), in ln k.
    inside
        By the same: share of the true values within their 95 % interval.
    """

    error: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    inside: dict[str, float] = field(default_factory=dict)


def errors(
    plan: Plan,
    experiment: Experiment,
    rng: Generator,
    *,
    noise: float,
    floor: float = FLOOR,
    samples: int = 100,
    passes: int = 30,
    threads: int | None = None,
) -> Errors:
    """Estimate the constants of fresh draws from what an experiment shows of them.

    Parameters
    ----------
    plan
        Of the mechanism. The last ``samples`` draws of its bank are the truth, in every call.
    experiment
        What is measured.
    rng
        Source of the noise and of the network's training.
    noise, floor
        As for `plan`.
    samples
        Draws to estimate.
    passes
        Passes of the network over the other draws of the bank.
    threads
        Threads of the integrator.
    """
    prior, candidates = plan.prior, plan.told.candidates
    seen = _Seen(prior, candidates, experiment, threads)
    truth, known = prior.bank[-samples:], prior.bank[:-samples]
    model = Noise(noise, floor)
    data = model.added(seen(truth), rng)
    rest = replace(prior, bank=known)
    fitted = most_probable(
        Target(experiment.measured(candidates, data), rest, model, threads=threads)
    )
    mean, deviation = train(seen(known), known, rng, noise=model, passes=passes).estimate(data)
    found = Errors()
    for name, x, spread in (("fit", fitted.x, fitted.deviation), ("network", mean, deviation)):
        found.error[name] = x - truth
        found.inside[name] = float((np.abs(x - truth) < _INSIDE * spread).mean())
    return found


@dataclass(frozen=True)
class _Seen:
    """What an experiment shows of coordinates, without noise."""

    prior: Prior
    candidates: Candidates
    experiment: Experiment
    threads: int | None

    def __call__(self, x: NDArray) -> NDArray[np.float64]:
        runs = self.candidates.only(self.experiment.runs)
        here = Experiment(tuple(range(len(runs))), self.experiment.times)
        return here.shown(values_of(self.prior.mechanism, runs, x, threads=self.threads))


def unplanned_experiments(
    candidates: Candidates, n_times: int, n: int, rng: Generator, *, highest: float = 0.1
) -> list[Experiment]:
    """Draw n experiments as the published design does, on the candidates.

    Three runs with all of the substrate and loadings of up to 10 mol %, one with part of it turned
    into product and one of the loadings; times even, to the last candidate time.
    """
    even = candidates.nearest(candidates.times[-1] * np.arange(1, n_times + 1) / n_times)
    fresh = candidates.substrate_0 == candidates.substrate_0.max()
    low = candidates.loading <= highest
    drawn = []
    for _ in range(n):
        runs = rng.choice(np.flatnonzero(fresh & low), 3, replace=False)
        again = np.isin(candidates.loading, candidates.loading[runs])
        runs = [*runs.tolist(), int(rng.choice(np.flatnonzero(~fresh & again)))]
        drawn.append(Experiment.common(runs, even))
    return drawn


def median_error(error: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
    """Median of the absolute error, over samples and what comes after, with a 95 % interval.

    Parameters
    ----------
    error
        Shape (n, ...), one row a sample; samples are drawn anew, rows stay together.
    rng
        Draws the samples.

    Returns
    -------
    NDArray
        Lower end, median, upper end.
    """
    size = np.abs(error)
    return _with_interval(lambda rows: np.median(size[rows]), len(size), rng)


def ratio_of_errors(
    one: NDArray[np.float64], other: NDArray[np.float64], rng: Generator
) -> NDArray[np.float64]:
    """Ratio of two median absolute errors of the same samples, with a paired 95 % interval.

    ``one`` and ``other`` are (n, ...), the same samples in the same rows.
    """
    above, below = np.abs(one), np.abs(other)
    return _with_interval(
        lambda rows: np.median(above[rows]) / np.median(below[rows]), len(one), rng
    )


def _with_interval(
    statistic: Callable[[NDArray | slice], float], n: int, rng: Generator, n_bootstrap: int = 1000
) -> NDArray[np.float64]:
    """Return a statistic of n rows between the ends of its interval, rows drawn anew."""
    again = rng.integers(n, size=(n_bootstrap, n))
    low, _, high = np.quantile([statistic(rows) for rows in again], _INTERVAL)
    return np.array([low, statistic(slice(None)), high])
