"""Variable time normalisation: the orders with which all runs lie on one rising curve.

The extent is plotted against the transformed time, the integral of the product of c^order (Bures,
Angew. Chem. Int. Ed. 2016, 55, 16084). With the right orders the runs overlay, whatever the curve:
of what is the same function of the extent in every run no order is needed, and none is told. The
common curve is a spline that rises from zero, fitted anew at each trial of orders; all orders are
optimised together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import BSpline
from scipy.optimize import least_squares, nnls
from scipy.stats import f as fisher

from kinetlib.inference.courses import NODES, WEIGHTS, Courses
from kinetlib.inference.power_law import PowerLaw
from kinetlib.inference.telling import SAME, Vector, covariance, slopes, together, untold

LOWEST, HIGHEST = -2.5, 4.0  # orders
_DEGREE = 3
_KNOTS = 6  # of the common curve inside, at most
_EACH = 4  # rows to each of its parts, at least
_STEPS = 20  # of the search for orders, at most


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
    powers
        Orders of all species that transform the time: beside those told, by the power law those
        that act alike in all runs, which makes the common curve straighter.
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
    powers: dict[str, float]
    time: Vector
    curve: Vector
    score: float
    apart: float
    probability: float


def rising(time: Vector, extent: Vector, knots: int) -> tuple[BSpline, Vector]:
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
        The spline.
    basis
        Those of its parts at the points that are in use, each a step that rises smoothly from 0 to
        1, shape (V, used).
    """
    end = time.max() * (1 + 1e-9)
    inside = np.quantile(time, np.arange(1, knots + 1) / (knots + 1))
    edges = np.concatenate([np.zeros(_DEGREE + 1), inside, np.full(_DEGREE + 1, end)])
    parts = BSpline.design_matrix(time, edges, _DEGREE).toarray()
    steps = np.cumsum(parts[:, ::-1], axis=1)[:, -2::-1]
    q, r = np.linalg.qr(steps)
    height, _ = nnls(r, q.T @ extent)
    curve = BSpline(edges, np.concatenate([[0.0], np.cumsum(height)]), _DEGREE)
    return curve, steps[:, height > 0]


def overlay(data: Courses, chosen: list[int], law: PowerLaw) -> Overlay:
    """Find the orders with which the runs overlay.

    Parameters
    ----------
    data
        Runs.
    chosen
        Numbers of the species whose orders are wanted.
    law
        The fitted power law. Its orders are one start of the search, its curves help to interpolate
        between rows (see `Courses.logarithms`), its noise weighs the columns against each other.

    Returns
    -------
    Overlay
        A species whose order the overlay does not tell is left out.
    """
    names = data.species
    varies, alike = data.varies(), data.alike()
    why_not = {
        names[one]: "it starts alike in all runs" if varies[one] else SAME
        for one in chosen
        if alike[one]
    }
    chosen = [one for one in chosen if not alike[one]]
    fits = _Fits(data, law)
    while True:
        x = fits.best(chosen)
        slope = slopes(fits.bound(chosen), x)
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


