"""Figures of rate constants and what experiments tell of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from numpy.typing import ArrayLike

from kinetlib.plot.look import FAINT, MARKERS, PALETTE, STYLE, panels


@mpl.rc_context(STYLE)
def constants_known(
    errors: Mapping[str, Mapping[str, ArrayLike]], constants: Mapping[str, Sequence[str]]
) -> Figure:
    """Draw how far estimated constants are from the true ones, a panel a mechanism.

    Parameters
    ----------
    errors : mapping of str to mapping of str to array
        By mechanism and by what was done, the median error of each constant as lower end of its
        interval, middle, upper end, shape (constants, 3), in ln k. What is named first is drawn
        as a grey bar: the error of knowing nothing.
    constants : mapping of str to sequence of str
        By mechanism the names of the constants.
    """
    widths = [len(names) for names in constants.values()]
    figure, axes = panels(
        1, len(errors), height=3.2, sharey=True, squeeze=False, width_ratios=widths
    )
    for ax, (mechanism, kinds) in zip(axes[0], errors.items(), strict=True):
        at = np.arange(len(constants[mechanism]))
        nothing, *known = kinds
        ax.hlines(
            np.asarray(kinds[nothing])[:, 1],
            at - 0.42,
            at + 0.42,
            color=FAINT,
            linewidth=5,
            alpha=0.5,
            label=nothing,
        )
        for i, kind in enumerate(known):
            low, middle, high = np.asarray(kinds[kind], dtype=float).T
            place = at + 0.6 * ((i + 0.5) / len(known) - 0.5)
            color = PALETTE[i // 2]
            ax.vlines(place, low, high, color=color, linewidth=2.5, alpha=0.45)
            face = color if i % 2 == 0 else "white"
            ax.plot(place, middle, MARKERS[i // 2], color=color, markerfacecolor=face, label=kind)
        ax.set_xticks(at, [_subscript(name) for name in constants[mechanism]])
        ax.set_yscale("log")
        ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.set_title(mechanism)
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("median error of ln k")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3)
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
    first, second, *_ = efficiencies.values()
    names = sorted(first, key=first.__getitem__)
    figure, axis = panels(height=2.8)
    at = np.arange(len(names))
    axis.axhline(100 * goal, color=FAINT, linewidth=1.0, linestyle="--")
    axis.annotate(
        "goal",
        (1.0, 100 * goal),
        xycoords=("axes fraction", "data"),
        xytext=(-2, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8,
    )
    ends = [[100 * kind[name] for name in names] for kind in (first, second)]
    axis.vlines(at, *ends, color=PALETTE[0], linewidth=1.0, alpha=0.5)
    for i, (kind, values) in enumerate(efficiencies.items()):
        axis.plot(
            at,
            [100 * values[name] for name in names],
            linestyle="none",
            marker=("o", "o", "x")[i],
            color=PALETTE[i // 2],
            markerfacecolor="white" if i == 0 else None,
            label=kind,
        )
    axis.set_xticks(at, names)
    axis.grid(axis="x", visible=False)
    axis.set_ylabel("D-efficiency / %")
    figure.legend(loc="outside upper center", ncols=len(efficiencies))
    return figure


def _subscript(name: str) -> str:
    return f"$k_{{{name.removeprefix('k')}}}$" if name.startswith("k") else name
