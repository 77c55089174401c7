"""Species that are not measured: what they must have been, if mass is conserved.

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
from itertools import combinations, islice, product

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.crnn.conserved import written
from kinetlib.crnn.effects import Effects
from kinetlib.crnn.found import Discovery
from kinetlib.crnn.point import Unknowns
from kinetlib.crnn.runs import FLOOR, Curves
from kinetlib.crnn.search import Candidate
from kinetlib.crnn.start import Balance, Smooth
from kinetlib.kinetics.conservation import conservation_laws

_WEIGHTS = (-1, 0, 1)
_MOST_TERMS = 4
_UNITS = (2.0, 3.0, 0.5, 1 / 3)  # molecules of the hidden species, counted as one
_BELOW = 4.0  # standard deviations below 0 that noise may bring a sum
_THINNED = 4  # of the times of smoothed curves, one counts while guesses are compared
_MOST_GUESSES = 60  # of several hidden species at once
_ALIKE = 0.02  # difference of two sums, of their size, below which they are one


def with_hidden(runs: xr.Dataset, name: str, start: float = 0.0) -> xr.Dataset:
    """Add a species that is not measured to runs for discovery, with its concentration at first.

    Raises
    ------
    ValueError
        If the runs have a species of that name, or the start is no concentration.
    """
    if not 0 <= start < np.inf:
        raise ValueError(f"{name}: expected a concentration at the start, got {start!r}")
    measured = [str(one) for one in runs["species"].values]
    if name in measured:
        raise ValueError(f"{name}: is measured, with {', '.join(measured)}; give a new name")
    wider = runs.reindex(species=[*measured, name])
    if "initial" not in runs:
        shape = (runs.sizes["run"], len(measured) + 1)
        wider["initial"] = (("run", "species"), np.full(shape, np.nan))
    wider["initial"].loc[{"species": name}] = start
    return wider


def guesses(curves: Curves, smooth: Smooth, effects: Effects) -> list[Smooth]:
    """Fill in the hidden species by sums of the others, the better guesses first.

    Several are filled in by sums that differ, each by another.

    Parameters
    ----------
    curves, smooth
        Runs in which species are hidden, and the others of them smoothed.
    effects
        What species may do.

    Raises
    ------
    ValueError
        If no sum of the others could be the hidden species.
    """
    found: list[tuple[float, Smooth]] = []
    for filled in islice(_filled(curves, smooth), _MOST_GUESSES):
        left = Balance.of(filled.thinned(_THINNED), effects, curves.arrhenius).solve(price=0.0)[2]
        found.append((float(left[~curves.hidden].sum()), filled))
    if not found:
        names = ", ".join(np.array(curves.species)[curves.hidden])
        raise ValueError(
            f"{names}: not measured, and no sums of the other concentrations could be it: leave "
            "out what is not measured, or measure it in some runs"
        )
    return [filled for _, filled in sorted(found, key=lambda one: one[0])]


def sums_with_hidden(found: Discovery, curves: Curves) -> Iterator[str]:
    """Say which sums with a hidden species the reactions keep."""
    if not curves.hidden.any() or not found.to_tied().plain:
        return
    laws = [
        written(law, found.species)
        for law in conservation_laws(found.stoichiometry.astype(np.int64))
        if law[curves.hidden].any() and np.count_nonzero(law) > 1
    ]
    if laws:
        yield f"These reactions keep, with what is hidden: {'; '.join(laws)}."


def in_other_units(curves: Curves, best: Candidate) -> Iterator[tuple[Effects, Unknowns]]:
    """Write reactions in other units of the hidden species, as effects to start from.

    Nothing is left to choose where its initial concentrations are given and not 0.
    """
    for hidden in np.flatnonzero(curves.hidden):
        if not curves.initial[:, hidden].any():
            yield from _of_one(curves, best, int(hidden))


def _of_one(curves: Curves, best: Candidate, hidden: int) -> Iterator[tuple[Effects, Unknowns]]:
    network, fit, owner = best.problem.network, best.fit, best.problem.tied.owner
    spread = best.problem.tied.spread(fit.constants)
    place = best.problem.place
    for unit in _UNITS:
        found: dict[tuple, tuple[float, float]] = {}
        for r in np.flatnonzero(spread > 0):
            complex_ = np.zeros(len(curves.species), dtype=np.int64)
            complex_[place] = network.orders[r]
            constant = spread[r] * unit ** -float(complex_[hidden])
            for j in np.flatnonzero(network.stoichiometry[r]):
                change, species = network.stoichiometry[r, j], int(place[j])
                rate = constant * abs(change) * (unit if species == hidden else 1.0)
                key = (tuple(complex_), species, int(np.sign(change)))
                before, energy = found.get(key, (0.0, 0.0))
                energy += rate * fit.unknowns.activation[owner[r]]
                found[key] = before + rate, energy
        columns = (np.array(column, dtype=np.int64) for column in zip(*found, strict=True))
        constants, weighted = np.array(list(found.values())).T
        yield (
            Effects(curves.species, *columns),
            Unknowns(constants, weighted / constants, fit.unknowns.initial),
        )


def _filled(curves: Curves, smooth: Smooth) -> Iterator[Smooth]:
    """List the guesses, those of several hidden species with sums of few terms first."""
    hidden = [int(one) for one in np.flatnonzero(curves.hidden)]
    sums = [list(_sums(curves, smooth, one)) for one in hidden]
    if len(hidden) == 1:
        choices = [(one,) for one in sums[0]]
    elif (curves.initial[:, hidden] == curves.initial[:, hidden[:1]]).all():
        # Names of species that begin alike may be exchanged: each set of sums counts once.
        choices = combinations(sums[0], len(hidden))
    else:
        every = sorted(product(*(range(len(own)) for own in sums)), key=sum)
        choices = (tuple(own[at] for own, at in zip(sums, one, strict=True)) for one in every)
    for choice in choices:
        filled, noise = smooth.value.copy(), smooth.variance.copy()
        for one, (value, variance) in zip(hidden, choice, strict=True):
            filled[..., one], noise[..., one] = np.maximum(value, 0.0), variance
        yield replace(smooth, value=filled, variance=noise)


def _sums(
    curves: Curves, smooth: Smooth, hidden: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """List what a hidden species may be, with its variance, each curve once."""
    others = np.flatnonzero(~curves.hidden)
    start = curves.initial[:, None, hidden]
    change = smooth.value[..., others] - smooth.value[:, :1, others]
    known: list[NDArray[np.float64]] = []
    every = sorted(product(_WEIGHTS, repeat=len(others)), key=np.count_nonzero)
    for weights in every if curves.hidden.sum() > 1 else product(_WEIGHTS, repeat=len(others)):
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
        yield value, variance
