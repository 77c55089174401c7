"""Designs for the pool's average: herding, medoids of clusters, least mean posterior variance."""

from __future__ import annotations

import heapq

import numpy as np
from numpy.typing import NDArray

from kinetlib.design.conditioning import Conditioned
from kinetlib.design.problem import Problem
from kinetlib.design.spread import farthest_points
from kinetlib.design.volume import add_outer

_GAIN = 1e-12  # of the cost: less is rounding


def herding(problem: Problem) -> NDArray[np.intp]:
    """Add the candidate that brings the design's mean embedding nearest to the pool's.

    Each addition makes the maximum mean discrepancy to the pool, or to the target, as small as one
    more candidate can (greedy form of Chen, Welling and Smola, UAI 2010; never the same twice).
    """
    kernel, free, target = problem.kernel, problem.unchosen(), problem.target
    mean = kernel.mean() if target is None else target.mean(0)
    own = kernel.diagonal() / 2
    chosen = list(problem.start)
    similar = np.zeros(len(kernel))
    for candidate in chosen:
        similar += kernel.column(candidate)
    while len(chosen) < problem.n:
        # Half of t^2 times the squared discrepancy with t candidates, without what is the same.
        cost = similar + own - (len(chosen) + 1) * mean
        candidate = int(np.where(free, cost, np.inf).argmin())
        chosen.append(candidate)
        free[candidate] = False
        similar += kernel.column(candidate)
    return np.array(chosen, dtype=np.intp)


def k_medoids(problem: Problem) -> NDArray[np.intp]:
    """Make the sum of distances from each candidate to the nearest chosen small.

    Partitioning around medoids (Kaufman and Rousseeuw, 1990): greedy build, then the best exchange
    of a medoid and a candidate until none helps, all exchanges judged in one pass over the
    distances (Schubert and Rousseeuw, Inf. Syst. 101, 101804, 2021). Needs all distances.
    """
    kernel = problem.kernel
    full = kernel.full("k-medoids")
    diagonal = full.diagonal()
    distances = np.sqrt(np.maximum(diagonal[:, None] + diagonal - 2.0 * full, 0.0))
    np.fill_diagonal(distances, 0.0)
    chosen = _build(distances, list(problem.start), problem.n)
    kept = len(problem.start)
    while True:
        change, place, candidate = _best_exchange(distances, chosen, kept)
        if not change < -_GAIN * distances.max() * len(kernel):
            return chosen
        chosen[place] = candidate


def _build(distances: NDArray, chosen: list[int], n: int) -> NDArray[np.intp]:
    """Add the medoid that lowers the cost most; old gains bound new ones, so few are computed."""
    if not chosen:
        chosen.append(int(distances.sum(0).argmin()))
    nearest = distances[chosen].min(0)
    taken = set(chosen)
    queue = [
        (-float(gain), i)
        for i, gain in enumerate(np.maximum(nearest - distances, 0.0).sum(1))
        if i not in taken
    ]
    heapq.heapify(queue)
    while len(chosen) < n:
        _, candidate = heapq.heappop(queue)
        gain = float(np.maximum(nearest - distances[candidate], 0.0).sum())
        if queue and gain < -queue[0][0]:
            heapq.heappush(queue, (-gain, candidate))
            continue
        chosen.append(candidate)
        nearest = np.minimum(nearest, distances[candidate])
    return np.array(chosen, dtype=np.intp)


def _best_exchange(
    distances: NDArray, chosen: NDArray[np.intp], kept: int
) -> tuple[float, int, int]:
    """Return the largest fall of the cost (negative), the place, and the candidate to put there."""
    if kept == len(chosen):
        return 0.0, -1, -1
    to_medoids = distances[chosen]
    own = to_medoids.argmin(0)
    each = np.arange(distances.shape[1])
    nearest = to_medoids[own, each].copy()
    to_medoids[own, each] = np.inf
    second = to_medoids.min(0)  # infinite with one medoid, which then gives way to the candidate
    gained = np.minimum(distances - nearest, 0.0)
    lost = np.minimum(distances, second) - nearest - gained
    # Rows add up what each candidate would take over; by medoid, what its own would move to.
    by_medoid = np.zeros((len(chosen), distances.shape[1]))
    order = np.argsort(own, kind="stable")
    present, first = np.unique(own[order], return_index=True)
    by_medoid[present] = np.add.reduceat(lost[:, order], first, axis=1).T
    change = by_medoid + gained.sum(1)
    change[:, chosen] = np.inf
    change[:kept] = np.inf
    place, candidate = np.unravel_index(change.argmin(), change.shape)
    return float(change[place, candidate]), int(place), int(candidate)


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
