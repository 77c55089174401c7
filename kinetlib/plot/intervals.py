"""Training sets: where their samples lie, and what they are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray

from kinetlib.plot.look import FAINT, MARKERS, PALETTE, STYLE, panels

Ends = tuple[float | None, float, float | None]


@mpl.rc_context(STYLE)
def selections(
    points: NDArray, chosen: Mapping[str, NDArray], labels: tuple[str, str], *, columns: int = 3
) -> Figure:
    """Draw a pool of candidates and what each selector takes of it, a panel a selector.

    Parameters
    ----------
    points : NDArray
        Two coordinates of each candidate, shape (N, 2).
    chosen : mapping
        Positions by name of the selector.
    labels : tuple of str
        What the coordinates are.
    columns : int
        Panels side by side.
    """
    columns = min(columns, len(chosen))
    rows = -(-len(chosen) // columns)
    figure, axes = panels(
        rows, columns, height=0.5 + 2.1 * rows, sharex=True, sharey=True, squeeze=False
    )
    for ax in axes.flat[len(chosen) :]:
        ax.set_visible(False)
    for ax, (name, which) in zip(axes.flat, chosen.items(), strict=False):
        ax.plot(*points.T, ".", color=FAINT, alpha=0.35, markersize=2.5)
        ax.plot(*points[which].T, "o", color=PALETTE[1], markersize=4, markeredgewidth=0)
        ax.set_title(name)
    figure.supxlabel(labels[0], fontsize="medium")
    figure.supylabel(labels[1], fontsize="medium")
    return figure


@mpl.rc_context(STYLE)
def by_samples(curves: Mapping[str, Mapping[str, Mapping[int, Ends]]]) -> Figure:
    """Draw measures against the number of training samples, a panel a measure.

    Parameters
    ----------
    curves : mapping
        By label of the ordinate, then by selector, then by size: lower end, value, upper end; ends
        are None where there is no interval.
    """
    figure, axes = panels(1, len(curves), height=3.6, squeeze=False)
    sizes = sorted({size for table in curves.values() for c in table.values() for size in c})
    for ax, (label, table) in zip(axes[0], curves.items(), strict=True):
        for i, (name, course) in enumerate(table.items()):
            color, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
            at = np.array(sorted(course)) * (1 + 0.012 * (i - len(table) / 2))
            low, value, high = (
                np.array([course[size][k] for size in sorted(course)], float) for k in range(3)
            )
            ax.vlines(at, low, high, color=color, linewidth=2.5, alpha=0.4)
            ax.plot(at, value, marker=marker, color=color, label=name)
        ax.set_xscale("log")
        ax.xaxis.set_major_locator(FixedLocator(sizes))
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set(xlabel="training samples", ylabel=label)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@mpl.rc_context(STYLE)
def worth(rows: Mapping[str, Sequence[tuple[int, Ends]]], goal: float) -> Figure:
    """Draw how many times as many random samples each selection is worth, a row a selector.

    Parameters
    ----------
    rows : mapping
        By selector, for each size: lower end, value, upper end.
    goal : float
        What was to be reached, a dashed line.
    """
    figure, ax = panels(width=6.4, height=1.0 + 0.3 * len(rows))
    sizes = sorted({size for entries in rows.values() for size, _ in entries})
    ax.axvline(1.0, color=PALETTE[-1], linewidth=0.8, linestyle="-")
    ax.axvline(goal, color=PALETTE[-1], linewidth=0.8, linestyle="--")
    for i, size in enumerate(sizes):
        color, shift = PALETTE[i % len(PALETTE)], 0.6 * ((i + 0.5) / len(sizes) - 0.5)
        label = f"{size:,} samples"
        for row, entries in enumerate(rows.values()):
            for own, (low, value, high) in entries:
                if own == size:
                    ends = [value if end is None else end for end in (low, high)]
                    ax.hlines(row + shift, *ends, color=color, linewidth=2.5, alpha=0.45)
                    ax.plot(value, row + shift, MARKERS[i % len(MARKERS)], color=color, label=label)
                    label = None
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator([0.25, 0.5, 0.7, 1, 1.4, 2, 2.8, 4]))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("times as many random samples for the same cross-entropy")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=4)
    return figure
