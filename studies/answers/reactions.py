"""How often the evidence names the mechanism of simulated reactions, beside the released network.

Each reaction has rate constants of its own and is measured once, as the published test has it: four
runs, seven points, 1 % noise. The network's probabilities are calibrated on another prior than that
of an answer, which is broad; both are asked about the same runs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng

from kinetlib import fusion
from kinetlib.answers.sight import seen
from kinetlib.answers.weighing import probabilities, weighed
from kinetlib.fusion.classify import open_network
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.grammar import grammar
from kinetlib.records.pieces import Piece
from kinetlib.runs import runs as runs_of
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST, TRAIN, Design, Family, accepted_sets, draw_samples
from studies.goals import share

SEED = 99
ROUNDS = 3  # reactions of each mechanism and prior
NOISE = 0.01
LEVEL = 0.95
#: Where rate constants come from.
PRIORS: dict[str, Design | Family] = {
    "published": TRAIN,
    "log-normal, one decade": Family(decades=(0.0, 0.0), apart=1.0, strictness=(1.0, 1.0)),
    "rules a fifth as strict": Family(decades=(6.0, 6.0), apart=0.0, strictness=(0.2, 0.2)),
}


def pieces(upto: int | None = None) -> Iterator[Piece]:
    """Name each reaction, all mechanisms of a round after the other."""
    for prior, drawn in PRIORS.items():
        for number in range(ROUNDS if upto is None else upto):
            for name in mechanisms.catalogue():
                settings = {
                    "seed": SEED,
                    "prior": drawn.model_dump(mode="json"),
                    "noise": NOISE,
                    "design": TEST.model_dump(mode="json"),
                }
                work = partial(_drawn, prior, number, name)
                yield Piece(("reactions", prior, name, number), settings, work, brief, alone=True)


def measures(values: list[dict[str, Any]], who: str) -> dict[str, Any]:
    """Count what one of the two said of reactions."""
    answers = [(one["truth"], one[who]) for one in values]
    named = [max(said, key=said.__getitem__) for _, said in answers]
    right = np.array([best == truth for best, (truth, _) in zip(named, answers, strict=True)])
    inside = np.array([one["truth"] in one["sets"][who] for one in values])
    return {
        "reactions": len(answers),
        "right": share(right),
        "held": share(inside),
        "confidence": float(np.mean([max(said.values()) for _, said in answers])),
        "mechanisms_in_a_set": float(np.mean([len(one["sets"][who]) for one in values])),
        "wrong": [
            [truth, best] for best, (truth, _) in zip(named, answers, strict=True) if best != truth
        ],
    }


def _members(said: Mapping[str, float]) -> list[str]:
    """Return the most probable mechanisms that add up to the level."""
    names = sorted(said, key=said.__getitem__, reverse=True)
    shares = np.cumsum([said[name] for name in names])
    return names[: int(np.searchsorted(shares, LEVEL)) + 1]


def _drawn(prior: str, number: int, name: str) -> dict[str, Any]:
    position = list(mechanisms.catalogue()).index(name)
    rng = default_rng(SeedSequence(SEED, spawn_key=(number, position)))
    mechanism = mechanisms.get(name)
    sets = accepted_sets(mechanism, 1, PRIORS[prior], rng)
    exact = draw_samples(mechanism, sets, 1, TEST, rng).runs
    runs = runs_of.measured(exact, NOISE, rng)
    return asked(name, runs, runs)


def asked(name: str, runs: Runs, shown: Runs) -> dict[str, Any]:
    """Ask evidence about the runs of one reaction, and the network about what it is shown."""
    began = time.process_time()
    found = weighed(seen(runs[0].checked()), grammar().closed())
    between = time.process_time()
    shares = probabilities(found)
    evidence = {one.name: float(p) for one, p in zip(found, shares, strict=True)}
    model, trust, classes = _network()
    said = trust.answer(shown, *fusion.read(model, shown))
    return {
        "truth": name,
        "evidence": evidence,
        "network": dict(zip(classes, map(float, said.probabilities[0]), strict=True)),
        "sets": {
            "evidence": _members(evidence),
            "network": [one for one, kept in zip(classes, said.members[0], strict=True) if kept],
        },
        "seconds": between - began,
    }


@cache
def _network() -> tuple[Any, Any, list[str]]:
    model, card, trust = open_network()
    return model, trust, card["classes"]


def brief(value: dict[str, Any]) -> str:
    """Name what was said, for the log."""
    named = {who: max(value[who], key=value[who].__getitem__) for who in ("evidence", "network")}
    return f"{value['truth']}: evidence {named['evidence']}, network {named['network']}"
