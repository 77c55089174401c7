"""The published way to train a chemical reaction neural network, as a baseline.

After Ji, Deng, J. Phys. Chem. A 125, 1082 (2021) and the code they published (case 1): orders are
the taken part of the stoichiometry itself, ``w_in = clamp(-w_out, 0, max_order)``, so one matrix
serves both; constants start at e^-10 and weights near 0; one run an update, by Adam; the loss is
the mean absolute error of each species over its range. A hinge on the total order of a reaction may
be added. Theirs solves by an explicit adaptive method at a relative tolerance of 1e-2; here it is
the classical Runge-Kutta method with a number of steps between two points, whose error is smaller,
and whose gradient is exact: the steps are differentiated backwards.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numba import njit
from numpy.random import default_rng
from numpy.typing import ArrayLike, NDArray

from kinetlib.crnn.runs import Curves, read

START = -10.0  # logarithm that constants start near
SPREAD = 0.1  # standard deviation of all weights about their start
RATE = 1e-3  # of Adam
DECAY = 1e-8  # of the weights
_MOMENTS = (0.9, 0.999)
_LOWEST, _HIGHEST = 1e-5, 10.0  # concentrations are clamped to before their logarithm is taken


@dataclass(frozen=True)
class Trained:
    """A network trained by the published recipe: R reactions among S species.

    Attributes
    ----------
    species
        Names, length S.
    w_in
        Reaction orders, real numbers, shape (R, S).
    w_out
        Net stoichiometry, real numbers, shape (R, S).
    log_constants
        Shape (R,).
    start
        What the logarithms of the constants were before training, shape (R,).
    losses
        Mean loss of the updates of each epoch, hinge included, shape (epochs,).
    skipped
        Updates left out because the trajectory or its gradient was not finite.
    scale
        What the loss divides each species by, shape (S,).
    """

    species: tuple[str, ...]
    w_in: NDArray[np.float64]
    w_out: NDArray[np.float64]
    log_constants: NDArray[np.float64]
    start: NDArray[np.float64]
    losses: NDArray[np.float64]
    skipped: int
    scale: NDArray[np.float64]

    def simulate(
        self, initial: ArrayLike, times: ArrayLike, *, substeps: int = 4
    ) -> NDArray[np.float64]:
        """Simulate from time 0: initial (n, S) and times (T,) or (n, T) to shape (n, T, S)."""
        initial = np.asarray(initial, dtype=float)
        times = np.array(np.broadcast_to(times, (len(initial), np.shape(times)[-1])), dtype=float)
        weights = (self.w_in, self.w_out, self.log_constants)
        runs = zip(initial, times, strict=True)
        return np.stack([_forward(*weights, c, t, substeps)[:, -1] for c, t in runs])

    def error(self, runs: xr.Dataset) -> float:
        """Mean absolute error over other runs, each species over its range in training."""
        curves = read(runs)
        value = self.simulate(curves.initial, curves.time)
        return float(np.nanmean(np.abs(value - curves.value) / self.scale))

    def pruned(self, threshold: float = 0.01) -> Trained:
        """Return the network without its smallest weights, as published: no fit follows."""
        w_out = np.where(np.abs(self.w_out) < threshold, 0.0, self.w_out)
        w_in = np.where(self.w_in < threshold, 0.0, self.w_in)
        return replace(self, w_in=w_in, w_out=w_out)


def train(
    runs: xr.Dataset,
    n_reactions: int,
    *,
    max_order: float = 2.5,
    hinge: float | None = None,
    steps: int = 70_000,
    substeps: int = 1,
    seed: int = 0,
) -> Trained:
    """Train a network by the published recipe.

    Parameters
    ----------
    runs
        As `kinetlib.crnn.discover` takes them: ``concentration`` (run, time, species), ``time``,
        and ``initial`` or a first point that stands for it.
    n_reactions
        Number of reactions, at least 1.
    max_order
        Largest order in one species; 2.5 is published.
    hinge
        Total order of a reaction beyond which the loss rises by one for each order more; None for
        no such term, as published.
    steps
        Updates, one run each, whole epochs; some 7e4 bring case 1 to its noise.
    substeps
        Runge-Kutta steps between two points of a run, at least 1.
    seed
        Of the initial weights and of the order of the runs.

    Raises
    ------
    ValueError
        As `kinetlib.crnn.runs.read`; a number that is too small.
    """
    for name, value in (("n_reactions", n_reactions), ("steps", steps), ("substeps", substeps)):
        if value < 1:
            raise ValueError(f"{name}: expected at least 1, got {value!r}")
    curves = read(runs)
    rng = default_rng(seed)
    n_runs, n_species = len(curves.initial), len(curves.species)
    scale = _range(curves)
    weights = SPREAD * rng.standard_normal((n_reactions, n_species + 1))
    weights[:, -1] += START
    start = weights[:, -1].copy()
    moments, losses, update, skipped = np.zeros((2, *weights.shape)), [], 0, 0
    limit = np.inf if hinge is None else float(hinge)
    while update < steps:
        total = 0.0
        for i in rng.permutation(n_runs):
            update += 1
            loss, gradient = _loss_and_gradient(
                weights, curves.initial[i], curves.time[i], curves.value[i], scale, substeps,
                float(max_order), limit,
            )  # fmt: skip
            total += loss
            if np.isfinite(gradient).all():
                weights = weights - _adam(moments, gradient, update) - DECAY * weights
            else:
                skipped += 1
        losses.append(total / n_runs)
    w_out = weights[:, :-1]
    w_in = np.clip(-w_out, 0.0, max_order)
    return Trained(
        curves.species, w_in, w_out, weights[:, -1], start, np.array(losses), skipped, scale
    )


def _range(curves: Curves) -> NDArray[np.float64]:
    """Largest range of each species in one run, as published, shape (S,)."""
    span = np.nanmax(curves.value, axis=1) - np.nanmin(curves.value, axis=1)
    return np.nanmax(span, axis=0) + _LOWEST


def _adam(moments: NDArray, gradient: NDArray, update: int) -> NDArray[np.float64]:
    """Return the step of Adam; `moments` are brought up to date."""
    for moment, decay, power in zip(moments, _MOMENTS, (1, 2), strict=True):
        moment *= decay
        moment += (1 - decay) * gradient**power
    first, second = (m / (1 - d**update) for m, d in zip(moments, _MOMENTS, strict=True))
    return RATE * first / (np.sqrt(second) + 1e-8)


@njit(cache=True)
def _rates(w_in, log_constants, c):
    """Logarithms of the clamped concentrations (S,) and rates (R,)."""
    logs = np.log(np.minimum(np.maximum(c, _LOWEST), _HIGHEST))
    rates = np.empty(len(log_constants))
    for r in range(len(log_constants)):
        exponent = log_constants[r]
        for j in range(len(c)):
            exponent += w_in[r, j] * logs[j]
        rates[r] = np.exp(exponent)
    return logs, rates


@njit(cache=True)
def _slope(w_in, w_out, log_constants, c):
    _, rates = _rates(w_in, log_constants, c)
    slope = np.zeros(len(c))
    for r in range(len(rates)):
        for j in range(len(c)):
            slope[j] += w_out[r, j] * rates[r]
    return slope


@njit(cache=True)
def _forward(w_in, w_out, log_constants, initial, times, substeps):
    """Concentrations after each small step, shape (T, substeps, S); the last one is the output."""
    states = np.empty((len(times), substeps, len(initial)))
    c, before = initial.copy(), 0.0
    for t in range(len(times)):
        h = (times[t] - before) / substeps
        before = times[t]
        for s in range(substeps):
            k1 = _slope(w_in, w_out, log_constants, c)
            k2 = _slope(w_in, w_out, log_constants, c + 0.5 * h * k1)
            k3 = _slope(w_in, w_out, log_constants, c + 0.5 * h * k2)
            k4 = _slope(w_in, w_out, log_constants, c + h * k3)
            c = c + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            states[t, s] = c
    return states


@njit(cache=True)
def _pull_back(w_in, w_out, log_constants, c, bar, by_in, by_out, by_log):
    """Add what a slope's adjoint `bar` means for the weights, and return it for `c`."""
    logs, rates = _rates(w_in, log_constants, c)
    back = np.zeros(len(c))
    for r in range(len(rates)):
        share = 0.0
        for j in range(len(c)):
            share += w_out[r, j] * bar[j]
            by_out[r, j] += bar[j] * rates[r]
        share *= rates[r]
        by_log[r] += share
        for j in range(len(c)):
            by_in[r, j] += share * logs[j]
            if _LOWEST < c[j] < _HIGHEST:
                back[j] += share * w_in[r, j] / c[j]
    return back


