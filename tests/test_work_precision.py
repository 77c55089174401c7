"""The comparison of solvers measures what it says."""

import numpy as np
import pytest

from kinetlib import mechanisms, work_precision
from kinetlib.network import parse
from kinetlib.work_precision import METHODS, Problem

TIMES = np.linspace(0.0, 3.0, 7)


@pytest.fixture
def decay():
    """Two trajectories of A -> B with a known solution."""
    return Problem(parse("A -> B (k1)"), np.array([[0.5], [2.0]]), np.array([1.0, 0.0]), TIMES)


def exact(problem):
    """A(t) and B(t) of the decay, shape (n, T, 2)."""
    left = np.exp(-problem.rate_constants * TIMES)
    return np.stack([left, 1.0 - left], axis=-1)


@pytest.mark.parametrize("mechanism", ["M5", "M8", "M13"])
def test_compiled_rate_law_is_that_of_the_network(mechanism):
    network = mechanisms.get(mechanism).network
    rng = np.random.default_rng(0)
    k, c = rng.uniform(0.1, 2.0, len(network.constants)), rng.uniform(size=len(network.species))
    rhs, jacobian = work_precision.rate_law(network, k)
    np.testing.assert_allclose(rhs(0.0, c), network.rhs(c, k), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jacobian(0.0, c), network.jacobian(c, k), rtol=1e-12, atol=1e-15)


def test_reference_is_exact_to_its_tolerance(decay):
    np.testing.assert_allclose(work_precision.reference(decay), exact(decay), rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_solves_the_problem(decay, method):
    concentration, seconds = work_precision.solve(decay, method, 1e-8)
    np.testing.assert_allclose(concentration, exact(decay), rtol=0, atol=1e-6)
    assert 0 < seconds < 10


def test_measured_error_is_the_largest_deviation_and_falls_with_the_tolerance(decay):
    measured = work_precision.measure(decay, [1e-2, 1e-8])
    assert dict(measured.sizes) == {"solver": 4, "rtol": 2, "trajectory": 2}
    assert (measured.error.sel(rtol=1e-8) < measured.error.sel(rtol=1e-2)).all()
    concentration, _ = work_precision.solve(decay, "kinetlib", 1e-2)
    np.testing.assert_allclose(
        measured.error.sel(solver="kinetlib", rtol=1e-2),
        np.abs(concentration - exact(decay)).max((1, 2)),
        rtol=1e-4,
    )


def test_a_trajectory_that_fails_is_nan():
    # 2 A -> 3 A grows beyond all bounds at t = 1.
    problem = Problem(parse("2 A -> 3 A (k1)"), np.array([[1.0]]), np.array([1.0]), TIMES)
    found = work_precision.scipy_trajectory(problem, 0, "Radau", rtol=1e-6, atol=1e-9)
    assert np.isnan(found).all()


def test_random_problem_spans_the_range_and_follows_the_generator():
    mechanism = mechanisms.get("M10")
    draw = [
        work_precision.random_problem(mechanism, 500, np.random.default_rng(3)) for _ in range(2)
    ]
    constants = draw[0].rate_constants
    assert constants.shape == (500, 5)
    assert constants.min() > 1e-5 and constants.max() < 1e5
    assert constants.min() < 1e-4 and constants.max() > 1e4
    np.testing.assert_array_equal(constants, draw[1].rate_constants)
    start = dict(zip(mechanism.network.species, draw[0].initial, strict=True))
    assert start == {"S": 1.0, "cat": 0.05, "catS": 0.0, "P": 0.0, "I": 0.055, "dead": 0.0}


def test_unknown_method_is_named():
    problem = Problem(parse("A -> B"), np.ones((1, 1)), np.array([1.0, 0.0]), TIMES)
    with pytest.raises(ValueError, match=r"'CVODE'.*LSODA, BDF, Radau, kinetlib"):
        work_precision.solve(problem, "CVODE", 1e-6)
