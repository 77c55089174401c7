"""Datasets on disk: a folder of NetCDF shards, written whole or not at all, opened lazily.

A shard holds samples of every mechanism in equal number and depends on nothing but the design, the
seed, the split and its number: any machine makes the same values, in any order, on any number of
threads. Splits never share a parameter set, because no two shards share a stream of random numbers.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib import mechanisms, provenance
from kinetlib.mechanisms import Mechanism
from kinetlib.sample import LABORATORY, TEST, TRAIN, Design, Samples, accepted_sets, draw_samples

# The position of a split decides its random numbers: new ones go to the end.
SPLITS = {"train": TRAIN, "validation": TRAIN, "test": TEST, "laboratory": LABORATORY}

_RELATIVE = "substrate of the standard run"
_VARIABLES = {
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
_SOURCES = [
    "network.py",
    "_conservation.py",
    "_native.py",
    "_native_source.py",
    "_native.c",
    "_rodas.py",
    "integrate.py",
    "mechanisms.py",
    "catalogue.toml",
    "sample.py",
    "dataset.py",
]
_DIMS = {1: ("sample",), 2: ("sample", "run"), 3: ("sample", "run", "time")}


def build_shard(
    split: str,
    number: int,
    *,
    seed: int,
    sets_per_mechanism: int,
    samples_per_set: int,
    design: Design | None = None,
    catalogue: Sequence[Mechanism] | None = None,
    threads: int | None = None,
) -> xr.Dataset:
    """Make one shard in memory.

    Parameters
    ----------
    split
        One of `SPLITS`: what the shard's random numbers and, unless `design` says otherwise, its
        design come from.
    number
        Number of the shard within its split.
    seed
        Seed of the whole dataset.
    sets_per_mechanism, samples_per_set
        Accepted parameter sets a mechanism, and samples of four runs a set.
    design
        Another design than the split's own.
    catalogue
        Mechanisms, M1 to M20 by default. A mechanism's values do not depend on the others here.
    threads
        Threads of the integrator; the values do not depend on it.

    Returns
    -------
    xarray.Dataset
        ``time``, ``substrate``, ``product`` (sample, run, time); ``loading``, ``substrate_0``,
        ``product_0`` (sample, run); ``mechanism`` (sample); ``rate_constants`` (sample, constant),
        NaN where a mechanism has fewer; ``horizon`` (sample).
    """
    design = design or _design_of(split)
    chosen = list(mechanisms.catalogue().values()) if catalogue is None else list(catalogue)
    names = _constants(chosen)
    parts, tried = [], {}
    for mechanism in chosen:
        rng = default_rng(_stream(seed, split, number, mechanism.id))
        sets = accepted_sets(mechanism, sets_per_mechanism, design, rng, threads=threads)
        samples = draw_samples(mechanism, sets, samples_per_set, design, rng, threads=threads)
        parts.append(_labelled(mechanism, samples, names))
        tried[mechanism.id] = (sets.accepted, sets.proposed)
    shard = drop_shared(xr.concat(parts, "sample"))
    return shard.assign_attrs(
        title=f"Simulated runs of {len(chosen)} catalytic mechanisms",
        Conventions="CF-1.11",
        recipe=_recipe(split, number, seed, sets_per_mechanism, samples_per_set, design),
        accepted_and_proposed_sets=json.dumps(tried),
        **provenance.attributes(),
    )


def drop_shared(shard: xr.Dataset) -> xr.Dataset:
    """Drop, from all of them, the parameter sets that more than one mechanism accepted."""
    constants = np.nan_to_num(shard.rate_constants.values, nan=-1.0)
    _, group = np.unique(constants, axis=0, return_inverse=True)
    owners = {(int(g), str(m)) for g, m in zip(group, shard.mechanism.values, strict=True)}
    counts = np.bincount([g for g, _ in owners], minlength=group.max() + 1)
    return shard.isel(sample=counts[group] == 1)


def write_shard(shard: xr.Dataset, path: Path) -> None:
    """Write a shard as NetCDF; it appears under its name whole or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    packed = {name: {"zlib": True, "complevel": 1} for name in _VARIABLES if name != "mechanism"}
    try:
        shard.to_netcdf(beside, engine="netcdf4", encoding=packed)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def generate(
    folder: str | Path,
    split: str,
    n_shards: int,
    *,
    seed: int,
    sets_per_mechanism: int,
    samples_per_set: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Make the shards of a split that are not there yet.

    Parameters
    ----------
    folder
        Folder of the dataset; the shards go to ``folder/split/shard-00000.nc`` and so on.
    split, n_shards, seed, sets_per_mechanism, samples_per_set
        See `build_shard`.
    progress
        Called with the number of shards done and in all, after each.

    Returns
    -------
    Path
        The folder of the split. Shards of an earlier call with other parameters are made anew, and
        surplus ones removed.
    """
    place = Path(folder) / split
    wanted = {place / _file_name(number) for number in range(n_shards)}
    for path in set(shards(place)) - wanted:
        path.unlink()
    return make(
        folder,
        split,
        range(n_shards),
        seed=seed,
        sets_per_mechanism=sets_per_mechanism,
        samples_per_set=samples_per_set,
        progress=progress,
    )


def make(
    folder: str | Path,
    split: str,
    numbers: Sequence[int],
    *,
    seed: int,
    sets_per_mechanism: int,
    samples_per_set: int,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Make those of some shards of a split that are not there yet, and touch no other.

    Several processes, on several machines, may each make their numbers in one folder.

    Parameters
    ----------
    folder, progress
        See `generate`.
    numbers
        Numbers of the shards.
    split, seed, sets_per_mechanism, samples_per_set, threads
        See `build_shard`.

    Returns
    -------
    Path
        The folder of the split.
    """
    place = Path(folder) / split
    place.mkdir(parents=True, exist_ok=True)
    size = {"sets_per_mechanism": sets_per_mechanism, "samples_per_set": samples_per_set}
    for done, number in enumerate(numbers, 1):
        path = place / _file_name(number)
        if not _is_made_by(_recipe(split, number, seed, *size.values(), _design_of(split)), path):
            write_shard(build_shard(split, number, seed=seed, **size, threads=threads), path)
        progress(done, len(numbers))
    return place


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
    measured = {
        name: (runs[name].dims, noisy(runs[name].values, level, rng), runs[name].attrs)
        for name in ("substrate", "product")
    }
    return runs.assign(measured)


def noisy(exact: NDArray, level: float | NDArray, rng: Generator) -> NDArray:
    """Add relative Gaussian noise to concentrations.

    Parameters
    ----------
    exact
        Shape (n, run, time), single or double precision.
    level
        Standard deviation relative to the value, a number or one a sample (n,). The first point of
        a run was weighed in and stays exact.
    rng
        Source of the noise.
    """
    level = np.broadcast_to(np.asarray(level, dtype=exact.dtype), len(exact))[:, None, None]
    factor = 1.0 + level * rng.standard_normal(exact.shape, dtype=exact.dtype)
    factor[..., 0] = 1.0
    return exact * factor


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


def _file_name(number: int) -> str:
    return f"shard-{number:05d}.nc"


def _design_of(split: str) -> Design:
    if split not in SPLITS:
        raise ValueError(f"unknown split {split!r}: expected one of {', '.join(SPLITS)}")
    return SPLITS[split]


def _stream(seed: int, split: str, number: int, mechanism: str) -> SeedSequence:
    """Random numbers of one mechanism in one shard: a stream of its own, whatever else is made."""
    key = (list(SPLITS).index(split), number, *mechanism.encode())
    return SeedSequence(entropy=seed, spawn_key=key)


def _constants(chosen: Sequence[Mechanism]) -> list[str]:
    """Names of all rate constants, by step, forward before backward."""
    names = {name for mechanism in chosen for name in mechanism.network.constants}
    return sorted(names, key=lambda name: (name.lstrip("k-"), "-" in name))


def _labelled(mechanism: Mechanism, samples: Samples, names: Sequence[str]) -> xr.Dataset:
    variables = {}
    for name, (meaning, unit) in _VARIABLES.items():
        if name in ("mechanism", "rate_constants"):
            continue
        values: NDArray = getattr(samples, name)
        attributes = {"long_name": meaning, "units": unit}
        variables[name] = (_DIMS[values.ndim], values, attributes)
    n = len(samples.horizon)
    constants = np.full((n, len(names)), np.nan)
    at = [names.index(name) for name in mechanism.network.constants]
    constants[:, at] = samples.rate_constants
    long_name, unit = _VARIABLES["rate_constants"]
    variables["rate_constants"] = (
        ("sample", "constant"),
        constants,
        {"long_name": long_name, "units": unit},
    )
    label = np.full(n, mechanism.id, dtype=object)
    variables["mechanism"] = ("sample", label, {"long_name": _VARIABLES["mechanism"][0]})
    return xr.Dataset(variables, coords={"constant": list(names)})


@cache
def _code() -> str:
    """Digest of the source that decides a shard's values."""
    package = resources.files("kinetlib")
    digest = hashlib.sha256()
    for name in _SOURCES:
        digest.update((package / name).read_bytes())
    return digest.hexdigest()[:16]


def _recipe(
    split: str,
    number: int,
    seed: int,
    sets_per_mechanism: int,
    samples_per_set: int,
    design: Design,
) -> str:
    """All that a shard's values follow from, as JSON."""
    return json.dumps(
        {
            "split": split,
            "shard": number,
            "seed": seed,
            "sets_per_mechanism": sets_per_mechanism,
            "samples_per_set": samples_per_set,
            "design": design.model_dump(mode="json"),
            "code": _code(),
        }
    )


def _is_made_by(recipe: str, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with xr.open_dataset(path, engine="netcdf4") as shard:
            return shard.attrs.get("recipe") == recipe
    except OSError:  # not a NetCDF file
        return False
