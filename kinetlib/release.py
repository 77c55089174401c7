"""Make the released network: ``python -m kinetlib.release results/release``.

A network over sets of runs, trained on data simulated while it learns: half of it follows the
published design, half is drawn as laboratories work. It goes on where it was interrupted; what it
makes is copied to ``data/models`` by hand, after a look at its card.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from numpy.random import default_rng
from rich.console import Console

from kinetlib import fusion, mechanisms
from kinetlib.fusion import Recipe
from kinetlib.fusion import runs as runs_of
from kinetlib.fusion.stream import PUBLISHED, Stream, Supply

SEED = 2026
SUPPLY = Supply(SEED, sets_per_mechanism=500, samples_per_set=(4, 4))
RECIPE = Recipe(
    fusion="runset",
    seed=SEED,
    sample_passes=7_000_000,
    batch_size=256,
    learning_rate=2e-3,
    noise=(0.0, 0.05),
)
# Pools that training never reaches: their numbers decide their random numbers.
VALIDATION, CALIBRATION, TEST = 1_000_000, 1_000_001, 1_000_002
SHOWN = 5_000  # validation samples an epoch is measured on

console = Console()


def trained(folder: Path) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train the network, or go on with it; samples of the published design validate."""
    runs, labels = SUPPLY.pool(VALIDATION, threads=None)[PUBLISHED]
    rng = default_rng(SEED)
    which = rng.choice(len(labels), SHOWN, replace=False)
    validation = runs_of.thinned(runs[which], 7, rng, keep_start=True)
    return fusion.train(
        Stream(SUPPLY, RECIPE).epoch,
        (runs_of.inputs(validation), labels[which]),
        RECIPE,
        list(mechanisms.catalogue()),
        folder / "checkpoints",
        progress=_say,
    )


def _say(record: dict[str, Any]) -> None:
    console.print({name: round(value, 4) for name, value in record.items()})
