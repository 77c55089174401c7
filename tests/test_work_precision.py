"""The comparison of solvers measures what it says."""

import json
import os
import threading

import numpy as np
import pytest

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.network import parse
from studies.solvers import work_precision
from studies.solvers.work_precision import METHODS, Problem

TIMES = np.linspace(0.0, 3.0, 7)


@pytest.fixture
def decay():
    """Two trajectories of A -> B with a known solution."""
    return Problem(parse("A -> B (k1)"), np.array([[0.5], [2.0]]), np.array([1.0, 0.0]), TIMES)


def exact(problem):
    """A(t) and B(t) of the decay, shape (n, T, 2)."""
    left = np.exp(-problem.rate_constants * TIMES)
    return np.stack([left, 1.0 - left], axis=-1)


def test_reference_is_exact_to_its_tolerance(decay):
    np.testing.assert_allclose(work_precision.reference(decay), exact(decay), rtol=0, atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_each_method_solves_the_problem(decay, method):
    concentration, seconds = work_precision.solve(decay, method, 1e-8)
    np.testing.assert_allclose(concentration, exact(decay), rtol=0, atol=1e-6)
    assert seconds > 0


def test_measured_error_is_the_largest_deviation_and_falls_with_the_tolerance(decay):
    measured = work_precision.measure(decay, [1e-2, 1e-8])
    assert dict(measured.sizes) == {"solver": 6, "rtol": 2, "trajectory": 2}
    assert (measured.error.sel(rtol=1e-8) < measured.error.sel(rtol=1e-2)).all()
    concentration, _ = work_precision.solve(decay, "kinetlib", 1e-2)
    np.testing.assert_allclose(
        measured.error.sel(solver="kinetlib", rtol=1e-2),
        np.abs(concentration - exact(decay)).max((1, 2)),
        rtol=1e-4,
    )


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


def test_unknown_method_is_named(decay):
    for call in (work_precision.solve, work_precision.alone):
        with pytest.raises(ValueError, match=r"'CVODE'.*LSODA, BDF, Radau, .*, kinetlib"):
            call(decay, "CVODE", 1e-6)


def test_preparation_is_what_only_the_first_call_takes():
    # A network of its own: diffrax has not compiled it for another test.
    problem = Problem(parse("A -> B (k9)"), np.array([[0.5]]), np.array([1.0, 0.0]), TIMES)
    measured = work_precision.measure(problem, [1e-4], ["LSODA", "diffrax"])
    compiling = measured.preparation.sel(solver="diffrax")
    assert compiling > 10 * measured.seconds.sel(solver="diffrax", rtol=1e-4)
    assert (measured.preparation >= 0).all()


@pytest.mark.parametrize("method", ["LSODA", "kinetlib"])
def test_single_trajectories_are_timed_one_by_one(decay, method):
    seconds = work_precision.alone(decay, method, 1e-6)
    assert seconds.shape == (2,)
    assert (seconds > 0).all()


def test_a_method_that_fails_is_counted_and_the_rest_measured(capfd):
    # 2 A -> 3 A grows beyond all bounds at t = 1 / (k A), the second trajectory before t = 3.
    problem = Problem(
        parse("2 A -> 3 A (k1)"), np.array([[0.1], [0.9]]), np.array([1.0]), np.linspace(0, 3, 4)
    )
    exact = 1.0 / (1.0 - problem.rate_constants * problem.times)
    methods = ["Radau", "libRoadRunner", "scikit-sundae", "kinetlib"]
    measured = work_precision.measure(problem, [1e-6], methods, exact=exact[:, :, None])
    assert measured.error.isel(trajectory=0).max() < 1e-4
    assert measured.error.isnull().values.tolist() == [[[False, True]]] * 4
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="macOS cannot")
def test_one_core_holds_every_thread_and_lets_go():
    before = os.sched_getaffinity(0)
    stop = threading.Event()
    older, younger = (threading.Thread(target=stop.wait) for _ in range(2))
    older.start()
    with work_precision.one_core() as pinned:
        younger.start()
        assert pinned
        held = [os.sched_getaffinity(t.native_id) for t in (older, younger)]
        assert held == [os.sched_getaffinity(0)] * 2
        assert len(held[0]) == 1
    free = [os.sched_getaffinity(t.native_id) for t in (older, younger)]
    stop.set()
    assert [*free, os.sched_getaffinity(0)] == [before] * 3


