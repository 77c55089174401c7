"""One look for all figures, and the figures that recur.

A notebook calls :func:`use_style` once and ends each figure with :func:`show`, which insists on a
text for readers who cannot see it.
"""

from kinetlib.plot.figures import (
    accuracies,
    bars,
    concentration_curves,
    confusion,
    distributions,
    mechanism_grid,
    reliability,
    training_curves,
    work_precision,
)
from kinetlib.plot.look import (
    DASHES,
    FAMILY_COLORS,
    PALETTE,
    STYLE,
    family_color,
    family_legend,
    panels,
    show,
    use_style,
)
from kinetlib.plot.networks import architecture, grid
from kinetlib.plot.ranges import ranges
from kinetlib.plot.samples import by_samples, selections, worth

__all__ = [
    "DASHES",
    "FAMILY_COLORS",
    "PALETTE",
    "STYLE",
    "accuracies",
    "architecture",
    "bars",
    "by_samples",
    "concentration_curves",
    "confusion",
    "distributions",
    "family_color",
    "family_legend",
    "grid",
    "mechanism_grid",
    "panels",
    "ranges",
    "reliability",
    "selections",
    "show",
    "training_curves",
    "use_style",
    "work_precision",
    "worth",
]
