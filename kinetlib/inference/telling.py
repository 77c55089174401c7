"""What least squares tell of each coordinate, and which coordinates they cannot tell apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

LEVEL = 0.95
SAME = "it is the same in all runs"
_TOLD = 0.01  # change of the course, relative to its range, by which a unit of an order shows
_SHARE = 0.3  # of a direction that is not told, from which a coordinate takes part in it
_STEP = 1e-3

Vector = NDArray[np.float64]


def slopes(residuals: Callable[[Vector], Vector], x: Vector) -> Vector:
    """Return slopes of residuals at x (D,) by central differences, shape (V, D)."""
    found = [
        (residuals(x + step) - residuals(x - step)) / (2 * _STEP) for step in _STEP * np.eye(len(x))
    ]
    return np.stack(found, axis=1)


def untold(slope: Vector, size: float) -> list[int]:
    """Find the coordinates that take part in the direction that shows least, if it hardly does.

    Parameters
    ----------
    slope
        Of the residuals by coordinates, shape (V, D).
    size
        The range of what is fitted.

    Returns
    -------
    list of int
        The one of most weight first; none where all show. One alone shows in nothing by itself;
        several change together, and only their combination shows.
    """
    _, shown, direction = np.linalg.svd(slope / (np.sqrt(len(slope)) * size), full_matrices=False)
    if not len(shown) or shown[-1] >= _TOLD:
        return []
    weight = np.abs(direction[-1])
    return [int(one) for one in np.argsort(-weight) if weight[one] >= _SHARE * weight.max()]


def covariance(
    slope: Vector, residuals: Vector, series: NDArray[np.int64], parts: Sequence[Vector] = ()
) -> Vector:
    """Return the covariance of coordinates, noise estimated from what a fit leaves.

    It holds where the noise differs from point to point (the sandwich of White 1980, residuals
    divided by 1 - leverage as MacKinnon and White 1985 have it) and is widened where neighbours of
    a series are alike, as they are where the fit does not describe the curves.

    Parameters
    ----------
    slope
        Shape (V, D).
    residuals
        Shape (V,).
    series
        Which values follow each other, shape (V,).
    parts
        What readings do to values, where one reading acts on several: matrices (V, readings), in
        deviations of each reading up to a common factor, which the residuals tell. The covariance
        is then the larger of both.
    """
    q, r = np.linalg.qr(slope)
    leverage = np.minimum((q**2).sum(1), 0.99)
    inner = q * (residuals / (1 - leverage))[:, None]
    root = np.linalg.solve(r, inner.T)
    found = root @ root.T * _alike(residuals, series)
    if not len(parts):
        return found
    along = [q.T @ part for part in parts]
    expected = sum((part**2).sum() - (one**2).sum() for part, one in zip(parts, along, strict=True))
    scale = residuals @ residuals / max(expected, 1e-300)
    other = sum(one @ one.T for one in (np.linalg.solve(r, one) for one in along)) * scale
    wider = np.sqrt(np.maximum(np.diag(other) / np.maximum(np.diag(found), 1e-300), 1.0))
    return found * np.outer(wider, wider)


def _alike(residuals: Vector, series: NDArray[np.int64]) -> float:
    """Return by how much neighbours that are alike lessen what values tell; 1 where they are not.

    The correlation r of neighbours counts if chance makes it as large in one of twenty.
    """
    pair = np.diff(series) == 0
    if pair.sum() < 5:
        return 1.0
    square = residuals @ residuals / len(residuals)
    r = float((residuals[1:] * residuals[:-1])[pair].mean() / max(square, 1e-300))
    r = min(r, 0.95)
    return (1 + r) / (1 - r) if r > 1.645 / np.sqrt(pair.sum()) else 1.0


def half_widths(covariance: Vector, freedom: float) -> Vector:
    """Return half the widths of 95 % intervals by Student's t, shape (D,)."""
    return student.ppf((1 + LEVEL) / 2, max(freedom, 1.0)) * np.sqrt(np.diag(covariance))


def together(names: Sequence[str]) -> str:
    """Say that orders cannot be told apart."""
    return f"{' and '.join(names)} change together, so that only a sum of their orders shows"
