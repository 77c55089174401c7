"""How noisy curves are, judged by their own roughness.

The standard deviation of a value y of species j is taken as that of two parts, one relative to the
value and one, the background, that is there at any: sqrt((b y)^2 + a_j^2) (Rocke, Lorenzato,
Technometrics 37, 176, 1995, on analytical measurements).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.runs import FLOOR, Curves

_LOW = 0.05  # of a species' largest value: below, noise is not relative to be seen
_NORMAL = 0.67448975  # median of |z| of a normal z
_LEVELS = 25  # of either part that are compared, and as many again around the best
_ENOUGH = 1000  # points of a species, to see both parts by
_STILL = 1e-12  # of the value, which rounding leaves of a difference
LEAST = 1e-4  # noise taken for granted: what simulation and rounding leave


@dataclass(frozen=True)
class _Roughness:
    """Points of one species, n of them, beside a line without noise.

    ``size`` is the distance, in units that make it as noisy as a point, ``line`` the value there.
    """

    size: NDArray[np.float64]
    line: NDArray[np.float64]
    scale: float

    def missed(self, relative: float, background: NDArray[np.float64]) -> NDArray[np.float64]:
        """How badly noise of these parts fits, for each background (m,): shape (m,).

        The sum of absolute deviations of ln size from its median under that noise, which outliers
        and bends of a curve hardly move.
        """
        some = slice(None, None, -(-len(self.size) // _ENOUGH))
        variance = (relative * self.line[some]) ** 2 + np.square(background)[:, None]
        expected = np.log(_NORMAL) + np.log(variance) / 2
        seen = np.log(np.maximum(self.size[some], LEAST * FLOOR * self.scale))
        return np.abs(seen - expected).sum(1)

    def background(self, relative: float) -> tuple[float, float]:
        """Return the best background, 0 where it is not worth a parameter; and what is missed."""
        levels = self.scale * np.append(FLOOR, np.geomspace(2 * FLOOR, 1, _LEVELS))
        missed = self.missed(relative, levels)
        at = int(missed.argmin())
        if at == 0 or missed[0] - missed[at] < np.log(min(len(self.size), _ENOUGH)):
            return 0.0, float(missed[0])
        return float(levels[at]), float(missed[at]) + np.log(min(len(self.size), _ENOUGH))


def estimate_noise(
    curves: Curves,
    relative: float | None = None,
    *,
    fitted: NDArray[np.float64] | None = None,
) -> tuple[float, NDArray[np.float64]]:
    """Estimate the noise of curves: its relative part, and the background of each species.

    Each point is compared with the line through its neighbours in time (Gasser, Sroka,
    Jennen-Steinmetz, Biometrika 73, 625, 1986). Without a background that is worth a parameter the
    relative part is the median of the differences, so that the few places where curves bend within
    a step do not count.

    Parameters
    ----------
    curves
        The data.
    relative
        Standard deviation relative to the value, where it is known.
    fitted
        Curves that were fitted, shape (r, T, S), to compare points with instead.

    Returns
    -------
    float, ndarray
        Relative to the value; and what is added to it at any value, shape (S,), 0 where nothing is
        to be seen.

    Raises
    ------
    ValueError
        If no curve has three points next to each other: the noise has to be given.
    """
    rough = _roughness(curves) if fitted is None else _residuals(curves, fitted)
    high = {j: one.line > _LOW * one.scale for j, one in rough.items()}
    none = np.zeros(len(curves.species))
    if not any(one.any() for one in high.values()):
        if relative is not None:
            return relative, none
        raise ValueError(
            "the noise cannot be seen in curves without three points in a row: give noise, its "
            "standard deviation as a share of the value"
        )

    def backgrounds(relative: float) -> tuple[float, NDArray[np.float64]]:
        found, missed = none.copy(), 0.0
        for j, one in rough.items():
            found[j], own = one.background(relative)
            missed += own
        return missed, found

    if relative is not None:
        return relative, backgrounds(relative)[1]
    step = (2 / LEAST) ** (1 / (_LEVELS - 1))
    coarse = min(np.geomspace(LEAST, 2, _LEVELS), key=lambda level: backgrounds(level)[0])
    around = coarse * step ** np.linspace(-1, 1, _LEVELS)
    best = max(min(around, key=lambda level: backgrounds(level)[0]), LEAST)
    background = backgrounds(best)[1]
    if background.any():
        return float(best), background
    shares = [one.size[high[j]] / one.line[high[j]] for j, one in rough.items()]
    return max(float(np.median(np.concatenate(shares))) / _NORMAL, LEAST), none


def _roughness(curves: Curves) -> dict[int, _Roughness]:
    """Compare each point with its neighbours; species that stay as they are say nothing."""
    found = {}
    for j, scale in enumerate(curves.scale):
        own = [_beside(*pair) for pair in zip(curves.time, curves.value[..., j], strict=True)]
        size, line = np.concatenate(own, axis=1)
        if size.max(initial=0.0) > _STILL * scale:
            found[j] = _Roughness(size, np.maximum(line, 0.0), float(scale))
    return found


def _residuals(curves: Curves, fitted: NDArray[np.float64]) -> dict[int, _Roughness]:
    """Compare each point after the start with what was fitted."""
    found = {}
    for j, scale in enumerate(curves.scale):
        seen = curves.measured[..., j] & np.isfinite(fitted[..., j])
        size, line = np.abs(curves.value - fitted)[seen, j], np.maximum(fitted[seen, j], 0.0)
        if size.max(initial=0.0) > _STILL * scale:
            found[j] = _Roughness(size, line, float(scale))
    return found


def _beside(time: NDArray[np.float64], value: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return size and line of the points of one curve, shape (2, n)."""
    measured = np.isfinite(value)
    time, value = time[measured], value[measured]
    before, here, after = time[:-2], time[1:-1], time[2:]
    apart = after > before
    part = (here - before)[apart] / (after - before)[apart]
    line = (1 - part) * value[:-2][apart] + part * value[2:][apart]
    size = np.abs(value[1:-1][apart] - line) / np.sqrt(1 + (1 - part) ** 2 + part**2)
    return np.stack([size, line])[:, ((size > 0) | (line > 0)) & (size > _STILL * line).any()]
