"""Rows and sentences that the book makes of experiments planned for rate constants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.evaluate import formatted
from kinetlib.experiments.d_optimal import Plan
from kinetlib.runs.plans import Candidates, Experiment
from studies.estimation_design.errors import Errors, median_error, ratio_of_errors

ESTIMATORS = ("fit", "network")
#: Errors of estimates by kind of experiment: one entry an experiment of that kind.
Estimates = Mapping[str, Sequence[Errors]]


def efficiencies(plan: Plan, drawn: Mapping[int, Sequence[Experiment]]) -> dict[str, str]:
    """Write the D-efficiency of a plan, and of unplanned experiments relative to it."""
    own = plan.told.criterion(plan.experiment)
    found = {
        n: [plan.told.efficiency(one, own) for one in experiments]
        for n, experiments in drawn.items()
    }
    return {
        "planned, of the convex bound": f"{plan.relaxed_efficiency:.3f}",
        "planned, of the bound by branching": f"{plan.efficiency:.3f}",
        **{
            f"unplanned with {n} times, of planned": formatted(
                np.median(values), min(values), max(values), digits=2
            )
            for n, values in found.items()
        },
    }


def by_bound(record: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """Return the certified efficiency of each mechanism's plan, by what certifies it."""
    of = record["mechanisms"].items()
    return {
        "of the convex bound": {n: r["relaxed"]["efficiency"] for n, r in of},
        "of the bound by branching": {n: r["branched"]["efficiency"] for n, r in of},
        "on other draws": {n: r["fresh"]["of_planned_there"] for n, r in of},
    }


def told(record: Mapping[str, Any], candidates: Candidates) -> str:
    """Say whether the goal is reached, what certifies it, and which runs the plans have."""
    records, goal, setup = record["mechanisms"], record["goal"], record["settings"]
    convex, parted, elsewhere = by_bound(record).values()
    loose, missed = ([n for n in records if found[n] < goal] for found in (convex, parted))
    least = min(elsewhere, key=elsewhere.__getitem__)
    runs = [pd.DataFrame(one["runs"]) for one in records.values()]
    high, low = max(candidates.loading), min(candidates.loading)
    return " ".join(
        [
            f"Goal of {100 * goal:g} %: "
            f"{'missed by ' + ', '.join(missed) if missed else 'reached by all'}; the least "
            f"certified of {len(records)} mechanisms is {100 * min(parted.values()):.1f} %.",
            *([_loose(records, convex, loose, missed)] if loose else []),
            f"The plans rest on {setup['draws']} draws from the prior. On {setup['fresh']} others "
            f"they have {100 * np.median(list(elsewhere.values())):.1f} % in the median of the "
            f"efficiency of experiments planned on those, and {100 * elsewhere[least]:.1f} % at "
            f"least ({least}).",
            f"Of the {len(runs)} plans {sum((r.loading == high).any() for r in runs)} have a run "
            f"at the highest loading, {sum((r.loading == low).any() for r in runs)} one at the "
            f"lowest, {sum((r.product_0 > 0).any() for r in runs)} one that starts with product.",
        ]
    )


def _loose(
    records: Mapping[str, Any], convex: Mapping[str, float], loose: list[str], missed: list[str]
) -> str:
    """Say where the convex bound alone does not do, and why."""
    shares = [100 * convex[n] for n in loose]
    parts = [records[n]["branched"]["parts"] for n in loose]
    times = 100 * (1 / min(records[n]["given_runs"] for n in loose) - 1)
    why = (
        ""
        if set(loose) & set(missed)
        else (" It is the bound that is loose, not the search that is stuck.")
    )
    return (
        f"The convex bound alone certifies {min(shares):.1f} to {max(shares):.1f} % for "
        f"{', '.join(loose)}. There other times in the same runs could gain {times:.1f} % at most, "
        f"and {min(parts)} to {max(parts)} parts of the experiments had to be bounded.{why}"
    )


def compared(estimates: Estimates, estimator: str, seed: int) -> dict[str, str]:
    """Write median errors planned and unplanned, their ratio, and how often intervals hold."""
    rng = default_rng(SeedSequence(seed, spawn_key=(97,)))
    both = {kind: _stacked(estimates, kind, estimator) for kind in ("planned", "unplanned")}
    low, ratio, high = ratio_of_errors(*both.values(), rng)
    inside = [100 * np.mean([e.inside[estimator] for e in estimates[kind]]) for kind in both]
    return {kind: f"{np.median(np.abs(error)):.2f}" for kind, error in both.items()} | {
        "planned / unplanned": formatted(ratio, low, high, digits=2),
        "in their 95 % interval / %": f"{inside[0]:.0f}, {inside[1]:.0f}",
    }


def of_each_constant(
    plan: Plan, estimates: Estimates, samples: int, seed: int
) -> dict[str, NDArray[np.float64]]:
    """Return the median error of each constant with its interval, by what was done, (p, 3)."""
    bank = plan.prior.bank
    found = {"prior": (bank[-samples:] - bank.mean(0))[:, None]} | {
        f"{kind}, {estimator}": _stacked(estimates, kind, estimator)
        for estimator in ESTIMATORS
        for kind in ("planned", "unplanned")
    }
    return {kind: _of_each(errors, seed) for kind, errors in found.items()}


def _of_each(errors: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    rng = default_rng(SeedSequence(seed, spawn_key=(96,)))
    return np.stack([median_error(error, rng) for error in np.moveaxis(errors, -1, 0)])


def _stacked(estimates: Estimates, kind: str, estimator: str) -> NDArray[np.float64]:
    """Errors of all experiments of a kind, (samples, experiments, constants)."""
    return np.stack([errors.error[estimator] for errors in estimates[kind]], axis=1)
