"""Runs as plain arrays, in the one arrangement the fusion networks know: four runs a sample."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.runs.noise import noisy
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import N_RUNS

MEASURED = ("time", "substrate", "product")
INITIAL = ("loading", "substrate_0", "product_0")


@dataclass(frozen=True)
class Curves:
    """Concentration-time curves without gaps: n samples, 4 runs, T points, single precision.

    ``time``, ``substrate``, ``product`` (n, 4, T); ``loading``, ``substrate_0``, ``product_0``
    (n, 4).
    """

    time: NDArray[np.float32]
    substrate: NDArray[np.float32]
    product: NDArray[np.float32]
    loading: NDArray[np.float32]
    substrate_0: NDArray[np.float32]
    product_0: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.time)

    def __getitem__(self, which: slice | NDArray) -> Curves:
        """Select samples."""
        return Curves(*(getattr(self, field.name)[which] for field in fields(self)))


def from_dataset(runs: xr.Dataset) -> Curves:
    """Read simulated samples, four runs each in the training set's order and without gaps."""
    arrays = []
    for name in MEASURED:
        arrays.append(runs[name].transpose("sample", "run", "time").values.astype(np.float32))
    for name in INITIAL:
        arrays.append(runs[name].transpose("sample", "run").values.astype(np.float32))
    return Curves(*arrays)


def thin(curves: Curves, n_points: int, rng: Generator) -> Curves:
    """Keep the first point and ``n_points`` others of each run, chosen at random."""
    shape = curves.time.shape
    order = rng.random((*shape[:2], shape[2] - 1), dtype=np.float32).argsort(axis=-1)
    chosen = np.sort(order[..., :n_points], axis=-1) + 1
    chosen = np.concatenate([np.zeros((*shape[:2], 1), dtype=chosen.dtype), chosen], axis=-1)
    measured = (np.take_along_axis(getattr(curves, name), chosen, axis=-1) for name in MEASURED)
    return Curves(*measured, curves.loading, curves.substrate_0, curves.product_0)


def add_noise(curves: Curves, level: float | NDArray, rng: Generator) -> Curves:
    """Add relative Gaussian noise, see `kinetlib.runs.noise.noisy`."""
    measured = (noisy(exact, level, rng) for exact in (curves.substrate, curves.product))
    return Curves(curves.time, *measured, curves.loading, curves.substrate_0, curves.product_0)


def arranged(runs: xr.Dataset, max_points: int) -> list[tuple[NDArray[np.int64], Curves]]:
    """Arrange any runs of the schema for the networks.

    Of each sample four runs are taken, see `_slots`; of each run as many points as the shortest of
    the four has, at most ``max_points`` beside the first, evenly chosen.

    Parameters
    ----------
    runs
        ``time``, ``substrate``, ``product`` (sample, run, time), NaN where a run has no point;
        ``loading``, ``substrate_0``, ``product_0`` (sample, run), NaN where a sample has no run.
    max_points
        Most points a run, the first not counted.

    Returns
    -------
    list
        Groups of samples with equally many points: their positions (m,), and their curves.

    Raises
    ------
    ValueError
        If variables are missing, or a sample has no run with at least three complete points.
    """
    missing = [name for name in (*MEASURED, *INITIAL) if name not in runs]
    if missing:
        raise ValueError(
            f"the runs lack {', '.join(missing)}: expected {', '.join(MEASURED)} "
            f"(sample, run, time) and {', '.join(INITIAL)} (sample, run)"
        )
    measured = np.stack([runs[n].transpose("sample", "run", "time").values for n in MEASURED])
    initial = np.stack([runs[n].transpose("sample", "run").values for n in INITIAL])
    complete = np.isfinite(measured).all(0)
    usable = (complete.sum(-1) >= 3) & np.isfinite(initial).all(0)
    groups: dict[int, list[int]] = {}
    chosen = []
    for i in range(len(usable)):
        if not usable[i].any():
            raise ValueError(
                f"sample {i}: no run has at least three points with time, substrate and product "
                "and known initial conditions"
            )
        slots = _slots(initial[:, i], np.flatnonzero(usable[i]))
        n_points = min(int(complete[i, slots].sum(-1).min()), max_points + 1)
        groups.setdefault(n_points, []).append(i)
        chosen.append(slots)
    return [
        (np.array(members), _gather(measured, initial, complete, chosen, members, n_points))
        for n_points, members in groups.items()
    ]


def _slots(initial: NDArray, usable: NDArray[np.int64]) -> NDArray[np.int64]:
    """Choose four runs in the training set's order.

    Three with the standard run's substrate, 1, and spread loadings, lowest first, then the one with
    least substrate. Where a sample has fewer kinds of runs, runs repeat.
    """
    loading, substrate_0, _ = initial
    departure = np.abs(substrate_0[usable] - 1.0)
    standard = usable[departure <= max(0.05, departure.min())]
    standard = standard[np.argsort(loading[standard], kind="stable")]
    least = usable[np.argmin(substrate_0[usable])]
    spread = np.round(np.linspace(0, len(standard) - 1, N_RUNS - 1)).astype(int)
    return np.append(standard[spread], least)


def _gather(
    measured: NDArray,
    initial: NDArray,
    complete: NDArray,
    chosen: list[NDArray],
    members: list[int],
    n_points: int,
) -> Curves:
    values = np.empty((len(MEASURED), len(members), N_RUNS, n_points), dtype=np.float32)
    starts = np.empty((len(INITIAL), len(members), N_RUNS), dtype=np.float32)
    for row, i in enumerate(members):
        starts[:, row] = initial[:, i, chosen[i]]
        for slot, run in enumerate(chosen[i]):
            points = np.flatnonzero(complete[i, run])
            points = points[np.round(np.linspace(0, len(points) - 1, n_points)).astype(int)]
            values[:, row, slot] = measured[:, i, run, points]
    return Curves(*values, *starts)


def from_curves(curves: Curves) -> Runs:
    """Read four-run curves of the published design."""
    values = (curves.time, curves.substrate, curves.product, np.ones_like(curves.time))
    return Runs(*values, curves.loading, curves.substrate_0, curves.product_0)
