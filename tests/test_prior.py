"""The density that the evidence integrates over is that of what the dataset draws."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.stats import ks_2samp, multivariate_normal, multivariate_t

from kinetlib.inference.prior import draw_prior
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Fingerprint
from kinetlib.runs.sample import TEST, TRAIN, accepted_sets, draw_samples

M = 4000


@pytest.fixture(scope="module")
def drawn():
    made = {}

    def draw(name):
        if name not in made:
            made[name] = draw_prior(name, M, TRAIN, default_rng([3, *name.encode()]))
        return made[name]

    return draw


# M5 ends in an avalanche, M8 lets a ligand go, M10 has an impurity, M20 the rarest fingerprint.
@pytest.mark.parametrize("name", ["M1", "M2", "M5", "M8", "M10", "M12", "M13", "M20"])
def test_bank_has_the_density(name, drawn):
    """E over the bank of q / p is the share of q that lies in the support, for any density q."""
    prior = drawn(name)
    rng = default_rng(4)
    centre = np.median(prior.bank, axis=0)
    centre = prior.bank[((prior.bank - centre) ** 2).sum(1).argmin()]
    q = multivariate_normal(centre, np.cov(prior.bank.T) / 4)
    density = prior.log_density(prior.bank)
    held = np.isfinite(density)  # but for a few at an edge
    ratio = np.where(held, np.exp(q.logpdf(prior.bank) - np.where(held, density, 0.0)), 0.0)
    inside = np.isfinite(prior.log_density(q.rvs(M, random_state=rng)))
    error = np.hypot(ratio.std(), inside.std()) / np.sqrt(M)
    # The share of the box that is accepted is known to 1 / sqrt(M).
    assert ratio.mean() == pytest.approx(
        inside.mean(), abs=4 * np.hypot(error, ratio.mean() / np.sqrt(M))
    )
    assert error < 0.1  # or the comparison would say little


@pytest.mark.parametrize("name", ["M1", "M9"])
def test_density_integrates_to_one(name, drawn):
    prior = drawn(name)
    q = multivariate_t(prior.bank.mean(0), 1.5 * np.cov(prior.bank.T), df=8, seed=5)
    x = q.rvs(20_000)
    weight = np.exp(prior.log_density(x) - q.logpdf(x))
    error = np.hypot(weight.std() / np.sqrt(len(x)), 1 / np.sqrt(M))
    assert weight.mean() == pytest.approx(1.0, abs=4 * error)
    # Moments of another kind of draws than the bank's.
    mean = (weight[:, None] * x).mean(0) / weight.mean()
    spread = (weight[:, None] * (x - mean)).std(0) / np.sqrt(len(x))
    spread = np.hypot(spread, prior.bank.std(0) / np.sqrt(M))
    assert np.abs((mean - prior.bank.mean(0)) / spread).max() < 4


@pytest.mark.parametrize("name", ["M3", "M10", "M14"])
def test_bank_is_drawn_as_samples_are(name, drawn):
    prior = drawn(name)
    mechanism = mechanisms.get(name)
    sets = accepted_sets(mechanism, 1000, TRAIN, default_rng(6))
    samples = draw_samples(mechanism, sets, 1, TRAIN, default_rng(7))
    scaled = np.log(samples.rate_constants * samples.horizon[:, None])
    for ours, theirs in zip(prior.bank.T, scaled.T, strict=False):
        assert ks_2samp(ours, theirs).pvalue > 1e-3
    assert prior.acceptance == pytest.approx(sets.accepted / sets.proposed, rel=0.2)


@pytest.mark.parametrize("name", ["M5", "M6", "M20"])
def test_bank_lies_in_the_support(name, drawn):
    prior = drawn(name)
    assert prior.may_hold(prior.bank).all()
    assert np.isfinite(prior.log_density(prior.bank)).mean() > 0.98


def test_impurity_is_uniform(drawn):
    prior = drawn("M10")
    at = np.tile(prior.bank[:1], (4, 1))
    at[:, -1] = np.log([0.02, 0.08, 0.009, 0.11])
    density = prior.log_density(at)
    assert density[1] - density[0] == pytest.approx(np.log(4))
    assert np.all(density[2:] == -np.inf) and not prior.may_hold(at[2:]).any()


def test_nothing_outside_the_box_or_the_fingerprint(drawn):
    prior = drawn("M9")
    wide = prior.bank[:1] + np.linspace(-8, 8, prior.n_constants)
    assert not prior.may_hold(wide).any() and prior.log_density(wide)[0] == -np.inf
    x = prior.bank[:50].copy()
    x[:, prior.mechanism.network.constants.index("k3")] -= 6  # no catalyst dies
    assert np.all(prior.log_density(x) == -np.inf)


def test_a_later_horizon_is_another_density(drawn):
    """All constants times the horizon: the reference run must be at 80 to 99 % at time 1."""
    prior = drawn("M1")
    assert np.all(prior.log_density(prior.bank[:50] + 4.0)[:, None] == -np.inf)
    assert np.all(prior.log_density(prior.bank[:50] - 4.0)[:, None] == -np.inf)


def test_threads_change_nothing(drawn):
    prior = drawn("M12")
    one, three = (prior.log_density(prior.bank[:300], threads=threads) for threads in (1, 3))
    assert np.array_equal(one, three)


def test_refuses_what_it_cannot_hold():
    mechanism = mechanisms.get("M9")
    late = Fingerprint(share=("cat",), conversion=0.95, range=(0.0, 0.5))
    with pytest.raises(ValueError, match="95 % conversion, expected none past"):
        draw_prior(replace(mechanism, fingerprint=(late,)), 10, TEST, default_rng(1))
    none = replace(mechanisms.get("M10"), others={"I": (0.0, 0.1)})
    with pytest.raises(ValueError, match="I starts in 0.0 to 0.1, expected a range above 0"):
        draw_prior(none, 10, TEST, default_rng(1))
