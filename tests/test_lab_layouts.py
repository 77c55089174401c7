"""The same runs in every layout and every kind of file read the same, or are refused alike."""

import io
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kinetlib import lab

HEADER = ("Time / min", "Substrate", "Product", "Catalyst")
SPECIES = HEADER[1:]
XLS = Path(__file__).with_name("two-runs.xls")


@st.composite
def reactions(draw):
    """Draw runs by name: rows of (time, substrate, product, catalyst), the last one once."""
    runs = {}
    for name in draw(
        st.lists(st.sampled_from(["Standard", "b", "c c", "d"]), min_size=1, unique=True)
    ):
        n = draw(st.integers(3, 7))
        steps = draw(st.lists(st.integers(1, 60), min_size=n - 1, max_size=n - 1))
        times = np.concatenate([[0], np.cumsum(steps)]) / 4
        start = draw(st.integers(20, 200)) / 100
        left = np.sort(draw(st.lists(st.integers(0, 100), min_size=n - 1, max_size=n - 1)))[::-1]
        substrate = np.round(np.concatenate([[1], left / 100]) * start, 4)
        product = np.round(0.98 * (start - substrate), 4)
        catalyst = draw(st.integers(1, 15)) / 1000
        runs[name] = [
            (float(t), float(s), float(p), catalyst if i == 0 else None)
            for i, (t, s, p) in enumerate(zip(times, substrate, product, strict=True))
        ]
    return runs


# --- layouts: from runs to sheets, each a list of rows


def one_a_sheet(runs):
    return {name: [HEADER, *rows] for name, rows in runs.items()}


def beside(runs):
    width = len(HEADER) + 1
    longest = max(map(len, runs.values()))
    rows = [[], []]
    for name in runs:
        rows[0] += [name, *[None] * (width - 1)]
        rows[1] += [*HEADER, None]
    for i in range(longest):
        rows.append([])
        for body in runs.values():
            rows[-1] += [*body[i], None] if i < len(body) else [None] * width
    return {"Kinetics": rows}


def below(runs, *, gap=True, heads=True, names=True):
    rows = []
    for k, (name, body) in enumerate(runs.items()):
        if k and gap:
            rows.append([None])
        if names:
            rows.append([name])
        if heads or not k:
            rows.append(HEADER)
        rows += body
    return {"Kinetics": rows}


def by_column(runs):
    body = [(name, *row) for name, rows in runs.items() for row in rows]
    return {"Kinetics": [("Run", *HEADER), *body]}


def tidy(runs, heads=("run", "Time / min", "species", "value")):
    body = [
        (name, row[0], species, value)
        for name, rows in runs.items()
        for row in rows
        for species, value in zip(SPECIES, row[1:], strict=True)
        if value is not None
    ]
    return {"Kinetics": [heads, *body]}


def petab(runs):
    ((_, rows),) = tidy(runs).items()
    body = [(species, name, time, value) for name, time, species, value in rows[1:]]
    heads = ("observableId", "simulationConditionId", "time", "measurement")
    return {"Kinetics": [heads, *body]}


def titled(runs):
    units = ("min", "M", "M", "M")
    names = ("Time", *SPECIES)
    return {name: [["NMR, 298 K"], names, units, *rows] for name, rows in runs.items()}


LAYOUTS = {
    "one a sheet": one_a_sheet,
    "beside": beside,
    "below, with names": below,
    "below, with heads": lambda runs: below(runs, names=False),
    "below, with gaps": lambda runs: below(runs, names=False, heads=False),
    "below, where time falls": lambda runs: below(runs, names=False, heads=False, gap=False),
    "column": by_column,
    "tidy": tidy,
    "PEtab": petab,
    "title and units": titled,
}
NAMED = set(LAYOUTS) - {"below, with heads", "below, with gaps", "below, where time falls"}


# --- kinds of files: from sheets to a file


def xlsx(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path.with_suffix(".xlsx"))
    return path.with_suffix(".xlsx")


def ods(path, sheets):
    """Write an OpenDocument spreadsheet by hand: the least that is one."""

    def cell(value):
        if value is None:
            return "<table:table-cell/>"
        kind = f'office:value-type="float" office:value="{value}"'
        if isinstance(value, str):
            kind = 'office:value-type="string"'
        return f"<table:table-cell {kind}><text:p>{escape(str(value))}</text:p></table:table-cell>"

    tables = "".join(
        f'<table:table table:name="{escape(name)}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    urn = "urn:oasis:names:tc:opendocument:xmlns"
    spaces = " ".join(f'xmlns:{s}="{urn}:{s}:1.0"' for s in ("office", "table", "text"))
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f"{tables}</office:spreadsheet></office:body></office:document-content>"
    )
    mime = "application/vnd.oasis.opendocument.spreadsheet"
    with zipfile.ZipFile(path.with_suffix(".ods"), "w") as archive:
        archive.writestr("mimetype", mime)
        archive.writestr("content.xml", content)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{urn}:manifest:1.0">'
            f'<manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
            "</manifest:manifest>",
        )
    return path.with_suffix(".ods")


