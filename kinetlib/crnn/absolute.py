"""The loss of the source: mean absolute residual, each species over its range.

It is what chemical reaction neural networks are trained by (Ji, Deng, J. Phys. Chem. A 125, 1082,
2021), and outliers weigh less in it than in a sum of squares. Its other term, a hinge on the total
order, is the limit of the library here: what has a higher order is not in it. Found by squares
whose weights are the residuals before (Schlossmacher, J. Am. Stat. Assoc. 68, 857, 1973).
"""

from __future__ import annotations

import numpy as np

from kinetlib.crnn.fit import Fit, Problem

_ROUNDS = 30
_SMALLEST = 1e-4  # residual over range below which a value weighs no more
_SETTLED = 1e-5  # change of ln k that ends it


def least_absolute(problem: Problem, fit: Fit) -> Fit:
    """Fit the constants of a fit anew, by the mean absolute residual over each species' range.

    The information, and so standard errors, stays that of the likelihood at these constants: no
    estimate has smaller errors.
    """
    span = np.where(np.isfinite(problem.curves.span), problem.curves.span, np.inf)
    data, present = np.where(problem.seen, problem.curves.value, 0.0), fit.present
    for _ in range(_ROUNDS):
        away = np.abs(problem.simulated(fit.unknowns) - data)
        share = np.where(problem.seen, away, 0.0) / span
        # The mean of the residuals is the scale of their distribution, for measured starts.
        scale = max(float(share[problem.seen].mean()), _SMALLEST)
        weight = 1 / np.sqrt(np.maximum(share, _SMALLEST) * scale)
        found = problem.fit(fit.unknowns, np.minimum(span, 1e300) / weight, rounds=1)
        change = np.log(found.constants[present] / fit.constants[present])
        fit = found
        if np.abs(change).max(initial=0.0) < _SETTLED:
            break
    return fit
