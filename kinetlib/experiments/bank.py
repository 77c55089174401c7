"""Experiments to choose from, and what each would show: simulated once, chosen from ever after.

A candidate run is a loading and an initial composition; an experiment is a few candidate runs with
the times at which each is sampled. Every accepted parameter set of a bank is simulated on all
candidate runs at all candidate times, so that an experiment is a choice of columns and costs no
further integration.

Times are counted in horizons, as the published design has them (`kinetlib.runs.sample`): the horizon is
the time in which the reference run (S = 1, cat = 0.05) comes to 80 to 99 % of its end. Whoever
plans by this book therefore needs one scouting run, and no more than the published design needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import PRODUCT, SUBSTRATE, Mechanism
from kinetlib.runs.laboratory import Runs
from kinetlib.runs.sample import (
    TRAIN,
    Design,
    ParameterSets,
    Samples,
    accepted_sets,
    draw_samples,
    initial_concentrations,
)

#: Loadings from 1 to 16 mol %, evenly spaced in their logarithm.
LOADINGS = tuple(np.geomspace(0.01, 0.16, 12).round(4).tolist())
#: Initial substrate; the rest, up to 1, is product already: the runs hold the same excess.
COMPOSITIONS = (1.0, 0.7, 0.4)
#: Times of a scheme are end (k / m)^bend; on the published grid of hundredths of the horizon.
BENDS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
ENDS = (0.4, 0.7, 1.0)
_GRID = 100


@dataclass(frozen=True)
class Candidates:
    """Runs and times to choose from.

    Attributes
    ----------
    loading, substrate_0, product_0
        Of each candidate run, relative to the standard run's substrate, shape (R,).
    times
        In horizons, rising, the first 0, shape (T,).

    Raises
    ------
    ValueError
        Runs that do not fit, concentrations or times that make no sense.
    """

    loading: NDArray[np.float64]
    substrate_0: NDArray[np.float64]
    product_0: NDArray[np.float64]
    times: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Bring to double precision and check."""
        for name in ("loading", "substrate_0", "product_0", "times"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shape = self.loading.shape
        for name in ("loading", "substrate_0", "product_0"):
            values = getattr(self, name)
            if values.ndim != 1 or values.shape != shape or not len(values):
                raise ValueError(
                    f"{name}: expected one number a candidate run, shape {shape}, got shape "
                    f"{values.shape}"
                )
            if not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"{name}: expected concentrations from 0 on, got {values}")
        times = self.times
        if times.ndim != 1 or len(times) < 2 or times[0] != 0 or not (np.diff(times) > 0).all():
            raise ValueError(f"times: expected 0 and times that rise, got {times}")

    def __len__(self) -> int:
        """Return the number of candidate runs."""
        return len(self.loading)

    def only(self, which: Sequence[int]) -> Candidates:
        """Return some of the runs, in the order given."""
        at = list(which)
        return Candidates(self.loading[at], self.substrate_0[at], self.product_0[at], self.times)

    def nearest(self, times: Sequence[float]) -> tuple[int, ...]:
        """Return the candidate times nearest to those asked for, each once, rising."""
        at = np.abs(self.times[:, None] - np.asarray(times)).argmin(0)
        return tuple(sorted(set(at.tolist())))


