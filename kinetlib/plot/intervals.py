"""Points with intervals: what was found, how sure that is, and where a goal or a limit lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import ArrayLike, NDArray

from kinetlib.plot.look import (
    FAINT,
    MARKERS,
    PALETTE,
    STYLE,
    legend_above,
    on,
    panels,
    series,
)

Measure = Mapping[str, float | None]
"""``low``, ``value`` and ``high``; the ends are None where there is no interval."""

_VERDICTS = {"reached": PALETTE[2], "not decided": PALETTE[4], "missed": PALETTE[1]}


def ends(measures: Iterable[Measure], scale: float = 1.0) -> NDArray[np.float64]:
    """Take lower end, value and upper end out of measures, shape (n, 3), NaN where there is none.

    All are multiplied by `scale`, such as 100 for percent.
    """
    found = [[one[key] for key in ("low", "value", "high")] for one in measures]
    return scale * np.array(found, dtype=float).reshape(-1, 3)


def points(
    ax: Axes, at: ArrayLike, found: ArrayLike, *, upright: bool = False, **style: Any
) -> None:
    """Draw values as markers and their intervals as bars.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Panel to draw in.
    at : array_like, shape (n,)
        Places of the points along the other axis.
    found : array_like, shape (n, 3)
        Lower end, value, upper end of each; None or NaN where there is no interval.
    upright : bool
        Whether values are on the ordinate.
    **style
        Of markers and of the line between them, which by default there is not.
    """
    low, value, high = np.asarray(found, dtype=float).reshape(-1, 3).T
    bars, place = (ax.vlines, (at, value)) if upright else (ax.hlines, (value, at))
    bars(at, low, high, color=style["color"], linewidth=3, alpha=0.45)
    ax.plot(*place, **{"linestyle": "none"} | style)


@mpl.rc_context(STYLE)
def rows(
    kinds: Mapping[str, ArrayLike],
    names: Sequence[str],
    xlabel: str,
    *,
    beside: tuple[str, ArrayLike] | None = None,
    lines: Mapping[float, str] | None = None,
    styles: Sequence[Mapping[str, Any]] = (),
    apart: float = 0.0,
    height: float | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw points with intervals, a row a name, kinds told apart by colour and marker.

    Parameters
    ----------
    kinds : mapping of str to array_like, shape (n, 3)
        By label: lower end, value and upper end of each row, NaN where a kind has none.
    names : sequence of str, length n
        Of the rows, from top to bottom.
    xlabel : str
        What was found, with unit.
    beside : tuple of str and array_like, shape (n,), optional
        Label and values of what others found, drawn hollow; NaN where they found none.
    lines : mapping of float to str, optional
        Where lines stand that mark a goal or no effect, and their style.
    styles : sequence of mapping
        Of the kinds, in place of the usual order of colours and markers.
    apart : float
        How far the kinds of one row spread, in rows.
    height : float, optional
        Of the figure in inches.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made, with a legend of the kinds.
    """
    figure, panel = on(ax, width=6.4, height=height or 1.0 + 0.3 * len(names))
    at = np.arange(len(names))
    for place, dash in (lines or {}).items():
        panel.axvline(place, color=PALETTE[-1], linewidth=0.8, linestyle=dash)
    for i, (label, found) in enumerate(kinds.items()):
        style = styles[i] if styles else {"color": series(i)["color"], "marker": MARKERS[i]}
        shift = apart * ((i + 0.5) / len(kinds) - 0.5)
        points(panel, at + shift, found, label=label, **style)
    if beside is not None:
        hollow = {"color": PALETTE[len(kinds)], "markerfacecolor": "white"}
        panel.plot(np.array(beside[1], dtype=float), at, "D", label=beside[0], **hollow)
    panel.set_yticks(at, names)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.set_xlabel(xlabel)
    labels = [*kinds, *(beside or ())[:1]]
    if ax is None and len(labels) > 1:
        panel.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=min(4, len(labels)))
    return figure


@mpl.rc_context(STYLE)
def told(comparison: Mapping[str, Mapping[str, Mapping[str, Any]]], kinds: Sequence[str]) -> Figure:
    """Draw accuracy and cross-entropy of kinds of experiments with their intervals.

    Parameters
    ----------
    comparison : mapping of str to mapping
        By level of noise, then by kind: ``top_1`` and ``cross_entropy``, each with ``low``,
        ``value`` and ``high``.
    kinds : sequence of str
        Which kinds, from top to bottom.
    """
    measures = {"top_1": (100, "top-1 / %"), "cross_entropy": (1, "cross-entropy / nat")}
    figure, axes = panels(1, 2, height=0.9 + 0.33 * len(kinds), sharey=True)
    for ax, (measure, (scale, label)) in zip(axes, measures.items(), strict=True):
        found = {
            f"{100 * float(level):g} % noise": ends([table[k][measure] for k in kinds], scale)
            for level, table in comparison.items()
        }
        rows(found, kinds, label, apart=0.28 * len(found), ax=ax)
    axes[1].legend()
    return figure


