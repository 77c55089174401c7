"""Figures of planned experiments: what is chosen, what it tells, and the next run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kinetlib.plot.look import DASHES, FAINT, MARKERS, PALETTE, STYLE, panels

if TYPE_CHECKING:
    from kinetlib.experiments.next_run import Advice

_APART = 0.93
_FEW = 4  # mechanisms whose curves can be told apart in one panel


@mpl.rc_context(STYLE)
def next_run(advice: Advice, unit: str = "") -> Figure:
    """Draw what is expected of the advised run.

    Left, the product, or the substrate where it says more, that the most probable mechanisms make
    of it, with one standard deviation of their rate constants, and the times of the samples as
    ticks; right, the probability of each mechanism now and, were it the true one, after the run.

    Parameters
    ----------
    advice : kinetlib.experiments.next_run.Advice
        The advice.
    unit : str
        Unit of time.
    """
    figure, (left, right) = panels(1, 2, height=3.4, width_ratios=(1.5, 1))
    species = _telling(advice)
    for i, name in enumerate(advice.mechanisms[:_FEW]):
        mean, spread = advice.curves[name][:, :, species]
        left.plot(
            advice.curve_times, mean, color=PALETTE[i], linestyle=DASHES[i], label=name, zorder=3
        )
        left.fill_between(
            advice.curve_times, mean - spread, mean + spread, color=PALETTE[i], alpha=0.18, lw=0
        )
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
    right.hlines(
        rows, 100 * advice.probabilities, 100 * advice.gain.truth, color=FAINT, linestyle="-"
    )
    right.plot(100 * advice.probabilities, rows, "o", color=PALETTE[0], label="now")
    right.plot(100 * advice.gain.truth, rows, "D", color=PALETTE[1], label="after it, if true")
    right.set_yticks(rows, advice.mechanisms)
    right.set(xlabel="probability / %", xlim=(-3, 103), ylim=(len(rows) - 0.5, -0.9))
    right.legend(loc="upper center", bbox_to_anchor=(0.5, 1.16), ncols=2)
    return figure


def _telling(advice: Advice) -> int:
    """Tell whether the mechanisms' means lie farther apart in substrate, 0, or product, 1."""
    means = np.stack([advice.curves[name][0] for name in advice.mechanisms[:_FEW]])
    return int(np.ptp(means, axis=0).max(0).argmax())


@mpl.rc_context(STYLE)
def experiments(named: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Draw experiments: a panel each, loading against sampling times, a mark a sample.

    Parameters
    ----------
    named : mapping of str to sequence of runs
        Of each experiment the runs: ``loading``, ``substrate_0`` and ``times``, in horizons.
    """
    columns = min(3, len(named))
    rows = -(-len(named) // columns)
    figure, axes = panels(
        rows, columns, height=0.8 + 2.2 * rows, sharex=True, sharey=True, squeeze=False
    )
    kinds = sorted({run["substrate_0"] for runs in named.values() for run in runs}, reverse=True)
    for ax, (name, runs) in zip(axes.flat, named.items(), strict=False):
        for run in runs:
            kind = kinds.index(run["substrate_0"])
            ax.plot(
                run["times"],
                # Runs of one loading lie side by side.
                np.full(len(run["times"]), 100 * run["loading"] * _APART**kind),
                color=PALETTE[kind],
                marker=MARKERS[kind],
                linestyle=DASHES[kind],
                linewidth=0.8,
            )
        ax.set_title(name.replace(", ", ",\n"))
        ax.set_yscale("log")
        ax.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
        ax.minorticks_off()
    for ax in axes.flat[len(named) :]:
        ax.set_visible(False)
    for kind, value in enumerate(kinds):
        axes.flat[0].plot(
            [],
            [],
            color=PALETTE[kind],
            marker=MARKERS[kind],
            linestyle=DASHES[kind],
            label=f"S₀ = {value:.2g}, P₀ = {1 - value:.2g}",
        )
    figure.legend(loc="outside upper center", ncols=len(kinds))
    figure.supxlabel("time / horizon", fontsize="medium")
    figure.supylabel("loading / %", fontsize="medium")
    return figure


@mpl.rc_context(STYLE)
def told(comparison: Mapping[str, Mapping[str, Mapping[str, Any]]], kinds: Sequence[str]) -> Figure:
    """Draw accuracy and cross-entropy of kinds of experiments with their intervals.

    Parameters
    ----------
    comparison : mapping of str to mapping
        By level of noise what `kinetlib.experiments.discrimination.compared` returns.
    kinds : sequence of str
        Which kinds, from top to bottom.
    """
    measures = {"top_1": (100, "top-1 / %"), "cross_entropy": (1, "cross-entropy / nat")}
    figure, axes = panels(1, 2, height=0.9 + 0.33 * len(kinds), sharey=True)
    apart = np.linspace(-0.14, 0.14, len(comparison))
    for ax, (measure, (scale, label)) in zip(axes, measures.items(), strict=True):
        for i, (level, table) in enumerate(comparison.items()):
            at = np.arange(len(kinds)) + apart[i]
            ends = scale * np.array(
                [[table[kind][measure][key] for key in ("low", "value", "high")] for kind in kinds]
            )
            ax.hlines(at, ends[:, 0], ends[:, 2], color=PALETTE[i], linewidth=3, alpha=0.45)
            ax.plot(
                ends[:, 1],
                at,
                MARKERS[i],
                color=PALETTE[i],
                label=f"{100 * float(level):g} % noise",
            )
        ax.set_xlabel(label)
    axes[0].set_yticks(np.arange(len(kinds)), kinds)
    axes[0].set_ylim(len(kinds) - 0.5, -0.5)
    axes[1].legend()
    return figure
