"""Fitting constants to whole trajectories, and dropping what the data do not ask for.

Residuals are simulated minus measured, over the noise at the simulated value, which is taken from
the fit before: weights that follow the noisy data would pull concentrations down. Derivatives are
those of the integrator (`kinetlib.sensitivity`); the search is Levenberg-Marquardt's (SIAM J. Appl.
Math. 11, 431, 1963) in ln k. Initial concentrations that were measured, with noise, are fitted too:
those of a run concern that run alone, so they are eliminated run by run, and what remains to be
solved is as small as without them. Constants leave one after another while Schwarz's criterion
falls (BIC, Ann. Stat. 6, 461, 1978).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.runs import FLOOR, Curves
from kinetlib.network import Network
from kinetlib.sensitivity import CONSTANTS, INITIAL, sensitivities

_REWEIGHTED = 3  # fits with weights from the one before
_STEPS = 60  # of one search
_LONGEST = 2.0  # step in ln k
_CONVERGED = 1e-7  # relative fall of the sum of squares that ends a search
_SETTLED = 1e-4  # change of ln k between two fits that ends reweighting
_WEAK = 4.0  # standard errors above 0 below which a constant may be asked to leave
_TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


@dataclass(frozen=True)
class Fit:
    """Constants of a network fitted to curves.

    Attributes
    ----------
    constants
        Shape (R,), 0 for those that have left.
    initial
        Initial concentrations, as fitted, shape (r, S).
    covariance
        Of ln k, shape (R, R); 0 for those that have left.
    chi_squared
        Sum of squared residuals, each over the noise at its value.
    deviance
        Minus twice the logarithm of the likelihood, up to a constant of the data. Two models are
        compared by it, because each has the noise that its own values have.
    n_values
        Number of values compared.
    """

    constants: NDArray[np.float64]
    initial: NDArray[np.float64]
    covariance: NDArray[np.float64]
    chi_squared: float
    deviance: float
    n_values: int

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which constants are in the model, shape (R,)."""
        return self.constants > 0

    @property
    def bic(self) -> float:
        """Schwarz's criterion, up to a constant: smaller is better."""
        return self.deviance + np.log(self.n_values) * int(self.present.sum())

    @property
    def strength(self) -> NDArray[np.float64]:
        """Standard errors that a constant lies above 0, shape (R,); 0 for those that have left."""
        error = np.sqrt(self.covariance.diagonal())
        return np.where(self.present, 1 / np.where(error > 0, error, np.inf), 0.0)


