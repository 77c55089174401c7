"""How often the 95 % intervals of a fit hold the truth, and which criterion names the mechanism.

Runs are simulated with known rate constants and fitted as a chemist's would be: nothing but the
runs is known. Three designs. *published*: four runs of seven points, constants accepted as in the
dataset. *laboratory*: two to six runs, each with its own start, points and end, constants accepted
likewise. *box*: runs as in the published design, constants from the fit's own prior, kept where a
run of medium loading turns over 20 to 99 % of the substrate; only there must intervals hold just
what they say, and ranks be uniform. Noise is relative, as the fit may find out.

A piece holds some data sets of one design, noise and mechanism; a data set does not depend on how
many others there are. The part *criteria* puts the samples of the study of the limit to all
mechanisms.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy import stats

from kinetlib.inference import Fit, compared, fit
from kinetlib.inference.coordinates import BOX
from kinetlib.inference.sampling import Effort
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.simulate import observed
from kinetlib.records.pieces import Done, Key, Piece, signed
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.runs import Runs, measured
from kinetlib.runs.sample import TEST, accepted_sets, draw_samples, initial_concentrations
from studies import limit
from studies.goals import share, student

SEED = 1922  # Fisher's likelihood
NOISES = (0.01, 0.02, 0.05)
DESIGNS = ("published", "laboratory", "box")
SETS = 10  # data sets of a piece
ROUNDS = 50  # pieces of each design, noise and mechanism
TURNED = (0.2, 0.99)  # conversion that a run of medium loading comes to, where constants are free
CAMPAIGN = Campaign(points=(4, 24))
RUNS = (2, 6)  # of a laboratory campaign
EFFORT = Effort()


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name all pieces, round after round, up to a round; then those of the criteria."""
    for number in range(upto or ROUNDS):
        for design in DESIGNS:
            for noise in NOISES:
                for name in mechanisms.catalogue():
                    work = partial(_covered, number, design, noise, name)
                    key = ("coverage", number, design, f"{noise:.0%}", name)
                    yield Piece(key, _settings(), work, _brief)
    for number in range(min(upto or limit.ROUNDS, limit.ROUNDS)):
        for name in mechanisms.catalogue():
            yield Piece(("criteria", number, name), _settings(), partial(_judged, number, name))


def _settings() -> dict[str, Any]:
    """Return what values follow from, beside the code."""
    return {
        "seed": SEED,
        "sets": SETS,
        "turned": list(TURNED),
        "runs": list(RUNS),
        "campaign": CAMPAIGN.model_dump(mode="json"),
        "design": TEST.model_dump(mode="json"),
        "effort": asdict(EFFORT),
    }


def _covered(number: int, design: str, noise: float, name: str) -> list[dict[str, Any]]:
    """Simulate and fit the data sets of a piece."""
    mechanism = mechanisms.get(name)
    rng = default_rng([SEED, number, *design.encode(), *name.encode()])
    draw = {"published": _published, "laboratory": _laboratory, "box": _box}[design]
    runs, constants = draw(mechanism, rng)
    found = []
    for i, true in enumerate(constants):
        own = default_rng([SEED, number, i, round(1000 * noise), *design.encode(), *name.encode()])
        noisy = measured(runs[slice(i, i + 1)], noise, own)[0]
        begun = time.perf_counter()
        made = fit(_without_gaps(noisy), name, seed=i, effort=EFFORT, threads=1)
        found.append({**_entry(made, true), "seconds": round(time.perf_counter() - begun, 2)})
    return found


def _published(mechanism: Mechanism, rng: Generator) -> tuple[Runs, NDArray[np.float64]]:
    sets = accepted_sets(mechanism, SETS, TEST, rng, threads=1)
    made = draw_samples(mechanism, sets, 1, TEST, rng, threads=1)
    return made.runs, made.rate_constants


