"""Every method on one task, with one kind of answer: what the tables of the cases compare."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.crnn import baselines, published_recipe, scores
from kinetlib.crnn.cases import Case
from kinetlib.crnn.discovery import discover
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.runs import read
from kinetlib.crnn.scores import Law, Side

EQUIVALENT = 0.1  # share of the true value within which terms of another network count as equal


@dataclass(frozen=True)
class Answer:
    """What a method says.

    Attributes
    ----------
    law
        What it simulates.
    reactions
        Its reactions in whole numbers with their constants; None where it has none.
    text
        The same for a reader.
    more
        What else is worth keeping.
    """

    law: Law
    reactions: Mapping[tuple[Side, Side], float] | None = None
    text: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """Runs of a case, and what a method is told about it: most reactions, and the seed."""

    case: Case
    runs: xr.Dataset
    n_reactions: int
    seed: int


def by_discovery(task: Task) -> Answer:
    """Ask `discover`, told nothing but the most reactions."""
    found = discover(task.runs, task.n_reactions, seed=task.seed)
    network, constants = found.to_network(), found.rate_constants
    more = {
        name: getattr(found, name)
        for name in ("noise", "loss", "noise_floor", "chi_squared", "agreeing")
    }
    return Answer(
        Law.of(network, constants), scores.reactions(network, constants), found.text(), more
    )


def by_oracle(task: Task) -> Answer:
    """Fit the constants of the true network, from the true ones on."""
    curves = read(task.runs)
    fit = Problem(task.case.network, curves, estimate_noise(curves)).fit(
        np.asarray(task.case.constants)
    )
    network = task.case.network
    return Answer(Law.of(network, fit.constants), scores.reactions(network, fit.constants))


def by_derivatives(task: Task) -> Answer:
    """Match derivatives, told half of the smallest true coefficient as threshold."""
    return Answer(baselines.derivative_matching(task.runs, threshold(task.case)))


def by_sindy(task: Task, ridge: float) -> Answer:
    """Ask PySINDy in weak form, told the same threshold."""
    found = baselines.weak_sindy(task.runs, threshold(task.case), seed=task.seed, ridge=ridge)
    return Answer(found)


def by_published_recipe(task: Task) -> Answer:
    """Train as published, prune as published; whole numbers by rounding."""
    trained = published_recipe.train(task.runs, task.n_reactions, seed=task.seed)
    pruned = trained.pruned()
    constants = np.exp(pruned.log_constants)
    return Answer(
        Law(pruned.species, pruned.w_in, constants[:, None] * pruned.w_out),
        _rounded(pruned),
        more={
            "w_in": pruned.w_in.tolist(),
            "w_out": pruned.w_out.tolist(),
            "constants": constants.tolist(),
            "loss": float(trained.losses[-1]),
        },
    )


METHODS: Mapping[str, Callable[[Task], Answer]] = {
    "discover": by_discovery,
    "oracle": by_oracle,
    "published recipe": by_published_recipe,
    "weak SINDy": partial(by_sindy, ridge=0.05),  # PySINDy's default
    "weak SINDy, no ridge": partial(by_sindy, ridge=1e-6),
    "derivative matching": by_derivatives,
}


def judged(method: str, task: Task, held_out: xr.Dataset) -> dict[str, Any]:
    """Run a method and judge its answer.

    Returns
    -------
    dict
        ``seconds`` of wall time; ``exact``, whether the reactions are the true ones in whole
        numbers; ``equivalent``, whether at least all terms are, within a tenth; ``same_terms``,
        whether the same monomials change the same species; ``log_errors`` of the constants where
        exact; ``held_out`` and ``held_out_log``, errors on held-out runs, None where one could not
        be simulated; ``refused``, the message where a method refuses.
    """
    begun = time.perf_counter()
    try:
        answer = METHODS[method](task)
    except ValueError as error:
        return {"seconds": time.perf_counter() - begun, "exact": False, "refused": str(error)}
    seconds = time.perf_counter() - begun
    case, truth = task.case, Law.of(task.case.network, task.case.constants)
    errors = (
        None
        if answer.reactions is None
        else scores.log_errors(answer.reactions, case.network, case.constants)
    )
    predicted = answer.law.simulate(
        case.network.species, held_out["initial"].values, held_out["time"].values
    )
    return {
        "seconds": seconds,
        "exact": errors is not None,
        "equivalent": scores.equivalent(answer.law, truth, EQUIVALENT),
        "same_terms": scores.same_terms(answer.law, truth),
        "log_errors": None if errors is None else errors.tolist(),
        "held_out": _finite(scores.mean_absolute_error(predicted, held_out)),
        "held_out_log": _finite(scores.mean_absolute_log_error(predicted, held_out)),
        "text": answer.text,
        **answer.more,
    }


def threshold(case: Case) -> float:
    """Return half of the smallest true coefficient."""
    terms = Law.of(case.network, case.constants).terms()
    return min(abs(value) for own in terms.values() for value in own.values()) / 2


def _rounded(trained: published_recipe.Trained) -> dict[tuple[Side, Side], float]:
    """Round orders and stoichiometry to whole numbers; reactions that change nothing go."""
    orders, net = np.round(trained.w_in).astype(int), np.round(trained.w_out).astype(int)
    found: dict[tuple[Side, Side], float] = {}
    for row, change, constant in zip(orders, net, np.exp(trained.log_constants), strict=True):
        if change.any():
            sides = (_named(trained.species, row), _named(trained.species, row + change))
            found[sides] = found.get(sides, 0.0) + float(constant)
    return found


def _named(species: tuple[str, ...], numbers: NDArray[np.int64]) -> Side:
    return tuple(sorted((name, int(n)) for name, n in zip(species, numbers, strict=True) if n))


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
