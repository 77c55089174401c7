"""Designs for rate constants: information, exchange, the bound, and what estimators make of it."""

from itertools import combinations, product

import cvxpy
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib.experiments.bound import bound, branched
from kinetlib.experiments.d_optimal import d_optimal
from kinetlib.experiments.information import Information, information
from kinetlib.inference.curves import values_and_slopes, values_of
from kinetlib.inference.estimate import most_probable
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import Target
from kinetlib.kinetics import mechanisms
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment
from kinetlib.runs.sample import TRAIN
from studies.estimation_design.errors import unplanned_experiments

NOISE = Noise(0.02)
CANDIDATES = Candidates(
    loading=[0.01, 0.05, 0.05, 0.1, 0.1],
    substrate_0=[1.0, 1.0, 0.5, 1.0, 0.5],
    product_0=[0.0, 0.0, 0.5, 0.0, 0.5],
    times=np.linspace(0, 1, 9),
)


@pytest.fixture(scope="module", params=["M1", "M10"])
def prior(request):
    return draw_prior(request.param, 300, TRAIN, default_rng(1))


@pytest.fixture(scope="module")
def told(prior):
    return information(prior, CANDIDATES, prior.bank[:12], noise=NOISE)


def random_information(seed, draws=3, runs=4, times=4, p=2):
    rng = default_rng(seed)
    rows = rng.normal(size=(draws, runs, times, 2, p)) * rng.uniform(0.1, 3, (runs, times, 1, 1))
    rows[:, :, 0] = 0.0
    few = Candidates(np.full(runs, 0.05), np.ones(runs), np.zeros(runs), np.arange(float(times)))
    return Information(few, rows, np.eye(p))


def all_experiments(told, n_runs, n_times):
    rows = list(combinations(range(1, len(told.candidates.times)), n_times))
    for runs in combinations(range(len(told.candidates)), n_runs):
        for times in product(rows, repeat=n_runs):
            yield Experiment(runs, times)


# ---- information ---------------------------------------------------------------------------------


def test_slopes_are_derivatives_of_the_values(prior):
    x, step = prior.bank[:5], 3e-3
    values, slopes = values_and_slopes(prior.mechanism, CANDIDATES, x)
    np.testing.assert_allclose(values, values_of(prior.mechanism, CANDIDATES, x), rtol=0, atol=1e-5)
    for j, one in enumerate(np.eye(x.shape[1])):
        ends = [
            values_and_slopes(prior.mechanism, CANDIDATES, x + s * step * one)[0] for s in (1, -1)
        ]
        quotient = (ends[0] - ends[1]) / (2 * step)
        np.testing.assert_allclose(slopes[..., j], quotient, rtol=0, atol=2e-3)


def test_information_is_the_curvature_of_the_expected_log_likelihood(prior):
    """Kullback-Leibler divergence of the data at x + dx from those at x is dx F dx / 2."""
    x = prior.bank[:4]
    told = information(prior, CANDIDATES, x, noise=NOISE)
    whole = Experiment.common(range(5), range(1, 9))
    fisher = told.of(whole) - told.precision
    direction = np.full(x.shape[1], 1e-3)
    before, after = (
        whole.shown(values_of(prior.mechanism, CANDIDATES, moved)) for moved in (x, x + direction)
    )
    v, w = (NOISE.variance(values) for values in (before, after))
    divergence = (v / w - 1 + (before - after) ** 2 / w + np.log(w / v)).sum((1, 2, 3)) / 2
    expected = np.einsum("p,npq,q->n", direction, fisher, direction) / 2
    np.testing.assert_allclose(divergence, expected, rtol=0.1, atol=1e-6)


def test_more_is_told_by_more(told):
    fewer = Experiment.common([0, 2], [3, 5])
    more = Experiment.common([0, 2], [3, 5, 8])
    assert told.criterion(more) > told.criterion(fewer)
    assert told.efficiency(fewer, told.criterion(fewer)) == pytest.approx(1.0)
    assert told.efficiency(fewer, told.criterion(more)) < 1.0


def test_the_start_tells_nothing(told):
    assert not told.rows[:, :, 0].any()


def test_order_of_runs_and_draws_does_not_matter(told):
    one = Experiment((0, 3), ((1, 4), (2, 8)))
    other = Experiment((3, 0), ((2, 8), (1, 4)))
    assert told.criterion(one) == pytest.approx(told.criterion(other), rel=1e-12)
    assert told[::-1].criterion(one) == pytest.approx(told.criterion(one), rel=1e-12)


def test_a_floor_bounds_what_the_last_molecules_tell():
    """For A -> P the slope of ln A is -k t: a share of nothing would tell without end."""
    late = Candidates([0.1], [1.0], [0.0], [0.0, 1.0, 1e3, 1e5])
    x = np.log([[1e3, 1e-3, 1e3, 1e-3]])
    prior = Prior(mechanisms.get("M1"), TRAIN, default_rng(0).normal(size=(50, 4)), 1.0)
    told = information(prior, late, x, noise=NOISE)
    last = (told.rows[0, 0] ** 2).sum((-1, -2))
    assert last[3] <= last[1]


