"""Methods that draw follow the laws they are said to follow."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.stats import chisquare

from kinetlib.design import Gaussian, Gram, Linear, select
from kinetlib.design.spectral import log_elementary, ridge_leverage, spectrum

DRAWS = 2000


def gram(n, d=2, seed=0, width=1.0):
    x = default_rng(seed).normal(size=(n, d))
    return Gaussian(x, width).columns(np.arange(n))


def drawn_sets(kernel, n, method, *, draws=DRAWS, **more):
    rng = default_rng(11)
    return [tuple(select(kernel, n, method, rng=rng, **more)) for _ in range(draws)]


def agrees(counts, probabilities):
    """Chi-square test, cells of few expected draws put together."""
    order = np.argsort(probabilities)
    counts, expected = np.array(counts)[order], np.array(probabilities)[order] * sum(counts)
    cells = np.cumsum(expected) // 20
    cells = np.minimum(cells, cells[-1] - 1)
    counts, expected = (
        np.array([values[cells == cell].sum() for cell in np.unique(cells)])
        for values in (counts, expected)
    )
    return chisquare(counts, expected).pvalue > 1e-3


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=8),
    k=st.integers(0, 4),
)
def test_symmetric_polynomials_are_sums_of_products(values, k):
    table = log_elementary(np.array(values), k)
    for degree in range(k + 1):
        terms = [np.prod(s) for s in combinations(values, degree)]
        expected = sum(terms)
        assert np.exp(table[degree, -1]) == pytest.approx(expected, rel=1e-10)


def test_symmetric_polynomials_stay_finite_where_numbers_overflow():
    values = np.geomspace(1e-200, 1e200, 400)
    table = log_elementary(values, 60)
    largest = np.log(np.sort(values)[-60:]).sum()
    assert largest <= table[-1, -1] <= largest + np.log(400) * 60
    ratios = table[1:, -1] - table[:-1, -1]
    assert (np.diff(ratios) < 0).all(), "Newton's inequalities"


def test_k_dpp_draws_sets_by_their_determinants():
    kernel = gram(7)
    subsets = list(combinations(range(7), 3))
    weights = np.array([np.linalg.det(kernel[np.ix_(s, s)]) for s in subsets])
    found = [tuple(sorted(s)) for s in drawn_sets(kernel, 3, "kdpp")]
    assert agrees([found.count(s) for s in subsets], weights / weights.sum())


def test_k_dpp_given_a_start_draws_from_the_sets_that_hold_it():
    kernel = gram(7)
    subsets = [s for s in combinations(range(7), 4) if {1, 5} <= set(s)]
    weights = np.array([np.linalg.det(kernel[np.ix_(s, s)]) for s in subsets])
    found = drawn_sets(kernel, 4, "kdpp", start=[5, 1])
    assert all(s[:2] == (5, 1) for s in found)
    found = [tuple(sorted(s)) for s in found]
    assert agrees([found.count(s) for s in subsets], weights / weights.sum())


def test_k_dpp_has_the_marginals_of_other_hands():
    dpps = pytest.importorskip("dppy.finite_dpps")
    x = default_rng(4).normal(size=(25, 2))
    kernel = Gaussian(x, 1.0).columns(np.arange(25))
    ours = np.bincount(np.concatenate(drawn_sets(kernel, 5, "kdpp")), minlength=25) / DRAWS
    process = dpps.FiniteDPP("likelihood", L=kernel)
    state = np.random.RandomState(3)
    theirs = np.zeros(25)
    for _ in range(DRAWS):
        theirs[process.sample_exact_k_dpp(size=5, random_state=state)] += 1 / DRAWS
    error = np.sqrt((ours * (1 - ours) + theirs * (1 - theirs)) / DRAWS)
    assert (np.abs(ours - theirs) / error).max() < 4.5


def test_k_dpp_has_exact_marginals():
    """Of one element: by eigenvectors, each in with the share of polynomials that hold it."""
    kernel = gram(40, seed=2)
    values, vectors = spectrum(Linear(np.linalg.cholesky(kernel + 1e-12 * np.eye(40))))
    whole = log_elementary(values, 6)[6, -1]
    shares = [
        np.exp(np.log(values[i]) + log_elementary(np.delete(values, i), 5)[5, -1] - whole)
        for i in range(40)
    ]
    expected = vectors**2 @ np.array(shares)
    assert expected.sum() == pytest.approx(6)
    found = np.bincount(np.concatenate(drawn_sets(kernel, 6, "kdpp")), minlength=40) / DRAWS
    error = np.sqrt(expected * (1 - expected) / DRAWS)
    assert (np.abs(found - expected) / error).max() < 4.5


@pytest.mark.parametrize("decades", [4, 12, 16, 40])
def test_k_dpp_stands_any_condition(decades):
    rng = default_rng(decades)
    turned = np.linalg.qr(rng.normal(size=(150, 150)))[0]
    kernel = (turned * np.logspace(0, -decades, 150)) @ turned.T
    kernel = (kernel + kernel.T) / 2
    for n in (1, 20, 80, 150):
        chosen = select(kernel, n, "kdpp", rng=1)
        assert len(set(chosen.tolist())) == n
    # A set as large as the leading eigenvalues allow is far from singular, unlike one at random.
    n = 150 // decades
    found, even = (
        np.median(
            [
                np.linalg.slogdet(kernel[np.ix_(s, s)])[1]
                for s in drawn_sets(kernel, n, method, draws=20)
            ]
        )
        for method in ("kdpp", "random")
    )
    assert found >= even


def test_randomly_pivoted_cholesky_draws_by_residual():
    kernel = gram(6)
    kernel[0] *= 2.0
    kernel[:, 0] *= 2.0
    first = kernel.diagonal() / kernel.trace()
    pairs, probabilities = [], []
    for i in range(6):
        left = kernel.diagonal() - kernel[i] ** 2 / kernel[i, i]
        left[i] = 0
        for j in set(range(6)) - {i}:
            pairs.append((i, j))
            probabilities.append(first[i] * left[j] / left.sum())
    found = drawn_sets(kernel, 2, "rp_cholesky")
    assert agrees([found.count(pair) for pair in pairs], probabilities)


def test_duplicates_are_drawn_only_when_nothing_else_is_left():
    x = np.repeat(default_rng(1).normal(size=(10, 3)), 4, axis=0)
    for method in ("rp_cholesky", "kdpp"):
        for seed in range(20):
            chosen = select(Gaussian(x, 1.0), 10, method, rng=seed)
            assert len(set(chosen // 4)) == 10, method
            assert len(set(select(Gaussian(x, 1.0), 25, method, rng=seed))) == 25


def test_leverage_draws_by_scores():
    kernel = gram(9)
    scores = (kernel @ np.linalg.inv(kernel + 0.09 * np.eye(9))).diagonal()
    first = [s[0] for s in drawn_sets(kernel, 3, "leverage", noise=0.3)]
    assert agrees(np.bincount(first, minlength=9), scores / scores.sum())


def test_leverage_is_the_same_from_features_and_from_the_matrix():
    x = default_rng(0).normal(size=(40, 3))
    expected = (x @ x.T @ np.linalg.inv(x @ x.T + 0.5 * np.eye(40))).diagonal()
    assert ridge_leverage(Linear(x), 0.5) == pytest.approx(expected)
    assert ridge_leverage(Gram(x @ x.T), 0.5) == pytest.approx(expected)
    wide = default_rng(0).normal(size=(20, 30))
    expected = (wide @ wide.T @ np.linalg.inv(wide @ wide.T + 0.5 * np.eye(20))).diagonal()
    assert ridge_leverage(Linear(wide), 0.5) == pytest.approx(expected)
    # With next to no noise, one for each dimension of the features.
    assert ridge_leverage(Linear(x), 1e-12).sum() == pytest.approx(3)


@pytest.mark.parametrize("method", ["random", "stratified"])
def test_even_draws_are_even(method):
    groups = {"groups": np.zeros(12)} if method == "stratified" else {}
    found = drawn_sets(np.eye(12), 3, method, **groups)
    counts = np.bincount(np.concatenate(found), minlength=12)
    assert agrees(counts, np.full(12, 1 / 12))


def test_what_has_no_leverage_comes_last_and_evenly():
    x = np.zeros((20, 2))
    x[:5] = default_rng(0).normal(size=(5, 2))
    later = []
    for seed in range(300):
        chosen = select(x, 8, "leverage", rng=seed)
        assert set(chosen[:5]) == set(range(5))
        later.extend(chosen[5:])
    assert chisquare(np.bincount(later, minlength=20)[5:]).pvalue > 1e-3
