"""Where the catalyst is: its shares among species over the course of a run."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from kinetlib.plot.look import INK, STYLE

# Active forms cool, resting and dormant ones pale, dead ones warm; the same name, the same colour.
SPECIES_COLORS = {
    "cat": "#56B4E9",
    "catS": "#0072B2",
    "catP": "#8f7fc4",
    "cat2": "#CC79A7",
    "cat2S": "#8c3f68",
    "catS2": "#00543c",
    "cat*": "#7fd1b6",
    "cat*S": "#009E73",
    "dead": "#D55E00",
    "dead'": "#E69F00",
}
OTHER_COLOR = "#8a9099"
_WIDTH, _HEIGHT = 0.3, 0.09  # room that a name takes, relative to its panel
_LABEL = {"ha": "center", "va": "center", "fontsize": 6.5}


@mpl.rc_context(STYLE)
def catalyst_shares(ax: Axes, time: ArrayLike, shares: ArrayLike, species: Sequence[str]) -> None:
    """Draw the shares of the catalyst as bands on top of each other, each with its name.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
        Panel to draw in.
    time : array_like, shape (T,)
        Abscissa, rising.
    shares : array_like, shape (T, S)
        Part of all catalyst atoms in each species; bands are drawn from the bottom in this order.
    species : sequence of str, length S
        Names; a species of the catalogue has the same colour in every panel.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """
    time, shares = np.asarray(time, float), np.asarray(shares, float)
    if shares.shape != (len(time), len(species)):
        raise ValueError(
            f"shares: expected shape ({len(time)}, {len(species)}) for as many times and species, "
            f"got {shares.shape}"
        )
    colors = [SPECIES_COLORS.get(name, OTHER_COLOR) for name in species]
    ax.stackplot(time, 100 * shares.T, colors=colors, linewidth=0)
    tops = np.cumsum(shares, axis=1)
    for j, name in enumerate(species):
        x, y, room = _roomiest(time, tops[:, j] - shares[:, j], tops[:, j])
        if room >= _HEIGHT:
            ax.text(x, 100 * y, name, color=_ink_on(colors[j]), **_LABEL)
    ax.set(xlim=(time[0], time[-1]), ylim=(0, 100))
    ax.grid(False)


def _roomiest(time: np.ndarray, bottom: np.ndarray, top: np.ndarray) -> tuple[float, float, float]:
    """Find the centre of the tallest box of a name's width that fits into a band, and its height.

    >>> time = np.linspace(0, 1, 11)
    >>> x, y, room = _roomiest(time, np.zeros(11), time)
    >>> round(room, 1)
    0.7
    """
    part = (time - time[0]) / (time[-1] - time[0])
    best = (float(time[0]), 0.0, -1.0)
    for centre in part[(part >= _WIDTH / 2) & (part <= 1 - _WIDTH / 2)]:
        window = np.abs(part - centre) <= _WIDTH / 2
        low, high = bottom[window].max(), top[window].min()
        if high - low > best[2]:
            x = time[0] + centre * (time[-1] - time[0])
            best = (float(x), float(low + high) / 2, float(high - low))
    return best


def _ink_on(color: str) -> str:
    """Choose white or dark letters, whichever reads better on a colour."""
    red, green, blue = mpl.colors.to_rgb(color)
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 0.5 else "white"
