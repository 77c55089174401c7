"""Tables and sentences of the chapters, each table with a badge that says whose numbers it has."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from IPython.display import Markdown, display

from kinetlib.plot.look import badge_html

STUDIES = Path("data/studies")
THIS_RUN = "this run"
_SHORT = 7  # letters of a commit
_INTERVAL = re.compile(r"[-+\d.,e]+ \([-+\d.,e]+ to [-+\d.,e]+\)")


def record(name: str) -> dict[str, Any]:
    """Read the committed record of a study; chapters run where `data` lies.

    Raises
    ------
    ValueError
        If there is none of this name.
    """
    path = STUDIES / f"{name}.json"
    if not path.is_file():
        raise ValueError(f"no record {path}: expected the name of a study, as in {STUDIES}")
    return json.loads(path.read_text(encoding="utf-8"))


def badge(made: Mapping[str, Any]) -> str:
    """Say whose numbers these are: those of a record, and the commits that made it.

    Parameters
    ----------
    made
        A record, or a part of one, with ``made_by``, ``commits`` or ``commit``.

    >>> badge({"commit": "0123456789abcdef, fedcba9876543210-dirty"})
    'record, commits 0123456 and fedcba9-dirty'
    """
    *others, last = dict.fromkeys(_commits(made))
    return f"record, commits {', '.join(others)} and {last}" if others else f"record, commit {last}"


def _commits(made: Mapping[str, Any]) -> Iterator[str]:
    """Shorten the commits that made a record, whichever way it notes them."""
    for one in made.get("made_by") or made.get("commits") or [made.get("commit", "unknown")]:
        noted = json.loads(one) if isinstance(one, str) and one.startswith("{") else one
        for commit in (noted["commit"] if isinstance(noted, Mapping) else noted).split(", "):
            name, _, state = commit.partition("-")
            yield f"{name[:_SHORT]}-{state}" if state else name[:_SHORT]


def at_noise(level: float | str) -> str:
    """Name a level of relative noise.

    >>> at_noise("0.015")
    '1.5 % noise'
    """
    return f"{100 * float(level):g} % noise"


@dataclass(frozen=True)
class Table:
    """A table with its badge; shows itself in a notebook, no cell cut short."""

    frame: pd.DataFrame
    source: str

    def __repr__(self) -> str:
        """Write badge and table as plain text."""
        return f"[{self.source}]\n{self.frame!r}"

    def _repr_html_(self) -> str:
        """Write badge and table as HTML."""
        with pd.option_context("display.max_colwidth", None):
            body = _unbroken(self.frame.to_html(notebook=True))
        return f"<div>{badge_html(self.source)}</div>\n{body}"


def _unbroken(page: str) -> str:
    """Keep a number and its interval on one line.

    >>> _unbroken("<td>88.0 (87.3 to 88.6)</td>")
    '<td>88.0&nbsp;(87.3&nbsp;to&nbsp;88.6)</td>'
    """
    return _INTERVAL.sub(lambda found: found[0].replace(" ", "&nbsp;"), page)


def show(table: pd.DataFrame, *, source: str = THIS_RUN, lead: str = "") -> None:
    """Display a table with its badge.

    Parameters
    ----------
    table
        What is shown.
    source
        Whose numbers these are: what `badge` says of a record, or this run's.
    lead
        Markdown above it.
    """
    if lead:
        say(lead)
    display(Table(table, source))


def rows(
    told: Mapping[Any, Mapping[str, Any]] | Sequence[Mapping[str, Any]], **options: str
) -> None:
    """Display rows by name, or without names, each with its cells by column, as `show` does."""
    show(pd.DataFrame(told).T if isinstance(told, Mapping) else pd.DataFrame(told), **options)


def columns(told: Mapping[str, Mapping[str, Any]], **options: str) -> None:
    """Display columns by name, each with its cells by row, as `show` does."""
    show(pd.DataFrame(told), **options)


def say(*paragraphs: str) -> None:
    """Display sentences in Markdown."""
    display(*map(Markdown, paragraphs))
