"""Figures about trained networks: how they are built, and how well they do where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from kinetlib.plot.look import DASHES, FAINT, INK, PALETTE, STYLE, panels

if TYPE_CHECKING:
    import keras

_WIDTH, _HEIGHT = 0.86, 0.62  # of a box, in a grid of 1 by 1
_LEARNED = PALETTE[0]
_TINT = tuple(0.86 + 0.14 * part for part in mpl.colors.to_rgb(_LEARNED))


@mpl.rc_context(STYLE)
def architecture(model: keras.Model) -> Figure:
    """Draw the layers of a network and what flows between them, from inputs down to the output.

    Parameters
    ----------
    model : keras.Model
        A functional model: its own configuration tells which layer feeds which.

    Returns
    -------
    matplotlib.figure.Figure
        One box a layer with its name, kind and number of parameters; those that learn are tinted.
    """
    feeds = _feeds(model)
    depth: dict[str, int] = {}
    for name, sources in feeds.items():  # a layer comes after those that feed it
        depth[name] = 1 + max((depth[source] for source in sources), default=-1)
    # What feeds a late layer only, an input say, is drawn next to it.
    for name in reversed(feeds):
        followers = [depth[other] for other, sources in feeds.items() if name in sources]
        depth[name] = min(followers) - 1 if followers else depth[name]
    rows: dict[int, list[str]] = {}
    for name in feeds:
        rows.setdefault(depth[name], []).append(name)
    place = {
        name: (i - (len(row) - 1) / 2, -level)
        for level, row in rows.items()
        for i, name in enumerate(row)
    }
    widest = max(map(len, rows.values()))
    figure, ax = panels(width=min(7.2, 1.5 + 1.75 * widest), height=0.5 * len(rows) + 0.3)
    for name, sources in feeds.items():
        for source in sources:
            (x0, y0), (x1, y1) = place[source], place[name]
            ax.annotate(
                "",
                (x1, y1 + _HEIGHT / 2),
                (x0, y0 - _HEIGHT / 2),
                arrowprops={
                    "arrowstyle": "-|>",
                    "color": FAINT,
                    "shrinkA": 0,
                    "shrinkB": 0,
                    # Past the boxes between.
                    "connectionstyle": "arc3,rad=-0.3" if y0 - y1 > 1 else "arc3",
                },
                zorder=1,
            )
    operations = {operation.name: operation for operation in model.operations}
    for name, (x, y) in place.items():
        layer = operations[name]
        learned = layer.count_params() if hasattr(layer, "count_params") else 0
        ax.add_patch(
            mpl.patches.FancyBboxPatch(
                (x - _WIDTH / 2, y - _HEIGHT / 2),
                _WIDTH,
                _HEIGHT,
                boxstyle="round,pad=0,rounding_size=0.06",
                facecolor=_TINT if learned else "white",
                edgecolor=_LEARNED if learned else FAINT,
                linewidth=0.9,
                zorder=2,
            )
        )
        kind = type(layer).__name__.removesuffix("Layer")
        number = f", {learned:,}" if learned else ""
        ax.text(
            x,
            y,
            f"{name}\n{kind}{number}",
            ha="center",
            va="center",
            fontsize=7,
            color=INK,
            zorder=3,
        )
    ax.set(xlim=(-widest / 2, widest / 2), ylim=(-max(rows) - 0.5, 0.5))
    ax.set_axis_off()
    return figure


@mpl.rc_context(STYLE)
def learned_flow(
    points: tuple[ArrayLike, ArrayLike],
    regions: tuple[ArrayLike, ArrayLike],
    paths: tuple[ArrayLike, ArrayLike, ArrayLike, ArrayLike],
) -> Figure:
    """Draw how a learned field carries points of two classes apart.

    Left, the class given to each place and the points trained on; in the middle, the paths of other
    points; right, their log-odds of class 1 along the way.

    Parameters
    ----------
    points : tuple of array_like
        Points trained on, shape (n, 2), and their classes, 0 or 1, shape (n,).
    regions : tuple of array_like
        Coordinates of a square grid, shape (g,), and the probability of class 1 there, (g, g).
    paths : tuple of array_like
        Times (T,), coordinates (m, T, 2) and log-odds (m, T) of m points, and their classes (m,).
    """
    figure, (left, middle, right) = panels(1, 3, height=2.7)
    (trained, labels), (side, probability) = points, regions
    times, moved, odds, truth = paths
    shades = {"levels": [0.0, 0.5, 1.0], "colors": PALETTE[:2], "alpha": 0.18}
    left.contourf(side, side, probability, **shades)
    for label, marker in ((0, "o"), (1, "s")):
        style, mine = {"color": PALETTE[label]}, truth == label
        left.plot(*trained[labels == label].T, marker, markersize=2, **style)
        begin = moved[mine, 0].T
        middle.plot(*begin, marker, markersize=3.5, label=f"class {label}", **style)
        middle.plot(*moved[mine].T, linestyle="-", linewidth=0.8, **style)
        right.plot(times, odds[mine].T, linestyle=DASHES[label], linewidth=0.8, **style)
    named = {"xlabel": "first coordinate", "ylabel": "second coordinate"}
    left.set(aspect="equal", xlim=(side[0], side[-1]), title="regions and training points", **named)
    middle.set(title=f"paths of {len(truth)} other points", **named)
    right.set(xlabel="time", ylabel="log-odds of class 1", title="where the line parts them")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@mpl.rc_context(STYLE)
def grid(
    values: ArrayLike,
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    xlabel: str,
    ylabel: str,
    label: str,
) -> Figure:
    """Draw a table of percentages as a heat map with the numbers written in.

    Parameters
    ----------
    values : array_like, shape (rows, columns)
        Percentages.
    rows, columns : sequence of str
        What they are of.
    xlabel, ylabel, label : str
        Labels of the axes and of the colours, with units.
    """
    values = np.asarray(values, float)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(
            f"values of shape {values.shape} for {len(rows)} rows and {len(columns)} columns"
        )
    figure, ax = panels(width=1.6 + 0.62 * len(columns), height=1.0 + 0.36 * len(rows))
    ax.grid(False)
    image = ax.imshow(values, cmap="cividis", aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        dark = image.norm(value) < 0.55
        color = "white" if dark else "black"
        ax.text(j, i, f"{value:.1f}", ha="center", va="center", color=color, fontsize=8)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label=label).outline.set_visible(False)
    return figure


def _feeds(model: keras.Model) -> dict[str, list[str]]:
    """Return the layers that feed each layer, in the order of the model's configuration."""
    feeds = {}
    for layer in model.get_config()["layers"]:
        sources: list[str] = []
        _collect(layer["inbound_nodes"], sources)
        feeds[layer["name"]] = list(dict.fromkeys(sources))
    return feeds


def _collect(node: object, found: list[str]) -> None:
    """Find the tensors in a layer's configuration: each names the layer it comes from."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        found.append(node["config"]["keras_history"][0])
    elif isinstance(node, dict):
        for value in node.values():
            _collect(value, found)
    elif isinstance(node, (list, tuple)):
        for value in node:
            _collect(value, found)
