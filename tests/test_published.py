"""The published layout: theirs in, lazily and checked; ours out, for plain pickle.load."""

import io
import json
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from kinetlib import fusion
from kinetlib.cli import main
from kinetlib.kinetics import mechanisms
from kinetlib.runs import dataset, published, shards
from kinetlib.runs.published import pickler

FEW = [mechanisms.get(name) for name in ("M1", "M4", "M10")]
VALUES = ("time", "substrate", "product", "loading", "substrate_0", "product_0")


@pytest.fixture(scope="module")
def ours():
    return {
        split: shards.build(shards.Plan(split, 1, 4, 3, catalogue=FEW), 0)
        for split in ("train", "validation", "test")
    }


@pytest.fixture(scope="module")
def written(ours, tmp_path_factory):
    folder = tmp_path_factory.mktemp("written")
    published.write(folder, **ours, points=(2, 6), noise=(0, 1, 2.5), seed=3)
    return folder


def plain(folder, name, stem=published.STEM):
    """Load a file as code by others does."""
    with (folder / f"{name}_{stem}.pkl").open("rb") as file:
        return pickle.load(file)


def theirs(n=40, points=21, seed=0):
    """Return arrays as others make them: runs in no order, classes one after the other."""
    rng = np.random.default_rng(seed)
    x1 = rng.uniform(0.01, 0.1, (n, 4))
    start = np.ones((n, 4))
    start[:, 3] = rng.uniform(0.4, 0.8, n)
    time = np.sort(rng.uniform(0, 1, (n, 4, points)), axis=-1)
    time[..., 0] = 0
    substrate = start[..., None] * np.exp(-50 * x1[..., None] * time)
    runs = np.stack([time, substrate, 1 - substrate], axis=-1)  # (n, 4, points, 3)
    x2 = runs.transpose(0, 2, 1, 3).reshape(n, points, 12)
    return x1, x2, np.arange(n) * 20 // n


def put(folder, split="train", stem=published.STEM, protocol=4, **arrays):
    folder.mkdir(exist_ok=True)
    for name, array in arrays.items():
        with (folder / f"{name}_{split}_{stem}.pkl").open("wb") as file:
            pickle.dump(array, file, protocol)
    return folder


def test_written_files_have_the_published_layout(ours, written):
    names = [f"{a}_{s}" for s in ("train", "val", "test") for a in ("x1", "x2", "y")]
    files = sorted(f"{name}_M1_M20_train_val_test_set.pkl" for name in names)
    assert sorted(path.name for path in written.iterdir()) == files
    x1, x2, y = (plain(written, f"{array}_train") for array in ("x1", "x2", "y"))
    train = ours["train"]
    assert x1.shape == (36, 4) and x2.shape == (36, 21, 12) and y.shape == (36,)
    assert x1.dtype == x2.dtype == np.float64 and y.dtype == np.int64
    assert np.array_equal(x1, train.loading)
    for run in range(4):
        assert np.array_equal(x2[..., 3 * run], (train.time / train.horizon)[:, run])
        assert np.array_equal(x2[..., 3 * run + 1], train.substrate[:, run])
        assert np.array_equal(x2[..., 3 * run + 2], train.product[:, run])
    assert x2[..., ::3].min() == 0 and 0.9 < x2[..., ::3].max() <= 1 + 1e-7
    assert [f"M{label + 1}" for label in y] == list(train.mechanism.values)


def test_variants_of_the_test_set(ours, written):
    x2 = plain(written, "x2_test")
    assert {points: list(branch) for points, branch in x2.items()} == {
        2: [0, 1, 2.5],
        6: [0, 1, 2.5],
    }
    assert x2[2][0].shape == (36, 3, 12) and x2[6][1].shape == (36, 7, 12)
    exact = x2[6][0]
    assert np.array_equal(exact[:, :, 4], ours["test"].substrate[:, 1])
    for points in (2, 6):
        for noise in (1, 2.5):
            noisy, clean = x2[points][noise], x2[points][0]
            assert np.array_equal(noisy[..., ::3], clean[..., ::3])
            assert np.array_equal(noisy[:, 0], clean[:, 0])
            ratio = noisy[:, 1:, 1::3] / clean[:, 1:, 1::3] - 1
            assert 0.8 < ratio.std() / (noise / 100) < 1.2
    # Points of a variant are points of the run, in order, the first among them.
    assert (np.diff(x2[2][0][..., ::3], axis=1) > 0).all()
    for sample, run in ((0, 0), (35, 3)):
        whole = {tuple(row) for row in exact[sample, :, 3 * run : 3 * run + 3]}
        assert {tuple(row) for row in x2[2][0][sample, :, 3 * run : 3 * run + 3]} <= whole


