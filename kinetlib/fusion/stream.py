"""Training data made while the network learns: every few epochs new parameter sets and runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.fusion.batches import Batches, Pools, RunBatches, Taught
from kinetlib.fusion.recipe import RUNSET, Recipe
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.runs import MOST_POINTS
from kinetlib.runs.sample import (
    LABORATORY,
    TRAIN,
    Design,
    Family,
    ParameterSets,
    accepted_sets,
    draw_samples,
)

#: Share of the campaigns with so many runs.
RUNS = {1: 0.10, 2: 0.15, 3: 0.20, 4: 0.22, 5: 0.11, 6: 0.09, 7: 0.05, 8: 0.08}
PUBLISHED = 0  # the pool of the published design, beside those named by their number of runs


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
    campaign, design
        What laboratories do, and the published design.
    family, family_share
        Priors that so large a part of the parameter sets comes from, and half of its samples of
        four runs from a wider design; the rest, from the published prior.
    """

    seed: int
    sets_per_mechanism: int = 500
    samples_per_set: tuple[int, int] = (3, 3)
    epochs_per_pool: int = 2
    campaign: Campaign = Campaign()
    design: Design = TRAIN
    family: Family = Family()
    family_share: float = 0.0

    def pool(self, number: int, *, threads: int | None = 1) -> Pools:
        """Make one pool: exact runs, classes and rate constants by number of runs."""
        parts: dict[int, list[Taught]] = {}
        four = self.samples_per_set[0]
        from_family = round(self.family_share * self.sets_per_mechanism)
        wide = LABORATORY.model_copy(update={"n_times": self.design.n_times})
        sources: list[tuple[Design | Family, int, dict[Design, int]]] = [
            (self.design, self.sets_per_mechanism - from_family, {self.design: four}),
            (self.family, from_family, {self.design: four - four // 2, wide: four // 2}),
        ]
        for position, mechanism in enumerate(mechanisms.catalogue().values()):
            rng = default_rng(SeedSequence(self.seed, spawn_key=(number, position)))
            for prior, n_sets, designs in sources:
                if n_sets:
                    sets = accepted_sets(mechanism, n_sets, prior, rng, threads=threads)
                    drawn = self._samples(mechanism, position, sets, designs, rng, threads)
                    for kind, part in drawn:
                        parts.setdefault(kind, []).append(part)
        return {kind: Taught.joined(found) for kind, found in parts.items()}

    def _samples(
        self,
        mechanism: Mechanism,
        position: int,
        sets: ParameterSets,
        designs: Mapping[Design, int],
        rng: Generator,
        threads: int | None,
    ) -> Iterator[tuple[int, Taught]]:
        """Draw samples of four runs of each design, then campaigns by number of runs."""
        for design, each in designs.items():
            if each:
                made = draw_samples(mechanism, sets, each, design, rng, threads=threads)
                runs = made.runs.astype(np.float32)
                yield PUBLISHED, Taught.of(runs, position, made.rate_constants)
        for n_runs, which in _shared(sets, self.samples_per_set[1], rng).items():
            runs = draw_runs(
                mechanism, sets, which, n_runs, MOST_POINTS, self.campaign, rng, threads=threads
            )
            yield n_runs, Taught.of(runs, position, sets.rate_constants[which])


class Stream:
    """Epochs of a training, each on the pool it asks for; the next pool is made meanwhile."""

    def __init__(self, supply: Supply, recipe: Recipe):
        self._supply, self._recipe = supply, recipe
        self._maker = ThreadPoolExecutor(1)
        self._made: dict[int, Future[Pools]] = {}

    def epoch(self, number: int) -> RunBatches | Batches:
        """Return the batches of an epoch; the four fusions see the published design only."""
        wanted = number // self._supply.epochs_per_pool
        for ahead in (wanted, wanted + 1):
            if ahead not in self._made:
                self._made[ahead] = self._maker.submit(self._supply.pool, ahead)
        for old in [key for key in self._made if key < wanted]:
            del self._made[old]
        pools = self._made[wanted].result()
        if self._recipe.fusion == RUNSET:
            return RunBatches(pools, self._recipe, number)
        design = pools[PUBLISHED]
        return Batches(design.runs, design.labels, self._recipe, number)


def _shared(sets: ParameterSets, several: int, rng: Generator) -> dict[int, NDArray[np.int64]]:
    """Share campaigns of all parameter sets out by number of runs."""
    which = rng.permutation(np.repeat(np.arange(len(sets.rate_constants)), several))
    ends = np.round(np.cumsum(list(RUNS.values())) * len(which)).astype(int)
    parts = zip(RUNS, np.split(which, ends[:-1]), strict=True)
    return {n_runs: part for n_runs, part in parts if len(part)}
