"""Rate constants of one mechanism that agree with measured runs, as weighted draws.

They are found as `kinetlib.inference.evidence` finds the evidence: draws from the prior are
searched, the best descend, and mixtures of t distributions about their ends are drawn from and
weighted. Nothing is known of the horizon here (`kinetlib.inference.prior.UnanchoredPrior`), as a
laboratory's time has any unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.inference import descend
from kinetlib.inference.descend import cost, descended
from kinetlib.inference.mixtures import NEGLIGIBLE, Pool, size_of
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import Target
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TRAIN

_SHIFTS = np.exp(np.linspace(-3.0, 3.0, 13))  # lengths of the longest run tried, in horizons
_WIDENINGS = (1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Effort(descend.Effort):
    """How much is computed for each mechanism.

    ``kept``, draws that candidates are simulated for; ``least``, effective draws there should be.
    """

    bank: int = 3000
    starts: int = 48
    steps: int = 24
    kernels: int = 200
    draws: int = 1500
    enough: float = 100.0
    rounds: int = 8
    kept: int = 150
    least: float = 20.0


@dataclass(frozen=True)
class Plausible:
    """What rate constants of one mechanism agree with the runs.

    Attributes
    ----------
    prior
        The mechanism's.
    x
        Draws, ln of rate constants times the longest run, then of drawn concentrations, shape
        (m, D).
    weights
        Shape (m,), adding to 1.
    effective
        Kish's effective sample size, before the smallest weights were left out.
    widening
        How many times as large the noise was taken as it is, see `plausible`.
    """

    prior: Prior
    x: NDArray[np.float64]
    weights: NDArray[np.float64]
    effective: float
    widening: float


@dataclass(frozen=True)
class Fitted:
    """Rate constants that explain runs.

    ``starts`` (n, D), draws from the prior; ``x`` (m, D), where their descents ended, the best
    first, be it outside of the prior's support.
    """

    target: Target
    starts: NDArray[np.float64]
    x: NDArray[np.float64]

    @property
    def misfit(self) -> float:
        """Root mean square of the best fit's residuals, in units of the noise."""
        least = cost(self.target.residuals(self.x[:1]))[0]
        return float(np.sqrt(2 * least / self.target.data.size))


def fitted(runs: Runs, mechanism: str, noise: Noise, rng: Generator, effort: Effort) -> Fitted:
    """Find rate constants of a mechanism that explain runs.

    Draws from the prior, each with the horizon that suits the runs best, are searched; the best
    descend.

    Parameters
    ----------
    runs
        The runs, times relative to the longest.
    mechanism
        Its id.
    noise
        Of the runs.
    rng, effort
        Source of the draws, and how much to compute.
    """
    bank = draw_prior(mechanism, effort.bank, TRAIN, rng, threads=1)
    target = Target(runs, bank.unanchored(), noise)
    moved = np.repeat(bank.bank[None], len(_SHIFTS), axis=0)
    moved[..., : bank.n_constants] += np.log(_SHIFTS)[:, None, None]
    costs = np.stack([cost(target.residuals(x)) for x in moved])
    order = np.argsort(costs.min(0), kind="stable")[: effort.starts]
    starts = moved[costs.argmin(0)[order], order]
    return Fitted(target, starts, descended(target, starts, effort.steps)[0])


def plausible(found: Fitted, noise: Noise, rng: Generator, effort: Effort) -> Plausible:
    """Draw rate constants that agree with the runs, about where descents ended.

    Many precise points leave a ridge so thin that few draws hit it. Then the noise is taken for
    twice as much, three times at most, until there are enough draws: rate constants count as known
    less well than they are.

    Parameters
    ----------
    found
        See `fitted`.
    noise
        Of the runs, which may be more than the fit was made with.
    rng, effort
        Source of the draws, and how much to compute.

    Raises
    ------
    ValueError
        If no rate constants that the mechanism may have give the runs any likelihood.
    """
    for widening in _WIDENINGS:
        drawn = _drawn(found, noise, rng, effort, widening)
        if drawn.effective >= effort.least:
            break
    return drawn


def _drawn(
    found: Fitted, noise: Noise, rng: Generator, effort: Effort, widening: float
) -> Plausible:
    """Draw by adaptive importance sampling with the noise so many times as large."""
    prior = found.target.prior
    target = Target(found.target.runs, prior, noise.times(widening))
    x = np.concatenate([found.x, found.starts])
    value = target.log_likelihood_of(target.curves(x))
    known = np.isfinite(value) & np.isfinite(prior.log_density(x))
    if not known.any():
        raise ValueError(
            f"{prior.mechanism.id}: no rate constants it may have give these runs any likelihood; "
            "check columns and units"
        )
    best, top = float(value[known].max()), x[known][value[known].argmax()]
    pool = Pool(target, np.empty((0, x.shape[1])), best, top)
    pool.cover(x[value > best - NEGLIGIBLE], effort, rng)
    return Plausible(prior, *_kept(pool, top, rng, effort.kept), widening)


def _kept(
    pool: Pool, top: NDArray[np.float64], rng: Generator, most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Keep some draws of the last round, weighted alike where there are enough.

    Returns them, their weights, and how many effective ones there were.
    """
    log_weights = pool.weights() if pool.n_used else np.empty(0)
    if len(log_weights) < 2:  # a spike that no draw has hit: the best there is, twice
        return np.stack([top, top]), np.array([0.5, 0.5]), 1.0
    size = size_of(log_weights)
    if size >= most:
        kept = np.argsort(-(log_weights + rng.gumbel(size=len(log_weights))))[:most]
        weights = np.ones(len(kept))
    else:
        kept = np.argsort(-log_weights)[:most]
        weights = np.exp(log_weights[kept] - log_weights.max())
    return pool.draws()[kept], weights / weights.sum(), size
