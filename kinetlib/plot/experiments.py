"""Figures of planned experiments: what is chosen, and what the next run is expected to tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kinetlib.plot.look import FAINT, PALETTE, STYLE, label_axes, panels, series, tiles

_APART = 0.93
_FEW = 4  # mechanisms whose curves can be told apart in one panel


@mpl.rc_context(STYLE)
def next_run(advice: Any, unit: str = "") -> Figure:
    """Draw what is expected of the advised run.

    Left, the product, or the substrate where it says more, that the most probable mechanisms make
    of it, with one standard deviation of their rate constants, and the times of the samples as
    ticks; right, the probability of each mechanism now and, were it the true one, after the run.

    Parameters
    ----------
    advice : object
        What `kinetlib.experiments.next_run.advise` returns: ``mechanisms``, ``probabilities`` (M,),
        ``curves`` by mechanism (2, T, 2) at ``curve_times`` (T,), ``times`` of the samples,
        ``candidates`` and ``best`` among them, and ``gain.truth`` (M,).
    unit : str
        Unit of time.
    """
    figure, (left, right) = panels(1, 2, height=3.4, width_ratios=(1.5, 1))
    shown = advice.mechanisms[:_FEW]
    # Substrate, 0, or product, 1: the one in which the mechanisms' means lie farther apart.
    means = [advice.curves[name][0] for name in shown]
    species = int(np.ptp(means, axis=0).max(0).argmax())
    for i, name in enumerate(shown):
        mean, spread = advice.curves[name][:, :, species]
        style = series(i) | {"marker": ""}
        left.plot(advice.curve_times, mean, label=name, zorder=3, **style)
        ends = mean - spread, mean + spread
        left.fill_between(advice.curve_times, *ends, color=PALETTE[i], alpha=0.18, lw=0)
    for time in advice.times[advice.times > 0]:
        left.axvline(time, ymax=0.04, color=PALETTE[-1], linewidth=1.2, linestyle="-")
    run, chosen = advice.best, advice.candidates
    left.set_title(
        f"loading {100 * chosen.loading[run]:.2g} %, S₀ {chosen.substrate_0[run]:.2g}, "
        f"P₀ {chosen.product_0[run]:.2g}"
    )
    left.set(
        xlabel=f"time / {unit}" if unit else "time",
        ylabel=f"{('substrate', 'product')[species]} / S₀ of the standard run",
    )
    left.xaxis.set_major_locator(MaxNLocator(5))
    left.legend()
    rows = np.arange(len(advice.mechanisms))
    now, after = 100 * advice.probabilities, 100 * advice.gain.truth
    right.hlines(rows, now, after, color=FAINT, linestyle="-")
    right.plot(now, rows, "o", color=PALETTE[0], label="now")
    right.plot(after, rows, "D", color=PALETTE[1], label="after it, if true")
    right.set_yticks(rows, advice.mechanisms)
    right.set(xlabel="probability / %", xlim=(-3, 103), ylim=(len(rows) - 0.5, -0.9))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    return figure


@mpl.rc_context(STYLE)
def experiments(named: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw experiments: a panel each, loading against sampling times, a mark a sample.

    Parameters
    ----------
    named : mapping of str to sequence of runs
        Of each experiment the runs: ``loading``, ``substrate_0`` and ``times``, in horizons.
    """
    figure, axes = tiles(len(named), 3, row=2.2, frame=0.8, sharex=True, sharey=True)
    kinds = sorted({run["substrate_0"] for runs in named.values() for run in runs}, reverse=True)
    for ax, (name, runs) in zip(axes, named.items(), strict=True):
        for run in runs:
            kind = kinds.index(run["substrate_0"])
            # Runs of one loading lie side by side.
            at = np.full(len(run["times"]), 100 * run["loading"] * _APART**kind)
            ax.plot(run["times"], at, linewidth=0.8, **series(kind))
        ax.set_title(name.replace(", ", ",\n"))
        ax.set_yscale("log")
        ax.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        ax.minorticks_off()
    for kind, value in enumerate(kinds):
        axes[0].plot([], [], label=f"S₀ = {value:.2g}, P₀ = {1 - value:.2g}", **series(kind))
    figure.legend(loc="outside upper center", ncols=len(kinds))
    label_axes(figure, "time / horizon", "loading / %")
    return figure
