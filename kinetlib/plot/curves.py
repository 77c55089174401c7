"""Reactions found in curves: fits, how often they are the true ones, how near constants come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike, NDArray

from kinetlib.plot.look import FAINT, MARKERS, PALETTE, STYLE, panels

Ends = tuple[float, float, float]


@mpl.rc_context(STYLE)
def fitted_curves(
    species: Sequence[str],
    times: NDArray,
    measured: NDArray,
    fitted: NDArray,
    *,
    unit: str = "",
) -> Figure:
    """Draw measured curves and fitted ones, a panel a run.

    Parameters
    ----------
    species : sequence of str
        Names, length S.
    times : NDArray
        Of both, shape (T,).
    measured, fitted : NDArray
        Concentrations of r runs, shape (r, T, S), NaN where nothing was measured.
    unit : str
        Of time, where there is one.
    """
    figure, axes = panels(1, len(measured), height=3.0, sharex=True, sharey=True, squeeze=False)
    for run, ax in enumerate(axes[0]):
        for j, name in enumerate(species):
            color, marker = PALETTE[j % len(PALETTE)], MARKERS[j % len(MARKERS)]
            ax.plot(
                times,
                measured[run, :, j],
                marker,
                color=color,
                markersize=2.5,
                markeredgewidth=0,
                alpha=0.5,
                label=name,
            )
            ax.plot(times, fitted[run, :, j], "-", color=color, linewidth=1.4)
        ax.set_xlabel(f"time / {unit}" if unit else "time")
    axes[0, 0].set_ylabel("concentration")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(species), markerscale=2.5)
    return figure


@mpl.rc_context(STYLE)
def success(shares: Mapping[str, Mapping[float, Ends]]) -> Figure:
    """Draw how often methods find the true reactions, against the noise.

    Parameters
    ----------
    shares : mapping
        By method, then by noise relative to the value: lower end of the interval, share, upper end,
        each from 0 to 1.
    """
    figure, ax = panels(width=6.4, height=3.2)
    levels = sorted({level for course in shares.values() for level in course})
    place = {level: i for i, level in enumerate(levels)}
    for i, (name, course) in enumerate(shares.items()):
        color, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
        known = sorted(course)
        at = np.array([place[level] for level in known]) + 0.08 * (i - (len(shares) - 1) / 2)
        low, value, high = 100 * np.array([course[level] for level in known], dtype=float).T
        ax.vlines(at, low, high, color=color, linewidth=2.5, alpha=0.4)
        ax.plot(at, value, marker=marker, color=color, label=name)
    ax.set_xticks(range(len(levels)), [f"{100 * level:g}" for level in levels])
    ax.set(xlabel="noise / % of the value", ylabel="found / % of seeds", ylim=(-4, 104))
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@mpl.rc_context(STYLE)
def errors_over_limit(
    limit: ArrayLike, errors: Mapping[str, ArrayLike], names: Sequence[str]
) -> Figure:
    """Draw errors of constants beside the least that any fit can have, in percent.

    Parameters
    ----------
    limit : array
        Least standard error of ln k of each constant, shape (R,), a grey bar.
    errors : mapping
        By name of what was done, errors of ln k, shape (R,); NaN where there is none.
    names : sequence of str
        Of the constants.
    """
    figure, ax = panels(width=6.4, height=3.0)
    at = np.arange(len(names))
    limit = 100 * np.asarray(limit)
    ax.hlines(
        limit, at - 0.42, at + 0.42, color=FAINT, linewidth=5, alpha=0.5, label="Cramér-Rao limit"
    )
    for i, (name, values) in enumerate(errors.items()):
        shift = 0.6 * ((i + 0.5) / len(errors) - 0.5)
        ax.plot(
            at + shift,
            100 * np.asarray(values, dtype=float),
            MARKERS[i % len(MARKERS)],
            color=PALETTE[i % len(PALETTE)],
            label=name,
        )
    ax.set_xticks(at, list(names))
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(FixedLocator([n * 10.0**e for e in range(-3, 3) for n in (1, 2, 5)]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.grid(axis="x", visible=False)
    ax.set_ylabel("error of k / %")
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
