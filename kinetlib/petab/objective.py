"""The negative logarithm of the likelihood of a problem in PEtab, with its slopes.

Slopes go through three steps: of constants and starts by the parameters, of the trajectories by
constants and starts, and of the formulas by all of it. The first and the last are taken by a small
imaginary step, the middle one by the integrator's tangents; all are exact but for its tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
from kinetlib.petab.model import computed
from kinetlib.petab.problem import LIN, LOG10, Observed, Problem

_STEP = 1e-30  # imaginary, of parameters
_RTOL, _MAX_STEPS = 1e-7, 20_000
_NUMBERS = 4_000_000  # of tangents that are held at a time
_SHIFT = 60.0  # keeps 2 ln of the noise above 0, under a root; no noise is below e^-30


@dataclass(frozen=True)
class Points:
    """The objective at n points.

    Attributes
    ----------
    value
        Minus ln p(y | x), shape (n,); infinite where the model could not be simulated.
    residuals, slopes
        Shape (n, M) and (n, M, D): half the sum of squares is ``value``, minus ln of the priors,
        and a constant. NaN where the model could not be simulated.
    """

    value: NDArray[np.float64]
    residuals: NDArray[np.float64]
    slopes: NDArray[np.float64]


class Objective:
    """Computes the objective of a problem at points side by side."""

    def __init__(self, problem: Problem) -> None:
        """Lay out what does not depend on the parameters."""
        self._problem = problem
        self._symbols = problem.model.symbols()
        model = problem.model.network
        tangents = len(model.species) * (len(model.species) + len(model.reactions))
        simulated = len(problem.model.names) * len(problem.times) * tangents
        self._at_once = max(1, _NUMBERS // simulated)
        self._at = {name: problem.model.network.index(s) for name, s in self._symbols.items()}

    def __call__(self, x: NDArray[np.float64]) -> Points:
        """Compute value, residuals and slopes at points (n, D)."""
        parts = [self._block(x[i : i + self._at_once]) for i in range(0, len(x), self._at_once)]
        return Points(
            *(np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0]))
        )

    def _block(self, x: NDArray[np.float64]) -> Points:
        problem, (n, size) = self._problem, x.shape
        # The points one after the other, each once for every parameter that is moved.
        moved = (x[:, None] + 1j * _STEP * np.eye(size)).reshape(n * size, size)
        parameters = problem.parameters.values(moved.T)
        with np.errstate(all="ignore"):
            conditions = problem.model.conditions(parameters)
            seen = self._simulated(conditions, n)
            parts = [
                _compared(one, *self._formulas(one, conditions, parameters, seen), n)
                for one in problem.observed
            ]
        pull = (x - problem.parameters.middle) / problem.parameters.deviation
        by_prior = np.broadcast_to(np.diag(1 / problem.parameters.deviation), (n, size, size))
        value = np.sum([part.value for part in parts], axis=0)
        slopes = np.concatenate([*(part.slopes for part in parts), by_prior], axis=1)
        residuals = np.concatenate([*(part.residuals for part in parts), pull], axis=1)
        failed = ~(np.isfinite(value) & np.isfinite(slopes).all((1, 2)))
        value[failed], residuals[failed], slopes[failed] = np.inf, np.nan, np.nan
        return Points(value, residuals, slopes)

    def residuals(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Compute the residuals at points (n, D), shape (n, M), without slopes."""
        problem, model, n = self._problem, self._problem.model, len(x)
        parameters = problem.parameters.values(x.T)
        with np.errstate(all="ignore"):
            conditions = model.conditions(parameters)
            k, c0 = (
                np.stack([of(values) for values in conditions])
                for of in (model.constants_of, model.starts_of)
            )
            # What cannot be is no number to the integrator.
            k, c0 = (np.where(part >= 0, part, np.nan) for part in (k, c0))
            run = integrate(
                model.network, k.reshape(-1, k.shape[-1]), c0.reshape(-1, c0.shape[-1]),
                problem.times, rtol=_RTOL, max_steps=_MAX_STEPS,
            )  # fmt: skip
            seen = run.concentration.reshape(len(conditions), n, *run.concentration.shape[1:])
            seen = np.moveaxis(seen, 1, -1)
            parts = [
                _compared(one, *self._formulas(one, conditions, parameters, seen), n).residuals
                for one in problem.observed
            ]
        pull = (x - problem.parameters.middle) / problem.parameters.deviation
        return np.concatenate([*parts, pull], axis=1)

    def _simulated(self, conditions: list[dict[str, NDArray]], n: int) -> NDArray[np.complex128]:
        """Simulate species, shape (C, T, S, n D); imaginary parts are slopes times the step."""
        model = self._problem.model
        constants = np.stack([model.constants_of(values) for values in conditions])
        starts = np.stack([model.starts_of(values) for values in conditions])
        shape = (len(conditions), n, -1)
        by_constant, by_start = (
            part.imag.reshape(*shape, part.shape[-1]) for part in (constants, starts)
        )
        each = constants.shape[1] // n
        # What cannot be is no number to the integrator.
        k, c0 = (
            np.where(part >= 0, part, np.nan).reshape(-1, part.shape[-1])
            for part in (constants.real[:, ::each], starts.real[:, ::each])
        )
        run = sensitivities(
            model.network, k, c0, self._problem.times,
            wrt=(CONSTANTS, INITIAL) if by_start.any() else CONSTANTS,
            rtol=_RTOL, max_steps=_MAX_STEPS,
        )  # fmt: skip
        many = (len(conditions), n)
        known = np.where(k > 0, k, np.inf).reshape(*many, 1, -1)
        moved = np.einsum(
            "cntsr,cndr->ctsnd",
            run.log_constants.reshape(*many, *run.log_constants.shape[1:]),
            by_constant / known,
        )
        if run.initial is not None:
            by_initial = run.initial.reshape(*many, *run.initial.shape[1:])
            moved += np.einsum("cntsi,cndi->ctsnd", by_initial, by_start)
        seen = np.moveaxis(run.concentration.reshape(*many, *run.concentration.shape[1:]), 1, -1)
        return (seen[..., None] + 1j * moved).reshape(*seen.shape[:-1], -1)

    def _formulas(
        self,
        one: Observed,
        conditions: list[dict[str, NDArray]],
        parameters: dict[str, NDArray],
        seen: NDArray,
    ) -> tuple[NDArray, NDArray]:
        """Compute what is expected of the readings of one observable, and its noise, (N, n)."""
        model = self._problem.model
        wanted = one.shows.names | one.noise.names
        rules = {name: rule for name in wanted if (rule := model.rule(name)) is not None}
        needed = wanted.union(*(rule.symbols for rule in rules.values()))
        values = {
            name: np.stack([values[name] for values in conditions])[one.condition]
            for name in needed
            if name in conditions[0]
        }
        for name, at in self._at.items():
            if name in needed:
                values[name] = seen[one.condition, one.point, at] * model.per_symbol(name)
        values |= {name: computed(rule, values) for name, rule in rules.items()}
        for name in wanted:
            if name in parameters and name not in values:  # of the table alone, not of the model
                values[name] = parameters[name][None]
        values["time"] = one.time[:, None]
        zero = next(iter(parameters.values()))
        for name, cells in one.given.items():
            values[name] = np.stack(
                [parameters[cell] if isinstance(cell, str) else cell + 0 * zero for cell in cells]
            )
        shape = (len(one.values), seen.shape[-1])
        return tuple(np.broadcast_to(formula(values), shape) for formula in (one.shows, one.noise))


