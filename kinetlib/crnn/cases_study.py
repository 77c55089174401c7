"""How often the true reactions are found, and what others find: the benchmark of the cases.

``python -m kinetlib.crnn.cases_study`` runs all settings with all methods, or those named: settings
B1, B1many, B1few, B1noise, B2, B2m, B3, B4, drawn, and methods as in `SETTINGS`, in quotes. Each
piece, one method on one seed of one setting, is a file; what is done is not done again.
``python -m kinetlib.crnn.cases_study summary`` writes the record that the book shows.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rich.console import Console

from kinetlib import provenance
from kinetlib.crnn import drawn
from kinetlib.crnn.answers import Task, judged
from kinetlib.crnn.cases import CASES, Case, cramer_rao
from kinetlib.crnn.runs import FLOOR
from kinetlib.evaluate import wilson
from kinetlib.files import write_text

COLD = "discover, compiling"  # a process of its own, with no integrator compiled before

console = Console()


class Setting(BaseModel):
    """A task that is repeated over seeds.

    Attributes
    ----------
    case
        Name of the case.
    n_reactions
        Most reactions that methods are told.
    seeds
        By method, how many.
    n_runs, n_times, noise
        Instead of those of the case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: str
    n_reactions: int
    seeds: dict[str, int]
    n_runs: int | None = None
    n_times: int | None = None
    noise: float | None = None

    def case_of(self, seed: int) -> Case:
        """Return the case of a seed: the same for all, but where networks are drawn."""
        return drawn.drawn(seed) if self.case == drawn.NAME else CASES[self.case]

    def task(self, seed: int) -> Task:
        """Make the runs of a seed."""
        case = self.case_of(seed)
        runs = case.runs(seed, n_runs=self.n_runs, n_times=self.n_times, noise=self.noise)
        return Task(case, runs, self.n_reactions, seed)

    @property
    def level(self) -> float:
        """Standard deviation of the noise, relative to the value."""
        return self.case_of(0).noise if self.noise is None else self.noise


_OURS = {"discover": 50, "oracle": 50}
_OTHERS = {"weak SINDy": 50, "weak SINDy, no ridge": 50, "derivative matching": 50}
NOISE = (0.0, 0.01, 0.1, 0.2, 0.5)

SETTINGS: dict[str, Setting] = {
    "B1": Setting(
        case="case 1",
        n_reactions=4,
        seeds={**_OURS, **_OTHERS, "published recipe": 10, COLD: 3},
    ),
    "B1many": Setting(case="case 1", n_reactions=8, seeds={**_OURS, "published recipe": 5}),
    "B1few": Setting(
        case="case 1", n_reactions=4, n_runs=5, n_times=30, seeds={**_OURS, **_OTHERS}
    ),
    **{
        f"B1noise-{level:g}": Setting(
            case="case 1",
            n_reactions=4,
            noise=level,
            seeds={name: 20 for name in (*_OURS, *_OTHERS)},
        )
        for level in NOISE
    },
    "B2": Setting(case="biodiesel", n_reactions=3, seeds=_OURS),
    "B2m": Setting(case="biodiesel, DG hidden", n_reactions=3, seeds=_OURS),
    "B3": Setting(
        case="MAPK cascade", n_reactions=8, seeds={name: 20 for name in (*_OURS, *_OTHERS)}
    ),
    "B4": Setting(
        case="case 1 reversible", n_reactions=10, seeds={name: 20 for name in (*_OURS, *_OTHERS)}
    ),
    "drawn": Setting(
        case=drawn.NAME, n_reactions=7, seeds={name: 50 for name in (*_OURS, *_OTHERS)}
    ),
}


def main(folder: Path, names: list[str], methods: list[str]) -> None:
    """Run what has not been run yet, the first seeds of all methods first."""
    for name in names:
        numbers = {m: number for m, number in SETTINGS[name].seeds.items() if m in methods}
        for seed in range(max(numbers.values(), default=0)):
            for method, number in numbers.items():
                path = _piece(folder, name, method, seed)
                if seed < number and not path.exists():
                    record = _cold(name, seed) if method == COLD else _judged(name, method, seed)
                    write_text(path, json.dumps(record) + "\n")
                    console.print(f"{name}, seed {seed}, {method}: {_brief(record)}")


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
        "from kinetlib.crnn import cases_study\n"
        "found = cases_study._judged(sys.argv[1], 'discover', int(sys.argv[2]))\n"
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


if __name__ == "__main__":
    _folder = Path("results/crnn_cases")
    if sys.argv[1:] == ["summary"]:
        write_text(_folder / "summary.json", json.dumps(summary(_folder), indent=1) + "\n")
    else:
        main(_folder, *chosen(sys.argv[1:]))
