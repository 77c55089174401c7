"""Pages that the book writes itself: the catalogue of mechanisms, and the record of speed.

The first is written from the catalogue. The tables of the second are the record of ``make bench``,
which is committed (``data/benchmarks``), because a table of ratios is worth something only where
all of it was measured in one run on a machine that did nothing else.
"""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from itertools import groupby

import numpy as np

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism

DIAGRAM = "integrators.svg"
FRAGMENTS = ("speed_peers.md", "speed_steps.md", "speed_tolerances.md")

_OPENING = """\
# Catalogue of mechanisms

The twenty mechanisms of {cite:t}`bures2023`, as declared in `kinetlib/kinetics/catalogue.toml`;
this page is written from that file. S is the substrate, P the product, cat the catalyst. Each
elementary step follows the law of {term}`mass action`; the constants stand over and under its
arrow. A reference run starts with [S] = 1 and [cat] = 0.05, all other species at 0 unless said.

A set of rate constants is {term}`accepted <acceptance>` as an example of a mechanism if its
reference run ends between 50 and 100 % {term}`conversion` and shows the fingerprint given here.
Conversions in a fingerprint are relative to the final conversion of that run.
"""


def catalogue() -> str:
    """Write the page on the twenty mechanisms.

    Returns
    -------
    str
        MyST Markdown: one section a family, one subsection a mechanism.
    """
    parts = [_OPENING]
    for family, members in groupby(mechanisms.catalogue().values(), lambda m: m.family):
        parts.append(f"## {family.capitalize()}\n")
        parts += [_section(mechanism) for mechanism in members]
    return "\n".join(parts)


def _section(mechanism: Mechanism) -> str:
    """Scheme, equations, initial species and fingerprint of one mechanism."""
    label = mechanism.id.lower()
    return f"""\
({label})=
### {mechanism.id}: {mechanism.name}

{_aligned(mechanism.network.latex_reactions(), at=None)}

:::{{dropdown}} Rate equations
{_aligned(mechanism.network.latex_odes(), at=" = ")}
:::

- **Initially, beside S and cat:** {_others(mechanism)}
- **Fingerprint:** {_fingerprint(mechanism)}
"""


def _aligned(lines: list[str], at: str | None) -> str:
    """Lines of LaTeX as one display, aligned at a sign."""
    # Without the empty group MathJax draws an arrow at the end of a cell as wide as the column.
    rows = [
        f"&{line} {{}}" if at is None else line.replace(at, f" &{at.strip()} ", 1) for line in lines
    ]
    body = " \\\\\n".join(rows)
    return f"```{{math}}\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n```"


def _others(mechanism: Mechanism) -> str:
    """Say in words which other species are there at the start."""
    present = {name: value for name, value in mechanism.others.items() if value != 0}
    words = [
        f"{name} between {value[0]:g} and {value[1]:g}, drawn once a sample"
        if isinstance(value, tuple)
        else f"{name} = {value:g}"
        for name, value in present.items()
    ]
    return "; ".join(words) or "nothing"


def _fingerprint(mechanism: Mechanism) -> str:
    """Say the fingerprint in words; asterisks are the catalyst's, not Markdown's."""
    rules = [rule.in_words().replace("*", r"\*") for rule in mechanism.fingerprint]
    return "; ".join(rules) or "none beyond the final conversion"


def speed(folder: Traversable | None = None) -> dict[str, str]:
    """Write what the page ``book/speed.md`` includes.

    Parameters
    ----------
    folder
        Where ``integrators.json``, ``steps.json`` and ``tolerances.json`` lie; the committed ones
        by default.

    Returns
    -------
    dict
        MyST Markdown by name of file. The diagram is expected beside them, see `diagram`.
    """
    folder = folder or resources.files("kinetlib_data") / "benchmarks"
    peers, steps, tolerances = (
        json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("integrators", "steps", "tolerances")
    )
    beside = "\n".join([_diagram(peers), _peers(peers["rows"]), _told(peers)])
    return dict(zip(FRAGMENTS, (beside, _steps(steps), _tolerances(tolerances)), strict=True))


def diagram(folder: Traversable | None = None) -> bytes:
    """Return the work-precision diagram that goes beside the page."""
    folder = folder or resources.files("kinetlib_data") / "benchmarks"
    return (folder / DIAGRAM).read_bytes()


