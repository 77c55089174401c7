"""The first picture of the book: runs in, probabilities out, and the run to do next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kinetlib.plot.look import FAINT, INK, PALETTE, STYLE, panels, series

_FEW = 6  # mechanisms whose bars are shown
_CURVES = 2  # mechanisms whose curves the next run is to tell apart


@mpl.rc_context(STYLE)
def overview(
    runs: xr.Dataset,
    probabilities: Mapping[str, float],
    members: Collection[str],
    advice: Mapping[str, Any],
    unit: str = "",
) -> Figure:
    """Draw a reaction's runs, what they say, and the run that is expected to say most.

    Parameters
    ----------
    runs : xarray.Dataset
        One sample of the runs schema, see `kinetlib.lab.read`.
    probabilities : mapping of str to float
        Of the mechanisms, the most probable first.
    members : collection of str
        The mechanisms of the 95 % set.
    advice : mapping
        What ``kinetlib design next --json`` prints of the run: ``next``, and ``curves`` by
        mechanism (2, T, 2), means and standard deviations, at ``curve_times`` (T,).
    unit : str
        Unit of time.
    """
    figure, (left, middle, right) = panels(1, 3, width=10.8, height=3.2)
    _runs(left, runs)
    left.set_title("Your runs")
    left.set(ylabel="product / S₀ of the standard run")
    _bars(middle, probabilities, members)
    middle.set_title("What they say")
    _next(right, advice)
    right.set_title("The run to do next")
    time = f"time / {unit}" if unit else "time"
    for ax in (left, right):
        ax.set_xlabel(time)
        ax.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def _runs(ax: Any, runs: xr.Dataset) -> None:
    for i, name in enumerate(runs["run"].values):
        run = runs.isel(run=i)
        ax.plot(run["time"], run["product"], label=str(name), **series(i))
    ax.legend(fontsize=7)


def _bars(ax: Any, probabilities: Mapping[str, float], members: Collection[str]) -> None:
    shown = list(probabilities)[:_FEW]
    for row, name in enumerate(shown):
        inside = name in members
        ax.barh(
            row,
            100 * probabilities[name],
            color=PALETTE[0] if inside else "white",
            edgecolor=PALETTE[0] if inside else FAINT,
            hatch="" if inside else "///",
        )
    ax.barh([np.nan], [np.nan], color=PALETTE[0], label="in the 95 % set")
    ax.barh([np.nan], [np.nan], color="white", edgecolor=FAINT, hatch="///", label="not in it")
    ax.set_yticks(range(len(shown)), shown, color=INK)
    ax.invert_yaxis()
    ax.set(xlabel="probability / %", xlim=(0, 100))
    ax.grid(visible=False, axis="y")
    ax.legend(fontsize=7, loc="lower right")


def _next(ax: Any, advice: Mapping[str, Any]) -> None:
    names = list(advice["curves"])[:_FEW]
    # Of all pairs, the one whose expected curves lie farthest apart.
    means, spreads = np.moveaxis([advice["curves"][name] for name in names], 1, 0)
    species = int(np.ptp(means, axis=0).max(0).argmax())
    curves = means[:, :, species]
    apart = np.abs(curves[:, None] - curves[None]).max(-1)
    pair = sorted(np.unravel_index(apart.argmax(), apart.shape))
    for place, i in enumerate(pair[:_CURVES]):
        style = series(place) | {"marker": ""}
        ax.plot(advice["curve_times"], curves[i], label=f"if {names[i]}", **style)
        ends = (curves[i] + sign * spreads[i, :, species] for sign in (-1, 1))
        ax.fill_between(advice["curve_times"], *ends, color=PALETTE[place], alpha=0.18, lw=0)
    for time in advice["next"]["times"]:
        ax.axvline(time, ymax=0.04, color=PALETTE[-1], linewidth=1.2, linestyle="-")
    ax.set(ylabel=f"{('substrate', 'product')[species]} / S₀ of the standard run")
    ax.legend(fontsize=7)
