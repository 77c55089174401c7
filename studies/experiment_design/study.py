"""Which experiments tell mechanisms apart.

Four runs of seven points are chosen among 36 candidate runs, by T-optimality and by what a network
tells of simulated data, and put beside unplanned experiments with three times the points. All of it
twice: with the released network, and with one that has learned on from random experiments on the
candidates (`studies.experiment_design.network`), because what a network reads badly looks worth
little. Experiments are chosen on one set of rate constants and judged on another, with new noise.
What the released network chose is judged by the evidence of mechanisms besides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from kinetlib.evaluate import calibration
from kinetlib.experiments import discrimination
from kinetlib.experiments.bank import Bank, simulate_bank
from kinetlib.experiments.discrimination import Asked, InformationBound, NearestRival, Search
from kinetlib.kinetics import mechanisms
from kinetlib.records import quiet
from kinetlib.records.pieces import Done, Key, Piece, done, signed
from kinetlib.runs import plans
from kinetlib.runs import runs as runs_of
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import EVEN, Candidates, Experiment, rows_of, schemes
from kinetlib.runs.runs import Runs
from studies.experiment_design import evidence
from studies.experiment_design.kinds import (
    BASELINE,
    BOXED,
    CEILING,
    FEWER,
    MANY,
    PLANNED,
    POINTS,
    RANDOM,
    RUNS,
    SEED,
    T_OPTIMAL,
    Told,
    comparison,
)

NETWORKS = ("released", "taught")
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

log = logging.getLogger(__name__)


def asked_of(model: Any) -> Asked:
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


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name what is chosen and judged with each network, and rounds of evidences."""
    for network in NETWORKS:
        yield from _choices(folder, network)
        work = partial(_comparison, folder, network)
        yield Piece((network, "judged"), _settings(network), work, alone=True)
    settings = {**_settings("released"), "evidence": evidence.settings()}
    # Planned and unplanned with as few points first: what is asked most.
    for number in range(upto or evidence.ROUNDS):
        for kind in evidence.KINDS:
            for truth in mechanisms.catalogue():
                work = partial(_evidence, folder, number, truth, kind)
                yield Piece((evidence.NAME, number, truth, kind), settings, work)


def _settings(network: str) -> dict[str, Any]:
    """Return what a choice and its judgement follow from, beside the code."""
    from studies.experiment_design.network import Lessons

    return {
        **{"seed": SEED, "runs": RUNS, "points": POINTS, "ceiling": (MOST_RUNS, MANY)},
        **{"level": LEVEL, "sets": SETS, "few": FEW, "paired": PAIRED, "screened": SCREENED},
        **{"in_box": IN_BOX, "noise": NOISE, "judged": JUDGED, "calibrating": CALIBRATING},
        **{"unplanned": UNPLANNED, "lessons": vars(Lessons()) if network == "taught" else None},
    }


def _choices(folder: Path, network: str) -> Iterator[Piece]:
    for name in (T_OPTIMAL, PLANNED, BOXED, CEILING):
        work = partial(_choice, folder, network, name)
        yield Piece((network, name), _settings(network), work, alone=True)


def _chosen(folder: Path, network: str, *names: str) -> dict[str, Experiment]:
    """Read what has been chosen; some of it by name, or all."""
    work = (one for one in _choices(folder, network) if not names or one.key[1] in names)
    made = done(folder, work, least=None)
    return {name: plans.read(one.value, plans.grid()) for (_, name), one in made.items()}


def _choice(folder: Path, network: str, name: str) -> dict[str, Any]:
    """Choose an experiment, and describe it."""
    bank, asked = _bank(), _asked(folder, network)

    def planned() -> Experiment:
        return _chosen(folder, network, PLANNED)[PLANNED]

    makers: dict[str, Callable[[], tuple[Experiment, dict]]] = {
        T_OPTIMAL: lambda: t_optimal(bank, LEVEL),
        PLANNED: lambda: informative(bank, asked, LEVEL),
        BOXED: lambda: boxed(bank, asked, LEVEL, planned()),
        CEILING: lambda: richest(bank, asked, LEVEL, planned()),
    }
    found, more = makers[name]()
    return {**plans.described(found, bank.candidates), **more}


@cache
def _bank() -> Bank:
    catalogue = list(mechanisms.catalogue().values())
    return simulate_bank(catalogue, SETS, plans.grid(), [SEED, CHOOSING])[0]


