"""A file of any kind to sheets of cells; what is no such file is refused before it costs much."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import python_calamine

from kinetlib.lab.remarks import Remark, quoted
from kinetlib.lab.sheets import MAX_CELLS, MAX_COLUMNS, MAX_ROWS, Sheet, place_of
from kinetlib.lab.text import read_text

MAX_BYTES = 32 << 20
"""Largest file."""
_MAX_UNPACKED = 160 << 20  # of a workbook, which is a zip archive

_KINDS = {
    ".xlsx": "an Excel workbook",
    ".xls": "an Excel workbook of 1997 to 2003",
    ".ods": "an OpenDocument spreadsheet",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
}
_READ = "Excel (.xlsx, .xls), OpenDocument (.ods) and text (.csv, .tsv, .txt)"
_BROKEN = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# Kind and length of a cell's record, then its row and column: a number, one in short, text, empty.
_RECORD = re.compile(
    rb"(?:\x03\x02\x0e\x00|\x7e\x02\x0a\x00|\xfd\x00\x0a\x00|\x01\x02\x06\x00)(..)(.\x00)",
    re.DOTALL,
)
_CELL = re.compile(rb"<(?:\w+:)?c\b([^>]*?)(/?)>")
_ROW = re.compile(rb'<(?:\w+:)?row\b[^>]*?\br="(\d+)"')
_PLACE = re.compile(rb'\br="([A-Z]+)(\d+)"')
_ODDITY = re.compile(
    rb'<(?:\w+:)?c\b(?=[^>]*?\br="([A-Z]+\d+)")([^>]*?[^/])>'
    rb"((?:(?!</?(?:\w+:)?c\b).)*?)</(?:\w+:)?c>",
    re.DOTALL,
)
_CONTENT = re.compile(rb"<(?:\w+:)?v>(.*?)</(?:\w+:)?v>", re.DOTALL)
_REPEATED = re.compile(rb"<table:table-(?:row|cell)\b[^>]*?repeated=\"(\d+)\"[^>]*>")


def open_file(path: str | Path) -> tuple[list[Sheet], list[Remark]]:
    """Read all cells of a file that holds measurements. Nothing in it is executed.

    Parameters
    ----------
    path : str or Path
        A workbook or a text file. Formulas count with the value last stored for them; hidden
        sheets are read, too, with a remark.

    Returns
    -------
    sheets : list of Sheet
        Those that hold any value, at least one.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Where the file is missing, of another kind than its name says, broken, encrypted, too
        large, or without any value.
    """
    path = Path(path)
    if not path.is_file():
        kind = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise ValueError(f"{path}: this {kind}; give a workbook or a text file.")
    suffix = path.suffix.lower()
    if suffix not in _KINDS:
        advice = (
            " Open it in a spreadsheet program and save it as .xlsx."
            if suffix in {".xlsm", ".xlsb", ".xltx", ".numbers", ".fods", ".gsheet"}
            else ""
        )
        raise ValueError(f"{path}: files of kind {suffix!r} are not read, but {_READ}.{advice}")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise ValueError(
            f"{path}: the file has {size / 1e6:.0f} MB, expected kinetic runs in at most "
            f"{MAX_BYTES / 1e6:.0f} MB; average or thin out the measurements first."
        )
    data = path.read_bytes()
    _refuse_renamed(path, data, suffix)
    if _KINDS[suffix] == "text":
        sheets, remarks = read_text(path, data)
    else:
        sheets, remarks = _workbook(path, data)
    sheets = [sheet for sheet in sheets if sheet.rows]
    if not sheets:
        raise ValueError(f"{path}: the file holds no values; expected runs, say one a sheet.")
    for sheet in sheets:
        if sheet.texts:
            remarks.append(
                Remark(f"Sheet {sheet.name!r}: numbers stored as text are read: {sheet.texts}.")
            )
    return sheets, remarks


def _refuse_renamed(path: Path, data: bytes, suffix: str) -> None:
    """Refuse a file whose content is of another kind than its name says."""
    found = _content(data)
    if found == "encrypted":
        raise ValueError(
            f"{path}: the workbook is encrypted; open it in a spreadsheet program and save it "
            "without a password."
        )
    same = found == _KINDS[suffix]
    if found and not same:
        ending = next((end for end, kind in _KINDS.items() if kind == found), "")
        advice = f"rename it to end in {ending}" if ending else f"expected {_READ}"
        raise ValueError(f"{path}: by its name {_KINDS[suffix]}, by its content {found}; {advice}.")
    if not same and _KINDS[suffix] != "text":
        raise ValueError(
            f"{path}: not a readable workbook: its content is no {_KINDS[suffix].split(' ', 1)[1]}."
            " Open it in a spreadsheet program and save it as .xlsx."
        )


def _content(data: bytes) -> str:
    """Name the kind of content, "" where it is not told: text, or damaged."""
    if data.startswith(_OLE):
        encrypted = "EncryptedPackage".encode("utf-16-le") in data
        return "encrypted" if encrypted else _KINDS[".xls"]
    if data.startswith(b"PK\x03\x04"):
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                names = {name.lower() for name in archive.namelist()}
        except (zipfile.BadZipFile, ValueError, OSError):
            return ""
        if any(name.startswith("xl/workbook") for name in names):
            return _KINDS[".xlsx"]
        return _KINDS[".ods"] if "content.xml" in names else "a zip archive that is no workbook"
    for start, kind in {
        b"%PDF": "a PDF",
        b"\x89PNG": "a picture",
        b"\xff\xd8\xff": "a picture",
        b"\x7fELF": "a program",
        b"MZ\x90": "a program",
        b"\x89HDF": "an HDF5 file",
        b"\x1f\x8b": "a gzip archive",
    }.items():
        if data.startswith(start):
            return kind
    # A workbook in text is refused by its name; two zero bytes in a row are no text.
    return "" if b"\0\0" in data[:4096] or not data else "text"


def _workbook(path: Path, data: bytes) -> tuple[list[Sheet], list[Remark]]:
    odd: dict[str, dict[tuple[int, int], str]] = {}
    if data.startswith(b"PK"):
        odd = _checked(path, data)
    else:
        _refuse_far_in_1997(path, data)
    sheets, remarks = [], []
    try:
        with python_calamine.load_workbook(io.BytesIO(data)) as book:
            for about in book.sheets_metadata:
                if about.typ != python_calamine.SheetTypeEnum.WorkSheet:
                    remarks.append(Remark(f"Sheet {about.name!r} holds no cells: passed over."))
                    continue
                cells = book.get_sheet_by_name(about.name)
                if cells.total_height * cells.total_width > 4 * MAX_CELLS:
                    raise ValueError(_too_large(path, f"sheet {quoted(about.name)}"))
                rows = _with(cells.to_python(skip_empty_area=False), odd.get(about.name, {}))
                sheet = Sheet.of(path.name, about.name, rows, text=False)
                hidden = about.visible != python_calamine.SheetVisibleEnum.Visible
                if hidden and sheet.rows:
                    remarks.append(Remark(f"Sheet {sheet.name!r} is hidden, and read."))
                sheets.append(sheet)
    except python_calamine.PasswordError:
        raise ValueError(
            f"{path}: the workbook is encrypted; open it in a spreadsheet program and save it "
            "without a password."
        ) from None
    except ValueError:
        raise
    except BaseException as error:  # a broken file makes the reader in Rust panic
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        raise ValueError(
            f"{path}: not a readable workbook ({type(error).__name__}: {quoted(str(error))}). "
            "Open it in a spreadsheet program and save it as .xlsx, without a password."
        ) from error
    return sheets, remarks


def _with(rows: list[list], odd: dict[tuple[int, int], str]) -> Iterator[tuple[int, list[object]]]:
    """Count the rows, and put back what the reader of workbooks leaves empty."""
    for number, cells in enumerate(rows, start=1):
        yield (
            number,
            [odd.get((number, i + 1), None) if cell == "" else cell for i, cell in enumerate(cells)]
            if odd
            else cells,
        )


def _too_large(path: Path, where: str) -> str:
    return (
        f"{path}: {where} reaches beyond {MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns or "
        f"{MAX_CELLS:,} cells, or unpacks to more than {_MAX_UNPACKED >> 20} MB; expected kinetic "
        "runs. Delete what lies apart from them, or average or thin out the measurements."
    )


def _checked(path: Path, data: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Refuse a workbook that would cost too much; find error values and empty formulas.

    The reader of workbooks makes room for all cells between the first and the last, and leaves
    errors and formulas without a value empty.

    Returns
    -------
    dict
        By name of the sheet and place (row, column): what stands there.
    """
    odd: dict[str, dict[tuple[int, int], str]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > _MAX_UNPACKED or len(parts) > 10_000:
                raise ValueError(_too_large(path, "the workbook"))
            names = _sheet_names(archive)
            for part in parts:
                content = archive.read(part)  # which fails where it is larger than it says
                if part.filename.lower().startswith("xl/worksheets/"):
                    _refuse_far(path, part.filename, content)
                    odd[names.get(part.filename, part.filename)] = dict(_oddities(content))
                elif part.filename == "content.xml":
                    _refuse_repeated(path, content)
    except _BROKEN as error:
        raise ValueError(
            f"{path}: not a readable workbook ({type(error).__name__}: {quoted(str(error))}). "
            "Open it in a spreadsheet program and save it as .xlsx, without a password."
        ) from error
    return odd


def _sheet_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """Find the name of the sheet that each part of an Excel workbook holds."""
    try:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))
        links = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    except (KeyError, ElementTree.ParseError):
        return {}
    targets = {link.get("Id"): link.get("Target", "").lstrip("/") for link in links}
    found = {}
    for sheet in book.iter():
        if sheet.tag.endswith("}sheet"):
            link = next((value for name, value in sheet.items() if name.endswith("}id")), None)
            target = targets.get(link, "")
            found[target if target.startswith("xl/") else f"xl/{target}"] = sheet.get("name", "")
    return found


