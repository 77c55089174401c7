"""Time and error of kinetlib's integrator beside its peers, all in one run: ``make bench``.

Twenty mechanisms, rate constants log-uniform over ten decades, 101 output times over 100 time
units, the reference run's initial state. One core each; kinetlib on all cores besides. The error of
a trajectory is its largest over species and times against Radau at rtol 1e-10. Compilation and the
building of models are not counted.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.integrate import solve_ivp

from kinetlib import interchange, mechanisms, provenance, work_precision
from kinetlib.integrate import integrate
from kinetlib.network import Network
from kinetlib.work_precision import Problem

BATCH = 20_000  # trajectories of a call of kinetlib
OURS, ALL_CORES = "kinetlib, one core", "kinetlib, all cores"
PUBLISHED = "SciPy LSODA, as published"

console = Console(width=120)


@dataclass(frozen=True)
class Outcome:
    """What a solver needed on one mechanism: seconds a trajectory, and each trajectory's error."""

    seconds: float
    errors: NDArray[np.float64]


def python_law(network: Network, constants: NDArray) -> Callable[[float, NDArray], list[float]]:
    """Return a rate law in plain Python, as the published pipeline has it."""
    reactants = [
        [network.index(s) for s, count in r.reactants.items() for _ in range(count)]
        for r in network.reactions
    ]
    changes = [
        [(r, int(n)) for r, n in enumerate(column) if n] for column in network.stoichiometry.T
    ]
    steps = list(zip(constants.tolist(), reactants, strict=True))

    def law(t: float, y: NDArray) -> list[float]:
        rates = []
        for k, names in steps:
            for j in names:
                k *= y[j]
            rates.append(k)
        return [sum(n * rates[r] for r, n in column) for column in changes]

    return law


def published(problem: Problem, i: int, rtol: float) -> NDArray:
    """LSODA with 5,001 outputs, steps of at most 1, SciPy's own tolerances whatever `rtol`."""
    dense = np.linspace(0, problem.times[-1], 5001)
    law = python_law(problem.network, problem.rate_constants[i])
    span = (0, dense[-1])
    done = solve_ivp(law, span, problem.initial, "LSODA", t_eval=dense, max_step=1.0)
    return done.y.T[::50]


def scipy(method: str) -> Callable[[Problem, int, float], NDArray]:
    """SciPy's solvers with compiled rate law and Jacobian."""

    def solve(problem: Problem, i: int, rtol: float) -> NDArray:
        options = {"rtol": rtol, "atol": 1e-3 * rtol}
        return work_precision.scipy_trajectory(problem, i, method, **options)

    return solve


class RoadRunner:
    """libRoadRunner: CVODE on a model it compiled itself."""

    def __init__(self) -> None:
        import roadrunner

        self._module, self._models = roadrunner, {}

    def __call__(self, problem: Problem, i: int, rtol: float) -> NDArray:
        """Simulate one trajectory."""
        network = problem.network
        ids = interchange.identifiers(network)
        if str(network) not in self._models:
            start = dict(zip(network.species, problem.initial, strict=True))
            ones = dict.fromkeys(network.constants, 1.0)
            model = self._module.RoadRunner(interchange.to_sbml(network, ones, start))
            model.timeCourseSelections = [f"[{ids[s]}]" for s in network.species]
            self._models[str(network)] = model
        model = self._models[str(network)]
        model.resetToOrigin()
        for name, value in zip(network.constants, problem.rate_constants[i], strict=True):
            model[ids[name]] = value
        model.integrator.setValue("relative_tolerance", rtol)
        model.integrator.setValue("absolute_tolerance", 1e-3 * rtol)
        return np.array(model.simulate(0, problem.times[-1], len(problem.times)))


class Sundae:
    """scikit-sundae: CVODE with the compiled rate law and Jacobian."""

    def __init__(self) -> None:
        from sksundae.cvode import CVODE

        self._solver = CVODE

    def __call__(self, problem: Problem, i: int, rtol: float) -> NDArray:
        """Simulate one trajectory."""
        rhs, jacobian = work_precision.rate_law(problem.network, problem.rate_constants[i])

        def fill(t: float, y: NDArray, out: NDArray) -> None:
            out[:] = rhs(t, np.array(y))

        def fill_jacobian(t: float, y: NDArray, _: NDArray, out: NDArray) -> None:
            out[:, :] = jacobian(t, np.array(y))

        options = {"rtol": rtol, "atol": 1e-3 * rtol, "max_num_steps": 100_000}
        solver = self._solver(fill, jacfn=fill_jacobian, **options)
        done = solver.solve(problem.times, problem.initial)
        if len(done.t) < len(problem.times):  # gave up on the way
            return np.full((len(problem.times), len(problem.initial)), np.nan)
        return done.y


