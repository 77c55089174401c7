"""Fitting constants to whole trajectories, and dropping what the data do not ask for.

Residuals are simulated minus measured, over the noise at the simulated value, which is taken from
the fit before: weights that follow the noisy data would pull concentrations down. Derivatives are
those of the integrator (`kinetlib.sensitivity`), the search is SciPy's trust-region Levenberg-
Marquardt in ln k, and constants leave one after another while Schwarz's criterion falls (BIC, Ann.
Stat. 6, 461, 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from kinetlib.crnn.runs import FLOOR, Curves
from kinetlib.network import Network
from kinetlib.sensitivity import sensitivities

_REWEIGHTED = 3  # fits with weights from the one before
_LOST = 1e3  # residual of a point that a failed trajectory does not reach
_WEAK = 4.0  # standard errors above 0 below which a constant may be asked to leave
_TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


@dataclass(frozen=True)
class Fit:
    """Constants of a network fitted to curves.

    Attributes
    ----------
    constants
        Shape (R,), 0 for those that have left.
    covariance
        Of ln k, shape (R, R); 0 for those that have left.
    chi_squared
        Sum of squared residuals, each over the noise at its value.
    n_values
        Number of values compared.
    """

    constants: NDArray[np.float64]
    covariance: NDArray[np.float64]
    chi_squared: float
    n_values: int

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which constants are in the model, shape (R,)."""
        return self.constants > 0

    @property
    def bic(self) -> float:
        """Schwarz's criterion, up to a constant: smaller is better."""
        return self.chi_squared + np.log(self.n_values) * int(self.present.sum())

    @property
    def strength(self) -> NDArray[np.float64]:
        """Standard errors that a constant lies above 0, shape (R,); 0 for those that have left."""
        error = np.sqrt(self.covariance.diagonal())
        return np.where(self.present, 1 / np.where(error > 0, error, np.inf), 0.0)


