"""One look for all figures, and the figures that recur.

A notebook calls :func:`use_style` once and ends each figure with :func:`show`, which insists on a
text for readers who cannot see it.
"""

from kinetlib.plot.curves import errors_over_limit, fitted_curves, success
from kinetlib.plot.estimation import certified, constants_known
from kinetlib.plot.experiment import experiments, next_run, told
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
from kinetlib.plot.higher_order import curves_with_errors, errors_by_stiffness, profiles
from kinetlib.plot.intervals import by_samples, selections, worth
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
from kinetlib.plot.potentials import error_against_measure, errors_by_size, goal_intervals
from kinetlib.plot.ranges import ranges

__all__ = [
    "DASHES",
    "FAMILY_COLORS",
    "PALETTE",
    "STYLE",
    "accuracies",
    "architecture",
    "bars",
    "by_samples",
    "certified",
    "concentration_curves",
    "confusion",
    "constants_known",
    "curves_with_errors",
    "distributions",
    "error_against_measure",
    "errors_by_size",
    "errors_over_limit",
    "errors_by_stiffness",
    "experiments",
    "family_color",
    "family_legend",
    "fitted_curves",
    "goal_intervals",
    "grid",
    "mechanism_grid",
    "next_run",
    "panels",
    "profiles",
    "ranges",
    "reliability",
    "selections",
    "show",
    "success",
    "told",
    "training_curves",
    "use_style",
    "work_precision",
    "worth",
]
