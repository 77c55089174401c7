"""How many samples of one design do the work of how many at random: paired over replicates."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

TESTS = ("test", "shifted")
MEASURES = ("top_1", "top_3", "cross_entropy", "worst_recall")

#: Results by method and size, then by replicate: by test, by measure, a number.
Results = dict[tuple[str, int], dict[int, dict[str, Any]]]


def interval(values: list[float]) -> dict[str, float | None]:
    """Return mean and Student's 95 % interval; no interval of fewer than two."""
    mean = float(np.mean(values))
    if len(values) < 2:
        return {"value": mean, "low": None, "high": None}
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return {"value": mean, "low": mean - half, "high": mean + half}


def curves(results: dict[int, dict]) -> dict[str, Any]:
    """Return the number of replicates, and each measure of each test with its interval."""
    return {
        "replicates": len(results),
        **{
            f"{test}_{name}": interval([r[test][name] for r in results.values()])
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
                    f"{test}_{m}": interval([results[r][test][m] - rival[r][test][m] for r in both])
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
    ends = {name: None if v is None else float(np.exp(v)) for name, v in interval(values).items()}
    return {**ends, "beyond": beyond}


def verdict(difference: dict[str, float | None], sign: float) -> str:
    """Say whether a difference is on the right side of 0 with its whole interval.

    Parameters
    ----------
    difference
        ``low`` and ``high``, None where there is no interval.
    sign
        1 where a difference should be 0 or negative, -1 where 0 or positive.

    Returns
    -------
    str
        ``"reached"``, ``"missed"``, or ``"not decided"`` where the interval holds both, and where
        both are the same throughout: at the floor of a measure nothing is shown.
    """
    if difference["low"] is None or difference["low"] == difference["high"] == 0:
        return "not decided"
    worst, best = sorted((sign * difference["low"], sign * difference["high"]), reverse=True)
    return "reached" if worst <= 0 else "missed" if best > 0 else "not decided"


def by_size(flat: dict[tuple[str, int], Any]) -> dict[str, dict[str, Any]]:
    """Nest results for JSON: method, then size as text, in the order of sizes."""
    found: dict[str, dict[str, Any]] = {}
    for (method, size), value in sorted(flat.items(), key=lambda item: item[0][1]):
        found.setdefault(method, {})[str(size)] = value
    return found
