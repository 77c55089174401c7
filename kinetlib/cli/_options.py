"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import click

_RUNS = (
    click.argument("file", type=click.Path(exists=True, dir_okay=False)),
    click.option("--substrate", required=True, help="Column of the substrate."),
    click.option("--product", help="Column of the product, if it was measured."),
    click.option(
        "--catalyst", required=True, help="Column of the catalyst; its first value counts."
    ),
    click.option("--standard", help="Sheet of the run that the others are related to."),
    click.option("--model", default="runset", show_default=True, help="Trained network to ask."),
)


def _overrides(context: click.Context, option: click.Option, values: tuple[str, ...]) -> dict:
    """Read ``name=value`` pairs."""
    pairs: dict[str, str] = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise click.BadParameter(f"expected name=value, got {text!r}")
        pairs[name.strip()] = value.strip()
    return pairs


profile = click.option(
    "--profile", default="laptop", show_default=True, help="Name, or path of a .yaml file."
)
overrides = click.option(
    "-p",
    "--parameter",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_overrides,
    help="A value for this run instead of the profile's; a list is written a,b,c. Repeatable.",
)


def runs(command: Callable) -> Callable:
    """Give a command the file of a chemist's runs, what its columns are, and who reads them."""
    return reduce(lambda made, option: option(made), reversed(_RUNS), command)
