"""Bad inputs in numbers: how many were refused or answered, and what went wrong with the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kinetlib.records.pieces import Done, Key, Piece, signed
from studies.attack import trial
from studies.attack.victims import VICTIMS
from studies.goals import share

EACH = 25  # inputs of a piece
BLOCKS = 5  # pieces of a kind, unless more are asked for
GOAL = 0.995  # of all inputs, to be answered or refused in one clear error


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name blocks of seeds of each kind of input."""
    limits = {"seconds": trial.SECONDS, "memory": trial.MEMORY, "letters": trial.LONGEST}
    for kind in VICTIMS:
        for block in range(upto or BLOCKS):
            yield Piece((kind, block), {"each": EACH, **limits}, partial(_tried, kind, block))


def _tried(kind: str, block: int) -> dict[str, int]:
    """Return the outcome by seed."""
    seeds = range(block * EACH, (block + 1) * EACH)
    return {str(seed): trial.outcome(kind, seed) for seed in seeds}


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Count outcomes by kind of input.

    Returns
    -------
    dict
        ``kinds``: by kind ``inputs``, ``answered``, ``refused`` and ``faults``, the first seed of
        each; ``sound``: share of all that were answered or refused, with Wilson's interval.
    """
    kinds: dict[str, dict[str, Any]] = {}
    for (kind, _), one in sorted(made.items(), key=lambda item: (str(item[0][0]), item[0][1])):
        told = kinds.setdefault(str(kind), {"inputs": 0, "answered": 0, "refused": 0, "faults": {}})
        counts = Counter(one.value.values())
        told["inputs"] += sum(counts.values())
        for name in (trial.ANSWERED, trial.REFUSED):
            told[name] += counts.pop(name, 0)
        for seed, said in one.value.items():
            if said in counts:
                told["faults"].setdefault(said, {"times": 0, "seed": int(seed)})["times"] += 1
    inputs = sum(told["inputs"] for told in kinds.values())
    sound = sum(told["answered"] + told["refused"] for told in kinds.values())
    hits = np.arange(inputs) < sound
    whole = {"goal": GOAL, "inputs": inputs, "sound": share(hits), "kinds": kinds}
    return signed(whole, made.values())
