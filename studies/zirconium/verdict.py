"""What the pools of the benchmark say together: intervals over pools, and the goals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats

from studies.goals import median, verdict
from studies.zirconium.benchmark import MODES, TESTS

DESIGN = "i_greedy"
"""The design that the goals are about, chosen before any test was looked at."""

PREDICTOR = "mean_variance"
"""The label-free measure that the fifth goal is about."""

ENERGIES, FORCES = MODES


def table(records: Sequence[dict[str, Any]]) -> xr.DataArray:
    """Put the errors of all pools into one array, the median over draws.

    Parameters
    ----------
    records
        Of `studies.zirconium.benchmark.run`, one a pool, all of one plan.

    Returns
    -------
    xarray.DataArray
        (pool, mode, selector, n, test, measure), NaN where nothing was fitted.
    """
    entries = records[0]["entries"]
    axes = {
        "pool": [record["pool"] for record in records],
        "mode": list(MODES),
        "selector": list(dict.fromkeys(entry["method"] for entry in entries)),
        "n": sorted({entry["n"] for entry in entries}),
        "test": [name for name in TESTS if name in entries[0]],
        "measure": list(entries[0]["T1"]),
    }
    values = np.full([len(axis) for axis in axes.values()], np.nan)
    for i, record in enumerate(records):
        drawn: dict[tuple[int, int, int], list] = {}
        for entry in record["entries"]:
            names = {"mode": "mode", "selector": "method", "n": "n"}
            key = tuple(axes[axis].index(entry[name]) for axis, name in names.items())
            rows = [[entry[test][name] for name in axes["measure"]] for test in axes["test"]]
            drawn.setdefault(key, []).append(rows)
        for key, rows in drawn.items():
            values[(i, *key)] = np.median(rows, axis=0)
    return xr.DataArray(values, axes, name="error")


def ratios(errors: xr.DataArray) -> xr.DataArray:
    """Divide errors from `table` by those of random sets of the same size and pool."""
    return errors / errors.sel(selector="random", drop=True)


def goals(records: Sequence[dict[str, Any]], rng: Generator) -> list[dict[str, Any]]:
    """Judge the five goals, as far as the sizes they ask for were tried.

    Returns
    -------
    list of dict
        ``goal``, what was compared (``asked``), its ``value`` with ``low`` and ``high`` (median
        over pools), the ``bound`` and whether it is the ``most`` or the ``least`` allowed
        (``side``), and ``met``, see `studies.goals.verdict`.
    """
    errors = table(records)
    judged = [
        *_against_random(errors, rng),
        *_against_representative(errors, rng),
        *_quality_goals(records, rng),
    ]
    return sorted(judged, key=lambda row: row["goal"])


def _against_random(errors: xr.DataArray, rng: Generator) -> list[dict[str, Any]]:
    asked = [
        ("G1", ENERGIES, "T1", "energy", 40, 80, 1.0),
        ("G1", ENERGIES, "T2", "energy", 40, 80, 1.0),
        ("G2", ENERGIES, "T3", "energy", 27, 80, 1.0),
        ("G2", ENERGIES, "T1", "largest_energy", 40, 40, 0.5),
        ("G3", FORCES, "T2", "force", 40, 40, 1.0),
        ("G3", FORCES, "T2", "force", 50, 80, 1.0),
    ]
    rows = []
    for goal, mode, test, measure, n, random, bound in asked:
        if {n, random} <= set(errors.n.values.tolist()):
            here = errors.sel(mode=mode, test=test, measure=measure)
            ratio = here.sel(selector=DESIGN, n=n) / here.sel(selector="random", n=random)
            if ratio.isnull().any():  # a size of random sets alone
                continue
            words = f"{test}, {measure.replace('_', ' ')}: {DESIGN} of {n} over random of {random}"
            rows.append(_judged(goal, words, median(ratio.values, rng), bound))
    return rows


def _against_representative(errors: xr.DataArray, rng: Generator) -> list[dict[str, Any]]:
    sizes = [n for n in errors.n.values.tolist() if n >= 20]
    here = errors.sel(mode=ENERGIES, measure="energy", n=sizes)
    rows = []
    for method in ("maximin", "fps"):
        for test in ("T2", "T3"):
            for baseline in ("stratified", "herding"):
                ratio = here.sel(selector=method, test=test) / here.sel(
                    selector=baseline, test=test
                )
                words = f"{test}, energy: {method} over {baseline}, worst of the sizes from 20 on"
                worst = median(ratio.max("n").values, rng)
                rows.append(
                    _judged("G4" if method == "maximin" else "beside G4", words, worst, 1.0)
                )
    return rows


def _quality_goals(records: Sequence[dict[str, Any]], rng: Generator) -> list[dict[str, Any]]:
    rows = []
    for size, rhos in spearman(records).items():
        if size in ("all", "40") and PREDICTOR in rhos:
            where = "all sizes together" if size == "all" else f"sets of {size}"
            words = f"T2, energy: Spearman's rho with {PREDICTOR.replace('_', ' ')}, {where}"
            found = median(np.abs(rhos[PREDICTOR]), rng)
            rows.append(_judged("G5", words, found, 0.7, "least"))
    return rows


def _judged(
    goal: str,
    asked: str,
    found: dict[str, float],
    bound: float,
    side: Literal["most", "least"] = "most",
) -> dict[str, Any]:
    met = verdict(found, bound, side)
    return {"goal": goal, "asked": asked, **found, "bound": bound, "side": side, "met": met}


def spearman(
    records: Sequence[dict[str, Any]], test: str = "T2"
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Correlate label-free measures of random sets with the error they lead to.

    Parameters
    ----------
    records
        Of `studies.zirconium.benchmark.run`.
    test
        Where the error of energies is measured.

    Returns
    -------
    dict
        By size (``all`` for all together) and measure: Spearman's rho of each pool, shape (p,).
    """
    found: dict[str, dict[str, list[float]]] = {}
    for record in records:
        rows = [entry for entry in record["entries"] if "quality" in entry]
        for size in ("all", *dict.fromkeys(str(row["n"]) for row in rows)):
            those = [row for row in rows if size in ("all", str(row["n"]))]
            error = [row[test]["energy"] for row in those]
            for name in those[0]["quality"]:
                rho = stats.spearmanr([row["quality"][name] for row in those], error).statistic
                found.setdefault(size, {}).setdefault(name, []).append(float(rho))
    return {
        size: {name: np.array(rhos) for name, rhos in by_measure.items()}
        for size, by_measure in found.items()
    }


