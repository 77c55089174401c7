"""Reaction orders from runs that start differently, by two methods, and what to make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from kinetlib.inference.courses import Courses, courses
from kinetlib.inference.overlay import Overlay, overlay
from kinetlib.inference.power_law import PowerLaw, power_law
from kinetlib.inference.telling import SAME, half_widths
from kinetlib.inference.verdicts import unit_of

_SIMPLE = {
    -1.0: "inverse first order",
    -0.5: "inverse half order",
    0.0: "zero order",
    0.5: "half order",
    1.0: "first order",
    1.5: "order three halves",
    2.0: "second order",
}
_CLOSE = 0.1  # an order this close to a simple one may be it, however narrow the interval
_WIDE = 1.0  # half an interval from which an order counts as not told
_NARROW = 0.5  # half an interval up to which an order is called by a simple one
_RARE = 0.01  # probability of a misfit by noise alone below which it counts
_ROUGH, _NONE = 0.02, 0.05  # of the range: how far runs lie apart that overlay roughly, or not
_TWICE = 2.0  # times the scatter within runs, at least, from which a misfit counts


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval, and its unit where it has one."""

    value: float
    low: float
    high: float
    unit: str = ""

    def interval(self) -> str:
        """Write the interval."""
        return f"{self.low:.3g} to {self.high:.3g}"


@dataclass(frozen=True)
class Order:
    """The order in one species: by each method, None where it does not tell, and in words."""

    vtna: Estimate | None
    power_law: Estimate | None
    verdict: str


@dataclass(frozen=True)
class Score:
    """How far rows lie off, root mean squares relative to the largest extent of a run.

    Attributes
    ----------
    overlay
        Off the common curve, against the transformed time.
    within_runs
        Off a curve for each run: the noise alone. NaN where runs have too few rows to tell.
    power_law
        Off the fitted power law.
    """

    overlay: float
    within_runs: float
    power_law: float


@dataclass(frozen=True)
class Orders:
    """Reaction orders.

    Attributes
    ----------
    orders
        By species.
    score
        How well orders describe the runs.
    rate_constant
        Of the power law, in the file's units, with the orders that were fitted.
    noise
        By column that was fitted, root mean square of what the power law leaves, in the file's
        unit.
    followed
        The species whose formation or consumption was fitted.
    runs
        Their names.
    remarks
        What was assumed, and where orders do not describe the runs, one sentence each.
    courses, overlay, law
        Behind the numbers, for figures.
    """

    orders: dict[str, Order]
    score: Score
    rate_constant: Estimate
    noise: dict[str, float]
    followed: str
    runs: tuple[str, ...]
    remarks: tuple[str, ...]
    courses: Courses
    overlay: Overlay
    law: PowerLaw


def orders(
    runs: xr.Dataset, species: Sequence[str] | None = None, *, follow: str | None = None
) -> Orders:
    """Tell reaction orders from runs that start differently.

    Two methods that err differently. Variable time normalisation analysis [1]_, [2]_, automatic as
    in [3]_: the orders, all optimised together, with which the runs lie on one rising curve against
    the integral of the product of c^order over time. The curve may have any shape, so that whatever
    acts alike in all runs, as a catalyst that dies, does no harm. And a power law, rate = k times
    the product of c^order, integrated and fitted to the measured concentrations: it reads orders
    off the shape of each curve, too, and is wrong where the law is.

    Parameters
    ----------
    runs
        Two or more runs as `kinetlib.lab.read` or `kinetlib.lab.read_species` returns them. The
        first row of a run counts as what was weighed in.
    species
        Whose orders are wanted; by default of all species that are not formed. A product is worth
        naming if runs started with some of it.
    follow
        Species whose formation or consumption is fitted: by default the product; where none was
        measured or named the species that grows most, else that of which most is consumed.

    Returns
    -------
    Orders
        Intervals are 95 % intervals by the curvature of the sum of squares, with Student's t: of
        many repetitions of the runs 95 in 100 would hold the order, if the runs overlay at all (for
        the power law: if it is the law). Noise is estimated from what the fit leaves, point by
        point, and intervals are widened where neighbouring points lie on one side of the curve. The
        noise of concentrations in the transformed time is not in the intervals of VTNA.

    Raises
    ------
    ValueError
        Fewer than two runs, runs at several temperatures, species that are not there.

    References
    ----------
    .. [1] J. Bures, Angew. Chem. Int. Ed. 2016, 55, 16084, doi:10.1002/anie.201609757.
    .. [2] C. D.-T. Nielsen, J. Bures, Chem. Sci. 2019, 10, 348, doi:10.1039/C8SC04698K.
    .. [3] D. Dalland, L. Schrecker, K. K. Hii, Digital Discovery 2024, doi:10.1039/D4DD00111G.
    """
    data = courses(runs, follow)
    chosen = _chosen(data, species)
    law = power_law(data, chosen)
    over = overlay(data, chosen, law)
    extent, rows = data.extent, data.scored
    score = Score(
        over.score,
        over.apart,
        float(np.sqrt(np.mean((extent - law.fitted)[rows] ** 2)) / data.range),
    )
    half = half_widths(over.covariance, over.freedom)
    by_overlay = _estimates(over.species, over.x, half, over.why_not)
    half = half_widths(law.covariance, law.freedom)
    by_law = _estimates(law.species, law.x[1:], half[1:], law.why_not)
    fits = not _off(score.power_law, score.within_runs)
    overlays = fits or score.overlay < _NONE or not _apart(over, score)
    found = {}
    for name in (data.species[one] for one in chosen):
        one, other = by_overlay.get(name), by_law.get(name)
        reasons = over.why_not.get(name), law.why_not.get(name)
        verdict = _verdict(one, other, fits, reasons)
        if not overlays and not verdict.startswith("not told"):
            verdict = f"about {(one or other).value:.1f}; the runs do not overlay"
        found[name] = Order(one, other, verdict)
    return Orders(
        found,
        score,
        _constant(data, law, half[0]),
        law.noise,
        data.species[data.followed],
        data.runs,
        (*data.remarks, *_remarks(data, found, over, law, score)),
        data,
        over,
        law,
    )


