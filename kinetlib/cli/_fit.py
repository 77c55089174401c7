"""``kinetlib fit``: from a chemist's file and a mechanism to rate constants with intervals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _options, _petab, _written
from kinetlib.cli._plain import plain

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.inference import Comparison, Fit
    from kinetlib.inference.verdicts import Combination, Constant

_FOR_SPECIES = ("ignore", "leave_out", "layout", "header", "time", "units", "start")


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


def _options_of(command: Callable) -> Callable:
    """Give a command what says how the file is to be read."""
    from_file = (*_options._RUNS, *_options._roles("--loading"), *_options._FILE)
    return _options._with(from_file, command)


@click.command()
@_options_of
@click.option(
    "--mechanism",
    "mechanisms",
    multiple=True,
    help="M1 to M20, reactions as text, or a file of your own. Repeatable.",
)
@click.option("--all", "catalogue", is_flag=True, help="Fit all mechanisms of the catalogue.")
@click.option(
    "--initial",
    multiple=True,
    callback=_starts,
    metavar="SPECIES=VALUE",
    help="A start the file does not give, or LOW:HIGH to fit it. Repeatable.",
)
@click.option(
    "--initial-error",
    multiple=True,
    callback=_numbers,
    metavar="SPECIES=SHARE",
    help="Relative error of starts, which are then fitted; all=0.02 for each. Repeatable.",
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
@_written.options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def fit(
    mechanisms: tuple[str, ...],
    catalogue: bool,
    fix: dict[str, float],
    tie: dict[str, str],
    bounds: dict[str, tuple[float, float]],
    initial: dict[str, float | tuple[float, float]],
    initial_error: dict[str, float],
    scale: tuple[str, ...],
    shift: bool,
    seed: int,
    as_json: bool,
    wanted: _written.Wanted,
    **how: Any,
) -> None:
    """Estimate rate constants, with 95 % intervals, from the runs in FILE.

    FILE is a workbook or a text file with the times and concentrations of one run or several; the
    first row of a run is what was weighed in. Columns are the species they are called, or S, P and
    cat where --substrate, --product and --catalyst name them. Constants come in the file's units.
    Of several mechanisms the most probable comes first, Akaike's and Schwarz's criteria beside it.

    A problem in PEtab, FILE.yaml, says by itself what is to be fitted; then the objective at the
    optimum, the negative logarithm of the likelihood, is printed beside the constants.
    """
    from kinetlib import inference
    from kinetlib.kinetics import mechanisms as known

    wishes = {
        "fix": fix,
        "tie": tie,
        "bounds": bounds,
        "initial": initial,
        "initial_error": initial_error,
        "scale": scale,
        "shift": shift,
    }
    names = [*(known.catalogue() if catalogue else ()), *mechanisms]
    if _petab.is_problem(how["file"]):
        others = wishes | vars(wanted) | how | {"mechanism": names, "file": None}
        _petab.fit(how["file"], seed, as_json, others)
        return
    if not names:
        raise ValueError("no mechanism: give --mechanism M1, your own, several, or --all")
    if wanted.petab and shift:
        raise ValueError("--petab: PEtab has no clock that is late or early; leave out --shift")
    runs, observe = _read(**how)
    found = inference.compared(
        [
            inference.fit(runs, name, observe=observe, seed=seed, **wishes)
            for name in dict.fromkeys(names)
        ]
    )
    said = answer(found)
    said["remarks"] += _written.write(wanted, found, said, title=f"Fit of {Path(how['file']).name}")
    if as_json:
        click.echo(json.dumps(said))
        return
    for remark in said["remarks"]:
        click.echo(f"remark: {remark}", err=True)
    _show(found)


def _read(file: str, **how: Any) -> tuple[xr.Dataset, dict[str, str]]:
    """Read runs by roles, or curves of all species where no role is given."""
    from kinetlib import lab
    from kinetlib.lab.columns import observables

    given = {name: value for name, value in how.items() if value not in (None, (), {}, 0.0)}
    if given.keys() & {"substrate", "product", "conversion"}:
        roles = [given.pop(role, None) for role in ("substrate", "product", "catalyst")]
        return lab.read(file, *roles, **given), {}
    observe = observables(given.pop("observe", ()))
    said = {name: given.pop(name) for name in list(given) if name not in _FOR_SPECIES}
    for name in said:
        raise ValueError(
            f"--{name.rstrip('s').replace('_', '-')}: expected --substrate or --product beside it; "
            "without them each column is the species that it is called"
        )
    return lab.read_species(file, **given), observe


def answer(found: Comparison) -> dict[str, Any]:
    """Put fits into plain values, the best first."""
    best = found.fits[0]
    return {
        "mechanisms": [
            {
                "mechanism": one.mechanism,
                "probability": probability,
                "log_evidence": plain(one.log_evidence),
                "aicc": plain(one.aicc),
                "bic": plain(one.bic),
                "chi_squared": plain(one.chi_squared),
                "explains": bool(one.explains),
                **estimates(one),
            }
            for one, probability in zip(found.fits, found.probabilities, strict=True)
        ],
        "noise": {name: vars(level) for name, level in best.noise.items()},
        "runs": list(best.runs),
        "remarks": _remarks(found),
    }


def estimates(one: Fit) -> dict[str, Any]:
    """Put all that was fitted of a mechanism into plain values."""
    return {
        "constants": {name: constant_values(c) for name, c in one.constants.items()},
        "others": {name: constant_values(c) for name, c in one.others.items()},
        "combinations": [_combination_values(c) for c in one.combinations],
        "reactions": str(one.traces.network).splitlines(),
    }


def constant_values(one: Constant) -> dict[str, Any]:
    """Put a constant and its interval into plain values."""
    return {
        "value": plain(one.value),
        "low": plain(one.low),
        "high": plain(one.high),
        "unit": one.unit,
        "verdict": one.verdict,
    }


def _combination_values(one: Combination) -> dict[str, Any]:
    return {
        "name": one.name,
        "value": plain(one.value),
        "low": plain(one.low),
        "high": plain(one.high),
        "unit": one.unit,
    }


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
        console.print(constants_table(one))


def constants_table(one: Fit) -> Any:
    """Lay out what was fitted."""
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
