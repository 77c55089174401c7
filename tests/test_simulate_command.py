"""``kinetlib simulate``: a mechanism in, numbers and a figure out."""

import csv
import io
import json
import sys

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from PIL import Image

from kinetlib import mechanism, simulate
from kinetlib.cli import main

DECAY = "A -> B (k1 = 0.3); A = 2"
M1 = ["-k", "k1=10", "-k", "k-1=1", "-k", "k2=5", "-k", "k-2=0.1"]


def call(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def table(text):
    """Read a CSV as printed: names, and rows of numbers."""
    names, *rows = csv.reader(io.StringIO(text))
    return names, np.array(rows, dtype=float)


def test_a_table_is_printed_with_every_digit():
    answer = call(DECAY, "--until", 10, "--points", 6)
    assert answer.exit_code == 0, answer.output
    names, rows = table(answer.stdout)
    assert names == ["time", "A", "B"]
    run = simulate(mechanism(DECAY), {}, {}, np.linspace(0, 10, 6))
    assert rows[:, 0].tolist() == [0, 2, 4, 6, 8, 10]
    assert (rows[:, 1:] == run.concentration.values).all()
    assert answer.stderr == "note: not given, 0 at the start: B\n"


def test_several_values_are_several_runs():
    answer = call(DECAY, "-s", "A=1,2", "-k", "k1=0.1,0.2", "--times", "0,1")
    names, rows = table(answer.stdout)
    assert names == ["run", "time", "A", "B"]
    assert rows[:, 0].tolist() == [1, 1, 2, 2]
    assert rows[:, 2] == pytest.approx([1, np.exp(-0.1), 2, 2 * np.exp(-0.2)], rel=1e-5)


def test_a_mechanism_of_the_catalogue_starts_as_it_does_there():
    answer = call("M1", *M1, "-s", "cat=0.02", "--times", "0,5")
    assert "as in the catalogue at the start: S = 1" in answer.stderr
    assert table(answer.stdout)[1][0].tolist() == [0.0, 1.0, 0.02, 0.0, 0.0]


def test_names_of_chemists(tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("R-alcohol + 4-MeO → “benzyl alcohol” (k1 = 1)\n4-MeO = 1", encoding="utf-8")
    answer = call(file, "-s", "R-alcohol=0.5", "--until", 1, "--points", 2)
    assert answer.exit_code == 0, answer.output
    assert table(answer.stdout)[0] == ["time", "R-alcohol", "4-MeO", "benzyl alcohol"]


def test_files_are_written(tmp_path):
    sheet, data, figure = tmp_path / "run.csv", tmp_path / "run.nc", tmp_path / "run.png"
    wanted = ["-s", "A=1,2,3,4", "--until", 10, "--figure", figure]
    for path in (sheet, data):
        answer = call(DECAY, *wanted, "--output", path)
        assert (answer.exit_code, answer.stdout) == (0, ""), answer.output
    with xr.open_dataset(data) as found:
        assert found.concentration.shape == (4, 101, 2)
        rows = table(sheet.read_text())[1]
        assert (rows[:, 2:] == found.concentration.values.reshape(-1, 2)).all()
    with Image.open(figure) as picture:
        assert len(picture.convert("RGB").getcolors(1 << 20)) > 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.csv", "run.nc", "run.png"]


def test_json_is_one_object_and_nothing_else():
    answer = call(
        "H2 + 0.5 O2 -> H2O (k1 = 1)", "-s", "H2=1", "-s", "O2=1", "--times", "0,1", "--json"
    )
    found = json.loads(answer.stdout)
    assert found["species"] == ["H2", "O2", "H2O"]
    assert found["time"] == [0.0, 1.0]
    assert np.shape(found["concentration"]) == (1, 2, 3)
    assert found["status"] == [0]
    assert "multiplied by 2" in found["remarks"][0]


def test_a_run_that_fails_is_told_and_the_rest_is_given():
    answer = call("2 A -> 3 A (k1 = 1)", "-s", "A=1,0.1", "--times", "0,2")
    assert answer.exit_code == 1
    assert "error: run 1 ended early: step underflow" in answer.stderr
    assert np.isnan(table(answer.stdout)[1][1, 2])
    assert np.isfinite(table(answer.stdout)[1][[0, 2, 3]]).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([DECAY], "give one of --until END and --times LIST"),
        ([DECAY, "--until", 1, "--times", "0,1"], "give one of --until END and --times LIST"),
        ([DECAY, "--until", -1], "--until -1.0: expected a time above 0"),
        ([DECAY, "--times", "1,0"], "times fall from 1.0 to 0.0"),
        ([DECAY, "--times", "soon"], "expected numbers such as 0.3"),
        ([DECAY, "--until", 1, "-k", "k1"], "expected NAME=VALUE, got 'k1'"),
        ([DECAY, "--until", 1, "-k", "k1=1", "-k", "k1=2"], "k1 is given twice"),
        ([DECAY, "--until", 1, "-k", "k9=1"], "unknown rate constant 'k9'"),
        ([DECAY, "--until", 1, "-s", "Q=1"], "unknown species 'Q'"),
        ([DECAY, "--until", 1, "-s", "A=-1"], "A: expected finite values that are not negative"),
        (
            [DECAY, "--until", 1, "--output", "a.xls"],
            "--output a.xls: expected a name that ends in",
        ),
        (
            [DECAY, "--until", 1, "--figure", "a.gif"],
            "--figure a.gif: expected a name that ends in",
        ),
        (["A -> B (k1 = 1)", "--until", 1], "nothing is there at the start: give concentrations"),
        (["A -> B; A = 1", "--until", 1], "needs the rate constants k1; missing: k1"),
        (["no-such-file.toml", "--until", 1], "'no-such-file.toml': no such file"),
        (["A > B", "--until", 1], "'A > B': no such file, no reaction"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(arguments, words):
    answer = call(*arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr


def test_a_figure_needs_matplotlib_and_says_so_first(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    output = tmp_path / "run.csv"
    answer = call(DECAY, "--until", 1, "--output", output, "--figure", tmp_path / "run.svg")
    assert answer.exit_code == 1 and "needs the package matplotlib" in answer.stderr
    assert not output.exists()
