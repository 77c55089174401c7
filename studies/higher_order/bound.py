"""How fast an intermediate is at least, by the profile of the likelihood.

A stand-in of stiffness L = k-1 and the reaction itself, L infinite, differ by some 1/sqrt(L). With
noise there is an L beyond which curves no longer tell them apart: the likelihood, the other
constants fitted anew for each L, stays level up to infinity. What curves give is a lower bound on
L, not a value. Where twice the logarithm of the likelihood lies 2.71 below its highest, 95 % of the
chi-squared distribution of one degree of freedom lie on one side (Wilks; at the edge, L infinite,
the bound is on the safe side: Self, Liang, J. Am. Stat. Assoc. 82, 605, 1987).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.stats import chi2

from studies.higher_order.fit import Fitted, best, fit
from studies.higher_order.stand_ins import STAND_INS, TRUTHS

GRID = np.logspace(-1, 6, 11)  # L at which the profile is computed, and about the best
CONFIDENCE = 0.95
_NEAR = (0.6, 0.75, 0.87, 1.15, 1.35, 1.8)  # of the best L, where it is looked at more closely
_FLOOR = 1e-3  # of a species' range: noise that is not relative


@dataclass(frozen=True)
class Profile:
    """The likelihood along L.

    Attributes
    ----------
    stiffness
        Values of L, rising, shape (G,).
    deviance
        Minus twice the logarithm of the likelihood less that of its highest, shape (G,).
    bound
        L that is exceeded with the confidence asked for; 0 where no L is excluded.
    """

    stiffness: NDArray[np.float64]
    deviance: NDArray[np.float64]
    bound: float


def noisy(
    name: str, largest: float, n: int, noise: float, rng: Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate noisy runs of a stand-in at k-1 = `largest`, of the reaction itself if infinite.

    Returns
    -------
    tuple
        Initial concentrations (n, S), known exactly, and curves (n, T, S).
    """
    stand_in = STAND_INS[name]
    truth = TRUTHS[stand_in.truth]
    initial = truth.starts(n, rng)
    if np.isinf(largest):
        value = truth.curves(initial)
    else:
        value = stand_in.curves(best(name, largest, initial).k, initial)
    return initial, value * (1 + noise * rng.standard_normal(value.shape))


def profile(name: str, initial: ArrayLike, observed: ArrayLike, noise: float) -> Profile:
    """Fit a stand-in at each L and find the lower bound on L.

    Parameters
    ----------
    name
        One of `STAND_INS`.
    initial, observed
        As `noisy` returns them.
    noise
        Standard deviation of the noise relative to the value.
    """
    stand_in = STAND_INS[name]
    observed = np.asarray(observed, dtype=float)
    floor = _FLOOR * np.ptp(observed, axis=(0, 1))
    # The noise at the values of a first fit: that at the noisy values would pull curves down.
    pilot = fit(
        stand_in, initial, observed, {"k-1": 100.0}, deviation=np.hypot(noise * observed, floor)
    )
    deviation = np.hypot(noise * stand_in.curves(pilot.k, initial), floor)

    def at(stiffness: float, start: NDArray[np.float64]) -> Fitted:
        # k1 and k2 go with the square root of L.
        scale = np.sqrt(stiffness / start[1])
        return fit(
            stand_in,
            initial,
            observed,
            {"k-1": stiffness},
            start=start * np.array([scale, 1.0, scale]),
            deviation=deviation,
        )

    fits: list[Fitted] = []
    for stiffness in GRID[::-1]:
        fits.append(at(stiffness, fits[-1].k if fits else pilot.k))
    nearest = min(fits, key=lambda found: found.cost)
    free = fit(stand_in, initial, observed, {}, start=nearest.k, deviation=deviation)
    fits += [free, *(at(free.k[1] * factor, free.k) for factor in _NEAR)]
    fits.sort(key=lambda found: found.k[1])
    stiffness = np.array([found.k[1] for found in fits])
    cost = np.array([found.cost for found in fits])
    excess = cost - cost.min()
    limit = chi2.ppf(2 * CONFIDENCE - 1, 1)
    allowed = int(np.flatnonzero(excess <= limit)[0])
    if allowed == 0:
        return Profile(stiffness, excess, 0.0)

    def over(log_stiffness: float) -> float:
        return at(np.exp(log_stiffness), fits[allowed].k).cost - cost.min() - limit

    between = np.log(stiffness[[allowed - 1, allowed]])
    return Profile(stiffness, excess, float(np.exp(brentq(over, *between, xtol=1e-2))))
