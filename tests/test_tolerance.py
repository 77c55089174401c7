"""Absolute tolerances follow the concentrations: the unit they are written in does not matter."""

from functools import cache

import numpy as np
import pytest
import reference_kinetics
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import linprog
from test_kernels import NETWORKS, problem

from kinetlib import mechanism, simulate
from kinetlib.kinetics import kernels, mechanisms, tolerance
from kinetlib.kinetics.integrate import Status, integrate, solved
from kinetlib.kinetics.network import parse
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities

PROMISED = 1e-5  # of the maximum of each species
OWN = {"rtol": 4e-8, "own_maxima": True}  # as `simulate` has it
UNITS = (1e-9, 1e-6, 1e-3, 1.0, 1e3)
TIMES = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 60)])


def radau(network, k, start, times, maxima):
    """Solve by SciPy's Radau, errors relative to the maximum of each species: shape (T, S)."""
    found = solve_ivp(
        lambda t, y: network.rhs(y, k),
        (0.0, times[-1]),
        start,
        method="Radau",
        t_eval=times,
        rtol=1e-9,
        atol=np.maximum(1e-10 * maxima, 1e-300),
        jac=lambda t, y: network.jacobian(y, k),
    )
    assert found.success, found.message
    return found.y.T


def rescaled(network, k, start, unit):
    """Write a problem in units of concentration that are `unit` times as large numbers."""
    return k * float(unit) ** (1.0 - network.orders.sum(axis=1)), start * unit


@cache
def problems(name):
    """Sixty problems of the catalogue over ten decades of constants, some with little catalyst."""
    network, rng = NETWORKS[name], np.random.default_rng([3, *name.encode()])
    k = 10.0 ** rng.uniform(-5, 5, (60, len(network.reactions)))
    start = mechanisms.get(name).initial(0.1 * 10.0 ** rng.uniform(-5, 0, 60))
    return network, k, start


@given(st.floats(1e-15, 1e6))
@settings(deadline=None, max_examples=60)
def test_first_order_decay_at_any_scale(scale):
    times = np.linspace(0.0, 5.0, 21)
    found = integrate(parse("A -> B"), [1.0], [[scale, 0.0]], times)
    exact = scale * np.exp(-times)
    assert np.abs(found.concentration[0, :, 0] - exact).max() < PROMISED * scale
    assert np.abs(found.concentration[0, :, 1] - (scale - exact)).max() < PROMISED * scale


def test_decay_of_a_femtomolar_substance():
    run = simulate_text("A -> 0", {"k1": 0.3}, {"A": 1.5e-15}, np.linspace(0, 20, 30))
    exact = 1.5e-15 * np.exp(-0.3 * run.time)
    assert float(abs(run.concentration.sel(species="A") - exact).max()) < PROMISED * 1.5e-15


def simulate_text(text, constants, initial, times, **options):
    return simulate(mechanism(text), constants, initial, times, **options)


@pytest.mark.parametrize("name", ["M2", "M6", "M13"])
def test_every_species_is_right_beside_its_own_maximum(name):
    """SciPy's Radau, of another family and by other hands, in units of the substrate."""
    network, k, start = (array[:3] if i else array for i, array in enumerate(problems(name)))
    runs = [integrate(network, *rescaled(network, k, start, u), TIMES, **OWN) for u in UNITS]
    for i in range(3):
        maxima = runs[0].concentration[i].max(axis=0) / UNITS[0]
        expected = radau(network, k[i], start[i], TIMES, maxima)
        for run, unit in zip(runs, UNITS, strict=True):
            error = np.abs(run.concentration[i] / unit - expected).max(axis=0)
            assert (error <= PROMISED * expected.max(axis=0)).all()


