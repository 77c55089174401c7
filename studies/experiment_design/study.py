"""Which experiments tell mechanisms apart: ``python -m studies.experiment_design.study [folder]``.

Four runs of seven points are chosen among 36 candidate runs, by T-optimality and by what a network
tells of simulated data, and put beside unplanned experiments with three times the points. All of it
twice: with the released network, and with one that has learned on from random experiments on the
candidates (`studies.experiment_design.network`), because what a network reads badly looks worth
little. Experiments are chosen on one set of rate constants and judged on another, with new noise.

An hour or so on one core; what is done is a file, so that an interrupted study goes on.
``python -m studies.experiment_design.study summary [folder]`` writes the record that the book
shows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.console import Console

from kinetlib.evaluate import calibration
from kinetlib.experiments import discrimination
from kinetlib.experiments.bank import Bank, simulate_bank
from kinetlib.experiments.discrimination import Bound, NearestRival, Search, Told
from kinetlib.kinetics import mechanisms
from kinetlib.records import files, provenance, quiet
from kinetlib.runs import plans
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import EVEN, Candidates, Experiment, rows_of, schemes
from kinetlib.runs.runs import Runs
from studies.experiment_design.kinds import (
    BASELINE,
    BOXED,
    CEILING,
    FEWER,
    FOLDER,
    MANY,
    PLANNED,
    POINTS,
    RANDOM,
    RUNS,
    SEED,
    T_OPTIMAL,
)

CHOOSING, JUDGING = 1, 2  # what sets of rate constants are for
MOST_RUNS = 8  # that the network reads: the ceiling has as many
LEVEL = 0.015  # noise that experiments are chosen for
NOISE = (0.01, 0.02)  # that they are judged at
SETS = 250  # a mechanism, to choose on
FEW = 30  # of them, to order alternatives
PAIRED = 60  # of them, for distances of all pairs
JUDGED, CALIBRATING = 500, 250  # a mechanism
UNPLANNED = 2  # experiments of each parameter set
SCREENED = 5  # alternatives of a step that all parameter sets are asked about
IN_BOX = 0.1001  # largest loading of the published design
_AT_ONCE = 1000


console = Console()


def asked_of(model: Any) -> discrimination.Asked:
    """Return a network as the classifier that criteria ask.

    A search asks often and with few shapes: compiled for each of them the network answers faster.
    """
    from kinetlib.fusion.features import run_inputs

    def asked(runs: Runs) -> NDArray[np.float64]:
        parts = [runs[start : start + _AT_ONCE] for start in range(0, len(runs), _AT_ONCE)]
        with quiet.tensorflow_warnings():
            said = [np.asarray(model.predict_on_batch(run_inputs(part))) for part in parts]
        return np.concatenate(said).astype(np.float64)

    return asked


def choose(folder: Path, asked: discrimination.Asked) -> dict[str, Experiment]:
    """Choose what has not been chosen yet; return all choices by name."""
    candidates = plans.grid()
    bank: list[Bank] = []

    def banked() -> Bank:
        if not bank:
            catalogue = list(mechanisms.catalogue().values())
            bank.append(simulate_bank(catalogue, SETS, candidates, [SEED, CHOOSING])[0])
        return bank[0]

    chosen: dict[str, Experiment] = {}
    makers: dict[str, Callable[[], tuple[Experiment, dict]]] = {
        T_OPTIMAL: lambda: t_optimal(banked(), LEVEL),
        PLANNED: lambda: informative(banked(), asked, LEVEL),
        BOXED: lambda: boxed(banked(), asked, LEVEL, chosen[PLANNED]),
        CEILING: lambda: richest(banked(), asked, LEVEL, chosen[PLANNED]),
    }
    for name, maker in makers.items():
        path = folder / f"{_slug(name)}.json"
        if not path.exists():
            console.print(name)
            began = time.perf_counter()
            found, more = maker()
            more["seconds"] = round(time.perf_counter() - began)
            _write(path, {**plans.described(found, candidates), **more})
        chosen[name] = plans.read(json.loads(path.read_text(encoding="utf-8")), candidates)
    return chosen


def t_optimal(bank: Bank, level: float, sets: int = PAIRED) -> tuple[Experiment, dict[str, Any]]:
    """Choose by T-optimality."""
    few = bank[_first(bank.labels, sets)]
    return _searched(NearestRival(few, Noise(level)), bank.candidates)


def informative(
    bank: Bank, asked: discrimination.Asked, level: float, *, largest: float = np.inf
) -> tuple[Experiment, dict[str, Any]]:
    """Choose by information, among loadings up to the largest."""
    score = Bound(bank, asked, level)
    cheap = Bound(bank[_first(bank.labels, FEW)], asked, level)
    return _searched(score, bank.candidates, (cheap, SCREENED), largest)


def boxed(
    bank: Bank, asked: discrimination.Asked, level: float, planned: Experiment
) -> tuple[Experiment, dict[str, Any]]:
    """Choose among the loadings of the published design, unless that has been done."""
    if bank.candidates.loading[list(planned.runs)].max() <= IN_BOX:
        return planned, {}
    return informative(bank, asked, level, largest=IN_BOX)


def richest(
    bank: Bank, asked: discrimination.Asked, level: float, start: Experiment
) -> tuple[Experiment, dict[str, Any]]:
    """Go on to eight runs of 21 points: as much as the network reads, or nearly."""
    few = bank[_first(bank.labels, FEW)]
    even = rows_of(bank.candidates, {EVEN: schemes(MANY - 1)[EVEN]})[EVEN]
    score = Bound(few, asked, level)
    search = Search(score, range(len(bank.candidates)), progress=_say)
    step = search.greedy(MOST_RUNS, even, Experiment.common(start.runs, even))
    return step.experiment, {"information": Bound(bank, asked, level)(step.experiment)}


def _searched(
    score: discrimination.Score,
    candidates: Candidates,
    screen: tuple[discrimination.Score, int] | None = None,
    largest: float = np.inf,
) -> tuple[Experiment, dict[str, Any]]:
    rows = rows_of(candidates, schemes(POINTS - 1))
    allowed = np.flatnonzero(candidates.loading <= largest).tolist()
    search = Search(score, allowed, screen=screen, progress=_say)
    greedy = search.greedy(RUNS, rows[EVEN])
    common = search.common_times(greedy, rows)
    step = search.exchange(common, rows)
    course = {"greedy": greedy.value, "common times": common.value, "exchange": step.value}
    return step.experiment, {"criterion": course}


def judge(
    chosen: dict[str, Experiment],
    asked: discrimination.Asked,
    *,
    sets: int,
    calibrating: int,
    seed: int = SEED,
) -> tuple[dict[float, dict[str, Told]], NDArray[np.int64]]:
    """Put experiments to parameter sets that had no part in choosing them.

    Parameters
    ----------
    chosen
        Experiments by name, on the candidates of `kinetlib.runs.plans.grid`.
    asked
        The classifier.
    sets
        Parameter sets of each mechanism.
    calibrating
        Others, for one temperature of each kind of experiment and level of noise.
    seed
        Of the parameter sets.

    Returns
    -------
    dict
        By level of noise and kind of experiment what the classifier made of it.
    numpy.ndarray
        The mechanism of each parameter set, (n,).
    """
    catalogue = list(mechanisms.catalogue().values())
    full = plans.grid()
    pooled = sorted({run for one in chosen.values() for run in one.runs})
    rng = default_rng([seed, JUDGING])
    at_random = [_drawn(full, rng) for _ in range(UNPLANNED)]
    needed = sorted({*pooled, *(run for one in at_random for run in one.runs)})
    kinds = {
        **{name: [_among(one, needed)] for name, one in chosen.items()},
        RANDOM: [_among(one, needed) for one in at_random],
    }
    made = [
        simulate_bank(catalogue, n, full.only(needed), [seed, JUDGING, part], unplanned=UNPLANNED)
        for part, n in enumerate((calibrating, sets))
    ]
    found: dict[float, dict[str, Told]] = {}
    for level in NOISE:
        answers = [_answers(bank, free, kinds, asked, level, seed) for bank, free in made]
        found[level] = {}
        for name, (own, each) in answers[1].items():
            known = np.repeat(made[0][0].labels, each)
            temperature = calibration.fit_temperature(answers[0][name][0], known)
            calibrated = calibration.at_temperature(own, temperature)
            found[level][name] = Told.of(calibrated, made[1][0].labels, each)
    return found, made[1][0].labels


def _answers(
    bank: Bank,
    free: Runs,
    kinds: dict[str, list[Experiment]],
    asked: discrimination.Asked,
    level: float,
    seed: int,
) -> dict[str, tuple[NDArray[np.float64], int]]:
    """Probabilities by kind of experiment, and how many experiments a parameter set has."""
    from kinetlib.runs import runs as runs_of

    rng = default_rng([seed, JUDGING, round(1e6 * level)])
    noisy = runs_of.measured(free, level, rng)
    found = {
        BASELINE: (asked(noisy), UNPLANNED),
        FEWER: (asked(runs_of.thinned(noisy, POINTS, rng, keep_start=True)), UNPLANNED),
    }
    for name, experiments in kinds.items():
        said = np.stack([asked(bank.measured(one, level)) for one in experiments], 1)
        found[name] = (said.reshape(-1, said.shape[-1]), len(experiments))
    return found


def _drawn(candidates: Candidates, rng: np.random.Generator) -> Experiment:
    """Draw four candidates, sampled evenly: what the wider box alone is worth."""
    rows = rows_of(candidates, {EVEN: schemes(POINTS - 1)[EVEN]})
    runs = rng.choice(len(candidates), RUNS, replace=False)
    return Experiment.common(runs.tolist(), rows[EVEN])


def _among(one: Experiment, needed: list[int]) -> Experiment:
    return Experiment(tuple(needed.index(run) for run in one.runs), one.times)


def _first(labels: NDArray[np.int64], each: int) -> NDArray[np.int64]:
    """Places of the first few parameter sets of each mechanism."""
    return np.concatenate([np.flatnonzero(labels == k)[:each] for k in np.unique(labels)])


def main(folder: Path) -> None:
    """Do what has not been done yet, with each network."""
    for network, asked in networks(folder).items():
        path = folder / network / "judged" / "comparison.json"
        if path.exists():
            continue
        console.print(f"{network} network")
        chosen = choose(folder / network, asked)
        console.print("judging")
        told, labels = judge(chosen, asked, sets=JUDGED, calibrating=CALIBRATING)
        rng = default_rng(SEED)
        comparison = {
            f"{level:g}": discrimination.compared(kinds, BASELINE, CEILING, rng)
            for level, kinds in told.items()
        }
        _write(path, {"judged_on": len(labels), "comparison": comparison})


def networks(folder: Path) -> dict[str, discrimination.Asked]:
    """Return the released network, and the one that has learned on, which is trained if need be."""
    from kinetlib import fusion
    from kinetlib.fusion.classify import open_network
    from studies.experiment_design import network as lessons

    released, card, _ = open_network("runset")
    path = folder / "network" / "planned.keras"
    if not path.exists():
        copy, _, _ = open_network("runset")
        model = lessons.learn_on(copy, lessons.Lessons(), path.parent, console.print)
        fusion.save(model, path, lessons.card_of(card, lessons.Lessons()))
    return {"released": asked_of(released), "taught": asked_of(fusion.load(path)[0])}


def summary(folder: Path) -> dict[str, Any]:
    """Collect what was chosen and how it was judged: the record that the book shows."""
    from studies.experiment_design import evidence  # which reads what was chosen here

    found = {}
    for path in sorted(folder.glob("*/judged/comparison.json")):
        judged = json.loads(path.read_text(encoding="utf-8"))
        choices = path.parents[1]
        found[choices.name] = {
            "experiments": {
                name: json.loads((choices / f"{_slug(name)}.json").read_text(encoding="utf-8"))
                for name in (PLANNED, BOXED, T_OPTIMAL, CEILING)
            },
            **judged,
        }
    return {
        "seed": SEED,
        "candidates": len(plans.grid()),
        "chosen_on": SETS * len(mechanisms.catalogue()),
        "chosen_at": LEVEL,
        "unplanned_of_each": UNPLANNED,
        "networks": found,
        "evidence": evidence.summary(folder),
        "processor": provenance.processor(),
        **provenance.attributes(),
    }


def _slug(name: str) -> str:
    return name.replace(", ", "-").replace(" ", "_").replace("%", "percent")


def _say(step: discrimination.Step) -> None:
    console.print(f"  {step.what}: {step.value:.4f}")


def _write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_text(path, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    _parser.add_argument("what", nargs="?", default="run", choices=("run", "summary"))
    _parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    _given = _parser.parse_args()
    if _given.what == "run":
        main(_given.folder)
    else:
        _write(_given.folder / "experiment_design.json", summary(_given.folder))
