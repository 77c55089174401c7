"""A network that reads planned experiments as well as it reads unplanned ones.

The released network learned from the published design and from laboratories; of four candidate
runs sampled as no one samples them it knows less. Its bound on what an experiment tells is too low
there, and a search by it would find what it was trained on. So it learns on: from random
experiments on the candidates, and, lest it forget, from the published design. Each pool of
parameter sets is new, and is read by some ten experiments a set.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.experiments.bank import simulate_bank
from kinetlib.kinetics import mechanisms
from kinetlib.records import files, quiet
from kinetlib.runs import plans

with quiet.native_logs():
    import keras  # loads its backend, which writes to the terminal

from kinetlib.experiments.bank import Bank
from kinetlib.fusion.features import run_inputs
from kinetlib.runs import runs as runs_of
from kinetlib.runs.plans import rows_of, schemes
from kinetlib.runs.runs import Runs

#: What batches are of, and how often: experiments on candidates (runs, points with the start), and
#: the published design (0 runs stand for it).
KINDS = (((4, 7), 0.70), ((0, 7), 0.10), ((0, 21), 0.14), ((8, 21), 0.06))


@dataclass(frozen=True)
class Lessons:
    """How a network learns on.

    ``seed`` of all draws; ``sets_per_mechanism`` of each of ``pools`` pools; ``batches`` of
    ``batch_size`` samples a pool; ``learning_rate`` of the first, falling along a cosine;
    ``noise``, relative, from least to most.
    """

    seed: int = 511
    sets_per_mechanism: int = 100
    pools: int = 10
    batches: int = 80
    batch_size: int = 256
    learning_rate: float = 5e-4
    noise: tuple[float, float] = (0.005, 0.03)


def learn_on(
    model: keras.Model,
    lessons: Lessons,
    folder: Path,
    progress: Callable[[dict[str, float]], None] = lambda record: None,
) -> keras.Model:
    """Train a network on; goes on with what lies in the folder.

    Parameters
    ----------
    model
        The network, which is changed.
    lessons
        How.
    folder
        Keeps the network after each pool.
    progress
        Told the mean loss of each pool by kind of batch.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = folder / "state.json"
    done = json.loads(state.read_text(encoding="utf-8"))["pools"] if state.is_file() else 0
    if done:
        model = keras.saving.load_model(folder / f"pool-{done:03d}.keras", safe_mode=True)
    else:
        model.compile(
            optimizer=keras.optimizers.Adam(lessons.learning_rate, global_clipnorm=1.0),
            loss="sparse_categorical_crossentropy",
            jit_compile=keras.backend.backend() == "jax",
        )
    for number in range(done, lessons.pools):
        share = (1 + np.cos(np.pi * number / lessons.pools)) / 2
        model.optimizer.learning_rate = lessons.learning_rate * share
        progress({"pool": number + 1, **_lesson(model, lessons, number)})
        _keep(model, folder, number + 1)
    return model


def _lesson(model: keras.Model, lessons: Lessons, number: int) -> dict[str, float]:
    """Show the network one pool."""
    candidates = plans.grid()
    catalogue = list(mechanisms.catalogue().values())
    bank, free = simulate_bank(
        catalogue, lessons.sets_per_mechanism, candidates, [lessons.seed, number], unplanned=5
    )
    rng = default_rng(SeedSequence(lessons.seed, spawn_key=(number,)))
    kinds, shares = zip(*KINDS, strict=True)
    losses: dict[str, list[float]] = {}
    for kind in rng.choice(len(kinds), lessons.batches, p=shares):
        n_runs, points = kinds[kind]
        if n_runs:
            which = rng.integers(len(bank), size=lessons.batch_size)
            runs, labels = _planned(bank, which, n_runs, points, rng), bank.labels[which]
        else:
            which = rng.integers(len(free), size=lessons.batch_size)
            runs, labels = free[which], bank.labels[which // 5]
            runs = runs_of.thinned(runs, points, rng, keep_start=True)
        level = rng.uniform(*lessons.noise, len(which))
        loss = model.train_on_batch(run_inputs(runs_of.measured(runs, level, rng)), labels)
        # Keras returns the mean since it was last asked to forget, which it does every batch.
        losses.setdefault(f"{n_runs} runs, {points} points", []).append(float(np.mean(loss)))
    return {name: float(np.mean(values)) for name, values in sorted(losses.items())}


def _planned(
    bank: Bank, which: NDArray[np.int64], n_runs: int, points: int, rng: Generator
) -> Runs:
    """Put each of some parameter sets to random candidates, each sampled by a random scheme."""
    candidates = bank.candidates
    named = schemes(points - 1) if points == 7 else {"even": schemes(points - 1)[plans.EVEN]}
    rows = np.array(list(rows_of(candidates, named).values()))
    chosen = rng.random((len(which), len(candidates))).argsort(1)[:, :n_runs]
    times = rows[rng.integers(len(rows), size=chosen.shape)]
    at = which[:, None, None], chosen[..., None], times
    time = candidates.times[times].astype(np.float32)
    starts = (candidates.loading, candidates.substrate_0, candidates.product_0)
    return Runs(
        time,
        *np.moveaxis(bank.values[at], -1, 0),
        *(start[chosen].astype(np.float32) for start in starts),
    )


def _keep(model: keras.Model, folder: Path, pools: int) -> None:
    """Leave the network under a new name, then the state that points at it, then tidy up."""
    path = folder / f"pool-{pools:03d}.keras"
    model.save(path)
    files.write_text(folder / "state.json", json.dumps({"pools": pools}))
    for old in folder.glob("pool-*.keras"):
        if old != path:
            old.unlink()


def card_of(released: dict[str, Any], lessons: Lessons) -> dict[str, Any]:
    """Return the card of a network that learned on from a released one."""
    kept = {name: released[name] for name in ("classes", "recipe")}
    return {"name": "runset, planned experiments", **kept, "lessons": vars(lessons)}
