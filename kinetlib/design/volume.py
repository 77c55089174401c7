"""Designs of large volume, det(K_SS + noise^2 I): greedy, drawn, and by exchange."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dger

from kinetlib.design.conditioning import Conditioned
from kinetlib.design.kernels import Kernel, Linear
from kinetlib.design.problem import Problem
from kinetlib.design.spread import farthest_points

_GAIN = 1.0 + 1e-9  # a determinant grows by more than rounding
_REFRESH = 64  # exchanges between two factorisations from scratch
_BLOCK = 2**22  # numbers looked at at a time


def pivoted_cholesky(problem: Problem) -> NDArray[np.intp]:
    """Add the candidate of the largest posterior variance, again and again.

    That is Cholesky factorisation of K + noise^2 I with full pivoting (LAPACK's ``dpstrf``), greedy
    D-optimality, and the greedy mode of a determinantal point process. Of equals the first is
    taken. Where all variance is used up, the farthest points follow. Holds n N numbers.
    """
    posterior = Conditioned(problem.kernel, problem.n, problem.variance)
    chosen = _pivots(problem, posterior, lambda left: int(left.argmax()))
    return farthest_points(problem.continued(chosen))


def rp_cholesky(problem: Problem) -> NDArray[np.intp]:
    """Draw each candidate with probability in proportion to its posterior variance.

    Randomly pivoted Cholesky (Chen, Epperly, Tropp and Webber, Commun. Pure Appl. Math. 78, 995,
    2025), without noise. Where all variance is used up, the rest is drawn evenly.
    """
    rng = problem.rng
    posterior = Conditioned(problem.kernel, problem.n, 0.0)
    chosen = _pivots(
        problem, posterior, lambda left: int(rng.choice(len(left), p=left / left.sum()))
    )
    return drawn_evenly(problem.continued(chosen))


def drawn_evenly(problem: Problem) -> NDArray[np.intp]:
    """Draw candidates evenly."""
    rest = np.flatnonzero(problem.unchosen())
    drawn = problem.rng.choice(rest, problem.n - len(problem.start), replace=False)
    return np.concatenate([problem.start, drawn])


def d_exchange(problem: Problem) -> NDArray[np.intp]:
    """Exchange members and candidates while det(K_SS + noise^2 I) grows.

    Fedorov's exchange (Theory of Optimal Experiments, 1972) from the greedy design on: of all
    n (N - n) exchanges the one that multiplies the determinant by most, by updates of rank one,
    until none does. Holds 2 n N numbers and asks for the kernel's columns of members only.
    """
    chosen = pivoted_cholesky(problem)
    if len(problem.start) == problem.n:
        return chosen
    state = _Exchange(problem, chosen)
    while True:
        before, chosen = state.log_det, state.chosen.copy()
        swaps = 0
        while swaps < _REFRESH and state.step():
            swaps += 1
        if not swaps:
            return chosen
        state.refresh()
        if state.log_det <= before:  # what updates of rank one promised was rounding
            return chosen


def low_rank(kernel: Kernel, rank: int) -> Linear:
    """Return features whose inner products are the kernel's best greedy approximation of a rank.

    Parameters
    ----------
    kernel
        Over N candidates.
    rank
        Number of features; fewer where the kernel has no more.

    Returns
    -------
    Linear
        Features (N, rank): a partial Cholesky factor, largest pivots first.
    """
    rank = min(rank, len(kernel))
    problem = Problem(kernel, rank, 0.0, np.empty(0, dtype=np.intp))
    posterior = Conditioned(kernel, rank, 0.0)
    _pivots(problem, posterior, lambda left: int(left.argmax()))
    return Linear(np.ascontiguousarray(posterior.factors.T))


def _pivots(
    problem: Problem, posterior: Conditioned, choose: Callable[[NDArray], int]
) -> NDArray[np.intp]:
    """Choose by posterior variances as long as there are any; return all chosen, start first."""
    tolerance, free = problem.tolerance, problem.unchosen()
    posterior.observe_all(problem.start, tolerance)
    chosen = list(problem.start)
    while len(chosen) < problem.n:
        left = np.where(free & (posterior.variances > tolerance), posterior.variances, 0.0)
        if not left.any():
            break
        candidate = choose(left)
        posterior.observe(candidate)
        chosen.append(candidate)
        free[candidate] = False
    return np.array(chosen, dtype=np.intp)


class _Exchange:
    """A design under exchange: M = K_SS + noise^2 I, its inverse, and M^-1 K_S over the pool."""

    def __init__(self, problem: Problem, chosen: NDArray[np.intp]):
        self._kernel, self._ridge, self._kept = problem.kernel, problem.ridge, len(problem.start)
        self._prior = problem.kernel.diagonal() + self._ridge
        self.chosen = chosen.copy()
        self._columns = np.ascontiguousarray(problem.kernel.columns(chosen).T)
        self.refresh()

    def refresh(self) -> None:
        """Factorise from scratch."""
        matrix = self._columns[:, self.chosen].copy()
        matrix[np.diag_indices_from(matrix)] += self._ridge
        factor = cho_factor(matrix, lower=True)
        self.log_det = 2.0 * float(np.log(factor[0].diagonal()).sum())
        self._inverse = np.ascontiguousarray(cho_solve(factor, np.eye(len(matrix))))
        self._solved = np.ascontiguousarray(cho_solve(factor, self._columns))

    def step(self) -> bool:
        """Make the best exchange, if one multiplies the determinant by more than 1."""
        factor, place, candidate = self._best()
        if not factor > _GAIN:
            return False
        self._remove(place)
        self._insert(place, candidate)
        return True

    def _best(self) -> tuple[float, int, int]:
        """Find the exchange that multiplies the determinant by most.

        Candidate j in the place of member i: (M^-1)_ii v_j + (M^-1 k_j)_i^2, with v_j the posterior
        variance of j and the noise's.
        """
        left = self._prior - np.einsum("ij,ij->j", self._columns, self._solved)
        removal = self._inverse.diagonal()
        best = (-np.inf, -1, -1)
        rows = max(1, _BLOCK // len(left))
        for first in range(self._kept, len(self.chosen), rows):
            part = slice(first, first + rows)
            factors = removal[part, None] * left + self._solved[part] ** 2
            factors[:, self.chosen] = -np.inf
            i, j = np.unravel_index(factors.argmax(), factors.shape)
            if factors[i, j] > best[0]:
                best = (float(factors[i, j]), first + int(i), int(j))
        return best

    def _remove(self, place: int) -> None:
        """Take a member's row and column out of the inverse; zeros stay in their place."""
        column = self._inverse[:, place].copy()
        scale = -1.0 / column[place]
        add_outer(self._solved, scale * column, self._solved[place].copy())
        add_outer(self._inverse, scale * column, column)
        self._solved[place] = 0.0
        self._inverse[place] = self._inverse[:, place] = 0.0

    def _insert(self, place: int, candidate: int) -> None:
        """Put a candidate in the empty place."""
        column = self._kernel.column(candidate)
        shared = self._columns[:, candidate].copy()
        weights = self._inverse @ shared
        left = self._prior[candidate] - float(weights @ shared)
        residual = weights @ self._columns - column
        self._columns[place] = column
        weights[place] = -1.0
        add_outer(self._solved, weights / left, residual)
        add_outer(self._inverse, weights / left, weights)
        self.chosen[place] = candidate


def add_outer(matrix: NDArray, left: NDArray, right: NDArray) -> None:
    """Add the outer product of two vectors to a matrix where it lies, its rows contiguous."""
    if not matrix.flags.c_contiguous:
        raise AssertionError("BLAS would write to a copy")
    dger(1.0, right, left, a=matrix.T, overwrite_a=1)
