"""The counts of chapter 10: ``python -m studies.higher_order.study``.

How often the published recipe fails, how often the second-order network is found in curves, how
often the lower bound on the stiffness holds; of these only some, if told how the names of pieces
begin, such as ``search`` or ``search-3A``. A piece that is done is a file in its folder, so it goes
on where it was interrupted. ``python -m studies.higher_order.study summary`` writes the record
that the book shows; parts without pieces in the folder are taken from the record as it is.
"""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.random import default_rng
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from kinetlib.evaluate import wilson
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from studies.discovery import published_recipe
from studies.higher_order import bound, failure, search
from studies.higher_order.fit import best
from studies.higher_order.library import Library
from studies.higher_order.limit_law import law_of, limit_law, networks_of
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, errors

console = Console()

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


def main(folder: Path, settings: Settings, *parts: str) -> None:
    """Run what has not been run yet, of all or of those pieces whose names begin so."""
    chosen = [(name, work) for name, work in pieces(settings) if name.startswith(parts or "")]
    if not chosen:
        raise ValueError(
            f"{', '.join(parts)}: no piece begins so; expected the beginning of a name such as "
            f"{next(pieces(settings))[0]}, or {', '.join(PARTS)}"
        )
    for name, work in chosen:
        path = folder / "pieces" / f"{name}.json"
        if not path.exists():
            console.print(name)
            began = time.perf_counter()
            record = work()
            record["seconds"] = time.perf_counter() - began
            write_text(path, json.dumps(record | provenance.attributes(), indent=1) + "\n")


def pieces(settings: Settings) -> Iterator[tuple[str, Callable[[], dict[str, Any]]]]:
    """Name each piece of the study, and give what does it."""
    for name in STAND_INS:
        yield f"errors-{_slug(name)}", lambda name=name: errors_of(name, settings)
    for truth, n_reactions, z in settings.failures:
        for seed in range(settings.failure_seeds):
            end = "" if z == "absent" else f"-{z}"
            yield (
                f"failure-{_slug(truth)}-{n_reactions}{end}-{seed}",
                lambda args=(truth, n_reactions, z, seed): failed(*args, settings),
            )
    for truth, noise, n in settings.searches:
        for seed in range(n):
            yield (
                f"search-{_slug(truth)}-{noise:g}-{seed}",
                lambda args=(truth, noise, seed): searched(*args, settings),
            )
    for stiffness in settings.bound_stiffness:
        for seed in range(settings.bound_simulations):
            yield (
                f"bound-{stiffness:g}-{seed}",
                lambda args=(stiffness, seed): bounded(*args, settings),
            )


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
    return {"kind": "errors", "name": name, "catalytic": stand_in.catalytic, "rows": rows}


def failed(truth: str, n_reactions: int, z: str, seed: int, settings: Settings) -> dict[str, Any]:
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


def searched(truth: str, noise: float, seed: int, settings: Settings) -> dict[str, Any]:
    """Search the library, given curves of the observed species and nothing else."""
    runs = failure.runs_of(
        truth, settings.search_runs, noise, default_rng([settings.seed, 3, seed])
    )
    found = search.find(runs, threads=1)
    return {
        "kind": "search",
        "truth": truth,
        "noise": noise,
        "places": [search.rank(found, set(network)) for network in WANTED[truth]],
        "candidates": [vars(candidate) for candidate in found],
    }


def bounded(stiffness: float, seed: int, settings: Settings) -> dict[str, Any]:
    """Find the lower bound on the stiffness in noisy runs."""
    rng = default_rng([settings.seed, 4, seed])
    name, noise = "3 A, consumed", settings.bound_noise
    initial, observed = bound.noisy(name, stiffness, settings.bound_runs, noise, rng)
    found = bound.profile(name, initial, observed, noise)
    return {
        "kind": "bound",
        "L": _number(stiffness),
        "bound": found.bound,
        "deviance_at_infinity": float(found.deviance[-1]),
    }


