"""Does advice help? A reaction with known mechanism: two runs, the advised third, and a random one.

The reaction's rate constants are accepted ones; what is known after each number of runs is said by
a classifier that has no part in the advice but for where it begins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments.next_run import Advice, Wanted, advise
from kinetlib.inference.posterior import Effort
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.simulate import observed
from kinetlib.runs import dataset
from kinetlib.runs.sample import TRAIN, accepted_sets, drawn_others

FIRST = (0.02, 0.05)  # loadings of the runs that were done
POINTS = 8  # samples of each after the start


@dataclass(frozen=True)
class Trial:
    """One reaction, and what was known of it when.

    Attributes
    ----------
    truth
        Its mechanism.
    advice, wanted
        What was advised after two runs, and among which runs.
    now, advised, random
        Probabilities of all mechanisms (mechanism) after the two runs, and with a third: the
        advised, and one drawn at random from the candidates, evenly sampled.
    """

    truth: str
    advice: Advice
    wanted: Wanted
    now: xr.DataArray
    advised: xr.DataArray
    random: xr.DataArray

    def measures(self) -> dict[str, float]:
        """Return entropies, nats, and probabilities of the truth, by what was known."""
        found = {}
        for name in ("now", "advised", "random"):
            p = getattr(self, name)
            found[f"entropy, {name}"] = float(-(p * np.log(np.maximum(p, 1e-30))).sum())
            found[f"truth, {name}"] = float(p.sel(mechanism=self.truth))
        return found | {"entropy, expected": self.advice.expected_entropy}


def trial(
    mechanism: Mechanism,
    ask: Callable[[xr.Dataset], xr.DataArray],
    rng: Generator,
    *,
    noise: float,
    effort: Effort | None = None,
) -> Trial:
    """Try the advice on one reaction.

    Parameters
    ----------
    mechanism
        The truth.
    ask
        The classifier: one sample of the runs schema in, probabilities (sample, mechanism) out.
    rng
        Source of the rate constants, the noise, the random run and the advice.
    noise
        Relative noise.
    effort
        Of the advice.
    """
    sets = accepted_sets(mechanism, 1, TRAIN, rng, threads=1)
    horizon = sets.horizon(np.array([0]), rng.uniform(*TRAIN.horizon, 1))[0]
    others = drawn_others(mechanism, 1, rng)
    reaction = _Reaction(mechanism, sets.rate_constants, others, noise)
    times = horizon * np.arange(POINTS + 1) / POINTS
    done = reaction.measured(FIRST, 1.0, 0.0, times, rng)
    wanted = Wanted.like(done)
    candidates, rows = wanted.candidates()
    now = ask(done).isel(sample=0)
    found = advise(done, now, wanted, ask, rng, noise=noise, effort=effort)
    even = candidates.times[list(next(iter(rows.values())))]
    after = [
        ask(dataset.joined(done, reaction.of(candidates, run, at, rng))).isel(sample=0)
        for run, at in ((found.best, found.times), (rng.integers(len(candidates)), even))
    ]
    return Trial(mechanism.id, found, wanted, now, *after)


@dataclass(frozen=True)
class _Reaction:
    """A reaction in the flask: its rate constants (1, R), and what is weighed in besides."""

    mechanism: Mechanism
    constants: NDArray[np.float64]
    others: dict[str, NDArray[np.float64]]
    noise: float

    def of(self, candidates, run: int, times: NDArray, rng: Generator) -> xr.Dataset:
        """Do a candidate run, sampled at the start and at some times."""
        starts = (candidates.substrate_0[run], candidates.product_0[run])
        times = np.concatenate([[0.0], times])
        return self.measured([candidates.loading[run]], *starts, times, rng)

    def measured(
        self, loading, substrate_0: float, product_0: float, times: NDArray, rng: Generator
    ) -> xr.Dataset:
        """Do runs of some loadings, with noise on all but the start."""
        initial = self.mechanism.initial([loading], substrate_0, product_0, self.others)
        seen = observed(self.mechanism, self.constants, initial, times, threads=1)
        factor = 1 + self.noise * rng.standard_normal(seen.shape) * (times > 0)[:, None]
        return dataset.of_samples(loading, substrate_0, product_0, times, seen * factor)
