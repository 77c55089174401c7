"""``kinetlib fit PROBLEM.yaml``: a problem in PEtab to its best fit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli._plain import plain

if TYPE_CHECKING:
    from kinetlib.petab import Solution


def is_problem(file: str) -> bool:
    """Tell whether a file is a problem in PEtab, by its name."""
    return Path(file).suffix.lower() in (".yaml", ".yml")


def fit(file: str, seed: int, as_json: bool, others: Mapping[str, Any]) -> None:
    """Fit a problem, and print what was found.

    Raises
    ------
    ValueError
        Any option that says what the problem says itself, and a problem that is not supported.
    """
    for name, value in others.items():
        if value not in (None, (), [], {}, False):
            raise ValueError(
                f"--{name.replace('_', '-')}: a problem in PEtab says all that is to be fitted; "
                "give --seed and --json only"
            )
    from kinetlib import petab

    found = petab.fit(file, seed=seed)
    if as_json:
        click.echo(json.dumps(answer(found)))
        return
    for remark in found.remarks:
        click.echo(f"remark: {remark}", err=True)
    _show(found)


def answer(found: Solution) -> dict[str, Any]:
    """Put a solution into plain values."""
    return {
        "problem": found.problem.name,
        "objective": found.objective,
        "objective_at_nominal_values": plain(found.nominal),
        "descents": len(found.ends),
        "descents_agreeing": found.agreeing,
        "measurements": found.problem.n_readings,
        "constants": {
            name: {
                "value": plain(one.value),
                "low": plain(one.low),
                "high": plain(one.high),
                "scale": one.scale,
                "verdict": one.verdict,
                "nominal": plain(one.nominal),
            }
            for name, one in found.parameters.items()
        },
        "remarks": list(found.remarks),
    }


def _show(found: Solution) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    console.print(
        f"Objective, minus ln of the likelihood: {found.objective:.4f} (at the nominal values "
        f"{found.nominal:.4f}); {found.agreeing} of {len(found.ends)} descents ended there."
    )
    table = Table(title=f"{found.problem.name}: 95 % intervals", title_justify="left")
    for name in ("parameter", "value", "interval", "verdict"):
        table.add_column(name)
    for name, one in found.parameters.items():
        fixed = one.verdict == "fixed"
        interval = "fixed" if fixed else f"{one.low:.3g} to {one.high:.3g}"
        table.add_row(name, f"{one.value:.3g}", interval, one.verdict)
    console.print(table)
