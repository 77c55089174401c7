"""The committed record of the benchmark, the page that shows it and the page of results agree."""

import json
from pathlib import Path

from kinetlib.chapters import pages

ROOT = Path(__file__).parents[1]
RECORD = json.loads((ROOT / "data" / "benchmarks" / "integrators.json").read_text())
STEPS = json.loads((ROOT / "data" / "benchmarks" / "steps.json").read_text())
TOLERANCES = json.loads((ROOT / "data" / "benchmarks" / "tolerances.json").read_text())
ROWS = {(row["solver"], row["rtol"]): row for row in RECORD["rows"]}


def test_the_page_has_every_row():
    beside, steps, tolerances = pages.speed().values()
    for row in RECORD["rows"]:
        assert f"| {row['solver']} |" in beside
        assert f"| {row['microseconds']:,.1f} |" in beside
    for row in STEPS["rows"]:
        assert f"| {row['variant']} |" in steps
    assert f"With {STEPS['cores']} cores" in steps
    for row in TOLERANCES["rows"]:
        assert f"| {row['above']:,} of {row['trajectories']:,} |" in tolerances
    assert RECORD["processor"] in beside and RECORD["commit"][:10] in beside
    assert pages.diagram().lstrip().startswith(b"<?xml")


def test_the_page_includes_what_is_written():
    page = (ROOT / "book" / "speed.md").read_text()
    for name in pages.FRAGMENTS:
        assert f"```{{include}} {name}" in page


def test_the_record_was_made_of_committed_code():
    assert not any(made["commit"].endswith("dirty") for made in (RECORD, STEPS, TOLERANCES))


def test_nothing_is_above_what_is_promised_where_no_tolerance_is_given():
    kept = [row for row in TOLERANCES["rows"] if row["way"] == "derived, from maxima"]
    assert len(kept) == 2 and all(row["worst"] <= TOLERANCES["promised"] for row in kept)


def test_the_page_of_results_quotes_the_record():
    told = " ".join((ROOT / "book" / "outcomes.md").read_text(encoding="utf-8").split())
    ours = ROWS["kinetlib, one core", 1e-6]
    assert f"{ours['microseconds']:.1f} µs a trajectory" in told
    for solver in ("libRoadRunner (CVODE)", "SciPy LSODA", "scikit-sundae (CVODE)"):
        ratio = ROWS[solver, 1e-6]["ratio_to_kinetlib_at_equal_tolerance"]
        assert f"{ratio:,.0f} times" in told, (solver, ratio)
    published = ROWS["SciPy LSODA, as published", None]
    assert f"{published['ratio_to_kinetlib_at_equal_tolerance']:,.0f} times" in told
