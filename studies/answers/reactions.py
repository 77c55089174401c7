"""How often the evidence names the mechanism of simulated reactions.

Each reaction has rate constants of its own and is measured once, as the published test has it: four
runs, seven points, 1 % noise. What the released network says of the same runs is in ``network``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.random import SeedSequence, default_rng

from kinetlib.answers.sight import seen
from kinetlib.answers.weighing import probabilities, weighed
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
                work = partial(_asked, prior, number, name)
                key = ("reactions", prior, name, number)
                yield Piece(key, settings(drawn), work, brief, alone=True)


def settings(prior: Design | Family) -> dict[str, Any]:
    """Say what a reaction follows from."""
    return {
        "seed": SEED,
        "prior": prior.model_dump(mode="json"),
        "noise": NOISE,
        "design": TEST.model_dump(mode="json"),
    }


def measures(values: list[dict[str, Any]]) -> dict[str, Any]:
    """Count what was said of reactions."""
    answers = [(one["truth"], one["said"]) for one in values]
    named = [max(said, key=said.__getitem__) for _, said in answers]
    right = np.array([best == truth for best, (truth, _) in zip(named, answers, strict=True)])
    inside = np.array([one["truth"] in one["set"] for one in values])
    return {
        "reactions": len(answers),
        "right": share(right),
        "held": share(inside),
        "confidence": float(np.mean([max(said.values()) for _, said in answers])),
        "mechanisms_in_a_set": float(np.mean([len(one["set"]) for one in values])),
        "wrong": [
            [truth, best] for best, (truth, _) in zip(named, answers, strict=True) if best != truth
        ],
    }


def members(said: Mapping[str, float]) -> list[str]:
    """Return the most probable mechanisms that add up to the level."""
    names = sorted(said, key=said.__getitem__, reverse=True)
    shares = np.cumsum([said[name] for name in names])
    return names[: int(np.searchsorted(shares, LEVEL)) + 1]


def drawn(prior: str, number: int, name: str) -> Runs:
    """Simulate a reaction of a mechanism, and measure it."""
    position = list(mechanisms.catalogue()).index(name)
    rng = default_rng(SeedSequence(SEED, spawn_key=(number, position)))
    mechanism = mechanisms.get(name)
    sets = accepted_sets(mechanism, 1, PRIORS[prior], rng)
    exact = draw_samples(mechanism, sets, 1, TEST, rng).runs
    return runs_of.measured(exact, NOISE, rng)


def _asked(prior: str, number: int, name: str) -> dict[str, Any]:
    return asked(name, drawn(prior, number, name))


def asked(name: str, runs: Runs) -> dict[str, Any]:
    """Ask the evidence about the runs of one reaction."""
    began = time.process_time()
    found = weighed(seen(runs[0].checked()), grammar().closed())
    seconds = time.process_time() - began
    shares = probabilities(found)
    said = {one.name: float(p) for one, p in zip(found, shares, strict=True)}
    return {"truth": name, "said": said, "set": members(said), "seconds": seconds}


def brief(value: dict[str, Any]) -> str:
    """Name what was said, for the log."""
    return f"{value['truth']}: {max(value['said'], key=value['said'].__getitem__)}"
