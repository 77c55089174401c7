"""Evidence of many mechanisms for the runs of one reaction, the noise unknown.

All are searched, and those that come near the best are integrated over their constants. What tells
a mechanism from a simpler one must matter for the runs: constants for which it does not belong to
the simpler one. That is no wall. The evidence is taken under a prior that is broad, times the share

    s = d^4 / (d^4 + t^4)

of each set of constants, d being by how much curves change (root mean square, relative to the
column's largest value) when it comes to nothing, and t one percent. With x from the posterior and
the prior the factor is E[s(x) | y] / E[s(x)].
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from kinetlib.answers.ending import Ending
from kinetlib.answers.sight import shown_to
from kinetlib.inference.coordinates import BOX, Coordinates, Wishes, coordinates
from kinetlib.inference.observations import Observations, averaged
from kinetlib.inference.problem import Problem
from kinetlib.inference.sampling import UNTRUSTED, Drawn, Effort, drawn
from kinetlib.inference.search import Ends, search
from kinetlib.inference.shown import shown
from kinetlib.kinetics.grammar import Composed, Nothing
from kinetlib.kinetics.integrate import available_processors

_BANK, _STARTS, _STEPS = 1500, 32, 20
_EFFORT = Effort(kernels=150, draws=800, rounds=3, moves=3, kept=300, last_moves=4)
_MORE = replace(_EFFORT, kernels=300, draws=1600, rounds=4)  # where weights have a heavy tail
_AGAIN = 2  # times that is tried
NEAR = 15.0  # nat of the largest ln p(y | x) below which a mechanism is out of the question
_MATTERS = 0.01  # change of curves, relative to a column's largest value
_LEAST = 1e-3  # of the factor's parts: so few draws do not tell it any smaller
_PRIOR_DRAWS = 1500

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Weighed:
    """What runs say of one mechanism.

    Attributes
    ----------
    composed
        Which.
    log_likelihood
        Largest ln p(y | x) found.
    log_evidence
        ln p(y) under the broad prior, times what matters, less the price of added steps; minus
        infinity where the search was enough to put it out of the question.
    standard_error
        Of the evidence, by the scatter of the weights.
    problem, best
        What was fitted, and the coordinates of the largest likelihood, shape (D,).
    matters
        Mean share s of the posterior, 1 for a mechanism that has no simpler one.
    """

    composed: Composed
    log_likelihood: float
    log_evidence: float
    standard_error: float
    problem: Problem
    best: NDArray[np.float64]
    matters: float

    @property
    def name(self) -> str:
        """Its id."""
        return self.composed.mechanism.id


def weighed(
    data: Observations,
    asked: Sequence[Composed],
    *,
    seed: int = 0,
    best: float = -math.inf,
    progress: Progress = lambda done, total, said: None,
    ending: Ending | None = None,
) -> list[Weighed]:
    """Weigh mechanisms against the runs of one reaction.

    Parameters
    ----------
    data
        The runs.
    asked
        The mechanisms.
    seed
        Of all draws: that of one mechanism depends on nothing beside it.
    best
        Largest ln p(y | x) of mechanisms that were weighed before.
    progress
        Told how many are done, of how many, and what is done now.
    ending
        When no further mechanism is begun; never by default.

    Returns
    -------
    list of Weighed
        In the order of `asked`, without those that could not be simulated or for which there was
        no time: what came near and was not integrated has no evidence, not a small one.

    Raises
    ------
    ValueError
        If none of them could be simulated: what is wrong with the first.
    """
    few, ending = averaged(data), ending or Ending()
    with ThreadPoolExecutor(available_processors()) as pool:
        searched = []
        tried = pool.map(lambda one: _searched(few, one, seed, ending), asked)
        for number, found in enumerate(tried, start=1):
            searched.append(found)
            progress(number, len(asked), "looking where each fits best")
        begun = [one for one in searched if isinstance(one, _Searched)]
        if not begun:
            errors = [one for one in searched if isinstance(one, ValueError)]
            if errors:
                raise errors[0]
            return []
        best = max(best, *(one.log_likelihood for one in begun))
        near = [one for one in begun if one.log_likelihood > best - NEAR]
        near.sort(key=lambda one: -one.log_likelihood)
        counted: dict[str, Weighed | None] = {}
        made = pool.map(lambda one: _integrated(one, seed, ending), near)
        for number, (one, found) in enumerate(zip(near, made, strict=True), start=1):
            counted[one.name] = found
            progress(number, len(near), "weighing those that fit")
    found = [counted[one.name] if one.name in counted else _out(one) for one in begun]
    return [one for one in found if one is not None]


@dataclass(frozen=True)
class _Searched:
    """A mechanism and where it fits best."""

    composed: Composed
    problem: Problem
    ends: Ends

    @property
    def name(self) -> str:
        return self.composed.mechanism.id

    @property
    def log_likelihood(self) -> float:
        return float(self.ends.log_likelihood[0])


def probabilities(found: Sequence[Weighed]) -> NDArray[np.float64]:
    """Return the probability of each, all being equally probable beforehand but for their price."""
    values = np.array([one.log_evidence for one in found])
    weights = np.exp(values - values.max())
    return weights / weights.sum()


def _rng(seed: int, one: Composed) -> Generator:
    return default_rng([seed, *one.mechanism.id.encode()])


def _searched(
    few: Observations, one: Composed, seed: int, ending: Ending
) -> _Searched | ValueError | None:
    """Search one mechanism; None where time is up, an error where it cannot be simulated."""
    if ending.here:
        return None
    try:
        problem = _problem(few, one)
        ends = search(problem, _rng(seed, one), bank=_BANK, starts=_STARTS, steps=_STEPS)
    except ValueError as error:
        return error
    return _Searched(one, problem, ends)


def _problem(few: Observations, one: Composed) -> Problem:
    mechanism = one.mechanism
    own, _ = shown(shown_to(few, mechanism), mechanism, {}, {})
    starts = {
        name: (low * few.scale, high * few.scale) for name, (low, high) in mechanism.drawn.items()
    }
    layout = coordinates(mechanism.network, own, Wishes(unknown=starts))
    return Problem(mechanism.network, own, layout, threads=1)


def _integrated(one: _Searched, seed: int, ending: Ending) -> Weighed | None:
    """Integrate over the constants of one mechanism; None where time is up."""
    if ending.here:
        return None
    composed, problem = one.composed, one.problem
    rng = _rng(seed + 1, composed)
    sample = drawn(problem, one.ends.x, rng, _EFFORT)
    for _ in range(_AGAIN):
        if sample.pareto <= UNTRUSTED or ending.here:
            break
        sample = _drawn_again(problem, sample, rng)
    matters, factor = _factor(composed, problem, sample, rng)
    return Weighed(
        composed,
        max(one.log_likelihood, float(sample.log_likelihood.max())),
        sample.log_evidence + factor - composed.price,
        sample.standard_error,
        problem,
        sample.best,
        matters,
    )


def _drawn_again(problem: Problem, sample: Drawn, rng: Generator) -> Drawn:
    """Search and draw once more, from what was drawn and twice as widely: a part was missed."""
    given = np.vstack([sample.best, sample.x[:_STARTS]])
    ends = search(problem, rng, bank=2 * _BANK, starts=2 * _STARTS, steps=_STEPS, given=given)
    return drawn(problem, np.vstack([ends.x, given]), rng, _MORE)


def _out(one: _Searched) -> Weighed:
    """Put a mechanism out of the question that fits far worse than the best."""
    likelihood, best = one.log_likelihood, one.ends.x[0]
    return Weighed(one.composed, likelihood, -math.inf, 0.0, one.problem, best, math.nan)


def _factor(one: Composed, problem: Problem, sample: Drawn, rng: Generator) -> tuple[float, float]:
    """Return the posterior mean of the share that matters, and the logarithm of the factor."""
    if not one.without:
        return 1.0, 0.0
    before = _share(one.without, problem, problem.layout.drawn(_PRIOR_DRAWS, rng))
    after = _share(one.without, problem, sample.x)
    posterior, prior = (max(float(np.mean(share)), _LEAST) for share in (after, before))
    return posterior, math.log(posterior) - math.log(prior)


def _share(
    without: Sequence[Nothing], problem: Problem, x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return by how much all that is to matter does, (n, D) to (n,), between 0 and 1."""
    own = problem.curves(x)
    share = np.ones(len(x))
    for nothing in without:
        other = _reduced(problem, nothing).curves(_without(problem.layout, nothing, x))
        off = (own - other) / problem.marginal.largest[problem.column]
        change = np.sqrt(
            np.stack(
                [
                    np.mean(off[:, problem.column == column] ** 2, axis=1)
                    for column in np.unique(problem.column)
                ]
            )
        ).max(0)
        fourth = np.nan_to_num(change, nan=0.0) ** 4
        share *= fourth / (fourth + _MATTERS**4)
    return np.where(np.isfinite(own).all(1), share, 0.0)


def _without(layout: Coordinates, nothing: Nothing, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Make constants fast, as fast as the box allows."""
    changed = x.copy()
    for name in nothing.fast:
        changed[:, layout.names.index(name)] = BOX[1]
    return changed


def _reduced(problem: Problem, nothing: Nothing) -> Problem:
    """Return the same problem with constants that are zero."""
    if not nothing.zero:
        return problem
    layout = problem.layout
    zero = [problem.network.constants.index(name) for name in nothing.zero]
    constant, offset = layout.constant.copy(), layout.offset.copy()
    constant[zero], offset[zero] = -1, -np.inf
    other = copy(problem)
    other.layout = replace(layout, constant=constant, offset=offset)
    return other
