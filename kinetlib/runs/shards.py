"""Making the shards of a dataset: any machine, any order, any number of threads, the same values.

A shard holds samples of every mechanism in equal number and depends on nothing but its `Plan` and
its number. Splits never share a parameter set, because no two shards share a stream of random
numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import SeedSequence, default_rng

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import available_processors
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.records import code, provenance
from kinetlib.records.files import sweep
from kinetlib.runs.dataset import HDF5, shards, variable, write_shard
from kinetlib.runs.runs import INITIAL, MEASURED
from kinetlib.runs.sample import (
    LABORATORY,
    TEST,
    TRAIN,
    Design,
    Samples,
    accepted_sets,
    draw_samples,
)

# The position of a split decides its random numbers: new ones go to the end.
SPLITS = {"train": TRAIN, "validation": TRAIN, "test": TEST, "laboratory": LABORATORY}


@dataclass(frozen=True)
class Plan:
    """What the shards of one split are made of.

    Attributes
    ----------
    split
        One of `SPLITS`: where the random numbers and, unless `design` says otherwise, the design
        come from.
    seed
        Seed of the whole dataset.
    sets_per_mechanism, samples_per_set
        Accepted parameter sets a mechanism and shard, and samples of four runs that share each.
    design
        Ranges that constants, loadings, times are drawn from.
    catalogue
        Mechanisms with their rules of acceptance, M1 to M20 by default. A mechanism's values do
        not depend on the others here.

    Raises
    ------
    ValueError
        For a split that is not known.
    """

    split: str
    seed: int
    sets_per_mechanism: int
    samples_per_set: int
    design: Design | None = None
    catalogue: Sequence[Mechanism] = field(
        default_factory=lambda: tuple(mechanisms.catalogue().values())
    )

    def __post_init__(self) -> None:
        """Fill in the split's own design."""
        if self.split not in SPLITS:
            raise ValueError(f"unknown split {self.split!r}: expected one of {', '.join(SPLITS)}")
        if self.design is None:
            object.__setattr__(self, "design", SPLITS[self.split])

    def recipe(self, number: int) -> str:
        """All that the values of a shard follow from, as JSON."""
        return json.dumps(
            {
                "split": self.split,
                "shard": number,
                "seed": self.seed,
                "sets_per_mechanism": self.sets_per_mechanism,
                "samples_per_set": self.samples_per_set,
                "design": self.design.model_dump(mode="json"),
                "mechanisms": _digest([repr(m).encode() for m in self.catalogue]),
                "code": _code(),
            }
        )


def plans(
    *,
    seed: int,
    sets_per_mechanism: int,
    samples_per_set: int,
    constants: Sequence[float],
    horizon: Sequence[float],
    loadings: Sequence[float],
    test_loadings: Sequence[float],
    substrate: Sequence[float],
    n_times: int,
    n_test_times: int,
    catalogue: str = "",
) -> dict[str, Plan]:
    """Plan training, validation and test set from the parameters of the chapter that makes them.

    Parameters
    ----------
    seed, sets_per_mechanism, samples_per_set
        See `Plan`.
    constants, horizon, substrate
        Ranges, from and to, see `kinetlib.runs.sample.Design`.
    loadings, test_loadings
        Range of the loadings in training and validation, and the three ranges of those in test,
        six numbers.
    n_times, n_test_times
        Output times beside t = 0.
    catalogue
        File of mechanisms with their rules of acceptance; the catalogue of kinetlib if empty.
    """
    common = {"constants": constants, "horizon": horizon, "substrate": substrate}
    train = Design(**common, loadings=(loadings,) * 3, n_times=n_times)
    strata = tuple(zip(test_loadings[::2], test_loadings[1::2], strict=True))
    test = Design(**common, loadings=strata, n_times=n_test_times)
    chosen = mechanisms.load(catalogue) if catalogue else mechanisms.catalogue()
    size = (seed, sets_per_mechanism, samples_per_set)
    return {
        split: Plan(split, *size, design, tuple(chosen.values()))
        for split, design in (("train", train), ("validation", train), ("test", test))
    }


