"""Datasets on disk: opened lazily, given noise."""

import numpy as np
import pytest
import xarray as xr

from kinetlib.kinetics import mechanisms
from kinetlib.runs import dataset, shards


@pytest.fixture(scope="module")
def made():
    few = [mechanisms.get(name) for name in ("M1", "M4", "M10")]
    return shards.build(shards.Plan("train", 1, 4, 3, catalogue=few), 0)


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(ValueError, match="no shards"):
        dataset.open_shards(tmp_path)


def test_noise_is_relative_and_leaves_times_and_starts_alone(made):
    measured = dataset.with_noise(made, 0.02, np.random.default_rng(1))
    relative = (measured.substrate / made.substrate).values[..., 1:] - 1
    assert abs(relative.std() - 0.02) < 1e-3
    assert np.array_equal(measured.substrate[..., 0], made.substrate[..., 0])
    assert np.array_equal(measured.time, made.time)
    assert measured.substrate.attrs == made.substrate.attrs


def test_runs_of_one_reaction_join_whatever_their_lengths():
    rng = np.random.default_rng(1)
    first = dataset.of_samples([0.02, 0.05], 1.0, 0.0, np.arange(4.0), rng.random((1, 2, 4, 2)))
    more = dataset.of_samples([0.1], 0.6, 0.4, np.arange(6.0), rng.random((1, 1, 6, 2)))
    for one, other in ((first, more), (more, first)):
        both = dataset.joined(one, other)
        assert both.sizes == {"sample": 1, "run": 3, "time": 6}
        assert set(both.coords) == {"time"}
        again = both.isel(run=slice(0, one.sizes["run"]), time=slice(0, one.sizes["time"]))
        xr.testing.assert_identical(again, one)
        assert np.isnan(both.time.values).sum() == 2 * first.sizes["run"]
