"""Reactions of third order, and the second-order networks that take their place.

With eps = 1/k-1, K = k1/k-1 and kappa = k1 k2/k-1 = K k2 the intermediate obeys
``eps Z' = K x_i x_j - Z - eps k2 x_k Z``. For small eps it follows (Tikhonov; Fenichel)

    Z = K x_i x_j [1 - eps k2 x_k - eps d ln(x_i x_j)/dt + O(eps^2)],

so the network errs, relative to the reaction, by what Z holds back, about c1 K x, by what Z loses
to the products, about (kappa/K) eps x, and by a lag of the order of eps. The first falls with K and
the second grows: K* = sqrt(kappa eps / c1) is best, and then all three constants grow without
bound, and the error falls, with the square root of k-1. Where Z is a catalyst, given back by the
step it drives, it loses nothing: K may be as small as kappa/L if no constant is to exceed L, and
the error falls with L itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import Network, parse

INTERMEDIATE = "Z"
TOLERANCE = {"rtol": 1e-9, "atol": 1e-12}
N_TIMES = 100
_LEAST, _MOST = 0.2, 1.2  # initial concentrations, as in case 1 of the reference


@dataclass(frozen=True)
class Truth:
    """A reaction of third order, and the runs it is looked at in.

    Attributes
    ----------
    text
        The reaction, as `kinetlib.kinetics.network.parse` reads it.
    constant
        kappa, in 1/(concentration^2 time).
    horizon
        Length of a run.
    """

    text: str
    constant: float
    horizon: float

    @cached_property
    def network(self) -> Network:
        """The reaction as a network; its species are those that are observed."""
        return parse(self.text)

    @property
    def times(self) -> NDArray[np.float64]:
        """The times of observation, shape (T,)."""
        return np.linspace(0.0, self.horizon, N_TIMES)

    def starts(self, n: int, rng: Generator) -> NDArray[np.float64]:
        """Draw initial concentrations, shape (n, S): U(0.2, 1.2) of A and B where B reacts."""
        reacts = self.network.orders.any(0)
        return np.where(reacts, rng.uniform(_LEAST, _MOST, (n, len(reacts))), 0.0)

    def curves(self, initial: ArrayLike) -> NDArray[np.float64]:
        """Simulate from initial concentrations (n, S): shape (n, T, S)."""
        return _solved(self.network, [self.constant], np.asarray(initial), self.times)


@dataclass(frozen=True)
class StandIn:
    """A second-order network that takes the place of a reaction of third order.

    Attributes
    ----------
    truth
        The reaction, a key of `TRUTHS`.
    text
        The network; constants that begin with ``k2`` are multiples of k2.
    multiples
        Constant over k1, k-1 or k2, one a reaction.
    """

    truth: str
    text: str
    multiples: tuple[int, ...] = (1, 1, 1)

    @cached_property
    def network(self) -> Network:
        """The network, its intermediate included."""
        return parse(self.text)

    @property
    def catalytic(self) -> bool:
        """Whether the last step gives the intermediate back."""
        return not self.network.stoichiometry[2:, self.network.index(INTERMEDIATE)].any()

    @property
    def sequestered(self) -> int:
        """c1: molecules of one species that Z holds back."""
        return max(self.network.reactions[0].reactants.values())

    @cached_property
    def observed(self) -> NDArray[np.int64]:
        """Where the species of the truth stand in the network, shape (S,)."""
        return np.array([self.network.index(s) for s in TRUTHS[self.truth].network.species])

    @cached_property
    def role(self) -> NDArray[np.int64]:
        """Which of k1, k-1, k2 each reaction has, shape (R,)."""
        return np.minimum(np.arange(len(self.network.reactions)), 2)

    def constants(self, k: ArrayLike) -> NDArray[np.float64]:
        """Constants of the reactions from (k1, k-1, k2), shape (..., 3) to (..., R)."""
        return np.asarray(k, dtype=float)[..., self.role] * np.array(self.multiples)

    def by_theory(self, largest: float) -> NDArray[np.float64]:
        """Constants (k1, k-1, k2) that theory holds best for k-1 = `largest`, shape (3,)."""
        kappa, eps = TRUTHS[self.truth].constant, 1 / largest
        ratio = kappa * eps if self.catalytic else np.sqrt(kappa * eps / self.sequestered)
        return from_scales(kappa, ratio, eps)

    def initial(self, observed: ArrayLike) -> NDArray[np.float64]:
        """Return initial concentrations of all species, Z absent: (n, S) to (n, S')."""
        observed = np.asarray(observed, dtype=float)
        full = np.zeros((len(observed), len(self.network.species)))
        full[:, self.observed] = observed
        return full

    def curves(self, k: ArrayLike, initial: ArrayLike) -> NDArray[np.float64]:
        """Simulate the observed species under (k1, k-1, k2): shape (n, T, S)."""
        times = TRUTHS[self.truth].times
        value = _solved(self.network, self.constants(k), self.initial(initial), times)
        return value[..., self.observed]


#: Constants and horizons of the runs; those of the source's slides are not printed.
TRUTHS: Mapping[str, Truth] = {
    "3 A -> B": Truth("3 A -> B", 0.3, 40.0),
    "2 A + B -> C": Truth("2 A + B -> C", 0.4, 40.0),
    "A + 2 B -> 3 B": Truth("A + 2 B -> 3 B", 1.0, 10.0),
}

_CUBIC, _MIXED, _AUTOCATALYTIC = TRUTHS

STAND_INS: Mapping[str, StandIn] = {
    "3 A, consumed": StandIn(_CUBIC, "2 A <=> Z (k1, k-1); A + Z -> B (k2)"),
    "3 A, catalyst": StandIn(
        _CUBIC, "2 A <=> Z (k1, k-1); A + Z -> Z (k2a); A + Z -> B + Z (k2b)", (1, 1, 2, 1)
    ),
    "2 A + B by 2 A": StandIn(_MIXED, "2 A <=> Z (k1, k-1); B + Z -> C (k2)"),
    "2 A + B by A + B": StandIn(_MIXED, "A + B <=> Z (k1, k-1); A + Z -> C (k2)"),
    "A + 2 B, consumed": StandIn(_AUTOCATALYTIC, "2 B <=> Z (k1, k-1); A + Z -> 3 B (k2)"),
    "A + 2 B, catalyst": StandIn(_AUTOCATALYTIC, "2 B <=> Z (k1, k-1); A + Z -> B + Z (k2)"),
}


def from_scales(kappa: float, ratio: float, eps: float) -> NDArray[np.float64]:
    """Return (k1, k-1, k2) for kappa = k1 k2/k-1, K = k1/k-1 = `ratio` and eps = 1/k-1."""
    return np.array([ratio / eps, 1 / eps, kappa / ratio])


@dataclass(frozen=True)
class Errors:
    """How far curves are from the true ones.

    Attributes
    ----------
    relative
        Largest error of the first species relative to its value.
    largest, mean
        Largest and mean absolute error, each species over its range in all runs.
    """

    relative: float
    largest: float
    mean: float


def errors(value: NDArray[np.float64], true: NDArray[np.float64]) -> Errors:
    """Compare curves, shape (n, T, S) both."""
    span = np.ptp(true, axis=(0, 1))
    gap = np.abs(value - true)
    share = gap / span
    relative = (gap[..., 0] / true[..., 0]).max()
    return Errors(float(relative), float(share.max()), float(share.mean()))


def _solved(
    network: Network, constants: ArrayLike, initial: NDArray, times: NDArray
) -> NDArray[np.float64]:
    run = integrate(network, constants, initial, times, threads=1, **TOLERANCE)
    if run.status.any():
        raise ValueError(
            f"{int((run.status > 0).sum())} of {len(initial)} runs of {network} could not be "
            "integrated: expected constants and concentrations that are finite and not negative"
        )
    return run.concentration
