"""How often any method can be right: ``python -m studies.limit [folder]``.

Runs do not always tell mechanisms apart. Each sample of a test set of its own, of the published
design, is put to Bayes' rule: the evidence of every mechanism over all rate constants it may have
(`kinetlib.inference.evidence`), under the prior and the noise that the samples were drawn with.
What names the most probable mechanism is right as often as anything can be, up to the errors of
the evidences.

Samples come in rounds, one of each mechanism, so that what is done is balanced at any time. A
sample that is done is a file, and does not depend on how many others there are: the study goes on
where it was interrupted, and further with a larger ``--rounds``.
``python -m studies.limit summary [folder]`` writes the record that the book shows.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import softmax

from kinetlib import evaluate
from kinetlib.inference.evidence import Effort, Evidence, compare
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.runs import dataset, shards
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST

SEED = 1763  # of Bayes' essay; no other dataset of ours has it
NOISE = 0.01
ROUNDS = 10
BANK = 12_000  # draws from the prior of each mechanism
NEGLIGIBLE = 1e-4
EFFORT = Effort()
FOLDER = Path("results/limit_study")
INSEPARABLE = 0.05  # pairs of mechanisms told wrong more often than this are listed

console = Console()


def samples(rounds: int = ROUNDS, *, exact: bool = False) -> xr.Dataset:
    """Return the samples of the first rounds: M1 to M20, then M1 to M20 again.

    Parameters
    ----------
    rounds
        How many rounds.
    exact
        Leave the noise away.

    Returns
    -------
    xarray.Dataset
        Of the schema of `kinetlib.runs.dataset`, with the noise of the study, and ``round``
        (sample).
    """
    return xr.concat([_round(number, exact) for number in range(rounds)], "sample")


@cache
def _round(number: int, exact: bool = False) -> xr.Dataset:
    # Single precision, as whoever reads a dataset gets it.
    runs = shards.build(shards.Plan("test", SEED, 1, 1), number, threads=1).drop_attrs()
    if not exact:
        runs = dataset.with_noise(runs, NOISE, default_rng([SEED, number]))
    return runs.assign(round=("sample", np.full(runs.sizes["sample"], number)))


def priors() -> dict[str, Prior]:
    """Return the prior of each mechanism with the bank that the study uses."""
    return {
        name: draw_prior(name, BANK, TEST, default_rng([SEED, *name.encode()]), threads=1)
        for name in mechanisms.catalogue()
    }


def main(folder: Path, rounds: int = ROUNDS, processes: int = 1) -> None:
    """Compute what has not been computed yet.

    Parameters
    ----------
    folder
        Where the samples that are done lie.
    rounds
        Rounds of twenty samples.
    processes
        How many samples are worked on side by side; the values do not depend on it.
    """
    wanted = [
        (number, name)
        for number in range(rounds)
        for name in mechanisms.catalogue()
        if not _path(folder, number, name).exists()
    ]
    if not wanted:
        console.print("nothing left to do")
        return
    _path(folder, *wanted[0]).parent.mkdir(parents=True, exist_ok=True)
    attributes = provenance.attributes()
    known = priors()
    console.print(f"{len(wanted)} samples to do")
    for done, record in enumerate(_computed(folder, wanted, known, attributes, processes), start=1):
        answer, probability = _best(record)
        console.print(
            f"{done} of {len(wanted)}: {record['truth']} is called {answer} "
            f"({probability:.2f}), {record['seconds']:.0f} s"
        )


def _computed(
    folder: Path,
    wanted: list[tuple[int, str]],
    known: dict[str, Prior],
    attributes: dict[str, str],
    processes: int,
) -> Iterator[dict[str, Any]]:
    if processes == 1:
        for number, name in wanted:
            yield from _compute(folder, number, name, known, attributes)
        return
    # Spawned, not forked: the integrator's and NumPy's threads do not survive a fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_computed_there, folder, *at, known, attributes) for at in wanted]
        for found in as_completed(running):
            yield from found.result()


def _computed_there(*arguments: Any) -> list[dict[str, Any]]:
    return list(_compute(*arguments))


def _compute(
    folder: Path, number: int, name: str, known: dict[str, Prior], attributes: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Compute one sample and write it; nothing where a round lacks the mechanism.

    A parameter set that two mechanisms accept is dropped from both.
    """
    runs = _round(number)
    at = np.flatnonzero(runs.mechanism.values == name)
    if not len(at):
        return
    begun = time.perf_counter()
    measured, noise = Runs.of(runs.isel(sample=int(at[0]))), Noise(NOISE, RESOLUTION)
    found = compare(
        {name: Target(measured, prior, noise) for name, prior in known.items()},
        rng=default_rng([SEED, number, *name.encode()]),
        effort=EFFORT,
        negligible=NEGLIGIBLE,
    )
    record = {
        "round": number,
        "truth": name,
        **_settings(),
        "seconds": round(time.perf_counter() - begun, 1),
        "evidences": {mechanism: _entry(evidence) for mechanism, evidence in found.items()},
        **attributes,
    }
    write_text(_path(folder, number, name), json.dumps(record))
    yield record


def _settings() -> dict[str, Any]:
    """Return what a sample's values follow from, beside the code."""
    return {
        "seed": SEED,
        "noise": NOISE,
        "bank": BANK,
        "negligible": NEGLIGIBLE,
        "effort": asdict(EFFORT),
    }


def _entry(found: Evidence) -> dict[str, Any]:
    """Return an evidence as JSON: JSON knows no infinity and no NaN, null stands for both."""
    numbers = asdict(found)
    del numbers["mechanism"]
    numbers["constants"] = {name: _number(value, 6) for name, value in found.constants.items()}
    return {
        name: _number(value, 4) if isinstance(value, float) else value
        for name, value in numbers.items()
    }


