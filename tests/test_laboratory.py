"""Laboratory campaigns: in their ranges, reproducible, and what the integrator says."""

import numpy as np
import pytest
from fusion_samples import same
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from pydantic import ValidationError

from kinetlib import simulate
from kinetlib.kinetics import mechanisms
from kinetlib.runs.laboratory import Campaign, _starts, _times, draw_runs
from kinetlib.runs.sample import TRAIN, accepted_sets

CAMPAIGN = Campaign()
N_POINTS = 24


@pytest.fixture(scope="module")
def sets():
    return {
        name: accepted_sets(mechanisms.get(name), 6, TRAIN, default_rng(3))
        for name in ("M1", "M2", "M6")
    }


def drawn(sets, name="M1", n=30, n_runs=4, seed=1, campaign=CAMPAIGN, **options):
    which = np.arange(n) % 6
    mechanism = mechanisms.get(name)
    found = draw_runs(
        mechanism, sets[name], which, n_runs, N_POINTS, campaign, default_rng(seed), **options
    )
    return found, sets[name].rate_constants[which]


@pytest.mark.parametrize("n_runs", range(1, 9))
def test_any_number_of_runs_can_be_asked_for(sets, n_runs):
    runs, _ = drawn(sets, n=5, n_runs=n_runs)
    assert runs.time.shape == runs.averaged.shape == (5, n_runs, N_POINTS)
    assert runs.loading.shape == runs.substrate_0.shape == runs.product_0.shape == (5, n_runs)
    assert all(value.dtype == np.float32 for value in vars(runs).values())
    assert all(np.isfinite(a).all() for a in (runs.loading, runs.substrate_0, runs.product_0))


def test_the_seed_decides_the_runs_and_threads_do_not(sets):
    runs, _ = drawn(sets, threads=1)
    assert same(drawn(sets, threads=None)[0], runs)
    other, _ = drawn(sets, seed=2)
    assert not np.array_equal(other.loading, runs.loading)


def test_points_come_first_and_then_nothing(sets):
    runs, _ = drawn(sets, n=60)
    there = np.isfinite(runs.time)
    count = there.sum(-1)
    assert count.min() >= 3 and count.max() == N_POINTS and len(np.unique(count)) > 5
    assert np.array_equal(there, np.arange(N_POINTS) < count[..., None])
    for values in (runs.substrate, runs.product, runs.averaged):
        assert np.array_equal(np.isfinite(values), there)
    assert np.all(np.diff(np.where(there, runs.time, 1e30), axis=-1)[there[..., 1:]] > 0)
    assert np.nanmin(runs.time) == 0


def test_many_readings_stand_behind_few_points(sets):
    runs, _ = drawn(sets, n=60)
    readings = np.nansum(runs.averaged, -1)
    assert np.allclose(readings, np.round(readings), atol=1e-3)
    assert readings.min() >= 3 and 100 < readings.max() <= 250.01
    full = np.isfinite(runs.time).all(-1)
    assert np.all(np.nan_to_num(runs.averaged, nan=1.0)[~full] == 1)
    assert np.all(readings[full] >= N_POINTS - 1e-3)


@pytest.mark.parametrize("name", ["M1", "M2", "M6"])
def test_runs_are_what_a_simulation_of_them_gives(sets, name):
    """The same constants, start and times through the public call."""
    runs, constants = drawn(sets, name, n=6, n_runs=2)
    mechanism = mechanisms.get(name)
    if any(isinstance(value, tuple) for value in mechanism.others.values()):
        pytest.fail("this test needs mechanisms whose other species are not drawn")
    for i, j in np.ndindex(6, 2):
        there = np.isfinite(runs.time[i, j])
        found = simulate(
            name,
            dict(zip(mechanism.network.constants, constants[i], strict=True)),
            {
                "S": float(runs.substrate_0[i, j]),
                "P": float(runs.product_0[i, j]),
                "cat": float(runs.loading[i, j]),
            },
            runs.time[i, j][there].astype(float),
        ).concentration
        for species, values in (("S", runs.substrate), ("P", runs.product)):
            expected = found.sel(species=species).values
            assert np.allclose(values[i, j][there], expected, rtol=2e-4, atol=2e-5)


def test_matter_is_kept(sets):
    """What is neither substrate nor product is bound to catalyst, in M1 one molecule to one."""
    runs, _ = drawn(sets, "M1", n=60)
    bound = (runs.substrate_0 + runs.product_0)[..., None] - runs.substrate - runs.product
    there = np.isfinite(runs.time)
    slack = 1e-4
    assert np.all(bound[there] > -slack)
    assert np.all((bound - runs.loading[..., None])[there] < slack)
    at_start = there & (runs.time == 0)
    assert at_start.any() and np.all(np.abs(bound[at_start]) < 1e-6)