def elastic(records: Sequence[dict[str, Any]]) -> xr.DataArray:
    """Put elastic constants and c/a of all models into one array, the median over draws.

    Returns
    -------
    xarray.DataArray
        (pool, mode, selector, n, constant).
    """
    return (
        _entries_as_tests(records, lambda entry: {"T1": entry["elastic"]})
        .isel(test=0, drop=True)
        .rename(measure="constant")
    )


def coverage(records: Sequence[dict[str, Any]]) -> xr.DataArray:
    """Put into one array how well models know their errors, of the first draw of each method.

    Returns
    -------
    xarray.DataArray
        (pool, mode, selector, n, test, measure): the share of errors within 1.96 of the model's
        standard deviations (``coverage``), and the root mean square of their ratio (``z``).
    """
    return _entries_as_tests(records, lambda entry: entry.get("calibration"))


def _entries_as_tests(
    records: Sequence[dict[str, Any]], part: Callable[[dict[str, Any]], dict[str, Any] | None]
) -> xr.DataArray:
    """Make a table of another part of the entries, of those that have it."""
    kept = ("method", "n", "mode")
    return table(
        [
            {
                "pool": record["pool"],
                "entries": [
                    {key: entry[key] for key in kept} | found
                    for entry in record["entries"]
                    if (found := part(entry)) is not None
                ],
            }
            for record in records
        ]
    )
