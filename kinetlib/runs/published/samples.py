"""Published samples as datasets of our schema, as few at a time as are asked for."""

from __future__ import annotations

import mmap
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.runs import dataset
from kinetlib.runs.published import unpickler
from kinetlib.runs.sample import N_RUNS

STEM = "M1_M20_train_val_test_set"
#: Our names of the splits, and theirs.
SPLITS = {"train": "train", "validation": "val", "test": "test"}
ARRAYS = ("x1", "x2", "y")
#: A run's columns in x2.
COLUMNS = ("time", "substrate", "product")
BLOCK = 8192  # samples copied at a time, some 16 MB


@dataclass(frozen=True, eq=False)
class Split:
    """One split of a published dataset; its arrays stay in the file until samples are asked for.

    Attributes
    ----------
    name
        ``train``, ``validation`` or ``test``.
    source
        File or folder it comes from.
    loading
        ``x1``: catalyst loadings, shape (sample, 4).
    curves
        ``x2`` by number of points beside t = 0 and noise in percent, shape (sample, time, 12) each.
        One entry where the file holds an array, with 0 for the noise it does not name.
    y
        Classes 0 to 19, shape (sample,) or (sample, 1), or one-hot (sample, 20).
    """

    name: str
    source: Path
    loading: NDArray
    curves: Mapping[tuple[int, float], NDArray]
    y: NDArray

    def __post_init__(self) -> None:
        """Check the shapes."""
        n = len(self)
        classes = len(mechanisms.catalogue())
        if self.loading.shape != (n, N_RUNS) or self.loading.dtype.kind != "f":
            raise self._wrong("x1", self.loading, f"({n}, {N_RUNS})")
        for values in self.curves.values():
            shape = values.shape
            if len(shape) != 3 or shape[::2] != (n, N_RUNS * len(COLUMNS)) or shape[1] < 2:
                raise self._wrong("x2", values, f"({n}, 2 or more, {N_RUNS * len(COLUMNS)})")
            if values.dtype.kind != "f":
                raise self._wrong("x2", values, shape)
        if self.y.shape not in ((n,), (n, 1), (n, classes)) or self.y.dtype.kind not in "biuf":
            raise self._wrong("y", self.y, f"({n},) or ({n}, {classes})")

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.loading) if self.loading.ndim else 0

    @cached_property
    def labels(self) -> NDArray[np.int8]:
        """Classes, 0 for M1, shape (sample,).

        Raises
        ------
        ValueError
            If a label is no class.
        """
        n, classes = len(self), len(mechanisms.catalogue())
        labels = np.empty(n, dtype=np.int8)
        for begin in range(0, n, BLOCK):
            part = np.asarray(self.y[begin : begin + BLOCK])
            if part.ndim == 2 and part.shape[1] == classes:
                wrong = ((part != 0) & (part != 1)).any(1) | (np.count_nonzero(part, axis=1) != 1)
                found = part.argmax(1)
            else:
                found = part.reshape(-1)
                wrong = ~np.isin(found, np.arange(classes))
            if wrong.any():
                at = int(np.argmax(wrong))
                raise ValueError(
                    f"{self.source}, {self.name}, sample {begin + at}: label {part[at]}; expected "
                    f"0 to {classes - 1} for M1 to M{classes}, or a row with a single 1"
                )
            labels[begin : begin + BLOCK] = found
        return labels

    def variant(self, points: int | None = None, noise: float | None = None) -> NDArray:
        """Return ``x2`` with so many points beside t = 0 and so much noise, in percent.

        Raises
        ------
        ValueError
            If there is no such variant, or there are several and none was named.
        """
        fitting = [
            key
            for key in self.curves
            if (points is None or key[0] == points) and (noise is None or key[1] == noise)
        ]
        if len(fitting) != 1:
            there = ", ".join(f"{p} points with {e:g} % noise" for p, e in sorted(self.curves))
            raise ValueError(
                f"{self.source}, {self.name}: "
                f"{'several variants' if fitting else 'no such variant'}; give points and noise "
                f"of one that is there: {there}"
            )
        return self.curves[fitting[0]]

    def _wrong(self, name: str, values: NDArray, expected: object) -> ValueError:
        return ValueError(
            f"{self.source}, {self.name}, {name}: shape {values.shape} of {values.dtype}; "
            f"expected {expected}, numbers, as many samples as in x1"
        )


