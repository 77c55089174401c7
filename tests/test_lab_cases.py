"""Files as chemists have them, rebuilt from public reports: what is read, and what is said."""

import datetime
import re
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner

import kinetlib
from kinetlib import lab
from kinetlib.cli import main

HEADER = ("Time / min", "Substrate", "Product", "Catalyst")
COLUMNS = HEADER[1:]
TIMES = (0.0, 1.0, 2.0, 4.0, 8.0, 12.0)
LOADINGS = {"Standard": 0.05, "cat half": 0.025, "cat double": 0.1}


def rows(start=1.0, catalyst=0.05, rate=4.0, times=TIMES):
    """First order in substrate and catalyst; a hundredth of what is consumed is not found."""
    left = start * np.exp(-rate * catalyst * np.array(times))
    return [
        [t, float(s), float(0.99 * (start - s)), catalyst] for t, s in zip(times, left, strict=True)
    ]


def series():
    return {name: rows(catalyst=loading) for name, loading in LOADINGS.items()}


def workbook(path, sheets, header=HEADER):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, body in sheets.items():
        sheet = book.create_sheet(name)
        for row in [header, *body] if header else body:
            sheet.append(row)
    book.save(path)
    return path


def read(path, **options):
    return lab.read(path, *COLUMNS, **options)


def remarks(runs):
    return runs.attrs["remarks"].splitlines()


@pytest.fixture
def plain(tmp_path):
    return read(workbook(tmp_path / "plain.xlsx", series()))