def _compared(
    one: Observed, expected: NDArray[np.complex128], noise: NDArray[np.complex128], n: int
) -> Points:
    """Weigh the readings (N,) of n points, what is expected and the noise being (N, n D)."""
    expected, measured, more = _on_scale(one, expected)
    off, log_noise = (
        part.reshape(len(measured), n, -1).swapaxes(0, 1)
        for part in ((expected - measured[:, None]) / noise, np.log(noise))
    )
    left, level = off[..., 0].real, log_noise[..., 0].real
    root = np.sqrt(2 * level + _SHIFT)
    value = (left**2 / 2 + level + np.log(2 * np.pi) / 2).sum(1) + more
    positive = (noise.real.reshape(len(measured), n, -1)[..., 0] > 0).all(0)
    return Points(
        np.where(positive, value, np.inf),
        np.concatenate([left, root], axis=1),
        np.concatenate([off.imag, log_noise.imag / root[..., None]], axis=1) / _STEP,
    )


def _on_scale(one: Observed, expected: NDArray) -> tuple[NDArray, NDArray[np.float64], float]:
    """Return what is expected and measured on the scale of the noise, and ln of its slope."""
    if one.scale == LIN:
        return expected, one.values, 0.0
    base = np.log(10) if one.scale == LOG10 else 1.0
    more = float(np.log(one.values * base).sum())
    return np.log(expected) / base, np.log(one.values) / base, more
