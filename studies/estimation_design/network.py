"""A network that reads rate constants off an experiment: a likelihood-free estimator.

A small dense network sees all values of an experiment, on the scale where their noise is one, and
answers with a mean and a variance for each coordinate ln(k h). It is trained on draws from the
prior with fresh noise in every pass; the density of a normal distribution is its score, so that
where the data do not tell it returns the prior's mean and spread. So experiments are judged by what
a network makes of them, with neither likelihood nor sensitivities (Siddiqui, Rahmim, Haber, Deep
optimal experimental design for parameter estimation problems, arXiv 2406.14003, 2024).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.records import quiet

with quiet.native_logs():
    import keras  # loads its backend, which writes to the terminal
    from keras import ops

from kinetlib.runs.noise import Noise

WIDTH = 128  # of the two hidden layers
BATCH = 256
_LEARNING_RATE = 2e-3  # at the beginning; a cosine brings it to nothing
_LEAST, _MOST = -12.0, 4.0  # of the logarithm of a variance, in units of the prior's


@dataclass(frozen=True)
class Estimator:
    """A trained network, for one experiment.

    ``network``; ``level`` and ``coordinates``, mean and standard deviation that its inputs and
    answers are counted from, shapes (2, values) and (2, p); ``noise`` that it was trained for.
    """

    network: keras.Model
    level: NDArray[np.float64]
    coordinates: NDArray[np.float64]
    noise: Noise

    def estimate(self, data: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray]:
        """Return mean and standard deviation, (n, p) each, for data (n, r, m, 2)."""
        seen = _inputs(data, self.noise, self.level)
        with quiet.tensorflow_warnings():  # of a function compiled for each network anew
            answer = self.network.predict(seen, batch_size=4096, verbose=0)
        mean, log_variance = np.split(np.asarray(answer, dtype=np.float64), 2, axis=1)
        centre, scale = self.coordinates
        variance = np.exp(np.clip(log_variance, _LEAST, _MOST))
        return centre + scale * mean, scale * np.sqrt(variance)


def train(
    values: NDArray[np.float64],
    x: NDArray[np.float64],
    rng: Generator,
    *,
    noise: Noise,
    passes: int = 40,
) -> Estimator:
    """Train an estimator for one experiment.

    Parameters
    ----------
    values
        What the experiment would show without noise, shape (n, r, m, 2).
    x
        Coordinates of the draws, shape (n, p).
    rng
        Source of noise, of the order of the draws, and of the network's first weights.
    noise
        Of the measured values.
    passes
        Passes over the draws.
    """
    if len(values) != len(x):
        raise ValueError(
            f"expected values and coordinates of the same draws, got {len(values)} and {len(x)}"
        )
    flat = noise.stabilised(noise.added(values, rng)).reshape(len(x), -1)
    level = np.stack([flat.mean(0), flat.std(0) + 1.0])
    coordinates = np.stack([x.mean(0), x.std(0)])
    network = _network(flat.shape[1], x.shape[1], rng)
    target = ((x - coordinates[0]) / coordinates[1]).astype(np.float32)

    def fresh(rows: NDArray) -> tuple[NDArray, NDArray]:
        data = noise.added(values[rows], rng)
        return _inputs(data, noise, level), target[rows]

    orders = np.concatenate([rng.permutation(len(x)) for _ in range(passes)])
    batches = _Batches(np.array_split(orders, max(1, len(orders) // BATCH)), fresh)
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, len(batches))
    network.compile(keras.optimizers.Adam(rate), loss=surprise)
    with quiet.tensorflow_warnings():
        network.fit(batches, shuffle=False, verbose=0)
    return Estimator(network, level, coordinates, noise)


class _Batches(keras.utils.PyDataset):
    """Batches of draws, each with noise of its own."""

    def __init__(self, rows: list[NDArray], fresh: Callable[[NDArray], tuple]) -> None:
        super().__init__()
        self._rows, self._fresh = rows, fresh

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> tuple[NDArray, NDArray]:
        return self._fresh(self._rows[number])


def surprise(target: keras.KerasTensor, answer: keras.KerasTensor) -> keras.KerasTensor:
    """Minus the log-density of the target, but for a constant: the score of mean and variance."""
    mean, log_variance = ops.split(answer, 2, axis=-1)
    log_variance = ops.clip(log_variance, _LEAST, _MOST)
    squares = ops.square(target - mean) * ops.exp(-log_variance)
    return ops.mean(squares + log_variance, axis=-1) / 2


def _network(n_values: int, p: int, rng: Generator) -> keras.Model:
    def dense(width: int, activation: str | None) -> keras.layers.Layer:
        start = keras.initializers.GlorotUniform(seed=int(rng.integers(2**31)))
        return keras.layers.Dense(width, activation=activation, kernel_initializer=start)

    layers = [dense(WIDTH, "gelu"), dense(WIDTH, "gelu"), dense(2 * p, None)]
    return keras.Sequential([keras.Input((n_values,)), *layers])


def _inputs(data: NDArray, noise: Noise, level: NDArray) -> NDArray[np.float32]:
    flat = noise.stabilised(data).reshape(len(data), -1)
    return ((flat - level[0]) / level[1]).astype(np.float32)
