"""One HTML page of an answer: nothing is loaded, nothing runs, and every text is escaped.

Numbers stand in ``<data value="...">`` with all their digits, beside what is shown of them, so that
the page holds just what ``--json`` prints.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_STYLE = """
:root { color-scheme: light dark; --ink: #26292e; --page: #fff; --line: #d5d9de; --soft: #f3f5f7;
  --accent: #0b5c9e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7eb; --page: #16191d; --line: #3a4048;
  --soft: #21262c; --accent: #8cc4f5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 1rem/1.55 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 66rem; margin: 0 auto; padding: 1rem 1rem 3rem; }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 0.5rem; padding-top: 0.5rem;
  border-top: 1px solid var(--line); }
p, li { max-width: 48rem; overflow-wrap: anywhere; }
.first { background: var(--soft); border-left: 4px solid var(--accent);
  padding: 0.7rem 1rem; max-width: none; }
.first p { margin: 0.3rem 0; }
pre { background: var(--soft); padding: 0.7rem 1rem; margin: 0.5rem 0; white-space: pre-wrap;
  overflow-wrap: anywhere; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; margin: 0.5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
th, td { padding: 0.3rem 0.9rem 0.3rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
.number { text-align: right; }
data { white-space: nowrap; }
.figures { display: grid; gap: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); }
figure { margin: 0; }
figure svg { display: block; width: 100%; height: auto; background: #fff; border-radius: 6px;
  border: 1px solid var(--line); }
figcaption { font-size: 0.85rem; padding: 0.3rem 0.2rem; }
footer { margin-top: 2.5rem; font-size: 0.85rem; }
@media (max-width: 30rem) { body { font-size: 0.94rem; }
  table { font-size: 0.88rem; } th, td { padding-right: 0.6rem; } }
@media print { .figures { display: block; } figure { break-inside: avoid; } }
"""
_VERDICTS = {
    "determined": "The runs give it a value: the 95 % interval has two ends.",
    "bounded above": "The runs exclude larger values only; it may be as small as one likes.",
    "bounded below": "The runs exclude smaller values only; it may be as large as one likes.",
    "not determined": "The runs leave it open, over much of what was tried.",
    "fixed": "It was given, not fitted.",
}


def page(title: str, parts: Iterable[str]) -> str:
    """Put a whole page together."""
    import kinetlib

    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{text(title)}</h1>\n"
        + "\n".join(part for part in parts if part)
        + f"\n<footer><p>Made by kinetlib {text(kinetlib.__version__)}.</p></footer>\n"
        "</main>\n</body>\n</html>\n"
    )


def text(said: object) -> str:
    """Escape text, wherever it comes from."""
    return html.escape(str(said))


def number(value: float | None, form: str = ".3g") -> str:
    """Show a number to some digits, and keep all of them."""
    if value is None:
        return "not told"
    return f'<data value="{value!r}">{value:{form}}</data>'


def section(heading: str, *parts: str) -> str:
    """Head what stands below, unless nothing does."""
    inside = "\n".join(part for part in parts if part)
    return f"<section>\n<h2>{text(heading)}</h2>\n{inside}\n</section>" if inside else ""


def paragraph(said: str) -> str:
    """Write a paragraph of plain text."""
    return f"<p>{text(said)}</p>" if said else ""


def written(lines: str) -> str:
    """Keep lines as they are."""
    return f"<pre>{text(lines)}</pre>" if lines else ""


def first(sentences: Iterable[str]) -> str:
    """Put what matters most on top."""
    inside = "".join(paragraph(line) for line in sentences)
    return f'<div class="first">{inside}</div>' if inside else ""


def listed(lines: Sequence[str]) -> str:
    """List sentences."""
    return f"<ul>{''.join(f'<li>{text(line)}</li>' for line in lines)}</ul>" if lines else ""


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Lay out cells that are HTML already; those with numbers in them are set to the right."""
    if not rows:
        return ""
    numeric = [any(row[at].startswith("<data") for row in rows) for at in range(len(heads))]

    def cells(kind: str, row: Sequence[str], more: str = "") -> str:
        marks = (' class="number"' if right else "" for right in numeric)
        return "".join(
            f"<{kind}{more}{mark}>{cell}</{kind}>" for mark, cell in zip(marks, row, strict=True)
        )

    head = cells("th", [text(name) for name in heads], ' scope="col"')
    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return (
        f'<div class="wide" role="region" tabindex="0" aria-label="{text(caption)}"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def figures(drawn: Sequence[tuple[str, str]]) -> str:
    """Set figures, each SVG and what stands below it, side by side where there is room."""
    inside = "".join(
        f"<figure>{svg}<figcaption>{text(below)}</figcaption></figure>" for svg, below in drawn
    )
    return f'<div class="figures">{inside}</div>' if inside else ""


def weighed(answer: Mapping[str, Any]) -> str:
    """List mechanisms by probability, beside what the network makes of them."""
    asked = answer["network"]["probabilities"] if answer["network"] else {}
    rows = [
        [
            text(one["mechanism"]),
            number(one["probability"], ".1%"),
            number(asked[one["mechanism"]], ".1%") if one["mechanism"] in asked else "",
            "yes" if one["mechanism"] in answer["set"] else "no",
            text(one["name"]),
        ]
        for one in answer["mechanisms"]
    ]
    heads = ("mechanism", "probability", "by the network", "among those left", "name")
    return table("Mechanisms by probability", heads, rows)


def criteria(mechanisms: Sequence[Mapping[str, Any]]) -> str:
    """Compare mechanisms by what the runs say of each."""
    rows = [
        [
            text(one["mechanism"]),
            number(one["probability"], ".1%"),
            *(number(one[name], ".1f") for name in ("log_evidence", "aicc", "bic")),
            number(one["chi_squared"], ".2f"),
            {True: "yes", False: "no", None: ""}[one["explains"]],
        ]
        for one in mechanisms
        if one["log_evidence"] is not None
    ]
    heads = ("mechanism", "probability", "ln evidence", "AICc", "BIC", "χ²", "explains the runs")
    return table("Mechanisms by evidence", heads, rows)


def constants(caption: str, of: Mapping[str, Mapping[str, Any]], combined: Sequence = ()) -> str:
    """Lay out constants with intervals, units and verdicts, and what the verdicts mean."""
    rows = [
        [
            text(name),
            number(one["value"]),
            interval(one, one["verdict"]),
            text(one["unit"]),
            text(one["verdict"]),
        ]
        for name, one in of.items()
    ]
    rows += [
        [
            text(one["name"]),
            number(one["value"]),
            interval(one, "determined"),
            text(one["unit"]),
            "determined, its factors are not",
        ]
        for one in combined
    ]
    heads = ("quantity", "value", "95 % interval", "unit", "verdict")
    used = dict.fromkeys(one["verdict"] for one in of.values())
    meant = listed([f"{verdict}: {_VERDICTS[verdict]}" for verdict in used])
    return table(caption, heads, rows) + meant


def interval(one: Mapping[str, Any], verdict: str) -> str:
    """Write an interval as its verdict has it."""
    low, high = number(one["low"]), number(one["high"])
    if verdict == "bounded above":
        return f"below {high}"
    if verdict == "bounded below":
        return f"above {low}"
    if verdict == "fixed":
        return "fixed"
    return f"{low} to {high}" + (", of all tried" if verdict == "not determined" else "")


def noise(levels: Mapping[str, Mapping[str, float]], unit: str) -> str:
    """Say how much readings of each column scatter."""
    rows = [
        [text(name), number(one["relative"], ".2%"), number(one["absolute"], ".2g")]
        for name, one in levels.items()
    ]
    absolute = f"and at least, in {unit}" if unit else "and at least, in the file's unit"
    return table(
        "Noise of a reading, standard deviation", ("column", "of its value", absolute), rows
    )
