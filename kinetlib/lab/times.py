"""Times of a run: numbers with a unit, durations, clock times and dates."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray

from kinetlib.lab import units
from kinetlib.lab.remarks import Remark, quoted
from kinetlib.lab.tables import Table

_DAY = 86400.0
_OUT = "min"  # what durations are given in
LATE = 4 * 3600.0
"""Seconds: a first time later than this is one of the day, not since the start."""

_ZERO = datetime(1899, 12, 31)  # what spreadsheet programs count durations of days from
_CLOCK = re.compile(r"(\d+):(\d{1,2})(?::(\d{1,2}(?:[.,]\d+)?))?\s*([ap]\.?m\.?)?", re.IGNORECASE)
_WITH_UNIT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([A-Za-z]+)\.?")
_DATES = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%d/%m/%Y", "%m/%d/%Y", "%d/%m/%y", "%m/%d/%y",
    "%d-%b-%Y", "%d %b %Y", "%b %d %Y", "%d-%m-%Y",
)  # fmt: skip


def read_times(table: Table) -> tuple[NDArray[np.float64], str, list[Remark]]:
    """Read the column of times.

    Numbers are in the unit of the column's head. Durations, clock times and dates become minutes:
    since the start where they are durations, else since the first row.

    Parameters
    ----------
    table : Table
        The cells of one run.

    Returns
    -------
    times : numpy.ndarray, shape (rows,)
        NaN where a cell is empty.
    unit : str
        Unit: "s", "min", ..., as written where it is none that is known, "" where none is told.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Where a cell holds no time.
    """
    title = table.titles[table.time]
    cells = [cells[table.time] for _, cells in table.rows]
    if all(cell is None or isinstance(cell, float) for cell in cells):
        told = title.unit_of_time
        unit = "" if units.clock(told) else units.time(told) or told
        return np.array(table.numbers(table.time)), unit, []
    written = units.clock(title.unit_of_time)
    remarks = []
    short = [_CLOCK.fullmatch(cell) for cell in cells if isinstance(cell, str)]
    short = [match for match in short if match and match[3] is None and not match[4]]
    minutes_first = written == "m:ss"
    if short and not written:
        minutes_first = any(int(match[1]) > 23 for match in short)
        said = "m:ss" if minutes_first else "h:mm"
        name = f"'{title.name}={said}'"
        remarks.append(
            Remark(
                f"Times such as {short[0][0]} are read as {said}.", f"--unit {name}", (table.name,)
            )
        )
    seconds, absolute = _seconds(table, cells, minutes_first)
    since_first = bool(absolute)
    if not absolute:
        first = next((t for t in seconds if np.isfinite(t)), 0.0)
        seconds = _over_midnight(seconds)
        since_first = first >= LATE and not written
    if since_first and np.isfinite(seconds).any():
        seconds = seconds - seconds[np.isfinite(seconds)][0]
        what = "Dates" if absolute else "Times of day"
        remarks.append(Remark(f"{what} are counted from the first row, in min.", "", (table.name,)))
    else:
        remarks.append(Remark("Clock times are durations, in min.", "--unit", (table.name,)))
    return seconds / units.SECONDS[_OUT], _OUT, remarks


def _over_midnight(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add a day wherever the clock falls by more than half of one."""
    known = np.isfinite(seconds)
    falls = np.diff(seconds[known], prepend=seconds[known][:1]) < -_DAY / 2
    seconds = seconds.copy()
    seconds[known] += _DAY * np.cumsum(falls)
    return seconds