def _diagram(record: dict) -> str:
    n = next(row["trajectories"] for row in record["rows"])
    return f"""\
:::{{figure}} {DIAGRAM}
:alt: Time for a trajectory against its median error, both logarithmic, one curve a solver. \
The curve of kinetlib lies far below all others.

Work-precision diagram over {n} trajectories: median error against mean time, one point a
tolerance. Lower and further left is better.
:::
"""


def _peers(rows: list[dict]) -> str:
    lines = [
        "| solver | rtol | µs a trajectory | median error | worst | failed | time: equal rtol | "
        "equal error |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        equal = row["ratio_to_kinetlib_at_equal_error"]
        cells = [
            row["solver"],
            "its own" if row["rtol"] is None else f"$10^{{{np.log10(row['rtol']):.0f}}}$",
            f"{row['microseconds']:,.1f}",
            f"{row['median_error']:.0e}",
            f"{row['worst_error']:.0e}",
            f"{row['failed']} of {row['trajectories']}",
            f"{row['ratio_to_kinetlib_at_equal_tolerance']:,.2f}",
            "" if equal is None else f"{equal:,.2f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _told(record: dict) -> str:
    at = {row["solver"]: row for row in record["rows"] if row["rtol"] in (None, 1e-6)}
    ours = at["kinetlib, one core"]
    together = at["kinetlib, all cores"]["ratio_to_kinetlib_at_equal_tolerance"]
    return (
        "The last two columns are times relative to kinetlib on one core, at the same tolerance "
        "(the published recipe beside ours at $10^{-6}$) and where kinetlib makes the same median "
        "error; empty where no tolerance of ours gives as large an error. At a relative tolerance "
        f"of $10^{{-6}}$ ours takes {ours['microseconds']:.1f} µs a trajectory, "
        f"{ours['fastest']:.1f} to {ours['slowest']:.1f} by mechanism; all cores of the machine "
        f"together take {together:.2f} of one core's time. Measured on {record['processor']} at "
        f"commit `{record['commit'][:10]}`.\n"
    )


def _steps(record: dict) -> str:
    names = record["mechanisms"]
    lines = [
        f"| variant | {' | '.join(names)} | mean | steps |",
        "|---|" + "---|" * (len(names) + 2),
    ]
    for row in record["rows"]:
        spent, steps = row["microseconds"], row["steps"]
        cells = [f"{s:.1f}" for s in (*spent, sum(spent) / len(spent))]
        lines.append(f"| {row['variant']} | {' | '.join(cells)} | {sum(steps) / len(steps):.0f} |")
    return "\n".join(lines) + "\n\n" + _cores(record)


def _cores(record: dict) -> str:
    rates = record["scaling"].values()
    threads, apart, threads_fastest, apart_fastest = (
        sum(rate[key] for rate in rates) / len(rates)
        for key in ("threads", "processes", "threads_fastest", "processes_fastest")
    )
    return (
        f"With {record['cores']} cores one call gave {threads:.2f} times the trajectories a second "
        f"of one core, and as many processes that share nothing {apart:.2f} times (means over the "
        f"mechanisms of the medians of {record['rounds']} rounds): "
        f"{100 * threads / apart:.0f} % of what the machine had to give. By the fastest rounds, "
        f"which its other guests disturbed least, {threads_fastest:.2f} and {apart_fastest:.2f} "
        f"times: {100 * threads_fastest / apart_fastest:.0f} %. Measured on "
        f"{record['processor']} at commit `{record['commit'][:10]}`, in a run of its own.\n"
    )


def _tolerances(record: dict) -> str:
    lines = [
        "| starts | tolerances | µs a trajectory | to given | above $10^{-5}$ | median error | "
        "worst |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row['kind']} | {row['way']} | {row['microseconds']:.1f} | {row['ratio_to_given']:.2f} "
        f"| {row['above']:,} of {row['trajectories']:,} | {row['median_error']:.0e} "
        f"| {row['worst']:.0e} |"
        for row in record["rows"]
    ]
    where = f"Measured on {record['processor']} at commit `{record['commit'][:10]}`."
    return "\n".join([*lines, "", where, ""])
