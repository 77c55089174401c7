"""One look for all figures, and the figures that recur.

A notebook calls :func:`use_style` once and ends each figure with :func:`show`, which insists on a
text for readers who cannot see it. Each figure is drawn from plain arrays and computes nothing of
what it draws, save for shares in percent.
"""

from kinetlib.plot.classes import bars, confusion, mechanism_grid
from kinetlib.plot.curves import (
    concentration_curves,
    errors_by_stiffness,
    fitted_curves,
    lines,
    profiles,
    reliability,
    species_curves,
    work_precision,
)
from kinetlib.plot.experiments import experiments, next_run
from kinetlib.plot.fits import FittedRun, fitted_runs, profile
from kinetlib.plot.intervals import (
    certified,
    courses,
    ends,
    errors_of_each,
    goal_intervals,
    ranges,
    rows,
    told,
    worth,
)
from kinetlib.plot.look import (
    FAMILY_COLORS,
    PALETTE,
    as_svg,
    family_color,
    family_legend,
    label_axes,
    legend_above,
    panels,
    show,
    tiles,
    use_style,
)
from kinetlib.plot.networks import architecture, grid, learned_flow
from kinetlib.plot.orders import overlay
from kinetlib.plot.overview import overview
from kinetlib.plot.samples import (
    distributions,
    error_against_measure,
    errors_by_size,
    selections,
)

__all__ = [
    "FAMILY_COLORS",
    "PALETTE",
    "FittedRun",
    "architecture",
    "as_svg",
    "bars",
    "certified",
    "concentration_curves",
    "confusion",
    "courses",
    "distributions",
    "ends",
    "error_against_measure",
    "errors_by_size",
    "errors_by_stiffness",
    "errors_of_each",
    "experiments",
    "family_color",
    "family_legend",
    "fitted_curves",
    "fitted_runs",
    "goal_intervals",
    "grid",
    "label_axes",
    "learned_flow",
    "legend_above",
    "lines",
    "mechanism_grid",
    "next_run",
    "overlay",
    "overview",
    "panels",
    "profile",
    "profiles",
    "ranges",
    "reliability",
    "rows",
    "selections",
    "show",
    "species_curves",
    "tiles",
    "told",
    "use_style",
    "work_precision",
    "worth",
]
