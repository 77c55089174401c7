"""What rate constants are worth, given measured runs: likelihood and prior in one place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.curves import conditions
from kinetlib.inference.prior import Prior
from kinetlib.kinetics.simulate import observed
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import INITIAL, Runs

#: What the integrator leaves undecided, in units of the substrate: the floor of the noise of data
#: that were simulated with relative noise only.
RESOLUTION = 1e-8
_ATOL = 1e-9
# Errors of the integrator stay this far below the noise, and never grow past a coarse bound.
_BELOW_NOISE, _COARSEST = 0.01, 1e-4
_BEYOND = 4.0  # how far a descent may leave the prior's box, in ln k


class Target:
    """Posterior of one mechanism's rate constants: data, noise and prior, in its coordinates.

    Parameters
    ----------
    runs
        The data of one reaction, or of n that were measured alike: the same starts, times and gaps.
        Times are in the unit that the prior counts in.
    prior
        Whose mechanism and coordinates.
    noise
        Of the data: Gaussian and independent from value to value.
    threads
        Threads of the integrator.

    Attributes
    ----------
    runs
        The first of them, checked.
    data
        Measured values, shape (n, values); n is 1 for one reaction.
    evaluations
        Sets of constants simulated so far.

    Raises
    ------
    ValueError
        Runs that are none, see `kinetlib.runs.runs.Runs.checked`, or were not measured alike.
    """

    difference = 0.02  # of ln k, for slopes: short ones follow every bend of a valley

    def __init__(self, runs: Runs, prior: Prior, noise: Noise, *, threads: int | None = 1) -> None:
        """Lay out what all simulations share."""
        self.runs, self.prior, self.noise, self.evaluations = _first(runs), prior, noise, 0
        self._at = np.flatnonzero(self.runs.informative)
        values = np.stack([runs.substrate, runs.product], axis=-1, dtype=np.float64)
        self.data = values.reshape(-1, self.runs.informative.size)[:, self._at]
        self._stabilised = noise.stabilised(self.data)
        # The integrator wants times that do not fall.
        order = np.argsort(self.runs.time, axis=1)
        self._times = np.take_along_axis(self.runs.time, order, axis=1)
        self._back = np.argsort(order, axis=1)[None, :, :, None]
        rtol = min(noise.relative * _BELOW_NOISE, _COARSEST)
        self._options = {"rtol": rtol, "atol": _ATOL, "threads": threads}

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (m, D) to (m, values); NaN where a run failed."""
        mechanism = self.prior.mechanism
        at = conditions(mechanism, self.runs, x)
        seen = observed(mechanism, *at, self._times, **self._options)
        self.evaluations += int(np.isfinite(x).all(1).sum())
        return np.take_along_axis(seen, self._back, axis=2).reshape(len(x), -1)[:, self._at]

    def residuals_of(
        self, curves: NDArray[np.float64], which: int | NDArray[np.int64] = 0
    ) -> NDArray[np.float64]:
        """Return simulated minus measured, on the scale on which the noise is one.

        Both have shape (m, values), ``which`` (m,) names the reactions whose data are meant.
        """
        return self.noise.stabilised(curves) - self._stabilised[which]

    def residuals(
        self, x: NDArray[np.float64], which: int | NDArray[np.int64] = 0
    ) -> NDArray[np.float64]:
        """Simulate coordinates (m, D) and return `residuals_of` them."""
        return self.residuals_of(self.curves(x), which)

    def within(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return coordinates (m, D) that a descent may try; NaN those too far beyond the box.

        It may leave the box by some way: where that stops a step it would stop for good, far above
        the least cost within.
        """
        return np.where(self.prior.may_hold(x, beyond=_BEYOND)[:, None], x, np.nan)

    def log_likelihood_of(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x) of simulated values, (m, values) to (m,); y of the first reaction."""
        data, deviation = self.data[0], self.noise.deviation(curves)
        terms = ((data - curves) / deviation) ** 2 / 2 + np.log(deviation)
        total = -terms.sum(1) - data.size * np.log(2 * np.pi) / 2
        return np.where(np.isfinite(total), total, -np.inf)

    def log_likelihood(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x), shape (m, D) to (m,); minus infinity outside the prior's box."""
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
            Coordinates, shape (m, D).
        above
            Likelihoods that matter, one for all or (m,): the prior takes a reference run, and where
            ln p(y | x) is no larger than this it counts as none.

        Returns
        -------
        tuple
            Shape (m,) each; minus infinity outside the support.
        """
        likelihood, prior = self.log_likelihood(x), np.full(len(x), -np.inf)
        matter = np.flatnonzero(likelihood > above)
        prior[matter] = self.prior.log_density(x[matter])
        return likelihood, prior


def _first(runs: Runs) -> Runs:
    """Check runs, and return those of the first reaction."""
    if np.ndim(runs.time) != 3:
        return runs.checked()
    first = runs[0].checked()
    for name in ("time", *INITIAL, "informative"):
        values = getattr(runs, name)
        if not (values == values[0]).all():
            raise ValueError(
                f"{name}: expected the same for all {len(runs)} reactions of one target; put "
                "reactions that were not measured alike into targets of their own"
            )
    return first