def text(path, sheets, *, suffix=".csv", separator=",", decimal=".", encoding="utf-8"):
    ((_, rows),) = sheets.items()
    out = io.StringIO()
    for row in rows:
        cells = [
            "" if c is None else str(c).replace(".", decimal) if isinstance(c, float) else c
            for c in row
        ]
        out.write(separator.join(cells).rstrip(separator) + "\r\n")
    path = path.with_suffix(suffix)
    path.write_bytes(out.getvalue().encode(encoding))
    return path


FILES = {
    "xlsx": xlsx,
    "ods": ods,
    "csv": text,
    "csv, semicolons": lambda p, s: text(p, s, separator=";", decimal=","),
    "tsv": lambda p, s: text(p, s, suffix=".tsv", separator="\t"),
    "txt, UTF-16": lambda p, s: text(
        p, s, suffix=".txt", separator="\t", decimal=",", encoding="utf-16"
    ),
}


def read(path, **options):
    return lab.read(path, *SPECIES, **options)


def assert_same(found, expected, names=True):
    if names:
        assert found["run"].values.tolist() == expected["run"].values.tolist()
    assert found["time"].attrs["units"] in ("min", "")
    for name in ("time", "substrate", "product", "loading", "substrate_0", "product_0"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12)


def or_refusal(path, standard):
    """Read runs, or return the sentence of refusal behind the place that it names."""
    try:
        return read(path, standard=standard)
    except ValueError as error:
        return str(error).split(": ", 1)[1]


@given(runs=reactions(), data=st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_same_runs_read_the_same_in_every_layout(tmp_path, runs, data):
    layout = data.draw(st.sampled_from(sorted(LAYOUTS)))
    sheets = LAYOUTS[layout](runs)
    kinds = [kind for kind in FILES if len(sheets) == 1 or kind in ("xlsx", "ods")]
    kind = data.draw(st.sampled_from(kinds))
    named = layout in NAMED and not (len(sheets) == 1 and len(runs) == 1)
    standard = next(iter(runs)) if named else None
    plain = dict(zip("abcd", runs.values(), strict=False)) if not named else runs
    expected = or_refusal(xlsx(tmp_path / "expected", one_a_sheet(plain)), standard)
    found = or_refusal(FILES[kind](tmp_path / "found", sheets), standard)
    if isinstance(expected, str):
        assert found == expected
    else:
        assert_same(found, expected, names=named)


@pytest.mark.parametrize("layout", sorted(set(LAYOUTS) - {"one a sheet", "title and units"}))
def test_discover_reads_the_same_layouts(tmp_path, layout):
    runs = {
        "x": [(0.0, 1.0, 0.0, 0.1), (1.0, 0.5, 0.5, 0.1), (2.0, 0.25, 0.75, 0.1)],
        "y": [(0.0, 0.6, 0.0, 0.2), (1.0, 0.2, 0.4, 0.2), (3.0, 0.1, 0.5, 0.2)],
    }
    expected = lab.read_species(xlsx(tmp_path / "expected", one_a_sheet(runs)))
    found = lab.read_species(xlsx(tmp_path / "found", LAYOUTS[layout](runs)))
    assert found["species"].values.tolist() == list(SPECIES)
    for name in ("time", "concentration"):
        np.testing.assert_array_equal(found[name], expected[name])


def test_a_workbook_of_1997(tmp_path):
    body = [(0.0, 1.0, 0.0, 0.05), (1.0, 0.8, 0.19, None), (2.0, 0.6, 0.39, None)]
    runs = {"Standard": [*body, (4.0, 0.3, 0.68, None)]}
    runs["half"] = [(0.0, 1.0, 0.0, 0.025), *runs["Standard"][1:]]
    assert_same(read(XLS), read(xlsx(tmp_path / "a", one_a_sheet(runs))))


def test_layouts_can_be_ruled_out(tmp_path):
    rows = [(0.0, 1.0, 0.0, 0.1), (1.0, 0.5, 0.5, None), (2.0, 0.25, 0.75, None)]
    path = xlsx(tmp_path / "a", by_column({"x": rows, "y": rows}))
    assert read(path, layout="run-column").sizes["run"] == 2
    one = read(path, layout="sheets")
    assert one.sizes["run"] == 1 and one.sizes["time"] == 6
    with pytest.raises(ValueError, match="--layout rows: expected one of sheets, side-by-side"):
        read(path, layout="rows")


def test_where_no_layout_fits_the_known_ones_are_named(tmp_path):
    rows = list(zip(HEADER, (0.0, 1.0, 0.0, 0.1), (1.0, 0.5, 0.5, 0.1), strict=True))
    with pytest.raises(
        ValueError,
        match="found 'Time / min', 0.0, 1.0; .*Layouts that are read: one "
        "run a sheet; .*tidy table.*turn the table",
    ):
        read(xlsx(tmp_path / "a", {"x": rows}))
