"""How noisy curves are, judged by their own roughness."""

from __future__ import annotations

import numpy as np

from kinetlib.crnn.runs import Curves

_LOW = 0.05  # of a species' largest value: below, noise is not relative to be seen
_NORMAL = 0.67448975  # median of |z| of a normal z
LEAST = 1e-4  # noise taken for granted: what simulation and rounding leave


def estimate_noise(curves: Curves) -> float:
    """Estimate the standard deviation of the noise relative to the value.

    Each point is compared with the line through its neighbours in time (Gasser, Sroka,
    Jennen-Steinmetz, Biometrika 73, 625, 1986), and the median of the differences is taken, so that
    the few places where curves bend within a step do not count.

    Raises
    ------
    ValueError
        If no curve has three points next to each other: the noise has to be given.
    """
    time, value = curves.time[..., None], curves.value
    before, here, after = time[:, :-2], time[:, 1:-1], time[:, 2:]
    with np.errstate(divide="ignore", invalid="ignore"):
        part = np.where(after > before, (here - before) / (after - before), np.nan)
        line = (1 - part) * value[:, :-2] + part * value[:, 2:]
        spread = np.sqrt(1 + (1 - part) ** 2 + part**2)
        rough = np.abs(value[:, 1:-1] - line) / (spread * line)
    seen = np.isfinite(rough) & (line > _LOW * curves.scale)
    if not seen.any():
        raise ValueError(
            "the noise cannot be seen in curves without three points in a row: give noise, its "
            "standard deviation as a share of the value"
        )
    return max(float(np.median(rough[seen])) / _NORMAL, LEAST)
