"""What limits the four fusions, the fusion or the recipe: ``python -m studies.recipes``.

Every training sees the same number of samples. Choices are made on validation; the test set is
asked once, when a training is over. It goes on where it was interrupted: a training that is done is
a file, one that is not is its checkpoint. ``python -m studies.recipes summary`` writes the
record that the book shows.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from rich.console import Console

from kinetlib import evaluate, fusion
from kinetlib.fusion import Batches, Recipe
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import replacing, write_text
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

console = Console()


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


def main(folder: Path, passes: int = PASSES) -> None:
    """Run what has not been run yet."""
    data = _data(folder)
    for seed in SEEDS:
        for name, variant in VARIANTS.items():
            if not _result(folder, name, seed).exists():
                _run(folder, name, variant.recipe(seed, passes), variant.samples, data)


def summary(folder: Path, rng: Generator) -> dict[str, Any]:
    """Collect all results, with intervals over seeds and parameter sets together.

    Returns
    -------
    dict
        ``variants``: by name the test accuracy (mean over seeds, interval, each seed's) at each
        noise level, validation accuracy by sample passes, and the differences in noise-free test
        accuracy to the Hadamard fusion under the same recipe (ours for what changes one part of
        it) and to the same network under the published recipe; and what the study was made of.
    """
    runs, labels, groups = {}, None, None
    for path in sorted((folder / "runs").glob("*.npz")):
        with np.load(path) as found:
            record = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            runs.setdefault(record["variant"], {})[record["recipe"]["seed"]] = (
                record,
                {level: found[f"noise_{level:g}"] for level in NOISE},
            )
            labels, groups = found["labels"], found["groups"]
    hits = {name: _hits(found, labels, 0.0) for name, found in runs.items()}
    variants = {}
    for name in (known for known in VARIANTS if known in runs):
        found = runs[name]
        base = f"hadamard{PUBLISHED}" if VARIANTS[name].published else "hadamard"
        records = [record for record, _ in found.values()]
        variants[name] = {
            "seeds": sorted(found),
            "recipe": records[0]["recipe"],
            "samples": records[0]["samples"],
            "parameters": records[0]["parameters"],
            "samples_per_second": float(np.median([r["samples_per_second"] for r in records])),
            "validation": {
                "sample_passes": [h["sample_passes"] for h in records[0]["history"]],
                "accuracy": np.mean(
                    [[h["val_accuracy"] for h in r["history"]] for r in records], axis=0
                ).tolist(),
            },
            "test": {
                f"{level:g}": _interval(_hits(found, labels, level), groups, rng) for level in NOISE
            },
            **{
                key: _interval(_paired(hits[name], hits[other]), groups, rng)
                for key, other in (("less_hadamard", base), ("less_published", name + PUBLISHED))
                if other in hits and other != name
            },
        }
    return {
        "passes": PASSES,
        "seed": SEED,
        "shards": SHARDS,
        **SIZE,
        "test_samples": len(labels),
        "test_parameter_sets": len(np.unique(groups)),
        "variants": variants,
        "processor": provenance.processor(),
        **provenance.attributes(),
    }


def _data(folder: Path) -> dict[str, tuple[Runs, NDArray[np.int64], NDArray]]:
    """Make the dataset, or open it: curves, classes and parameter sets of each split."""
    classes = list(mechanisms.catalogue())
    data = {}
    for split, n_shards in SHARDS.items():
        place = folder / "dataset" / split
        shards.generate(folder / "dataset", shards.Plan(split, SEED, **SIZE), n_shards)
        runs = dataset.open_shards(place)
        labels = np.array([classes.index(name) for name in runs.mechanism.values])
        constants = np.nan_to_num(runs.rate_constants.values)
        _, groups = np.unique(constants, axis=0, return_inverse=True)
        data[split] = (fusion.from_dataset(runs), labels, groups)
    return data


def _run(folder: Path, name: str, recipe: Recipe, samples: int | None, data: dict) -> None:
    console.print(f"{name}, seed {recipe.seed}")
    classes = list(mechanisms.catalogue())
    curves, labels, _ = data["train"]
    if samples and samples < len(labels):
        which = default_rng([SEED, recipe.seed]).choice(len(labels), samples, replace=False)
        curves, labels = curves[which], labels[which]
    rng = default_rng(SEED)
    shown, shown_labels, _ = data["validation"]
    which = rng.choice(len(shown_labels), SHOWN, replace=False)
    inputs = fusion.inputs_of(recipe.fusion, recipe.features)
    validation = inputs(fusion.thin(shown[which], 6, rng)), shown_labels[which]
    model, history = fusion.train(
        lambda epoch: Batches(curves, labels, recipe, epoch),
        validation,
        recipe,
        classes,
        folder / "checkpoints" / _slug(name, recipe.seed),
        progress=lambda record: console.print({k: round(v, 4) for k, v in record.items()}),
    )
    test, truth, groups = data["test"]
    found = {
        f"noise_{level:g}": fusion.predict(
            model, measured(test, level, default_rng(SEED)), seen=recipe.features
        ).astype(np.float32)
        for level in NOISE
    }
    record = {
        "variant": name,
        "recipe": recipe.model_dump(mode="json"),
        "samples": len(labels),
        "parameters": model.count_params(),
        # After the first epoch, whose time holds the compiling.
        "samples_per_second": (history[-1]["sample_passes"] - history[0]["sample_passes"])
        / (history[-1]["seconds"] - history[0]["seconds"]),
        "history": history,
        **provenance.attributes(),
    }
    path = _result(folder, name, recipe.seed)
    write_text(path.with_suffix(".json"), json.dumps(record, indent=1))
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez_compressed(file, labels=truth, groups=groups, **found)


def _result(folder: Path, name: str, seed: int) -> Path:
    return folder / "runs" / f"{_slug(name, seed)}.npz"


def _slug(name: str, seed: int) -> str:
    return f"{name.replace(', ', '-').replace(' ', '_')}-{seed}"


def _hits(found: dict, labels: NDArray, level: float) -> dict[int, NDArray[np.float64]]:
    """Right answers of each seed, 1 or 0 a test sample."""
    return {
        seed: evaluate.top_k(probabilities[level], labels, 1).astype(float)
        for seed, (_, probabilities) in found.items()
    }


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


if __name__ == "__main__":
    _folder = Path("results/recipe_study")
    if sys.argv[1:] == ["summary"]:
        _text = json.dumps(summary(_folder, default_rng(SEED)), indent=1)
        write_text(_folder / "summary.json", _text + "\n")
    else:
        main(_folder)