def summary(folder: Path, settings: Settings, before: dict[str, Any] | None = None) -> dict:
    """Collect all pieces, with Wilson's intervals for counts.

    Parameters
    ----------
    folder, settings
        As for `main`.
    before
        An earlier record; parts without pieces in the folder are taken from it.

    Returns
    -------
    dict
        ``errors`` as they are; ``failure`` a row for each trained network; ``search`` for each
        reaction and noise, see `_search_summary`; ``same_law`` for each reaction all networks of
        the library that tend to it; ``bound`` for each stiffness the bounds, and the share of them
        that hold; ``made``, what each part was made with.

    Raises
    ------
    ValueError
        Where there are no pieces, or the earlier record lacks a part that has none or was made by
        other settings.
    """
    records = [json.loads(p.read_text("utf-8")) for p in sorted((folder / "pieces").glob("*.json"))]
    if not records:
        raise ValueError(f"no pieces in {folder}: run `python -m studies.higher_order.study` first")
    of = {kind: [r for r in records if r["kind"] == kind] for kind in PARTS}
    found: dict[str, Any] = {
        "errors": [_only(r, ("name", "catalytic", "rows")) for r in of["errors"]],
        "failure": [_without(r) for r in of["failure"]],
        "search": [_search_summary(of["search"], *key) for key in _keys(of["search"])],
        "bound": [
            _bound_summary(of["bound"], stiffness)
            for stiffness in dict.fromkeys(r["L"] for r in of["bound"])
        ],
    }
    made = {part: _made(of[part]) for part in PARTS if of[part]}
    for part in PARTS:
        if not of[part]:
            found[part], made[part] = _kept(part, before, settings)
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
        "made": made,
    }


PARTS = ("errors", "failure", "search", "bound")


def _made(records: list[dict]) -> dict[str, Any]:
    """Return what some pieces were made with: that of the first, and all commits."""
    commits = sorted({r["commit"] for r in records})
    made = {key: records[0][key] for key in provenance.attributes()}
    return made | {"commit": ", ".join(commits), "processor": provenance.processor()}


def _kept(part: str, before: dict[str, Any] | None, settings: Settings) -> tuple[list, dict]:
    """Take a part, and what it was made with, from an earlier record."""
    own = {
        name: value
        for name, value in json.loads(settings.model_dump_json()).items()
        if not name.startswith(tuple(other for other in PARTS if other != part))
    }
    if before is None or {name: before["settings"].get(name) for name in own} != own:
        raise ValueError(
            f"{part}: no pieces, and no earlier record by these settings: run "
            f"`python -m studies.higher_order.study {part}` first"
        )
    return before[part], before["made"][part]


def _keys(records: list[dict]) -> list[tuple[str, float]]:
    order = list(TRUTHS)
    keys = {(r["truth"], r["noise"]) for r in records}
    return sorted(keys, key=lambda key: (order.index(key[0]), -key[1]))


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
    """Return a count as a share with Wilson's 95 % interval."""
    low, high = wilson(np.arange(n) < hits)
    return {"hits": hits, "n": n, "value": hits / n, "low": low, "high": high}


def _number(value: float) -> float | str:
    """Write infinity as text: JSON has no number for it."""
    return "inf" if math.isinf(value) else value


def _only(record: dict, keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: record[key] for key in keys}


def _without(record: dict) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in provenance.attributes()}


def _slug(name: str) -> str:
    kept = name.replace(" -> ", "-").replace(" ", "").replace(",", "-")
    return kept.replace("+", "_")


if __name__ == "__main__":
    _folder, _settings = Path("results/higher_order"), Settings()
    if sys.argv[1:] == ["summary"]:
        _before = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else None
        _text = json.dumps(summary(_folder, _settings, _before), indent=1)
        write_text(_folder / "summary.json", _text + "\n")
    else:
        main(_folder, _settings, *sys.argv[1:])
