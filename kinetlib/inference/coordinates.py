"""What a fit may vary, and in which range: constants, free or tied, starts, factors, a shift.

Coordinates count time in the longest run T and concentrations in the largest start C. Constants
enter as ln(k T C^(n-1)), n being the order of their reaction: flat over thirteen decades, from
where nothing happens in T to where all is over at once. Starts and factors are logarithms, too.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.observations import Observations
from kinetlib.kinetics.network import Network

#: ln(k T C^(n-1)) of any constant lies between these, unless bounds are given.
BOX = (float(np.log(1e-5)), float(np.log(1e8)))
_FACTORS = (1e-3, 1e3)  # of columns, relative to what makes their largest value the largest start
_LONGEST_SHIFT = 0.1  # of the longest run
_TIE = re.compile(r"(?:(.+?)\s*\*\s*)?([^\s*]+)")
FLAT, NORMAL, UNIFORM = "flat", "normal", "uniform"


@dataclass(frozen=True)
class Wishes:
    """What a user asks of a fit, in the file's units.

    Attributes
    ----------
    fix
        Constants that are known, by name; 0 takes a step away.
    tie
        Constants that are another, or a multiple of it: ``{"k3": "k4"}``, ``{"k3": "2*k4"}``.
    bounds
        Lowest and highest value of constants.
    initial_error
        Relative standard error of the initial concentrations of species: those are fitted in every
        run. The key "all" stands for each species that is there at the start.
    unknown
        Lowest and highest initial concentration, the same in all runs, of species.
    scale
        Columns that are a signal: concentration times a factor, which is fitted.
    shift
        Whether the clock may be too late or too early, by up to a tenth of the longest run.
    """

    fix: Mapping[str, float] = field(default_factory=dict)
    tie: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    initial_error: Mapping[str, float] = field(default_factory=dict)
    unknown: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    scale: tuple[str, ...] = ()
    shift: bool = False


@dataclass(frozen=True)
class Start:
    """An initial concentration that is fitted: of a species, in some runs, by its logarithm.

    ``relative`` to the one that was given, else in units of C.
    """

    species: int
    runs: NDArray[np.int64]
    at: int
    relative: bool


@dataclass(frozen=True)
class Coordinates:
    """Free coordinates x (D,), their prior, and what they say.

    Attributes
    ----------
    names
        Length D: constants, then starts, factors, the shift.
    kinds
        ``flat`` between low and high, ``normal`` about 0 with the deviation `high`, or ``uniform``
        in the concentration itself.
    low, high
        Shape (D,).
    constant
        The coordinate of each constant, shape (R,), -1 for a fixed one.
    offset
        What is added to it, shape (R,): ln of a tie's factor, or the fixed value itself.
    initial
        Given starts in units of C, shape (runs, S).
    starts, scales, shift
        Fitted starts; coordinate of the factor by column; coordinate of the shift, None without.
    units
        Natural units (T, C); ``orders`` of the reactions, shape (R,).
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    constant: NDArray[np.int64]
    offset: NDArray[np.float64]
    initial: NDArray[np.float64]
    starts: tuple[Start, ...]
    scales: Mapping[int, int]
    shift: int | None
    units: tuple[float, float]
    orders: NDArray[np.int64]

    def log_constants(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln of all constants, in natural units, (n, D) to (n, R)."""
        return np.where(self.constant >= 0, x[:, self.constant], 0.0) + self.offset

    def log_units(self) -> NDArray[np.float64]:
        """Return ln of what constants in natural units are to be multiplied by, shape (R,)."""
        time, concentration = np.log(self.units)
        return -time - (self.orders - 1) * concentration

    def initials(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return initial concentrations, (n, D) to (n, runs, S)."""
        found = np.repeat(self.initial[None], len(x), axis=0)
        for start in self.starts:
            value = np.exp(x[:, start.at])[:, None]
            given = self.initial[start.runs, start.species] if start.relative else 1.0
            found[:, start.runs, start.species] = value * given
        return found

    def log_prior(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(x), (n, D) to (n,), minus infinity outside the box."""
        total = np.zeros(len(x))
        for kind, low, high, column in zip(self.kinds, self.low, self.high, x.T, strict=True):
            if kind == NORMAL:
                total -= (column / high) ** 2 / 2 + np.log(high * np.sqrt(2 * np.pi))
                continue
            inside = (column >= low) & (column <= high)
            density = -np.log(high - low) if kind == FLAT else column - _log_width(low, high)
            total += np.where(inside, density, -np.inf)
        return total

    def drawn(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw from the prior, shape (n, D)."""
        x = rng.uniform(self.low, self.high, (n, len(self.names)))
        for at, kind in enumerate(self.kinds):
            if kind == NORMAL:
                x[:, at] = self.high[at] * rng.standard_normal(n)
            elif kind == UNIFORM:
                x[:, at] = np.log(rng.uniform(np.exp(self.low[at]), np.exp(self.high[at]), n))
        return x

    def box(self, at: int) -> tuple[float, float]:
        """Return the range in which a coordinate may lie; normal ones, five deviations far."""
        if self.kinds[at] == NORMAL:
            return -5 * float(self.high[at]), 5 * float(self.high[at])
        return float(self.low[at]), float(self.high[at])

    def clipped(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nearest coordinates in the box, (n, D)."""
        low, high = np.transpose([self.box(at) for at in range(len(self.names))])
        return np.clip(x, low, high)


def coordinates(network: Network, data: Observations, wishes: Wishes) -> Coordinates:
    """Lay out what is free.

    Parameters
    ----------
    network
        The mechanism's.
    data
        Runs, in the file's units.
    wishes
        What is fixed, tied, bounded or fitted beside the constants.

    Raises
    ------
    ValueError
        Names that the mechanism or the runs do not have, ties between reactions of different order,
        values that are negative, nothing that is free.
    """
    natural = (data.longest, data.scale)
    orders = network.orders.sum(1)
    layout = _Layout()
    constant, offset = _constants(network, natural, orders, wishes, layout)
    initial = _initial(network, data, natural[1])
    starts = _starts(network, data, natural[1], initial, wishes, layout)
    scales = _scales(data, wishes, layout)
    shift = None
    if wishes.shift:
        shift = layout.add("time shift", FLAT, -_LONGEST_SHIFT, _LONGEST_SHIFT)
    if not layout.names:
        raise ValueError("every constant is fixed, so that nothing is left to fit; free one")
    return Coordinates(
        tuple(layout.names),
        tuple(layout.kinds),
        np.array(layout.low),
        np.array(layout.high),
        constant,
        offset,
        initial,
        tuple(starts),
        scales,
        shift,
        natural,
        orders,
    )


class _Layout:
    """Coordinates as they are added."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kinds: list[str] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, name: str, kind: str, low: float, high: float) -> int:
        for mine, value in zip(
            (self.names, self.kinds, self.low, self.high), (name, kind, low, high), strict=True
        ):
            mine.append(value)
        return len(self.names) - 1


def known(name: str, valid: tuple[str, ...], option: str, kind: str) -> int:
    """Return the place of a name, or say which are valid.

    Raises
    ------
    ValueError
        A name that is none of them.
    """
    if name not in valid:
        near = difflib.get_close_matches(name, valid, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{option} {name}: unknown {kind}{hint}, expected {', '.join(valid)}")
    return valid.index(name)


def _constants(
    network: Network,
    natural: tuple[float, float],
    orders: NDArray[np.int64],
    wishes: Wishes,
    layout: _Layout,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    names = network.constants
    to_natural = np.log(natural[0]) + (orders - 1) * np.log(natural[1])
    constant, offset = np.full(len(names), -1), np.zeros(len(names))
    for name, value in wishes.fix.items():
        at = known(name, names, "fix", "constant")
        if not (np.isfinite(value) and value >= 0):
            raise ValueError(f"fix {name}: expected a value from 0 on, got {value:g}")
        offset[at] = (np.log(value) + to_natural[at]) if value > 0 else -np.inf
    for at, name in enumerate(names):
        if name in wishes.fix or name in wishes.tie:
            continue
        low, high = BOX
        if name in wishes.bounds:
            low, high = wishes.bounds[name]
            if not 0 < low < high < np.inf:
                raise ValueError(
                    f"bounds {name}: expected a lower and a higher value, both above 0, got "
                    f"{low:g} and {high:g}"
                )
            low, high = np.log([low, high]) + to_natural[at]
        constant[at] = layout.add(name, FLAT, low, high)
    for name in wishes.bounds:
        if name in wishes.fix or name in wishes.tie:
            raise ValueError(f"bounds {name}: it is fixed or tied already; leave one out")
        known(name, names, "bounds", "constant")
    for name, to in wishes.tie.items():
        _tie(name, to, names, orders, wishes, constant, offset)
    return constant, offset


def _tie(
    name: str,
    to: str,
    names: tuple[str, ...],
    orders: NDArray[np.int64],
    wishes: Wishes,
    constant: NDArray[np.int64],
    offset: NDArray[np.float64],
) -> None:
    """Give a constant the coordinate of another, in place."""
    match = _TIE.fullmatch(str(to).strip())
    try:
        factor = float(match[1] or 1.0)
    except (TypeError, ValueError):
        raise ValueError(
            f"tie {name}={to}: expected another constant, or 2*k4 or the like"
        ) from None
    at = known(name, names, "tie", "constant")
    other = known(match[2], names, "tie", "constant")
    if name in wishes.fix or match[2] in wishes.tie or at == other:
        raise ValueError(
            f"tie {name}={to}: expected a constant that is not fixed, tied to one that is not tied "
            "itself"
        )
    if orders[at] != orders[other]:
        raise ValueError(
            f"tie {name}={to}: reactions of order {orders[at]} and {orders[other]} have constants "
            "of different units; tie constants of one order"
        )
    if not (np.isfinite(factor) and factor > 0):
        raise ValueError(f"tie {name}={to}: expected a factor above 0, got {factor:g}")
    constant[at] = constant[other]
    offset[at] = offset[other] + np.log(factor)


def _initial(network: Network, data: Observations, unit: float) -> NDArray[np.float64]:
    """Return given starts in units of C, shape (runs, S)."""
    initial = np.zeros((len(data.time), len(network.species)))
    for name, start in data.starts.items():
        if name in network.species:
            initial[:, network.index(name)] = start / unit
        elif np.any(start > 0):
            raise ValueError(
                f"the runs start with {name}, which the mechanism does not have: its species are "
                f"{', '.join(network.species)}"
            )
    return initial


def _starts(
    network: Network,
    data: Observations,
    unit: float,
    initial: NDArray[np.float64],
    wishes: Wishes,
    layout: _Layout,
) -> list[Start]:
    found = []
    for name, (low, high) in wishes.unknown.items():
        species = known(name, network.species, "initial", "species")
        if not 0 < low < high < np.inf:
            raise ValueError(
                f"initial {name}: expected a range above 0 and not empty, got {low:g} to {high:g}"
            )
        limits = np.log([low / unit, high / unit])
        at = layout.add(f"{name} at start", UNIFORM, *limits)
        found.append(Start(species, np.arange(len(data.time)), at, relative=False))
    errors = dict(wishes.initial_error)
    everywhere = errors.pop("all", None)
    if everywhere is not None:
        there = [name for name, has in zip(network.species, initial.any(0), strict=True) if has]
        errors = {name: everywhere for name in there} | errors
    for name, error in errors.items():
        species = known(name, network.species, "initial error", "species")
        if not 0 < error < 1:
            raise ValueError(f"initial error {name}: expected a share from 0 to 1, such as 0.02")
        for run in np.flatnonzero(initial[:, species] > 0):
            at = layout.add(f"{name} at start, {data.runs[run]}", NORMAL, 0.0, error)
            found.append(Start(species, np.array([run]), at, relative=True))
    return found


def _scales(data: Observations, wishes: Wishes, layout: _Layout) -> dict[int, int]:
    scales = {}
    for name in wishes.scale:
        column = known(name, data.columns, "scale", "column")
        guess = np.log(np.nanmax(np.abs(data.values[..., column])) / data.scale)
        low, high = guess + np.log(_FACTORS)
        scales[column] = layout.add(f"factor of {name}", FLAT, low, high)
    return scales


def _log_width(low: float, high: float) -> float:
    return float(np.log(np.exp(high) - np.exp(low)))