def _refuse_far(path: Path, part: str, content: bytes) -> None:
    """Refuse a sheet with more rows, columns or cells than kinetic runs have."""
    if content.count(b"<row") + content.count(b":row") > 12 * MAX_ROWS:
        raise ValueError(_too_large(path, part))
    last_row = max((int(match[1]) for match in _ROW.finditer(content)), default=0)
    last_column = cells = 0
    for match in _CELL.finditer(content):
        cells += 1
        place = _PLACE.search(match[1])
        if place:
            if len(place[1]) > 3 or len(place[2]) > 7:
                raise ValueError(_too_large(path, part))
            row, column = place_of(place[0][3:-1].decode())
            last_row, last_column = max(last_row, row), max(last_column, column)
        if cells > 2 * MAX_CELLS:
            break
    if last_row * max(last_column, 1) > 4 * MAX_CELLS or cells > 2 * MAX_CELLS:
        raise ValueError(_too_large(path, part))


def _refuse_far_in_1997(path: Path, data: bytes) -> None:
    """Refuse a workbook of 1997 with a cell so far away that all before it would not fit.

    Its records are not told apart here: whatever looks like the head of a cell's record counts.
    """
    last_row = last_column = 0
    for match in _RECORD.finditer(data):
        row, column = struct.unpack("<HH", match[1] + match[2])
        last_row, last_column = max(last_row, row + 1), max(last_column, column + 1)
    if last_row * last_column > 4 * MAX_CELLS:
        raise ValueError(_too_large(path, "a sheet"))


def _oddities(content: bytes) -> Iterator[tuple[tuple[int, int], str]]:
    """Find cells with an error, and formulas of which no value is stored."""
    if b't="e"' not in content and b"<f" not in content and b":f>" not in content:
        return
    for match in _ODDITY.finditer(content):
        error, body = b't="e"' in match[2], match[3]
        value = _CONTENT.search(body)
        if error and value:
            yield place_of(match[1].decode()), value[1].decode("utf-8", "replace")
        elif (not value or not value[1]) and re.search(rb"<(?:\w+:)?f\b", body):
            yield place_of(match[1].decode()), "a formula that was never calculated"


def _refuse_repeated(path: Path, content: bytes) -> None:
    """Refuse an OpenDocument sheet that repeats filled rows or cells beyond all measure."""
    for match in _REPEATED.finditer(content):
        if int(match[1]) <= MAX_COLUMNS:
            continue
        end = content.find(b"</table:table-row>", match.end())
        if b"office:value-type" in content[match.start() : max(end, match.end())]:
            raise ValueError(_too_large(path, "the sheet"))
