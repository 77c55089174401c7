"""The five networks: their size, their answers, their files, on two backends."""

import json
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from fusion_samples import CLASSES, RECIPE, curves, laboratory
from keras import ops

from kinetlib import fusion
from kinetlib.fusion import features
from kinetlib.fusion.networks import WIDTH, predict
from kinetlib.fusion.training import SmoothedCrossEntropy

CARD = {"classes": CLASSES, "recipe": RECIPE.model_dump(mode="json")}


def shown(name, n=4, points=21):
    """Inputs of a network: four-run curves, or runs of laboratories with gaps."""
    if name == "runset":
        return features.run_inputs(laboratory(n, 3, points))
    return features.inputs(curves(n, points)[0])


def dense(inputs, outputs):
    return inputs * outputs + outputs


def lstm(inputs, outputs):
    return 4 * (inputs * outputs + outputs * outputs + outputs)


PROJECTIONS = 2 * dense(WIDTH, WIDTH)
CLASSIFIER = 2 * dense(WIDTH, WIDTH) + dense(WIDTH, 20)
BEHIND_THE_BRANCHES = {
    "average": 2 * dense(WIDTH, 20),
    "attention": PROJECTIONS + 2 * dense(WIDTH, 1) + CLASSIFIER,
    "gate": PROJECTIONS + dense(2 * WIDTH, WIDTH) + CLASSIFIER,
    "hadamard": PROJECTIONS + CLASSIFIER,
}
# The source publishes that of the Hadamard network.
PARAMETERS = {
    ("average", "raw"): 55_656,
    ("average", "scaled"): 58_728,
    ("attention", "raw"): 71_126,
    ("attention", "scaled"): 74_198,
    ("gate", "raw"): 79_252,
    ("gate", "scaled"): 82_324,
    ("hadamard", "raw"): 70_996,
    ("hadamard", "few"): 70_996,
    ("hadamard", "scaled"): 74_068,
}


@pytest.mark.parametrize(("name", "seen"), PARAMETERS)
def test_networks_have_the_layers_of_the_source(name, seen):
    model = fusion.build(name, 20, seed=1, seen=seen)
    channels = {"raw": 4 * 3, "few": 4 * 3, "scaled": 4 * 6}[seen]
    branches = dense(4, WIDTH) + lstm(channels, WIDTH) + lstm(WIDTH, WIDTH)
    assert model.count_params() == branches + BEHIND_THE_BRANCHES[name] == PARAMETERS[name, seen]
    assert [tuple(tensor.shape) for tensor in model.inputs] == [(None, 4), (None, None, channels)]
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("LSTM") == 2
    assert model.layers[-1].name == ("average" if name == "average" else "head")


def test_the_hadamard_network_multiplies_its_branches():
    """Where one branch is projected to zero, the other has no say: the classes are all alike."""
    model = fusion.build("hadamard", 20, seed=1)
    seen = shown("hadamard")
    some = ops.convert_to_numpy(model(seen, training=False))
    assert np.ptp(some, axis=0).max() > 1e-4
    kernel, _ = model.get_layer("static_projection").weights
    kernel.assign(0 * kernel)  # the initial bias is zero
    assert np.allclose(ops.convert_to_numpy(model(seen, training=False)), 1 / 20, atol=1e-6)


@pytest.mark.parametrize("name", fusion.NETWORKS)
def test_networks_return_probabilities_for_any_number_of_points(name):
    model = fusion.build(name, 20, seed=1)
    for points in (3, 21):
        p = ops.convert_to_numpy(model(shown(name, points=points), training=False))
        assert p.shape == (4, 20) and np.allclose(p.sum(1), 1, atol=1e-5) and (p >= 0).all()


@pytest.mark.parametrize("name", ["hadamard", "runset"])
def test_initial_weights_follow_the_seed(name):
    a, b, c = (fusion.build(name, 20, seed=seed).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(a, c, strict=True))


def test_unknown_network_is_named():
    with pytest.raises(ValueError, match="'hadamar'.*average, attention, gate, hadamard, runset"):
        fusion.build("hadamar", 20, seed=1)
    with pytest.raises(ValueError, match="gate cannot see 'rates': expected scaled or few or raw"):
        fusion.build("gate", 20, seed=1, seen="rates")
    with pytest.raises(ValueError, match="runset cannot see 'raw': expected scaled or rates"):
        fusion.build("runset", 20, seed=1, seen="raw")


