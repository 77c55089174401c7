"""Every method on one task, with one kind of answer: what the tables of the cases compare."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.crnn.discovery import discover
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.runs import arrhenius, read
from kinetlib.kinetics.network import Network
from studies.discovery import baselines, published_recipe, scores
from studies.discovery.cases import Case
from studies.discovery.scores import Law, Side

EQUIVALENT = 0.1  # share of the true value within which terms of another network count as equal


@dataclass(frozen=True)
class Answer:
    """What a method says.

    Attributes
    ----------
    law
        What it simulates, given a temperature in kelvin, or None where all runs have the same.
    reactions
        Its reactions in whole numbers with their constants, at the reference temperature of the
        case where there is one; None where it has none.
    activation
        Likewise with activation energies in kJ/mol; None without temperatures.
    text
        The same for a reader.
    more
        What else is worth keeping.
    """

    law: Callable[[float | None], Law]
    reactions: Mapping[tuple[Side, Side], float] | None = None
    activation: Mapping[tuple[Side, Side], float] | None = None
    text: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)

    def predicted(self, runs: xr.Dataset) -> NDArray[np.float64]:
        """Simulate runs from their initial concentrations, shape (run, time, species)."""
        species, times = tuple(map(str, runs["species"].values)), runs["time"].values
        initial = runs["initial"].values
        if "temperature" not in runs:
            return self.law(None).simulate(species, initial, times)
        return np.concatenate(
            [
                self.law(float(kelvin)).simulate(species, start[None], times)
                for start, kelvin in zip(initial, runs["temperature"].values, strict=True)
            ]
        )


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
    kelvin = task.case.reference_temperature
    more = {
        name: getattr(found, name)
        for name in ("noise", "loss", "noise_floor", "chi_squared", "agreeing", "doubts")
    }
    if not found.to_tied().plain:  # parts of molecules, which no truth here has
        effect = found.rate_constants[:, None] * found.stoichiometry
        law = Law(found.species, found.orders.astype(float), effect)
        return Answer(lambda _: law, text=found.text(), more=more)
    network = found.to_network()
    if kelvin is None:
        return _of_network(network, found.rate_constants, found.text(), more)
    return Answer(
        lambda temperature: Law.of(network, found.constants_at(temperature)),
        scores.reactions(network, found.constants_at(kelvin)),
        scores.reactions(network, found.activation_energies),
        found.text(),
        more,
    )


def by_oracle(task: Task) -> Answer:
    """Fit the constants of the true network, from the true ones on."""
    curves, network = read(task.runs), task.case.network
    noise, background = estimate_noise(curves)
    curves = replace(curves, background=background)
    problem = Problem(network, curves, noise)
    unknowns = problem.unknowns(np.asarray(task.case.constants))
    if curves.temperature is None:
        return _of_network(network, problem.fit(unknowns).constants)
    energies = np.asarray(task.case.activation_energies)
    fit = problem.fit(replace(unknowns, activation=energies))
    middle, activation = curves.reference_temperature, fit.unknowns.activation

    def constants_at(temperature: float) -> NDArray[np.float64]:
        return fit.constants * np.exp(activation * arrhenius(temperature, middle))

    return Answer(
        lambda temperature: Law.of(network, constants_at(temperature)),
        scores.reactions(network, constants_at(task.case.reference_temperature)),
        scores.reactions(network, activation),
    )


def _of_network(
    network: Network,
    constants: NDArray[np.float64],
    text: str = "",
    more: Mapping[str, Any] | None = None,
) -> Answer:
    law = Law.of(network, constants)
    return Answer(lambda _: law, scores.reactions(network, constants), None, text, more or {})


def by_derivatives(task: Task) -> Answer:
    """Match derivatives, told half of the smallest true coefficient as threshold."""
    found = baselines.derivative_matching(task.runs, threshold(task.case))
    return Answer(lambda _: found)


def by_sindy(task: Task, ridge: float) -> Answer:
    """Ask PySINDy in weak form, told the same threshold."""
    found = baselines.weak_sindy(task.runs, threshold(task.case), seed=task.seed, ridge=ridge)
    return Answer(lambda _: found)


def by_published_recipe(task: Task) -> Answer:
    """Train as published, prune as published; whole numbers by rounding."""
    trained = published_recipe.train(task.runs, task.n_reactions, seed=task.seed)
    pruned = trained.pruned()
    constants = np.exp(pruned.log_constants)
    law = Law(pruned.species, pruned.w_in, constants[:, None] * pruned.w_out)
    return Answer(
        lambda _: law,
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
        ``seconds`` of wall time and ``processor_seconds``, compilers included; ``exact``, whether
        the reactions are the true ones in whole numbers; ``equivalent``, whether at least all terms
        are, within a tenth; ``same_terms``, whether the same monomials change the same species;
        where exact ``log_errors`` of the constants, and relative ``activation_errors`` where there
        are activation energies; ``held_out`` and ``held_out_log``, errors on held-out runs, None
        where one could not be simulated; ``refused``, the message where a method refuses.
    """
    begun, used = time.perf_counter(), _processor_seconds()
    refused = None
    try:
        answer = METHODS[method](task)
    except ValueError as error:
        refused = {"exact": False, "refused": str(error)}
    spent = {
        "seconds": time.perf_counter() - begun,
        "processor_seconds": _processor_seconds() - used,
    }
    if refused:
        return {**spent, **refused}
    case, truth = task.case, Law.of(task.case.network, task.case.constants)
    law = answer.law(case.reference_temperature)
    errors = activation = None
    if answer.reactions is not None:
        errors = scores.ratios(answer.reactions, case.network, case.constants)
    if answer.activation is not None:
        activation = scores.ratios(answer.activation, case.network, case.activation_energies)
    predicted = answer.predicted(held_out)
    return {
        **spent,
        "exact": errors is not None,
        "equivalent": scores.equivalent(law, truth, EQUIVALENT),
        "same_terms": scores.same_terms(law, truth),
        "log_errors": None if errors is None else np.log(errors).tolist(),
        "activation_errors": None if activation is None else (activation - 1).tolist(),
        "held_out": _finite(scores.mean_absolute_error(predicted, held_out)),
        "held_out_log": _finite(scores.mean_absolute_log_error(predicted, held_out)),
        "text": answer.text,
        **answer.more,
    }


def threshold(case: Case) -> float:
    """Return half of the smallest true coefficient."""
    terms = Law.of(case.network, case.constants).terms()
    return min(abs(value) for own in terms.values() for value in own.values()) / 2


def _processor_seconds() -> float:
    """Seconds of processors that this process and those it started have used."""
    return sum(os.times()[:4])


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
