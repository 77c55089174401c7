"""What a fit found: runs with the curve through them, what it leaves, profiles of constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from kinetlib.plot.look import FAINT, STYLE, legend_above, panels, series

_SIDE_BY_SIDE = 3
_WIDTH, _HEIGHT = 3.4, 3.0  # of the panels of one run that stands alone
_LEAST_RESIDUALS = 3.5  # deviations that the lower panel reaches at least


@dataclass(frozen=True)
class FittedRun:
    """One run to be drawn: T readings of C columns, N points of the curve through them.

    ``time`` (T,); ``measured`` and ``residuals`` (T, C), NaN where nothing was measured, residuals
    in standard deviations; ``fine`` (N,); ``best``, ``low`` and ``high`` (N, C).
    """

    name: str
    time: NDArray[np.float64]
    measured: NDArray[np.float64]
    residuals: NDArray[np.float64]
    fine: NDArray[np.float64]
    best: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@mpl.rc_context(STYLE)
def fitted_runs(
    runs: Sequence[FittedRun],
    columns: Sequence[str],
    *,
    time_unit: str = "",
    concentration_unit: str = "",
) -> Figure:
    """Draw readings, the curve through them, its 95 % band, and below them what is left.

    Parameters
    ----------
    runs : sequence of FittedRun
        Two panels each, at most three runs side by side.
    columns : sequence of str
        Names of what was measured, length C.
    time_unit, concentration_unit : str
        As the file names them.
    """
    across = min(_SIDE_BY_SIDE, len(runs))
    down = -(-len(runs) // across)
    width = _WIDTH if across == 1 else 2.4 * across
    figure, axes = panels(
        2 * down,
        across,
        width=width,
        height=0.4 + _HEIGHT * down,
        squeeze=False,
        gridspec_kw={"height_ratios": [3, 1] * down},
    )
    units = (
        f"time / {_plain(time_unit)}" if time_unit else "time",
        f"concentration / {_plain(concentration_unit)}" if concentration_unit else "concentration",
    )
    for at in range(across * down):
        pair = axes[2 * (at // across) : 2 * (at // across) + 2, at % across]
        if at >= len(runs):
            for ax in pair:
                ax.set_axis_off()
            continue
        _draw(pair, runs[at], columns)
        pair[1].set_xlabel(units[0])
        if at % across == 0:
            pair[0].set_ylabel(units[1])
            pair[1].set_ylabel("residual / σ")
    figure.align_ylabels(axes[:, 0])
    legend_above(figure, min(len(columns), 4 if across > 1 else 2))
    return figure


def _draw(pair: Sequence[Axes], run: FittedRun, columns: Sequence[str]) -> None:
    above, below = pair
    there = np.isfinite(run.measured).any(1)
    for j, name in enumerate(columns):
        style = series(j)
        dots = {"linestyle": "none", "markersize": 3.6 if there.sum() <= 30 else 2.2}
        above.fill_between(
            run.fine, run.low[:, j], run.high[:, j], color=style["color"], alpha=0.18, linewidth=0
        )
        above.plot(run.fine, run.best[:, j], color=style["color"], linestyle="-", linewidth=1.2)
        above.plot(run.time, run.measured[:, j], label=_plain(name), **style | dots)
        below.plot(run.time, run.residuals[:, j], **style | dots)
    above.set_title(_plain(run.name))
    above.tick_params(labelbottom=False)
    below.sharex(above)
    seen = np.abs(run.residuals[np.isfinite(run.residuals)]).max(initial=0.0)
    reach = max(_LEAST_RESIDUALS, 1.1 * seen)
    below.set_ylim(-reach, reach)
    for at in (-1.96, 0.0, 1.96):
        below.axhline(at, color=FAINT, linewidth=0.8, linestyle="-" if at == 0 else (0, (3, 2)))
    below.yaxis.set_major_locator(MaxNLocator(3))
    for ax in pair:
        ax.xaxis.set_major_locator(MaxNLocator(4))


def _plain(name: str) -> str:
    """Keep a name of a file from being taken for mathematics, or for a line without a label."""
    name = name.replace("$", r"\$")
    return f" {name}" if name.startswith("_") else name


@mpl.rc_context(STYLE)
def profile(
    at: NDArray[np.float64],
    deviance: NDArray[np.float64],
    limit: float,
    *,
    best: float,
    label: str,
    logarithmic: bool = True,
) -> Figure:
    """Draw how much worse the best fit becomes where one quantity is held.

    Parameters
    ----------
    at : NDArray, shape (m,)
        Values at which it was held, rising.
    deviance : NDArray, shape (m,)
        Minus twice the logarithm of the likelihood, less its least.
    limit : float
        Of the deviance, below which the 95 % interval lies.
    best : float
        Value in the best fit.
    label : str
        What it is, with its unit.
    logarithmic : bool
        Whether the quantity is drawn on a logarithmic axis.
    """
    figure, ax = panels(width=_WIDTH, height=2.1)
    ax.plot(at, deviance, **series(0) | {"markersize": 2.2, "linewidth": 1.2})
    ax.axhline(limit, color=FAINT, linewidth=1.0, linestyle=(0, (3, 2)))
    ax.axvline(best, color=FAINT, linewidth=1.0, linestyle="-")
    inside = np.flatnonzero(deviance <= 4 * limit)
    first, last = max(inside[0] - 1, 0), min(inside[-1] + 1, len(at) - 1)
    ax.set(xlabel=_plain(label), ylabel="−2 Δ ln likelihood", ylim=(-0.05 * limit, 3 * limit))
    ax.set_xlim(at[first], at[last])
    if logarithmic:
        ax.set_xscale("log")
        if at[last] < 10 * at[first]:
            ax.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
            ax.xaxis.set_major_formatter(mpl.ticker.ScalarFormatter())
            ax.xaxis.set_minor_formatter(mpl.ticker.NullFormatter())
    return figure