def test_the_same_seed_writes_the_same_files(ours, written, tmp_path):
    options = {"points": (2, 6), "noise": (0, 1, 2.5)}
    chunked = {split: runs.chunk(sample=36) for split, runs in ours.items()}
    for path in published.write(tmp_path / "same", **chunked, **options, seed=3):
        assert path.read_bytes() == (written / path.name).read_bytes()
    published.write(tmp_path / "other", test=ours["test"], **options, seed=4)
    name = f"x2_test_{published.STEM}.pkl"
    assert (tmp_path / "other" / name).read_bytes() != (written / name).read_bytes()


def test_round_trip(ours, written, tmp_path):
    splits = published.read(written)
    assert {name: len(split) for name, split in splits.items()} == dict.fromkeys(ours, 36)
    for name, split in splits.items():
        variant = {"points": 6, "noise": 0} if name == "test" else {}
        back = published.samples(split, slice(None), **variant)
        exact = ours[name].assign(time=ours[name].time / ours[name].horizon)
        for variable in VALUES:
            assert back[variable].dims == exact[variable].dims
            assert back[variable].attrs == ours[name][variable].attrs
            # What runs start with is the first point of the curves, which have single precision.
            assert np.allclose(back[variable], exact[variable], rtol=1e-7, atol=0)
        assert list(back.mechanism.values) == list(exact.mechanism.values)
        assert "rate_constants" not in back and "horizon" not in back
    # What was read can be written again: time is as published already.
    again = published.write(tmp_path, train=published.samples(splits["train"], slice(None)))
    for path in again:
        assert path.read_bytes() == (written / path.name).read_bytes()


def test_single_precision(ours, tmp_path):
    published.write(tmp_path, validation=ours["validation"], dtype=np.float32)
    back = published.samples(published.read(tmp_path)["validation"], slice(None))
    for variable in VALUES:
        assert back[variable].dtype == np.float32
    assert np.array_equal(back.product, ours["validation"].product.astype(np.float32))


def test_one_mechanism_after_the_other(ours, written):
    train = published.read(written)["train"]
    parts = list(published.by_mechanism(train))
    assert [set(part.mechanism.values) for part in parts] == [{"M1"}, {"M4"}, {"M10"}]
    m4 = published.mechanism(train, "M4")
    xr.testing.assert_identical(m4, parts[1])
    expected = ours["train"].isel(sample=(ours["train"].mechanism == "M4").values)
    assert np.array_equal(m4.substrate, expected.substrate)
    with pytest.raises(ValueError, match="M21"):
        published.mechanism(train, "M21")


def test_any_samples_can_be_chosen(written):
    train = published.read(written)["train"]
    whole = published.samples(train, slice(None))
    for which in (slice(3, 30, 4), np.array([30, 2, 2]), np.arange(36) % 5 == 0):
        chosen = published.samples(train, which)
        positions = np.arange(36)[which]
        xr.testing.assert_identical(chosen, whole.isel(sample=positions))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_files_of_others_are_read(tmp_path, protocol, one_hot, order):
    x1, x2, y = theirs()
    labels = np.eye(20)[y] if one_hot else y[:, None].astype(np.int8)
    arrays = {"x1": x1, "x2": np.asarray(x2, dtype="f4", order=order), "y": labels}
    folder = put(tmp_path / "theirs", protocol=protocol, **arrays)
    train = published.read(folder)["train"]
    assert np.array_equal(train.labels, y)
    back = published.mechanism(train, "M7")
    assert back.sizes == {"sample": 2, "run": 4, "time": 21}
    assert back.substrate.dtype == np.float32
    # The runs are in our order, each with its own loading.
    at = np.flatnonzero(y == 6)
    order_of_runs = np.argsort(x1[at, :3], axis=1)
    assert np.array_equal(back.loading[:, :3], np.take_along_axis(x1[at, :3], order_of_runs, 1))
    assert np.array_equal(back.loading[:, 3], x1[at, 3])
    for sample in range(2):
        for run in range(4):
            column = 3 * (order_of_runs[sample, run] if run < 3 else 3)
            expected = x2[at[sample], :, column : column + 3].astype(np.float32)
            found = [back[name].values[sample, run] for name in ("time", "substrate", "product")]
            assert np.array_equal(found, expected.T)
    assert np.array_equal(back.substrate_0, back.substrate[..., 0])
    assert (back.substrate_0[:, :3] == 1).all() and (back.substrate_0[:, 3] < 0.9).all()


