"""Designs of small average posterior variance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.design.conditioning import Conditioned
from kinetlib.design.problem import Problem
from kinetlib.design.spread import farthest_points
from kinetlib.design.volume import add_outer


def i_greedy(problem: Problem) -> NDArray[np.intp]:
    """Add the candidate that lowers the mean posterior variance most, again and again.

    Greedy I-optimality, in machine learning active learning Cohn (Cohn, Ghahramani and Jordan, J.
    Artif. Intell. Res. 4, 129, 1996), over the pool or over a target. Holds the posterior
    covariance of target and pool, m N numbers, and n N more. Where nothing is left to learn, the
    farthest points follow.
    """
    free = problem.unchosen()
    cross = problem.target
    if cross is None:
        cross = problem.kernel.full("i_greedy without a target (part of the pool may be one)")
    cross = np.array(cross, dtype=float, order="C")
    posterior = Conditioned(problem.kernel, problem.n, problem.ridge)
    chosen: list[int] = []
    least = problem.tolerance**2
    while len(chosen) < problem.n:
        if len(chosen) < len(problem.start):
            candidate = int(problem.start[len(chosen)])
        else:
            gains = np.einsum("ij,ij->j", cross, cross) / (posterior.variances + problem.ridge)
            candidate = int(np.where(free, gains, -np.inf).argmax())
            if gains[candidate] * (posterior.variances[candidate] + problem.ridge) <= least:
                break
        scale = np.sqrt(posterior.variances[candidate] + problem.ridge)
        with_target = cross[:, candidate] / scale
        add_outer(cross, -with_target, posterior.observe(candidate))
        chosen.append(candidate)
        free[candidate] = False
    return farthest_points(problem.continued(np.array(chosen, dtype=np.intp)))
