"""Training of a fusion network: fresh noise and fresh points each batch, resumable at any epoch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinetlib.fusion import features, networks
from kinetlib.fusion.curves import Curves, add_noise, thin

EPOCH = 100_000  # sample passes between two checkpoints
FEWEST_EPOCHS = 4  # so that even a short training shows a course
WARM_UP = 0.03  # part of the passes over which the learning rate rises


class Recipe(BaseModel):
    """All that decides a training run, beside its data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fusion: str
    seed: int
    sample_passes: int = Field(gt=0, description="samples shown, repeats counted")
    batch_size: int = Field(512, gt=0)
    learning_rate: float = Field(3e-3, gt=0, description="Adam's at its peak; cosine decay to 0")
    noise: tuple[float, ...] = Field((0.0, 0.005, 0.012), description="levels drawn, one a sample")
    min_points: int = Field(3, ge=2, description="fewest points beside t = 0, drawn once a batch")
    max_points: int = Field(20, ge=2, description="most points beside t = 0")

    @property
    def epochs(self) -> int:
        """Number of epochs, of about `EPOCH` sample passes unless there would be too few."""
        return max(FEWEST_EPOCHS, round(self.sample_passes / EPOCH))

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return max(1, round(self.sample_passes / self.epochs / self.batch_size))


