"""How near an answer comes to the truth: reactions, terms, constants, curves not seen before.

Answers differ in kind. Some are reactions in whole numbers, some real orders, some a sum of
monomials for each species. All are a `Law`, so that all are simulated and judged alike; reactions
are compared only where there are some.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import solve_ivp

from kinetlib.kinetics.network import Network

Side = tuple[tuple[str, float], ...]
_LEAST = 1e-5  # of concentrations under a real order, as in the reference
_LARGEST = 1e3  # where a simulation is given up, in units of the largest start
_LOG_RANGE = (1e-5, 1e2)  # what logarithms are taken of, as in the reference's case 3


@dataclass(frozen=True)
class Law:
    """Rates of change as sums of monomials, M of them for S species.

    Attributes
    ----------
    species
        Names, length S.
    orders
        Exponents of each monomial, shape (M, S), whole or not.
    coefficients
        What each monomial makes of each species, shape (M, S).
    """

    species: tuple[str, ...]
    orders: NDArray[np.float64]
    coefficients: NDArray[np.float64]

    @classmethod
    def of(cls, network: Network, constants: ArrayLike) -> Law:
        """Return the law of mass action of a network, one row a reaction."""
        effect = np.asarray(constants, dtype=float)[:, None] * network.stoichiometry
        return cls(network.species, network.orders.astype(float), effect)

    def terms(self) -> dict[Side, dict[str, float]]:
        """Return what each monomial does to each species, equal monomials together.

        Two networks with equal terms have equal curves, whatever their reactions (Szederkényi,
        Banga, Alonso, BMC Syst. Biol. 5, 177, 2011).
        """
        found: dict[Side, dict[str, float]] = {}
        for orders, row in zip(self.orders, self.coefficients, strict=True):
            own = found.setdefault(_side(dict(zip(self.species, orders, strict=True))), {})
            for name, value in zip(self.species, row, strict=True):
                if value:
                    own[name] = own.get(name, 0.0) + float(value)
        return {side: own for side, own in found.items() if own}

    def simulate(
        self, species: tuple[str, ...], initial: NDArray[np.float64], times: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Simulate runs from initial concentrations (r, S): shape (r, T, S).

        Species that the law does not name stay as they are. A run that cannot be integrated, or
        that grows without bound, is NaN.
        """
        place = [species.index(name) for name in self.species]
        initial = np.asarray(initial, dtype=float)
        found = np.repeat(initial[:, None], len(times), axis=1)
        bound = _LARGEST * max(float(initial.max(initial=0.0)), 1.0)
        whole = bool((self.orders == np.round(self.orders)).all())

        def change(_: float, c: NDArray) -> NDArray:
            held = c if whole else np.maximum(c, _LEAST)
            return (held**self.orders).prod(1) @ self.coefficients

        def runs_away(_: float, c: NDArray) -> float:
            return bound - float(np.abs(c).max())

        runs_away.terminal = True
        for run, start in enumerate(initial[:, place]):
            with np.errstate(over="ignore", invalid="ignore"):
                solved = solve_ivp(
                    change,
                    (times[0], times[-1]),
                    start,
                    method="LSODA",
                    t_eval=times,
                    events=runs_away,
                    rtol=1e-7,
                    atol=1e-9,
                )
            whole_run = solved.status == 0 and solved.y.shape[1] == len(times)
            found[run][:, place] = solved.y.T if whole_run else np.nan
        return found


def reactions(network: Network, constants: ArrayLike) -> dict[tuple[Side, Side], float]:
    """Return the constant of each reaction, whatever their order and that of the species."""
    found: dict[tuple[Side, Side], float] = {}
    for reaction, constant in zip(network.reactions, constants, strict=True):
        key = _side(reaction.reactants), _side(reaction.products)
        found[key] = found.get(key, 0.0) + float(constant)
    return found


def same_terms(found: Law, truth: Law) -> bool:
    """Tell whether the same monomials change the same species in the same direction."""
    one, other = found.terms(), truth.terms()
    return one.keys() == other.keys() and all(
        one[side].keys() == other[side].keys()
        and all(one[side][name] * other[side][name] > 0 for name in one[side])
        for side in one
    )


def equivalent(found: Law, truth: Law, within: float) -> bool:
    """Tell whether two laws agree term by term, each within a share of the true value."""
    if not same_terms(found, truth):
        return False
    one, other = found.terms(), truth.terms()
    return all(
        abs(one[side][name] - value) <= within * abs(value)
        for side, own in other.items()
        for name, value in own.items()
    )


def ratios(
    found: Mapping[tuple[Side, Side], float], network: Network, values: ArrayLike
) -> NDArray[np.float64] | None:
    """Return found over true values, shape (R,); None where the reactions differ."""
    truth = reactions(network, values)
    if found.keys() != truth.keys():
        return None
    return np.array([found[key] / truth[key] for key in truth])


def mean_absolute_error(predicted: NDArray[np.float64], runs: xr.Dataset) -> float:
    """Return the mean absolute error over the range of each species; infinite where one failed."""
    measured = runs["concentration"].values
    span = np.nanmax(measured, axis=(0, 1)) - np.nanmin(measured, axis=(0, 1))
    size = np.abs(predicted - measured) / np.where(span > 0, span, np.inf)
    return float(size.mean()) if np.isfinite(size).all() else np.inf


def mean_absolute_log_error(predicted: NDArray[np.float64], runs: xr.Dataset) -> float:
    """Return the mean absolute difference of logarithms, the reference's loss of case 3."""
    if not np.isfinite(predicted).all():
        return np.inf
    measured = np.clip(runs["concentration"].values, *_LOG_RANGE)
    return float(np.abs(np.log(np.clip(predicted, *_LOG_RANGE)) - np.log(measured)).mean())


def _side(side: Mapping[str, float]) -> Side:
    return tuple(
        sorted((name, int(n) if n == int(n) else float(n)) for name, n in side.items() if n)
    )