def read(path: str | Path, *, stem: str | None = None) -> dict[str, Split]:
    """Find the splits of a published dataset, without reading its numbers.

    Parameters
    ----------
    path
        A folder with files ``{x1,x2,y}_{train,val,test}_STEM.pkl``, all three of a split; or one
        file with ``x1``, ``x2`` and ``y``, of one split (taken for training) or of all three in
        the order above, in a row, in a list or tuple, or in a dict by names such as ``x1`` or
        ``x1_train``.
    stem
        STEM, where the folder holds files with several.

    Returns
    -------
    dict
        `Split` by name: ``train``, ``validation``, ``test``, as far as they are there.

    Raises
    ------
    ValueError
        If files are missing, hold anything but arrays, or do not fit each other.
    """
    path = Path(path)
    found = _in_folder(path, stem) if path.is_dir() else _in_file(path)
    splits = {}
    for name, theirs in SPLITS.items():
        parts = {
            array: found[f"{array}_{theirs}"] for array in ARRAYS if f"{array}_{theirs}" in found
        }
        if not parts:
            continue
        missing = [array for array in ARRAYS if array not in parts]
        if missing:
            raise ValueError(
                f"{path}: {' and '.join(f'{array}_{theirs}' for array in missing)} missing; the "
                f"{name} split is {', '.join(f'{array}_{theirs}' for array in ARRAYS)}"
            )
        for array in ("x1", "y"):
            if not isinstance(parts[array], np.ndarray):
                raise ValueError(
                    f"{path}, {array}_{theirs}: {type(parts[array]).__name__}; expected one array"
                )
        curves = _variants(parts["x2"], f"{path}, x2_{theirs}")
        splits[name] = Split(name, path, parts["x1"], curves, parts["y"])
    if not splits:
        raise ValueError(f"{path}: none of x1_train, x2_train, y_train and so on")
    return splits


def samples(
    split: Split,
    which: slice | NDArray,
    *,
    points: int | None = None,
    noise: float | None = None,
) -> xr.Dataset:
    """Read chosen samples, and only these, into memory.

    The runs of a sample are put into our order: by loading those that start with the standard
    run's substrate, then the one that starts with less.

    Parameters
    ----------
    split
        Where from, see `read`.
    which
        The samples' positions.
    points, noise
        Which variant of the test set, see `Split.variant`.

    Returns
    -------
    xarray.Dataset
        The schema of `kinetlib.runs.shards.build` without what is not published,
        ``rate_constants`` and ``horizon``: ``time`` runs from 0 to 1. ``substrate_0`` and
        ``product_0`` are the values of the first point.

    Raises
    ------
    ValueError
        If a value is not finite, a loading not positive, or a run does not start at time 0.
    """
    curves = split.variant(points, noise)
    positions = np.arange(len(split))[which]
    n, n_points = len(positions), curves.shape[1]
    loading = np.empty((n, N_RUNS), dtype=split.loading.dtype.newbyteorder("="))
    measured = np.empty((len(COLUMNS), n, N_RUNS, n_points), dtype=curves.dtype.newbyteorder("="))
    for begin in range(0, n, BLOCK):
        part = positions[begin : begin + BLOCK]
        block = curves[part].reshape(-1, n_points, N_RUNS, len(COLUMNS)).transpose(3, 0, 2, 1)
        order = _checked_order(split, part, split.loading[part], block)
        loading[begin : begin + BLOCK] = np.take_along_axis(split.loading[part], order, axis=1)
        measured[:, begin : begin + BLOCK] = np.take_along_axis(
            block, order[None, :, :, None], axis=2
        )
        _let_go(curves)
    time, substrate, product = measured
    values = {
        "time": time,
        "substrate": substrate,
        "product": product,
        "loading": loading,
        "substrate_0": substrate[..., 0].copy(),
        "product_0": product[..., 0].copy(),
        "mechanism": np.array(list(mechanisms.catalogue()), dtype=object)[split.labels[positions]],
    }
    return xr.Dataset({name: dataset.variable(name, array) for name, array in values.items()})


def mechanism(
    split: Split, name: str, *, points: int | None = None, noise: float | None = None
) -> xr.Dataset:
    """Read the samples of one mechanism, such as ``"M7"``, see `samples`.

    Raises
    ------
    ValueError
        If there is no such mechanism, or as `samples` does.
    """
    wanted = list(mechanisms.catalogue()).index(mechanisms.get(name).id)
    return samples(split, np.flatnonzero(split.labels == wanted), points=points, noise=noise)


def by_mechanism(
    split: Split, *, points: int | None = None, noise: float | None = None
) -> Iterator[xr.Dataset]:
    """Read one mechanism after the other, M1 first, those that have samples; see `mechanism`."""
    for name in _present(split):
        yield mechanism(split, name, points=points, noise=noise)


