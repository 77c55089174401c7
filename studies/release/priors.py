"""Six priors that the released network was never trained or calibrated on.

A chemist's reaction is not drawn from the training set. Each prior differs from it in one thing:
where rate constants lie, how strict the rules of acceptance are, how long a reaction is watched, or
what its noise is like. All have the published design's four runs of seven points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.runs import runs as runs_of
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TEST, Design, Family, accepted_sets, draw_samples

SEED = 4711
SETS_PER_MECHANISM = 250
NOISE = 0.01


@dataclass(frozen=True)
class Elsewhere:
    """Where samples come from: a prior, a design, and noise.

    Attributes
    ----------
    prior, design
        Of parameter sets, and of their runs.
    background
        Standard deviation of a reading of nothing.
    freedom
        Degrees of freedom of Student's t, which the noise follows; None: normal.
    """

    prior: Design | Family
    design: Design = TEST
    background: float = 0.0
    freedom: float | None = None


def _log_uniform(decades: float, **others: object) -> Family:
    fixed = {"apart": 0.0, "strictness": (1.0, 1.0)}
    return Family(decades=(decades, decades), **{**fixed, **others})


PRIORS: dict[str, Elsewhere] = {
    "constants within three decades": Elsewhere(_log_uniform(3.0)),
    "constants log-normal, one decade": Elsewhere(_log_uniform(0.0, apart=1.0)),
    "constants within nine decades": Elsewhere(_log_uniform(9.0, constants=(1e-6, 1e6))),
    "rules a fifth as strict": Elsewhere(_log_uniform(6.0, strictness=(0.2, 0.2))),
    "watched three to ten times as long": Elsewhere(
        TEST, TEST.model_copy(update={"span": (3.0, 10.0), "n_grid": 300})
    ),
    "absolute noise of 2 %, heavy tails": Elsewhere(TEST, background=0.02, freedom=4.0),
}


def tested() -> dict[str, tuple[Runs, NDArray[np.int64]]]:
    """Draw the samples of each prior, one a parameter set: runs as measured, and classes."""
    return {f"prior: {name}": _drawn(i, where) for i, (name, where) in enumerate(PRIORS.items())}


def _drawn(number: int, where: Elsewhere) -> tuple[Runs, NDArray[np.int64]]:
    parts, labels = [], []
    for position, mechanism in enumerate(mechanisms.catalogue().values()):
        rng = default_rng(SeedSequence(SEED, spawn_key=(number, position)))
        sets = accepted_sets(mechanism, SETS_PER_MECHANISM, where.prior, rng)
        parts.append(draw_samples(mechanism, sets, 1, where.design, rng).runs.astype(np.float32))
        labels.append(np.full(SETS_PER_MECHANISM, position))
    exact = Runs.joined(parts)
    rng = default_rng([SEED, number])
    if where.freedom is not None:
        return _heavy(exact, where, rng), np.concatenate(labels)
    return runs_of.measured(exact, NOISE, rng, where.background), np.concatenate(labels)


def _heavy(exact: Runs, where: Elsewhere, rng: Generator) -> Runs:
    """Add noise that follows Student's t, scaled to the standard deviation asked for."""
    scale = np.sqrt((where.freedom - 2) / where.freedom)

    def added(values: NDArray[np.float32]) -> NDArray[np.float32]:
        spread = np.where(exact.time > 0, np.hypot(NOISE * values, where.background), 0)
        drawn = scale * rng.standard_t(where.freedom, values.shape)
        return (values + spread * drawn).astype(np.float32)

    return replace(exact, substrate=added(exact.substrate), product=added(exact.product))
