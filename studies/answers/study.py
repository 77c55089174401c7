"""What the evidence answers on simulated reactions: as designed, from other priors, insulted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kinetlib.records.pieces import Done, Key, Piece, signed
from studies.answers import insults, reactions, workbooks
from studies.answers.reactions import LEVEL, NOISE

__all__ = ["pieces", "record"]

_ROOMS = {"reactions": reactions, "insults": insults, "workbooks": workbooks}


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each reaction, as it is and insulted, all mechanisms of a round after the other."""
    for room in _ROOMS.values():
        yield from room.pieces(upto)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect what evidence and network said.

    Returns
    -------
    dict
        ``priors`` and ``insults``: by name and by who was asked (``evidence``, ``network``) the
        share of reactions named right and of those whose 95 % set holds the truth, with Wilson's
        interval, the mean confidence and size of sets, and what was named wrong; ``seconds`` of
        processors that the evidence of a reaction took, the median. ``workbooks``: by name what
        `studies.answers.workbooks.told` tells.
    """
    found: dict[str, dict[str, list[dict[str, Any]]]] = {room: {} for room in _ROOMS}
    for (room, name, *_), one in made.items():
        found[str(room)].setdefault(str(name), []).append(one.value)
    read = {name: one for name, (one,) in found.pop("workbooks").items()}
    priors, insulted = (
        {
            name: {who: reactions.measures(values, who) for who in ("evidence", "network")}
            for name, values in found[room].items()
        }
        for room in ("reactions", "insults")
    )
    simulated = [one for names in found.values() for values in names.values() for one in values]
    seconds = float(np.median([one["seconds"] for one in simulated]))
    whole = {"noise": NOISE, "level": LEVEL, "seconds": seconds}
    return signed(whole | {"priors": priors, "insults": insulted, "workbooks": read}, made.values())
