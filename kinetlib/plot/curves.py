"""Lines against time, noise or effort."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from kinetlib.plot.intervals import level
from kinetlib.plot.look import (
    FAINT,
    INK,
    MARKERS,
    PALETTE,
    STYLE,
    label_axes,
    legend_above,
    on,
    panels,
    series,
    tiles,
)


def lines(
    ax: Axes,
    x: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    legend: Mapping[str, Any] | None = None,
    style: Mapping[str, Any] | None = None,
    **labels: Any,
) -> None:
    """Draw curves over one abscissa, each in the next colour and line style, and label the axes.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Panel to draw in.
    x : array_like, shape (T,)
        Abscissa.
    curves : mapping of str to array_like, shape (T,)
        By name.
    legend : mapping, optional
        How the legend is set, such as ``loc`` and ``ncols``; none without.
    style : mapping, optional
        Of all lines, such as ``marker``.
    **labels
        What ``Axes.set`` takes: labels with units, limits, scales, a title.
    """
    for name, y in curves.items():
        ax.plot(x, y, label=name, **(style or {}))
    ax.set(**labels)
    if legend is not None:
        ax.legend(**legend)


@mpl.rc_context(STYLE)
def species_curves(runs: xr.Dataset) -> Figure:
    """Draw all species of simulated runs against time, a panel a run.

    Parameters
    ----------
    runs : xarray.Dataset
        ``concentration`` (sample, time, species), as `kinetlib.simulate` returns it.
    """
    n = runs.sizes["sample"]
    figure, axes = tiles(n, 3, row=3.0 if n == 1 else 2.1)
    for i, ax in enumerate(axes):
        run = runs.isel(sample=i)
        curves = {str(s): run.concentration.sel(species=s) for s in runs.species.values}
        lines(ax, run.time, curves, title=f"run {i + 1}" if n > 1 else "")
    label_axes(figure, "time", "concentration")
    legend_above(figure, min(len(runs.species), 6))
    return figure


@mpl.rc_context(STYLE)
def concentration_curves(runs: xr.Dataset) -> Figure:
    """Draw substrate and product against time for all runs of one sample.

    Parameters
    ----------
    runs : xarray.Dataset
        The runs schema with one sample, with or without that dimension; from a dataset or from
        `kinetlib.lab.read`, which note the unit of time in ``time.attrs["units"]``.

    Raises
    ------
    ValueError
        Where there are several samples.
    """
    if "sample" in runs.dims:
        if runs.sizes["sample"] != 1:
            raise ValueError(
                f"expected one sample, got {runs.sizes['sample']}; choose one with "
                "runs.isel(sample=[i])."
            )
        runs = runs.isel(sample=0)
    figure, axes = panels(1, 2, height=3.1, sharex=True, sharey=True)
    size = {"linewidth": 1.0, "markersize": 4.5 if runs.sizes["time"] <= 25 else 3}
    for i in range(runs.sizes["run"]):
        run = runs.isel(run=i)
        run = run.isel(time=np.argsort(run["time"].values))
        for ax, species in zip(axes, ("substrate", "product"), strict=True):
            ax.plot(run["time"], run[species], label=_run_label(run), **series(i), **size)
    unit = runs["time"].attrs.get("units", "")
    label = "time" if unit in {"", "1"} else f"time / {unit}"
    for ax, species in zip(axes, ("substrate", "product"), strict=True):
        ax.set(xlabel=label, ylabel=f"{species} / S₀ of the standard run")
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.yaxis.set_tick_params(labelleft=True)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def _run_label(run: xr.Dataset) -> str:
    name = str(run["run"].values) if "run" in run.coords and run["run"].dtype.kind == "U" else ""
    conditions = (
        f"{100 * float(run['loading']):.2g} % catalyst, S₀ = {float(run['substrate_0']):.2g}"
    )
    return f"{name}: {conditions}" if name else conditions


@mpl.rc_context(STYLE)
def fitted_curves(
    species: Sequence[str], times: NDArray, measured: NDArray, fitted: NDArray, *, unit: str = ""
) -> Figure:
    """Draw measured curves as points and fitted ones as lines, a panel a run.

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
    dots = {"linestyle": "none", "markersize": 2.5, "markeredgewidth": 0, "alpha": 0.5}
    for run, ax in enumerate(axes[0]):
        for j, name in enumerate(species):
            ax.plot(times, measured[run, :, j], label=name, **series(j) | dots)
            color = series(j)["color"]
            ax.plot(times, fitted[run, :, j], linestyle="-", color=color, linewidth=1.4)
        ax.set_xlabel(f"time / {unit}" if unit else "time")
    axes[0, 0].set_ylabel("concentration")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(species), markerscale=2.5)
    return figure


