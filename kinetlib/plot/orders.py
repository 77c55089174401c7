"""Runs on one curve, by the orders that bring them there."""

from __future__ import annotations

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from kinetlib.plot.look import INK, PALETTE, STYLE, legend_above, panels, series

_NAMES = 4  # of runs in a line of the legend


@mpl.rc_context(STYLE)
def overlay(
    runs: Mapping[str, tuple[ArrayLike, ArrayLike]],
    curve: tuple[ArrayLike, ArrayLike],
    xlabel: str,
    ylabel: str,
) -> Figure:
    """Draw runs against the transformed time, and the curve that they share.

    Parameters
    ----------
    runs : mapping of str to pairs of array_like, shape (n,) each
        By name, transformed time and extent.
    curve : pair of array_like, shape (N,) each
        Transformed times in any order, and the height of the common curve.
    xlabel, ylabel : str
        Of the axes.
    """
    figure, ax = panels(height=3.8)
    for i, (name, (time, extent)) in enumerate(runs.items()):
        look = series(i) | {"linestyle": "none", "markersize": 4}
        if i // len(PALETTE) % 2:  # colours begin anew: open markers
            look["markerfacecolor"] = "none"
        ax.plot(time, extent, label=name, **look)
    order = np.argsort(curve[0], kind="stable")
    x, y = (np.asarray(part, dtype=float)[order] for part in curve)
    ax.plot(x, y, color=INK, linewidth=1, zorder=0)
    ax.set(xlabel=xlabel, ylabel=ylabel, xlim=(0, None), ylim=(0, None))
    legend_above(figure, min(_NAMES, len(runs)))
    return figure
