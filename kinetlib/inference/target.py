"""What rate constants are worth, given measured runs: likelihood and prior in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.curves import conditions
from kinetlib.inference.prior import Prior
from kinetlib.kinetics.simulate import observed
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs

#: What the integrator leaves undecided, in units of the substrate: the floor of the noise of data
#: that were simulated with relative noise only.
RESOLUTION = 1e-8
_ATOL = 1e-9
# Errors of the integrator stay this far below the noise, and never grow past a coarse bound.
_BELOW_NOISE, _COARSEST = 0.01, 1e-4


class Target:
    """Posterior of one mechanism's rate constants: data, noise and prior, in its coordinates.

    Parameters
    ----------
    runs
        The data, of one reaction; times in the unit that the prior counts in.
    prior
        Whose mechanism and coordinates.
    noise
        Of the data: Gaussian and independent from value to value.

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
        self.runs, self.prior, self.noise, self.evaluations = runs, prior, noise, 0
        self._at = np.flatnonzero(runs.informative.reshape(-1))
        self.data = np.stack([runs.substrate, runs.product], axis=-1).reshape(-1)[self._at]
        # The integrator wants times that do not fall.
        order = np.argsort(runs.time, axis=1)
        self._times = np.take_along_axis(runs.time, order, axis=1)
        self._back = np.argsort(order, axis=1)[None, :, :, None]
        self._rtol = min(noise.relative * _BELOW_NOISE, _COARSEST)

    def with_noise(self, noise: Noise) -> Target:
        """Return the same runs and prior with another noise."""
        return Target(self.runs, self.prior, noise)

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (n, D) to (n, values); NaN where a run failed."""
        mechanism = self.prior.mechanism
        at = conditions(mechanism, self.runs, x)
        seen = observed(mechanism, *at, self._times, rtol=self._rtol, atol=_ATOL, threads=1)
        self.evaluations += len(x)
        return np.take_along_axis(seen, self._back, axis=2).reshape(len(x), -1)[:, self._at]

    def residuals(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return simulated minus measured, on the scale on which the noise is one."""
        return self.noise.stabilised(curves) - self.noise.stabilised(self.data)

    def log_likelihood_of(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x) of simulated values, shape (n, values) to (n,)."""
        deviation = self.noise.deviation(curves)
        terms = ((self.data - curves) / deviation) ** 2 / 2 + np.log(deviation)
        total = -terms.sum(1) - self.data.size * np.log(2 * np.pi) / 2
        return np.where(np.isfinite(total), total, -np.inf)

    def log_likelihood(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x), shape (n, D) to (n,); minus infinity outside the prior's box."""
        found = np.full(len(x), -np.inf)
        inside = np.flatnonzero(self.prior.may_hold(x))
        if len(inside):
            found[inside] = self.log_likelihood_of(self.curves(x[inside]))
        return found

    def log_posterior(
        self, x: NDArray[np.float64], *, above: float | NDArray[np.float64] = -np.inf
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return ln p(y | x) and ln p(x), whose sum is the posterior's logarithm but for ln p(y).

        Parameters
        ----------
        x
            Coordinates, shape (n, D).
        above
            Likelihoods that matter, one for all or (n,): the prior takes a reference run, and where
            ln p(y | x) is no larger than this it counts as none.

        Returns
        -------
        tuple
            Shape (n,) each; minus infinity outside the support.
        """
        likelihood, prior = self.log_likelihood(x), np.full(len(x), -np.inf)
        matter = np.flatnonzero(likelihood > above)
        prior[matter] = self.prior.log_density(x[matter])
        return likelihood, prior
