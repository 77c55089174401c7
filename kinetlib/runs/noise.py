"""The noise of measured runs: what it is, how it is added, and how it is told from curves alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

# What an instrument cannot tell from nothing, in units of the standard run's substrate.
FLOOR = 1e-3
#: Bounds between bins of estimated relative noise. The lowest is above what most exact curves show
#: for being curved; from 0.4 to 5 % a bin is about as wide as the estimate errs.
NOISE_BINS = (0.0012, 0.004, 0.009, 0.014, 0.02, 0.031, 0.042)
# Residuals beyond this many noise levels count as that many: an outlier, not noise.
_CLIP = 3.0
_MEDIAN = 0.6744897501960817  # of the absolute value of a standard normal variable


@dataclass(frozen=True)
class Noise:
    """Independent Gaussian noise: a share of the value, and a floor, added as squares.

    Attributes
    ----------
    relative
        Standard deviation relative to the exact value.
    floor
        Standard deviation of a value of zero, in units of the standard run's substrate.

    Raises
    ------
    ValueError
        A share or a floor that is not positive.
    """

    relative: float
    floor: float = FLOOR

    def __post_init__(self) -> None:
        """Check."""
        for name, value, what in (
            ("noise", self.relative, "share of the value"),
            ("floor", self.floor, "concentration"),
        ):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name}: expected a positive {what}, got {value!r}")

    def times(self, factor: float) -> Noise:
        """Return noise so many times as large."""
        return Noise(factor * self.relative, factor * self.floor)

    def variance(self, exact: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the variance about exact values, same shape."""
        return (self.relative * exact) ** 2 + self.floor**2

    def deviation(self, exact: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation about exact values, same shape."""
        return np.sqrt(self.variance(exact))

    def added(self, exact: NDArray[np.float64], rng: Generator) -> NDArray[np.float64]:
        """Return values as measured, same shape."""
        return exact + self.deviation(exact) * rng.standard_normal(exact.shape)

    def stabilised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values on the scale on which their noise is one, wherever they lie.

        The inverse of the standard deviation integrates to asinh.
        """
        return np.arcsinh(self.relative / self.floor * values) / self.relative


def noisy(
    exact: NDArray,
    time: NDArray,
    level: float | NDArray,
    rng: Generator,
    *,
    averaged: float | NDArray = 1.0,
    background: float | NDArray = 0.0,
) -> NDArray:
    """Add Gaussian noise to the concentrations of many samples.

    It has a share of the value and a part that is the same whatever the value, added as squares.

    Parameters
    ----------
    exact
        Shape (n, run, time), single or double precision.
    time
        Same shape. What was weighed in, at time 0, stays exact.
    level
        Standard deviation of one reading relative to the value, a number or one a sample (n,).
    rng
        Source of the noise.
    averaged
        Readings behind each point: their mean has less noise by the square root of their number.
    background
        Standard deviation of one reading of zero, a number or one a sample (n,).
    """
    level = np.broadcast_to(np.asarray(level, exact.dtype), len(exact))[:, None, None]
    spread = np.where(time > 0, level / np.sqrt(averaged), 0).astype(exact.dtype)
    drawn = rng.standard_normal(exact.shape, dtype=exact.dtype)
    if not np.any(background):
        return exact * (1 + spread * drawn)
    floor = np.broadcast_to(np.asarray(background, exact.dtype), len(exact))[:, None, None]
    floor = np.where(time > 0, floor / np.sqrt(averaged), 0).astype(exact.dtype)
    return exact + np.hypot(spread * exact, floor) * drawn


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
