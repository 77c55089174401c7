"""Four-run curves: thinned, made noisy, arranged, and what the fusion networks see of them."""

import numpy as np
import pytest
import xarray as xr
from fusion_samples import curves, dataset, same
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.fusion import features
from kinetlib.runs.runs import Runs, measured


@given(n_points=st.integers(2, 20), seed=st.integers(0, 99))
@settings(max_examples=20, deadline=None)
def test_thinning_keeps_the_start_and_real_points_in_order(n_points, seed):
    full, _ = curves(5)
    thinned = fusion.thin(full, n_points, default_rng(seed))
    assert thinned.time.shape == (5, 4, n_points + 1)
    assert np.array_equal(thinned.time[..., 0], full.time[..., 0])
    for i in range(5):
        for run in range(4):
            pairs = set(
                zip(full.time[i, run], full.substrate[i, run], full.product[i, run], strict=True)
            )
            kept = list(
                zip(
                    thinned.time[i, run],
                    thinned.substrate[i, run],
                    thinned.product[i, run],
                    strict=True,
                )
            )
            assert set(kept) <= pairs and len(set(kept)) == n_points + 1
            assert np.all(np.diff(thinned.time[i, run]) > 0)


def test_noise_is_relative_and_spares_the_start():
    full, _ = curves(2000)
    noisy = measured(full, 0.05, default_rng(1))
    assert np.array_equal(noisy.substrate[..., 0], full.substrate[..., 0])
    relative = noisy.substrate[..., 1:] / full.substrate[..., 1:] - 1
    assert abs(relative.std() - 0.05) < 5e-4 and abs(relative.mean()) < 1e-3
    assert np.array_equal(noisy.time, full.time) and np.array_equal(noisy.loading, full.loading)
    assert same(measured(full, 0.0, default_rng(1)), full)


def test_a_level_a_sample():
    full, _ = curves(3)
    noisy = measured(full, np.array([0.0, 0.1, 0.0]), default_rng(1))
    assert same(noisy[[0, 2]], full[[0, 2]]) and not same(noisy[1:2], full[1:2])


@given(st.floats(1e-6, 1e6))
@settings(max_examples=20, deadline=None)
def test_features_do_not_depend_on_the_unit_of_time(unit):
    full, _ = curves(8)
    scaled = Runs(full.time * np.float32(unit), *list(vars(full).values())[1:])
    assert np.allclose(features.dynamic(scaled), features.dynamic(full), atol=1e-5)


def test_features_have_the_shape_the_networks_expect():
    full, _ = curves(8, points=5)
    for seen, made in (
        ("scaled", features.inputs(full)),
        ("few", features.few(full)),
        ("raw", features.raw(full)),
    ):
        assert made["static"].shape == (8, features.N_STATIC)
        assert made["dynamic"].shape == (8, 5, features.N_DYNAMIC[seen])
        assert made["dynamic"].dtype == np.float32


def test_raw_inputs_are_the_published_ones():
    full, _ = curves(3, points=5)
    made = features.raw(full)
    assert np.array_equal(made["static"], full.loading)
    by_run = made["dynamic"].reshape(3, 5, 4, 3)
    assert by_run[..., 0].max() == 1 and by_run[..., 0].min() == 0
    assert np.array_equal(by_run[..., 1], full.substrate.transpose(0, 2, 1))
    assert np.array_equal(by_run[..., 2], full.product.transpose(0, 2, 1))


def test_arranged_leaves_the_training_order_alone():
    full, _ = curves(6)
    full.substrate_0[:, :3] = 1.0
    ((members, arranged),) = fusion.arranged(dataset(full), max_points=20)
    assert np.array_equal(members, np.arange(6))
    assert same(arranged, full)


@given(st.permutations(range(4)))
@settings(max_examples=24, deadline=None)
def test_arranged_does_not_depend_on_the_order_of_runs(order):
    full, _ = curves(3)
    full.substrate_0[:, :3] = 1.0
    ((_, expected),) = fusion.arranged(dataset(full), 20)
    ((_, shuffled),) = fusion.arranged(dataset(full).isel(run=list(order)), 20)
    assert same(shuffled, expected)


def test_arranged_takes_gaps_more_runs_and_fewer_runs():
    full, _ = curves(3)
    full.substrate_0[:, :3] = 1.0
    runs = dataset(full)
    wide = xr.concat(
        [runs, runs.isel(run=[1]).assign(loading=runs.loading.isel(run=[1]) * 1.01)], "run"
    )
    wide.substrate.values[1, 0, 10:] = np.nan  # a run stopped early
    wide.loading.values[2, 1:] = np.nan  # a sample with one run
    groups = {tuple(members): arranged for members, arranged in fusion.arranged(wide, 20)}
    assert set(groups) == {(0, 2), (1,)}
    assert groups[(1,)].time.shape == (1, 4, 10)
    first, lone = groups[(0, 2)][:1], groups[(0, 2)][1:]
    assert np.all(np.diff(first.loading[0, :3]) > 0) and first.substrate_0[0, 3] < 0.9
    assert np.all(lone.time == lone.time[:, :1])


def test_arranged_thins_evenly_and_keeps_both_ends():
    full, _ = curves(2, points=101)
    ((_, arranged),) = fusion.arranged(dataset(full), 20)
    assert arranged.time.shape == (2, 4, 21)
    assert np.array_equal(arranged.time[:, 3, -1], full.time[:, 3, -1])


def test_runs_that_cannot_be_used_are_refused():
    full, _ = curves(2)
    with pytest.raises(ValueError, match="lack loading, product_0"):
        fusion.arranged(dataset(full).drop_vars(["loading", "product_0"]), 20)
    empty = dataset(full)
    empty.substrate.values[1, :, 2:] = np.nan
    with pytest.raises(ValueError, match="sample 1: no run"):
        fusion.arranged(empty, 20)
