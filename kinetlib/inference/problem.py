"""One mechanism and measured runs: residuals, likelihood and posterior in the fit's coordinates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.coordinates import Coordinates
from kinetlib.inference.marginal import Level, Marginal
from kinetlib.inference.observations import Observations
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import Network
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities

_FIRST_NOISE = (0.02, 0.002)  # relative, and absolute in units of a column's largest value
_RTOL, _TIGHTEST, _ATOL = 1e-5, 1e-7, 1e-9
_MAX_STEPS = 5000  # twenty times what the stiffest need; who wants more than that has no likelihood
_BELOW_START = 1e-6  # of the smallest start: a trace of catalyst keeps its digits
_AT_ONCE = 2_000_000  # numbers in the trajectories that are held at a time


class Problem:
    """The posterior of what a fit may vary.

    Parameters
    ----------
    network
        The mechanism's.
    data
        Runs, in the file's units.
    layout
        What is free.
    threads
        Threads of the integrator.

    Attributes
    ----------
    noise
        Of each column, that residuals are counted in; the likelihood does not depend on it.
    evaluations
        Sets of coordinates simulated so far.
    """

    difference = 0.002  # of a coordinate, for slopes; only where tangents are not to be had

    def __init__(
        self,
        network: Network,
        data: Observations,
        layout: Coordinates,
        *,
        threads: int | None = 1,
    ) -> None:
        """Lay out what all simulations share."""
        self.network, self.layout, self.evaluations = network, layout, 0
        self.data = data.in_units(*layout.units)
        self._threads = threads
        self._there = np.isfinite(self.data.values)
        self.column = np.nonzero(self._there)[2]
        self.values = self.data.values[self._there]
        self.readings = self.data.readings[self._there]
        self.marginal = Marginal(
            self.values,
            self.readings,
            self.data.scatter[self._there],
            self.column,
            self.data.steps,
        )
        self._shows = np.zeros((len(network.species), len(data.columns)))
        for c, shows in enumerate(data.shows):
            for name, weight in shows.items():
                self._shows[network.index(name), c] = weight
        smallest = layout.initial[layout.initial > 0].min(initial=1.0)
        self._tolerance = {
            "rtol": _RTOL,
            "atol": min(_ATOL, _BELOW_START * smallest),
            "max_steps": _MAX_STEPS,
        }
        relative, absolute = _FIRST_NOISE
        largest = self.marginal.largest
        self.noise = Level(np.full(len(largest), relative), absolute * largest)

    @property
    def n_readings(self) -> float:
        """Readings of all columns."""
        return float(self.readings.sum())

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (n, D) to (n, V); NaN where a run failed."""
        return self._in_blocks(self._curves, x)

    def series(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate all columns at all times, (n, D) to (n, R, T, C), in natural units."""
        return self._in_blocks(self._series, x)

    def residuals(
        self, x: NDArray[np.float64], which: object = None, noise: Level | None = None
    ) -> NDArray[np.float64]:
        """Return simulated minus measured, on a scale on which the noise is one, and the prior's.

        Shape (n, D) to (n, V + D): the last D are 0 but for coordinates with a normal prior. The
        noise is that of the problem, or one for each of the n, of shape (n, C).
        """
        relative, absolute = self._by_value(noise)
        simulated, measured = (
            np.arcsinh(relative / absolute * v) / relative for v in (self.curves(x), self.values)
        )
        off = (simulated - measured) * np.sqrt(self.readings)
        return np.concatenate([off, x * self._pull()], axis=1)

    def slopes(
        self,
        x: NDArray[np.float64],
        residuals: object = None,
        which: object = None,
        noise: Level | None = None,
    ) -> NDArray[np.float64]:
        """Differentiate `residuals` by the coordinates, (n, D) to (n, V + D, D), by tangents."""
        seen, slope = self._in_blocks(self._tangents, x)
        relative, absolute = self._by_value(noise)
        weight = np.sqrt(self.readings / ((relative * seen) ** 2 + absolute**2))
        slope *= weight[..., None]
        free = len(self.layout.names)
        pull = np.broadcast_to(np.diag(self._pull()), (len(x), free, free))
        return np.nan_to_num(np.concatenate([slope, pull], axis=1))

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the nearest coordinates (n, D) in the box."""
        return self.layout.clipped(x)

    def log_likelihood(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x), the noise marginalised, shape (n, D) to (n,)."""
        return self.marginal.log_likelihood(self.curves(x))

    def log_posterior(
        self, x: NDArray[np.float64], *, above: float | NDArray[np.float64] = -np.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ln p(y | x) and ln p(x), shape (n,) each; minus infinity outside the box.

        Where ln p(y | x) is no larger than ``above`` the prior counts as zero.
        """
        prior = self.layout.log_prior(x)
        likelihood = np.full(len(x), -np.inf)
        inside = np.flatnonzero(np.isfinite(prior))
        if len(inside):
            likelihood[inside] = self.log_likelihood(x[inside])
        return likelihood, np.where(likelihood > above, prior, -np.inf)

    def noise_about(self, x: NDArray[np.float64]) -> Level:
        """Return the most probable noise about coordinates, (n, D) to (n, C)."""
        level = self.marginal.level(self.curves(x))
        floor = 1e-6 * np.maximum(level.absolute.max(-1, keepdims=True), 1e-9)
        return Level(np.maximum(level.relative, 1e-5), np.maximum(level.absolute, floor))

    def tighten(self, x: NDArray[np.float64]) -> None:
        """Count residuals in the noise about coordinates (D,), and integrate well below it."""
        level = self.noise_about(x[None])
        self.noise = Level(level.relative[0], level.absolute[0])
        total = self.noise.relative + self.noise.absolute / self.marginal.largest
        self._tolerance["rtol"] = float(np.clip(1e-2 * total.min(), _TIGHTEST, _RTOL))

    def _by_value(self, noise: Level | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        noise = noise or self.noise
        return noise.relative[..., self.column], noise.absolute[..., self.column]

    def _pull(self) -> NDArray[np.float64]:
        """Return the inverse deviations of normal priors, 0 for others, shape (D,)."""
        layout = self.layout
        return np.array(
            [
                1 / high if kind == "normal" else 0.0
                for kind, high in zip(layout.kinds, layout.high, strict=True)
            ]
        )

    def _in_blocks(self, simulate: Callable, x: NDArray[np.float64]) -> Any:
        """Simulate so many coordinates at a time that the trajectories fit into memory."""
        runs, times = self.data.time.shape
        tangents = 1 + len(self.layout.names) if simulate == self._tangents else 1
        size = max(1, _AT_ONCE // (runs * times * len(self.network.species) * tangents))
        self.evaluations += len(x)
        if len(x) <= size:
            return simulate(x)
        parts = [simulate(x[i : i + size]) for i in range(0, len(x), size)]
        if isinstance(parts[0], tuple):
            return tuple(np.concatenate(part) for part in zip(*parts, strict=True))
        return np.concatenate(parts)

    def _asked(self, x: NDArray[np.float64]) -> tuple[NDArray, NDArray, NDArray]:
        """Return constants (n R, K), starts (n R, S) and times of all trajectories."""
        layout, (runs, times) = self.layout, self.data.time.shape
        constants = np.repeat(np.exp(layout.log_constants(x)), runs, axis=0)
        initial = layout.initials(x).reshape(len(x) * runs, -1)
        time = np.broadcast_to(self.data.time, (len(x), runs, times))
        if layout.shift is not None:
            time = np.maximum(time + x[:, layout.shift, None, None], 0.0)
        return constants, initial, time.reshape(len(x) * runs, times)

    def _factors(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of each column, shape (n, 1, 1, C)."""
        factors = np.ones((len(x), len(self.data.columns)))
        for column, at in self.layout.scales.items():
            factors[:, column] = np.exp(x[:, at])
        return factors[:, None, None]

    def _series(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        constants, initial, time = self._asked(x)
        found = integrate(
            self.network, constants, initial, time, **self._tolerance, threads=self._threads
        )
        shape = (len(x), *self.data.time.shape, -1)
        return (found.concentration @ self._shows).reshape(shape) * self._factors(x)

    def _curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        return self._series(x)[:, self._there]

    def _tangents(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Simulate the measured values (n, V), and their derivatives (n, V, D)."""
        layout, n = self.layout, len(x)
        constants, initial, time = self._asked(x)
        found = sensitivities(
            self.network,
            constants,
            initial,
            time,
            wrt=(CONSTANTS, INITIAL) if layout.starts else CONSTANTS,
            tested=False,
            **self._tolerance,
            threads=self._threads,
        )
        shape = (n, *self.data.time.shape, len(self.data.columns))
        factors = self._factors(x)
        seen = (found.concentration @ self._shows).reshape(shape) * factors
        slope = np.zeros((*shape, len(layout.names)))
        by_constant = np.einsum("ntsk,sc->ntck", found.log_constants, self._shows)
        by_constant = by_constant.reshape(*shape, -1) * factors[..., None]
        for k, at in enumerate(layout.constant):
            if at >= 0:
                slope[..., at] += by_constant[..., k]
        for start in layout.starts:
            change = found.initial[..., start.species] * initial[:, None, None, start.species]
            change = (change @ self._shows).reshape(shape) * factors
            slope[..., start.at][:, start.runs] += change[:, start.runs]
        for column, at in layout.scales.items():
            slope[..., column, at] += seen[..., column]
        if layout.shift is not None:
            speed = self.network.rhs(found.concentration, constants[:, None]) @ self._shows
            moving = (time > 0).reshape(*shape[:3], 1)
            slope[..., layout.shift] += speed.reshape(shape) * factors * moving
        return seen[:, self._there], slope[:, self._there]