def test_without_affinity_nothing_is_pinned(monkeypatch):
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    with work_precision.one_core() as pinned:
        assert not pinned


def curve(errors, factor=1.0):
    """Seconds of a method of order 4: time grows with error to the -1/4."""
    return np.asarray(errors), factor * np.asarray(errors) ** -0.25


def test_equal_error_finds_the_ratio_of_known_curves():
    ours, theirs = curve([1e-9, 1e-6, 1e-3]), curve([1e-4, 1e-7], factor=7.0)
    found = work_precision.equal_error(theirs, ours)
    np.testing.assert_array_equal(found.error, [1e-4, 1e-7])
    np.testing.assert_allclose(found.ratio, 7.0)
    np.testing.assert_allclose(found.common, (1e-7, 1e-4))
    there = work_precision.equal_error(theirs, ours, at=[3e-6])
    np.testing.assert_allclose(there.ratio, 7.0)


def test_equal_error_does_not_extrapolate():
    ours, theirs = curve([1e-6, 1e-3]), curve([1e-8, 1e-4], factor=2.0)
    found = work_precision.equal_error(theirs, ours)
    np.testing.assert_allclose(found.ratio, [np.nan, 2.0])
    apart = work_precision.equal_error(curve([1e-9, 1e-8]), ours)
    assert apart.common is None
    assert np.isnan(apart.ratio).all()


def test_equal_error_leaves_out_what_is_slower_and_worse():
    errors, seconds = curve([1e-8, 1e-6, 1e-4])
    worse = np.append(errors, [1e-5, 1e-3]), np.append(seconds, [500.0, 400.0])
    found = work_precision.equal_error(worse, (errors, seconds), at=[1e-5, 1e-3])
    np.testing.assert_allclose(found.ratio, [1.0, np.nan])


def test_equal_error_passes_over_failures_and_refuses_nothing_else():
    found = work_precision.equal_error(([np.nan, 1e-4, 0.0], [1.0, 1.0, 1.0]), curve([1e-5, 1e-3]))
    assert np.isfinite(found.ratio).tolist() == [False, True, False]
    with pytest.raises(ValueError, match="no point to compare at"):
        work_precision.equal_error(([np.nan], [1.0]), curve([1e-5]))


@pytest.mark.slow
def test_the_bench_leaves_its_records(tmp_path, monkeypatch):
    from studies.solvers import steps, study, tolerances

    few = {"M1": mechanisms.get("M1")}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: few)
    sizes = {"MECHANISMS": ("M1",), "BATCH": 100, "REPEATS": 1}
    kinds = ("threads", "processes", "threads_fastest", "processes_fastest")
    for name, value in {**sizes, "scaling": lambda _: dict.fromkeys(kinds, 1.0)}.items():
        monkeypatch.setattr(steps, name, value)
    study._measured(tmp_path, "integrators", {"sets": 1, "tolerances": [1e-4]})
    study._measured(tmp_path, "steps", {})
    monkeypatch.setattr(tolerances, "REPEATS", 1)
    study._measured(tmp_path, "tolerances", {"sets": 20, "seed": 1})
    made = {path.name: path for path in tmp_path.iterdir()}
    assert set(made) == {f"integrators.{end}" for end in ("json", "png", "svg")} | {
        "steps.json",
        "tolerances.json",
    }
    names = ("integrators", "steps", "tolerances")
    integrators, variants, ways = (json.loads(made[f"{name}.json"].read_text()) for name in names)
    assert {"kinetlib, one core", "SciPy LSODA"} <= {row["solver"] for row in integrators["rows"]}
    assert [row["variant"] for row in variants["rows"]] == [one.name for one in steps.VARIANTS]
    kept = [row["above"] for row in ways["rows"] if row["way"] == tolerances.OWN]
    assert kept == [0, 0] and len(ways["rows"]) == 6
    assert {"processor", "commit", "versions"} <= set(integrators) & set(variants) & set(ways)
