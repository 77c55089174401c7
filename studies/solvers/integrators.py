"""Time and error of kinetlib's integrator beside its peers, all in one run.

Twenty mechanisms, rate constants log-uniform over ten decades, 101 output times over 100 time
units, the reference run's initial state. One core each, the solvers taking turns on the same
trajectories; kinetlib on all cores besides. The error of a trajectory is its largest over species
and times against Radau at rtol 1e-10. Compilation and the building of models are not counted.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp

from kinetlib import plot
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from studies.solvers import peers, work_precision
from studies.solvers.peers import Problem
from studies.solvers.work_precision import OURS

BATCH = 20_000  # trajectories of a call of kinetlib
PEERS = ("LSODA", "libRoadRunner", "scikit-sundae", "diffrax", "diffrax, vmap")
# Our own curve reaches further than the peers', so that their errors lie on it.
OWN_TOLERANCES = [10.0**-n for n in range(2, 10)]
NAMES = {
    "LSODA": "SciPy LSODA",
    "libRoadRunner": "libRoadRunner (CVODE)",
    "scikit-sundae": "scikit-sundae (CVODE)",
    "diffrax": "diffrax Kvaerno5",
    "diffrax, vmap": "diffrax Kvaerno5, vmap",
    OURS: "kinetlib, one core",
}
LIBRARIES = ("scipy", "libroadrunner", "scikit-sundae", "diffrax", "jax")
ALL_CORES, PUBLISHED = "kinetlib, all cores", "SciPy LSODA, as published"

console = Console(width=140)
log = logging.getLogger(__name__)


def published(problem: Problem) -> NDArray:
    """LSODA in plain Python, with 5,001 outputs, steps of at most 1 and SciPy's own tolerances."""
    dense = np.linspace(0, problem.times[-1], 5001)
    options = {"t_span": (0, dense[-1]), "t_eval": dense, "method": "LSODA", "max_step": 1.0}
    law, found = peers.written_out(problem.network), []
    for k in problem.rate_constants.tolist():
        with np.errstate(over="ignore", invalid="ignore"):  # where it leaves the solution
            done = solve_ivp(lambda t, c, k=k: law(c, k), y0=problem.initial, **options)
        found.append(done.y.T[::50])
    return np.stack(found)


def measurement(name: str, rtol: float, found: NDArray, seconds: float, exact: NDArray):
    """Put what was measured outside of `work_precision.measure` into its form."""
    error = np.abs(found - exact).max((1, 2))
    return xr.Dataset(
        {
            "error": (("solver", "rtol", "trajectory"), error[None, None]),
            "seconds": (("solver", "rtol"), [[seconds]]),
        },
        coords={"solver": [name], "rtol": [rtol]},
    )


def measured(problem: Problem, tolerances: list[float], names: list[str]) -> dict[str, xr.Dataset]:
    """Measure everything on one mechanism; each part with dimensions solver, rtol, trajectory."""
    exact = work_precision.reference(problem)
    own, together = [], []
    parts = {"peers": work_precision.measure(problem, tolerances, names, exact=exact)}
    with work_precision.one_core():
        begin = time.perf_counter()
        found = published(problem)
        seconds = (time.perf_counter() - begin) / len(exact)
        for rtol in sorted({*OWN_TOLERANCES, *tolerances}, reverse=True):
            batch = BATCH if rtol in tolerances else work_precision.BATCH
            ours = work_precision.ours(problem, rtol, batch=batch)
            own.append(measurement(OURS, rtol, *ours, exact))
    for rtol in tolerances:
        ours = work_precision.ours(problem, rtol, batch=BATCH, threads=None)
        together.append(measurement(ALL_CORES, rtol, *ours, exact))
    parts["published"] = measurement(PUBLISHED, np.nan, found, seconds, exact)
    parts["own"] = xr.concat(own, "rtol")
    parts["all cores"] = xr.concat(together, "rtol")
    return parts


def curve(result: xr.Dataset) -> tuple[NDArray, NDArray]:
    """Median error over all trajectories and mean time over the mechanisms, by tolerance."""
    return (
        result.error.median(("mechanism", "trajectory")).values,
        result.seconds.mean("mechanism").values,
    )


def row(name: str, at: xr.Dataset, ours: xr.Dataset) -> dict[str, object]:
    """Tell about one solver at one tolerance."""
    error, seconds = at.error.values, at.seconds.values
    rtol = float(at.rtol)
    # The published pipeline has tolerances of its own: it stands beside ours at 1e-6.
    beside = ours.seconds.sel(rtol=1e-6 if np.isnan(rtol) else rtol).mean().item()
    median = float(np.nanmedian(error))
    equal = work_precision.equal_error(([median], [seconds.mean()]), curve(ours))
    return {
        "solver": name,
        "rtol": None if np.isnan(rtol) else rtol,
        "trajectories": error.size,
        "microseconds": 1e6 * seconds.mean(),
        "fastest": 1e6 * seconds.min(),
        "slowest": 1e6 * seconds.max(),
        "median_error": median,
        "worst_error": float(np.nanmax(error)),
        "failed": int(np.isnan(error).sum()),
        "ratio_to_kinetlib_at_equal_tolerance": seconds.mean() / beside,
        # None where no tolerance of ours gave as small or as large an error.
        "ratio_to_kinetlib_at_equal_error": None if equal.common is None else equal.ratio.item(),
    }


