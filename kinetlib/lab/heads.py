"""The row of names of a sheet: where it stands, with its units, and what stands above it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kinetlib.lab import units
from kinetlib.lab.remarks import Remark, listed, printable, quoted
from kinetlib.lab.sheets import Sheet, cell_of, is_number, is_text, said
from kinetlib.lab.tables import Rows
from kinetlib.lab.titles import Title

KNOWN = (
    "one run a sheet; runs beside each other, each with its own time; runs below each other; a "
    "column 'run'; or a tidy table (run, time, species, value)"
)
_LOOKED_AT = 40  # rows in which the names of the columns are looked for


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


def find_head(sheet: Sheet, header: int | None, time: str | None) -> Head | None:
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
            and any(_value(cell_of(row, i)) for row in below)
            for i in filled
        )
    above = [i for i in filled if is_text(cells[i])]
    over = [i for i in above if any(is_number(cell_of(row, i)) for row in below[:2])]
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


def remarks_on(sheet: Sheet, head: Head) -> list[Remark]:
    """Say what was passed over above the names, and that there are units below."""
    remarks = []
    names = [title.text for title in head.titles if title.text]
    repeated = len(set(names)) < len(names)
    if head.at and not (repeated and labels(sheet, head)):
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


def no_table(sheet: Sheet) -> Remark:
    """Say that a sheet holds no numbers."""
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


def labels(sheet: Sheet, head: Head) -> dict[int, str]:
    """Names of runs in the row above the names of columns, by the column that they stand in."""
    if not head.at:
        return {}
    cells = sheet.rows[head.at - 1][1]
    found = {i: printable(said(cell)) for i, cell in enumerate(cells) if cell is not None}
    return found if len(found) > 1 else {}


def above(sheet: Sheet, head: Head) -> str:
    """Return the one text above the names of columns, "" where there is none or more."""
    if not head.at:
        return ""
    found = [cell for cell in sheet.rows[head.at - 1][1] if cell is not None]
    return printable(said(found[0])) if len(found) == 1 else ""


def _padded(cells: tuple, width: int) -> tuple:
    return cells + (None,) * (width - len(cells))
