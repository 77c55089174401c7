"""Datasets on disk: opened lazily, given noise."""

import numpy as np
import pytest

from kinetlib import dataset, mechanisms, shards


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
