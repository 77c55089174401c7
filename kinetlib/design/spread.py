"""Designs that keep candidates apart: farthest points, and max-min distance by exchange."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.design.problem import Problem

_GAIN = 1.0 + 1e-12  # a squared distance grows by more than rounding


def farthest_points(problem: Problem) -> NDArray[np.intp]:
    """Add the candidate farthest from those chosen, again and again.

    The smallest distance within the design is at least half the largest possible (Gonzalez, Theor.
    Comput. Sci. 38, 293, 1985). The first candidate, where none is given, is the one farthest from
    the origin of the feature space: the largest k(i, i). Of equals the first is taken.
    """
    kernel, free = problem.kernel, problem.unchosen()
    chosen = list(problem.start)
    nearest = np.full(len(kernel), np.inf)
    for candidate in chosen:
        nearest = np.minimum(nearest, kernel.squared_distances(candidate))
    while len(chosen) < problem.n:
        far = nearest if chosen else kernel.diagonal()
        candidate = int(np.where(free, far, -np.inf).argmax())
        chosen.append(candidate)
        free[candidate] = False
        nearest = np.minimum(nearest, kernel.squared_distances(candidate))
    return np.array(chosen, dtype=np.intp)


def maximin(problem: Problem) -> NDArray[np.intp]:
    """Exchange one of the two nearest members while the smallest distance rises.

    From the farthest points on, a member of the closest pair gives way to the candidate farthest
    from all others, as long as that one is farther from them than the pair is apart: a max-min
    distance design (Johnson, Moore and Ylvisaker, J. Stat. Plan. Inference 26, 131, 1990) that no
    such exchange improves. Never worse than the farthest points. Holds n N distances.
    """
    kernel, kept = problem.kernel, len(problem.start)
    chosen = farthest_points(problem)
    distances = np.stack([kernel.squared_distances(candidate) for candidate in chosen])
    while len(chosen) > 1:
        within = distances[:, chosen]
        np.fill_diagonal(within, np.inf)
        pair = np.unravel_index(within.argmin(), within.shape)
        better = _exchanges(distances, chosen, [i for i in pair if i >= kept], within[pair])
        if better is None:
            break
        place, candidate = better
        chosen[place] = candidate
        distances[place] = kernel.squared_distances(candidate)
    return chosen


def _exchanges(
    distances: NDArray, chosen: NDArray[np.intp], places: list[int], least: float
) -> tuple[int, int] | None:
    """Find the place whose new candidate is farthest from all others, if farther than `least`."""
    best, found = least * _GAIN, None
    for place in sorted(places):
        others = np.delete(np.arange(len(chosen)), place)
        nearest = distances[others].min(0)
        nearest[chosen] = -np.inf
        candidate = int(nearest.argmax())
        if nearest[candidate] > best:
            best, found = nearest[candidate], (place, candidate)
    return found