def show(rows: list[dict], lowest: float, highest: float) -> None:
    """Print the table."""
    table = Table(box=SIMPLE)
    table.add_column("solver", no_wrap=True)
    for column in ("rtol", "n", "µs", "by mechanism", "median error", "worst", "failed"):
        table.add_column(column, no_wrap=True, justify="right")
    for column in ("equal rtol", "equal error"):
        table.add_column(column, no_wrap=True, justify="right")
    for found in rows:
        equal = found["ratio_to_kinetlib_at_equal_error"]
        table.add_row(
            found["solver"],
            "its own" if found["rtol"] is None else f"{found['rtol']:.0e}",
            str(found["trajectories"]),
            f"{found['microseconds']:,.1f}",
            f"{found['fastest']:,.1f} to {found['slowest']:,.1f}",
            f"{found['median_error']:.0e}",
            f"{found['worst_error']:.0e}",
            str(found["failed"]),
            f"{found['ratio_to_kinetlib_at_equal_tolerance']:,.2f}",
            "-" if equal is None else f"{equal:,.2f}",
        )
    console.print(table)
    console.print(
        "n trajectories, µs for one. The last two columns are mean times over that of kinetlib on "
        "one core: at the same\ntolerance, and where kinetlib makes the same median error (its "
        f"time interpolated between errors of {lowest:.0e}\nand {highest:.0e}; - lies outside)."
    )


def draw(results: dict[str, xr.Dataset], n: int, folder: Path) -> None:
    """Write the work-precision diagram as ``integrators.svg`` and ``integrators.png``."""
    lines = {
        NAMES[s]: curve(results["peers"].sel(solver=s)) for s in results["peers"].solver.values
    }
    lines[PUBLISHED] = curve(results["published"].sel(solver=PUBLISHED))
    lines[NAMES[OURS]] = curve(results["own"].sel(solver=OURS))
    plot.use_style()
    figure = plot.work_precision(
        lines,
        error_label="median over trajectories of the largest error / S₀",
        time_label="mean time for one trajectory, one core / s",
    )
    figure.set_size_inches(7.2, 4.4)
    (axis,) = figure.axes
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    axis.set_title(f"{results['own'].sizes['mechanism']} mechanisms, {n} trajectories each")
    for suffix in ("svg", "png"):
        figure.savefig(folder / f"integrators.{suffix}", dpi=200)


def run(folder: Path, sets: int, tolerances: list[float]) -> dict[str, Any]:
    """Measure, print a table, draw the diagram in a folder, and return all numbers.

    Parameters
    ----------
    folder
        Where ``integrators.svg`` and ``integrators.png`` come to be.
    sets
        Rate-constant sets a mechanism.
    tolerances
        Relative ones, of all solvers.
    """
    names = []
    for name in PEERS:
        try:
            peers.solver(name)
            names.append(name)
        except ValueError as error:
            console.print(f"without {name}: {error}")
    with work_precision.one_core() as pinned:
        if not pinned:
            console.print("This system cannot keep a process on one core: JAX may use more.")
    found = []
    for name, mechanism in mechanisms.catalogue().items():
        problem = work_precision.random_problem(mechanism, sets, default_rng([1, *name.encode()]))
        found.append(measured(problem, tolerances, names))
        log.info("%s done", name)
    parts = {part: xr.concat([f[part] for f in found], "mechanism") for part in found[0]}
    return report(parts, folder)


def report(results: dict[str, xr.Dataset], folder: Path) -> dict[str, Any]:
    """Print, draw and collect what was measured."""
    own = results["own"].sel(solver=OURS)
    tolerances = results["all cores"].rtol.values
    rows = [row(PUBLISHED, results["published"].isel(solver=0, rtol=0), own)]
    for rtol in tolerances:
        for name in results["peers"].solver.values:
            rows.append(row(NAMES[name], results["peers"].sel(solver=name, rtol=rtol), own))
        rows.append(row(NAMES[OURS], own.sel(rtol=rtol), own))
        rows.append(row(ALL_CORES, results["all cores"].sel(solver=ALL_CORES, rtol=rtol), own))
    errors, seconds = curve(own)
    show(rows, errors.min(), errors.max())
    draw(results, own.sizes["trajectory"], folder)
    installed = provenance.versions(LIBRARIES)
    return {
        "rows": rows,
        "kinetlib_curve": {
            "rtol": own.rtol.values.tolist(),
            "median_error": errors.tolist(),
            "microseconds": (1e6 * seconds).tolist(),
        },
        "peers": {name: installed.get(name) for name in LIBRARIES},
    }
