"""Candidates, banks and experiments: a choice of columns is what a simulation would give."""

import numpy as np
import pytest

import kinetlib
from kinetlib.experiments.bank import simulate_bank
from kinetlib.fusion.features import run_inputs
from kinetlib.kinetics import mechanisms
from kinetlib.runs import plans
from kinetlib.runs.plans import Candidates, Experiment

FEW = [mechanisms.get(name) for name in ("M1", "M6", "M10")]


@pytest.fixture(scope="module")
def candidates():
    return Candidates([0.02, 0.05, 0.1], [1.0, 0.7, 1.0], [0.0, 0.3, 0.0], [0, 0.1, 0.5, 1.0])


@pytest.fixture(scope="module")
def made(candidates):
    return simulate_bank(FEW, 8, candidates, 5, unplanned=2, threads=1)


def test_a_bank_holds_every_candidate_of_every_parameter_set(made):
    bank, free = made
    assert bank.values.shape == (24, 3, 4, 2)
    assert bank.labels.tolist() == [0] * 8 + [1] * 8 + [2] * 8
    assert bank.values[:, :, 0, 0] == pytest.approx(np.tile([1.0, 0.7, 1.0], (24, 1)))
    assert bank.values[:, :, 0, 1] == pytest.approx(np.tile([0.0, 0.3, 0.0], (24, 1)))
    assert free.time.shape == (48, 4, 21)
    assert free.time.max() <= 1 and np.isfinite(free.substrate).all()


def test_values_are_those_of_a_simulation(candidates):
    """One parameter set of M1 by the public call, its horizon read off the reference run."""
    rng = np.random.default_rng(np.random.SeedSequence(5, spawn_key=(0,)))
    from kinetlib.runs.sample import TRAIN, accepted_sets, draw_samples

    sets = accepted_sets(FEW[0], 8, TRAIN, rng, threads=1)
    horizon = draw_samples(FEW[0], sets, 2, TRAIN, rng, threads=1).horizon[::2]
    bank, _ = simulate_bank(FEW, 8, candidates, 5, unplanned=2, threads=1)
    constants = dict(zip(FEW[0].network.constants, sets.rate_constants[3], strict=True))
    run = kinetlib.simulate(
        "M1", constants, {"S": 0.7, "P": 0.3, "cat": 0.05}, horizon[3] * candidates.times
    )
    seen = run.concentration.sel(species=["S", "P"]).values
    assert bank.values[3, 1] == pytest.approx(seen, abs=1e-6)


def test_what_is_measured_is_the_choice_with_relative_noise(made):
    bank, _ = made
    chosen = Experiment((2, 0), ((0, 1, 3), (0, 2, 3)))
    exact, noisy = bank.measured(chosen, 0.0), bank.measured(chosen, 0.02)
    assert exact.time[0] == pytest.approx(np.array([[0, 0.1, 1], [0, 0.5, 1]]), abs=1e-6)
    assert exact.loading[0].tolist() == pytest.approx([0.1, 0.02])
    assert (exact.substrate[:, 1, 1] == bank.values[:, 0, 2, 0]).all()
    assert (noisy.substrate[..., 0] == exact.substrate[..., 0]).all()
    relative = (noisy.substrate / np.maximum(exact.substrate, 1e-30) - 1)[exact.substrate > 0.01]
    assert 0.01 < relative.std() < 0.04
    again = bank.measured(Experiment.common((2,), (0, 3)), 0.02)
    assert (again.substrate[:, 0, 1] == noisy.substrate[:, 0, 2]).all()  # common random numbers


def test_the_network_reads_what_is_measured(made):
    read = run_inputs(made[0].measured(Experiment.common((0, 1), (0, 1, 2, 3)), 0.01))
    assert read["points"].shape == (24, 2, 4, 14)
    assert all(np.isfinite(values).all() for values in read.values())


def test_threads_and_seeds(candidates, made):
    again, free = simulate_bank(FEW, 8, candidates, 5, unplanned=2, threads=2)
    assert (again.values == made[0].values).all() and (again.noise == made[0].noise).all()
    assert (free.substrate == made[1].substrate).all()
    other, _ = simulate_bank(FEW, 8, candidates, 6, threads=1)
    assert (other.values != made[0].values).any()


def test_the_grid_of_the_book():
    candidates = plans.grid()
    assert len(candidates) == len(plans.LOADINGS) * len(plans.COMPOSITIONS)
    assert candidates.substrate_0 + candidates.product_0 == pytest.approx(np.ones(len(candidates)))
    on_grid = candidates.times * 100
    assert on_grid == pytest.approx(np.round(on_grid), abs=1e-9)
    for name, times in plans.schemes(6).items():
        assert len(times) == 6 and (np.diff(times) > 0).all(), name
        assert len(candidates.nearest(times)) == 6
    assert plans.schemes(20)[plans.EVEN] == pytest.approx(np.arange(1, 21) / 20)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Experiment((1, 1), ((0, 1), (0, 1))), "different runs"),
        (lambda: Experiment((), ()), "one or more"),
        (lambda: Experiment((1, 2), ((0, 1),)), "as many rows"),
        (lambda: Experiment((1, 2), ((0, 1), (0, 1, 2))), "sampled as often"),
        (lambda: Candidates([0.1], [1.0], [0.0, 0.1], [0, 1]), "product_0"),
        (lambda: Candidates([-0.1], [1.0], [0.0], [0, 1]), "loading"),
        (lambda: Candidates([0.1], [1.0], [0.0], [0.5, 1]), "expected 0 and times that rise"),
    ],
)
def test_what_is_no_experiment_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
