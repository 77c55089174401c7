"""The kinds of experiments that are compared, and a fair comparison: on the same parameter sets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib import evaluate
from kinetlib.evaluate.intervals import interval

SEED = 1975  # of the paper on T-optimality; no other dataset of ours has it
RUNS, POINTS, MANY = 4, 7, 21  # of the goal: a third of the points; the start counts

BASELINE, FEWER = "unplanned, 21 points", "unplanned, 7 points"
RANDOM = "random candidates, 7 points"
PLANNED, T_OPTIMAL, BOXED = "information, 7 points", "T-optimal, 7 points", "information, 1 to 10 %"
CEILING = "8 runs, 21 points"


@dataclass(frozen=True)
class Told:
    """What a classifier makes of the data of one kind of experiment.

    ``top_1`` and ``cross_entropy``, one a parameter set, shape (n,): means over the experiments
    of each set where there are several.
    """

    top_1: NDArray[np.float64]
    cross_entropy: NDArray[np.float64]

    @classmethod
    def of(cls, probabilities: NDArray, labels: NDArray[np.int64], each: int = 1) -> Told:
        """Measure probabilities (n ``each``, c), samples of a set one after the other."""
        repeated = np.repeat(labels, each)
        right = evaluate.top_k(probabilities, repeated, 1).astype(float)
        loss = evaluate.cross_entropy(probabilities, repeated)
        return cls(right.reshape(-1, each).mean(1), loss.reshape(-1, each).mean(1))


def comparison(
    told: Mapping[str, Told], baseline: str, ceiling: str, rng: Generator
) -> dict[str, dict[str, Any]]:
    """Compare kinds of experiments on the same parameter sets.

    Parameters
    ----------
    told
        By kind of experiment.
    baseline, ceiling
        Between which the gap in cross-entropy is to be closed.
    rng
        Source of the resampling.

    Returns
    -------
    dict
        By kind: ``top_1``, ``cross_entropy``; ``top_1_gain`` over the baseline,
        ``cross_entropy_gain`` (positive is better) and ``gap_closed``, the gain as a share of the
        ceiling's; each with its paired 95 % interval.
    """
    base, top = told[baseline], told[ceiling]
    table = {}
    for name, own in told.items():
        gains = np.stack(
            [base.cross_entropy - own.cross_entropy, base.cross_entropy - top.cross_entropy], 1
        )
        table[name] = {
            "top_1": interval(own.top_1, rng),
            "cross_entropy": interval(own.cross_entropy, rng),
            "top_1_gain": interval(own.top_1 - base.top_1, rng),
            "cross_entropy_gain": interval(gains[:, :1], rng),
            "gap_closed": interval(gains, rng, statistic=lambda m: m[..., 0] / m[..., 1]),
        }
    return table
