"""Files of measured runs as tables of cells: one table a run, every cell with its address.

Nothing here knows chemistry. A :class:`Table` keeps the row numbers and column letters of the
file, so that a complaint about a value can say where the reader finds it.
"""

from __future__ import annotations

import csv
import io
import math
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time, timedelta
from difflib import get_close_matches
from pathlib import Path

import openpyxl
from openpyxl.utils import get_column_letter

MAX_ROWS = 100_000
"""Most rows of values a run may have; more is taken for a wrong file, not for kinetics."""

RUN_COLUMN = "run"
"""Name of the column that tells the runs of one CSV file apart."""

_MISSING_TEXT = {"", "nan", "na", "n/a"}


@dataclass(frozen=True)
class Table:
    """The cells of one run.

    Attributes
    ----------
    file : str
        Name of the file, for messages.
    name : str
        Name of the run: that of the sheet, the value in the column ``run``, or the file's stem.
    header : tuple of str
        Column names without outer spaces; an unnamed column is "".
    rows : tuple of (int, tuple)
        Row number in the file (the first is 1) and cells, one for each column name; without the
        header and the rows that hold nothing.
    """

    file: str
    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple], ...]

    @property
    def label(self) -> str:
        """Where this table is, for messages."""
        return f"{self.file}, run {self.name!r}"

    def column(self, name: str, role: str) -> int:
        """Position of the column called `name`, without regard to outer spaces and case.

        Raises
        ------
        ValueError
            Where no column, or more than one, has that name.
        """
        wanted = _key(name)
        found = [i for i, title in enumerate(self.header) if title and _key(title) == wanted]
        if len(found) == 1:
            return found[0]
        present = [title for title in self.header if title]
        if found:
            raise ValueError(
                f"{self.label}: {len(found)} columns are called {name!r} ({role}); "
                "give each column a name of its own."
            )
        close = get_close_matches(wanted, [_key(title) for title in present], n=1, cutoff=0.5)
        nearest = next((title for title in present if close and _key(title) == close[0]), None)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        raise ValueError(
            f"{self.label}: no column {name!r} for the {role}; "
            f"its columns are {', '.join(map(repr, present))}.{hint}"
        )

    def numbers(self, column: int) -> list[float]:
        """All numbers of a column, NaN where a cell is empty.

        Raises
        ------
        ValueError
            Where a cell holds anything but a finite number.
        """
        return [_number(cells[column], self.address(row, column)) for row, cells in self.rows]

    def address(self, row: int, column: int) -> str:
        """Name a cell as its reader finds it: file, run, cell and column name."""
        title = f" ({self.header[column]})" if self.header[column] else ""
        return f"{self.label}, cell {get_column_letter(column + 1)}{row}{title}"


