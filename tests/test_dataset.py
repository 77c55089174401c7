"""Shards: reproducible, whole or absent, disjoint between splits, lazily opened."""

import json

import numpy as np
import pytest
import xarray as xr

from kinetlib import dataset, mechanisms

FEW = [mechanisms.get(name) for name in ("M1", "M4", "M10")]
SIZE = {"sets_per_mechanism": 4, "samples_per_set": 3}


def shard(split="train", number=0, seed=1, catalogue=FEW, **options):
    return dataset.build_shard(split, number, seed=seed, catalogue=catalogue, **SIZE, **options)


@pytest.fixture(scope="module")
def made():
    return shard()


def test_schema(made):
    for name in ("time", "substrate", "product"):
        assert made[name].dims == ("sample", "run", "time") and made[name].shape == (36, 4, 21)
    for name in ("loading", "substrate_0", "product_0"):
        assert made[name].dims == ("sample", "run")
    assert made.mechanism.dims == made.horizon.dims == ("sample",)
    assert made.rate_constants.dims == ("sample", "constant")
    assert list(made.constant.values) == ["k1", "k-1", "k2", "k-2", "k3"]
    assert [str(m) for m in np.unique(made.mechanism)] == ["M1", "M10", "M4"]
    assert np.isnan(
        made.rate_constants.sel(constant="k3").where(made.mechanism == "M1", drop=True)
    ).all()
    assert np.isfinite(made.substrate).all() and np.isfinite(made.product).all()
    for name in ("time", "substrate", "product", "loading", "horizon", "rate_constants"):
        assert made[name].attrs["units"] and made[name].attrs["long_name"]
    for key in ("title", "commit", "versions", "recipe"):
        assert made.attrs[key]
    assert json.loads(made.attrs["recipe"])["seed"] == 1


def test_all_constants_of_the_catalogue_are_in_order():
    names = dataset._constants(list(mechanisms.catalogue().values()))
    assert names == ["k1", "k-1", "k2", "k-2", "k3", "k-3", "k4"]


def test_same_values_on_any_number_of_threads_and_beside_other_mechanisms(made):
    for threads in (1, 3):
        xr.testing.assert_identical(shard(threads=threads), made)
    alone = shard(catalogue=FEW[1:2])
    beside = made.isel(sample=(made.mechanism == "M4").values)
    assert np.array_equal(alone.substrate, beside.substrate)


def test_other_seed_number_or_split_gives_other_parameter_sets(made):
    sets = {tuple(row) for row in np.nan_to_num(made.rate_constants.values)}
    for other in (shard(seed=2), shard(number=1), shard(split="validation"), shard(split="test")):
        assert not sets & {tuple(row) for row in np.nan_to_num(other.rate_constants.values)}


def test_parameter_sets_of_two_mechanisms_are_dropped_from_both(made):
    constants = made.rate_constants.values.copy()
    m1, m4 = np.flatnonzero(made.mechanism == "M1"), np.flatnonzero(made.mechanism == "M4")
    constants[m4[:3]] = constants[m1[0]]
    kept = dataset.drop_shared(made.assign(rate_constants=(("sample", "constant"), constants)))
    # The three samples of M1's first set, and the three of M4's that were made equal to it.
    assert kept.sizes["sample"] == made.sizes["sample"] - 6
    assert dataset.drop_shared(made).sizes == made.sizes


def test_round_trip_through_the_file(made, tmp_path):
    path = tmp_path / "shard-00000.nc"
    dataset.write_shard(made, path)
    with xr.open_dataset(path) as read:
        for name in made.variables:
            assert np.array_equal(
                read[name].values, made[name].values, equal_nan=name == "rate_constants"
            )
        assert read.attrs == made.attrs


def test_a_failing_write_leaves_the_older_shard_and_nothing_else(made, tmp_path, monkeypatch):
    path = tmp_path / "shard-00000.nc"
    dataset.write_shard(made, path)
    before = path.read_bytes()

    def fail(self, target, **options):
        target.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", fail)
    with pytest.raises(OSError, match="disk full"):
        dataset.write_shard(made, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_generate_resumes_and_opens_lazily(tmp_path):
    size = {"sets_per_mechanism": 1, "samples_per_set": 2}
    folder = dataset.generate(tmp_path, "test", 3, seed=1, **size)
    first = [path.stat().st_mtime_ns for path in dataset.shards(folder)]
    dataset.shards(folder)[1].unlink()
    (folder / "shard-00002.nc").write_bytes(b"half a file")
    steps = []
    dataset.generate(tmp_path, "test", 3, seed=1, **size, progress=lambda *done: steps.append(done))
    assert steps == [(1, 3), (2, 3), (3, 3)]
    times = [path.stat().st_mtime_ns for path in dataset.shards(folder)]
    assert times[0] == first[0] and times[1] > first[1] and times[2] > first[2]

    with dataset.open_shards(folder) as runs:
        assert runs.sizes == {"sample": 120, "run": 4, "time": 7, "constant": 7}
        assert runs.substrate.chunks is not None
        assert sorted(set(runs.mechanism.values)) == sorted(mechanisms.catalogue())
        loading = runs.loading.values[:, :3]
    assert np.all((loading >= [0.01, 0.045, 0.09]) & (loading <= [0.02, 0.055, 0.10]))
    counts = dataset.acceptance(folder)
    assert list(counts) == list(mechanisms.catalogue())
    assert all(0 < accepted <= proposed for accepted, proposed in counts.values())
    assert counts["M1"][0] / counts["M1"][1] > 10 * counts["M20"][0] / counts["M20"][1]

    dataset.generate(tmp_path, "test", 1, seed=2, **size)
    (only,) = dataset.shards(folder)
    with xr.open_dataset(only) as other:
        assert json.loads(other.attrs["recipe"])["seed"] == 2


def test_unknown_split_and_empty_folder_are_named(tmp_path):
    with pytest.raises(ValueError, match="'trian'.*train, validation, test"):
        shard(split="trian")
    with pytest.raises(ValueError, match="no shards"):
        dataset.open_shards(tmp_path)


def test_noise_is_relative_and_leaves_times_and_starts_alone(made):
    measured = dataset.with_noise(made, 0.02, np.random.default_rng(1))
    relative = (measured.substrate / made.substrate).values[..., 1:] - 1
    assert abs(relative.std() - 0.02) < 1e-3
    assert np.array_equal(measured.substrate[..., 0], made.substrate[..., 0])
    assert np.array_equal(measured.time, made.time)
    assert measured.substrate.attrs == made.substrate.attrs


def test_generate_removes_surplus_shards_where_others_are_missing(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(dataset, "make", lambda *given, **options: made.append(given))
    (tmp_path / "test").mkdir()
    for number in (1, 4, 7):
        (tmp_path / "test" / f"shard-{number:05d}.nc").touch()
    dataset.generate(tmp_path, "test", 4, seed=1, **SIZE)
    assert [path.name for path in dataset.shards(tmp_path / "test")] == ["shard-00001.nc"]
    assert made == [(tmp_path, "test", range(4))]
