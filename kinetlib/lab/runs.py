"""From the cells of a table to one checked kinetic run in the units of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np

from kinetlib.lab.tables import RUN_COLUMN, Table

MIN_POINTS = 3
"""Fewest rows with a time and a concentration that make a run."""

_CONCENTRATION_UNITS = {
    "M": "M", "mol/L": "M", "mol/l": "M", "mol L-1": "M", "mol/dm3": "M",
    "mM": "mM", "mmol/L": "mM", "mmol/l": "mM", "mmol L-1": "mM", "mmol/dm3": "mM",
    "\u00b5M": "uM", "\u03bcM": "uM", "uM": "uM", "nM": "nM",
    "%": "%", "mol%": "%", "mol %": "%",
}  # fmt: skip
_UNIT = re.compile(r"[/\[(,]\s*([^\[\](),]+?)\s*[\])]?\s*$")
_TIME_UNITS = {
    "s": "s", "sec": "s", "secs": "s", "second": "s", "seconds": "s",
    "min": "min", "mins": "min", "minute": "min", "minutes": "min",
    "h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h",
    "d": "d", "day": "d", "days": "d", "ms": "ms",
}  # fmt: skip


@dataclass(frozen=True)
class Columns:
    """Names under which a workbook keeps the three species; `product` None: not measured."""

    substrate: str
    product: str | None
    catalyst: str


@dataclass(frozen=True)
class Run:
    """One run as measured.

    Attributes
    ----------
    name : str
        Name of the run.
    time : numpy.ndarray, shape (points,)
        Times as written, in `unit`; strictly rising, from zero on.
    unit : str
        Unit of time in the column's name ("s", "min", ...), "" where it names none.
    substrate, product : numpy.ndarray, shape (points,)
        Concentrations as written, NaN where one of the two was not measured; both known at the
        first point. `product` is None where the table has no such column.
    catalyst : float
        The first value of the catalyst column, in the unit of the concentrations.
    others : dict of str to float
        First values of all other columns that hold numbers.
    """

    name: str
    time: np.ndarray
    unit: str
    substrate: np.ndarray
    product: np.ndarray | None
    catalyst: float
    others: dict[str, float] = field(default_factory=dict)


def read_run(table: Table, columns: Columns) -> Run:
    """Check one table and take the run out of it.

    Rows without a concentration are passed over, with or without a time.

    Parameters
    ----------
    table : Table
        The cells.
    columns : Columns
        Names of the columns.

    Returns
    -------
    Run
        In the units of the table.

    Raises
    ------
    ValueError
        Naming file, run and cell, where a column is missing, a cell holds no number, a time is
        missing, negative, repeated or falls, the first row is incomplete, fewer than three rows
        are left, or the catalyst is missing or not above zero.
    """
    positions = _positions(table, columns)
    titles = [table.header[position] for role, position in positions.items() if role != "time"]
    refuse_different_units(table.label, titles)
    time = np.array(table.numbers(positions["time"]))
    substrate = np.array(table.numbers(positions["substrate"]))
    measured = ~np.isnan(substrate)
    product = None
    if columns.product is not None:
        product = np.array(table.numbers(positions["product"]))
        measured |= ~np.isnan(product)
    rows = np.array([row for row, _ in table.rows])[measured] if table.rows else np.array([])
    if len(rows) < MIN_POINTS:
        raise ValueError(
            f"{table.label}: {len(rows)} rows with a concentration, expected at least "
            f"{MIN_POINTS}. Remove the sheet if it is no run; formulas that no spreadsheet "
            "program has calculated yet read as empty."
        )
    time, substrate = time[measured], substrate[measured]
    product = None if product is None else product[measured]
    _check_time(table, positions["time"], rows, time)
    for role, values in (("substrate", substrate), ("product", product)):
        if values is not None and np.isnan(values[0]):
            raise ValueError(
                f"{table.address(rows[0], positions[role])}: empty, expected the initial "
                f"{role}; the first row of a run must be complete."
            )
    return Run(
        name=table.name,
        time=time,
        unit=_time_unit(table.header[positions["time"]]),
        substrate=substrate,
        product=product,
        catalyst=_catalyst(table, positions["catalyst"]),
        others=_others(table, set(positions.values())),
    )


def _positions(table: Table, columns: Columns) -> dict[str, int]:
    """Find the position of each column in the table, by its role."""
    is_run = [title.casefold() == RUN_COLUMN for title in table.header]
    positions = {"time": is_run.index(False) if False in is_run else 0}
    for role in ("substrate", "product", "catalyst"):
        name = getattr(columns, role)
        if name is None:
            continue
        position = table.column(name, role)
        for other, taken in positions.items():
            if position == taken:
                raise ValueError(
                    f"{table.label}: the column {table.header[position]!r} is given as {role} "
                    f"and is already the {other}; each needs a column of its own, and the first "
                    "column is the time."
                )
        positions[role] = position
    return positions


def refuse_different_units(label: str, titles: list[str]) -> None:
    """Refuse columns whose names tell of different units, say M and mM.

    Raises
    ------
    ValueError
        Naming the table by its `label`, and the columns.
    """
    units = {_CONCENTRATION_UNITS.get(_unit(title)) for title in titles} - {None}
    if len(units) > 1:
        raise ValueError(
            f"{label}: the columns {', '.join(map(repr, titles))} are in different units; "
            "bring them to one unit of concentration."
        )


def _check_time(table: Table, column: int, rows: np.ndarray, time: np.ndarray) -> None:
    """Refuse times that are missing, negative, repeated or falling."""
    for row in rows[np.isnan(time)]:
        raise ValueError(f"{table.address(row, column)}: empty, expected the time of this row.")
    for row, value in zip(rows[time < 0], time[time < 0], strict=True):
        raise ValueError(
            f"{table.address(row, column)}: the time {value:g} is negative; count from the start."
        )
    for i in np.flatnonzero(np.diff(time) <= 0):
        change = "repeats the time" if time[i + 1] == time[i] else "falls below the time"
        raise ValueError(
            f"{table.address(rows[i + 1], column)}: {time[i + 1]:g} {change} of row {rows[i]} "
            f"({time[i]:g}); expected times that rise. Sort the rows, or average repeated ones."
        )


def _catalyst(table: Table, column: int) -> float:
    """Take the first value of the catalyst column; what stands below it does not matter."""
    for row, cells in table.rows:
        if cells[column] is None:
            continue
        first = Table(table.file, table.name, table.header, ((row, cells),))
        value = first.numbers(column)[0]
        if np.isnan(value):
            continue
        if value <= 0:
            raise ValueError(
                f"{table.address(row, column)}: the catalyst is {value:g}, expected more than "
                "zero; a blank run without catalyst carries no mechanism, so leave it out."
            )
        return value
    raise ValueError(
        f"{table.label}: the column {table.header[column]!r} is empty; expected the catalyst's "
        "concentration in its first row, in the unit of the substrate."
    )


def _others(table: Table, used: set[int]) -> dict[str, float]:
    """Take the first number of each column that no role was given to."""
    found = {}
    for column, title in enumerate(table.header):
        if column in used or not title or title.casefold() == RUN_COLUMN:
            continue
        cells = (cells[column] for _, cells in table.rows)
        number = next((cell for cell in cells if isinstance(cell, (int, float))), None)
        if number is not None:
            found[title] = float(number)
    return found


def _time_unit(title: str) -> str:
    """Find the unit in a column's name.

    >>> _time_unit("Time / s"), _time_unit("time [minutes]"), _time_unit("t")
    ('s', 'min', '')
    """
    unit = _unit(title)
    return _TIME_UNITS.get(unit.casefold(), unit)


def _unit(title: str) -> str:
    """Take what follows the first slash, or stands in the last brackets, of a column's name."""
    match = _UNIT.search(title)
    return match[1] if match else ""