def _knots(rows: int) -> int:
    """Return how many knots inside a curve through so many rows has."""
    return int(np.clip(rows // _EACH - _DEGREE + 1, 0, _KNOTS))


class _Fits:
    """Overlays of the same runs by any orders."""

    def __init__(self, data: Courses, law: PowerLaw) -> None:
        self.data, self.law = data, law
        rows = data.scored
        self.logs = data.logarithms(data.refined(), law.between)
        self.middle = self.logs[rows].mean((0, 1))
        self.logs -= self.middle
        self.extent = data.extent[rows] / data.range
        self.run = data.run[rows]
        self.knots = _knots(len(self.extent))

    def time(self, chosen: list[int], orders: Vector) -> Vector:
        """Transform the time by these orders, and by those of the law of all other species.

        What acts alike in all runs makes the common curve no better or worse, only straighter, so
        that few knots do.
        """
        powers = self.powers(chosen, orders)
        places = [self.data.species.index(name) for name in powers]
        return self.data.transformed(self.logs[..., places], np.array(list(powers.values())))

    def powers(self, chosen: list[int], orders: Vector) -> dict[str, float]:
        """Return the orders of all species that transform the time."""
        named = [self.data.species[one] for one in chosen]
        return dict(zip(self.law.species, self.law.x[1:].tolist(), strict=True)) | dict(
            zip(named, map(float, orders), strict=True)
        )

    def bound(self, chosen: list[int]) -> Callable[[Vector], Vector]:
        """Return what gives the distances of rows from the common curve by orders."""

        def residuals(orders: Vector) -> Vector:
            time = self.time(chosen, orders)[self.data.scored]
            return self.extent - rising(time, self.extent, self.knots)[0](time)

        return residuals

    def best(self, chosen: list[int]) -> Vector:
        residuals = self.bound(chosen)
        if not chosen:
            return np.zeros(0)
        names = [self.data.species[one] for one in chosen]
        start = dict(zip(self.law.species, self.law.x[1:], strict=True))
        begun = [[start.get(name, 0.0) for name in names], [1.0] * len(chosen)]
        fits = [
            least_squares(
                residuals,
                np.clip(x, LOWEST + 0.01, HIGHEST - 0.01),
                bounds=(LOWEST, HIGHEST),
                jac=lambda x: slopes(residuals, x),
                max_nfev=_STEPS,
                xtol=1e-4,
                ftol=1e-4,
            )
            for x in begun
        ]
        return min(fits, key=lambda one: one.cost).x

    def told(self, chosen: list[int], x: Vector, slope: Vector, why_not: dict[str, str]) -> Overlay:
        data, rows = self.data, self.data.scored
        time = self.time(chosen, x)
        curve, basis = rising(time[rows], self.extent, self.knots)
        left = self.extent - curve(time[rows])
        both = np.column_stack([slope, basis])
        parts = [
            part / data.range
            for part in noise_parts(
                data, chosen, x, self.logs, self.middle, curve(time[rows], 1) * data.range, self.law
            )
        ]
        spread = covariance(both, left, self.run, parts)[: len(x), : len(x)]
        freedom = len(left) - both.shape[1]
        apart, probability = self._apart(time[rows], left, freedom)
        height = np.zeros(len(time))
        height[rows] = curve(time[rows]) * data.range
        return Overlay(
            tuple(data.species[one] for one in chosen),
            x,
            spread,
            freedom,
            why_not,
            self.powers(chosen, x),
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
            knots = _knots(int(rows.sum()))
            curve, basis = rising(time[rows], self.extent[rows], knots)
            square += float(((self.extent[rows] - curve(time[rows])) ** 2).sum())
            free += len(basis) - basis.shape[1]
        between = freedom - free
        if free < 3 or between < 1 or square <= 0:
            return np.nan, 1.0
        ratio = max(left @ left - square, 0.0) / between / (square / free)
        return float(np.sqrt(square / free)), float(fisher.sf(ratio, between, free))


def noise_parts(
    data: Courses,
    chosen: list[int],
    orders: Vector,
    logs: Vector,
    middle: Vector,
    rate: Vector,
    law: PowerLaw,
) -> list[Vector]:
    """Tell what noise in each reading does to each distance from the common curve.

    A reading of what is followed moves its own row; a reading of any species whose order is not
    zero moves the transformed time of its row and of all that come after.

    Parameters
    ----------
    data, law
        Runs, and the law whose noise is taken.
    chosen, orders
        Species that transform the time, and their orders, shape (S,).
    logs, middle
        Logarithms less their middle, shape (N, 4, C), and that middle, shape (C,).
    rate
        Slope of the common curve at scored rows, shape (V,).

    Returns
    -------
    list of numpy.ndarray
        Of each column with noise of its own, shape (V, V): rows by readings.
    """
    rows = np.flatnonzero(data.scored)
    ratio, _ = data.stoichiometry()
    sources = data.sources()
    run = data.run[rows]
    later = (run[:, None] == run) & (rows[:, None] > rows)
    step = np.diff(data.time, prepend=0.0)[rows]
    share = step[:, None] * np.exp(logs[rows][..., chosen] @ orders) * WEIGHTS
    found = []
    for source in dict.fromkeys(sources.values()):
        to_own, to_next = np.zeros(len(rows)), np.zeros(len(rows))
        for place, one in enumerate(chosen):
            if sources.get(one) != source:
                continue
            # d ln c at the four points between two rows, by reading at the later and the earlier.
            per = share * np.exp(-logs[rows][..., one] - middle[one]) * orders[place]
            per *= ratio[one] / ratio[source]
            to_own += per @ NODES
            to_next[:-1] += (per @ (1 - NODES))[1:] * (np.diff(run) == 0)
        part = -rate[:, None] * (later * (to_own + to_next) + np.diag(to_own))
        if source == data.followed:
            part += np.eye(len(rows)) * (1.0 if data.products[source] else -1.0)
        found.append(part * law.noise[data.species[source]])
    return found
