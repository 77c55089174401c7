"""How often the true reactions are found, and what others find: the benchmark of the cases.

The parts are settings, B1, B1many, B1few, B1noise, B2, B2m, B3, B4, drawn, public, and methods as
in `SETTINGS`; of both, all where none is named. A piece is one method on one seed of one setting.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from kinetlib.crnn.runs import FLOOR
from kinetlib.records import code
from kinetlib.records.pieces import Done, Key, Piece, chosen, compute, done, signed
from studies.discovery import drawn, public
from studies.discovery.answers import judged
from studies.discovery.cases import cramer_rao
from studies.discovery.settings import COLD, SETTINGS, Setting
from studies.goals import share

RECORD = Path("data/studies/crnn.json")  # below the repository


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each method on each seed of each setting, the first seeds of all methods first."""
    for name, setting in SETTINGS.items():
        settings = setting.model_dump(exclude={"seeds"})
        for seed in range(max(setting.seeds.values())):
            for method, number in setting.seeds.items():
                if seed < number:
                    made_by = _cold if method == COLD else _judged
                    work = partial(made_by, name, method, seed)
                    yield Piece((name, method, seed), settings, work, _brief)


def place(results: str | Path, repository: str | Path = code.HOME) -> Path:
    """Return where pieces of a rebuild are: other code has another place, and begins anew.

    Parameters
    ----------
    results
        Folder of the profile.
    repository
        Checkout whose files are looked at.

    Returns
    -------
    Path
        Below `results`, named after the contents of all modules that decide what is found.
    """
    made_by = code.digest("studies.discovery.study", home=repository)[:12]
    return Path(results) / "09_discovery" / f"cases-{made_by}"


def blocks(seeds: int, size: int) -> list[tuple[str, int, int]]:
    """Divide the study into jobs.

    Parameters
    ----------
    seeds
        Most seeds of a setting.
    size
        Most seeds of a job.

    Returns
    -------
    list of tuple
        Setting, first seed and number of seeds of each job.
    """
    most = {name: min(seeds, max(s.seeds.values())) for name, s in SETTINGS.items()}
    return [
        (name, first, min(size, number - first))
        for name, number in most.items()
        for first in range(0, number, size)
    ]


