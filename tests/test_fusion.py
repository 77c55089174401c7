"""Fusion networks: what they see, that they learn, resume, and run on two backends."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.fusion import Curves, Recipe, features
from kinetlib.fusion.training import Batches

CLASSES = ["slow", "fast"]


def curves(n=64, points=21, seed=0):
    """First-order curves, class 1 ten times faster: easy to tell apart once time is known."""
    rng = default_rng(seed)
    labels = rng.integers(0, 2, n)
    loading = np.sort(rng.uniform(0.01, 0.1, (n, 4)), axis=1)
    time = np.sort(rng.uniform(0, 1, (n, 4, points)), axis=-1)
    time[..., 0] = 0
    start = np.ones((n, 4))
    start[:, 3] = rng.uniform(0.4, 0.8, n)
    rate = loading * np.where(labels, 100.0, 10.0)[:, None]
    substrate = start[..., None] * np.exp(-rate[..., None] * time)
    arrays = (time, substrate, 1 - substrate, loading, start, 1 - start)
    return Curves(*(a.astype(np.float32) for a in arrays)), labels


def dataset(c: Curves, **more) -> xr.Dataset:
    runs = {
        name: (("sample", "run", "time"), getattr(c, name))
        for name in ("time", "substrate", "product")
    }
    starts = {
        name: (("sample", "run"), getattr(c, name))
        for name in ("loading", "substrate_0", "product_0")
    }
    return xr.Dataset({**runs, **starts, **more})


def same(a: Curves, b: Curves) -> bool:
    return all(
        np.array_equal(x, y) for x, y in zip(vars(a).values(), vars(b).values(), strict=True)
    )


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
    noisy = fusion.add_noise(full, 0.05, default_rng(1))
    assert np.array_equal(noisy.substrate[..., 0], full.substrate[..., 0])
    relative = noisy.substrate[..., 1:] / full.substrate[..., 1:] - 1
    assert abs(relative.std() - 0.05) < 5e-4 and abs(relative.mean()) < 1e-3
    assert np.array_equal(noisy.time, full.time) and np.array_equal(noisy.loading, full.loading)
    assert same(fusion.add_noise(full, 0.0, default_rng(1)), full)


def test_a_level_a_sample():
    full, _ = curves(3)
    noisy = fusion.add_noise(full, np.array([0.0, 0.1, 0.0]), default_rng(1))
    assert same(noisy[[0, 2]], full[[0, 2]]) and not same(noisy[1:2], full[1:2])


@given(st.floats(1e-6, 1e6))
@settings(max_examples=20, deadline=None)
def test_features_do_not_depend_on_the_unit_of_time(unit):
    full, _ = curves(8)
    scaled = Curves(full.time * np.float32(unit), *list(vars(full).values())[1:])
    assert np.allclose(features.dynamic(scaled), features.dynamic(full), atol=1e-5)


def test_features_have_the_shape_the_networks_expect():
    full, _ = curves(8, points=5)
    assert features.static(full).shape == (8, features.N_STATIC)
    assert features.dynamic(full).shape == (8, 5, features.N_DYNAMIC)
    assert features.dynamic(full).dtype == np.float32


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


@pytest.mark.parametrize("name", fusion.FUSIONS)
def test_networks_return_probabilities_for_any_number_of_points(name):
    model = fusion.build(name, 20, seed=1)
    for points in (3, 21):
        p = model.predict(features.inputs(curves(4, points)[0]), verbose=0)
        assert p.shape == (4, 20) and np.allclose(p.sum(1), 1, atol=1e-5) and (p >= 0).all()


def test_initial_weights_follow_the_seed():
    a, b, c = (fusion.build("hadamard", 20, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_unknown_fusion_is_named():
    with pytest.raises(ValueError, match="'hadamar'.*average, hadamard"):
        fusion.build("hadamar", 20, seed=1)


RECIPE = Recipe(fusion="hadamard", seed=3, sample_passes=300_000, batch_size=64, max_points=6)


@pytest.fixture
def small_epochs(monkeypatch):
    monkeypatch.setattr("kinetlib.fusion.training.EPOCH", 1000)
    return RECIPE.model_copy(update={"sample_passes": 4000})


def run(recipe, folder, **options):
    c, labels = curves(512)
    v, v_labels = curves(256, seed=1)
    return fusion.train(c, labels, v, v_labels, recipe, CLASSES, folder, **options)


def test_batches_vary_in_length_and_show_every_sample():
    c, labels = curves(100)
    recipe = Recipe(
        fusion="average", seed=1, sample_passes=1000, batch_size=50, min_points=3, max_points=6
    )
    batches = Batches(c, labels, recipe, epoch=0)
    lengths = [batches[i][0]["dynamic"].shape[1] for i in range(len(batches))]
    assert set(lengths) == {4, 5, 6, 7}
    again, other = Batches(c, labels, recipe, epoch=0), Batches(c, labels, recipe, epoch=1)
    assert np.array_equal(again[2][0]["dynamic"], batches[2][0]["dynamic"])
    assert not np.array_equal(other[2][1], batches[2][1])
    seen = np.concatenate([batches[i][0]["static"][:, 0] for i in range(len(batches))])
    assert len(np.unique(seen)) == 100


@pytest.mark.slow
def test_training_learns_and_resumes_where_it_stopped(tmp_path, small_epochs):
    model, history = run(small_epochs, tmp_path / "whole")
    assert len(history) == 4 and history[-1]["val_accuracy"] > 0.9
    assert history[-1]["sample_passes"] == 4 * 16 * 64

    class Interrupted(Exception):
        pass

    def stop(record):
        if record["sample_passes"] == 2 * 16 * 64:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(small_epochs, tmp_path / "parts", progress=stop)
    shown = []
    resumed, continued = run(small_epochs, tmp_path / "parts", progress=shown.append)
    assert len(shown) == 2 and len(continued) == 4
    for a, b in zip(model.get_weights(), resumed.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-4)
    assert len(list((tmp_path / "parts").glob("*.keras"))) == 1

    other = small_epochs.model_copy(update={"seed": 4})
    shown.clear()
    run(other, tmp_path / "parts", progress=shown.append)
    assert len(shown) == 4


def test_saved_network_answers_the_same(tmp_path):
    model = fusion.build("average", 2, seed=1)
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    card = {"classes": CLASSES, "recipe": RECIPE.model_dump(mode="json")}
    fusion.save(model, tmp_path / "net.keras", card)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.json", "net.keras"]
    loaded, read = fusion.load(tmp_path / "net.keras")
    shown = features.inputs(curves(4)[0])
    assert np.array_equal(model.predict(shown, verbose=0), loaded.predict(shown, verbose=0))
    assert read == card
    # Weights of 4 bytes each and the optimizer left behind.
    assert (tmp_path / "net.keras").stat().st_size < 4 * model.count_params() + 100_000


def test_files_that_are_no_network_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file"):
        fusion.load(tmp_path / "none.keras")
    (tmp_path / "bad.keras").write_bytes(b"not a zip")
    (tmp_path / "bad.json").write_text(json.dumps({"classes": CLASSES}))
    with pytest.raises(ValueError, match="no fusion network"):
        fusion.load(tmp_path / "bad.keras")
    (tmp_path / "bad.json").write_text(json.dumps({"recipe": RECIPE.model_dump(mode="json")}))
    with pytest.raises(ValueError, match="no fusion network"):
        fusion.load(tmp_path / "bad.keras")


def test_a_network_file_with_code_in_it_is_refused(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs))
    model.save(tmp_path / "lambda.keras")
    card = {"classes": CLASSES, "recipe": RECIPE.model_dump(mode="json")}
    (tmp_path / "lambda.json").write_text(json.dumps(card))
    with pytest.raises(ValueError, match="no fusion network"):
        fusion.load(tmp_path / "lambda.keras")


@pytest.mark.slow
def test_the_jax_backend_gives_the_same_probabilities(tmp_path):
    model = fusion.build("hadamard", 2, seed=1)
    fusion.save(
        model,
        tmp_path / "net.keras",
        {"classes": CLASSES, "recipe": RECIPE.model_dump(mode="json")},
    )
    shown = features.inputs(curves(4)[0])
    np.savez(tmp_path / "shown.npz", **shown)
    script = (
        "import sys, numpy as np, keras; from kinetlib import fusion\n"
        "assert keras.backend.backend() == 'jax'\n"
        "model, _ = fusion.load(sys.argv[1] + '/net.keras')\n"
        "shown = dict(np.load(sys.argv[1] + '/shown.npz'))\n"
        "np.save(sys.argv[1] + '/p.npy', model.predict(shown, verbose=0))\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment)
    assert np.allclose(np.load(tmp_path / "p.npy"), model.predict(shown, verbose=0), atol=1e-5)