class Problem:
    """Curves to be explained by a network, all of whose constants are unknown.

    Parameters
    ----------
    network
        Its species are among those of the curves; others stay as they are.
    curves, noise
        The data, and the standard deviation of their noise relative to the value.
    """

    def __init__(self, network: Network, curves: Curves, noise: float) -> None:
        """Lay out what all simulations share."""
        self.network, self.curves, self.noise = network, curves, noise
        self._place = np.array([curves.species.index(name) for name in network.species])
        self._initial = np.ascontiguousarray(curves.initial[:, self._place])
        self._measured = curves.measured
        self.data = curves.value[self._measured]

    @property
    def n_values(self) -> int:
        """Number of measured values."""
        return len(self.data)

    def largest_rates(self, constants: NDArray) -> NDArray[np.float64]:
        """Return the largest rate of each reaction at the measured concentrations, shape (R,)."""
        values = np.nan_to_num(np.maximum(self.curves.value[..., self._place], 0.0))
        return self.network.rates(values, constants).max((0, 1))

    def loss(self, residual: NDArray[np.float64]) -> float:
        """Mean absolute residual, each species over its range; residuals of shape (n,)."""
        known = np.where(self.curves.measured, self.curves.value, np.nan)
        with np.errstate(invalid="ignore"):
            span = np.nanmax(known, axis=(0, 1)) - np.nanmin(known, axis=(0, 1))
        span = np.where(span > 0, span, np.inf)
        share = np.broadcast_to(1 / span, known.shape)[self._measured]
        changing = share > 0
        return float(np.abs(residual * share)[changing].mean()) if changing.any() else 0.0

    def simulated(self, constants: NDArray) -> tuple[NDArray, NDArray]:
        """Return simulated values (n,) and derivatives by ln k (n, R); NaN where a run failed."""
        run = sensitivities(
            self.network, constants, self._initial, self.curves.time, tested=False, **_TOLERANCE
        )
        shape = self.curves.value.shape
        value = np.broadcast_to(self.curves.initial[:, None], shape).copy()
        slope = np.zeros((*shape, len(constants)))
        value[..., self._place] = run.concentration
        slope[..., self._place, :] = run.log_constants
        return value[self._measured], slope[self._measured]

    def misfit(self, constants: NDArray[np.float64]) -> float:
        """Return the sum of squared residuals, each over the noise at its value."""
        value, _ = self.simulated(constants)
        return float((((value - self.data) / self.deviation(value)) ** 2).sum())

    def deviation(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of the noise at simulated values, shape (n,)."""
        floor = np.broadcast_to(FLOOR * self.curves.scale, self.curves.value.shape)
        return np.hypot(self.noise * np.abs(value), floor[self._measured])

    def fit(self, constants: NDArray[np.float64]) -> Fit:
        """Fit all constants that are not 0, from these on."""
        found = np.asarray(constants, dtype=float).copy()
        present = found > 0
        value, _ = self.simulated(found)
        start = np.where(np.isfinite(value), np.clip(value, 0, 2 * self.curves.scale.max()), 0.0)
        deviation = self.deviation(np.where(np.isfinite(value), start, self.data))
        for _ in range(_REWEIGHTED):
            solved = self._solve(found, present, deviation)
            change = np.abs(np.log(solved / found[present])).max(initial=0.0)
            found[present] = solved
            value, slope = self.simulated(found)
            deviation = self.deviation(value)
            if change < 1e-4:
                break
        residual = (value - self.data) / deviation
        jacobian = slope[:, present] / deviation[:, None]
        covariance = np.zeros((len(found), len(found)))
        information = jacobian.T @ jacobian
        scale = np.sqrt(np.maximum(information.diagonal(), 1e-300))
        inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-12, hermitian=True)
        covariance[np.ix_(present, present)] = inverse / np.outer(scale, scale)
        return Fit(found, covariance, float(residual @ residual), self.n_values)

    def _solve(self, constants: NDArray, present: NDArray, deviation: NDArray) -> NDArray:
        last: dict[bytes, tuple[NDArray, NDArray]] = {}

        def at(x: NDArray) -> tuple[NDArray, NDArray]:
            if x.tobytes() not in last:
                full = constants.copy()
                full[present] = np.exp(x)
                value, slope = self.simulated(full)
                residual = (value - self.data) / deviation
                lost = ~np.isfinite(residual)
                residual = np.where(lost, _LOST, np.clip(residual, -_LOST, _LOST))
                jacobian = slope[:, present] / deviation[:, None]
                jacobian[lost | ~np.isfinite(jacobian).all(1)] = 0.0
                last.clear()
                last[x.tobytes()] = residual, jacobian
            return last[x.tobytes()]

        x = np.log(constants[present])
        bounds = (np.minimum(x - 1e-9, -46.0), np.maximum(x + 1e-9, 46.0))
        found = least_squares(
            lambda x: at(x)[0],
            x,
            jac=lambda x: at(x)[1],
            bounds=bounds,
            x_scale="jac",
            ftol=1e-8,
            xtol=1e-8,
            gtol=1e-8,
            max_nfev=60,
        )
        return np.exp(found.x)


def pruned(problem: Problem, constants: NDArray[np.float64]) -> Fit:
    """Fit, then let constants leave while BIC falls.

    As long as several are weak they leave together, half of them a time; the last ones leave one
    by one.
    """
    fit = problem.fit(constants)
    while True:
        strength = np.where(fit.present, fit.strength, np.inf)
        weak = np.flatnonzero(strength < _WEAK)
        if not len(weak) or fit.present.sum() == 1:
            return fit
        order = weak[np.argsort(strength[weak])]
        size = max(1, len(weak) // 2)
        while size:
            fewer = fit.constants.copy()
            fewer[order[:size]] = 0.0
            tried = problem.fit(fewer)
            if tried.bic < fit.bic:
                break
            size //= 2
        if not size:
            return fit
        fit = tried


def reduced(problem: Problem, fit: Fit, most: int) -> Fit:
    """Let the weakest constants leave until there are no more than `most`."""
    while fit.present.sum() > most:
        fewer = fit.constants.copy()
        fewer[np.where(fit.present, fit.strength, np.inf).argmin()] = 0.0
        fit = problem.fit(fewer)
    return fit
