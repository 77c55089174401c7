"""A network over sets of runs: each run through the same LSTMs, attention between runs.

One to eight runs, each with its own points, in any order; no shape is fixed, and what is not there
weighs nothing. The attention blocks are those of the set transformer (Lee et al., ICML 2019).
"""

from __future__ import annotations

from kinetlib.fusion.backend import keras
from kinetlib.fusion.features import POINT_CHANNELS, RUN_CHANNELS

layers, ops = keras.layers, keras.ops

WIDTH = 64  # of the LSTMs
TOKEN = 96  # of what is known of a run
HEADS, N_BLOCKS = 4, 2


@keras.saving.register_keras_serializable("kinetlib")
class RunEncoder(layers.Layer):
    """Two LSTMs, the same for every run; of their output the last point and the mean.

    Points that are not there lie behind those that are, where an LSTM's memory cannot carry them
    back, and have no weight in the pooling: nothing needs masking inside.
    """

    def __init__(self, width: int, **options):
        super().__init__(**options)
        self.width = width
        self.first = layers.LSTM(width, return_sequences=True, name="lstm_1")
        self.second = layers.LSTM(width, return_sequences=True, name="lstm_2")

    def build(self, points_shape: tuple, pooling_shape: tuple) -> None:
        """Build both LSTMs."""
        self.first.build((None, None, points_shape[-1]))
        self.second.build((None, None, self.width))

    def call(self, points, pooling):
        """Read points (n, R, T, c) with pooling (n, R, T, 2) into (n, R, 2 width)."""
        n, n_runs, n_points, channels = ops.shape(points)
        flat = ops.reshape(points, (n * n_runs, n_points, channels))
        weights = ops.reshape(pooling, (n * n_runs, n_points, 2))
        sequence = self.second(self.first(flat))
        weights = ops.cast(weights, sequence.dtype)
        pooled = ops.matmul(ops.transpose(weights, (0, 2, 1)), sequence)
        return ops.reshape(pooled, (n, n_runs, 2 * self.width))

    def compute_output_shape(self, points_shape: tuple, pooling_shape: tuple) -> tuple:
        """Shape of what `call` returns."""
        return (points_shape[0], points_shape[1], 2 * self.width)

    def get_config(self) -> dict:
        """Return what the layer is built from."""
        return {**super().get_config(), "width": self.width}


@keras.saving.register_keras_serializable("kinetlib")
class RunPooling(layers.Layer):
    """Mean and maximum over the runs that are there: (n, R, d) to (n, 2 d)."""

    def call(self, tokens, present):
        """Pool tokens (n, R, d) by present (n, R)."""
        weight = ops.cast(ops.expand_dims(present, -1), tokens.dtype)
        mean = ops.sum(weight * tokens, 1) / ops.sum(weight, 1)
        largest = ops.max(tokens - (1 - weight) * 1e4, 1)
        return ops.concatenate([mean, largest], -1)

    def compute_output_shape(self, tokens_shape: tuple, present_shape: tuple) -> tuple:
        """Shape of what `call` returns."""
        return (tokens_shape[0], 2 * tokens_shape[-1])


def runset(n_classes: int) -> keras.Model:
    """Build the network; inputs as `kinetlib.fusion.features.run_inputs` makes them."""
    points = keras.Input((None, None, len(POINT_CHANNELS)), name="points")
    pooling = keras.Input((None, None, 2), name="pooling")
    described = keras.Input((None, len(RUN_CHANNELS)), name="runs")
    present = keras.Input((None,), name="present")

    read = RunEncoder(WIDTH, name="encoder")(points, pooling)
    token = layers.Dense(TOKEN, name="token")(layers.Concatenate(name="run")([read, described]))
    mask = layers.Reshape((1, -1), name="mask")(present)
    for block in range(1, N_BLOCKS + 1):
        token = _attend(token, mask, f"block_{block}")
    token = layers.LayerNormalization(name="normalised")(token)
    pooled = RunPooling(name="pooling_of_runs")(token, present)
    hidden = layers.Dense(2 * WIDTH, activation="gelu", name="hidden")(pooled)
    probabilities = layers.Dense(n_classes, activation="softmax", dtype="float32", name="head")(
        hidden
    )
    return keras.Model([points, pooling, described, present], probabilities, name="runset")


def _attend(token, mask, name: str):
    """Let runs look at each other, then each at itself; both add to what is there."""
    seen = layers.LayerNormalization(name=f"{name}_norm_1")(token)
    seen = layers.MultiHeadAttention(HEADS, TOKEN // HEADS, name=f"{name}_attention")(
        seen, seen, attention_mask=mask
    )
    token = layers.Add(name=f"{name}_add_1")([token, seen])
    seen = layers.LayerNormalization(name=f"{name}_norm_2")(token)
    seen = layers.Dense(2 * TOKEN, activation="gelu", name=f"{name}_wide")(seen)
    seen = layers.Dense(TOKEN, name=f"{name}_narrow")(seen)
    return layers.Add(name=f"{name}_add_2")([token, seen])
