"""Rows that the book makes of what solvers take and of how exact they are."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from kinetlib.evaluate import formatted
from studies.solvers import peers
from studies.solvers.peers import Problem
from studies.solvers.work_precision import OURS, equal_error

#: How the simulations behind the published networks call LSODA.
PUBLISHED_TIMES = np.linspace(0.0, 100.0, 5000)
PUBLISHED_STEP = 1.0


def times_over_ours(measured: Mapping[str, xr.Dataset], solver: str, error: float) -> str:
    """Write a solver's time over ours where both err alike: median and range over mechanisms."""

    def curve(result: xr.Dataset, name: str) -> tuple[xr.DataArray, xr.DataArray]:
        at = result.sel(solver=name)
        return at.error.median("trajectory"), at.seconds

    ratios = [
        equal_error(curve(one, solver), curve(one, OURS), error).ratio.item()
        for one in measured.values()
    ]
    known = [ratio for ratio in ratios if np.isfinite(ratio)]
    if not known:
        return "–"
    ends = (min(known), max(known)) if len(known) > 1 else (None, None)
    return formatted(np.median(known), *ends, digits=0)


def at_tolerance(result: xr.Dataset, solver: str, rtol: float) -> dict[str, str | int]:
    """Write errors and time of a solver on a mechanism."""
    at, ours = (result.sel(solver=name, rtol=rtol) for name in (solver, OURS))
    return {
        "median error": f"{at.error.median():.1e}",
        "largest error": f"{at.error.max():.1e}",
        "failed": int(at.error.isnull().sum()),
        "time / µs": f"{1e6 * at.seconds:,.1f}",
        "time relative to kinetlib": f"{at.seconds / ours.seconds:,.0f}",
    }


def beside_published(problem: Problem, result: xr.Dataset, rtol: float) -> dict[str, str]:
    """Write what LSODA takes with the published settings, ten trajectories at most, beside ours."""
    dense = replace(problem, times=PUBLISHED_TIMES)
    options = {"rtol": rtol, "atol": peers.ABSOLUTE * rtol, "max_step": PUBLISHED_STEP}
    seconds = []
    for index in range(min(len(problem.rate_constants), 10)):
        begin = time.perf_counter()
        peers.scipy_trajectory(dense, index, "LSODA", **options)
        seconds.append(time.perf_counter() - begin)
    ours = float(result.seconds.sel(solver=OURS, rtol=rtol))
    low, middle, high = np.quantile(np.array(seconds) / ours, [0.0, 0.5, 1.0])
    return {
        "LSODA as published / µs": f"{1e6 * np.median(seconds):,.0f}",
        "kinetlib / µs": f"{1e6 * ours:.1f}",
        "ratio: median (range)": formatted(middle, low, high, digits=0),
    }
