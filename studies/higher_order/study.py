"""The counts of chapter 10.

How often the published recipe fails, how often the second-order network is found in curves, how
often the lower bound on the stiffness holds. Parts of which there is no piece are in the record as
they were.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.random import default_rng
from pydantic import BaseModel, ConfigDict

from kinetlib.records import provenance
from kinetlib.records.pieces import Done, Key, Piece, Refused
from studies import goals
from studies.discovery import published_recipe
from studies.higher_order import bound, failure, search
from studies.higher_order.fit import best
from studies.higher_order.library import Library
from studies.higher_order.limit_law import law_of, limit_law, networks_of
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, errors

CUBIC, MIXED, AUTOCATALYTIC = TRUTHS
#: The networks that stand in for a reaction, as the search has to find them: any one will do.
WANTED: dict[str, tuple[tuple[str, ...], ...]] = {
    CUBIC: (("2 A -> Z", "A + Z -> B", "Z -> 2 A"),),
    MIXED: (("2 A -> Z", "B + Z -> C", "Z -> 2 A"), ("A + B -> Z", "A + Z -> C", "Z -> A + B")),
    AUTOCATALYTIC: (("2 B -> Z", "A + Z -> B + Z", "Z -> 2 B"),),
}
RECORD = Path("data/studies/higher_order.json")
TOP = 3  # places that count as found


class Settings(BaseModel):
    """What the study does."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 1010
    stiffness: tuple[float, ...] = (1.0, 10.0, 1e2, 1e3, 1e4, 1e5, 1e6)
    n_fitted: int = 6  # runs that constants are fitted to
    n_held_out: int = 20  # runs that errors are taken in
    failure_seeds: int = 3
    failure_runs: int = 20
    failure_steps: int = 16_000
    #: Reaction, reactions of the trained network, and Z: absent, silent where it is measured as
    #: zero throughout, hidden where nothing of it is measured but that it starts at zero.
    failures: tuple[tuple[str, int, Literal["absent", "silent", "hidden"]], ...] = (
        (CUBIC, 2, "absent"),
        (CUBIC, 3, "absent"),
        (CUBIC, 4, "absent"),
        (AUTOCATALYTIC, 3, "absent"),
        (CUBIC, 4, "silent"),
        (CUBIC, 3, "hidden"),
    )
    search_runs: int = 6
    #: Reaction, relative noise, seeds.
    searches: tuple[tuple[str, float, int], ...] = (
        (CUBIC, 0.01, 20),
        (CUBIC, 0.0, 20),
        (MIXED, 0.01, 20),
        (MIXED, 0.0, 20),
        (AUTOCATALYTIC, 0.01, 20),
        (AUTOCATALYTIC, 0.0, 20),
    )
    bound_noise: float = 0.05
    bound_runs: int = 5
    bound_simulations: int = 50
    bound_stiffness: tuple[float, ...] = (10.0, 100.0, 1000.0, math.inf)


#: The parts, and the settings that each of their pieces follows from beside its name.
PARTS = {
    "errors": ("seed", "stiffness", "n_fitted", "n_held_out"),
    "failure": ("seed", "failure_runs", "failure_steps", "n_held_out"),
    "search": ("seed", "search_runs"),
    "bound": ("seed", "bound_noise", "bound_runs"),
}


def pieces(
    folder: Path, upto: int | None = None, settings: Settings | None = None
) -> Iterator[Piece]:
    """Name each piece of the study."""
    settings = settings or Settings()
    works = {"errors": errors_of, "failure": failed, "search": searched, "bound": bounded}
    for part, *arguments in _work(settings):
        words = (f"{word:g}" if isinstance(word, float) else word for word in arguments)
        own = {name: getattr(settings, name) for name in PARTS[part]}
        yield Piece((part, *words), own, partial(works[part], *arguments, settings))


def _work(settings: Settings) -> Iterator[tuple]:
    """List the parts with the arguments of their pieces, the seed first where there is one."""
    for name in STAND_INS:
        yield "errors", name
    for one in settings.failures:
        for seed in range(settings.failure_seeds):
            yield "failure", seed, *one
    for truth, noise, n in settings.searches:
        for seed in range(n):
            yield "search", seed, truth, noise
    for stiffness in settings.bound_stiffness:
        for seed in range(settings.bound_simulations):
            yield "bound", seed, stiffness