def tables(results: str | Path, seeds: int) -> dict[str, Any]:
    """Return what chapter 9 shows of the settings.

    Parameters
    ----------
    results
        Folder of the profile.
    seeds
        Most seeds of a setting, made here where jobs have not; none for the record of the book.

    Returns
    -------
    dict
        ``settings`` of `summary`.
    """
    if not seeds:
        return json.loads(RECORD.read_text(encoding="utf-8"))["settings"]
    folder = place(results)
    work = chosen(pieces(folder), most=seeds)
    compute(folder, work)
    return record(folder, done(folder, work))["settings"]


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect all results.

    Returns
    -------
    dict
        ``settings`` by name: what they are; ``methods`` by name, see `_method`; ``cramer_rao``,
        least standard errors, root mean square over the seeds, with the floor that fits assume in
        the noise and without one. And what the study was made with.
    """
    found = {}
    for name, setting in SETTINGS.items():
        records: dict[str, dict[int, Done]] = {}
        for (own, method, seed), one in made.items():
            if own == name:
                records.setdefault(method, {})[seed] = one
        if not records:
            continue
        seeds = sorted(records.get("oracle", {}))
        # Of networks that differ there is no mean over seeds.
        many = setting.case in (drawn.NAME, public.NAME)
        seeds = [] if many else seeds
        limit = _limit(setting, seeds, FLOOR) if seeds else None
        found[name] = {
            **setting.model_dump(exclude={"seeds"}),
            "noise": setting.level,
            "constants": None if many else list(setting.case_of(0).constants),
            "cramer_rao": None if limit is None else limit.tolist(),
            "cramer_rao_without_floor": _limit(setting, seeds, 0.0).tolist()
            if seeds and setting.level
            else None,
            "methods": {
                method: _method(records[method], records.get("oracle", {}))
                for method in setting.seeds
                if method in records
            },
        }
    return signed({"settings": found}, made.values())


def _limit(setting: Setting, seeds: list[int], floor: float) -> NDArray[np.float64]:
    """Root mean square of the Cramér-Rao limit over seeds."""
    tasks = map(setting.task, seeds)
    limits = [cramer_rao(one.case, one.runs, setting.level, floor=floor) for one in tasks]
    return np.sqrt(np.mean(np.square(limits), axis=0))


def _method(made: dict[int, Done], by_oracle: dict[int, Done]) -> dict[str, Any]:
    """Collect one method.

    Counts with Wilson intervals; seconds, median and largest; of the seeds with the true reactions
    the errors of ln k and relative ones of activation energies, root mean square over seeds, median
    and largest; errors on held-out runs over those of the oracle, seed by seed.
    """
    records, oracle = (
        {seed: one.value for seed, one in some.items()} for some in (made, by_oracle)
    )
    exact = np.array([record["exact"] for record in records.values()])
    found: dict[str, Any] = {
        "seeds": len(records),
        "exact": share(exact),
        **{
            kind: _spread([record[kind] for record in records.values() if kind in record])
            for kind in ("seconds", "processor_seconds")
        },
        "wrong_without_doubt": sum(
            not (record["exact"] or record.get("equivalent") or record.get("refused"))
            and not record.get("doubts")
            for record in records.values()
        )
        if any("doubts" in record for record in records.values())
        else None,
        "refused": sum("refused" in record for record in records.values()),
        "commits": sorted({one.made_with["commit"] for one in made.values()}),
    }
    for kind in ("equivalent", "same_terms"):
        found[kind] = share(
            np.array([record.get(kind) or record["exact"] for record in records.values()])
        )
    for kind, of in (("errors", "log_errors"), ("activation_errors", "activation_errors")):
        errors = [np.array(r[of]) for r in records.values() if r.get(of)]
        if errors:
            together = np.concatenate(errors)
            relative = np.abs(np.expm1(together) if of == "log_errors" else together)
            one_network = len({len(row) for row in errors}) == 1
            found[kind] = {
                "rms": np.sqrt(np.square(errors).mean(0)).tolist() if one_network else None,
                "median": float(np.median(relative)),
                "largest": float(relative.max()),
            }
    for kind in ("held_out", "held_out_log"):
        known = {seed: record.get(kind) for seed, record in records.items()}
        ratios = [
            value / oracle[seed][kind]
            for seed, value in known.items()
            if value is not None and seed in oracle and oracle[seed].get(kind)
        ]
        values = [value for value in known.values() if value is not None]
        found[kind] = _spread(values)
        found[f"{kind}_over_oracle"] = _spread(ratios)
    found["not_simulated"] = sum(record.get("held_out") is None for record in records.values())
    return found


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": float(np.median(values)), "largest": float(np.max(values))}


def _judged(name: str, method: str, seed: int) -> dict[str, Any]:
    setting = SETTINGS[name]
    held_out = setting.case_of(seed).held_out(seed, n_times=setting.n_times, noise=setting.noise)
    cores = len(psutil.Process().cpu_affinity())
    return {"cores": cores, **judged(method, setting.task(seed), held_out)}


def _cold(name: str, _: str, seed: int) -> dict[str, Any]:
    """Let a new process, whose cache of compiled integrators is empty, discover once."""
    code = (
        "import json, sys\n"
        "from studies.discovery import study\n"
        "found = study._judged(sys.argv[1], 'discover', int(sys.argv[2]))\n"
        "print(json.dumps(found))"
    )
    with tempfile.TemporaryDirectory() as cache:
        places = {name: cache for name in ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")}
        done = subprocess.run(
            [sys.executable, "-c", code, name, str(seed)],
            env={**os.environ, **places},
            capture_output=True,
            text=True,
            check=True,
        )
    return json.loads(done.stdout.splitlines()[-1])


def _brief(record: dict[str, Any]) -> str:
    held_out = record.get("held_out")
    return (
        f"{'exact' if record['exact'] else 'not exact'}, {record['seconds']:.1f} s, held-out error "
        f"{'none' if held_out is None else format(held_out, '.4f')}"
    )
