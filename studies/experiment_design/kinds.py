"""The kinds of experiments that are compared."""

from __future__ import annotations

SEED = 1975  # of the paper on T-optimality; no other dataset of ours has it
RUNS, POINTS, MANY = 4, 7, 21  # of the goal: a third of the points; the start counts

BASELINE, FEWER = "unplanned, 21 points", "unplanned, 7 points"
RANDOM = "random candidates, 7 points"
PLANNED, T_OPTIMAL, BOXED = "information, 7 points", "T-optimal, 7 points", "information, 1 to 10 %"
CEILING = "8 runs, 21 points"