@pytest.mark.parametrize(
    "x2",
    [
        lambda x: {20: {0: x, 1: 1.01 * x}, 6: {0: x[:, :7], 5.0: x[:, :7]}},
        lambda x: {"20": {"0": x, "1": 1.01 * x}, "6": {"0": x[:, :7], "5": x[:, :7]}},
        lambda x: {20: {0: x, 1: 1.01 * x}, 6: {np.int64(0): x[:, :7], np.float64(5): x[:, :7]}},
    ],
)
def test_keys_of_the_test_set_may_be_numbers_or_text(tmp_path, x2):
    x1, curves, y = theirs()
    test = published.read(put(tmp_path, "test", x1=x1, x2=x2(curves), y=y))["test"]
    assert sorted(test.curves) == [(6, 0.0), (6, 5.0), (20, 0.0), (20, 1.0)]
    assert published.mechanism(test, "M2", points=6, noise=5).sizes["time"] == 7
    assert published.mechanism(test, "M2", noise=1).sizes["time"] == 21
    for wrong in ({}, {"points": 6}, {"points": 3, "noise": 0}):
        with pytest.raises(ValueError, match=r"6 points with 5 % noise, 20 points with 0 % noise"):
            published.mechanism(test, "M2", **wrong)


def test_one_file_with_everything(tmp_path):
    x1, x2, y = theirs()
    path = tmp_path / "data.pkl"
    nine = [x1, x2, y, x1, x2, y, x1, {6: {0: x2[:, :7]}}, y]
    named = {"x1_val": x1, "x2_val": x2, "y_val": y}
    forms = [
        ([(x1, x2, y)], ["train"]),
        ([x1, x2, y], ["train"]),
        ([{"x1": x1, "x2": x2, "y": y}], ["train"]),
        ([named], ["validation"]),
        (nine, ["train", "validation", "test"]),
        ([nine], ["train", "validation", "test"]),
    ]
    for objects, names in forms:
        path.write_bytes(b"".join(pickle.dumps(item, 4) for item in objects))
        splits = published.read(path)
        assert list(splits) == names
        assert all(len(split) == 40 for split in splits.values())
    for objects in ([x1, x2], [{"a": x1}], [x1]):
        path.write_bytes(b"".join(pickle.dumps(item, 4) for item in objects))
        with pytest.raises(ValueError, match=r"data\.pkl"):
            published.read(path)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    x1, x2, y = theirs()
    wrong = {
        "train, x1: shape (40, 3) of float64": {"x1": x1[:, :3]},
        "x2: shape (40, 21, 11)": {"x2": x2[..., :11]},
        "x2: shape (39, 21, 12)": {"x2": x2[:39]},
        "x2: shape (40, 1, 12)": {"x2": x2[:, :1]},
        "x2: shape (40, 21, 12) of int64": {"x2": x2.astype(int)},
        "y: shape (40, 19)": {"y": np.eye(20)[y][:, :19]},
        "y: shape (40,) of complex128": {"y": y.astype(complex)},
        "y_train: list; expected one array": {"y": [1, 2]},
        "x2_train: expected an array, or a dict": {"x2": {"a": {0: x2}}},
        "x2_train: expected an array": {"x2": [x2]},
    }
    for number, (message, change) in enumerate(wrong.items()):
        folder = put(tmp_path / str(number), **{"x1": x1, "x2": x2, "y": y, **change})
        with pytest.raises(ValueError) as refused:
            published.read(folder)
        assert message in str(refused.value)


def changed(array, at, value):
    array = array.copy()
    array[at] = value
    return array


def test_values_that_cannot_be_are_refused_with_their_place(tmp_path):
    x1, x2, y = theirs()
    wrong = {
        "sample 30: label 20; expected 0 to 19": {"y": changed(y, 30, 20)},
        "sample 31: label 1.5": {"y": changed(y.astype(float), 31, 1.5)},
        "sample 3: label [1. 1.": {"y": changed(np.eye(20)[y], (3, [0, 1]), 1)},
        "sample 3: label [0. 2.": {"y": changed(np.eye(20)[y], (3, 1), 2)},
        "sample 5: a value that is no finite number": {"x2": changed(x2, (5, 2, 7), np.nan)},
        "sample 4: a loading that is not positive": {"x1": changed(x1, (4, 1), 0)},
        "sample 6: a run that does not start at time 0": {"x2": changed(x2, (6, 0, 3), 0.1)},
    }
    for number, (message, change) in enumerate(wrong.items()):
        folder = put(tmp_path / str(number), **{"x1": x1, "x2": x2, "y": y, **change})
        train = published.read(folder)["train"]
        with pytest.raises(ValueError) as refused:
            list(published.by_mechanism(train))
        assert message in str(refused.value) and "train" in str(refused.value)


