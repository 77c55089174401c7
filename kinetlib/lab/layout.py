"""Where the runs stand in a sheet: below or beside each other, told apart by a column, or tidy."""

from __future__ import annotations

from kinetlib.lab import units
from kinetlib.lab.heads import KNOWN, Head, above, find_head, labels, no_table, remarks_on
from kinetlib.lab.long import unfold
from kinetlib.lab.remarks import Remark, listed
from kinetlib.lab.sheets import Sheet, cell_of, is_number
from kinetlib.lab.stacks import split
from kinetlib.lab.tables import Table
from kinetlib.lab.titles import Title, key

LAYOUTS = ("sheets", "side-by-side", "stacked", "run-column", "tidy")
"""Layouts that are understood."""

__all__ = ["KNOWN", "LAYOUTS", "tables_of"]

_OPTION = "--layout"


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
    head = find_head(sheet, header, time)
    if head is None:
        return [], [no_table(sheet)]
    remarks = remarks_on(sheet, head)
    long = (
        unfold(sheet, head.titles, sheet.rows[head.body :], time) if _may(layout, "tidy") else None
    )
    if long is not None:
        return long[0], remarks + long[1]
    blocks, told = _blocks(sheet, head, _may(layout, "side-by-side"), time)
    remarks += told
    found: list[Table] = []
    for block in blocks:
        label = ""
        if len(blocks) > 1:
            label = _label(sheet, head, block) or f"{sheet.name} {blocks.index(block) + 1}"
        title = above(sheet, head) if len(blocks) == 1 else ""
        by_column, by_place = _may(layout, "run-column"), _may(layout, "stacked")
        runs, told = split(block, label, title, by_column, by_place)
        found += runs
        remarks += told
    return found, remarks


def _may(layout: str | None, one: str) -> bool:
    return layout in (None, one)


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
        names = labels(sheet, head)
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
    cells = [cell_of(cells, column) for _, cells in sheet.rows[head.body : head.body + 20]]
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
    if sum(map(len, names)) == len(set().union(*names)) and not labels(sheet, head):
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
    return groups if len(labels(sheet, head)) == len(groups) else []


def _block(sheet: Sheet, head: Head, columns: list[int], time: int) -> Table:
    rows = tuple(
        (number, tuple(cell_of(cells, i) for i in columns))
        for number, cells in sheet.rows[head.body :]
    )
    titles = tuple(head.titles[i] if i < len(head.titles) else Title() for i in columns)
    return Table(
        sheet.file, sheet.name, titles, tuple(columns), columns.index(time), rows, sheet.name
    )


def _label(sheet: Sheet, head: Head, block: Table) -> str:
    """Return the name that stands above a block, "" where none does."""
    names = labels(sheet, head)
    columns = [place for i, place in enumerate(block.places) if i != block.time]
    low = min(columns, default=0)
    # A name may stand above the first column of its block, which is a time of its own or shared.
    own = block.places[block.time]
    low = min(low, own) if own >= low - 1 else low
    return next((name for i, name in names.items() if low <= i <= max(columns, default=0)), "")