@pytest.mark.parametrize("name", reference_kinetics.MECHANISMS)
def test_many_problems_in_five_units_agree_with_tight_ones(name):
    network, k, start = problems(name)
    maxima = integrate(network, k, start, TIMES, **OWN).concentration.max(axis=1)
    tight = kernels.kernel(network), k, start, TIMES[None], maxima, (1e-10, 1e-11, 10**6), None
    expected = solved(*tight)
    assert (expected.status == Status.SUCCESS).all()
    maxima = expected.concentration.max(axis=1, keepdims=True)
    for unit in UNITS:
        found = integrate(network, *rescaled(network, k, start, unit), TIMES, **OWN)
        assert (
            np.abs(found.concentration / unit - expected.concentration) <= PROMISED * maxima
        ).all()


# Of 40,000 drawn like these, three that are wrong by over 1e-5 at a relative tolerance of 2.5e-7.
HARD = {
    "M5": (3.2194620652854256e-05, {"k1": 4.1, "k-1": 0.012, "k2": 1.1, "k-2": 1100.0, "k3": 9.4e4,
                                    "k-3": 6.9e-4}),
    "M6": (0.004649006687139875, {"k3": 1500.0, "k1": 3.6e-5, "k-1": 1.5e-5, "k2": 27.0,
                                  "k-2": 8.4e4}),
    "M9": (2.432359155616853e-06, {"k1": 0.068, "k-1": 9.8e-4, "k2": 34.0, "k-2": 420.0,
                                   "k3": 1.5e-5}),
}  # fmt: skip


@pytest.mark.parametrize("name", HARD)
def test_draws_that_were_hardest(name):
    catalyst, constants = HARD[name]
    network, start = NETWORKS[name], mechanisms.get(name).initial(catalyst)
    k = np.array([constants[c] for c in network.constants])
    for unit in UNITS:
        moved, y = rescaled(network, k, start, unit)
        named = dict(zip(network.constants, moved, strict=True))
        run = simulate(name, named, dict(zip(network.species, y, strict=True)), TIMES)
        found = run.concentration.values / unit
        expected = radau(network, k, start, TIMES, found.max(axis=0))
        assert (np.abs(found - expected) <= PROMISED * expected.max(axis=0)).all()


def test_intermediates_of_robertson():
    """B comes to 3.6e-5 of what it could, and is gone at once."""
    text = "A -> B (k1 = 0.04); 2 B -> B + C (k2 = 3e7); B + C -> A + C (k3 = 1e4)"
    times = np.concatenate([[0.0], np.geomspace(1e-6, 1e10, 100)])
    run = simulate_text(text, {}, {"A": 1.0}, times)
    network = parse("A -> B; 2 B -> B + C; B + C -> A + C")
    k, maxima = np.array([0.04, 3e7, 1e4]), run.concentration.values.max(axis=0)
    expected = radau(network, k, np.array([1.0, 0.0, 0.0]), times, maxima)
    assert (np.abs(run.concentration.values - expected).max(axis=0) < PROMISED * maxima).all()
    assert maxima[1] == pytest.approx(3.6486574e-5, rel=1e-4)


# ---- the rule -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_reach_is_what_the_stoichiometry_allows(name):
    """Linear programming asks the same: as much of a species as any extents of reaction make."""
    network, rng = NETWORKS[name], np.random.default_rng(4)
    net = network.stoichiometry.T.astype(float)
    start = rng.uniform(0, 1, (3, len(network.species))) * (rng.random((3, net.shape[0])) < 0.7)
    start[:, 0] += 0.1
    found = tolerance._reach(network.bounding_sums.astype(float), start)
    for row, reach in zip(start, found, strict=True):
        for i in range(len(row)):
            most = linprog(-net[i], A_ub=-net, b_ub=row, bounds=[(0, None)] * net.shape[1])
            expected = row.max() if most.status == 3 else row[i] - most.fun  # 3: no bound
            assert reach[i] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", reference_kinetics.MECHANISMS)
