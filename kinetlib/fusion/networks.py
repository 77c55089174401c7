"""Two-branch networks: loadings through a dense layer, curves through two LSTMs, then fused.

Written for Keras 3 without a backend's own calls: they run on TensorFlow, JAX and PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from kinetlib.fusion.curves import Curves
from kinetlib.fusion.features import N_DYNAMIC, N_STATIC, inputs

WIDTH = 64
_BATCH = 1024


def average(n_classes: int) -> keras.Model:
    """Build the baseline: each branch classifies by itself, the probabilities are averaged."""
    static, dynamic, loading, curve = _branches()
    heads = [
        layers.Dense(n_classes, activation="softmax", name="static_head")(loading),
        layers.Dense(n_classes, activation="softmax", name="dynamic_head")(curve),
    ]
    probabilities = layers.Average(name="average")(heads)
    return keras.Model([static, dynamic], probabilities, name="average")


def hadamard(n_classes: int) -> keras.Model:
    """Build the bilinear network: branches projected, multiplied element by element, classified."""
    static, dynamic, loading, curve = _branches()
    product = layers.Multiply(name="hadamard")(
        [
            layers.Dense(WIDTH, name="static_projection")(loading),
            layers.Dense(WIDTH, name="dynamic_projection")(curve),
        ]
    )
    hidden = layers.Dense(WIDTH, activation="relu", name="hidden_1")(product)
    hidden = layers.Dense(WIDTH, activation="relu", name="hidden_2")(hidden)
    probabilities = layers.Dense(n_classes, activation="softmax", name="head")(hidden)
    return keras.Model([static, dynamic], probabilities, name="hadamard")


FUSIONS: dict[str, Callable[[int], keras.Model]] = {"average": average, "hadamard": hadamard}


def build(fusion: str, n_classes: int, seed: int) -> keras.Model:
    """Build a fusion network with reproducible initial weights.

    Parameters
    ----------
    fusion
        ``"average"`` or ``"hadamard"``.
    n_classes
        Number of mechanisms.
    seed
        Seed of the initial weights.

    Returns
    -------
    keras.Model
        Inputs ``static`` (n, 4) and ``dynamic`` (n, T, 24), output probabilities (n, n_classes).
    """
    if fusion not in FUSIONS:
        raise ValueError(f"unknown fusion {fusion!r}: expected one of {', '.join(FUSIONS)}")
    keras.utils.set_random_seed(seed)
    return FUSIONS[fusion](n_classes)


def predict(model: keras.Model, curves: Curves) -> NDArray[np.float64]:
    """Return the probabilities a network gives, shape (n, classes).

    Called directly, the network needs no compiled function for each number of points.
    """
    parts = [
        keras.ops.convert_to_numpy(model(inputs(curves[start : start + _BATCH]), training=False))
        for start in range(0, len(curves), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)


def _branches() -> tuple:
    static = keras.Input((N_STATIC,), name="static")
    dynamic = keras.Input((None, N_DYNAMIC), name="dynamic")
    loading = layers.Dense(WIDTH, activation="relu", name="loading")(static)
    sequence = layers.LSTM(WIDTH, return_sequences=True, name="lstm_1")(dynamic)
    curve = layers.LSTM(WIDTH, name="lstm_2")(sequence)
    return static, dynamic, loading, curve
