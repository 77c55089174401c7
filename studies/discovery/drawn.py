"""Networks drawn at random: cases that nobody chose, a third of their reactions catalysed."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.crnn.effects import complexes
from kinetlib.crnn.library import network_of
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import Network
from studies.discovery.cases import Case

NAME = "drawn at random"
_ENTROPY = 20262
_SPECIES, _REACTIONS = (3, 6), (2, 6)  # first, and one after the last
_CATALYSED = 0.3
_LOG_CONSTANTS = (-1.0, 0.3)  # to base 10
_PRESENT = 0.7  # share of the species that are there at first
_HORIZON, _TIMES = 6.0, 50
_LEAST, _MOST = 0.1, 20.0  # extent of the least reaction; concentration that is never reached


def drawn(seed: int) -> Case:
    """Draw a network with constants.

    Drawn again are networks in which a reaction makes something of nothing taken, in which one
    hardly happens, and which grow without bound.

    Parameters
    ----------
    seed
        Of the network; of its runs, see `Case.runs`.
    """
    rng = default_rng(SeedSequence([_ENTROPY, seed]))
    while True:
        network = _network(rng)
        constants = 10 ** rng.uniform(*_LOG_CONSTANTS, len(network.reactions))
        if _lively(network, constants, rng):
            return Case(
                network,
                tuple(constants.tolist()),
                partial(_start, n_species=len(network.species)),
                horizon=_HORIZON,
                n_times=_TIMES,
                n_runs=15,
                n_held_out=10,
                noise=0.05,
            )


def _start(rng: Generator, n: int, n_species: int) -> NDArray[np.float64]:
    shape = (n, n_species)
    return rng.uniform(0.2, 1.2, shape) * (rng.random(shape) < _PRESENT)


def _network(rng: Generator) -> Network:
    n_species, n_reactions = int(rng.integers(*_SPECIES)), int(rng.integers(*_REACTIONS))
    possible = np.array(complexes(n_species, 2)[1:])
    one = np.eye(n_species, dtype=np.int64)
    while True:
        left, right = possible[rng.integers(len(possible), size=(2, n_reactions))]
        for r in np.flatnonzero(rng.random(n_reactions) < _CATALYSED):
            before, after, catalyst = rng.permutation(n_species)[:3]
            left[r], right[r] = one[before] + one[catalyst], one[after] + one[catalyst]
        net = right - left
        distinct = len(np.unique(np.hstack([left, right]), axis=0)) == n_reactions
        involved = ((left > 0) | (right > 0)).any(0).all()
        if distinct and involved and (net.min(1) < 0).all():
            return network_of(tuple(f"X{j + 1}" for j in range(n_species)), left, right)


def _lively(network: Network, constants: NDArray[np.float64], rng: Generator) -> bool:
    """Tell whether every reaction happens, and no concentration grows without bound."""
    start = _start(rng, 15, len(network.species))
    times = np.linspace(0, _HORIZON, _TIMES)
    run = integrate(network, constants, start, times)
    value = np.maximum(run.concentration, 0.0)
    if not np.isfinite(value).all() or value.max() > _MOST:
        return False
    rates = network.rates(value, constants)
    return bool((rates.mean((0, 1)) * _HORIZON).min() > _LEAST)
