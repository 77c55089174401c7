"""Measured runs, of one reaction or of many samples: read, checked, thinned, averaged, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import DTypeLike, NDArray

from kinetlib.runs.noise import noisy

MEASURED = ("time", "substrate", "product")
INITIAL = ("loading", "substrate_0", "product_0")
MOST_POINTS = 24  # points a network reads of a run; of more, neighbours are averaged
MOST_RUNS = 8  # of one reaction, in training
#: Most runs a network reads at once. It was trained on `MOST_RUNS`; from 9 to 16 it names as many
#: rightly as by any choice of eight, or the average of several: the study ``reading``.
MOST_READ = 16


@dataclass(frozen=True)
class Runs:
    """Measured runs: R of one reaction, or R of each of n samples; NaN where there is no value.

    Networks read many samples, in single precision; inference reads one reaction, in double
    precision and `checked`. Nothing is checked before: batches are made of these by the million.

    Attributes
    ----------
    time, substrate, product
        Shape (R, T) or (n, R, T), concentrations relative to the standard run's substrate. Points
        at time 0 were weighed in, not measured.
    loading, substrate_0, product_0
        Initial concentrations, shape (R,) or (n, R).
    averaged
        Number of readings behind a point, shape of `time`; one unless given.
    living
        Share of the catalyst that still lives, shape of `time`, where it is known.
    """

    time: NDArray
    substrate: NDArray
    product: NDArray
    loading: NDArray
    substrate_0: NDArray
    product_0: NDArray
    averaged: NDArray | None = None
    living: NDArray | None = None

    def __post_init__(self) -> None:
        """Count every point as one reading where nothing else is said, and know of no catalyst."""
        for name, usual in (("averaged", 1.0), ("living", np.nan)):
            if getattr(self, name) is None:
                value = np.asarray(usual, dtype=np.asarray(self.time).dtype)
                object.__setattr__(self, name, np.broadcast_to(value, np.shape(self.time)))

    @classmethod
    def joined(cls, parts: Sequence[Runs]) -> Runs:
        """Put samples one behind the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(column) for column in columns))

    @classmethod
    def of(cls, sample: xr.Dataset, unit: float | None = None) -> Runs:
        """Read one sample of the schema of `kinetlib.runs.dataset`, as inference takes it.

        Parameters
        ----------
        sample
            ``time``, ``substrate`` and, where it was measured, ``product`` (run, time);
            ``loading``, ``substrate_0``, ``product_0`` (run). Points without a time say nothing.
        unit
            What times are counted in: the sample's ``horizon`` by default.

        Raises
        ------
        ValueError
            If variables are missing, or there is more than one sample; see `checked`.
        """
        n = sample.sizes.get("sample", 1)
        if n != 1:
            raise ValueError(
                f"expected one sample of a dataset, got {n}; take one with dataset.isel(sample=0)"
            )
        if unit is None and "horizon" not in sample:
            raise ValueError("the sample has no horizon to count its times in; give their unit")
        one = sample.isel(sample=0) if "sample" in sample.dims else sample
        time, substrate, product, *starts = columns(one, np.float64)
        time = np.nan_to_num(time / float(one.horizon if unit is None else unit))
        return cls(time, substrate, product, *starts).checked()

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time)

    def __getitem__(self, which: int | slice | NDArray) -> Runs:
        """Select samples; a number leaves one reaction."""
        return Runs(*(value[which] for value in vars(self).values()))

    @property
    def informative(self) -> NDArray[np.bool_]:
        """Which values of substrate and product say something, shape (..., R, T, 2)."""
        values = np.stack([self.substrate, self.product], axis=-1)
        return np.isfinite(values) & (self.time > 0)[..., None]

    def astype(self, dtype: DTypeLike) -> Runs:
        """Return the same runs in another precision."""
        return Runs(*(np.asarray(value, dtype=dtype) for value in vars(self).values()))

    def points(self, chosen: NDArray[np.int64]) -> Runs:
        """Return some points of each run, by their places (n, R, m)."""
        names = (*MEASURED, "averaged", "living")
        taken = {name: np.take_along_axis(getattr(self, name), chosen, -1) for name in names}
        return replace(self, **taken)

    def checked(self) -> Runs:
        """Return the runs of one reaction in double precision, as inference takes them.

        Raises
        ------
        ValueError
            Shapes that do not fit, negative or unknown concentrations or times, no value at all.
        """
        runs = self.astype(np.float64)
        shape = runs.time.shape
        if len(shape) != 2:
            raise ValueError(f"time: expected shape (runs, times), got {shape}")
        for name in ("substrate", "product"):
            if getattr(runs, name).shape != shape:
                raise ValueError(
                    f"{name}: expected the shape of time, {shape}, got {getattr(runs, name).shape}"
                )
        for name in INITIAL:
            values = getattr(runs, name)
            if values.shape != shape[:1] or not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(
                    f"{name}: expected {shape[0]} concentrations, one a run, got {values}"
                )
        if not (np.isfinite(runs.time) & (runs.time >= 0)).all():
            raise ValueError("time: expected finite times from 0 on; leave out points without one")
        if not runs.informative.any():
            raise ValueError("the runs have no value after time 0, expected at least one")
        return runs