def test_missing_and_ambiguous_files_are_named(tmp_path):
    x1, x2, y = theirs()
    with pytest.raises(ValueError, match="no file such as x1_train_M1_M20"):
        published.read(tmp_path)
    put(tmp_path, x1=x1, y=y)
    with pytest.raises(ValueError, match="x2_train missing"):
        published.read(tmp_path)
    put(tmp_path, x2=x2)
    put(tmp_path, stem="part_0", x1=x1, x2=x2, y=y)
    with pytest.raises(ValueError, match="give the stem of one, such as M1_M20"):
        published.read(tmp_path)
    assert list(published.read(tmp_path, stem="part_0")) == ["train"]
    put(tmp_path, stem="evil", x1=os.system, x2=x2, y=y)
    with pytest.raises(ValueError, match=r"asks for '\w+\.system'.*nothing in the file was run"):
        published.read(tmp_path, stem="evil")


def test_datasets_that_do_not_fit_the_layout_are_refused(ours, tmp_path):
    train, test = ours["train"], ours["test"]
    wrong = {
        "nothing to write": {},
        "train: loading missing": {"train": train.drop_vars("loading")},
        "number of runs": {"train": train.isel(run=[0, 1, 2])},
        "gaps": {"train": train.assign(product=train.product.where(train.product < 0.5))},
        "values that are no": {"train": train.assign(loading=train.loading.where(False))},
        "mechanism M21": {"train": train.assign(mechanism=train.mechanism.copy(data=["M21"] * 36))},
        "7 points asked for, expected 1 to 6": {"test": test, "points": (7,)},
        "noise of -1": {"test": test, "noise": (-1,)},
    }
    for message, arguments in wrong.items():
        with pytest.raises(ValueError, match=message):
            published.write(tmp_path / "out", **arguments)
        # A file appears whole or not at all, and the others with it.
        assert not list(tmp_path.glob("out/*"))


