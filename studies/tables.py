"""Rows and sentences that the book makes of the records of recipes and of the best answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.random import default_rng
from numpy.typing import NDArray

from kinetlib import evaluate
from kinetlib.evaluate import text

_SAME = {"value": 0.0, "low": 0.0, "high": 0.0}
Variants = Mapping[str, Mapping[str, Any]]


def at_every_noise(variant: Mapping[str, Any]) -> dict[str, str]:
    """Write the accuracies of a training by the noise of the test."""
    return {
        f"{100 * float(level):g} % noise": text(measure, percent=True)
        for level, measure in variant["test"].items()
    }


def ranking(name: str, variants: Variants, published: pd.DataFrame) -> dict[str, str]:
    """Write how a network differs from Hadamard, as published and under either recipe."""
    own, theirs = variants[name], variants.get(f"{name}, published")
    known = name in published.index
    row = {
        "published, at the end of training": "none",
        "published recipe": "none",
        "our recipe": text(own.get("less_hadamard", _SAME), percent=True),
        "our recipe less published recipe": "none",
    }
    if known:
        behind = published.top_1[name] - published.top_1["hadamard"]
        row["published, at the end of training"] = f"{behind:+.2f}"
    if theirs:
        row["published recipe"] = text(theirs.get("less_hadamard", _SAME), percent=True)
        row["our recipe less published recipe"] = text(own["less_published"], percent=True)
    return row


def beside_hadamard(names: Sequence[str], variants: Variants) -> str:
    """Say which networks are worse than Hadamard under our recipe, which better, which neither."""
    less = {name: variants[name]["less_hadamard"] for name in names if name != "hadamard"}
    sides = {
        "worse than Hadamard": [name for name, one in less.items() if one["high"] < 0],
        "better than Hadamard": [name for name, one in less.items() if one["low"] > 0],
    }
    told = sum(sides.values(), [])
    sides["not told apart from Hadamard"] = [name for name in less if name not in told]
    return "; ".join(f"{side}: {', '.join(those)}" for side, those in sides.items() if those)


def measured(found: NDArray, truth: NDArray[np.int64]) -> dict[str, NDArray]:
    """Return by label what probabilities (n, c) are worth, one value a sample."""
    return {
        "top-1 / %": evaluate.top_k(found, truth, 1),
        "top-3 / %": evaluate.top_k(found, truth, 3),
        "sure of its answer / %": found.max(1),
        "cross-entropy / nat": evaluate.cross_entropy(found, truth),
    }


def difference(
    one: Mapping[str, NDArray], other: Mapping[str, NDArray]
) -> dict[str, NDArray[np.float64]]:
    """Return the paired difference of two results of `measured`, sample by sample."""
    return {label: 1.0 * one[label] - other[label] for label in one}


def written(measures: Mapping[str, NDArray], seed: int) -> dict[str, str]:
    """Write means with intervals over samples: shares with Wilson's, others by bootstrap."""

    def of(label: str, values: NDArray) -> str:
        if values.dtype == bool:
            return evaluate.formatted(values.mean(), *evaluate.wilson(values), percent=True)
        mean = evaluate.mean(values, np.arange(len(values)), default_rng(seed))
        return text(mean, digits=3) if "nat" in label else text(mean, percent=True)

    return {label: of(label, values) for label, values in measures.items()}


def hardest(
    truth: NDArray[np.int64],
    probabilities: Mapping[str, NDArray],
    classes: Sequence[str],
    n: int,
) -> dict[str, dict[str, str]]:
    """Write the n samples that whoever is named first finds hardest, with the guesses of all."""

    def guesses(row: NDArray) -> str:
        return ", ".join(f"{classes[i]} {100 * row[i]:.0f} %" for i in np.argsort(-row)[:2])

    own = {who: found[np.arange(len(truth)), truth] for who, found in probabilities.items()}
    order = np.argsort(next(iter(own.values())), kind="stable")
    return {
        f"sample {i}": {
            "truth": classes[truth[i]],
            **{who: guesses(found[i]) for who, found in probabilities.items()},
            **{f"truth by {who} / %": f"{100 * value[i]:.1f}" for who, value in own.items()},
        }
        for i in order[:n]
    }


def pairs(
    found: Sequence[Mapping[str, Any]], others: Sequence[Mapping[str, Any]], least: float
) -> dict[str, dict[str, Any]]:
    """Write how often pairs are confused by the evidence and by the network.

    Both as `studies.limit.pairs` lists them, which leaves out what errs less often than `least`.
    """
    known = {tuple(entry["pair"]): f"{100 * entry['error']:.0f}" for entry in others}
    return {
        " and ".join(entry["pair"]): {
            "wrong by evidence / %": f"{100 * entry['error']:.0f}",
            "wrong by network / %": known.get(tuple(entry["pair"]), f"below {100 * least:.0f}"),
            "samples": entry["samples"],
        }
        for entry in found
    }
