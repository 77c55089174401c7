"""Scores of novelty, against known distances and against chance."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.special import softmax

from kinetlib.evaluate import novelty
from kinetlib.evaluate.novelty import ClassDistance, NeighbourDistance


def test_doubt_and_energy_by_hand():
    assert novelty.doubt([[0.7, 0.3], [0.5, 0.5]]).tolist() == pytest.approx([0.3, 0.5])
    assert novelty.energy([[0.0, 0.0], [10.0, -10.0]]).tolist() == pytest.approx(
        [-np.log(2), -10.0]
    )


@given(seed=st.integers(0, 1000), shift=st.floats(-5, 5))
@settings(max_examples=20, deadline=None)
def test_energy_sees_what_probabilities_do_not(seed, shift):
    logits = default_rng(seed).normal(size=(5, 4))
    assert np.allclose(novelty.doubt(softmax(logits + shift, 1)), novelty.doubt(softmax(logits, 1)))
    assert np.allclose(novelty.energy(logits + shift), novelty.energy(logits) - shift)


def clouds(n, seed, d=4):
    """Two classes, alike in shape, the last feature never active."""
    rng = default_rng(seed)
    shape = np.diag([1.0, 3.0, 0.5, 0.0])
    labels = rng.integers(0, 2, n)
    return rng.normal(size=(n, d)) @ shape + 10.0 * labels[:, None] * [1, 0, 0, 0] + 5.0, labels


def test_class_distance_is_mahalanobis():
    features, labels = clouds(20_000, 0)
    fitted = ClassDistance.fit(features, labels)
    assert np.allclose(fitted.means[0], 5.0, atol=0.1)
    at = np.array([[5.0, 5, 5, 5], [7.0, 5, 5, 5], [5.0, 11, 5, 5], [15.0, 5, 6, 5]])
    assert np.allclose(fitted.score(at), [0, 4, 4, 4], atol=0.4)


def test_neighbour_distance_counts_in_spreads_of_a_class():
    features, labels = clouds(5000, 4)
    near = np.array([[5.0, 5, 5, 5], [15.0, 5, 5, 5]])
    fitted = NeighbourDistance.fit(features, labels, k=1)
    assert (fitted.score(near) < 0.5).all()
    # Far from all: 100 spreads of the first and of the second feature, 1 and 3.
    assert fitted.score([[-95.0, 5, 5, 5], [5.0, 305, 5, 5]]) == pytest.approx([98, 98], rel=0.04)
    assert (NeighbourDistance.fit(features, labels, k=9).score(near) > fitted.score(near)).all()


@pytest.mark.parametrize("score", ["class", "neighbour"])
def test_what_lies_elsewhere_scores_higher(score):
    features, labels = clouds(2000, 1)
    known, _ = clouds(500, 2)
    far = known + [0, 0, 15.0, 0]
    if score == "class":
        fitted = ClassDistance.fit(features, labels)
    else:
        fitted = NeighbourDistance.fit(features, labels)
    rng, own = default_rng(0), np.arange(500)
    apart = novelty.auroc(fitted.score(known), fitted.score(far), own, own, rng, n_resamples=50)
    assert apart["value"] > 0.99
    other, _ = clouds(500, 3)
    same = novelty.auroc(fitted.score(known), fitted.score(other), own, own, rng, n_resamples=50)
    assert same["low"] < 0.5 < same["high"] and same["high"] - same["low"] < 0.1


def test_auroc_by_hand_and_its_interval_goes_by_parameter_set():
    group = np.arange(4)
    found = novelty.auroc([1, 2, 3, 4.0], [2.5, 5, 6, 3.5], group, group, default_rng(0))
    assert found["value"] == (2 + 4 + 4 + 3) / 16
    rng = default_rng(1)
    set_scores = rng.normal(size=(2, 50)) + [[0], [1]]
    known, strange = np.repeat(set_scores, 20, axis=1)
    sets, samples = np.repeat(np.arange(50), 20), np.arange(1000)
    by_set = novelty.auroc(known, strange, sets, sets, rng, n_resamples=80)
    by_sample = novelty.auroc(known, strange, samples, samples, rng, n_resamples=80)
    assert by_set["value"] == by_sample["value"]
    assert by_set["high"] - by_set["low"] > 2.5 * (by_sample["high"] - by_sample["low"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: novelty.doubt([0.5, 0.5]), r"probabilities: expected .* \(n, any\), got \(2,\)"),
        (lambda: novelty.energy([[np.nan]]), "logits: expected finite numbers"),
        (lambda: ClassDistance.fit(np.ones((3, 2)), [0, 1]), "labels: expected one of each of 3"),
        (
            lambda: ClassDistance(np.ones((1, 2)), np.eye(2)).score(np.ones((1, 3))),
            r"shape \(n, 2\), got \(1, 3\)",
        ),
        (lambda: NeighbourDistance.fit(np.ones((3, 2)), [0, 0, 0], k=4), "k: expected 1 to 3"),
        (
            lambda: novelty.auroc([1.0], [np.inf], np.array([0]), np.array([0]), default_rng(0)),
            "foreign: expected finite scores",
        ),
        (
            lambda: novelty.auroc([1.0], [2.0], np.array([0, 1]), np.array([0]), default_rng(0)),
            r"known: expected .* got shapes \(1,\) and \(2,\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
