"""Colours, type and frame of every figure, and how a figure reaches the page."""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Iterable
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#333333")
"""Colours of Okabe and Ito (2008), told apart with any kind of colour vision."""

DASHES = ("-", (0, (5, 1.5)), (0, (1, 1.2)), (0, (5, 1.5, 1, 1.5)), (0, (8, 2)), (0, (3, 2)), "-")
"""Line styles that go with the palette, so that no figure rests on colour alone."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X")
"""Markers that go with the palette."""

FAMILY_COLORS = {
    "core": "#0072B2",
    "bicatalytic": "#CC79A7",
    "activation": "#009E73",
    "deactivation": "#D55E00",
}
"""Colour of each family of mechanisms."""

INK = "#26292e"
FAINT = "#8a9099"

STYLE = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "mathtext.fontset": "dejavusans",
    "font.size": 9,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e8eb",
    "grid.linewidth": 0.7,
    "axes.prop_cycle": cycler(color=PALETTE) + cycler(linestyle=DASHES),
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    "figure.facecolor": "white",  # opaque: readable on light and on dark pages
    "axes.facecolor": "white",
    "savefig.facecolor": "white",
    "figure.dpi": 100,
}
"""Settings of matplotlib behind every figure."""

_SCALE = 2  # pixels of the image for one of the page, for screens of high resolution


def use_style() -> None:
    """Give all figures drawn from here on the common look."""
    mpl.rcParams.update(STYLE)


def family_color(family: str) -> str:
    """Colour of a family; dark grey for a family that is not among the known ones."""
    return FAMILY_COLORS.get(family, PALETTE[-1])


@mpl.rc_context(STYLE)
def panels(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.2, **options
) -> tuple[Figure, Axes | np.ndarray]:
    """Make an empty figure with panels.

    Parameters
    ----------
    rows, columns : int
        Number of panels.
    width, height : float
        Size of the figure in inches; a page of the book is 7.2 wide.
    **options
        What ``Figure.subplots`` takes besides, such as ``sharex``.

    Returns
    -------
    figure : matplotlib.figure.Figure
        Unknown to pyplot, so that a notebook shows it only through :func:`show`.
    axes : matplotlib.axes.Axes or numpy.ndarray of them
        One, or as many as there are panels.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots(rows, columns, **options)


def tiles(
    n: int, columns: int, *, row: float = 2.1, frame: float = 0.5, **options
) -> tuple[Figure, list[Axes]]:
    """Make a figure of n panels, row by row, no wider than it has panels.

    Parameters
    ----------
    n, columns : int
        Panels, and how many stand side by side.
    row, frame : float
        Height of a row, and of all that is outside the rows, in inches.
    **options
        What ``Figure.subplots`` takes besides.
    """
    columns = min(columns, n)
    rows = -(-n // columns)
    figure, axes = panels(rows, columns, height=frame + row * rows, squeeze=False, **options)
    for ax in axes.flat[n:]:
        ax.set_axis_off()
    return figure, list(axes.flat[:n])


def on(ax: Axes | None, *, width: float, height: float) -> tuple[Figure, Axes]:
    """Give the panel at hand with its figure, or a new one of this size in inches."""
    return (ax.figure, ax) if ax is not None else panels(width=width, height=height)


def series(i: int) -> dict[str, Any]:
    """Colour, line style and marker of the series in place i; they begin anew after the last."""
    place = i % len(PALETTE)
    return {"color": PALETTE[place], "linestyle": DASHES[place], "marker": MARKERS[place]}


def label_axes(figure: Figure, xlabel: str, ylabel: str) -> None:
    """Label the axes that all panels share, in the size of any other label."""
    figure.supxlabel(xlabel, fontsize=STYLE["axes.labelsize"])
    figure.supylabel(ylabel, fontsize=STYLE["axes.labelsize"])


@mpl.rc_context(STYLE)
def legend_above(figure: Figure, columns: int | None = None) -> None:
    """Put what the first panel names above a figure, in one line unless `columns` says less."""
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns or len(labels))


