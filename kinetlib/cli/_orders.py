"""``kinetlib orders``: from a chemist's file to reaction orders by two methods."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _fit, _written

if TYPE_CHECKING:
    from kinetlib.inference import Orders
    from kinetlib.inference.reaction_orders import Estimate


@click.command()
@_fit._options_of
@click.option(
    "--species",
    multiple=True,
    metavar="COLUMN",
    help="Tell its order [default: of all that are not formed]. Repeatable.",
)
@click.option(
    "--follow",
    metavar="COLUMN",
    help="Fit its course [default: the product, or what grows or is consumed most].",
)
@click.option("--figure", type=click.Path(dir_okay=False), help="Write a picture: .svg, .png, .pdf")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def orders(
    species: tuple[str, ...], follow: str | None, figure: str | None, as_json: bool, **how: Any
) -> None:
    """Tell reaction orders, with 95 % intervals, from the runs in FILE, which start differently.

    FILE is read as by `kinetlib fit`. Orders are told twice: by variable time normalisation (VTNA),
    with which all runs lie on one curve of any shape, and by a power law fitted to the courses,
    which gives the rate constant, too. Species that vary too little are named with the reason.
    """
    from kinetlib import inference

    _written.Wanted(figure=Path(figure) if figure else None).check()
    runs, _ = _fit._read(**how)
    found = inference.orders(runs, species, follow=follow)
    if figure:
        _draw(found, Path(figure))
    if as_json:
        click.echo(json.dumps(answer(found)))
        return
    for remark in found.remarks:
        click.echo(f"remark: {remark}", err=True)
    _show(found)


def answer(found: Orders) -> dict[str, Any]:
    """Put orders into plain values."""
    return {
        "orders": {
            name: {
                "vtna": _values(one.vtna),
                "power_law": _values(one.power_law),
                "verdict": one.verdict,
            }
            for name, one in found.orders.items()
        },
        "score": {name: _fit.plain(value) for name, value in vars(found.score).items()},
        "rate_constant": _values(found.rate_constant) | {"unit": found.rate_constant.unit},
        "noise": found.noise,
        "followed": found.followed,
        "runs": list(found.runs),
        "remarks": list(found.remarks),
    }


def _values(one: Estimate | None) -> dict[str, float | None]:
    if one is None:
        return dict.fromkeys(("value", "low", "high"))
    return {name: _fit.plain(getattr(one, name)) for name in ("value", "low", "high")}


def _show(found: Orders) -> None:
    """Print the orders, then the rate constant."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title="Reaction orders: 95 % intervals", title_justify="left")
    for name in ("species", "VTNA", "interval", "power law", "interval", "verdict"):
        table.add_column(name)
    for name, one in found.orders.items():
        table.add_row(name, *_cells(one.vtna), *_cells(one.power_law), one.verdict)
    console = Console()
    console.print(table)
    k = found.rate_constant
    console.print(f"k = {k.value:.3g} ({k.interval()}) {k.unit}, of the power law", highlight=False)


def _cells(one: Estimate | None) -> tuple[str, str]:
    return ("-", "") if one is None else (f"{one.value:.2f}", f"{one.low:.2f} to {one.high:.2f}")


def _draw(found: Orders, path: Path) -> None:
    """Draw the runs against the transformed time."""
    from kinetlib import plot
    from kinetlib.records import files

    data, over = found.courses, found.overlay
    runs = {
        name: (over.time[data.run == r], data.extent[data.run == r])
        for r, name in enumerate(found.runs)
    }
    powers = " ".join(f"[{name}]$^{{{order:.2f}}}$" for name, order in over.powers.items())
    verb = "formed" if data.products[data.followed] else "consumed"
    unit = f" / {data.concentration_unit}" if data.concentration_unit else ""
    figure = plot.overlay(
        runs,
        (over.time, over.curve),
        f"integral of {powers or '1'} over time, relative to its mean",
        f"{found.followed} {verb}{unit}",
    )
    with files.replacing(path) as beside:
        figure.savefig(beside, dpi=200, format=path.suffix[1:])
