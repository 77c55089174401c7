"""Tables of the chapters: whose numbers they have, and all of what they were given."""

import json

import pandas as pd
import pytest

from kinetlib.chapters import tables
from kinetlib.evaluate import formatted, text

COMMITS = ["0123456789abcdef", "fedcba9876543210"]


@pytest.fixture
def shown(monkeypatch):
    """What is displayed, in order."""
    found = []
    monkeypatch.setattr("kinetlib.chapters.tables.display", lambda *what: found.extend(what))
    return found


@pytest.mark.parametrize(
    "made, said",
    [
        ({"commit": COMMITS[0]}, "record, commit 0123456"),
        ({"commit": f"{COMMITS[0]}-dirty"}, "record, commit 0123456-dirty"),
        ({"commit": ", ".join(COMMITS)}, "record, commits 0123456 and fedcba9"),
        ({"commits": COMMITS}, "record, commits 0123456 and fedcba9"),
        # Where it is noted what made the pieces, the commit of their summary is not asked.
        ({"made_by": COMMITS[:1], "commit": "other"}, "record, commit 0123456"),
        ({"made_by": [{"commit": COMMITS[0]}]}, "record, commit 0123456"),
        ({"made_by": [json.dumps({"commit": c}) for c in COMMITS]}, None),
        ({}, "record, commit unknown"),
    ],
)
def test_a_badge_names_the_commits_of_a_record(made, said):
    assert tables.badge(made) == (said or "record, commits 0123456 and fedcba9")


@pytest.mark.parametrize(
    "name", ["crnn", "estimation_design", "experiment_design", "limit", "recipes"]
)
def test_every_record_of_the_book_says_which_commit_made_it(name):
    said = tables.badge(tables.record(name))
    assert said.startswith("record, commit") and "unknown" not in said


def test_a_record_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"no record data/studies/limits\.json: expected the name"):
        tables.record("limits")


def test_a_table_wears_its_badge(shown):
    tables.rows({"a": {"x": "1 < 2"}, "b": {"x": "3"}}, source="record, commit 1", lead="*Lead*:")
    lead, table = shown
    assert lead.data == "*Lead*:"
    page = table._repr_html_()
    assert page.index("record, commit 1") < page.index('class="dataframe"')
    assert "1 &lt; 2" in page and "kinetlib-badge" in page
    assert repr(table).startswith("[record, commit 1]\n")
    assert table.frame.index.tolist() == ["a", "b"]


def test_a_table_is_of_this_run_unless_said(shown):
    tables.columns({"a": {"x": 1, "y": 2}})
    tables.rows([{"x": 1}, {"x": 2}])
    tables.show(pd.DataFrame({"x": ["long " * 40]}))
    assert {table.source for table in shown} == {"this run"}
    assert shown[0].frame.columns.tolist() == ["a"]
    assert shown[1].frame.x.tolist() == [1, 2]
    assert ("long " * 40).strip() in shown[2]._repr_html_(), "no cell is cut short"


def test_sentences_are_markdown(shown):
    tables.say("one", "two")
    assert [paragraph.data for paragraph in shown] == ["one", "two"]


def test_intervals_are_written_one_way():
    assert formatted(1234.5, 1200, 1300, digits=0) == "1,234 (1,200 to 1,300)"
    assert formatted(0.5, 0.25, 0.75, percent=True) == "50.0 (25.0 to 75.0)"
    assert formatted(0.5, -0.25, 0.75, digits=2, signed=True) == "+0.50 (-0.25 to +0.75)"
    assert formatted(0.5, None, None, digits=2) == "0.50"
    assert formatted(None, None, None) == "none"
    measure = {"value": 0.5, "low": 0.25, "high": 0.75, "samples": 3}
    assert text(measure, digits=2) == "0.50 (0.25 to 0.75)"
