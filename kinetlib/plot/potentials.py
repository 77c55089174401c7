"""Figures about training sets of potentials: errors against size, goals, label-free measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike

from kinetlib.plot.look import DASHES, FAINT, MARKERS, PALETTE, STYLE, panels

_VERDICTS = {"reached": PALETTE[2], "not decided": PALETTE[4], "missed": PALETTE[1]}


@mpl.rc_context(STYLE)
def errors_by_size(
    tests: Mapping[str, Mapping[str, Sequence]], sizes: Sequence[int], ylabel: str
) -> Figure:
    """Draw errors against the size of the training set, a panel a test, both axes logarithmic.

    Parameters
    ----------
    tests : mapping of str to mapping of str to sequence
        For each test, by selector, a value with lower and upper end for each size, or None.
    sizes : sequence of int
        Sizes of the training sets.
    ylabel : str
        The error, with unit.

    Returns
    -------
    matplotlib.figure.Figure
        Up to five panels, the legend in the place of the sixth.
    """
    figure, axes = panels(2, 3, height=4.8, sharex=True)
    for axis, (test, selectors) in zip(axes.flat, tests.items(), strict=False):
        for i, (name, values) in enumerate(selectors.items()):
            _with_band(axis, sizes, values, i, name)
        axis.set(xscale="log", yscale="log")
        axis.text(0.97, 0.95, test, transform=axis.transAxes, ha="right", va="top")
        axis.set_xticks([5, 10, 20, 40, 80, 160])
        axis.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
        for part in (axis.xaxis, axis.yaxis):
            part.set_major_formatter("{x:g}")
        axis.minorticks_off()
    handles, labels = axes.flat[0].get_legend_handles_labels()
    for axis in list(axes.flat)[len(tests) :]:
        axis.axis("off")
    axes.flat[-1].legend(handles, labels, loc="center left")
    figure.supxlabel("configurations trained on", fontsize=STYLE["axes.labelsize"])
    figure.supylabel(ylabel, fontsize=STYLE["axes.labelsize"])
    return figure


@mpl.rc_context(STYLE)
def goal_intervals(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw what was found over what was asked for, one line a goal, with its interval.

    Left of 1 a goal is reached: where the bound is the least allowed, it divides by what was found.

    Parameters
    ----------
    rows : sequence of mapping
        ``goal``, ``asked``, ``value``, ``low``, ``high``, ``bound``, ``side`` and ``met`` of each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axis = panels(height=0.9 + 0.27 * len(rows))
    axis.axvline(1, color=PALETTE[-1], linewidth=0.8)
    for i, row in enumerate(rows):
        power = 1 if row["side"] == "most" else -1
        low, value, high = ((row[key] / row["bound"]) ** power for key in ("low", "value", "high"))
        color = _VERDICTS[row["met"]]
        axis.hlines(i, low, high, color=color, linewidth=3, alpha=0.5)
        axis.plot(value, i, MARKERS[list(_VERDICTS).index(row["met"])], color=color)
    for i, (verdict, color) in enumerate(_VERDICTS.items()):
        axis.plot([], [], MARKERS[i], color=color, label=verdict)
    asked = [f"{row['goal']}: {row['asked']}" for row in rows]
    axis.set_yticks(range(len(rows)), asked, fontsize=7)
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlabel("found over bound; of correlations, bound over found")
    axis.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


@mpl.rc_context(STYLE)
def error_against_measure(
    measure: ArrayLike, error: ArrayLike, sizes: ArrayLike, xlabel: str, ylabel: str
) -> Figure:
    """Draw realised errors against a measure that needs no label, one point a training set.

    Parameters
    ----------
    measure, error : array_like
        Shape (n,).
    sizes : array_like
        Size of each training set, shape (n,): one colour and marker a size.
    xlabel, ylabel : str
        Both with unit.

    Returns
    -------
    matplotlib.figure.Figure
    """
    measure, error, sizes = (np.asarray(values) for values in (measure, error, sizes))
    figure, axis = panels(width=5.6, height=3.6)
    for i, size in enumerate(np.unique(sizes)):
        here = sizes == size
        axis.plot(
            measure[here],
            error[here],
            linestyle="none",
            marker=MARKERS[i % len(MARKERS)],
            color=PALETTE[i % len(PALETTE)],
            markerfacecolor="none" if i >= len(MARKERS) else None,
            alpha=0.6,
            label=f"{size}",
        )
    axis.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    axis.yaxis.set_minor_formatter(NullFormatter())
    for part in (axis.xaxis, axis.yaxis):
        part.set_major_formatter("{x:g}")
    axis.legend(title="configurations", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _with_band(axis, sizes: Sequence[int], values: Sequence, i: int, name: str) -> None:
    """Draw one selector: a line through the values and a band of its intervals."""
    known = [(n, *found) for n, found in zip(sizes, values, strict=True) if found is not None]
    if not known:
        return
    n, value, low, high = np.array(known, dtype=float).T
    color = FAINT if name == "random" else PALETTE[(i - 1) % len(PALETTE)]
    style = {"color": color, "marker": MARKERS[i % len(MARKERS)], "markersize": 3}
    axis.plot(n, value, linestyle=DASHES[i % len(DASHES)], linewidth=1.2, label=name, **style)
    axis.fill_between(n, low, high, color=color, alpha=0.15, linewidth=0)
