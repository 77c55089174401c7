"""A network over sets of runs: each run through the same LSTMs, attention between runs.

One to eight runs, each with its own points, in any order; no shape is fixed, and what is not there
weighs nothing. The attention blocks are those of the set transformer (Lee et al., ICML 2019).
"""

from __future__ import annotations

import math

from kinetlib.fusion.backend import keras
from kinetlib.fusion.features import POINT_CHANNELS, RUN_CHANNELS
from kinetlib.fusion.rates import RATE_CHANNELS, rates
from kinetlib.fusion.recipe import USUAL, Sizes

layers, ops = keras.layers, keras.ops


@keras.saving.register_keras_serializable("kinetlib")
class Rates(layers.Layer):
    """What is shown of each point, and behind it rates and logarithms: `kinetlib.fusion.rates`."""

    def call(self, points):
        """Extend points (n, R, T, 14) to (n, R, T, 21)."""
        return ops.concatenate([points, rates(points, ops)], -1)

    def compute_output_shape(self, points_shape: tuple) -> tuple:
        """Shape of what `call` returns."""
        return (*points_shape[:-1], points_shape[-1] + len(RATE_CHANNELS))


@keras.saving.register_keras_serializable("kinetlib")
class RunEncoder(layers.Layer):
    """Two LSTMs, the same for every run; of their output the last point, the mean, and all of it.

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
        """Read points (n, R, T, c) with pooling (n, R, T, 2) into (n, R, 2 w) and (n, R, T, w)."""
        n, n_runs, n_points, channels = ops.shape(points)
        flat = ops.reshape(points, (n * n_runs, n_points, channels))
        weights = ops.reshape(pooling, (n * n_runs, n_points, 2))
        sequence = self.second(self.first(flat))
        weights = ops.cast(weights, sequence.dtype)
        pooled = ops.matmul(ops.transpose(weights, (0, 2, 1)), sequence)
        return (
            ops.reshape(pooled, (n, n_runs, 2 * self.width)),
            ops.reshape(sequence, (n, n_runs, n_points, self.width)),
        )

    def compute_output_shape(self, points_shape: tuple, pooling_shape: tuple) -> tuple:
        """Shapes of what `call` returns."""
        return (*points_shape[:2], 2 * self.width), (*points_shape[:3], self.width)

    def get_config(self) -> dict:
        """Return what the layer is built from."""
        return {**super().get_config(), "width": self.width}


class Projection(layers.Layer):
    """A linear map of the last dimensions of what it is given, as one product of matrices."""

    def __init__(self, made: tuple[int, ...], n_given: int = 1, **options):
        super().__init__(**options)
        self.made, self.n_given = made, n_given

    def build(self, given_shape: tuple) -> None:
        """Make kernel and bias."""
        given = given_shape[-self.n_given :]
        self.sizes = math.prod(given), math.prod(self.made)
        largest = math.sqrt(6 / sum(self.sizes))  # Glorot's, of the matrix that it is
        drawn = keras.initializers.RandomUniform(-largest, largest)
        self.kernel = self.add_weight((*given, *self.made), drawn, name="kernel")
        self.bias = self.add_weight(self.made, "zeros", name="bias")

    def call(self, given):
        """Map (n, R, given) to (n, R, made)."""
        n, n_runs = ops.shape(given)[:2]
        flat = ops.reshape(given, (n * n_runs, self.sizes[0]))
        found = ops.matmul(flat, ops.reshape(self.kernel, self.sizes))
        return ops.reshape(found, (n, n_runs, *self.made)) + self.bias


@keras.saving.register_keras_serializable("kinetlib")
class RunAttention(layers.Layer):
    """Runs look at each other, those that are there: attention with several heads.

    The weights and the answer of `keras.layers.MultiHeadAttention`, in a third of its time on a
    processor: each projection is one product of matrices, not an Einstein sum.
    """

    def __init__(self, heads: int, size: int, **options):
        super().__init__(**options)
        self.heads, self.size = heads, size
        self.asked, self.shown, self.told = (
            Projection((heads, size), name=name) for name in ("query", "key", "value")
        )
        self.mixed = Projection((heads * size,), 2, name="attention_output")

    def build(self, tokens_shape: tuple, present_shape: tuple) -> None:
        """Build the projections."""
        for projection in (self.asked, self.shown, self.told):
            projection.build(tokens_shape)
        self.mixed.build((*tokens_shape[:2], self.heads, self.size))

    def call(self, tokens, present):
        """Mix tokens (n, R, heads x size), those that are present (n, R)."""
        query, key, value = (
            ops.transpose(projection(tokens), (0, 2, 1, 3))
            for projection in (self.asked, self.shown, self.told)
        )
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) / self.size**0.5
        scores = scores - 1e9 * (1 - ops.cast(present[:, None, None], scores.dtype))
        # A softmax; the function of that name warns of a run alone.
        weights = ops.exp(scores - ops.logsumexp(scores, -1, keepdims=True))
        return self.mixed(ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3)))

    def compute_output_shape(self, tokens_shape: tuple, present_shape: tuple) -> tuple:
        """Shape of what `call` returns."""
        return tokens_shape

    def get_config(self) -> dict:
        """Return what the layer is built from."""
        return {**super().get_config(), "heads": self.heads, "size": self.size}


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


@keras.saving.register_keras_serializable("kinetlib")
class Living(layers.Layer):
    """Say what share of the catalyst lives, from a run's points and all runs together."""

    def __init__(self, width: int, **options):
        super().__init__(**options)
        self.width = width
        self.point, self.run = layers.Dense(width, name="point"), layers.Dense(width, name="run")
        self.share = layers.Dense(1, activation="sigmoid", dtype="float32", name="share")

    def build(self, sequence_shape: tuple, token_shape: tuple) -> None:
        """Build the three linear maps."""
        self.point.build((None, sequence_shape[-1]))
        self.run.build((None, token_shape[-1]))
        self.share.build((None, self.width))

    def call(self, sequence, token):
        """Map points (n, R, T, w) and runs (n, R, d) to shares (n, R, T)."""
        n, n_runs, n_points, width = ops.shape(sequence)
        flat = self.point(ops.reshape(sequence, (n * n_runs * n_points, width)))
        both = ops.reshape(flat, (n, n_runs, n_points, self.width))
        hidden = ops.gelu(both + self.run(token)[:, :, None])
        return self.share(hidden)[..., 0]

    def compute_output_shape(self, sequence_shape: tuple, token_shape: tuple) -> tuple:
        """Shape of what `call` returns."""
        return sequence_shape[:3]

    def get_config(self) -> dict:
        """Return what the layer is built from."""
        return {**super().get_config(), "width": self.width}


