"""``kinetlib classify``: from a chemist's file to probabilities of mechanisms."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    import xarray as xr


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option("--substrate", required=True, help="Column of the substrate.")
@click.option("--product", help="Column of the product.")
@click.option("--catalyst", required=True, help="Column of the catalyst; its first value counts.")
@click.option(
    "--product-from-substrate",
    is_flag=True,
    help="Product was not measured: take it to be what the substrate lost.",
)
@click.option("--standard", help="Sheet of the run that the others are related to.")
@click.option("--model", default="hadamard", show_default=True, help="Trained network to ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def classify(
    file: str,
    substrate: str,
    product: str | None,
    catalyst: str,
    product_from_substrate: bool,
    standard: str | None,
    model: str,
    as_json: bool,
) -> None:
    """Tell which mechanisms fit the runs in FILE.

    FILE is a workbook with one sheet a run, or a CSV: first column time, then one column a species.
    """
    from kinetlib import lab

    if product is None and not product_from_substrate:
        raise click.UsageError("give --product NAME, or --product-from-substrate")
    runs = lab.read(
        file,
        substrate,
        product,
        catalyst,
        product_from_substrate=product_from_substrate,
        standard=standard,
    )
    answer = {
        "probabilities": _probabilities(runs, model),
        "model": model,
        "runs": [str(name) for name in runs["run"].values],
        "warnings": [line for line in runs.attrs.get("warnings", "").splitlines() if line],
    }
    for warning in answer["warnings"]:
        click.echo(f"warning: {warning}", err=True)
    if as_json:
        click.echo(json.dumps(answer))
    else:
        _show(answer["probabilities"])


def _probabilities(runs: xr.Dataset, model: str) -> dict[str, float]:
    """Ask the network, with TensorFlow's own log lines kept off the terminal."""
    from kinetlib import quiet

    with quiet.native_logs():
        from kinetlib.classification import classify as ask
    answer = ask(runs, model=model).isel(sample=0)
    return {
        str(mechanism): float(probability)
        for mechanism, probability in zip(answer["mechanism"].values, answer.values, strict=True)
    }


def _show(probabilities: dict[str, float]) -> None:
    """Print a table of the mechanisms, the most probable first."""
    from rich.console import Console
    from rich.table import Table

    from kinetlib import mechanisms

    table = Table("mechanism", "probability", "name", "family")
    table.columns[1].justify = "right"
    for identifier, probability in sorted(probabilities.items(), key=lambda item: -item[1]):
        mechanism = mechanisms.get(identifier)
        table.add_row(identifier, f"{probability:.1%}", mechanism.name, mechanism.family)
    Console().print(table)