@njit(cache=True)
def _loss_and_gradient(weights, initial, times, data, scale, substeps, max_order, hinge):
    """Loss of one run, and its gradient by the weights (R, S + 1), the last column ln k."""
    n_reactions, n_species = weights.shape[0], weights.shape[1] - 1
    w_out, log_constants = weights[:, :-1].copy(), weights[:, -1].copy()
    w_in = np.minimum(np.maximum(-w_out, 0.0), max_order)
    states = _forward(w_in, w_out, log_constants, initial, times, substeps)
    n_values = np.isfinite(data).sum()
    loss = 0.0
    by_in, by_out = np.zeros_like(w_in), np.zeros_like(w_in)
    by_log = np.zeros(n_reactions)
    bar = np.zeros(n_species)
    for t in range(len(times) - 1, -1, -1):
        for j in range(n_species):
            if np.isfinite(data[t, j]):
                gap = states[t, substeps - 1, j] - data[t, j]
                loss += abs(gap) / scale[j] / n_values
                bar[j] += np.sign(gap) / scale[j] / n_values
        h = (times[t] - (times[t - 1] if t > 0 else 0.0)) / substeps
        for s in range(substeps - 1, -1, -1):
            if s > 0:
                c = states[t, s - 1]
            elif t > 0:
                c = states[t - 1, substeps - 1]
            else:
                c = initial
            c2 = c + 0.5 * h * _slope(w_in, w_out, log_constants, c)
            c3 = c + 0.5 * h * _slope(w_in, w_out, log_constants, c2)
            c4 = c + h * _slope(w_in, w_out, log_constants, c3)
            b4 = _pull_back(w_in, w_out, log_constants, c4, h / 6 * bar, by_in, by_out, by_log)
            b3 = _pull_back(
                w_in, w_out, log_constants, c3, h / 3 * bar + h * b4, by_in, by_out, by_log
            )
            b2 = _pull_back(
                w_in, w_out, log_constants, c2, h / 3 * bar + h / 2 * b3, by_in, by_out, by_log
            )
            b1 = _pull_back(
                w_in, w_out, log_constants, c, h / 6 * bar + h / 2 * b2, by_in, by_out, by_log
            )
            bar = bar + b1 + b2 + b3 + b4
    gradient = np.empty_like(weights)
    gradient[:, -1] = by_log
    for r in range(n_reactions):
        excess = w_in[r].sum() - hinge
        loss += max(excess, 0.0)
        for j in range(n_species):
            own = by_in[r, j] + (1.0 if excess > 0 else 0.0)
            shared = 0.0 < -w_out[r, j] < max_order
            gradient[r, j] = by_out[r, j] - (own if shared else 0.0)
    return loss, gradient
