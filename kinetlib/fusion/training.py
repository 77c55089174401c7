"""Training of a network, epoch by epoch; resumable at any of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinetlib.fusion import checkpoint, networks, optimizers
from kinetlib.fusion.backend import keras
from kinetlib.fusion.batches import MOST_CONSTANTS, EpochOf
from kinetlib.fusion.card import read_card
from kinetlib.fusion.evaluated import SUFFIX, Evaluated
from kinetlib.fusion.recipe import RUNSET, Recipe
from kinetlib.fusion.runset import classifying
from kinetlib.records.files import replacing, write_text

_BATCH = 1024


def train(
    epoch_of: EpochOf,
    validation: tuple[dict[str, NDArray], NDArray[np.int64]],
    recipe: Recipe,
    classes: list[str],
    checkpoints: str | Path,
    progress: Callable[[dict[str, float]], None] = lambda record: None,
) -> tuple[keras.Model, list[dict[str, float]]]:
    """Train a network, or go on with a training that was interrupted.

    Parameters
    ----------
    epoch_of
        The batches of an epoch, by its number: see `kinetlib.fusion.batches`.
    validation
        Inputs of the network and classes (n,), on which each epoch's loss and accuracy are
        measured.
    recipe
        What to train and how.
    classes
        Names of the classes.
    checkpoints
        Folder in which each epoch leaves a checkpoint. Another recipe starts anew, but for a longer
        training with a linear schedule: see `kinetlib.fusion.checkpoint`.
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
    model, history = checkpoint.resume(folder, recipe, classes)
    if model is None:
        model, history = _start(recipe, len(classes)), []
    for epoch in range(len(history), recipe.epochs):
        began = time.perf_counter()
        loss, accuracy = _learn(model, epoch_of(epoch))
        seconds = (history[-1]["seconds"] if history else 0.0) + time.perf_counter() - began
        with _averaged(model, recipe):
            val_loss, val_accuracy = _measure(model, *validation)
        record = {
            "sample_passes": (epoch + 1) * recipe.steps * recipe.batch_size,
            "loss": loss,
            "accuracy": accuracy,
            "val_loss": float(val_loss),
            "val_accuracy": float(val_accuracy),
            "seconds": seconds,
        }
        history.append(record)
        checkpoint.leave(folder, model, recipe, classes, history)
        progress(record)
    if recipe.weight_average:
        model.optimizer.finalize_variable_values(model.trainable_variables)
    return model, history


