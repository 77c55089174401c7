"""Runs of one reaction as a Dataset: the runs schema, and what was measured beyond it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from kinetlib.lab.amounts import Amounts
from kinetlib.lab.columns import Roles
from kinetlib.lab.notes import Relative
from kinetlib.lab.runs import Run


def dataset_of(
    runs: list[Relative],
    unit: str,
    roles: Roles,
    known_reactants: dict[str, Amounts],
    reference: Run,
) -> xr.Dataset:
    """Put runs into the schema, see `kinetlib.lab.read`; flags and attributes come later."""
    points, once = ("sample", "run", "time"), ("sample", "run")
    names = list({name: None for run in runs for name in run.others})
    absent = {run.name: np.full(len(run.time), np.nan) for run in runs}
    observed = [padded([run.others.get(name, absent[run.name]) for run in runs]) for name in names]
    shape = (1, len(runs), max(len(run.time) for run in runs), 0)
    reactants = [name for name in names if roles.role(name) == "reactant"]
    starts = [[run.first(name) for name in reactants] for run in runs]
    for amounts in known_reactants.values():
        for run, row in zip(runs, starts, strict=True):
            stated = amounts.of(run.name)
            factor = 1.0
            if stated.unit.text and reference.base.text:
                factor = stated.unit.factor / reference.base.factor
            row.append(stated.value * factor / reference.substrate_0)
    dataset = xr.Dataset(
        {
            "substrate": (points, padded([run.substrate for run in runs])),
            "product": (points, padded([run.product for run in runs])),
            "loading": (once, [[run.loading for run in runs]]),
            "substrate_0": (once, [[run.substrate_0 for run in runs]]),
            "product_0": (once, [[run.product_0 for run in runs]]),
            "observed": (
                (*points, "column"),
                np.stack(observed, axis=-1) if observed else np.empty(shape),
            ),
            "reactant_0": (
                (*once, "reactant"),
                np.array(starts, dtype=float).reshape(1, len(runs), -1),
            ),
        },
        coords={
            "time": (points, padded([run.time for run in runs])),
            "run": [run.name for run in runs],
            "column": np.array(names, dtype=str),
            "shows": ("column", np.array([roles.shows(name) for name in names], dtype=str)),
            "role": ("column", np.array([roles.role(name) for name in names], dtype=str)),
            "reactant": np.array([*reactants, *known_reactants], dtype=str),
        },
    )
    dataset["time"].attrs = {"long_name": "time", "units": unit}
    for name in dataset.data_vars:
        dataset[name].attrs = {"units": "1", "relative_to": "standard run's initial substrate"}
    return dataset


def padded(rows: list[np.ndarray]) -> np.ndarray:
    """Stack rows of different lengths, with NaN behind the shorter: (1, runs, points)."""
    filled = np.full((1, len(rows), max(map(len, rows))), np.nan)
    for i, row in enumerate(rows):
        filled[0, i, : len(row)] = row
    return filled
