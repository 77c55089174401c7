"""How good a design is, told without any label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, solve_triangular

from kinetlib.design import problem as given
from kinetlib.design.kernels import Kernel
from kinetlib.design.problem import Problem

_BLOCK = 2**23  # numbers held at a time


@dataclass(frozen=True)
class Quality:
    """Measures of a design S in a pool, K the kernel, s^2 the noise's variance.

    Attributes
    ----------
    min_distance
        Smallest distance between two members; infinite with one. The max-min design's measure.
    fill_distance
        Largest distance from a candidate to its nearest member.
    log_det
        log det(K_SS + s^2 I): D-optimality.
    mean_variance, max_variance
        Mean and largest posterior variance over the pool: I- and G-optimality.
    leverage
        [K_SS (K_SS + s^2 I)^-1]_ii of each member, shape (n,): 1 where a label is reproduced.
    effective_dimension
        Their sum: how many of the n labels count.
    condition
        Condition number of K_SS + s^2 I: whether training is feasible.
    mmd
        Maximum mean discrepancy between design and pool.
    """

    min_distance: float
    fill_distance: float
    log_det: float
    mean_variance: float
    max_variance: float
    leverage: NDArray[np.float64]
    effective_dimension: float
    condition: float
    mmd: float


def quality(pool: ArrayLike | Kernel, chosen: ArrayLike, *, noise: float = 1e-3) -> Quality:
    """Measure a design without labels.

    Parameters
    ----------
    pool
        As in `select`.
    chosen
        Positions of the members, each once, at least one.
    noise
        Standard deviation of what would be observed, in units of the square root of the kernel.

    Raises
    ------
    ValueError
        As `select`.

    Examples
    --------
    >>> quality([[0.0], [1.0], [3.0]], [0, 2]).fill_distance
    1.0
    """
    kernel = given.as_kernel(pool)
    chosen = given.positions(chosen, len(kernel), "chosen")
    n = given.count(len(chosen), len(kernel), 0)
    problem = Problem(kernel, n, given.noise_variance(noise), chosen)
    columns = kernel.columns(chosen)
    values, vectors = np.linalg.eigh(columns[chosen])
    values = np.maximum(values, 0.0)
    noisy = values + problem.variance
    with np.errstate(divide="ignore"):
        log_det = float(np.log(noisy).sum())
        condition = float(np.divide(noisy[-1], noisy[0]))
    ridged = values + problem.ridge
    leverage = vectors**2 @ (values / ridged)
    variances = _posterior_variances(kernel.diagonal(), columns, chosen, problem.ridge)
    nearest, apart = _distances(kernel, chosen)
    return Quality(
        min_distance=apart,
        fill_distance=nearest,
        log_det=log_det,
        mean_variance=float(variances.mean()),
        max_variance=float(variances.max()),
        leverage=leverage,
        effective_dimension=float(leverage.sum()),
        condition=condition,
        mmd=_discrepancy(kernel, columns, chosen),
    )


def _posterior_variances(
    prior: NDArray, columns: NDArray, chosen: NDArray[np.intp], ridge: float
) -> NDArray[np.float64]:
    """Return posterior variances over the pool, some candidates at a time, shape (N,)."""
    matrix = columns[chosen] + ridge * np.eye(len(chosen))
    factor = cholesky(matrix, lower=True)
    found = np.empty(len(prior))
    size = max(1, _BLOCK // len(chosen))
    for first in range(0, len(prior), size):
        part = slice(first, first + size)
        whitened = solve_triangular(factor, columns[part].T, lower=True)
        found[part] = prior[part] - np.einsum("ij,ij->j", whitened, whitened)
    return np.maximum(found, 0.0)


def _distances(kernel: Kernel, chosen: NDArray[np.intp]) -> tuple[float, float]:
    """Return fill distance and smallest distance between members."""
    nearest, apart = np.full(len(kernel), np.inf), np.inf
    for place, candidate in enumerate(chosen):
        found = kernel.squared_distances(int(candidate))
        nearest = np.minimum(nearest, found)
        apart = min(apart, found[chosen[:place]].min(initial=np.inf))
    return float(np.sqrt(nearest.max())), float(np.sqrt(apart))


def _discrepancy(kernel: Kernel, columns: NDArray, chosen: NDArray[np.intp]) -> float:
    mean = kernel.mean()
    squared = mean.mean() - 2.0 * mean[chosen].mean() + columns[chosen].mean()
    return float(np.sqrt(max(squared, 0.0)))
