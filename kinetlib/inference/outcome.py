"""What comes out of a fit: constants in the file's units, criteria, and what is to be said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import softmax

from kinetlib.inference.coordinates import Coordinates
from kinetlib.inference.course import Course, Traces, course
from kinetlib.inference.misfit import Misfit, misfit
from kinetlib.inference.observations import Observations
from kinetlib.inference.problem import Problem
from kinetlib.inference.profiles import Profile
from kinetlib.inference.sampling import UNTRUSTED, Drawn
from kinetlib.inference.search import Ends
from kinetlib.inference.verdicts import (
    FIXED,
    Combination,
    Constant,
    determined_combinations,
    quantiles,
    unit_of,
    verdict,
)
from kinetlib.kinetics.mechanisms import Mechanism

_APART = np.log(20.0)  # ln of the ratio of evidences from which mechanisms count as told apart


@dataclass(frozen=True)
class Noise:
    """Noise of a column: ``relative`` to the value, and ``absolute`` in the file's unit."""

    relative: float
    absolute: float


@dataclass(frozen=True)
class Fit:
    """What runs say of one mechanism.

    Attributes
    ----------
    mechanism
        Its id, or the name of its file.
    constants
        Rate constants by name, in the file's units.
    others
        What else was fitted, by name: starts, factors of columns, the shift of the clock.
    combinations
        Products and ratios that are determined though their factors are not.
    draws
        Draws from the posterior, in the file's units, shape (n,) by name.
    log_evidence, standard_error
        ln of the probability density of the runs, all constants and the noise integrated out, the
        longest run and the largest start counting as 1.
    log_likelihood
        Largest ln p(y | x), the noise fitted too.
    aicc, bic
        Akaike's criterion for few values, and Schwarz's; NaN where there are too few values.
    misfit
        Whether it explains the runs at all.
    noise
        By column, of the best fit.
    agreeing
        Share of the best descents that ended at the best fit.
    runs, remarks
        Names of the runs; what was assumed or left out.
    data
        The runs themselves.
    traces
        What figures and files are made of.
    """

    mechanism: str
    constants: dict[str, Constant]
    others: dict[str, Constant]
    combinations: tuple[Combination, ...]
    draws: dict[str, NDArray[np.float64]]
    log_evidence: float
    standard_error: float
    log_likelihood: float
    aicc: float
    bic: float
    misfit: Misfit
    noise: dict[str, Noise]
    agreeing: float
    runs: tuple[str, ...]
    remarks: tuple[str, ...]
    data: Observations
    traces: Traces

    def course(self, seed: int = 0) -> Course:
        """Follow the runs from beginning to end, with a 95 % band for readings."""
        return course(self.traces, self.data, seed)

    @property
    def chi_squared(self) -> float:
        """Mean square of the residuals over the noise; NaN where no noise can be told."""
        return self.misfit.chi_squared

    @property
    def explains(self) -> bool:
        """Whether the mechanism explains the runs."""
        return self.misfit.explains