@pytest.mark.parametrize("name", ["hadamard", "runset"])
def test_half_precision_inside_single_outside(name):
    before = keras.config.dtype_policy().name
    model = fusion.build(name, 20, seed=1, precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    assert {w.dtype for w in model.trainable_weights} == {"float32"}
    assert any(layer.compute_dtype == "bfloat16" for layer in model.layers)
    p = model(shown(name), training=False)
    assert keras.backend.standardize_dtype(p.dtype) == "float32"
    p = ops.convert_to_numpy(p)
    assert np.allclose(p.sum(1), 1, atol=1e-5)
    whole = fusion.build(name, 20, seed=1)
    assert np.allclose(p, ops.convert_to_numpy(whole(shown(name), training=False)), atol=0.02)


def test_predict_takes_any_number_of_samples_and_both_kinds_of_runs():
    full, _ = curves(1500, points=4)
    model = fusion.build("hadamard", 3, seed=1)
    whole = predict(model, full)
    assert whole.shape == (1500, 3) and whole.dtype == np.float64
    assert np.allclose(predict(model, full[1400:]), whole[1400:], atol=1e-6)
    sets = fusion.build("runset", 3, seed=1)
    four = predict(sets, full[:8])
    assert np.allclose(predict(sets, full[:8]), four, atol=1e-6)
    raw = fusion.build("hadamard", 3, seed=1, seen="raw")
    assert predict(raw, full[:8], seen="raw").shape == (8, 3)


@pytest.mark.parametrize("name", ["average", "runset"])
def test_saved_network_answers_the_same(name, tmp_path):
    model = fusion.build(name, 2, seed=1)
    model.compile(optimizer="adam", loss=SmoothedCrossEntropy(0.1))
    fusion.save(model, tmp_path / "net.keras", CARD)
    weights = ["net.weights.npz"] if name == "runset" else []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.json", "net.keras", *weights]
    loaded, read = fusion.load(tmp_path / "net.keras")
    expected = model(shown(name), training=False)
    assert np.array_equal(loaded(shown(name), training=False), expected)
    assert read == CARD
    # Weights of 4 bytes each and the optimizer left behind.
    size = (tmp_path / "net.keras").stat().st_size
    assert size < 4 * model.count_params() + 150_000 and size < 2e6


def test_files_that_are_no_network_are_refused(tmp_path):
    with pytest.raises(ValueError, match="no file"):
        fusion.load(tmp_path / "none.keras")
    (tmp_path / "bad.keras").write_bytes(b"not a zip")
    (tmp_path / "bad.json").write_text(json.dumps({"classes": CLASSES}))
    with pytest.raises(ValueError, match="no card of a fusion network"):
        fusion.load(tmp_path / "bad.keras")
    (tmp_path / "bad.json").write_text(json.dumps(CARD))
    with pytest.raises(ValueError, match="no fusion network"):
        fusion.load(tmp_path / "bad.keras")


def test_a_network_file_with_code_in_it_is_refused(tmp_path):
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Lambda(lambda x: x * 2)(inputs))
    model.save(tmp_path / "lambda.keras")
    (tmp_path / "lambda.json").write_text(json.dumps(CARD))
    with pytest.raises(ValueError, match="no fusion network"):
        fusion.load(tmp_path / "lambda.keras")


@pytest.mark.slow
def test_the_jax_backend_gives_the_same_probabilities(tmp_path):
    expected = {}
    for name in fusion.NETWORKS:
        model = fusion.build(name, 2, seed=1)
        fusion.save(model, tmp_path / f"{name}.keras", CARD)
        np.savez(tmp_path / f"{name}.npz", **shown(name))
        expected[name] = ops.convert_to_numpy(model(shown(name), training=False))
    script = (
        "import sys, jax, numpy as np, keras; from pathlib import Path\n"
        "from kinetlib import fusion\n"
        "assert keras.backend.backend() == 'jax'\n"
        "folder, found = Path(sys.argv[1]), {}\n"
        "for name in fusion.NETWORKS:\n"
        "    model, _ = fusion.load(folder / f'{name}.keras')\n"
        "    shown = dict(np.load(folder / f'{name}.npz'))\n"
        "    answer = jax.jit(lambda shown: model(shown, training=False))\n"
        "    found[name] = np.asarray(answer(shown))\n"
        "np.savez(folder / 'found.npz', **found)\n"
    )
    environment = {**os.environ, "KERAS_BACKEND": "jax"}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, env=environment)
    with np.load(tmp_path / "found.npz") as found:
        for name in fusion.NETWORKS:
            assert np.allclose(found[name], expected[name], atol=1e-5), name
