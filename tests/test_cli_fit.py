"""`kinetlib fit`: from a file to one JSON object, a table, or one line of refusal."""

import json

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner
from fits import SMALL, curves
from numpy.random import default_rng

from kinetlib.cli import main
from kinetlib.inference import fitting

STARTS = {"A": np.array([2.0, 1.0, 2.0]), "cat": np.array([0.1, 0.1, 0.2])}
TEXT = "A + cat -> P + cat (k)"
TRUE, TIMES = 0.9, np.linspace(0, 40, 9)


@pytest.fixture(autouse=True)
def little(monkeypatch):
    monkeypatch.setattr(fitting, "Effort", lambda: SMALL)


@pytest.fixture
def workbook(tmp_path):
    network, exact = curves(TEXT, [TRUE], STARTS, TIMES)
    rng, book = default_rng(0), openpyxl.Workbook()
    book.remove(book.active)
    for run, rows in enumerate(exact):
        sheet = book.create_sheet(f"run {run}")
        sheet.append(["time / s", "A / M", "P / M", "cat / M"])
        a, p = (rows[:, network.index(name)] for name in ("A", "P"))
        noisy = [column * (1 + 0.01 * rng.standard_normal(len(column))) for column in (a, p)]
        for i, time in enumerate(TIMES):
            values = [column[i] if i else exact[run, 0, network.index(name)]
                      for name, column in zip("AP", noisy, strict=True)]  # fmt: skip
            sheet.append([float(time), *map(float, values), float(STARTS["cat"][run])])
    path = tmp_path / "runs.xlsx"
    book.save(path)
    return str(path)


def asked(*arguments):
    return CliRunner().invoke(main, ["fit", *arguments])


def test_the_json_has_what_was_promised_and_nothing_else(workbook):
    found = asked(workbook, "--mechanism", TEXT, "--mechanism", "A -> P (k)", "--json")
    assert found.exit_code == 0, found.output
    answer = json.loads(found.stdout)
    assert list(answer) == ["mechanisms", "noise", "runs", "remarks"]
    assert answer["runs"] == ["run 0", "run 1", "run 2"]
    first, second = answer["mechanisms"]
    assert list(first) == [
        "mechanism", "probability", "log_evidence", "aicc", "bic", "chi_squared", "explains",
        "constants", "others", "combinations", "reactions",
    ]  # fmt: skip
    assert first["mechanism"] == TEXT and first["explains"] is True
    assert second["explains"] is False and second["probability"] < 1e-3
    constant = first["constants"]["k"]
    assert list(constant) == ["value", "low", "high", "unit", "verdict"]
    assert constant["unit"] == "M-1 s-1" and constant["verdict"] == "determined"
    assert constant["value"] == pytest.approx(TRUE, rel=0.02)
    assert constant["low"] < constant["value"] < constant["high"]
    assert first["reactions"] == [TEXT] and not first["others"] and not first["combinations"]
    assert set(answer["noise"]) == {"A", "P"}
    assert all("\n" not in line for line in answer["remarks"])
    assert any("column cat does not change" in line for line in answer["remarks"])


def test_roles_name_the_columns_of_the_catalogue_s_species(workbook):
    found = asked(
        workbook, "--mechanism", "M1", "--substrate", "A / M", "--product", "P / M",
        "--catalyst", "cat / M", "--json",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    constants = json.loads(found.stdout)["mechanisms"][0]["constants"]
    assert list(constants) == ["k1", "k-1", "k2", "k-2"]
    assert constants["k1"]["low"] < TRUE < constants["k1"]["high"] * 1.2


def test_a_table_shows_the_same_constants(workbook):
    found = asked(workbook, "--mechanism", TEXT, "--fix", "k=0.9", "--initial-error", "all=0.01")
    assert found.exit_code == 0, found.output
    assert "fixed" in found.stdout and "A at start" in found.stdout
    assert "remark:" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "no mechanism: give --mechanism"),
        (("--mechanism", "M1"), "cannot happen: S is not there"),
        (("--mechanism", "M1", "--catalyst", "cat"), "--catalyst: expected --substrate"),
        (("--mechanism", TEXT, "--fix", "k9=1"), "fix k9: unknown constant"),
        (("--mechanism", TEXT, "--fix", "k"), "expected NAME=VALUE"),
        (("--mechanism", TEXT, "--fix", "k=much"), "--fix k=much: expected a number"),
        (("--mechanism", TEXT, "--fix", "k=1", "--fix", "k=2"), "k is given twice"),
        (("--mechanism", TEXT, "--bounds", "k=1"), "expected k=LOW:HIGH"),
        (("--mechanism", "A -> B -> C"), "line 1"),
    ],
)
def test_refusals_are_one_sentence_and_no_traceback(workbook, arguments, message):
    found = asked(workbook, *arguments)
    assert found.exit_code == 2
    assert message in found.output and "Traceback" not in found.output
