"""A network that estimates constants, against posteriors in closed form and worse experiments."""

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.experiments.d_optimal import plan
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment
from studies.estimation_design.errors import errors, median_error, ratio_of_errors
from studies.estimation_design.network import surprise, train

NOISE = 0.02


@pytest.mark.slow
def test_mean_and_variance_are_those_of_the_posterior():
    """Values 1 + b x with relative noise c and x ~ N(0, 1): precision 1 + sum (b / c)^2."""
    rng = default_rng(0)
    x = rng.normal(size=(4000, 2))
    slope = np.array([0.02, 0.004])
    values = 1.0 + slope * x[:, None, None, :] * np.ones((1, 1, 2, 1))
    estimator = train(values, x, default_rng(1), noise=Noise(NOISE), passes=30)
    data = values[:500] * (1 + NOISE * default_rng(2).normal(size=values[:500].shape))
    mean, deviation = estimator.estimate(data)
    precision = 1 + 2 * (slope / NOISE) ** 2
    exact = 2 * slope * (data.mean((1, 2)) - 1.0) / NOISE**2 / precision
    assert np.sqrt(((mean - exact) ** 2).mean(0)) == pytest.approx([0, 0], abs=0.15)
    np.testing.assert_allclose(deviation.mean(0), precision**-0.5, rtol=0.1)


def test_score_is_least_at_the_mean_and_the_variance():
    target = np.random.default_rng(0).normal(0.3, 0.5, (5000, 1)).astype(np.float32)

    def score(mean, variance):
        answer = np.tile(np.array([[mean, np.log(variance)]], dtype=np.float32), (5000, 1))
        return float(np.mean(np.asarray(surprise(target, answer))))

    best = score(0.3, 0.25)
    for mean, variance in ((0.2, 0.25), (0.4, 0.25), (0.3, 0.2), (0.3, 0.32)):
        assert score(mean, variance) > best


def test_same_seed_same_network():
    rng = default_rng(0)
    x = rng.normal(size=(300, 1))
    values = np.exp(0.1 * x)[:, None, None, :] * np.ones((1, 1, 2, 1))
    one, other = (train(values, x, default_rng(5), noise=Noise(NOISE), passes=2) for _ in range(2))
    np.testing.assert_allclose(
        one.estimate(values[:20]), other.estimate(values[:20]), rtol=0, atol=1e-5
    )


def test_values_and_coordinates_of_different_draws():
    with pytest.raises(ValueError, match="of the same draws, got 3 and 4"):
        train(np.ones((3, 1, 1, 2)), np.ones((4, 1)), default_rng(0), noise=Noise(NOISE))


@pytest.mark.slow
def test_planned_experiments_are_judged_on_draws_they_have_not_seen():
    candidates = Candidates(
        [0.02, 0.05, 0.1, 0.1], [1.0, 1.0, 1.0, 0.5], [0.0, 0.0, 0.0, 0.5], np.linspace(0, 1, 7)
    )
    planned = plan(
        "M1",
        candidates,
        default_rng(0),
        noise=Noise(NOISE),
        n_runs=2,
        n_times=3,
        draws=20,
        bank=800,
    )
    assert 0.8 < planned.efficiency <= 1.0
    assert planned.prior.coordinates == ("k1", "k-1", "k2", "k-2")
    poor = Experiment.common([0], [1])
    options = {"noise": NOISE, "samples": 100, "passes": 80}
    found = {
        name: errors(planned, experiment, default_rng(1), **options)
        for name, experiment in (("planned", planned.experiment), ("poor", poor))
    }
    for kind in ("fit", "network"):
        assert found["planned"].error[kind].shape == (100, 4)
        assert 0.4 < found["planned"].inside[kind] <= 1.0
        sizes = [np.median(np.abs(found[name].error[kind])) for name in ("planned", "poor")]
        assert sizes[0] < sizes[1]


def test_intervals_hold_the_median_and_are_paired():
    rng = default_rng(0)
    error = rng.normal(size=(200, 3))
    low, middle, high = median_error(error, default_rng(1))
    assert low < middle == np.median(np.abs(error)) < high
    np.testing.assert_allclose(
        median_error(2 * error, default_rng(1)), 2 * np.array([low, middle, high])
    )
    assert ratio_of_errors(2 * error, error, default_rng(1)) == pytest.approx([2.0, 2.0, 2.0])
