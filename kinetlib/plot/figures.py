"""The figures that recur in the book, drawn from plain arrays.

Each function returns a figure for :func:`kinetlib.plot.show`. None computes what it draws, save
for shares in percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from kinetlib.plot.look import (
    DASHES,
    FAINT,
    INK,
    MARKERS,
    PALETTE,
    STYLE,
    family_color,
    family_legend,
    panels,
)

_BLUES = LinearSegmentedColormap.from_list("shares", ["#ffffff", "#8fc1e0", "#0072B2", "#003a5c"])


@mpl.rc_context(STYLE)
def concentration_curves(runs: xr.Dataset, *, time_label: str | None = None) -> Figure:
    """Draw substrate and product against time for all runs of one sample.

    Parameters
    ----------
    runs : xarray.Dataset
        The runs schema with one sample, with or without that dimension; from a dataset or from
        `kinetlib.lab.read`.
    time_label : str, optional
        Label of the time axis; by default made of the unit in ``time.attrs["units"]``.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels, one colour and marker a run.
    """
    if "sample" in runs.dims:
        if runs.sizes["sample"] != 1:
            raise ValueError(
                f"expected one sample, got {runs.sizes['sample']}; choose one with "
                "runs.isel(sample=[i])."
            )
        runs = runs.isel(sample=0)
    figure, axes = panels(1, 2, height=3.1, sharex=True, sharey=True)
    for i in range(runs.sizes["run"]):
        run = runs.isel(run=i)
        order = np.argsort(run["time"].values)
        for axis, species in zip(axes, ("substrate", "product"), strict=True):
            axis.plot(
                run["time"].values[order],
                run[species].values[order],
                color=PALETTE[i % len(PALETTE)],
                marker=MARKERS[i % len(MARKERS)],
                linestyle=DASHES[i % len(DASHES)],
                linewidth=1.0,
                markersize=4.5 if run.sizes["time"] <= 25 else 3,
                label=_run_label(run) if species == "substrate" else None,
            )
    unit = runs["time"].attrs.get("units", "")
    label = time_label or (f"time / {unit}" if unit not in {"", "1"} else "time")
    for axis, species in zip(axes, ("substrate", "product"), strict=True):
        axis.set(xlabel=label, ylabel=f"{species} / S₀ of the standard run")
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.yaxis.set_tick_params(labelleft=True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _run_label(run: xr.Dataset) -> str:
    name = str(run["run"].values) if "run" in run.coords and run["run"].dtype.kind == "U" else ""
    conditions = (
        f"{100 * float(run['loading']):.2g} % catalyst, S₀ = {float(run['substrate_0']):.2g}"
    )
    return f"{name}: {conditions}" if name else conditions


@mpl.rc_context(STYLE)
def work_precision(
    methods: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ax: Axes | None = None,
    time_label: str = "time for one trajectory / s",
    error_label: str = "largest absolute error",
) -> Figure:
    """Draw what an accuracy costs: time against error, both logarithmic.

    Parameters
    ----------
    methods : mapping of str to (errors, seconds)
        For each method two arrays of shape (tolerances,); entries that are not above zero or not
        finite are left out.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made.
    time_label, error_label : str
        Labels of the axes, with units.

    Returns
    -------
    matplotlib.figure.Figure
        Better methods lie lower left.
    """
    figure, ax = _panel(ax, width=5.6, height=3.8)
    for i, (name, (errors, seconds)) in enumerate(methods.items()):
        errors, seconds = np.asarray(errors, float), np.asarray(seconds, float)
        known = np.isfinite(errors) & np.isfinite(seconds) & (errors > 0) & (seconds > 0)
        ax.plot(
            errors[known],
            seconds[known],
            color=PALETTE[i % len(PALETTE)],
            linestyle=DASHES[i % len(DASHES)],
            marker=MARKERS[i % len(MARKERS)],
            label=name,
        )
    ax.set(xscale="log", yscale="log", xlabel=error_label, ylabel=time_label)
    ax.legend()
    return figure


@mpl.rc_context(STYLE)
def confusion(counts: ArrayLike, labels: Sequence[str], families: Sequence[str]) -> Figure:
    """Draw how the mechanisms of one true class were classified, in percent of that class.

    Parameters
    ----------
    counts : array_like, shape (classes, classes)
        Samples, by true class (rows) and predicted class (columns).
    labels, families : sequence of str, length classes
        Ids and families of the mechanisms; lines separate the families.

    Returns
    -------
    matplotlib.figure.Figure
        A heat map with the shares of at least half a percent written in.
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
def accuracies(
    labels: Sequence[str],
    values: ArrayLike,
    intervals: ArrayLike,
    *,
    published: Sequence[float | None] | None = None,
    xlabel: str = "top-1 accuracy / %",
    ax: Axes | None = None,
) -> Figure:
    """Draw accuracies with their intervals, beside published ones.

    Parameters
    ----------
    labels : sequence of str, length n
        What was evaluated, from top to bottom.
    values : array_like, shape (n,)
        Accuracies as shares, 0 to 1.
    intervals : array_like, shape (n, 2)
        Lower and upper ends of their intervals, as shares.
    published : sequence of float or None, length n, optional
        Published values as shares; None or NaN where there is none.
    xlabel : str
        Label of the axis.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made.
    """
    values, intervals = 100 * np.asarray(values, float), 100 * np.asarray(intervals, float)
    figure, ax = _panel(ax, width=6.4, height=1.2 + 0.42 * len(labels))
    rows = np.arange(len(labels))
    ax.hlines(rows, intervals[:, 0], intervals[:, 1], color=PALETTE[0], linewidth=3, alpha=0.45)
    ax.plot(values, rows, "o", color=PALETTE[0], label="this run, with interval")
    if published is not None:
        known = 100 * np.array([np.nan if value is None else value for value in published], float)
        ax.plot(known, rows, "D", color=PALETTE[1], markerfacecolor="white", label="published")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    ax.set_yticks(rows, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.set_xlabel(xlabel)
    ax.grid(axis="y", visible=False)
    return figure


@mpl.rc_context(STYLE)
def training_curves(
    curves: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
    *,
    ax: Axes | None = None,
    xlabel: str = "sample passes / million",
    ylabel: str = "cross-entropy / nat",
) -> Figure:
    """Draw how a quantity went during training.

    Parameters
    ----------
    curves : mapping of str to (x, training, validation)
        For each model three arrays of one shape (records,). Training is drawn thin, validation
        thick with the model's name.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made.
    xlabel, ylabel : str
        Labels of the axes, with units.
    """
    figure, ax = _panel(ax, width=6.0, height=3.4)
    for i, (name, (x, training, validation)) in enumerate(curves.items()):
        color, dash = PALETTE[i % len(PALETTE)], DASHES[i % len(DASHES)]
        ax.plot(x, training, color=color, linewidth=0.8, linestyle=dash, alpha=0.7)
        ax.plot(x, validation, color=color, linewidth=1.9, linestyle=dash, label=name)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(title="thick: validation, thin: training", alignment="left", title_fontsize=7.5)
    return figure


@mpl.rc_context(STYLE)
def mechanism_grid(
    labels: Sequence[str],
    families: Sequence[str],
    *,
    columns: int = 5,
    xlabel: str = "time / horizon",
    ylabel: str = "",
    sharey: bool = True,
) -> tuple[Figure, list[Axes]]:
    """Make one small panel a mechanism, to be drawn into.

    Parameters
    ----------
    labels, families : sequence of str
        Ids and families; the title of a panel wears its family's colour.
    columns : int
        Panels side by side.
    xlabel, ylabel : str
        Labels shared by all panels, with units.
    sharey : bool
        Whether all panels share the ordinate.

    Returns
    -------
    figure : matplotlib.figure.Figure
        With a legend of the families.
    axes : list of matplotlib.axes.Axes
        One a label.
    """
    rows = -(-len(labels) // columns)
    figure, axes = panels(
        rows, columns, height=0.9 + 1.45 * rows, sharex=True, sharey=sharey, squeeze=False
    )
    used = axes.ravel()[: len(labels)].tolist()
    for ax, label, family in zip(used, labels, families, strict=True):
        ax.set_title(label, color=family_color(family), fontweight="bold", pad=3)
        ax.tick_params(labelsize=7)
    for ax in axes.ravel()[len(labels) :]:
        ax.set_axis_off()
    figure.supxlabel(xlabel, fontsize="medium")
    figure.supylabel(ylabel, fontsize="medium")
    family_legend(figure, families)
    return figure, used


@mpl.rc_context(STYLE)
def bars(
    labels: Sequence[str],
    values: ArrayLike,
    families: Sequence[str],
    *,
    ylabel: str,
    intervals: ArrayLike | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw one value a mechanism as bars in the colours of the families.

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
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made, with a legend of the families.
    """
    values = np.asarray(values, float)
    alone = ax is None
    figure, ax = _panel(ax, width=7.2, height=3.0)
    positions = np.arange(len(labels))
    ax.bar(positions, values, color=[family_color(family) for family in families], width=0.72)
    if intervals is not None:
        ends = np.asarray(intervals, float)
        ax.vlines(positions, ends[:, 0], ends[:, 1], color=INK, linewidth=1.2)
    ax.set_xticks(positions, labels)
    ax.set_xlim(-0.6, len(labels) - 0.4)
    ax.tick_params(axis="x", length=0)
    ax.grid(axis="x", visible=False)
    ax.set_ylabel(ylabel)
    if alone:
        family_legend(figure, families)
    return figure


@mpl.rc_context(STYLE)
def distributions(
    values: Mapping[str, ArrayLike],
    *,
    bins: int | ArrayLike = 40,
    columns: int = 3,
    ylabel: str = "share of samples / %",
) -> Figure:
    """Draw the distributions of several quantities, a panel each.

    Parameters
    ----------
    values : mapping of str to array_like
        What is drawn by the label of its abscissa, with unit; values that are not finite are left
        out.
    bins : int or array_like
        Bins of the histograms, or their edges.
    columns : int
        Panels side by side.
    ylabel : str
        Label of the ordinate.
    """
    columns = min(columns, len(values))
    rows = -(-len(values) // columns)
    figure, axes = panels(rows, columns, height=0.3 + 2.1 * rows, squeeze=False)
    for i, (ax, (label, data)) in enumerate(zip(axes.ravel(), values.items(), strict=False)):
        data = np.asarray(data, float)
        data = data[np.isfinite(data)]
        weights = np.full(data.size, 100 / max(data.size, 1))
        ax.hist(data, bins=bins, weights=weights, color=PALETTE[0], linewidth=0)
        ax.set(xlabel=label, ylabel=ylabel if i % columns == 0 else "")
        ax.grid(axis="x", visible=False)
    for ax in axes.ravel()[len(values) :]:
        ax.set_axis_off()
    return figure


@mpl.rc_context(STYLE)
def reliability(
    models: Mapping[str, tuple[ArrayLike, ArrayLike]], *, ax: Axes | None = None
) -> Figure:
    """Draw how often a model is right against how sure it is.

    Parameters
    ----------
    models : mapping of str to (confidence, accuracy)
        For each model two arrays of shape (bins,), as shares; NaN in a bin without samples.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made.
    """
    figure, ax = _panel(ax, width=4.6, height=4.2)
    ax.plot([0, 100], [0, 100], color=FAINT, linestyle="-", linewidth=0.9, label="calibrated")
    for i, (name, (confidence, accuracy)) in enumerate(models.items()):
        ax.plot(
            100 * np.asarray(confidence, float),
            100 * np.asarray(accuracy, float),
            color=PALETTE[i % len(PALETTE)],
            linestyle=DASHES[i % len(DASHES)],
            marker=MARKERS[i % len(MARKERS)],
            label=name,
        )
    ax.set(
        xlim=(0, 100),
        ylim=(0, 100),
        aspect="equal",
        xlabel="probability of the top mechanism / %",
        ylabel="how often it is the true one / %",
    )
    ax.legend(loc="upper left")
    return figure


def _panel(ax: Axes | None, *, width: float, height: float) -> tuple[Figure, Axes]:
    """Give the panel at hand with its figure, or a new one."""
    return (ax.figure, ax) if ax is not None else panels(width=width, height=height)
