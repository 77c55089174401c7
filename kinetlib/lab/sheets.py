"""Sheets of cells, as they stand in a file, whatever its format."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kinetlib.lab.remarks import printable

MAX_ROWS = 100_000
"""Most rows of values a run may have; more is taken for a wrong file, not for kinetics."""

MAX_COLUMNS = 1024
MAX_CELLS = 2_000_000
"""Most columns, and cells with a value, of a sheet."""

_MISSING = {"", "nan", "na", "n/a", "-", "--", "\u2013", "\u2014"}
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Sheet:
    """A sheet of a workbook, or a text file.

    Attributes
    ----------
    file, name : str
        Name of the file, and of the sheet; that of a text file is the file's without its ending.
    rows : tuple of (int, tuple)
        Number of the row in the file (the first is 1) and its cells, ``None`` where one is empty:
        numbers as ``float``, times and dates as ``datetime`` has them, all else as text. Rows that
        hold nothing are not there.
    texts : str
        Address and content of the first number that was stored as text, "" where none was.
    """

    file: str
    name: str
    rows: tuple[tuple[int, tuple], ...]
    texts: str = ""

    @classmethod
    def of(
        cls, file: str, name: str, rows: Iterable[tuple[int, Sequence[object]]], *, text: bool
    ) -> Sheet:
        """Take cells as a reader of files gives them; numbers written as text become numbers.

        Raises
        ------
        ValueError
            Where there are more rows or cells than kinetic runs have.
        """
        kept, first, n_cells = [], "", 0
        for number, cells in rows:
            row = [value_of(cell) for cell in cells]
            while row and row[-1] is None:
                row.pop()
            if not row:
                continue
            n_cells += len(row)
            if len(kept) > MAX_ROWS or n_cells > MAX_CELLS or len(row) > MAX_COLUMNS:
                raise too_large(file, name)
            if not first and not text and kept:
                first = next(
                    (
                        f"cell {column_letter(i)}{number}, {old!r}"
                        for i, (old, new) in enumerate(zip(cells, row, strict=False))
                        if isinstance(old, str) and isinstance(new, float) and not math.isnan(new)
                    ),
                    "",
                )
            kept.append((number, tuple(row)))
        return cls(file, printable(name), tuple(kept), first)


def value_of(cell: object) -> object:
    """Return a cell as `Sheet` keeps it."""
    if cell is None or isinstance(cell, bool):
        return cell
    if isinstance(cell, (int, float)):
        return float(cell)
    if not isinstance(cell, str):
        return cell
    plain = cell.strip()
    if plain.casefold() in _MISSING:
        return None
    # Python also reads "1_000", which no instrument writes.
    if _NUMBER.fullmatch(plain):
        return float(plain.replace(",", "."))
    if plain.casefold().lstrip("+-") in ("inf", "infinity"):
        return float(plain)
    return plain


def is_number(cell: object) -> bool:
    """Tell whether a cell holds a number."""
    return isinstance(cell, float)


def is_text(cell: object) -> bool:
    """Tell whether a cell holds text."""
    return isinstance(cell, str)


def said(cell: object) -> str:
    """Write a cell as its reader sees it."""
    return str(int(cell)) if is_number(cell) and cell.is_integer() else str(cell)


def cell_of(cells: tuple, i: int) -> object:
    """Return a cell of a row, empty behind its end."""
    return cells[i] if i < len(cells) else None


def column_letter(place: int) -> str:
    """Name a column, counted from 0, as spreadsheet programs do.

    >>> column_letter(0), column_letter(25), column_letter(26), column_letter(16383)
    ('A', 'Z', 'AA', 'XFD')
    """
    name = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def place_of(address: str) -> tuple[int, int]:
    """Return row and column of a cell, both counted from 1.

    >>> place_of("A1"), place_of("XFD9")
    ((1, 1), (9, 16384))
    """
    letters = address.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - ord("A") + 1
    return int(address[len(letters) :]), column


def too_large(file: str, sheet: str) -> ValueError:
    """Say that a sheet is larger than kinetics is."""
    return ValueError(
        f"{file}, sheet {sheet!r}: more than {MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns "
        f"or {MAX_CELLS:,} cells of values; expected kinetic runs, so average or thin "
        "out the measurements first."
    )
