"""Draws from the spectrum of the kernel: ridge leverage scores and determinantal processes."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.design.conditioning import Conditioned
from kinetlib.design.kernels import LARGEST_FULL, Gram, Kernel, Linear
from kinetlib.design.problem import Problem
from kinetlib.design.volume import drawn_evenly, low_rank

_BLOCK = 2**23  # numbers held at a time
_FEWEST_FEATURES = 500  # of the approximation of a kernel too large to be formed


def leverage(problem: Problem) -> NDArray[np.intp]:
    """Draw candidates in proportion to their ridge leverage, [K (K + noise^2 I)^-1]_ii.

    Without replacement, one after the other (Alaoui and Mahoney, NeurIPS 2015, for the scores). A
    kernel of more than 10,000 candidates that is not given whole is approximated by
    `kinetlib.design.low_rank`. Candidates of leverage 0 come last, evenly.
    """
    kernel = problem.kernel
    if len(kernel) > LARGEST_FULL and not isinstance(kernel, Gram | Linear):
        kernel = low_rank(kernel, max(problem.n, _FEWEST_FEATURES))
    scores = ridge_leverage(kernel, problem.ridge)
    with np.errstate(divide="ignore"):
        keys = np.log(scores) + problem.rng.gumbel(size=len(scores))
    keys[problem.start] = np.inf
    # Sorted after a shuffle, so that candidates of leverage 0, all with the same key, come evenly.
    order = problem.rng.permutation(len(keys))
    order = order[np.argsort(-keys[order], kind="stable")]
    rest = order[len(problem.start) : problem.n]
    return np.concatenate([problem.start, rest]).astype(np.intp)


def ridge_leverage(kernel: Kernel, ridge: float) -> NDArray[np.float64]:
    """Return [K (K + ridge I)^-1]_ii, shape (N,).

    Of d features, fewer than candidates, it takes the eigenvectors of their d by d second moments,
    and goes through the pool some candidates at a time.
    """
    if not isinstance(kernel, Linear) or kernel.features.shape[1] >= len(kernel):
        values, vectors = spectrum(kernel)
        return vectors**2 @ (values / (values + ridge))
    features = kernel.features
    values, vectors = np.linalg.eigh(features.T @ features)
    weights = 1.0 / (np.maximum(values, 0.0) + ridge)
    found = np.empty(len(features))
    size = max(1, _BLOCK // features.shape[1])
    for first in range(0, len(features), size):
        part = slice(first, first + size)
        found[part] = (features[part] @ vectors) ** 2 @ weights
    return np.minimum(found, 1.0)


def k_dpp(problem: Problem) -> NDArray[np.intp]:
    """Draw a set with probability in proportion to det K_SS, among all sets of n.

    Exact (Kulesza and Taskar, ICML 2011). Elementary symmetric polynomials are summed as
    logarithms, which neither overflow nor cancel. Eigenvalues below rounding count as 0; where
    fewer than n are left, the rest of the set is drawn evenly. Given `start`, the draw is from the
    sets that hold it.
    """
    kernel, rng = problem.kernel, problem.rng
    wanted = problem.n - len(problem.start)
    if len(problem.start):
        kernel = _given(problem)
    values, vectors = spectrum(kernel)
    present = values > problem.tolerance
    values, vectors = values[present], vectors[:, present]
    subset = _eigenvectors(values, min(wanted, len(values)), rng)
    drawn = _projection(vectors[:, subset], rng)
    return drawn_evenly(problem.continued(np.concatenate([problem.start, drawn])))


def spectrum(kernel: Kernel) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return eigenvalues (r,), none negative, and eigenvectors (N, r) of a kernel."""
    if isinstance(kernel, Linear):
        vectors, roots, _ = np.linalg.svd(kernel.features, full_matrices=False)
        return roots**2, vectors
    values, vectors = np.linalg.eigh(kernel.full("a spectrum"))
    return np.maximum(values, 0.0), vectors


def log_elementary(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return logarithms of elementary symmetric polynomials, shape (k + 1, len(values) + 1).

    Entry (l, m) is of degree l in the first m values; these are positive.
    """
    table = np.full((k + 1, len(values) + 1), -np.inf)
    table[0] = 0.0
    for m, log_value in enumerate(np.log(values), start=1):
        table[1:, m] = np.logaddexp(table[1:, m - 1], log_value + table[:-1, m - 1])
    return table


def _eigenvectors(values: NDArray[np.float64], k: int, rng: Generator) -> list[int]:
    """Draw k eigenvectors, a set with probability in proportion to its product of eigenvalues."""
    table = log_elementary(values, k)
    chosen: list[int] = []
    for m in range(len(values), 0, -1):
        left = k - len(chosen)
        if left == 0:
            break
        log_share = np.log(values[m - 1]) + table[left - 1, m - 1] - table[left, m]
        if left == m or -rng.exponential() < log_share:
            chosen.append(m - 1)
    return chosen


def _projection(vectors: NDArray[np.float64], rng: Generator) -> NDArray[np.intp]:
    """Draw from the determinantal process of a projection, (N, k) orthonormal: k candidates."""
    k = vectors.shape[1]
    posterior = Conditioned(Linear(vectors), k, 0.0)
    drawn: list[int] = []
    for _ in range(k):
        left = posterior.variances.copy()
        left[drawn] = 0.0
        drawn.append(int(rng.choice(len(left), p=left / left.sum())))
        posterior.observe(drawn[-1])
    return np.array(drawn, dtype=np.intp)


def _given(problem: Problem) -> Gram:
    """Return the kernel given that the candidates of `start` are in the set."""
    posterior = Conditioned(problem.kernel, len(problem.start), 0.0)
    posterior.observe_all(problem.start, problem.tolerance)
    left = problem.kernel.full("kdpp given a start") - posterior.factors.T @ posterior.factors
    left[problem.start] = 0.0
    left[:, problem.start] = 0.0
    return Gram(left)
