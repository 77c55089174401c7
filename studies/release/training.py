"""The training of the released network: at length on a processor, or in so many minutes.

The rate stays the same until it falls, so that a network can be had at any time: `within` goes on
at the same rate for part of the minutes it is given, and then lets it fall from where it stands.
That takes a lent accelerator as well as a processor, and what either leaves the other goes on from.
"""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.fusion import Recipe, checkpoint
from kinetlib.fusion.batches import EpochOf, Padded
from kinetlib.fusion.features import run_inputs
from kinetlib.fusion.recipe import EPOCH, FEWEST_EPOCHS, Sizes
from kinetlib.fusion.runset import classifying
from kinetlib.fusion.stream import PUBLISHED, Stream, Supply
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.runs import runs as runs_of
from kinetlib.runs.laboratory import Campaign

SEED = 2026
# Half of the parameter sets come from the published prior, half from a family of others; some
# laboratories watch a reaction long after it has ended.
SUPPLY = Supply(
    SEED,
    sets_per_mechanism=500,
    samples_per_set=(4, 4),
    campaign=Campaign(going_on=0.15),
    family_share=0.5,
)
RECIPE = Recipe(
    fusion="runset",
    seed=SEED,
    sample_passes=60_000_000,
    batch_size=256,
    optimizer="muon",
    learning_rate=1.5e-2,
    adam_ratio=0.13,
    schedule="linear",
    features="rates",
    beside=(1.0, 10.0),
    sizes=Sizes(width=96, token=128),
    noise=(0.0, 0.05),
    background=0.02,
)
WHOLE, TIMED = "whole", "timed"
KEPT = Path(__file__).with_name("checkpoints")
VALIDATION = 1_000_000  # a pool that training never reaches
SHOWN = 5_000  # validation samples an epoch is measured on
STEADY, FALLING = 0.6, 0.9  # of the minutes given: until the rate falls, and until it has fallen
ACCURACIES = (0.8, 0.85, 0.9, 0.92, 0.94, 0.96)

log = logging.getLogger(__name__)
History = list[dict[str, float]]


class TimeIsUp(Exception):
    """The minutes given are over; the last checkpoint is left."""


def trained(
    folder: Path,
    recipe: Recipe = RECIPE,
    name: str = WHOLE,
    *,
    supply: Supply = SUPPLY,
    until: float = np.inf,
) -> tuple[keras.Model, History]:
    """Train the network, or go on with it; samples of the published design validate.

    Parameters
    ----------
    folder
        Where checkpoints of each training lie, below ``checkpoints``. A training that has none
        there goes on from the one at length, or from what was committed of it.
    recipe, name
        What to train, and its name.
    supply
        What it is trained on.
    until
        When to stop, as `time.monotonic` counts.

    Raises
    ------
    TimeIsUp
        After the first epoch that ends later.
    """
    here = begun(folder, name)
    pool = supply.pool(VALIDATION, threads=None)[PUBLISHED]
    rng = default_rng(SEED)
    which = rng.choice(len(pool), min(SHOWN, len(pool)), replace=False)
    validation = runs_of.thinned(pool.runs[which], 7, rng, keep_start=True)

    def told(record: dict[str, float]) -> None:
        log.info({name: round(value, 4) for name, value in record.items()})
        if time.monotonic() > until:
            raise TimeIsUp

    return fusion.train(
        _shapes_of_backend(Stream(supply, recipe).epoch),
        (run_inputs(validation), pool.labels[which]),
        recipe,
        list(mechanisms.catalogue()),
        here,
        progress=told,
    )


def begun(folder: Path, name: str) -> Path:
    """Return the folder of a training's checkpoints, begun from where another one stands."""
    here = folder / "checkpoints" / name
    for source in (folder / "checkpoints" / WHOLE, KEPT):
        if not (here / checkpoint.STATE).exists() and (source / checkpoint.STATE).exists():
            checkpoint.copied(source, here)
    return here


def within(
    folder: Path, minutes: float, recipe: Recipe = RECIPE, supply: Supply = SUPPLY
) -> dict[str, Any]:
    """Do what can be done in so many minutes, and leave a network below ``models``.

    Returns
    -------
    dict
        What was measured: passes before and after, samples a second while the rate was the same,
        seconds of this training until the validation reached given accuracies, how busy an
        accelerator was (None where there is none).
    """
    began = time.monotonic()
    before = len(checkpoint.history(begun(folder, WHOLE)))
    try:
        trained(folder, recipe, supply=supply, until=began + 60 * STEADY * minutes)
    except TimeIsUp:
        pass
    busy = utilisation()
    history = checkpoint.history(begun(folder, WHOLE))
    speed = _speed(history, before)
    left = 60 * FALLING * minutes - (time.monotonic() - began)
    falling = max(1, FEWEST_EPOCHS - len(history), int(left * speed / EPOCH))
    short = shortened(recipe, len(history), falling)
    checkpoint.copied(begun(folder, WHOLE), folder / "checkpoints" / TIMED)
    model, whole = trained(folder, short, TIMED, supply=supply)
    measured = {
        "minutes": (time.monotonic() - began) / 60,
        "backend": keras.backend.backend(),
        "processor": provenance.processor(),
        "sample_passes": [before * recipe.steps * recipe.batch_size, whole[-1]["sample_passes"]],
        "samples_per_second": speed,
        "utilisation": busy,
        "seconds_to": _seconds_to(whole[before:]),
        "history": whole,
    }
    path = folder / "models" / TIMED / f"{recipe.fusion}.keras"
    card = {
        "name": recipe.fusion,
        "classes": list(mechanisms.catalogue()),
        "recipe": short.model_dump(mode="json"),
        "history": whole,
        "made_with": provenance.attributes(),
    }
    fusion.save(classifying(model), path, card)
    write_text(folder / "measured.json", json.dumps(measured, indent=1) + "\n")
    return measured


def shortened(recipe: Recipe, steady: int, falling: int) -> Recipe:
    """Return the recipe whose rate falls over so many epochs after so many at the same rate."""
    epochs = steady + falling
    # Half an epoch less, so that no rounding lets it fall an epoch before.
    fall = (falling - 0.5) / epochs
    return recipe.model_copy(update={"sample_passes": epochs * EPOCH, "fall": fall})


def _shapes_of_backend(epoch_of: EpochOf) -> EpochOf:
    """Let batches have few shapes where each is compiled anew, as JAX does."""
    if keras.backend.backend() != "jax":
        return epoch_of
    return lambda number: Padded(epoch_of(number))


def _speed(history: History, before: int) -> float:
    """Return samples a second after so many epochs, the first of which compiled and is left out."""
    start = {"sample_passes": 0, "seconds": 0.0}
    first, last = [start, *history][min(before + 1, len(history) - 1)], history[-1]
    return (last["sample_passes"] - first["sample_passes"]) / (last["seconds"] - first["seconds"])


def _seconds_to(history: History) -> dict[str, float | None]:
    """Seconds of this training until the validation accuracy is first reached; None: never."""
    start = history[0]["seconds"]
    return {
        f"{accuracy:g}": next(
            (one["seconds"] - start for one in history if one["val_accuracy"] >= accuracy), None
        )
        for accuracy in ACCURACIES
    }


def utilisation(asked: Callable[..., Any] = subprocess.run) -> float | None:
    """Return the share of time that an accelerator's driver says it was busy, None without one."""
    words = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    try:
        found = asked(words, capture_output=True, text=True, check=True, timeout=20).stdout
        return float(found.split()[0]) / 100
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
