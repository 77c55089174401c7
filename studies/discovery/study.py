"""How often the true reactions are found, and what others find: the benchmark of the cases.

``python -m studies.discovery.study`` runs all settings with all methods, or those named: settings
B1, B1many, B1few, B1noise, B2, B2m, B3, B4, drawn, and methods as in `SETTINGS`, in quotes. Each
piece, one method on one seed of one setting, is a file; what is done is not done again.
``python -m studies.discovery.study summary`` writes the record that the book shows. ``--folder``,
``--first`` and ``--most`` say where pieces are, and which seeds are run: jobs divide them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from rich.console import Console

from kinetlib.crnn.runs import FLOOR
from kinetlib.evaluate import wilson
from kinetlib.records import code, provenance
from kinetlib.records.files import write_text
from studies.discovery import drawn
from studies.discovery.answers import judged
from studies.discovery.cases import cramer_rao
from studies.discovery.settings import COLD, SETTINGS, Setting

FOLDER = Path("results/crnn_cases")
RECORD = Path("data/studies/crnn.json")  # below the repository


def main(
    folder: Path,
    names: list[str],
    methods: list[str],
    first: int = 0,
    most: int | None = None,
    progress: Callable[[str], None] = lambda told: None,
) -> None:
    """Run what has not been run yet, the first seeds of all methods first.

    Parameters
    ----------
    folder
        Where the pieces are.
    names, methods
        Settings and methods.
    first, most
        The first seed, and how many; what a setting has not is left out. By default all.
    progress
        Told of each piece that gets done.
    """
    for name in names:
        numbers = {m: number for m, number in SETTINGS[name].seeds.items() if m in methods}
        last = max(numbers.values(), default=0)
        for seed in range(first, last if most is None else min(first + most, last)):
            for method, number in numbers.items():
                path = _piece(folder, name, method, seed)
                if seed < number and not path.exists():
                    record = _cold(name, seed) if method == COLD else _judged(name, method, seed)
                    write_text(path, json.dumps(record) + "\n")
                    progress(f"{name}, seed {seed}, {method}: {_brief(record)}")


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
    main(folder, *chosen([]), most=seeds)
    return summary(folder)["settings"]


def summary(folder: Path) -> dict[str, Any]:
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
        records = {method: _records(folder, name, method) for method in setting.seeds}
        if not any(records.values()):
            continue
        seeds = sorted(records.get("oracle", {}))
        # Of networks that differ there is no mean over seeds.
        seeds = [] if setting.case == drawn.NAME else seeds
        limit = _limit(setting, seeds, FLOOR) if seeds else None
        found[name] = {
            **setting.model_dump(exclude={"seeds"}),
            "noise": setting.level,
            "constants": None if setting.case == drawn.NAME else list(setting.case_of(0).constants),
            "cramer_rao": None if limit is None else limit.tolist(),
            "cramer_rao_without_floor": _limit(setting, seeds, 0.0).tolist()
            if seeds and setting.level
            else None,
            "methods": {
                method: _method(own, records.get("oracle", {}))
                for method, own in records.items()
                if own
            },
        }
    return {"settings": found, "processor": provenance.processor(), **provenance.attributes()}


def _limit(setting: Setting, seeds: list[int], floor: float) -> NDArray[np.float64]:
    """Root mean square of the Cramér-Rao limit over seeds."""
    tasks = map(setting.task, seeds)
    limits = [cramer_rao(one.case, one.runs, setting.level, floor=floor) for one in tasks]
    return np.sqrt(np.mean(np.square(limits), axis=0))


def _method(records: dict[int, dict], oracle: dict[int, dict]) -> dict[str, Any]:
    """Collect one method.

    Counts with Wilson intervals; seconds, median and largest; of the seeds with the true reactions
    the errors of ln k and relative ones of activation energies, root mean square over seeds, median
    and largest; errors on held-out runs over those of the oracle, seed by seed.
    """
    exact = np.array([record["exact"] for record in records.values()])
    made: dict[str, Any] = {
        "seeds": len(records),
        "exact": _share(exact),
        **{
            kind: _spread([record[kind] for record in records.values() if kind in record])
            for kind in ("seconds", "processor_seconds")
        },
        "refused": sum("refused" in record for record in records.values()),
        "commits": sorted({record.get("commit") or "not noted" for record in records.values()}),
    }
    for kind in ("equivalent", "same_terms"):
        made[kind] = _share(
            np.array([record.get(kind) or record["exact"] for record in records.values()])
        )
    for kind, of in (("errors", "log_errors"), ("activation_errors", "activation_errors")):
        errors = [np.array(r[of]) for r in records.values() if r.get(of)]
        if errors:
            together = np.concatenate(errors)
            relative = np.abs(np.expm1(together) if of == "log_errors" else together)
            one_network = len({len(row) for row in errors}) == 1
            made[kind] = {
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
        made[kind] = _spread(values)
        made[f"{kind}_over_oracle"] = _spread(ratios)
    made["not_simulated"] = sum(record.get("held_out") is None for record in records.values())
    return made


def _share(hits: NDArray) -> dict[str, float]:
    low, high = wilson(hits)
    return {"value": float(hits.mean()), "low": low, "high": high}


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {"median": float(np.median(values)), "largest": float(np.max(values))}


def _judged(name: str, method: str, seed: int) -> dict[str, Any]:
    setting = SETTINGS[name]
    held_out = setting.case_of(seed).held_out(seed, n_times=setting.n_times, noise=setting.noise)
    cores = len(psutil.Process().cpu_affinity())
    made_by = {"cores": cores, "commit": provenance.attributes().get("commit")}
    return {**made_by, **judged(method, setting.task(seed), held_out)}


def _cold(name: str, seed: int) -> dict[str, Any]:
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


def _records(folder: Path, name: str, method: str) -> dict[int, dict]:
    pieces = {seed: _piece(folder, name, method, seed) for seed in range(1000)}
    return {
        seed: json.loads(path.read_text(encoding="utf-8"))
        for seed, path in pieces.items()
        if path.exists()
    }


def _piece(folder: Path, name: str, method: str, seed: int) -> Path:
    return folder / name / f"{method.replace(', ', '-').replace(' ', '_')}-{seed}.json"


def _brief(record: dict[str, Any]) -> str:
    held_out = record.get("held_out")
    return (
        f"{'exact' if record['exact'] else 'not exact'}, {record['seconds']:.1f} s, held-out error "
        f"{'none' if held_out is None else format(held_out, '.4f')}"
    )


def chosen(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the settings and the methods that words name; all of a kind where none is named.

    Raises
    ------
    ValueError
        For a word that is neither.
    """
    families = {name: name.split("-")[0] for name in SETTINGS}
    methods = list(dict.fromkeys(m for setting in SETTINGS.values() for m in setting.seeds))
    known = {*families, *families.values(), *methods}
    if unknown := [word for word in words if word not in known]:
        raise ValueError(
            f"unknown setting or method {unknown[0]!r}: expected some of {', '.join(sorted(known))}"
        )
    named = [name for name, family in families.items() if {name, family} & set(words)]
    return named or list(SETTINGS), [m for m in methods if m in words] or methods


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m studies.discovery.study")
    parser.add_argument("words", nargs="*", help="settings, methods, or summary")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--most", type=int, help="how many seeds, at most")
    return parser.parse_args()


if __name__ == "__main__":
    given = _arguments()
    if given.words == ["summary"]:
        record = json.dumps(summary(given.folder), indent=1)
        write_text(given.folder / "summary.json", record + "\n")
    else:
        try:
            asked = chosen(given.words)
        except ValueError as error:
            sys.exit(str(error))
        main(given.folder, *asked, given.first, given.most, Console().print)
