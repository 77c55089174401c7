"""One call to select candidates from a pool, by any method."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kinetlib.design import problem as given
from kinetlib.design.kernels import Kernel
from kinetlib.design.problem import Problem
from kinetlib.design.representative import herding, i_greedy, k_medoids
from kinetlib.design.spectral import k_dpp, leverage
from kinetlib.design.spread import farthest_points, maximin
from kinetlib.design.volume import d_exchange, drawn_evenly, pivoted_cholesky, rp_cholesky

#: Ways to select, by name.
METHODS: dict[str, Callable[[Problem], NDArray[np.intp]]] = {
    "random": drawn_evenly,
    "stratified": drawn_evenly,
    "k-medoids": k_medoids,
    "herding": herding,
    "fps": farthest_points,
    "maximin": maximin,
    "leverage": leverage,
    "pivoted_cholesky": pivoted_cholesky,
    "rp_cholesky": rp_cholesky,
    "d_exchange": d_exchange,
    "i_greedy": i_greedy,
    "kdpp": k_dpp,
}
#: Methods that draw, and so need `rng`; the others give the same on every call.
DRAWN = ("random", "stratified", "leverage", "rp_cholesky", "kdpp")
#: Methods that can aim at a target other than the pool.
TARGETED = ("herding", "i_greedy")


def select(
    pool: ArrayLike | Kernel,
    n: int,
    method: str,
    *,
    noise: float = 1e-3,
    start: ArrayLike | None = None,
    groups: Sequence | NDArray | None = None,
    target: ArrayLike | None = None,
    rng: Generator | int | None = None,
) -> NDArray[np.intp]:
    """Select n candidates from a pool without knowing their labels.

    Parameters
    ----------
    pool
        A square, symmetric array is the kernel matrix of N candidates. Any other array holds one
        candidate a row and one feature a column; its kernel is the inner product. A
        `kinetlib.design.Kernel`, such as `Gaussian`, is evaluated where it is needed and never
        formed as a whole, but by k-medoids, kdpp, and i_greedy without a target.
    n
        How many in all, `start` counted.
    method
        One of `METHODS`.
    noise
        Standard deviation of what would be observed, in units of the square root of the kernel:
        for leverage, pivoted_cholesky, d_exchange and i_greedy. 0 means as little as rounding
        allows.
    start
        Positions of candidates that are in the design already. They stay, and come first.
    groups
        One label a candidate. The design takes from each group in proportion to its size (seats by
        Webster's method, `start` counted), and the method selects within each group by itself.
        ``stratified`` is random with groups, and cannot do without.
    target
        For herding and i_greedy: what the design is to stand for, if not the pool. Features (m, d)
        where the pool is features or a `Kernel`, else k(target, pool), shape (m, N).
    rng
        Generator, or its seed, for the methods in `DRAWN`.

    Returns
    -------
    NDArray
        Positions in the pool, shape (n,), none twice: `start`, then in the order of selection;
        with groups, group by group in the order of sorted labels.

    Raises
    ------
    ValueError
        A pool that is not finite, or square and no kernel; n, start, groups, target or noise out of
        range; a method that is not known; no rng for a method that draws; a pool too large for the
        method.

    Examples
    --------
    >>> select([[0.0], [1.0], [1.1], [3.0]], 3, "fps").tolist()
    [3, 0, 2]
    """
    if method not in METHODS:
        near = difflib.get_close_matches(str(method), METHODS, 1, 0.4)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown method {method!r}: {hint}expected one of {', '.join(METHODS)}")
    kernel = given.as_kernel(pool)
    begun = given.positions(start, len(kernel), "start")
    problem = Problem(
        kernel,
        given.count(n, len(kernel), len(begun)),
        given.noise_variance(noise),
        begun,
        None if target is None else _cross(kernel, target, method),
        np.random.default_rng(rng) if rng is not None else None,
    )
    if method in DRAWN:
        _ = problem.rng  # says what is missing before work begins
    if groups is None:
        if method == "stratified":
            raise ValueError("stratified: give groups, one label for each candidate")
        return METHODS[method](problem)
    return _by_group(METHODS[method], problem, given.group_numbers(groups, len(kernel)))


def seats(sizes: NDArray[np.intp], taken: NDArray[np.intp], n: int) -> NDArray[np.intp]:
    """Share n seats among groups in proportion to their sizes, by Webster's method.

    Parameters
    ----------
    sizes
        Candidates of each group, shape (g,): no group gets more seats.
    taken
        Seats that are taken already, shape (g,).
    n
        Seats in all.

    Returns
    -------
    NDArray
        Seats of each group, shape (g,); of equal claims the first group's comes first.
    """
    found = taken.copy()
    for _ in range(n - int(taken.sum())):
        claim = np.where(found < sizes, sizes / (2 * found + 1), -1.0)
        found[claim.argmax()] += 1
    return found


def _by_group(
    method: Callable[[Problem], NDArray[np.intp]], problem: Problem, groups: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Select within each group."""
    sizes = np.bincount(groups)
    taken = np.bincount(groups[problem.start], minlength=len(sizes))
    chosen = [problem.start]
    for group, n in enumerate(seats(sizes, taken, problem.n)):
        members = np.flatnonzero(groups == group)
        if n > taken[group]:
            chosen.append(members[method(problem.within(members, int(n)))[taken[group] :]])
    return np.concatenate(chosen)


def _cross(kernel: Kernel, target: ArrayLike, method: str) -> NDArray[np.float64]:
    """Return the kernel between target and pool."""
    if method not in TARGETED:
        raise ValueError(f"target: {method} has none; {' and '.join(TARGETED)} do")
    return kernel.cross(given.finite_matrix(target, "target"))
