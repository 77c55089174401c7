"""Search, profiles and draws against integrals over a grid."""

import numpy as np
import pytest
from fits import SMALL, runs_of
from numpy.random import default_rng
from scipy.special import logsumexp

from kinetlib.inference import psis
from kinetlib.inference.coordinates import Wishes, coordinates
from kinetlib.inference.problem import Problem
from kinetlib.inference.profiles import profiles, threshold
from kinetlib.inference.sampling import drawn
from kinetlib.inference.search import search
from kinetlib.kinetics.network import parse

TIMES = np.linspace(0, 4, 7)


def problem(text, constants, starts, shown, noise=0.05, seed=0, wishes=None):
    runs = runs_of(text, constants, starts, TIMES, shown, noise, default_rng(seed))
    network = parse(text)
    return Problem(network, runs, coordinates(network, runs, wishes or Wishes()))


def worked_out(found, seed=0):
    """Search, profiles and draws, as a fit makes them."""
    rng = default_rng(seed)
    ends = search(found, rng, bank=SMALL.bank, starts=SMALL.starts, steps=SMALL.steps)
    drop = threshold(found.n_readings, len(ends.x[0]))
    followed = profiles(found, ends.x[0], drop)
    centres = np.concatenate([ends.x, *(one.x for one in followed)])
    return ends, followed, drop, drawn(found, centres, rng, SMALL)


def on_a_grid(found, n):
    """Evidence and marginal quantiles by a sum over a grid of the box, (D, 2)."""
    axes = [np.linspace(*found.layout.box(at), n) for at in range(len(found.layout.names))]
    x = np.stack([part.ravel() for part in np.meshgrid(*axes, indexing="ij")], axis=-1)
    value = found.log_likelihood(x) + found.layout.log_prior(x)
    cell = np.sum([np.log(axis[1] - axis[0]) for axis in axes])
    mass = np.exp(value - value.max()).reshape([n] * len(axes))
    ends = []
    for at, axis in enumerate(axes):
        others = tuple(i for i in range(len(axes)) if i != at)
        share = np.cumsum(mass.sum(others))
        ends.append(np.interp([0.025, 0.975], share / share[-1], axis))
    return logsumexp(value) + cell, np.array(ends)


@pytest.mark.parametrize(
    ("text", "constants", "box"),
    [
        ("A -> B (k1)", [0.7], {"k1": (0.3, 2.0)}),
        # The equilibrium is determined and, from early points, the rate.
        ("A <=> B (k1, k-1)", [1.5, 0.5], {"k1": (0.3, 10.0), "k-1": (0.05, 5.0)}),
        # A fast equilibrium before a slow step: a corridor to the end of the box.
        (
            "A <=> B (k1, k-1)\nB -> C (k2)",
            [30.0, 60.0, 1.0],
            {"k1": (5.0, 1e3), "k-1": (5.0, 1e3)},
        ),
    ],
)
def test_evidence_and_intervals_are_those_of_a_sum_over_the_box(text, constants, box):
    fix = {"k2": 1.0} if "k2" in text else {}
    wishes = Wishes(bounds=box, fix=fix)
    found = problem(text, constants, {"A": [1.0, 0.5]}, ["A"], wishes=wishes)
    *_, sample = worked_out(found)
    log_evidence, ends = on_a_grid(found, 401 if len(box) < 2 else 151)
    assert sample.log_evidence == pytest.approx(log_evidence, abs=0.1 + 3 * sample.standard_error)
    assert sample.pareto < 0.7
    width = np.ptp(ends, axis=1)[:, None]
    drawn_ends = np.quantile(sample.x, [0.025, 0.975], axis=0).T
    np.testing.assert_allclose((drawn_ends - ends) / width, 0.0, atol=0.12)


def test_draws_are_the_same_for_the_same_seed():
    one, other = (
        worked_out(problem("A <=> B (k1, k-1)", [1.5, 0.5], {"A": [1.0]}, ["A"]))[-1]
        for _ in range(2)
    )
    np.testing.assert_array_equal(one.x, other.x)
    assert one.log_evidence == other.log_evidence


def test_the_search_finds_what_the_truth_is_worth_or_more():
    for seed in range(3):
        text = "A + cat <=> AC (k1, k-1)\nAC -> P + cat (k2)"
        constants = 10 ** default_rng(seed).uniform(-0.5, 1.5, 3)
        starts = {"A": [1.0, 1.0, 0.5], "cat": [0.1, 0.2, 0.1]}
        found = problem(text, constants, starts, ["A", "P"], noise=0.02, seed=seed)
        truth = (np.log(constants) - found.layout.log_units())[None]
        ends = search(found, default_rng(seed), bank=300, starts=24, steps=20)
        assert ends.log_likelihood[0] >= found.log_likelihood(truth)[0] - 0.1
        assert 0 < ends.agreeing <= 1


def test_a_profile_interval_ends_where_the_likelihood_has_fallen():
    found = problem("A <=> B (k1, k-1)", [1.5, 0.5], {"A": [1.0, 0.5]}, ["A"], noise=0.03)
    ends, followed, drop, _ = worked_out(found)
    for at, one in enumerate(followed):
        assert (np.diff(one.at) > 0).all()
        for end in one.interval(drop):
            other = np.linspace(*found.layout.box(1 - at), 6001)
            x = np.empty((len(other), 2))
            x[:, at], x[:, 1 - at] = end, other
            fallen = ends.log_likelihood[0] - found.log_likelihood(x).max()
            assert fallen == pytest.approx(drop, abs=0.15)


def test_a_profile_has_no_end_where_the_data_say_nothing():
    # Nothing is made of B, so that the second step shows in nothing.
    found = problem("A -> B (k1)\nB -> C (k2)", [1.0, 1.0], {"A": [1.0]}, ["A"])
    _, followed, drop, _ = worked_out(found)
    assert np.isfinite(followed[0].interval(drop)).all()
    assert followed[1].interval(drop) == (-np.inf, np.inf)


def test_the_threshold_is_that_of_a_known_noise_for_many_values():
    assert threshold(1e7, 5) == pytest.approx(1.92, abs=0.01)
    assert threshold(12, 4) > threshold(40, 4) > 1.92


@pytest.mark.parametrize("shape", [0.2, 0.5, 0.9])
def test_the_shape_of_a_tail_is_found(shape):
    rng, found = default_rng(0), []
    for _ in range(20):
        weights = (1 - rng.random(4000)) ** -shape
        found.append(psis.smoothed(np.log(weights))[1])
    assert np.mean(found) == pytest.approx(shape, abs=0.1)


def test_smoothing_changes_only_the_tail_and_keeps_its_order():
    weights = default_rng(1).standard_normal(1000) * 2
    smooth, _ = psis.smoothed(weights)
    assert smooth.max() <= weights.max()
    body = np.argsort(weights)[:700]
    np.testing.assert_array_equal(smooth[body], weights[body])
    np.testing.assert_array_equal(np.argsort(smooth, kind="stable")[:900],
                                  np.argsort(weights, kind="stable")[:900])  # fmt: skip
    assert psis.smoothed(weights[:6])[1] == np.inf
    assert psis.smoothed(np.zeros(100))[1] == -np.inf