def columns(runs: xr.Dataset, dtype: DTypeLike = None) -> list[NDArray]:
    """Return the variables of runs in the order of `Runs`, samples first, then runs, then times.

    A product that was not measured is NaN.

    Raises
    ------
    ValueError
        If other variables are missing.
    """
    missing = [name for name in ("time", "substrate", *INITIAL) if name not in runs]
    if missing:
        raise ValueError(
            f"the runs lack {', '.join(missing)}: expected time and substrate "
            "(sample, run, time), and loading, substrate_0, product_0 (sample, run)"
        )
    found = {
        name: runs[name].transpose("sample", "run", "time", missing_dims="ignore").values
        for name in (*MEASURED, *INITIAL)
        if name in runs
    }
    if "product" not in found:
        found["product"] = np.full_like(found["substrate"], np.nan)
    return [np.asarray(found[name], dtype=dtype) for name in (*MEASURED, *INITIAL)]


def from_dataset(runs: xr.Dataset) -> Runs:
    """Read runs of the schema, gaps, missing runs and unmeasured species included.

    Runs with more than `MOST_POINTS` points are averaged, see `averaged`. A point needs a time and
    a substrate or a product; a run needs two points, a loading and initial concentrations.

    Parameters
    ----------
    runs
        ``time``, ``substrate`` and optionally ``product`` (sample, run, time), NaN where there is
        no value; ``loading``, ``substrate_0``, ``product_0`` (sample, run). Runs that are not
        ``comparable`` (sample, run), and points that are ``completed`` (sample, run, time), are
        left out, where `kinetlib.lab.read` has marked them. Of more than `MOST_READ` runs those
        most `spread_out` are read.

    Raises
    ------
    ValueError
        If variables are missing, or a sample has no usable run.
    """
    time, substrate, product, *starts = columns(runs)
    point = np.isfinite(time) & (np.isfinite(substrate) | np.isfinite(product))
    if "completed" in runs:
        point &= ~runs["completed"].transpose(..., "run", "time").values.astype(bool)
    usable = (point.sum(-1) >= 2) & np.isfinite(starts).all(0)
    if "comparable" in runs:
        usable &= runs["comparable"].transpose(..., "run").values.astype(bool)
        _refuse_without_catalyst(starts[0], usable)
    for i, count in enumerate(usable.sum(-1)):
        if not count:
            raise ValueError(
                f"sample {i}: no run has at least two points and known initial conditions; "
                "expected one or more"
            )
        if count > MOST_READ:
            usable[i] = spread_out(*(start[i] for start in starts), usable[i], MOST_READ)
    point &= usable[..., None]
    curves = [np.where(point, column, np.nan) for column in (time, substrate, product)]
    starts = [np.where(usable, column, np.nan) for column in starts]
    return averaged(Runs(*curves, *starts))


def _refuse_without_catalyst(loading: NDArray, usable: NDArray[np.bool_]) -> None:
    """Refuse a reaction that has no catalyst in any run."""
    for i in np.flatnonzero(~usable.any(-1) & ~(loading > 0).any(-1)):
        raise ValueError(
            f"sample {i}: no run has a catalyst, and the mechanisms told apart are catalytic; give "
            "its column (--catalyst) or its loading (--loading), or find the reactions of a "
            "reaction without one by kinetlib discover"
        )