class Batches(keras.utils.PyDataset):
    """One epoch's batches: random samples, random points, random noise, all from one seed."""

    def __init__(self, curves: Curves, labels: NDArray[np.int64], recipe: Recipe, epoch: int):
        super().__init__()
        self._curves, self._labels, self._recipe = curves, labels, recipe
        self._stream = SeedSequence(recipe.seed, spawn_key=(epoch,))
        rng = default_rng(self._stream)
        wanted = recipe.steps * recipe.batch_size
        self._order = rng.permutation(np.resize(rng.permutation(len(labels)), wanted))
        # Every length in turn: two batches in a row differ, so that no backend takes one for fixed.
        lengths = np.arange(recipe.min_points, recipe.max_points + 1)
        rounds = -(-recipe.steps // len(lengths))
        self._lengths = np.concatenate([rng.permutation(lengths) for _ in range(rounds)])

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._recipe.steps

    def __getitem__(self, step: int) -> tuple[dict[str, NDArray], NDArray]:
        """Make one batch."""
        rng = default_rng(
            SeedSequence(self._stream.entropy, spawn_key=(*self._stream.spawn_key, step))
        )
        size = self._recipe.batch_size
        which = np.sort(self._order[step * size : (step + 1) * size])
        curves = thin(self._curves[which], int(self._lengths[step]), rng)
        curves = add_noise(curves, rng.choice(self._recipe.noise, len(which)), rng)
        return features.inputs(curves), self._labels[which]


def train(
    curves: Curves,
    labels: NDArray[np.int64],
    validation: Curves,
    validation_labels: NDArray[np.int64],
    recipe: Recipe,
    classes: list[str],
    checkpoints: str | Path,
    progress: Callable[[dict[str, float]], None] = lambda record: None,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train a network, or go on with a training that was interrupted.

    Parameters
    ----------
    curves, labels
        Exact training curves, and their classes as positions in `classes`, shape (n,).
    validation, validation_labels
        Curves the loss and accuracy of an epoch are measured on, as they are.
    recipe
        What to train and how.
    classes
        Names of the classes.
    checkpoints
        Folder in which each epoch leaves a checkpoint. Another recipe starts anew.
    progress
        Called after each epoch with its record: ``sample_passes``, ``loss``, ``accuracy``,
        ``val_loss``, ``val_accuracy``, ``seconds`` of training so far.

    Returns
    -------
    keras.Model, list
        The trained network, and the records of all epochs.
    """
    folder = Path(checkpoints)
    folder.mkdir(parents=True, exist_ok=True)
    model, history = _resume(folder, recipe, classes)
    if model is None:
        model, history = _start(recipe, len(classes)), []
    shown = features.inputs(validation)
    for epoch in range(len(history), recipe.epochs):
        began = time.perf_counter()
        batches = Batches(curves, labels, recipe, epoch)
        fit = model.fit(batches, epochs=epoch + 1, initial_epoch=epoch, verbose=0, shuffle=False)
        seconds = (history[-1]["seconds"] if history else 0.0) + time.perf_counter() - began
        val_loss, val_accuracy = model.evaluate(
            shown, validation_labels, batch_size=1024, verbose=0
        )
        record = {
            "sample_passes": (epoch + 1) * recipe.steps * recipe.batch_size,
            "loss": float(fit.history["loss"][0]),
            "accuracy": float(fit.history["accuracy"][0]),
            "val_loss": float(val_loss),
            "val_accuracy": float(val_accuracy),
            "seconds": seconds,
        }
        history.append(record)
        _checkpoint(folder, model, recipe, classes, history)
        progress(record)
    return model, history


def save(model: keras.Model, path: str | Path, card: dict[str, Any]) -> None:
    """Save a trained network without its optimizer, and its model card beside it.

    Parameters
    ----------
    model
        The network.
    path
        Ends in ``.keras``; the card goes beside it with ``.json``.
    card
        JSON values: at least ``classes``, the names of the classes, and ``recipe``.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    bare = keras.Model.from_config(model.get_config())
    bare.set_weights(model.get_weights())
    _replace(path, lambda beside: bare.save(beside))
    text = json.dumps(card, indent=2) + "\n"
    _replace(path.with_suffix(".json"), lambda beside: beside.write_text(text, encoding="utf-8"))


def load(path: str | Path) -> tuple[keras.Model, dict[str, Any]]:
    """Load a network and its card. The file is data: nothing in it is executed.

    Raises
    ------
    ValueError
        If the network or its card is missing, or either is not what it should be.
    """
    path = Path(path)
    card_path = path.with_suffix(".json")
    for needed in (path, card_path):
        if not needed.is_file():
            raise ValueError(
                f"no file {needed}: a network is NAME.keras with its card NAME.json beside it"
            )
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        Recipe.model_validate(card["recipe"])
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} with {card_path.name} is no fusion network: {error}") from None
    return model, card


def _start(recipe: Recipe, n_classes: int) -> keras.Model:
    model = networks.build(recipe.fusion, n_classes, recipe.seed)
    total = recipe.epochs * recipe.steps
    rate = keras.optimizers.schedules.CosineDecay(
        0.0,
        decay_steps=total - int(WARM_UP * total),
        warmup_target=recipe.learning_rate,
        warmup_steps=int(WARM_UP * total),
    )
    model.compile(
        optimizer=keras.optimizers.Adam(rate, global_clipnorm=1.0),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # XLA would compile once for every number of points, which costs more than it gains here.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


def _resume(
    folder: Path, recipe: Recipe, classes: list[str]
) -> tuple[keras.Model | None, list[dict[str, float]]]:
    state = folder / "state.json"
    if not state.is_file():
        return None, []
    saved = json.loads(state.read_text(encoding="utf-8"))
    if saved["recipe"] != recipe.model_dump(mode="json") or saved["classes"] != classes:
        return None, []
    model = keras.saving.load_model(folder / saved["model"], safe_mode=True)
    return model, saved["history"]


def _checkpoint(
    folder: Path, model: keras.Model, recipe: Recipe, classes: list[str], history: list
) -> None:
    """Leave the network under a new name, then the state that points at it, then tidy up."""
    name = f"epoch-{len(history):05d}.keras"
    model.save(folder / name)
    state = {
        "recipe": recipe.model_dump(mode="json"),
        "classes": classes,
        "model": name,
        "history": history,
    }
    text = json.dumps(state)
    _replace(folder / "state.json", lambda beside: beside.write_text(text, encoding="utf-8"))
    for old in folder.glob("epoch-*.keras"):
        if old.name != name:
            old.unlink()


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file beside its place, then put it there."""
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        write(beside)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
