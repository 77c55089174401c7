"""A power law, rate = k times the product of c^order, fitted to measured concentrations.

Species that change in proportion to the extent follow from it, so that the law is one differential
equation for the extent, which is solved by quadrature: the time at which an extent is reached is
an integral over extents. What changes otherwise, as a catalyst that dies, is taken as it was
measured and transforms the time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kinetlib.inference.courses import Courses
from kinetlib.inference.telling import SAME, Vector, covariance, slopes, together, untold

LOWEST, HIGHEST = -3.0, 5.0  # orders
_CELLS, _DEPTH = 80, 14.0  # of the grid of extents; it ends where e^-14 of the most is left
_NODES, _WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(3))
_NODES = _NODES + 0.5
_LEAST = 1e-5  # of a species' most, below which it does not count
_CLOSER = (1e-4, 1e-7)  # tolerances of two fits, the second with the noise that the first left


Columns = list[tuple[int, NDArray[np.int64]]]


@dataclass(frozen=True)
class PowerLaw:
    """The fitted law.

    Attributes
    ----------
    species
        That have an order in it, length S.
    x
        ln k in the file's units, then orders, shape (1 + S,).
    covariance
        Of ``x``.
    freedom
        Degrees of freedom that were left for the noise.
    why_not
        By species, why it has no order here.
    fitted, between
        Extent by the law at every row, shape (N,), and at those of `Courses.refined`.
    noise
        By column that was fitted, root mean square of what the law leaves, in the file's unit.
    """

    species: tuple[str, ...]
    x: Vector
    covariance: Vector
    freedom: int
    why_not: dict[str, str]
    fitted: Vector
    between: Vector
    noise: dict[str, float]


class Law:
    """Extents by a power law in some species.

    Parameters
    ----------
    data
        Runs.
    chosen
        Numbers of the species that have an order.
    ratio
        Change of each species a unit of extent, as `Courses.stoichiometry` tells it.
    """

    def __init__(self, data: Courses, chosen: list[int], ratio: Vector) -> None:
        self._data = data
        inner = [one for one in chosen if ratio[one] != 0 and np.isfinite(ratio[one])]
        outer = [one for one in chosen if one not in inner]
        self._place = np.array([chosen.index(one) for one in (*inner, *outer)], dtype=int)
        self._n_inner = len(inner)
        # Logarithms are taken about their mean, so that ln k and orders are almost independent.
        logs = data.logarithms(data.refined())
        scored = data.scored
        self.middle = logs[scored].mean((0, 1))[chosen]
        self._outer = logs[..., outer] - self.middle[self._place[self._n_inner :]]
        start = data.values[data.first]
        consumed = np.flatnonzero(np.nan_to_num(ratio) < 0)
        with np.errstate(divide="ignore"):
            most = (start[:, consumed] / -ratio[consumed]).min(1, initial=np.inf)
        most = np.clip(most, 1e-6 * data.range, 3 * data.range)
        edges = np.linspace(0.0, _DEPTH, _CELLS + 1)
        inside = (edges[:-1, None] + np.diff(edges)[:, None] * _NODES).ravel()
        self._edges = most[:, None] * -np.expm1(-edges)
        # d(extent) = most e^-z dz
        self._weight = (
            most[:, None, None] * np.exp(-inside).reshape(_CELLS, -1) * _WEIGHTS * np.diff(edges)[0]
        )
        least = _LEAST * data.values.max(0)

        def logarithms(extent: Vector) -> Vector:
            c = start[:, None, inner] + extent[..., None] * ratio[inner]
            return np.log(np.maximum(c, least[inner])) - self.middle[self._place[: len(inner)]]

        self._at_edges = logarithms(self._edges)
        at_inside = logarithms(most[:, None] * -np.expm1(-inside))
        self._at_inside = at_inside.reshape(len(start), _CELLS, len(_NODES), len(inner))

    def courses(self, orders: Vector) -> tuple[Vector, Vector, Vector]:
        """Return what k is not in: transformed time (N,), and time (R, K) and rate at edges."""
        orders = orders[self._place]
        inner, outer = orders[: self._n_inner], orders[self._n_inner :]
        time = self._data.transformed(self._outer, outer)
        step = (self._weight * np.exp(-(self._at_inside @ inner))).sum(-1)
        reached = np.concatenate([np.zeros((len(step), 1)), np.cumsum(step, axis=1)], axis=1)
        return time, reached, np.exp(self._at_edges @ inner)

    def extent(self, x: Vector) -> Vector:
        """Return the extent at every row, shape (N,), for ln k (about the middle) and orders."""
        time, reached, rate = self.courses(x[1:])
        time = time * np.exp(x[0])
        found = np.empty_like(time)
        for r, rows in enumerate(np.split(np.arange(len(time)), self._data.first[1:])):
            found[rows] = _hermite(time[rows], reached[r], self._edges[r], rate[r])
        return found

    def guess(self, orders: Vector) -> float:
        """Return ln k (about the middle) by which the law takes as long as the runs did."""
        time, reached, _ = self.courses(orders)
        data = self._data
        rows = np.flatnonzero(data.scored & (data.extent > 0.1 * data.range) & (time > 0))
        at = [
            np.interp(data.extent[i], self._edges[data.run[i]], reached[data.run[i]]) for i in rows
        ]
        with np.errstate(divide="ignore"):
            return float(np.median(np.log(np.array(at) / time[rows]))) if len(rows) else 0.0


def _hermite(at: Vector, time: Vector, extent: Vector, rate: Vector) -> Vector:
    """Interpolate the extent, whose slopes are known, at times; behind the last it stands still."""
    cell = np.clip(np.searchsorted(time, at, side="right") - 1, 0, len(time) - 2)
    width = np.maximum(time[cell + 1] - time[cell], 1e-300)
    s = np.clip((at - time[cell]) / width, 0.0, 1.0)
    rise = extent[cell + 1] - extent[cell]
    # Slopes above three times the secant would make the curve turn back.
    first, last = (np.minimum(rate[cell + i] * width, 3 * rise) for i in (0, 1))
    bend = s * (1 - s) * ((1 - s) * (first - rise) - s * (last - rise))
    return extent[cell] + s * rise + bend


def power_law(data: Courses, chosen: list[int]) -> PowerLaw:
    """Fit a power law to the extent, and to every other column that was measured by itself.

    Parameters
    ----------
    data
        Runs.
    chosen
        Numbers of the species whose orders are wanted.

    Returns
    -------
    PowerLaw
        With the covariance of `kinetlib.inference.telling.covariance`. A species whose order the
        runs do not tell is left out of the law.
    """
    ratio, _ = data.stoichiometry()
    varies = data.varies()
    why_not = {data.species[one]: SAME for one in chosen if not varies[one]}
    chosen = [one for one in chosen if varies[one]]
    columns = _columns(data)
    while True:
        law = Law(data, chosen, ratio)
        x, residuals, deviation = _fit(data, law, columns, len(chosen))
        slope = slopes(residuals, x)
        # ln k shows in everything; what an order does that k does not is what tells it.
        unit = slope[:, :1] / np.linalg.norm(slope[:, :1])
        pure = slope[:, 1:] - unit @ (unit.T @ slope[:, 1:])
        lost = untold(pure, data.range / deviation[0])
        if not lost:
            break
        names = [data.species[chosen[one]] for one in lost]
        why_not |= dict.fromkeys(
            names, "it hardly shows" if len(names) == 1 else together(sorted(names))
        )
        chosen = [one for one in chosen if one != chosen[lost[0]]]
    left = residuals(x)
    series = np.concatenate(
        [data.run[rows] + len(data.runs) * i for i, (_, rows) in enumerate(columns)]
    )
    spread = covariance(slope, left, series)
    to_file = np.eye(len(x))
    to_file[0, 1:] = -law.middle
    refined = data.refined()
    finer = Law(refined, chosen, ratio)
    shifted = np.concatenate([[x[0] + (finer.middle - law.middle) @ x[1:]], x[1:]])
    return PowerLaw(
        tuple(data.species[one] for one in chosen),
        to_file @ x,
        to_file @ spread @ to_file.T,
        len(left) - len(x),
        why_not,
        law.extent(x),
        finer.extent(shifted),
        dict(zip((data.species[one] for one, _ in columns), deviation.tolist(), strict=True)),
    )


def _columns(data: Courses) -> Columns:
    """Choose the columns that are fitted, the followed one first, and their rows."""
    return [
        (one, np.flatnonzero(data.scored & data.measured[:, one]))
        for one, source in data.sources().items()
        if one == source
    ]


def _fit(
    data: Courses, law: Law, columns: Columns, n: int
) -> tuple[Vector, Callable[[Vector], Vector], Vector]:
    """Fit, from the better of two starts; weigh columns by what the fit before left of them.

    Returns the coordinates, what gives residuals in deviations, and the deviation of each column.
    """
    ratio, _ = data.stoichiometry()
    deviation = np.full(len(columns), data.range)
    bounds = ([-np.inf] + [LOWEST] * n, [np.inf] + [HIGHEST] * n)

    def residuals(x: Vector) -> Vector:
        extent = law.extent(x)
        return np.concatenate(
            [
                (data.change[rows, one] - ratio[one] * extent[rows]) / sd
                for (one, rows), sd in zip(columns, deviation, strict=True)
            ]
        )

    starts = [np.full(n, order) for order in (1.0, 0.3)]
    starts = [np.concatenate([[law.guess(one)], one]) for one in starts]
    for close in _CLOSER:
        fits = [
            least_squares(
                residuals,
                x,
                bounds=bounds,
                jac=lambda x: slopes(residuals, x),
                ftol=close,
                xtol=close,
                gtol=1e-10,
            )
            for x in starts
        ]
        x = min(fits, key=lambda one: one.cost).x
        ends = np.cumsum([len(rows) for _, rows in columns])
        parts = np.split(residuals(x), ends[:-1])
        share = max(1 - len(x) / ends[-1], 0.1)
        deviation = deviation * [
            np.sqrt(max((part @ part) / (len(part) * share), 1e-24)) for part in parts
        ]
        starts = [x]
    return x, residuals, deviation
