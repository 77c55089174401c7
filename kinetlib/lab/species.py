"""Curves of all species in a file, whatever their roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from kinetlib.lab import units as units_of
from kinetlib.lab.columns import others
from kinetlib.lab.notes import temperatures
from kinetlib.lab.reader import How, in_one_unit, read_tables, timed
from kinetlib.lab.remarks import Remark, gathered
from kinetlib.lab.tables import Table


def read_species(
    path: str | Path,
    *,
    ignore: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    layout: str | None = None,
    header: int | None = None,
    time: str | None = None,
    units: Mapping[str, str] | None = None,
    start: float = 0.0,
) -> xr.Dataset:
    """Read the concentrations of all species of one or more runs.

    The file is read as by `kinetlib.lab.read`; each column of numbers beside the time is a species,
    the same in every run, but for internal standards and numbers of samples. A column named
    ``temperature`` gives that of its run, in kelvin.

    Parameters
    ----------
    path
        The file. Nothing in it is executed.
    ignore, leave_out, layout, header, time, units, start
        See `kinetlib.lab.How`.

    Returns
    -------
    xarray.Dataset
        ``concentration`` (run, time, species), in one unit, and ``time`` (run, time), in that of
        ``attrs["units"]``; NaN where a cell is empty and after a run's last row; ``temperature``
        (run,) where there is such a column; ``run`` and ``species`` as coordinates, as written but
        for units. ``attrs["remarks"]`` holds one sentence a line on what was decided,
        ``attrs["concentration_unit"]`` the unit, "" where none is told.

    Raises
    ------
    ValueError
        Where the file or its values are not as described, naming file, run and cell.
    """
    file = Path(path).name
    how = How(layout, header, time, units, ignore, start, leave_out)
    tables, remarks = read_tables(path, how)
    used = [{i for i, t in enumerate(table.titles) if t.is_run} for table in tables]
    names, told = others(tables, used, (), ignore)
    remarks += told
    if not names:
        present = ", ".join(repr(title.text) for title in tables[0].titles if title.text)
        raise ValueError(
            f"{tables[0].label}: expected a column of times and then one a species, got "
            f"{present or 'no column with a name'}"
        )
    runs = []
    for table in tables:
        _refuse_unnamed(table)
        columns = [_column(table, name) for name in names]
        numbers = np.array([table.numbers(column) for column in columns])
        when = np.array([cells[table.time] is not None for _, cells in table.rows], dtype=bool)
        times, told = timed(table, np.isfinite(numbers).any(0) | when, start)
        remarks += told
        factors, told = _factors(table, columns)
        remarks += told
        runs.append((times, numbers[:, times.rows] * factors[:, None]))
    unit, factors, told = in_one_unit(
        file, [(table.name, times.unit) for table, (times, _) in zip(tables, runs, strict=True)]
    )
    remarks += told
    longest = max(len(times.time) for times, _ in runs)
    filled = np.full((len(runs), len(names) + 1, longest), np.nan)
    for row, table, (times, numbers) in zip(filled, tables, runs, strict=True):
        row[0, : len(times.time)] = times.time * factors[table.name]
        row[1:, : len(times.time)] = numbers
    titles = [tables[0].titles[tables[0].column(name, "species")] for name in names]
    bare = [title.name for title in titles]
    shown = [
        one if bare.count(one) == 1 else title.text for one, title in zip(bare, titles, strict=True)
    ]
    dataset = xr.Dataset(
        {
            "time": (("run", "time"), filled[:, 0], {"units": unit}),
            "concentration": (("run", "time", "species"), filled[:, 1:].transpose(0, 2, 1)),
        },
        coords={"run": [table.name for table in tables], "species": shown},
        attrs={
            "source": file,
            "concentration_unit": _base(tables[0], names).text,
            "remarks": "\n".join(str(remark) for remark in gathered(remarks)),
        },
    )
    kelvin = temperatures(tables, [table.name for table in tables])
    if kelvin:
        dataset["temperature"] = ("run", list(kelvin.values()), {"units": "K"})
    return dataset


def _column(table: Table, name: str) -> int:
    """Find a species, which every run has, or it is ignored."""
    if not table.called(name):
        raise ValueError(
            f"{table.label}: no column {name!r}, which other runs have; every run has the same "
            f"columns, so add it, or leave it out by --ignore '{name}'"
        )
    return table.column(name, "species")


def _refuse_unnamed(table: Table) -> None:
    """Refuse columns of numbers that would be left out: without a name, or not in all runs.

    A first column without a name counts the rows.
    """
    for column, title in enumerate(table.titles):
        if title.text or column == 0:
            continue
        row = next((row for row, cells in table.rows if isinstance(cells[column], float)), None)
        if row is not None:
            raise ValueError(
                f"{table.address(row, column)}: a number in a column that has no name; every run "
                "has the same columns, each with a name"
            )


def _base(table: Table, names: list[str]) -> units_of.Unit:
    """Return the unit of the first species that has one."""
    titles = [table.titles[table.column(name, "species")] for name in names]
    found = [units_of.concentration(title.unit) for title in titles if title.unit]
    return next((unit for unit in found if unit.text), units_of.Unit(""))


def _factors(table: Table, columns: list[int]) -> tuple[np.ndarray, list[Remark]]:
    """Return what brings each column to the unit of the first that has one.

    Raises
    ------
    ValueError
        Where units do not convert.
    """
    titles = [table.titles[column] for column in columns]
    found = [units_of.concentration(title.unit) for title in titles]
    base = next((unit for unit in found if unit.text), units_of.Unit(""))
    factors, remarks = np.ones(len(columns)), []
    for i, (title, unit) in enumerate(zip(titles, found, strict=True)):
        if not unit.text or unit.text == base.text:
            continue
        if not unit.converts(base):
            raise ValueError(
                f"{table.label}: the columns {titles[found.index(base)].text!r} and {title.text!r} "
                "are in different units that do not convert; bring them to one."
            )
        factors[i] = unit.factor / base.factor if unit.kind != units_of.OTHER else 1.0
        if factors[i] != 1:
            remarks.append(Remark(f"Column {title.text!r} is converted to {base.text}.", "--unit"))
    return factors, remarks
