"""Measures of probabilities, against definitions worked by hand and against scikit-learn."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from sklearn import metrics

from kinetlib import evaluate

P = np.array([[0.7, 0.2, 0.1], [0.1, 0.45, 0.45], [0.02, 0.01, 0.97], [1 / 3, 1 / 3, 1 / 3]])
LABELS = np.array([0, 2, 1, 0])


def predictions(n, c, seed):
    rng = default_rng(seed)
    return rng.dirichlet(np.ones(c), n), rng.integers(0, c, n)


def test_by_hand():
    assert evaluate.top_k(P, LABELS, 1).tolist() == [True, False, False, False]
    assert evaluate.top_k(P, LABELS, 2).tolist() == [True, True, False, False]
    assert evaluate.top_k(P, LABELS, 3).tolist() == [True, True, True, True]
    assert np.allclose(evaluate.cross_entropy(P, LABELS), -np.log([0.7, 0.45, 0.01, 1 / 3]))
    assert evaluate.entropy(P)[3] == pytest.approx(np.log(3))
    assert evaluate.credible_set_size(P).tolist() == [3, 3, 1, 3]
    assert evaluate.credible_set_size(P, 0.9).tolist() == [2, 2, 1, 3]
    assert evaluate.in_credible_set(P, LABELS).tolist() == [True, True, False, True]
    assert evaluate.credible_set_shares(np.array([1, 1, 3, 6, 20])) == {
        "1": 0.4,
        "2": 0.0,
        "3": 0.2,
        "4": 0.0,
        "5": 0.0,
        ">= 6": 0.4,
    }
    assert evaluate.confusion(P, LABELS, 3).tolist() == [[2, 0, 0], [0, 0, 1], [0, 1, 0]]


def test_a_certain_mistake_has_a_finite_cross_entropy():
    assert np.isfinite(evaluate.cross_entropy(np.array([[1.0, 0.0]]), np.array([1]))).all()


@given(n=st.integers(5, 60), c=st.integers(4, 20), seed=st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_agrees_with_scikit_learn(n, c, seed):
    p, labels = predictions(n, c, seed)
    classes = np.arange(c)
    for k in (1, 3):
        expected = metrics.top_k_accuracy_score(labels, p, k=k, labels=classes)
        assert evaluate.top_k(p, labels, k).mean() == pytest.approx(expected)
    expected = metrics.log_loss(labels, p, labels=classes)
    assert evaluate.cross_entropy(p, labels).mean() == pytest.approx(expected)


@given(seed=st.integers(0, 1000), level=st.floats(0.5, 0.99))
@settings(max_examples=30, deadline=None)
def test_a_credible_set_is_the_smallest_that_holds_its_level(seed, level):
    p, _ = predictions(20, 8, seed)
    for row, size in zip(p, evaluate.credible_set_size(p, level), strict=True):
        best = np.sort(row)[::-1]
        assert best[:size].sum() >= level - 1e-12
        assert size == 1 or best[: size - 1].sum() < level


@given(st.permutations(range(8)))
@settings(max_examples=20, deadline=None)
def test_measures_do_not_depend_on_the_order_of_samples(order):
    p, labels = predictions(8, 5, 3)
    order = list(order)
    for measure in (evaluate.cross_entropy, evaluate.in_credible_set):
        assert np.array_equal(measure(p[order], labels[order]), measure(p, labels)[order])


def test_wilson_interval_by_hand():
    low, high = evaluate.wilson(np.arange(10) < 8)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))


def test_bootstrap_of_independent_samples_agrees_with_wilson():
    hits = default_rng(0).random(2000) < 0.7
    found = evaluate.bootstrap(hits, np.arange(2000), default_rng(1))
    assert np.allclose(found, evaluate.wilson(hits), atol=0.004)


def test_bootstrap_by_groups_is_wider_where_groups_stand_together():
    group = np.repeat(np.arange(200), 10)
    together = (default_rng(0).random(200) < 0.7)[group]
    by_group = evaluate.bootstrap(together, group, default_rng(1))
    by_sample = evaluate.bootstrap(together, np.arange(2000), default_rng(1))
    assert (by_group[1] - by_group[0]) > 2.5 * (by_sample[1] - by_sample[0])


def test_bootstrap_interval_covers():
    rng = default_rng(4)
    covered = 0
    for _ in range(200):
        values = rng.normal(1.0, 1.0, 60)
        low, high = evaluate.bootstrap(values, np.arange(60), rng, n_resamples=200)
        covered += low <= 1.0 <= high
    assert 174 <= covered <= 199


def test_summary():
    p, labels = predictions(300, 20, 0)
    table = evaluate.summary(p, labels, np.arange(300), default_rng(0), n_resamples=100)
    assert table["top_1"]["value"] == evaluate.top_k(p, labels, 1).mean()
    for name in ("top_1", "top_3", "cross_entropy", "entropy_mean", "coverage"):
        assert table[name]["low"] <= table[name]["value"] <= table[name]["high"]


def test_reliability_by_hand():
    p = np.array([[0.95, 0.05], [0.91, 0.09], [0.45, 0.55]])
    confidence, accuracy = evaluate.reliability(p, np.array([0, 1, 1]), fewest=2)
    assert confidence[9] == pytest.approx(0.93) and accuracy[9] == 0.5
    assert np.isnan(confidence[5]) and np.isnan(accuracy[0])


def test_reliability_of_a_calibrated_classifier_lies_on_the_diagonal():
    rng = default_rng(0)
    sure = rng.uniform(0.5, 1, 50_000)
    labels = (rng.random(50_000) > sure).astype(int)
    confidence, accuracy = evaluate.reliability(np.column_stack([sure, 1 - sure]), labels)
    assert np.allclose(confidence[5:], accuracy[5:], atol=0.02)


def test_a_mean_has_its_bootstrap_interval():
    values, groups = np.array([True, False, True, True]), np.array([0, 0, 1, 2])
    found = evaluate.mean(values, groups, default_rng(1))
    assert found["value"] == 0.75
    assert (found["low"], found["high"]) == evaluate.bootstrap(values, groups, default_rng(1))


def test_a_confusion_matrix_is_added_up_over_groups():
    counts = np.arange(9).reshape(3, 3)
    names, merged = evaluate.merged(counts, ["a", "b", "a"])
    assert names == ["a", "b"]
    assert merged.tolist() == [[0 + 2 + 6 + 8, 1 + 7], [3 + 5, 4]]