def test_a_failing_write_leaves_the_older_files(ours, tmp_path, monkeypatch):
    published.write(tmp_path, train=ours["train"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def fail(block):
        raise OSError("disk full")

    monkeypatch.setattr("kinetlib.runs.published.export._classes", fail)
    with pytest.raises(OSError, match="disk full"):
        published.write(tmp_path, train=ours["validation"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


LARGE = (4_950_000, 21, 12)


def sparse(path, shape, rows, values):
    """Write a file of the published size as a hole, with numbers in some rows only."""
    file = io.BytesIO()
    with pytest.raises(ValueError, match="a piece of shape"):
        pickler.dump(pickler.Pieces(shape, "f8", [np.zeros((1,) * 5)]), file)
    head, row = file.getvalue(), 8 * int(np.prod(shape[1:]))
    with path.open("wb") as target:
        target.write(head)
        target.seek(len(head) + rows[0] * row)
        target.write(np.ascontiguousarray(values, "f8").tobytes())
        target.seek(len(head) + shape[0] * row)
        target.write(b"tb.")


def grown(folder, statement):
    """Read in a process of its own; tell what came of it and by how much its memory grew."""
    program = f"""if True:
        import json, psutil, sys
        from kinetlib.kinetics import mechanisms
        from kinetlib.runs import published
        memory = lambda: psutil.Process().memory_info().rss
        mechanisms.catalogue()
        before = memory()
        train = published.read(sys.argv[1])["train"]
        {statement}
        grown = memory() - before
        part = {{"samples": part.sizes["sample"], "substrate": float(part.substrate.sum())}}
        print(json.dumps({{**part, "memory": grown}}))
    """
    command = [sys.executable, "-c", program, folder]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(answer.stdout)


def test_ten_gigabytes_are_read_in_little_memory(tmp_path):
    x1, x2, _ = theirs(50)
    labels = np.zeros(LARGE[0], dtype=np.int8)
    rows = np.arange(3_000_000, 3_000_050)
    labels[rows] = 6
    put(tmp_path, y=labels)
    sparse(tmp_path / f"x1_train_{published.STEM}.pkl", (LARGE[0], 4), rows, x1)
    large = tmp_path / f"x2_train_{published.STEM}.pkl"
    sparse(large, LARGE, rows, x2)
    assert large.stat().st_size > 9.9e9 and large.stat().st_blocks * 512 < 1e6
    answer = grown(tmp_path, "part = published.mechanism(train, 'M7')")
    assert answer["samples"] == 50 and answer["memory"] < 100e6
    assert answer["substrate"] == pytest.approx(x2[..., 1::3].sum())


def test_all_mechanisms_in_turn_take_no_more_memory_than_one(tmp_path):
    n = 200_000
    put(tmp_path, x1=np.full((n, 4), 0.05), y=np.random.default_rng(1).integers(0, 20, n))
    sparse(tmp_path / f"x2_train_{published.STEM}.pkl", (n, *LARGE[1:]), [0], np.zeros((1, 21, 12)))
    answer = grown(tmp_path, "for part in published.by_mechanism(train): pass")
    assert answer["memory"] < 200e6  # the file has 403e6 bytes, a mechanism some 20e6


@pytest.fixture
def laid_out(ours, tmp_path):
    """Lay our datasets on disk as the chapter on datasets does."""
    for split, runs in ours.items():
        (tmp_path / "ours" / split).mkdir(parents=True)
        dataset.write_shard(runs, tmp_path / "ours" / split / "shard-00000.nc")
    return tmp_path / "ours"


def call(*arguments):
    return CliRunner().invoke(main, ["published", *map(str, arguments)])


def test_commands_there_and_back(ours, laid_out, tmp_path):
    answer = call("write", laid_out, "--to", tmp_path / "out", "--noise", 0, "--noise", 5)
    assert answer.exit_code == 0, answer.output
    assert len(answer.stdout.splitlines()) == 9
    assert list(plain(tmp_path / "out", "x2_test")[6]) == [0, 5]

    answer = call("read", tmp_path / "out", "--to", tmp_path / "back")
    assert answer.exit_code == 0, answer.output
    assert answer.stdout.splitlines()[0] == f"train: 36 samples, {tmp_path / 'back' / 'train'}"
    assert "train: 3 of 3 mechanisms" in answer.stderr
    for split, runs in ours.items():
        with dataset.open_shards(tmp_path / "back" / split) as back:
            assert back.sizes == {"sample": 36, "run": 4, "time": runs.sizes["time"]}
            assert list(back.mechanism.values) == list(runs.mechanism.values)
            assert np.array_equal(back.substrate, runs.substrate)
            for key in ("commit", "versions", "source"):
                assert back.attrs[key]
    again = call("read", tmp_path / "out", "--to", tmp_path / "back")
    assert again.exit_code == 2 and "is there already" in again.stderr


def test_commands_say_what_is_wrong(laid_out, tmp_path):
    assert "no shards in train" in call("write", laid_out / "train", "--to", tmp_path / "x").stderr
    call("write", laid_out, "--to", tmp_path / "out", "--single")
    answer = call("read", tmp_path / "out", "--to", tmp_path / "back", "--points", 20)
    assert answer.exit_code == 2
    assert "test: no such variant; give points and noise" in answer.stderr
    assert not (tmp_path / "back").exists()


def test_an_interrupted_conversion_leaves_nothing(written, tmp_path):
    def stop(done, total):
        raise KeyboardInterrupt

    train = published.read(written)["train"]
    with pytest.raises(KeyboardInterrupt):
        published.to_shards(train, tmp_path, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_our_networks_train_on_data_of_others(tmp_path):
    x1, x2, y = theirs(80)
    put(tmp_path / "theirs", x1=x1, x2=x2, y=y)
    put(tmp_path / "theirs", "val", x1=x1[::4], x2=x2[::4], y=y[::4])
    for split in published.read(tmp_path / "theirs").values():
        published.to_shards(split, tmp_path / "dataset")
    classes = list(mechanisms.catalogue())
    curves, labels = {}, {}
    for split in ("train", "validation"):
        with dataset.open_shards(tmp_path / "dataset" / split) as runs:
            curves[split] = fusion.from_dataset(runs)
            labels[split] = np.array([classes.index(name) for name in runs.mechanism.values])
    recipe = fusion.Recipe(fusion="average", seed=1, sample_passes=256, batch_size=64)
    seen = fusion.inputs_of(recipe.fusion, recipe.features)
    _, history = fusion.train(
        lambda epoch: fusion.Batches(curves["train"], labels["train"], recipe, epoch),
        (seen(curves["validation"]), labels["validation"]),
        recipe,
        classes,
        tmp_path / "checkpoints",
    )
    assert np.isfinite([record["loss"] for record in history]).all()
    assert np.isfinite([record["val_loss"] for record in history]).all()
