"""Shards: reproducible, whole or absent, disjoint between splits, resumable."""

import dataclasses
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from kinetlib.kinetics import mechanisms
from kinetlib.records.files import unfinished
from kinetlib.runs import dataset, shards
from kinetlib.runs.sample import TEST
from kinetlib.runs.shards import Plan

FEW = [mechanisms.get(name) for name in ("M1", "M4", "M10")]


def shard(split="train", number=0, seed=1, catalogue=FEW, **options):
    return shards.build(Plan(split, seed, 4, 3, catalogue=catalogue), number, **options)


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
    names = mechanisms.constants_of(mechanisms.catalogue().values())
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
    kept = shards.drop_shared(made.assign(rate_constants=(("sample", "constant"), constants)))
    # The three samples of M1's first set, and the three of M4's that were made equal to it.
    assert kept.sizes["sample"] == made.sizes["sample"] - 6
    assert shards.drop_shared(made).sizes == made.sizes


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
    plan = Plan("test", 1, 1, 2)
    folder = shards.generate(tmp_path, plan, 3)
    first = [path.stat().st_mtime_ns for path in dataset.shards(folder)]
    dataset.shards(folder)[1].unlink()
    (folder / "shard-00002.nc").write_bytes(b"half a file")
    steps = []
    shards.generate(tmp_path, plan, 3, progress=lambda *done: steps.append(done))
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

    shards.generate(tmp_path, Plan("test", 2, 1, 2), 1)
    (only,) = dataset.shards(folder)
    with xr.open_dataset(only) as other:
        assert json.loads(other.attrs["recipe"])["seed"] == 2


def test_a_change_of_design_or_rules_is_another_shard(tmp_path):
    plan = Plan("test", 1, 1, 1, catalogue=FEW[:1])
    loose = dataclasses.replace(FEW[0], fingerprint=())
    others = [
        dataclasses.replace(plan, design=TEST.model_copy(update={"n_times": 9})),
        dataclasses.replace(plan, catalogue=[dataclasses.replace(loose, name="other")]),
        dataclasses.replace(plan, samples_per_set=2),
    ]
    assert len({p.recipe(0) for p in (plan, *others)}) == 4
    place = shards.make(tmp_path, plan, [0])
    shards.make(tmp_path, others[0], [0])
    with xr.open_dataset(place / "shard-00000.nc") as again:
        assert again.sizes["time"] == 10


KILLED = """
import sys
from kinetlib.runs import shards
plan = shards.Plan("train", 5, 2, 2)
shards.generate(sys.argv[1], plan, 12, progress=lambda *done: print(*done, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 4, 9])
def test_killed_at_any_moment_it_goes_on(tmp_path, after):
    """No shard is lost, doubled or half there, and what a killed process left is cleared away."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with process:
        for line in process.stdout:
            if line.split()[0] == str(after):
                break
        process.send_signal(signal.SIGKILL)
    place = tmp_path / "train"
    left = place / unfinished("shard-00003.nc", process.pid)
    left.write_bytes(b"what a write may leave behind")
    whole = {path: path.stat().st_mtime_ns for path in dataset.shards(place)}
    assert len(whole) >= after

    plan = Plan("train", 5, 2, 2)
    shards.generate(tmp_path, plan, 12)
    assert len(list(place.iterdir())) == 12
    assert all(path.stat().st_mtime_ns == time for path, time in whole.items())
    for number, path in enumerate(dataset.shards(place)):
        with xr.open_dataset(path) as found:
            xr.testing.assert_identical(found.load(), shards.build(plan, number))


def test_the_part_of_a_running_process_is_left_alone(tmp_path):
    other = tmp_path / "test" / unfinished("shard-00000.nc", os.getppid())
    other.parent.mkdir()
    other.write_bytes(b"being written")
    shards.make(tmp_path, Plan("test", 1, 1, 1, catalogue=FEW[:1]), [0])
    assert other.exists()


def test_a_shard_that_fails_ends_it_all(tmp_path, monkeypatch):
    def fail(plan, number, threads):
        raise OSError("disk full")

    monkeypatch.setattr(shards, "build", fail)
    with pytest.raises(OSError, match="disk full"):
        shards.make(tmp_path, Plan("test", 1, 1, 1), range(50))
    assert list((tmp_path / "test").iterdir()) == []


def test_plans_follow_the_parameters(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[M1]\nname = "mine"\nfamily = "core"\n'
        'reactions = ["S + cat <=> catS (k1, k-1)", "catS <=> P + cat (k2, k-2)"]\n'
    )
    made = shards.plans(
        seed=1,
        sets_per_mechanism=2,
        samples_per_set=3,
        constants=[1e-5, 1e5],
        horizon=[0.5, 0.6],
        loadings=[0.001, 0.002],
        test_loadings=[0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
        substrate=[0.9, 1.0],
        n_times=11,
        n_test_times=3,
        catalogue=str(mine),
    )
    assert list(made) == ["train", "validation", "test"]
    assert made["train"].design == made["validation"].design
    shard = shards.build(made["test"], 0)
    assert shard.sizes == {"sample": 6, "run": 4, "time": 4, "constant": 4}
    assert np.all(
        (shard.loading[:, :3] >= [0.1, 0.3, 0.5]) & (shard.loading[:, :3] <= [0.2, 0.4, 0.6])
    )
    assert shard.substrate_0.values[:, 3].min() >= 0.9
    train = shards.build(made["train"], 0)
    assert train.sizes["time"] == 12 and train.loading.values.max() <= 0.002


def test_an_unknown_split_is_named():
    with pytest.raises(ValueError, match="'trian'.*train, validation, test"):
        shard(split="trian")


def test_generate_removes_surplus_shards_where_others_were_missing(tmp_path):
    place = tmp_path / "test"
    place.mkdir()
    for number in (1, 4, 7):
        (place / f"shard-{number:05d}.nc").touch()
    shards.generate(tmp_path, Plan("test", 1, 1, 1, catalogue=FEW[:1]), 2)
    assert [path.name for path in dataset.shards(place)] == ["shard-00000.nc", "shard-00001.nc"]
