"""Options that several commands share."""

from __future__ import annotations

import click


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
