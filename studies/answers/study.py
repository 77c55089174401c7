"""What the evidence answers on simulated reactions: as designed, from other priors, insulted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinetlib.records.pieces import Done, Key, Piece, signed
from studies.answers import insults, network, reactions, workbooks
from studies.answers.reactions import LEVEL, NOISE

__all__ = ["pieces", "record"]

_ROOMS = (reactions, insults, network, workbooks)


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each reaction, as it is and insulted, all mechanisms of a round after the other."""
    for room in _ROOMS:
        yield from room.pieces(upto)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect what evidence and network said.

    Returns
    -------
    dict
        ``priors`` and ``insults``: by name and by who was asked (``evidence``, ``network``) the
        share of reactions named right and of those whose 95 % set holds the truth, with Wilson's
        interval, the mean confidence and size of sets, and what was named wrong; ``seconds`` of
        processors that the evidence of a reaction took, the median; ``network``: what tells the
        network that was asked from another. ``workbooks``: by name what
        `studies.answers.workbooks.told` tells.
    """
    evidence: dict[str, dict[str, list[dict[str, Any]]]] = {"reactions": {}, "insults": {}}
    said: dict[str, dict[str, list[dict[str, Any]]]] = {"reactions": {}, "insults": {}}
    read = {}
    for key, one in made.items():
        match [str(word) for word in key]:
            case ["workbooks", name]:
                read[name] = one.value
            case ["network", room, name]:
                said[room][name] = one.value
            case [room, name, *_]:
                evidence[room].setdefault(name, []).append(one.value)
    priors, insulted = (
        {
            name: {
                "evidence": reactions.measures(values),
                "network": reactions.measures(said[room][name]),
            }
            for name, values in evidence[room].items()
        }
        for room in ("reactions", "insults")
    )
    simulated = [one for names in evidence.values() for values in names.values() for one in values]
    seconds = float(np.median([one["seconds"] for one in simulated]))
    whole = {"noise": NOISE, "level": LEVEL, "seconds": seconds, "network": network.digest()}
    return signed(whole | {"priors": priors, "insults": insulted, "workbooks": read}, made.values())
