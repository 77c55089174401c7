"""One pool of the benchmark: choose training sets by every method, fit, measure on every test."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib import design
from studies.zirconium import crystals, elasticity, reference
from studies.zirconium.descriptors import Soap, configuration_kernel, environments
from studies.zirconium.gaussian_process import (
    Features,
    Inducing,
    Model,
    Noise,
    features,
    fit,
    inducing,
)

if TYPE_CHECKING:
    from ase import Atoms

TESTS = {
    "T1": "as the pool",
    "T2": "uniform strains",
    "T3": "large strains",
    "T4": "hot crystals",
    "T5": "other phases",
}
"""What each test holds."""

MODES = ("energies", "energies and forces")

TARGETED = "i_greedy, target T2"
METHODS = (
    *("random", "stratified", "k-medoids", "herding", "fps", "maximin", "leverage"),
    *("pivoted_cholesky", "d_exchange", "i_greedy", TARGETED, "rp_cholesky", "kdpp"),
)
"""Names of the selectors; see `kinetlib.design.select`."""

NESTED = ("herding", "fps", "leverage", "pivoted_cholesky", "i_greedy", TARGETED, "rp_cholesky")
"""Selectors whose smaller training sets are the beginnings of the larger ones."""

SCALE = 1.0
"""delta, eV: near the largest marginal likelihood of random sets of a pool that is not used."""


@dataclass(frozen=True)
class Plan:
    """How large a benchmark is.

    Attributes
    ----------
    atoms : int
        Of the cells of the pool and of the tests T1 to T3.
    pool : int
        Configurations to choose from.
    tests : dict
        Configurations of each test.
    sizes : tuple of int
        Sizes of the training sets.
    draws : dict
        How often methods that draw are repeated; once where not named.
    largest : int
        Size of one more random set, so that the others can be counted in random ones.
    seed : int
        Root of all random numbers.
    """

    atoms: int = 16
    pool: int = 2000
    tests: dict[str, int] = field(
        default_factory=lambda: {"T1": 500, "T2": 500, "T3": 500, "T4": 200, "T5": 60}
    )
    sizes: tuple[int, ...] = (5, 10, 20, 27, 40, 50, 80, 160)
    draws: dict[str, int] = field(
        default_factory=lambda: (
            {"random": 50, "stratified": 10, "leverage": 10} | {"rp_cholesky": 10, "kdpp": 2}
        )
    )
    largest: int = 320
    seed: int = 404

    @classmethod
    def scaled(cls, n_test: int, n_random: int, sizes: Sequence[int], **others: int) -> Plan:
        """Make a plan of the proportions of the whole benchmark.

        Parameters
        ----------
        n_test
            Configurations of each of the first three tests.
        n_random
            How often random sets are drawn of each size.
        sizes
            Of the training sets; the largest random one is twice the largest.
        **others
            ``atoms``, ``pool`` and ``seed``.
        """
        fewer = {"T1": n_test, "T2": n_test, "T3": n_test}
        fewer |= {"T4": max(2, 2 * n_test // 5), "T5": max(3, 3 * n_test // 25)}
        fifth = max(1, n_random // 5)
        draws = {"random": n_random, "stratified": fifth, "leverage": fifth}
        draws |= {"rp_cholesky": fifth, "kdpp": max(1, n_random // 25)}
        ordered = tuple(sorted(sizes))
        return cls(tests=fewer, sizes=ordered, draws=draws, largest=2 * ordered[-1], **others)

    def repeats(self, method: str) -> int:
        """Return how often a method is repeated."""
        return self.draws.get(method, 1)


@dataclass(frozen=True)
class Labelled:
    """Configurations with all that is computed of them.

    Attributes
    ----------
    energies : NDArray
        Reference, eV per atom above hcp, shape (n,).
    forces : NDArray
        Reference, eV per angstrom, shape (N, 3).
    features : Features
        What a model is linear in.
    fingerprint : str
        SHA-256 of the configurations.
    """

    energies: NDArray[np.float64]
    forces: NDArray[np.float64]
    features: Features
    fingerprint: str


@dataclass(frozen=True)
class Bench:
    """A pool ready to choose from, and its tests.

    Attributes
    ----------
    pool : Labelled
    tests : dict of str to Labelled
    kernel : Gram
        Covariance of the energies of the pool, (eV per atom)^2, shape (n, n).
    target : NDArray
        That of the energies of T2 with those of the pool, shape (m, n): no label in it.
    groups : NDArray
        Kind of configuration and whether its strain is above the median of its kind, shape (n,).
    probes : Features
        Of the crystals behind the elastic constants.
    basis : Inducing
    """

    pool: Labelled
    tests: dict[str, Labelled]
    kernel: design.Gram
    target: NDArray[np.float64]
    groups: NDArray[np.int64]
    probes: Features
    basis: Inducing


def configurations(plan: Plan, number: int) -> tuple[list[Atoms], dict[str, list[Atoms]]]:
    """Make the pool of a number and its tests, each from random numbers of its own."""
    names = ("pool", *plan.tests)
    streams = dict(zip(names, SeedSequence([plan.seed, number]).spawn(len(names)), strict=True))
    rngs = {name: default_rng(stream) for name, stream in streams.items()}
    laws = {
        "T1": lambda n, rng: crystals.pool(n, plan.atoms, rng),
        "T2": lambda n, rng: crystals.uniform(n, plan.atoms, rng),
        "T3": lambda n, rng: crystals.large(n, plan.atoms, rng),
        "T4": crystals.snapshots,
        "T5": crystals.other_phases,
    }
    tests = {name: laws[name](n, rngs[name]) for name, n in plan.tests.items()}
    return crystals.pool(plan.pool, plan.atoms, rngs["pool"]), tests


def prepare(plan: Plan, number: int) -> Bench:
    """Make a pool and its tests, label them, and compute their features."""
    soap = Soap()
    pool, tests = configurations(plan, number)
    known = environments(pool, soap)
    basis = inducing(known, SCALE, default_rng([plan.seed, number, 1]))
    kernel = SCALE**2 * configuration_kernel(known, known)
    target = SCALE**2 * configuration_kernel(environments(tests["T2"], soap), known)
    return Bench(
        pool=_labelled(pool, soap, basis),
        tests={name: _labelled(some, soap, basis) for name, some in tests.items()},
        kernel=design.Gram((kernel + kernel.T) / 2),
        target=target,
        groups=strata(pool),
        probes=features(elasticity.probes(), soap, basis),
        basis=basis,
    )


def strata(pool: list[Atoms]) -> NDArray[np.int64]:
    """Group configurations by kind and, within it, by strain below or above the median."""
    kinds = np.array([atoms.info["kind"] for atoms in pool])
    norms = np.array([atoms.info["strain"] for atoms in pool])
    groups = np.zeros(len(pool), dtype=np.int64)
    for i, kind in enumerate(dict.fromkeys(kinds)):
        here = kinds == kind
        groups[here] = 2 * i + (norms[here] > np.median(norms[here]))
    return groups


def choose(bench: Bench, method: str, n: int, noise: Noise, rng: Generator) -> NDArray[np.int64]:
    """Choose a training set: no label is looked at.

    Parameters
    ----------
    bench
        Pool to choose from.
    method
        One of `METHODS`.
    n
        Size of the training set.
    noise
        What the model takes its labels to have.
    rng
        Source of randomness.

    Returns
    -------
    NDArray
        Indices into the pool, shape (n,).
    """
    if method == TARGETED:
        return design.select(
            bench.kernel, n, "i_greedy", noise=noise.energy, rng=rng, target=bench.target
        )
    groups = bench.groups if method == "stratified" else None
    return design.select(bench.kernel, n, method, noise=noise.energy, groups=groups, rng=rng)


def run(plan: Plan, number: int) -> dict[str, Any]:
    """Run the benchmark on one pool.

    Returns
    -------
    dict
        ``entries``: one for each method, draw, size and mode, see `_entry`; what the pool was made
        of, and how long it took.
    """
    begun, noise = time.perf_counter(), Noise()
    bench = prepare(plan, number)
    entries = []
    for method, draw, n, chosen in _training_sets(plan, bench, noise, number):
        for mode in MODES:
            forces = bench.pool.forces if mode == MODES[1] else None
            model = fit(bench.pool.features, bench.pool.energies, forces, chosen, noise)
            entry = {"method": method, "draw": draw, "n": n, "mode": mode}
            entries.append(entry | _measured(bench, model))
            if draw == 0:
                entries[-1]["calibration"] = _calibration(bench, model)
        if method == "random" and n in plan.sizes:
            entries[-len(MODES)]["quality"] = _quality(bench, chosen, noise)
    return {
        "pool": number,
        "inducing": len(bench.basis.spectra),
        "spread": {
            name: [float(some.energies.std()), float(some.forces.std())]
            for name, some in bench.tests.items()
        },
        "fingerprints": {"pool": bench.pool.fingerprint}
        | {name: some.fingerprint for name, some in bench.tests.items()},
        "entries": entries,
        "seconds": round(time.perf_counter() - begun, 1),
    }


def _training_sets(
    plan: Plan, bench: Bench, noise: Noise, number: int
) -> Iterator[tuple[str, int, int, NDArray[np.int64]]]:
    """Choose all training sets: method, draw, size and indices."""
    for method in METHODS:
        sizes = (*plan.sizes, plan.largest) if method == "random" else plan.sizes
        for draw in range(plan.repeats(method)):
            key = [plan.seed, number, *method.encode(), draw]
            if method in NESTED:
                chosen = choose(bench, method, max(sizes), noise, default_rng(key))
                yield from ((method, draw, n, chosen[:n]) for n in sizes)
            else:
                for n in sizes:
                    yield method, draw, n, choose(bench, method, n, noise, default_rng([*key, n]))


def _quality(bench: Bench, chosen: NDArray[np.int64], noise: Noise) -> dict[str, float]:
    """Measure a training set without labels."""
    found = asdict(design.quality(bench.kernel, chosen, noise=noise.energy))
    return {name: float(value) for name, value in found.items() if np.ndim(value) == 0}


def _labelled(some: list[Atoms], soap: Soap, basis: Inducing) -> Labelled:
    energies, forces = reference.label(some)
    return Labelled(energies, forces, features(some, soap, basis), crystals.fingerprint(some))


def _measured(bench: Bench, model: Model) -> dict[str, Any]:
    """Measure a model: errors in meV and meV/angstrom on each test, elastic constants."""
    return {
        **{name: _errors(some, model) for name, some in bench.tests.items()},
        "elastic": elasticity.elastic(model.energies(bench.probes)),
    }


def _errors(test: Labelled, model: Model) -> dict[str, float]:
    energy = 1e3 * (model.energies(test.features) - test.energies)
    force = 1e3 * (model.forces(test.features) - test.forces)
    return {
        "energy": float(np.sqrt(np.mean(energy**2))),
        "largest_energy": float(np.abs(energy).max()),
        "force": float(np.sqrt(np.mean(force**2))),
        "force_95": float(np.quantile(np.abs(force), 0.95)),
    }


def _calibration(bench: Bench, model: Model) -> dict[str, dict[str, float]]:
    """Compare errors of energies with the model's own standard deviations, test by test."""
    found = {}
    for name, test in bench.tests.items():
        error = model.energies(test.features) - test.energies
        z = np.abs(error) / np.sqrt(model.variances(test.features))
        found[name] = {"coverage": float(np.mean(z <= 1.96)), "z": float(np.sqrt(np.mean(z**2)))}
    return found