def _laboratory(mechanism: Mechanism, rng: Generator) -> tuple[Runs, NDArray[np.float64]]:
    """Draw campaigns of as many runs as the first of the piece has."""
    sets = accepted_sets(mechanism, SETS, TEST, rng, threads=1)
    n_runs = int(rng.integers(RUNS[0], RUNS[1] + 1))
    which = np.arange(SETS)
    made = draw_runs(mechanism, sets, which, n_runs, CAMPAIGN.points[1], CAMPAIGN, rng, threads=1)
    return made.astype(np.float64), sets.rate_constants


def _box(mechanism: Mechanism, rng: Generator) -> tuple[Runs, NDArray[np.float64]]:
    """Draw from the fit's own prior; times are in units of the longest run."""
    kept: list[Runs] = []
    constants: list[NDArray[np.float64]] = []
    while sum(map(len, constants)) < SETS:
        n = 500
        drawn = np.exp(rng.uniform(*BOX, (n, len(mechanism.network.constants))))
        loading, substrate_0, product_0, times = _starts_and_times(n, rng)
        initial = initial_concentrations(mechanism, loading, substrate_0, product_0, rng)
        seen = observed(mechanism, drawn, initial, times, threads=1)
        turned = 1.0 - seen[:, 1, -1, 0]
        with np.errstate(invalid="ignore"):
            worth = (turned > TURNED[0]) & (turned < TURNED[1])
        worth &= np.isfinite(seen).all((1, 2, 3))
        values = (times, seen[..., 0], seen[..., 1], loading, substrate_0, product_0)
        kept.append(Runs(*(value[worth] for value in values)))
        constants.append(drawn[worth])
    return Runs.joined(kept)[slice(0, SETS)], np.concatenate(constants)[:SETS]


def _starts_and_times(n: int, rng: Generator) -> tuple[NDArray[np.float64], ...]:
    """Draw loadings, starts and times as the published design does, in units of the longest run."""
    loading = np.sort([rng.uniform(*bounds, n) for bounds in TEST.loadings], axis=0).T
    loading = np.column_stack([loading, loading[np.arange(n), rng.integers(0, 3, n)]])
    substrate_0 = np.ones((n, 4))
    substrate_0[:, -1] = rng.uniform(*TEST.substrate, n)
    order = rng.random((n, 4, TEST.n_grid)).argsort(-1)[..., : TEST.n_times]
    times = np.concatenate([np.zeros((n, 4, 1)), (np.sort(order, -1) + 1) / TEST.n_grid], -1)
    return loading, substrate_0, 1.0 - substrate_0, times


def _without_gaps(runs: Runs) -> Runs:
    """Put points without a time at time 0, where nothing counts as measured."""
    absent = np.isnan(runs.time)
    curves = (np.where(absent, np.nan, getattr(runs, name)) for name in ("substrate", "product"))
    starts = (runs.loading, runs.substrate_0, runs.product_0)
    return Runs(np.where(absent, 0.0, runs.time), *curves, *starts)


