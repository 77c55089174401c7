"""What the front page, the README and the page of claims say, written from the records.

Every sentence carries the samples, the noise and the interval that it rests on; where a record
changes, the sentence does.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from kinetlib.evaluate import text

_CLAIMS = ("source", "claimed", "on what", "found here", "verdict")


def _record(*place: str) -> dict[str, Any]:
    """Read a committed record, such as ``"studies", "limit"``."""
    path = resources.files("kinetlib_data").joinpath(*place[:-1]) / f"{place[-1]}.json"
    return json.loads(path.read_text(encoding="utf-8"))


def _percent(measure: dict[str, float], digits: int = 0) -> str:
    """Write a share and its interval: ``94 % (88 to 97)``.

    >>> _percent({"value": 0.94286, "low": 0.8809, "high": 0.97355})
    '94 % (88 to 97)'
    """
    value, low, high = (f"{100 * measure[key]:.{digits}f}" for key in ("value", "low", "high"))
    return f"{value} % ({low} to {high})"


def _hits(measure: dict[str, float], n: int) -> str:
    """Write hits of so many, and their interval.

    >>> _hits({"value": 0.75, "low": 0.4093, "high": 0.9285}, 8)
    '6 of 8 (41 to 93 %)'
    """
    low, high = (f"{100 * measure[key]:.0f}" for key in ("low", "high"))
    return f"{round(measure['value'] * n)} of {n} ({low} to {high} %)"


def facts() -> list[str]:
    """Say in four sentences how good the answers are.

    Returns
    -------
    list of str
        Markdown, one paragraph each; intervals are at 95 %.
    """
    test = _record("models", "runset")["test"]
    bench = test["laboratory, 4 runs, 0 to 5 % noise"]
    clean, noisy = (test[f"published design, 7 points, {noise} % noise"] for noise in (0, 1))
    answers, limit = _record("studies", "answers"), _record("studies", "limit")
    published = answers["priors"]["published"]
    evidence, network = published["evidence"], published["network"]
    n = evidence["reactions"]
    pair = max(limit["pairs"], key=lambda pair: pair["error"])
    return [
        f"**In a laboratory**, four runs of any length with 0 to 5 % noise: the network alone is "
        f"right in {_percent(bench['top_1'])} of {bench['samples']:,} reactions and has the truth "
        f"among its first three in {_percent(bench['top_3'])}; a set that should hold it with 95 % "
        f"does in {_percent(bench['set_coverage'])} and names {bench['set_size']:.1f} mechanisms.",
        f"**On the published test design**, four runs of seven points: the network alone is right "
        f"in {_percent(clean['top_1'], 1)} of {clean['samples']:,} reactions without noise, and in "
        f"{_percent(noisy['top_1'], 1)} with 1 %.",
        f"**By evidence**, which `kinetlib classify` weighs after the network has spoken: of "
        f"such reactions with 1 % noise it names {_hits(evidence['right'], n)}, the "
        f"network {_hits(network['right'], n)}.",
        f"**What the runs allow**: the best possible answer is estimated to be right in "
        f"{_percent(limit['right'])} of {len(limit['samples'])} reactions of that design at 1 % "
        f"noise. Some pairs stay hard for any method: {' and '.join(pair['pair'])} are then "
        f"confused in {100 * pair['error']:.0f} % of {pair['samples']} reactions.",
    ]


def limits() -> str:
    """Say in one paragraph what the facts do not cover."""
    insults = _record("studies", "answers")["insults"]
    worst = min(insults, key=lambda name: insults[name]["evidence"]["held"]["value"])
    return (
        "All of this was measured on simulated reactions of the twenty mechanisms, with noise "
        "relative to the value. Real runs have other faults, and a fault that nobody reports can "
        f"turn an answer: of those tried the worst, *{worst}*, leaves the truth in the set of the "
        f"evidence in {_percent(insults[worst]['evidence']['held'])} of "
        f"{insults[worst]['evidence']['reactions']} reactions."
    )


def fragments() -> dict[str, str]:
    """Write what pages include, in Markdown, by name of file."""
    told = "\n".join(f"- {fact}" for fact in facts())
    return {
        "facts.md": f"{told}\n\n{limits()}\n",
        "claims_table.md": claims(),
        "survived.md": survived(),
    }


def survived() -> str:
    """Write what bad inputs came to, in Markdown: a sentence, and a table by kind."""
    attack = _record("studies", "attack")
    sound, goal = attack["sound"], 100 * attack["goal"]
    reached = "reached" if sound["value"] >= attack["goal"] else "missed"
    lines = [
        f"Of {attack['inputs']:,} bad inputs {_percent(sound, 1)} were refused in one clear error, "
        f"or read; the goal of {goal:g} % is {reached}.",
        "",
        "| input | tried | refused | read | anything else |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, told in attack["kinds"].items():
        faults = "; ".join(f"{said} ({one['times']})" for said, one in told["faults"].items())
        counts = (str(told[key]) for key in ("inputs", "refused", "answered"))
        lines.append(f"| {' | '.join((kind, *counts, faults or 'none'))} |")
    return "\n".join(lines) + "\n"


def claims() -> str:
    """Write the table of published claims beside what was found here, in Markdown."""
    told = [*_fusion_claims(), *_design_claims(), *_crnn_claims()]
    lines = [_CLAIMS, ("---",) * len(_CLAIMS), *told]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _fusion_claims() -> list[tuple[str, ...]]:
    recipes = _record("studies", "recipes")
    short = recipes["variants"]
    long = _record("studies", "fusions")["networks"]["hadamard"]["20 million"]
    ((_, trained),) = long.items()
    pair = next(p for p in _record("studies", "limit")["pairs"] if p["pair"] == ["M11", "M14"])
    source, chapter = "{cite:t}`dearkarl2025`", "[](../notebooks/08_limits.ipynb)"
    less = ", ".join(
        f"{name} {text(short[name]['less_hadamard'], percent=True)} points"
        for name in ("gate", "attention", "average")
    )
    return [
        (
            source,
            "The Hadamard fusion names 88.82 % of mechanisms right.",
            "100,000 samples, seven points, no noise, of its authors' simulator",
            f"{_percent(trained['test']['0']['top_1'], 1)} on a test like it of ours after 20 "
            f"million sample passes, where the published network had 4,960 million; one seed. "
            f"{chapter}",
            "nearly reached, on another test",
        ),
        (
            source,
            "Average, attention and gate name 81.41, 85.31 and 87.79 %.",
            "the same",
            f"Trained for {recipes['passes']:,} passes only, three seeds each: too short to say.",
            "not tested at length",
        ),
        (
            source,
            "Hadamard is best, then gate, attention and average.",
            "the same, one training each",
            f"The same order at {recipes['passes']:,} passes; against Hadamard, {less}. {chapter}",
            "reproduced, at a small budget",
        ),
        (
            source,
            "Most errors are confusions of mechanisms with nearly the same curves, M11 named M14 "
            "in 1,883 of 5,000.",
            "the same",
            "The best possible answer confuses these two, too, in "
            f"{100 * pair['error']:.0f} % of {pair['samples']} samples at 1 % noise. {chapter}",
            "reproduced",
        ),
        (
            "{cite:t}`bures2023`, evaluated again by others",
            "The original LSTM names 92.64 % right.",
            "six points beside the start, no noise, of its authors' simulator",
            "That network and its test set were not at hand. [](../notebooks/07_evaluation.ipynb) "
            "lists it with four others.",
            "not testable here",
        ),
    ]


def _design_claims() -> list[tuple[str, ...]]:
    study = _record("studies", "zirconium")["4"]
    place = study["sizes"].index(40)
    near, far = (
        study["equivalents"]["energies"][test]["energy"]["i_greedy"][place] for test in ("T1", "T3")
    )
    order = {size: study["spearman"][size]["mean_variance"]["value"] for size in ("all", "40")}
    source, chapter = "{cite:t}`barzdajn2024`", "[](../notebooks/04_potentials.ipynb)"
    what = "strained zirconium, another reference potential than theirs, ten pools"
    return [
        (
            source,
            "A training set designed before any label is known makes a better potential.",
            "interatomic potentials of zirconium",
            f"40 chosen crystals are worth {near[0]:.1f} ({near[1]:.1f} to {near[2]:.1f}) times as "
            f"many random ones for energies on a test like the pool, {far[0]:.1f} ({far[1]:.1f} to "
            f"{far[2]:.1f}) times beyond it; {what}. {chapter}",
            "reproduced",
        ),
        (
            source,
            "How informative a set is can be told without labels.",
            "the same",
            f"The mean variance orders sets of different size as their errors do (Spearman "
            f"{order['all']:.2f}), and hardly sets of one size ({order['40']:.2f}). {chapter}",
            "in part",
        ),
    ]


def _crnn_claims() -> list[tuple[str, ...]]:
    study, search = _record("studies", "crnn")["settings"], _record("studies", "higher_order")
    recipe = study["B1"]["methods"]["published recipe"]
    ours = study["B1"]["methods"]["discover"]
    found = {one["truth"]: one["found"] for one in search["search"] if one["noise"]}
    failed = search["failure"]
    first, last = "[](../notebooks/09_discovery.ipynb)", "[](../notebooks/10_higher_order.ipynb)"
    slides = "slides after {cite:t}`ji2021`"
    return [
        (
            "{cite:t}`ji2021`",
            "A network with one neuron a reaction reads four reactions out of their curves.",
            "case 1, 5 % noise",
            f"Their training, its numbers rounded: {_hits(recipe['exact'], recipe['seeds'])} sets "
            f"of runs. A search over whole numbers: {_hits(ours['exact'], ours['seeds'])}. {first}",
            "by another method",
        ),
        (
            slides,
            "Without a further species, second-order reactions do not approximate a third-order "
            "one: all of them learn the same.",
            "3 A -> B, and 2 A + B -> C",
            f"Nor in {sum(one['z'] == 'absent' for one in failed)} trainings here. {last}",
            "reproduced",
        ),
        (
            slides,
            "With a further species it does not work, since one constant must be infinite.",
            "3 A -> B, 2 A + B -> C and A + 2 B -> 3 B",
            "No constant need be infinite: the error falls with a power of the largest. Searched "
            "among whole numbers with 1 % noise, the expected reactions come among the first in "
            + ", ".join(f"{one['hits']} of {one['n']} ({name})" for name, one in found.items())
            + f". {last}",
            "not so, by another method",
        ),
    ]
