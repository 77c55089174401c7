"""How often any method can be right.

Runs do not always tell mechanisms apart. Each sample of a test set of its own, of the published
design, is put to Bayes' rule: the evidence of every mechanism over all rate constants it may have
(`kinetlib.inference.evidence`), under the prior and the noise that the samples were drawn with.
What names the most probable mechanism is right as often as anything can be, up to the errors of
the evidences.

Samples come in rounds, one of each mechanism, so that what is done is balanced at any time. A
sample does not depend on how many others there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.random import default_rng
from numpy.typing import NDArray
from scipy.special import softmax

from kinetlib import evaluate
from kinetlib.inference.evidence import Effort, Evidence, compare
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key, Piece, signed
from kinetlib.runs import dataset, shards
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST
from studies.goals import share

SEED = 1763  # of Bayes' essay; no other dataset of ours has it
NOISE = 0.01
ROUNDS = 10
BANK = 12_000  # draws from the prior of each mechanism
NEGLIGIBLE = 1e-4
EFFORT = Effort()
INSEPARABLE = 0.05  # pairs of mechanisms told wrong more often than this are listed


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


@cache
def priors() -> dict[str, Prior]:
    """Return the prior of each mechanism with the bank that the study uses."""
    return {
        name: draw_prior(name, BANK, TEST, default_rng([SEED, *name.encode()]), threads=1)
        for name in mechanisms.catalogue()
    }


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each sample, round after round, up to a round."""
    for number in range(upto or ROUNDS):
        for name in mechanisms.catalogue():
            work = partial(_judged, number, name)
            yield Piece(("samples", number, name), _settings(), work, _brief)


def _judged(number: int, name: str) -> dict[str, Any] | None:
    """Put one sample to Bayes' rule; None where a round lacks the mechanism.

    A parameter set that two mechanisms accept is dropped from both.
    """
    runs = _round(number)
    at = np.flatnonzero(runs.mechanism.values == name)
    if not len(at):
        return None
    known = priors()
    begun = time.perf_counter()
    measured, noise = Runs.of(runs.isel(sample=int(at[0]))), Noise(NOISE, RESOLUTION)
    found = compare(
        {name: Target(measured, prior, noise) for name, prior in known.items()},
        rng=default_rng([SEED, number, *name.encode()]),
        effort=EFFORT,
        negligible=NEGLIGIBLE,
    )
    return {
        "round": number,
        "truth": name,
        "seconds": round(time.perf_counter() - begun, 1),
        "evidences": {mechanism: _entry(evidence) for mechanism, evidence in found.items()},
    }


def _brief(value: dict[str, Any] | None) -> str:
    if value is None:
        return "not in this round"
    names = list(value["evidences"])
    probabilities = _probabilities(value, names)
    return f"called {names[probabilities.argmax()]} ({probabilities.max():.2f})"


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


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect the samples that are done.

    Returns
    -------
    dict
        ``samples``: for each its round, truth, and, in the order of ``mechanisms``, ln Z (a bound
        where given up; None for no likelihood at all), standard error and effective sample size
        (None where given up), and which were given up. ``right``: how often the most probable
        mechanism was the true one, in all rounds with Wilson's interval, and how often it should
        be by its own probabilities. ``confusion``: probability of each mechanism by true one, mean
        over samples. ``pairs``: see `pairs`. And what the study was made of.
    """
    records = [one.value for one in made.values() if one.value is not None]
    names = list(mechanisms.catalogue())
    probabilities = np.array([_probabilities(record, names) for record in records])
    labels = np.array([names.index(record["truth"]) for record in records])
    count = np.bincount(labels, minlength=len(names))
    confusion = np.stack(
        [probabilities[labels == label].sum(0) for label in range(len(names))]
    ) / np.maximum(count, 1).reshape(-1, 1)
    found = {
        "mechanisms": names,
        **_settings(),
        "design": TEST.model_dump(mode="json"),
        "samples": [_short(record, names) for record in records],
        "right": {
            **share(evaluate.top_k(probabilities, labels, 1)),
            "expected": float(probabilities.max(1).mean()),
            "top_3": float(evaluate.top_k(probabilities, labels, 3).mean()),
        },
        "confusion": np.round(confusion, 4).tolist(),
        "pairs": pairs(probabilities, labels, names),
        "seconds": float(np.median([record["seconds"] for record in records])),
    }
    return signed(found, made.values())


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
