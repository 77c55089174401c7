"""``kinetlib discover``: from measured curves to reactions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _options

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.crnn import Discovery


def _formulas(
    context: click.Context, option: click.Option, values: tuple[str, ...]
) -> dict[str, str]:
    """Read ``species=formula`` pairs."""
    pairs = {}
    for text in values:
        name, sign, formula = text.rpartition("=")
        if not sign or not name.strip() or not formula.strip():
            raise click.BadParameter(f"expected SPECIES=FORMULA, got {text!r}")
        pairs[name.strip()] = formula.strip()
    return pairs


@click.command()
@_options.curves
@click.option("--reactions", default=6, show_default=True, help="Most reactions to look for.")
@click.option(
    "--max-order", default=2, show_default=True, help="Most molecules that react at once."
)
@click.option("--noise", type=float, help="Noise as a share of the value [default: estimated].")
@click.option(
    "--hidden",
    multiple=True,
    metavar="SPECIES[=START]",
    help="A species that is not measured, with its concentration at the start [default: 0]. "
    "Repeatable.",
)
@click.option("--no-catalysts", is_flag=True, help="Whatever reacts is used up.")
@click.option(
    "--formula",
    "formulas",
    multiple=True,
    metavar="SPECIES=FORMULA",
    callback=_formulas,
    help="What a species consists of; reactions then keep their atoms. Repeatable.",
)
@click.option(
    "--require",
    multiple=True,
    metavar="REACTION",
    help="One that is there, as 'A + B -> C'; with a known constant, 'A -> B (k = 0.3)'; of second "
    "order, '2 A -> A + B'. Repeatable.",
)
@click.option("--forbid", multiple=True, metavar="REACTION", help="One that is not. Repeatable.")
@click.option(
    "--catalyst", "catalysts", multiple=True, help="A species that stays as it is. Repeatable."
)
@click.option(
    "--constant",
    multiple=True,
    help="A species that is held or fed so that it stays as it is; no balance counts it. "
    "Repeatable.",
)
@click.option("--irreversible", is_flag=True, help="No reaction goes both ways.")
@click.option(
    "--mine",
    metavar="FILE_OR_TEXT",
    help="Reactions of your own, fitted beside: are they possible, and what is better?",
)
@click.option("--seconds", type=float, help="Time after which the best so far is printed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def discover(
    read: Callable[[], xr.Dataset],
    reactions: int,
    max_order: int,
    noise: float | None,
    hidden: tuple[str, ...],
    no_catalysts: bool,
    formulas: dict[str, str],
    require: tuple[str, ...],
    forbid: tuple[str, ...],
    catalysts: tuple[str, ...],
    constant: tuple[str, ...],
    irreversible: bool,
    mine: str | None,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Find reactions of mass action that explain the curves in FILE.

    FILE is a workbook or a text file with the times and the concentrations of all species, of one
    run or several. A column named temperature, in kelvin, makes the constants follow
    Arrhenius' law.
    """
    from kinetlib import crnn

    runs = read()
    warnings = _options.told(runs.attrs["remarks"])
    for text in hidden:
        runs = crnn.with_hidden(runs, *_hidden(text))
    with _told() as progress:
        found = crnn.discover(
            runs,
            reactions,
            max_order=max_order,
            catalysts=not no_catalysts,
            noise=noise,
            formulas=formulas,
            constraints=crnn.Constraints(require, forbid, catalysts, constant, irreversible),
            own=None if mine is None else _text(mine),
            seconds=seconds,
            progress=progress,
        )
    if as_json:
        click.echo(json.dumps({**_as_json(found), "warnings": warnings}))
    else:
        _echo(found)


def _hidden(text: str) -> tuple[str, float]:
    """Read the name of a hidden species, and its start if there is one."""
    name, sign, start = text.rpartition("=")
    if not sign:
        return text, 0.0
    try:
        return name.strip(), float(start)
    except ValueError:
        raise ValueError(f"--hidden: expected SPECIES or SPECIES=START, got {text!r}") from None


def _text(mine: str) -> str:
    """Return the text of a file, or the text itself."""
    if any(mark in mine for mark in (">", "→", "⇌", "⇄", "⟶")):
        return mine
    return Path(mine).read_text(encoding="utf-8")


@contextmanager
def _told() -> Iterator[Callable[[str], None] | None]:
    """Show on a terminal what is being done."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status("searching") as status:
        yield lambda words: status.update(f"searching: {words}")


def _echo(found: Discovery) -> None:
    """Print an answer, its doubts beside it."""
    if not found.decided:
        click.echo("Reactions that explain the curves; see the doubts below:")
    click.echo(found.text())
    click.echo(
        f"Noise: {found.noise:.1%} of the value{_background(found)}. "
        f"Loss: {found.loss:.4f} of the range, {found.noise_floor:.4f} by noise alone; "
        f"chi squared a value {found.chi_squared:.2f}. "
        f"{found.agreeing:.0%} of the starts ended here."
    )
    if found.sums:
        click.echo(f"The data keep: {'; '.join(found.sums)}.")
    for remark in found.remarks:
        click.echo(remark)
    for equations, worse in found.alternatives:
        click.echo(f"Nearly as good, by {worse:.1f}: {equations}")
    for doubt in found.doubts:
        click.echo(f"Doubt: {doubt}")
    if found.own is not None:
        click.echo(f"Your own reactions:\n{found.own.text}\n{found.own.verdict}")
    if not found.complete:
        click.echo("warning: not searched to the end; this is the best so far", err=True)


def _as_json(found: Discovery) -> dict[str, Any]:
    own = found.own
    return {
        "species": list(found.species),
        "orders": found.orders.tolist(),
        "stoichiometry": found.stoichiometry.tolist(),
        "rate_constants": found.rate_constants.tolist(),
        "standard_errors": found.standard_errors.tolist(),
        "noise": found.noise,
        "background": found.background.tolist(),
        "loss": found.loss,
        "noise_floor": found.noise_floor,
        "chi_squared": found.chi_squared,
        "agreeing": found.agreeing,
        "complete": found.complete,
        "alternatives": list(found.alternatives),
        "initial": found.initial.tolist(),
        "sums": list(found.sums),
        "remarks": list(found.remarks),
        "decided": found.decided,
        "doubts": list(found.doubts),
        "ties": list(found.ties),
        "own": None
        if own is None
        else {
            "reactions": own.text.splitlines(),
            "chi_squared": own.chi_squared,
            "worse": own.worse,
            "verdict": own.verdict,
        },
        **_arrhenius(found),
    }


def _background(found: Discovery) -> str:
    """Write what noise there is at any value."""
    pairs = zip(found.species, found.background, strict=True)
    sizes = ", ".join(f"{name} {size:.2g}" for name, size in pairs if size)
    return f", and at any value {sizes}" if sizes else ""


def _arrhenius(found: Discovery) -> dict[str, object]:
    if found.activation_energies is None:
        return {}
    return {
        "reference_temperature": found.reference_temperature,
        "activation_energies": found.activation_energies.tolist(),
        "activation_errors": found.activation_errors.tolist(),
    }
