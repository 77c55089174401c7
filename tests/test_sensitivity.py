"""Tangents of trajectories are the derivatives they claim to be, by several other hands."""

import platform
from functools import cache, partial

import casadi
import numpy as np
import pytest
import radau_tangents
import reference_kinetics
from hypothesis import given, settings
from hypothesis import strategies as st
from test_kernels import NETWORKS, problem

from kinetlib.kinetics import kernels, native, wasm
from kinetlib.kinetics.integrate import Status, integrate
from kinetlib.kinetics.network import parse
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities

BOTH = (CONSTANTS, INITIAL)
TIMES = np.concatenate([[0.0], np.geomspace(1e-4, 100.0, 20)])
TIGHT = {"rtol": 1e-9, "atol": 1e-12}


@cache
def solved(name, n=60, rtol=1e-9):
    """Trajectories with rate constants over ten decades, some species absent at first."""
    network = NETWORKS[name]
    constants, initial, _ = problem(network, n)
    if name == "autocatalysis":  # from nothing on, what nothing makes of a trace has no bound
        initial[initial == 0.0] = 0.3
    found = sensitivities(network, constants, initial, TIMES, wrt=BOTH, rtol=rtol, atol=rtol / 1e3)
    assert (found.status == Status.SUCCESS).all()
    return network, constants, initial, found


# ---- by other hands ------------------------------------------------------------------------------


def quotient(curves, step=1e-3):
    """Differentiate at 0 by central differences, Richardson's: the error is of order four."""
    coarse, fine = ((curves(h) - curves(-h)) / (2 * h) for h in (step, step / 2))
    return (4 * fine - coarse) / 3


def tightly(network, constants, initial, times):
    return integrate(network, constants, initial, times, rtol=1e-11, atol=1e-14).concentration


@pytest.mark.parametrize("name", NETWORKS)
def test_constants_by_differences(name):
    network, constants, initial, found = solved(name)
    scale = 1.0 + found.concentration.max((1, 2), keepdims=True)
    for r, one in enumerate(np.eye(len(network.reactions))):
        expected = quotient(
            lambda h, one=one: tightly(network, constants * np.exp(h * one), initial, TIMES)
        )
        assert (np.abs(found.log_constants[..., r] - expected) < 1e-5 * scale).all()


@pytest.mark.parametrize("name", ["M1", "M5", "M20", "third order", "autocatalysis"])
def test_initial_concentrations_by_differences(name):
    network, constants, _, _ = solved(name)
    # Away from zero, where the rate law of a negative concentration would be asked.
    initial = np.random.default_rng(3).uniform(0.1, 1.0, (len(constants), len(network.species)))
    found = sensitivities(network, constants, initial, TIMES, wrt=INITIAL, **TIGHT)
    assert found.log_constants is None
    for j, one in enumerate(np.eye(len(network.species))):
        expected = quotient(
            lambda h, one=one: tightly(network, constants, initial + h * one, TIMES)
        )
        np.testing.assert_allclose(found.initial[..., j], expected, rtol=0, atol=1e-5)


def cvodes(name, constants, initial, times):
    """Solve by CVODES with its forward sensitivities, from the mechanism as typed a second time."""
    network = NETWORKS[name]
    x = casadi.SX.sym("x", len(network.species))
    log_k = casadi.SX.sym("log_k", len(network.constants))
    slope = reference_kinetics.rhs(
        reference_kinetics.MECHANISMS[name],
        {constant: casadi.exp(log_k[r]) for r, constant in enumerate(network.constants)},
        {species: x[i] for i, species in enumerate(network.species)},
    )
    problem = {"x": x, "p": log_k, "ode": casadi.vertcat(*slope.values())}
    options = {"reltol": 1e-9, "abstol": 1e-12, "max_num_steps": 100_000}
    solver = casadi.integrator("solver", "cvodes", problem, 0.0, list(times), options)
    given = casadi.MX.sym("given", len(network.constants))
    curves = solver(x0=initial, p=given)["xf"]
    both = casadi.Function("both", [given], [curves, casadi.jacobian(curves, given)])
    values, tangents = (np.array(found) for found in both(np.log(constants)))
    return values.T, tangents.reshape(len(times), len(network.species), -1)