def _number(value: float, digits: int) -> float | None:
    return round(float(value), digits) if math.isfinite(value) else None


def summary(folder: Path) -> dict[str, Any]:
    """Collect all samples that are done.

    Returns
    -------
    dict
        ``samples``: for each its round, truth, and, in the order of ``mechanisms``, ln Z (a bound
        where given up; None for no likelihood at all), standard error and effective sample size
        (None where given up), and which were given up. ``right``: how often the most probable
        mechanism was the true one, in all rounds with Wilson's interval, and how often it should
        be by its own probabilities. ``confusion``: probability of each mechanism by true one, mean
        over samples. ``pairs``: see `pairs`. And what the study was made of.

    Raises
    ------
    ValueError
        If no sample is done, or one was made with other settings.
    """
    records = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in sorted((folder / "samples").glob("*.json"))
    ]
    if not records:
        raise ValueError(f"no sample in {folder / 'samples'}: run python -m studies.limit")
    names = list(mechanisms.catalogue())
    settings = _settings()
    for record in records:
        if {key: record[key] for key in settings} != settings:
            raise ValueError(
                f"round {record['round']}, {record['truth']} was made with other settings than "
                f"those of studies.limit; remove {folder / 'samples'} and run the study anew"
            )
    records.sort(key=lambda record: (record["round"], names.index(record["truth"])))
    probabilities = np.array([_probabilities(record, names) for record in records])
    labels = np.array([names.index(record["truth"]) for record in records])
    hits = evaluate.top_k(probabilities, labels, 1)
    low, high = evaluate.wilson(hits)
    count = np.bincount(labels, minlength=len(names))
    confusion = np.stack(
        [probabilities[labels == label].sum(0) for label in range(len(names))]
    ) / np.maximum(count, 1).reshape(-1, 1)
    return {
        "mechanisms": names,
        **settings,
        "design": TEST.model_dump(mode="json"),
        "samples": [_short(record, names) for record in records],
        "right": {
            "value": float(hits.mean()),
            "low": low,
            "high": high,
            "expected": float(probabilities.max(1).mean()),
            "top_3": float(evaluate.top_k(probabilities, labels, 3).mean()),
        },
        "confusion": np.round(confusion, 4).tolist(),
        "pairs": pairs(probabilities, labels, names),
        "seconds": float(np.median([record["seconds"] for record in records])),
        "processor": provenance.processor(),
        # Those of the samples, which may have been made at several times.
        "made_by": sorted({json.dumps(_provenance(record)) for record in records}),
        **provenance.attributes(),
    }


def pairs(
    probabilities: NDArray[np.float64], labels: NDArray[np.int64], names: list[str]
) -> list[dict[str, Any]]:
    """List pairs of mechanisms that cannot be told apart, the worst first.

    The best guess between the two alone is wrong with the smaller of their probabilities, over the
    sum of both; ``error`` is the mean of that over the samples of either.

    Parameters
    ----------
    probabilities
        Shape (n, c).
    labels
        True classes, shape (n,).
    names
        Of the classes.
    """
    found = []
    for one in range(len(names)):
        for other in range(one + 1, len(names)):
            those = probabilities[np.isin(labels, [one, other])][:, [one, other]]
            total = those.sum(1)
            if len(those) and total.all():
                error = float((those.min(1) / total).mean())
                if error > INSEPARABLE:
                    pair = [names[one], names[other]]
                    found.append({"pair": pair, "error": round(error, 4), "samples": len(those)})
    return sorted(found, key=lambda entry: -entry["error"])


def _probabilities(record: dict[str, Any], names: list[str]) -> NDArray[np.float64]:
    """Return the probability of each mechanism, all being equally probable beforehand."""
    logs = [record["evidences"][name]["log_evidence"] for name in names]
    return softmax([-np.inf if value is None else value for value in logs])


def _best(record: dict[str, Any]) -> tuple[str, float]:
    names = list(record["evidences"])
    probabilities = _probabilities(record, names)
    return names[probabilities.argmax()], float(probabilities.max())


def _short(record: dict[str, Any], names: list[str]) -> dict[str, Any]:
    found = [record["evidences"][name] for name in names]

    def column(key: str, digits: int) -> list[float | None]:
        return [None if entry[key] is None else round(entry[key], digits) for entry in found]

    return {
        "round": record["round"],
        "truth": record["truth"],
        "log_evidence": column("log_evidence", 2),
        "standard_error": column("standard_error", 3),
        "effective_sample_size": column("effective_sample_size", 1),
        "given_up": [name for name, entry in zip(names, found, strict=True) if entry["given_up"]],
    }


def _provenance(record: dict[str, Any]) -> dict[str, Any]:
    own = {"round", "truth", "seconds", "evidences", *_settings()}
    return {key: value for key, value in record.items() if key not in own}


def _path(folder: Path, number: int, name: str) -> Path:
    return folder / "samples" / f"{number:05d}-{name}.json"


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m studies.limit")
    parser.add_argument("what", nargs="*", metavar="[summary] [folder]")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of twenty samples")
    parser.add_argument("--processes", type=int, default=1, help="samples side by side")
    return parser.parse_args()


if __name__ == "__main__":
    _args = _asked()
    _summarise = _args.what[:1] == ["summary"]
    _folder = Path(([*_args.what[_summarise:], FOLDER])[0])
    if _summarise:
        write_text(_folder / "summary.json", json.dumps(summary(_folder)) + "\n")
    else:
        main(_folder, _args.rounds, _args.processes)
