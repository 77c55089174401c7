"""The counts of chapter 10: ``python -m kinetlib.higher_order.study``.

How often the published recipe fails, how often the second-order network is found in curves, how
often the lower bound on the stiffness holds. A piece that is done is a file in its folder, so it
goes on where it was interrupted. ``python -m kinetlib.higher_order.study summary`` writes the
record that the book shows.
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

from kinetlib import provenance
from kinetlib.crnn import published_recipe
from kinetlib.evaluate import wilson
from kinetlib.files import write_text
from kinetlib.higher_order import bound, failure, search
from kinetlib.higher_order.fit import best
from kinetlib.higher_order.limit_law import law_of, limit_law
from kinetlib.higher_order.stand_ins import STAND_INS, TRUTHS, errors

console = Console()

CUBIC, AUTOCATALYTIC = "3 A -> B", "A + 2 B -> 3 B"
#: The network that stands in for a reaction, as the search has to find it.
WANTED = {
    CUBIC: {"2 A -> Z", "Z -> 2 A", "A + Z -> B"},
    AUTOCATALYTIC: {"2 B -> Z", "Z -> 2 B", "A + Z -> B + Z"},
}
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
        (AUTOCATALYTIC, 0.0, 5),
        (AUTOCATALYTIC, 0.01, 5),
    )
    bound_noise: float = 0.05
    bound_runs: int = 5
    bound_simulations: int = 50
    bound_stiffness: tuple[float, ...] = (10.0, 100.0, 1000.0, math.inf)


def main(folder: Path, settings: Settings) -> None:
    """Run what has not been run yet."""
    for name, work in pieces(settings):
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
        "rank": search.rank(found, WANTED[truth]),
        "best": [vars(candidate) for candidate in found[:TOP]],
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


def summary(folder: Path, settings: Settings) -> dict[str, Any]:
    """Collect all pieces, with Wilson's intervals for counts.

    Returns
    -------
    dict
        ``errors`` as they are; ``failure`` a row for each trained network; ``search`` for each
        reaction and noise the ranks, the share found and the share whose first network tends to
        the true law; ``bound`` for each stiffness the bounds,
        and the share of them that hold; what the study was made of.
    """
    records = [json.loads(p.read_text("utf-8")) for p in sorted((folder / "pieces").glob("*.json"))]
    if not records:
        raise ValueError(
            f"no pieces in {folder}: run `python -m kinetlib.higher_order.study` first"
        )
    of = {kind: [r for r in records if r["kind"] == kind] for kind in _KINDS}
    made = {key: of["errors"][0][key] for key in provenance.attributes()} if of["errors"] else {}
    return {
        "errors": [_only(r, ("name", "catalytic", "rows")) for r in of["errors"]],
        "failure": [_without(r) for r in of["failure"]],
        "search": [_search_summary(of["search"], *key) for key in _keys(of["search"])],
        "bound": [
            _bound_summary(of["bound"], stiffness)
            for stiffness in dict.fromkeys(r["L"] for r in of["bound"])
        ],
        "wanted": {truth: sorted(network) for truth, network in WANTED.items()},
        "settings": json.loads(settings.model_dump_json()),
        "processor": provenance.processor(),
        **made,
    }


_KINDS = ("errors", "failure", "search", "bound")


def _keys(records: list[dict]) -> list[tuple[str, float]]:
    return list(dict.fromkeys((r["truth"], r["noise"]) for r in records))


def _search_summary(records: list[dict], truth: str, noise: float) -> dict[str, Any]:
    here = [r for r in records if (r["truth"], r["noise"]) == (truth, noise)]
    ranks = [r["rank"] for r in here]
    true = law_of(TRUTHS[truth].network)
    right = sum(limit_law(r["best"][0]["equations"]) == true for r in here)
    winners = [" ; ".join(r["best"][0]["equations"]) for r in here]
    return {
        "truth": truth,
        "noise": noise,
        "ranks": ranks,
        "found": share(sum(place is not None and place <= TOP for place in ranks), len(ranks)),
        "right_law": share(right, len(ranks)),
        "first": {name: winners.count(name) for name in sorted(set(winners))},
        "seconds": float(np.median([r["seconds"] for r in here])),
        "longest_seconds": max(r["seconds"] for r in here),
    }


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
        _text = json.dumps(summary(_folder, _settings), indent=1)
        write_text(_folder / "summary.json", _text + "\n")
    else:
        main(_folder, _settings)