def save(model: keras.Model, path: str | Path, card: dict[str, Any]) -> None:
    """Save a trained network without its optimizer and what it learned beside the class.

    Its model card stands beside it.

    The weights of a network of sets of runs stand beside it once more, for those who ask it without
    Keras (`kinetlib.fusion.evaluated`).

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
    bare = classifying(model)
    if bare.name == RUNSET:
        weights = {variable.path: keras.ops.convert_to_numpy(variable) for variable in bare.weights}
        Evaluated(weights).save(path.with_suffix(SUFFIX))
    with replacing(path) as beside:
        bare.save(beside)
    write_text(path.with_suffix(".json"), json.dumps(card, indent=2) + "\n")


def load(path: str | Path) -> tuple[keras.Model, dict[str, Any]]:
    """Load a network and its card. The file is data: nothing in it is executed.

    Raises
    ------
    ValueError
        If the network or its card is missing, or either is not what it should be.
    """
    path = Path(path)
    card = read_card(path)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True), card
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no fusion network: {error}") from None


def _start(recipe: Recipe, n_classes: int) -> keras.Model:
    model = networks.build(
        recipe.fusion,
        n_classes,
        recipe.seed,
        seen=recipe.features,
        precision=recipe.precision,
        sizes=recipe.sizes,
        n_constants=MOST_CONSTANTS if any(recipe.beside) else 0,
    )
    loss, metrics = SmoothedCrossEntropy(recipe.label_smoothing), ["accuracy"]
    if any(recipe.beside):
        weights = dict(zip(("constants", "living"), recipe.beside, strict=True))
        beside = {name: WhereKnown(weight) for name, weight in weights.items()}
        loss, metrics = {"head": loss, **beside}, {"head": metrics}
    model.compile(
        optimizer=optimizers.of(recipe),
        loss=loss,
        metrics=metrics,
        # XLA would compile once for every number of points, which costs more than it gains here.
        jit_compile=keras.backend.backend() == "jax",
    )
    return model


@keras.saving.register_keras_serializable("kinetlib")
class SmoothedCrossEntropy(keras.losses.Loss):
    """Cross-entropy of class numbers, part of each label spread evenly over all classes."""

    def __init__(self, smoothing: float = 0.0, name: str = "cross_entropy", **options):
        super().__init__(name=name, **options)
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        """Return one loss a sample."""
        own = keras.ops.sparse_categorical_crossentropy(y_true, y_pred)
        if not self.smoothing:
            return own
        logarithms = keras.ops.log(keras.ops.maximum(y_pred, keras.backend.epsilon()))
        return (1 - self.smoothing) * own - self.smoothing * keras.ops.mean(logarithms, -1)

    def get_config(self) -> dict[str, Any]:
        """Return what the loss is built from."""
        return {**super().get_config(), "smoothing": self.smoothing}


@keras.saving.register_keras_serializable("kinetlib")
class WhereKnown(keras.losses.Loss):
    """Mean squared error of what is known of a sample, NaN being what is not, times a weight."""

    def __init__(self, weight: float = 1.0, name: str = "squared", **options):
        super().__init__(name=name, **options)
        self.weight = weight

    def call(self, y_true, y_pred):
        """Return one loss a sample, 0 where nothing is known."""
        ops = keras.ops
        known = ops.isfinite(y_true)
        squared = ops.where(known, ops.square(ops.where(known, y_true, y_pred) - y_pred), 0.0)
        axes = tuple(range(1, len(y_true.shape)))
        count = ops.sum(ops.cast(known, y_pred.dtype), axes)
        return self.weight * ops.sum(squared, axes) / ops.maximum(count, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what the loss is built from."""
        return {**super().get_config(), "weight": self.weight}


def _learn(model: keras.Model, batches: keras.utils.PyDataset) -> tuple[float, float]:
    """Show a network all batches, each made while it learns from the one before.

    Returns mean loss and accuracy: Keras forgets its own after every batch shown this way.

    On a CPU this is up to twice as fast as ``model.fit``, whose input pipeline leaves all
    dimensions open.
    """
    measured = []
    with ThreadPoolExecutor(1) as maker:
        ahead = maker.submit(batches.__getitem__, 0)
        for step in range(len(batches)):
            shown, labels = ahead.result()
            if step + 1 < len(batches):
                ahead = maker.submit(batches.__getitem__, step + 1)
            found = model.train_on_batch(shown, labels, return_dict=True)
            measured.append([found[name] for name in _told(found)])
    loss, accuracy = np.mean(measured, axis=0)
    return float(loss), float(accuracy)


def _told(found: dict[str, float]) -> tuple[str, str]:
    """Name loss and accuracy of the class, whatever else is learned."""
    return ("head_loss", "head_accuracy") if "head_loss" in found else ("loss", "accuracy")


@contextmanager
def _averaged(model: keras.Model, recipe: Recipe) -> Iterator[None]:
    """Let the network have the average of its weights meanwhile, if the recipe keeps one."""
    if not recipe.weight_average:
        yield
        return
    own = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.finalize_variable_values(model.trainable_variables)
    try:
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)


def _measure(model: keras.Model, shown: dict, labels: NDArray[np.int64]) -> tuple[float, float]:
    """Loss and accuracy, by calls that need no compiled function of their own."""
    losses, right = 0.0, 0
    for start in range(0, len(labels), _BATCH):
        part = {name: values[start : start + _BATCH] for name, values in shown.items()}
        own = labels[start : start + _BATCH]
        said = model(part, training=False)
        said = said["head"] if isinstance(said, dict) else said
        found = keras.ops.convert_to_numpy(said).astype(float)
        true = found[np.arange(len(own)), own]
        losses -= np.log(np.maximum(true, np.finfo(np.float32).tiny)).sum()
        right += int((found.argmax(1) == own).sum())
    return losses / len(labels), right / len(labels)