def build(plan: Plan, number: int, *, threads: int | None = None) -> xr.Dataset:
    """Make one shard in memory.

    Parameters
    ----------
    plan
        What it is made of.
    number
        Number of the shard within its split.
    threads
        Threads of the integrator; the values do not depend on it.

    Returns
    -------
    xarray.Dataset
        ``time``, ``substrate``, ``product`` (sample, run, time), single precision; ``loading``,
        ``substrate_0``, ``product_0`` (sample, run); ``mechanism`` (sample); ``rate_constants``
        (sample, constant), NaN where a mechanism has fewer; ``horizon`` (sample).
    """
    names = mechanisms.constants_of(plan.catalogue)
    parts, tried = [], {}
    for mechanism in plan.catalogue:
        rng = default_rng(_stream(plan, number, mechanism.id))
        sets = accepted_sets(mechanism, plan.sets_per_mechanism, plan.design, rng, threads=threads)
        samples = draw_samples(
            mechanism, sets, plan.samples_per_set, plan.design, rng, threads=threads
        )
        parts.append(_labelled(mechanism, samples, names))
        tried[mechanism.id] = (sets.accepted, sets.proposed)
    shard = drop_shared(xr.concat(parts, "sample"))
    return shard.assign_attrs(
        title=f"Simulated runs of {len(plan.catalogue)} catalytic mechanisms",
        Conventions="CF-1.11",
        recipe=plan.recipe(number),
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


def make(
    folder: str | Path,
    plan: Plan,
    numbers: Iterable[int],
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Make those of some shards of a split that are not there yet, and touch no other.

    Several processes, on several machines, may each make their numbers in one folder.

    Parameters
    ----------
    folder
        Folder of the dataset; the shards go to ``folder/split/shard-00000.nc`` and so on.
    plan
        What they are made of; a shard made of something else is made anew.
    numbers
        Which shards.
    threads
        How many shards are made side by side; by default as many as there are processors.
    progress
        Called with the number of shards done and in all, after each.

    Returns
    -------
    Path
        The folder of the split.
    """
    place = Path(folder) / plan.split
    place.mkdir(parents=True, exist_ok=True)
    sweep(place, "shard-*.nc")
    numbers = list(numbers)
    threads = threads or available_processors()
    workers = max(1, min(len(numbers), threads))

    def ready(number: int) -> None:
        path = _path(place, number)
        if not _is_made_by(plan.recipe(number), path):
            write_shard(build(plan, number, threads=max(1, threads // workers)), path)

    with ThreadPoolExecutor(workers) as pool:
        try:
            running = [pool.submit(ready, number) for number in numbers]
            for done, shard in enumerate(as_completed(running), start=1):
                shard.result()
                progress(done, len(numbers))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return place


def generate(
    folder: str | Path,
    plan: Plan,
    n_shards: int,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Make the first `n_shards` shards of a split and remove all others; see `make`."""
    place = make(folder, plan, range(n_shards), progress=progress)
    for path in {*shards(place)} - {_path(place, number) for number in range(n_shards)}:
        path.unlink()
    return place


def _path(place: Path, number: int) -> Path:
    return place / f"shard-{number:05d}.nc"


def _stream(plan: Plan, number: int, mechanism: str) -> SeedSequence:
    """Random numbers of one mechanism in one shard: a stream of its own, whatever else is made."""
    key = (list(SPLITS).index(plan.split), number, *mechanism.encode())
    return SeedSequence(entropy=plan.seed, spawn_key=key)


def _labelled(mechanism: Mechanism, samples: Samples, names: Sequence[str]) -> xr.Dataset:
    # Single precision rounds at 6e-8, below what the integrator promises.
    values = {name: getattr(samples.runs, name).astype(np.float32) for name in MEASURED}
    values |= {name: getattr(samples.runs, name) for name in INITIAL}
    values["horizon"] = samples.horizon
    variables = {name: variable(name, value) for name, value in values.items()}
    n = len(samples.horizon)
    constants = np.full((n, len(names)), np.nan)
    at = [names.index(name) for name in mechanism.network.constants]
    constants[:, at] = samples.rate_constants
    variables["rate_constants"] = variable("rate_constants", constants, ("sample", "constant"))
    variables["mechanism"] = variable("mechanism", np.full(n, mechanism.id, dtype=object))
    return xr.Dataset(variables, coords={"constant": list(names)})


@cache
def _code() -> str:
    """Digest of the source that decides a shard's values."""
    # A mechanism's own values are in the recipe: the catalogue as a whole decides nothing.
    return code.digest(__name__, suffixes=(".py", ".cpp"))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()[:16]


def _is_made_by(recipe: str, path: Path) -> bool:
    if not path.exists():
        return False
    try:
        with HDF5, xr.open_dataset(path, engine="netcdf4") as shard:
            return shard.attrs.get("recipe") == recipe
    except OSError:  # not a NetCDF file
        return False
