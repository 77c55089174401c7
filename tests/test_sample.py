"""Parameter sets, initial conditions, times: what the definition of the dataset promises."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from scipy.stats import ks_2samp

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import integrate
from kinetlib.runs import sample
from kinetlib.runs.sample import LABORATORY, TEST, TRAIN, Design


def test_constants_are_log_uniform_with_three_figures():
    values = sample.propose(mechanisms.get("M8"), 4000, TRAIN, default_rng(1))
    assert values.shape == (4000, 6)
    assert np.all((values >= 1e-3) & (values <= 1e3))
    assert np.allclose(np.log10(values).mean(), 0.0, atol=0.05)
    assert np.allclose(
        np.histogram(np.log10(values), 6, (-3, 3))[0] / values.size, 1 / 6, atol=0.01
    )
    assert all(float(f"{v:.3g}") == v for v in values.ravel()[:2000])


@pytest.mark.parametrize("name", ["M1", "M3", "M10"])
def test_accepted_sets_carry_the_fingerprint(name):
    mechanism = mechanisms.get(name)
    sets = sample.accepted_sets(mechanism, 40, TRAIN, default_rng(2))
    again = sample.reference_runs(mechanism, sets.rate_constants, sets.times)
    assert sets.rate_constants.shape[0] == 40
    assert mechanism.accepts(again).all()
    assert sets.proposed >= sets.accepted >= 40
    assert np.allclose(sets.progress[:, 0], 0.0) and np.allclose(sets.progress[:, -1], 1.0)


@pytest.mark.parametrize("name", [m.id for m in mechanisms.catalogue().values() if m.necessary])
def test_necessary_ratios_change_nothing_but_the_work(name, monkeypatch):
    """Without them the same sets are accepted, bit for bit: the distribution is the same."""
    mechanism = mechanisms.get(name)
    runs = []

    def counted(network, rate_constants, *arguments, **options):
        runs.append(len(rate_constants))
        return integrate(network, rate_constants, *arguments, **options)

    monkeypatch.setattr(sample, "integrate", counted)
    screened = sample.accepted_sets(mechanism, 200, TRAIN, default_rng(7))
    fewer, runs = sum(runs), []
    plain = replace(mechanism, necessary=())
    unscreened = sample.accepted_sets(plain, 200, TRAIN, default_rng(7))
    assert np.array_equal(screened.rate_constants, unscreened.rate_constants)
    assert np.array_equal(screened.progress, unscreened.progress)
    assert screened.proposed == unscreened.proposed == sum(runs)
    assert fewer < 0.7 * sum(runs)


def test_batches_do_not_bias_what_is_accepted():
    """The first m accepted of a stream follow the same law, whatever batches they came in."""
    mechanism = mechanisms.get("M9")
    singly = [
        sample.accepted_sets(mechanism, 1, TRAIN, default_rng([8, i])).rate_constants[0]
        for i in range(300)
    ]
    together = sample.accepted_sets(mechanism, 3000, TRAIN, default_rng(9)).rate_constants
    for one, other in zip(np.array(singly).T, together.T, strict=True):
        assert ks_2samp(one, other).pvalue > 1e-3


def test_reference_times_follow_the_range_of_constants():
    wide = sample.reference_times(Design(constants=(1e-5, 1e5)))
    assert wide[0] == 0 and wide[1] == pytest.approx(1e-6) and wide[-1] == pytest.approx(1e9)
    narrow = sample.reference_times(TRAIN)
    assert np.diff(np.log(narrow[1:])).max() < np.log(10) / 15.5
    assert len(narrow) < len(wide)


def test_a_fingerprint_nothing_carries_is_refused_in_finite_time():
    rule = mechanisms.Fingerprint(share=("catS",), conversion=0.5, range=(0.999, 1.0))
    template = mechanisms.get("M1")
    impossible = mechanisms.Mechanism(
        "M99",
        "never",
        "core",
        template.network,
        {},
        (rule, rule.model_copy(update={"share": ("cat",)})),
    )
    with pytest.raises(ValueError, match="M99: 0 of [0-9]+ parameter sets"):
        sample.accepted_sets(impossible, 1, TRAIN, default_rng(0))


@pytest.fixture(
    scope="module", params=[TRAIN, TEST, LABORATORY], ids=["train", "test", "laboratory"]
)
def drawn(request):
    mechanism = mechanisms.get("M9")
    sets = sample.accepted_sets(mechanism, 20, request.param, default_rng(3))
    return (
        request.param,
        sets,
        sample.draw_samples(mechanism, sets, 3, request.param, default_rng(4)),
    )


def test_shapes_and_order(drawn):
    design, sets, samples = drawn
    assert samples.runs.time.shape == (60, 4, design.n_times + 1)
    assert samples.runs.loading.shape == samples.runs.substrate_0.shape == (60, 4)
    assert np.array_equal(samples.rate_constants[::3], sets.rate_constants)


def test_initial_conditions_follow_the_design(drawn):
    design, _, samples = drawn
    assert np.all(np.diff(samples.runs.loading[:, :3], axis=1) >= 0)
    low, high = np.array(design.loadings).T
    assert np.all((samples.runs.loading[:, :3] >= low) & (samples.runs.loading[:, :3] <= high))
    assert np.all((samples.runs.loading[:, 3:] == samples.runs.loading[:, :3]).any(1))
    assert np.all(samples.runs.substrate_0[:, :3] == 1.0) and np.all(
        samples.runs.product_0[:, :3] == 0.0
    )
    fourth = samples.runs.substrate_0[:, 3]
    assert np.all((fourth >= design.substrate[0]) & (fourth <= design.substrate[1]))
    added = samples.runs.product_0[:, 3] / (1 - fourth)
    assert np.all(
        (added >= design.added_product[0] - 1e-12) & (added <= design.added_product[1] + 1e-12)
    )
    assert np.array_equal(samples.runs.substrate[..., 0], samples.runs.substrate_0)
    assert np.array_equal(samples.runs.product[..., 0], samples.runs.product_0)


def test_times_are_distinct_points_of_the_grid(drawn):
    design, _, samples = drawn
    assert np.all(samples.runs.time[..., 0] == 0)
    assert np.all(np.diff(samples.runs.time, axis=-1) > 0)
    if design.span == (1.0, 1.0):
        grid = samples.runs.time[..., 1:] / samples.horizon[:, None, None] * design.n_grid
        assert np.allclose(grid, np.round(grid), atol=1e-9) and grid.max() <= design.n_grid + 1e-9


def test_horizon_is_where_the_reference_run_reaches_its_share(drawn):
    design, sets, samples = drawn
    which = np.repeat(np.arange(20), 3)
    reached = [
        np.interp(h, sets.times, p)
        for h, p in zip(samples.horizon, sets.progress[which], strict=True)
    ]
    assert np.all(
        (np.array(reached) > design.horizon[0] - 1e-6)
        & (np.array(reached) < design.horizon[1] + 1e-6)
    )


def test_no_substrate_is_lost_beyond_what_the_catalyst_holds(drawn):
    _, _, samples = drawn
    total = (samples.runs.substrate_0 + samples.runs.product_0)[..., None]
    bound = total - samples.runs.substrate - samples.runs.product
    assert bound.min() > -1e-8
    assert np.all(bound <= samples.runs.loading[..., None] + 1e-8)


def test_an_impurity_is_one_value_a_sample():
    mechanism = mechanisms.get("M10")
    sets = sample.accepted_sets(mechanism, 5, TRAIN, default_rng(5))
    same = Design(loadings=((0.05, 0.05),) * 3, substrate=(1.0, 1.0), n_times=99, n_grid=100)
    samples = sample.draw_samples(mechanism, sets, 2, same, default_rng(6))
    # Four runs with equal loading and substrate are one run, so their impurity must be one, too;
    # 99 of 100 grid points each leave at least 97 in common.
    for i in range(10):
        curve = {}
        for run in range(4):
            for t, s in zip(
                np.round(samples.runs.time[i, run] / samples.horizon[i] * 100),
                samples.runs.substrate[i, run],
                strict=True,
            ):
                assert abs(curve.setdefault(t, s) - s) < 1e-5
    assert not np.allclose(
        samples.runs.substrate[0, 0, -1], samples.runs.substrate[1, 0, -1], atol=1e-9
    )


def test_a_family_of_priors_differs_from_set_to_set():
    family = sample.Family()
    drawn = np.log10(sample.propose(mechanisms.get("M8"), 4000, family, default_rng(1)))
    assert drawn.min() >= -5.01 and drawn.max() <= 5.01
    spans = np.ptp(drawn, axis=1)
    assert np.quantile(spans, 0.05) < 2.5 and np.quantile(spans, 0.95) > 5.5


@pytest.mark.parametrize("name", ["M2", "M6", "M9", "M13", "M16", "M20"])
def test_less_strict_rules_accept_more_and_no_ratio_refuses_what_they_accept(name):
    mechanism, family = mechanisms.get(name), sample.Family()
    drawn = sample.propose(mechanism, 1500, family, default_rng(2))
    runs = sample.reference_runs(mechanism, drawn, sample.reference_times(family))
    strict, loose = mechanism.accepts(runs), mechanism.accepts(runs, 0.3)
    assert not np.any(strict & ~loose) and loose.sum() > strict.sum() > 0
    assert not np.any(loose & ~mechanism.may_accept(drawn, 0.3))
    one_each = np.where(np.arange(1500) % 2, 0.3, 1.0)
    assert np.array_equal(mechanism.accepts(runs, one_each), np.where(one_each < 1, loose, strict))
