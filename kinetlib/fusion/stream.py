"""Training data made while the network learns: every few epochs new parameter sets and runs."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.fusion.batches import RunBatches
from kinetlib.fusion.recipe import Recipe
from kinetlib.kinetics import mechanisms
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.runs import MOST_POINTS, Runs
from kinetlib.runs.sample import TRAIN, Design, ParameterSets, accepted_sets, draw_samples

#: Share of the campaigns with so many runs.
RUNS = {1: 0.10, 2: 0.15, 3: 0.20, 4: 0.22, 5: 0.11, 6: 0.09, 7: 0.05, 8: 0.08}
PUBLISHED = 0  # the pool of the published design, beside those named by their number of runs

Pools = Mapping[int, tuple[Runs, NDArray[np.int64]]]


@dataclass(frozen=True)
class Supply:
    """How much is made at a time.

    Attributes
    ----------
    seed
        Of all pools, apart from the recipe's.
    sets_per_mechanism
        New parameter sets of each mechanism in each pool.
    samples_per_set
        Samples of the published design, and laboratory campaigns, of each of them.
    epochs_per_pool
        Epochs that read the same pool, with other points, noise and losses.
    """

    seed: int
    sets_per_mechanism: int = 500
    samples_per_set: tuple[int, int] = (3, 3)
    epochs_per_pool: int = 2
    campaign: Campaign = Campaign()
    design: Design = TRAIN

    def pool(self, number: int, *, threads: int | None = 1) -> Pools:
        """Make one pool: exact runs and classes by number of runs."""
        parts: dict[int, list[tuple[Runs, NDArray[np.int64]]]] = {}
        for position, mechanism in enumerate(mechanisms.catalogue().values()):
            rng = default_rng(SeedSequence(self.seed, spawn_key=(number, position)))
            sets = accepted_sets(
                mechanism, self.sets_per_mechanism, self.design, rng, threads=threads
            )
            four, several = self.samples_per_set
            samples = draw_samples(mechanism, sets, four, self.design, rng, threads=threads)
            made = {PUBLISHED: samples.runs.astype(np.float32)}
            for n_runs, which in _shared(sets, several, rng).items():
                made[n_runs] = draw_runs(
                    mechanism, sets, which, n_runs, MOST_POINTS, self.campaign, rng, threads=threads
                )
            for kind, runs in made.items():
                parts.setdefault(kind, []).append((runs, np.full(len(runs), position)))
        return {kind: _joined(found) for kind, found in parts.items()}


class Stream:
    """Epochs of a training, each on the pool it asks for; the next pool is made meanwhile."""

    def __init__(self, supply: Supply, recipe: Recipe):
        self._supply, self._recipe = supply, recipe
        self._maker = ThreadPoolExecutor(1)
        self._made: dict[int, Future[Pools]] = {}

    def epoch(self, number: int) -> RunBatches:
        """Return the batches of an epoch."""
        wanted = number // self._supply.epochs_per_pool
        for ahead in (wanted, wanted + 1):
            if ahead not in self._made:
                self._made[ahead] = self._maker.submit(self._supply.pool, ahead)
        for old in [key for key in self._made if key < wanted]:
            del self._made[old]
        return RunBatches(self._made[wanted].result(), self._recipe, number)


def _shared(sets: ParameterSets, several: int, rng: Generator) -> dict[int, NDArray[np.int64]]:
    """Share campaigns of all parameter sets out by number of runs."""
    which = rng.permutation(np.repeat(np.arange(len(sets.rate_constants)), several))
    ends = np.round(np.cumsum(list(RUNS.values())) * len(which)).astype(int)
    parts = zip(RUNS, np.split(which, ends[:-1]), strict=True)
    return {n_runs: part for n_runs, part in parts if len(part)}


def _joined(parts: list[tuple[Runs, NDArray[np.int64]]]) -> tuple[Runs, NDArray[np.int64]]:
    runs, labels = zip(*parts, strict=True)
    return Runs.joined(runs), np.concatenate(labels)
