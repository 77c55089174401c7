"""Finding where a likelihood lies: descents, tempered particles, and mixtures of kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from kinetlib.inference.descend import Effort, slopes
from kinetlib.inference.target import Target

# Least share of particles, as effective sample size, that a step in temperature leaves.
_LEFT = 0.5
# Shortest and longest moves of particles, relative to the best for a Gaussian, as powers of ten.
_SHORTEST = -1.5
_JUMPS = 0.1  # share of moves by a whole difference, from mode to mode
# The best particle falls short of the largest likelihood by (_SHORT + D / 2) / power at most:
# all of them do by D / 2 about a Gaussian peak and by D in a corner, on average; the best by less.
_SHORT = 2.0
# Widths of kernels along directions that the data do not determine; those of a t distribution.
_WIDTHS, _SHRINK, _FREEDOM = (0.5, 1.0), 0.8, 8
# Draws whose likelihood is less than exp(-NEGLIGIBLE) of the largest are not looked at further.
NEGLIGIBLE = 30.0
_REMEMBERED = 2  # rounds that the next mixture is made from
_AT_ONCE = 50_000  # numbers in a table of points and kernels: it stays in the cache


class Tempered(NamedTuple):
    """What the tempered sampler has come to.

    ``x`` (n, D), particles; ``log_likelihood`` (n,) of each; ``log_evidence``, ln Z as the sampler
    sees it, nonsense where it stopped early; ``bound``, above the largest ln p(y | x) in the
    support of the prior, as far as can be told.
    """

    x: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    log_evidence: float
    bound: float


def tempered(
    target: Target,
    x: NDArray[np.float64],
    log_likelihood: NDArray[np.float64],
    n: int,
    rng: Generator,
    *,
    accepted: float,
    most: int,
    best: float = -np.inf,
    at_least: float = -np.inf,
) -> Tempered:
    """Carry draws from the prior to the posterior: a sequential Monte Carlo sampler.

    The likelihood is raised to a power that grows from 0 to 1, so that each step leaves half of the
    effective sample size (Del Moral, Doucet, Jasra, J. R. Stat. Soc. B 68, 411, 2006); in between
    particles move by differences of others (ter Braak, Stat. Comput. 16, 239, 2006).

    Parameters
    ----------
    x, log_likelihood
        Draws from the prior, shape (m, D), and their ln p(y | x), (m,).
    n
        Particles that are kept of them.
    rng
        Source of randomness.
    accepted, most
        After each step the particles move until so many moves of each are accepted, and at most so
        often.
    best
        Largest ln p(y | x) known in the support of the prior.
    at_least
        Stop once the largest ln p(y | x) in the support must be below this.
    """
    power = log_evidence = 0.0
    log_prior = None
    bound = np.inf
    while power < 1.0:
        change = _next(log_likelihood, 1.0 - power, _LEFT * n)
        power = 1.0 if change >= 1.0 - power else power + change
        log_weights = change * log_likelihood
        total = logsumexp(log_weights)
        log_evidence += total - np.log(len(x))
        kept = resampled(np.exp(log_weights - total), n, rng)
        x, log_likelihood = x[kept], log_likelihood[kept]
        log_prior = target.prior.log_density(x) if log_prior is None else log_prior[kept]
        share, moves = 0.0, 0
        while share < accepted and moves < most:
            share += moved(target, x, log_likelihood, log_prior, power, rng)
            moves += 1
        bound = max(best, log_likelihood.max() + (_SHORT + x.shape[1] / 2) / power)
        if bound < at_least:
            break
    return Tempered(x, log_likelihood, float(log_evidence), float(bound))


def _next(log_likelihood: NDArray, longest: float, size: float) -> float:
    """Return the longest step in power that leaves an effective sample size."""
    relative = log_likelihood - log_likelihood.max()

    def left(change: float) -> float:
        weights = np.exp(change * relative)
        return weights.sum() ** 2 / (weights**2).sum()

    if left(longest) >= size:
        return longest
    low, high = 1e-12, longest
    for _ in range(50):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if left(middle) >= size else (low, middle)
    return low


def moved(
    target: Target,
    x: NDArray,
    log_likelihood: NDArray,
    log_prior: NDArray,
    power: float,
    rng: Generator,
) -> float:
    """Move all particles once, in place: half of them by differences of the other half."""
    n, dimensions = x.shape
    halves = np.array_split(rng.permutation(n), 2)
    count = 0
    for moving, others in (halves, halves[::-1]):
        m = len(moving)
        one = rng.integers(len(others), size=m)
        other = (one + rng.integers(1, len(others), size=m)) % len(others)
        scale = 2.38 / np.sqrt(2 * dimensions) * 10.0 ** rng.uniform(_SHORTEST, 0.0, m)
        scale = np.where(rng.random(m) < _JUMPS, 1.0, scale)
        step = scale[:, None] * (x[others[one]] - x[others[other]])
        there = x[moving] + step + 1e-4 * rng.standard_normal((m, dimensions))
        before, luck = log_likelihood[moving], np.log(rng.random(m))
        # The prior seldom rises by much, so it is asked only where it may matter.
        new, prior = target.log_posterior(there, above=before + (luck - 5.0) / power)
        margin = power * (new - before) - luck
        taken = np.flatnonzero(margin + prior - log_prior[moving] > 0)
        rows = moving[taken]
        x[rows], log_likelihood[rows], log_prior[rows] = there[taken], new[taken], prior[taken]
        count += len(rows)
    return count / n


@dataclass(frozen=True)
class Kernels:
    """A mixture of multivariate t distributions of equal weight.

    ``centres`` (m, D); ``factors`` (m, D, D), lower triangular.
    """

    centres: NDArray[np.float64]
    factors: NDArray[np.float64]

    @classmethod
    def about(cls, target: Target, centres: NDArray[np.float64]) -> Kernels:
        """Put a kernel about each centre, as wide as the curvature of the likelihood allows.

        Where the data determine nothing, every second one is narrow, to follow bent valleys, and
        every other wide, to fill them.
        """
        which = np.zeros(len(centres), dtype=np.int64)
        slope = slopes(target, centres, target.residuals(centres), which)
        width = np.resize(_WIDTHS, len(centres))[:, None, None]
        precision = np.einsum("nvd,nve->nde", slope, slope) + np.eye(centres.shape[1]) / width**2
        covariance = np.linalg.inv(precision) * _SHRINK**2
        return cls(centres, np.linalg.cholesky((covariance + covariance.transpose(0, 2, 1)) / 2))

    def draw(self, n: int, rng: Generator) -> NDArray[np.float64]:
        """Draw n points, as evenly over the kernels as goes, shape (n, D)."""
        m, dimensions = self.centres.shape
        which = (np.arange(n) + rng.integers(m)) % m
        normal = rng.standard_normal((n, dimensions))
        heavy = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, n))
        step = np.einsum("nij,nj->ni", self.factors[which], normal)
        return self.centres[which] + heavy[:, None] * step

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the logarithm of the density, shape (n,)."""
        m, dimensions = self.centres.shape
        inverse = np.linalg.inv(self.factors)
        origin = np.einsum("mij,mj->mi", inverse, self.centres)
        log_scale = -np.log(np.einsum("mii->mi", self.factors)).sum(1)
        largest = log_scale.max()
        scale = np.exp(log_scale - largest)
        half = (_FREEDOM + dimensions) / 2
        density = np.empty(len(x))
        size = max(1, _AT_ONCE // m)
        for start in range(0, len(x), size):
            block = x[start : start + size]
            inside = np.ones((len(block), m))
            for axis in range(dimensions):
                inside += (block @ inverse[:, axis].T - origin[:, axis]) ** 2 / _FREEDOM
            density[start : start + size] = _power(1.0 / inside, half) @ scale
        constant = gammaln(half) - gammaln(_FREEDOM / 2) - dimensions / 2 * np.log(_FREEDOM * np.pi)
        with np.errstate(divide="ignore"):
            return np.log(density) + largest + constant - np.log(m)


def _power(base: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Raise to a multiple of 1/2 by products, several times as fast as the general power."""
    result = np.sqrt(base) if exponent % 1 else np.ones_like(base)
    for _ in range(int(exponent)):
        result *= base
    return result


class Pool:
    """Draws of importance sampling, round by round.

    Parameters
    ----------
    target
        The posterior.
    fresh
        Draws from the prior, shape (m, D), that had no part in choosing the mixtures.
    best, top
        Largest ln p(y | x) known so far in the support of the prior, and where, (D,).

    Attributes
    ----------
    best, top
        The same, these draws included.
    """

    def __init__(
        self, target: Target, fresh: NDArray[np.float64], best: float, top: NDArray[np.float64]
    ) -> None:
        """Evaluate the draws from the prior."""
        self._target, self.best, self.top = target, best, top
        self._mixtures: list[Kernels] = []
        self._rounds: list[tuple[NDArray, NDArray, NDArray]] = []  # x, ln likelihood, ln prior
        self._n = 0
        self._n_fresh, self._fresh = len(fresh), self._valued(fresh)

    @property
    def n_used(self) -> int:
        """Draws of all rounds that have a weight."""
        return sum(len(entry[0]) for entry in self._rounds)

    def cover(self, centres: NDArray[np.float64], effort: Effort, rng: Generator) -> None:
        """Draw rounds, from a mixture about centres (m, D), then about draws chosen by weight.

        That is adaptive importance sampling (Cappé, Guillin, Marin, Robert, J. Comput. Graph. Stat.
        13, 907, 2004). It ends with enough effective draws, or where none has a weight.
        """
        for _ in range(effort.rounds):
            mixture = Kernels.about(self._target, centres)
            self._rounds.append(self._valued(mixture.draw(effort.draws, rng)))
            self._mixtures.append(mixture)
            self._n = effort.draws
            if not self.n_used or size_of(self.weights()) >= effort.enough:
                break
            centres = self._chosen(effort.kernels, rng)

    def draws(self) -> NDArray[np.float64]:
        """Return the draws that `weights` weighs, in its order, shape (n, D)."""
        return np.concatenate([self._rounds[-1][0], self._fresh[0]])

    def weights(self) -> NDArray[np.float64]:
        """Return ln (posterior / density drawn from) of the last round and the fresh draws.

        Draws outside the support, or of negligible likelihood, are not among them.
        """
        x, likelihood, prior = (
            np.concatenate(pair) for pair in zip(self._rounds[-1], self._fresh, strict=True)
        )
        n = self._n + self._n_fresh
        mixture = self._mixtures[-1].log_density(x) + np.log(self._n / n)
        with np.errstate(divide="ignore"):
            return likelihood + prior - np.logaddexp(mixture, prior + np.log(self._n_fresh / n))

    def _chosen(self, m: int, rng: Generator) -> NDArray[np.float64]:
        """Choose at most m draws of the last rounds by weight, shape (m, D).

        All count as draws from one mixture of all mixtures (Cornuet, Marin, Mira, Robert, Scand. J.
        Stat. 39, 798, 2012): one that hit a valley by luck does not outweigh all others.
        """
        last = self._rounds[-_REMEMBERED:]
        x, likelihood, prior = (np.concatenate(parts) for parts in zip(*last, strict=True))
        mixtures = self._mixtures[-_REMEMBERED:]
        proposals = np.stack([mixture.log_density(x) for mixture in mixtures])
        return x[spread(likelihood + prior - logsumexp(proposals, axis=0), m, rng)]

    def _valued(self, x: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        """Evaluate draws, and keep those that have a weight."""
        likelihood, prior = self._target.log_posterior(x, above=self.best - NEGLIGIBLE)
        held = np.isfinite(prior)
        x, likelihood, prior = x[held], likelihood[held], prior[held]
        # Only what the prior allows counts as known: a fit may be better by far where it forbids.
        if likelihood.max(initial=-np.inf) > self.best:
            self.best, self.top = float(likelihood.max()), x[likelihood.argmax()]
        return x, likelihood, prior


def resampled(weights: NDArray[np.float64], n: int, rng: Generator) -> NDArray[np.int64]:
    """Choose n places by weights that add to 1, systematically: one draw of all, evenly spaced."""
    places = (rng.random() + np.arange(n)) / n
    return np.searchsorted(np.cumsum(weights), places).clip(max=len(weights) - 1)


def size_of(log_weights: NDArray[np.float64]) -> float:
    """Return Kish's effective sample size, (sum w)^2 / sum w^2."""
    if not len(log_weights):
        return 0.0
    return float(np.exp(2 * logsumexp(log_weights) - logsumexp(2 * log_weights)))


def spread(log_weights: NDArray[np.float64], m: int, rng: Generator) -> NDArray[np.int64]:
    """Choose m different draws by weight, tempered until none would be chosen twice."""
    relative = log_weights - log_weights.max()
    power = 1.0
    while power > 1e-3:
        if size_of(power * relative) >= 2 * m:
            break
        power *= 0.7
    # The m largest of ln w + Gumbel noise are a draw without replacement.
    return np.argsort(-(power * relative + rng.gumbel(size=len(relative))))[:m]
