"""Pareto-smoothed importance weights: the check of a weighted sample, and its mend.

The largest weights are replaced by the expected order statistics of the generalised Pareto
distribution fitted to them; its shape k tells whether they can be trusted (Vehtari, Simpson,
Gelman, Yao, Gabry, J. Mach. Learn. Res. 25, 72, 2024). The fit is the profile posterior mean of
Zhang and Stephens (Technometrics 51, 316, 2009), drawn to 0.5 by ten observations, as there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_FEWEST = 5  # weights of a tail


def smoothed(log_weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Smooth the tail of importance weights.

    Parameters
    ----------
    log_weights
        Logarithms, shape (n,), in any unit.

    Returns
    -------
    log_weights
        Smoothed, no larger than the largest given.
    k
        Shape of the tail; up to 0.7 estimates are reliable. Infinite with too few weights to tell.
    """
    n = len(log_weights)
    length = int(min(np.ceil(0.2 * n), np.ceil(3 * np.sqrt(n))))
    if length < _FEWEST or n <= length:
        return log_weights, np.inf
    largest = log_weights.max()
    order = np.argsort(log_weights)
    tail = order[n - length :]
    cut = log_weights[order[n - length - 1]] - largest
    excess = np.exp(log_weights[tail] - largest) - np.exp(cut)
    if excess[-1] <= 0:
        return log_weights, -np.inf  # all of the tail is one size
    k, scale = pareto(excess)
    places = (np.arange(length) + 0.5) / length
    quantiles = (
        -scale * np.log1p(-places)
        if abs(k) < 1e-9
        else scale * np.expm1(-k * np.log1p(-places)) / k
    )
    result = log_weights.copy()
    result[tail] = np.minimum(np.log(quantiles + np.exp(cut)), 0.0) + largest
    return result, k


def pareto(excess: NDArray[np.float64]) -> tuple[float, float]:
    """Fit the generalised Pareto distribution to rising values from 0 on: shape k and scale."""
    n = len(excess)
    excess = np.maximum(excess, 1e-300)
    m = 30 + int(np.sqrt(n))
    quartile = excess[max(int(n / 4 + 0.5) - 1, 0)]
    grid = (1 - np.sqrt(m / (np.arange(1, m + 1) - 0.5))) / (3 * quartile) + 1 / excess[-1]
    shape = np.log1p(-grid[:, None] * excess).mean(1)
    log_density = n * (np.log(-grid / shape) - shape - 1)
    weight = np.exp(log_density - log_density.max())
    chosen = float((weight * grid).sum() / weight.sum())
    k = float(np.log1p(-chosen * excess).mean())
    scale = -k / chosen
    return (n * k + 10 * 0.5) / (n + 10), scale
