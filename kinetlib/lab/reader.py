"""A file to the tables of its runs: what every command reads a file by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinetlib.lab import units
from kinetlib.lab.layout import KNOWN, LAYOUTS, tables_of
from kinetlib.lab.opening import open_file
from kinetlib.lab.remarks import Remark, listed
from kinetlib.lab.tables import Table
from kinetlib.lab.times import read_times


@dataclass(frozen=True)
class How:
    """How to read a file where the reader would decide otherwise.

    Attributes
    ----------
    layout : str or None
        One of `LAYOUTS`.
    header : int or None
        Number of the row of names.
    time : str or None
        Name of the column of times.
    units : mapping of str to str
        Unit of each column that is named.
    ignore : sequence of str
        Columns that take no part.
    start : float
        Time at which the reaction starts, in the file's unit: rows before it are left out, and
        times count from it.
    leave_out : sequence of str
        Runs to leave out.
    """

    layout: str | None = None
    header: int | None = None
    time: str | None = None
    units: Mapping[str, str] | None = None
    ignore: Sequence[str] = ()
    start: float = 0.0
    leave_out: Sequence[str] = ()

    def __post_init__(self) -> None:
        """Check.

        Raises
        ------
        ValueError
            Where there is no such layout, or no such unit.
        """
        if self.layout not in (None, *LAYOUTS):
            raise ValueError(f"--layout {self.layout}: expected one of {', '.join(LAYOUTS)}")
        for name, unit in (self.units or {}).items():
            if not units.known(unit):
                raise ValueError(
                    f"--unit {name}={unit}: no unit of time or concentration that is known; "
                    "expected one such as min, h:mm:ss, mM, mol/L, % or ppm"
                )


def read_tables(path: str | Path, how: How | None = None) -> tuple[list[Table], list[Remark]]:
    """Read a file as one table a run.

    Returns
    -------
    tables : list of Table
        At least one, each with a name of its own.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Where the file is not read, or holds no run in any layout.
    """
    how = how or How()
    sheets, remarks = open_file(path)
    tables: list[Table] = []
    for sheet in sheets:
        found, told = tables_of(sheet, layout=how.layout, header=how.header, time=how.time)
        tables += found
        remarks += told
    if not tables:
        raise ValueError(
            f"{path}: no numbers below names of columns in {listed(repr(s.name) for s in sheets)}. "
            f"Layouts that are read: {KNOWN}."
        )
    if how.time and not any(table.called(how.time) for table in tables):
        tables[0].column(how.time, "time")
    tables = [_in_units(table, how.units or {}) for table in _named(tables)]
    _refuse_unknown("--unit", how.units or {}, tables)
    _refuse_unknown("--ignore", how.ignore, tables)
    return _kept(tables, how.leave_out), remarks


def _named(tables: list[Table]) -> list[Table]:
    """Give each run a name of its own."""
    names = [table.name for table in tables]
    found, used = [], set()
    for table in tables:
        name = table.name
        if names.count(name) > 1:
            name = f"{table.sheet}, {name}" if table.sheet != name else name
        unique, k = name, 2
        while unique in used:
            unique, k = f"{name} ({k})", k + 1
        used.add(unique)
        found.append(replace(table, name=unique))
    return found


def _in_units(table: Table, given: Mapping[str, str]) -> Table:
    titles = list(table.titles)
    for name, unit in given.items():
        for i in table.called(name):
            titles[i] = replace(titles[i], unit=unit)
    return replace(table, titles=tuple(titles))


def _refuse_unknown(option: str, names: Iterable[str], tables: list[Table]) -> None:
    for name in names:
        if not any(table.called(name) for table in tables):
            tables[0].column(name, option)


def _kept(tables: list[Table], leave_out: Sequence[str]) -> list[Table]:
    """Leave out runs that the user names."""
    wanted = {name.strip().casefold() for name in leave_out}
    unknown = wanted - {table.name.casefold() for table in tables}
    if unknown:
        raise ValueError(
            f"--leave-out {unknown.pop()}: no such run; the runs are "
            f"{listed(repr(table.name) for table in tables)}."
        )
    kept = [table for table in tables if table.name.casefold() not in wanted]
    if not kept:
        raise ValueError("--leave-out: no run is left")
    return kept


@dataclass(frozen=True)
class Times:
    """When the rows of a table were measured.

    Attributes
    ----------
    rows : numpy.ndarray of int
        Places of the rows that count, in the order of time.
    time : numpy.ndarray, shape (rows,)
        Rising, or equal where there are replicates; from the start of the reaction on.
    unit : str
        As `read_times` returns it.
    """

    rows: NDArray[np.int64]
    time: NDArray[np.float64]
    unit: str


def timed(table: Table, measured: NDArray[np.bool_], start: float) -> tuple[Times, list[Remark]]:
    """Put the rows that hold a measurement in the order of time, from the start on.

    Parameters
    ----------
    table : Table
        One run.
    measured : numpy.ndarray of bool, shape (rows,)
        Which rows hold any measurement.
    start : float
        Time of the start; rows before it are left out with a remark.

    Raises
    ------
    ValueError
        Where a measurement has no time.
    """
    time, unit, remarks = read_times(table)
    for i in np.flatnonzero(measured & np.isnan(time)):
        raise ValueError(
            f"{table.address(table.rows[i][0], table.time)}: empty, expected the time of this row."
        )
    rows = np.flatnonzero(measured)
    before = time[rows] < start
    if before.all() and len(rows):
        raise ValueError(
            f"{table.address(table.rows[rows[0]][0], table.time)}: the time "
            f"{time[rows[0]]:g} and all others lie before the start; give that by --start."
        )
    if before.any():
        remarks.append(
            Remark(
                f"Rows before the start of the reaction, t = {start:g}, are left out.",
                "--start",
                (f"{table.name} ({before.sum()})",),
            )
        )
    rows = rows[~before]
    if np.any(np.diff(time[rows]) < 0):
        remarks.append(Remark("Rows out of the order of time were sorted.", "", (table.name,)))
    rows = rows[np.argsort(time[rows], kind="stable")]
    return Times(rows, time[rows] - start, unit), remarks


def in_one_unit(
    file: str, found: Sequence[tuple[str, str]]
) -> tuple[str, dict[str, float], list[Remark]]:
    """Bring runs to one unit of time.

    Parameters
    ----------
    file : str
        Name of the file, for messages.
    found : sequence of (str, str)
        Name and unit of time of each run.

    Returns
    -------
    unit : str
        That of the first run that names one, "" where none does.
    factors : dict of str to float
        By run, what its times are multiplied by.
    remarks : list of Remark
        What was converted or assumed.

    Raises
    ------
    ValueError
        Where units differ, and one of them is not known.
    """
    told = {unit: run for run, unit in reversed(found) if unit}
    if not told:
        return "", {run: 1.0 for run, _ in found}, []
    unit = next(unit for _, unit in found if unit)
    unknown = [one for one in told if one not in units.SECONDS]
    if unknown and len(told) > 1:
        each = ", ".join(f"{told[one]!r} in {one}" for one in reversed(told))
        raise ValueError(f"{file}: the runs differ in their unit of time ({each}); use one.")
    factors, remarks = {}, []
    for run, one in found:
        factors[run] = 1.0
        if not one:
            remarks.append(
                Remark(f"Without a unit of time, and taken to be in {unit}.", "--unit", (run,))
            )
        elif one != unit:
            factors[run] = units.SECONDS[one] / units.SECONDS[unit]
            remarks.append(Remark(f"Times converted from {one} to {unit}.", "", (run,)))
    return unit, factors, remarks