@dataclass(frozen=True)
class Experiment:
    """A choice among candidates: which runs, and the times of each, by their place.

    ``runs`` (r,) and ``times`` (r, m); the same run may not be chosen twice, because a bank holds
    its noise once.
    """

    runs: tuple[int, ...]
    times: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Check that it is a choice."""
        if len(set(self.runs)) != len(self.runs) or not self.runs:
            raise ValueError(f"an experiment is one or more different runs, got {self.runs}")
        if len(self.times) != len(self.runs):
            raise ValueError(
                f"an experiment of {len(self.runs)} runs has as many rows of times, "
                f"got {len(self.times)}"
            )
        if len({len(row) for row in self.times}) != 1 or not self.times[0]:
            raise ValueError("every run of an experiment is sampled as often, once or more")

    @classmethod
    def common(cls, runs: Sequence[int], times: Sequence[int]) -> Experiment:
        """Sample all runs at the same times."""
        return cls(tuple(runs), (tuple(times),) * len(runs))

    @property
    def points(self) -> int:
        """Points of each run."""
        return len(self.times[0])

    def with_run(self, run: int, times: Sequence[int]) -> Experiment:
        """Add a run."""
        return Experiment((*self.runs, run), (*self.times, tuple(times)))

    def exchanged(self, place: int, run: int, times: Sequence[int]) -> Experiment:
        """Put another run, or other times, in the place of one."""
        runs, rows = list(self.runs), list(self.times)
        runs[place], rows[place] = run, tuple(times)
        return Experiment(tuple(runs), tuple(rows))


def schemes(n_times: int) -> dict[str, tuple[float, ...]]:
    """Name ways to place ``n_times`` times after the start, in horizons, by bend and end.

    Bend 1 is even, more is dense at the start and less dense at the end. Schemes that would need
    two points at one hundredth of the horizon are left out.
    """
    found = {}
    for end, bend in product(ENDS, BENDS):
        steps = np.arange(1, n_times + 1) / n_times
        times = np.maximum(np.round(_GRID * end * steps**bend), 1) / _GRID
        if len(set(times)) == n_times:
            found[f"to {end:g}, bend {bend:g}"] = tuple(times.tolist())
    return found


EVEN = "to 1, bend 1"


def grid(n_times: Sequence[int] = (6, 20)) -> Candidates:
    """Return the candidates of the book: 12 loadings, 3 compositions, the times of all schemes.

    Parameters
    ----------
    n_times
        Numbers of times after the start that schemes are wanted for.
    """
    loading, substrate_0 = (np.array(x) for x in zip(*product(LOADINGS, COMPOSITIONS), strict=True))
    of_six = {t for times in schemes(n_times[0]).values() for t in times}
    even = {t for n in n_times[1:] for t in schemes(n)[EVEN]}
    times = [0.0, *sorted(of_six | even)]
    return Candidates(loading, substrate_0, (1 - substrate_0).round(4), np.array(times))


def even_grid(n_times: int = 20) -> Candidates:
    """Return the candidate runs of the book, with ``n_times`` even times after the start."""
    runs = grid()
    return Candidates(
        runs.loading, runs.substrate_0, runs.product_0, np.arange(n_times + 1) / n_times
    )


def described(one: Experiment, candidates: Candidates) -> dict[str, Any]:
    """Write an experiment in numbers: runs, and times in horizons."""
    return {
        "runs": [
            {
                "loading": float(candidates.loading[run]),
                "substrate_0": float(candidates.substrate_0[run]),
                "product_0": float(candidates.product_0[run]),
                "times": [float(candidates.times[i]) for i in times],
            }
            for run, times in zip(one.runs, one.times, strict=True)
        ]
    }


def read(record: dict[str, Any], candidates: Candidates) -> Experiment:
    """Find a written experiment among candidates.

    Raises
    ------
    ValueError
        If it is not among them.
    """
    runs, rows = [], []
    for run in record["runs"]:
        same = np.isclose(candidates.loading, run["loading"]) & np.isclose(
            candidates.substrate_0, run["substrate_0"]
        )
        times = candidates.nearest(run["times"])
        if same.sum() != 1 or not np.allclose(candidates.times[list(times)], run["times"]):
            raise ValueError(f"no candidate run like {run}: the record is of other candidates")
        runs.append(int(same.argmax()))
        rows.append(times)
    return Experiment(tuple(runs), tuple(rows))


@dataclass(frozen=True)
class Bank:
    """What parameter sets of all mechanisms show on all candidates.

    Attributes
    ----------
    candidates
        The runs and times.
    substrate, product
        Exact concentrations, shape (n, R, T).
    labels
        Mechanism of each parameter set, as its place in the catalogue asked for, shape (n,).
    noise
        Standard normal numbers, shape (n, R, T, 2): the same for every experiment, so that two of
        them differ by what they measure and not by luck (common random numbers).
    """

    candidates: Candidates
    substrate: NDArray[np.float32]
    product: NDArray[np.float32]
    labels: NDArray[np.int64]
    noise: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of parameter sets."""
        return len(self.labels)

    def __getitem__(self, which: slice | NDArray) -> Bank:
        """Select parameter sets."""
        parts = (self.substrate, self.product, self.labels, self.noise)
        return Bank(self.candidates, *(part[which] for part in parts))

    def measured(self, experiment: Experiment, level: float) -> Runs:
        """Return what an experiment measures, with noise relative to the value, none at t = 0.

        Returns
        -------
        kinetlib.runs.laboratory.Runs
            Shape (n, runs, points); times in horizons.
        """
        runs, times = np.array(experiment.runs)[:, None], np.array(experiment.times)
        time = np.broadcast_to(self.candidates.times[times], (len(self), *times.shape))
        factor = 1 + np.float32(level) * self.noise[:, runs, times]
        factor[:, self.candidates.times[times] == 0] = 1
        starts = (self.candidates.loading, self.candidates.substrate_0, self.candidates.product_0)
        return Runs(
            time.astype(np.float32),
            self.substrate[:, runs, times] * factor[..., 0],
            self.product[:, runs, times] * factor[..., 1],
            np.ones(time.shape, np.float32),
            *(
                np.broadcast_to(
                    start[list(experiment.runs)], (len(self), len(experiment.runs))
                ).astype(np.float32)
                for start in starts
            ),
        )


