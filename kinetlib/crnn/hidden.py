"""A species that is not measured: what it must have been, if mass is conserved.

Where reactions are fewer than species, weighted sums of concentrations stay what they were. So a
hidden species changes as some sum of the others does, z = z(0) + sum_j c_j (x_j - x_j(0)), whose
weights are small whole numbers where molecules are counted. Each such sum that does not become
negative is a guess; the better ones explain, as a reactant, what the measured species do. That also
settles the unit of the hidden species, which curves of the others leave open: k and its
concentrations could be scaled against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.effects import Effects
from kinetlib.crnn.runs import FLOOR, Curves
from kinetlib.crnn.start import Balance, Smooth

_WEIGHTS = (-1, 0, 1)
_MOST_TERMS = 4
_BELOW = 4.0  # standard deviations below 0 that noise may bring a sum
_THINNED = 4  # of the times of smoothed curves, one counts while guesses are compared
_ALIKE = 0.02  # difference of two sums, of their size, below which they are one


def guesses(curves: Curves, smooth: Smooth, effects: Effects) -> list[Smooth]:
    """Fill in the hidden species by sums of the others, the better guesses first.

    Parameters
    ----------
    curves, smooth
        Runs in which one species is hidden, and the others of them smoothed.
    effects
        What species may do.

    Raises
    ------
    ValueError
        If no sum of the others could be the hidden species.
    """
    found: list[tuple[float, Smooth]] = []
    for filled in _sums(curves, smooth):
        left = Balance.of(filled.thinned(_THINNED), effects, curves.arrhenius).solve(price=0.0)[2]
        found.append((float(left[~curves.hidden].sum()), filled))
    if not found:
        raise ValueError(
            f"{curves.species[int(np.flatnonzero(curves.hidden)[0])]} is not measured, and no sum "
            "of the other concentrations could be it: leave it out, or measure it in some runs"
        )
    return [filled for _, filled in sorted(found, key=lambda one: one[0])]


def _sums(curves: Curves, smooth: Smooth) -> Iterator[Smooth]:
    """List the guesses, each curve once."""
    hidden = int(np.flatnonzero(curves.hidden)[0])
    others = np.flatnonzero(~curves.hidden)
    start = curves.initial[:, None, hidden]
    change = smooth.value[..., others] - smooth.value[:, :1, others]
    known: list[NDArray[np.float64]] = []
    for weights in product(_WEIGHTS, repeat=len(others)):
        terms = np.count_nonzero(weights)
        if not 0 < terms <= _MOST_TERMS:
            continue
        value = start + change @ weights
        variance = smooth.variance[..., others] @ np.square(weights)
        if (value < -_BELOW * np.sqrt(variance)).mean() > FLOOR or np.ptp(value) == 0:
            continue
        size = np.sqrt((value**2).mean())
        if any(np.sqrt(((value - other) ** 2).mean()) < _ALIKE * size for other in known):
            continue
        known.append(value)
        filled, noise = smooth.value.copy(), smooth.variance.copy()
        filled[..., hidden], noise[..., hidden] = np.maximum(value, 0.0), variance
        yield replace(smooth, value=filled, variance=noise)