def spread_out(
    loading: NDArray,
    substrate_0: NDArray,
    product_0: NDArray,
    usable: NDArray[np.bool_],
    most: int,
) -> NDArray[np.bool_]:
    """Choose the runs that start most differently, the one nearest to the middle first.

    Then always the one farthest from those chosen: in the logarithms of loading and substrate, each
    relative to what campaigns span (20 and 8 times), and in product.

    Parameters
    ----------
    loading, substrate_0, product_0
        Initial concentrations, shape (R,).
    usable
        Which runs may be chosen, shape (R,).
    most
        How many.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(np.maximum([loading, substrate_0], 1e-9)) / np.log([[20.0], [8.0]])
    place = np.nan_to_num(np.stack([*logs, product_0], axis=-1))
    middle = np.median(place[usable], axis=0)
    first = int(np.where(usable, np.abs(place - middle).sum(-1), np.inf).argmin())
    chosen = np.zeros(len(usable), dtype=bool)
    nearest = np.full(len(usable), np.inf)
    while chosen.sum() < min(most, usable.sum()):
        chosen[first] = True
        nearest = np.minimum(nearest, ((place - place[first]) ** 2).sum(-1))
        first = int(np.where(usable & ~chosen, nearest, -np.inf).argmax())
    return chosen


def read_at_once(runs: xr.Dataset) -> NDArray[np.bool_]:
    """Tell which runs of one sample `from_dataset` reads, shape (R,)."""
    read = from_dataset(runs if "sample" in runs.dims else runs.expand_dims("sample"))
    return np.isfinite(read.loading[0])


def comparable(runs: xr.Dataset) -> xr.Dataset:
    """Return one sample's runs without those that differ in more than mechanisms know.

    Raises
    ------
    ValueError
        Where no run has a catalyst.
    """
    if "comparable" not in runs:
        return runs
    kept = runs["comparable"].values.astype(bool).reshape(-1, runs.sizes["run"])
    _refuse_without_catalyst(runs["loading"].values.reshape(kept.shape), kept)
    return runs.isel(run=kept.all(0))


def averaged(runs: Runs) -> Runs:
    """Reduce runs to `MOST_POINTS` points: the means of as many neighbours as it takes.

    Replicates, which have the same time, count as one point before, and as several readings after.
    A mean of m readings has the noise of one divided by the square root of m, and ``averaged``
    says so to the network. Gaps are closed: points come first, NaN after them. Single precision.
    """
    there = np.isfinite(runs.time)
    order = np.where(there, runs.time, np.inf).argsort(-1, kind="stable")
    ordered_time = np.take_along_axis(np.where(there, runs.time, np.inf), order, -1)
    new = np.ones(there.shape, dtype=bool)
    new[..., 1:] = ordered_time[..., 1:] > ordered_time[..., :-1]
    present = np.isfinite(ordered_time)
    rank = np.cumsum(new, axis=-1) - 1
    count = (new & present).sum(-1, keepdims=True)
    # Parts of `numpy.array_split`, the larger first.
    each, larger = np.divmod(count, np.clip(count, 1, MOST_POINTS))
    border = larger * (each + 1)  # points in the larger parts
    behind = larger + (rank - border) // np.maximum(each, 1)
    part = np.where(rank < border, rank // (each + 1), behind)
    shape = (*count.shape[:2], MOST_POINTS)
    first = MOST_POINTS * np.arange(count.size).reshape(count.shape)
    place = (first + part)[present]

    def total(weights: NDArray) -> NDArray[np.float64]:
        return np.bincount(place, weights, minlength=first.size * MOST_POINTS).reshape(shape)

    def mean(values: NDArray) -> NDArray[np.float64]:
        ordered = np.take_along_axis(values, order, -1)[present]
        known = np.isfinite(ordered)
        n_known = total(known)
        found = total(np.where(known, ordered, 0)) / np.maximum(n_known, 1)
        return np.where(n_known > 0, found, np.nan)

    curves = (mean(getattr(runs, name)) for name in MEASURED)
    readings = total(np.ones(len(place)))
    starts = (getattr(runs, name) for name in INITIAL)
    return Runs(*curves, *starts, np.where(readings > 0, readings, np.nan)).astype(np.float32)


def start_and(order: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Return the places of the start and of the first n in an order of other points, rising.

    The order has shape (..., T - 1), counted from the point after the start.
    """
    chosen = np.sort(order[..., :n], axis=-1) + 1
    return np.concatenate([np.zeros_like(chosen[..., :1]), chosen], axis=-1)


def thinned(runs: Runs, n_points: int, rng: Generator, *, keep_start: bool = False) -> Runs:
    """Keep at most ``n_points`` points of each run, chosen at random; always t = 0 if asked."""
    absent = np.isnan(runs.time)
    key = np.where(absent, 2.0, rng.random(runs.time.shape, dtype=np.float32))
    if keep_start:
        key[..., 0] = -1.0
    chosen = np.sort(key.argsort(axis=-1)[..., :n_points], axis=-1)
    # Absent points sort last: NaN times stay behind the points that are there.
    return runs.points(chosen)


def measured(
    runs: Runs, level: NDArray | float, rng: Generator, background: NDArray | float = 0.0
) -> Runs:
    """Add Gaussian noise, see `kinetlib.runs.noise.noisy`.

    Parameters
    ----------
    runs
        Exact runs.
    level
        Standard deviation of one reading relative to its value, a number or one a sample (n,).
    rng
        Source of the noise.
    background
        Standard deviation of a reading of nothing, likewise.
    """
    options = {"averaged": runs.averaged, "background": background}
    curves = {
        name: noisy(getattr(runs, name), runs.time, level, rng, **options)
        for name in ("substrate", "product")
    }
    return replace(runs, **curves)


def unmeasured(runs: Runs, product: NDArray[np.bool_], substrate: NDArray[np.bool_]) -> Runs:
    """Take away the product, or the substrate, of the samples named (n,); product goes first."""
    lost = product[:, None, None]
    other = (substrate & ~product)[:, None, None]
    return replace(
        runs,
        product=np.where(lost, np.float32(np.nan), runs.product),
        substrate=np.where(other, np.float32(np.nan), runs.substrate),
    )
