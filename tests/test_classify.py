"""The public call with the released network: from runs of the schema to probabilities."""

import numpy as np
import pytest
import xarray as xr

import kinetlib
from kinetlib import evaluate
from kinetlib.fusion.classify import open_network, released
from kinetlib.kinetics import foreign, mechanisms
from kinetlib.runs import dataset, shards

FEW = [mechanisms.get(name) for name in ("M1", "M6", "M13")]


@pytest.fixture(scope="module")
def runs():
    return shards.build(shards.Plan("test", 77, 10, 1, catalogue=FEW), 0)


@pytest.fixture(scope="module")
def probabilities(runs):
    return kinetlib.classify(runs)


def test_probabilities_of_all_twenty(runs, probabilities):
    assert probabilities.dims == ("sample", "mechanism")
    assert list(probabilities.mechanism.values) == list(mechanisms.catalogue())
    assert probabilities.shape == (30, 20)
    assert np.allclose(probabilities.sum("mechanism"), 1, atol=1e-5)


def test_the_released_network_knows_mechanisms_that_are_far_apart(runs, probabilities):
    labels = np.array([list(mechanisms.catalogue()).index(m) for m in runs.mechanism.values])
    low, _ = evaluate.wilson(evaluate.top_k(probabilities.values, labels, 3))
    assert low > 0.5


def test_units_of_time_and_order_of_runs_do_not_matter(runs, probabilities):
    shuffled = runs.isel(run=[2, 0, 3, 1])
    seconds = shuffled.assign_coords(time=shuffled.time * 3600.0)
    xr.testing.assert_allclose(kinetlib.classify(seconds), probabilities, atol=1e-4)


def test_the_card_of_the_released_network_agrees_with_what_it_does(runs):
    """The card's accuracy was measured on other samples: ours must fit it."""
    _, card, _ = open_network("runset")
    assert card["classes"] == list(mechanisms.catalogue())
    measured = card["test"]["published design, 7 points, 0 % noise"]
    top = measured["top_1"]
    assert 0 < top["low"] < top["value"] < top["high"] < 1
    fresh = shards.build(shards.Plan("test", 78, 16, 1), 1)
    labels = np.array([card["classes"].index(m) for m in fresh.mechanism.values])
    answer = kinetlib.classify(fresh)
    low, high = evaluate.wilson(evaluate.top_k(answer.values, labels, 1), level=0.999)
    assert low < top["value"] < high
    low, high = evaluate.wilson(answer.in_set.values[np.arange(len(labels)), labels], level=0.999)
    assert low < measured["set_coverage"]["value"] < high


def test_a_calibrated_answer_says_what_it_rests_on(runs, probabilities):
    noisy = kinetlib.classify(dataset.with_noise(runs, 0.05, np.random.default_rng(3)))
    assert (probabilities.noise < 0.005).all()
    assert 0.03 < noisy.noise.median() < 0.07
    assert noisy.in_set.sum() > probabilities.in_set.sum()
    best = probabilities.argmax("mechanism")
    assert probabilities.in_set.isel(mechanism=best).all()
    for answer in (noisy, probabilities):
        assert ((answer.strangeness >= 0) & (answer.strangeness <= 1)).all()


def test_a_reaction_without_catalyst_looks_strange(runs, probabilities):
    plan = shards.Plan("test", 5, 10, 1, catalogue=(foreign.reactions()["uncatalysed"],))
    strange = kinetlib.classify(shards.build(plan, 0)).strangeness
    assert strange.median() > probabilities.strangeness.median()


def test_without_product_or_without_substrate_there_is_an_answer_too(runs):
    without = kinetlib.classify(runs.drop_vars("product"))
    assert np.allclose(without.sum("mechanism"), 1, atol=1e-5)
    assert np.isnan(without.noise).all()
    nothing = runs.assign(substrate=runs.substrate.where(False))
    assert np.allclose(kinetlib.classify(nothing).sum("mechanism"), 1, atol=1e-5)


def test_any_number_of_runs_and_points(runs):
    lone = runs.isel(run=[1])
    assert np.allclose(kinetlib.classify(lone).sum("mechanism"), 1, atol=1e-5)
    gaps = runs.isel(sample=slice(0, 2)).copy(deep=True)
    gaps.substrate.values[0, 1, 5:] = np.nan
    assert np.isfinite(kinetlib.classify(gaps)).all()


def test_unknown_networks_are_named(runs, tmp_path):
    assert released() == ["runset"]
    with pytest.raises(ValueError, match="'hadamard'.*runset"):
        kinetlib.classify(runs, model="hadamard")
    with pytest.raises(ValueError, match="no file .*mine.keras"):
        kinetlib.classify(runs, model=tmp_path / "mine.keras")


def test_runs_without_loadings_are_refused(runs):
    with pytest.raises(ValueError, match="lack loading"):
        kinetlib.classify(runs.drop_vars("loading"))


def test_the_public_call_stays_a_function_however_it_is_imported():
    import kinetlib.fusion.classify

    assert kinetlib.classify is kinetlib.fusion.classify.classify