# ---- designs -------------------------------------------------------------------------------------


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=15)
def test_no_experiment_exceeds_the_bound(seed):
    told = random_information(seed)
    best = max(told.criterion(experiment) for experiment in all_experiments(told, 2, 2))
    limit = bound(told, 2, 2, steps=400, close=1e-3)
    assert limit.criterion >= best - 1e-9
    assert limit.reached <= limit.criterion
    assert told.criterion(d_optimal(told, 2, 2, default_rng(seed))) <= best + 1e-9


def test_exchange_mostly_finds_the_best():
    efficiencies = []
    for seed in range(20):
        told = random_information(seed)
        best = max(told.criterion(experiment) for experiment in all_experiments(told, 2, 2))
        found = d_optimal(told, 2, 2, default_rng(seed), starts=6)
        efficiencies.append(told.efficiency(found, best))
    assert np.median(efficiencies) > 0.9999
    assert min(efficiencies) > 0.9


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=5)
def test_bound_is_the_convex_relaxation_that_cvxpy_solves(seed):
    told = random_information(seed)
    runs, times = told.rows.shape[1:3]
    weights, taken = cvxpy.Variable((runs, times), nonneg=True), cvxpy.Variable(runs, nonneg=True)
    terms = []
    for rows in told.rows:
        total = told.precision + sum(
            weights[r, t] * (rows[r, t].T @ rows[r, t]) for r in range(runs) for t in range(times)
        )
        terms.append(cvxpy.log_det(total))
    limits = [weights[:, t] <= taken for t in range(times)]
    limits += [weights[:, 0] == 0, taken <= 1, cvxpy.sum(taken) == 2]
    limits += [cvxpy.sum(weights, axis=1) == 2 * taken]
    problem = cvxpy.Problem(cvxpy.Maximize(sum(terms) / len(terms)), limits)
    problem.solve(solver=cvxpy.CLARABEL)
    limit = bound(told, 2, 2, steps=3000, close=1e-4)
    assert limit.reached <= problem.value + 1e-4
    assert limit.criterion >= problem.value - 1e-4
    assert limit.criterion - problem.value < 0.02


@given(st.integers(0, 10_000), st.floats(0.02, 0.98))
@settings(deadline=None, max_examples=20)
def test_no_experiment_exceeds_the_bound_by_branching(seed, share):
    told = random_information(seed, runs=5)
    experiment = max(all_experiments(told, 2, 2), key=told.criterion)
    best, relaxed = told.criterion(experiment), bound(told, 2, 2)
    assume(relaxed.criterion - best > 1e-6)
    enough = best + share * (relaxed.criterion - best)  # between the best and the convex bound
    efficiency = float(np.exp((best - enough) / told.p))
    whole = branched(told, experiment, relaxed, efficiency=efficiency)
    assert best - 1e-9 <= whole.criterion <= relaxed.criterion + 1e-12
    assert whole.criterion <= enough + 1e-9 or whole.unresolved
    # It bounds whenever it ends, and no part that is added raises it.
    limits = [branched(told, experiment, relaxed, efficiency=efficiency, most=n) for n in range(6)]
    for one, more in zip(limits, [*limits[1:], whole], strict=True):
        assert best - 1e-9 <= more.criterion <= one.criterion + 1e-12


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=10)
def test_experiments_with_and_without_a_run_have_bounds_of_their_own(seed):
    told = random_information(seed, runs=5)
    limit = bound(told, 2, 2)
    with_run, without_run = np.full((2, 5), -np.inf)
    for experiment in all_experiments(told, 2, 2):
        value = told.criterion(experiment)
        done = np.isin(np.arange(5), experiment.runs)
        with_run = np.where(done, np.maximum(with_run, value), with_run)
        without_run = np.where(done, without_run, np.maximum(without_run, value))
    assert (limit.with_run >= with_run - 1e-9).all()
    assert (limit.without_run >= without_run - 1e-9).all()


def test_branching_closes_the_gap_that_runs_in_part_leave():
    """Five runs tell of one coordinate each; two of them, in part, tell of all five."""
    draws, runs = 2, 5
    rows = np.zeros((draws, runs, 3, 2, runs))
    for run in range(runs):
        rows[:, run, 1:, :, run] = 30.0
    few = Candidates(np.full(runs, 0.05), np.ones(runs), np.zeros(runs), np.arange(3.0))
    told = Information(few, rows, np.eye(runs))
    any_two = Experiment.common([0, 1], [1, 2])
    relaxed = bound(told, 2, 2, close=1e-4)
    assert told.efficiency(any_two, relaxed.criterion) < 0.1
    found = branched(told, any_two, relaxed, efficiency=0.99)
    assert told.efficiency(any_two, found.criterion) >= 0.99
    assert found.unresolved == 0 and found.parts > 1


