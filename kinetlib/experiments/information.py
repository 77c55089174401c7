r"""Which experiments pin a mechanism's rate constants: Fisher information and D-optimal designs.

A run sampled at a time gives two values y, substrate and product, with independent Gaussian noise
of variance v = (c y)^2 + d^2: c relative to the value, d what the instrument cannot tell from
nothing. In the coordinates x = ln(k h) of `kinetlib.inference.prior` their Fisher information is

    F = sum over both of  s s^T (1 / v + (dv/dy)^2 / (2 v^2)),     s = dy / dx,

the second part, some 2 c^2 of the first, because the noise itself tells of the value. Without d the
information of a substrate that is used up would have no bound: ln y falls as long as the reaction
goes on, and a share of nothing is a small noise. A design would wait for the last molecules.

The criterion of an experiment is the pseudo-Bayesian D-criterion (Chaloner, Verdinelli, Stat. Sci.
10, 273, 1995): the mean over draws from the prior of ln det(P + sum F), P being the inverse of the
prior's covariance. It is half the information, in nats, that the experiment is expected to give on
x, as Laplace's approximation has it, and a constant. exp of a difference over the number p of
coordinates is a ratio of variances a coordinate, or of the number of repeats: the D-efficiency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.curves import values_and_slopes
from kinetlib.inference.prior import Prior
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment


@dataclass(frozen=True)
class Information:
    """What each candidate run and time tells of the coordinates, at draws from the prior.

    Attributes
    ----------
    candidates
        The runs and times.
    rows
        Sensitivities in units of the noise, shape (draws, runs, T, 2, p): the information of a
        run and time is ``rows.T @ rows`` over both values. Nothing at time 0.
    precision
        Inverse of the prior's covariance, shape (p, p).
    """

    candidates: Candidates
    rows: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def p(self) -> int:
        """Number of coordinates."""
        return len(self.precision)

    def __getitem__(self, draws: slice | NDArray) -> Information:
        """Select draws."""
        return Information(self.candidates, self.rows[draws], self.precision)

    def of(self, experiment: Experiment) -> NDArray[np.float64]:
        """Return P and the information of an experiment, shape (draws, p, p)."""
        at = experiment.shown(self.rows)
        return self.precision + np.einsum("drtvp,drtvq->dpq", at, at, optimize=True)

    def criterion(self, experiment: Experiment) -> float:
        """Return the mean of ln det(P + F)."""
        weights = np.zeros(self.rows.shape[1:3])
        weights[np.array(experiment.runs)[:, None], np.array(experiment.times)] = 1.0
        return log_determinant(self.factor(weights))

    def factor(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Factorise P and the information of weighted runs and times.

        Where some directions are known a million times better than others, squares and sums have
        no digits left for the others: the factor comes from the rows themselves (QR).

        Parameters
        ----------
        weights
            Shape (runs, T).

        Returns
        -------
        NDArray
            Upper triangles U, shape (draws, p, p), with U^T U = P + sum of weight F.
        """
        at = np.nonzero(weights)
        rows = self.rows[:, at[0], at[1]] * np.sqrt(weights[at])[:, None, None]
        before = np.linalg.cholesky(self.precision).T
        before = np.broadcast_to(before, (len(rows), self.p, self.p))
        stacked = np.concatenate([before, rows.reshape(len(rows), -1, self.p)], axis=1)
        return np.linalg.qr(stacked, mode="r")

    def efficiency(self, experiment: Experiment, best: float) -> float:
        """Return the D-efficiency of an experiment relative to a criterion, or to a bound of it."""
        return float(np.exp((self.criterion(experiment) - best) / self.p))


def log_determinant(factor: NDArray[np.float64]) -> float:
    """Mean of ln det(U^T U) over triangles U, shape (draws, p, p)."""
    return float(2 * np.log(np.abs(np.einsum("dpp->dp", factor))).sum(1).mean())


def information(
    prior: Prior,
    candidates: Candidates,
    x: NDArray[np.float64],
    *,
    noise: Noise,
    threads: int | None = None,
) -> Information:
    """Find what each candidate run and time tells at draws from the prior.

    Parameters
    ----------
    prior
        The mechanism's, for the precision that its bank has.
    candidates
        Runs and times.
    x
        Draws, shape (n, p), such as rows of the prior's bank.
    noise
        Of the measured values.
    threads
        Threads of the integrator.

    Raises
    ------
    ValueError
        Fewer draws in the bank than coordinates.
    """
    if len(prior.bank) <= prior.bank.shape[1]:
        raise ValueError(
            f"the prior's bank holds {len(prior.bank)} draws of {prior.bank.shape[1]} coordinates, "
            "expected more draws than coordinates; draw a larger one"
        )
    values, slopes = values_and_slopes(prior.mechanism, candidates, x, threads=threads)
    known = np.isfinite(values).all((1, 2, 3)) & np.isfinite(slopes).all((1, 2, 3, 4))
    values, slopes = values[known], slopes[known]
    variance = noise.variance(values)
    weight = 1 / variance + 2 * (noise.relative**2 * values / variance) ** 2
    weight[:, :, candidates.times == 0] = 0.0  # weighed in, not measured
    rows = slopes * np.sqrt(weight)[..., None]
    return Information(candidates, rows, prior.moments()[1])
