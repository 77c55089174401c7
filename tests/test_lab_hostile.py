"""Files that would cost too much, or pretend to be what they are not: one line, at once."""

import time
import tracemalloc
import zipfile

import openpyxl
import pytest

from kinetlib import lab
from kinetlib.cli import main

HEADER = ("Time / min", "Substrate", "Product", "Catalyst")
BODY = [(0, 1, 0, 0.05), (1, 0.8, 0.19, None), (2, 0.6, 0.39, None), (4, 0.3, 0.68, None)]


@pytest.fixture
def book(tmp_path):
    made = openpyxl.Workbook()
    for row in (HEADER, *BODY):
        made.active.append(row)
    made.save(tmp_path / "book.xlsx")
    return tmp_path / "book.xlsx"


def with_rows(book, rows):
    """Put rows of XML behind those of the sheet."""
    path = book.with_name("hostile.xlsx")
    with (
        zipfile.ZipFile(book) as source,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            data = source.read(name)
            if name.startswith("xl/worksheets/"):
                data = data.replace(b"</sheetData>", rows + b"</sheetData>")
            target.writestr(name, data)
    return path


@pytest.mark.parametrize(
    "rows",
    [
        b'<row r="9">' + b"<c><v>1</v></c>" * 12_000_000 + b"</row>",
        b"<row/>" * 2_000_000,
        b'<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>',
        b'<row r="9"><c r="XFD9"><v>1</v></c></row>'
        + b'<row r="9999"><c r="A9999"><v>1</v></c></row>',
        b'<row r="9"><c r="A9" t="inlineStr"><is><t>' + b"a" * 170_000_000 + b"</t></is></c></row>",
    ],
    ids=["zip bomb", "empty rows", "far row", "far column", "large cell"],
)
def test_workbooks_that_would_cost_too_much(book, rows):
    path = with_rows(book, rows)
    del rows
    tracemalloc.start()
    begun = time.monotonic()
    with pytest.raises(ValueError, match="expected kinetic runs") as error:
        lab.read(path, *HEADER[1:])
    assert time.monotonic() - begun < 5
    assert tracemalloc.get_traced_memory()[1] < 300e6
    tracemalloc.stop()
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


def test_a_zip_that_is_larger_than_it_says(book):
    path = book.with_name("liar.xlsx")
    data = bytearray(with_rows(book, b"<!--" + b" " * 1_000_000 + b"-->").read_bytes())
    with zipfile.ZipFile(book.with_name("hostile.xlsx")) as archive:
        size = archive.getinfo("xl/worksheets/sheet1.xml").file_size
    true = size.to_bytes(4, "little")
    path.write_bytes(bytes(data).replace(true, (size // 9).to_bytes(4, "little")))
    with pytest.raises(ValueError, match="not a readable workbook"):
        lab.read(path, *HEADER[1:])


def test_a_narrow_table_is_text(tmp_path):
    path = tmp_path / "narrow.csv"
    path.write_text("t,S,P,c\n" + "".join(f"{t},{9 - t},{t},1\n\n\n\n" for t in range(7)))
    assert lab.read(path, "S", "P", "c").sizes["run"] == 1


def test_a_file_of_a_hundred_megabytes(tmp_path):
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ValueError, match="has 100 MB, expected kinetic runs in at most 34 MB"):
        lab.read(path, *HEADER[1:])


@pytest.mark.parametrize(
    "body",
    ["1,0.5,0.5,\n" * 2_500_000, "1\n" * 3_000_000, ";" * 20_000_000, "," * 1000 + "\n"],
    ids=["rows", "one column", "one row", "nothing"],
)
def test_text_that_would_cost_too_much(tmp_path, body):
    path = tmp_path / "large.csv"
    path.write_text(f"{','.join(HEADER)}\n{body * (30_000 if len(body) == 1001 else 1)}")
    del body
    tracemalloc.start()
    with pytest.raises(ValueError) as error:
        lab.read(path, *HEADER[1:])
    assert tracemalloc.get_traced_memory()[1] < 400e6
    tracemalloc.stop()
    assert "\n" not in str(error.value) and len(str(error.value)) < 500


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "a.csv",
            "book",
            "by its name text, by its content an Excel workbook; rename it",
        ),
        ("a.ods", "book", "by its content an Excel workbook"),
        ("a.xlsx", b"t,A\n0,1\n", "by its name an Excel workbook, by its content text"),
        ("a.xls", b"<html><table></table></html>", "by its content text"),
        ("a.csv", b"%PDF-1.7 ...", "by its content a PDF"),
        ("a.xlsx", b"MZ\x90\0\3", "by its content a program"),
        (
            "a.xlsx",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "encrypted; .*without a password",
        ),
    ],
)
def test_files_that_are_not_what_they_are_called(book, name, content, says):
    path = book.with_name(name)
    path.write_bytes(book.read_bytes() if content == "book" else content)
    with pytest.raises(ValueError, match=says):
        lab.read(path, *HEADER[1:])


@pytest.mark.parametrize(
    "cell", ["=cmd|'/c calc'!A1", "<script>alert(1)</script>", "\x1b[31mred", "x" * 10_000]
)
def test_what_a_cell_says_is_neither_run_nor_printed_whole(tmp_path, cell):
    path = tmp_path / "a.csv"
    quoted = cell.replace('"', '""')
    path.write_text(f'{",".join(HEADER)}\n0,1,0,.05\n1,"{quoted}",.1,\n2,.5,.4,\n3,.2,.7,\n')
    with pytest.raises(ValueError, match=r"cell B3 \(Substrate\): expected a number") as error:
        lab.read(path, *HEADER[1:])
    assert "\x1b" not in str(error.value) and len(str(error.value)) < 300


def test_a_formula_without_a_value_and_an_error_are_named(book):
    made = openpyxl.load_workbook(book)
    made.active["B3"] = "=B2*0.8"
    made.save(book)
    with pytest.raises(ValueError, match="cell B3 .*formula that was never calculated'; open"):
        lab.read(book, *HEADER[1:])
    made.active["B3"] = "#DIV/0!"
    made.save(book)
    with pytest.raises(ValueError, match="cell B3 .*found '#DIV/0!'"):
        lab.read(book, *HEADER[1:])


def test_names_with_control_characters_are_printed_without(tmp_path):
    lines = ["run,t,Substrate,Product,Catalyst"]
    lines += [f"\x1b[31mred\x07,{t},{s},{p},{c or ''}" for t, s, p, c in BODY]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines))
    runs = lab.read(path, *HEADER[1:])
    assert all(name.isprintable() for name in runs["run"].values)


def test_the_command_refuses_in_one_line(book):
    from click.testing import CliRunner

    path = with_rows(book, b'<row r="2000000000"><c r="A2000000000"><v>1</v></c></row>')
    options = ("--substrate", "Substrate", "--product", "Product", "--catalyst", "Catalyst")
    answer = CliRunner().invoke(main, ["classify", str(path), *options])
    assert answer.exit_code == 2 and len(answer.stderr.splitlines()) == 1
