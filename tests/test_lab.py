"""A chemist's workbook in, checked runs out: what is read, what is refused, what is remarked."""

import datetime
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
import xarray as xr

import kinetlib
from kinetlib import lab

HEADER = ("Time / s", "Silane", "Silanol", "Catalyst")
REAL = Path(__file__).resolve().parents[1].parent / "shared" / "lab"


def rows(substrate_0=100.0, catalyst=2.0, product_0=0.0, points=6, span=100.0, rate=3.0):
    """Rows of a first-order run that leaves 5 % of the substrate, the catalyst given once.

    A thousandth of what is consumed is not found as product, as measured values have it.
    """
    time = np.linspace(0, span, points)
    left = substrate_0 * np.exp(-rate * time / span)
    return [
        (t, s, product_0 + 0.999 * (substrate_0 - s), catalyst if i == 0 else None)
        for i, (t, s) in enumerate(zip(time.tolist(), left.tolist(), strict=True))
    ]


def training_like():
    """Four runs as the released networks met them in training."""
    return {
        "Standard": rows(),
        "more": rows(catalyst=4.0),
        "most": rows(catalyst=8.0),
        "product added": rows(substrate_0=60.0, product_0=40.0),
    }


def workbook(path, sheets, header=HEADER):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, body in sheets.items():
        sheet = book.create_sheet(name)
        for row in [header, *body]:
            sheet.append(row)
    book.save(path)
    return path


def read(path, **options):
    return lab.read(path, "Silane", "Silanol", "Catalyst", **options)


def with_cell(row, column, value):
    """Standard rows with one cell replaced; row counts from 0 below the header."""
    body = [list(cells) for cells in rows()]
    body[row][column] = value
    return body


# --- what is read


def test_runs_follow_the_schema_relative_to_the_standard_run(tmp_path):
    runs = read(workbook(tmp_path / "a.xlsx", training_like()))

    assert runs["substrate"].dims == runs["product"].dims == ("sample", "run", "time")
    assert runs["time"].dims == ("sample", "run", "time")
    assert runs["loading"].dims == ("sample", "run")
    assert runs["run"].values.tolist() == ["Standard", "more", "most", "product added"]
    np.testing.assert_allclose(runs["loading"].values, [[0.02, 0.04, 0.08, 0.02]])
    np.testing.assert_allclose(runs["substrate_0"].values, [[1, 1, 1, 0.6]])
    np.testing.assert_allclose(runs["product_0"].values, [[0, 0, 0, 0.4]])
    np.testing.assert_allclose(runs["substrate"][0, 0, -1], np.exp(-3))
    np.testing.assert_allclose(runs["time"][0, 0], np.linspace(0, 100, 6))
    assert runs["time"].attrs["units"] == "s"
    assert runs.attrs["standard_substrate_0"] == 100
    assert runs.attrs["warnings"] == ""


def test_shorter_runs_end_in_nan(tmp_path):
    sheets = {"Standard": rows(points=6), "short": rows(points=4)}
    runs = read(workbook(tmp_path / "a.xlsx", sheets))
    for name in ("time", "substrate", "product"):
        assert np.isnan(runs[name].values[0, 1]).tolist() == [False] * 4 + [True] * 2


def test_names_match_without_regard_to_outer_spaces_and_case(tmp_path):
    path = workbook(
        tmp_path / "a.xlsx", training_like(), (" time/min ", "SILANE ", "silanol", "cat")
    )
    runs = lab.read(path, "silane", " Silanol", "CAT ")
    np.testing.assert_allclose(runs["loading"].values[0, 0], 0.02)
    assert runs["time"].attrs["units"] == "min"


def test_order_of_columns_does_not_matter(tmp_path):
    body = [(t, c, p, s) for t, s, p, c in rows()]
    path = workbook(tmp_path / "a.xlsx", {"x": body}, ("t", "Catalyst", "Silanol", "Silane"))
    runs = read(path)
    np.testing.assert_allclose(runs["substrate"].values[0, 0, 0], 1)
    assert runs["time"].attrs["units"] == ""


@pytest.mark.parametrize(
    ("title", "unit"),
    [
        ("Time / s", "s"),
        ("time [Minutes]", "min"),
        ("t (hours)", "h"),
        ("Time, sec", "s"),
        ("Time/d", "d"),
        ("Time", ""),
        ("Time / fortnight", "fortnight"),
    ],
)
def test_unit_of_time_comes_from_its_column_name(tmp_path, title, unit):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()}, (title, *HEADER[1:]))
    assert read(path)["time"].attrs["units"] == unit