@dataclass(frozen=True)
class _Point:
    """Constants and initial concentrations, and what follows from them.

    ``residual`` (r, V) and its derivatives ``by_constants`` (r, V, R) and ``by_initial`` (r, V, S);
    ``drift`` (r, S), initial concentrations less measured ones over their noise; 0 where known.
    """

    log_constants: NDArray[np.float64]
    initial: NDArray[np.float64]
    residual: NDArray[np.float64]
    by_constants: NDArray[np.float64]
    by_initial: NDArray[np.float64]
    drift: NDArray[np.float64]

    @property
    def cost(self) -> float:
        """Sum of squares; infinite where a run failed."""
        total = float((self.residual**2).sum() + (self.drift**2).sum())
        return total if np.isfinite(total) else np.inf


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
        self._seen = curves.measured
        self._data = np.where(self._seen, curves.value, 0.0)
        self._floor = FLOOR * curves.scale
        # Noise of the measured start, and of what is known exactly, which no fit moves.
        free = np.full(curves.initial.shape, not curves.start_known)
        self._start_noise = np.where(free, np.hypot(noise * curves.initial, self._floor), np.inf)[
            :, self._place
        ]

    @property
    def n_values(self) -> int:
        """Number of measured values."""
        return int(self._seen.sum())

    def simulated(
        self, constants: NDArray[np.float64], initial: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return simulated concentrations of all species, (r, T, S); NaN where a run failed."""
        return self._run(constants, self.curves.initial if initial is None else initial)[0]

    def deviance_without(self) -> float:
        """Return the deviance of curves in which nothing happens, see `Fit`."""
        value = self.simulated(np.zeros(len(self.network.reactions)))
        deviation = self._deviation(value)
        residual = np.where(self._seen, value - self._data, 0.0) / deviation
        return float((residual**2).sum()) + self._log_noise(deviation)

    def _log_noise(self, deviation: NDArray[np.float64]) -> float:
        """Twice the logarithms of the noise of all values, relative to their floor, in all."""
        return 2.0 * float(np.log(deviation / self._floor)[self._seen].sum())

    def largest_rates(self, constants: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the largest rate of each reaction at the measured concentrations, shape (R,)."""
        values = np.nan_to_num(np.maximum(self.curves.value[..., self._place], 0.0))
        return self.network.rates(values, constants).max((0, 1))

    def losses(self, fit: Fit) -> tuple[float, float]:
        """Mean absolute residual, each species over its range, and what noise alone makes of it."""
        value = self.simulated(fit.constants, fit.initial)
        known = np.where(self._seen, self.curves.value, np.nan)
        span = np.nanmax(known, axis=(0, 1)) - np.nanmin(known, axis=(0, 1))
        share = np.where(span > 0, 1 / np.where(span > 0, span, 1.0), np.nan)
        seen = np.where(self._seen, share, np.nan)
        noise = np.sqrt(2 / np.pi) * self.noise * np.abs(value)  # the mean size of a normal one
        return tuple(float(np.nanmean(np.abs(part) * seen)) for part in (value - self._data, noise))

    def fit(self, constants: NDArray[np.float64], initial: NDArray | None = None) -> Fit:
        """Fit all constants that are not 0, from these on."""
        constants = np.asarray(constants, dtype=float)
        present = constants > 0
        initial = self.curves.initial if initial is None else initial
        logs = np.log(constants[present])
        deviation = self._deviation(np.where(self._seen, self._data, 0.0))
        for _ in range(_REWEIGHTED):
            point = self._search(logs, initial, present, deviation)
            change = np.abs(point.log_constants - logs).max(initial=0.0)
            logs, initial = point.log_constants, point.initial
            full = np.zeros(len(constants))
            full[present] = np.exp(logs)
            deviation = self._deviation(self.simulated(full, initial))
            if change < _SETTLED:
                break
        point = self._at(logs, initial, present, deviation)
        covariance = np.zeros((len(constants), len(constants)))
        covariance[np.ix_(present, present)] = _inverse(_reduced(point, self._weight, 0.0)[0])
        deviance = point.cost + self._log_noise(deviation)
        return Fit(full, initial, covariance, point.cost, deviance, self.n_values)

    def _search(
        self, logs: NDArray, initial: NDArray, present: NDArray, deviation: NDArray
    ) -> _Point:
        """Levenberg-Marquardt, with Marquardt's scaling."""
        point = self._at(logs, initial, present, deviation)
        while not np.isfinite(point.cost) and logs.max(initial=-np.inf) > -50:
            logs = logs - 1.0  # too fast to be integrated: slower
            point = self._at(logs, initial, present, deviation)
        damping = 1e-3
        for _ in range(_STEPS):
            step, start_step = _step(point, self._weight, damping)
            if not np.isfinite(step).all():
                return point
            # Each by itself: what the data hardly ask for would hold all others back.
            step = np.clip(step, -_LONGEST, _LONGEST)
            moved = point.initial.copy()
            moved[:, self._place] = np.maximum(moved[:, self._place] + start_step, 0.0)
            tried = self._at(point.log_constants + step, moved, present, deviation)
            if tried.cost < point.cost:
                fall = (point.cost - tried.cost) / max(point.cost, 1e-300)
                point, damping = tried, max(damping / 6, 1e-9)
                if fall < _CONVERGED:
                    return point
            else:
                damping *= 5
                if damping > 1e9 or np.abs(step).max(initial=0.0) < 1e-9:
                    return point
        return point

    def _at(self, logs: NDArray, initial: NDArray, present: NDArray, deviation: NDArray) -> _Point:
        constants = np.zeros(len(present))
        constants[present] = np.exp(logs)
        value, by_constants, by_initial = self._run(constants, initial)
        weight = np.where(self._seen, 1 / deviation, 0.0)
        residual = np.where(self._seen, value - self._data, 0.0) * weight
        rows = (len(value), residual[0].size)
        return _Point(
            logs,
            initial,
            residual.reshape(rows),
            (by_constants[..., present] * weight[..., None]).reshape(*rows, int(present.sum())),
            (by_initial * weight[..., None]).reshape(*rows, by_initial.shape[-1]),
            (initial - self.curves.initial)[:, self._place] / self._start_noise,
        )

    def _run(self, constants: NDArray, initial: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Concentrations (r, T, S), and derivatives by ln k and by the network's own species."""
        wrt = (CONSTANTS,) if self.curves.start_known else (CONSTANTS, INITIAL)
        run = sensitivities(
            self.network,
            constants,
            np.ascontiguousarray(initial[:, self._place]),
            self.curves.time,
            wrt=wrt,
            tested=False,
            **_TOLERANCE,
        )
        shape, own = self.curves.value.shape, len(self._place)
        value = np.broadcast_to(initial[:, None], shape).copy()
        by_constants = np.zeros((*shape, len(constants)))
        by_initial = np.zeros((*shape, own if run.initial is not None else 0))
        value[..., self._place] = run.concentration
        by_constants[..., self._place, :] = run.log_constants
        if run.initial is not None:
            by_initial[..., self._place, :] = run.initial
        return value, by_constants, by_initial

    def _deviation(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of the noise at simulated values, shape (r, T, S)."""
        known = np.where(np.isfinite(value), np.abs(value), np.abs(self._data))
        return np.hypot(self.noise * known, self._floor)

    @property
    def _weight(self) -> NDArray[np.float64]:
        """Weight of measured starts, one over the variance of their noise, shape (r, S)."""
        return 1 / self._start_noise**2


def _reduced(
    point: _Point, start_weight: NDArray, damping: float
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Eliminate initial concentrations, run by run, from the damped normal equations.

    Returns the Schur complement (R, R), its gradient (R,), and per run what gives the initial
    concentrations back: the mixed block (r, R, S), and own block (r, S, S) and gradient (r, S).
    """
    by_constants, by_initial = point.by_constants, point.by_initial
    own = np.einsum("nva,nvb->ab", by_constants, by_constants, optimize=True)
    own[np.diag_indices_from(own)] *= 1 + damping
    gradient = np.einsum("nva,nv->a", by_constants, point.residual)
    n_free = by_initial.shape[2]
    mixed = by_constants.transpose(0, 2, 1) @ by_initial
    block = by_initial.transpose(0, 2, 1) @ by_initial
    start_gradient = np.einsum("nvs,nv->ns", by_initial, point.residual)
    if n_free:
        at = np.arange(n_free)
        block[:, at, at] += start_weight
        block[:, at, at] *= 1 + damping
        start_gradient = start_gradient + point.drift * np.sqrt(start_weight)
        solved = np.linalg.solve(block, mixed.transpose(0, 2, 1))
        own = own - np.einsum("nas,nsb->ab", mixed, solved)
        gradient = gradient - np.einsum("nsa,ns->a", solved, start_gradient)
    return own, gradient, mixed, block, start_gradient


def _step(point: _Point, start_weight: NDArray, damping: float) -> tuple[NDArray, NDArray | float]:
    """Solve the damped normal equations: steps in ln k (R,) and initial concentrations (r, S)."""
    own, gradient, mixed, block, start_gradient = _reduced(point, start_weight, damping)
    step = -_inverse(own) @ gradient
    if not block.shape[1]:
        return step, 0.0
    right = start_gradient + np.einsum("nas,a->ns", mixed, step)
    return step, -np.linalg.solve(block, right[..., None])[..., 0]


def _inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert a matrix of normal equations, scaled, as far as it has rank."""
    scale = np.sqrt(np.maximum(information.diagonal(), 1e-300))
    if not np.isfinite(information).all():
        return np.full_like(information, np.nan)
    inverse = np.linalg.pinv(information / np.outer(scale, scale), rcond=1e-12, hermitian=True)
    return inverse / np.outer(scale, scale)


def pruned(problem: Problem, constants: NDArray[np.float64], initial: NDArray | None = None) -> Fit:
    """Fit, then let constants leave while BIC falls.

    As long as several are weak they leave together, half of them a time; the last ones leave one
    by one.
    """
    fit = problem.fit(constants, initial)
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
            tried = problem.fit(fewer, fit.initial)
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
        fit = problem.fit(fewer, fit.initial)
    return fit