def assert_same(found, expected):
    for name in ("time", "substrate", "product", "loading", "substrate_0", "product_0"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


# --- product only, conversion, loadings that stand elsewhere


@pytest.fixture
def percent(tmp_path):
    """Product in percent alone; catalyst in M, and in the names of the sheets in ppm."""
    sheets = {
        f"{round(1e6 * c)}ppm": [
            [t, 100 * p, 0.01 * c] for t, _, p, _ in rows(catalyst=c, rate=900)
        ]
        for c in (2e-4, 4e-4, 1e-3)
    }
    return workbook(tmp_path / "ppm.xlsx", sheets, ("Time / min", "Product", "Cat"))


def test_product_alone_with_the_start_stated(percent):
    runs = lab.read(percent, None, "Product", "Cat", substrate_0=100)
    assert np.isnan(runs["substrate"]).all()
    np.testing.assert_allclose(runs["substrate_0"], [[1, 1, 1]])
    np.testing.assert_allclose(runs["loading"], [[2e-4, 4e-4, 1e-3]])
    np.testing.assert_allclose(
        runs["product"][0, 2], [p for _, _, p, _ in rows(catalyst=1e-3, rate=900)]
    )
    assert any("'Cat' is 0.0001 times the loadings in the names" in line for line in remarks(runs))
    named = lab.read(percent, "Substrate", "Product", "Cat", substrate_0="100 %")
    assert_same(named, runs)


def test_product_alone_without_a_start_is_told_how(percent):
    with pytest.raises(ValueError, match="no column 'Substrate'.*state its start by --substrate-0"):
        lab.read(percent, "Substrate", "Product", "Cat")
    with pytest.raises(ValueError, match="initial substrate is 0; .*give it by --product"):
        lab.read(percent, "Product", None, "Cat")
    with pytest.raises(ValueError, match="times what there was at the start.*--substrate-0 100"):
        lab.read(percent, None, "Product", "Cat", substrate_0=0.2)


def test_loadings_in_the_names_of_sheets(tmp_path, plain):
    body = {
        f"cat {100 * c:g} mol%": [row[:3] for row in rows(catalyst=c)] for c in LOADINGS.values()
    }
    path = workbook(tmp_path / "a.xlsx", body, HEADER[:3])
    assert_same(read(path), plain)
    assert_same(
        lab.read(
            path, *COLUMNS[:2], loading=[f"cat {100 * c:g} mol%={c}" for c in LOADINGS.values()]
        ),
        plain,
    )
    body["Standard"] = body.pop("cat 5 mol%")
    with pytest.raises(ValueError, match="'Standard': no column 'Catalyst'.*--loading 'Standard=5"):
        read(workbook(tmp_path / "b.xlsx", body, HEADER[:3]))
    runs = read(tmp_path / "b.xlsx", loading="Standard=5 mol%")
    np.testing.assert_allclose(sorted(runs["loading"].values[0]), sorted(LOADINGS.values()))


def test_a_loading_that_only_other_runs_tell_is_unknown_not_none(tmp_path):
    body = {"Standard": rows(), "cat 10 mol%": rows(catalyst=0.1)}
    path = workbook(
        tmp_path / "a.xlsx", {k: [r[:3] for r in run] for k, run in body.items()}, HEADER[:3]
    )
    runs = lab.read(path, *COLUMNS[:2])
    np.testing.assert_array_equal(runs["loading"], [[np.nan, 0.1]])
    assert runs["comparable"].values.tolist() == [[False, True]]
    assert "Loading not told" in runs.attrs["remarks"]


def test_conversion_in_percent(tmp_path, plain):
    body = {
        name: [[t, 100 * (1 - s), 100 * p, 100 * c] for t, s, p, c in run]
        for name, run in series().items()
    }
    header = ("t [min]", "Conversion [%]", "Yield [%]", "Cat loading [mol%]")
    path = workbook(tmp_path / "a.xlsx", body, header)
    runs = lab.read(path, *header[1:])
    assert_same(runs, plain)
    assert "'Conversion [%]' rises, and is read as conversion" in remarks(runs)[0]
    assert "does not tell what a run starts with; all are taken to start alike" in remarks(runs)[1]
    stated = lab.read(path, *header[1:], substrate_0=("cat half=60", "100"))
    assert stated["substrate_0"].sel(run="cat half").item() == pytest.approx(0.6)
    assert not any("start alike" in line for line in remarks(stated))
    assert_same(lab.read(path, None, "Yield", "Cat loading", conversion="Conversion"), plain)


# --- times


def test_clock_times_in_cells_and_in_text(tmp_path, plain):
    clock = [datetime.timedelta(minutes=t) for t in TIMES]
    body = {
        name: [
            [(datetime.datetime.min + t).time(), *row[1:]]
            for t, row in zip(clock, run, strict=True)
        ]
        for name, run in series().items()
    }
    found = read(workbook(tmp_path / "a.xlsx", body, ("Time (hh:mm:ss)", *COLUMNS)))
    assert_same(found, plain)
    assert found["time"].attrs["units"] == "min"
    lines = ["run,Time (h:mm:ss),Substrate,Product,Catalyst"]
    lines += [
        f"{name},{t},{','.join(map(str, row[1:]))}"
        for name, run in series().items()
        for t, row in zip(clock, run, strict=True)
    ]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    assert_same(read(tmp_path / "a.csv"), plain)


DATES = (("12", "10:00"), ("12", "10:30"), ("13", "10:00"), ("13", "11:00"))


@pytest.mark.parametrize(
    ("times", "minutes"),
    [
        (("0:00", "1:30", "12:00", "45:00"), (0, 1.5, 12, 45)),
        (("0:00", "0:30", "1:00", "2:00"), (0, 30, 60, 120)),
        (("23:50:00", "23:55:00", "00:00:00", "00:10:00"), (0, 5, 10, 20)),
        (("9:50 AM", "11:50 AM", "12:50 PM", "1:50 PM"), (0, 120, 180, 240)),
        (
            ("2024-03-12T10:00", "2024-03-12T10:30", "2024-03-12T11:00", "2024-03-13T10:00"),
            (0, 30, 60, 1440),
        ),
        (
            ("12.03.2024 10:00", "12.03.2024 10:30", "13.03.2024 10:00", "13.03.2024 11:00"),
            (0, 30, 1440, 1500),
        ),
        (
            ("03/12/2024 10:00", "03/12/2024 10:30", "03/13/2024 10:00", "03/13/2024 11:00"),
            (0, 30, 1440, 1500),
        ),
        (("0 min", "30 min", "1 h", "1.5 h"), (0, 30, 60, 90)),
    ],
)
def test_ways_to_write_times(tmp_path, times, minutes):
    body = [f"{t};{row[1]};{row[2]};0.05" for t, row in zip(times, rows(), strict=False)]
    (tmp_path / "a.csv").write_text("\n".join(["Time;Substrate;Product;Catalyst", *body]))
    runs = read(tmp_path / "a.csv")
    np.testing.assert_allclose(runs["time"][0, 0], minutes)
    assert runs["time"].attrs["units"] == "min"
    assert remarks(runs)


def test_the_reading_of_short_times_can_be_stated(tmp_path):
    body = [
        f"{t},{row[1]},{row[2]},0.05"
        for t, row in zip(("0:00", "0:30", "1:00", "2:00"), rows(), strict=False)
    ]
    (tmp_path / "a.csv").write_text("\n".join(["Time,Substrate,Product,Catalyst", *body]))
    runs = read(tmp_path / "a.csv", units={"Time": "m:ss"})
    np.testing.assert_allclose(runs["time"][0, 0], (0, 0.5, 1, 2))


def test_what_is_no_time_is_refused_with_its_cell(tmp_path):
    body = {"x": [["start", *rows()[0][1:]], ["0:10", *rows()[1][1:]], ["0:20", *rows()[2][1:]]]}
    with pytest.raises(ValueError, match=r"cell A2 \(Time\): expected a time, found 'start'"):
        read(workbook(tmp_path / "a.xlsx", body, ("Time", *COLUMNS)))


def test_rows_before_the_start_are_left_out(tmp_path, plain):
    before = [[float(t), 1.01, 0.002, c] for t, c in ((-3, 0.05), (-1, 0.05))]
    body = {
        name: [[r[0], r[1], r[2], c[3]] for r, c in zip(before, run, strict=False)] + run
        for name, run in series().items()
    }
    runs = read(workbook(tmp_path / "a.xlsx", body))
    assert_same(runs, plain)
    assert (
        "Rows before the start of the reaction, t = 0, are left out: Standard (2)"
        in remarks(runs)[0]
    )
    later = read(tmp_path / "a.xlsx", start=-3)
    assert later.sizes["time"] == len(TIMES) + 2 and float(later["time"].min()) == 0
    species = lab.read_species(tmp_path / "a.xlsx")
    assert float(species["time"].min()) == 0 and "t = 0" in species.attrs["remarks"]


def test_rows_out_of_order_are_sorted_and_replicates_kept(tmp_path, plain):
    body = {name: [run[i] for i in (0, 1, 3, 2, 4, 5)] for name, run in series().items()}
    runs = read(workbook(tmp_path / "a.xlsx", body))
    assert_same(runs, plain)
    assert "out of the order of time were sorted" in remarks(runs)[0]
    thrice = {name: [row for row in run for _ in range(3)] for name, run in series().items()}
    runs = read(workbook(tmp_path / "b.xlsx", thrice))
    np.testing.assert_array_equal(runs["time"][0, 0], np.repeat(TIMES, 3))
    np.testing.assert_allclose(kinetlib.classify(runs), kinetlib.classify(plain), atol=0.1)


# --- units


def test_units_are_used_wherever_they_stand(tmp_path, plain):
    body = {
        name: [["min", "M", "M", "mM"], *[[*r[:3], 1000 * r[3]] for r in run]]
        for name, run in series().items()
    }
    runs = read(workbook(tmp_path / "a.xlsx", body, ("Time", *COLUMNS)))
    assert_same(runs, plain)
    assert runs.attrs["concentration_unit"] == "M" and "Row 2 holds units" in remarks(runs)[0]
    bare = {name: [[*r[:3], 1000 * r[3]] for r in run] for name, run in series().items()}
    path = workbook(
        tmp_path / "b.xlsx", bare, ("Time, min", "Substrate, M", "Product, M", "Catalyst, mM")
    )
    assert_same(read(path), plain)
    path = workbook(tmp_path / "c.xlsx", bare, HEADER)
    with pytest.raises(
        ValueError, match=r"exceeds the substrate in Standard \(50 times\).*--unit 'Catalyst=mM'"
    ):
        read(path)
    with pytest.raises(ValueError, match="--unit Catalyst=furlong: no unit"):
        read(path, units={"Catalyst": "furlong"})
    assert_same(read(path, units={"Catalyst": "mM", "Substrate": "M"}), plain)


# --- columns of no species


def test_an_internal_standard_and_a_number_of_samples_take_no_part(tmp_path, plain):
    body = {
        name: [[*row, 40 - 3 * k, 100 * k + i] for i, row in enumerate(run)]
        for k, (name, run) in enumerate(series().items())
    }
    path = workbook(tmp_path / "a.xlsx", body, (*HEADER, "Internal Std.", "Sample no."))
    runs = read(path)
    assert_same(runs, plain)
    assert runs["comparable"].all() and runs.sizes["column"] == 0
    first, second = remarks(runs)[:2]
    assert "--internal-standard 'Internal Std.'" in first and "'Sample no.' is ignored" in second
    assert read(path, observe=["Internal Std."])["column"].values.tolist() == ["Internal Std."]
    drifting = {
        name: [
            [t, s * f, p * f, c, 40 * f]
            for f, (t, s, p, c) in zip((1, 0.9, 1.1, 1, 0.8, 1.2), run, strict=True)
        ]
        for name, run in series().items()
    }
    path = workbook(tmp_path / "b.xlsx", drifting, (*HEADER, "IS"))
    related = read(path, internal_standard="IS")
    ratio = related["substrate"] / plain["substrate"]
    np.testing.assert_allclose(ratio, 1, rtol=1e-9)


def test_an_additive_that_stays_as_it_is_tells_runs_apart_only_where_it_differs(tmp_path):
    for amounts, apart in (((0.3, 0.31, 0.29), 0), ((0.3, 0.6, 0.3), 1)):
        body = {
            name: [[*row, amount] for row in run]
            for amount, (name, run) in zip(amounts, series().items(), strict=True)
        }
        runs = read(workbook(tmp_path / "a.xlsx", body, (*HEADER, "Water")))
        assert (~runs["comparable"]).sum() == apart
        ignored = read(tmp_path / "a.xlsx", ignore=["Water"])
        assert ignored["comparable"].all()


def test_roles_beyond_substrate_and_product(tmp_path):
    body = {
        name: [[*row, 1.5 - row[2], 0.1 * row[2], 0.9 * row[3]] for row in run]
        for name, run in series().items()
    }
    for run in body.values():
        for i, row in enumerate(run):
            row[-1] *= 1 - 0.05 * i
    path = workbook(tmp_path / "a.xlsx", body, (*HEADER, "B (M)", "Side", "Active"))
    runs = read(
        path,
        reactants=["B", "Water=0.5"],
        by_products=["Side"],
        observe=["Active = cat + catS"],
    )
    assert runs["reactant"].values.tolist() == ["B (M)", "Water"]
    np.testing.assert_allclose(runs["reactant_0"][0], [[1.5, 0.5]] * 3)
    assert runs["column"].values.tolist() == ["B (M)", "Side", "Active"]
    assert runs["role"].values.tolist() == ["reactant", "by-product", ""]
    assert runs["shows"].values.tolist() == ["", "", "cat + catS"]
    np.testing.assert_allclose(runs["observed"].sel(column="B (M)"), 1.5 - runs["product"])
    with pytest.raises(ValueError, match="no column 'C' for the role"):
        read(path, reactants=["C"])
    with pytest.raises(ValueError, match="--observe Active =: expected a column"):
        read(path, observe=["Active ="])


def test_a_reactant_taken_for_the_catalyst_is_refused(tmp_path):
    header = ("Time /s", 3, 1, 2)
    body = {
        f"run {k}": [[t, 0.6 - s, s, s - 0.6 + b] for t, s, *_ in rows(0.6, 0.1)]
        for k, b in enumerate((0.6, 0.7))
    }
    path = workbook(tmp_path / "a.xlsx", body, header)
    with pytest.raises(ValueError, match="a reactant, not a catalyst, so the reaction looks"):
        lab.read(path, "1", "3", "2")
    runs = lab.read(path, "1", "3", None, reactants=["2"])
    assert (runs["loading"] == 0).all()
    with pytest.raises(ValueError, match="no run has a catalyst"):
        kinetlib.classify(runs)
    assert lab.read_species(path)["species"].values.tolist() == ["3", "1", "2"]


# --- the start, blanks, repeats, the end


def test_an_empty_product_at_the_start_is_none(tmp_path, plain):
    body = series()
    for run in body.values():
        run[0][2] = None
    runs = read(workbook(tmp_path / "a.xlsx", body))
    assert (runs["product_0"] == 0).all() and "Product empty at the start" in remarks(runs)[0]
    np.testing.assert_allclose(runs["product"][..., 1:], plain["product"][..., 1:])
    np.testing.assert_allclose(
        read(tmp_path / "a.xlsx", product_0="cat half=0.1")["product_0"], [[0, 0.1, 0]]
    )


def test_a_blank_is_kept_and_told_and_a_repeat_too(tmp_path, plain):
    body = {"blank": [[t, 1 - 0.001 * t, 0.001 * t, 0] for t in TIMES], **series(), "again": rows()}
    runs = read(workbook(tmp_path / "a.xlsx", body))
    assert runs.attrs["standard"] == "Standard"
    assert runs["comparable"].values.tolist() == [[False, True, True, True, True]]
    assert any(
        "a blank run" in line and line.endswith("blank. [--loading]") for line in remarks(runs)
    )
    assert any("read as a repeat of it: again" in line for line in remarks(runs))
    three = runs.sel(run=list(LOADINGS))
    np.testing.assert_allclose(kinetlib.classify(three), kinetlib.classify(plain), atol=1e-9)


def test_rows_after_completion_are_not_read(tmp_path, plain):
    short = {
        name: rows(catalyst=c, rate=20, times=np.linspace(0, 3 / c / 20, 9))
        for name, c in LOADINGS.items()
    }
    tail = {
        name: run + [[run[-1][0] * f, 0.002 / f, 0.988, run[0][3]] for f in (1.5, 2.0, 3.0, 5.0)]
        for name, run in short.items()
    }
    cropped = read(workbook(tmp_path / "a.xlsx", short))
    whole = read(workbook(tmp_path / "b.xlsx", tail))
    assert whole.sizes["time"] == 13 and int(whole["completed"].sum()) == 12
    np.testing.assert_allclose(kinetlib.classify(whole), kinetlib.classify(cropped), atol=1e-9)
    assert "Rows after 95% of the turnover" in whole.attrs["warnings"]
    kept = read(tmp_path / "b.xlsx", keep_tail=True)
    assert not kept["completed"].any() and "95%" not in kept.attrs["warnings"]


def test_a_run_that_stops_short_is_over_where_it_stops(tmp_path):
    plateau = [
        [t, 0.5 + 0.5 * np.exp(-t), 0.5 - 0.5 * np.exp(-t), 0.05] for t in np.linspace(0, 20, 21)
    ]
    going_on = [[t, 1 - 0.04 * t, 0.04 * t, 0.05] for t in np.linspace(0, 20, 21)]
    runs = read(workbook(tmp_path / "a.xlsx", {"Standard": plateau, "b": going_on}))
    after = runs["completed"].values[0]
    assert after[0].sum() == 17 and not after[1].any()


def test_mass_from_nowhere_is_told(tmp_path):
    body = {"Standard": [[t, s, 1.3 * (1 - s), c] for t, s, _, c in rows(rate=20)]}
    runs = read(workbook(tmp_path / "a.xlsx", body))
    assert "Mass appears from nowhere" in runs.attrs["warnings"]


# --- notes beside the runs


def test_sheets_and_rows_of_notes_are_passed_over_and_named(tmp_path, plain):
    path = workbook(tmp_path / "a.xlsx", series())
    book = openpyxl.load_workbook(path)
    for row in (("Operator", "K. M."), ("Date", "12 March")):
        book.create_sheet("Info") if "Info" not in book.sheetnames else None
        book["Info"].append(row)
    book.create_sheet("Results").append(("Name", "kobs"))
    book["Results"].append(("Standard", 0.3))
    book["Standard"].append((None,))
    book["Standard"].append(("stopped for lunch",))
    book.save(path)
    runs = read(path)
    assert_same(runs, plain)
    said = "\n".join(remarks(runs))
    assert "Info" in said and "Results" in said and "'stopped for lunch'" in said


def test_runs_can_be_left_out_by_name(tmp_path):
    path = workbook(tmp_path / "a.xlsx", series())
    assert read(path, leave_out=["Cat half"])["run"].values.tolist() == ["Standard", "cat double"]
    with pytest.raises(ValueError, match="--leave-out x: no such run; the runs are 'Standard'"):
        read(path, leave_out=["x"])


# --- commands


ROLES = ("--substrate", "Substrate", "--product", "Product", "--catalyst", "Catalyst")


def call(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_classify_says_what_was_decided_and_reads_nine_runs(tmp_path):
    body = {f"run {k}, {k} mol%": rows(catalyst=k / 100) for k in range(1, 10)}
    path = workbook(tmp_path / "a.xlsx", body)
    answer = call(
        "classify",
        path,
        "--quick",
        "--substrate",
        "Substrate",
        "--product",
        "Product",
        "--catalyst",
        "Catalyst",
    )
    assert answer.exit_code == 0, answer.output
    assert "M1" in answer.stdout and "leaves aside" not in answer.stderr


def test_options_of_reading_reach_every_command(tmp_path):
    bare = {name: [[*r[:3], 1000 * r[3]] for r in run] for name, run in series().items()}
    path = workbook(tmp_path / "a.xlsx", bare, ("x", *COLUMNS))
    answer = call("classify", path, *ROLES)
    assert answer.exit_code == 2 and "--unit 'Catalyst=mM'" in answer.stderr
    options = ("--unit", "Catalyst=mM", "--unit", "Substrate=M", "--leave-out", "cat half")
    answer = call("classify", path, "--quick", *ROLES, *options, "--json")
    assert answer.exit_code == 0, answer.output
    assert '"runs": ["Standard", "cat double"]' in answer.stdout
    for command in (("classify",), ("design", "next"), ("discover",)):
        text = call(*command, "--help").output
        for option in ("--layout", "--unit", "--ignore", "--start", "--header"):
            assert option in text, (command, option)


def test_options_that_messages_name_are_there():
    text = "".join(path.read_text() for path in Path(lab.__file__).parent.glob("*.py"))
    for command in (("classify",), ("design", "next")):
        offered = set(re.findall(r"--[a-z0-9-]+", call(*command, "--help").output))
        for option in set(re.findall(r"--[a-z][a-z0-9-]+", text)) - {"--reaction"}:
            assert option in offered or f"{option}-done" in offered, option


def test_discover_writes_names_as_the_file_has_them(tmp_path):
    drawn = np.random.default_rng(0)
    lines = ["run;Time (min);4-bromoanisole (mM);4-MeO-biphenyl (mM)"]
    for run, start in enumerate((50.0, 25.0), start=1):
        for t in np.linspace(0, 12, 9):
            left = start * np.exp(-0.2 * t)
            noise = 1 + 0.01 * drawn.standard_normal(2) * (t > 0)
            values = np.array([left, start - left]) * noise
            told = (f"{v:.3f}".replace(".", ",") for v in (t, *values))
            lines.append(f"{run};{';'.join(told)}")
    (tmp_path / "a.csv").write_text("\n".join(lines))
    answer = call("discover", tmp_path / "a.csv", "--reactions", "1", "--max-order", "1")
    assert answer.exit_code == 0, answer.output
    assert "4-bromoanisole -> 4-MeO-biphenyl  k = 0." in answer.stdout
