"""What the released network says of the reactions that the evidence is asked about.

Its probabilities are calibrated on another prior than that of an answer, which is broad. As from a
file, it is not shown rows after the end of a run, and the mean of neighbours where there are more
than it reads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from functools import cache, partial
from importlib import resources
from typing import Any

from kinetlib import fusion
from kinetlib.fusion.classify import open_network
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Piece
from kinetlib.runs import runs as runs_of
from kinetlib.runs.runs import Runs
from studies.answers import insults, reactions
from studies.reading import until_the_end

NETWORK = "runset"


def pieces(upto: int | None = None) -> Iterator[Piece]:
    """Name each prior and insult: what is said of all its reactions."""
    for prior, drawn in reactions.PRIORS.items():
        rounds = reactions.ROUNDS if upto is None else upto
        settings = {**reactions.settings(drawn), "rounds": rounds, "network": digest()}
        work = partial(_said, partial(reactions.drawn, prior), rounds)
        yield Piece(("network", "reactions", prior), settings, work, alone=True)
    for insult, (design, _) in insults.INSULTS.items():
        rounds = insults.ROUNDS if upto is None else upto
        settings = {**insults.settings(design), "rounds": rounds, "network": digest()}
        work = partial(_said, partial(_insulted, insult), rounds)
        yield Piece(("network", "insults", insult), settings, work, alone=True)


def digest() -> str:
    """Return what tells the released network from another."""
    path = resources.files("kinetlib_data") / "models" / f"{NETWORK}.keras"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _insulted(insult: str, number: int, name: str) -> Runs:
    return runs_of.averaged(until_the_end(insults.insulted(insult, number, name)))


def _said(runs_of_one: Callable[[int, str], Runs], rounds: int) -> list[dict[str, Any]]:
    model, card, trust = _opened()
    found = []
    for number in range(rounds):
        for name in mechanisms.catalogue():
            runs = runs_of_one(number, name)
            said = trust.answer(runs, *fusion.read(model, runs))
            kept = zip(card["classes"], said.members[0], strict=True)
            found.append(
                {
                    "truth": name,
                    "said": dict(
                        zip(card["classes"], map(float, said.probabilities[0]), strict=True)
                    ),
                    "set": [one for one, inside in kept if inside],
                }
            )
    return found


@cache
def _opened() -> tuple[Any, dict[str, Any], Any]:
    return open_network(NETWORK)
