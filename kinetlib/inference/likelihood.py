"""How probable measured runs are, given a mechanism's rate constants and the noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.prior import Prior, drawn_species
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import CATALYST, PRODUCT, SUBSTRATE, Mechanism
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
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
        network, runs = prior.mechanism.network, runs.checked()
        self.runs, self.prior = runs, prior
        self.noise, self.evaluations = noise, 0
        self._at = np.flatnonzero(runs.informative.reshape(-1))
        self.data = np.stack([runs.substrate, runs.product], axis=-1).reshape(-1)[self._at]
        # The integrator wants times that do not fall.
        order = np.argsort(runs.time, axis=1)
        self._times = np.take_along_axis(runs.time, order, axis=1)
        self._back = np.argsort(order, axis=1)[None, :, :, None]
        self._initial = np.zeros((len(runs.time), len(network.species)))
        for species, value in prior.mechanism.default_initial.items():
            self._initial[:, network.index(species)] = value
        given = {SUBSTRATE: runs.substrate_0, PRODUCT: runs.product_0, CATALYST: runs.loading}
        for species, values in given.items():
            self._initial[:, network.index(species)] = values
        self._seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
        self._rtol = min(noise.relative * _BELOW_NOISE, _COARSEST)

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (n, D) to (n, values); NaN where a run failed."""
        prior, network = self.prior, self.prior.mechanism.network
        n, r = len(x), len(self._times)
        initial = np.broadcast_to(self._initial, (n, *self._initial.shape)).copy()
        for species, column in zip(prior.drawn, x[:, prior.n_constants :].T, strict=True):
            initial[..., network.index(species)] = np.exp(column)[:, None]
        solution = integrate(
            network,
            np.repeat(np.exp(x[:, : prior.n_constants]), r, axis=0),
            initial.reshape(n * r, -1),
            np.tile(self._times, (n, 1)),
            rtol=self._rtol,
            atol=_ATOL,
            threads=1,
        )
        self.evaluations += n
        seen = solution.concentration.reshape(n, r, self._times.shape[1], -1)[..., self._seen]
        return np.take_along_axis(seen, self._back, axis=2).reshape(n, -1)[:, self._at]

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
    network = mechanism.network
    constants, initial = _conditions(mechanism, candidates, x)
    found = integrate(
        network, constants, initial, candidates.times, rtol=_RTOL, atol=_ATOL, threads=threads
    )
    seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
    return found.concentration[:, :, seen].reshape(len(x), len(candidates), -1, 2)


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
    network, drawn = mechanism.network, drawn_species(mechanism)
    constants, initial = _conditions(mechanism, candidates, x)
    found = sensitivities(
        network,
        constants,
        initial,
        candidates.times,
        wrt=(CONSTANTS, INITIAL) if drawn else CONSTANTS,
        rtol=_RTOL,
        atol=_ATOL,
        threads=threads,
    )
    seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
    slopes = [found.log_constants[:, :, seen]]
    for species in drawn:
        at = network.index(species)
        slopes.append((found.initial[:, :, seen, at] * initial[:, None, None, at])[..., None])
    shape = (len(x), len(candidates), len(candidates.times), 2)
    return (
        found.concentration[:, :, seen].reshape(shape),
        np.concatenate(slopes, axis=-1).reshape(*shape, x.shape[1]),
    )


def _conditions(
    mechanism: Mechanism, candidates: Candidates, x: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate constants and initial concentrations, a row for each draw and, within it, each run."""
    network, n_constants = mechanism.network, len(mechanism.network.constants)
    initial = np.zeros((len(x), len(candidates), len(network.species)))
    for species, value in mechanism.default_initial.items():
        initial[..., network.index(species)] = value
    for species, column in zip(drawn_species(mechanism), x[:, n_constants:].T, strict=True):
        initial[..., network.index(species)] = np.exp(column)[:, None]
    given = (candidates.substrate_0, candidates.product_0, candidates.loading)
    for species, value in zip((SUBSTRATE, PRODUCT, CATALYST), given, strict=True):
        initial[..., network.index(species)] = value
    constants = np.repeat(np.exp(x[:, :n_constants]), len(candidates), axis=0)
    return constants, initial.reshape(len(constants), -1)


def moments(prior: Prior) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and inverse covariance of a prior's bank, shapes (p,) and (p, p)."""
    covariance = np.atleast_2d(np.cov(prior.bank, rowvar=False))
    return prior.bank.mean(0), np.linalg.inv(covariance)


def shown(values: NDArray[np.float64], experiment: Experiment) -> NDArray[np.float64]:
    """Take what an experiment shows of all candidates, (n, runs, T, ...) to (n, r, m, ...)."""
    return values[:, np.array(experiment.runs)[:, None], np.array(experiment.times)]
