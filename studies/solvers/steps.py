"""What each step from straight code to the integrator as it is was worth.

All variants are the same method with the same tolerances on the same trajectories, on one core, in
one run. A variant is the integrator's own source with other compiler flags or with a line changed.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from rich.console import Console
from rich.table import Table

from kinetlib.kinetics import kernels, mechanisms, native
from kinetlib.kinetics.integrate import available_processors, integrate
from kinetlib.kinetics.native_source import source
from studies.solvers import work_precision
from studies.solvers.work_precision import Problem

MECHANISMS = ("M1", "M2", "M8", "M13", "M20")
BATCH, REPEATS = 10_000, 5
ROUNDS = 15  # of measuring several cores
SECONDS = 0.5  # of each of them
RTOL, ATOL, MAX_STEPS = 1e-6, 1e-9, 100_000

console = Console(width=120)


@dataclass(frozen=True)
class Variant:
    """The integrator with other flags, or with a line of its source changed."""

    name: str
    remove: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    change: tuple[str, str] | None = None


TUNED = "-march=native"
GROWTH = "factor = select(factor < 6.0, factor, all(6.0));"
VARIANTS = [
    Variant("straight code, two trajectories at once", add=(TUNED, "-DWIDTH=1")),
    Variant("registers of two numbers (SSE), four at once", add=(TUNED, "-DWIDTH=2")),
    Variant("registers as wide as the processor's: as it is", add=(TUNED,)),
    Variant(
        "multiplication and addition in one rounding (not kept)",
        remove=("-ffp-contract=off",),
        add=(TUNED, "-ffp-contract=fast"),
    ),
    Variant(
        "steps may grow fiftyfold at once (not kept)",
        add=(TUNED,),
        change=(GROWTH, GROWTH.replace("6.0", "50.0")),
    ),
]


def build(problem: Problem, variant: Variant, folder: Path) -> native.Kernel:
    """Compile a variant for the network of a problem."""
    code = source(problem.network)
    if variant.change:
        before, after = variant.change
        if before not in code:
            raise ValueError(f"{variant.name}: the source has no line {before!r} any more")
        code = code.replace(before, after)
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "integrator.cpp").write_text(code, encoding="utf-8")
    usual = (native.FOR_VALUES, *native.FLAGS)
    flags = [flag for flag in usual if flag not in variant.remove]
    command = [*native.compiler().command, *flags, *variant.add, str(place / "integrator.cpp")]
    command += ["-o", str(place / "integrator.so"), *native.LIBRARY]
    subprocess.run(command, check=True)
    return native.values(place / "integrator.so")


def microseconds(problem: Problem, kernel: native.Kernel) -> tuple[float, float]:
    """Return the processor's time for a trajectory, the least of some calls, and its mean steps."""
    n, n_times = len(problem.rate_constants), len(problem.times)
    initial = np.tile(problem.initial, (n, 1))
    times = np.tile(problem.times, (n, 1))
    concentration = np.empty((n, n_times, len(problem.initial)))
    status, n_steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    spent = []
    for _ in range(REPEATS):
        begin = time.thread_time()
        kernel(
            problem.rate_constants,
            initial,
            times,
            np.ones((1, initial.shape[1])),
            RTOL,
            ATOL,
            MAX_STEPS,
            concentration,
            status,
            n_steps,
            None,
        )
        spent.append(time.thread_time() - begin)
    if status.any():
        raise ValueError(f"{np.count_nonzero(status)} trajectories failed")
    return 1e6 * min(spent) / n, float(n_steps.mean())


def throughput(problem: Problem, threads: int | None) -> float:
    """Return the trajectories a second of calls of `kinetlib.kinetics.integrate`."""
    initial = np.tile(problem.initial, (len(problem.rate_constants), 1))

    def call() -> None:
        integrate(problem.network, problem.rate_constants, initial, problem.times, threads=threads)

    kernels.prepare(problem.network)
    call()  # loads what was compiled
    done, begin = 0, time.perf_counter()
    while time.perf_counter() - begin < SECONDS:
        call()
        done += 1
    return done * len(initial) / (time.perf_counter() - begin)


def scaling(problem: Problem) -> dict[str, float]:
    """Measure one thread, all cores by threads, and all cores by processes that share nothing.

    The processes say what the machine has to give: cores that share memory, caches or a power
    budget do not give a multiple of one. The three take turns, because a machine in a cloud is not
    the same from one second to the next. Medians over the rounds tell what one gets there; the
    fastest round of each tells what the code does where the neighbours are still.
    """
    cores = available_processors()
    rounds = []
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(throughput, [problem] * cores, [1] * cores))  # starts and loads
        for _ in range(ROUNDS):
            one, together = throughput(problem, 1), throughput(problem, None)
            apart = sum(pool.map(throughput, [problem] * cores, [1] * cores))
            rounds.append((one, together, apart))
    one, threads, processes = np.transpose(rounds)
    return {
        "one": float(np.median(one)),
        "threads": float(np.median(threads / one)),
        "processes": float(np.median(processes / one)),
        "threads_fastest": float(threads.max() / one.max()),
        "processes_fastest": float(processes.max() / one.max()),
    }


def run() -> dict[str, Any]:
    """Measure, print a table, and return all numbers."""
    problems = [
        work_precision.random_problem(mechanisms.get(name), BATCH, default_rng([1, i]))
        for i, name in enumerate(MECHANISMS)
    ]
    rows: dict[str, list[tuple[float, float]]] = {variant.name: [] for variant in VARIANTS}
    with tempfile.TemporaryDirectory() as folder:
        for problem in problems:
            for variant in VARIANTS:
                kernel = build(problem, variant, Path(folder))
                rows[variant.name].append(microseconds(problem, kernel))
    table = Table("variant", *MECHANISMS, "mean / \u00b5s", "steps")
    record = []
    for name, found in rows.items():
        spent, steps = np.array(found).T
        table.add_row(
            name, *(f"{s:.1f}" for s in spent), f"{spent.mean():.1f}", f"{steps.mean():.0f}"
        )
        record.append({"variant": name, "microseconds": spent.tolist(), "steps": steps.tolist()})
    console.print(table)
    cores = {name: scaling(problem) for name, problem in zip(MECHANISMS, problems, strict=True)}
    for name, rate in cores.items():
        console.print(
            f"{name}: all cores give {rate['threads']:.2f} times the trajectories of one, "
            f"processes that share nothing {rate['processes']:.2f} times; in the fastest rounds "
            f"{rate['threads_fastest']:.2f} and {rate['processes_fastest']:.2f} times"
        )
    return {
        "mechanisms": MECHANISMS,
        "rows": record,
        "cores": available_processors(),
        "rounds": ROUNDS,
        "scaling": cores,
    }
