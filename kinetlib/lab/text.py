"""Text files of values: the encoding, what separates columns, and the decimal sign."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from kinetlib.lab.remarks import Remark
from kinetlib.lab.sheets import MAX_CELLS, MAX_ROWS, Sheet, too_large

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SEPARATORS = "\t;,"
_LOOKED_AT = 200  # lines that tell the separator and the decimal sign
_WIDEST = 1_000_000  # characters of a line
_MOST_READ = 4 * MAX_CELLS  # cells, those without a value counted
_AGREEING = 0.8
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_WITH_POINT = re.compile(r"[+-]?\d*\.\d+([eE][+-]?\d+)?")


def read_text(path: Path, data: bytes) -> tuple[list[Sheet], list[Remark]]:
    """Read a text file as one sheet.

    UTF-8, UTF-16 or else Windows-1252; columns separated by tabs, semicolons, commas or spaces;
    numbers with a decimal point, or, where commas do not separate columns, a decimal comma.

    Parameters
    ----------
    path : Path
        For its name.
    data : bytes
        What it holds.

    Raises
    ------
    ValueError
        Where this is no text, quotes do not close, or both decimal signs occur.
    """
    text = _decoded(path, data)
    remarks = []
    lines = [line.rstrip("\n") for line in islice(_lines(text), _LOOKED_AT) if line.strip()]
    if max(map(len, lines), default=0) > _WIDEST:
        raise too_large(path.name, path.stem)
    if lines and re.fullmatch(r"sep=.", lines[0].strip()):
        separator = lines[0].strip()[-1]
        text = text.replace(lines[0], "", 1)
    else:
        separator = _separator(lines)
    comma = separator != "," and _decimal_comma(path, lines, separator)
    if comma:
        remarks.append(Remark("Commas in numbers are decimal commas."))
    try:
        rows = list(_bounded(path, _rows(text, separator)))
    except csv.Error as error:
        raise ValueError(f"{path}: not a readable text file ({error}).") from error
    if separator == ",":
        rows = [(number, [_no_comma(cell) for cell in cells]) for number, cells in rows]
    _refuse_longer(path, rows)
    return [Sheet.of(path.name, path.stem, rows, text=True)], remarks


def _decoded(path: Path, data: bytes) -> str:
    encodings = [encoding for mark, encoding in _MARKS if data.startswith(mark)]
    if not encodings:
        # Every other byte of ASCII in UTF-16 is zero, and tells which comes first.
        half = len(data) // 2
        if half > 1 and data[1::2].count(0) > 0.8 * half:
            encodings = ["utf-16-le"]
        elif half > 1 and data[::2].count(0) > 0.8 * half:
            encodings = ["utf-16-be"]
    for encoding in encodings or ("utf-8", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if (
            "\0" not in text
            and sum(not c.isprintable() for c in text[:4000] if not c.isspace()) < 1200
        ):
            return text
    raise ValueError(
        f"{path}: not a text file in UTF-8, UTF-16 or Windows-1252; save it as CSV (UTF-8), or "
        "give the workbook itself."
    )


def _separator(lines: list[str]) -> str:
    """Find what most lines hold of tabs, semicolons, commas, in this order; else spaces."""
    n_lines = {sign: sum(sign in line for line in lines) for sign in _SEPARATORS}
    for sign in _SEPARATORS:
        if n_lines[sign] >= _AGREEING * len(lines) > 0:
            return sign
    most = max(_SEPARATORS, key=n_lines.__getitem__)
    return most if n_lines[most] > 1 else " "


def _lines(text: str) -> Iterator[str]:
    """Yield lines one by one: a large file may hold nothing else."""
    return iter(io.StringIO(text, newline=None))


def _bounded(path: Path, rows: Iterator[tuple[int, list[str]]]) -> Iterator[tuple[int, list[str]]]:
    """Pass rows with values on, and refuse what no sheet may hold before it takes memory."""
    n_rows = n_cells = 0
    for number, cells in rows:
        n_cells += len(cells)
        filled = any(map(str.strip, cells))
        n_rows += filled
        if n_rows > MAX_ROWS + 1 or n_cells > _MOST_READ:
            raise too_large(path.name, path.stem)
        if filled:
            yield number, cells


def _rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    if separator == " ":
        for number, line in enumerate(_lines(text), start=1):
            yield number, line.split()
        return
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    for cells in reader:
        yield reader.line_num, cells


def _decimal_comma(path: Path, lines: list[str], separator: str) -> bool:
    cells = [
        cell.strip()
        for line in lines
        for cell in (line.split() if separator == " " else line.split(separator))
    ]
    comma = next((cell for cell in cells if _WITH_COMMA.fullmatch(cell)), None)
    point = next((cell for cell in cells if _WITH_POINT.fullmatch(cell)), None)
    if comma and point:
        raise ValueError(
            f"{path.name}: numbers with a comma ({comma}) and with a point ({point}); write all "
            "with one decimal sign, and none between thousands."
        )
    return comma is not None


def _no_comma(cell: str) -> str:
    """Keep a quoted number with a comma apart from one with a point: it may be thousands."""
    return f"'{cell}'" if _WITH_COMMA.fullmatch(cell.strip()) else cell


def _refuse_longer(path: Path, rows: list[tuple[int, list[str]]]) -> None:
    """Refuse rows with values beyond the last name: which value belongs where is not told."""
    width = 0
    for number, cells in rows:
        filled = len([cell for cell in cells if cell.strip()]) and max(
            i + 1 for i, cell in enumerate(cells) if cell.strip()
        )
        if filled > width and width > 1 and all(_is_value(cell) for cell in cells if cell.strip()):
            raise ValueError(
                f"{path.name}, row {number}: {filled} values under {width} names; name all "
                "columns, and where numbers have a decimal comma, separate columns by semicolons."
            )
        width = max(width, len(cells))


def _is_value(cell: str) -> bool:
    plain = cell.strip()
    return bool(_WITH_COMMA.fullmatch(plain) or _WITH_POINT.fullmatch(plain)) or plain.isdigit()
