"""Ranges of rate constants, a panel a constant."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from kinetlib.plot.look import PALETTE, STYLE, panels


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
    rows = np.arange(table.sizes["mechanism"])
    for ax, name in zip(axes[0], names, strict=True):
        low, middle, high = table.sel(constant=name).transpose("quantile", "mechanism").values
        ax.barh(rows, high - low, left=low, height=0.6, color=PALETTE[0], alpha=0.55, linewidth=0)
        ax.plot(middle, rows, "|", color=PALETTE[1], markersize=6, markeredgewidth=1.8)
        ax.set(xlim=tuple(prior), ylim=(len(rows) - 0.5, -0.5))
        ax.set_title(f"$k_{{{name.removeprefix('k')}}}$")
        ax.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(rows, table.mechanism.values)
    figure.supxlabel(xlabel, fontsize="medium")
    return figure