def test_empty_rows_and_empty_sheets_are_passed_over(tmp_path):
    body = [(None,) * 4, *rows(), (None, None, None, None), ("", " ", None, None)]
    path = workbook(tmp_path / "a.xlsx", {"x": body, "y": rows()})
    book = openpyxl.load_workbook(path)
    book.create_sheet("Sheet3")
    book.save(path)
    runs = read(path)
    assert {name: runs.sizes[name] for name in ("sample", "run", "time")} == {
        "sample": 1,
        "run": 2,
        "time": 6,
    }
    assert not np.isnan(runs["substrate"].values).any()


def test_rows_without_any_concentration_are_dropped_and_half_measured_ones_kept(tmp_path):
    body = rows(points=6)
    body[2] = (body[2][0], None, None, None)
    body[3] = (body[3][0], None, body[3][2], None)
    body[4] = (body[4][0], body[4][1], None, None)
    runs = read(workbook(tmp_path / "a.xlsx", {"x": body}))
    np.testing.assert_allclose(runs["time"].values[0, 0], [0, 20, 60, 80, 100])
    assert np.isnan(runs["substrate"].values[0, 0]).tolist() == [False, False, True, False, False]
    assert np.isnan(runs["product"].values[0, 0]).tolist() == [False, False, False, True, False]


def test_only_the_first_value_of_the_catalyst_counts(tmp_path):
    body = with_cell(3, 3, "weighed in by hand")
    body[4][3] = 77.0
    runs = read(workbook(tmp_path / "a.xlsx", {"x": body}))
    np.testing.assert_allclose(runs["loading"].values, [[0.02]])


def test_small_negative_noise_is_kept_as_measured(tmp_path):
    runs = read(workbook(tmp_path / "a.xlsx", {"x": with_cell(5, 1, -2.0)}))
    np.testing.assert_allclose(runs["substrate"].values[0, 0, -1], -0.02)


def test_product_that_was_not_measured_is_not_made_up(tmp_path):
    path = workbook(tmp_path / "a.xlsx", training_like())
    runs = lab.read(path, "Silane", None, "Catalyst")
    assert np.isnan(runs["product"]).all()
    np.testing.assert_array_equal(runs["product_0"].values, np.zeros((1, 4)))
    assert "Product not measured" in runs.attrs["warnings"]


@pytest.mark.parametrize(
    ("names", "standard", "expected"),
    [
        (["a", "Standard repeat", " STANDARD"], None, "STANDARD"),
        (["a", "my standard run", "standard 2"], None, "my standard run"),
        (["a", "b"], None, "a"),
        (["Standard", "b"], " B", "b"),
    ],
)
def test_choice_of_the_standard_run(tmp_path, names, standard, expected):
    sheets = {name: rows(substrate_0=50 + i) for i, name in enumerate(names)}
    runs = read(workbook(tmp_path / "a.xlsx", sheets), standard=standard)
    assert runs.attrs["standard"] == expected
    np.testing.assert_allclose(runs["substrate_0"].sel(run=expected), 1)


def test_first_row_counts_as_the_start_whatever_its_time(tmp_path):
    body = [(t + 30, *rest) for t, *rest in rows()]
    runs = read(workbook(tmp_path / "a.xlsx", {"x": body}))
    np.testing.assert_allclose(runs["time"].values[0, 0, 0], 30)
    np.testing.assert_allclose(runs["substrate_0"].values, 1)
    assert "First row not at time 0" in runs.attrs["warnings"]


def test_wrong_sheet_size_stated_by_the_exporter_is_not_believed(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()})
    wrong = tmp_path / "wrong.xlsx"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(wrong, "w") as target:
        for item in source.namelist():
            data = source.read(item)
            if item.startswith("xl/worksheets/"):
                assert b'<dimension ref="A1:D7"' in data
                data = data.replace(b'<dimension ref="A1:D7"', b'<dimension ref="A1"')
            target.writestr(item, data)
    assert read(wrong).sizes["time"] == 6


# --- CSV


def test_csv_of_one_run(tmp_path):
    path = tmp_path / "run 7.csv"
    path.write_text("t / min,Silane,Silanol,Catalyst\n0,1,0,0.05\n1,0.5,0.5,\n\n2,.2,8e-1,\n")
    runs = read(path)
    assert runs["run"].values.tolist() == ["run 7"]
    np.testing.assert_allclose(runs["product"].values[0, 0], [0, 0.5, 0.8])


