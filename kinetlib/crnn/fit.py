"""Fitting constants to whole trajectories.

Residuals are simulated minus measured, over the noise at the simulated value, which is taken from
the fit before: weights that follow the noisy data would pull concentrations down. Derivatives are
those of the integrator (`kinetlib.kinetics.sensitivity`); the search is Levenberg-Marquardt's
(SIAM J. Appl. Math. 11, 431, 1963) in ln k. Initial concentrations that were measured, with noise,
are fitted too: those of a run concern that run alone, so they are eliminated run by run, and what
remains to be solved is as small as without them. Where runs have temperatures each constant has an
activation energy: ln k = ln k(T0) - E/R (1/T - 1/T0), with T0 in the middle of the runs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.point import Point, Unknowns, inverse, reduced, step_of
from kinetlib.crnn.runs import Curves
from kinetlib.crnn.tied import Tied
from kinetlib.kinetics.network import Network
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities

FINE = 1e-3  # fall of the sum of squares that ends a search
COARSE = 3.0  # the same where only large differences count: a parameter costs the logarithm of n
_REWEIGHTED = 3  # fits with weights from the one before
_STEPS = 60  # of one search
_LONGEST = 2.0  # step in ln k
_SETTLED = 1e-4  # change of ln k between two fits that ends reweighting
_EXACT = 1e-4  # error of a start that is known, of the least noise there is


@dataclass(frozen=True)
class Fit:
    """A network fitted to curves, by P parameters.

    Attributes
    ----------
    unknowns
        As fitted.
    deviation
        Standard deviation of the noise at the fitted values, shape (r, T, S).
    information
        Normal equations of the parameters, initial concentrations eliminated, shape (P, P): ln k of
        the constants in the model, then their activation energies where runs have temperatures.
    chi_squared
        Sum of squared residuals, each over the noise at its value.
    deviance
        Minus twice the logarithm of the likelihood, up to a constant of the data. Two models are
        compared by it, because each has the noise that its own values have.
    n_values
        Number of values compared.
    """

    unknowns: Unknowns
    deviation: NDArray[np.float64]
    information: NDArray[np.float64]
    chi_squared: float
    deviance: float
    n_values: int

    @property
    def constants(self) -> NDArray[np.float64]:
        """Constants, shape (R,)."""
        return self.unknowns.constants

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which constants are in the model, shape (R,)."""
        return self.unknowns.present

    @property
    def each(self) -> int:
        """Parameters of each constant: 2 where it has an activation energy."""
        return len(self.information) // max(int(self.present.sum()), 1)

    @property
    def bic(self) -> float:
        """Schwarz's criterion, up to a constant: smaller is better."""
        return self.deviance + np.log(self.n_values) * len(self.information)

    @property
    def parameter_covariance(self) -> NDArray[np.float64]:
        """Covariance of the parameters, shape (P, P)."""
        return inverse(self.information)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariance of ln k, shape (R, R); 0 for those not in the model."""
        found, size = np.zeros((len(self.present),) * 2), int(self.present.sum())
        found[np.ix_(self.present, self.present)] = self.parameter_covariance[:size, :size]
        return found


class Problem:
    """Curves to be explained by a network, all of whose constants are unknown.

    Parameters
    ----------
    network
        Its species are among those of the curves; others stay as they are. Its reactions may share
        constants.
    curves, noise
        The data, and the standard deviation of their noise relative to the value.
    rtol
        Relative tolerance of the integrator.
    fixed
        Which constants are known and stay as they begin, shape (R,).
    tick
        Called before each step of a search, which it ends by an exception.

    Attributes
    ----------
    place
        Where each species of the network is among those of the curves.
    seen
        Which values are compared, shape (r, T, S).
    full_start_weight
        Weight of measured starts, one over the variance of their noise, (r, S).
    """

    def __init__(
        self,
        network: Network | Tied,
        curves: Curves,
        noise: float,
        *,
        rtol: float = 1e-6,
        fixed: NDArray[np.bool_] | None = None,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Lay out what all simulations share."""
        self.tied = network if isinstance(network, Tied) else Tied.of(network)
        self.network = network = self.tied.network
        self.curves, self.noise, self.rtol = curves, noise, rtol
        self.fixed, self._tick = fixed, tick
        self.place = np.array([curves.species.index(name) for name in network.species])
        self.seen = curves.measured
        self._data = np.where(self.seen, curves.value, 0.0)
        self._floor = curves.floor
        # What is known exactly hardly moves, where others do.
        start_noise = self._noise_at(curves.initial)
        start_noise = np.where(curves.start_known, _EXACT * self._floor, start_noise)
        if curves.start_seen is not None:
            start_noise = np.where(curves.start_seen, start_noise, curves.scale)
        self.full_start_weight = 1 / start_noise**2
        self._start_weight = self.full_start_weight[:, self.place]

    @property
    def n_values(self) -> int:
        """Number of measured values."""
        return int(self.seen.sum())

    def unknowns(self, constants: NDArray[np.float64]) -> Unknowns:
        """Return constants with activation energies of 0, and the initial concentrations given."""
        return Unknowns(
            np.asarray(constants, dtype=float), np.zeros(len(constants)), self.curves.initial
        )

    def constants(self, unknowns: Unknowns) -> NDArray[np.float64]:
        """Return the constants of the network in each run, (r, N), or (N,) where all are alike."""
        slope = self.curves.arrhenius
        if slope is None:
            return self.tied.spread(unknowns.constants)
        with np.errstate(over="ignore"):  # far off: the integrator says so
            return self.tied.spread(
                unknowns.constants * np.exp(slope[:, None] * unknowns.activation)
            )

    def simulated(self, unknowns: Unknowns) -> NDArray[np.float64]:
        """Return simulated concentrations of all species, (r, T, S); NaN where a run failed."""
        return self._run(unknowns)[0]

    def deviance_without(self) -> float:
        """Return the deviance of curves in which nothing happens, see `Fit`."""
        value = self.simulated(self.unknowns(np.zeros(len(self.tied.owner))))
        deviation = self._deviation(value)
        residual = np.where(self.seen, value - self._data, 0.0) / deviation
        return float((residual**2).sum()) + self._log_noise(deviation)

    def losses(self, fit: Fit) -> tuple[float, float]:
        """Mean absolute residual, each species over its range, and what noise alone makes of it."""
        value = self.simulated(fit.unknowns)
        share = 1 / np.where(self.seen, self.curves.span, np.nan)
        background = 0.0 if self.curves.background is None else self.curves.background
        noise = np.sqrt(2 / np.pi) * np.hypot(self.noise * value, background)  # its mean size
        return tuple(
            float(np.nanmean(np.abs(part) * share)) for part in (value - self._data, noise)
        )

    def largest_rates(self, unknowns: Unknowns) -> NDArray[np.float64]:
        """Return the largest rate of each reaction along its trajectories, shape (R,)."""
        value = np.maximum(self.simulated(unknowns)[..., self.place], 0.0)
        rates = self.network.rates(value, self.tied.spread(unknowns.constants)).max((0, 1))
        first = np.unique(self.tied.owner, return_index=True)[1]
        return rates[first] / self.tied.share[first]

    def fit(
        self,
        unknowns: Unknowns,
        deviation: NDArray[np.float64] | None = None,
        *,
        rounds: int = _REWEIGHTED,
        fall: float = FINE,
    ) -> Fit:
        """Fit all constants that are not 0, from these on.

        Parameters
        ----------
        unknowns
            Where to start.
        deviation
            Noise of each value, (r, T, S), that of a fit before; by default that of the data.
        rounds
            How often at most the noise is taken anew from what was fitted.
        fall
            Fall of the sum of squares at which a search ends.
        """
        present = unknowns.present
        if deviation is None:
            deviation = self._noise_at(self._data)
        for _ in range(rounds):
            before, point = unknowns, self._search(unknowns, deviation, fall)
            unknowns = point.unknowns
            deviation = self._deviation(point.value)
            change = np.log(unknowns.constants[present] / before.constants[present])
            if np.abs(change).max(initial=0.0) < _SETTLED:
                break
        point = self._at(unknowns, deviation)
        return Fit(
            unknowns,
            deviation,
            reduced(point, self._start_weight, 0.0)[0],
            point.cost,
            point.cost + self._log_noise(deviation),
            self.n_values,
        )

    def _search(self, unknowns: Unknowns, deviation: NDArray, fall: float) -> Point:
        """Levenberg-Marquardt, with Marquardt's scaling."""
        point = self._at(unknowns, deviation)
        while not np.isfinite(point.cost) and unknowns.constants.max(initial=0.0) > 1e-20:
            slower = unknowns.constants / np.e  # too fast to be integrated
            unknowns = Unknowns(slower, unknowns.activation, unknowns.initial)
            point = self._at(unknowns, deviation)
        damping = 1e-3
        for _ in range(_STEPS):
            self._tick()
            step, start_step = step_of(point, self._start_weight, damping)
            if not np.isfinite(step).all():
                return point
            tried = self._at(self._moved(point.unknowns, step, start_step), deviation)
            if tried.cost < point.cost:
                fallen = point.cost - tried.cost
                point, damping = tried, max(damping / 6, 1e-9)
                if fallen < fall:
                    return point
            else:
                damping *= 5
                if damping > 1e9 or np.abs(step).max(initial=0.0) < 1e-9:
                    return point
        return point

    def _moved(self, unknowns: Unknowns, step: NDArray, start_step: NDArray | float) -> Unknowns:
        """Take a step, each parameter by itself: what the data hardly ask for must not hold back.

        Activation energies move as far as changes a constant by the longest step in ln k.
        """
        present, slope = unknowns.present, self.curves.arrhenius
        size = int(present.sum())
        constants, activation = unknowns.constants.copy(), unknowns.activation.copy()
        moved = np.clip(step[:size], -_LONGEST, _LONGEST)
        if self.fixed is not None:
            moved = np.where(self.fixed[present], 0.0, moved)
        constants[present] *= np.exp(moved)
        if slope is not None:
            longest = _LONGEST / max(np.abs(slope).max(), 1e-300)
            activation[present] += np.clip(step[size:], -longest, longest)
        initial = unknowns.initial.copy()
        initial[:, self.place] = np.maximum(initial[:, self.place] + start_step, 0.0)
        # What is not there at first must not begin to be, however little of it would do.
        known = self.curves.start_known
        initial[:, known] = unknowns.initial[:, known]
        return Unknowns(constants, activation, initial)

    def _at(self, unknowns: Unknowns, deviation: NDArray) -> Point:
        value, by_parameters, by_initial = self._run(unknowns)
        weight = np.where(self.seen, 1 / deviation, 0.0)
        residual = np.where(self.seen, value - self._data, 0.0) * weight
        rows = (len(value), residual[0].size)
        return Point(
            unknowns,
            value,
            residual.reshape(rows),
            (by_parameters * weight[..., None]).reshape(*rows, by_parameters.shape[-1]),
            (by_initial * weight[..., None]).reshape(*rows, by_initial.shape[-1]),
            (unknowns.initial - self.curves.initial)[:, self.place] * self._start_weight**0.5,
        )

    def _run(self, unknowns: Unknowns) -> tuple[NDArray, NDArray, NDArray]:
        """Concentrations (r, T, S), and derivatives by parameters and by initial concentrations."""
        present, slope = unknowns.present, self.curves.arrhenius
        run = sensitivities(
            self.network,
            self.constants(unknowns),
            np.ascontiguousarray(unknowns.initial[:, self.place]),
            self.curves.time,
            wrt=(CONSTANTS,) if self.curves.start_known.all() else (CONSTANTS, INITIAL),
            tested=False,
            rtol=self.rtol,
            atol=1e-3 * self.rtol * float(self.curves.scale.min()),
        )
        shape, own = self.curves.value.shape, len(self.place)
        value = np.broadcast_to(unknowns.initial[:, None], shape).copy()
        value[..., self.place] = run.concentration
        by_constants = np.zeros((*shape, int(present.sum())))
        by_constants[..., self.place, :] = self._summed(run.log_constants, present)
        if slope is not None:
            by_activation = by_constants * slope[:, None, None, None]
            by_constants = np.concatenate([by_constants, by_activation], -1)
        by_initial = np.zeros((*shape, own if run.initial is not None else 0))
        if run.initial is not None:
            by_initial[..., self.place, :] = run.initial
            by_initial[..., self.curves.start_known[self.place]] = 0.0
        return value, by_constants, by_initial

    def _summed(self, slopes: NDArray, present: NDArray[np.bool_]) -> NDArray:
        """Sum derivatives (..., N) over what shares a constant: those of free ones, (..., P)."""
        if not self.tied.plain:
            whole = np.zeros((*slopes.shape[:-1], len(present)))
            for number, owner in enumerate(self.tied.owner):
                whole[..., owner] += slopes[..., number]
            slopes = whole
        if self.fixed is not None:
            slopes = np.where(self.fixed, 0.0, slopes)
        return slopes[..., present]

    def _deviation(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the standard deviation of the noise at simulated values, shape (r, T, S)."""
        return self._noise_at(np.where(np.isfinite(value), value, self._data))

    def _noise_at(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.curves.deviation(value, self.noise)

    def _log_noise(self, deviation: NDArray[np.float64]) -> float:
        """Twice the logarithms of the noise of all values, relative to their floor, in all."""
        return 2.0 * float(np.log(deviation / self._floor)[self.seen].sum())
