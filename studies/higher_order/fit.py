"""The best constants of a stand-in, some of them held.

Least squares in ln k1, ln k-1 and ln k2, with the derivatives of the compiled integrator
(`kinetlib.kinetics.sensitivity`). Only the species of the true reaction are compared; Z starts at
0 and is not seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares
from scipy.stats import t as student

from kinetlib.kinetics.sensitivity import sensitivities
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, Errors, StandIn, errors

NAMES = ("k1", "k-1", "k2")
_TOLERANCE = {"rtol": 1e-8, "atol": 1e-11}
_UNIT = 1e-2


@dataclass(frozen=True)
class Fitted:
    """A stand-in with its constants.

    Attributes
    ----------
    stand_in
        The network.
    k
        (k1, k-1, k2), shape (3,).
    cost
        Sum of squared residuals, each over its deviation.
    """

    stand_in: StandIn
    k: NDArray[np.float64]
    cost: float

    @property
    def kappa(self) -> float:
        """The constant of third order that the network amounts to, k1 k2/k-1."""
        return float(self.k[0] * self.k[2] / self.k[1])

    def errors(self, initial: ArrayLike) -> Errors:
        """Errors against the true reaction from other initial concentrations, shape (n, S)."""
        true = TRUTHS[self.stand_in.truth].curves(initial)
        return errors(self.stand_in.curves(self.k, initial), true)


def fit(
    stand_in: StandIn,
    initial: ArrayLike,
    observed: ArrayLike,
    held: Mapping[str, float],
    *,
    start: ArrayLike | None = None,
    deviation: ArrayLike | None = None,
    exponent: float = 2.0,
) -> Fitted:
    """Fit those of k1, k-1 and k2 that are not held.

    Parameters
    ----------
    stand_in
        The network.
    initial
        Initial concentrations of the observed species, shape (n, S).
    observed
        Curves at the times of the truth, shape (n, T, S).
    held
        Constants that stay as given, by name; at most two.
    start
        (k1, k-1, k2) to begin with; by default what theory says for k-1.
    deviation
        Standard deviation of the noise of each value, to be broadcast to (n, T, S); by default the
        range of each species.
    exponent
        Power of the residuals that is summed, at least 2; a large one fits the largest residual.

    Raises
    ------
    ValueError
        For a name that is none of the three, or where nothing is left to be fitted.
    """
    unknown = set(held) - set(NAMES)
    if unknown or len(held) == len(NAMES):
        raise ValueError(
            f"held: expected at most two of {', '.join(NAMES)}, got {', '.join(map(str, held))}"
        )
    if start is None:
        start = stand_in.by_theory(held.get("k-1", 1.0))
    logs = np.log(np.array([held.get(n, s) for n, s in zip(NAMES, start, strict=True)]))
    free = np.array([name not in held for name in NAMES])
    observed = np.asarray(observed, dtype=float)
    weight = 1 / (np.ptp(observed, axis=(0, 1)) if deviation is None else np.asarray(deviation))
    known: dict[bytes, tuple[NDArray, NDArray]] = {}

    def solved(moved: NDArray) -> tuple[NDArray, NDArray]:
        if moved.tobytes() not in known:
            known.clear()  # the search asks for residuals and derivatives at one point in turn
            full = logs.copy()
            full[free] = moved
            value, slopes = curves_and_slopes(stand_in, np.exp(full), initial)
            share = (value - observed) * weight
            # Squares of these are the powers asked for, in units in which 1 % of a range is 1.
            size = (np.abs(share) / _UNIT) ** (exponent / 2 - 1)
            residual = share * size
            slopes = slopes[..., free] * (exponent / 2 * size * weight)[..., None]
            known[moved.tobytes()] = residual.ravel(), slopes.reshape(residual.size, -1)
        return known[moved.tobytes()]

    found = least_squares(
        lambda moved: solved(moved)[0],
        logs[free],
        jac=lambda moved: solved(moved)[1],
        bounds=(logs[free] - 20, logs[free] + 20),
        xtol=1e-10,
        ftol=1e-12,
        gtol=1e-14,
        max_nfev=200,
    )
    logs[free] = found.x
    return Fitted(stand_in, np.exp(logs), float(2 * found.cost))


def curves_and_slopes(
    stand_in: StandIn, k: NDArray[np.float64], initial: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Curves of the observed species (n, T, S) and derivatives by ln k1, k-1, k2 (n, T, S, 3)."""
    run = sensitivities(
        stand_in.network,
        stand_in.constants(k),
        stand_in.initial(initial),
        TRUTHS[stand_in.truth].times,
        threads=1,
        **_TOLERANCE,
    )
    value = run.concentration[..., stand_in.observed]
    by_each = run.log_constants[..., stand_in.observed, :]
    slopes = np.stack([by_each[..., stand_in.role == i].sum(-1) for i in range(3)], axis=-1)
    # Too fast to be integrated: as far from the curves as can be, so that a search turns back.
    return np.nan_to_num(value, nan=1e6), np.nan_to_num(slopes)


