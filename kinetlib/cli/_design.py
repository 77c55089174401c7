"""``kinetlib design``: which run is worth doing next."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _options, _written

if TYPE_CHECKING:
    import xarray as xr

    from kinetlib.experiments.next_run import Advice

_SHOWN = 8  # rows of the table of candidates


@click.group()
def design() -> None:
    """Choose experiments."""


@design.command("next")
@_options.reaction("--loading-done")
@click.option(
    "--loading",
    "loadings",
    type=(float, float),
    metavar="LOW HIGH",
    help="Loadings that are possible, relative to the standard run's substrate "
    "[default: half to twice those done].",
)
@click.option(
    "--initial-substrate",
    type=(float, float),
    metavar="LOW HIGH",
    help="Initial substrate that is possible, relative to the standard run's [default: 0.4 to 1].",
)
@click.option("--duration", type=float, help="Of the run, in the file's unit [default: longest].")
@click.option("--points", type=int, help="Samples after the start [default: as usual, at most 20].")
@click.option("--no-product-added", is_flag=True, help="Never start with product.")
@click.option("--noise", type=float, help="Relative noise [default: estimated from the runs].")
@click.option("--seed", default=0, show_default=True, help="Of all draws.")
@click.option("--figure", type=click.Path(dir_okay=False), help="Write a picture: .svg, .png, .pdf")
@_options.json_answer
def following(
    read: Callable[[], xr.Dataset],
    model: str,
    figure: str | None,
    save: Path | None,
    as_json: bool,
    seed: int,
    noise: float | None,
    **wishes: Any,
) -> None:
    """Advise the run that is expected to decide most about the mechanism.

    FILE holds the runs done so far, as for `kinetlib classify`. For each mechanism still in
    question rate constants that agree with them are drawn, and candidate runs simulated; a run is
    worth what it is expected to tell about the mechanism. Loadings and concentrations are relative
    to the initial substrate of the standard run.
    """
    _written.Wanted(figure=Path(figure) if figure else None).check()
    if noise is not None and not 0 < noise < 1:
        raise ValueError(f"--noise {noise:g}: expected a share above 0 and below 1, such as 0.02")
    runs = read()
    warnings = _options.told(runs.attrs.get("warnings", ""))
    advice, remarks = _advised(runs, model, noise, seed, wishes)
    answer = _answer(advice, runs.attrs | {"unit": runs["time"].attrs.get("units", "")})
    answer |= {"limits": remarks, "warnings": warnings, "model": model}
    if figure:
        _draw(advice, answer["unit"], Path(figure))
    if not _options.given(answer, save, as_json):
        _show(answer)


def _advised(
    runs: Any, model: str, noise: float | None, seed: int, wishes: dict[str, Any]
) -> tuple[Advice, list[str]]:
    """Ask the network, then for advice; tell on standard error what is being done."""
    from dataclasses import replace

    from numpy.random import default_rng
    from rich.console import Console

    from kinetlib.experiments import next_run
    from kinetlib.experiments.remarks import limits
    from kinetlib.records import quiet

    with quiet.native_logs():
        from kinetlib.fusion.classify import reader
    ask = reader(model)
    found = ask(runs).isel(sample=0)
    wanted = next_run.Wanted.like(runs)
    names = {"loadings": "loading", "initial_substrate": "substrate"}
    names |= {"duration": "duration", "points": "points"}
    given = {names[key]: value for key, value in wishes.items() if key in names and value}
    wanted = replace(wanted, **given)
    if wishes["no_product_added"]:
        wanted = replace(wanted, add_product=False)
    told = float(found["noise"]) if "noise" in found.coords else math.nan
    assumed = noise is None and not math.isfinite(told)
    if noise is None:
        noise = next_run.UNKNOWN_NOISE if assumed else told
    with Console(stderr=True).status("") as status:
        advised = next_run.advise(
            runs, found, wanted, ask, default_rng(seed), noise=noise, progress=status.update
        )
    return advised, limits(advised, wanted, noise, assumed=assumed)


def _answer(advised: Advice, about: dict[str, Any]) -> dict[str, Any]:
    """Put all that is known into plain values."""
    best = _run(advised, advised.best, about)
    order = sorted(
        range(len(advised.gains)), key=lambda i: advised.gains[i].information, reverse=True
    )
    probabilities = dict(zip(advised.mechanisms, map(float, advised.probabilities), strict=True))
    truth = dict(zip(advised.mechanisms, map(float, advised.gain.truth), strict=True))
    return {
        "next": {**best, "times": [float(t) for t in advised.times]},
        "unit": about["unit"],
        "probabilities": probabilities,
        "left_out": advised.left_out,
        "expected_probability_if_true": truth,
        "expected_probability_of_truth": float(advised.probabilities @ advised.gain.truth),
        "probability_of_truth_now": float(advised.probabilities @ advised.probabilities),
        "entropy": advised.entropy,
        "expected_entropy": advised.expected_entropy,
        "information": advised.gain.information,
        "information_by_bayes_rule": advised.ideal.information,
        "noise": advised.noise,
        "curve_times": advised.curve_times.tolist(),
        "curves": {name: curve.tolist() for name, curve in advised.curves.items()},
        "effective_draws": {name: drawn.effective for name, drawn in advised.draws.items()},
        "ranking": [
            {**_run(advised, i, about), "information": advised.gains[i].information} for i in order
        ],
    }


def _run(advised: Advice, i: int, about: dict[str, Any]) -> dict[str, float]:
    """Return initial concentrations of a candidate, relative and in the file's unit."""
    names = ("loading", "substrate_0", "product_0")
    values = {name: float(getattr(advised.candidates, name)[i]) for name in names}
    scale = about["standard_substrate_0"]
    return values | {f"{name}_in_file": value * scale for name, value in values.items()}


