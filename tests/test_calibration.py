"""Calibration, against probabilities whose faults are known, and coverage against its promise."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.special import softmax
from scipy.stats import binom

from kinetlib import evaluate
from kinetlib.evaluate.calibration import (
    ConformalSets,
    at_temperature,
    expected_calibration_error,
    fit_temperature,
)

FAMILIES = ("core", "even", "odd", "even", "odd", "even")


def answers(n, seed, spread=2.0, c=6):
    """Return calibrated probabilities and labels drawn from them."""
    rng = default_rng(seed)
    p = softmax(spread * rng.normal(size=(n, c)), axis=1)
    return p, (p.cumsum(1) < rng.random((n, 1))).sum(1).clip(max=c - 1)


@pytest.mark.parametrize("wrong_by", [0.3, 1.0, 4.0])
def test_a_known_temperature_is_recovered(wrong_by):
    p, labels = answers(20_000, 0)
    distorted = at_temperature(p, 1 / wrong_by)
    assert fit_temperature(distorted, labels) == pytest.approx(wrong_by, rel=0.04)


@given(seed=st.integers(0, 1000), temperature=st.floats(0.02, 0.98) | st.floats(1.02, 50))
@settings(max_examples=30, deadline=None)
def test_temperature_changes_no_answer_and_has_an_inverse(seed, temperature):
    p = default_rng(seed).dirichlet(np.ones(5), 20)
    scaled = at_temperature(p, temperature)
    assert np.allclose(scaled.sum(1), 1)
    assert np.array_equal(scaled.argmax(1), p.argmax(1))
    if temperature > 1:
        assert np.allclose(at_temperature(scaled, 1 / temperature), p)
    assert ((evaluate.entropy(scaled) > evaluate.entropy(p)) == (temperature > 1)).all()


def test_probabilities_of_zero_stay_finite():
    assert np.isfinite(at_temperature([[1.0, 0.0]], 7.0)).all()
    assert np.isfinite(fit_temperature(np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 1])))


def test_calibration_error_by_hand():
    p = np.array([[0.95, 0.05], [0.93, 0.07], [0.45, 0.55], [0.4, 0.6]])
    labels = np.array([0, 1, 1, 1])
    expected = (abs(0.95 + 0.93 - 1) + abs(0.55 + 0.6 - 2)) / 4
    assert expected_calibration_error(p, labels, n_bins=2, equal_mass=True) == pytest.approx(
        expected
    )
    in_tenths = (abs(0.95 + 0.93 - 1) + 0.45 + 0.4) / 4
    assert expected_calibration_error(p, labels, n_bins=10) == pytest.approx(in_tenths)
    weighted = (abs(2 * 0.95 - 2) + 0.45 + 0.4) / 4
    weights = np.array([2, 0, 1, 1])
    found = expected_calibration_error(p, labels, n_bins=10, weights=weights)
    assert found == pytest.approx(weighted)


@given(seed=st.integers(0, 1000), n_bins=st.integers(1, 20))
@settings(max_examples=20, deadline=None)
def test_calibration_error_is_the_mean_gap_of_the_reliability_diagram(seed, n_bins):
    p, labels = answers(200, seed)
    confidence, accuracy = evaluate.reliability(p, labels, n_bins=n_bins, fewest=1)
    bins = np.minimum((p.max(1) * n_bins).astype(int), n_bins - 1)
    share = np.bincount(bins, minlength=n_bins) / 200
    expected = np.nansum(share * abs(confidence - accuracy))
    assert expected_calibration_error(p, labels, n_bins=n_bins) == pytest.approx(expected)


@pytest.mark.parametrize("equal_mass", [False, True])
def test_calibration_error_tells_calibrated_from_overconfident(equal_mass):
    p, labels = answers(20_000, 1)
    assert expected_calibration_error(p, labels, equal_mass=equal_mass) < 0.015
    sure = at_temperature(p, 0.3)
    found = expected_calibration_error(sure, labels, equal_mass=equal_mass)
    gap = sure.max(1).mean() - (sure.argmax(1) == labels).mean()
    assert found == pytest.approx(gap, abs=0.01) and found > 0.15


def test_calibration_error_has_an_interval_by_parameter_set():
    p, labels = answers(600, 2)
    p = at_temperature(p, 0.4)
    low, high = evaluate.bootstrap(
        np.arange(600),
        np.repeat(np.arange(120), 5),
        default_rng(0),
        n_resamples=200,
        statistic=lambda at, w: expected_calibration_error(p[at], labels[at], weights=w),
    )
    assert low < expected_calibration_error(p, labels) < high and 0.02 < high - low < 0.2


def within(hits, level=0.95, slack=0.0):
    """Tell whether hits agree with a coverage of at least level, up to chance of 1e-5."""
    n = len(hits)
    return binom.ppf(1e-5, n, level - slack) <= hits.sum() <= binom.ppf(1 - 1e-5, n, level + slack)


@pytest.mark.parametrize("temperature", [0.15, 1.0, 6.0])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_coverage_is_what_was_asked_in_each_family_and_condition(temperature, level):
    parts = []
    for seed, noise in ((0, 1.0), (1, 2.5)):
        p, labels = answers(24_000, seed, spread=noise)
        parts.append((at_temperature(p, temperature), labels, np.full(len(p), noise > 2)))
    p, labels, condition = (np.concatenate(part) for part in zip(*parts, strict=True))
    condition = condition.astype(int)
    first = default_rng(3).random(len(p)) < 0.5
    sets = ConformalSets.fit(p[first], labels[first], FAMILIES, condition[first], level=level)
    found = sets.sets(p[~first], condition[~first])
    truth = labels[~first]
    hits = found[np.arange(len(truth)), truth]
    family = np.array(FAMILIES)[truth]
    for name in set(FAMILIES):
        for i in (0, 1):
            cell = (family == name) & (condition[~first] == i)
            # The calibration has its own chance: as many samples as the test.
            assert within(hits[cell], level, slack=4 * np.sqrt(level * (1 - level) / cell.sum()))
    assert within(hits, level, slack=0.01)


@given(seed=st.integers(0, 10_000), n=st.integers(19, 60))
@settings(max_examples=40, deadline=None)
def test_the_least_probability_is_that_rank_of_the_true_classes(seed, n):
    rng = default_rng(seed)
    p = rng.dirichlet(np.ones(3), n)
    labels = np.zeros(n, dtype=int)
    sets = ConformalSets.fit(p, labels, ("all",) * 3)
    rank = -(-95 * (n + 1) // 100)
    assert (p[:, 0] >= sets.least[0][0]).sum() == rank
    assert sets.n_samples == ((n,),)


def test_coverage_over_calibrations_lies_between_its_bounds():
    """The exact law: level <= P(covered) <= level + 1 / (n + 1), over calibrations of n."""
    rng = default_rng(5)
    n, trials, covered = 19, 6000, 0
    for _ in range(trials):
        own = rng.random(n + 1)
        p = np.column_stack([own, 1 - own])
        sets = ConformalSets.fit(p[:n], np.zeros(n, dtype=int), ("all", "all"))
        covered += own[n] >= sets.least[0][0]
    assert binom.ppf(1e-4, trials, 0.95) <= covered <= binom.ppf(1 - 1e-4, trials, 0.95)


def test_no_set_is_empty_and_surer_asks_for_more():
    p, labels = answers(4000, 6)
    sizes = []
    for level in (0.3, 0.9, 0.99):
        members = ConformalSets.fit(p, labels, FAMILIES, level=level).sets(p)
        assert members[np.arange(len(p)), p.argmax(1)].all()
        sizes.append(members.sum(1).mean())
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("condition", [None, "number", "text"])
def test_json_round_trip(condition):
    p, labels = answers(900, 7)
    given = {
        None: None,
        "number": np.arange(900) % 2,
        "text": np.array(["clean", "noisy"])[np.arange(900) % 2],
    }[condition]
    sets = ConformalSets.fit(p, labels, FAMILIES, given, level=0.9)
    again = ConformalSets.from_dict(json.loads(json.dumps(sets.to_dict())))
    assert again == sets
    assert np.array_equal(again.sets(p, given), sets.sets(p, given))


def test_too_few_samples_promise_nothing():
    p, labels = answers(600, 8)
    rare = np.where((labels == 0) & (np.arange(600) % 8 > 0), 1, labels)
    with pytest.raises(ValueError, match=r"family 'core': \d+ calibration .* at least 19: simul"):
        ConformalSets.fit(p, rare, FAMILIES)
    with pytest.raises(ValueError, match=r"family 'core', condition 1: 0 calibration samples"):
        ConformalSets.fit(p, labels, FAMILIES, (labels > 0) * np.arange(600) % 2)
    p, labels = answers(50, 9, c=1)
    ConformalSets.fit(p[:19], labels[:19], ("one",))
    with pytest.raises(ValueError, match="18 calibration samples cannot promise 95 %"):
        ConformalSets.fit(p[:18], labels[:18], ("one",))


P, LABELS = answers(2000, 10)
SETS = ConformalSets.fit(P, LABELS, FAMILIES, np.arange(2000) % 2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: at_temperature(P, 0.0), "temperature: expected a positive number, got 0.0"),
        (lambda: at_temperature(np.log(P), 1.0), "probabilities, row 0: expected numbers from 0"),
        (lambda: fit_temperature(P, LABELS + 1), "labels: expected 2000 whole numbers from 0 to 5"),
        (lambda: fit_temperature(P[:0], LABELS[:0]), "labels: expected 1 whole numbers"),
        (lambda: fit_temperature(P, LABELS / 2), "got float64"),
        (lambda: expected_calibration_error(P[0], LABELS), r"expected shape \(n, c\), got \(6,\)"),
        (lambda: expected_calibration_error(P, LABELS, n_bins=0), "n_bins: expected at least 1"),
        (
            lambda: expected_calibration_error(P, LABELS, weights=np.zeros(2000)),
            "weights: expected 2000 numbers, none negative and not all 0",
        ),
        (lambda: ConformalSets.fit(P, LABELS, FAMILIES[1:]), "one of each of 6 classes, got 5"),
        (lambda: ConformalSets.fit(P, LABELS, FAMILIES, level=95), "level: .* got 95"),
        (
            lambda: ConformalSets.fit(P, LABELS, FAMILIES, P[:, 0]),
            "condition: expected 2000 whole numbers or texts, got float64",
        ),
        (lambda: SETS.sets(P, np.full(2000, 7)), "condition 7 was not calibrated, only 0, 1"),
        (lambda: SETS.sets(P), "condition None was not calibrated"),
        (lambda: SETS.sets([[1.0]], [0]), "expected 6 classes, as calibrated, got 1"),
        (lambda: ConformalSets.from_dict({"level": 0.9}), "lack families, conditions, least"),
        (
            lambda: ConformalSets.from_dict(SETS.to_dict() | {"least": [[0.1]]}),
            r"least: expected 2 conditions of 3 families, got shape \(1, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
