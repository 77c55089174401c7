"""The released network.

A network over sets of runs, trained on data simulated while it learns: half of it follows the
published design, half is drawn as laboratories work. It goes on where it was interrupted, on
another machine from the last checkpoint that was committed. ``--minutes 9`` makes a network of what
there is in so much time, on an accelerator or a processor (`studies.release.training`). What is
left in ``models`` is copied to ``data/models`` by hand, after a look at its card.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from pydantic import BaseModel

from kinetlib import evaluate, fusion
from kinetlib.evaluate import calibration
from kinetlib.fusion import Recipe, batches, checkpoint
from kinetlib.fusion.runset import classifying
from kinetlib.fusion.stream import PUBLISHED, Supply
from kinetlib.fusion.trust import Answer, Trust
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.records.pieces import Piece
from kinetlib.runs import runs as runs_of
from kinetlib.runs import sample
from kinetlib.runs.runs import Runs
from studies.goals import share
from studies.release import priors
from studies.release.training import RECIPE, SEED, SUPPLY, TIMED, WHOLE, trained, within

# Pools that training never reaches: their numbers decide their random numbers.
CALIBRATION, TEST = 1_000_001, 1_000_003
# One sample of each design a parameter set: what calibrates must be independent.
CALIBRATING = Supply(
    SEED,
    sets_per_mechanism=6_000,
    samples_per_set=(1, 1),
    campaign=SUPPLY.campaign,
    design=sample.TEST.model_copy(update={"n_times": 20}),
    family_share=SUPPLY.family_share,
)
TESTED = Supply(SEED, sets_per_mechanism=1_500, samples_per_set=(1, 1), design=sample.TEST)
# Points a run, t = 0 included, of equal shares of the samples that calibrate: as many of each
# condition of `kinetlib.fusion.trust`.
POINTS = (4, 4, 4, 5, 5, 5, 6, 7, 7, 8, 9, 10, 12, 14, 16, 18, 20, 21)
NOISE = (0.0, 0.01, 0.02, 0.05)  # of the test
LARGEST_NOISE = 0.05
# Sets are calibrated a little past it: at the end of a range there would be none of more noise
# among the samples that an estimate cannot tell from it, and the sets would be too small.
CALIBRATED_NOISE = 0.06

log = logging.getLogger(__name__)

__all__ = ["pieces", "within"]


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each network's card; the network lies beside it.

    That of a training in so many minutes is there once it has left something, see `within`.
    """
    recipes = {WHOLE: RECIPE}
    left = checkpoint.recipe(folder / "checkpoints" / TIMED)
    if left is not None:
        recipes[TIMED] = left
    for name, recipe in recipes.items():
        settings = {
            "recipe": recipe.model_dump(mode="json"),
            "training": _told(SUPPLY),
            "calibrating": _told(CALIBRATING) | {"points": POINTS, "noise": CALIBRATED_NOISE},
            "tested": _told(TESTED) | {"noise": NOISE},
        }
        yield Piece(("card", name), settings, partial(made, folder, name, recipe), alone=True)


def _told(supply: Supply) -> dict[str, Any]:
    """Tell what samples are drawn from."""
    return {
        name: value.model_dump(mode="json") if isinstance(value, BaseModel) else value
        for name, value in vars(supply).items()
    }