def test_runs_of_the_catalogue_have_the_tolerance_they_always_had(name):
    network, rng = NETWORKS[name], np.random.default_rng(5)
    start = mechanisms.get(name).initial(rng.uniform(0.005, 0.2, 50), rng.uniform(0.2, 2.0, 50))
    assert tolerance.scales(network, start).tolist() == [[1.0] * start.shape[1]]
    k = 10.0 ** rng.uniform(-5, 5, (50, len(network.constants)))
    given, usual = (
        integrate(network, k, start, TIMES, **options) for options in ({"atol": 1e-9}, {})
    )
    assert given.concentration.tobytes() == usual.concentration.tobytes()
    assert given.n_steps.tolist() == usual.n_steps.tolist()


@given(st.floats(-14, 5), st.floats(-9, 0))
@settings(deadline=None)
def test_the_rule_has_no_jumps(size, share):
    """A little more of everything changes a tolerance little, and never by the other way."""
    network = NETWORKS["M1"]
    start = 10.0**size * np.array([[1.0, 10.0**share, 0.0, 0.0]])
    less, more = tolerance.scales(network, start), tolerance.scales(network, start * 1.01)
    assert (more >= less * (1 - 1e-12)).all() and (more <= 1.03 * less).all()
    reach = tolerance._reach(network.bounding_sums.astype(float), start)
    assert (tolerance.BASE * less <= 1e-6 * reach * (1 + 1e-12)).all()


def test_one_trajectory_does_not_change_another():
    network, (k, start, times) = NETWORKS["M2"], problem(NETWORKS["M2"], 40)
    mixed = start.copy()
    mixed[::2] *= 1e-7
    together = integrate(network, k, mixed, times, **OWN)
    apart = integrate(network, k[1::2], mixed[1::2], times, **OWN)
    assert together.concentration[1::2].tobytes() == apart.concentration.tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_no_number_fails_alone(bad):
    network, (k, start, times) = NETWORKS["M2"], problem(NETWORKS["M2"], 40)
    spoilt = start.copy()
    spoilt[7, 0] = bad
    found, good = (integrate(network, k, y, times, **OWN) for y in (spoilt, start))
    others = np.arange(40) != 7
    assert found.status[7] == Status.NOT_FINITE
    assert found.concentration[others].tobytes() == good.concentration[others].tobytes()


def test_output_times_change_no_value():
    network, (k, start, times) = NETWORKS["M2"], problem(NETWORKS["M2"], 40)
    many = integrate(network, k, start, times, **OWN)
    few = integrate(network, k, start, times[[0, -1]], **OWN)
    assert few.concentration.tobytes() == many.concentration[:, [0, -1]].copy().tobytes()


def test_a_tight_relative_tolerance_brings_an_absolute_one():
    network, k, start = problems("M1")
    found = integrate(network, k, start, TIMES, rtol=1e-9).concentration
    coarse, expected = (
        integrate(network, k, start, TIMES, rtol=rtol, atol=atol).concentration
        for rtol, atol in ((1e-9, 1e-9), (1e-11, 1e-15))
    )
    assert np.abs(found - expected).max() < 1e-9 < np.abs(coarse - expected).max()


@pytest.mark.parametrize("name", ["M1", "M13"])
def test_derivatives_at_any_scale(name):
    network, k, start = problems(name)
    unit = 2.0**-20
    usual = sensitivities(network, k, start, TIMES, wrt=(CONSTANTS, INITIAL), atol=1e-12)
    small = sensitivities(
        network, *rescaled(network, k, start, unit), TIMES, wrt=(CONSTANTS, INITIAL)
    )
    largest = 1.0 + np.abs(usual.initial).max((1, 2, 3), keepdims=True)
    assert np.abs(small.log_constants / unit - usual.log_constants).max() < 1e-4
    assert (np.abs(small.initial - usual.initial) < 1e-4 * largest).all()


def test_what_was_given_is_told_and_what_was_not():
    constants = {"k1": 10.0, "k-1": 1.0, "k2": 5.0, "k-2": 0.1}
    assert simulate("M1", constants, {}, [0.0, 1.0], atol=1e-8).atol == 1e-8
    told = simulate("M1", constants, {}, [0.0, 1.0])
    assert (told.rtol, told.atol) == (4e-8, "follows the maximum of each species")
