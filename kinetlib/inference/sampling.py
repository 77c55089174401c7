"""Draws from the posterior of a fit: importance sampling along its corridors, then moves.

What the data do not determine is a corridor through the box: thin across, many nats long, and bent.
Kernels are put about points along it, each as wide as the corridor is straight there, which the
second differences of the residuals tell. Draws from their mixture are weighted by posterior /
mixture, and the next mixture is put about draws chosen by weight and moved. All rounds are made,
whatever sizes they reach: one that missed a part of the corridor has the best of sizes. At last
draws of equal weight are moved by a chain that leaves the posterior as it is, which mends what the
weights get wrong nearby.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import logsumexp

from kinetlib.inference.mixtures import NEGLIGIBLE, Kernels, moved, resampled, size_of, spread
from kinetlib.inference.problem import Problem
from kinetlib.inference.psis import smoothed

UNTRUSTED = 0.7  # Pareto k above which the weights alone are not to be trusted
_LONGEST, _SHORTEST = 3.0, 0.02  # widths of kernels where nothing is determined, in nat
_DIFFERENCE = 0.3  # over which bends are measured, in nat
_SHRINK, _WIDER, _EVERY = 0.8, 2.5, 5  # every fifth kernel is wider, for what the others miss
_REMEMBERED = 2  # rounds whose draws are weighed together
_NEIGHBOURS = 12


@dataclass(frozen=True)
class Effort:
    """How much is computed for the posterior of one mechanism.

    Attributes
    ----------
    bank, starts, steps
        Draws from the prior that are searched, descents begun at the best, steps of each.
    kernels, draws, rounds
        Kernels and draws of each round, and rounds; the last two rounds count.
    moves
        Of the centres between rounds.
    kept, last_moves
        Draws of equal weight, and how often each of them is moved at last.
    """

    bank: int = 3000
    starts: int = 128
    steps: int = 24
    kernels: int = 300
    draws: int = 2000
    rounds: int = 5
    moves: int = 6
    kept: int = 1000
    last_moves: int = 24


@dataclass(frozen=True)
class Drawn:
    """Draws from a posterior.

    Attributes
    ----------
    x
        Of equal weight, shape (n, D).
    log_likelihood
        ln p(y | x), shape (n,).
    log_evidence, standard_error
        ln p(y), and its standard error by the scatter of the weights.
    effective
        Kish's effective size of the weighted draws, before the moves.
    pareto
        k of the weights' tail: above 0.7 they are not to be trusted without the moves, and nor is
        the evidence.
    best
        Coordinates of the largest likelihood found, shape (D,).
    """

    x: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    log_evidence: float
    standard_error: float
    effective: float
    pareto: float
    best: NDArray[np.float64]


@dataclass
class _Round:
    """One mixture and the draws from it that have a weight."""

    mixture: Kernels
    n: int
    x: NDArray[np.float64]
    likelihood: NDArray[np.float64]
    prior: NDArray[np.float64]


def drawn(problem: Problem, centres: NDArray[np.float64], rng: Generator, effort: Effort) -> Drawn:
    """Draw from the posterior.

    Parameters
    ----------
    problem
        Whose, its noise that of the best fit.
    centres
        Ends of descents and points of profiles, shape (m, D), the best among them.
    rng, effort
        Source of the draws, and how much to compute.
    """
    likelihood, prior = problem.log_posterior(centres)
    best = float(likelihood[np.isfinite(prior)].max())
    centres = centres[(likelihood > best - NEGLIGIBLE) & np.isfinite(prior)]
    rounds: list[_Round] = []
    for number in range(effort.rounds):
        rounds.append(_round(problem, centres, best, rng, effort.draws))
        best = max(best, float(rounds[-1].likelihood.max(initial=-np.inf)))
        pool = _pooled(rounds[-_REMEMBERED:])
        if number < effort.rounds - 1:
            centres = _next_centres(problem, pool, effort, rng)
    weights, pareto = smoothed(pool.log_weights)
    total = float(logsumexp(weights))
    at = resampled(np.exp(weights - total), effort.kept, rng)
    x, value = pool.x[at].copy(), pool.likelihood[at].copy()
    log_prior = pool.prior[at].copy()
    _walk(problem, x, value, log_prior, effort.last_moves, rng)
    size = size_of(weights)
    top = pool.x[pool.likelihood.argmax()]
    return Drawn(
        x,
        value,
        total - float(np.log(pool.n)),
        float(np.sqrt(max(1 / size - 1 / pool.n, 0.0))),
        size,
        pareto,
        top,
    )


def _round(
    problem: Problem, centres: NDArray[np.float64], best: float, rng: Generator, n: int
) -> _Round:
    mixture = along(problem, centres)
    x = mixture.draw(n, rng)
    likelihood, prior = problem.log_posterior(x, above=best - NEGLIGIBLE)
    held = np.isfinite(prior)
    return _Round(mixture, n, x[held], likelihood[held], prior[held])


@dataclass(frozen=True)
class _Pool:
    """Draws of some rounds, all counted as from the mixture of their mixtures."""

    x: NDArray[np.float64]
    likelihood: NDArray[np.float64]
    prior: NDArray[np.float64]
    log_weights: NDArray[np.float64]
    n: int


def _pooled(rounds: list[_Round]) -> _Pool:
    x, likelihood, prior = (
        np.concatenate([getattr(one, name) for one in rounds])
        for name in ("x", "likelihood", "prior")
    )
    n = sum(one.n for one in rounds)
    densities = [one.mixture.log_density(x) + np.log(one.n / n) for one in rounds]
    return _Pool(x, likelihood, prior, likelihood + prior - logsumexp(densities, axis=0), n)


def _next_centres(
    problem: Problem, pool: _Pool, effort: Effort, rng: Generator
) -> NDArray[np.float64]:
    at = spread(pool.log_weights, effort.kernels, rng)
    x, value, prior = pool.x[at].copy(), pool.likelihood[at].copy(), pool.prior[at].copy()
    for _ in range(effort.moves if len(x) > _NEIGHBOURS else 0):
        moved(problem, x, value, prior, 1.0, rng)
    return x


def along(problem: Problem, centres: NDArray[np.float64]) -> Kernels:
    """Put kernels along the corridors of a posterior, about centres (m, D).

    Along an eigenvector of the curvature a kernel is no longer than the way on which the residuals
    leave their tangent by one deviation.
    """
    slope = problem.slopes(centres)
    precision, axes = np.linalg.eigh(np.einsum("nvd,nve->nde", slope, slope))
    precision = np.maximum(precision, 1e-12)
    difference = np.minimum(_DIFFERENCE, 1 / np.sqrt(precision))
    step = difference[..., None] * np.swapaxes(axes, 1, 2)
    around = problem.within(
        np.concatenate([centres[:, None] + step, centres[:, None] - step]).reshape(
            -1, centres.shape[1]
        )
    )
    there = problem.residuals(around).reshape(2, *difference.shape, -1)
    bend = there.sum(0) - 2 * problem.residuals(centres)[:, None]
    bend = np.linalg.norm(bend, axis=-1) / difference**2
    bend = np.where(np.isfinite(bend), bend, 1 / _SHORTEST**2)
    length = np.clip(np.sqrt(2 / np.maximum(bend, 1e-9)), _SHORTEST, _LONGEST)
    variance = _SHRINK**2 / (precision + 1 / length**2)
    covariance = np.einsum("nij,nj,nkj->nik", axes, variance, axes)
    covariance += 1e-12 * np.eye(centres.shape[1])
    factors = np.linalg.cholesky((covariance + np.swapaxes(covariance, 1, 2)) / 2)
    factors[::_EVERY] *= _WIDER
    return Kernels(centres, factors)


def _walk(
    problem: Problem,
    x: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    prior: NDArray[np.float64],
    moves: int,
    rng: Generator,
) -> None:
    """Move draws in place, in turn by differences of any others and of neighbours."""
    for number in range(moves):
        if number % 2:
            moved(problem, x, likelihood, prior, 1.0, rng)
        else:
            _moved_nearby(problem, x, likelihood, prior, rng)


def _moved_nearby(
    problem: Problem,
    x: NDArray[np.float64],
    likelihood: NDArray[np.float64],
    prior: NDArray[np.float64],
    rng: Generator,
) -> None:
    """Move all draws once, in place, by differences of two neighbours of the other half.

    Differences of neighbours lie along the corridor where it is bent. One of the two must be a
    neighbour of the draw before and after the move, else the way back would not be open.
    """
    halves = np.array_split(rng.permutation(len(x)), 2)
    for moving, others in (halves, halves[::-1]):
        m, tree = len(moving), cKDTree(x[others])
        k = min(_NEIGHBOURS, len(others) - 1)
        one = _one_of(tree.query(x[moving], k)[1], rng)
        other = _one_of(tree.query(x[others][one], k + 1)[1][:, 1:], rng)
        scale = 10.0 ** rng.uniform(-1.0, 0.3, m) * rng.choice([-1.0, 1.0], m)
        step = scale[:, None] * (x[others][one] - x[others][other])
        there = x[moving] + step + 1e-4 * rng.standard_normal(step.shape)
        new, density = problem.log_posterior(there)
        gain = new + density - likelihood[moving] - prior[moving]
        back = (tree.query(there, k)[1].reshape(m, -1) == one[:, None]).any(1)
        taken = np.flatnonzero((np.log(rng.random(m)) < gain) & back)
        rows = moving[taken]
        x[rows], likelihood[rows], prior[rows] = there[taken], new[taken], density[taken]


def _one_of(table: NDArray[np.int64], rng: Generator) -> NDArray[np.int64]:
    table = table.reshape(len(table), -1)
    return table[np.arange(len(table)), rng.integers(table.shape[1], size=len(table))]
