"""Rate constants from what an experiment measured: the most probable ones, and how sure they are.

The posterior's maximum is sought by Levenberg and Marquardt's steps with the analytic sensitivities
of `kinetlib.kinetics.sensitivity`, from the draws of the prior's bank that fit best; Laplace's
approximation there gives the covariance. The prior is taken as the normal density with the bank's
mean and covariance, the noise as one on the scale of `kinetlib.runs.noise.Noise.stabilised`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from kinetlib.inference.curves import values_and_slopes, values_of
from kinetlib.inference.prior import Prior
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment

_FEWER, _MORE = 0.2, 5.0  # damping after a step that was kept, and after one that was not
_LONGEST = 3.0  # of a step, in ln k


@dataclass(frozen=True)
class Estimates:
    """Most probable coordinates.

    Attributes
    ----------
    x
        Shape (n, p).
    covariance
        By Laplace's approximation, shape (n, p, p).
    """

    x: NDArray[np.float64]
    covariance: NDArray[np.float64]

    @property
    def deviation(self) -> NDArray[np.float64]:
        """Standard deviations, shape (n, p)."""
        return np.sqrt(np.einsum("npp->np", self.covariance))


def estimate(
    prior: Prior,
    candidates: Candidates,
    experiment: Experiment,
    data: NDArray[np.float64],
    *,
    noise: Noise,
    bank: int = 2000,
    starts: int = 4,
    steps: int = 20,
    threads: int | None = None,
) -> Estimates:
    """Estimate the coordinates of n samples from what an experiment measured.

    Parameters
    ----------
    prior
        Of the mechanism, with its bank.
    candidates, experiment
        What was measured.
    data
        Substrate and product, shape (n, r, m, 2).
    noise
        Of the data.
    bank
        Draws of the prior's bank, its first, that are searched for starts.
    starts, steps
        Descents of each sample, and steps of each; the best end counts.
    threads
        Threads of the integrator.

    Raises
    ------
    ValueError
        Data that do not fit the experiment.
    """
    expected = (len(experiment.runs), experiment.points, 2)
    if data.ndim != 4 or data.shape[1:] != expected:
        raise ValueError(
            f"data: expected shape (n, {', '.join(map(str, expected))}), got {data.shape}"
        )
    problem = _Problem(prior, candidates, experiment, data, noise, threads)
    x = problem.best_draws(prior.bank[:bank], starts)
    of = np.repeat(np.arange(len(data)), starts)
    cost, gradient, curvature = problem.look(x, of)
    damping = np.full(len(x), 1e-2)
    for _ in range(steps):
        ridge = damping[:, None] * np.einsum("npp->np", curvature)
        matrix = curvature + np.eye(x.shape[1]) * ridge[:, None]
        step = -np.linalg.solve(matrix, gradient[..., None])[..., 0]
        length = np.linalg.norm(step, axis=1, keepdims=True)
        there = x + step * np.minimum(1.0, _LONGEST / np.maximum(length, 1e-300))
        found = problem.look(there, of)
        kept = found[0] < cost
        x[kept] = there[kept]
        for now, new in zip((cost, gradient, curvature), found, strict=True):
            now[kept] = new[kept]
        damping = np.clip(damping * np.where(kept, _FEWER, _MORE), 1e-9, 1e9)
    best = np.arange(len(data)) * starts + cost.reshape(-1, starts).argmin(1)
    return Estimates(x[best], np.linalg.inv(curvature[best]))


class _Problem:
    """Half the sum of squares of residuals and prior, and its derivatives by Gauss and Newton."""

    def __init__(
        self,
        prior: Prior,
        candidates: Candidates,
        experiment: Experiment,
        data: NDArray,
        noise: Noise,
        threads: int | None,
    ) -> None:
        self.mechanism, self.threads, self.noise = prior.mechanism, threads, noise
        self.candidates = candidates.only(experiment.runs)
        self.experiment = Experiment(tuple(range(len(experiment.runs))), experiment.times)
        self.data = noise.stabilised(data).reshape(len(data), -1)
        self.mean, self.precision = prior.moments()

    def _stabilised(self, values: NDArray) -> NDArray[np.float64]:
        return self.noise.stabilised(self.experiment.shown(values))

    def _from_prior(self, x: NDArray) -> NDArray:
        from_mean = x - self.mean
        return np.einsum("np,pq,nq->n", from_mean, self.precision, from_mean)

    def best_draws(self, bank: NDArray, starts: int) -> NDArray[np.float64]:
        """Return the draws that fit each sample best, shape (n starts, p)."""
        values = values_of(self.mechanism, self.candidates, bank, threads=self.threads)
        level = self._stabilised(values).reshape(len(bank), -1)
        squares = cdist(self.data, level, "sqeuclidean")
        cost = np.where(np.isfinite(squares), squares, np.inf) + self._from_prior(bank)
        return bank[np.argsort(cost, axis=1)[:, :starts].ravel()].copy()

    def look(self, x: NDArray, of: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Cost, gradient and curvature at x (m, p) for the samples `of` (m,)."""
        values, slopes = values_and_slopes(self.mechanism, self.candidates, x, threads=self.threads)
        residual = self._stabilised(values).reshape(len(x), -1) - self.data[of]
        deviation = self.noise.deviation(values)
        slopes = self.experiment.shown(slopes / deviation[..., None])
        slopes = slopes.reshape(len(x), -1, x.shape[1])
        failed = ~(np.isfinite(residual).all(1) & np.isfinite(slopes).all((1, 2)))
        residual[failed], slopes[failed] = 0.0, 0.0
        cost = ((residual**2).sum(1) + self._from_prior(x)) / 2
        pull = (x - self.mean) @ self.precision
        gradient = np.einsum("mvp,mv->mp", slopes, residual) + pull
        curvature = np.swapaxes(slopes, 1, 2) @ slopes + self.precision
        return np.where(failed, np.inf, cost), gradient, curvature
