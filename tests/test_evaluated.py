"""A network of sets of runs, asked without Keras, says what it says with it."""

import re
import subprocess
import sys
from importlib import resources

import keras
import numpy as np
import pytest
from fusion_samples import laboratory
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.fusion.evaluated import SUFFIX, Evaluated
from kinetlib.fusion.features import run_inputs
from kinetlib.fusion.recipe import SEEN, USUAL, Sizes
from kinetlib.runs import runs as runs_of

MODELS = resources.files("kinetlib_data") / "models"


def arrays(model):
    return {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.weights}


@pytest.fixture(scope="module")
def card():
    return fusion.load(str(MODELS / "runset.keras"))[1]


@pytest.fixture(scope="module")
def released():
    return fusion.load(str(MODELS / "runset.keras"))[0]


@pytest.fixture(scope="module", params=["released", *SEEN["runset"]])
def double(request, released, card):
    """A network in double precision, where all but rounding shows: the released and a new one."""
    seen, sizes = request.param, USUAL
    if request.param == "released":
        seen, sizes = card["recipe"]["features"], Sizes(**card["recipe"]["sizes"])
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float64")
    try:
        model = fusion.build("runset", 20, 1, seen=seen, precision="float64", sizes=sizes)
    finally:
        keras.config.set_dtype_policy(before)
    if request.param == "released":
        model.set_weights([value.astype(np.float64) for value in released.get_weights()])
    return model


def test_the_released_weights_are_those_of_the_released_network(released):
    with np.load(str(MODELS / f"runset{SUFFIX}"), allow_pickle=False) as found:
        assert {name: found[name].tobytes() for name in found.files} == {
            name: value.tobytes() for name, value in arrays(released).items()
        }


@pytest.mark.parametrize(("n_runs", "n_points"), [(1, 3), (2, 24), (4, 7), (8, 15)])
def test_layers_are_those_of_keras(n_runs, n_points, double):
    asked = Evaluated(arrays(double))
    runs = laboratory(40, n_runs, n_points, seed=n_runs)
    lost = default_rng(0).random(40)
    runs = runs_of.unmeasured(runs, lost < 0.3, lost > 0.7)
    probabilities, _ = asked.read(runs)
    shown = {name: value.astype(np.float64) for name, value in run_inputs(runs).items()}
    expected = np.asarray(double(shown, training=False))
    # The head is single precision in Keras, whatever the policy.
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_keras_itself_rounds_no_worse_than_is_said(released):
    """In single precision Keras errs by up to some 1e-4 in a probability."""
    asked = Evaluated(arrays(released))
    for n_runs in (1, 4, 8):
        runs = laboratory(1000, n_runs, 20, seed=n_runs)
        there, _ = fusion.read(released, runs)
        here, _ = asked.read(runs)
        assert np.abs(there - here).max() < 2e-4
        assert np.mean(there.argmax(1) == here.argmax(1)) > 0.998


def test_an_answer_depends_on_nothing_beside_it(released):
    asked = Evaluated(arrays(released))
    runs = laboratory(300, 3, 9, seed=4)
    together, hidden = asked.read(runs)
    for i in (0, 150, 299):
        alone, own = asked.read(runs[i : i + 1])
        np.testing.assert_allclose(alone[0], together[i], rtol=0, atol=1e-12)
        np.testing.assert_allclose(own[0], hidden[i], rtol=0, atol=1e-9)


@pytest.mark.parametrize("seen", SEEN["runset"])
def test_weights_are_written_and_read(tmp_path, seen):
    sizes = Sizes(width=12, token=18, heads=3, blocks=3)
    model = fusion.build("runset", 5, seed=2, seen=seen, sizes=sizes)
    one = Evaluated(arrays(model))
    one.save(tmp_path / "mine.weights.npz")
    other = Evaluated.load(tmp_path / "mine.weights.npz")
    runs = laboratory(5, 2, 6, seed=1)
    assert np.array_equal(one.read(runs)[0], other.read(runs)[0])
    np.testing.assert_allclose(one.read(runs)[0], fusion.predict(model, runs), rtol=0, atol=1e-5)


def test_files_that_hold_no_weights_are_refused(tmp_path, released):
    with pytest.raises(ValueError, match="no weights .*none"):
        Evaluated.load(tmp_path / "none.weights.npz")
    bad = tmp_path / "bad.weights.npz"
    bad.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="holds no weights"):
        Evaluated.load(bad)
    np.savez(bad, head=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="holds no weights"):
        Evaluated.load(bad)
    whole = arrays(released)
    lacking = {name: value for name, value in whole.items() if name != "token/bias"}
    shape = re.escape(str(whole["token/bias"].shape))
    with pytest.raises(ValueError, match=f"token/bias: expected shape {shape}, got None"):
        Evaluated(lacking)
    with pytest.raises(ValueError, match="stranger: expected shape None"):
        Evaluated(whole | {"stranger": np.zeros(3)})
    with pytest.raises(ValueError, match="no finite numbers"):
        Evaluated(whole | {"head/bias": np.full(20, np.nan)})


def test_classifying_loads_no_keras():
    code = (
        "import sys, kinetlib\n"
        "from kinetlib.fusion.classify import reader\n"
        "reader()\n"
        "sys.exit(bool({'keras', 'tensorflow', 'sklearn'} & set(sys.modules)))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
