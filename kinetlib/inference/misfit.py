"""Whether a mechanism explains the runs at all, whatever its constants.

Three looks at what the best fit leaves. *Size*: the residuals against a noise that owes nothing to
the mechanism. Where substrate and product were both measured it is told by their sum, in which a
misfit of the one takes back that of the other; else by differences of neighbours, in which a smooth
misfit is small. *Signs*: neighbours on one side of the curve too often. *Replicas*: neighbours more
alike than in runs simulated with constants and noise from the posterior.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import binom
from scipy.stats import f as fisher

from kinetlib.inference.problem import Problem
from kinetlib.kinetics.mechanisms import PRODUCT, SUBSTRATE

_ROUNDED = 0.5  # of the step of a column: noise below it is lost in rounding, replicates are alike
_RARE = 0.01  # probability of a look below which the mechanism does not explain the runs
_REPLICAS = 300
# Noise below this share of the value is none: such runs were simulated, and what is left is what
# the integrators of both sides and the digits of the file leave.
_SIMULATED = 1e-4


@dataclass(frozen=True)
class Misfit:
    """How well the best fit does.

    Attributes
    ----------
    chi_squared
        Mean square of the residuals over the noise that owes nothing to the mechanism; about 1
        where it explains the runs, NaN where no such noise can be told.
    size, signs, replicas
        Probability of residuals as bad, by each look; 1 where nothing can be told.
    """

    chi_squared: float
    size: float
    signs: float
    replicas: float

    @property
    def explains(self) -> bool:
        """Whether none of the looks sees a misfit."""
        return min(self.size, self.signs, self.replicas) >= _RARE

    def sentence(self, mechanism: str) -> str:
        """Say plainly what was found."""
        if self.explains:
            return f"{mechanism} explains the runs: what it leaves looks like noise."
        seen = []
        if self.size < _RARE:
            seen.append(f"residuals are {np.sqrt(self.chi_squared):.1f} times the noise")
        if self.signs < _RARE or self.replicas < _RARE:
            seen.append("neighbouring points lie on one side of the curve too often")
        return (
            f"{mechanism} does not explain the runs: {' and '.join(seen)}. Do not read its "
            "constants; something else takes part, or a column or a start is not what it seems."
        )


def misfit(
    problem: Problem,
    best: NDArray[np.float64],
    draws: NDArray[np.float64],
    rng: Generator,
) -> Misfit:
    """Look at what the best fit leaves.

    Parameters
    ----------
    problem
        What was fitted, its noise that of the best fit.
    best, draws
        Coordinates of the best fit (D,), and draws from the posterior (n, D).
    rng
        Source of the replicas.
    """
    noise = problem.noise
    if (noise.relative + noise.absolute / problem.marginal.largest).max() < _SIMULATED:
        return Misfit(1.0, 1.0, 1.0, 1.0)
    residuals = in_deviations(problem, problem.curves(best[None]), problem.values)[0]
    free = len(best)
    chi_squared, size = _size(problem, residuals, free)
    signs = _signs(residuals)
    return Misfit(chi_squared, size, signs, _replicas(problem, draws, rng))


def in_deviations(
    problem: Problem, curves: NDArray[np.float64], values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return residuals in deviations, (n, V) to (n, R, T, C).

    NaN where nothing was measured, or so little that its rounding decides.
    """
    relative = problem.noise.relative[problem.column]
    absolute = problem.noise.absolute[problem.column]
    off = (values - curves) * np.sqrt(problem.readings)
    off /= np.sqrt((relative * curves) ** 2 + absolute**2)
    found = np.full((len(curves), *problem.data.values.shape), np.nan)
    found[:, np.isfinite(problem.data.values)] = off
    noise = problem.noise.relative * np.abs(problem.data.values)
    found[:, noise < _ROUNDED * problem.data.steps] = np.nan
    return found


def _size(problem: Problem, residuals: NDArray[np.float64], free: int) -> tuple[float, float]:
    n = int(np.isfinite(residuals).sum())
    if n <= free:
        return np.nan, 1.0
    mean_square = np.nansum(residuals**2) / (n - free)
    pair = _substrate_and_product(problem)
    if pair is not None:
        reference, freedom = _by_sum(problem, residuals, pair)
    else:
        change = np.diff(residuals, axis=1)
        freedom = 2 / 3 * np.isfinite(change).sum()
        reference = np.nanmean(change**2) / 2 if freedom else np.nan
    if not freedom >= 3 or not reference > 0:
        return np.nan, 1.0
    ratio = float(mean_square / reference)
    return ratio, float(fisher.sf(ratio, n - free, freedom))


def _substrate_and_product(problem: Problem) -> tuple[int, int] | None:
    shows = [dict(one) for one in problem.data.shows]
    wanted = ({SUBSTRATE: 1.0}, {PRODUCT: 1.0})
    if problem.layout.scales or any(one not in shows for one in wanted):
        return None
    return shows.index(wanted[0]), shows.index(wanted[1])


def _by_sum(
    problem: Problem, residuals: NDArray[np.float64], pair: tuple[int, int]
) -> tuple[float, float]:
    """Return the mean square of what the sum of two columns leaves, and its degrees of freedom."""
    where = np.isfinite(problem.data.values)
    deviation = np.full(where.shape, np.nan)
    relative = problem.noise.relative[problem.column]
    absolute = problem.noise.absolute[problem.column]
    deviation[where] = np.sqrt((relative * problem.values) ** 2 + absolute**2)
    deviation[where] /= np.sqrt(problem.readings)
    one, other = (residuals[..., at] * deviation[..., at] for at in pair)
    total = np.hypot(deviation[..., pair[0]], deviation[..., pair[1]])
    square = ((one + other) / total) ** 2
    known = np.isfinite(square)
    return (float(square[known].mean()), float(known.sum())) if known.any() else (np.nan, 0.0)


def _signs(residuals: NDArray[np.float64]) -> float:
    """Return the probability of as few changes of sign between neighbours."""
    product = residuals[:, 1:] * residuals[:, :-1]
    known = np.isfinite(product)
    if known.sum() < 5:
        return 1.0
    return float(binom.cdf((product[known] < 0).sum(), known.sum(), 0.5))


def _replicas(problem: Problem, draws: NDArray[np.float64], rng: Generator) -> float:
    """Return the share of replicas whose neighbours are as much alike as those of the data."""
    chosen = draws[rng.integers(len(draws), size=_REPLICAS)]
    curves = problem.curves(chosen)
    curves = curves[np.isfinite(curves).all(1)]
    level = problem.marginal.drawn(curves, rng)
    relative, absolute = level.relative[:, problem.column], level.absolute[:, problem.column]
    deviation = np.sqrt((relative * curves) ** 2 + absolute**2) / np.sqrt(problem.readings)
    replica = curves + deviation * rng.standard_normal(curves.shape)
    seen, made = (
        _alike(in_deviations(problem, curves, values)) for values in (problem.values, replica)
    )
    known = np.isfinite(seen) & np.isfinite(made)
    if not known.any():
        return 1.0
    return float((1 + (made[known] >= seen[known]).sum()) / (1 + known.sum()))


def _alike(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much neighbours are alike, shape (n, R, T, C) to (n,)."""
    product = residuals[:, :, 1:] * residuals[:, :, :-1]
    with np.errstate(invalid="ignore"):
        return np.nansum(product, (1, 2, 3)) / np.nansum(residuals**2, (1, 2, 3))
