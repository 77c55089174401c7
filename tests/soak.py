"""Many more parameter sets than the tests try: ``make soak`` or ``python tests/soak.py [SETS]``.

For every mechanism of the catalogue, random rate constants over ten decades in runs of 100 time
units. No trajectory may fail, fall further below zero than -1e-8 or break a conservation law by
more than 1e-9; and a part of them, integrated again on one thread in other batches and in another
order, must come out the same to the bit.
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.random import default_rng
from rich.console import Console

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import Status, integrate
from kinetlib.kinetics.mechanisms import Mechanism

CHUNK = 20_000  # trajectories held at a time: memory does not grow with their number
TIMES = np.linspace(0.0, 100.0, 21)


def complaints(mechanism: Mechanism, n_sets: int, seed: int) -> list[str]:
    """Integrate `n_sets` random parameter sets of a mechanism; return what was not as promised."""
    network = mechanism.network
    rng = default_rng([seed, *mechanism.id.encode()])
    initial = np.tile(mechanism.initial(), (CHUNK, 1))
    laws = network.conservation_laws().T
    failed, lowest, drift, differing = 0, 0.0, 0.0, 0
    for start in range(0, n_sets, CHUNK):
        n = min(CHUNK, n_sets - start)
        constants = 10.0 ** rng.uniform(-5, 5, (n, len(network.constants)))
        solution = integrate(network, constants, initial[:n], TIMES)
        failed += int((solution.status != Status.SUCCESS).sum())
        lowest = min(lowest, float(np.nanmin(solution.concentration)))
        totals = solution.concentration @ laws
        drift = max(drift, float(np.nanmax(np.abs(totals - totals[:, :1]))))
        some = rng.choice(n, min(n, 500), replace=False)
        again = integrate(network, constants[some], initial[some], TIMES, threads=1)
        same = np.array_equal(again.concentration, solution.concentration[some], equal_nan=True)
        differing += not same
    checks = {
        f"{failed} failed": failed > 0,
        f"lowest concentration {lowest:.1e}": lowest < -1e-8,
        f"a conserved sum moved by {drift:.1e}": drift > 1e-9,
        f"{differing} batches depend on how they are split": differing > 0,
    }
    return [text for text, wrong in checks.items() if wrong]


def main(n_sets: int) -> int:
    """Try all mechanisms; return the number of those with a complaint."""
    console, bad = Console(), 0
    for mechanism in mechanisms.catalogue().values():
        begin = time.perf_counter()
        found = complaints(mechanism, n_sets, seed=1)
        bad += bool(found)
        seconds = time.perf_counter() - begin
        console.print(
            f"{mechanism.id:>4}: {n_sets:,} parameter sets, {seconds:.0f} s, "
            + ("; ".join(found) or "as promised")
        )
    return bad


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000))
