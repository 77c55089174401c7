"""The likelihood is the density of the dataset's noise about simulated runs."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.stats import norm

from kinetlib import simulate
from kinetlib.inference.prior import draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.runs import dataset, shards
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST

TIMES = np.array([0.0, 0.1, 0.3, 0.35, 0.8, 1.0])
LOADING = np.array([0.02, 0.05, 0.09])
SUBSTRATE_0 = np.array([1.0, 1.0, 0.6])


@pytest.fixture(scope="module")
def priors():
    return {name: draw_prior(name, 64, TEST, default_rng(2)) for name in ("M1", "M10")}


def exact(prior, x):
    """Curves of three runs by the public simulator, substrate and product, (3, 6) each."""
    n = prior.n_constants
    constants = dict(zip(prior.mechanism.network.constants, np.exp(x[:n]), strict=True))
    initial = {"S": SUBSTRATE_0, "P": 1.0 - SUBSTRATE_0, "cat": LOADING}
    initial |= dict(zip(prior.mechanism.drawn, np.exp(x[n:]), strict=True))
    runs = simulate(prior.mechanism.id, constants, initial, TIMES, rtol=1e-8, atol=1e-11)
    return [runs.concentration.sel(species=species).values for species in ("S", "P")]


def measured(prior, x, noise, seed=1):
    rng = default_rng(seed)
    values = [curve * (1 + noise * rng.standard_normal(curve.shape)) for curve in exact(prior, x)]
    return Runs(np.tile(TIMES, (3, 1)), *values, LOADING, SUBSTRATE_0, 1.0 - SUBSTRATE_0)


def target_of(runs, prior, noise):
    """Of exact simulations with relative noise."""
    return Target(runs, prior, Noise(noise, RESOLUTION))


@pytest.mark.parametrize("name", ["M1", "M10"])
@pytest.mark.parametrize("noise", [0.01, 0.3])
def test_density_is_that_of_relative_gaussian_noise(name, noise, priors):
    prior = priors[name]
    runs = measured(prior, prior.bank[0], noise)
    found = target_of(runs, prior, noise).log_likelihood(prior.bank[:2])
    for x, value in zip(prior.bank[:2], found, strict=True):
        curves = np.stack(exact(prior, x))[..., 1:]
        data = np.stack([runs.substrate, runs.product])[..., 1:]
        expected = norm.logpdf(data, curves, noise * curves).sum()
        assert value == pytest.approx(expected, rel=2e-3, abs=0.05)


def test_missing_values_leave_their_terms_away(priors):
    prior = priors["M1"]
    runs = measured(prior, prior.bank[0], 0.05)
    substrate = runs.substrate.copy()
    substrate[1, 2] = substrate[2, 5] = np.nan
    gappy = replace(runs, substrate=substrate)
    whole, less = (
        target_of(r, prior, 0.05).log_likelihood(prior.bank[:1])[0] for r in (runs, gappy)
    )
    curve = exact(prior, prior.bank[0])[0]
    terms = norm.logpdf(runs.substrate, curve, 0.05 * curve)
    assert whole - less == pytest.approx(terms[1, 2] + terms[2, 5], abs=1e-3)
    assert target_of(gappy, prior, 0.05).data.size == 28


def test_time_zero_says_nothing(priors):
    prior = priors["M1"]
    runs = measured(prior, prior.bank[0], 0.05)
    product = runs.product.copy()
    product[:, 0] = 7.0
    odd = replace(runs, product=product)
    one, other = (target_of(r, prior, 0.05).log_likelihood(prior.bank[:3]) for r in (runs, odd))
    assert np.array_equal(one, other)


def test_order_of_runs_and_points_does_not_matter(priors):
    prior = priors["M1"]
    runs = measured(prior, prior.bank[0], 0.05)
    rows, columns = [2, 0, 1], [3, 1, 5, 0, 4, 2]
    mixed = Runs(
        *(getattr(runs, name)[rows][:, columns] for name in ("time", "substrate", "product")),
        *(getattr(runs, name)[rows] for name in ("loading", "substrate_0", "product_0")),
    )
    one, other = (target_of(r, prior, 0.05).log_likelihood(prior.bank[:9]) for r in (runs, mixed))
    assert one == pytest.approx(other, abs=1e-9, rel=1e-9)


def test_residuals_count_in_units_of_the_noise(priors):
    prior = priors["M1"]
    runs = measured(prior, prior.bank[0], 1e-3)
    target = target_of(runs, prior, 1e-3)
    curves = target.curves(prior.bank[:1])
    expected = (curves - target.data) / (1e-3 * curves)
    assert target.residuals_of(curves) == pytest.approx(expected, rel=0.01, abs=1e-3)


def test_impossible_constants_have_no_likelihood(priors):
    prior = priors["M1"]
    target = target_of(measured(prior, prior.bank[0], 0.05), prior, 0.05)
    assert target.log_likelihood(prior.bank[:1] + np.array([0.0, 0.0, 9.0, -9.0]))[0] == -np.inf
    assert target.evaluations == 0  # outside the box nothing is simulated
    assert target.log_likelihood_of(np.full((1, target.data.size), np.nan))[0] == -np.inf


def test_posterior_is_likelihood_and_prior_where_it_matters(priors):
    prior = priors["M10"]
    target = target_of(measured(prior, prior.bank[0], 0.3), prior, 0.3)
    x = prior.bank[:20] + np.linspace(0.0, 0.5, prior.bank.shape[1])
    x[0] += np.linspace(0.0, 30.0, len(x[0]))
    likelihood, density = target.log_posterior(x)
    assert np.array_equal(likelihood, target.log_likelihood(x))
    assert likelihood[0] == density[0] == -np.inf
    assert np.array_equal(density[1:], prior.log_density(x[1:]))
    above = np.median(likelihood)
    _, some = target.log_posterior(x, above=above)
    assert np.array_equal(some, np.where(likelihood > above, density, -np.inf))


def test_reads_a_sample_of_a_dataset():
    shard = shards.build(shards.Plan("test", 5, 1, 1), 0)
    sample = dataset.with_noise(shard, 0.01, default_rng(1)).isel(sample=0)
    prior = draw_prior("M1", 16, TEST, default_rng(2))
    runs = Runs.of(sample.transpose("time", "run", ...))
    assert runs.time.shape == (4, 7) and runs.time.max() <= 1.0 + 1e-6
    truth = np.log(sample.rate_constants.dropna("constant") * sample.horizon).values
    names = [str(name) for name in sample.rate_constants.dropna("constant").constant.values]
    truth = truth[[names.index(name) for name in prior.mechanism.network.constants]]
    target = target_of(runs, prior, 0.01)
    squares = (target.residuals(truth[None]) ** 2).sum()
    assert 20 < squares < 90  # chi squared of 48 values
    assert np.isfinite(prior.log_density(truth[None]))[0]
    with pytest.raises(ValueError, match="no horizon"):
        Runs.of(sample.drop_vars("horizon"))
    with pytest.raises(ValueError, match="expected one sample of a dataset"):
        Runs.of(shard)


def test_refuses_reactions_that_were_not_measured_alike(priors):
    runs = measured(priors["M1"], priors["M1"].bank[0], 0.05)
    two = Runs(*(np.stack([value, value]) for value in vars(runs).values()))
    both = target_of(two, priors["M1"], 0.05)
    assert both.data.shape == (2, 30)
    assert np.array_equal(
        both.residuals(priors["M1"].bank[:2], np.array([1, 0]))[0],
        both.residuals(priors["M1"].bank[:1])[0],
    )
    later = replace(two, time=two.time * np.array([1.0, 2.0])[:, None, None])
    with pytest.raises(ValueError, match="time: expected the same for all 2 reactions"):
        target_of(later, priors["M1"], 0.05)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": np.zeros(5)}, "time: expected shape"),
        ({"substrate": np.zeros((3, 5))}, "substrate: expected the shape of time"),
        ({"loading": np.array([0.1, -0.1, 0.1])}, "loading: expected 3 concentrations"),
        ({"product_0": np.zeros(2)}, "product_0: expected 3 concentrations"),
        ({"time": np.tile(-TIMES, (3, 1))}, "time: expected finite times"),
        ({name: np.full((3, 6), np.nan) for name in ("substrate", "product")}, "no value after"),
    ],
)
def test_refuses_runs_that_are_none(change, message, priors):
    runs = measured(priors["M1"], priors["M1"].bank[0], 0.05)
    with pytest.raises(ValueError, match=message):
        replace(runs, **change).checked()


@pytest.mark.parametrize("noise", [0.0, -0.1, np.nan, np.inf])
def test_refuses_a_noise_that_is_none(noise):
    with pytest.raises(ValueError, match="noise: expected a positive share"):
        Noise(noise)
    with pytest.raises(ValueError, match="floor: expected a positive concentration"):
        Noise(0.1, noise)
