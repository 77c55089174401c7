"""Curves of all species in a file, whatever their roles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from kinetlib.lab.runs import refuse_different_units
from kinetlib.lab.tables import RUN_COLUMN, Table, read_tables

TEMPERATURE = "temperature"


def read_species(path: str | Path) -> xr.Dataset:
    """Read the concentrations of all species of one or more runs.

    A workbook (.xlsx) holds one run a sheet: the first column is the time, then comes one column a
    species, the same in every sheet. A CSV file holds one run, or several told apart by a column
    named ``run``. A column named ``temperature`` gives that of its run, in kelvin.

    Parameters
    ----------
    path
        The file. Nothing in it is executed.

    Returns
    -------
    xarray.Dataset
        ``concentration`` (run, time, species) and ``time`` (run, time), NaN where a cell is empty
        and after a run's last row; ``temperature`` (run,) where there is such a column; ``run`` and
        ``species`` as coordinates.

    Raises
    ------
    ValueError
        Where the file or its values are not as described, naming file, run and cell.
    """
    tables = read_tables(path)
    names = _names(tables[0])
    if len(names) < 2:
        raise ValueError(
            f"{tables[0].label}: expected a column of times and then one a species, got "
            f"{', '.join(map(repr, names)) or 'no column with a name'}"
        )
    refuse_different_units(tables[0].label, names[1:])
    runs = []
    for table in tables:
        _refuse_others(table, names)
        columns = [table.column(name, "time" if name == names[0] else "species") for name in names]
        numbers = np.array([table.numbers(column) for column in columns])
        there = np.isfinite(numbers[0])
        lost = ~there & np.isfinite(numbers[1:]).any(0)
        if lost.any():
            row = table.rows[int(lost.argmax())][0]
            raise ValueError(f"{table.address(row, columns[0])}: values without a time; give it")
        runs.append(numbers[:, there])
    longest = max(numbers.shape[1] for numbers in runs)
    filled = np.full((len(runs), len(names), longest), np.nan)
    for row, numbers in zip(filled, runs, strict=True):
        row[:, : numbers.shape[1]] = numbers
    return xr.Dataset(
        {
            "time": (("run", "time"), filled[:, 0]),
            "concentration": (("run", "time", "species"), filled[:, 1:].transpose(0, 2, 1)),
            **_temperatures(tables),
        },
        coords={"run": [table.name for table in tables], "species": names[1:]},
        attrs={"source": Path(path).name},
    )


def _refuse_others(table: Table, names: list[str]) -> None:
    """Refuse columns of numbers that would be left out: without a name, or not in all runs.

    A first column without a name counts the rows.
    """
    known = {name.casefold() for name in (*names, RUN_COLUMN, TEMPERATURE)}
    for column, title in enumerate(table.header):
        if title.casefold() in known or (not title and column == 0):
            continue
        cells = ((row, cells[column]) for row, cells in table.rows)
        row = next((row for row, cell in cells if isinstance(cell, (int, float))), None)
        if row is not None:
            raise ValueError(
                f"{table.address(row, column)}: a number in a column that has "
                f"{'no name in the first run' if title else 'no name'}; every run has the same "
                "columns, each with a name"
            )


def _temperatures(tables: list[Table]) -> dict[str, tuple]:
    """Read the temperature of each run, if there is such a column."""
    found = []
    for table in tables:
        columns = [name for name in table.header if name and name.casefold() == TEMPERATURE]
        if not columns:
            return {}
        numbers = np.array(table.numbers(table.column(columns[0], TEMPERATURE)))
        numbers = np.unique(numbers[np.isfinite(numbers)])
        if len(numbers) != 1:
            raise ValueError(
                f"{table.label}: expected one temperature in kelvin, got {len(numbers)} of them; "
                "a run has one"
            )
        found.append(float(numbers[0]))
    return {TEMPERATURE: ("run", found, {"units": "K"})}


def _names(table: Table) -> list[str]:
    """Names of the columns of numbers, the time first."""
    return [
        name for name in table.header if name and name.casefold() not in (RUN_COLUMN, TEMPERATURE)
    ]
