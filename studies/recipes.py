"""What limits the four fusions, the fusion or the recipe.

Every training sees the same number of samples. Choices are made on validation; the test set is
asked once, when a training is over. A training that was interrupted goes on from its checkpoint.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from kinetlib import evaluate, fusion
from kinetlib.fusion import Batches, Recipe
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key, Piece, signed
from kinetlib.runs import dataset, shards
from kinetlib.runs.runs import Runs, measured

SEED = 404
SEEDS = (1, 2, 3)
PASSES = 500_000
SHARDS = {"train": 40, "validation": 2, "test": 2}
SIZE = {"sets_per_mechanism": 150, "samples_per_set": 5}
SHOWN = 5_000  # validation samples, seven points without noise
FEW = 50_000  # samples of the training that shows each of them ten times
NOISE = (0.0, 0.01, 0.05)  # of the test

PUBLISHED = ", published"  # ends the name of a variant with the published recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Variant:
    """One way to train, by what it changes in a recipe; ``samples`` of the training set, or all."""

    fusion: str
    changes: dict[str, Any]
    published: bool = False
    samples: int | None = None

    def recipe(self, seed: int, passes: int) -> Recipe:
        """Return the whole recipe."""
        if self.published:
            return fusion.published(self.fusion, seed=seed, sample_passes=passes)
        return Recipe(fusion=self.fusion, seed=seed, sample_passes=passes, **self.changes)


#: Two recipes for each network of the source, ours for the network of sets of runs, and what each
#: part of ours is worth on one fusion.
VARIANTS: dict[str, Variant] = {
    **{name: Variant(name, {}) for name in fusion.FUSIONS},
    **{f"{name}{PUBLISHED}": Variant(name, {}, published=True) for name in fusion.FUSIONS},
    "runset": Variant("runset", {"learning_rate": 2e-3}),
    "raw inputs": Variant("hadamard", {"features": "raw"}),
    "rate 1e-3": Variant("hadamard", {"learning_rate": 1e-3}),
    "rate 1e-4": Variant("hadamard", {"learning_rate": 1e-4}),
    "constant rate": Variant("hadamard", {"schedule": "constant"}),
    "batches of 2048": Variant("hadamard", {"batch_size": 2048}),
    "no noise": Variant("hadamard", {"noise": (0.0,)}),
    "always 20 points": Variant("hadamard", {"min_points": 20}),
    "few samples, repeated": Variant("hadamard", {}, samples=FEW),
    "average of weights": Variant("hadamard", {"weight_average": 0.999}),
    "smoothed labels": Variant("hadamard", {"label_smoothing": 0.05}),
    "bfloat16": Variant("hadamard", {"precision": "mixed_bfloat16"}),
}


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each training, all variants with one seed after the other."""
    for seed in SEEDS:
        for name, variant in VARIANTS.items():
            recipe = variant.recipe(seed, PASSES)
            settings = {
                **{"seed": SEED, "shards": SHARDS, **SIZE, "shown": SHOWN, "noise": NOISE},
                **{"recipe": recipe.model_dump(mode="json"), "samples": variant.samples},
            }
            work = partial(_trained, folder, name, recipe, variant.samples)
            yield Piece(("runs", name, seed), settings, work, _brief, alone=True)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect all results, with intervals over seeds and parameter sets together.

    Returns
    -------
    dict
        ``variants``: by name the test accuracy (mean over seeds, interval, each seed's) at each
        noise level, validation accuracy by sample passes, and the differences in noise-free test
        accuracy to the Hadamard fusion under the same recipe (ours for what changes one part of
        it) and to the same network under the published recipe; and what the study was made of.
    """
    rng, (_, _, groups) = default_rng(SEED), _split(folder, "test")
    runs: dict[str, dict[int, Done]] = {}
    for (_, name, seed), one in made.items():
        runs.setdefault(name, {})[seed] = one
    hits = {name: _hits(found, 0.0) for name, found in runs.items()}
    variants = {}
    for name in (known for known in VARIANTS if known in runs):
        found = runs[name]
        base = f"hadamard{PUBLISHED}" if VARIANTS[name].published else "hadamard"
        records = [one.value for one in found.values()]
        variants[name] = {
            "seeds": sorted(found),
            "recipe": next(iter(found.values())).settings["recipe"],
            "samples": records[0]["samples"],
            "parameters": records[0]["parameters"],
            "samples_per_second": float(np.median([r["samples_per_second"] for r in records])),
            "validation": {
                "sample_passes": [h["sample_passes"] for h in records[0]["history"]],
                "accuracy": np.mean(
                    [[h["val_accuracy"] for h in r["history"]] for r in records], axis=0
                ).tolist(),
            },
            "test": {f"{level:g}": _interval(_hits(found, level), groups, rng) for level in NOISE},
            **{
                key: _interval(_paired(hits[name], hits[other]), groups, rng)
                for key, other in (("less_hadamard", base), ("less_published", name + PUBLISHED))
                if other in hits and other != name
            },
        }
    found = {
        "passes": PASSES,
        "seed": SEED,
        "shards": SHARDS,
        **SIZE,
        "test_samples": len(groups),
        "test_parameter_sets": len(np.unique(groups)),
        "variants": variants,
    }
    return signed(found, made.values())


@cache
def _split(folder: Path, split: str) -> tuple[Runs, NDArray[np.int64], NDArray]:
    """Make a part of the dataset, or open it: curves, classes and parameter sets."""
    plan = shards.Plan(split, SEED, **SIZE)
    runs = dataset.open_shards(shards.generate(folder / "dataset", plan, SHARDS[split]))
    classes = list(mechanisms.catalogue())
    labels = np.array([classes.index(name) for name in runs.mechanism.values])
    constants = np.nan_to_num(runs.rate_constants.values)
    _, groups = np.unique(constants, axis=0, return_inverse=True)
    return fusion.from_dataset(runs), labels, groups


def _trained(folder: Path, name: str, recipe: Recipe, samples: int | None) -> dict[str, Any]:
    """Train and test: who was told right, 1 or 0 a test sample, at each level of noise."""
    classes = list(mechanisms.catalogue())
    curves, labels, _ = _split(folder, "train")
    if samples and samples < len(labels):
        which = default_rng([SEED, recipe.seed]).choice(len(labels), samples, replace=False)
        curves, labels = curves[which], labels[which]
    rng = default_rng(SEED)
    shown, shown_labels, _ = _split(folder, "validation")
    which = rng.choice(len(shown_labels), SHOWN, replace=False)
    inputs = fusion.inputs_of(recipe.fusion, recipe.features)
    validation = inputs(fusion.thin(shown[which], 6, rng)), shown_labels[which]
    model, history = fusion.train(
        lambda epoch: Batches(curves, labels, recipe, epoch),
        validation,
        recipe,
        classes,
        folder / "checkpoints" / f"{name}-{recipe.seed}",
        progress=lambda record: log.info({k: round(v, 4) for k, v in record.items()}),
    )
    test, truth, _ = _split(folder, "test")
    return {
        "samples": len(labels),
        "parameters": model.count_params(),
        # After the first epoch, whose time holds the compiling.
        "samples_per_second": (history[-1]["sample_passes"] - history[0]["sample_passes"])
        / (history[-1]["seconds"] - history[0]["seconds"]),
        "history": history,
        "right": {
            f"{level:g}": _right(
                fusion.predict(
                    model, measured(test, level, default_rng(SEED)), seen=recipe.features
                ),
                truth,
            )
            for level in NOISE
        },
    }


def _right(probabilities: NDArray, labels: NDArray) -> list[int]:
    return evaluate.top_k(probabilities.astype(np.float32), labels, 1).astype(int).tolist()


def _brief(value: dict[str, Any]) -> str:
    return f"{100 * np.mean(value['right']['0']):.1f} % right without noise"


def _hits(found: dict[int, Done], level: float) -> dict[int, NDArray[np.float64]]:
    """Right answers of each seed, 1 or 0 a test sample."""
    return {seed: np.array(one.value["right"][f"{level:g}"], float) for seed, one in found.items()}


def _paired(one: dict[int, NDArray], other: dict[int, NDArray]) -> dict[int, NDArray]:
    return {seed: one[seed] - other[seed] for seed in one if seed in other}


def _interval(
    values: dict[int, NDArray[np.float64]], groups: NDArray, rng: Generator, n: int = 2000
) -> dict[str, Any]:
    """Mean over seeds and samples; bootstrap that draws seeds and whole parameter sets anew."""
    size = np.bincount(groups)
    sums = np.stack([np.bincount(groups, value) for value in values.values()])
    sets = rng.multinomial(len(size), np.full(len(size), 1 / len(size)), size=n)
    seeds = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=n) / len(sums)
    drawn = np.einsum("ns,ng,sg->n", seeds, sets, sums, optimize=True) / (sets @ size)
    low, high = np.quantile(drawn, [0.025, 0.975])
    by_seed = {str(seed): float(value.mean()) for seed, value in values.items()}
    mean = float(np.mean(list(by_seed.values())))
    return {"value": mean, "low": float(low), "high": float(high), "by_seed": by_seed}
