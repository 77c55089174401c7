"""Samples and training sets: where they lie, and what errors do as there are more of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from numpy.typing import ArrayLike, NDArray

from kinetlib.plot.look import (
    DASHES,
    FAINT,
    MARKERS,
    PALETTE,
    STYLE,
    label_axes,
    panels,
    series,
    tiles,
)


@mpl.rc_context(STYLE)
def distributions(
    values: Mapping[str, ArrayLike],
    *,
    bins: int | ArrayLike = 40,
) -> Figure:
    """Draw the distributions of several quantities, a panel each.

    Parameters
    ----------
    values : mapping of str to array_like
        What is drawn by the label of its abscissa, with unit; values that are not finite are left
        out.
    bins : int or array_like
        Bins of the histograms, or their edges.
    """
    figure, axes = tiles(len(values), 3, frame=0.3)
    for i, (ax, (label, data)) in enumerate(zip(axes, values.items(), strict=True)):
        data = np.asarray(data, float)
        data = data[np.isfinite(data)]
        weights = np.full(data.size, 100 / max(data.size, 1))
        ax.hist(data, bins=bins, weights=weights, color=PALETTE[0], linewidth=0)
        ax.set(xlabel=label, ylabel="" if i % 3 else "share of samples / %")
        ax.grid(axis="x", visible=False)
    return figure


@mpl.rc_context(STYLE)
def selections(points: NDArray, chosen: Mapping[str, NDArray], labels: tuple[str, str]) -> Figure:
    """Draw a pool of candidates and what each selector takes of it, a panel a selector.

    Parameters
    ----------
    points : NDArray
        Two coordinates of each candidate, shape (N, 2).
    chosen : mapping
        Positions by name of the selector.
    labels : tuple of str
        What the coordinates are.
    """
    figure, axes = tiles(len(chosen), 3, sharex=True, sharey=True)
    for ax, (name, which) in zip(axes, chosen.items(), strict=True):
        ax.plot(*points.T, ".", color=FAINT, alpha=0.35, markersize=2.5)
        ax.plot(*points[which].T, "o", color=PALETTE[1], markersize=4, markeredgewidth=0)
        ax.set_title(name)
    label_axes(figure, *labels)
    return figure


@mpl.rc_context(STYLE)
def errors_by_size(
    tests: Mapping[str, Mapping[str, Sequence]], sizes: Sequence[int], ylabel: str
) -> Figure:
    """Draw errors against the size of the training set, a panel a test, both axes logarithmic.

    Parameters
    ----------
    tests : mapping of str to mapping of str to sequence
        For each test, by selector, a value with lower and upper end for each size, or None; drawn
        as a line in a band.
    sizes : sequence of int
        Sizes of the training sets.
    ylabel : str
        The error, with unit.

    Returns
    -------
    matplotlib.figure.Figure
        Up to five panels, the legend in the place of the sixth.
    """
    figure, axes = tiles(6, 3, row=2.15, sharex=True)
    for ax, (test, selectors) in zip(axes, tests.items(), strict=False):
        for i, (name, found) in enumerate(selectors.items()):
            _with_band(ax, sizes, found, i, name)
        ax.set(xscale="log", yscale="log")
        ax.text(0.97, 0.95, test, transform=ax.transAxes, ha="right", va="top")
        ax.set_xticks([5, 10, 20, 40, 80, 160])
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=20))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
        ax.minorticks_off()
    for ax in axes[len(tests) :]:
        ax.set_axis_off()
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center left")
    label_axes(figure, "configurations trained on", ylabel)
    return figure


def _with_band(ax: Axes, sizes: Sequence[int], found: Sequence, i: int, name: str) -> None:
    """Draw one selector: a line through the values and a band of its intervals."""
    known = [(n, *ends) for n, ends in zip(sizes, found, strict=True) if ends is not None]
    if not known:
        return
    n, value, low, high = np.array(known, dtype=float).T
    color = FAINT if name == "random" else PALETTE[(i - 1) % len(PALETTE)]
    style = {"marker": MARKERS[i % len(MARKERS)], "linestyle": DASHES[i % len(DASHES)]}
    ax.plot(n, value, color=color, markersize=3, linewidth=1.2, label=name, **style)
    ax.fill_between(n, low, high, color=color, alpha=0.15, linewidth=0)


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
    """
    measure, error, sizes = (np.asarray(values) for values in (measure, error, sizes))
    figure, ax = panels(width=5.6, height=3.6)
    for i, size in enumerate(np.unique(sizes)):
        here = sizes == size
        style = series(i) | {"linestyle": "none", "alpha": 0.6}
        style["markerfacecolor"] = "none" if i >= len(MARKERS) else None
        ax.plot(measure[here], error[here], label=f"{size}", **style)
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.yaxis.set_minor_formatter(NullFormatter())
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter("{x:g}")
    ax.legend(title="configurations", loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
