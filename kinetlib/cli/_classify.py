"""``kinetlib classify``: from a chemist's file to probabilities of mechanisms."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _options, _written

if TYPE_CHECKING:
    import xarray as xr


@click.command()
@_options.reaction()
@click.option("--quick", is_flag=True, help="Ask the network alone: an answer in a second.")
@click.option(
    "--open",
    "catalogue_is",
    flag_value="open",
    help="Weigh mechanisms composed of several steps, too, whatever the twenty explain.",
)
@click.option("--closed", "catalogue_is", flag_value="closed", help="Weigh the twenty only.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Answer by then.")
@click.option("--seed", default=0, show_default=True, help="Of all draws.")
@_written.report_option
@_options.json_answer
def classify(
    read: Callable[[], xr.Dataset],
    model: str,
    quick: bool,
    catalogue_is: str | None,
    seconds: float | None,
    seed: int,
    save: Path | None,
    as_json: bool,
    wanted: _written.Wanted,
) -> None:
    """Tell which mechanisms explain the runs in FILE.

    FILE is a workbook or a text file with the times and concentrations of one run or several. The
    network proposes within a second; then the evidence of every mechanism is weighed with all that
    was measured, which takes up to a minute, and up to four more where none of the twenty explains
    the runs and composed ones are tried. Ctrl-C ends the weighing with what is known by then.
    """
    if quick and wanted.report:
        raise ValueError("--report: it is of the evidence; leave out --quick")
    runs = read()
    if quick:
        _quick(runs, model, save, as_json)
        return
    from kinetlib import answers
    from kinetlib.cli import _answer

    if not as_json:
        _propose(runs, model)
    with answers.interruptible(_stopping) as ending:
        try:
            with _answer.progress() as told:
                found = answers.answer(
                    runs,
                    model=model,
                    catalogue_is=catalogue_is or "auto",
                    seed=seed,
                    progress=told,
                    seconds=seconds,
                    ending=ending,
                )
        except answers.NothingWeighed as nothing:
            said = "stopped before any evidence was there" if ending.asked else str(nothing)
            unwritten = " No report is written." if wanted.report else ""
            _quick(runs, model, save, as_json, f"The network alone is asked: {said}.{unwritten}")
            return
    values = _answer.values(found)
    if wanted.report:
        left_out = _written.write_answer(
            wanted.report, found, values, title="Mechanisms that explain the runs"
        )
        values["remarks"] += [left_out] if left_out else []
    if _options.given({"model": model, **values}, save, as_json):
        return
    _answer.tell(values["remarks"])
    _answer.show(found)


def _stopping() -> None:
    click.echo("Stopping with what is known so far; Ctrl-C once more leaves at once.", err=True)


def _propose(runs: xr.Dataset, model: str) -> None:
    """Say in a line what the network makes of the runs, before the weighing begins."""
    try:
        asked = _asked(runs, model)
    except ValueError:
        return  # the answer says why
    name, probability = max(asked["probabilities"].items(), key=lambda item: item[1])
    click.echo(f"The network proposes {name} ({probability:.0%}); weighing the evidence.", err=True)


def _quick(runs: xr.Dataset, model: str, save: Path | None, as_json: bool, why: str = "") -> None:
    """Answer by the network alone, and say why where more was asked for."""
    asked = _asked(runs, model)
    names = [str(name) for name in runs["run"].values]
    aside = _aside(runs)
    remarks = [why, runs.attrs.get("warnings", "")]
    if aside:
        remarks.append(
            f"The network reads {len(names) - len(aside)} of {len(names)} runs; it leaves aside "
            f"{', '.join(aside)}."
        )
    answer = {
        **asked,
        "model": model,
        "runs": names,
        "runs_left_aside": aside,
        "warnings": _options.told("\n".join(remarks)),
    }
    if not _options.given(answer, save, as_json):
        _show(answer)


def _aside(runs: xr.Dataset) -> list[str]:
    """Name the runs that the network was not shown."""
    from kinetlib.runs.runs import read_at_once

    if "loading" not in runs:
        return []
    return [str(name) for name in runs["run"].values[~read_at_once(runs)]]


def _asked(runs: xr.Dataset, model: str) -> dict[str, Any]:
    """Ask the network, with TensorFlow's own log lines kept off the terminal."""
    from kinetlib.records import quiet

    with quiet.native_logs():
        from kinetlib.fusion.classify import classify as ask
    found = ask(runs, model=model).isel(sample=0)
    names = [str(name) for name in found["mechanism"].values]
    answer: dict[str, Any] = {
        "probabilities": dict(zip(names, map(float, found.values), strict=True))
    }
    if "in_set" in found.coords:
        noise = float(found["noise"])
        answer["set"] = [
            name for name, member in zip(names, found["in_set"].values, strict=True) if member
        ]
        answer["noise"] = noise if math.isfinite(noise) else None
        answer["strangeness"] = float(found["strangeness"])
    return answer


def _show(answer: dict[str, Any]) -> None:
    """Print a table of the mechanisms, the most probable first, and what else is known."""
    from rich.console import Console
    from rich.table import Table

    from kinetlib.kinetics import mechanisms

    table = Table("mechanism", "probability", "in 95 % set", "name", "family")
    table.columns[1].justify = "right"
    for identifier, probability in sorted(answer["probabilities"].items(), key=lambda i: -i[1]):
        mechanism = mechanisms.get(identifier)
        member = "" if "set" not in answer else "yes" if identifier in answer["set"] else "no"
        table.add_row(identifier, f"{probability:.1%}", member, mechanism.name, mechanism.family)
    console = Console()
    console.print(table)
    if "set" in answer:
        noise = "not told by these runs" if answer["noise"] is None else f"{answer['noise']:.1%}"
        console.print(
            f"Noise: {noise}. Strangeness: {answer['strangeness']:.0%} of known reactions look "
            "more like what the network was trained on; above 95 %, do not believe the table."
        )