def best(name: str, largest: float, initial: ArrayLike, start: ArrayLike | None = None) -> Fitted:
    """Fit a stand-in to its truth, no constant above `largest` where Z is a catalyst.

    There nothing but that bound holds k2 back, so k2 = k-1 = `largest`; where Z is consumed,
    k-1 = `largest` and k1 and k2 are free.
    """
    stand_in = STAND_INS[name]
    held = {"k-1": largest, "k2": largest} if stand_in.catalytic else {"k-1": largest}
    true = TRUTHS[stand_in.truth].curves(initial)
    return fit(stand_in, initial, true, held, start=start)


def best_of_largest(name: str, largest: float, initial: ArrayLike) -> Fitted:
    """Fit a stand-in with k-1 = `largest` for its largest error: a high power of the residuals."""
    stand_in, start = STAND_INS[name], best(name, largest, initial).k
    true = TRUTHS[stand_in.truth].curves(initial)
    return fit(stand_in, initial, true, {"k-1": largest}, start=start, exponent=16.0)


def with_one_held(
    name: str, stiffness: Sequence[float], initial: ArrayLike, others: ArrayLike
) -> dict[str, list[float]]:
    """Return mean errors in other runs where k-1 grows and k1, k2 or both stay at 1, by which."""
    stand_in, truth = STAND_INS[name], TRUTHS[STAND_INS[name].truth]
    observed = truth.curves(initial)

    def error(largest: float, **held: float) -> float:
        return fit(stand_in, initial, observed, {"k-1": largest, **held}).errors(others).mean

    def both(largest: float) -> float:
        curves = stand_in.curves([1.0, largest, 1.0], others)
        return errors(curves, truth.curves(others)).mean

    return {
        "k1 held at 1": [error(largest, k1=1.0) for largest in stiffness],
        "k2 held at 1": [error(largest, k2=1.0) for largest in stiffness],
        "both held at 1": [both(largest) for largest in stiffness],
    }


@dataclass(frozen=True)
class Slope:
    """Exponent of a power law, with its 95 % interval from the scatter about the line."""

    value: float
    low: float
    high: float


def slope(x: ArrayLike, y: ArrayLike) -> Slope:
    """Fit ln y = a + slope ln x by least squares; at least three points."""
    logs_x, logs_y = np.log(np.asarray(x, dtype=float)), np.log(np.asarray(y, dtype=float))
    if len(logs_x) < 3:
        raise ValueError(f"a slope with an interval: expected 3 points or more, got {len(logs_x)}")
    centred = logs_x - logs_x.mean()
    value = centred @ logs_y / (centred @ centred)
    left = logs_y - logs_y.mean() - value * centred
    error = np.sqrt(left @ left / (len(left) - 2) / (centred @ centred))
    wide = student.ppf(0.975, len(left) - 2) * error
    return Slope(float(value), float(value - wide), float(value + wide))