def _chosen(data: Courses, species: Sequence[str] | None) -> list[int]:
    """Choose the species whose orders are wanted."""
    if not species:
        chosen = [i for i in range(len(data.species)) if not data.products[i]]
    else:
        for name in species:
            if name not in data.species:
                raise ValueError(
                    f"{name}: no such species; the species are {', '.join(data.species)}"
                )
        chosen = [data.species.index(name) for name in dict.fromkeys(species)]
    for one in chosen:
        if data.values[:, one].max() <= 0:
            raise ValueError(f"{data.species[one]} is 0 in all runs: it has no order; leave it out")
    if not chosen:
        raise ValueError("every species is formed: name those whose orders are wanted")
    return chosen


def _estimates(
    names: Sequence[str], values: np.ndarray, half: np.ndarray, why_not: dict[str, str]
) -> dict[str, Estimate]:
    return {
        name: Estimate(float(value), float(value - width), float(value + width))
        for name, value, width in zip(names, values, half, strict=True)
        if name not in why_not
    }


def _constant(data: Courses, law: PowerLaw, half: float) -> Estimate:
    """Return the rate constant in the file's units."""
    power = round(1 - float(law.x[1:].sum()), 2)
    whole = int(power) if power == int(power) else power
    unit = unit_of(-1, whole, data.time_unit, data.concentration_unit)
    low, value, high = (float(np.exp(law.x[0] + sign * half)) for sign in (-1, 0, 1))
    return Estimate(value, low, high, unit)


def _off(distance: float, scatter: float) -> bool:
    """Tell whether rows lie off a curve by more than they scatter within runs."""
    return distance > _ROUGH and not distance <= _TWICE * scatter


def _apart(over: Overlay, score: Score) -> bool:
    """Tell whether runs lie off the common curve by more than noise makes them."""
    return _off(score.overlay, score.within_runs) and over.probability < _RARE


def _verdict(
    by_overlay: Estimate | None,
    by_law: Estimate | None,
    law_fits: bool,
    reasons: tuple[str | None, str | None],
) -> str:
    """Put an order into words, by the method that is to be believed."""
    told = [one for one in (by_overlay, by_law) if one is not None]
    if not told:
        return f"not told: {reasons[1] or reasons[0]}"
    # Where the law describes the curves it knows more; where it does not only the overlay counts.
    best = by_law if law_fits and by_law else by_overlay or by_law
    half = (best.high - best.low) / 2
    if half > _WIDE:
        return f"not told: anything from {best.low:.1f} to {best.high:.1f} describes the runs"
    reach = max(half, _CLOSE)
    near = [order for order in _SIMPLE if abs(order - best.value) <= reach]
    if len(near) == 1 and half <= _NARROW:
        return _SIMPLE[near[0]]
    if len(near) > 1:
        return f"between {_SIMPLE[near[0]]} and {_SIMPLE[near[-1]]}"
    return f"order {best.value:.2f}"


def _remarks(
    data: Courses, found: dict[str, Order], over: Overlay, law: PowerLaw, score: Score
) -> list[str]:
    """Say what is to be known beside the numbers."""
    lines = [f"{data.species[data.followed]} is followed; its first value in a run is the start."]
    same = [name for name in found if name not in law.species and name not in over.species]
    constant = [name for name in same if law.why_not.get(name) == SAME]
    if constant:
        lines.append(f"The rate constant contains what {', '.join(constant)} does.")
    lines.append(_on_overlay(over, score))
    if _off(score.power_law, score.within_runs):
        lines.append(_on_law(data, law, score))
    apart = [
        name
        for name, one in found.items()
        if one.vtna and one.power_law and _disagree(one.vtna, one.power_law)
    ]
    if apart:
        lines.append(f"The two methods disagree on {', '.join(apart)}: their intervals lie apart.")
    return lines


def _disagree(one: Estimate, other: Estimate) -> bool:
    far = abs(one.value - other.value) > _CLOSE
    return far and (one.low > other.high or other.low > one.high)


def _on_overlay(over: Overlay, score: Score) -> str:
    distance = f"{score.overlay:.1%} of the largest extent"
    if not over.species:
        return f"No order transforms the time; the runs lie {distance} off one curve."
    if not _apart(over, score):
        return f"With these orders the runs overlay: rows lie {distance} off one curve."
    scatter = f"scatter within runs is {score.within_runs:.1%}"
    if score.overlay < _NONE:
        return f"With these orders the runs overlay only roughly: {distance} off, {scatter}."
    return (
        f"No one set of orders overlays the runs: rows lie {distance} off one curve, {scatter}. "
        "Orders differ between runs, or something acts that is not among the species."
    )


def _on_law(data: Courses, law: PowerLaw, score: Score) -> str:
    """Say how curves differ from the law."""
    share = data.extent / np.array([data.extent[data.run == r].max() for r in data.run])
    middle = (share > 0.25) & (share < 0.75)
    above = float((data.extent - law.fitted)[middle].mean()) if middle.any() else 0.0
    why = (
        "the runs slow down more than the law, as where the catalyst dies or a product inhibits"
        if above > 0
        else "the runs slow down less than the law, as where the catalyst has yet to form"
    )
    return (
        f"A power law with constant orders does not describe the curves: it is off by "
        f"{score.power_law:.1%} of the largest extent; {why}. Believe its numbers less than VTNA's."
    )
