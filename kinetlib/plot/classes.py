"""The mechanisms side by side, in the colours of their families."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from kinetlib.plot.look import (
    FAINT,
    INK,
    STYLE,
    family_color,
    family_legend,
    label_axes,
    panels,
    tiles,
)

_BLUES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#8fc1e0", "#0072B2", "#003a5c"])


@mpl.rc_context(STYLE)
def confusion(counts: ArrayLike, labels: Sequence[str], families: Sequence[str]) -> Figure:
    """Draw how the mechanisms of one true class were classified, in percent of that class.

    A heat map with the shares of at least half a percent written in.

    Parameters
    ----------
    counts : array_like, shape (classes, classes)
        Samples, by true class (rows) and predicted class (columns).
    labels, families : sequence of str, length classes
        Ids and families of the mechanisms; lines separate the families.

    Raises
    ------
    ValueError
        Where the table is not square, or of another size than the labels.
    """
    counts = np.asarray(counts, float)
    if counts.shape != (len(labels), len(labels)) or len(labels) != len(families):
        raise ValueError(
            f"counts of shape {counts.shape} for {len(labels)} labels and {len(families)} "
            "families; expected a square table, one row and one column a label."
        )
    totals = counts.sum(axis=1, keepdims=True)
    shares = 100 * np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    figure, ax = panels(width=7.2, height=6.3)
    ax.grid(False)
    image = ax.imshow(shares, cmap=_BLUES, vmin=0, vmax=100)
    for (i, j), share in np.ndenumerate(shares):
        if share >= 0.5:
            color = "white" if share > 55 else INK
            ax.text(j, i, f"{share:.0f}", ha="center", va="center", color=color, fontsize=6.5)
    for edge in [i - 0.5 for i in range(1, len(families)) if families[i] != families[i - 1]]:
        ax.axhline(edge, color=FAINT, linewidth=0.8)
        ax.axvline(edge, color=FAINT, linewidth=0.8)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_ticks(range(len(labels)), labels)
        for tick, family in zip(axis.get_ticklabels(), families, strict=True):
            tick.set_color(family_color(family))
    ax.tick_params(length=0, labelsize=7)
    ax.spines[:].set_visible(False)
    ax.set(xlabel="predicted mechanism", ylabel="true mechanism")
    bar = figure.colorbar(image, ax=ax, shrink=0.6, label="share of the true mechanism / %")
    bar.outline.set_visible(False)
    family_legend(figure, families)
    return figure


@mpl.rc_context(STYLE)
def mechanism_grid(
    labels: Sequence[str],
    families: Sequence[str],
    *,
    columns: int = 5,
    xlabel: str = "time / horizon",
    ylabel: str = "",
) -> tuple[Figure, list[Axes]]:
    """Make one small panel a mechanism, to be drawn into, with a legend of the families.

    Parameters
    ----------
    labels, families : sequence of str
        Ids and families; the title of a panel wears its family's colour.
    columns : int
        Panels side by side.
    xlabel, ylabel : str
        Labels shared by all panels, with units.
    """
    figure, axes = tiles(len(labels), columns, row=1.45, frame=0.9, sharex=True, sharey=True)
    for ax, label, family in zip(axes, labels, families, strict=True):
        ax.set_title(label, color=family_color(family), fontweight="bold", pad=3)
        ax.tick_params(labelsize=7)
    label_axes(figure, xlabel, ylabel)
    family_legend(figure, families)
    return figure, axes


@mpl.rc_context(STYLE)
def bars(
    labels: Sequence[str],
    values: ArrayLike,
    families: Sequence[str],
    *,
    ylabel: str,
    intervals: ArrayLike | None = None,
) -> Figure:
    """Draw one value a mechanism as bars in the colours of the families, with their legend.

    Parameters
    ----------
    labels, families : sequence of str, length n
        Ids and families.
    values : array_like, shape (n,)
        Heights of the bars.
    ylabel : str
        What they are, with unit.
    intervals : array_like, shape (n, 2), optional
        Lower and upper ends of their intervals.
    """
    figure, ax = panels(height=3.0)
    places = np.arange(len(labels))
    ax.bar(places, values, color=[family_color(family) for family in families], width=0.72)
    if intervals is not None:
        ax.vlines(places, *np.asarray(intervals, float).T, color=INK, linewidth=1.2)
    ax.set_xticks(places, labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(ylabel)
    family_legend(figure, families)
    return figure
