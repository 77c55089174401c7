"""``kinetlib fit``: from a chemist's file and a mechanism to rate constants with intervals."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.inference import Comparison, Fit
    from kinetlib.inference.verdicts import Constant


def _pairs(context: click.Context, option: click.Option, values: tuple[str, ...]) -> dict[str, str]:
    """Read ``NAME=VALUE`` pairs, each name once."""
    found: dict[str, str] = {}
    for text in values:
        name, sign, value = (part.strip() for part in text.partition("="))
        if not sign or not name or not value:
            raise click.BadParameter(f"expected NAME=VALUE, got {text!r}")
        if name in found:
            raise click.BadParameter(f"{name} is given twice, expected once")
        found[name] = value
    return found


def _number(option: str, name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option} {name}={text}: expected a number") from None


def _numbers(
    context: click.Context, option: click.Option, values: tuple[str, ...]
) -> dict[str, float]:
    pairs = _pairs(context, option, values)
    return {name: _number(option.opts[0], name, text) for name, text in pairs.items()}


def _ranges(
    context: click.Context, option: click.Option, values: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    found = {}
    for name, text in _pairs(context, option, values).items():
        ends = text.split(":")
        if len(ends) != 2:
            raise click.BadParameter(f"expected {name}=LOW:HIGH, got {name}={text}")
        found[name] = tuple(_number(option.opts[0], name, end) for end in ends)
    return found


def _starts(
    context: click.Context, option: click.Option, values: tuple[str, ...]
) -> dict[str, float | tuple[float, float]]:
    ranges = tuple(text for text in values if ":" in text)
    single = tuple(text for text in values if ":" not in text)
    return _numbers(context, option, single) | _ranges(context, option, ranges)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--mechanism",
    "mechanisms",
    multiple=True,
    help="M1 to M20, reactions as text, or a file of your own. Repeatable.",
)
@click.option("--all", "catalogue", is_flag=True, help="Fit all mechanisms of the catalogue.")
@click.option("--substrate", help="Column of S; without it columns are the species they name.")
@click.option("--product", help="Column of P, if it was measured.")
@click.option("--catalyst", help="Column of cat; its first value counts.")
@click.option("--standard", help="Sheet of the run that the others are related to.")
@click.option(
    "--show",
    multiple=True,
    callback=_pairs,
    metavar="COLUMN=SUM",
    help="What a column shows, such as UV='A + 2 B'. Repeatable.",
)
@click.option(
    "--start",
    multiple=True,
    callback=_starts,
    metavar="SPECIES=VALUE",
    help="A start the file does not give, or LOW:HIGH to fit it. Repeatable.",
)
@click.option(
    "--start-error",
    multiple=True,
    callback=_numbers,
    metavar="SPECIES=SHARE",
    help="Relative error of starts, then fitted; all=0.02 for each. Repeatable.",
)
@click.option(
    "--fix",
    multiple=True,
    callback=_numbers,
    metavar="CONSTANT=VALUE",
    help="A known constant, in the file's units; 0 takes a step away. Repeatable.",
)
@click.option(
    "--tie",
    multiple=True,
    callback=_pairs,
    metavar="CONSTANT=OTHER",
    help="A constant that equals another, k3=k4 or k3=2*k4. Repeatable.",
)
@click.option(
    "--bounds",
    multiple=True,
    callback=_ranges,
    metavar="CONSTANT=LOW:HIGH",
    help="Lowest and highest value of a constant. Repeatable.",
)
@click.option(
    "--scale",
    multiple=True,
    metavar="COLUMN",
    help="A signal: its factor to concentration is fitted. Repeatable.",
)
@click.option("--shift", is_flag=True, help="Fit by how much the clock is late or early.")
@click.option("--seed", default=0, show_default=True, help="Of all draws.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def fit(
    file: str,
    mechanisms: tuple[str, ...],
    catalogue: bool,
    substrate: str | None,
    product: str | None,
    catalyst: str | None,
    standard: str | None,
    as_json: bool,
    **wishes: Any,
) -> None:
    """Estimate rate constants, with 95 % intervals, from the runs in FILE.

    FILE is a workbook with one sheet a run, or a CSV: first column time, then one column a species.
    The first row of a run is what was weighed in. Constants come in the file's units. Of several
    mechanisms the most probable comes first, with Akaike's and Schwarz's criteria beside.
    """
    from kinetlib import inference
    from kinetlib.kinetics import mechanisms as known

    names = [*(known.catalogue() if catalogue else ()), *mechanisms]
    if not names:
        raise ValueError("no mechanism: give --mechanism M1, your own, several, or --all")
    runs = _read(file, substrate, product, catalyst, standard)
    found = inference.compared(
        [inference.fit(runs, name, **wishes) for name in dict.fromkeys(names)]
    )
    if as_json:
        click.echo(json.dumps(answer(found)))
        return
    for remark in _remarks(found):
        click.echo(f"remark: {remark}", err=True)
    _show(found)


def _read(
    file: str,
    substrate: str | None,
    product: str | None,
    catalyst: str | None,
    standard: str | None,
) -> xr.Dataset:
    from kinetlib import lab

    if substrate is None and catalyst is None:
        for option, given in (("--product", product), ("--standard", standard)):
            if given is not None:
                raise ValueError(f"{option} {given}: expected --substrate and --catalyst, too")
        return lab.read_species(file)
    if substrate is None or catalyst is None:
        raise ValueError(
            "expected both --substrate and --catalyst, or neither where columns are named after "
            "the species of the mechanism"
        )
    return lab.read(file, substrate, product, catalyst, standard=standard)


def answer(found: Comparison) -> dict[str, Any]:
    """Put fits into plain values, the best first."""
    best = found.fits[0]
    return {
        "mechanisms": [
            {
                "mechanism": one.mechanism,
                "probability": probability,
                "log_evidence": _plain(one.log_evidence),
                "aicc": _plain(one.aicc),
                "bic": _plain(one.bic),
                "chi_squared": _plain(one.chi_squared),
                "explains": bool(one.explains),
                "constants": {name: _constant(c) for name, c in one.constants.items()},
            }
            for one, probability in zip(found.fits, found.probabilities, strict=True)
        ],
        "noise": {name: vars(level) for name, level in best.noise.items()},
        "runs": list(best.runs),
        "remarks": _remarks(found),
    }


def _constant(one: Constant) -> dict[str, Any]:
    return {
        "value": _plain(one.value),
        "low": _plain(one.low),
        "high": _plain(one.high),
        "unit": one.unit,
        "verdict": one.verdict,
    }


def _plain(value: float) -> float | None:
    """Return a number as JSON knows it: no infinity, no NaN."""
    return value if math.isfinite(value) else None


def _remarks(found: Comparison) -> list[str]:
    """Collect what is to be said beside the numbers, each once."""
    several = len(found.fits) > 1
    lines = [line for one in found.fits for line in one.remarks]
    for one in found.fits[: len(found.alike)]:
        lines.append(one.misfit.sentence(one.mechanism))
        if one.combinations:
            listed = " and ".join(
                f"{c.name} ({c.low:.3g} to {c.high:.3g} {c.unit})" for c in one.combinations
            )
            verb = "is" if len(one.combinations) == 1 else "are"
            lines.append(f"{one.mechanism}: {listed} {verb} determined, the factors alone are not.")
    return list(dict.fromkeys([*lines, *([found.sentence()] if several else [])]))


def _show(found: Comparison) -> None:
    """Print the mechanisms, if there are several, then the constants of those in question."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if len(found.fits) > 1:
        table = Table("mechanism", "probability", "ln evidence", "AICc", "BIC", "chi2", "explains")
        for one, probability in zip(found.fits, found.probabilities, strict=True):
            numbers = (one.log_evidence, one.aicc, one.bic)
            table.add_row(
                one.mechanism,
                f"{probability:.1%}",
                *(f"{number:.1f}" for number in numbers),
                f"{one.chi_squared:.2f}",
                "yes" if one.explains else "no",
            )
        console.print(table)
    for one in found.fits[: max(1, len(found.alike))]:
        console.print(_table(one))


def _table(one: Fit) -> Any:
    from rich.table import Table

    table = Table(title=f"{one.mechanism}: 95 % intervals", title_justify="left")
    for name in ("constant", "value", "interval", "unit", "verdict"):
        table.add_column(name)
    for name, constant in (one.constants | one.others).items():
        table.add_row(
            name, f"{constant.value:.3g}", constant.interval(), constant.unit, constant.verdict
        )
    for c in one.combinations:
        table.add_row(
            c.name, f"{c.value:.3g}", f"{c.low:.3g} to {c.high:.3g}", c.unit, "determined"
        )
    return table
