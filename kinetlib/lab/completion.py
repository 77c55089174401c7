"""Where a run is over: rows after it tell nothing of the mechanism, and mislead the networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

COMPLETE = 0.95
"""Share of the substrate, or of all that a run turns over in the end, from which it is over."""

_TAIL = 0.6  # of a run's time: one that has its own end earlier stays there long enough to tell
_LEAST = 4  # rows that are read in any case
_TURNED = 0.1  # of the substrate: a run that turns over less has no end of its own


def after_completion(
    time: NDArray[np.float64],
    substrate: NDArray[np.float64],
    product: NDArray[np.float64],
    substrate_0: float,
    product_0: float,
) -> NDArray[np.bool_]:
    """Tell which rows of a run come after its end, shape (points,).

    Over is a run from the first row on in which the substrate has fallen to 5 %, or in which 95 %
    of all that it turns over is turned over, if it then goes on for two thirds as long again. That
    row still counts. The released network was trained on runs that end there; what it makes of
    longer ones with and without such rows is measured by the study ``reading``.

    Parameters
    ----------
    time, substrate, product
        Shape (points,), times rising; NaN where a species was not measured. The substrate tells, or
        where it was never measured the product.
    substrate_0, product_0
        What the run starts with.
    """
    if np.isfinite(substrate).any():
        turned = substrate_0 - substrate
    else:
        turned = product - product_0
    known = np.flatnonzero(np.isfinite(turned))
    after = np.zeros(len(time), dtype=bool)
    if len(known) <= _LEAST or not substrate_0 > 0:
        return after
    turned, at = turned[known], time[known]
    # The mean, against noise; the last, where the run is still going on.
    last = max(turned[-max(3, len(turned) // 5) :].mean(), turned[-1])
    ends = [_first(at, turned >= COMPLETE * substrate_0)]
    if last > _TURNED * substrate_0:
        own = _first(at, turned >= COMPLETE * last)
        ends += [own] if own <= _TAIL * at[-1] else []
    after[:] = time > min(ends)
    return after if (~after).sum() >= _LEAST else np.zeros(len(time), dtype=bool)


def _first(time: NDArray[np.float64], reached: NDArray[np.bool_]) -> float:
    return float(time[reached.argmax()]) if reached.any() else np.inf
