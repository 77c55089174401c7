"""Figures of a fit, for a file of their own and for a report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kinetlib.inference import Fit
    from kinetlib.plot import FittedRun

_MOST_RUNS = 12  # in one figure; a report has a figure for each
_MOST_OF_A_REPORT = 30


def figure(one: Fit, path: Path) -> str:
    """Write the runs with what was fitted to them; return what is to be said of it."""
    from kinetlib import plot
    from kinetlib.records import files

    runs = _runs(one)
    drawn = plot.fitted_runs(runs[:_MOST_RUNS], one.data.columns, **_units(one))
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as beside:
        drawn.savefig(beside, dpi=200, format=path.suffix[1:])
    return _left_out(len(runs), _MOST_RUNS, "figure")


def runs_as_svg(one: Fit) -> tuple[list[tuple[str, str]], str]:
    """Draw each run; return figures with what stands below them, and what was left out."""
    from kinetlib import plot

    runs = _runs(one)
    found = []
    for number, run in enumerate(runs[:_MOST_OF_A_REPORT]):
        drawn = plot.fitted_runs([run], one.data.columns, **_units(one))
        inside = _inside(run)
        alt = f"{run.name}: readings of {', '.join(one.data.columns)} against time. {inside}"
        found.append((plot.as_svg(drawn, name=f"run{number}", alt=alt), inside))
    return found, _left_out(len(runs), _MOST_OF_A_REPORT, "report")


def profiles_as_svg(one: Fit) -> list[tuple[str, str]]:
    """Draw the profile of each constant that was free, and of what else was fitted."""
    from kinetlib import plot

    found = []
    for number, (name, unit, at, deviance, best) in enumerate(_profiles(one)):
        drawn = plot.profile(
            at,
            deviance,
            2 * one.traces.drop,
            best=best,
            label=f"{name} / {unit}" if unit else name,
            logarithmic=bool(at[0] > 0),
        )
        said = f"Profile of {name}."
        alt = (
            f"{said} Minus twice the logarithm of the likelihood, less its least, from {at[0]:.2g} "
            f"to {at[-1]:.2g}, least at {best:.3g}; the 95 % interval lies below the dashed line."
        )
        found.append((plot.as_svg(drawn, name=f"profile{number}", alt=alt), said))
    return found


def _runs(one: Fit) -> list[FittedRun]:
    from kinetlib.plot import FittedRun

    data, course = one.data, one.course()
    return [
        FittedRun(
            name,
            data.time[at],
            data.values[at],
            course.residuals[at],
            course.time[at],
            course.best[at],
            course.low[at],
            course.high[at],
        )
        for at, name in enumerate(data.runs)
    ]


def _units(one: Fit) -> dict[str, str]:
    data = one.data
    return {"time_unit": data.time_unit, "concentration_unit": data.concentration_unit}


def _left_out(n: int, most: int, where: str) -> str:
    return f"the {where} shows the first {most} of {n} runs" if n > most else ""


def _inside(run: FittedRun) -> str:
    """Say how many readings lie in the band."""
    known = np.isfinite(run.measured)
    inside = 0
    for j, at in enumerate(known.T):
        low, high = (np.interp(run.time[at], run.fine, end[:, j]) for end in (run.low, run.high))
        inside += int(((run.measured[at, j] >= low) & (run.measured[at, j] <= high)).sum())
    return f"{inside} of {int(known.sum())} readings lie in the band."


def _profiles(one: Fit) -> Iterator[tuple[str, str, np.ndarray, np.ndarray, float]]:
    """Yield name, unit, values, deviance and best value of what was followed, in file's units."""
    layout, traces = one.traces.layout, one.traces
    named = one.constants | one.others
    for at, (name, profile) in enumerate(zip(layout.names, traces.profiles, strict=True)):
        if name not in named or len(profile.at) < 3:
            continue
        # In every coordinate but the shift a profile is laid along a logarithm.
        moved = profile.at - traces.best[at]
        best = named[name].best
        values = best * np.exp(moved) if at != layout.shift else best + moved * layout.units[0]
        deviance = 2 * (profile.log_likelihood.max() - profile.log_likelihood)
        yield name, named[name].unit, values, deviance, best