def outcome(
    chosen: Mechanism,
    data: Observations,
    problem: Problem,
    ends: Ends,
    followed: list[Profile],
    sample: Drawn,
    drop: float,
    remarks: list[str],
    rng: Generator,
) -> Fit:
    """Say in the file's units what search, profiles and draws have found.

    Parameters
    ----------
    chosen, data
        The mechanism, and the runs in the file's units.
    problem
        What was fitted, its noise that of the best fit.
    ends, followed, sample
        Ends of descents, a profile of each coordinate, draws from the posterior.
    drop
        Of ln p(y | x) at the ends of profile intervals.
    remarks
        What was assumed or left out on the way.
    rng
        Source of the replicas that are looked at.
    """
    layout = problem.layout
    x = np.concatenate([ends.x, sample.x])
    worth = np.concatenate([ends.log_likelihood, sample.log_likelihood])
    allowed = [one.widened(drop, x[:, at], worth) for at, one in enumerate(followed)]
    constants = _constants(chosen, data, layout, sample, allowed)
    others = _others(data, layout, sample, allowed)
    curves = problem.curves(sample.best[None])
    level = problem.marginal.level(curves)
    noise = {
        name: Noise(float(level.relative[0, c]), float(level.absolute[0, c] * layout.units[1]))
        for c, name in enumerate(data.columns)
    }
    log_likelihood = float(problem.marginal.largest_likelihood(curves)[0])
    n_free, n = len(layout.names) + 2 * len(data.columns), problem.n_readings
    room = n - n_free - 1
    aicc = 2 * (n_free - log_likelihood) + 2 * n_free * (n_free + 1) / room if room > 0 else np.nan
    found = misfit(problem, sample.best, sample.x, rng)
    remarks = [*data.remarks, *chosen.remarks, *remarks, *_warnings(ends, sample)]
    if room <= 0:
        remarks.append(
            f"{int(n)} values for {n_free} unknowns, noise included: too few for AICc, and little "
            "can be determined"
        )
    fixed = [name for name, constant in constants.items() if constant.verdict == FIXED]
    combined = _combinations(chosen, data, layout, sample, constants)
    return Fit(
        mechanism=chosen.id,
        constants=constants,
        others=others,
        combinations=combined,
        draws=_draws(chosen, layout, sample, fixed),
        log_evidence=sample.log_evidence,
        standard_error=sample.standard_error,
        log_likelihood=log_likelihood,
        aicc=float(aicc),
        bic=float(n_free * np.log(n) - 2 * log_likelihood),
        misfit=found,
        noise=noise,
        agreeing=ends.agreeing,
        runs=data.runs,
        remarks=tuple(dict.fromkeys(remarks)),
        data=data,
        traces=Traces(chosen.network, layout, sample.best, sample.x, tuple(followed), drop),
    )


def _warnings(ends: Ends, sample: Drawn) -> list[str]:
    found = []
    if ends.agreeing < 0.5:
        found.append(
            f"{ends.agreeing:.0%} of the best descents ended at the best fit: there may be a "
            "better one; bounds help"
        )
    if sample.pareto > UNTRUSTED:
        found.append(
            f"the draws' weights have a heavy tail (Pareto k {sample.pareto:.2f}): evidence and "
            "intervals may err by more than they say"
        )
    return found


def _constants(
    chosen: Mechanism,
    data: Observations,
    layout: Coordinates,
    sample: Drawn,
    allowed: list[tuple[float, float]],
) -> dict[str, Constant]:
    units = layout.log_units()
    draws, best = (layout.log_constants(x) + units for x in (sample.x, sample.best[None]))
    found = {}
    for at, name in enumerate(chosen.network.constants):
        order = int(layout.orders[at])
        unit = unit_of(-1, 1 - order, data.time_unit, data.concentration_unit)
        coordinate = int(layout.constant[at])
        if coordinate < 0:
            value = float(np.exp(best[0, at]))
            found[name] = Constant(value, value, value, unit, FIXED, value)
            continue
        moved = layout.offset[at] + units[at]
        found[name] = _constant(
            sample.x[:, coordinate],
            float(best[0, at]),
            layout.low[coordinate],
            layout.high[coordinate],
            moved,
            unit,
            allowed[coordinate],
        )
    return found


def _constant(
    draws: NDArray[np.float64],
    best: float,
    low: float,
    high: float,
    moved: float,
    unit: str,
    profile: tuple[float, float],
) -> Constant:
    """Put a constant together from draws of its coordinate, which is ``moved`` to ln k."""
    first, last = np.exp(np.array(quantiles(draws)) + moved)
    ends = np.exp(np.array(profile) + moved)
    return Constant(
        float(np.exp(np.median(draws) + moved)),
        float(first),
        float(last),
        unit,
        verdict(draws, low, high),
        float(np.exp(best)),
        (float(ends[0]), float(ends[1])),
    )


