"""Distances between curves: units, neighbours, and the standard design."""

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.kinetics import mechanisms
from kinetlib.runs import overlap, sample, shards
from kinetlib.runs.sample import TRAIN, Design

FEW = [mechanisms.get(name) for name in ("M1", "M9", "M10")]


@pytest.fixture(scope="module")
def sets():
    return {
        m.id: sample.accepted_sets(m, 30, TRAIN, default_rng([1, i])).rate_constants
        for i, m in enumerate(FEW)
    }


@pytest.fixture(scope="module")
def curves(sets):
    return {m.id: overlap.curves(m, sets[m.id], TRAIN) for m in FEW}


def test_parameter_sets_are_those_of_the_dataset(sets):
    plan = shards.Plan("train", 1, 5, 3, catalogue=FEW)
    runs = shards.build(plan, 0)
    found = overlap.parameter_sets(runs, FEW)
    assert {name: rows.shape for name, rows in found.items()} == {
        "M1": (5, 4),
        "M9": (5, 5),
        "M10": (5, 5),
    }
    first = runs.isel(sample=0).rate_constants.values
    assert np.array_equal(found["M1"][0], first[np.isfinite(first)])


def test_the_standard_design_ends_where_it_says(curves):
    for values in curves.values():
        assert values.shape == (30, 2, 4, 20)
        assert np.isfinite(values).all()
        # The second run is the reference run: at 90 % of a final conversion of 50 to 100 %.
        conversion = 1 - values[:, 0, 1, -1]
        assert np.all((conversion > 0.44) & (conversion < 0.91))
        assert np.all(np.diff(values[:, 0], axis=-1) < 1e-6)


def test_curves_do_not_depend_on_the_unit_of_time(sets, curves):
    """Constants a million times as large, from a range as much higher, give the same curves."""
    faster = Design(constants=(1e3, 1e9))
    scaled = overlap.curves(FEW[1], 1e6 * sets["M9"], faster)
    assert np.allclose(scaled, curves["M9"], atol=1e-4)


def test_distance_is_counted_in_noise():
    """Between exact curves and measured ones it is the root of the number of values."""
    rng = default_rng(2)
    exact = rng.uniform(0.0, 1.0, (200, 2, 4, 20))
    measured = overlap.NOISE.added(exact, rng)
    apart = np.linalg.norm(overlap.in_noise(measured) - overlap.in_noise(exact), axis=1)
    assert apart.mean() == pytest.approx(np.sqrt(overlap.N_POINTS), rel=0.02)


def test_nearest_and_neighbours_agree_with_all_pairs(curves):
    scaled = {name: overlap.in_noise(values) for name, values in curves.items()}
    queries = {"M9": scaled["M9"][:7]}
    distance = overlap.nearest(queries, scaled)
    pairs = np.linalg.norm(scaled["M9"][:7, None] - scaled["M10"][None], axis=-1)
    assert np.allclose(distance.sel(nearest="M10"), pairs.min(1), rtol=1e-5)
    assert np.allclose(distance.sel(nearest="M9"), 0.0, atol=1e-3)
    within = np.linalg.norm(scaled["M9"][:, None] - scaled["M9"][None], axis=-1)
    np.fill_diagonal(within, np.inf)
    found = overlap.neighbours(scaled["M9"], scaled["M9"])
    assert np.allclose(found, within.min(1), rtol=1e-5, atol=1e-3)
    rivals = overlap.others(distance)
    assert rivals.sel(nearest="M9").isnull().all() and rivals.sel(nearest="M1").notnull().all()


def test_least_error_is_that_of_the_likelihood_ratio():
    rng = default_rng(3)
    for d in (0.5, 2.0):
        second = rng.integers(0, 2, 200_000)
        seen = rng.standard_normal(200_000) + d * second
        wrong = (seen > d / 2) != second
        assert wrong.mean() == pytest.approx(overlap.least_error(d), abs=0.005)


def test_narrowing_gives_quantiles_of_the_sets(sets):
    table = overlap.narrowing(sets, FEW)
    assert table.dims == ("mechanism", "constant", "quantile")
    assert list(table.constant.values) == ["k1", "k-1", "k2", "k-2", "k3"]
    assert table.sel(mechanism="M1", constant="k3").isnull().all()
    middle = table.sel(mechanism="M9", constant="k2", quantile=0.5)
    assert middle == pytest.approx(np.median(np.log10(sets["M9"][:, 2])))