@pytest.mark.parametrize("position", [0, 2])
def test_csv_of_several_runs_in_order_of_appearance(tmp_path, position):
    lines = [["t", "Silane", "Silanol", "Catalyst"]]
    lines += [[t, s, 2 - s, c] for c in (0.2, 0.1) for t, s in ((0, 2), (1, 1), (2, 0.5))]
    for line, run in zip(lines, ["Run", *"221111"], strict=True):
        line.insert(position, run)
    lines[3][position] = "2"
    lines[4][position] = "1"
    path = tmp_path / "a.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in lines))
    runs = read(path)
    assert runs["run"].values.tolist() == ["2", "1"]
    np.testing.assert_allclose(runs["loading"].values, [[0.1, 0.05]])


def test_csv_with_semicolons_and_decimal_commas(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(
        "Zeit / s;Silane;Silanol;Catalyst;µmol\n0;1,0;0;0,05\n1;0,5;0,5;\n2;0,25;NaN;\n".encode(
            "cp1252"
        )
    )
    runs = read(path)
    np.testing.assert_allclose(runs["substrate"].values[0, 0], [1, 0.5, 0.25])
    assert np.isnan(runs["product"].values[0, 0, 2])


def test_csv_and_workbook_of_the_same_run_agree(tmp_path):
    lines = [HEADER, *rows()]
    path = tmp_path / "x.csv"
    text = "\n".join(",".join("" if v is None else str(v) for v in line) for line in lines)
    path.write_text(text, encoding="utf-8-sig")
    from_book = read(workbook(tmp_path / "a.xlsx", {"x": rows()}))
    from_text = read(path)
    xr.testing.assert_allclose(from_text, from_book, rtol=1e-12)


# --- what is refused


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (with_cell(2, 1, "n.d."), r"'x', cell B4 \(Silane\): expected a number, found 'n.d.'"),
        (with_cell(2, 1, "#DIV/0!"), r"cell B4 \(Silane\): expected a number, found '#DIV/0!'"),
        (with_cell(1, 0, datetime.time(0, 1)), r"cell A3 \(Time / s\).*clock time"),
        (with_cell(1, 1, True), r"cell B3 \(Silane\): expected a number, found True"),
        (with_cell(1, 0, None), r"cell A3 \(Time / s\): empty, expected the time"),
        (with_cell(0, 1, None), r"cell B2 \(Silane\): empty, expected the initial substrate"),
        (with_cell(4, 2, -20.0), r"'x': the product at time 80 is -0.2 times"),
        (with_cell(0, 3, 0.0), r"cell D2 \(Catalyst\): the catalyst is 0"),
        (with_cell(0, 3, -1.0), r"cell D2 \(Catalyst\): the catalyst is -1"),
        (with_cell(0, 3, "2 mM"), r"cell D2 \(Catalyst\): expected a number, found '2 mM'"),
        (with_cell(0, 3, None), r"the column 'Catalyst' is empty"),
        (with_cell(0, 1, 0.0), r"'x': the initial substrate is 0"),
        (rows(points=2), r"2 rows with a concentration, expected at least 3"),
        ([], r"0 rows with a concentration"),
    ],
)
def test_bad_values_are_named_with_their_place(tmp_path, body, says):
    path = workbook(tmp_path / "a.xlsx", {"x": body})
    with pytest.raises(ValueError, match=says) as error:
        read(path)
    assert "a.xlsx" in str(error.value)


def test_bad_value_in_csv_is_named_with_its_row(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,Silane,Silanol,Catalyst\n0,1,0,0.1\n\n1,1_0,0,\n2,1,0,\n")
    with pytest.raises(ValueError, match=r"cell B4 \(Silane\): expected a number, found '1_0'"):
        read(path)


def test_infinity_in_csv_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,Silane,Silanol,Catalyst\n0,1,0,0.1\n1,inf,0,\n2,1,0,\n")
    with pytest.raises(ValueError, match="expected a number, found inf"):
        read(path)


def test_missing_column_lists_those_present_and_the_nearest(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()})
    with pytest.raises(ValueError, match=r"no column 'Silan' .*'Silane', 'Silanol'.*mean 'Silan"):
        lab.read(path, "Silan", "Silanol", "Catalyst")
    with pytest.raises(ValueError, match="no column 'Water' for the product") as error:
        lab.read(path, "Silane", "Water", "Catalyst")
    assert "Did you mean" not in str(error.value)


def test_one_column_cannot_play_two_roles(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()})
    with pytest.raises(ValueError, match="'Silane' is given as product and is already the subst"):
        lab.read(path, "Silane", "silane", "Catalyst")
    with pytest.raises(ValueError, match="already the time"):
        lab.read(path, "Time / s", "Silanol", "Catalyst")