def _draw(advised: Advice, unit: str, path: Path) -> None:
    from kinetlib import plot
    from kinetlib.records import files

    with files.replacing(path) as beside:
        plot.next_run(advised, unit).savefig(beside, dpi=200, format=path.suffix[1:])


def _show(answer: dict[str, Any]) -> None:
    """Print the advised run, what is expected of it, the candidates, and the limits."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    best, unit = answer["next"], answer["unit"] or "the file's unit of time"
    console.print(
        f"[bold]Next run[/bold]: {_named(best)}; sample at "
        f"{', '.join(f'{t:.3g}' for t in best['times'])} ({unit})."
    )
    console.print(
        f"In the file's unit: catalyst {best['loading_in_file']:.3g}, substrate "
        f"{best['substrate_0_in_file']:.3g}, product {best['product_0_in_file']:.3g}."
    )
    console.print(
        f"It is expected to raise the probability of the true mechanism from "
        f"{answer['probability_of_truth_now']:.0%} to "
        f"{answer['expected_probability_of_truth']:.0%}, and to lower the entropy from "
        f"{answer['entropy']:.2f} to {answer['expected_entropy']:.2f} nat or less, as the network "
        "reads it."
    )
    table = Table("mechanism", "probability now", "after it, if true")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, value in answer["probabilities"].items():
        table.add_row(name, f"{value:.1%}", f"{answer['expected_probability_if_true'][name]:.1%}")
    console.print(table)
    ranking = Table("candidate, evenly sampled", "expected information / nat")
    ranking.columns[1].justify = "right"
    for entry in answer["ranking"][:_SHOWN]:
        ranking.add_row(_named(entry), f"{entry['information']:.3f}")
    last = answer["ranking"][-1]
    if len(answer["ranking"]) > _SHOWN:
        ranking.add_row(f"... worst of all: {_named(last)}", f"{last['information']:.3f}")
    console.print(ranking)
    for remark in answer["limits"]:
        console.print(f"- {remark}")


def _named(run: dict[str, float]) -> str:
    text = f"loading {run['loading']:.2%}, S0 {run['substrate_0']:.2g}"
    return text + (f", P0 {run['product_0']:.2g}" if run["product_0"] else "")