@mpl.rc_context(STYLE)
def family_legend(figure: Figure, families: Iterable[str]) -> None:
    """Put a legend of the families' colours above a figure, in order of first appearance."""
    handles = [
        Line2D([], [], color=family_color(family), marker="s", linestyle="none", label=family)
        for family in dict.fromkeys(families)
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=len(handles))


def show(figure: Figure, *, alt: str, caption: str | None = None, source: str = "this run") -> None:
    """Display a figure in a notebook, with a text for readers who cannot see it.

    The output is an HTML ``<figure>`` that carries the image in itself. Jupyter and the rendered
    book show it alike; an image output would lose the text, because MyST-NB takes that only from
    the metadata of the cell.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure; it is closed afterwards if pyplot made it.
    alt : str
        What there is to see, in a sentence or two.
    caption : str, optional
        Text below the figure.
    source : str
        Whose numbers these are, behind the caption: this run's, or those of a record.

    Raises
    ------
    ValueError
        Where `alt` says nothing.
    """
    from IPython.display import display  # only notebooks need it
    from matplotlib import pyplot

    page = as_html(figure, alt=alt, caption=caption, source=source)
    pyplot.close(figure)  # or the notebook would show it a second time, without the text
    display({"text/html": page, "text/plain": f"[figure: {alt}]"}, raw=True)


@mpl.rc_context(STYLE)
def as_html(figure: Figure, *, alt: str, caption: str | None = None, source: str = "") -> str:
    """Write a figure as the HTML that :func:`show` displays."""
    if not isinstance(alt, str) or not alt.strip():
        raise ValueError(
            "a figure needs an alt text that is not empty: say in a sentence what there is to see."
        )
    image = io.BytesIO()
    dpi = STYLE["figure.dpi"]
    figure.savefig(
        image, format="png", dpi=_SCALE * dpi, metadata={"Software": None}, transparent=False
    )
    data = base64.b64encode(image.getvalue()).decode("ascii")
    width, height = (round(side * dpi) for side in figure.get_size_inches())
    caption = html.escape((caption or "").strip())
    said = " ".join(part for part in (caption, badge_html(source) if source else "") if part)
    below = (
        '<figcaption style="color:#2f343b;font-weight:400;text-align:left;font-size:0.9em;'
        f'padding:0.4em 0.3em 0">{said}</figcaption>'
        if said
        else ""
    )
    return (
        '<figure class="kinetlib-figure" style="background:#fff;border-radius:6px;margin:0;'
        f"padding:0.6em;box-sizing:border-box;width:fit-content;"
        f'max-width:min(100%, {width}px + 1.2em)">'
        f'<img class="dark-light" alt="{html.escape(" ".join(alt.split()))}" '
        f'width="{width}" height="{height}" '
        'style="max-width:100%;height:auto;background:#fff;padding:0" '
        f'src="data:image/png;base64,{data}">{below}</figure>'
    )


@mpl.rc_context(STYLE | {"svg.hashsalt": "kinetlib"})
def as_svg(figure: Figure, *, name: str, alt: str) -> str:
    """Write a figure as an ``<svg>`` to stand within a page of HTML, scaled by that page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    name : str
        Letters and digits that no other figure of the page has: its ids begin with them.
    alt : str
        What there is to see, in a sentence or two.
    """
    image = io.StringIO()
    figure.savefig(
        image, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
    )
    drawn = image.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r"<style.*?</style>", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'\bid="', f'id="{name}-', drawn)
    drawn = drawn.replace("url(#", f"url(#{name}-").replace('xlink:href="#', f'href="#{name}-')
    box = re.search(r'viewBox="([^"]*)"', drawn)[1]
    _, inside = drawn.split(">", 1)
    said = html.escape(" ".join(alt.split()))
    return (
        f'<svg viewBox="{box}" role="img" aria-labelledby="{name}-alt" stroke-linejoin="round" '
        f'stroke-linecap="butt"><title id="{name}-alt">{said}</title>{inside.strip()}'
    )


def badge_html(source: str) -> str:
    """Write whose numbers these are as the HTML that stands beside figures and tables."""
    return (
        '<span class="kinetlib-badge" style="border:1px solid currentColor;border-radius:0.6em;'
        'padding:0 0.5em;font-size:0.85em;white-space:nowrap;opacity:0.75">'
        f"{html.escape(source)}</span>"
    )
