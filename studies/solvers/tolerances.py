"""What a batch costs with tolerances given and derived, and how exact it is.

Given, the integrator is told 1e-6 and 1e-9, as where datasets are made. Derived, the absolute
tolerance of each species follows from what it can come to (`integrate`), or from what it comes to
(`own_maxima`, as `kinetlib.simulate` has it). The three take turns on the same trajectories, on one
core, by the processor's time: a claim is a ratio out of one such run.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from kinetlib.kinetics import kernels, mechanisms
from kinetlib.kinetics.integrate import integrate, solved
from kinetlib.kinetics.mechanisms import Mechanism

PROMISED = 1e-5  # of the largest value of a species, at any time
OWN = "derived, from maxima"
WAYS: dict[str, dict[str, Any]] = {
    "given": {"rtol": 1e-6, "atol": 1e-9},
    "derived": {"rtol": 1e-6},
    OWN: {"rtol": 4e-8, "own_maxima": True},
}
TIMES = np.concatenate([[0.0], np.geomspace(1e-4, 1e4, 60)])
#: Decades of constants, of the catalyst beside the substrate, of the unit of concentration.
KINDS = {
    "as in the catalogue": ((-5, 5), (-2, -1), (0, 0)),
    "any scale": ((-5, 5), (-6, -1), (-9, 3)),
}
REPEATS = 5
_TIGHT = 1e-11, 1e-14, 1_000_000

console = Console(width=120)


def drawn(
    mechanism: Mechanism, n: int, kind: str, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw rate constants, shape (n, R), and starts, shape (n, S), both in a unit of its own."""
    network = mechanism.network
    constants, catalyst, units = KINDS[kind]
    unit = 10.0 ** rng.uniform(*units, (n, 1))
    k = 10.0 ** rng.uniform(*constants, (n, len(network.constants)))
    start = mechanism.initial(10.0 ** rng.uniform(*catalyst, n))
    return k * unit ** (1.0 - network.orders.sum(axis=1)), start * unit


def errors(
    mechanism: Mechanism,
    k: NDArray[np.float64],
    start: NDArray[np.float64],
    found: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the largest error of each trajectory, each species by its own maximum, shape (n,)."""
    kernel = kernels.kernel(mechanism.network)
    peak = np.empty(start.shape)
    scale = np.maximum(found.max(axis=1), 1e-250)
    expected = solved(kernel, k, start, TIMES[None], scale, _TIGHT, None, peak).concentration
    apart = np.abs(found - expected).max(axis=1)
    return (apart / np.where(peak > 0, peak, 1.0)).max(axis=1)


def measured(mechanism: Mechanism, sets: int, kind: str, seed: int) -> dict[str, dict[str, Any]]:
    """Measure all ways on one mechanism: microseconds a trajectory, and errors."""
    k, start = drawn(mechanism, sets, kind, default_rng([seed, *mechanism.id.encode()]))
    kernels.prepare(mechanism.network)
    spent: dict[str, list[float]] = {name: [] for name in WAYS}
    last = {}
    for _ in range(REPEATS):
        for name, options in WAYS.items():
            begin = time.process_time()
            last[name] = integrate(mechanism.network, k, start, TIMES, threads=1, **options)
            spent[name].append(time.process_time() - begin)
    return {
        name: {
            "microseconds": 1e6 * float(np.median(spent[name])) / sets,
            "errors": errors(mechanism, k, start, last[name].concentration),
        }
        for name in WAYS
    }


def run(sets: int, seed: int) -> dict[str, Any]:
    """Measure, print a table, and return all numbers."""
    rows = []
    for kind in KINDS:
        found = [measured(one, sets, kind, seed) for one in mechanisms.catalogue().values()]
        told = np.array([each["given"]["microseconds"] for each in found])
        for name in WAYS:
            spent = np.array([each[name]["microseconds"] for each in found])
            apart = np.concatenate([each[name]["errors"] for each in found])
            row = {"kind": kind, "way": name, "microseconds": float(spent.mean())}
            row["ratio_to_given"] = float(spent.sum() / told.sum())
            apart[np.isnan(apart)] = np.inf  # a trajectory that failed
            row |= {"trajectories": len(apart), "above": int((apart > PROMISED).sum())}
            row |= {"failed": int(np.isinf(apart).sum()), "median_error": float(np.median(apart))}
            rows.append(row | {"worst": float(apart[np.isfinite(apart)].max())})
    table = Table("starts", "tolerances", "µs", "to given", "above 1e-5", "median", "worst")
    for row in rows:
        table.add_row(
            row["kind"],
            row["way"],
            f"{row['microseconds']:.1f}",
            f"{row['ratio_to_given']:.2f}",
            f"{row['above']} of {row['trajectories']}",
            f"{row['median_error']:.0e}",
            f"{row['worst']:.0e}",
        )
    console.print(table)
    return {"promised": PROMISED, "repeats": REPEATS, "rows": rows}