def _seconds(
    table: Table, cells: list[object], minutes_first: bool
) -> tuple[NDArray[np.float64], bool]:
    """Turn cells into seconds, and tell whether they are dates."""
    _refuse_mixed(table, cells)
    found = np.full(len(cells), np.nan)
    absolute = False
    dated = _format([cell for cell in cells if isinstance(cell, str)])
    for i, cell in enumerate(cells):
        if cell is None:
            continue
        if isinstance(cell, float):  # spreadsheet programs count in days
            found[i] = cell * _DAY
        elif isinstance(cell, timedelta):
            found[i] = cell.total_seconds()
        elif isinstance(cell, time):
            found[i] = _of_clock(cell)
        elif isinstance(cell, date):
            moment = (
                cell if isinstance(cell, datetime) else datetime(cell.year, cell.month, cell.day)
            )
            absolute |= moment.year > 1904
            found[i] = (moment - _ZERO).total_seconds()
        else:
            value = _of_text(str(cell), minutes_first, dated)
            if value is None:
                row = table.rows[i][0]
                raise ValueError(
                    f"{table.address(row, table.time)}: expected a time, found {quoted(cell)}; "
                    "write a number, h:mm:ss, or a date with a time."
                )
            found[i], is_date = value
            absolute |= is_date
    return found, absolute


def _refuse_mixed(table: Table, cells: list[object]) -> None:
    """Refuse clock times among numbers, of which it is not told what they count."""
    numbers = [cell for cell in cells if isinstance(cell, float)]
    if units.clock(table.titles[table.time].unit_of_time) or not any(numbers):
        return
    for (row, _), cell in zip(table.rows, cells, strict=True):
        if cell is not None and not isinstance(cell, float):
            raise ValueError(
                f"{table.address(row, table.time)}: expected a number as in the other rows, found "
                f"the date or clock time {quoted(str(cell))}; write all times in one way."
            )


def _of_clock(cell: time) -> float:
    return cell.hour * 3600.0 + cell.minute * 60 + cell.second + cell.microsecond * 1e-6


def _of_text(
    text: str, minutes_first: bool, dated: Callable[[str], datetime | None]
) -> tuple[float, bool] | None:
    """Return seconds, and whether they are counted from a date; None where this is no time."""
    clock = of_clock(text, minutes_first)
    if clock is not None:
        return clock, False
    match = _WITH_UNIT.fullmatch(text)
    if match and units.time(match[2]):
        return float(match[1].replace(",", ".")) * units.SECONDS[units.time(match[2])], False
    moment = dated(text)
    return None if moment is None else ((moment - _ZERO).total_seconds(), True)


def of_clock(text: str, minutes_first: bool = False) -> float | None:
    """Return the seconds of ``h:mm:ss``, ``h:mm`` or ``m:ss``; None where it is none of these."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    first, second, third = int(match[1]), int(match[2]), match[3]
    if third is None:
        seconds = first * 60.0 + second if minutes_first else first * 3600.0 + second * 60
    else:
        seconds = first * 3600.0 + second * 60 + float(third.replace(",", "."))
    if match[4]:
        seconds += 43200 * ((match[4][0].lower() == "p") - (first == 12))
    return seconds


def _format(texts: list[str]) -> Callable[[str], datetime | None]:
    """Find the one way to write dates in which all can be read, and time passes least."""
    best, shortest = None, np.inf
    for form in _DATES:
        moments = [_moment(text, form) for text in texts]
        known = [moment for moment in moments if moment is not None]
        if not known or len(known) < len(texts):
            continue
        span = sum(abs((b - a).total_seconds()) for a, b in zip(known[:-1], known[1:], strict=True))
        if span < shortest:
            best, shortest = form, span
    return lambda text: _moment(text, best) if best else None


def _moment(text: str, form: str) -> datetime | None:
    parts = text.replace(",", " ").replace("T", " ").split(maxsplit=form.count(" ") + 1)
    n = form.count(" ") + 1
    try:
        day = datetime.strptime(" ".join(parts[:n]), form)
    except ValueError:
        return None
    rest = parts[n].rstrip("Zz") if len(parts) > n else "0:00"
    clock = _CLOCK.fullmatch(rest)
    if not clock:
        return None
    value = _of_text(rest, False, lambda text: None)
    return None if value is None else day + timedelta(seconds=value[0])
