"""How probable measured runs are, given a mechanism's rate constants and the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.prior import Prior
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
from kinetlib.kinetics.simulate import observed
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment
from kinetlib.runs.runs import Runs

# What the integrator leaves undecided, in units of the substrate.
RESOLUTION = 1e-8
_ATOL = 1e-9
# Errors of the integrator stay this far below the noise, and never grow past a coarse bound.
_BELOW_NOISE, _COARSEST = 0.01, 1e-4


class Likelihood:
    """Likelihood of rate constants: data, mechanism and noise, in the prior's coordinates.

    The noise is Gaussian and independent from value to value, see `kinetlib.runs.noise.Noise`.

    Parameters
    ----------
    runs, prior
        The data; whose mechanism and coordinates.
    noise
        Of the data. Exact but for relative noise, as simulated data are, they have `RESOLUTION` for
        a floor; a laboratory's is larger.

    Attributes
    ----------
    data
        Measured values, shape (values,).
    evaluations
        Sets of constants simulated so far.

    Raises
    ------
    ValueError
        Runs that are none, see `kinetlib.runs.runs.Runs.checked`.
    """

    def __init__(self, runs: Runs, prior: Prior, noise: Noise) -> None:
        """Lay out what all simulations share."""
        runs = runs.checked()
        self.runs, self.prior = runs, prior
        self.noise, self.evaluations = noise, 0
        self._at = np.flatnonzero(runs.informative.reshape(-1))
        self.data = np.stack([runs.substrate, runs.product], axis=-1).reshape(-1)[self._at]
        # The integrator wants times that do not fall.
        order = np.argsort(runs.time, axis=1)
        self._times = np.take_along_axis(runs.time, order, axis=1)
        self._back = np.argsort(order, axis=1)[None, :, :, None]
        self._rtol = min(noise.relative * _BELOW_NOISE, _COARSEST)

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (n, D) to (n, values); NaN where a run failed."""
        mechanism = self.prior.mechanism
        constants, initial = _conditions(mechanism, self.runs, x)
        seen = observed(
            mechanism, constants, initial, self._times, rtol=self._rtol, atol=_ATOL, threads=1
        )
        self.evaluations += len(x)
        return np.take_along_axis(seen, self._back, axis=2).reshape(len(x), -1)[:, self._at]

    def of_curves(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x) of simulated values, shape (n, values) to (n,)."""
        deviation = self.noise.deviation(curves)
        terms = ((self.data - curves) / deviation) ** 2 / 2 + np.log(deviation)
        total = -terms.sum(1) - self.data.size * np.log(2 * np.pi) / 2
        return np.where(np.isfinite(total), total, -np.inf)

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x), shape (n, D) to (n,); minus infinity outside the prior's box."""
        density = np.full(len(x), -np.inf)
        inside = np.flatnonzero(self.prior.may_hold(x))
        if len(inside):
            density[inside] = self.of_curves(self.curves(x[inside]))
        return density

    def residuals(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return simulated minus measured, on the scale on which the noise is one."""
        return self.noise.stabilised(curves) - self.noise.stabilised(self.data)


_RTOL, _ATOL = 1e-6, 1e-9


def values_of(
    mechanism: Mechanism, candidates: Candidates, x: NDArray[np.float64], *, threads: int | None = 1
) -> NDArray[np.float64]:
    """Simulate all candidates for some coordinates; see `curves`, of which it gives the values."""
    constants, initial = _conditions(mechanism, candidates, x)
    return observed(
        mechanism, constants, initial, candidates.times, rtol=_RTOL, atol=_ATOL, threads=threads
    )


def curves(
    mechanism: Mechanism, candidates: Candidates, x: NDArray[np.float64], *, threads: int | None = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate all candidates for some coordinates, with derivatives.

    Parameters
    ----------
    mechanism
        Whose.
    candidates
        Runs and times.
    x
        Coordinates, shape (n, p): ln(k h) of the constants, then ln of each concentration that is
        drawn once a sample.
    threads
        Threads of the integrator.

    Returns
    -------
    values
        Substrate and product, shape (n, runs, T, 2); NaN where a run failed.
    slopes
        Their derivatives by x, shape (n, runs, T, 2, p).
    """
    network, seen = mechanism.network, mechanism.seen
    constants, initial = _conditions(mechanism, candidates, x)
    initial = initial.reshape(-1, len(network.species))
    found = sensitivities(
        network,
        np.repeat(constants, len(candidates), axis=0),
        initial,
        candidates.times,
        wrt=(CONSTANTS, INITIAL) if mechanism.drawn else CONSTANTS,
        rtol=_RTOL,
        atol=_ATOL,
        threads=threads,
    )
    slopes = [found.log_constants[:, :, seen]]
    for species in mechanism.drawn:
        at = network.index(species)
        slopes.append((found.initial[:, :, seen, at] * initial[:, None, None, at])[..., None])
    shape = (len(x), len(candidates), len(candidates.times), 2)
    return (
        found.concentration[:, :, seen].reshape(shape),
        np.concatenate(slopes, axis=-1).reshape(*shape, x.shape[1]),
    )


def _conditions(
    mechanism: Mechanism, runs: Runs | Candidates, x: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate constants (n, R) and initial concentrations (n, runs, S) for coordinates."""
    constants, rest = np.split(np.exp(x), [len(mechanism.network.constants)], axis=1)
    drawn = {name: value[:, None] for name, value in zip(mechanism.drawn, rest.T, strict=True)}
    initial = mechanism.initial(runs.loading, runs.substrate_0, runs.product_0, drawn)
    return constants, np.broadcast_to(initial, (len(x), *initial.shape[-2:]))


def moments(prior: Prior) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and inverse covariance of a prior's bank, shapes (p,) and (p, p)."""
    covariance = np.atleast_2d(np.cov(prior.bank, rowvar=False))
    return prior.bank.mean(0), np.linalg.inv(covariance)


def shown(values: NDArray[np.float64], experiment: Experiment) -> NDArray[np.float64]:
    """Take what an experiment shows of all candidates, (n, runs, T, ...) to (n, r, m, ...)."""
    return values[:, np.array(experiment.runs)[:, None], np.array(experiment.times)]
