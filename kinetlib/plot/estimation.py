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


def _subscript(name: str) -> str:
    return f"$k_{{{name.removeprefix('k')}}}$" if name.startswith("k") else name
