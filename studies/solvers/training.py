"""How many samples a second networks are trained with, beside ``keras fit`` on the same batches.

All in one process on all cores: our loop and Keras' own take turns,
each on batches of curves of 21 points that are made while the network learns. The first epoch of
each compiles and is not counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kinetlib import fusion
from kinetlib.fusion import Batches, Recipe, RunBatches, training
from kinetlib.fusion.batches import MOST_CONSTANTS, Taught
from kinetlib.kinetics.integrate import available_processors
from kinetlib.runs.runs import Runs

NETWORKS = ("hadamard", "runset")
POINTS = 20  # beside t = 0
SAMPLES, CLASSES = 20_000, 20
PUBLISHED, LABORATORY = 0, 3  # runs a sample of the second kind of batches

console = Console(width=120)


def curves(n: int, rng: np.random.Generator) -> tuple[Runs, NDArray[np.int64]]:
    """Return first-order curves with a class each: their values do not matter for the speed."""
    loading = rng.uniform(0.01, 0.1, (n, 4))
    time_ = np.sort(rng.uniform(0, 1, (n, 4, POINTS + 1)), axis=-1)
    time_[..., 0] = 0
    labels = rng.integers(0, CLASSES, n)
    rate = loading * (1 + labels[:, None])
    substrate = np.exp(-rate[..., None] * time_)
    start = np.ones((n, 4))
    values = (time_, substrate, 1 - substrate, loading, start, 1 - start)
    return Runs(*(value.astype(np.float32) for value in values)), labels


def recipe_of(network: str, steps: int, batch_size: int) -> Recipe:
    """Return a recipe whose batches have 21 points, or for sets of runs as near as they vary."""
    return Recipe(
        fusion=network,
        seed=1,
        sample_passes=steps * batch_size * 4,
        batch_size=batch_size,
        min_points=POINTS,
        max_points=POINTS,
        # The first two batches must differ; the others have 21 points.
        lengths=(POINTS + 1,) * 50 + (POINTS,),
    )


def batches_of(network: str, recipe: Recipe) -> Callable[[int], Batches | RunBatches]:
    """Return what makes the batches of an epoch, by its number."""
    design, labels = curves(SAMPLES, default_rng(1))
    if network != fusion.RUNSET:
        return lambda epoch: Batches(design, labels, recipe, epoch)
    fewer = Runs(*(value[:, :LABORATORY] for value in vars(design).values()))
    unknown = np.full((SAMPLES, MOST_CONSTANTS), np.nan, np.float32)
    pools = {
        kind: Taught(runs, labels, unknown)
        for kind, runs in ((PUBLISHED, design), (LABORATORY, fewer))
    }
    return lambda epoch: RunBatches(pools, recipe, epoch)


def measured(network: str, batch_size: int, steps: int, rounds: int) -> dict[str, object]:
    """Return the samples a second of both loops, each round's, and their ratio."""
    recipe = recipe_of(network, steps, batch_size)
    epoch_of = batches_of(network, recipe)
    loops = {
        "kinetlib": lambda model, batches: training._learn(model, batches),
        "keras fit": lambda model, batches: model.fit(batches, verbose=0, shuffle=False),
    }
    models = {name: training._start(recipe, CLASSES) for name in loops}
    rates: dict[str, list[float]] = {name: [] for name in loops}
    for epoch in range(rounds + 1):
        for name, loop in loops.items():
            batches = epoch_of(epoch)
            began = time.perf_counter()
            loop(models[name], batches)
            spent = time.perf_counter() - began
            if epoch:  # the first compiles
                rates[name].append(len(batches) * batch_size / spent)
    ratio = np.array(rates["kinetlib"]) / np.array(rates["keras fit"])
    return {
        "network": network,
        "parameters": models["kinetlib"].count_params(),
        "points": POINTS + 1,
        "batch_size": batch_size,
        "samples_per_second": {name: float(np.median(rate)) for name, rate in rates.items()},
        "rounds": rates,
        "ratio": float(np.median(ratio)),
    }


def run(batch_sizes: list[int], steps: int, rounds: int) -> dict[str, Any]:
    """Measure, print a table, and return all numbers.

    Parameters
    ----------
    batch_sizes
        Samples of a batch.
    steps
        Batches a round.
    rounds
        How often both loops take turns.
    """
    rows = [
        measured(network, batch_size, steps, rounds)
        for network in NETWORKS
        for batch_size in batch_sizes
    ]
    table = Table("network", "parameters", "batch", "samples/s", "keras fit", "ratio")
    for row in rows:
        rate = row["samples_per_second"]
        table.add_row(
            row["network"],
            f"{row['parameters']:,}",
            str(row["batch_size"]),
            f"{rate['kinetlib']:,.0f}",
            f"{rate['keras fit']:,.0f}",
            f"{row['ratio']:.2f}",
        )
    console.print(table)
    return {"rows": rows, "steps": steps, "cores": available_processors()}
