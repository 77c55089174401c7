"""Variable time normalisation: the orders with which all runs lie on one rising curve.

The extent is plotted against the transformed time, the integral of the product of c^order (Bures,
Angew. Chem. Int. Ed. 2016, 55, 16084). With the right orders the runs overlay, whatever the curve:
of what is the same function of the extent in every run no order is needed, and none is told. The
common curve is a spline that rises from zero, fitted anew at each trial of orders; all orders are
optimised together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline
from scipy.optimize import least_squares, nnls
from scipy.stats import f as fisher

from kinetlib.inference.courses import Courses
from kinetlib.inference.telling import Vector, covariance, slopes, together, untold

LOWEST, HIGHEST = -2.5, 4.0  # orders
_DEGREE = 3
_KNOTS = 6  # of the common curve inside, at most
_EACH = 5  # rows a knot, at least


@dataclass(frozen=True)
class Overlay:
    """The best overlay.

    Attributes
    ----------
    species
        Whose orders transform the time, length S.
    x, covariance
        Orders, shape (S,), and their covariance.
    freedom
        Degrees of freedom that were left for the noise.
    why_not
        By species, why it has no order here.
    time, curve
        Transformed time, and height of the common curve, at every row, shape (N,).
    score
        Root mean square distance of rows from the common curve, relative to the largest extent.
    apart
        The same with a curve for each run, so without any demand that they overlay; NaN where runs
        have too few rows to tell.
    probability
        That noise alone makes the common curve so much worse than the curves of each run.
    """

    species: tuple[str, ...]
    x: Vector
    covariance: Vector
    freedom: int
    why_not: dict[str, str]
    time: Vector
    curve: Vector
    score: float
    apart: float
    probability: float


def rising(time: Vector, extent: Vector, knots: int) -> tuple[Vector, NDArray[np.int64], Vector]:
    """Fit a curve that starts at zero and never falls.

    Parameters
    ----------
    time, extent
        Shape (V,), times above 0.
    knots
        Inside, at even shares of the points.

    Returns
    -------
    curve
        Its height at the points, shape (V,).
    used, basis
        Which of its parts, each a step that rises smoothly from 0 to 1, the curve needs, and these,
        shape (V, used).
    """
    end = time.max() * (1 + 1e-9)
    inside = np.quantile(time, np.arange(1, knots + 1) / (knots + 1))
    edges = np.concatenate([np.zeros(_DEGREE + 1), inside, np.full(_DEGREE + 1, end)])
    parts = BSpline.design_matrix(time, edges, _DEGREE).toarray()
    steps = np.cumsum(parts[:, ::-1], axis=1)[:, -2::-1]
    q, r = np.linalg.qr(steps)
    height, _ = nnls(r, q.T @ extent)
    used = np.flatnonzero(height > 0)
    return steps @ height, used, steps[:, used]


def overlay(data: Courses, chosen: list[int], starts: list[dict[str, float]]) -> Overlay:
    """Find the orders with which the runs overlay.

    Parameters
    ----------
    data
        Runs.
    chosen
        Numbers of the species whose orders are wanted.
    starts
        Orders by species to start from, beside all of first order.

    Returns
    -------
    Overlay
        With the covariance of `kinetlib.inference.telling.covariance`, the common curve fitted
        along. A species whose order the overlay does not tell is left out.
    """
    names = data.species
    varies = data.varies()
    why_not = {names[one]: "it is the same in all runs" for one in chosen if not varies[one]}
    chosen = [one for one in chosen if varies[one]]
    fits = _Fits(data)
    while True:
        x = fits.best(chosen, starts)
        slope = slopes(lambda x, of=fits.bound(chosen): of(x), x)
        lost = untold(slope, 1.0)
        if not lost:
            break
        lost_names = [names[chosen[one]] for one in lost]
        alone = "runs that reached the same extent hardly differ in it"
        why_not |= dict.fromkeys(
            lost_names, alone if len(lost) == 1 else together(sorted(lost_names))
        )
        chosen = [one for one in chosen if one != chosen[lost[0]]]
    return fits.told(chosen, x, slope, why_not)


class _Fits:
    """Overlays of the same runs by any orders."""

    def __init__(self, data: Courses) -> None:
        self.data = data
        self.logs = data.logarithms()
        rows = data.scored
        self.logs -= self.logs[rows].mean((0, 1))
        self.extent = data.extent[rows] / data.range
        self.run = data.run[rows]
        self.knots = int(np.clip(len(self.extent) // _EACH - _DEGREE, 0, _KNOTS))

    def time(self, chosen: list[int], orders: Vector) -> Vector:
        return self.data.transformed(self.logs[..., chosen], orders)

    def bound(self, chosen: list[int]):
        def residuals(orders: Vector) -> Vector:
            time = self.time(chosen, orders)[self.data.scored]
            return self.extent - rising(time, self.extent, self.knots)[0]

        return residuals

    def best(self, chosen: list[int], starts: list[dict[str, float]]) -> Vector:
        residuals = self.bound(chosen)
        if not chosen:
            return np.zeros(0)
        names = [self.data.species[one] for one in chosen]
        begun = [[start.get(name, 0.0) for name in names] for start in starts]
        begun += [[1.0] * len(chosen)]
        fits = [
            least_squares(
                residuals,
                np.clip(x, LOWEST + 0.01, HIGHEST - 0.01),
                bounds=(LOWEST, HIGHEST),
                jac=lambda x: slopes(residuals, x),
                max_nfev=40,
                xtol=1e-5,
                ftol=1e-6,
            )
            for x in begun
        ]
        return min(fits, key=lambda one: one.cost).x

    def told(
        self, chosen: list[int], x: Vector, slope: Vector, why_not: dict[str, str]
    ) -> Overlay:
        data = self.data
        time = self.time(chosen, x)
        curve, _, basis = rising(time[data.scored], self.extent, self.knots)
        left = self.extent - curve
        both = np.column_stack([slope, basis])
        spread = covariance(both, left, self.run)[: len(x), : len(x)]
        freedom = len(left) - both.shape[1]
        apart, probability = self._apart(time[data.scored], left, freedom)
        height = np.zeros(len(time))
        height[data.scored] = curve * data.range
        return Overlay(
            tuple(data.species[one] for one in chosen),
            x,
            spread,
            freedom,
            why_not,
            time,
            height,
            float(np.sqrt(np.mean(left**2))),
            apart,
            probability,
        )

    def _apart(self, time: Vector, left: Vector, freedom: int) -> tuple[float, float]:
        """Compare the common curve with a curve for each run."""
        square, free = 0.0, 0
        for run in range(len(self.data.runs)):
            rows = self.run == run
            knots = int(np.clip(rows.sum() // _EACH - _DEGREE, 0, _KNOTS))
            curve, used, _ = rising(time[rows], self.extent[rows], knots)
            square += float(((self.extent[rows] - curve) ** 2).sum())
            free += int(rows.sum()) - len(used)
        between = freedom - free
        if free < 3 or between < 1 or square <= 0:
            return np.nan, 1.0
        ratio = max(left @ left - square, 0.0) / between / (square / free)
        return float(np.sqrt(square / free)), float(fisher.sf(ratio, between, free))