def read_tables(path: str | Path) -> list[Table]:
    """Read a workbook (.xlsx) or a CSV file as one table a run.

    Workbook: one sheet a run, the first row with values is the header; wholly empty sheets are
    passed over. Formulas count with the value last stored for them.

    CSV: comma, semicolon or tab, whichever the header has most of; with the latter two a decimal
    comma is understood. UTF-8, or else Windows-1252. A column named ``run`` tells several runs
    apart, in the order in which they first appear; without it the file is one run.

    Parameters
    ----------
    path : str or Path
        The file. Nothing in it is executed.

    Returns
    -------
    list of Table
        At least one.

    Raises
    ------
    ValueError
        Where the file is missing, of another kind, broken, or without any value.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise ValueError(f"{path}: this {kind}; give a workbook (.xlsx) or a .csv file.")
    readers = {".xlsx": _read_workbook, ".csv": _read_csv}
    suffix = path.suffix.lower()
    if suffix not in readers:
        advice = (
            " Open it in a spreadsheet program and save it as .xlsx."
            if suffix in {".xls", ".xlsm", ".xlsb", ".ods"}
            else ""
        )
        raise ValueError(
            f"{path}: files of kind {suffix!r} are not read; use .xlsx or .csv.{advice}"
        )
    tables = readers[suffix](path)
    if not tables:
        raise ValueError(f"{path}: the file holds no values; expected one run a sheet.")
    return tables


def _read_workbook(path: Path) -> list[Table]:
    try:
        # openpyxl warns of features it drops (data validation, styles); none of them are values.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                sheets = [(sheet.title, _sheet_rows(sheet)) for sheet in book.worksheets]
            finally:
                book.close()
    except Exception as error:  # a broken file makes openpyxl raise whatever its part provokes
        raise ValueError(
            f"{path}: not a readable Excel workbook ({type(error).__name__}: {error}). "
            "Open it in a spreadsheet program and save it as .xlsx, without a password."
        ) from error
    tables = []
    for name, rows in sheets:
        if rows:
            tables.append(_table(path.name, name.strip(), rows))
    return tables


def _sheet_rows(sheet) -> list[tuple[int, tuple]]:
    # Some exporters state a wrong size of the sheet, which read-only mode would believe.
    sheet.reset_dimensions()
    return _filled(enumerate(sheet.iter_rows(values_only=True), start=1))


def _read_csv(path: Path) -> list[Table]:
    text = _decode(path)
    heading = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=heading.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = _filled((reader.line_num, tuple(cells)) for cells in reader)
    except csv.Error as error:
        raise ValueError(f"{path}: not a readable CSV file ({error}).") from error
    if not rows:
        return []
    decimal = "." if delimiter == "," else ","
    header, *body = rows
    _refuse_longer(path, header[1], body)
    tables = []
    for name, run in _split_runs(path, header[1], body):
        values = [(row, _csv_cells(cells, decimal)) for row, cells in run]
        tables.append(_table(path.name, name, [header, *values]))
    return tables


def _refuse_longer(path: Path, titles: tuple, body: list[tuple[int, tuple]]) -> None:
    """Refuse rows with values beyond the last name: which value belongs where is not told."""
    for row, cells in body:
        if any(not _is_empty(cell) for cell in cells[len(titles) :]):
            raise ValueError(
                f"{path.name}, row {row}: {len(cells)} values under {len(titles)} names; name all "
                "columns, and where numbers have a decimal comma, separate columns by semicolons."
            )


def _split_runs(path: Path, titles: tuple, body: list) -> list[tuple[str, list]]:
    """Sort the rows of a CSV file by the run that they belong to."""
    keys = [_key(title) for title in titles]
    if RUN_COLUMN not in keys:
        return [(path.stem, body)]
    position = keys.index(RUN_COLUMN)
    runs: dict[str, list] = {}
    for row, cells in body:
        name = cells[position].strip() if position < len(cells) else ""
        if not name:
            raise ValueError(f"{path.name}, row {row}: the column 'run' is empty; name the run.")
        runs.setdefault(name, []).append((row, cells))
    return list(runs.items())


def _csv_cells(cells: tuple[str, ...], decimal: str) -> tuple[str | float | None, ...]:
    """Turn text into what a workbook would hold: numbers, None, and text where it is text."""
    return tuple(
        None if cell.strip().casefold() in _MISSING_TEXT else _float_or_text(cell, decimal)
        for cell in cells
    )


def _float_or_text(cell: str, decimal: str) -> str | float:
    try:
        # Python also reads "1_000", which no instrument writes.
        return cell if "_" in cell else float(cell.replace(decimal, "."))
    except ValueError:
        return cell


def _decode(path: Path) -> str:
    data = path.read_bytes()
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError(f"{path}: not a text file in UTF-8 or Windows-1252; save it as CSV (UTF-8).")


def _filled(rows: Iterable[tuple[int, tuple]]) -> list[tuple[int, tuple]]:
    """Keep the rows that hold any value, and no more than one row too many."""
    kept: list[tuple[int, tuple]] = []
    for number, cells in rows:
        if all(_is_empty(cell) for cell in cells):
            continue
        kept.append((number, tuple(cells)))
        if len(kept) > MAX_ROWS + 1:
            break
    return kept


def _table(file: str, name: str, rows: list[tuple[int, tuple]]) -> Table:
    (first, titles), *body = rows
    if len(body) > MAX_ROWS:
        raise ValueError(
            f"{file}, run {name!r}: more than {MAX_ROWS:,} rows of values; "
            "expected kinetic runs, so average or thin out the measurements first."
        )
    header = tuple("" if _is_empty(cell) else str(cell).strip() for cell in titles)
    if not any(isinstance(_float_or_text(title, "."), str) for title in header if title):
        raise ValueError(
            f"{file}, run {name!r}, row {first}: expected the names of the columns, "
            f"found {', '.join(header)}; put a row of names above the values."
        )
    width = len(header)
    return Table(
        file, name, header, tuple((row, (cells + (None,) * width)[:width]) for row, cells in body)
    )


def _number(cell, where: str) -> float:
    """Take the value of one cell as a float, NaN where it is empty."""
    if _is_empty(cell):
        return math.nan
    if isinstance(cell, (date, time, timedelta)):
        raise ValueError(
            f"{where}: expected a number, found the date or clock time {cell}; "
            "write the time since the start as a number."
        )
    if isinstance(cell, bool) or not isinstance(cell, (int, float)) or not math.isfinite(cell):
        raise ValueError(
            f"{where}: expected a number, found {cell!r}; correct the cell or leave it empty."
        )
    return float(cell)


def _is_empty(cell) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _key(name: str) -> str:
    return str(name).strip().casefold()
