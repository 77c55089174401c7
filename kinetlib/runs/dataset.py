"""Datasets on disk: the schema, a folder of NetCDF shards a split, opened lazily, given noise."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kinetlib.records.files import replacing
from kinetlib.runs.noise import noisy
from kinetlib.runs.runs import MEASURED

_RELATIVE = "substrate of the standard run"
#: The variables of a dataset, what they mean and their units.
VARIABLES = {
    "time": ("time since the start of the run", "1"),
    "substrate": ("substrate concentration", _RELATIVE),
    "product": ("product concentration", _RELATIVE),
    "loading": ("initial catalyst, mole fraction", _RELATIVE),
    "substrate_0": ("initial substrate concentration", _RELATIVE),
    "product_0": ("initial product concentration", _RELATIVE),
    "mechanism": ("mechanism that made the runs", ""),
    "rate_constants": ("rate constants: first order 1/time, second order 1/(time units)", "1"),
    "horizon": ("time span from which output times are drawn", "1"),
}
# The HDF5 library takes one thread at a time, and xarray's own locks do not cover all of its calls.
HDF5 = threading.Lock()
_DIMS = {1: ("sample",), 2: ("sample", "run"), 3: ("sample", "run", "time")}


def variable(
    name: str, values: NDArray, dims: tuple[str, ...] | None = None
) -> tuple[tuple[str, ...], NDArray, dict[str, str]]:
    """Return a variable of the schema with its meaning and unit, as xarray takes it.

    Parameters
    ----------
    name
        Its name in `VARIABLES`.
    values
        Shape (sample,), (sample, run) or (sample, run, time), unless `dims` says otherwise.
    dims
        Other dimensions.
    """
    meaning, unit = VARIABLES[name]
    attributes = {"long_name": meaning} | ({"units": unit} if unit else {})
    return dims or _DIMS[values.ndim], values, attributes


def write_shard(shard: xr.Dataset, path: Path) -> None:
    """Write a shard as NetCDF; it appears under its name whole or not at all."""
    # The curves are nine tenths of a shard, of numbers that hardly compress.
    whole = (*MEASURED, "mechanism")
    packed = {name: {"zlib": True, "complevel": 1} for name in shard if name not in whole}
    with replacing(path) as beside, HDF5:
        shard.to_netcdf(beside, engine="netcdf4", encoding=packed)


def shards(folder: str | Path) -> list[Path]:
    """Shards in a folder, in the order of their numbers."""
    return sorted(Path(folder).glob("shard-*.nc"))


def open_shards(folder: str | Path) -> xr.Dataset:
    """Open the shards of a split lazily as one dataset.

    Raises
    ------
    ValueError
        If the folder holds no shard.
    """
    paths = shards(folder)
    if not paths:
        raise ValueError(
            f"no shards (shard-*.nc) in {folder}: run the chapter on dataset generation first"
        )
    return xr.open_mfdataset(
        paths,
        combine="nested",
        concat_dim="sample",
        data_vars="minimal",
        coords="minimal",
        compat="override",
        join="exact",
        combine_attrs="drop_conflicts",
        engine="netcdf4",
    )


def with_noise(runs: xr.Dataset, level: float, rng: Generator) -> xr.Dataset:
    """Return runs as measured: relative Gaussian noise on substrate and product.

    Parameters
    ----------
    runs
        Exact runs of the schema.
    level
        Standard deviation of the noise relative to the value.
    rng
        Source of the noise.
    """
    time = runs["time"].values
    measured = {
        name: (runs[name].dims, noisy(runs[name].values, time, level, rng), runs[name].attrs)
        for name in ("substrate", "product")
    }
    return runs.assign(measured)


def of_samples(
    loading: ArrayLike,
    substrate_0: ArrayLike,
    product_0: ArrayLike,
    times: ArrayLike,
    concentration: ArrayLike,
) -> xr.Dataset:
    """Put samples of the same runs into the schema, as `kinetlib.lab.read` does with a workbook's.

    Parameters
    ----------
    loading, substrate_0, product_0
        Of each run (r,), or a number for all.
    times
        Of all runs (T,), or of each (r, T).
    concentration
        Substrate and product, shape (n, r, T, 2).
    """
    concentration = np.asarray(concentration, dtype=float)
    shape = concentration.shape[:3]
    points, once = ("sample", "run", "time"), ("sample", "run")
    starts = {"loading": loading, "substrate_0": substrate_0, "product_0": product_0}
    return xr.Dataset(
        {
            "substrate": (points, concentration[..., 0]),
            "product": (points, concentration[..., 1]),
            **{
                name: (once, np.broadcast_to(np.asarray(value, float), shape[:2]))
                for name, value in starts.items()
            },
        },
        coords={"time": (points, np.broadcast_to(np.asarray(times, float), shape))},
    )


def joined(first: xr.Dataset, more: xr.Dataset) -> xr.Dataset:
    """Put runs of one reaction together, filled up with NaN where some have fewer points."""
    width = max(first.sizes["time"], more.sizes["time"])
    padded = [
        runs.drop_attrs()
        .drop_vars("run", errors="ignore")
        .reset_coords("time")
        .pad(time=(0, width - runs.sizes["time"]))
        for runs in (first, more)
    ]
    names = [name for name in padded[0].data_vars if name in padded[1]]
    return xr.concat([runs[names] for runs in padded], "run").set_coords("time")


def acceptance(folder: str | Path) -> dict[str, tuple[int, int]]:
    """Count accepted and proposed parameter sets of each mechanism in a folder's shards."""
    totals: dict[str, tuple[int, int]] = {}
    for path in shards(folder):
        with xr.open_dataset(path, engine="netcdf4") as shard:
            tried = json.loads(shard.attrs["accepted_and_proposed_sets"])
        for name, (accepted, proposed) in tried.items():
            before = totals.get(name, (0, 0))
            totals[name] = (before[0] + accepted, before[1] + proposed)
    return totals
