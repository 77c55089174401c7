"""The four published fusions under one recipe of ours, on data made while they learn.

Each network has the published number of parameters and sees as many channels as published. The
training shows a small part of the published 4,960 million samples; validation decides nothing here,
the test is asked once, when a training is over. A training goes on where it was interrupted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from kinetlib import evaluate, fusion
from kinetlib.fusion import Recipe
from kinetlib.fusion.features import few
from kinetlib.fusion.four_runs import thin
from kinetlib.fusion.stream import PUBLISHED, Stream, Supply
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key, Piece, signed
from kinetlib.runs import runs as runs_of
from kinetlib.runs import sample
from kinetlib.runs.runs import Runs

SEED = 1117
SUPPLY = Supply(SEED, sets_per_mechanism=500, samples_per_set=(24, 0), epochs_per_pool=8)
TESTED = Supply(SEED, sets_per_mechanism=1_500, samples_per_set=(1, 0), design=sample.TEST)
# Pools that no training reaches.
VALIDATION, TEST = 1_000_000, 1_000_001
SHOWN = 5_000  # validation samples
NOISE = (0.0, 0.01)
SHORT, LONG = 3_000_000, 20_000_000
SEEDS = (1, 2, 3)
#: Parameters of each network with the published inputs; only Hadamard's number is published.
PARAMETERS = {"average": 55_656, "attention": 71_126, "gate": 79_252, "hadamard": 70_996}

log = logging.getLogger(__name__)


def recipe_of(name: str, passes: int, seed: int) -> Recipe:
    """Return the one recipe, for one of the four fusions."""
    return Recipe(
        fusion=name,
        seed=seed,
        sample_passes=passes,
        batch_size=512,
        optimizer="muon",
        learning_rate=2e-2,
        adam_ratio=0.15,
        features="few",
    )


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each training: the long ones first begin with Hadamard, whose number is published."""
    order = ("hadamard", "gate", "attention", "average")
    planned = [(name, SHORT, 1) for name in order] + [("hadamard", LONG, 1)]
    planned += [(name, SHORT, seed) for seed in SEEDS[1:] for name in order]
    planned += [(name, LONG, 1) for name in order[1:]]
    for name, passes, seed in planned:
        recipe = recipe_of(name, passes, seed)
        settings = {
            "recipe": recipe.model_dump(mode="json"),
            "training": _told(SUPPLY),
            "tested": _told(TESTED) | {"noise": NOISE},
        }
        key = ("runs", name, f"{passes // 1_000_000} million", seed)
        yield Piece(key, settings, partial(_trained, folder, recipe), _brief, alone=True)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect accuracies by network, passes and seed, and validation by passes.

    Returns
    -------
    dict
        ``networks``: by name and million passes, for each seed top-1 and top-3 accuracy with
        Wilson's interval at each noise, entropies, and the course of validation.
    """
    networks: dict[str, dict[str, dict[str, Any]]] = {}
    for (_, name, passes, seed), one in made.items():
        networks.setdefault(str(name), {}).setdefault(str(passes), {})[str(seed)] = one.value
    found = {
        "training": _told(SUPPLY),
        "test_samples": TESTED.sets_per_mechanism * len(mechanisms.catalogue()),
        "networks": networks,
    }
    return signed(found, made.values())


def _told(supply: Supply) -> dict[str, Any]:
    return {
        "seed": supply.seed,
        "sets_per_mechanism": supply.sets_per_mechanism,
        "samples_per_set": supply.samples_per_set[0],
        "epochs_per_pool": supply.epochs_per_pool,
        "design": supply.design.model_dump(mode="json"),
    }


@cache
def _pool(number: int) -> tuple[Runs, NDArray[np.int64]]:
    """Make samples that judge: for validation of the training's design, for the test of its own."""
    supply = TESTED if number == TEST else SUPPLY
    design = supply.pool(number, threads=None)[PUBLISHED]
    return design.runs, design.labels


def _trained(folder: Path, recipe: Recipe) -> dict[str, Any]:
    classes = list(mechanisms.catalogue())
    shown, labels = _pool(VALIDATION)
    rng = default_rng(SEED)
    which = rng.choice(len(labels), SHOWN, replace=False)
    model, history = fusion.train(
        Stream(SUPPLY, recipe).epoch,
        (few(thin(shown[which], 6, rng)), labels[which]),
        recipe,
        classes,
        folder / "checkpoints" / f"{recipe.fusion}-{recipe.sample_passes}-{recipe.seed}",
        progress=lambda record: log.info({k: round(v, 4) for k, v in record.items()}),
    )
    if model.count_params() != PARAMETERS[recipe.fusion]:
        raise AssertionError(f"{recipe.fusion} has {model.count_params()} parameters")
    return {
        "parameters": model.count_params(),
        "history": [
            {name: record[name] for name in ("sample_passes", "val_accuracy", "seconds")}
            for record in history
        ],
        "test": {f"{level:g}": _measured(model, level) for level in NOISE},
    }


def _measured(model: Any, level: float) -> dict[str, Any]:
    exact, labels = _pool(TEST)
    runs = runs_of.measured(exact, level, default_rng([SEED, 1]))
    probabilities = fusion.predict(model, runs, seen="few")
    rng, independent = default_rng(SEED), np.arange(len(labels))
    return {"samples": len(labels), **evaluate.summary(probabilities, labels, independent, rng)}


def _brief(value: dict[str, Any]) -> str:
    return f"{100 * value['test']['0']['top_1']['value']:.1f} % right without noise"
