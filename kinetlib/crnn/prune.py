"""Dropping what the data do not ask for: constants leave while Schwarz's criterion falls.

The criterion (BIC, Ann. Stat. 6, 461, 1978) needs a fit of each smaller model. Near the fit of a
larger one its sum of squares is quadratic in k, so what a constant costs to leave, and where the
others go then, is known beforehand (Wald, Trans. Am. Math. Soc. 54, 426, 1943). Constants leave by
that, one after another and on paper; the smaller model is fitted, and where its criterion is not
lower, half as many leave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.fit import COARSE, Fit, Problem
from kinetlib.crnn.point import Unknowns

_LEAST = 1e-3  # part of itself that a constant is started with at least


def pruned(problem: Problem, unknowns: Unknowns) -> Fit:
    """Fit, roughly, and let constants leave while BIC falls."""
    fit = problem.fit(unknowns, fall=COARSE)
    while True:
        order, remaining = leaving(fit)
        size = len(order)
        while size:
            fewer = _without(fit, order[:size], remaining[size - 1])
            tried = problem.fit(fewer, fit.deviation, rounds=2, fall=COARSE)
            if tried.bic < fit.bic:
                break
            size //= 2
        if not size:
            return fit
        fit = tried


def leaving(fit: Fit) -> tuple[list[int], list[NDArray[np.float64]]]:
    """Let constants leave on paper, all but one, as long as each is worth less than it costs.

    Returns
    -------
    list of int, list of ndarray
        The constants in the order in which they leave; and by what all are multiplied once each has
        left, shape (R,), 0 for those that have.
    """
    names = np.flatnonzero(fit.present)
    each, n, price = fit.each, len(names), np.log(fit.n_values)
    # What is left of k, and of the rest of k's parameters, in units of k.
    covariance, value = fit.parameter_covariance, np.repeat([1.0, 0.0], [n, (each - 1) * n])
    order: list[int] = []
    remaining: list[NDArray[np.float64]] = []
    staying = list(range(n))
    while len(staying) > 1:
        own = {one: [one + n * part for part in range(each)] for one in staying}
        cost = {
            one: float(value[at] @ np.linalg.solve(covariance[np.ix_(at, at)], value[at]))
            for one, at in own.items()
        }
        one = min(cost, key=lambda one: (value[one] > 0, cost[one]))
        if cost[one] > price * each:
            break
        at = own[one]
        gain = np.linalg.solve(covariance[np.ix_(at, at)], covariance[at]).T
        value = value - gain @ value[at]
        covariance = covariance - gain @ covariance[at]
        # Gone: what rounding leaves must not come back.
        value[at], covariance[at], covariance[:, at] = 0.0, 0.0, 0.0
        staying.remove(one)
        order.append(int(names[one]))
        left = np.zeros(len(fit.present))
        left[names[staying]] = np.maximum(value[staying], _LEAST)
        remaining.append(left)
    return order, remaining


def _without(fit: Fit, gone: list[int], remaining: NDArray[np.float64]) -> Unknowns:
    constants = fit.constants * remaining
    constants[gone] = 0.0
    return Unknowns(
        constants, np.where(constants > 0, fit.unknowns.activation, 0.0), fit.unknowns.initial
    )
