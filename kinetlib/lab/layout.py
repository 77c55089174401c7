"""Where the runs stand in a sheet: below or beside each other, told apart by a column, or tidy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kinetlib.lab import units
from kinetlib.lab.long import unfold
from kinetlib.lab.remarks import Remark, listed, printable, quoted
from kinetlib.lab.sheets import Sheet, is_number, is_text
from kinetlib.lab.stacks import split
from kinetlib.lab.tables import Rows, Table
from kinetlib.lab.titles import Title, key

LAYOUTS = ("sheets", "side-by-side", "stacked", "run-column", "tidy")
"""Layouts that are understood."""

KNOWN = (
    "one run a sheet; runs beside each other, each with its own time; runs below each other; a "
    "column 'run'; or a tidy table (run, time, species, value)"
)
_LOOKED_AT = 40  # rows in which the names of the columns are looked for
_OPTION = "--layout"


@dataclass(frozen=True)
class Head:
    """The row of names of a sheet.

    Attributes
    ----------
    at : int
        Its place among the rows.
    titles : tuple of Title
        One for each column of the sheet, units of a row of units included.
    body : int
        The place of the first row below it, and below a row of units.
    """

    at: int
    titles: tuple[Title, ...]
    body: int


def tables_of(
    sheet: Sheet, *, layout: str | None = None, header: int | None = None, time: str | None = None
) -> tuple[list[Table], list[Remark]]:
    """Find the runs in a sheet.

    Parameters
    ----------
    sheet : Sheet
        The cells.
    layout : str, optional
        One of `LAYOUTS`, to look for nothing else.
    header : int, optional
        Number of the row of names.
    time : str, optional
        Name of the column of times.

    Returns
    -------
    tables : list of Table
        One a run; none where the sheet holds no numbers below names.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Where there are numbers, and no layout fits.
    """
    head = _head(sheet, header, time)
    if head is None:
        return [], [_no_table(sheet)]
    remarks = _on_head(sheet, head)
    long = (
        unfold(sheet, head.titles, sheet.rows[head.body :], time) if _may(layout, "tidy") else None
    )
    if long is not None:
        return long[0], remarks + long[1]
    blocks, told = _blocks(sheet, head, _may(layout, "side-by-side"), time)
    remarks += told
    found: list[Table] = []
    for block in blocks:
        label = _label(sheet, head, block)
        if not label and len(blocks) > 1:
            label = f"{sheet.name} {blocks.index(block) + 1}"
        runs, told = split(block, label, _may(layout, "run-column"), _may(layout, "stacked"))
        found += runs
        remarks += told
    return found, remarks


def _may(layout: str | None, one: str) -> bool:
    return layout in (None, one)


# --- the row of names


def _head(sheet: Sheet, header: int | None, time: str | None) -> Head | None:
    """Find the row of names: one that names a time above numbers, else text above numbers."""
    rows = sheet.rows
    if header is not None:
        at = next((i for i, (number, _) in enumerate(rows) if number == header), None)
        if at is None:
            raise ValueError(
                f"{sheet.file}, sheet {sheet.name!r}: row {header} holds nothing, expected the "
                "names of the columns (--header)."
            )
        return _with_units(rows, at)
    for named in (True, False):
        for at in range(min(_LOOKED_AT, len(rows))):
            if _names(rows, at, named, time):
                return _with_units(rows, at)
    if len(rows) == 1 and sum(map(is_text, rows[0][1])) > 1:
        return _with_units(rows, 0)
    _refuse_numbers(sheet)
    return None


def _names(rows: Rows, at: int, named: bool, time: str | None) -> bool:
    """Tell whether a row names the columns below; if `named`, one of them as the time."""
    cells = rows[at][1]
    filled = [i for i, cell in enumerate(cells) if cell is not None]
    if len(filled) < 2 or not any(is_text(cells[i]) for i in filled):
        return False
    below = [r[1] for r in rows[at + 1 : at + 4]]
    if named:
        return any(
            is_text(cells[i])
            and (Title.of(cells[i]).is_called(time) if time else Title.of(cells[i]).is_time)
            and any(_value(_cell(row, i)) for row in below)
            for i in filled
        )
    above = [i for i in filled if is_text(cells[i])]
    over = [i for i in above if any(is_number(_cell(row, i)) for row in below[:2])]
    return 2 * len(above) >= len(filled) and bool(over)


def _value(cell: object) -> bool:
    """Tell whether a cell may be a time: a number, a clock time, or text that looks like one."""
    if cell is None:
        return False
    return not is_text(cell) or (cell[:1].isdigit() and sum(c.isdigit() for c in cell) > 1)


def _with_units(rows: Rows, at: int) -> Head:
    """Take a row of names together with the row of units below it, if there is one."""
    width = max(len(cells) for _, cells in rows[at : at + 50])
    titles = [Title.of(cell) for cell in _padded(rows[at][1], width)]
    body = at + 1
    if body < len(rows):
        below = _padded(rows[body][1], width)
        texts = [cell for cell in below if is_text(cell)]
        told = [cell for cell in texts if _is_unit(cell)]
        if texts and not any(map(is_number, below)) and 2 * len(told) >= len(texts):
            body += 1
            titles = [
                replace(title, unit=_bare(cell)) if is_text(cell) and title.text else title
                for title, cell in zip(titles, below, strict=True)
            ]
    return Head(at, tuple(titles), body)


def _bare(text: str) -> str:
    return text.strip().strip("[]()").strip()


def _is_unit(text: str) -> bool:
    return units.known(_bare(text)) or _bare(text) in ("K", "\u00b0C", "a.u.", "1", "au", "g/L")


def _on_head(sheet: Sheet, head: Head) -> list[Remark]:
    remarks = []
    if head.at and not _labels(sheet, head):
        text = next(cell for cell in sheet.rows[head.at - 1][1] if cell is not None)
        remarks.append(
            Remark(
                f"The names of the columns stand in row {sheet.rows[head.at][0]}; above them "
                f"{quoted(text)} is passed over.",
                "--header",
                (sheet.name,),
            )
        )
    if head.body > head.at + 1:
        number = sheet.rows[head.at + 1][0]
        remarks.append(Remark(f"Row {number} holds units.", "--unit", (sheet.name,)))
    return remarks


def _no_table(sheet: Sheet) -> Remark:
    return Remark("Passed over, without numbers below names of columns.", "", (sheet.name,))


def _refuse_numbers(sheet: Sheet) -> None:
    """Refuse a sheet with numbers that no layout explains."""
    numbers = sum(is_number(cell) for _, cells in sheet.rows for cell in cells)
    if numbers < 4 and len(sheet.rows) > 1 or not numbers:
        return
    number, cells = sheet.rows[0]
    seen = listed(quoted(cell) for cell in cells[:6] if cell is not None)
    first = [cells[0] for _, cells in sheet.rows if cells[0] is not None]
    across = ""
    if first and sum(map(is_text, first)) > 0.8 * len(first):
        across = " Where times run along a row, turn the table."
    raise ValueError(
        f"{sheet.file}, run {sheet.name!r}, row {number}: expected the names of the columns, found "
        f"{seen}; put a row of names above the values, the first of them the time. Layouts that "
        f"are read: {KNOWN}.{across}"
    )


# --- blocks beside each other


def _blocks(
    sheet: Sheet, head: Head, beside: bool, time: str | None
) -> tuple[list[Table], list[Remark]]:
    """Divide the columns into blocks, each with its own time; in the end all have a name."""
    titles = head.titles
    width = max((i + 1 for i, title in enumerate(titles) if title.text), default=0)
    times = [
        i
        for i, title in enumerate(titles)
        if title.text and (title.is_called(time) if time else title.is_time)
    ]
    if not times:
        # By position: the first column that does not tell runs apart, and those called like it.
        first = next((i for i, t in enumerate(titles) if t.text and not t.is_run), 0)
        times = [i for i, t in enumerate(titles) if i == first or _alike(t, titles[first])]
    times, remarks = _one_of_neighbours(sheet, head, times, width)
    if not beside:
        times = times[:1]
    if len(times) > 1:
        return _beside(sheet, head, times, width, remarks)
    groups = _groups(sheet, head, times[0], width) if beside else []
    if groups:
        names = _labels(sheet, head)
        found = [_block(sheet, head, [times[0], *columns], times[0]) for columns in groups]
        remarks.append(
            Remark(
                f"Sheet {sheet.name!r}: {len(groups)} groups of columns share one time, and are "
                f"read as runs: {listed(names.values())}.",
                f"{_OPTION} sheets",
            )
        )
        return found, remarks
    columns = list(range(max(width, _filled(sheet, head))))
    return [_block(sheet, head, columns, times[0])], remarks


def _alike(one: Title, other: Title) -> bool:
    return bool(one.text) and key(one.text) == key(other.text)


def _filled(sheet: Sheet, head: Head) -> int:
    """Count the columns up to the last that holds a number."""
    return max((len(cells) for _, cells in sheet.rows[head.at :]), default=0)


def _one_of_neighbours(
    sheet: Sheet, head: Head, times: list[int], width: int
) -> tuple[list[int], list[Remark]]:
    """Of times with no species between, as seconds and minutes, keep one."""
    kept, remarks = [times[0]], []
    for i in times[1:]:
        between = [t for t in head.titles[kept[-1] + 1 : i] if t.text and not t.is_run]
        if between or _alike(head.titles[i], head.titles[kept[-1]]):
            kept.append(i)
            continue
        pair = (kept[-1], i)
        best = max(pair, key=lambda c: (_clear(sheet, head, c), -c))
        kept[-1] = best
        other = head.titles[pair[0] + pair[1] - best].text
        remarks.append(
            Remark(
                f"Of the times {head.titles[best].text!r} is used, not {other!r}.",
                "--time",
                (sheet.name,),
            )
        )
    return kept, remarks


def _clear(sheet: Sheet, head: Head, column: int) -> int:
    """Say how clearly a column tells times: numbers with a unit, numbers, clock times."""
    cells = [_cell(cells, column) for _, cells in sheet.rows[head.body : head.body + 20]]
    numbers = sum(map(is_number, cells)) > len(cells) // 2
    return 2 * numbers + bool(units.time(head.titles[column].unit_of_time))


def _beside(
    sheet: Sheet, head: Head, times: list[int], width: int, remarks: list[Remark]
) -> tuple[list[Table], list[Remark]]:
    ends = [*times[1:], max(width, 0)]
    found = []
    for k, (start, end) in enumerate(zip(times, ends, strict=True)):
        first = 0 if k == 0 else start
        columns = [i for i in range(first, end) if head.titles[i].text]
        found.append(_block(sheet, head, columns, start))
    names = [{key(t.name) for i, t in enumerate(b.titles) if i != b.time} for b in found]
    if sum(map(len, names)) == len(set().union(*names)) and not _labels(sheet, head):
        remarks.append(
            Remark(
                f"Sheet {sheet.name!r}: each species has a time of its own beside it; they are "
                "read as one run.",
                f"{_OPTION} sheets",
            )
        )
        return [_merged(found)], remarks
    remarks.append(
        Remark(
            f"Sheet {sheet.name!r}: {len(found)} blocks beside each other, each with its time, are "
            "read as runs.",
            f"{_OPTION} sheets",
        )
    )
    return found, remarks


def _merged(blocks: list[Table]) -> Table:
    """Put species with times of their own into one run: a row for each time of each."""
    first = blocks[0]
    titles, places, rows = [first.titles[first.time]], [first.places[first.time]], []
    for block in blocks:
        others = [i for i in range(len(block.titles)) if i != block.time]
        before = len(titles)
        titles += [block.titles[i] for i in others]
        places += [block.places[i] for i in others]
        for number, cells in block.rows:
            if cells[block.time] is not None:
                values = tuple(cells[i] for i in others)
                rows.append((number, (cells[block.time], *(None,) * (before - 1), *values)))
    width = len(titles)
    by_time: dict[object, tuple[int, list]] = {}
    for number, cells in rows:
        cells = [*cells, *(None,) * (width - len(cells))]
        same = by_time.get(cells[0])
        free = same and all(
            a is None or b is None for a, b in zip(same[1][1:], cells[1:], strict=True)
        )
        if free:
            same[1][1:] = [
                b if a is None else a for a, b in zip(same[1][1:], cells[1:], strict=True)
            ]
        else:
            by_time[cells[0] if same is None else (cells[0], number)] = (number, cells)
    ordered = sorted(by_time.values(), key=lambda row: _order(row[1][0]))
    rows = tuple((number, tuple(cells)) for number, cells in ordered)
    return Table(first.file, first.name, tuple(titles), tuple(places), 0, rows, first.sheet)


def _order(cell: object) -> tuple[int, object]:
    return (0, cell) if is_number(cell) else (1, str(cell))


def _groups(sheet: Sheet, head: Head, time: int, width: int) -> list[list[int]]:
    """Find runs that share one time: names that repeat, with the runs' names above them."""
    others = [i for i in range(width) if i != time and head.titles[i].text]
    by_name: dict[str, list[int]] = {}
    for i in others:
        by_name.setdefault(key(head.titles[i].text), []).append(i)
    counts = {len(places) for places in by_name.values()}
    if len(counts) != 1 or counts == {1} or not by_name:
        return []
    groups = [sorted(group) for group in zip(*by_name.values(), strict=True)]
    return groups if len(_labels(sheet, head)) == len(groups) else []