def test_runs_that_are_all_done_leave_nothing_to_branch(told):
    experiment = Experiment.common(range(5), range(1, 9))
    found = branched(told, experiment, bound(told, 5, 8), efficiency=0.999)
    assert found.criterion == pytest.approx(told.criterion(experiment))
    assert found.unresolved == 0


def test_weights_of_the_bound_are_those_of_an_experiment(told):
    limit = bound(told, 3, 4)
    assert limit.weights.sum() == pytest.approx(12)
    assert (limit.weights > -1e-12).all() and (limit.weights < 1 + 1e-12).all()
    assert (limit.weights.sum(1) < 4 + 1e-9).all()


def test_planned_is_close_to_the_bound_and_better_than_unplanned(told):
    rng = default_rng(0)
    best = d_optimal(told, 3, 4, rng)
    limit = bound(told, 3, 4, start=best)
    # With so few candidates experiments in part, which the bound allows, are much better.
    assert 0.85 < told.efficiency(best, limit.criterion) <= 1.0
    assert len(best.runs) == 3 and best.points == 4
    for _ in range(20):
        drawn = Experiment(
            tuple(rng.choice(5, 3, replace=False).tolist()),
            tuple(tuple(rng.choice(8, 4, replace=False) + 1) for _ in range(3)),
        )
        assert told.criterion(drawn) <= told.criterion(best)


def test_no_exchange_gains(told):
    best = d_optimal(told, 2, 2, default_rng(0), starts=1)
    value = told.criterion(best)
    for place, (run, row) in enumerate(zip(best.runs, best.times, strict=True)):
        for gone, new in product(row, set(range(1, 9)) - set(row)):
            times = tuple(sorted({*row, new} - {gone}))
            assert told.criterion(best.exchanged(place, run, times)) <= value + 1e-8
        for other in set(range(5)) - set(best.runs):
            assert told.criterion(best.exchanged(place, other, row)) <= value + 1e-8


def test_designs_that_cannot_be(told):
    with pytest.raises(ValueError, match="expected 1 to 5 runs and 1 to 8 times"):
        d_optimal(told, 6, 2, default_rng(0))
    with pytest.raises(ValueError, match="got 2 runs and 9 times"):
        bound(told, 2, 9)
    with pytest.raises(ValueError, match="steps: expected 1 or more, got 0"):
        bound(told, 2, 2, steps=0)
    experiment, limit = Experiment.common([0, 1], [1, 2]), bound(told, 2, 2)
    with pytest.raises(ValueError, match="efficiency: expected a number between 0 and 1, got 1.0"):
        branched(told, experiment, limit, efficiency=1.0)


def test_unplanned_is_drawn_as_published():
    (experiment,) = unplanned_experiments(CANDIDATES, 4, 1, default_rng(2))
    substrate = CANDIDATES.substrate_0[list(experiment.runs)]
    loading = CANDIDATES.loading[list(experiment.runs)]
    assert substrate.tolist() == [1.0, 1.0, 1.0, 0.5]
    assert loading[3] in loading[:3]
    assert CANDIDATES.times[list(experiment.times[0])].tolist() == [0.25, 0.5, 0.75, 1.0]


# ---- estimators ----------------------------------------------------------------------------------


def test_noise_has_the_variance_it_says():
    values = np.tile([[0.0, 0.01, 0.5, 1.0]], (20_000, 1))
    data = NOISE.added(values, default_rng(0))
    np.testing.assert_allclose(data.var(0), NOISE.variance(values[0]), rtol=0.05)
    spread = NOISE.stabilised(data).std(0)
    np.testing.assert_allclose(spread, 1.0, rtol=0.05)


def test_fit_finds_what_the_data_pin():
    prior = draw_prior("M1", 1500, TRAIN, default_rng(3))
    whole = Experiment.common(range(5), range(1, 9))
    truth = prior.bank[-20:]
    exact = whole.shown(values_of(prior.mechanism, CANDIDATES, truth))
    little = Noise(1e-3, 1e-4)
    data = little.added(exact, default_rng(0))
    found = most_probable(Target(whole.measured(CANDIDATES, data), prior, little))
    # Not all constants matter in every draw; all must explain the data as well as the truth does.
    again = whole.shown(values_of(prior.mechanism, CANDIDATES, found.x))
    misfit = [
        ((little.stabilised(y) - little.stabilised(data)) ** 2).mean((1, 2, 3))
        for y in (again, exact)
    ]
    assert np.median(misfit[0] / misfit[1]) < 1.1
    pinned = found.deviation < 0.05
    assert pinned.sum() > 10
    assert np.median(np.abs(found.x - truth)[pinned]) < 0.05


def test_refuses_data_of_another_experiment():
    with pytest.raises(ValueError, match=r"data: expected shape \(n, 2, 3, 2\)"):
        Experiment.common([0, 1], [1, 2, 3]).measured(CANDIDATES, np.ones((4, 2, 2, 2)))
