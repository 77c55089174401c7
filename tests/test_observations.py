"""Runs as a fit takes them: from datasets and tables, in units, averaged without loss."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from numpy.random import default_rng

from kinetlib.inference import observations
from kinetlib.inference.observations import averaged, table
from kinetlib.inference.sources import from_species
from kinetlib.inference.sources import observations as taken
from kinetlib.runs.runs import Runs


def decay(rng=None, n=7, noise=0.0):
    time = np.linspace(0, 3, n)[None].repeat(2, axis=0)
    start = np.array([1.0, 0.5])
    substrate = start[:, None] * np.exp(-time)
    product = start[:, None] - 0.99 * substrate
    if rng is not None:
        substrate = substrate * (1 + noise * rng.normal(size=substrate.shape))
    return Runs(time, substrate, product, np.array([0.05, 0.05]), start, np.zeros(2))


def species_table(**columns):
    time = np.linspace(0, 3, 6)
    values = np.stack([np.broadcast_to(value, 6) for value in columns.values()], axis=-1)
    return xr.Dataset(
        {
            "time": (("run", "time"), time[None]),
            "concentration": (("run", "time", "species"), values[None]),
        },
        coords={"run": ["one"], "species": list(columns)},
    )


def test_a_dataset_comes_back_in_the_units_of_its_file():
    runs = decay()
    dataset = xr.Dataset(
        {
            name: (("sample", "run", "time"), getattr(runs, name)[None])
            for name in ("time", "substrate", "product")
        }
        | {
            name: (("sample", "run"), getattr(runs, name)[None])
            for name in ("loading", "substrate_0", "product_0")
        },
        attrs={
            "standard_substrate_0": 40.0,
            "substrate_column": "A",
            "product_column": "B",
            "concentration_unit": "mM",
            "remarks": "One.\nTwo.",
        },
    )
    dataset["time"].attrs["units"] = "min"
    found = taken(dataset, ())
    assert (found.time_unit, found.concentration_unit) == ("min", "mM")
    assert found.columns == ("A", "B") and found.remarks == ("One.", "Two.")
    np.testing.assert_allclose(found.starts["S"], [40, 20])
    np.testing.assert_allclose(found.starts["cat"], [2, 2])
    np.testing.assert_allclose(found.values[..., 0], 40 * runs.substrate[:, 1:])
    assert (found.time > 0).all()  # what stands at time 0 was weighed in


def test_units_change_and_change_back():
    found = taken(decay(), ())
    there = found.in_units(60.0, 0.5)
    back = there.in_units(1 / 60.0, 2.0)
    assert there.longest == pytest.approx(found.longest / 60)
    np.testing.assert_allclose(back.values, found.values)
    np.testing.assert_allclose(back.starts["S"], found.starts["S"])


def test_a_column_that_never_changes_was_weighed_in():
    decaying = np.exp(-np.linspace(0, 3, 6))
    found = from_species(species_table(A=decaying, cat=0.1))
    assert found.columns == ("A",) and found.starts["cat"][0] == pytest.approx(0.1)
    assert any("cat does not change" in remark for remark in found.remarks)


def test_a_calculated_column_counts_once_and_is_told():
    decaying = np.exp(-np.linspace(0, 3, 6))
    found = from_species(species_table(A=decaying, P=1 - decaying, Q=0.5 - 0.5 * decaying))
    assert found.columns == ("A", "Q")
    assert any("P is what A lost or gained" in remark for remark in found.remarks)


def test_a_start_that_is_missing_is_asked_for():
    values = np.exp(-np.linspace(0, 3, 6))
    values[0] = np.nan
    with pytest.raises(ValueError, match="run 'one': A has no value in the first row"):
        from_species(species_table(A=values, B=np.arange(6.0)))


def test_times_count_from_a_run_s_first_row():
    dataset = species_table(A=np.exp(-np.linspace(0, 3, 6)))
    dataset["time"] = dataset["time"] + 5
    found = from_species(dataset)
    assert found.longest == pytest.approx(3.0)
    assert any("begins at time 5" in remark for remark in found.remarks)


def test_a_run_without_a_value_after_the_start_is_refused():
    with pytest.raises(ValueError, match="no value after time 0"):
        table(np.zeros((1, 1)), np.ones((1, 1, 1)), ({"A": 1.0},), {"A": np.ones(1)}, columns=["A"])


@pytest.mark.parametrize("expected", [False, True])
def test_means_keep_all_that_the_readings_say(expected):
    rng = default_rng(0)
    found = taken(decay(rng, n=2001, noise=0.02), ())
    exact = np.stack(
        [found.starts["S"][:, None] * np.exp(-found.time), found.values[..., 1]], axis=-1
    )
    few = averaged(found, exact if expected else None)
    assert few.time.shape[1] == observations.MOST_POINTS
    assert few.readings.sum() == np.isfinite(found.values).sum()
    curve = few.values[..., 0] - found.starts["S"][:, None] * np.exp(-few.time)
    # As far off as the mean of so many readings may be, and, told the curve, no more than that.
    deviation = (
        0.02 * found.starts["S"][:, None] * np.exp(-few.time) / np.sqrt(few.readings[..., 0])
    )
    if expected:
        assert np.mean((curve / deviation) ** 2) == pytest.approx(1.0, abs=0.5)
    noise = np.sqrt(few.scatter[..., 0].sum() / found.values[..., 0].size)
    level = 0.02 * np.sqrt(np.mean(found.values[..., 0] ** 2))
    assert noise == pytest.approx(level, rel=0.1 if expected else 0.3)


def test_few_points_are_left_as_they_are():
    found = taken(decay(), ())
    assert averaged(found) is found


def test_observations_say_what_is_wrong():
    found = taken(decay(), ())
    with pytest.raises(ValueError, match="run 2: the initial concentration of S is -1"):
        replace(found, starts={**found.starts, "S": np.array([1.0, -1.0])})
    with pytest.raises(ValueError, match="expected 2 names"):
        replace(found, columns=("A",))
    with pytest.raises(ValueError, match="no species is there at the start"):
        replace(found, starts={"S": np.zeros(2)})


@pytest.mark.parametrize(("decimals", "step"), [(0, 1.0), (3, 1e-3), (5, 1e-5)])
def test_the_step_in_which_values_are_written_is_found_in_any_unit(decimals, step):
    values = np.round(default_rng(3).uniform(1, 9, (2, 5, 1)), decimals)
    time = np.tile(np.arange(1.0, 6.0), (2, 1))
    found = table(time, values, ({"A": 1.0},), {"A": np.full(2, 9.0)}, columns=["A"])
    assert found.steps == pytest.approx([step])
    assert found.in_units(1.0, 0.2).steps == pytest.approx([step / 0.2])
    exact = table(time, values / 7, found.shows, found.starts, columns=["A"])
    assert exact.steps == pytest.approx([0.0])
