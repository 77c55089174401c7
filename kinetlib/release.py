"""Make the released network: ``python -m kinetlib.release results/release``.

Half of its samples follow the published design, half are drawn as laboratories work, with runs
missing. It goes on where it was interrupted; what it makes is copied to ``data/models`` by hand,
after a look at its card.
"""

from __future__ import annotations

import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from rich.console import Console

from kinetlib import dataset, evaluate, fusion, mechanisms, provenance, shards
from kinetlib.fusion import Curves, Recipe

SEED = 2023
SIZE = {"sets_per_mechanism": 150, "samples_per_set": 5}
SHARDS = {"train": 20, "laboratory": 20, "validation": 2, "test": 2}
RECIPE = Recipe(
    fusion="hadamard", seed=SEED, sample_passes=12_000_000, noise=(0.0, 0.005, 0.012, 0.03)
)
# How many of a laboratory sample's four runs are left, and how often.
KEPT_RUNS, KEPT_SHARE = (1, 2, 3, 4), (0.1, 0.15, 0.25, 0.5)

console = Console()


def main(folder: Path) -> None:
    """Generate, train, evaluate, and leave the network with its card in a folder."""
    made_with = provenance.attributes()
    for split, n_shards in SHARDS.items():
        shards.generate(
            folder / "dataset",
            shards.Plan(split, SEED, **SIZE),
            n_shards,
            progress=lambda done, total, split=split: console.print(f"{split}: {done} of {total}"),
        )
    classes = list(mechanisms.catalogue())
    sets = {split: dataset.open_shards(folder / "dataset" / split) for split in SHARDS}
    rng = default_rng(SEED)
    laboratory = sets["laboratory"].load()
    curves = _joined(fusion.from_dataset(sets["train"]), _as_measured(laboratory, rng))
    labels = np.concatenate([_labels(sets["train"], classes), _labels(laboratory, classes)])
    seen = default_rng(SEED).choice(sets["validation"].sizes["sample"], 5000, replace=False)
    validation = fusion.thin(fusion.from_dataset(sets["validation"])[seen], 6, rng)

    model, history = fusion.train(
        curves,
        labels,
        validation,
        _labels(sets["validation"], classes)[seen],
        RECIPE,
        classes,
        folder / "checkpoints",
        progress=lambda record: console.print({k: round(v, 4) for k, v in record.items()}),
    )
    began = time.perf_counter()
    metrics = _tested(model, sets["test"], classes)
    card = {
        "name": RECIPE.fusion,
        "classes": classes,
        "recipe": RECIPE.model_dump(mode="json"),
        "data": {
            "seed": SEED,
            "shards": SHARDS,
            **SIZE,
            "designs": {k: shards.SPLITS[k].model_dump(mode="json") for k in SHARDS},
            "laboratory_runs_kept": dict(zip(map(str, KEPT_RUNS), KEPT_SHARE, strict=True)),
        },
        "test": metrics,
        "training_seconds": history[-1]["seconds"],
        "evaluation_seconds": time.perf_counter() - began,
        "history": history,
        "made_with": made_with,
        "hardware": f"{os.cpu_count()}-core {platform.machine()} CPU, no GPU",
        "limits": [
            "Trained on noise up to 3 % of the value; probabilities are not calibrated beyond it.",
            "Knows M1 to M20 only: any other reaction still gets probabilities that add to 1.",
            "Reads four runs; with fewer it reads some twice, and knows less.",
        ],
    }
    path = folder / "models" / f"{RECIPE.fusion}.keras"
    fusion.save(model, path, card)
    path.with_suffix(".md").write_text(described(card), encoding="utf-8")


def described(card: dict[str, Any]) -> str:
    """Return the model card as a page for readers, with nothing that is not in the card."""
    last, data = card["history"][-1], card["data"]
    rows = [
        f"| {test} | {measured['samples']:,} | {_percent(measured['top_1'])} | "
        f"{_percent(measured['top_3'])} | {_percent(measured['coverage'])} |"
        for test, measured in card["test"].items()
    ]
    lines = [
        f"# Model card: {card['name']}",
        "",
        f"A {card['name']} fusion network that names the mechanism, M1 to M20, from four runs.",
        "",
        f"- **Data**: simulated, seed {data['seed']}, {data['sets_per_mechanism']} parameter sets "
        f"a mechanism and shard, {data['samples_per_set']} samples a set; shards by design "
        + ", ".join(f"{name} {count}" for name, count in data["shards"].items())
        + ". Half of the training samples are drawn as laboratories work, with runs missing.",
        f"- **Training**: {last['sample_passes']:,} sample passes in {last['seconds'] / 60:.0f} "
        f"minutes on a {card['hardware']}, seed {card['recipe']['seed']}, noise levels "
        f"{card['recipe']['noise']}.",
        f"- **Made with**: {card['made_with']['versions']}.",
        "- **Made by**: `python -m kinetlib.release`.",
        "",
        "Measured once, on test samples with seven points a run and parameter sets never trained "
        "on (95 % intervals over parameter sets):",
        "",
        "| test | samples | top-1 / % | top-3 / % | coverage of 95 % credible sets / % |",
        "|---|---|---|---|---|",
        *rows,
        "",
        "Limits:",
        "",
        *(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n".join(lines) + "\n"


def _percent(measure: dict[str, float]) -> str:
    value, low, high = (100 * measure[key] for key in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


def _labels(runs: xr.Dataset, classes: list[str]) -> NDArray[np.int64]:
    position = {name: i for i, name in enumerate(classes)}
    return np.array([position[name] for name in runs.mechanism.values])


def _as_measured(runs: xr.Dataset, rng: Generator) -> Curves:
    """Take runs away at random and arrange the rest as `classify` would."""
    n, n_runs = runs.loading.shape
    kept = rng.choice(KEPT_RUNS, n, p=KEPT_SHARE)
    rank = rng.random((n, n_runs)).argsort(1).argsort(1)
    present = xr.DataArray(rank < kept[:, None], dims=("sample", "run"))
    incomplete = runs.assign(loading=runs.loading.where(present))
    ((members, curves),) = fusion.arranged(incomplete, RECIPE.max_points)
    return curves[np.argsort(members)]


def _joined(*parts: Curves) -> Curves:
    return Curves(*(np.concatenate(values) for values in zip(*map(_fields, parts), strict=True)))


def _fields(curves: Curves) -> tuple[NDArray, ...]:
    return tuple(vars(curves).values())


def _tested(model, test: xr.Dataset, classes: list[str]) -> dict[str, dict]:
    """Measure the network on the test design at several noise levels."""
    exact, labels = fusion.from_dataset(test), _labels(test, classes)
    groups = np.nan_to_num(test.rate_constants.values)
    metrics = {}
    for noise in (0.0, 0.01, 0.05):
        probabilities = fusion.predict(model, fusion.add_noise(exact, noise, default_rng(SEED)))
        metrics[f"7 points, {100 * noise:g} % noise"] = {
            "samples": len(labels),
            **evaluate.summary(probabilities, labels, groups, default_rng(SEED)),
        }
    return metrics


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "results/release"))
