"""``kinetlib discover``: from measured curves to reactions."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from kinetlib.cli import _options

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.crnn import Discovery


@click.command()
@_options.curves
@click.option("--reactions", default=6, show_default=True, help="Most reactions to look for.")
@click.option(
    "--max-order", default=2, show_default=True, help="Most molecules that react at once."
)
@click.option("--noise", type=float, help="Noise as a share of the value [default: estimated].")
@click.option("--hidden", help="A species that is not measured, and not there at the start.")
@click.option("--no-catalysts", is_flag=True, help="Whatever reacts is used up.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def discover(
    read: Callable[[], xr.Dataset],
    reactions: int,
    max_order: int,
    noise: float | None,
    hidden: str | None,
    no_catalysts: bool,
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
    if hidden is not None:
        runs = crnn.with_hidden(runs, hidden)
    found = crnn.discover(
        runs,
        reactions,
        max_order=max_order,
        catalysts=not no_catalysts,
        noise=noise,
    )
    if as_json:
        click.echo(
            json.dumps(
                {
                    "species": list(found.names or found.species),
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
                    "alternatives": list(found.alternatives),
                    **_arrhenius(found),
                    "warnings": warnings,
                }
            )
        )
        return
    click.echo(found.text())
    click.echo(
        f"Noise: {found.noise:.1%} of the value{_background(found)}. "
        f"Loss: {found.loss:.4f} of the range, {found.noise_floor:.4f} by noise alone; "
        f"chi squared a value {found.chi_squared:.2f}. "
        f"{found.agreeing:.0%} of the starts ended here."
    )
    for equations, worse in found.alternatives:
        click.echo(f"Nearly as good, by {worse:.1f}: {equations}")
    if not found.complete:
        click.echo("warning: interrupted; this is the best so far", err=True)
    if found.chi_squared > POOR:
        click.echo(
            "warning: these reactions do not explain the curves: something that is not measured "
            "takes part, or the law is not mass action of this order",
            err=True,
        )


def _background(found: Discovery) -> str:
    """Write what noise there is at any value."""
    pairs = zip(found.names or found.species, found.background, strict=True)
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


#: Sum of squared residuals a value above which a fit is called poor; noise alone gives about 1.
POOR = 2.0
