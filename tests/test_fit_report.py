"""Figures and the report of `kinetlib fit`: one page that says what `--json` says, and is safe."""

import html
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from fits import SMALL, curves
from numpy.random import default_rng

from kinetlib import lab, plot
from kinetlib.cli import _report, main
from kinetlib.inference import fitting
from kinetlib.records import files

SIMPLE, BOUND = "A + cat -> P + cat (k)", "A + cat <=> X (k1, k-1); X -> P + cat (k2)"
HOSTILE = '<script>alert("$1")</script> & "run"'
STARTS = {"A": np.array([2.0, 1.0]), "cat": np.array([0.1, 0.2])}
TIMES = np.linspace(0, 40, 9)


@pytest.fixture(autouse=True)
def little(monkeypatch):
    monkeypatch.setattr(fitting, "Effort", lambda: SMALL)


@pytest.fixture
def runs(tmp_path):
    network, exact = curves(SIMPLE, [0.9], STARTS, TIMES)
    rng, lines = default_rng(0), ["run\ttime / s\tA / M\tP / M\tcat / M"]
    for name, rows in zip((HOSTILE, "second"), exact, strict=True):
        for time, row in zip(TIMES, rows, strict=True):
            a, p, cat = (row[network.index(s)] for s in ("A", "P", "cat"))
            off = 1 + 0.01 * rng.standard_normal(2) * (time > 0)
            lines.append(f"{name}\t{time}\t{a * off[0]}\t{p * off[1]}\t{cat}")
    path = tmp_path / "runs.tsv"
    path.write_text("\n".join(lines))
    return path


def asked(*arguments):
    return CliRunner().invoke(main, ["fit", *map(str, arguments)])