@pytest.mark.parametrize("name", reference_kinetics.MECHANISMS)
def test_agrees_with_the_forward_sensitivities_of_cvodes(name):
    network, constants, initial, found = solved(name)
    for i in range(3):
        values, tangents = cvodes(name, constants[i], initial[i], TIMES[1:])
        np.testing.assert_allclose(found.concentration[i, 1:], values, rtol=0, atol=1e-7)
        np.testing.assert_allclose(found.log_constants[i, 1:], tangents, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["M1", "M5", "M20", "source", "catalyst", "one species"])
def test_agrees_with_the_general_integrator(name, monkeypatch):
    network, constants, initial, found = solved(name)
    monkeypatch.setattr(
        kernels, "tangent_kernel", lambda of: partial(radau_tangents.solve_block, of)
    )
    general = sensitivities(
        network, constants[:1], initial[:1], TIMES, wrt=BOTH, rtol=1e-7, atol=1e-10
    )
    assert general.status.tolist() == [Status.SUCCESS]
    for kind in ("concentration", "log_constants", "initial"):
        there, here = getattr(general, kind), getattr(found, kind)[:1]
        np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-5)


# ---- closed forms and identities -----------------------------------------------------------------


@given(st.floats(-5, 5), st.floats(0.1, 2.0))
@settings(deadline=None)
def test_decay(log_k, start):
    k = 10.0**log_k
    times = np.concatenate([[0.0], np.geomspace(1e-3, 30.0, 20)]) / k
    found = sensitivities(parse("A -> B"), [k], [[start, 0.2]], times, wrt=BOTH, **TIGHT)
    left = np.exp(-k * times)
    by_k = -start * k * times * left
    np.testing.assert_allclose(found.log_constants[0, :, 0, 0], by_k, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.log_constants[0, :, 1, 0], -by_k, rtol=0, atol=1e-8)
    expected = np.stack([np.stack([left, 0 * left]), np.stack([1 - left, 1 + 0 * left])])
    np.testing.assert_allclose(found.initial[0].transpose(1, 2, 0), expected, rtol=0, atol=1e-8)


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(deadline=None)
def test_reversible_first_order(log_k, log_back):
    k, back = 10.0**log_k, 10.0**log_back
    total = k + back
    times = np.concatenate([[0.0], np.geomspace(1e-3, 30.0, 20)]) / total
    found = sensitivities(parse("A <=> B"), [k, back], [[1.0, 0.0]], times, **TIGHT)
    left = np.exp(-total * times)
    # A = (back + k left) / total
    by_k = k * ((1 - k / total) * left / total - k * times * left / total - back / total**2)
    by_k[0] = 0.0
    by_back = back * (k / total**2 * (1 - left) - k * times * left / total)
    np.testing.assert_allclose(found.log_constants[0, :, 0, 0], by_k, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.log_constants[0, :, 0, 1], by_back, rtol=0, atol=1e-8)


