"""Reactions of the published prior whose runs are measured as they should not be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Piece
from kinetlib.runs import runs as runs_of
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST, TRAIN, Design, accepted_sets, draw_samples
from studies.answers.reactions import NOISE, SEED, asked, brief

ROUNDS = 2  # reactions of each mechanism and insult
AFTER = TEST.model_copy(update={"span": (4.0, 4.0), "n_times": 24})
BASELINE, DRIFT, WRONG, WEIGHED, BACKGROUND, FREEDOM = 0.02, 0.05, 0.2, 0.05, 0.01, 2.0

Insult = Callable[[Runs, Generator], Runs]


def _usual(exact: Runs, rng: Generator) -> Runs:
    return runs_of.measured(exact, NOISE, rng)


def _baseline(exact: Runs, rng: Generator) -> Runs:
    offset = BASELINE * rng.choice([-1, 1], exact.loading.shape)[..., None]
    whole = _usual(exact, rng)
    return replace(whole, product=whole.product + offset * (whole.time > 0))


def _drift(exact: Runs, rng: Generator) -> Runs:
    whole = _usual(exact, rng)
    factor = 1 + DRIFT * whole.time / whole.time.max(-1, keepdims=True)
    return replace(whole, substrate=whole.substrate * factor, product=whole.product * factor)


def _tails(exact: Runs, rng: Generator) -> Runs:
    def heavy(values: NDArray) -> NDArray:
        noise = NOISE * rng.standard_t(FREEDOM, values.shape)
        return values * np.where(exact.time > 0, 1 + noise, 1)

    return replace(exact, substrate=heavy(exact.substrate), product=heavy(exact.product))


def _wrong_value(exact: Runs, rng: Generator) -> Runs:
    whole = _usual(exact, rng)
    product = np.array(whole.product)
    run, row = rng.integers(product.shape[-2]), rng.integers(1, product.shape[-1])
    product[:, run, row] += WRONG * rng.choice([-1, 1])
    return replace(whole, product=product)


def _loadings(exact: Runs, rng: Generator) -> Runs:
    whole = _usual(exact, rng)
    return replace(
        whole, loading=whole.loading * np.exp(rng.normal(0, WEIGHED, whole.loading.shape))
    )


def _background(exact: Runs, rng: Generator) -> Runs:
    return runs_of.measured(exact, 0.0, rng, BACKGROUND)


#: By what is done to the runs: the design, and how they are measured.
INSULTS: dict[str, tuple[Design, Insult]] = {
    "none": (TEST, _usual),
    "watched four times as long, 25 rows": (AFTER, _usual),
    "product 2 % of the substrate too high or too low in each run": (TEST, _baseline),
    "response grows by 5 % during each run": (TEST, _drift),
    "noise of Student's t with two degrees of freedom": (TEST, _tails),
    "one value of product wrong by 20 % of the substrate": (TEST, _wrong_value),
    "loadings weighed in with 5 % error": (TEST, _loadings),
    "noise of 1 % of the substrate, at any concentration": (TEST, _background),
}


def pieces(upto: int | None = None) -> Iterator[Piece]:
    """Name each reaction, all insults of it after the other."""
    for number in range(ROUNDS if upto is None else upto):
        for name in mechanisms.catalogue():
            for insult, (design, _) in INSULTS.items():
                work = partial(_asked, insult, number, name)
                key = ("insults", insult, name, number)
                yield Piece(key, settings(design), work, brief, alone=True)


def settings(design: Design) -> dict[str, Any]:
    """Say what a reaction follows from."""
    return {
        "seed": SEED,
        "noise": NOISE,
        "design": design.model_dump(mode="json"),
        "sizes": [BASELINE, DRIFT, WRONG, WEIGHED, BACKGROUND, FREEDOM],
    }


def insulted(insult: str, number: int, name: str) -> Runs:
    """Simulate a reaction of a mechanism, and measure it with an insult."""
    position = list(mechanisms.catalogue()).index(name)
    rng = default_rng(SeedSequence(SEED, spawn_key=(100 + number, position)))
    mechanism = mechanisms.get(name)
    sets = accepted_sets(mechanism, 1, TRAIN, rng)  # the same whatever the insult
    design, measured = INSULTS[insult]
    return measured(draw_samples(mechanism, sets, 1, design, rng).runs, rng)


def _asked(insult: str, number: int, name: str) -> dict[str, Any]:
    return asked(name, insulted(insult, number, name))
