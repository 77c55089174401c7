"""Our datasets in the published layout, written without holding them in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import SeedSequence, default_rng
from numpy.typing import DTypeLike, NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.records.files import replacing
from kinetlib.runs.noise import noisy
from kinetlib.runs.published.pickler import Pieces, dump
from kinetlib.runs.published.samples import BLOCK, COLUMNS, SPLITS, STEM
from kinetlib.runs.runs import start_and
from kinetlib.runs.sample import N_RUNS


def write(
    folder: str | Path,
    *,
    train: xr.Dataset | None = None,
    validation: xr.Dataset | None = None,
    test: xr.Dataset | None = None,
    points: Sequence[int] | None = None,
    noise: Sequence[float] = (0, 1, 5),
    seed: int = 0,
    dtype: DTypeLike = np.float64,
    stem: str = STEM,
) -> list[Path]:
    """Write datasets in the published layout, for code that reads it by ``pickle.load``.

    Time is divided by the sample's horizon, as published, where the dataset has one. Samples stay
    in their order, in which those of a mechanism stand together: shuffle before training.

    Parameters
    ----------
    folder
        Where ``x1_train_STEM.pkl`` and the others go: three files a split.
    train, validation, test
        Datasets of the schema, see `kinetlib.runs.shards.build`, such as `open_shards` returns.
    points
        Numbers of points beside t = 0 in the test set's variants, chosen at random for each run;
        all that there are if not given.
    noise
        Noise of the test set's variants in percent: relative and Gaussian, see
        `kinetlib.runs.noise.noisy`. (The published training code adds noise that does not grow with
        the value; which kind the published test set has is not known.)
    seed
        Of the points and the noise.
    dtype
        Precision of loadings and curves.
    stem
        Last part of the files' names.

    Returns
    -------
    list of Path
        The files. They appear together, once all are whole.

    Raises
    ------
    ValueError
        If nothing is given to write, a dataset lacks a variable, has gaps or other than four runs
        a sample, names an unknown mechanism, or has fewer points than asked for.
    """
    folder = Path(folder)
    given = {"train": train, "validation": validation, "test": test}
    contents: dict[Path, Pieces | dict] = {}
    for name, runs in given.items():
        if runs is None:
            continue
        parts = _pieces(runs, name, np.dtype(dtype))
        if name == "test":
            most = runs.sizes["time"] - 1
            parts["x2"] = _variants(runs, (most,) if points is None else points, noise, seed, dtype)
        for array, content in parts.items():
            contents[folder / f"{array}_{SPLITS[name]}_{stem}.pkl"] = content
    if not contents:
        raise ValueError("nothing to write: give train, validation or test")
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        for path, content in contents.items():
            # No file takes its place before all are written.
            beside = stack.enter_context(replacing(path))
            with beside.open("wb") as file:
                dump(content, file)
    return list(contents)


def _pieces(runs: xr.Dataset, split: str, dtype: np.dtype) -> dict[str, Pieces | dict]:
    """Describe the arrays of a split, curves as they are; nothing is read yet."""
    wanted = (*COLUMNS, "loading", "mechanism")
    missing = [name for name in wanted if name not in runs]
    if missing or runs.sizes.get("run") != N_RUNS:
        raise ValueError(
            f"{split}: {', '.join(missing) or 'number of runs'} missing; expected "
            f"{', '.join(wanted)} with {N_RUNS} runs a sample"
        )
    n = runs.sizes["sample"]
    return {
        "x1": Pieces((n, N_RUNS), dtype, _blocks(runs, ["loading"], _loadings)),
        "x2": _curves(runs, dtype, runs.sizes["time"] - 1, 0.0, 0),
        "y": Pieces((n,), np.int64, _blocks(runs, ["mechanism"], _classes)),
    }


def _variants(
    runs: xr.Dataset, points: Sequence[int], noise: Sequence[float], seed: int, dtype: DTypeLike
) -> dict[int, dict[int | float, Pieces]]:
    most = runs.sizes["time"] - 1
    for number in points:
        if not 1 <= number <= most:
            raise ValueError(f"test: {number} points asked for, expected 1 to {most}")
    for percent in noise:
        if not 0 <= percent <= 100:
            raise ValueError(f"test: noise of {percent} % asked for, expected 0 to 100")
    # Whole numbers are keys as published.
    keys = [int(percent) if percent == int(percent) else float(percent) for percent in noise]
    return {
        int(number): {key: _curves(runs, dtype, int(number), key, seed) for key in keys}
        for number in points
    }


def _curves(runs: xr.Dataset, dtype: DTypeLike, points: int, percent: float, seed: int) -> Pieces:
    """Describe x2, with so many points beside the first and so much noise."""
    # The choice of points does not depend on the noise: variants with equal points differ in noise.
    at_random = default_rng(SeedSequence(seed, spawn_key=(points,)))
    noise = default_rng(SeedSequence(seed, spawn_key=(points, round(1e6 * percent))))

    def make(block: xr.Dataset) -> NDArray:
        measured = _measured(block)
        if points < measured.shape[-1] - 1:
            n, n_runs, n_times = measured.shape[1:]
            order = at_random.random((n, n_runs, n_times - 1)).argsort(axis=-1)
            measured = np.take_along_axis(measured, start_and(order, points)[None], axis=-1)
        if percent:
            for column in (1, 2):
                measured[column] = noisy(measured[column], measured[0], percent / 100, noise)
        return measured.transpose(1, 3, 2, 0).reshape(-1, points + 1, N_RUNS * len(COLUMNS))

    names = [*COLUMNS, *(["horizon"] if "horizon" in runs else [])]
    shape = (runs.sizes["sample"], points + 1, N_RUNS * len(COLUMNS))
    return Pieces(shape, dtype, _blocks(runs, names, make))


def _measured(block: xr.Dataset) -> NDArray:
    """Stack time, substrate and product: (column, sample, run, time)."""
    dims = ("sample", "run", "time")
    columns = [block[name].transpose(*dims).values for name in COLUMNS]
    measured = np.stack(columns, dtype=np.float64)
    if "horizon" in block:
        measured[0] /= block["horizon"].values[:, None, None]
    return _without_gaps(measured)


def _loadings(block: xr.Dataset) -> NDArray:
    return _without_gaps(block["loading"].transpose("sample", "run").values)


def _without_gaps(values: NDArray) -> NDArray:
    if not np.isfinite(values).all():
        raise ValueError(
            "runs with gaps (values that are no finite number): the published layout has no place "
            "for them; leave such samples out"
        )
    return values


def _classes(block: xr.Dataset) -> NDArray[np.int64]:
    names = {name: label for label, name in enumerate(mechanisms.catalogue())}
    found = block["mechanism"].values
    unknown = sorted({str(name) for name in found} - set(names))
    if unknown:
        raise ValueError(
            f"mechanism {', '.join(unknown)}: the published layout has a number for "
            f"{', '.join(names)} only"
        )
    return np.array([names[str(name)] for name in found], dtype=np.int64)


def _blocks(
    runs: xr.Dataset, names: list[str], make: Callable[[xr.Dataset], NDArray]
) -> Iterator[NDArray]:
    """Load and convert some samples at a time: a shard at a time where the dataset is on disk."""
    sizes = runs[names].chunksizes.get("sample")
    if sizes is None:
        n = runs.sizes["sample"]
        sizes = tuple(min(BLOCK, n - begin) for begin in range(0, n, BLOCK))
    begin = 0
    for size in sizes:
        yield make(runs[names].isel(sample=slice(begin, begin + size)).load())
        begin += size
