"""Runs as plain arrays, in the one arrangement the fusion networks know: four runs a sample."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.runs.runs import INITIAL, MEASURED, Runs, columns, start_and
from kinetlib.runs.sample import N_RUNS


def from_dataset(runs: xr.Dataset) -> Runs:
    """Read simulated samples, four runs each in the training set's order and without gaps."""
    return Runs(*columns(runs, np.float32))


def thin(runs: Runs, n_points: int, rng: Generator) -> Runs:
    """Keep the first point and ``n_points`` others of each run, chosen at random."""
    shape = runs.time.shape
    order = rng.random((*shape[:2], shape[2] - 1), dtype=np.float32).argsort(axis=-1)
    return runs.points(start_and(order, n_points))


def arranged(runs: xr.Dataset, max_points: int) -> list[tuple[NDArray[np.int64], Runs]]:
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
        Groups of samples with equally many points: their positions (m,), and their runs.

    Raises
    ------
    ValueError
        If variables are missing, or a sample has no run with at least three complete points.
    """
    values = columns(runs)
    measured, initial = np.stack(values[: len(MEASURED)]), np.stack(values[len(MEASURED) :])
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
) -> Runs:
    values = np.empty((len(MEASURED), len(members), N_RUNS, n_points), dtype=np.float32)
    starts = np.empty((len(INITIAL), len(members), N_RUNS), dtype=np.float32)
    for row, i in enumerate(members):
        starts[:, row] = initial[:, i, chosen[i]]
        for slot, run in enumerate(chosen[i]):
            points = np.flatnonzero(complete[i, run])
            points = points[np.round(np.linspace(0, len(points) - 1, n_points)).astype(int)]
            values[:, row, slot] = measured[:, i, run, points]
    return Runs(*values, *starts)
