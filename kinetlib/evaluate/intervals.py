"""Intervals: Wilson's, and the bootstrap's over groups; and how they are written."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Interval = tuple[float, float]


def wilson(hits: NDArray[np.bool_], level: float = 0.95) -> Interval:
    """Return the Wilson interval of a proportion (Wilson, J. Am. Stat. Assoc. 22, 209, 1927)."""
    from scipy import stats  # half a second, which asking a network should not wait for

    found = stats.binomtest(int(np.sum(hits)), len(hits)).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def bootstrap(
    values: NDArray,
    groups: NDArray,
    rng: Generator,
    *,
    n_resamples: int = 1000,
    level: float = 0.95,
    statistic: Callable[[NDArray, NDArray], float] = lambda x, w: float(np.average(x, weights=w)),
) -> Interval:
    """Return a bootstrap interval that draws whole groups of samples.

    Samples that share a parameter set stand or fall together: drawing them one by one would make
    the interval too narrow.

    Parameters
    ----------
    values
        One a sample, shape (n,).
    groups
        What a sample belongs to, shape (n,).
    rng
        Source of the resampling.
    n_resamples, level
        Resamples, and the probability the interval is to hold.
    statistic
        Of the values and their weights (how often their group was drawn); the mean by default.
    """
    _, member = np.unique(groups, axis=0, return_inverse=True)
    n_groups = member.max() + 1
    drawn = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=n_resamples)
    found = [statistic(values, weights[member]) for weights in drawn]
    low, high = np.quantile(found, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def mean(values: NDArray, groups: NDArray, rng: Generator, **options: int) -> dict[str, float]:
    """Return the mean as ``value``, with ``low`` and ``high`` as `bootstrap` has them."""
    low, high = bootstrap(np.asarray(values, dtype=float), groups, rng, **options)
    return {"value": float(np.mean(values)), "low": low, "high": high}


def interval(
    values: NDArray, rng: Generator, *, n_resamples: int = 2000, statistic: Callable | None = None
) -> dict[str, float]:
    """Return ``value``, ``low`` and ``high``: a 95 % bootstrap over parameter sets.

    Parameters
    ----------
    values
        One row a parameter set, shape (n,) or (n, k).
    rng, n_resamples
        Source and number of resamples.
    statistic
        Of the means over the sets, shape (k,) or (resamples, k); the mean itself by default.
    """
    values = np.asarray(values, float).reshape(len(values), -1)
    taken = statistic or (lambda means: means[..., 0])
    n = len(values)
    means = np.concatenate(
        [
            rng.multinomial(n, np.full(n, 1 / n), size=min(100, n_resamples - start)) @ values / n
            for start in range(0, n_resamples, 100)
        ]
    )
    low, high = np.quantile(taken(means), [0.025, 0.975])
    return {"value": float(taken(values.mean(0))), "low": float(low), "high": float(high)}


def formatted(
    value: float | None,
    low: float | None,
    high: float | None,
    *,
    percent: bool = False,
    digits: int = 1,
    signed: bool = False,
) -> str:
    """Write a value with its interval: ``value (low to high)``.

    Parameters
    ----------
    value, low, high
        None for a value that is not known; for ends, where there is no interval.
    percent
        Whether all three are shares, to be written in percent (without the sign).
    digits
        Behind the point.
    signed
        Whether a plus sign is written, as for differences.

    >>> formatted(0.8342, 0.812, 0.855, percent=True)
    '83.4 (81.2 to 85.5)'
    >>> formatted(-0.5, None, None, digits=2, signed=True)
    '-0.50'
    """
    if value is None:
        return "none"

    def written(number: float) -> str:
        return f"{100 * number if percent else number:{'+' if signed else ''},.{digits}f}"

    if low is None or high is None:
        return written(value)
    return f"{written(value)} ({written(low)} to {written(high)})"


def text(measure: Mapping[str, float | None], **options: bool | int) -> str:
    """Write a measure that has ``value``, ``low`` and ``high``, as `formatted` does."""
    return formatted(measure["value"], measure["low"], measure["high"], **options)