def runset(
    n_classes: int, seen: str = "scaled", sizes: Sizes = USUAL, n_constants: int = 0
) -> keras.Model:
    """Build the network; inputs as `kinetlib.fusion.features.run_inputs` makes them.

    What it sees of a point are their channels (``"scaled"``), or rates and logarithms beside them
    (``"rates"``). Where it is to learn of so many rate constants of each class, the probabilities
    (``head``) come with these, (n, classes, constants), and with the share of living catalyst at
    each point (``living``).
    """
    points = keras.Input((None, None, len(POINT_CHANNELS)), name="points")
    pooling = keras.Input((None, None, 2), name="pooling")
    described = keras.Input((None, len(RUN_CHANNELS)), name="runs")
    present = keras.Input((None,), name="present")

    shown = points
    if seen == "rates":
        # Differences of concentrations need their digits, whatever the precision of the rest.
        exact = keras.config.dtype_policy().variable_dtype
        shown = Rates(name="rates", dtype=exact)(points)
    read, sequence = RunEncoder(sizes.width, name="encoder")(shown, pooling)
    both = layers.Concatenate(name="run")([read, described])
    token = layers.Dense(sizes.token, name="token")(both)
    for block in range(1, sizes.blocks + 1):
        token = _attend(token, present, sizes.heads, f"block_{block}")
    token = layers.LayerNormalization(name="normalised")(token)
    pooled = RunPooling(name="pooling_of_runs")(token, present)
    hidden = layers.Dense(2 * sizes.width, activation="gelu", name="hidden")(pooled)
    probabilities = layers.Dense(n_classes, activation="softmax", dtype="float32", name="head")(
        hidden
    )
    inputs = [points, pooling, described, present]
    if not n_constants:
        return keras.Model(inputs, probabilities, name="runset")
    constants = layers.Dense(n_classes * n_constants, dtype="float32", name="logarithms")(hidden)
    outputs = {
        "head": probabilities,
        "constants": layers.Reshape((n_classes, n_constants), name="constants")(constants),
        "living": Living(sizes.width, name="living")(sequence, token),
    }
    return keras.Model(inputs, outputs, name="runset")


def classifying(model: keras.Model) -> keras.Model:
    """Return the part of a network that classifies, with weights of its own."""
    said = model.output["head"] if isinstance(model.output, dict) else model.output
    bare = keras.Model(model.inputs, said, name=model.name)
    copy = keras.Model.from_config(bare.get_config())
    copy.set_weights(bare.get_weights())
    return copy


def _attend(token, present, heads: int, name: str):
    """Let runs look at each other, then each at itself; both add to what is there."""
    size = token.shape[-1]
    seen = layers.LayerNormalization(name=f"{name}_norm_1")(token)
    seen = RunAttention(heads, size // heads, name=f"{name}_attention")(seen, present)
    token = layers.Add(name=f"{name}_add_1")([token, seen])
    seen = layers.LayerNormalization(name=f"{name}_norm_2")(token)
    seen = layers.Dense(2 * size, activation="gelu", name=f"{name}_wide")(seen)
    seen = layers.Dense(size, name=f"{name}_narrow")(seen)
    return layers.Add(name=f"{name}_add_2")([token, seen])