def errors_of(name: str, settings: Settings) -> dict[str, Any]:
    """Fit a stand-in at each stiffness, and judge it in runs that were not fitted."""
    stand_in = STAND_INS[name]
    truth = TRUTHS[stand_in.truth]
    initial = truth.starts(settings.n_fitted, default_rng([settings.seed, 0]))
    others = truth.starts(settings.n_held_out, default_rng([settings.seed, 1]))
    rows = []
    for largest in settings.stiffness:
        found = best(name, largest, initial)
        theory = errors(stand_in.curves(stand_in.by_theory(largest), others), truth.curves(others))
        rows.append(
            {
                "L": largest,
                "k": found.k.tolist(),
                "kappa": found.kappa,
                "fitted": vars(found.errors(others)),
                "theory": vars(theory),
            }
        )
    return {"name": name, "catalytic": stand_in.catalytic, "rows": rows}


def failed(seed: int, truth: str, n_reactions: int, z: str, settings: Settings) -> dict[str, Any]:
    """Train by the published recipe with its hinge on total order."""
    runs = failure.runs_of(truth, settings.failure_runs, 0.0, default_rng([settings.seed, 2]))
    n_seen = runs.sizes["species"]
    if z != "absent":
        zeros = xr.zeros_like(runs.isel(species=[0])).assign_coords(species=["Z"])
        if z == "hidden":
            zeros["concentration"] = zeros.concentration.where(zeros.time == 0)
        runs = xr.concat([runs, zeros], "species")
    trained = published_recipe.train(
        runs, n_reactions, hinge=failure.HINGE, steps=settings.failure_steps, seed=seed
    )
    record = {
        "kind": "failure",
        "truth": truth,
        "n_reactions": n_reactions,
        "z": z,
        "loss": float(trained.losses[-1]),
        "w_in": trained.w_in.tolist(),
        "w_out": trained.w_out.tolist(),
        "log_constants": trained.log_constants.tolist(),
        "start": trained.start.tolist(),
    }
    known = TRUTHS[truth]
    others = known.starts(settings.n_held_out, default_rng([settings.seed, 1]))
    if z == "absent":
        seen = failure.lumped(trained, truth, others)
        record |= {"order": float(seen.orders.sum()), "rate": seen.rate}
        record |= {"mean": seen.mean, "largest": seen.largest, "net": seen.net.tolist()}
    else:
        full = np.pad(others, ((0, 0), (0, 1)))
        value = trained.simulate(full, known.times)[..., :n_seen]
        record |= vars(errors(value, known.curves(others)))
    return record


def searched(seed: int, truth: str, noise: float, settings: Settings) -> dict[str, Any]:
    """Search the library, given curves of the observed species and nothing else."""
    runs = failure.runs_of(
        truth, settings.search_runs, noise, default_rng([settings.seed, 3, seed])
    )
    found = search.find(runs, threads=1)
    return {
        "truth": truth,
        "noise": noise,
        "places": [search.rank(found, set(network)) for network in WANTED[truth]],
        "candidates": [vars(candidate) for candidate in found],
    }


