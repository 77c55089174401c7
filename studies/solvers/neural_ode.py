"""A neural ordinary differential equation that tells two spirals apart.

A point of the plane gets further coordinates that begin at zero (Dupont, Doucet and Teh 2019) and
flows for one unit of time along a vector field, a small network (Chen et al. 2018). Where it
arrives, a linear read-out gives the log-odds of its class. diffrax solves the equation, JAX
differentiates through the solver, Adam of optax trains. The precision is that of JAX, single unless
``jax.enable_x64`` is on.
"""

from __future__ import annotations

from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import optax
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kinetlib.records import quiet

Weights = dict[str, Any]

EXTRA = 2  # coordinates beside those of the plane
WIDTH = 32  # of the two hidden layers
_LEARNING_RATE = 0.02  # at the beginning
_MAX_STEPS = 256  # of a point; training takes a dozen


def spirals(n: int, rng: Generator, *, noise: float = 0.03) -> tuple[NDArray, NDArray]:
    """Draw points on two spirals of one and a half turns, one the other turned by half a circle.

    Returns
    -------
    points
        Shape (n, 2), within about the unit circle.
    labels
        Shape (n,), 0 or 1 in turn.
    """
    labels = np.arange(n) % 2
    radius = np.sqrt(rng.uniform(0.02, 1.0, n))
    angle = 3.0 * np.pi * radius + np.pi * labels
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return points + rng.normal(0.0, noise, (n, 2)), labels


def init(rng: Generator) -> Weights:
    """Draw the weights of the vector field and of the read-out."""
    sizes = (2 + EXTRA, WIDTH, WIDTH, 2 + EXTRA)
    layers = [
        (rng.normal(0.0, inputs**-0.5, (inputs, outputs)), np.zeros(outputs))
        for inputs, outputs in zip(sizes, sizes[1:], strict=False)
    ]
    readout = rng.normal(0.0, sizes[-1] ** -0.5, sizes[-1])
    return jax.tree.map(jnp.asarray, {"layers": layers, "readout": readout, "bias": np.zeros(())})


def field(t: ArrayLike, state: jax.Array, weights: Weights) -> jax.Array:
    """Velocity of a point, shape (2 + EXTRA,); the same at all times."""
    *hidden, (matrix, shift) = weights["layers"]
    for weight, bias in hidden:
        state = jnp.tanh(state @ weight + bias)
    return state @ matrix + shift


def _flow(weights: Weights, points: ArrayLike, saveat: diffrax.SaveAt, rtol: float) -> jax.Array:
    """Let points of shape (n, 2) flow for one unit of time, each with steps of its own."""

    def one(point: jax.Array) -> jax.Array:
        return diffrax.diffeqsolve(
            diffrax.ODETerm(field),
            diffrax.Tsit5(),
            0.0,
            1.0,
            0.1,
            jnp.concatenate([point, jnp.zeros(EXTRA)]),
            args=weights,
            saveat=saveat,
            stepsize_controller=diffrax.PIDController(rtol=rtol, atol=0.1 * rtol),
            max_steps=_MAX_STEPS,
        ).ys

    return jax.vmap(one)(jnp.asarray(points, dtype=float))


def log_odds(weights: Weights, points: ArrayLike, *, rtol: float = 1e-3) -> jax.Array:
    """Log-odds that points belong to class 1.

    Parameters
    ----------
    weights
        Of `init` or `train`.
    points
        Shape (n, 2).
    rtol
        Relative tolerance of a step; the absolute one is a tenth of it.

    Returns
    -------
    jax.Array
        Shape (n,).
    """
    end = _flow(weights, points, diffrax.SaveAt(t1=True), rtol)[:, -1]
    return end @ weights["readout"] + weights["bias"]


def loss(
    weights: Weights, points: ArrayLike, labels: ArrayLike, *, rtol: float = 1e-3
) -> ArrayLike:
    """Mean cross-entropy of the classes, in nats."""
    odds = log_odds(weights, points, rtol=rtol)
    return optax.sigmoid_binary_cross_entropy(odds, jnp.asarray(labels, dtype=float)).mean()


@quiet.on_processor()
def train(
    weights: Weights, points: ArrayLike, labels: ArrayLike, steps: int
) -> tuple[Weights, NDArray]:
    """Train with Adam on all points at once, the learning rate falling as a cosine.

    Parameters
    ----------
    weights
        Where to begin.
    points, labels
        Shapes (n, 2) and (n,).
    steps
        Number of gradient steps.

    Returns
    -------
    weights
        The trained ones.
    losses
        Before each step, shape (steps,).
    """
    optimiser = optax.adam(optax.cosine_decay_schedule(_LEARNING_RATE, steps))

    @jax.jit
    def step(weights, state, points, labels):
        value, gradient = jax.value_and_grad(loss)(weights, points, labels)
        updates, state = optimiser.update(gradient, state)
        return optax.apply_updates(weights, updates), state, value

    state = optimiser.init(weights)
    losses = np.empty(steps)
    for number in range(steps):
        weights, state, losses[number] = step(weights, state, points, labels)
    return weights, losses


@quiet.on_processor()
def predict(weights: Weights, points: ArrayLike) -> NDArray:
    """Probability of class 1 for points of shape (n, 2), shape (n,)."""
    return np.asarray(jax.nn.sigmoid(jax.jit(log_odds)(weights, points)))


@quiet.on_processor()
def paths(weights: Weights, points: ArrayLike, times: ArrayLike, *, rtol: float = 1e-3) -> NDArray:
    """Where points are on their way.

    Parameters
    ----------
    weights, points, rtol
        As for `log_odds`.
    times
        When to look, shape (T,), rising, from 0 to 1.

    Returns
    -------
    NDArray
        Shape (n, T, 2 + EXTRA).
    """
    saveat = diffrax.SaveAt(ts=jnp.asarray(times, dtype=float))
    return np.asarray(jax.jit(lambda w, p: _flow(w, p, saveat, rtol))(weights, points))