def test_runs_end_where_the_campaign_stops_them(sets):
    campaign = Campaign(stopped=(0.5, 0.5), product=(0, 0), with_product=0)
    runs, constants = drawn(sets, "M1", n=12, n_runs=2, campaign=campaign)
    mechanism = mechanisms.get("M1")
    last = np.nanmax(runs.time, -1)
    parts = []
    for i, j in np.ndindex(12, 2):
        found = simulate(
            "M1",
            dict(zip(mechanism.network.constants, constants[i], strict=True)),
            {"S": float(runs.substrate_0[i, j]), "cat": float(runs.loading[i, j])},
            [0.0, float(last[i, j]), 1e4 * float(last[i, j])],
        ).concentration.sel(species="S")
        start, end, final = found.values
        parts.append((start - end) / (start - final))
    # The pilot has twelve points a decade of time.
    assert np.allclose(parts, 0.5, atol=0.05)


@given(n_runs=st.integers(1, 8), seed=st.integers(0, 999))
@settings(max_examples=30, deadline=None)
def test_starts_keep_the_ranges(n_runs, seed):
    campaign = Campaign(loading=(0.002, 0.1), loading_span=(2, 5), substrate=(0.5, 1.5))
    loading, substrate, product = _starts(50, n_runs, campaign, default_rng(seed))
    assert loading.shape == substrate.shape == product.shape == (50, n_runs)
    slack = 1 + 1e-9
    assert loading.min() >= 0.002 / slack and loading.max() <= 0.1 * slack
    assert np.all(loading.max(1) / loading.min(1) <= 5 * slack)
    assert substrate.min() >= 0.5 / slack and substrate.max() <= 1.5 * slack
    assert product.min() >= 0 and product.max() <= 1


def test_starts_have_the_shares_asked_for():
    loading, substrate, product = _starts(4000, 4, CAMPAIGN, default_rng(0))
    assert (substrate == 1).mean() == pytest.approx(CAMPAIGN.standard, abs=0.02)
    assert (product > 0).mean() == pytest.approx(CAMPAIGN.with_product, abs=0.02)
    # Those that the range has cut off are equal for another reason.
    within = ~np.isclose(loading[:, 0, None], CAMPAIGN.loading).any(1)
    repeated = loading[within, 1:] == loading[within, :1]
    assert repeated.mean() == pytest.approx(0.25, abs=0.02)


@given(n_points=st.integers(1, 40), seed=st.integers(0, 999))
@settings(max_examples=40, deadline=None)
def test_times_rise_to_the_end_of_the_run(n_points, seed):
    time, averaged = _times(20, 3, n_points, CAMPAIGN, default_rng(seed))
    there = np.isfinite(time)
    assert np.array_equal(there, np.isfinite(averaged)) and there[..., 0].all()
    assert np.array_equal(np.nanmax(time, -1), np.ones((20, 3)))
    assert np.nanmin(time) >= 0
    assert np.all(np.diff(np.where(there, time, 2.0), axis=-1)[there[..., 1:]] > 0)
    readings = np.nansum(averaged, -1)
    assert readings.min() > 2.99 and readings.max() < 250.01


def test_a_sample_begins_at_zero_or_not_as_a_whole():
    time, _ = _times(3000, 4, N_POINTS, CAMPAIGN, default_rng(0))
    begins = time[..., 0] == 0
    assert np.all(begins == begins[:, :1])
    assert 1 - begins.mean() == pytest.approx(CAMPAIGN.without_start, abs=0.03)


@pytest.mark.parametrize(
    "wrong",
    [{"loading": (0.2, 0.1)}, {"substrate": (-1, 1)}, {"standard": 1.5}, {"laoding": (0, 1)}],
    ids=str,
)
def test_campaigns_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Campaign(**wrong)


def test_some_are_watched_after_their_end(sets):
    on, _ = drawn(sets, campaign=CAMPAIGN.model_copy(update={"going_on": 1.0}))
    off, _ = drawn(sets, campaign=CAMPAIGN.model_copy(update={"stopped": (0.99, 0.99)}))
    longer = np.nanmax(on.time, -1) / np.nanmax(off.time, -1)
    assert np.median(longer) > 1.5


def test_the_living_share_is_that_of_the_catalyst():
    dying = accepted_sets(mechanisms.get("M9"), 6, TRAIN, default_rng(3))
    runs, _ = drawn({"M9": dying}, "M9")
    living = runs.living[np.isfinite(runs.time)]
    assert np.isfinite(living).all() and living.min() < 0.9 and living.max() <= 1 + 1e-6
    assert np.nanmax(np.diff(runs.living, axis=-1)) <= 1e-5, "the dead do not come back"


def test_catalysts_that_do_not_die_live(sets):
    for name in ("M1", "M2", "M6"):
        runs, _ = drawn(sets, name)
        assert np.nanmax(np.abs(runs.living - 1)) < 1e-4
