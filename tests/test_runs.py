"""Runs as the network of sets of runs reads them: averaged, thinned, measured, refused."""

from dataclasses import replace

import numpy as np
import pytest
from fusion_samples import curves, dataset, laboratory, same
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib.fusion.features import run_inputs
from kinetlib.runs import runs
from kinetlib.runs.runs import MOST_POINTS, MOST_READ, MOST_RUNS

NAMES = ("time", "substrate", "product")


def readings(n=2, n_runs=3, points=250, seed=0, gaps=0.0):
    """What `averaged` takes: times in any order, some readings missing."""
    rng = default_rng(seed)
    time, substrate, product = rng.uniform(0, 1, (3, n, n_runs, points))
    for values in (time, substrate, product):
        values[rng.random(values.shape) < gaps] = np.nan
    return [time, substrate, product, *rng.uniform(0.1, 1, (3, n, n_runs))]


def one_by_one(time, substrate, product, *_):
    """The definition of `averaged`, run by run and part by part."""
    found = np.full((4, *time.shape[:2], MOST_POINTS), np.nan, dtype=np.float32)
    for i, j in np.ndindex(*time.shape[:2]):
        at = np.argsort(time[i, j], kind="stable")[: np.isfinite(time[i, j]).sum()]
        if not len(at):
            continue
        for k, part in enumerate(np.array_split(at, min(len(at), MOST_POINTS))):
            for row, values in enumerate((time, substrate, product)):
                known = values[i, j, part][np.isfinite(values[i, j, part])]
                if len(known):
                    found[row, i, j, k] = known.mean()
            found[3, i, j, k] = len(part)
    return found


def test_many_readings_become_the_means_of_neighbours():
    given_ = readings()
    found = runs.averaged(runs.Runs(*given_))
    assert found.time.shape == (2, 3, MOST_POINTS)
    # 250 readings in 24 points: ten of 11, then fourteen of 10.
    assert np.array_equal(found.averaged[1, 2], [11] * 10 + [10] * 14)
    order = given_[0][1, 2].argsort()
    for name, values in zip(NAMES, given_, strict=False):
        ordered = values[1, 2, order]
        shown = getattr(found, name)[1, 2]
        assert shown[0] == pytest.approx(ordered[:11].mean(), rel=1e-6)
        assert shown[-1] == pytest.approx(ordered[-10:].mean(), rel=1e-6)


@given(
    points=st.integers(1, 300),
    seed=st.integers(0, 99),
    gaps=st.sampled_from([0.0, 0.1, 0.9]),
)
@settings(max_examples=60, deadline=None)
def test_averaging_is_what_its_definition_says(points, seed, gaps):
    given_ = readings(2, 2, points, seed, gaps)
    found = runs.averaged(runs.Runs(*given_))
    values = np.stack([found.time, found.substrate, found.product, found.averaged])
    assert np.allclose(values, one_by_one(*given_), rtol=1e-6, atol=0, equal_nan=True)
    assert np.array_equal(np.nansum(found.averaged, -1), np.isfinite(given_[0]).sum(-1))
    assert np.all(np.diff(np.nan_to_num(found.time, nan=2.0)) >= 0)


