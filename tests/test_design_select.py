"""What every method of selection promises, whatever it aims at."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib import design
from kinetlib.design import DRAWN, METHODS, Gaussian, Kernel, Linear, select
from kinetlib.design.selection import seats

FIXED = sorted(set(METHODS) - set(DRAWN))
every_method = pytest.mark.parametrize("method", METHODS)


def features(n=40, d=3, seed=0):
    return default_rng(seed).normal(size=(n, d))


def gram(x, width=1.0):
    return Gaussian(x, width).columns(np.arange(len(x)))


def call(pool, n, method, **more):
    """Select, with what a method cannot do without."""
    size = len(pool)
    groups = {"groups": np.zeros(size)} if method == "stratified" else {}
    return select(pool, n, method, **({"rng": 7} | groups | more))


@every_method
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_as_many_as_asked_none_twice_and_start_first(method, data):
    """Also where candidates coincide and the kernel has a rank below n, or none at all."""
    size = data.draw(st.integers(1, 12))
    rank = data.draw(st.integers(1, 3))
    values = st.integers(-2, 2).map(float)
    x = np.array(
        data.draw(
            st.lists(st.lists(values, min_size=rank, max_size=rank), min_size=size, max_size=size)
        )
    )
    pool = data.draw(st.sampled_from([Linear(x), Gaussian(x, 1.0), x @ x.T]))
    n = data.draw(st.integers(1, size))
    start = data.draw(st.permutations(range(size)))[: data.draw(st.integers(0, n))]
    noise = data.draw(st.sampled_from([0.0, 1e-8, 1e-3, 1.0]))
    chosen = call(pool, n, method, start=start, noise=noise)
    assert chosen.shape == (n,) and chosen.dtype == np.intp
    assert len(set(chosen.tolist())) == n
    assert set(chosen.tolist()) <= set(range(size))
    assert chosen[: len(start)].tolist() == list(start)


@every_method
def test_the_same_generator_gives_the_same_design(method):
    x = features()
    one, two = (call(gram(x), 9, method, rng=default_rng(3)) for _ in range(2))
    assert np.array_equal(one, two)


@pytest.mark.parametrize("method", sorted(set(DRAWN)))
def test_another_generator_gives_another_design(method):
    pool = gram(features(200))
    assert len({tuple(call(pool, 9, method, rng=seed)) for seed in range(5)}) == 5


@pytest.mark.parametrize("method", FIXED)
@pytest.mark.parametrize("seed", range(5))
def test_another_order_of_the_pool_gives_the_same_design(method, seed):
    x = features(seed=seed)
    order = default_rng(seed + 100).permutation(len(x))
    there = call(Linear(x), 3, method)
    assert set(order[call(Linear(x[order]), 3, method)]) == set(there)
    # All have the same variance under a Gaussian kernel: what is first has to be given.
    whole = call(gram(x), 9, method, start=[4])
    back = order[call(gram(x[order]), 9, method, start=[int(np.argsort(order)[4])])]
    if method == "k-medoids":  # of two that are alone together either may stand for both
        distances = np.sqrt(np.maximum(2.0 - 2.0 * gram(x), 0.0))
        assert distances[back].min(0).sum() == pytest.approx(distances[whole].min(0).sum())
    else:
        assert set(back) == set(whole)


@every_method
def test_matrix_features_and_lazy_kernel_are_one_pool(method):
    x = features()
    as_features, as_matrix = (call(pool, 8, method) for pool in (x, x @ x.T))
    if method in ("leverage", "kdpp"):  # drawn from another spectrum, to rounding the same
        as_features = call(Linear(x), 8, method)
    assert np.array_equal(as_features, call(Linear(x), 8, method))
    lazy, whole = (call(pool, 8, method) for pool in (Gaussian(x, 1.0), gram(x)))
    assert np.array_equal(lazy, whole)
    if method not in ("leverage", "kdpp"):
        assert np.array_equal(as_features[:3], as_matrix[:3])


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("random", "stratified")])
def test_scale_of_kernel_and_noise_together_does_not_matter(method):
    x = features()
    one = call(gram(x), 8, method, noise=1e-2)
    assert np.array_equal(one, call(4.0 * gram(x), 8, method, noise=2e-2))


@every_method
def test_whole_pool(method):
    x = features(12)
    assert sorted(call(gram(x), 12, method)) == list(range(12))


@every_method
def test_groups_take_their_share(method):
    x = features(60)
    groups = np.array(["b"] * 30 + ["a"] * 20 + ["c"] * 10)
    chosen = call(gram(x), 12, method, groups=groups, start=[59])
    assert chosen[0] == 59
    assert {g: int((groups[chosen] == g).sum()) for g in "abc"} == {"a": 4, "b": 6, "c": 2}
    assert groups[chosen[1:]].tolist() == ["a"] * 4 + ["b"] * 6 + ["c"] * 1


@pytest.mark.parametrize("method", FIXED)
def test_within_a_group_nothing_else_is_looked_at(method):
    x = features(60)
    groups = np.arange(60) % 2
    chosen = call(gram(x), 10, method, groups=groups)
    for group in (0, 1):
        members = np.flatnonzero(groups == group)
        alone = members[call(gram(x[members]), 5, method)]
        assert np.array_equal(chosen[groups[chosen] == group], alone)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    part=st.floats(0, 1),
)
def test_seats_are_in_proportion(sizes, part):
    sizes = np.array(sizes)
    n = round(part * sizes.sum())
    none = np.zeros_like(sizes)
    found = seats(sizes, none, n)
    assert found.sum() == n and (found <= sizes).all()
    if n < sizes.sum():  # one more seat takes none away
        more = seats(sizes, none, n + 1) - found
        assert more.min() >= 0 and more.sum() == 1
    equal = seats(np.full(4, 10), np.zeros(4, int), n % 41)
    assert equal.max() - equal.min() <= 1


def test_a_kernel_of_ones_own():
    class Constant(Kernel):
        def __len__(self):
            return 10

        def diagonal(self):
            return np.ones(10)

        def columns(self, which):
            return np.ones((10, len(which)))

    for method in METHODS:
        assert len(set(call(Constant(), 5, method))) == 5
        assert len(set(call(Constant(), 6, method, groups=np.arange(10) % 3))) == 6
    with pytest.raises(ValueError, match="no `cross`"):
        call(Constant(), 5, "herding", target=[[1.0]])


SQUARE = features(5, 5)
BAD = [
    (dict(pool=SQUARE), "not symmetric.*Linear"),
    (dict(pool=[[1.0, 2.0], [2.0, 1.0]]), "no kernel: k\\(0, 1\\)"),
    (dict(pool=-np.eye(3)), "entry 0 of its diagonal is -1"),
    (dict(pool=np.eye(30) - 2 / 30), "negative eigenvalue"),
    (dict(pool=[[1.0, np.nan, 0.0], [0, 1, 2]]), "pool: nan in row 0, column 1"),
    (dict(pool=[[1.0, 2.0, 0.0], [0, np.inf, 2]]), "inf in row 1, column 1"),
    (dict(pool=[1.0, 2.0]), "two dimensions.*\\(2,\\)"),
    (dict(pool=np.empty((0, 3))), "two dimensions"),
    (dict(pool=[["a", "b"]]), "real numbers"),
    (dict(pool=[[1.0, 2.0], [3.0]]), "real numbers"),
    (dict(n=41), "n: expected 1 to 40"),
    (dict(n=0), "n: expected 1 to 40"),
    (dict(n=-3), "n: expected 1 to 40"),
    (dict(n=2.5), "whole number, got 2.5"),
    (dict(n=2, start=[1, 2, 3]), "start already has 3"),
    (dict(method="fsp"), "did you mean 'fps'"),
    (dict(method="k_medoids"), "did you mean 'k-medoids'"),
    (dict(method=None), "unknown method None"),
    (dict(groups=[0, 1]), "one label for each of 40 candidates"),
    (dict(groups=np.full(40, np.nan)), "not finite"),
    (dict(start=[40]), "start: position 40 is not among 0 to 39"),
    (dict(start=[-1]), "start: position -1"),
    (dict(start=[3, 4, 3]), "position 3 is given more than once"),
    (dict(start=[0.5]), "start: expected a list of positions"),
    (dict(start=[[1]]), "start: expected a list of positions"),
    (dict(noise=-1.0), "noise: expected a standard deviation"),
    (dict(noise=np.nan), "noise: expected"),
    (dict(noise=np.inf), "noise: expected"),
    (dict(noise="much"), "noise: expected"),
    (dict(method="random", rng=None), "give it rng"),
    (dict(method="stratified"), "stratified: give groups"),
    (dict(target=[[1.0, 2.0, 3.0]]), "target: fps has none; herding and i_greedy do"),
    (dict(method="herding", target=[[1.0, 2.0]]), "expected 3 features a row"),
    (dict(method="herding", pool=np.eye(4), target=[[1.0, 2.0]]), "k\\(target, pool\\).*4 columns"),
]


@pytest.mark.parametrize(("change", "words"), BAD, ids=lambda case: str(case)[:40])
def test_bad_input_is_told(change, words):
    given_ = {"pool": features(), "n": 4, "method": "fps", "rng": 1} | change
    with pytest.raises(ValueError, match=words):
        select(given_.pop("pool"), given_.pop("n"), given_.pop("method"), **given_)


def test_large_matrices_are_checked_without_a_factorisation(monkeypatch):
    monkeypatch.setattr(design.problem, "_LARGEST_CHOLESKY", 10)
    good = gram(features())
    assert len(select(good, 5, "fps")) == 5
    q = np.linalg.qr(features(40, 40))[0]
    spectrum = np.ones(40)
    spectrum[0] = -0.5
    with pytest.raises(ValueError, match="negative eigenvalue"):
        select((q * spectrum) @ q.T, 5, "fps")


def test_a_lazy_kernel_that_is_none_is_found_out():
    class Wrong(Gaussian):
        def columns(self, which):
            return (
                -0.4 + super().columns(which) * 0.8 + 0.6 * (np.arange(len(self))[:, None] == which)
            )

    with pytest.raises(ValueError, match="pool: no kernel"):
        select(
            Wrong(np.zeros((40, 1)) + 50.0 * np.arange(40)[:, None], 1.0), 20, "pivoted_cholesky"
        )


def test_single_precision_kernels_are_taken_for_what_they_are():
    x = features(80, 2).astype(np.float32)
    square = ((x[:, None] - x) ** 2).sum(-1, dtype=np.float32)
    kernel = np.exp(-square / np.float32(20.0))
    assert kernel.dtype == np.float32
    for method in METHODS:
        assert len(set(call(kernel, 60, method, noise=0.0))) == 60


def test_a_pool_too_large_for_a_method_is_told_and_has_a_way(monkeypatch):
    monkeypatch.setattr(design.kernels, "LARGEST_FULL", 30)
    monkeypatch.setattr(design.spectral, "LARGEST_FULL", 30)
    pool = Gaussian(features(), 2.0)
    for method in ("k-medoids", "kdpp", "i_greedy"):
        with pytest.raises(ValueError, match="needs the whole kernel of 40 candidates.*low_rank"):
            call(pool, 5, method)
    assert len(set(call(pool, 5, "i_greedy", target=features(10, seed=1)))) == 5
    assert len(set(call(design.low_rank(pool, 20), 5, "kdpp"))) == 5
    for method in ("k-medoids", "kdpp", "i_greedy"):
        assert len(set(call(pool, 6, method, groups=np.arange(40) % 2))) == 6
    for method in sorted(set(METHODS) - {"k-medoids", "kdpp", "i_greedy"}):
        assert len(set(call(pool, 5, method))) == 5
