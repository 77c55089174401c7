"""Samples as points: what the kernel over trajectories sees."""

import numpy as np
import pytest
from fusion_samples import curves
from numpy.random import default_rng
from scipy.stats import qmc

from kinetlib.kinetics import mechanisms
from kinetlib.runs.runs import Runs
from studies.training_design import points
from studies.training_design.points import Representation, _SobolUniform, by_conversion, by_time

FEW = ("M1", "M6", "M9")


def first_order(n=30, seed=0):
    """Exact first-order curves on common times, and their rates."""
    rng = default_rng(seed)
    loading = np.sort(rng.uniform(0.01, 0.1, (n, 4)), axis=1)
    time = np.broadcast_to(np.linspace(0, 1, 21), (n, 4, 21))
    start = np.ones((n, 4))
    start[:, 3] = 0.6
    rate = 60.0 * loading
    substrate = start[..., None] * np.exp(-rate[..., None] * time)
    product = 1.0 - substrate - 0.5 * loading[..., None] * (time > 0)
    arrays = (time, substrate, product, loading, start, 1 - start)
    return Runs(*(a.astype(np.float32) for a in arrays)), rate


def test_times_of_conversion_are_those_of_the_curve():
    found, rate = first_order()
    seen = by_conversion(found)
    levels = len(points._LEVELS)
    times = seen[:, : 4 * levels].reshape(-1, levels, 4)
    never = seen[:, 4 * levels :].reshape(-1, levels, 4).astype(bool)
    expected = -np.log(1 - points._LEVELS)[:, None] / rate[:, None, :]
    assert (never == (expected > 1.0)).mean() > 0.99
    assert times[never] == pytest.approx(1.0)
    within = ~never & (expected < 1)
    # Straight lines between twenty points err by the curvature between them.
    assert np.abs(times - expected)[within].max() < 0.02


def test_overall_rate_drops_out_of_times_of_conversion():
    found, _ = first_order()
    slower = Runs(7 * found.time, *[getattr(found, n) for n in list(vars(found))[1:]])
    assert by_conversion(slower) == pytest.approx(by_conversion(found), abs=1e-5)
    assert by_time(slower) == pytest.approx(by_time(found))


@pytest.mark.parametrize("view", points.VIEWS)
def test_points_are_white_and_the_kernel_is_of_their_distances(view, monkeypatch):
    monkeypatch.setattr(points, "N_COMPONENTS", 6)
    shown, _ = curves(400, points=21)
    seen = Representation.fit(view, shown, default_rng(1))
    placed = seen(shown)
    assert placed.shape == (400, 6 + 4)
    assert placed.mean(0) == pytest.approx(0, abs=1e-3)
    assert placed.std(0) == pytest.approx(1, abs=0.01)
    kernel = seen.kernel(shown)
    apart = np.linalg.norm(placed[3] - placed[5])
    assert kernel.column(3)[5] == pytest.approx(np.exp(-0.5 * (apart / seen.width) ** 2))
    # A width learned from the pool: the median pair has the kernel exp(-1/2).
    values = kernel.columns(np.arange(400))[np.triu_indices(400, 1)]
    assert np.median(values) == pytest.approx(np.exp(-0.5), abs=0.02)


def test_sobol_source_is_the_sequence_however_it_is_asked():
    stretches = _SobolUniform(5, default_rng(3))
    found = np.concatenate([stretches.uniform(-3.0, 3.0, (n, 5)) for n in (70, 1, 57)])
    expected = qmc.Sobol(5, scramble=True, rng=default_rng(3)).random(128) * 6 - 3
    assert found == pytest.approx(expected)


def test_sobol_samples_are_accepted_and_more_even_than_drawn(monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)
    found = points.sobol(64, default_rng(2))
    assert np.bincount(found.labels).tolist() == [64, 64, 64]
    assert found.curves.time.shape == (192, 4, 21)
    grid = found.curves.time / found.curves.time[..., -1:]
    assert grid == pytest.approx(np.broadcast_to(np.linspace(0, 1, 21), grid.shape), abs=1e-6)
    again = points.sobol(32, default_rng(2))
    first = np.flatnonzero(found.labels == 0)[:32]
    at_start = again.curves.substrate_0[again.labels == 0]
    assert at_start.shape == found.curves.substrate_0[first].shape

    def unevenness(source):
        sets = points.sample.accepted_sets(chosen["M1"], 128, points.SAME_TIMES, source)
        return qmc.discrepancy((np.log10(sets.rate_constants) + 3) / 6, method="L2-star")

    drawn = np.mean([unevenness(default_rng(seed)) for seed in range(8)])
    spread = np.mean([unevenness(_SobolUniform(4, default_rng(seed))) for seed in range(8)])
    assert spread < drawn


def test_pools_are_reproducible_and_the_shifted_test_lies_outside(tmp_path, monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)
    one = points.simulated(tmp_path / "a", "train", 1, 0, 8)
    two = points.simulated(tmp_path / "b", "train", 1, 0, 8)
    other = points.simulated(tmp_path / "b", "train", 1, 1, 8)
    assert np.array_equal(one.curves.substrate, two.curves.substrate)
    assert not np.array_equal(one.curves.loading, other.curves.loading)
    assert len(one) == 24 and set(one.labels) == {0, 1, 2}
    shifted = points.outside(tmp_path / "c", 1, 0, 20)
    assert 0 < len(shifted) < 60
    loading = np.sort(shifted.curves.loading[:, :3], axis=1)
    assert (loading[:, 0] < 0.0101).all() and (loading[:, 2] > 0.0999).all()
    noisy = points.measured(one, 0.01, default_rng(0))
    error = noisy.curves.product[..., 1:] / one.curves.product[..., 1:] - 1
    assert error.std() == pytest.approx(0.01, rel=0.05)
    assert np.array_equal(noisy.labels, one.labels)
