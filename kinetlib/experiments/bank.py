"""Experiments to choose from, and what each would show: simulated once, chosen from ever after.

A candidate run is a loading and an initial composition; an experiment is a few candidate runs with
the times at which each is sampled. Every accepted parameter set of a bank is simulated on all
candidate runs at all candidate times, so that an experiment is a choice of columns and costs no
further integration.

Times are counted in horizons, as the published design has them (`kinetlib.runs.sample`): the
horizon is the time in which the reference run (S = 1, cat = 0.05) comes to 80 to 99 % of its end.
Whoever plans by this book therefore needs one scouting run, and no more than the published design
needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.simulate import observed
from kinetlib.runs.plans import Candidates, Experiment
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import (
    TRAIN,
    Design,
    ParameterSets,
    accepted_sets,
    draw_samples,
    initial_concentrations,
)


@dataclass(frozen=True)
class Bank:
    """What parameter sets of all mechanisms show on all candidates.

    Attributes
    ----------
    candidates
        The runs and times.
    values
        Exact concentrations of substrate and product, shape (n, R, T, 2).
    labels
        Mechanism of each parameter set, as its place in the catalogue asked for, shape (n,).
    noise
        Standard normal numbers, shape (n, R, T, 2): the same for every experiment, so that two of
        them differ by what they measure and not by luck (common random numbers).
    """

    candidates: Candidates
    values: NDArray[np.float32]
    labels: NDArray[np.int64]
    noise: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of parameter sets."""
        return len(self.labels)

    def __getitem__(self, which: slice | NDArray) -> Bank:
        """Select parameter sets."""
        parts = (self.values, self.labels, self.noise)
        return Bank(self.candidates, *(part[which] for part in parts))

    def measured(self, experiment: Experiment, level: float) -> Runs:
        """Return what an experiment measures, with noise relative to the value, none at t = 0.

        Returns
        -------
        kinetlib.runs.runs.Runs
            Shape (n, runs, points); times in horizons.
        """
        factor = 1 + np.float32(level) * experiment.shown(self.noise)
        factor[:, self.candidates.times[np.array(experiment.times)] == 0] = 1
        data = experiment.shown(self.values) * factor
        return experiment.measured(self.candidates, data).astype(np.float32)


def simulate_bank(
    catalogue: Sequence[Mechanism],
    sets_per_mechanism: int,
    candidates: Candidates,
    seed: int | Sequence[int],
    *,
    design: Design = TRAIN,
    unplanned: int = 1,
    threads: int | None = None,
) -> tuple[Bank, Runs]:
    """Simulate accepted parameter sets on all candidates, and on unplanned experiments.

    Parameters
    ----------
    catalogue
        The mechanisms; labels are places in it.
    sets_per_mechanism
        Accepted parameter sets of each.
    candidates
        Runs and times.
    seed
        Of all draws: parameter sets, horizons, unplanned experiments, noise.
    design
        What rate constants, horizons and unplanned experiments are drawn from.
    unplanned
        Unplanned experiments of each parameter set.
    threads
        Threads of the integrator, which do not change the values.

    Returns
    -------
    Bank
        n = mechanisms x ``sets_per_mechanism`` parameter sets, by mechanism.
    kinetlib.runs.runs.Runs
        n x ``unplanned`` exact samples drawn as the published design draws them, those of a
        parameter set one after the other.
    """
    banks, drawn = [], []
    for position, mechanism in enumerate(catalogue):
        rng = default_rng(SeedSequence(seed, spawn_key=(position,)))
        sets = accepted_sets(mechanism, sets_per_mechanism, design, rng, threads=threads)
        samples = draw_samples(mechanism, sets, unplanned, design, rng, threads=threads)
        horizon = samples.horizon[::unplanned]
        banks.append(_on_candidates(mechanism, sets, horizon, candidates, rng, threads))
        time = samples.runs.time / samples.horizon[:, None, None]
        drawn.append(replace(samples.runs, time=time).astype(np.float32))
    values, noise = (np.concatenate(parts) for parts in zip(*banks, strict=True))
    labels = np.repeat(np.arange(len(banks)), sets_per_mechanism)
    bank = Bank(candidates, values, labels, noise)
    return bank, Runs.joined(drawn)


def _on_candidates(
    mechanism: Mechanism,
    sets: ParameterSets,
    horizon: NDArray[np.float64],
    candidates: Candidates,
    rng: Generator,
    threads: int | None,
) -> tuple[NDArray[np.float32], ...]:
    """Substrate and product (m, R, T, 2) of one mechanism's sets, and noise for them."""
    m = len(horizon)
    starts = (np.broadcast_to(start, (m, len(candidates))) for start in candidates.starts)
    initial = initial_concentrations(mechanism, *starts, rng)
    times = horizon[:, None, None] * candidates.times
    seen = observed(mechanism, sets.rate_constants, initial, times, threads=threads)
    return seen.astype(np.float32), rng.standard_normal(seen.shape, dtype=np.float32)
