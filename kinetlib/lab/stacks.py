"""Runs below each other in one table: told apart by a column, an empty row, or falling time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, time, timedelta

import numpy as np

from kinetlib.lab.remarks import Remark, listed, printable, quoted
from kinetlib.lab.sheets import is_number, is_text, said
from kinetlib.lab.tables import Rows, Table
from kinetlib.lab.times import LATE, of_clock
from kinetlib.lab.titles import Title, key

_OPTION = "--layout"
_DAY = 86400.0
_LEAST = 2  # rows of a run in a stack
_NEAR_START = 0.25  # of the time so far: where a time falls to, if a run begins


def split(
    table: Table, label: str, above: str, by_column: bool, by_place: bool
) -> tuple[list[Table], list[Remark]]:
    """Divide a table into runs.

    Parameters
    ----------
    table : Table
        All rows below the names of a block.
    label : str
        Name of the block, "" where it has none.
    above : str
        The text above the names of its columns: the first run's name, where others have one, too.
    by_column : bool
        Whether a column named ``run`` may tell runs apart.
    by_place : bool
        Whether an empty row, another row of names, or a time that falls may do so.
    """
    runs = [i for i, title in enumerate(table.titles) if title.is_run and i != table.time]
    if runs and by_column:
        return _by_column(table, runs[0])
    if not by_place:
        named = table.of(label or table.name, _values(table, table.rows))
        return [named], []
    found, remarks = [], []
    for name, rows, titles in _sections(table, remarks):
        part = Table(table.file, name, titles, table.places, table.time, rows, table.sheet)
        found += [part.of(name, piece) for piece in _pieces(part)]
    base = label or table.name
    if len(found) == 1:
        return [found[0].of(found[0].name or base, found[0].rows)], remarks
    if not found[:1] or found[0].name or not any(one.name for one in found):
        above = ""
    named, used = [], set()
    for k, one in enumerate(found, start=1):
        name = one.name or (above if k == 1 else "") or f"{base} {k}"
        name = f"{name} ({k})" if name in used else name
        used.add(name)
        named.append(one.of(name, one.rows))
    if named:
        remarks.append(
            Remark(
                f"Sheet {table.sheet!r}: {len(named)} runs stand below each other: "
                f"{listed(one.name for one in named)}.",
                f"{_OPTION} sheets",
            )
        )
    return named or [table.of(base, ())], remarks


def _by_column(table: Table, column: int) -> tuple[list[Table], list[Remark]]:
    """Sort rows by the run that they belong to, in the order in which runs appear."""
    runs: dict[str, list] = {}
    last, filled = "", 0
    for number, cells in table.rows:
        if _is_head(table, cells):
            continue
        cell = cells[column]
        name = printable(said(cell)) if cell is not None else ""
        if not name:
            others = [c for i, c in enumerate(cells) if i != column and c is not None]
            if not others:
                continue
            if not last:
                raise ValueError(
                    f"{table.file}, row {number}: the column {table.titles[column].text!r} is "
                    "empty; name the run."
                )
            filled += 1
        last = name or last
        runs.setdefault(last, []).append((number, cells))
    remarks = []
    if filled:
        remarks.append(
            Remark(
                f"{filled} rows without a run belong to the one named last above them.",
                "",
                (table.sheet,),
            )
        )
    return [table.of(name, rows) for name, rows in runs.items()], remarks


def _is_head(table: Table, cells: tuple) -> bool:
    """Tell whether a row repeats the names of the columns."""
    pairs = [
        (Title.of(cell), title)
        for cell, title in zip(cells, table.titles, strict=True)
        if cell is not None and title.text
    ]
    return len(pairs) > 1 and all(key(one.text) == key(title.text) for one, title in pairs)


def _values(table: Table, rows: Rows) -> Rows:
    """Keep rows that hold anything in the columns of this table."""
    return tuple((n, cells) for n, cells in rows if any(c is not None for c in cells))


def _sections(table: Table, remarks: list[Remark]) -> Iterator[tuple[str, Rows, tuple[Title, ...]]]:
    """Divide at rows of names and at rows of text alone; what is only text is a label or a note."""
    titles, label, rows, before = table.titles, "", [], None
    for number, cells in _values(table, table.rows):
        head = _is_head(table, cells) or _other_head(table, cells)
        texts = [cell for cell in cells if cell is not None]
        note = (
            all(is_text(cell) for cell in texts)
            and cells[table.time] is None
            or (
                len(texts) <= 2
                and all(map(is_text, texts))
                and not _clockwise(cells[table.time])
                and (len(cells) > 2 or len(texts) == 1)
            )
        )
        gap = before is not None and number > before + 1
        footnote = gap and is_text(cells[table.time]) and not _clockwise(cells[table.time])
        if head or note or footnote:
            if rows:
                yield label, tuple(rows), titles
                rows, label = [], ""
            if head:
                if not _is_head(table, cells):
                    titles = tuple(Title.of(cell) for cell in cells)
            elif note:
                if label:
                    remarks.append(_passed(table, number, label))
                label = printable(str(texts[0]))
            else:
                remarks.append(_passed(table, number, texts[0]))
            before = number
            continue
        rows.append((number, cells))
        before = number
    if rows:
        yield label, tuple(rows), titles
    elif label:
        remarks.append(_passed(table, before, label))


def _passed(table: Table, number: int | None, text: object) -> Remark:
    return Remark(f"Row {number} is passed over, {quoted(text)}.", "", (table.sheet,))


def _other_head(table: Table, cells: tuple) -> bool:
    """Tell whether a row gives the columns other names."""
    filled = [Title.of(cell) for cell in cells if is_text(cell)]
    return (
        len(filled) > 2
        and len(filled) == sum(cell is not None for cell in cells)
        and Title.of(cells[table.time]).is_time
    )


def _clockwise(cell: object) -> bool:
    """Tell whether a cell is written like a time of day, or a date."""
    return is_text(cell) and cell[:1].isdigit() and any(sign in cell for sign in ":-./")


def _pieces(table: Table) -> list[Rows]:
    """Divide where an empty row precedes a time that does not rise, or time falls to its start."""
    times = _ranks([cells[table.time] for _, cells in table.rows])
    known = np.isfinite(times)
    borders = [0]
    for i in range(1, len(times)):
        if not known[i]:
            continue
        earlier = times[borders[-1] : i]
        earlier = earlier[np.isfinite(earlier)]
        if not len(earlier):
            continue
        gap = table.rows[i][0] > table.rows[i - 1][0] + 1
        low, high = earlier.min(), earlier.max()
        falls = times[i] < earlier[-1]
        to_start = times[i] <= low + _NEAR_START * (high - low)
        if (gap and times[i] <= earlier[-1]) or (falls and to_start):
            borders.append(i)
    ends = [*borders[1:], len(times)]
    pieces = [table.rows[a:b] for a, b in zip(borders, ends, strict=True)]
    rising = all(
        np.all(np.diff(part[np.isfinite(part)]) >= 0)
        for part in (times[a:b] for a, b in zip(borders, ends, strict=True))
    )
    # Rows that are merely unsorted fall to the start as well, but then do not rise throughout.
    if len(pieces) > 1 and (not rising or min(map(len, pieces)) < _LEAST):
        return [table.rows]
    return pieces


def _ranks(cells: list[object]) -> np.ndarray:
    """Return numbers that order times, those of day beyond midnight as well."""
    times = np.array([_rank(cell) for cell in cells])
    of_day = [isinstance(cell, time) or (is_text(cell) and ":" in cell) for cell in cells]
    known = times[np.isfinite(times)]
    # A column that begins late in the day holds times of day; durations begin anew at midnight.
    by_day = len(known) > 0 and known[0] >= LATE
    days, last = 0.0, np.nan
    for i, (moment, clock) in enumerate(zip(times, of_day, strict=True)):
        if not np.isfinite(moment):
            continue
        if clock and (moment > 0 or by_day) and last - moment > _DAY / 2:
            days += _DAY
        elif moment < last - _DAY / 2:
            days = 0.0
        last, times[i] = moment, moment + days
    return times


def _rank(cell: object) -> float:
    """Return a number that orders times of one kind."""
    if is_number(cell):
        return cell
    if isinstance(cell, timedelta):
        return cell.total_seconds()
    if isinstance(cell, time):
        return cell.hour * 3600.0 + cell.minute * 60 + cell.second
    if isinstance(cell, date):
        return cell.toordinal() * 86400.0 + sum(
            getattr(cell, part, 0) * size
            for part, size in (("hour", 3600), ("minute", 60), ("second", 1))
        )
    seconds = of_clock(cell) if is_text(cell) else None
    return np.nan if seconds is None else seconds