PEERS: dict[str, Callable[[], Callable[[Problem, int, float], NDArray]]] = {
    PUBLISHED: lambda: published,
    "SciPy LSODA": lambda: scipy("LSODA"),
    "libRoadRunner (CVODE)": RoadRunner,
    "scikit-sundae (CVODE)": Sundae,
}


def peer(solve: Callable, problem: Problem, exact: NDArray, rtol: float) -> Outcome:
    """Measure a peer, trajectory by trajectory; its first call, which may compile, is not timed."""
    solve(problem, 0, rtol)
    begin = time.perf_counter()
    found = [solve(problem, i, rtol) for i in range(len(exact))]
    seconds = (time.perf_counter() - begin) / len(exact)
    return Outcome(
        seconds, np.array([np.abs(a - b).max() for a, b in zip(found, exact, strict=True)])
    )


def ours(problem: Problem, exact: NDArray, rtol: float, threads: int | None) -> Outcome:
    """Measure kinetlib on a batch, the problem's trajectories first; the median of five calls."""
    n = len(exact)
    constants = np.resize(problem.rate_constants, (BATCH, problem.rate_constants.shape[1]))
    initial = np.tile(problem.initial, (BATCH, 1))
    options = {"rtol": rtol, "atol": 1e-3 * rtol, "threads": threads}
    seconds = []
    for _ in range(6):
        begin = time.perf_counter()
        found = integrate(problem.network, constants, initial, problem.times, **options)
        seconds.append(time.perf_counter() - begin)
    errors = np.abs(found.concentration[:n] - exact).max((1, 2))
    return Outcome(float(np.median(seconds[1:])) / BATCH, errors)


def main() -> None:
    """Measure, print a table, and write all numbers to ``results/bench/integrators.json``."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--sets", type=int, default=20, help="rate-constant sets a mechanism")
    arguments.add_argument("--rtol", type=float, nargs="+", default=[1e-4, 1e-6, 1e-8])
    options = arguments.parse_args()
    peers = {}
    for name, make in PEERS.items():
        try:
            peers[name] = make()
        except ImportError as error:
            console.print(f"without {name}: {error}")
    found: dict[tuple[str, float], list[Outcome]] = {}
    for mechanism in mechanisms.catalogue().values():
        rng = default_rng([1, *mechanism.id.encode()])
        problem = work_precision.random_problem(mechanism, options.sets, rng)
        exact = work_precision.reference(problem)
        for rtol in options.rtol:
            for name, solve in peers.items():
                if name != PUBLISHED or rtol == options.rtol[0]:
                    found.setdefault((name, rtol), []).append(peer(solve, problem, exact, rtol))
            for name, threads in ((OURS, 1), (ALL_CORES, None)):
                outcome = ours(problem, exact, rtol, threads)
                found.setdefault((name, rtol), []).append(outcome)
        console.print(f"{mechanism.id} done")
    report(found)


def report(found: dict[tuple[str, float], list[Outcome]]) -> None:
    """Print and write what was measured."""
    table = Table("solver", "rtol", "µs a trajectory", "by mechanism")
    for column in ("median error", "worst", "failed", "ratio"):
        table.add_column(column)
    rows = []
    middle = {rtol: np.mean([o.seconds for o in found[OURS, rtol]]) for _, rtol in found}
    for (name, rtol), outcomes in found.items():
        seconds = np.array([outcome.seconds for outcome in outcomes])
        errors = np.concatenate([outcome.errors for outcome in outcomes])
        # The published pipeline has tolerances of its own: it stands beside ours at 1e-6.
        against = middle.get(1e-6, middle[rtol]) if name == PUBLISHED else middle[rtol]
        row = {
            "solver": name,
            "rtol": "its own" if name == PUBLISHED else f"{rtol:.0e}",
            "microseconds": 1e6 * seconds.mean(),
            "fastest": 1e6 * seconds.min(),
            "slowest": 1e6 * seconds.max(),
            "median_error": float(np.nanmedian(errors)),
            "worst_error": float(np.nanmax(errors)),
            "failed": int(np.isnan(errors).sum()),
            "ratio_to_kinetlib_one_core": float(seconds.mean() / against),
        }
        rows.append(row)
        table.add_row(
            name,
            row["rtol"],
            f"{row['microseconds']:,.1f}",
            f"{row['fastest']:,.1f} to {row['slowest']:,.1f}",
            f"{row['median_error']:.0e}",
            f"{row['worst_error']:.0e}",
            str(row["failed"]),
            f"{row['ratio_to_kinetlib_one_core']:,.2f}",
        )
    console.print(table)
    folder = Path("results/bench")
    folder.mkdir(parents=True, exist_ok=True)
    peers = ("scipy", "libroadrunner", "scikit-sundae")
    installed = {name: _version(name) for name in peers}
    record = {"rows": rows, "peers": installed, **provenance.attributes()}
    (folder / "integrators.json").write_text(json.dumps(record, indent=2), encoding="utf-8")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
