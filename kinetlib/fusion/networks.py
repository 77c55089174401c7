"""Two-branch networks: loadings through a dense layer, curves through two LSTMs, then fused.

Written for Keras 3 without a backend's own calls: they run on TensorFlow, JAX and PyTorch. The four
fusions are those of the source (DearKarl, Simulation_Based_Classification, 2025); of the attention
and the gate only the kind is published, of the Hadamard network also the number of parameters,
which this one has to the last with the published inputs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kinetlib.fusion import features
from kinetlib.fusion.backend import keras
from kinetlib.fusion.recipe import NETWORKS, RUNSET, SEEN, USUAL, Sizes
from kinetlib.fusion.runset import runset
from kinetlib.runs.runs import Runs

layers, ops = keras.layers, keras.ops

WIDTH = 64
_BATCH = 1024


def average(loading, curve, n_classes: int):
    """Classify by each branch alone and average the probabilities: the baseline."""
    heads = [_head(n_classes, f"{name}_head")(x) for name, x in _named(loading, curve)]
    return layers.Average(name="average", dtype="float32")(heads)


def attention(loading, curve, n_classes: int):
    """Score each branch; the softmax of the scores weighs what goes on."""
    projected = _projected(loading, curve)
    scores = [layers.Dense(1, name=f"{name}_score")(x) for name, x in _named(*projected)]
    weights = layers.Softmax(name="weights")(layers.Concatenate(name="scores")(scores))
    weighted = [
        layers.Multiply(name=f"{name}_weighted")([x, weights[:, i : i + 1]])
        for i, (name, x) in enumerate(_named(*projected))
    ]
    return _classified(layers.Add(name="attention")(weighted), n_classes)


def gate(loading, curve, n_classes: int):
    """Let a gate between 0 and 1 decide, number by number, which branch counts."""
    projected = _projected(loading, curve)
    both = layers.Concatenate(name="both")(projected)
    share = layers.Dense(WIDTH, activation="sigmoid", name="gate")(both)
    from_loading = layers.Multiply(name="static_gated")([share, projected[0]])
    from_curve = layers.Multiply(name="dynamic_gated")([1.0 - share, projected[1]])
    return _classified(layers.Add(name="added")([from_loading, from_curve]), n_classes)


def hadamard(loading, curve, n_classes: int):
    """Multiply the projected branches element by element: bilinear."""
    product = layers.Multiply(name="hadamard")(_projected(loading, curve))
    return _classified(product, n_classes)


_FUSED: dict[str, Callable] = {
    "average": average,
    "attention": attention,
    "gate": gate,
    "hadamard": hadamard,
}


def build(
    fusion: str,
    n_classes: int,
    seed: int,
    *,
    seen: str = "scaled",
    precision: str = "float32",
    sizes: Sizes = USUAL,
    n_constants: int = 0,
) -> keras.Model:
    """Build a network with reproducible initial weights.

    Parameters
    ----------
    fusion
        One of the four fusions or ``"runset"``.
    n_classes
        Number of mechanisms.
    seed
        Seed of the initial weights.
    seen
        What the network sees: ``"scaled"``; ``"few"`` or ``"raw"``, of the four fusions only (see
        `kinetlib.fusion.features`); or ``"rates"``, of ``"runset"`` only (see
        `kinetlib.fusion.rates`).
    precision
        Keras' policy: ``"float32"`` or ``"mixed_bfloat16"``; probabilities are always float32.
    sizes
        Of ``"runset"``; the four fusions have those of the source.
    n_constants
        Rate constants of each class that ``"runset"`` is to learn beside the class; see
        `kinetlib.fusion.runset.runset`.

    Returns
    -------
    keras.Model
        Four-run networks: inputs ``static`` (n, 4) and ``dynamic`` (n, T, channels). ``runset``:
        inputs as `kinetlib.fusion.features.run_inputs` makes them. Output: probabilities (n,
        n_classes).
    """
    if fusion not in NETWORKS:
        raise ValueError(f"unknown network {fusion!r}: expected one of {', '.join(NETWORKS)}")
    if seen not in SEEN[fusion]:
        raise ValueError(f"{fusion} cannot see {seen!r}: expected {' or '.join(SEEN[fusion])}")
    keras.utils.set_random_seed(seed)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        if fusion == RUNSET:
            return runset(n_classes, seen, sizes, n_constants)
        return _two_branches(fusion, n_classes, seen)
    finally:
        keras.config.set_dtype_policy(before)


def inputs_of(fusion: str, seen: str) -> Callable[[Runs], dict[str, NDArray[np.float32]]]:
    """Return what makes a network's inputs of runs: of any, or of four without gaps."""
    if fusion == RUNSET:
        return features.run_inputs
    return {"scaled": features.inputs, "few": features.few, "raw": features.raw}[seen]


def predict(model: keras.Model, runs: Runs, *, seen: str = "scaled") -> NDArray[np.float64]:
    """Return the probabilities a network gives, shape (n, classes).

    Called directly, the network needs no compiled function for each number of points.
    """
    made = inputs_of(model.name, seen)
    parts = [
        ops.convert_to_numpy(model(made(runs[start : start + _BATCH]), training=False))
        for start in range(0, len(runs), _BATCH)
    ]
    return np.concatenate(parts).astype(np.float64)


def read(model: keras.Model, runs_read: Runs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what ``runset`` says of runs, (n, classes), and its last hidden layer, (n, d)."""
    said = [model.get_layer(name).output for name in ("head", "hidden")]
    whole = keras.Model(model.inputs, said)
    parts = [
        [ops.convert_to_numpy(part) for part in whole(features.run_inputs(chunk), training=False)]
        for chunk in (runs_read[i : i + _BATCH] for i in range(0, len(runs_read), _BATCH))
    ]
    probabilities, hidden = (np.concatenate(p).astype(np.float64) for p in zip(*parts, strict=True))
    return probabilities, hidden


def _two_branches(fusion: str, n_classes: int, seen: str) -> keras.Model:
    static = keras.Input((features.N_STATIC,), name="static")
    dynamic = keras.Input((None, features.N_DYNAMIC[seen]), name="dynamic")
    loading = layers.Dense(WIDTH, activation="relu", name="loading")(static)
    sequence = layers.LSTM(WIDTH, return_sequences=True, name="lstm_1")(dynamic)
    curve = layers.LSTM(WIDTH, name="lstm_2")(sequence)
    probabilities = _FUSED[fusion](loading, curve, n_classes)
    return keras.Model([static, dynamic], probabilities, name=fusion)


def _named(loading, curve):
    return (("static", loading), ("dynamic", curve))


def _projected(loading, curve) -> list:
    return [layers.Dense(WIDTH, name=f"{n}_projection")(x) for n, x in _named(loading, curve)]


def _classified(fused, n_classes: int):
    hidden = layers.Dense(WIDTH, activation="relu", name="hidden_1")(fused)
    hidden = layers.Dense(WIDTH, activation="relu", name="hidden_2")(hidden)
    return _head(n_classes, "head")(hidden)


def _head(n_classes: int, name: str):
    return layers.Dense(n_classes, activation="softmax", dtype="float32", name=name)