def test_two_columns_of_one_name_are_ambiguous(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()}, ("t", "Silane", "silane ", "Catalyst"))
    with pytest.raises(ValueError, match="2 columns are called 'Silane'"):
        read(path)


def test_columns_in_different_units_of_concentration(tmp_path):
    header = ("t", "S / mol/L", "P [M]", "Cat (mM)")
    path = workbook(tmp_path / "a.xlsx", {"x": rows()}, header)
    runs = lab.read(path, "S / mol/L", "P [M]", "Cat (mM)")
    np.testing.assert_allclose(runs["loading"], [[2e-5]])
    path = workbook(tmp_path / "b.xlsx", {"x": rows()}, ("t", "S / mol/L", "P / g/L", "Cat / M"))
    with pytest.raises(ValueError, match="'P / g/L' is in g/L.*different units"):
        lab.read(path, "S", "P", "Cat")


def test_runs_in_different_units_of_time(tmp_path):
    path = tmp_path / "a.xlsx"
    book = openpyxl.load_workbook(workbook(path, {"x": rows(), "y": rows()}))
    book["y"]["A1"] = "Time / min"
    book.save(path)
    runs = read(path)
    np.testing.assert_allclose(runs["time"][0, 1], 60 * runs["time"][0, 0])
    assert runs.attrs["warnings"].startswith("Times converted from min to s: y.")
    book["y"]["A1"] = "Time / fortnight"
    book.save(path)
    with pytest.raises(ValueError, match="'x' in s, 'y' in fortnight"):
        read(path)


def test_header_of_numbers_is_no_header(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows()}, (0, 1, 2, 3))
    with pytest.raises(ValueError, match="expected the names of the columns"):
        read(path)


def test_unknown_standard_run(tmp_path):
    path = workbook(tmp_path / "a.xlsx", {"x": rows(), "y": rows()})
    with pytest.raises(ValueError, match="no run is called 'z'.*'x', 'y'"):
        read(path, standard="z")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.xls", b"", "its content is no Excel workbook of 1997"),
        ("a.ods", b"", "its content is no OpenDocument spreadsheet"),
        ("a.xlsm", b"", "save it as .xlsx"),
        ("a.pkl", b"", "files of kind '.pkl' are not read"),
        ("a", b"", "files of kind '' are not read"),
        ("a.xlsx", b"", "not a readable workbook"),
        ("a.xlsx", b"no zip at all", "by its name an Excel workbook, by its content text"),
        ("a.csv", b"", "the file holds no values"),
        ("a.csv", b"\n , \n", "the file holds no values"),
        ("a.csv", b"t,\x81Silane\n", "not a text file in UTF-8"),
        ("a.csv", b"run,t,Silane,Silanol,Catalyst\n,0,1,0,1\n", "row 2: the column 'run' is empty"),
    ],
)
def test_wrong_files(tmp_path, name, content, says):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=says):
        read(path)


def test_zip_that_is_no_workbook(tmp_path):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(ValueError, match="by its content a zip archive that is no workbook"):
        read(path)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        read(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match="is a folder"):
        read(tmp_path)


def test_file_too_long_for_kinetics(tmp_path, monkeypatch):
    monkeypatch.setattr("kinetlib.lab.sheets.MAX_ROWS", 5)
    with pytest.raises(ValueError, match="more than 5 rows"):
        read(workbook(tmp_path / "a.xlsx", {"x": rows(points=6)}))
    assert read(workbook(tmp_path / "a.xlsx", {"x": rows(points=5)})).sizes["time"] == 5


# --- what is remarked


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        ("most", rows(catalyst=40.0), "loading outside of the 0.001 to 0.2 trained on: most (0.4)"),
        ("most", rows(rate=0.3), "Stopped below 30% conversion, where mechanisms look alike: most"),
        ("most", rows(product_0=150.0), "Initial product outside of the 0 to 1"),
        ("most", rows(substrate_0=20.0, product_0=80.0), "Initial substrate outside of the 0.25"),
    ],
)
def test_departures_from_training_are_remarked(tmp_path, name, body, says):
    runs = read(workbook(tmp_path / "a.xlsx", training_like() | {name: body}))
    (remark,) = [line for line in runs.attrs["warnings"].splitlines() if "repeat" not in line]
    assert says in remark
    assert "Standard" not in remark


