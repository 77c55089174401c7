"""Evidence: against brute force, against calibration by simulation, and what it must not mind."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.special import logsumexp

from kinetlib.inference.evidence import Effort, compare, evidence_of, fit, probabilities
from kinetlib.inference.prior import draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.kinetics import mechanisms
from kinetlib.runs import dataset, shards
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST, TRAIN

CHOSEN = ("M1", "M4", "M9")
SMALL = Effort(
    bank=1500, starts=8, steps=8, particles=300, kernels=200, draws=1500, fresh=800, rounds=4
)
TINY = replace(SMALL, bank=1000, particles=200, kernels=100, draws=1000, enough=50.0)


@pytest.fixture(scope="module")
def priors():
    names = (*CHOSEN, "M10")
    return {name: draw_prior(name, 4000, TEST, default_rng([8, *name.encode()])) for name in names}


def samples(n, noise, seed=11):
    catalogue = tuple(mechanisms.get(name) for name in CHOSEN)
    shard = shards.build(shards.Plan("test", seed, n, 1, catalogue=catalogue), 0)
    return dataset.with_noise(shard, noise, default_rng(seed))


def runs_of(mechanism, noise, which=0):
    shard = samples(2, noise)
    return Runs.of(shard.isel(sample=np.flatnonzero(shard.mechanism == mechanism)[which]))


def target_of(runs, prior, noise):
    """Of exact simulations with relative noise."""
    return Target(runs, prior, Noise(noise, RESOLUTION))


def targets(runs, priors, noise):
    return {name: target_of(runs, prior, noise) for name, prior in priors.items()}


@pytest.mark.parametrize("name", [*CHOSEN, "M10"])
@pytest.mark.parametrize("truth", ["M1", "M9"])
def test_evidence_is_the_mean_likelihood_of_the_prior(name, truth, priors):
    """Where noise is large, draws from the prior alone suffice."""
    noise = 0.3
    runs = runs_of(truth, noise)
    likelihood = target_of(runs, priors[name], noise).log_likelihood(priors[name].bank)
    expected = logsumexp(likelihood) - np.log(len(likelihood))
    weight = np.exp(likelihood - expected)
    found = evidence_of(target_of(runs, priors[name], noise), rng=default_rng(1), effort=SMALL)
    error = np.hypot(weight.std() / np.sqrt(len(weight)), found.standard_error)
    assert error < 0.4 and not found.given_up
    # The share of the box that is accepted is known to 1 / sqrt(bank), and not the same for both.
    assert found.log_evidence == pytest.approx(expected, abs=4 * np.hypot(error, 0.016))
    assert found.log_evidence <= found.best_log_likelihood
    assert found.tempered_log_evidence == pytest.approx(expected, abs=1.5)


def test_two_seeds_agree_at_small_noise(priors):
    runs = runs_of("M4", 0.02)
    one, other = (
        evidence_of(target_of(runs, priors["M4"], 0.02), rng=default_rng(seed), effort=SMALL)
        for seed in (1, 2)
    )
    error = np.hypot(one.standard_error, other.standard_error)
    assert error < 0.3 and one.log_evidence == pytest.approx(other.log_evidence, abs=4 * error)
    assert min(one.effective_sample_size, other.effective_sample_size) > 20
    assert 0 < one.largest_weight < 0.5
    again = evidence_of(target_of(runs, priors["M4"], 0.02), rng=default_rng(1), effort=SMALL)
    assert again == one


def test_order_of_runs_and_points_does_not_matter(priors):
    noise = 0.1
    runs = runs_of("M1", noise)
    rng = default_rng(3)
    rows, columns = rng.permutation(4), rng.permutation(7)
    mixed = Runs(
        *(getattr(runs, name)[rows][:, columns] for name in ("time", "substrate", "product")),
        *(getattr(runs, name)[rows] for name in ("loading", "substrate_0", "product_0")),
    )
    one, other = (
        evidence_of(target_of(r, priors["M1"], noise), rng=default_rng(1), effort=SMALL)
        for r in (runs, mixed)
    )
    error = np.hypot(one.standard_error, other.standard_error)
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=4 * error)


def test_value_that_is_missing_is_no_evidence(priors):
    """One value of many less changes little, and all of a run less is another run less."""
    runs = runs_of("M1", 0.1)
    keep = [0, 1, 3]
    substrate, product = runs.substrate.copy(), runs.product.copy()
    substrate[2], product[2] = np.nan, np.nan
    gappy = replace(runs, substrate=substrate, product=product)
    names = ("time", "substrate", "product", "loading", "substrate_0", "product_0")
    fewer = Runs(*(getattr(runs, name)[keep] for name in names))
    one, other = (
        evidence_of(target_of(r, priors["M1"], 0.1), rng=default_rng(1), effort=SMALL)
        for r in (gappy, fewer)
    )
    error = np.hypot(one.standard_error, other.standard_error)
    assert one.log_evidence == pytest.approx(other.log_evidence, abs=4 * error)


def test_descents_find_the_rate_constants(priors):
    runs = runs_of("M1", 0.001)
    found = fit(target_of(runs, priors["M1"], 0.001), rng=default_rng(1), effort=SMALL)
    assert np.all(np.diff(found.log_likelihood) <= 0)
    squares = (found.target.residuals(found.x[:1]) ** 2).sum()
    assert squares < 90  # chi squared of 48 values
    assert found.best >= found.best_held[0] > found.bank_log_likelihood.max()
    assert np.isfinite(priors["M1"].log_density(found.best_held[1][None]))[0]


def test_descents_do_not_stop_at_the_edge_of_the_box():
    """Constants near the edge: steps that leave the box must not end a descent."""
    mechanism = mechanisms.get("M14")
    shard = shards.build(shards.Plan("test", 9999, 3, 1, TRAIN, (mechanism,)), 0)
    sample = dataset.with_noise(shard, 0.01, default_rng(5)).isel(sample=0)
    prior = draw_prior(mechanism, 8000, TRAIN, default_rng(1))
    truth = [sample.rate_constants.sel(constant=name) for name in mechanism.network.constants]
    truth = np.log(np.array(truth, dtype=float) * float(sample.horizon))
    runs = Runs.of(sample)
    known = target_of(runs, prior, 0.01).log_likelihood(truth[None])[0]
    effort = Effort(bank=3000, starts=24)
    for seed in range(4):
        found = fit(target_of(runs, prior, 0.01), rng=default_rng(seed), effort=effort)
        assert found.best > known - 3.0


@pytest.mark.parametrize("truth", ["M1", "M9"])
def test_mechanisms_given_up_are_bounded(truth, priors):
    """What is given up has less evidence than the bound that it is given up with."""
    noise = 0.03
    runs = runs_of(truth, noise)
    chosen = {name: priors[name] for name in CHOSEN}
    whole = compare(targets(runs, chosen, noise), rng=default_rng(1), effort=SMALL, negligible=0.0)
    assert not any(found.given_up for found in whole.values())
    assert list(whole) == list(CHOSEN)
    # Give up all that cannot be as probable as the best: in the fits or on the way.
    for name in CHOSEN:
        top = max(found.log_evidence for found in whole.values())
        for at_least in (top + 40, whole[name].log_evidence + 20, -1e9):
            found = evidence_of(
                target_of(runs, chosen[name], noise),
                rng=default_rng(2),
                effort=SMALL,
                at_least=at_least,
            )
            if found.given_up:
                assert whole[name].log_evidence < found.log_evidence < at_least
                assert np.isnan([found.standard_error, found.effective_sample_size]).all()
            else:
                assert found.best_log_likelihood >= at_least - 10
        assert found.given_up == (at_least > found.log_evidence)
    quick = compare(targets(runs, chosen, noise), rng=default_rng(1), effort=SMALL, negligible=1e-3)
    assert probabilities(quick)[truth] == pytest.approx(probabilities(whole)[truth], abs=0.2)


def test_posterior_adds_up_to_one(priors):
    chosen = {name: priors[name] for name in CHOSEN}
    found = compare(targets(runs_of("M1", 0.3), chosen, 0.3), rng=default_rng(1), effort=SMALL)
    said = probabilities(found)
    assert list(said) == list(CHOSEN)
    assert sum(said.values()) == pytest.approx(1.0)
    ratio = said["M1"] / said["M4"]
    assert np.log(ratio) == pytest.approx(found["M1"].log_evidence - found["M4"].log_evidence)


def test_refuses_a_noise_that_is_none(priors):
    with pytest.raises(ValueError, match="noise: expected a positive share"):
        evidence_of(target_of(runs_of("M1", 0.1), priors["M1"], 0.0), rng=default_rng(1))


@pytest.mark.slow
def test_probabilities_hold_on_average(priors):
    """Over the prior, the truth has as much probability as all have of themselves.

    For probabilities that are right, the mean of p(truth) is the mean of the sum of p^2, whatever
    the samples; if they were too sure or not sure enough the two would differ.
    """
    noise = 0.1
    shard = samples(8, noise, seed=12)
    chosen = {name: priors[name] for name in CHOSEN}
    of_truth, expected, hits = [], [], 0
    for i in range(shard.sizes["sample"]):
        one = shard.isel(sample=i)
        truth = str(one.mechanism.values)
        found = compare(targets(Runs.of(one), chosen, noise), rng=default_rng([13, i]), effort=TINY)
        said = probabilities(found)
        of_truth.append(said[truth])
        expected.append(sum(p**2 for p in said.values()))
        hits += max(said, key=said.get) == truth
    difference = np.subtract(of_truth, expected)
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(len(difference)) + 0.01
    assert difference.std() / np.sqrt(len(difference)) < 0.1
    assert np.mean(of_truth) > 0.6 and hits > 0.7 * len(difference)