def _block(sheet: Sheet, head: Head, columns: list[int], time: int) -> Table:
    rows = tuple(
        (number, tuple(_cell(cells, i) for i in columns))
        for number, cells in sheet.rows[head.body :]
    )
    titles = tuple(head.titles[i] if i < len(head.titles) else Title() for i in columns)
    return Table(
        sheet.file, sheet.name, titles, tuple(columns), columns.index(time), rows, sheet.name
    )


def _labels(sheet: Sheet, head: Head) -> dict[int, str]:
    """Names of runs in the row above the names of columns, by the column that they stand in."""
    if not head.at:
        return {}
    cells = sheet.rows[head.at - 1][1]
    found = {i: printable(_said(cell)) for i, cell in enumerate(cells) if cell is not None}
    return found if len(found) > 1 else {}


def _said(cell: object) -> str:
    return str(int(cell)) if is_number(cell) and cell.is_integer() else str(cell)


def _label(sheet: Sheet, head: Head, block: Table) -> str:
    """Return the name that stands above a block, "" where none does."""
    labels = _labels(sheet, head)
    columns = [place for i, place in enumerate(block.places) if i != block.time]
    low = min(columns, default=0)
    # A name may stand above the first column of its block, which is a time of its own or shared.
    own = block.places[block.time]
    low = min(low, own) if own >= low - 1 else low
    return next((name for i, name in labels.items() if low <= i <= max(columns, default=0)), "")


def _cell(cells: tuple, i: int) -> object:
    return cells[i] if i < len(cells) else None


def _padded(cells: tuple, width: int) -> tuple:
    return cells + (None,) * (width - len(cells))
