"""The noise that is told from curves, against the noise that was put on them."""

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.runs.noise import NOISE_BINS, estimate_noise, noisy
from kinetlib.runs.sample import TEST, TRAIN
from kinetlib.runs.shards import Plan, build

LEVELS = (0.0, 0.01, 0.02, 0.05)


@pytest.fixture(scope="module", params=[TRAIN, TEST], ids=["21 points", "7 points"])
def runs(request):
    return build(Plan("test", 1, 15, 1, request.param), 0)


def measured(runs, level, seed=0):
    rng = default_rng(seed)
    s, p = (
        noisy(runs[name].values.astype(float), runs.time.values, level, rng)
        for name in ("substrate", "product")
    )
    return runs.time.values, s, p


def test_the_level_is_found_for_every_kind_of_curve(runs):
    for level in LEVELS[1:]:
        found = estimate_noise(*measured(runs, level))
        assert np.median(found) == pytest.approx(level, rel=0.06)
        error = found / level - 1
        assert np.sqrt((error**2).mean()) < (0.28 if runs.sizes["time"] == 7 else 0.16)


def test_exact_curves_pass_for_almost_exact(runs):
    found = estimate_noise(*measured(runs, 0.0))
    assert (found < NOISE_BINS[1]).mean() > 0.98 and np.median(found) < 5e-4


def test_bins_rise_with_the_level_and_the_lowest_two_are_for_exact_curves(runs):
    bins = [np.digitize(estimate_noise(*measured(runs, level)), NOISE_BINS) for level in LEVELS]
    assert [(b < 2).mean() > 0.98 for b in bins] == [True, False, False, False]
    assert (bins[0] == 0).mean() > 0.9 and (bins[1] > 1).mean() > 0.97
    assert np.diff([b.mean() for b in bins]).min() > 1


def test_units_of_time_do_not_matter_and_those_of_concentration_neither(runs):
    t, s, p = measured(runs, 0.02)
    assert np.allclose(estimate_noise(60 * t, 0.3 * s, 0.3 * p), estimate_noise(t, s, p))


def test_an_outlier_hardly_matters(runs):
    t, s, p = measured(runs, 0.01)
    wrong = s.copy()
    wrong[:, 2, 3] += 0.5
    assert np.median(estimate_noise(t, wrong, p)) < 0.02


def test_missing_points_and_repeated_times_drop_out(runs):
    t, s, p = measured(runs, 0.02)
    gaps = s.copy()
    gaps[:, 1, 4] = np.nan
    assert np.isfinite(estimate_noise(t, gaps, p)).all()
    padded = [np.concatenate([a, np.full_like(a[..., :2], np.nan)], -1) for a in (t, s, p)]
    assert np.allclose(estimate_noise(*padded), estimate_noise(t, s, p))
    thrice = t.copy()
    thrice[:, 0, 1:4] = thrice[:, 0, 1:2]
    assert np.isfinite(estimate_noise(thrice, s, p)).all()


def test_too_few_points_are_no_number_and_the_noisiest_bin():
    t, s = np.array([[[0.0, 0.5, 1.0]]]), np.array([[[1.0, 0.5, 0.2]]])
    found = estimate_noise(t, s, 1 - s)
    assert np.isnan(found).all() and np.digitize(found, NOISE_BINS).tolist() == [len(NOISE_BINS)]


def test_shapes_must_agree():
    with pytest.raises(ValueError, match=r"one shape \(n, run, T\), got \(1, 2, 5\), \(1, 2, 4\)"):
        estimate_noise(np.ones((1, 2, 5)), np.ones((1, 2, 4)), np.ones((1, 2, 5)))
