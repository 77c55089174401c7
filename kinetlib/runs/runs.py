"""Measured runs of many samples: how they are thinned, averaged, measured."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray


@dataclass(frozen=True)
class Runs:
    """Measured runs: n samples, R runs, T points, NaN where there is none.

    ``time``, ``substrate``, ``product`` and ``averaged``, the number of readings behind a point
    (n, R, T); ``loading``, ``substrate_0``, ``product_0`` (n, R).
    """

    time: NDArray[np.float32]
    substrate: NDArray[np.float32]
    product: NDArray[np.float32]
    averaged: NDArray[np.float32]
    loading: NDArray[np.float32]
    substrate_0: NDArray[np.float32]
    product_0: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time)

    def __getitem__(self, which: slice | NDArray) -> Runs:
        """Select samples."""
        return Runs(*(getattr(self, field.name)[which] for field in fields(self)))


MOST_POINTS = 24  # points a run is read with; of more, neighbours are averaged


MOST_RUNS = 8


def from_dataset(runs: xr.Dataset) -> Runs:
    """Read runs of the schema, gaps, missing runs and unmeasured species included.

    Runs with more than `MOST_POINTS` points are averaged, see `averaged`. A point needs a time and
    a substrate or a product; a run needs two points, a loading and initial concentrations.

    Parameters
    ----------
    runs
        ``time``, ``substrate`` and optionally ``product`` (sample, run, time), NaN where there is
        no value; ``loading``, ``substrate_0``, ``product_0`` (sample, run).

    Raises
    ------
    ValueError
        If variables are missing, a sample has no usable run or more than `MOST_RUNS`.
    """
    needed = ("time", "substrate", "loading", "substrate_0", "product_0")
    missing = [name for name in needed if name not in runs]
    if missing:
        raise ValueError(
            f"the runs lack {', '.join(missing)}: expected time and substrate "
            "(sample, run, time), and loading, substrate_0, product_0 (sample, run)"
        )
    order = ("sample", "run", "time")
    time, substrate = (runs[name].transpose(*order).values for name in ("time", "substrate"))
    product = runs["product"].transpose(*order).values if "product" in runs else None
    product = np.full_like(substrate, np.nan) if product is None else product
    starts = [runs[name].transpose("sample", "run").values for name in needed[2:]]
    point = np.isfinite(time) & (np.isfinite(substrate) | np.isfinite(product))
    usable = (point.sum(-1) >= 2) & np.isfinite(starts).all(0)
    for i, count in enumerate(usable.sum(-1)):
        if not 1 <= count <= MOST_RUNS:
            raise ValueError(
                f"sample {i}: {count} runs with at least two points and known initial conditions; "
                f"expected 1 to {MOST_RUNS}"
            )
    point &= usable[..., None]
    measured = [np.where(point, values, np.nan) for values in (time, substrate, product)]
    starts = [np.where(usable, values, np.nan) for values in starts]
    return averaged(*measured, *starts)


def averaged(
    time: NDArray,
    substrate: NDArray,
    product: NDArray,
    loading: NDArray,
    substrate_0: NDArray,
    product_0: NDArray,
) -> Runs:
    """Reduce runs to `MOST_POINTS` points: the means of as many neighbours as it takes.

    A mean of m readings has the noise of one divided by the square root of m, and ``averaged``
    says so to the network. Gaps are closed: points come first, NaN after them.
    """
    there = np.isfinite(time)
    count = there.sum(-1, keepdims=True)
    order = np.where(there, time, np.inf).argsort(-1, kind="stable")
    values = [np.take_along_axis(a, order, -1) for a in (time, substrate, product)]
    reduce = _padded if count.max(initial=0) <= MOST_POINTS else _means
    starts = (a.astype(np.float32) for a in (loading, substrate_0, product_0))
    return Runs(*reduce(values, count), *starts)


def _padded(values: list[NDArray], count: NDArray[np.int64]) -> NDArray[np.float32]:
    """Take points as they are, `count` (n, R, 1) of each run: (4, n, R, `MOST_POINTS`)."""
    shape = (len(values) + 1, *count.shape[:2], MOST_POINTS)
    found = np.full(shape, np.nan, dtype=np.float32)
    width = min(MOST_POINTS, values[0].shape[-1])
    there = np.arange(width) < count
    for row, value in zip(found, values, strict=False):
        value = value[..., :width]
        row[..., :width] = np.where(there & np.isfinite(value), value, np.nan)
    found[-1, ..., :width] = np.where(there, 1, np.nan)
    return found


def _means(values: list[NDArray], count: NDArray[np.int64]) -> NDArray[np.float32]:
    """Average neighbours, parts of `numpy.array_split`, the larger first; shapes as `_padded`."""
    rank = np.arange(values[0].shape[-1])
    each, larger = np.divmod(count, np.clip(count, 1, MOST_POINTS))
    border = larger * (each + 1)  # points in the larger parts
    behind = larger + (rank - border) // np.maximum(each, 1)
    part = np.where(rank < border, rank // (each + 1), behind)
    shape = (*count.shape[:2], MOST_POINTS)
    first = MOST_POINTS * np.arange(count.size).reshape(count.shape)
    there = rank < count
    place = (first + part)[there]

    def total(weights: NDArray) -> NDArray[np.float64]:
        return np.bincount(place, weights, minlength=first.size * MOST_POINTS).reshape(shape)

    found = []
    for value in values:
        value = value[there]
        known = np.isfinite(value)
        n_known = total(known)
        mean = total(np.where(known, value, 0)) / np.maximum(n_known, 1)
        found.append(np.where(n_known > 0, mean, np.nan))
    readings = total(np.ones(len(place)))
    found.append(np.where(readings > 0, readings, np.nan))
    return np.stack(found).astype(np.float32)


def thinned(runs: Runs, n_points: int, rng: Generator, *, keep_start: bool = False) -> Runs:
    """Keep at most ``n_points`` points of each run, chosen at random; always t = 0 if asked."""
    absent = np.isnan(runs.time)
    key = np.where(absent, 2.0, rng.random(runs.time.shape, dtype=np.float32))
    if keep_start:
        key[..., 0] = -1.0
    chosen = np.sort(key.argsort(axis=-1)[..., :n_points], axis=-1)
    # Absent points sort last: NaN times stay behind the points that are there.
    names = ("time", "substrate", "product", "averaged")
    taken = {name: np.take_along_axis(getattr(runs, name), chosen, -1) for name in names}
    return replace(runs, **taken)


def measured(runs: Runs, level: NDArray | float, rng: Generator) -> Runs:
    """Add relative Gaussian noise, less of it where readings are averaged, none at t = 0.

    Parameters
    ----------
    runs
        Exact runs.
    level
        Standard deviation of one reading relative to its value, a number or one a sample (n,).
    rng
        Source of the noise.
    """
    level = np.broadcast_to(np.asarray(level, np.float32), len(runs))[:, None, None]
    spread = np.where(runs.time > 0, level / np.sqrt(runs.averaged), 0).astype(np.float32)
    noisy = {
        name: exact * (1 + spread * rng.standard_normal(exact.shape, dtype=np.float32))
        for name, exact in (("substrate", runs.substrate), ("product", runs.product))
    }
    return replace(runs, **noisy)


def unmeasured(runs: Runs, product: NDArray[np.bool_], substrate: NDArray[np.bool_]) -> Runs:
    """Take away the product, or the substrate, of the samples named (n,); product goes first."""
    lost = product[:, None, None]
    other = (substrate & ~product)[:, None, None]
    return replace(
        runs,
        product=np.where(lost, np.float32(np.nan), runs.product),
        substrate=np.where(other, np.float32(np.nan), runs.substrate),
    )