def simulate(
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
    kinetlib.runs.laboratory.Runs
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
        drawn.append(_as_runs(samples))
    substrate, made, noise = (np.concatenate(parts) for parts in zip(*banks, strict=True))
    labels = np.repeat(np.arange(len(banks)), sets_per_mechanism)
    bank = Bank(candidates, substrate, made, labels, noise)
    columns = zip(*(vars(runs).values() for runs in drawn), strict=True)
    return bank, Runs(*(np.concatenate(column) for column in columns))


def _on_candidates(
    mechanism: Mechanism,
    sets: ParameterSets,
    horizon: NDArray[np.float64],
    candidates: Candidates,
    rng: Generator,
    threads: int | None,
) -> tuple[NDArray[np.float32], ...]:
    """Substrate and product (m, R, T) of one mechanism's sets, and noise for them."""
    network, m, r = mechanism.network, len(horizon), len(candidates)
    starts = (candidates.loading, candidates.substrate_0, candidates.product_0)
    initial = initial_concentrations(
        mechanism, *(np.broadcast_to(start, (m, r)) for start in starts), rng
    )
    solution = integrate(
        network,
        np.repeat(sets.rate_constants, r, axis=0),
        initial.reshape(m * r, -1),
        np.repeat(horizon, r)[:, None] * candidates.times,
        threads=threads,
    )
    found = solution.concentration.reshape(m, r, len(candidates.times), -1)
    substrate, made = (
        found[..., network.index(name)].astype(np.float32) for name in (SUBSTRATE, PRODUCT)
    )
    noise = rng.standard_normal((*substrate.shape, 2), dtype=np.float32)
    return substrate, made, noise


def _as_runs(samples: Samples) -> Runs:
    """Read samples of the published design, times in horizons."""
    time = samples.time / samples.horizon[:, None, None]
    values = (time, samples.substrate, samples.product, np.ones_like(time))
    starts = (samples.loading, samples.substrate_0, samples.product_0)
    return Runs(*(value.astype(np.float32) for value in (*values, *starts)))