def bounded(seed: int, stiffness: float, settings: Settings) -> dict[str, Any]:
    """Find the lower bound on the stiffness in noisy runs."""
    rng = default_rng([settings.seed, 4, seed])
    name, noise = "3 A, consumed", settings.bound_noise
    initial, observed = bound.noisy(name, stiffness, settings.bound_runs, noise, rng)
    found = bound.profile(name, initial, observed, noise)
    return {
        "L": _number(stiffness),
        "bound": found.bound,
        "deviance_at_infinity": float(found.deviance[-1]),
    }


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect all pieces; parts without any are taken from the record as it is."""
    before = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else None
    return summary(made, Settings(), before)


def summary(made: Mapping[Key, Done], settings: Settings, before: dict[str, Any] | None) -> dict:
    """Collect pieces, with Wilson's intervals for counts.

    Parameters
    ----------
    made, settings
        Pieces, and what they are of.
    before
        An earlier record; parts without pieces are taken from it.

    Returns
    -------
    dict
        ``errors`` as they are; ``failure`` a row for each trained network; ``search`` for each
        reaction and noise, see `_search_summary`; ``same_law`` for each reaction all networks of
        the library that tend to it; ``bound`` for each stiffness the bounds, and the share of them
        that hold; ``made``, what each part was made with.

    Raises
    ------
    Refused
        Where the earlier record lacks a part that has no pieces, or was made by other settings.
    """
    own = {part: [one for key, one in made.items() if key[0] == part] for part in PARTS}
    of = {
        part: [
            {**one.value, **{name: one.made_with[name] for name in ("seconds", "commit")}}
            for one in some
        ]
        for part, some in own.items()
    }
    found: dict[str, Any] = {
        "errors": [_without(r, "seconds") for r in of["errors"]],
        "failure": [_without(r) for r in of["failure"]],
        "search": [
            _search_summary(of["search"], *key)
            for key in dict.fromkeys((r["truth"], r["noise"]) for r in of["search"])
        ],
        "bound": [
            _bound_summary(of["bound"], stiffness)
            for stiffness in dict.fromkeys(r["L"] for r in of["bound"])
        ],
    }
    made_with = {part: _made_with(some) for part, some in own.items() if some}
    for part in PARTS:
        if not own[part]:
            found[part], made_with[part] = _kept(part, before, settings)
    return {
        **found,
        "wanted": WANTED,
        "same_law": {
            name: networks_of(
                law_of(truth.network), Library(truth.network.species).network.reactions
            )
            for name, truth in TRUTHS.items()
        },
        "settings": json.loads(settings.model_dump_json()),
        "made": made_with,
    }


def _made_with(some: list[Done]) -> dict[str, Any]:
    """Return what some pieces were made with: that of the first, and all commits."""
    commits = sorted({one.made_with["commit"] for one in some})
    made_with = {key: some[0].made_with[key] for key in (*provenance.attributes(), "processor")}
    return made_with | {"commit": ", ".join(commits)}


def _kept(part: str, before: dict[str, Any] | None, settings: Settings) -> tuple[list, dict]:
    """Take a part, and what it was made with, from an earlier record."""
    own = {
        name: value
        for name, value in json.loads(settings.model_dump_json()).items()
        if not name.startswith(tuple(other for other in PARTS if other != part))
    }
    if before is None or {name: before["settings"].get(name) for name in own} != own:
        raise Refused(f"{part}: no pieces, and no earlier record by these settings: compute it")
    return before[part], before["made"][part]


def _search_summary(records: list[dict], truth: str, noise: float) -> dict[str, Any]:
    """Count what searches found.

    ``places``, of each wanted network, one a seed; ``found``, one of them in the first three;
    ``all_found``, each of them; ``right_law``, the first network tends to the true law;
    ``others_off``, by which factor the error of the best network of another law exceeds that of
    the first of the true law, one a seed.
    """
    here = [r for r in records if (r["truth"], r["noise"]) == (truth, noise)]
    places = [[place or math.inf for place in r["places"]] for r in here]
    true = law_of(TRUTHS[truth].network)
    right = [[limit_law(one["equations"]) == true for one in r["candidates"]] for r in here]
    winners = [" ; ".join(r["candidates"][0]["equations"]) for r in here]
    return {
        "truth": truth,
        "noise": noise,
        "places": [r["places"] for r in here],
        "found": share(sum(min(each) <= TOP for each in places), len(here)),
        "all_found": share(sum(max(each) <= TOP for each in places), len(here)),
        "right_law": share(sum(each[0] for each in right), len(here)),
        "others_off": [
            _others_off(r["candidates"], each) for r, each in zip(here, right, strict=True)
        ],
        "first": {name: winners.count(name) for name in sorted(set(winners))},
        "seconds": float(np.median([r["seconds"] for r in here])),
        "longest_seconds": max(r["seconds"] for r in here),
        "commits": sorted({r["commit"] for r in here}),
    }


def _others_off(candidates: list[dict], right: list[bool]) -> float | None:
    """Return the least error of another law over that of the true one; None where one is absent."""
    costs = {
        law: [c["cost"] for c, r in zip(candidates, right, strict=True) if r == law]
        for law in (True, False)
    }
    if not all(costs.values()):
        return None
    return math.sqrt(min(costs[False]) / min(costs[True]))


def _bound_summary(records: list[dict], stiffness: float | str) -> dict[str, Any]:
    bounds = [r["bound"] for r in records if r["L"] == stiffness]
    holds = sum(found <= float(stiffness) for found in bounds)
    return {
        "L": stiffness,
        "bounds": bounds,
        "median": float(np.median(bounds)),
        "holds": share(holds, len(bounds)),
        "open_to_infinity": share(
            sum(r["deviance_at_infinity"] < _OPEN for r in records if r["L"] == stiffness),
            len(bounds),
        ),
    }


_OPEN = 2.7055  # as in `bound`: no upper bound at the same confidence


def share(hits: int, n: int) -> dict[str, float]:
    """Return a count as a share with its interval."""
    return {"hits": hits, "n": n, **goals.share(np.arange(n) < hits)}


def _number(value: float) -> float | str:
    """Write infinity as text: JSON has no number for it."""
    return "inf" if math.isinf(value) else value


def _without(record: dict, *names: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in ("commit", *names)}