def _entry(made: Fit, true: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a fit says of each constant beside the truth, as JSON."""
    constants = {}
    for (name, one), value in zip(made.constants.items(), true, strict=True):
        constants[name] = {
            "true": _rounded(value),
            "low": _rounded(one.low),
            "high": _rounded(one.high),
            "profile": [_rounded(end) if np.isfinite(end) else None for end in one.profile or ()],
            "verdict": one.verdict,
            "rank": round(float(np.mean(made.draws[name] < value)), 4),
        }
    return {
        "constants": constants,
        "explains": made.explains,
        "standard_error": _rounded(made.standard_error),
        "agreeing": round(made.agreeing, 3),
    }


def _rounded(value: float) -> float:
    return float(f"{value:.5g}")


def _brief(value: list[dict[str, Any]]) -> str:
    held = np.concatenate([_held(one) for one in value])
    return f"{held.sum()} of {len(held)} intervals hold the truth"


def _held(one: Mapping[str, Any]) -> NDArray[np.bool_]:
    return np.array([c["low"] <= c["true"] <= c["high"] for c in one["constants"].values()])


def _held_by_profile(one: Mapping[str, Any]) -> NDArray[np.bool_]:
    held = []
    for constant in one["constants"].values():
        low, high = constant["profile"]
        held.append((low or 0.0) <= constant["true"] <= (np.inf if high is None else high))
    return np.array(held)


def _judged(number: int, name: str) -> dict[str, Any] | None:
    """Fit all mechanisms to one sample of the study of the limit; None where there is none."""
    runs = limit._round(number)
    at = np.flatnonzero(runs.mechanism.values == name)
    if not len(at):
        return None
    sample = Runs.of(runs.isel(sample=int(at[0])))
    fits = [fit(sample, one, effort=EFFORT, threads=1) for one in mechanisms.catalogue()]
    comparison = compared(fits)
    named = {one.mechanism: one for one in fits}
    return {
        "round": number,
        "truth": name,
        "named": {
            "evidence": comparison.fits[0].mechanism,
            "aicc": min(named, key=lambda one: named[one].aicc),
            "bic": min(named, key=lambda one: named[one].bic),
        },
        "alike": list(comparison.alike),
        "explains": {one: made.explains for one, made in named.items()},
    }


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect what is done.

    Returns
    -------
    dict
        ``coverage``: by design, noise and mechanism, ``all`` among these, how many data sets, the
        share of intervals that hold the truth with Student's interval over data sets, likewise by
        profiles, Kolmogorov and Smirnov's p of the ranks, the share of constants by verdict, and
        the share of data sets that the true mechanism is said to explain. ``criteria``: how often
        each names the true mechanism, with Wilson's interval. And what the study was made of.
    """
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for key, one in made.items():
        if key[0] == "coverage":
            _, _, design, noise, name = key
            for group in (name, "all"):
                groups.setdefault((str(design), str(noise), group), []).extend(one.value)
    coverage: dict[str, Any] = {}
    for (design, noise, name), entries in groups.items():
        coverage.setdefault(design, {}).setdefault(noise, {})[name] = _summary(entries)
    judged = [one.value for key, one in made.items() if key[0] == "criteria" and one.value]
    found = {**_settings(), "coverage": coverage, "criteria": _criteria(judged)}
    return signed(found, made.values())


def _summary(entries: list[dict[str, Any]]) -> dict[str, Any]:
    constants = [c for one in entries for c in one["constants"].values()]
    verdicts = [c["verdict"] for c in constants]
    ranks = [c["rank"] for c in constants]
    return {
        "sets": len(entries),
        "constants": len(constants),
        "held": _over_sets([_held(one) for one in entries]),
        "held_by_profile": _over_sets([_held_by_profile(one) for one in entries]),
        "ranks_p": round(float(stats.kstest(ranks, "uniform").pvalue), 4),
        "verdicts": {
            said: round(verdicts.count(said) / len(verdicts), 4) for said in sorted(set(verdicts))
        },
        "explains": share(np.array([one["explains"] for one in entries])),
        "seconds": round(float(np.median([one["seconds"] for one in entries])), 2),
    }


def _over_sets(held: list[NDArray[np.bool_]]) -> dict[str, float | None]:
    """Return a share of constants; those of one data set are not independent, data sets are."""
    total = sum(map(len, held))
    each = [len(held) * float(one.sum()) / total for one in held]
    return {
        name: None if value is None else round(value, 4) for name, value in student(each).items()
    }


def _criteria(judged: list[dict[str, Any]]) -> dict[str, Any]:
    if not judged:
        return {"samples": 0}
    found: dict[str, Any] = {"samples": len(judged)}
    for criterion in ("evidence", "aicc", "bic"):
        right = np.array([one["named"][criterion] == one["truth"] for one in judged])
        found[criterion] = share(right)
    found["alike_holds_truth"] = share(np.array([one["truth"] in one["alike"] for one in judged]))
    return found