def to_shards(
    split: Split,
    folder: str | Path,
    *,
    points: int | None = None,
    noise: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write a split as shards that `kinetlib.runs.dataset.open_shards` opens, one a mechanism.

    Parameters
    ----------
    split
        Where from, see `read`.
    folder
        Folder of the dataset; the shards go to ``folder/train`` and so on, which appears whole or
        not at all.
    points, noise
        Which variant of the test set, see `Split.variant`.
    progress
        Called with the number of shards done and in all, after each.

    Returns
    -------
    Path
        The folder of the split.

    Raises
    ------
    ValueError
        If the folder of the split is there already, or as `samples` does.
    """
    place = Path(folder) / split.name
    if place.exists():
        raise ValueError(f"{place} is there already: remove it or give another folder")
    split.variant(points, noise)
    present = _present(split)
    beside = place.with_name(f".{place.name}.{os.getpid()}.part")
    beside.mkdir(parents=True)
    try:
        for number, name in enumerate(present):
            shard = mechanism(split, name, points=points, noise=noise).assign_attrs(
                title=f"Runs of {name} from a dataset in the layout of Burés and Larrosa (2023)",
                Conventions="CF-1.11",
                source=split.source.name,
                **provenance.attributes(),
            )
            dataset.write_shard(shard, beside / f"shard-{number:05d}.nc")
            progress(number + 1, len(present))
        os.replace(beside, place)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return place


def _let_go(mapped: NDArray) -> None:
    """Take the pages of a file that were read out of this process's memory again.

    They could go at any time, but until then they count as ours where memory is limited.
    """
    if isinstance(mapped, np.memmap) and hasattr(mmap, "MADV_DONTNEED"):
        mapped._mmap.madvise(mmap.MADV_DONTNEED)


def _present(split: Split) -> list[str]:
    names = list(mechanisms.catalogue())
    return [names[label] for label in np.unique(split.labels)]


def _in_folder(folder: Path, stem: str | None) -> dict[str, Any]:
    known = [f"{array}_{theirs}" for theirs in SPLITS.values() for array in ARRAYS]
    files = {}
    for name in known:
        paths = sorted(folder.glob(f"{name}_{stem or '*'}.pkl"))
        if len(paths) > 1:
            raise ValueError(
                f"{folder}: {' and '.join(path.name for path in paths)}; give the stem of one, "
                f"such as {paths[0].stem.removeprefix(f'{name}_')}"
            )
        if paths:
            files[name] = paths[0]
    if not files:
        raise ValueError(
            f"{folder}: no file such as x1_train_{stem or STEM}.pkl; unpack the archive there"
        )
    found = {}
    for name, path in files.items():
        values = unpickler.load(path)
        if len(values) != 1:
            raise ValueError(f"{path}: {len(values)} objects; expected one")
        found[name] = values[0]
    return found


def _in_file(path: Path) -> dict[str, Any]:
    values = unpickler.load(path)
    if len(values) == 1 and isinstance(values[0], tuple | list):
        values = list(values[0])
    names = [f"{array}_{theirs}" for theirs in SPLITS.values() for array in ARRAYS]
    if len(values) in (len(ARRAYS), len(names)):
        return dict(zip(names, values, strict=False))
    if len(values) == 1 and isinstance(values[0], dict):
        unnamed = {array: f"{array}_train" for array in ARRAYS}
        return {unnamed.get(name, name): value for name, value in values[0].items()}
    raise ValueError(
        f"{path}: {len(values)} objects; expected x1, x2 and y of one split or of all three, or a "
        "dict of these; give the folder if the arrays lie in a file each"
    )


def _variants(x2: Any, where: str) -> dict[tuple[int, float], NDArray]:
    """Bring ``x2``, an array or a dict by points, then by noise, into one form."""
    if isinstance(x2, np.ndarray):
        return {(x2.shape[1] - 1 if x2.ndim > 1 else 0, 0.0): x2}
    variants = {}
    try:
        for points, branch in x2.items():
            for noise, values in (branch if isinstance(branch, dict) else {0: branch}).items():
                variants[int(points), float(noise)] = values
    except (AttributeError, TypeError, ValueError):
        variants = {}
    if not variants or not all(isinstance(values, np.ndarray) for values in variants.values()):
        raise ValueError(
            f"{where}: expected an array, or a dict of arrays by number of points, then by noise "
            "in percent"
        )
    return variants


def _checked_order(
    split: Split, positions: NDArray, loading: NDArray, measured: NDArray
) -> NDArray[np.int64]:
    """Check a block, ``measured`` (column, sample, run, time), and return its runs in our order."""
    time, substrate, _ = measured
    problems = {
        "a value that is no finite number": ~np.isfinite(measured).all((0, 2, 3)),
        "a loading that is not positive": ~((loading > 0) & np.isfinite(loading)).all(1),
        "a run that does not start at time 0": (time[..., 0] != 0).any(1),
    }
    for problem, where in problems.items():
        if where.any():
            raise ValueError(
                f"{split.source}, {split.name}, sample {positions[np.argmax(where)]}: {problem}; "
                "expected x1 with four loadings, and x2 with time from 0, substrate and product "
                "of four runs"
            )
    # The standard run starts at 1; the networks choose their runs with the same tolerance.
    less = substrate[..., 0] < 0.95
    return np.lexsort((loading, less), axis=-1)
