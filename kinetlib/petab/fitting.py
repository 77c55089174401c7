"""The best fit of a problem in PEtab: descents from random starts within the bounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kinetlib.inference.descend import cost, descended
from kinetlib.inference.verdicts import ABOVE, BELOW, DETERMINED, FIXED, OPEN
from kinetlib.petab.objective import Objective
from kinetlib.petab.problem import LIN, Parameters, Problem, read

_AGREE = 0.1  # within which two descents have come to the same objective
_STEPS = 60  # of descents side by side
_POLISHES = ((12, 60), (4, 400))  # so many of the best go on, and evaluations of each
_BANK = 100  # points drawn for each from which a descent begins
_NORMAL = 1.959964  # deviations to either end of a 95 % interval
_WIDEST = 100.0  # high over low of what is called determined


@dataclass(frozen=True)
class Estimate:
    """A parameter: its value in the best fit, 95 % interval and verdict; ``scale`` as in PEtab."""

    value: float
    low: float
    high: float
    scale: str
    verdict: str
    nominal: float


@dataclass(frozen=True)
class Solution:
    """The best fit of a problem.

    Attributes
    ----------
    problem
        What was fitted.
    objective
        Minus ln p(y | x) there, as PEtab defines it; priors do not count in it.
    nominal
        The same at the nominal values; NaN where the model could not be simulated.
    parameters
        By name.
    ends
        Objectives at the end of each descent, rising.
    remarks
        What was decided in reading it, and what is to be said of the fit.
    """

    problem: Problem
    objective: float
    nominal: float
    parameters: dict[str, Estimate]
    ends: tuple[float, ...]
    remarks: tuple[str, ...]

    @property
    def agreeing(self) -> int:
        """Descents that ended at the best fit."""
        return sum(end < self.objective + _AGREE for end in self.ends)


def fit(path: str | Path, *, starts: int = 100, seed: int = 0) -> Solution:
    """Fit a problem in PEtab.

    Parameters
    ----------
    path
        Of its YAML.
    starts
        Random points between the bounds from which descents begin; nominal values are none.
    seed
        Of those points.

    Raises
    ------
    ValueError
        What is no problem in PEtab, has something that is not supported, or cannot be simulated.
    """
    problem = read(Path(path))
    objective, known = Objective(problem), problem.parameters
    ends = _descents(objective, known, starts, seed)
    if not ends:
        raise ValueError(f"{path}: the model could not be simulated with any parameters tried")
    ends.sort(key=lambda end: end[0])
    _, value, x = ends[0]
    ordered = tuple(sorted(one for _, one, _ in ends))
    nominal = float(objective(known.nominal[None]).value[0])
    priors = [name for name, s in zip(known.names, known.deviation, strict=True) if s < np.inf]
    remarks = [*problem.model.remarks, "Intervals are by the curvature at the best fit."]
    if priors:
        remarks.append(
            f"Priors of {', '.join(priors)} take part in the fit and do not count in the objective."
        )
    return Solution(
        problem,
        value,
        nominal if np.isfinite(nominal) else np.nan,
        _estimates(known, objective(x[None]).slopes[0], x),
        ordered,
        tuple(remarks),
    )


def _descents(
    objective: Objective, known: Parameters, starts: int, seed: int
) -> list[tuple[float, float, NDArray[np.float64]]]:
    """Descend from random points: cost, objective, and where each ended.

    All go side by side for some steps, then the best of them to the very end.
    """
    begun = _begun(objective, known, starts, default_rng(seed))
    if not len(begun):
        return []
    near, _, _ = descended(_Fits(objective, known), begun, _STEPS, halved=True)
    ends = [(np.inf, x) for x in near]
    for kept, evaluations in _POLISHES:
        polished = [_polished(objective, known, x, evaluations) for _, x in ends[:kept]]
        ends = sorted(polished + ends[kept:], key=lambda end: end[0])
    return [
        (worth, float(objective(x[None]).value[0]), x) for worth, x in ends if np.isfinite(worth)
    ]


def _polished(
    objective: Objective, known: Parameters, x: NDArray[np.float64], evaluations: int
) -> tuple[float, NDArray[np.float64]]:
    """Descend to the very end, or so many evaluations far: cost, and where it was."""
    last = _Last(objective)
    if not np.isfinite(last.residuals(x)).all():  # tangents may fail where trajectories do not
        return np.inf, x
    found = least_squares(
        last.residuals, x, last.slopes, (known.low, known.high), x_scale="jac",
        max_nfev=evaluations, ftol=1e-10, xtol=1e-10, gtol=1e-10,
    )  # fmt: skip
    return float(found.cost), found.x


class _Fits:
    """Residuals of all descents, as `kinetlib.inference.descend` takes them."""

    difference = 1e-6  # of slopes, which are taken otherwise

    def __init__(self, objective: Objective, known: Parameters) -> None:
        self._objective, self._known = objective, known

    def residuals(self, x: NDArray[np.float64], which: object) -> NDArray[np.float64]:
        return self._objective.residuals(x)

    def slopes(
        self, x: NDArray[np.float64], residuals: object, which: object
    ) -> NDArray[np.float64]:
        return np.nan_to_num(self._objective(x).slopes)

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.clip(x, self._known.low, self._known.high)


def _begun(
    objective: Objective, known: Parameters, starts: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw points between the bounds, and keep those from which a descent has least to do."""
    drawn = rng.uniform(known.low, known.high, (_BANK * starts, len(known.names)))
    worth = cost(objective.residuals(drawn))
    order = np.argsort(worth, kind="stable")[:starts]
    return drawn[order[np.isfinite(worth[order])]]


class _Last:
    """Residuals and slopes of one point from one simulation."""

    def __init__(self, objective: Objective) -> None:
        self._objective, self._x = objective, np.empty(0)

    def _at(self, x: NDArray[np.float64]) -> None:
        if not np.array_equal(x, self._x):
            self._x, self._found = x.copy(), self._objective(x[None])

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        self._at(x)
        return self._found.residuals[0]

    def slopes(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        self._at(x)
        return self._found.slopes[0]


def _estimates(
    known: Parameters, slopes: NDArray[np.float64], x: NDArray[np.float64]
) -> dict[str, Estimate]:
    """Judge every parameter by the curvature at the best fit, and by its bounds."""
    width = known.high - known.low
    precision = slopes.T @ slopes + np.diag(1e-8 / width**2)
    deviation = np.sqrt(np.diag(np.linalg.inv(precision)))
    ends = np.stack([x - _NORMAL * deviation, x + _NORMAL * deviation])
    open_ends = (ends[0] <= known.low, ends[1] >= known.high)
    ends = np.clip(ends, known.low, known.high)
    value, low, high, nominal = (
        known.values(np.asarray(one)[:, None]) for one in (x, *ends, known.nominal)
    )
    found = {}
    for at, name in enumerate(known.names):
        free = (bool(open_ends[0][at]), bool(open_ends[1][at]))
        numbers = [float(of[name][0]) for of in (value, low, high)]
        narrow = known.scales[at] == LIN or numbers[2] <= _WIDEST * numbers[1]
        verdict = {
            (False, False): DETERMINED if narrow else OPEN,
            (True, False): ABOVE,
            (False, True): BELOW,
            (True, True): OPEN,
        }[free]
        found[name] = Estimate(*numbers, known.scales[at], verdict, float(nominal[name][0]))
    for name, fixed in known.fixed.items():
        found[name] = Estimate(fixed, fixed, fixed, LIN, FIXED, fixed)
    return found