def test_a_product_that_was_calculated_is_remarked(tmp_path):
    sheets = {
        name: [(t, s, body[0][1] - s, c) for t, s, _, c in body]
        for name, body in {"Standard": rows(), "more": rows(catalyst=4.0)}.items()
    }
    runs = read(workbook(tmp_path / "a.xlsx", sheets))
    assert "it was calculated, not measured" in runs.attrs["warnings"]
    # One run that was measured is enough to need both.
    sheets["more"] = rows(catalyst=4.0)
    assert read(workbook(tmp_path / "b.xlsx", sheets)).attrs["warnings"] == ""


def test_runs_that_differ_in_another_species_are_kept_told_apart_and_named(tmp_path):
    water = dict(zip(training_like(), (300.0, 150.0, 301.0, 300.0), strict=True))
    sheets = {
        name: [(*row, water[name], "a note") for row in body]
        for name, body in training_like().items()
    }
    path = workbook(tmp_path / "a.xlsx", sheets, (*HEADER, "H2O", "Remarks"))
    runs = read(path)
    assert runs["run"].values.tolist() == list(sheets)
    assert runs["comparable"].values.tolist() == [[True, False, True, True]]
    np.testing.assert_allclose(
        runs["observed"].sel(column="H2O")[0, :, 0], np.array(list(water.values())) / 100
    )
    ignored, remark = runs.attrs["warnings"].splitlines()
    assert ignored.startswith("Column 'Remarks' is ignored: it holds no numbers")
    assert "since H2O" in remark and remark.endswith("standard run: more. [--ignore 'H2O']")


# --- real workbooks, kept beside the project where they are at hand


WHOLE = {
    "alkyne-dimerisation": ("Alkyne", None, "Catalyst"),
    "bromoesterification": ("Alkene", "Product", "Catalyst"),
    "cyclopropanation": ("Diazo compound", None, "Catalyst"),
    "cyclopropanation-dmc": ("Diazo compound", None, "Catalyst"),
    "defluorination": ("ArCF3", "Product", None),
    "diels-alder": ("Dieneophile", "Product", "Catalyst"),
    "halogenation": ("Xylene", "Product", "TripSMe"),
    "hydroalkenylation": ("Enyne", None, "Cobalt catalyst"),
    "hydroboration": ("HBPin", "Product", "Catalyst"),
    "ppm-loadings": (None, "Product", "Cat"),
    "silane-oxidation": ("Silane", "Silanol", "Catalyst"),
    "simulated-catalyst-order": ("B", "P", "Catalyst"),
    "simulated-figure3": ("B", "P", "Catalyst"),
    "simulated-figure5b": ("B", "P", "cat"),
    "simulated-two-reactants": ("A", "P", "Catalyst"),
    "solvent-DMSO": ("1", "3", None),
    "solvent-EtOH": ("1", "3", None),
    "solvent-IPA": ("1", "3", None),
    "solvent-THF": ("1", "3", None),
    "sulfonylation": ("Sulfinate", "Product", "TDG"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_published_workbooks_are_read_whole(name):
    path = REAL / f"{name}.xlsx"
    if not path.exists():
        pytest.skip("the laboratory's workbooks are not at hand")
    sheets = openpyxl.load_workbook(path, read_only=True).sheetnames
    options = {"substrate_0": 100} if name == "ppm-loadings" else {}
    found = lab.read(path, *WHOLE[name], **options)
    assert found["run"].values.tolist() == sheets
    apart = found["run"].values[~found["comparable"].values[0]]
    if WHOLE[name][2] is not None:
        assert all(str(run) in found.attrs["remarks"] for run in apart)
    else:
        assert (found["loading"] == 0).all() and not found["comparable"].any()
    assert lab.read_species(path)["run"].values.tolist() == sheets


@pytest.mark.parametrize(
    ("name", "columns", "runs"),
    [
        ("silane-oxidation", ("Silane", "Silanol", "Catalyst"), 8),
        ("hydroboration", ("HBPin", "Product", "Catalyst"), 4),
        ("cyclopropanation", ("Diazo compound", None, "Catalyst"), 7),
    ],
)
def test_real_workbooks(name, columns, runs):
    path = REAL / f"{name}.xlsx"
    if not path.exists():
        pytest.skip("the laboratory's workbooks are not at hand")
    found = lab.read(path, *columns)
    assert found.sizes["run"] == runs
    assert found["time"].attrs["units"] == "s"
    assert found.attrs["standard"] == "Standard"
    np.testing.assert_allclose(found["substrate_0"].sel(run="Standard"), 1)
    assert bool((found["loading"] > 0).all())
    assert np.isnan(found["substrate"]).equals(np.isnan(found["time"]))
    assert kinetlib.classify(found).sum() == pytest.approx(1)
