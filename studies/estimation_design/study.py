"""Experiments that pin rate constants, planned for all mechanisms, on record.

``python -m studies.estimation_design.study [folder]`` plans for each of the twenty mechanisms as
chapter 5b does for a few (`kinetlib.experiments.d_optimal.plan`), with the same random numbers,
and bounds what any experiment of that size could reach: by the convex bound, and by branching
until 95 % are certified. The plan is judged, besides, on draws from the prior that it was not
planned on.

A mechanism that is done is a file, so that an interrupted study goes on; some seven minutes on one
core. ``python -m studies.estimation_design.study summary [folder]`` writes the record of the book.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from kinetlib.experiments.bound import bound
from kinetlib.experiments.d_optimal import GOAL, STARTS, Plan, d_optimal, plan
from kinetlib.experiments.information import Information, information
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.runs.noise import FLOOR, Noise
from kinetlib.runs.plans import Experiment, described, even_grid

FOLDER = Path("results/estimation_study")

console = Console()


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


def main(folder: Path, settings: Settings, names: Sequence[str] | None = None) -> None:
    """Plan for the mechanisms that are not done yet.

    Parameters
    ----------
    folder
        Where those that are done lie.
    settings
        Of the study.
    names
        Mechanisms; all by default.

    Raises
    ------
    ValueError
        A mechanism in the folder that was planned for with other settings.
    """
    for name in names or mechanisms.catalogue():
        path = _path(folder, name)
        if path.exists():
            _read(path, settings)
            continue
        record = piece(name, settings)
        write_text(path, json.dumps(record, indent=1) + "\n")
        console.print(
            f"{name}: {100 * record['relaxed']['efficiency']:.1f} % of the convex bound, "
            f"{100 * record['branched']['efficiency']:.1f} % by branching in "
            f"{record['branched']['parts']} parts, {record['processor_seconds']:.0f} s"
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
        convex bound there, and to an experiment planned on those; ``runs`` of the plan; what it was
        made of.
    """
    begun = time.process_time()
    found = planned(name, settings)
    told, experiment = found.told, found.experiment
    return {
        "mechanism": name,
        "settings": settings.model_dump(mode="json"),
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
        "processor": provenance.processor(),
        **provenance.attributes(),
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


def summary(folder: Path, settings: Settings) -> dict[str, Any]:
    """Collect the plans of all mechanisms.

    Returns
    -------
    dict
        ``mechanisms``: by name what `piece` says; ``goal``; ``settings``; what the study was made
        of.

    Raises
    ------
    ValueError
        Mechanisms that are not done, or were planned for with other settings.
    """
    missing = [name for name in mechanisms.catalogue() if not _path(folder, name).exists()]
    if missing:
        raise ValueError(
            f"no plan for {', '.join(missing)} in {folder / 'pieces'}: run "
            "`python -m studies.estimation_design.study` first"
        )
    records = {name: _read(_path(folder, name), settings) for name in mechanisms.catalogue()}
    made = ["processor", *provenance.attributes()]
    return {
        "goal": GOAL,
        "settings": settings.model_dump(mode="json"),
        "mechanisms": {
            name: {
                key: _short(value)
                for key, value in record.items()
                if key not in ("mechanism", "settings", *made)
            }
            for name, record in records.items()
        },
        "processor_seconds": round(sum(r["processor_seconds"] for r in records.values()), 1),
        # Of the mechanisms, which may have been planned for at several times.
        "made_by": [
            dict(found)
            for found in sorted({tuple((key, r[key]) for key in made) for r in records.values()})
        ],
    }


def _short(value: Any) -> Any:
    """Round what is measured to what a reader or a test can use."""
    if isinstance(value, dict):
        return {key: _short(part) for key, part in value.items()}
    return float(np.round(value, 5)) if isinstance(value, float) else value


def _read(path: Path, settings: Settings) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    if record["settings"] != settings.model_dump(mode="json"):
        raise ValueError(
            f"{path} was made with other settings than those of this study; remove {path.parent} "
            "and run the study anew, or give another folder"
        )
    return record


def _path(folder: Path, name: str) -> Path:
    return folder / "pieces" / f"{name}.json"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m studies.estimation_design.study")
    parser.add_argument("what", nargs="*", metavar="[summary] [folder]")
    return parser.parse_args()


if __name__ == "__main__":
    _args = _asked()
    _summarise = _args.what[:1] == ["summary"]
    _folder = Path([*_args.what[_summarise:], FOLDER][0])
    if _summarise:
        write_text(
            _folder / "summary.json", json.dumps(summary(_folder, Settings()), indent=1) + "\n"
        )
    else:
        main(_folder, Settings())
