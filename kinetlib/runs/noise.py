"""How noisy measured runs are, told from their curves alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

#: Bounds between bins of estimated relative noise. The lowest is above what most exact curves show
#: for being curved; from 0.4 to 5 % a bin is about as wide as the estimate errs.
NOISE_BINS = (0.0012, 0.004, 0.009, 0.014, 0.02, 0.031, 0.042)
# Residuals beyond this many noise levels count as that many: an outlier, not noise.
_CLIP = 3.0
_MEDIAN = 0.6744897501960817  # of the absolute value of a standard normal variable


def estimate_noise(
    time: ArrayLike, substrate: ArrayLike, product: ArrayLike
) -> NDArray[np.float64]:
    """Estimate the relative noise of measured runs from the curves alone.

    Substrate and product may bend as they like, their sum hardly does: what it lacks is bound to
    catalyst. So each point's sum is compared with the straight line through its neighbours', and
    the residual with the one that noise of 1 would leave. The level is the root mean square over
    all runs, outliers clipped at three levels as their median sees them. The first point of a run
    was weighed in, not measured, and is left out. With six measured points in each of four runs it
    errs by a quarter, at random, and reads 3 to 5 % too low in the median.

    Parameters
    ----------
    time, substrate, product
        Shape (n, run, T), NaN where a run has no point; times rise.

    Returns
    -------
    NDArray
        Standard deviation relative to the value, shape (n,); NaN where no run has three measured
        neighbours beside the first. `numpy.digitize` by `NOISE_BINS` puts NaN with the noisiest.

    Raises
    ------
    ValueError
        Arrays of other shapes.
    """
    arrays = [np.asarray(a, dtype=float) for a in (time, substrate, product)]
    if arrays[0].ndim != 3 or len({a.shape for a in arrays}) > 1:
        raise ValueError(
            "time, substrate, product: expected one shape (n, run, T), got "
            + ", ".join(str(a.shape) for a in arrays)
        )
    t, s, p = (a[..., 1:] for a in arrays)
    both, variance = s + p, s**2 + p**2
    before, here, after = np.s_[..., :-2], np.s_[..., 1:-1], np.s_[..., 2:]
    # Where a time is measured thrice, or nothing is there, the quotient is no number and drops out.
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (t[after] - t[here]) / (t[after] - t[before])
        residual = both[here] - share * both[before] - (1 - share) * both[after]
        unit = variance[here] + share**2 * variance[before] + (1 - share) ** 2 * variance[after]
        scaled = np.abs(residual / np.sqrt(unit)).reshape(len(t), -1)
    return np.array([_scale(row[np.isfinite(row)]) for row in scaled])


def _scale(residuals: NDArray) -> float:
    """Return the standard deviation behind absolute residuals, mostly normal ones."""
    if not len(residuals):
        return math.nan
    rough = float(np.median(residuals)) / _MEDIAN
    return float(np.sqrt(np.mean(np.minimum(residuals, _CLIP * rough) ** 2)))


def noisy(exact: NDArray, level: float | NDArray, rng: Generator) -> NDArray:
    """Add relative Gaussian noise to concentrations.

    Parameters
    ----------
    exact
        Shape (n, run, time), single or double precision.
    level
        Standard deviation relative to the value, a number or one a sample (n,). The first point of
        a run was weighed in and stays exact.
    rng
        Source of the noise.
    """
    level = np.broadcast_to(np.asarray(level, dtype=exact.dtype), len(exact))[:, None, None]
    factor = 1.0 + level * rng.standard_normal(exact.shape, dtype=exact.dtype)
    factor[..., 0] = 1.0
    return exact * factor


# What an instrument cannot tell from nothing, in units of the standard run's substrate.
FLOOR = 1e-3


def noise_variance(
    values: NDArray[np.float64], noise: float, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Return the variance of the noise of some values, same shape."""
    return (noise * values) ** 2 + floor**2


def measured(
    values: NDArray[np.float64], noise: float, rng: Generator, *, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Return values with noise, same shape."""
    deviation = np.sqrt(noise_variance(values, noise, floor))
    return values + deviation * rng.standard_normal(values.shape)


def levelled(
    values: NDArray[np.float64], noise: float, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Stretch values so that the noise is one wherever a value lies: asinh(c y / d) / c."""
    return np.arcsinh(noise * values / floor) / noise
