"""Where the posterior of a fit lies: descents from many starts, under two ideas of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.inference.descend import cost, descended
from kinetlib.inference.marginal import Level
from kinetlib.inference.problem import Problem

_POLISHED = 16  # of the best ends
_WORTH = 12.0  # nat of ln p(y | x) below the best at which an end is none
_AGREE = 1.0  # nat of ln p(y | x) within which two descents have come to the same end
_POLISHES = 4
_ALL_RELATIVE = 1e-4  # absolute noise, in units of a column's largest value times the relative one


@dataclass(frozen=True)
class Ends:
    """Where descents ended, the best first: ``x`` (n, D), ``log_likelihood`` (n,).

    All that are nearly as good are among them: where the data do not determine something, they lie
    all over what is allowed. ``agreeing``, share of the best descents that came to the best end.
    """

    x: NDArray[np.float64]
    log_likelihood: NDArray[np.float64]
    agreeing: float


def search(
    problem: Problem,
    rng: Generator,
    *,
    bank: int = 3000,
    starts: int = 128,
    steps: int = 24,
    given: NDArray[np.float64] | None = None,
) -> Ends:
    """Descend from the best draws of the prior; the problem's noise is then that of the best end.

    What residuals are worth depends on the noise, and the noise on the fit. So descents go on under
    the noise of the best end so far, and under one without an absolute part: small values, which
    the other does not count, may decide between valleys.

    Parameters
    ----------
    problem
        What is fitted.
    rng
        Draws from the prior.
    bank, starts, steps
        Draws, descents begun at the best of them, and steps of each.
    given
        Further starts, shape (m, D).

    Raises
    ------
    ValueError
        If nothing that was drawn could be simulated.
    """
    drawn = problem.layout.drawn(bank, rng)
    costs = cost(problem.residuals(drawn))
    begun = drawn[np.argsort(costs, kind="stable")[:starts]]
    if given is not None:
        begun = np.concatenate([begun, problem.within(given)])
    x, _, _ = descended(problem, begun, steps, halved=False)
    first = problem.log_likelihood(x)
    if not np.isfinite(first).any():
        raise ValueError(
            "the mechanism could not be simulated with any of the constants tried; check times, "
            "initial concentrations and bounds"
        )
    problem.tighten(x[first.argmax()])
    noise = problem.noise
    total = noise.relative + noise.absolute / problem.marginal.largest
    pure = Level(total, total * _ALL_RELATIVE * problem.marginal.largest)
    ends = [x]
    for assumed in (noise, pure):
        problem.noise = assumed
        ends.append(descended(problem, x, steps // 2, halved=False)[0])
    x, log_likelihood = _ordered(problem, np.concatenate(ends))
    polished = x[:_POLISHED]
    for _ in range(_POLISHES):
        problem.tighten(x[0])
        polished, _, _ = descended(problem, polished, steps // 2, halved=False)
        before = log_likelihood[0]
        x, log_likelihood = _ordered(problem, np.concatenate([polished, x]))
        if log_likelihood[0] - before < 1e-3:
            break
    problem.tighten(x[0])
    last = problem.log_likelihood(polished)
    return Ends(x, log_likelihood, float(np.mean(last > log_likelihood[0] - _AGREE)))


def _ordered(
    problem: Problem, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return those that are nearly as good as the best, the best first."""
    log_likelihood = problem.log_likelihood(x)
    order = np.argsort(-log_likelihood, kind="stable")
    order = order[log_likelihood[order] > log_likelihood[order[0]] - _WORTH]
    return x[order], log_likelihood[order]