class Page(HTMLParser):
    """Tags, attributes, text, and the numbers in <data> of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.said, self.numbers = [], [], [], []
        self.feed(text)
        self.text = " ".join(" ".join(self.said).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag == "data":
            self.numbers.append(float(dict(attributes)["value"]))

    def handle_data(self, data):
        self.said.append(data)


def test_the_report_says_what_json_says(runs, tmp_path):
    where = tmp_path / "new" / "report.html"
    found = asked(
        runs, "--mechanism", SIMPLE, "--mechanism", BOUND, "--mechanism", "A -> P (k)",
        "--initial-error", "A=0.02", "--report", where, "--json",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    answer, page = json.loads(found.stdout), Page(where.read_text(encoding="utf-8"))
    numbers = set(page.numbers)
    for one in answer["mechanisms"]:
        for name in ("probability", "log_evidence", "aicc", "bic", "chi_squared"):
            assert one[name] in numbers, name
    left = [one for one in answer["mechanisms"] if one["probability"] > 0.06]
    assert left and all("\n".join(one["reactions"]) in " ".join(page.said) for one in left)
    for one in left:
        for name, constant in (one["constants"] | one["others"]).items():
            ends = {
                "determined": ("low", "high"),
                "bounded above": ("high",),
                "bounded below": ("low",),
                "not determined": ("low", "high"),
            }[constant["verdict"]]
            assert all(constant[key] in numbers for key in ("value", *ends)), name
            assert name in page.text and constant["unit"] in page.text
            assert constant["verdict"] in page.text
        assert all(c["value"] in numbers and c["name"] in page.text for c in one["combinations"])
    for name, level in answer["noise"].items():
        assert {level["relative"], level["absolute"]} <= numbers and name in page.text
    for line in (*answer["remarks"], *answer["runs"]):
        assert " ".join(line.split()) in page.text
    # and nothing that --json does not say
    said = {value for value in plain_numbers(answer)}
    assert numbers <= said


def plain_numbers(values):
    """Yield all numbers of an answer."""
    if isinstance(values, dict | list):
        for one in values.values() if isinstance(values, dict) else values:
            yield from plain_numbers(one)
    elif isinstance(values, float):
        yield values


def test_the_report_is_one_file_and_text_of_files_is_text(runs, tmp_path):
    where = tmp_path / "report.html"
    found = asked(runs, "--mechanism", SIMPLE, "--report", where)
    assert found.exit_code == 0, found.output
    text = where.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags and HOSTILE in page.text
    assert not {name for name, _ in page.attributes if name.startswith("on")}
    links = [value for name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert links and all(link.startswith("#") for link in links)
    assert not re.search(r"https?:|//|@import|url\((?!#)", text)
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in links} <= set(ids)
    assert set(re.findall(r"url\(#([^)]*)\)", text)) <= set(ids)
    assert page.tags.count("svg") == 3  # two runs and a profile
    titles = re.findall(r"<title id=[^>]*>([^<]+)</title>", text)
    assert len(titles) == 3 and html.escape(HOSTILE) in titles[0]
    assert '<html lang="en">' in text and "prefers-color-scheme: dark" in text
    assert list(tmp_path.glob(".part*")) == []


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_figure_is_what_its_name_says(runs, tmp_path, suffix):
    where = tmp_path / f"runs.{suffix}"
    found = asked(runs, "--mechanism", SIMPLE, "--figure", where)
    assert found.exit_code == 0, found.output
    begins = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert where.read_bytes().startswith(begins)
    if suffix == "svg":
        assert ElementTree.parse(where).getroot().tag.endswith("svg")


@pytest.mark.parametrize(
    ("option", "name", "message"),
    [
        ("--figure", "runs.bmp", "expected a name that ends in .svg, .png or .pdf"),
        ("--report", "report.txt", "expected a name that ends in .html or .htm"),
        ("--report", "runs.tsv/report.html", "is no folder"),
        ("--figure", "runs.tsv/a/runs.svg", "is no folder"),
        ("--sbml", "model.txt", "expected a name that ends in .xml or .sbml"),
        ("--petab", "runs.tsv/problem", "is no folder"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is_fitted(
    runs, tmp_path, monkeypatch, option, name, message
):
    monkeypatch.setattr(fitting, "observations", None)  # fitting would fail
    found = asked(runs, "--mechanism", SIMPLE, option, tmp_path / name)
    assert found.exit_code == 2 and found.output.count("\n") == 1
    assert message in found.output and option in found.output


def test_a_folder_that_may_not_be_written_is_refused(tmp_path, monkeypatch):
    files.refuse_unwritable(tmp_path / "new" / "a.html", "--report")
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(ValueError, match=r"--report .*: the folder .* cannot be written"):
        files.refuse_unwritable(tmp_path / "new" / "a.html", "--report")


def test_without_matplotlib_one_sentence_says_so(runs, tmp_path):
    code = "import sys; sys.modules['matplotlib'] = None; from kinetlib.cli import main; main()"
    command = [sys.executable, "-c", code, "fit", runs, "--mechanism", SIMPLE]
    found = subprocess.run(
        [*map(str, command), "--report", str(tmp_path / "a.html")],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 1 and "Traceback" not in found.stderr
    assert "needs the package matplotlib, which is not installed: pip install" in found.stderr


def test_the_band_holds_the_readings_and_the_best_fit(runs):
    one = fitting.fit(lab.read_species(runs), SIMPLE, effort=SMALL)
    course = one.course()
    assert course.best.shape == course.low.shape == (2, 121, 2)
    assert (course.low <= course.high).all()
    assert np.mean((course.low <= course.best) & (course.best <= course.high)) > 0.95
    assert course.residuals.shape == one.data.values.shape
    assert 0.5 < np.sqrt(np.nanmean(course.residuals**2)) < 1.5
    assert np.allclose(course.best[:, 0, one.data.columns.index("A")], STARTS["A"])
    assert np.array_equal(one.course().low, course.low)


def test_names_that_matplotlib_would_read_as_something_else_are_drawn():
    two = np.array([[0.1, 0.2], [0.3, 0.4]])
    time = np.array([0.0, 1.0])
    run = plot.FittedRun(r"$\frac{$ x_1 $", time, two, two, time, two, two, two)
    drawn = plot.fitted_runs([run], ["_hidden", "$"], time_unit="$", concentration_unit="$\\")
    svg = plot.as_svg(drawn, name="a", alt="<b>")
    assert svg.startswith("<svg") and "&lt;b&gt;" in svg
    labels = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert labels == [" _hidden", r"\$"]


def test_a_number_that_is_none_is_said_not_to_be_told():
    assert _report.number(None) == "not told"
    assert _report.number(0.25, ".0%") == '<data value="0.25">25%</data>'


def test_classify_refuses_a_report_of_the_network_alone(runs, tmp_path):
    command = ["classify", str(runs), "--substrate", "A", "--product", "P", "--quick"]
    found = CliRunner().invoke(main, [*command, "--report", str(tmp_path / "a.html")])
    assert found.exit_code == 2 and "leave out --quick" in found.output
