"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import reduce, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.records import files

if TYPE_CHECKING:
    import xarray as xr

_RUNS = (
    click.argument("file", type=click.Path(exists=True, dir_okay=False)),
    click.option("--substrate", help="Column of the substrate, if it was measured."),
    click.option("--product", help="Column of the product, if it was measured."),
    click.option("--catalyst", help="Column of the catalyst; its first value counts."),
    click.option("--standard", help="Run that the others are related to."),
)
_MODEL = click.option(
    "--model", default="runset", show_default=True, help="Trained network to ask."
)

_JSON = (
    click.option(
        "--save",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Write what --json prints to this file, too.",
    ),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else."),
)


def _pairs(context: click.Context, option: click.Option, values: tuple[str, ...]) -> dict:
    """Read ``name=value`` pairs."""
    pairs: dict[str, str] = {}
    for text in values:
        name, sign, value = text.partition("=")
        if not sign or not name.strip():
            raise click.BadParameter(f"expected name=value, got {text!r}")
        pairs[name.strip()] = value.strip()
    return pairs


_FILE = (
    click.option(
        "--layout",
        type=click.Choice(["sheets", "side-by-side", "stacked", "run-column", "tidy"]),
        help="Where the runs stand in a sheet [default: whatever fits].",
    ),
    click.option("--header", type=int, metavar="ROW", help="Number of the row of names."),
    click.option("--time", help="Column of the times."),
    click.option(
        "--unit",
        "units",
        multiple=True,
        metavar="COLUMN=UNIT",
        callback=_pairs,
        help="Unit of a column, such as min, h:mm:ss, mM or %. Repeatable.",
    ),
    click.option("--ignore", multiple=True, metavar="COLUMN", help="It takes no part. Repeatable."),
    click.option("--leave-out", multiple=True, metavar="RUN", help="It is not read. Repeatable."),
    click.option(
        "--start",
        type=float,
        default=0.0,
        help="Time at which the reaction starts; earlier rows are left out [default: 0].",
    ),
)


def _roles(loading: str) -> tuple[Callable, ...]:
    return (
        click.option(
            "--reactant",
            "reactants",
            multiple=True,
            metavar="COLUMN|NAME=AMOUNT",
            help="A further reactant, measured or known from its start. Repeatable.",
        ),
        click.option(
            "--by-product", "by_products", multiple=True, metavar="COLUMN", help="Repeatable."
        ),
        click.option(
            "--observe",
            multiple=True,
            metavar="'COLUMN = A + B'",
            help="Species, or sum of species, that a column shows. Repeatable.",
        ),
        click.option("--keep-tail", is_flag=True, help="Read rows after a run is complete, too."),
        click.option("--conversion", help="Column of the substrate's conversion."),
        click.option(
            "--internal-standard", help="Column that concentrations are related to, row by row."
        ),
        click.option(
            "--substrate-0",
            multiple=True,
            metavar="[RUN=]AMOUNT",
            help="Initial substrate, where it is not measured: 0.2, or 100 for percent.",
        ),
        click.option("--product-0", multiple=True, metavar="[RUN=]AMOUNT", help="Initial product."),
        click.option(
            loading,
            "loading",
            multiple=True,
            metavar="[RUN=]AMOUNT",
            help="Catalyst, a share of the run's initial substrate, as 0.05 or '5 mol%', or with "
            "a unit of concentration.",
        ),
    )


profile = click.option(
    "--profile", default="laptop", show_default=True, help="Name, or path of a .yaml file."
)
overrides = click.option(
    "-p",
    "--parameter",
    "overrides",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_pairs,
    help="A value for this run instead of the profile's; a list is written a,b,c. Repeatable.",
)


def _with(options: tuple[Callable, ...], command: Callable) -> Callable:
    return reduce(lambda made, option: option(made), reversed(options), command)


def runs(command: Callable) -> Callable:
    """Give a command the file of a chemist's runs, what its columns are, and who reads them."""
    return _with((*_RUNS, _MODEL), command)


def reaction(loading: str = "--loading", *, model: bool = True) -> Callable:
    """Give a command ``read``, which reads the runs of one reaction and tells what was decided.

    Parameters
    ----------
    loading
        Name of the option that states loadings.
    model
        Whether the command asks a trained network.
    """

    def decorate(command: Callable) -> Callable:
        options = (*_RUNS, *((_MODEL,) if model else ()), *_roles(loading), *_FILE)
        names = {option.name for option in _made((*_RUNS, *_roles(loading), *_FILE))}

        @wraps(command)
        def reading(**given: Any) -> Any:
            how = {name: given.pop(name) for name in names}

            def read() -> xr.Dataset:
                from kinetlib import lab

                columns = [how.pop(name) for name in ("file", "substrate", "product", "catalyst")]
                said = {name: value for name, value in how.items() if _said(value)}
                try:
                    found = lab.read(*columns, **said)
                except ValueError as error:
                    raise ValueError(str(error).replace("--loading", loading)) from error
                for name in ("remarks", "warnings"):
                    text = found.attrs.get(name, "")
                    found.attrs[name] = text.replace("--loading", loading)
                return found

            return command(read=read, **given)

        return _with(options, reading)

    return decorate


def curves(command: Callable) -> Callable:
    """Give a command ``read``, which reads curves of all species."""
    names = {option.name for option in _made(_FILE)}

    @wraps(command)
    def reading(file: str, **given: Any) -> Any:
        how = {name: given.pop(name) for name in names}

        def read() -> xr.Dataset:
            from kinetlib import lab

            return lab.read_species(file, **{k: v for k, v in how.items() if _said(v)})

        return command(read=read, **given)

    return _with((_RUNS[0], *_FILE), reading)


def _said(value: Any) -> bool:
    return value not in (None, (), {}, 0.0)


def _made(options: tuple[Callable, ...]) -> list[click.Parameter]:
    """Return the parameters that decorators make."""

    def nothing() -> None:
        return None

    return _with(options, click.command()(nothing)).params


def json_answer(command: Callable) -> Callable:
    """Give a command the options of an answer for programs, see `given`."""
    return _with(_JSON, command)


def given(values: dict[str, Any], save: Path | None, as_json: bool) -> bool:
    """Write an answer to a file, print it as JSON, or neither; say whether it was printed."""
    text = json.dumps(values)
    if save:
        files.write_text(save, text + "\n")
    if as_json:
        click.echo(text)
    return as_json


def told(remarks: str) -> list[str]:
    """Print remarks, one sentence a line, on standard error, and return them."""
    lines = [line for line in remarks.splitlines() if line]
    for line in lines:
        click.echo(f"warning: {line}", err=True)
    return lines
