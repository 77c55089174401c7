"""Selecting candidates from a pool before any label is known, and judging what was selected.

Candidates are what may become training samples: structures, trajectories, experiments. All that is
asked for is a kernel over them. The methods are three aims, spread (fps, maximin), volume
(pivoted_cholesky, rp_cholesky, kdpp, d_exchange, leverage) and the pool's average (i_greedy,
herding, k-medoids), beside drawing at random.
"""

from kinetlib.design.kernels import Gaussian, Gram, Kernel, Linear, median_width
from kinetlib.design.measures import Quality, quality
from kinetlib.design.selection import DRAWN, METHODS, TARGETED, select
from kinetlib.design.volume import low_rank

__all__ = [
    "DRAWN",
    "METHODS",
    "TARGETED",
    "Gaussian",
    "Gram",
    "Kernel",
    "Linear",
    "Quality",
    "low_rank",
    "median_width",
    "quality",
    "select",
]