def t_optimal(bank: Bank, level: float, sets: int = PAIRED) -> tuple[Experiment, dict[str, Any]]:
    """Choose by T-optimality."""
    few = bank[_first(bank.labels, sets)]
    return _searched(NearestRival(few, Noise(level)), bank.candidates)


def informative(
    bank: Bank, asked: Asked, level: float, *, largest: float = np.inf
) -> tuple[Experiment, dict[str, Any]]:
    """Choose by information, among loadings up to the largest."""
    score = InformationBound(bank, asked, level)
    cheap = InformationBound(bank[_first(bank.labels, FEW)], asked, level)
    return _searched(score, bank.candidates, (cheap, SCREENED), largest)


def boxed(
    bank: Bank, asked: Asked, level: float, planned: Experiment
) -> tuple[Experiment, dict[str, Any]]:
    """Choose among the loadings of the published design, unless that has been done."""
    if bank.candidates.loading[list(planned.runs)].max() <= IN_BOX:
        return planned, {}
    return informative(bank, asked, level, largest=IN_BOX)


def richest(
    bank: Bank, asked: Asked, level: float, start: Experiment
) -> tuple[Experiment, dict[str, Any]]:
    """Go on to eight runs of 21 points: as much as the network reads, or nearly."""
    few = bank[_first(bank.labels, FEW)]
    even = rows_of(bank.candidates, {EVEN: schemes(MANY - 1)[EVEN]})[EVEN]
    score = InformationBound(few, asked, level)
    search = Search(score, range(len(bank.candidates)), progress=_say)
    step = search.greedy(MOST_RUNS, even, Experiment.common(start.runs, even))
    return step.experiment, {"information": InformationBound(bank, asked, level)(step.experiment)}


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
    asked: Asked,
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
    asked: Asked,
    level: float,
    seed: int,
) -> dict[str, tuple[NDArray[np.float64], int]]:
    """Probabilities by kind of experiment, and how many experiments a parameter set has."""
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


def _comparison(folder: Path, network: str) -> dict[str, Any]:
    """Judge what has been chosen with a network."""
    chosen = _chosen(folder, network)
    told, labels = judge(chosen, _asked(folder, network), sets=JUDGED, calibrating=CALIBRATING)
    rng = default_rng(SEED)
    compared = {
        f"{level:g}": comparison(kinds, BASELINE, CEILING, rng) for level, kinds in told.items()
    }
    return {"judged_on": len(labels), "comparison": compared}


def _evidence(folder: Path, number: int, truth: str, kind: str) -> dict[str, Any]:
    return evidence.judged(number, truth, kind, _chosen(folder, "released", PLANNED)[PLANNED])


@cache
def _asked(folder: Path, network: str) -> Asked:
    """Open the released network, or the one that has learned on, which is trained if need be."""
    from kinetlib import fusion
    from kinetlib.fusion.classify import open_network
    from studies.experiment_design import network as lessons

    released, card, _ = open_network("runset")
    if network == "released":
        return asked_of(released)
    path = folder / "network" / "planned.keras"
    if not path.exists():
        model = lessons.learn_on(released, lessons.Lessons(), path.parent, log.info)
        fusion.save(model, path, lessons.card_of(card, lessons.Lessons()))
    return asked_of(fusion.load(path)[0])


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect what was chosen and how it was judged: the record that the book shows."""
    found = {
        network: {
            "experiments": {
                name: {**one.value, "seconds": round(one.made_with["seconds"])}
                for name in (PLANNED, BOXED, T_OPTIMAL, CEILING)
                for one in (made[network, name],)
            },
            **made[network, "judged"].value,
        }
        for network in NETWORKS
        if (network, "judged") in made
    }
    weighed = {key: one for key, one in made.items() if key[0] == evidence.NAME}
    whole = {
        "seed": SEED,
        "candidates": len(plans.grid()),
        "chosen_on": SETS * len(mechanisms.catalogue()),
        "chosen_at": LEVEL,
        "unplanned_of_each": UNPLANNED,
        "networks": found,
        "evidence": evidence.summary(weighed),
    }
    return signed(whole, made.values())


def _say(step: discrimination.Step) -> None:
    log.info("%s: %.4f", step.what, step.value)
