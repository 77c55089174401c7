"""Experiments that pin rate constants, planned for all mechanisms, on record.

Planned for each of the twenty mechanisms as chapter 5b does for a few
(`kinetlib.experiments.d_optimal.plan`), with the same random numbers, and bounded by what any
experiment of that size could reach: by the convex bound, and by branching until 95 % are certified.
The plan is judged, besides, on draws from the prior that it was not planned on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import BaseModel, ConfigDict

from kinetlib.experiments.bound import bound
from kinetlib.experiments.d_optimal import GOAL, STARTS, Plan, d_optimal, plan
from kinetlib.experiments.information import Information, information
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key, Piece, Refused, signed
from kinetlib.runs.noise import FLOOR, Noise
from kinetlib.runs.plans import Experiment, described, even_grid


class Settings(BaseModel):
    """What the study does; the first are those of chapter 5b in the laptop profile."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 55
    noise: float = 0.015
    floor: float = FLOOR
    bank: int = 3100
    draws: int = 60
    n_runs: int = 4
    n_times: int = 7
    candidate_times: int = 20
    certified: float = 0.95  # efficiency at which branching ends
    parts: int = 1500
    fresh: int = 240  # draws that a plan is judged on besides


def streams(seed: int) -> dict[str, SeedSequence]:
    """Return the source of all random numbers of each mechanism's plan."""
    names = list(mechanisms.catalogue())
    return dict(zip(names, SeedSequence(seed, spawn_key=(99,)).spawn(len(names)), strict=True))


def planned(name: str, settings: Settings) -> Plan:
    """Plan for one mechanism as the study does."""
    return plan(
        name,
        even_grid(settings.candidate_times),
        default_rng(streams(settings.seed)[name]),
        noise=Noise(settings.noise, settings.floor),
        n_runs=settings.n_runs,
        n_times=settings.n_times,
        draws=settings.draws,
        bank=settings.bank,
        certified=settings.certified,
        parts=settings.parts,
        threads=1,
    )


def pieces(
    folder: Path, upto: int | None = None, settings: Settings | None = None
) -> Iterator[Piece]:
    """Name the plan of each mechanism."""
    settings = settings or Settings()
    for name in mechanisms.catalogue():
        work = partial(piece, name, settings)
        yield Piece(("plans", name), settings.model_dump(mode="json"), work, _brief)


def _brief(value: dict[str, Any]) -> str:
    return (
        f"{100 * value['relaxed']['efficiency']:.1f} % of the convex bound, "
        f"{100 * value['branched']['efficiency']:.1f} % by branching in "
        f"{value['branched']['parts']} parts"
    )


def piece(name: str, settings: Settings) -> dict[str, Any]:
    """Plan for one mechanism, and say how good the plan is.

    Returns
    -------
    dict
        ``coordinates`` and ``draws`` that the plan rests on; its ``criterion``; ``relaxed`` and
        ``branched``: a bound of the criterion of all experiments, and the efficiency relative to
        it; ``given_runs``: the efficiency relative to the convex bound of experiments with the runs
        of the plan; ``fresh``: the efficiency on draws that were not planned on, relative to the
        convex bound there, and to an experiment planned on those; ``runs`` of the plan.
    """
    begun = time.process_time()
    found = planned(name, settings)
    told, experiment = found.told, found.experiment
    return {
        "coordinates": found.prior.coordinates,
        "draws": len(told.rows),
        "criterion": told.criterion(experiment),
        "relaxed": {
            "criterion": found.relaxed.criterion,
            "reached": found.relaxed.reached,
            "efficiency": found.relaxed_efficiency,
        },
        "branched": {**vars(found.limit), "efficiency": found.efficiency},
        "given_runs": _efficiency_of_times(told, experiment),
        "fresh": _on_other_draws(found, settings),
        **described(experiment, told.candidates),
        "processor_seconds": round(time.process_time() - begun, 1),
    }


def _on_other_draws(found: Plan, settings: Settings) -> dict[str, Any]:
    """Judge a plan on draws that follow those of the bank that it was planned on."""
    fresh = information(
        found.prior,
        found.told.candidates,
        found.prior.bank[settings.draws : settings.draws + settings.fresh],
        noise=Noise(settings.noise, settings.floor),
        threads=1,
    )
    size = (settings.n_runs, settings.n_times)
    limit = bound(fresh, *size)
    (stream,) = streams(settings.seed)[found.prior.mechanism.id].spawn(1)
    there = d_optimal(fresh, *size, default_rng(stream), starts=STARTS, weights=limit.weights)
    return {
        "draws": len(fresh.rows),
        "efficiency": fresh.efficiency(found.experiment, limit.criterion),
        "of_planned_there": fresh.efficiency(found.experiment, fresh.criterion(there)),
    }


def _efficiency_of_times(told: Information, experiment: Experiment) -> float:
    """Return the efficiency among experiments with the same runs: what other times could gain."""
    runs = list(experiment.runs)
    here = Information(told.candidates.only(runs), told.rows[:, runs], told.precision)
    times = Experiment(tuple(range(len(runs))), experiment.times)
    return here.efficiency(times, bound(here, len(runs), experiment.points).criterion)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect the plans of all mechanisms.

    Returns
    -------
    dict
        ``mechanisms``: by name what `piece` says; ``goal``; ``settings``; what the study was made
        of.

    Raises
    ------
    Refused
        Where mechanisms are missing.
    """
    missing = [name for name in mechanisms.catalogue() if ("plans", name) not in made]
    if missing:
        raise Refused(
            f"no plan for {', '.join(missing)} in {folder}: compute what is missing first"
        )
    found = {name: one.value for (_, name), one in made.items()}
    whole = {
        "goal": GOAL,
        "settings": next(iter(made.values())).settings,
        "mechanisms": {name: _short(value) for name, value in found.items()},
        "processor_seconds": round(sum(one["processor_seconds"] for one in found.values()), 1),
    }
    return signed(whole, made.values())


def _short(value: Any) -> Any:
    """Round what is measured to what a reader or a test can use."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    return float(np.round(value, 5)) if isinstance(value, float) else value
