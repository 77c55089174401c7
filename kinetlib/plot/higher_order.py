"""Figures of second-order networks that stand in for reactions of third order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from kinetlib.plot.look import DASHES, FAINT, INK, MARKERS, PALETTE, STYLE, panels


@mpl.rc_context(STYLE)
def errors_by_stiffness(
    stiffness: ArrayLike,
    errors: Mapping[str, ArrayLike],
    limits: Mapping[str, ArrayLike],
    lumped: float,
) -> Figure:
    """Draw errors against the largest constant, those that fall beside those that do not.

    Parameters
    ----------
    stiffness : array_like, shape (L,)
        L, in 1/time.
    errors : mapping of str to array_like, shape (L,)
        Mean error over the range, by network, on the left.
    limits : mapping of str to array_like, shape (L,)
        The same where a constant is held, by what is held, on the right.
    lumped : float
        Error of one reaction of lower order, a line across the right.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = panels(1, 2, height=3.8, sharey=True)
    stiffness = np.asarray(stiffness, dtype=float)
    for ax, curves in zip(axes, (errors, limits), strict=True):
        for i, (name, values) in enumerate(curves.items()):
            style = {"color": PALETTE[i], "marker": MARKERS[i], "linestyle": DASHES[i]}
            ax.plot(stiffness, values, label=name, **style)
        ax.set(xscale="log", yscale="log", xlabel=r"$L$, 1/time")
    values = np.concatenate([np.asarray(v, dtype=float) for v in errors.values()])
    for power, text in ((-0.5, r"$L^{-1/2}$"), (-1.0, r"$L^{-1}$")):
        guide = 1.6 * values.max() * (stiffness / stiffness[0]) ** power
        axes[0].plot(stiffness, guide, color=FAINT, linewidth=0.8, linestyle="-")
        axes[0].annotate(
            text,
            (stiffness[-1], guide[-1]),
            xytext=(2, 0),
            textcoords="offset points",
            color=INK,
            fontsize=8,
            va="center",
        )
    axes[1].axhline(lumped, color=FAINT, linewidth=1.0, linestyle="--")
    axes[1].annotate(
        "one reaction of order 2.2",
        (stiffness[-1], lumped),
        xytext=(0, 3),
        textcoords="offset points",
        ha="right",
        fontsize=8,
    )
    axes[0].set_ylabel("mean error over range")
    for ax in axes:
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


@mpl.rc_context(STYLE)
def curves_with_errors(
    time: ArrayLike, true: ArrayLike, models: Mapping[str, ArrayLike], species: str
) -> Figure:
    """Draw a species of one run, on the left, and how far models are from it, on the right.

    Parameters
    ----------
    time : array_like, shape (T,)
        In any unit.
    true : array_like, shape (T,)
        Its true concentration.
    models : mapping of str to array_like, shape (T,)
        The same by models.
    species : str
        Its name.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = panels(1, 2, height=3.0)
    time, true = np.asarray(time, dtype=float), np.asarray(true, dtype=float)
    axes[0].plot(time, true, color=INK, linestyle="-", linewidth=3.5, alpha=0.25, label="true")
    axes[1].axhline(0, color=FAINT, linewidth=0.8)
    for i, (name, values) in enumerate(models.items()):
        style = {"color": PALETTE[i], "linestyle": DASHES[i]}
        axes[0].plot(time, values, label=name, **style)
        axes[1].plot(time, np.asarray(values) - true, **style)
    axes[0].set(xlabel="time", ylabel=f"[{species}]", ylim=(0, None))
    axes[1].set(xlabel="time", ylabel=f"error of [{species}]")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    return figure


@mpl.rc_context(STYLE)
def profiles(
    lines: Mapping[str, Sequence[tuple[ArrayLike, ArrayLike]]],
    true: Mapping[str, float],
    limit: float,
) -> Figure:
    """Draw the profile of the likelihood along L, one line a simulation.

    Parameters
    ----------
    lines : mapping of str to sequence of tuple
        By what made the curves, for each simulation L, in 1/time, and minus twice the logarithm of
        the likelihood less its least, shape (G,) both.
    true : mapping of str to float
        The L that made them; where it is infinite none is marked.
    limit : float
        Deviance at which an L is excluded.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, ax = panels(width=6.4, height=3.4)
    for i, (name, simulations) in enumerate(lines.items()):
        style = {"color": PALETTE[i], "linestyle": DASHES[i], "linewidth": 1.2}
        for number, (stiffness, deviance) in enumerate(simulations):
            ax.plot(stiffness, deviance, label=name if number == 0 else None, **style)
        if np.isfinite(true[name]):
            ax.plot(true[name], 0, MARKERS[i], color=PALETTE[i], clip_on=False, zorder=3)
    ax.axhline(limit, color=FAINT, linewidth=1.0, linestyle="-")
    ax.set(xscale="log", xlabel=r"$L$, 1/time", ylim=(0, 6 * limit), xlim=(1, 1e6))
    ax.set_ylabel(r"$-2\,\ln$ likelihood, less its least")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines))
    return figure