def _others(
    data: Observations,
    layout: Coordinates,
    sample: Drawn,
    allowed: list[tuple[float, float]],
) -> dict[str, Constant]:
    """Return starts, factors and the shift, in the file's units."""
    found = {}
    concentration = data.concentration_unit or "concentration unit of the file"
    for start in layout.starts:
        given = layout.initial[start.runs[0], start.species] if start.relative else 1.0
        moved = float(np.log(given * layout.units[1]))
        found[start.at] = (moved, concentration)
    for column, at in layout.scales.items():
        found[at] = (0.0, f"{data.columns[column]} per {concentration}")
    result = {}
    for at, (moved, unit) in sorted(found.items()):
        result[layout.names[at]] = _constant(
            sample.x[:, at],
            float(sample.best[at] + moved),
            *layout.box(at),
            moved,
            unit,
            allowed[at],
        )
    if layout.shift is not None:
        at, time = layout.shift, layout.units[0]
        low, high = quantiles(sample.x[:, at])
        profile = allowed[at]
        result[layout.names[at]] = Constant(
            float(np.median(sample.x[:, at])) * time,
            low * time,
            high * time,
            data.time_unit or "time unit of the file",
            verdict(sample.x[:, at], *layout.box(at)),
            float(sample.best[at]) * time,
            (profile[0] * time, profile[1] * time),
        )
    return result


def _combinations(
    chosen: Mechanism,
    data: Observations,
    layout: Coordinates,
    sample: Drawn,
    constants: Mapping[str, Constant],
) -> tuple[Combination, ...]:
    free = layout.constant >= 0
    names = [name for name, is_free in zip(chosen.network.constants, free, strict=True) if is_free]
    draws = (layout.log_constants(sample.x) + layout.log_units())[:, free]
    orders = dict(zip(names, layout.orders[free], strict=True))
    found = []
    said = [constants[name].verdict for name in names]
    for powers in determined_combinations(names, draws, said):
        value = draws @ np.array([powers.get(name, 0) for name in names])
        low, high = np.exp(quantiles(value))
        times = -sum(powers.values())
        amounts = sum(power * (1 - int(orders[name])) for name, power in powers.items())
        unit = unit_of(times, amounts, data.time_unit, data.concentration_unit)
        found.append(
            Combination(powers, float(np.exp(np.median(value))), float(low), float(high), unit)
        )
    return tuple(found)


def _draws(
    chosen: Mechanism, layout: Coordinates, sample: Drawn, fixed: Sequence[str]
) -> dict[str, NDArray[np.float64]]:
    values = np.exp(layout.log_constants(sample.x) + layout.log_units())
    return {
        name: values[:, at] for at, name in enumerate(chosen.network.constants) if name not in fixed
    }


@dataclass(frozen=True)
class Comparison:
    """Fits of several mechanisms to the same runs, the most probable first.

    Attributes
    ----------
    fits
        One a mechanism.
    probabilities
        Of each, all being equally probable beforehand, by the evidence.
    """

    fits: tuple[Fit, ...]
    probabilities: tuple[float, ...]

    @property
    def alike(self) -> tuple[str, ...]:
        """Mechanisms that the runs cannot tell from the most probable one, that one included."""
        best = self.fits[0].log_evidence
        return tuple(one.mechanism for one in self.fits if one.log_evidence > best - _APART)

    def sentence(self) -> str:
        """Say which mechanisms the runs leave."""
        if len(self.fits) == 1:
            return ""
        alike = self.alike
        if len(alike) > 1:
            return f"{', '.join(alike)}: these cannot be told apart by your runs."
        return f"Your runs tell {alike[0]} from the others, {self.probabilities[0]:.1%} probable."


def compared(fits: Sequence[Fit]) -> Comparison:
    """Order fits to the same runs by their evidence."""
    ordered = sorted(fits, key=lambda one: -one.log_evidence)
    probabilities = softmax([one.log_evidence for one in ordered])
    return Comparison(tuple(ordered), tuple(map(float, probabilities)))
