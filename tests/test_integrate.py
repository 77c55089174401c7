from functools import cache

import general_rodas
import numpy as np
import pytest
import reference_kinetics
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetlib import simulate
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import Status, integrate
from kinetlib.kinetics.network import parse

TIMES = np.concatenate([[0.0], np.geomspace(1e-4, 100.0, 30)])
ALL = list(reference_kinetics.MECHANISMS)


def random_batch(mechanism, n, seed):
    """Rate constants over ten decades and a range of loadings: arrays (n, R) and (n, S)."""
    rng = np.random.default_rng(seed)
    network = mechanism.network
    constants = 10.0 ** rng.uniform(-5, 5, (n, len(network.constants)))
    return constants, mechanism.initial(rng.uniform(0.01, 0.1, n))


@cache
def solved(name):
    """Four hundred trajectories of a mechanism: batch and solution."""
    mechanism = mechanisms.get(name)
    batch = random_batch(mechanism, 400, seed=ALL.index(name))
    return mechanism, *batch, integrate(mechanism.network, *batch, TIMES)


# ---- accuracy -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_agrees_with_an_independent_solver(name):
    mechanism, constants, initial, solution = solved(name)
    network = mechanism.network
    for i in range(4):
        reference = reference_kinetics.solve(
            reference_kinetics.MECHANISMS[name],
            dict(zip(network.constants, constants[i], strict=True)),
            dict(zip(network.species, initial[i], strict=True)),
            TIMES,
        )
        assert solution.status[i] == Status.SUCCESS
        np.testing.assert_allclose(solution.concentration[i], reference, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_no_failure_and_nothing_below_zero_over_ten_decades(name):
    _, _, _, solution = solved(name)
    assert (solution.status == Status.SUCCESS).all()
    assert np.isfinite(solution.concentration).all()
    assert solution.concentration.min() > -1e-8


@pytest.mark.parametrize("name", ALL)
def test_conservation_laws_hold_to_rounding(name):
    mechanism, _, initial, solution = solved(name)
    laws = mechanism.network.conservation_laws()
    expected = np.broadcast_to((initial @ laws.T)[:, None, :], (400, len(TIMES), len(laws)))
    np.testing.assert_allclose(solution.concentration @ laws.T, expected, rtol=0, atol=1e-9)


def test_first_order_decay():
    k = np.geomspace(1e-6, 1e6, 49)[:, None]
    times = np.concatenate([[0.0], np.geomspace(1e-7, 1e7, 60)])
    solution = integrate(parse("A -> B"), k, np.tile([2.0, 0.5], (49, 1)), times)
    exact = 2.0 * np.exp(-k * times)
    np.testing.assert_allclose(solution.concentration[..., 0], exact, rtol=0, atol=5e-6)
    np.testing.assert_allclose(solution.concentration[..., 1], 2.5 - exact, rtol=0, atol=5e-6)


def test_reversible_first_order():
    k, back = 3.0, 0.7
    times = np.linspace(0.0, 4.0, 33)
    solution = integrate(parse("A <=> B"), [k, back], [[1.0, 0.0]], times)
    exact = (back + k * np.exp(-(k + back) * times)) / (k + back)
    np.testing.assert_allclose(solution.concentration[0, :, 0], exact, rtol=0, atol=2e-6)


def test_second_order_loses_two_molecules():
    times = np.linspace(0.0, 5.0, 21)
    solution = integrate(parse("2 A -> B"), [1.5], [[0.8, 0.0]], times)
    exact = 0.8 / (1 + 2 * 1.5 * 0.8 * times)
    np.testing.assert_allclose(solution.concentration[0, :, 0], exact, rtol=0, atol=2e-6)


@pytest.mark.parametrize("rtol", [1e-3, 1e-5, 1e-7, 1e-9])
def test_error_follows_the_tolerance_also_between_steps(rtol):
    mechanism = mechanisms.get("M2")
    constants, initial = random_batch(mechanism, 50, seed=9)
    tight = integrate(mechanism.network, constants, initial, TIMES, rtol=1e-11, atol=1e-14)
    loose = integrate(mechanism.network, constants, initial, TIMES, rtol=rtol, atol=rtol * 1e-3)
    error = np.abs(loose.concentration - tight.concentration).max()
    assert 1e-4 * rtol < error < 5 * rtol


# ---- the method ---------------------------------------------------------------------------------

SMOOTH = parse("S + cat <=> catS (k1, k-1); catS <=> P + cat (k2, k-2); 2 cat <=> cat2 (k3, k-3)")
SMOOTH_CONSTANTS = np.array([3.0, 1.0, 2.0, 0.5, 1.5, 0.7])
SMOOTH_START = np.array([1.0, 0.6, 0.1, 0.0, 0.0])


def fixed_steps(n, end=1.0):
    """Take n equal Rodas4 steps: the end state, the embedded error and the middle of the first."""
    tables = general_rodas.tables_of(SMOOTH)
    size, h = len(SMOOTH_START), end / n
    y, y_new, work = SMOOTH_START.copy(), np.empty(size), np.empty(size)
    stages, lu, pivots = np.empty((6, size)), np.empty((size, size)), np.empty(size, dtype=np.int64)
    middle = np.empty(size)
    for step in range(n):
        general_rodas._iteration_matrix(
            *tables, SMOOTH_CONSTANTS, y, 1.0 / (general_rodas.GAMMA * h), lu
        )
        assert general_rodas._factorise(lu, pivots)
        general_rodas._stages(*tables, SMOOTH_CONSTANTS, y, h, lu, pivots, stages, y_new, work)
        if step == 0:
            general_rodas._dense_output(0.5, y, y_new, stages, middle)
            embedded = np.abs(stages[5]).max()
        y[:] = y_new
    return y, embedded, middle


def exact(time):
    solution = integrate(
        SMOOTH, SMOOTH_CONSTANTS, SMOOTH_START[None], [time], rtol=1e-13, atol=1e-15
    )
    return solution.concentration[0, 0]


def observed_order(errors):
    """Order from errors at steps that halve; the last pair is the most asymptotic."""
    return np.log2(np.array(errors[:-1]) / errors[1:])[-1]


def test_method_is_of_order_four():
    errors = [np.abs(fixed_steps(n)[0] - exact(1.0)).max() for n in (16, 32, 64)]
    assert observed_order(errors) == pytest.approx(4.0, abs=0.2)


def test_embedded_error_is_of_order_three():
    errors = [fixed_steps(1, end=h)[1] for h in (0.005, 0.0025, 0.00125)]
    assert observed_order(errors) == pytest.approx(4.0, abs=0.1)  # local, one more than global


def test_dense_output_is_of_order_three():
    errors = [np.abs(fixed_steps(1, h)[2] - exact(h / 2)).max() for h in (0.005, 0.0025, 0.00125)]
    assert observed_order(errors) == pytest.approx(4.0, abs=0.1)


def test_work_for_a_digit_is_that_of_order_four():
    tolerances = np.geomspace(1e-5, 1e-10, 6)
    runs = [
        integrate(SMOOTH, SMOOTH_CONSTANTS, SMOOTH_START[None], [1.0], rtol=tol, atol=tol)
        for tol in tolerances
    ]
    errors = [np.abs(run.concentration[0, 0] - exact(1.0)).max() for run in runs]
    steps = [int(run.n_steps[0]) for run in runs]
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert slope == pytest.approx(-4.0, abs=0.6)


@given(st.lists(st.floats(-1.0, 1.0), min_size=3, max_size=3))
@settings(deadline=None)
def test_jacobian_is_the_derivative_of_the_rate_law(state):
    # Also where concentrations are below zero; at zero itself the rate law may have a kink.
    y = np.where(np.abs(state) < 0.01, 0.01, state)
    network = parse("A + B -> C (k1); 2 A -> B (k2); A + B + C -> 0 (k3); C -> A (k4)")
    tables, k = general_rodas.tables_of(network), np.array([2.0, 3.0, 5.0, 7.0])
    matrix, plus, minus = np.empty((3, 3)), np.empty(3), np.empty(3)
    general_rodas._iteration_matrix(*tables, k, y, 0.0, matrix)
    for j in range(3):
        step = np.zeros(3)
        step[j] = 1e-3
        general_rodas._rhs(*tables, k, y + step, plus)
        general_rodas._rhs(*tables, k, y - step, minus)
        np.testing.assert_allclose(-matrix[:, j], (plus - minus) / 2e-3, rtol=0, atol=1e-9)
    if (y > 0).all():
        np.testing.assert_allclose(-matrix, network.jacobian(y, k), rtol=0, atol=1e-12)
        general_rodas._rhs(*tables, k, y, plus)
        np.testing.assert_allclose(plus, network.rhs(y, k), rtol=0, atol=1e-12)


def test_species_that_meet_in_pairs_are_not_driven_below_zero():
    # With the plain rate law -k A^2 a slightly negative A runs away: one in eight of these failed.
    network = parse("2 A -> B (k1); S -> A (k2)")
    rng = np.random.default_rng(1)
    constants = 10.0 ** rng.uniform(-5, 8, (400, 2))
    initial = np.repeat(10.0 ** rng.uniform(-3, 0, (400, 1)), 3, axis=1)
    times = np.geomspace(1e-3, 1e12, 30)
    solution = integrate(network, constants, initial, times, rtol=1e-3, atol=1e-6)
    assert (solution.status == Status.SUCCESS).all()
    assert solution.concentration.min() > -1e-5


# ---- what must not change the result -------------------------------------------------------------


@pytest.mark.parametrize("threads", [2, 3])
def test_number_of_threads_changes_no_bit(threads):
    mechanism, constants, initial, _ = solved("M8")
    one = integrate(mechanism.network, constants, initial, TIMES, threads=1)
    many = integrate(mechanism.network, constants, initial, TIMES, threads=threads)
    assert one.concentration.tobytes() == many.concentration.tobytes()
    assert one.n_steps.tolist() == many.n_steps.tolist()


@given(st.lists(st.integers(0, 150), max_size=4))
@settings(deadline=None, max_examples=15)
def test_splitting_the_batch_changes_no_bit(cuts):
    mechanism, constants, initial, solution = solved("M8")
    edges = [0, *sorted(cuts), 150]
    parts = [
        integrate(mechanism.network, constants[a:b], initial[a:b], TIMES).concentration
        for a, b in zip(edges[:-1], edges[1:], strict=True)
    ]
    assert np.concatenate(parts).tobytes() == solution.concentration[:150].tobytes()


def test_order_of_samples_changes_no_bit():
    mechanism, constants, initial, solution = solved("M20")
    order = np.random.default_rng(0).permutation(400)
    shuffled = integrate(mechanism.network, constants[order], initial[order], TIMES)
    assert shuffled.concentration.tobytes() == solution.concentration[order].tobytes()


def test_layout_of_the_arrays_changes_no_bit():
    mechanism, constants, initial, solution = solved("M3")
    fortran = integrate(
        mechanism.network,
        np.asfortranarray(constants),
        np.repeat(initial, 2, axis=0)[::2],
        np.tile(TIMES, (400, 1)),
    )
    assert fortran.concentration.tobytes() == solution.concentration.tobytes()


@pytest.mark.parametrize("name", ["M2", "M15"])
def test_unit_of_time_changes_nothing(name):
    mechanism, constants, initial, solution = solved(name)
    # A power of two scales every number of the computation exactly.
    binary = integrate(mechanism.network, constants * 1024, initial, TIMES / 1024)
    assert binary.concentration.tobytes() == solution.concentration.tobytes()
    assert binary.n_steps.tolist() == solution.n_steps.tolist()
    hours = integrate(mechanism.network, constants * 3600, initial, TIMES / 3600)
    np.testing.assert_allclose(hours.concentration, solution.concentration, rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", ["M2", "M15"])
def test_restart_from_the_middle_changes_little(name):
    mechanism, constants, initial, solution = solved(name)
    middle = 20
    rest = integrate(
        mechanism.network,
        constants,
        np.maximum(solution.concentration[:, middle], 0.0),
        TIMES[middle:] - TIMES[middle],
    )
    np.testing.assert_allclose(
        rest.concentration, solution.concentration[:, middle:], rtol=0, atol=5e-6
    )


def test_output_times_change_no_step():
    mechanism, constants, initial, solution = solved("M5")
    few = integrate(mechanism.network, constants, initial, TIMES[[0, 7, 30]])
    assert few.n_steps.tolist() == solution.n_steps.tolist()
    assert few.concentration.tobytes() == solution.concentration[:, [0, 7, 30]].tobytes()


# ---- output times --------------------------------------------------------------------------------


def test_equal_times_and_times_from_zero_on():
    network = parse("A -> B")
    times = [0.0, 0.0, 1.0, 1.0, 2.0, 2.0]
    c = integrate(network, [1.0], [[1.0, 0.0]], times).concentration[0]
    assert c[0].tolist() == c[1].tolist() == [1.0, 0.0]
    assert c[2].tolist() == c[3].tolist()
    assert c[4].tolist() == c[5].tolist()
    assert c[2, 0] == pytest.approx(np.exp(-1), abs=1e-6)


def test_first_time_after_zero():
    c = integrate(parse("A -> B"), [1.0], [[1.0, 0.0]], [3.0]).concentration
    assert c.shape == (1, 1, 2)
    assert c[0, 0, 0] == pytest.approx(np.exp(-3), abs=1e-6)


def test_only_time_zero_takes_no_step():
    solution = integrate(parse("A -> B"), [1.0], [[1.0, 0.0]], [0.0, 0.0])
    assert solution.status.tolist() == [Status.SUCCESS]
    assert solution.n_steps.tolist() == [0]
    assert solution.concentration[0].tolist() == [[1.0, 0.0], [1.0, 0.0]]


def test_each_trajectory_has_its_own_times():
    times = np.array([[0.0, 1.0, 2.0], [0.5, 0.6, 50.0]])
    c = integrate(parse("A -> B"), [0.3], np.tile([1.0, 0.0], (2, 1)), times).concentration
    np.testing.assert_allclose(c[..., 0], np.exp(-0.3 * times), rtol=0, atol=2e-6)


@given(st.floats(1e-12, 1e12))
@settings(deadline=None)
def test_last_step_lands_on_the_end(end):
    solution = integrate(parse("A <=> B"), [2.0, 1.0], [[1.0, 0.0]], [end / 3, end])
    assert solution.status.tolist() == [Status.SUCCESS]
    expected = (1 + 2 * np.exp(-3 * np.array([end / 3, end]))) / 3
    np.testing.assert_allclose(solution.concentration[0, :, 0], expected, rtol=0, atol=5e-6)


# ---- failure as a value --------------------------------------------------------------------------


def test_nothing_happens_without_constants_or_molecules():
    network = parse("S + cat <=> catS; catS -> P + cat")
    still = integrate(network, [0.0, 0.0, 0.0], [[1.0, 0.1, 0.2, 0.0]], [0, 1, 1e9])
    assert still.status.tolist() == [Status.SUCCESS]
    assert still.concentration[0].tolist() == [[1.0, 0.1, 0.2, 0.0]] * 3
    empty = integrate(network, [1.0, 2.0, 3.0], np.zeros((1, 4)), [0, 1, 1e9])
    assert empty.status.tolist() == [Status.SUCCESS]
    assert not empty.concentration.any()


def test_step_budget_bounds_the_work():
    mechanism, constants, initial, solution = solved("M8")
    budget = int(np.median(solution.n_steps))
    short = integrate(mechanism.network, constants, initial, TIMES, max_steps=budget)
    gave_up = solution.n_steps > budget
    assert 0 < gave_up.sum() < 400
    assert (short.status == np.where(gave_up, Status.STEP_BUDGET, Status.SUCCESS)).all()
    assert short.n_steps.max() == budget
    same = short.concentration == solution.concentration
    missing = np.isnan(short.concentration)
    # What was reached stays as it was; from the first output not reached on all is NaN.
    assert (same | missing).all()
    assert missing[gave_up, -1].all()
    assert not missing[~gave_up].any()
    assert (np.diff(missing.astype(int), axis=1) >= 0).all()


def test_growth_without_bound_is_a_status():
    # A' = A^2 is infinite at t = 1.
    solution = integrate(parse("2 A -> 3 A"), [1.0], [[1.0]], [0.0, 0.5, 0.9, 1.5])
    assert solution.status.tolist() == [Status.STEP_UNDERFLOW]
    assert solution.concentration[0, :3, 0] == pytest.approx([1.0, 2.0, 10.0], rel=1e-3)
    assert np.isnan(solution.concentration[0, 3]).all()


@pytest.mark.parametrize("text", ["A -> B", "2 A -> B", "2 A -> 3 A", "A + B <=> C; C -> D"])
@pytest.mark.parametrize("k", [1e20, 1e150, 1e300, 1.7e308])
def test_huge_constants_end_in_a_status(text, k):
    network = parse(text)
    constants = np.full(len(network.constants), k)
    solution = integrate(network, constants, np.ones((1, len(network.species))), [0.0, 1.0])
    assert solution.n_steps[0] < 2000
    assert solution.concentration[0, 0].tolist() == [1.0] * len(network.species)
    failed = solution.status[0] != Status.SUCCESS
    assert np.isnan(solution.concentration[0, 1]).all() == failed
    assert np.isfinite(solution.concentration[0, 1]).all() == (not failed)
    if k == 1e20:
        assert failed == (text == "2 A -> 3 A")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_finite_input_spoils_only_its_own_trajectory(bad):
    network = parse("A -> B")
    constants, initial = np.ones((4, 1)), np.tile([1.0, 0.0], (4, 1))
    times = np.tile([0.0, 1.0, 2.0], (4, 1))
    constants[0, 0] = bad
    initial[1, 1] = bad
    times[2, 2] = abs(bad)
    solution = integrate(network, constants, initial, times)
    assert solution.status.tolist() == [Status.NOT_FINITE] * 3 + [Status.SUCCESS]
    assert solution.n_steps[:3].tolist() == [0, 0, 0]
    assert np.isnan(solution.concentration[:3]).all()
    assert solution.concentration[3, 2, 0] == pytest.approx(np.exp(-2), abs=1e-6)


def test_empty_batch():
    solution = integrate(parse("A -> B"), np.empty((0, 1)), np.empty((0, 2)), [0.0, 1.0])
    assert solution.concentration.shape == (0, 2, 2)
    assert solution.status.shape == solution.n_steps.shape == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"initial": [1.0, 0.0]}, r"initial: expected shape \(n, 2\) for A, B, got \(2,\)"),
        ({"initial": [[1.0]]}, r"initial: expected shape \(n, 2\)"),
        ({"rate_constants": [[1.0], [1.0]]}, r"rate_constants: expected shape \(1, 1\) or \(1,\)"),
        ({"rate_constants": [1.0, 1.0]}, r"rate_constants.*for k1, got \(2,\)"),
        ({"times": 1.0}, r"times: expected shape \(T,\) or \(1, T\)"),
        ({"times": []}, "times: expected shape"),
        ({"times": [[0, 1], [0, 1]]}, r"times: expected shape .*got \(2, 2\)"),
        ({"times": [0, 2, 1]}, "do not fall"),
        ({"times": [-1, 1]}, "not negative"),
        ({"rtol": 0.0}, "rtol and atol must be positive"),
        ({"atol": -1.0}, "rtol and atol must be positive"),
        ({"atol": np.nan}, "rtol and atol must be positive"),
        ({"rtol": np.inf}, "rtol and atol must be positive"),
    ],
)
def test_mistakes_of_the_caller(change, message):
    arguments = {"rate_constants": [1.0], "initial": [[1.0, 0.0]], "times": [0.0, 1.0]} | change
    with pytest.raises(ValueError, match=message):
        integrate(parse("A -> B"), **arguments)


def test_the_callers_arrays_stay_as_they_were():
    constants, initial, times = np.ones((1, 1)), np.array([[1.0, 0.0]]), np.array([0.0, 1.0])
    integrate(parse("A -> B"), constants, initial, times)
    assert constants.tolist() == [[1.0]]
    assert initial.tolist() == [[1.0, 0.0]]
    assert times.tolist() == [0.0, 1.0]


def test_simulate_is_the_same_computation():
    mechanism, constants, initial, _ = solved("M8")
    names = mechanism.network.constants
    solution = integrate(mechanism.network, constants, initial, TIMES, rtol=4e-8, own_maxima=True)
    run = simulate(
        "M8",
        {name: constants[:, j] for j, name in enumerate(names)},
        {"cat": initial[:, mechanism.network.index("cat")]},
        TIMES,
    )
    assert run.concentration.values.tobytes() == solution.concentration.tobytes()
    assert run.n_steps.values.tolist() == solution.n_steps.tolist()
