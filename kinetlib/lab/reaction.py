"""The measured runs of one reaction, from the tables of a file to the runs schema."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from kinetlib.lab.notes import Relative, comparable, notes
from kinetlib.lab.runs import Columns, Run, read_run
from kinetlib.lab.tables import read_tables

NEGATIVE_TOLERANCE = 0.05
"""How far below zero a concentration may lie, as a share of the standard run's initial substrate:
a noisy baseline does that. Such values are kept as they are; clipping would bias the noise."""


def read(
    path: str | Path,
    substrate: str,
    product: str | None,
    catalyst: str,
    *,
    standard: str | None = None,
) -> xr.Dataset:
    """Read the measured runs of one reaction.

    A workbook (.xlsx) holds one run a sheet: the first column is the time, then comes one column
    a species, in any order, all in one unit of concentration. A CSV file holds one run, or
    several told apart by a column named ``run``. Column names are matched without regard to outer
    spaces and case. Rows without a concentration and empty sheets are passed over, and so are runs
    in which a species in no role starts differently from the standard run.

    Parameters
    ----------
    path : str or Path
        The file.
    substrate, product, catalyst : str
        Names of the columns. Of the catalyst only the first value in a run is used. None for a
        product that was not measured; the runs then have to start without.
    standard : str, optional
        Name of the standard run, to whose initial substrate all concentrations are related.
        Without it, the run called "standard" (in any case), else the first with "standard" in its
        name, else the first.

    Returns
    -------
    xarray.Dataset
        The runs schema with one sample; dims (sample, run, time), NaN after a run's last point.

        - ``time`` (sample, run, time): as measured, unit of the column's name in
          ``attrs["units"]``, "" where it names none;
        - ``substrate``, ``product`` (sample, run, time): relative to the initial substrate of the
          standard run, NaN where it was not measured;
        - ``loading``, ``substrate_0``, ``product_0`` (sample, run): catalyst, and the values of
          the run's first row, on the same scale. The first row counts as the start whatever its
          time;
        - ``run``: the names of the runs.

        ``attrs["warnings"]`` holds one plain sentence a line on what lies outside of what the
        released networks were trained on, "" where nothing does. Further attributes: ``source``,
        ``standard``, ``standard_substrate_0`` (in the file's unit) and the column names.

    Raises
    ------
    ValueError
        Where the file, its columns or its values are not as described: it names file, run and
        cell, what was expected and what to do.
    """
    columns = Columns(substrate, product, catalyst)
    runs = [read_run(table, columns) for table in read_tables(path)]
    reference = _standard_run(Path(path).name, runs, standard)
    scale = reference.substrate[0]
    if scale <= 0:
        raise ValueError(
            f"{Path(path).name}, run {reference.name!r}: the initial substrate is {scale:g}; the "
            "standard run, to which all others are related, needs more than zero."
        )
    relative = [_relative(run, scale) for run in runs]
    _check_negative(Path(path).name, relative)
    relative, remarks = comparable(relative, reference.name, product is not None)
    remarks += notes(relative, product is not None)
    dataset = _dataset(relative, _common_unit(Path(path).name, runs))
    dataset.attrs = {
        "source": Path(path).name,
        "standard": reference.name,
        "standard_substrate_0": float(scale),
        "substrate_column": substrate,
        "product_column": product or "",
        "catalyst_column": catalyst,
        "warnings": "\n".join(remarks),
    }
    return dataset


def _standard_run(file: str, runs: list[Run], name: str | None) -> Run:
    keys = [run.name.strip().casefold() for run in runs]
    if name is not None:
        if name.strip().casefold() not in keys:
            raise ValueError(
                f"{file}: no run is called {name!r}, which was to be the standard run; "
                f"its runs are {', '.join(repr(run.name) for run in runs)}."
            )
        return runs[keys.index(name.strip().casefold())]
    if "standard" in keys:
        return runs[keys.index("standard")]
    return next((run for run, key in zip(runs, keys, strict=True) if "standard" in key), runs[0])


def _relative(run: Run, scale: float) -> Relative:
    """Relate concentrations to `scale`."""
    substrate = run.substrate / scale
    product = np.full_like(substrate, np.nan) if run.product is None else run.product / scale
    return Relative(run.name, run.time, substrate, product, run.catalyst / scale, run.others)


def _check_negative(file: str, runs: list[Relative]) -> None:
    for run in runs:
        for species in ("substrate", "product"):
            values = getattr(run, species)
            for i in np.flatnonzero(values < -NEGATIVE_TOLERANCE):
                raise ValueError(
                    f"{file}, run {run.name!r}: the {species} at time {run.time[i]:g} is "
                    f"{values[i]:.3g} times the standard run's initial substrate; expected no "
                    f"less than -{NEGATIVE_TOLERANCE:g}. Check the columns, or the baseline."
                )


def _common_unit(file: str, runs: list[Run]) -> str:
    by_unit = {run.unit: run.name for run in runs if run.unit}
    if len(by_unit) > 1:
        listed = ", ".join(f"{name!r} in {unit}" for unit, name in by_unit.items())
        raise ValueError(f"{file}: the runs differ in their unit of time ({listed}); use one.")
    return next(iter(by_unit), "")


def _dataset(runs: list[Relative], unit: str) -> xr.Dataset:
    points = ("sample", "run", "time")
    once = ("sample", "run")
    scale = "standard run's initial substrate"
    dataset = xr.Dataset(
        {
            "substrate": (points, _padded([run.substrate for run in runs])),
            "product": (points, _padded([run.product for run in runs])),
            "loading": (once, [[run.loading for run in runs]]),
            "substrate_0": (once, [[run.substrate[0] for run in runs]]),
            "product_0": (once, [[run.product_0 for run in runs]]),
        },
        coords={
            "time": (points, _padded([run.time for run in runs])),
            "run": [run.name for run in runs],
        },
    )
    dataset["time"].attrs = {"long_name": "time", "units": unit}
    for name in dataset.data_vars:
        dataset[name].attrs = {"units": "1", "relative_to": scale}
    return dataset


def _padded(rows: list[np.ndarray]) -> np.ndarray:
    """Stack rows of different lengths, with NaN behind the shorter: (1, runs, points)."""
    filled = np.full((1, len(rows), max(map(len, rows))), np.nan)
    for i, row in enumerate(rows):
        filled[0, i, : len(row)] = row
    return filled