def made(folder: Path, name: str, recipe: Recipe) -> dict[str, Any]:
    """Train, calibrate, test once, and leave the network with its card in a folder."""
    made_with = provenance.attributes()
    model, history = trained(folder, recipe, name)
    model = classifying(model)
    classes = list(mechanisms.catalogue())
    log.info("calibrating")
    trust = calibrated(model, classes)
    log.info("testing")
    path = folder / "models" / name / f"{recipe.fusion}.keras"
    path.parent.mkdir(parents=True, exist_ok=True)
    card = {
        "name": recipe.fusion,
        "classes": classes,
        "recipe": recipe.model_dump(mode="json"),
        "data": {**_told(SUPPLY), "pools": -(-len(history) // SUPPLY.epochs_per_pool)},
        "test": tested(model, trust, classes),
        # Without the training loss: it mixes laboratory runs and others.
        "history": [
            {name: record[name] for name in record if name not in ("loss", "accuracy")}
            for record in history
        ],
        "calibration": trust.save(path.with_suffix(".npz")),
        "made_with": made_with,
        "hardware": f"{provenance.processor()}, one core, no GPU",
        "limits": LIMITS,
    }
    fusion.save(model, path, card)
    write_text(path.with_suffix(".md"), described(card))
    return card


def calibrated(model: keras.Model, classes: list[str]) -> Trust:
    """Calibrate on samples of both designs, of any number of points, at any noise."""
    rng = default_rng([SEED, CALIBRATION])
    parts: list[tuple[Runs, NDArray[np.int64]]] = []
    for kind, pool in CALIBRATING.pool(CALIBRATION, threads=None).items():
        if kind != PUBLISHED:
            parts.append((_in_laboratory(pool.runs, rng), pool.labels))
            continue
        shares = np.array_split(rng.permutation(len(pool)), len(POINTS))
        for n, i in zip(POINTS, shares, strict=True):
            fewer = runs_of.thinned(pool.runs[i], n, rng, keep_start=True)
            parts.append((_measured(fewer, rng, CALIBRATED_NOISE), pool.labels[i]))
    found = [(*fusion.read(model, runs), labels) for runs, labels in parts]
    groups = [runs for runs, _ in parts]
    return Trust.fit(groups, *map(np.concatenate, zip(*found, strict=True)), classes)


def tested(model: keras.Model, trust: Trust, classes: list[str]) -> dict[str, dict]:
    """Measure the calibrated network on the published test design and on laboratory campaigns."""
    pools = TESTED.pool(TEST, threads=None)
    exact = pools.pop(PUBLISHED)
    tests: dict[str, tuple[Runs, NDArray[np.int64]]] = {}
    for level in NOISE:
        runs = runs_of.measured(exact.runs, level, default_rng(SEED))
        tests[f"published design, 7 points, {100 * level:g} % noise"] = runs, exact.labels
    for n_runs, pool in sorted(pools.items()):
        runs = _in_laboratory(pool.runs, default_rng([SEED, n_runs]))
        tests[f"laboratory, {n_runs} run{'s' * (n_runs > 1)}, 0 to 5 % noise"] = runs, pool.labels
    tests |= priors.tested()
    return {
        name: _measures(trust.answer(runs, *fusion.read(model, runs)), labels, classes)
        for name, (runs, labels) in tests.items()
    }


def _measures(answer: Answer, labels: NDArray, classes: list[str]) -> dict[str, Any]:
    """Headline measures, calibration error, and coverage and size of the sets by family."""
    rng, independent = default_rng(SEED), np.arange(len(labels))
    families = np.array([mechanisms.get(name).family for name in classes])[labels]
    probabilities = answer.probabilities
    confidence = probabilities.max(1)
    inside = answer.members[independent, labels]
    low, high = evaluate.bootstrap(
        independent,
        independent,
        rng,
        n_resamples=200,
        statistic=lambda at, w: calibration.expected_calibration_error(
            probabilities[at], labels[at], weights=w
        ),
    )
    return {
        "samples": len(labels),
        **evaluate.summary(probabilities, labels, independent, rng),
        "confidence": float(confidence.mean()),
        "calibration_error": {
            "value": calibration.expected_calibration_error(probabilities, labels),
            "low": low,
            "high": high,
        },
        "set_size": float(answer.members.sum(1).mean()),
        "set_coverage": _share(inside),
        "set_coverage_by_family": {
            family: _share(inside[families == family]) for family in mechanisms.FAMILIES
        },
    }


def _share(hits: NDArray[np.bool_]) -> dict[str, float]:
    return {**share(hits), "samples": len(hits)}


def _measured(runs: Runs, rng: Generator, largest: float = LARGEST_NOISE) -> Runs:
    """Add noise of a level of its own to each sample, to one in five none, to some a background."""
    levels = np.where(rng.random(len(runs)) < 0.2, 0.0, largest * rng.random(len(runs)))
    return runs_of.measured(runs, levels, rng, batches.backgrounds(len(runs), RECIPE, rng))


def _in_laboratory(runs: Runs, rng: Generator) -> Runs:
    """Add noise, and take product or substrate away as often as in training."""
    lost = rng.random(len(runs))
    product, substrate = RECIPE.unmeasured
    return runs_of.unmeasured(_measured(runs, rng), lost < product, lost > 1 - substrate)


def described(card: dict[str, Any]) -> str:
    """Return the model card as a page for readers, with nothing that is not in the card."""
    last, data = card["history"][-1], card["data"]
    percent = partial(evaluate.text, percent=True)
    rows = [
        f"| {test} | {measured['samples']:,} | {percent(measured['top_1'])} | "
        f"{percent(measured['top_3'])} | {100 * measured['confidence']:.1f} | "
        f"{percent(measured['calibration_error'])} | "
        f"{percent(measured['set_coverage'])} | {measured['set_size']:.2f} |"
        for test, measured in card["test"].items()
    ]
    lines = [
        f"# Model card: {card['name']}",
        "",
        "Names the mechanism, M1 to M20, from one to eight runs of any length, in any order.",
        "",
        f"- **Data**: simulated while it learned, seed {data['seed']}: {data['pools']} pools of "
        f"{data['sets_per_mechanism']} new parameter sets a mechanism, "
        f"{100 * data['family_share']:.0f} % of them from a family of priors, each with "
        f"{data['samples_per_set'][0]} samples of the published design and "
        f"{data['samples_per_set'][1]} laboratory campaigns.",
        f"- **Training**: {last['sample_passes']:,} sample passes in {last['seconds'] / 60:.0f} "
        f"minutes on {card['hardware']}, beside other work; seed {card['recipe']['seed']}, one "
        "seed only.",
        f"- **Made with**: {card['made_with']['versions']}.",
        "- **Made by**: `python -m studies release`.",
        "",
        "Measured once, on parameter sets never trained or calibrated on, one sample each (95 % "
        "intervals). The sets of mechanisms were asked to hold the true one with 95 %. Intervals "
        "of the calibration error lie high: resampling adds scatter that it takes for error.",
        "",
        "| test | samples | top-1 / % | top-3 / % | confidence / % | calibration error / % | "
        "coverage of sets / % | mechanisms in a set |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
        "",
        "Limits:",
        "",
        *(f"- {limit}" for limit in card["limits"]),
    ]
    return "\n".join(lines) + "\n"


LIMITS = [
    "Trained and calibrated on relative noise up to 5 % and absolute noise up to 2 % of the "
    "standard substrate; other kinds of error are not known to it.",
    "Knows M1 to M20 only. A reaction from outside gets probabilities that add to 1 all the same; "
    "its strangeness may tell, and for some reactions does not.",
    "Probabilities hold for the mixture of priors it was trained on: rate constants log-uniform "
    "over six decades and accepted by the fingerprints of the catalogue, and a family about it. "
    "The rows of other priors say how far that carries.",
]
