"""Goals set beforehand, and how many random samples do the work of one that was chosen.

Two measures of that worth: `equivalent` is paired over replicates, with random's curve a running
minimum; `equivalents` works on arrays over pools, with random's curve an isotonic regression.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from kinetlib.evaluate import wilson

TESTS = ("test", "shifted")
MEASURES = ("top_1", "top_3", "cross_entropy", "worst_recall")

VERDICTS = ("reached", "not decided", "missed")

#: Results by method and size, then by replicate: by test, by measure, a number.
Results = dict[tuple[str, int], dict[int, dict[str, Any]]]


def verdict(
    found: Mapping[str, Any], bound: float = 0.0, side: Literal["most", "least"] = "most"
) -> str:
    """Say whether an interval lies on the right side of a goal as a whole.

    Parameters
    ----------
    found
        ``low`` and ``high``, None where there is no interval.
    bound
        The goal, which may be attained.
    side
        Whether it is the most or the least allowed.

    Returns
    -------
    str
        One of `VERDICTS`: not decided where the interval holds both, and where it is the bound
        itself throughout, as at the floor of a measure nothing is shown.
    """
    low, high = found["low"], found["high"]
    if low is None or low == high == bound:
        return "not decided"
    if high <= bound if side == "most" else low >= bound:
        return "reached"
    return "missed" if (low > bound if side == "most" else high < bound) else "not decided"


def share(hits: NDArray[np.bool_]) -> dict[str, float]:
    """Return a share with Wilson's 95 % interval."""
    low, high = wilson(hits)
    return {"value": float(np.mean(hits)), "low": low, "high": high}


def student(values: list[float]) -> dict[str, float | None]:
    """Return mean and Student's 95 % interval; no interval of fewer than two."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"value": mean, "low": None, "high": None}
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"value": mean, "low": mean - half, "high": mean + half}


def median(values: NDArray[np.float64], rng: Generator) -> dict[str, float]:
    """Return the median over pools, shape (p,), and its 95 % interval; see `medians`."""
    found = medians(np.asarray(values), rng)
    return dict(zip(("value", "low", "high"), found.tolist(), strict=True))


def medians(values: NDArray[np.float64], rng: Generator, n: int = 2000) -> NDArray[np.float64]:
    """Return medians over pools with 95 % intervals, the same pools drawn anew for all values.

    Parameters
    ----------
    values
        Shape (p, ...).
    rng
        Draws the pools.
    n
        How often.

    Returns
    -------
    NDArray
        Median, lower and upper end, shape (3, ...); NaN where a pool has NaN.
    """
    drawn = rng.integers(len(values), size=(n, len(values)))
    flat = values.reshape(len(values), -1)
    ends = [
        np.quantile(np.median(some[drawn], axis=1), [0.025, 0.975], axis=0)
        for some in np.array_split(flat, max(1, flat.shape[1] // 200), axis=1)
    ]
    found = np.concatenate([np.median(flat, axis=0)[None], np.concatenate(ends, axis=1)])
    return found.reshape(3, *values.shape[1:])


def curves(results: dict[int, dict]) -> dict[str, Any]:
    """Return the number of replicates, and each measure of each test with its interval."""
    return {
        "replicates": len(results),
        **{
            f"{test}_{name}": student([r[test][name] for r in results.values()])
            for test in TESTS
            for name in MEASURES
        },
    }


def against_random(table: Results, part: float) -> dict[tuple[str, int], dict[str, Any]]:
    """Return differences to random, replicate by replicate.

    Parameters
    ----------
    table
        Results, those of ``"random"`` among them.
    part
        What part of random's samples the designs are to do with.

    Returns
    -------
    dict
        By method and size: ``equal``, the difference to random of the same size, and ``more``, that
        to random with ``size / part`` samples, where these were trained on; ``equivalent``, how
        many times as many random samples give the same cross-entropy.
    """
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for (method, size), results in table.items():
        found[method, size] = {"equivalent": equivalent(table, method, size)}
        for name, other in (("equal", size), ("more", round(size / part))):
            rival = table.get(("random", other), {})
            both = sorted(results.keys() & rival.keys())
            if both:
                found[method, size][name] = {"size": other, "replicates": len(both)} | {
                    f"{test}_{m}": student([results[r][test][m] - rival[r][test][m] for r in both])
                    for test in TESTS
                    for m in MEASURES
                }
    return found


def equivalent(table: Results, method: str, size: int) -> dict[str, Any] | None:
    """Tell how many times as many random samples give the same cross-entropy.

    Read off each replicate's own curve of random, made monotone, in the logarithms of size; the
    mean is geometric.

    Returns
    -------
    dict or None
        ``value``, ``low``, ``high``; ``beyond``, the replicates that lie outside their curve and
        count as its nearer end. None where random was trained on fewer than two sizes.
    """
    sizes = sorted(s for m, s in table if m == "random")
    values, beyond = [], 0
    for replicate, result in table[method, size].items():
        own = [s for s in sizes if replicate in table["random", s]]
        if len(own) < 2:
            continue
        course = [table["random", s][replicate]["test"]["cross_entropy"] for s in own]
        course = np.minimum.accumulate(course)
        at = result["test"]["cross_entropy"]
        beyond += int(not course[-1] <= at <= course[0])
        values.append(np.interp(-at, -course, np.log(own)) - np.log(size))
    if not values:
        return None
    ends = {name: None if v is None else float(np.exp(v)) for name, v in student(values).items()}
    return {**ends, "beyond": beyond}


def by_size(flat: dict[tuple[str, int], Any]) -> dict[str, dict[str, Any]]:
    """Nest results for JSON: method, then size as text, in the order of sizes."""
    found: dict[str, dict[str, Any]] = {}
    for (method, size), value in sorted(flat.items(), key=lambda item: item[0][1]):
        found.setdefault(method, {})[str(size)] = value
    return found


def equivalents(errors: xr.DataArray) -> xr.DataArray:
    """Count how many random configurations do what one chosen configuration does.

    The error of random sets is made monotone in log n (isotonic regression), and the size read off
    at which it equals the method's. Where it would lie beyond the sizes tried, the nearest tried
    one is taken: such values are bounds.

    Parameters
    ----------
    errors
        By ``selector``, `random` among them, size ``n`` and anything else.

    Returns
    -------
    xarray.DataArray
        Size of the random set over size of the chosen one, of the same shape without the methods'
        largest random size.
    """
    curve = errors.sel(selector="random")
    sizes = np.log(errors.n.values.astype(float))

    def read_off(method: NDArray, random: NDArray) -> NDArray:
        if np.isnan(random).any():
            return np.full_like(method, np.nan)
        fitted = IsotonicRegression(increasing=False).fit(sizes, np.log(random))
        smooth = fitted.predict(sizes) - 1e-9 * np.arange(len(sizes))  # no level stretches
        asked = np.interp(-np.log(method), -smooth, sizes)
        return np.exp(asked - sizes)

    return xr.apply_ufunc(
        read_off,
        errors,
        curve,
        input_core_dims=[["n"], ["n"]],
        output_core_dims=[["n"]],
        vectorize=True,
    ).transpose(*errors.dims)
