"""What draws say of constants: intervals, verdicts in words, combinations that are determined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

DETERMINED, ABOVE, BELOW, OPEN = (
    "determined",
    "bounded above",
    "bounded below",
    "not determined",
)
FIXED = "fixed"
LEVEL = 0.95
_STRIP = 0.05  # of the box, at either end
_ALLOWED = 0.2  # draws in it, relative to the prior's: with fewer, the data exclude the end
_WIDEST = 100.0  # high over low of what is called determined
_SIZE = 3  # constants in a combination at most


@dataclass(frozen=True)
class Constant:
    """A quantity that was fitted, in the file's units.

    Attributes
    ----------
    value
        Median of the posterior.
    low, high
        Central 95 % interval. Where the data exclude nothing at one end, it ends near the end of
        what was tried there.
    unit
        As the file names it.
    verdict
        ``determined``, ``bounded above``, ``bounded below``, ``not determined`` or ``fixed``.
    best
        Value in the best fit.
    profile
        Interval by the profile likelihood; infinite, or 0, where it has no end in the box. None
        where none was followed.
    """

    value: float
    low: float
    high: float
    unit: str
    verdict: str
    best: float
    profile: tuple[float, float] | None = None

    def interval(self) -> str:
        """Put the interval in words."""
        if self.verdict == ABOVE:
            return f"below {self.high:.3g}"
        if self.verdict == BELOW:
            return f"above {self.low:.3g}"
        if self.verdict == OPEN:
            return f"{self.low:.2g} to {self.high:.2g}, of all tried"
        if self.verdict == FIXED:
            return "fixed"
        return f"{self.low:.3g} to {self.high:.3g}"


def verdict(draws: NDArray[np.float64], low: float, high: float) -> str:
    """Judge draws (n,) of a coordinate whose prior is flat between low and high.

    An end of the box is excluded where the draws in the twentieth next to it are less than a fifth
    of what the prior has there.
    """
    width = _STRIP * (high - low)
    most = _ALLOWED * _STRIP
    bounded_below = np.mean(draws < low + width) < most
    bounded_above = np.mean(draws > high - width) < most
    if bounded_below and bounded_above:
        first, last = quantiles(draws)
        return DETERMINED if last - first <= np.log(_WIDEST) else OPEN
    if bounded_above:
        return ABOVE
    return BELOW if bounded_below else OPEN


def quantiles(draws: NDArray[np.float64], level: float = LEVEL) -> tuple[float, float]:
    """Return the ends of the central interval of draws (n,)."""
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Combination:
    """A product of powers of constants that the data determine, where they leave the factors open.

    ``powers`` by name; otherwise as `Constant`.
    """

    powers: dict[str, int]
    value: float
    low: float
    high: float
    unit: str

    @property
    def name(self) -> str:
        """Write it: ``k-1/k1``, ``k1 k2/k-1``."""
        return written(self.powers)


def written(powers: dict[str, int]) -> str:
    """Write a product of powers.

    >>> written({"k1": 1, "k2": 1, "k-1": -1})
    'k1 k2/k-1'
    """
    above = " ".join(name for name, power in powers.items() if power > 0)
    below = [name for name, power in powers.items() if power < 0]
    under = below[0] if len(below) == 1 else f"({' '.join(below)})"
    return (above or "1") + (f"/{under}" if below else "")


def determined_combinations(
    names: Sequence[str], draws: NDArray[np.float64], verdicts: Sequence[str]
) -> list[dict[str, int]]:
    """Find products and ratios that are determined though their factors are not.

    The narrowest directions of the posterior, of up to three constants each to the power 1 or -1,
    fewest constants first, none of which follows from others.

    Parameters
    ----------
    names, verdicts
        Of the constants.
    draws
        Their logarithms, shape (n, R).
    """
    basis = [
        row
        for row, said in zip(np.eye(len(names)), verdicts, strict=True)
        if said in (DETERMINED, FIXED)
    ]
    free = [at for at, said in enumerate(verdicts) if said not in (DETERMINED, FIXED)]
    found: list[dict[str, int]] = []
    candidates = []
    for size in range(2, _SIZE + 1):
        for chosen in combinations(free, size):
            for signs in product((1, -1), repeat=size - 1):
                powers = np.zeros(len(names))
                powers[list(chosen)] = (1, *signs)
                low, high = quantiles(draws @ powers)
                if high - low <= np.log(_WIDEST) / 2:
                    candidates.append((size, high - low, powers))
    for _, _, powers in sorted(candidates, key=lambda one: one[:2]):
        if np.linalg.matrix_rank(np.stack([*basis, powers])) > len(basis):
            basis.append(powers)
            # Written with as much above the line as below it, or more.
            signed = powers if powers.sum() >= 0 else -powers
            found.append({name: int(p) for name, p in zip(names, signed, strict=True) if p})
    return found


def unit_of(time_power: int, concentration_power: int, time: str, concentration: str) -> str:
    """Write a unit.

    >>> unit_of(-1, -1, "s", "M"), unit_of(-1, 0, "min", "M"), unit_of(0, 0, "s", "M")
    ('M-1 s-1', 'min-1', '1')
    >>> unit_of(-1, 0, "", "")
    'per time unit of the file'
    """
    parts = [
        (concentration, "concentration unit of the file", concentration_power),
        (time, "time unit of the file", time_power),
    ]
    parts = [part for part in parts if part[2]]
    if not parts:
        return "1"
    if all(name for name, _, _ in parts):
        return " ".join(name + ("" if power == 1 else str(power)) for name, _, power in parts)
    above = [_power(name or words, power) for name, words, power in parts if power > 0]
    below = [_power(name or words, -power) for name, words, power in parts if power < 0]
    return " ".join([*above, *(["per " + " and ".join(below)] if below else [])])


def _power(name: str, power: int) -> str:
    return name if power == 1 else f"{name} to the power {power}"
