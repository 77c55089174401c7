"""What a next run would tell, against closed forms and against what must hold of any answer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.integrate import quad
from scipy.stats import norm

from kinetlib.experiments.gain import Draws, gain


def _draws(counts, probabilities, rng=None):
    labels = np.repeat(np.arange(len(counts)), counts)
    weights = np.ones(len(labels)) if rng is None else rng.exponential(size=len(labels))
    weights /= np.bincount(labels, weights)[labels]
    return Draws(labels, weights, np.asarray(probabilities, float))


def _two_normals(distance, deviation):
    """Information about which of two normal distributions a number is from, nats."""

    def lost(y):
        own, other = norm.pdf(y, 0, deviation), norm.pdf(y, distance, deviation)
        return own * np.log((own + other) / own) if own > 0 else 0.0

    return np.log(2) - quad(lost, -12 * deviation, 12 * deviation, limit=200)[0]


@pytest.mark.parametrize("distance", [0.0, 0.5, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("scatter", [0.0, 1.5])
def test_two_mechanisms_with_normal_outcomes_have_their_closed_form(distance, scatter):
    """The rate constants scatter the outcome, the noise is one: both are normal."""
    rng = default_rng(7)
    draws = _draws([800, 800], [0.5, 0.5])
    outcomes = scatter * rng.standard_normal((1600, 1)) + distance * draws.labels[:, None]
    found = gain(outcomes, rng.standard_normal((1600, 1)), draws)
    exact = _two_normals(distance, np.hypot(1, scatter))
    assert found.information == pytest.approx(exact, abs=0.04)


def test_both_rules_agree_where_both_are_right():
    rng = default_rng(8)
    draws = _draws([800, 800], [0.5, 0.5])
    outcomes = 0.7 * rng.standard_normal((1600, 1)) + 2.0 * draws.labels[:, None]
    from kinetlib.experiments import gain

    data = outcomes + rng.standard_normal((1600, 1))
    told = [
        gain._told(rule(data, outcomes, draws), draws)[0]
        for rule in (gain.by_draws, gain.by_normal)
    ]
    assert told[0] == pytest.approx(told[1], abs=0.02)


def test_two_peaks_need_the_draws():
    """Outcomes at -3 or 3 against outcomes about 0, one mean: a normal sees less."""
    rng = default_rng(9)
    draws = _draws([800, 800], [0.5, 0.5])
    peaks = np.where(rng.random(1600) < 0.5, -3.0, 3.0) * (draws.labels == 0)
    found = gain(peaks[:, None], rng.standard_normal((1600, 1)), draws)
    assert found.rule == "draws"
    assert found.information > 0.4


@settings(max_examples=25, deadline=None)
@given(
    counts=st.lists(st.integers(2, 12), min_size=1, max_size=4),
    width=st.integers(1, 3),
    scale=st.sampled_from([0.0, 0.3, 10.0, 1e3]),
    seed=st.integers(0, 10**6),
)
def test_information_lies_between_nothing_and_the_entropy(counts, width, scale, seed):
    rng = default_rng(seed)
    draws = _draws(counts, rng.dirichlet(np.full(len(counts), 2.0)) + 0.0, rng)
    outcomes = scale * rng.standard_normal((len(draws), width))
    found = gain(outcomes, rng.standard_normal(outcomes.shape), draws)
    assert 0 <= found.information <= draws.entropy + 1e-9
    assert ((found.truth >= 0) & (found.truth <= 1 + 1e-9)).all()
    if len(counts) == 1:
        assert found.information == pytest.approx(0, abs=1e-12)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_order_of_draws_and_of_mechanisms_does_not_matter(seed):
    rng = default_rng(seed)
    draws = _draws([9, 14, 5], [0.5, 0.3, 0.2], rng)
    outcomes = 2 * rng.standard_normal((28, 2)) + draws.labels[:, None]
    noise = rng.standard_normal((28, 2))
    found = gain(outcomes, noise, draws)
    order, renamed = rng.permutation(28), np.array([2, 0, 1])
    other = Draws(renamed[draws.labels][order], draws.weights[order], np.array([0.3, 0.2, 0.5]))
    again = gain(outcomes[order], noise[order], other)
    assert again.information == pytest.approx(found.information, abs=1e-6)
    assert again.truth[renamed] == pytest.approx(found.truth, abs=1e-4)


def test_a_run_that_no_mechanism_differs_in_tells_nothing():
    rng = default_rng(3)
    draws = _draws([400, 400], [0.5, 0.5])
    found = gain(np.full((800, 3), 7.0), rng.standard_normal((800, 3)), draws)
    assert found.information == pytest.approx(0, abs=1e-9)
    assert found.truth == pytest.approx([0.5, 0.5], abs=1e-6)


def test_scatter_of_the_constants_is_not_taken_for_knowledge_of_the_mechanism():
    """Few draws, far apart, from one distribution: nothing tells the two mechanisms apart."""
    rng = default_rng(4)
    draws = _draws([60, 60], [0.5, 0.5])
    outcomes = 1000 * rng.standard_normal((120, 8))
    assert gain(outcomes, rng.standard_normal((120, 8)), draws).information < 0.08


def test_what_is_clear_is_expected_to_be_decided():
    rng = default_rng(5)
    draws = _draws([50, 50], [0.9, 0.1])
    outcomes = 100.0 * draws.labels[:, None] + rng.standard_normal((100, 2))
    found = gain(outcomes, rng.standard_normal((100, 2)), draws)
    assert found.information == pytest.approx(draws.entropy, abs=1e-3)
    assert found.truth == pytest.approx([1, 1], abs=1e-3)


@pytest.mark.parametrize(
    ("labels", "weights", "probabilities", "words"),
    [
        ([0, 0, 1], [0.5, 0.5, 1], [0.5, 0.5], "two or more draws of each of 2"),
        ([0, 0], [0.5, 0.6], [1.0], "1 a mechanism"),
        ([0, 0], [0.5, 0.5], [0.9], "add to 1"),
        ([0, 0], [0.5], [1.0], "one of each draw"),
    ],
)
def test_draws_that_do_not_add_up_are_refused(labels, weights, probabilities, words):
    with pytest.raises(ValueError, match=words):
        Draws(np.array(labels), np.array(weights, float), np.array(probabilities))


def test_outcomes_that_do_not_fit_are_refused():
    draws = _draws([2, 2], [0.5, 0.5])
    with pytest.raises(ValueError, match="one row of each of 4 draws"):
        gain(np.zeros((3, 1)), np.zeros((3, 1)), draws)
    with pytest.raises(ValueError, match="finite numbers"):
        gain(np.full((4, 1), np.nan), np.zeros((4, 1)), draws)