@given(points=st.integers(2, MOST_POINTS), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_few_readings_stay_as_they_are_however_they_are_found(points, seed):
    """A long one beside short runs must not change them."""
    short = readings(2, 2, points, seed, gaps=0.1)
    alone = runs.averaged(runs.Runs(*short))
    beside = [
        np.concatenate([np.pad(a, [(0, 0), (0, 0), (0, 40 - points)], constant_values=np.nan), b])
        if a.ndim == 3
        else np.concatenate([a, b])
        for a, b in zip(short, readings(1, 2, 40), strict=True)
    ]
    together = runs.averaged(runs.Runs(*beside))
    assert np.nanmax(together[2:].averaged) == 2
    assert same(together[:2], alone)
    assert set(np.unique(alone.averaged[np.isfinite(alone.averaged)])) <= {1.0}


@given(points=st.integers(2, 200), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_the_order_of_readings_does_not_matter(points, seed):
    given_ = readings(1, 2, points, seed, gaps=0.1)
    order = default_rng(seed).permutation(points)
    shuffled = [a[..., order] if a.ndim == 3 else a for a in given_]
    one, other = (runs.averaged(runs.Runs(*values)) for values in (given_, shuffled))
    for a, b in zip(vars(one).values(), vars(other).values(), strict=True):
        assert np.allclose(a, b, rtol=1e-6, atol=0, equal_nan=True)


@given(
    n_points=st.integers(1, 15),
    keep_start=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_thinning_keeps_real_points_in_order(n_points, keep_start, seed):
    full = laboratory(3, 3, 12, seed)
    thinned = runs.thinned(full, n_points, default_rng(seed), keep_start=keep_start)
    for i, j in np.ndindex(3, 3):
        before, after = (
            np.stack([getattr(r, name)[i, j] for name in (*NAMES, "averaged")], axis=-1)
            for r in (full, thinned)
        )
        real, kept = (rows[np.isfinite(rows[:, 0])] for rows in (before, after))
        assert len(kept) == min(n_points, len(real))
        assert np.isfinite(after[: len(kept)]).all() and np.isnan(after[len(kept) :]).all()
        assert {tuple(row) for row in kept} <= {tuple(row) for row in real}
        assert np.all(np.diff(kept[:, 0]) > 0)
        if keep_start:
            assert kept[0, 0] == real[0, 0]
    assert np.array_equal(thinned.loading, full.loading)


def test_thinning_leaves_every_point_its_chance():
    full = laboratory(1, 1, 6)
    full = replace(full, time=np.arange(6, dtype=np.float32).reshape(1, 1, 6))
    many = full[np.zeros(4000, dtype=int)]
    kept = runs.thinned(many, 2, default_rng(1)).time
    assert np.allclose(np.bincount(kept.astype(int).ravel()) / 8000, 1 / 6, atol=0.02)


def test_noise_is_relative_less_in_means_and_none_at_the_start():
    lone = laboratory(1, 2, 9, seed=4)
    lone.time[..., 0] = 0.0
    full = lone[np.zeros(4000, dtype=int)]
    noisy = runs.measured(full, 0.05, default_rng(1))
    assert np.array_equal(noisy.time, full.time, equal_nan=True)
    for name in ("substrate", "product"):
        exact, found = getattr(full, name), getattr(noisy, name)
        assert np.array_equal(found[..., 0], exact[..., 0])
        assert np.array_equal(np.isnan(found), np.isnan(exact))
        there = np.isfinite(lone.time[0, :, 1:])
        relative = (found / exact - 1)[..., 1:] * np.sqrt(full.averaged[..., 1:])
        assert np.allclose(relative.std(0)[there], 0.05, rtol=0.06)
        assert np.allclose(relative.mean(0)[there], 0, atol=0.003)
    assert same(runs.measured(full, 0.0, default_rng(1)), full)


def test_a_level_a_sample_and_another_draw_for_each_value():
    full = laboratory(3)
    noisy = runs.measured(full, np.array([0.0, 0.1, 0.0]), default_rng(1))
    assert same(noisy[[0, 2]], full[[0, 2]]) and not same(noisy[1:2], full[1:2])
    substrate, product = (
        (getattr(noisy, name) / getattr(full, name) - 1)[1] for name in ("substrate", "product")
    )
    known = substrate[np.isfinite(full.time[1]) & (full.time[1] > 0)]
    assert len(np.unique(known)) > 0.8 * len(known)
    assert not np.allclose(substrate, product, equal_nan=True)


def test_a_sample_loses_its_product_or_its_substrate_never_both():
    full = laboratory(4)
    without = runs.unmeasured(
        full, np.array([True, True, False, False]), np.array([True, False, True, False])
    )
    lost = [np.isnan(getattr(without, name)).all((1, 2)) for name in ("substrate", "product")]
    assert np.array_equal(lost[0], [False, False, True, False])
    assert np.array_equal(lost[1], [True, True, False, False])
    assert same(without[3:], full[3:])


def test_datasets_keep_their_values_and_close_their_gaps():
    full, _ = curves(3, points=9)
    wide = dataset(full)
    wide.substrate.values[0, 0, 4] = np.nan  # the product is still a point
    wide.product.values[0, 1, 5] = np.nan
    for name in ("substrate", "product"):
        wide[name].values[1, 2, 3:6] = np.nan
    wide.time.values[1, 1, 0] = np.nan
    wide.loading.values[2, 1:] = np.nan  # one run left
    read = runs.from_dataset(wide)
    assert read.time.shape == (3, 4, MOST_POINTS)
    assert np.array_equal(
        np.isfinite(read.time).sum(-1), [[9, 9, 9, 9], [9, 8, 6, 9], [9, 0, 0, 0]]
    )
    assert np.isnan(read.substrate[0, 0, 4]) and read.product[0, 0, 4] == full.product[0, 0, 4]
    assert np.isnan(read.product[0, 1, 5]) and read.time[0, 1, 5] == full.time[0, 1, 5]
    kept = [0, 1, 2, 6, 7, 8]
    assert np.array_equal(read.substrate[1, 2, :6], full.substrate[1, 2, kept])
    assert np.isnan(read.loading[2, 1:]).all() and read.loading[2, 0] == full.loading[2, 0]


def test_datasets_whose_dimensions_stand_in_another_order_read_the_same():
    full, _ = curves(3, points=5)
    turned = dataset(full).transpose("time", "run", "sample")
    assert same(runs.from_dataset(turned), runs.from_dataset(dataset(full)))


def test_a_product_that_nobody_measured():
    full, _ = curves(2)
    read = runs.from_dataset(dataset(full).drop_vars("product"))
    assert np.isnan(read.product).all() and np.isfinite(read.substrate[..., :21]).all()


def test_datasets_that_cannot_be_read_are_refused():
    full, _ = curves(2)
    with pytest.raises(ValueError, match="lack time, loading: expected time and substrate"):
        runs.from_dataset(dataset(full).drop_vars(["loading", "time"]))
    empty = dataset(full)
    for name in ("substrate", "product"):
        empty[name].values[1, :, 1:] = np.nan
    with pytest.raises(ValueError, match="sample 1: no run has at least two points"):
        runs.from_dataset(empty)


def test_of_very_many_runs_those_that_differ_most_are_read():
    many = dataset(laboratory(2, MOST_READ + 4))
    read = runs.from_dataset(many)
    assert (np.isfinite(read.loading).sum(1) == MOST_READ).all()
    few = dataset(laboratory(2, MOST_RUNS + 1))
    assert np.isfinite(runs.from_dataset(few).loading).all()


@pytest.mark.parametrize("most", [3, 8])
def test_a_run_left_aside_is_nearer_to_one_read_than_those_are_to_each_other(most):
    drawn = np.random.default_rng(most)
    product = drawn.random(20)
    one, usable = np.ones(20), np.arange(20) != 7
    chosen = runs.spread_out(one, one, product, usable, most)
    assert chosen.sum() == most and not chosen[7]
    near = np.abs(product[:, None] - product[chosen]).min(1)
    apart = np.diff(np.sort(product[chosen])).min()
    assert near[usable & ~chosen].max() <= apart


def test_runs_and_points_that_are_marked_are_not_read():
    full = dataset(curves(2, points=6)[0])
    comparable = np.ones((2, full.sizes["run"]), dtype=bool)
    comparable[0, 1] = False
    completed = np.zeros(full["time"].shape, dtype=bool)
    completed[1, 0, 4:] = True
    marked = full.assign(
        comparable=(("sample", "run"), comparable),
        completed=(("sample", "run", "time"), completed),
    )
    read = runs.from_dataset(marked)
    assert np.array_equal(np.isfinite(read.loading), comparable)
    assert np.isfinite(read.time[1, 0]).sum() == 4
    without = full.assign(
        comparable=(("sample", "run"), np.zeros_like(comparable)), loading=0 * full["loading"]
    )
    with pytest.raises(ValueError, match="no run has a catalyst"):
        runs.from_dataset(without)


def test_replicates_are_one_point_of_several_readings():
    full = dataset(curves(2, points=5)[0])
    thrice = full.isel(time=np.repeat(np.arange(full.sizes["time"]), 3))
    once, read = runs.from_dataset(full), runs.from_dataset(thrice)
    np.testing.assert_allclose(read.substrate, once.substrate, rtol=1e-6)
    np.testing.assert_allclose(read.averaged, 3 * once.averaged)


def test_inputs_are_finite_and_zero_where_there_is_nothing():
    full = laboratory(5, 4, 10)
    full.time[0, 2:] = np.nan
    without = runs.unmeasured(full, np.arange(5) == 1, np.arange(5) == 2)
    made = run_inputs(without)
    absent = np.isnan(full.time)
    assert all(a.dtype == np.float32 and np.isfinite(a).all() for a in made.values())
    assert np.all(made["points"][absent] == 0) and np.all(made["pooling"][absent] == 0)
    assert np.array_equal(made["present"][0], [1, 1, 0, 0]) and made["present"][1:].all()
    assert np.allclose(made["pooling"].sum(2), made["present"][..., None])
    assert np.abs(made["points"]).max() < 10
