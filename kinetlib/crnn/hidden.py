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
import xarray as xr
from numpy.typing import NDArray

from kinetlib.crnn.effects import Effects
from kinetlib.crnn.fit import Unknowns
from kinetlib.crnn.runs import FLOOR, Curves
from kinetlib.crnn.search import Candidate
from kinetlib.crnn.start import Balance, Smooth

_WEIGHTS = (-1, 0, 1)
_MOST_TERMS = 4
_UNITS = (2.0, 3.0, 0.5, 1 / 3)  # molecules of the hidden species, counted as one
_BELOW = 4.0  # standard deviations below 0 that noise may bring a sum
_THINNED = 4  # of the times of smoothed curves, one counts while guesses are compared
_ALIKE = 0.02  # difference of two sums, of their size, below which they are one


def with_hidden(runs: xr.Dataset, name: str) -> xr.Dataset:
    """Add a species that is not measured, and not there at the start, to runs for discovery.

    Raises
    ------
    ValueError
        If the runs have a species of that name.
    """
    measured = [str(one) for one in runs["species"].values]
    if name in measured:
        raise ValueError(f"{name}: is measured, with {', '.join(measured)}; give a new name")
    wider = runs.reindex(species=[*measured, name])
    if "initial" not in runs:
        shape = (runs.sizes["run"], len(measured) + 1)
        wider["initial"] = (("run", "species"), np.full(shape, np.nan))
    wider["initial"].loc[{"species": name}] = 0.0
    return wider


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


def in_other_units(curves: Curves, best: Candidate) -> Iterator[tuple[Effects, Unknowns]]:
    """Write reactions in other units of the hidden species, as effects to start from.

    Nothing is left to choose where its initial concentrations are given and not 0.
    """
    hidden = int(np.flatnonzero(curves.hidden)[0])
    if curves.initial[:, hidden].any():
        return
    network, fit = best.problem.network, best.fit
    place = best.problem.place
    for unit in _UNITS:
        found: dict[tuple, tuple[float, float]] = {}
        for r in np.flatnonzero(fit.present):
            complex_ = np.zeros(len(curves.species), dtype=np.int64)
            complex_[place] = network.orders[r]
            constant = fit.constants[r] * unit ** -float(complex_[hidden])
            for j in np.flatnonzero(network.stoichiometry[r]):
                change, species = network.stoichiometry[r, j], int(place[j])
                rate = constant * abs(change) * (unit if species == hidden else 1.0)
                key = (tuple(complex_), species, int(np.sign(change)))
                before, energy = found.get(key, (0.0, 0.0))
                energy += rate * fit.unknowns.activation[r]
                found[key] = before + rate, energy
        columns = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
        constants, weighted = np.array(list(found.values())).T
        yield (
            Effects(curves.species, *columns),
            Unknowns(constants, weighted / constants, fit.unknowns.initial),
        )


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