@mpl.rc_context(STYLE)
def worth(found: Mapping[str, Mapping[int, Measure]], goal: float) -> Figure:
    """Draw how many times as many random samples each selection is worth, a row a selector.

    Parameters
    ----------
    found : mapping
        By selector, then by size, what was found.
    goal : float
        What was to be reached, a dashed line.
    """
    none = dict.fromkeys(("low", "value", "high"))
    kinds = {
        f"{size:,} samples": ends([by_size.get(size, none) for by_size in found.values()])
        for size in sorted({size for by_size in found.values() for size in by_size})
    }
    xlabel = "times as many random samples for the same cross-entropy"
    figure = rows(kinds, list(found), xlabel, lines={1.0: "-", goal: "--"}, apart=0.6)
    ax = figure.axes[0]
    ax.set_xscale("log")
    ticks(ax.xaxis, [0.25, 0.5, 0.7, 1, 1.4, 2, 2.8, 4])
    return figure


@mpl.rc_context(STYLE)
def goal_intervals(goals: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw what was found over what was asked for, one line a goal, with its interval.

    Left of 1 a goal is reached: where the bound is the least allowed, it divides by what was found.

    Parameters
    ----------
    goals : sequence of mapping
        ``goal``, ``asked``, ``value``, ``low``, ``high``, ``bound``, ``side`` and ``met`` of each.
    """
    power = [[1 if row["side"] == "most" else -1] for row in goals]
    found = (ends(goals) / [[row["bound"]] for row in goals]) ** power
    met = np.array([[row["met"]] for row in goals])
    kinds = {verdict: np.where(met == verdict, found, np.nan) for verdict in _VERDICTS}
    looks = zip(_VERDICTS.values(), MARKERS, strict=False)
    styles = [{"color": color, "marker": marker} for color, marker in looks]
    figure, ax = panels(height=0.9 + 0.27 * len(goals))
    asked = [f"{row['goal']}: {row['asked']}" for row in goals]
    xlabel = "found over bound; of correlations, bound over found"
    rows(kinds, asked, xlabel, lines={1.0: "-"}, styles=styles, ax=ax)
    ax.tick_params(axis="y", labelsize=7)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return figure


@mpl.rc_context(STYLE)
def errors_of_each(
    errors: Mapping[str, Mapping[str, ArrayLike]], names: Mapping[str, Sequence[str]], ylabel: str
) -> Figure:
    """Draw errors of constants beside the least or the most that they can be, a panel a network.

    Parameters
    ----------
    errors : mapping of str to mapping of str to array_like, shape (n, 3)
        By title of the panel and by what was done: lower end, error and upper end for each
        constant, NaN where there is none. What is named first is drawn as a grey bar; the others
        come in pairs, filled and open.
    names : mapping of str to sequence of str, length n
        Of the constants in each panel.
    ylabel : str
        The error, with unit.
    """
    widths = [len(own) for own in names.values()]
    figure, axes = panels(1, len(errors), sharey=True, squeeze=False, width_ratios=widths)
    for ax, (title, kinds) in zip(axes[0], errors.items(), strict=True):
        at = np.arange(len(names[title]))
        (first, bar), *others = kinds.items()
        style = {"color": FAINT, "linewidth": 5, "alpha": 0.5}
        ax.hlines(np.asarray(bar)[:, 1], at - 0.42, at + 0.42, label=first, **style)
        for i, (kind, found) in enumerate(others):
            style = {"color": PALETTE[i // 2], "marker": MARKERS[i // 2]}
            style["markerfacecolor"] = "white" if i % 2 else PALETTE[i // 2]
            place = at + 0.6 * ((i + 0.5) / len(others) - 0.5)
            points(ax, place, found, upright=True, label=kind, **style)
        ax.set(title=title, yscale="log")
        ax.set_xticks(at, [_subscript(name) for name in names[title]])
        ticks(ax.yaxis, [n * 10.0**e for e in range(-3, 4) for n in (1, 2, 5)])
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(ylabel)
    legend_above(figure, 3)
    return figure


@mpl.rc_context(STYLE)
def certified(efficiencies: Mapping[str, Mapping[str, float]], goal: float) -> Figure:
    """Draw what D-efficiency is certified, a place a mechanism, the least on the left.

    Parameters
    ----------
    efficiencies : mapping of str to mapping of str to float
        By kind of bound and by mechanism, from 0 to 1. The first kind orders the mechanisms and is
        drawn open, the second filled, a line between them.
    goal : float
        A line across.
    """
    first, *_ = efficiencies.values()
    names = sorted(first, key=first.__getitem__)
    shown = {kind: [100 * own[name] for name in names] for kind, own in efficiencies.items()}
    figure, ax = panels(height=2.8)
    at = np.arange(len(names))
    level(ax, 100 * goal, "goal", below=True)
    ax.vlines(at, *list(shown.values())[:2], color=PALETTE[0], linewidth=1.0, alpha=0.5)
    for i, (kind, values) in enumerate(shown.items()):
        style = {"color": PALETTE[i // 2], "markerfacecolor": "white" if i == 0 else None}
        ax.plot(at, values, ("o", "o", "x")[i], label=kind, **style)
    ax.set_xticks(at, names)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("D-efficiency / %")
    legend_above(figure)
    return figure


@mpl.rc_context(STYLE)
def courses(
    curves: Mapping[str, Mapping[str, Mapping[float, Measure]]], xlabel: str, scale: float = 1.0
) -> Figure:
    """Draw measures against sizes or levels, evenly spaced, a panel a measure.

    Parameters
    ----------
    curves : mapping
        By label of the ordinate, then by method, then by size or level, what was found.
    xlabel : str
        Label of the abscissa, with unit.
    scale : float
        What values are multiplied by, such as 100 for percent.
    """
    figure, axes = panels(1, len(curves), height=3.4, squeeze=False)
    known = sorted({size for table in curves.values() for own in table.values() for size in own})
    for ax, (label, table) in zip(axes[0], curves.items(), strict=True):
        for i, (name, course) in enumerate(table.items()):
            own = sorted(course)
            at = [known.index(size) + 0.06 * (i - (len(table) - 1) / 2) for size in own]
            found = ends([course[size] for size in own], scale)
            points(ax, at, found, upright=True, label=name, **series(i))
        ax.set_xticks(range(len(known)), [f"{size:,g}" for size in known])
        ax.set(xlabel=xlabel, ylabel=label, xlim=(-0.4, len(known) - 0.6))
    legend_above(figure, 4)
    return figure


@mpl.rc_context(STYLE)
def ranges(table: xr.DataArray, prior: Sequence[float], xlabel: str) -> Figure:
    """Draw ranges as bars with their middle marked, one panel a constant, one bar a mechanism.

    Parameters
    ----------
    table : xarray.DataArray
        (mechanism, constant, quantile), three quantiles: lower end, middle, upper end; NaN where a
        mechanism lacks a constant.
    prior : sequence of float
        Lower and upper end of what was possible: the ends of the abscissa.
    xlabel : str
        What is drawn, with unit.
    """
    names = list(table.constant.values)
    figure, axes = panels(
        1, len(names), height=0.8 + 0.17 * table.sizes["mechanism"], sharey=True, squeeze=False
    )
    at = np.arange(table.sizes["mechanism"])
    for ax, name in zip(axes[0], names, strict=True):
        low, middle, high = table.sel(constant=name).transpose("quantile", "mechanism").values
        ax.barh(at, high - low, left=low, height=0.6, color=PALETTE[0], alpha=0.55, linewidth=0)
        ax.plot(middle, at, "|", color=PALETTE[1], markersize=6, markeredgewidth=1.8)
        ax.set(xlim=tuple(prior), ylim=(len(at) - 0.5, -0.5))
        ax.set_title(_subscript(name))
        ax.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(at, table.mechanism.values)
    figure.supxlabel(xlabel, fontsize="medium")
    return figure


def level(ax: Axes, height: float, text: str, *, below: bool = False) -> None:
    """Draw a line across a panel, named at its right end, above it or below."""
    ax.axhline(height, color=FAINT, linewidth=1.0, linestyle="--")
    ax.annotate(
        text,
        (1.0, height),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3 if below else 3),
        textcoords="offset points",
        ha="right",
        va="top" if below else "bottom",
        fontsize=8,
    )


def ticks(axis: mpl.axis.Axis, places: Sequence[float], text: str = "{x:g}") -> None:
    """Put ticks where they are asked for and nowhere else, written out."""
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(text)
    axis.set_minor_locator(NullLocator())


def _subscript(name: str) -> str:
    return f"$k_{{{name.removeprefix('k')}}}$" if name.startswith("k") else name
