"""``kinetlib simulate``: from a mechanism to concentrations in time."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _written

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.kinetics import Mechanism

_MOST_PANELS = 12  # of a figure; more runs are left to their file


def _numbers(context: click.Context, option: click.Option, values: tuple[str, ...]) -> dict:
    """Read ``NAME=VALUE,...``; the last sign divides, as names may hold one."""
    pairs: dict[str, float | list[float]] = {}
    for text in values:
        name, sign, given = text.rpartition("=")
        name = name.strip().strip('"')
        if not sign or not name:
            raise click.BadParameter(f"expected NAME=VALUE, got {text!r}")
        if name in pairs:
            raise click.BadParameter(f"{name} is given twice")
        numbers = _floats(given)
        pairs[name] = numbers if len(numbers) > 1 else numbers[0]
    return pairs


def _floats(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise click.BadParameter(
            f"expected numbers such as 0.3 or 0.01,0.05, got {text.strip()!r}"
        ) from None


def _times(context: click.Context, option: click.Option, text: str | None) -> list[float] | None:
    return None if text is None else _floats(text)


@click.command()
@click.argument("mechanism")
@click.option("--name", help="Which mechanism of a TOML file that holds several.")
@click.option(
    "-k",
    "--constant",
    "constants",
    multiple=True,
    metavar="NAME=VALUE[,...]",
    callback=_numbers,
    help="A rate constant; several values make several runs. Repeatable.",
)
@click.option(
    "-s",
    "--start",
    "starts",
    multiple=True,
    metavar="NAME=VALUE[,...]",
    callback=_numbers,
    help="A concentration at time 0; several values make several runs. Repeatable.",
)
@click.option("--until", type=float, help="End of evenly spaced times from 0.")
@click.option("--points", type=click.IntRange(2), default=101, show_default=True, help="How many.")
@click.option("--times", callback=_times, help="Or the times themselves: 0,1,5,20.")
@click.option(
    "--output", type=click.Path(dir_okay=False), help="Write .csv or .nc [default: CSV, printed]."
)
@click.option("--figure", type=click.Path(dir_okay=False), help="Write a picture: .svg, .png, .pdf")
@click.option("--rtol", type=float, help="Relative tolerance of the integrator.")
@click.option("--atol", type=float, help="Absolute one [default: follows each species].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object and nothing else.")
def simulate(
    mechanism: str,
    name: str | None,
    constants: dict[str, Any],
    starts: dict[str, Any],
    until: float | None,
    points: int,
    times: list[float] | None,
    output: str | None,
    figure: str | None,
    rtol: float | None,
    atol: float | None,
    as_json: bool,
) -> None:
    r"""Simulate MECHANISM: a file, an id of the catalogue, or reactions as text.

    \b
    kinetlib simulate "A + B -> C (k1 = 0.3)" -s A=1 -s B=0.5 --until 20
    kinetlib simulate model.xml --until 100 --output run.csv --figure run.svg

    A file holds text, TOML, SBML or Antimony. What stands in it need not be given again. Times and
    concentrations are in the units of the rate constants.
    """
    import kinetlib

    _check_names(output, figure)
    chosen = kinetlib.mechanism(mechanism, name)
    asked = _asked(until, points, times)
    remarks = [*chosen.remarks, *_remarks(chosen, starts)]
    for remark in remarks:
        click.echo(f"note: {remark}", err=True)
    runs = kinetlib.simulate(chosen, constants, starts, asked, rtol=rtol, atol=atol)
    if "sample" not in runs.dims:
        runs = runs.expand_dims("sample")
    if output:
        _write(runs, Path(output))
    if figure:
        _draw(runs, Path(figure))
    if as_json:
        click.echo(json.dumps(_plain(runs, remarks)))
    elif not output:
        click.echo(_csv(runs), nl=False)
    _tell_failures(runs)


def _check_names(output: str | None, figure: str | None) -> None:
    """Refuse names of files before anything is computed."""
    if output and Path(output).suffix not in (".csv", ".nc"):
        raise ValueError(f"--output {output}: expected a name that ends in .csv or .nc")
    _written.Wanted(figure=Path(figure) if figure else None).check()


def _asked(until: float | None, points: int, times: list[float] | None) -> list[float]:
    if (until is None) == (times is None):
        raise ValueError("give one of --until END and --times LIST")
    if times is not None:
        return times
    if not 0 < until < math.inf:
        raise ValueError(f"--until {until}: expected a time above 0")
    return [until * i / (points - 1) for i in range(points)]


def _remarks(chosen: Mechanism, starts: dict[str, Any]) -> list[str]:
    """Say which concentrations were not given, and refuse where nothing would be there."""
    network, usual = chosen.network, chosen.default_initial
    if chosen.start is None:
        taken = [f"{s} = {value:g}" for s, value in usual.items() if s not in starts]
        return [f"as in the catalogue at the start: {', '.join(taken)}"] if taken else []
    given = usual | starts
    absent = [species for species in network.species if species not in given]
    source = any(not reaction.reactants for reaction in network.reactions)
    if not source and not any(_largest(value) != 0 for value in given.values()):
        raise ValueError(
            f"nothing is there at the start: give concentrations, -s {network.species[0]}=1, for "
            f"some of {', '.join(network.species)}"
        )
    return [f"not given, 0 at the start: {', '.join(absent)}"] if absent else []


def _largest(value: float | list[float]) -> float:
    return max(value) if isinstance(value, list) else value


def _csv(runs: xr.Dataset) -> str:
    """Write time and one column a species; where there are several runs, their number first."""
    several = runs.sizes["sample"] > 1
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*(["run"] if several else []), "time", *runs.species.values])
    for number, run in enumerate(runs.concentration.values, start=1):
        for time, row in zip(runs.time.values, run, strict=True):
            values = [repr(float(value)) for value in (time, *row)]
            writer.writerow([*([number] if several else []), *values])
    return text.getvalue()


def _write(runs: xr.Dataset, path: Path) -> None:
    from kinetlib.records.files import replacing, write_text

    if path.suffix == ".csv":
        write_text(path, _csv(runs))
        return
    with replacing(path) as beside:
        runs.to_netcdf(beside)


def _draw(runs: xr.Dataset, path: Path) -> None:
    from kinetlib import plot
    from kinetlib.records.files import replacing

    shown = runs.isel(sample=slice(_MOST_PANELS))
    if shown.sizes["sample"] < runs.sizes["sample"]:
        click.echo(f"note: the figure shows the first {_MOST_PANELS} runs", err=True)
    with replacing(path) as beside:
        plot.species_curves(shown).savefig(beside, dpi=200, format=path.suffix[1:])


def _plain(runs: xr.Dataset, remarks: list[str]) -> dict[str, Any]:
    values = runs.concentration.values
    return {
        "mechanism": runs.attrs["mechanism"],
        "species": list(map(str, runs.species.values)),
        "time": runs.time.values.tolist(),
        "concentration": [
            [[value if math.isfinite(value) else None for value in row] for row in run]
            for run in values.tolist()
        ],
        "status": runs.status.values.tolist(),
        "remarks": remarks,
    }


def _tell_failures(runs: xr.Dataset) -> None:
    """End with exit code 1 where a run failed; what it reached is written."""
    from kinetlib.kinetics import Status

    failed = [(i, Status(int(s))) for i, s in enumerate(runs.status.values, start=1) if s]
    for number, status in failed:
        words = status.name.lower().replace("_", " ")
        click.echo(f"error: run {number} ended early: {words}; the rest is nan", err=True)
    if failed:
        raise click.exceptions.Exit(1)
