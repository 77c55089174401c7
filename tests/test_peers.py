"""Solvers by others compute the same, and say where they could not."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.network import parse
from studies.solvers import peers, work_precision
from studies.solvers.peers import NAMES, Problem

# One solver for all tests of a process, so that what it compiles for a network serves again.
SOLVERS = {}


def solver(name):
    """Return the solver of a name."""
    return SOLVERS.setdefault(name, peers.solver(name))


def problem_of(mechanism, n=4):
    """Return trajectories over six decades of rate constants, and what is exact."""
    rng = np.random.default_rng(1)
    times = np.array([0.0, 0.3, 1.0, 10.0, 40.0])
    problem = work_precision.random_problem(
        mechanisms.get(mechanism), n, rng, constants=(1e-3, 1e3), times=times
    )
    return problem, work_precision.reference(problem)


@pytest.mark.parametrize("mechanism", ["M5", "M8", "M13"])
def test_compiled_rate_law_is_that_of_the_network(mechanism):
    network = mechanisms.get(mechanism).network
    rng = np.random.default_rng(0)
    k, c = rng.uniform(0.1, 2.0, len(network.constants)), rng.uniform(size=len(network.species))
    rhs, jacobian = peers.rate_law(network, k)
    np.testing.assert_allclose(rhs(0.0, c), network.rhs(c, k), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(jacobian(0.0, c), network.jacobian(c, k), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mechanism", ["M1", "M8"])
def test_each_solver_agrees_with_the_reference_to_its_tolerance(name, mechanism):
    problem, exact = problem_of(mechanism)
    for rtol in (1e-4, 1e-8):
        found = solver(name)(problem, rtol)
        assert found.shape == exact.shape
        assert found.dtype == np.float64
        assert np.abs(found - exact).max() < 300 * rtol


# SciPy's LSODA does not come back from this one.
@pytest.mark.parametrize("name", [name for name in NAMES if name != "LSODA"])
def test_a_trajectory_that_fails_is_nan_and_the_next_one_is_not(name):
    # 2 A -> 3 A grows beyond all bounds at t = 1 / k.
    k, times = np.array([[1.0], [0.1]]), np.linspace(0.0, 3.0, 7)
    problem = Problem(parse("2 A -> 3 A (k1)"), k, np.array([1.0]), times)
    found = solver(name)(problem, 1e-6)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1, :, 0], 1.0 / (1.0 - 0.1 * times), rtol=1e-4)


@pytest.mark.parametrize("name", ["libRoadRunner", "diffrax"])
def test_what_was_compiled_serves_other_initial_concentrations(name):
    network, times = parse("A -> B (k1)"), np.linspace(0.0, 1.0, 3)
    for start in (1.0, 0.5):
        problem = Problem(network, np.array([[2.0]]), np.array([start, 0.0]), times)
        found = solver(name)(problem, 1e-8)[0, :, 0]
        np.testing.assert_allclose(found, start * np.exp(-2.0 * times), atol=1e-6)


def test_double_precision_stays_where_it_is_wanted():
    problem, _ = problem_of("M1", n=2)
    solver("diffrax")(problem, 1e-4)
    assert jax.numpy.ones(1).dtype == np.float32


def test_unknown_solver_is_named():
    with pytest.raises(ValueError, match=r"'ode45'.*LSODA, BDF, Radau, libRoadRunner"):
        peers.solver("ode45")


@pytest.mark.parametrize(
    ("name", "library"),
    [("libRoadRunner", "roadrunner"), ("scikit-sundae", "sksundae"), ("diffrax", "diffrax")],
)
def test_missing_library_is_named(name, library, monkeypatch):
    for module in [m for m in sys.modules if m.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ValueError, match=rf"{name} needs {library}.*kinetlib\[peers\]"):
        peers.solver(name)


@pytest.mark.parametrize("library", ["jax", "diffrax", "roadrunner", "sksundae", "antimony"])
def test_libraries_are_imported_when_asked_for(library):
    code = (
        "import sys, studies.solvers.work_precision; "
        f"studies.solvers.work_precision.METHODS; sys.exit({library!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_order_of_loading_that_ends_the_process_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    monkeypatch.delitem(sys.modules, "roadrunner")
    with pytest.raises(ValueError, match="before TensorFlow"):
        peers.solver("libRoadRunner")