def test_two_molecules_of_one_kind():
    # A = a / (1 + 2 k a t), whose derivative by ln k is -2 k a^2 t / (1 + 2 k a t)^2.
    k, a, times = 1.5, 0.8, np.linspace(0.0, 5.0, 21)
    found = sensitivities(parse("2 A -> B"), [k], [[a, 0.0]], times, wrt=BOTH, **TIGHT)
    share = 1 + 2 * k * a * times
    by_k = -2 * k * a**2 * times / share**2
    np.testing.assert_allclose(found.log_constants[0, :, 0, 0], by_k, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found.initial[0, :, 0, 0], 1 / share**2, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", NETWORKS)
def test_conserved_sums_change_with_their_beginning_alone(name):
    network, _, _, found = solved(name)
    laws = network.conservation_laws()
    by_constants = np.einsum("ls,ntsr->ntlr", laws, found.log_constants)
    by_initial = np.einsum("ls,ntsr->ntlr", laws, found.initial)
    scale = 1.0 + np.abs(found.initial).max(initial=0.0)
    assert np.abs(by_constants).max(initial=0.0) < 1e-9 * scale
    assert np.abs(by_initial - laws).max(initial=0.0) < 1e-9 * scale


@pytest.mark.parametrize("name", NETWORKS)
def test_all_constants_together_are_a_change_of_the_unit_of_time(name):
    network, constants, initial, found = solved(name)
    expected = quotient(lambda h: tightly(network, constants, initial, TIMES * np.exp(h)))
    scale = 1.0 + found.concentration.max((1, 2), keepdims=True)
    assert (np.abs(found.log_constants.sum(-1) - expected) < 1e-5 * scale).all()


# ---- accuracy at the default tolerance -----------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_error_at_the_default_tolerance(name):
    _, _, _, tight = solved(name)
    _, _, _, default = solved(name, rtol=1e-6)
    for kind, bound in (("log_constants", 2e-5), ("initial", 2e-4)):
        exact = getattr(tight, kind)
        scale = 1.0 + np.abs(exact).max((1, 2, 3), keepdims=True)
        assert (np.abs(getattr(default, kind) - exact) < bound * scale).all()


def test_tangents_are_resolved_where_the_values_stand_still():
    # A <=> B at its equilibrium: nothing moves, whatever the step, but the derivatives relax.
    times = np.linspace(0.0, 3.0, 7)
    network, start = parse("A <=> B"), [[0.5, 0.5]]
    found = sensitivities(network, [1.0, 1.0], start, times, wrt=BOTH)
    np.testing.assert_allclose(found.concentration, 0.5, rtol=0, atol=1e-12)
    expected = -0.25 * (1 - np.exp(-2 * times))
    np.testing.assert_allclose(found.log_constants[0, :, 0, 0], expected, rtol=0, atol=1e-6)
    by_own = 0.5 + 0.5 * np.exp(-2 * times)
    np.testing.assert_allclose(found.initial[0, :, 0, 0], by_own, rtol=0, atol=1e-6)
    untested = sensitivities(network, [1.0, 1.0], start, times, tested=False)
    assert untested.n_steps[0] < found.n_steps[0]


# ---- what must not change the result -------------------------------------------------------------


@pytest.mark.parametrize("wrt", [CONSTANTS, INITIAL, BOTH])
@pytest.mark.parametrize("name", ["M2", "M13", "third order"])
def test_concentrations_are_those_of_integrate_to_the_bit(name, wrt):
    network = NETWORKS[name]
    constants, initial, times = problem(network)
    plain = integrate(network, constants, initial, times)
    found = sensitivities(network, constants, initial, times, wrt=wrt, tested=False)
    assert found.concentration.tobytes() == plain.concentration.tobytes()
    assert found.n_steps.tolist() == plain.n_steps.tolist()


def test_what_else_is_asked_for_changes_no_bit():
    network, constants, initial, _ = solved("M8")
    options = {"tested": False} | TIGHT
    both = sensitivities(network, constants, initial, TIMES, wrt=BOTH, **options)
    alone = sensitivities(network, constants, initial, TIMES, wrt=CONSTANTS, **options)
    assert alone.initial is None
    assert np.array_equal(alone.log_constants, both.log_constants)
    other = sensitivities(network, constants, initial, TIMES, wrt=[INITIAL], **options)
    assert np.array_equal(other.initial, both.initial)


@given(st.lists(st.integers(0, 60), max_size=3), st.integers(1, 3))
@settings(deadline=None, max_examples=15)
def test_batch_and_threads_change_no_bit(cuts, threads):
    network, constants, initial, found = solved("M8")
    edges = [0, *sorted(cuts), 60]
    options = {"wrt": BOTH, "threads": threads} | TIGHT
    parts = [
        sensitivities(network, constants[a:b], initial[a:b], TIMES, **options)
        for a, b in zip(edges[:-1], edges[1:], strict=True)
    ]
    for kind in ("log_constants", "initial"):
        assert np.array_equal(
            np.concatenate([getattr(p, kind) for p in parts]), getattr(found, kind)
        )


def test_times_of_each_trajectory():
    network, constants, initial, found = solved("M2")
    own = np.tile(TIMES, (len(constants), 1))
    own[1::2] = TIMES[-1]
    some = sensitivities(network, constants, initial, own, wrt=BOTH, **TIGHT).log_constants
    assert np.array_equal(some[::2], found.log_constants[::2])
    assert np.array_equal(some[1::2], np.repeat(found.log_constants[1::2, -1:], len(TIMES), axis=1))


@pytest.mark.skipif(platform.machine() != "x86_64", reason="asks for registers of another width")
@pytest.mark.parametrize("registers", ["-mno-avx", "-mavx"])
def test_values_do_not_depend_on_the_width_of_registers(registers, tmp_path, monkeypatch):
    network, constants, initial, found = solved("M20")
    monkeypatch.setattr(native, "_folder", lambda: tmp_path)
    monkeypatch.setattr(kernels, "_ready", {})
    monkeypatch.setattr(wasm, "shipped", lambda code: None)
    monkeypatch.setattr(native, "_FOR_THIS_PROCESSOR", (registers,))
    monkeypatch.setattr(native, "_processor", lambda: registers)
    other = sensitivities(network, constants, initial, TIMES, wrt=BOTH, **TIGHT)
    assert len(list(tmp_path.iterdir())) == 1
    assert np.array_equal(other.log_constants, found.log_constants)
    assert np.array_equal(other.initial, found.initial)


# ---- limits and failures -------------------------------------------------------------------------


def test_a_constant_of_zero_has_no_derivative():
    network = parse("S + cat <=> catS (k1, k-1); catS -> P + cat (k2)")
    found = sensitivities(network, [3.0, 0.0, 2.0], [[1.0, 0.1, 0.0, 0.0]], TIMES)
    assert not found.log_constants[..., 1].any()
    assert np.abs(found.log_constants[..., [0, 2]]).max() > 0.1


@pytest.mark.parametrize("kernel", ["compiled", "general"])
def test_failures_are_values(kernel, monkeypatch):
    if kernel == "general":
        monkeypatch.setattr(
            kernels, "tangent_kernel", lambda of: partial(radau_tangents.solve_block, of)
        )
    # A' = A^2 is infinite at t = 1.
    found = sensitivities(parse("2 A -> 3 A"), [1.0], [[1.0]], [0.0, 0.5, 0.9, 1.5], wrt=BOTH)
    assert found.status.tolist() == [Status.STEP_UNDERFLOW]
    # A = 1 / (1/a - k t), so dA / d ln k = k t A^2 and dA / da = A^2 / a^2.
    np.testing.assert_allclose(found.log_constants[0, :3, 0, 0], [0.0, 2.0, 90.0], rtol=1e-2)
    np.testing.assert_allclose(found.initial[0, :3, 0, 0], [1.0, 4.0, 100.0], rtol=1e-2)
    assert np.isnan(found.log_constants[0, 3]).all() and np.isnan(found.initial[0, 3]).all()

    if kernel == "compiled":  # the general one takes minutes to see it
        # No B, and none is made; but a trace of it would grow to exp(1000) times as much.
        trace = sensitivities(parse("A + B -> 2 B"), [1.0], [[1.0, 0.0]], [1000.0], wrt=INITIAL)
        assert trace.status.tolist() == [Status.STEP_UNDERFLOW]
    bad = sensitivities(parse("A -> B"), [[np.nan], [1.0]], [[1.0, 0.0]] * 2, [0.0, 1.0])
    assert bad.status.tolist() == [Status.NOT_FINITE, Status.SUCCESS]
    assert np.isnan(bad.log_constants[0]).all() and np.isfinite(bad.log_constants[1]).all()
    short = sensitivities(parse("A -> B"), [1.0], [[1.0, 0.0]], [0.0, 9.0], max_steps=2)
    assert short.status.tolist() == [Status.STEP_BUDGET]
    assert not short.log_constants[0, 0].any() and np.isnan(short.log_constants[0, 1]).all()
    still = sensitivities(parse("A -> B"), [1.0], [[1.0, 0.0]], [0.0, 0.0], wrt=BOTH)
    assert still.n_steps.tolist() == [0]
    assert still.initial[0].tolist() == [np.eye(2).tolist()] * 2


@pytest.mark.parametrize("wrt", ["constant", (), ("constants", "time")])
def test_mistakes_of_the_caller(wrt):
    with pytest.raises(ValueError, match="wrt: expected 'constants', 'initial' or both"):
        sensitivities(parse("A -> B"), [1.0], [[1.0, 0.0]], [1.0], wrt=wrt)
    with pytest.raises(ValueError, match="initial: expected shape"):
        sensitivities(parse("A -> B"), [1.0], [1.0, 0.0], [1.0])
