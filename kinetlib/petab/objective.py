"""The negative logarithm of the likelihood of a problem in PEtab, with its slopes.

Slopes go through three steps: of constants and starts by the parameters, of the trajectories by
constants and starts, and of the formulas by all of it. The first and the last are taken by a small
imaginary step, the middle one by the integrator's tangents; all are exact but for its tolerance.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
from kinetlib.petab.model import computed
from kinetlib.petab.problem import LIN, LOG10, Observed, Problem

_STEP = 1e-30  # imaginary, of parameters
_RTOL, _MAX_STEPS = 1e-8, 20_000
_SHIFT = 60.0  # keeps 2 ln of the noise above 0, under a root; no noise is below e^-30


@dataclass(frozen=True)
class Point:
    """The objective at a point.

    Attributes
    ----------
    value
        Minus ln p(y | x); infinite where the model could not be simulated.
    residuals, slopes
        Shape (M,) and (M, D): half the sum of squares is ``value``, minus ln of the priors, and a
        constant.
    """

    value: float
    residuals: NDArray[np.float64]
    slopes: NDArray[np.float64]


class Objective:
    """Computes the objective of a problem at points (D,)."""

    def __init__(self, problem: Problem) -> None:
        """Lay out what does not depend on the parameters."""
        self._problem = problem
        self._symbols = problem.model.symbols()
        self._at = {name: problem.model.network.index(s) for name, s in self._symbols.items()}

    def __call__(self, x: NDArray[np.float64]) -> Point:
        """Compute value, residuals and slopes at x (D,)."""
        problem, size = self._problem, len(x)
        parameters = problem.parameters.values(x[:, None] + 1j * _STEP * np.eye(size))
        with np.errstate(all="ignore"):
            conditions = problem.model.conditions(parameters)
            seen = self._simulated(conditions)
            parts = [self._part(one, conditions, parameters, seen) for one in problem.observed]
        value = float(sum(part.value for part in parts))
        pull = (x - problem.parameters.middle) / problem.parameters.deviation
        residuals = np.concatenate([*(part.residuals for part in parts), pull])
        slopes = np.concatenate(
            [*(part.slopes for part in parts), np.diag(1 / problem.parameters.deviation)]
        )
        if not (np.isfinite(value) and np.isfinite(slopes).all()):
            value = np.inf
            residuals, slopes = np.full_like(residuals, np.inf), np.nan_to_num(slopes) * 0
        return Point(value, residuals, slopes)

    def _simulated(self, conditions: list[dict[str, NDArray]]) -> NDArray[np.complex128]:
        """Simulate species, shape (C, T, S, D); the imaginary parts are slopes times the step."""
        model = self._problem.model
        constants = np.stack([model.constants_of(values) for values in conditions])
        starts = np.stack([model.starts_of(values) for values in conditions])
        k, c0 = constants[:, 0].real, starts[:, 0].real
        shape = (len(conditions), len(self._problem.times), c0.shape[1], constants.shape[1])
        if (k < 0).any() or (c0 < 0).any() or not np.isfinite([*k.flat, *c0.flat]).all():
            return np.full(shape, np.nan + 0j)
        run = sensitivities(
            model.network, k, c0, self._problem.times, wrt=(CONSTANTS, INITIAL),
            rtol=_RTOL, max_steps=_MAX_STEPS,
        )  # fmt: skip
        by_log = np.where(k[:, None] > 0, constants.imag / np.where(k > 0, k, 1)[:, None], 0.0)
        moved = np.einsum("ctsr,cdr->ctsd", run.log_constants, by_log)
        moved += np.einsum("ctsi,cdi->ctsd", run.initial, starts.imag)
        return run.concentration[..., None] + 1j * moved

    def _part(
        self,
        one: Observed,
        conditions: list[dict[str, NDArray]],
        parameters: dict[str, NDArray],
        seen: NDArray[np.complex128],
    ) -> Point:
        """Compare the readings of one observable with what is expected of them."""
        model = self._problem.model
        wanted = one.shows.names | one.noise.names
        values = {
            name: np.stack([values[name] for values in conditions])[one.condition]
            for name in conditions[0]
        }
        for name, at in self._at.items():
            values[name] = seen[one.condition, one.point, at] * model.per_symbol(name)
        for name in wanted:
            rule = model.rule(name)
            if rule is not None:
                values[name] = computed(rule, values)
        values |= {name: parameters[name][None] for name in wanted if name in parameters}
        values["time"] = one.time[:, None]
        for name, cells in one.given.items():
            values[name] = np.stack(
                [
                    parameters[cell] if isinstance(cell, str) else cell + 0j * seen[0, 0, 0]
                    for cell in cells
                ]
            )
        shape = (len(one.values), seen.shape[-1])
        expected, noise = (
            np.broadcast_to(formula(values), shape) for formula in (one.shows, one.noise)
        )
        return _compared(one, expected, noise)


def _compared(
    one: Observed, expected: NDArray[np.complex128], noise: NDArray[np.complex128]
) -> Point:
    """Weigh the readings (N,) against what is expected (N, D), the noise being (N, D)."""
    measured, more = one.values, 0.0
    if one.scale != LIN:
        base = np.log(10) if one.scale == LOG10 else 1.0
        expected, measured = np.log(expected) / base, np.log(measured) / base
        more = float(np.log(one.values * base).sum())
    sigma = noise[:, 0].real
    off = (expected - measured[:, None]) / noise
    log_noise = np.log(noise)
    root = np.sqrt(2 * log_noise[:, 0].real + _SHIFT)
    value = (off[:, 0].real ** 2 / 2 + log_noise[:, 0].real + np.log(2 * np.pi) / 2).sum() + more
    if not (sigma > 0).all():
        value = np.inf
    return Point(
        float(value),
        np.concatenate([off[:, 0].real, root]),
        np.concatenate([off.imag, log_noise.imag / root[:, None]]) / _STEP,
    )
