"""How good input becomes bad: drawn changes of bytes, of text and of cells."""

from __future__ import annotations

import datetime
import io
from typing import Any

import openpyxl
from numpy.random import Generator

_WORDS = (
    "", " ", "\t", "\n\n", ",", ";", "\x00", "nan", "inf", "-inf", "1e999", "-1", "0", "1,000,000",
    "=1+1", "=cmd|' /C calc'!A0", "<script>alert(1)</script>", "<->", "->", "k1", "k1 = k2", "((((",
    "]]]]", "{", "}", "é", "漢字", "\u202e", "A" * 5000, "S + S + S + S", "1/0", "__import__('os')",
    "../../etc/passwd", "%s%n", "!!python/object", "&a [*a, *a]", "true", "None", "12:61:99",
)  # fmt: skip
_CELLS: tuple[Any, ...] = (
    None, "", " ", "n.d.", "<0.01", "#DIV/0!", True, 0, -1.0, 1e300, 1e-300, "1,5", "1.000,5", "µM",
    "x" * 40000, "=SUM(A1:A9)", datetime.datetime(2026, 1, 1), datetime.time(1, 2, 3), "00:90", "½",
)  # fmt: skip


def changed(good: bytes, suffix: str, rng: Generator) -> bytes:
    """Return bad input made from good.

    Parameters
    ----------
    good
        Content of a file.
    suffix
        That its name ends in: workbooks are changed by cells as well, text by words.
    rng
        What draws.
    """
    if suffix == ".xlsx" and rng.random() < 0.7:
        return _cells(good, rng)
    if suffix not in (".xlsx", ".npz", ".pickle") and rng.random() < 0.7:
        return _words(good, rng)
    return _bytes(good, rng)


def _bytes(good: bytes, rng: Generator) -> bytes:
    """Flip, cut, repeat, clear or replace some bytes."""
    data = bytearray(good)
    for _ in range(rng.integers(1, 4)):
        at, to = sorted(rng.integers(0, len(data) + 1, 2))
        match rng.integers(6):
            case 0:
                for place in rng.integers(0, max(len(data), 1), 8):
                    data[place : place + 1] = bytes([rng.integers(256)])
            case 1:
                del data[at:]
            case 2:
                data[at:at] = data[at:to][: 1 << 16]
            case 3:
                data[at:to] = bytes(to - at)
            case 4:
                del data[at:to]
            case _:
                data = bytearray(rng.bytes(int(rng.integers(0, 300))))
    return bytes(data)


def _words(good: bytes, rng: Generator) -> bytes:
    """Put words where none belong, drop or repeat lines, or write it in another encoding."""
    lines = good.decode("utf-8", errors="replace").splitlines() or [""]
    for _ in range(rng.integers(1, 6)):
        at = int(rng.integers(len(lines)))
        line, word = lines[at], str(rng.choice(_WORDS))
        place = int(rng.integers(len(line) + 1))
        match rng.integers(5):
            case 0:
                lines[at] = line[:place] + word + line[place:]
            case 1:
                lines[at] = line[:place] + word + line[place + len(word) :]
            case 2:
                del lines[at]
                lines = lines or [""]
            case 3:
                lines.insert(int(rng.integers(len(lines))), line)
            case _:
                parts = line.split()
                if parts:
                    parts[rng.integers(len(parts))] = word
                lines[at] = " ".join(parts)
    encoding = str(rng.choice(["utf-8", "utf-8", "utf-8", "utf-16", "cp1252", "utf-32"]))
    return "\n".join(lines).encode(encoding, errors="replace")


def _cells(good: bytes, rng: Generator) -> bytes:
    """Put values where none belong, and drop or repeat rows, columns and sheets."""
    book = openpyxl.load_workbook(io.BytesIO(good))
    for _ in range(rng.integers(1, 8)):
        sheet = book[str(rng.choice(book.sheetnames))]
        row, column = int(rng.integers(1, 12)), int(rng.integers(1, 6))
        match rng.integers(6):
            case 0 | 1 | 2:
                sheet.cell(row, column).value = _CELLS[rng.integers(len(_CELLS))]
            case 3:
                sheet.delete_rows(row, int(rng.integers(1, 12)))
            case 4:
                sheet.delete_cols(column)
            case _:
                book.copy_worksheet(sheet)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()
