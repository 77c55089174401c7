"""Rows that the book makes of experiments, of what they tell, and of advised runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from kinetlib.evaluate import text
from kinetlib.experiments.next_run import Advice
from kinetlib.runs.plans import Candidates
from studies import goals
from studies.experiment_design.trial import Trial

Measures = Mapping[str, Mapping[str, float]]


def runs(described: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Write the runs of an experiment, as `kinetlib.runs.plans.described` has them."""
    return {
        f"run {i}": {
            "loading / %": f"{100 * run['loading']:.2g}",
            "S₀": f"{run['substrate_0']:.2g}",
            "P₀": f"{run['product_0']:.2g}",
            "times / horizon": ", ".join(f"{t:g}" for t in run["times"] if t),
        }
        for i, run in enumerate(described, start=1)
    }


def judged(measures: Measures) -> dict[str, str]:
    """Write what a network made of a kind of experiment."""
    gained = text(measures["cross_entropy_gain"], digits=3, signed=True)
    return {
        "top-1 / %": text(measures["top_1"], percent=True),
        "less unplanned, 21 points": text(measures["top_1_gain"], percent=True, signed=True),
        "cross-entropy / nat": text(measures["cross_entropy"], digits=3),
        "gained on unplanned, 21 points": gained,
        "gap closed / %": text(measures["gap_closed"], percent=True, digits=0),
    }


def verdict(measures: Measures) -> dict[str, str]:
    """Judge the two goals of planned experiments."""
    often, closed = measures["top_1_gain"], measures["gap_closed"]
    gain = text(often, percent=True, signed=True)
    share = text(closed, percent=True, digits=0)
    return {
        "named at least as often": f"{goals.verdict(often, 0.0, 'least')}, {gain} points",
        "half of the gap closed": f"{goals.verdict(closed, 0.5, 'least')}, {share} %",
    }


def by_evidence(measures: Measures) -> dict[str, str]:
    """Write what the evidence made of a kind of experiment."""
    gained = text(measures["gain_on_unplanned"], digits=3, signed=True)
    return {
        "top-1 / %": text(measures["top_1"], percent=True, digits=0),
        "cross-entropy / nat": text(measures["cross_entropy"], digits=3),
        "gained on unplanned, 7 points": gained,
    }


def again(here: Measures, recorded: Measures) -> dict[str, str]:
    """Write what is found here beside what the record has."""
    return {
        "cross-entropy, here / nat": text(here["cross_entropy"], digits=3),
        "recorded": f"{recorded['cross_entropy']['value']:.3f}",
        "top-1, here / %": text(here["top_1"], percent=True),
        "recorded / %": f"{100 * recorded['top_1']['value']:.1f}",
    }


def trials(tried: Sequence[Trial]) -> pd.DataFrame:
    """Write what was known of reactions before and after a third run, and the means."""
    found = pd.DataFrame([one.measures() for one in tried], index=[one.truth for one in tried])
    shown = {
        "entropy now / nat": found["entropy, now"],
        "expected with the advised": found["entropy, expected"],
        "found with the advised": found["entropy, advised"],
        "found with a random": found["entropy, random"],
        "truth now / %": 100 * found["truth, now"],
        "with the advised / %": 100 * found["truth, advised"],
        "with a random / %": 100 * found["truth, random"],
    }
    table = pd.DataFrame(shown)
    table.loc["mean"] = table.mean()
    return table.rename_axis("truth").map("{:.2f}".format)


def named(candidates: Candidates, run: int) -> str:
    """Name a candidate run by how it starts."""
    start = f"S₀ {candidates.substrate_0[run]:.2g}, P₀ {candidates.product_0[run]:.2g}"
    return f"{100 * candidates.loading[run]:.2g} %, {start}"


def best_and_worst(advice: Advice) -> dict[str, dict[str, str]]:
    """Write the expected information of the best five candidate runs and of the worst three."""
    told = [gain.information for gain in advice.gains]
    ranked = sorted(range(len(told)), key=lambda i: -told[i])
    return {
        named(advice.candidates, i): {"expected information / nat": f"{told[i]:.3f}"}
        for i in (*ranked[:5], *ranked[-3:])
    }
