"""What the released network makes of more runs than it was trained on, and of rows after the end.

Two choices in reading a chemist's file rest on this: how many runs are shown to the network at
once, and that rows after a run is over are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib import fusion
from kinetlib.fusion.classify import open_network
from kinetlib.kinetics import mechanisms
from kinetlib.lab.completion import after_completion
from kinetlib.records.pieces import Done, Key, Piece, signed
from kinetlib.runs import runs as runs_of
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.runs import MOST_POINTS, Runs, spread_out
from kinetlib.runs.sample import TRAIN, accepted_sets
from studies.goals import share

SEED = 34
NUMBERS = (9, 12, 16)  # runs of a reaction
EACH = 15  # reactions of a mechanism, in each piece
EIGHT, CHOICES = 8, 8
NOISE = (0.005, 0.05)  # log-uniform, one level a reaction
READINGS = 60  # most of a run whose end is looked for
LONGER = {"as in training": 1.0, "four times as long": 4.0}

Said = tuple[NDArray[np.float64], NDArray[np.bool_]]


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name the reactions of so many runs, and those of so long ones."""
    settings = {"seed": SEED, "each": EACH, "noise": NOISE}
    for n_runs in NUMBERS:
        yield Piece(("runs", n_runs), settings, partial(_many, n_runs))
    for name in LONGER:
        yield Piece(("rows", name), settings | {"readings": READINGS}, partial(_long, name))


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect hits by rule: reactions named right, and true mechanisms in the 95 % set.

    Returns
    -------
    dict
        ``runs``: by rule, over all numbers of runs; ``rows``: by length of runs, then by what is
        shown. Each with ``reactions``, ``right`` and ``held``, shares with Wilson's interval.
    """
    by_rule: dict[str, list[dict[str, list[int]]]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for (kind, name), one in made.items():
        for rule, hits in one.value.items():
            if kind == "runs":
                by_rule.setdefault(rule, []).append(hits)
            else:
                rows.setdefault(str(name), {})[rule] = _shares([hits])
    found = {rule: _shares(hits) for rule, hits in by_rule.items()}
    return signed({"runs": found, "rows": rows}, made.values())


def _shares(parts: list[dict[str, list[int]]]) -> dict[str, Any]:
    right, held = (np.concatenate([one[name] for one in parts]) > 0 for name in ("right", "held"))
    return {"reactions": len(right), "right": share(right), "held": share(held)}


def _many(n_runs: int) -> dict[str, dict[str, list[int]]]:
    """Ask about reactions of so many runs, by each rule of choosing among them."""
    runs, labels, rng = _drawn(n_runs, n_runs, MOST_POINTS, Campaign())
    starts = (runs.loading, runs.substrate_0, runs.product_0)
    usable = np.ones(n_runs, dtype=bool)
    spread = np.array(
        [
            np.flatnonzero(spread_out(*(start[i] for start in starts), usable, EIGHT))
            for i in range(len(runs))
        ]
    )
    drawn = [
        np.sort(rng.random(runs.loading.shape).argsort(1)[:, :EIGHT], axis=1)
        for _ in range(CHOICES)
    ]
    each = [_said(_only(runs, which)) for which in drawn]
    averaged = np.mean([p for p, _ in each], axis=0), np.mean([m for _, m in each], axis=0) >= 0.5
    rules = {
        "all at once": _said(runs),
        "eight that start most differently": _said(_only(runs, spread)),
        "eight at random": each[0],
        "average of eight choices of eight": averaged,
    }
    return {rule: _hits(said, labels) for rule, said in rules.items()}


def _long(name: str) -> dict[str, dict[str, list[int]]]:
    """Ask about four runs watched so long, with all rows and without those after the end."""
    times = LONGER[name]
    campaign = Campaign(points=(8, READINGS))
    if times > 1:
        campaign = campaign.model_copy(update={"going_on": 1.0, "beyond": (times, times)})
    runs, labels, _ = _drawn(100 + int(times), 4, READINGS, campaign)
    shown: dict[str, Callable[[Runs], Runs]] = {
        "all rows": lambda one: one,
        "until the end": until_the_end,
    }
    return {rule: _hits(_said(runs_of.averaged(cut(runs))), labels) for rule, cut in shown.items()}


def _drawn(
    key: int, n_runs: int, n_points: int, campaign: Campaign
) -> tuple[Runs, NDArray[np.int64], Generator]:
    """Simulate reactions of all mechanisms, and measure them."""
    parts, labels = [], []
    for position, mechanism in enumerate(mechanisms.catalogue().values()):
        rng = default_rng(SeedSequence(SEED, spawn_key=(key, position)))
        sets = accepted_sets(mechanism, EACH, TRAIN, rng)
        which = np.arange(EACH)
        parts.append(draw_runs(mechanism, sets, which, n_runs, n_points, campaign, rng))
        labels.append(np.full(EACH, position))
    runs, rng = Runs.joined(parts), default_rng([SEED, key])
    level = np.exp(rng.uniform(*np.log(NOISE), len(runs)))
    return runs_of.measured(runs, level, rng), np.concatenate(labels), rng


def _only(runs: Runs, which: NDArray[np.int64]) -> Runs:
    """Keep some runs of each sample, by their places (n, m)."""
    return Runs(
        *(
            np.take_along_axis(value, which[..., None] if value.ndim == 3 else which, 1)
            for value in vars(runs).values()
        )
    )


def until_the_end(runs: Runs) -> Runs:
    """Take rows after the end of each run away."""
    values = {name: np.array(value) for name, value in vars(runs).items()}
    for i, j in np.ndindex(runs.loading.shape):
        there = np.flatnonzero(np.isfinite(runs.time[i, j]))
        columns = (getattr(runs, name)[i, j, there] for name in ("time", "substrate", "product"))
        starts = (float(runs.substrate_0[i, j]), float(runs.product_0[i, j]))
        over = there[after_completion(*(one.astype(float) for one in columns), *starts)]
        for name in ("time", "substrate", "product", "averaged", "living"):
            values[name][i, j, over] = np.nan
    return Runs(**values)


def _said(runs: Runs) -> Said:
    model, trust = _network()
    answer = trust.answer(runs, *fusion.read(model, runs))
    return answer.probabilities, answer.members


@cache
def _network() -> tuple[Any, Any]:
    model, _, trust = open_network()
    return model, trust


def _hits(said: Said, labels: NDArray[np.int64]) -> dict[str, list[int]]:
    probabilities, members = said
    right = probabilities.argmax(1) == labels
    held = members[np.arange(len(labels)), labels]
    return {"right": right.astype(int).tolist(), "held": held.astype(int).tolist()}