@mpl.rc_context(STYLE)
def work_precision(
    methods: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    ax: Axes | None = None,
    time_label: str = "time for one trajectory / s",
    error_label: str = "largest absolute error",
) -> Figure:
    """Draw what an accuracy costs: time against error, both logarithmic.

    Better methods lie lower left.

    Parameters
    ----------
    methods : mapping of str to (errors, seconds)
        For each method two arrays of shape (tolerances,); entries that are not above zero or not
        finite are left out.
    ax : matplotlib.axes.Axes, optional
        Panel to draw in; without it a figure is made.
    time_label, error_label : str
        Labels of the axes, with units.
    """
    figure, ax = on(ax, width=5.6, height=3.8)
    for i, (name, points) in enumerate(methods.items()):
        errors, seconds = np.asarray(points, dtype=float)
        known = np.isfinite(errors) & np.isfinite(seconds) & (errors > 0) & (seconds > 0)
        ax.plot(errors[known], seconds[known], label=name, **series(i))
    ax.set(xscale="log", yscale="log", xlabel=error_label, ylabel=time_label)
    ax.legend()
    return figure


@mpl.rc_context(STYLE)
def reliability(models: Mapping[str, tuple[ArrayLike, ArrayLike]]) -> Figure:
    """Draw how often a model is right against how sure it is.

    Parameters
    ----------
    models : mapping of str to (confidence, accuracy)
        For each model two arrays of shape (bins,), as shares; NaN in a bin without samples.
    """
    figure, ax = panels(width=4.6, height=4.2)
    ax.plot([0, 100], [0, 100], color=FAINT, linestyle="-", linewidth=0.9, label="calibrated")
    for i, (name, bins) in enumerate(models.items()):
        ax.plot(*100 * np.asarray(bins, dtype=float), label=name, **series(i))
    ax.set(xlim=(0, 100), ylim=(0, 100), aspect="equal")
    ax.set(xlabel="probability of the top mechanism / %", ylabel="how often it is the true one / %")
    ax.legend(loc="upper left")
    return figure


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
    """
    figure, axes = panels(1, 2, height=3.8, sharey=True)
    stiffness = np.asarray(stiffness, dtype=float)
    for ax, curves in zip(axes, (errors, limits), strict=True):
        for i, (name, values) in enumerate(curves.items()):
            ax.plot(stiffness, values, label=name, **series(i))
        ax.set(xscale="log", yscale="log", xlabel=r"$L$, 1/time")
        ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    above = 1.6 * max(np.max(values) for values in errors.values())
    aside = {"xytext": (2, 0), "textcoords": "offset points", "color": INK, "va": "center"}
    for power, text in ((-0.5, r"$L^{-1/2}$"), (-1.0, r"$L^{-1}$")):
        guide = above * (stiffness / stiffness[0]) ** power
        axes[0].plot(stiffness, guide, color=FAINT, linewidth=0.8, linestyle="-")
        axes[0].annotate(text, (stiffness[-1], guide[-1]), fontsize=8, **aside)
    level(axes[1], lumped, "one reaction of order 2.2")
    axes[0].set_ylabel("mean error over range")
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
    """
    figure, ax = panels(width=6.4, height=3.4)
    for i, (name, simulations) in enumerate(lines.items()):
        for number, line in enumerate(simulations):
            style = series(i) | {"marker": "", "linewidth": 1.2}
            ax.plot(*line, label=name if number == 0 else None, **style)
        if np.isfinite(true[name]):
            ax.plot(true[name], 0, MARKERS[i], color=PALETTE[i], clip_on=False, zorder=3)
    ax.axhline(limit, color=FAINT, linewidth=1.0, linestyle="-")
    ax.set(xscale="log", xlabel=r"$L$, 1/time", ylim=(0, 6 * limit), xlim=(1, 1e6))
    ax.set_ylabel(r"$-2\,\ln$ likelihood, less its least")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=len(lines))
    return figure
