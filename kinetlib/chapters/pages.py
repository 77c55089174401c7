"""The page of the book that sets out the twenty mechanisms, written from the catalogue itself."""

from __future__ import annotations

from itertools import groupby

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism

_OPENING = """\
# Catalogue of mechanisms

The twenty mechanisms of {cite:t}`bures2023`, as declared in `kinetlib/catalogue.toml`; this page
is written from that file. S is the substrate, P the product, cat the catalyst. Each elementary
step follows the law of {term}`mass action`; the constants stand over and under its arrow. A
reference run starts with [S] = 1 and [cat] = 0.05, all other species at 0 unless said.

A set of rate constants is {term}`accepted <acceptance>` as an example of a mechanism if its
reference run ends between 50 and 100 % {term}`conversion` and shows the fingerprint given here.
Conversions in a fingerprint are relative to the final conversion of that run.
"""


def render() -> str:
    """Write the page.

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
