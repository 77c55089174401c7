"""Many stiff trajectories of one reaction network at once.

The method is Rodas4 of Hairer and Wanner (Solving Ordinary Differential Equations II, 1996,
section IV.7, table "METH=1" of their code RODAS): a linearly implicit Rosenbrock method of order 4
with an embedded third-order solution, six stages, stiffly accurate and L-stable, with dense output
of order 3. The Jacobian is analytic. Linear conservation laws hold to rounding error.

The kernel is compiled by Numba without the GIL, and plain threads share the trajectories. A
trajectory never sees another, so results do not depend on the number of threads or on the batch.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinetlib._rodas import integrate_block
from kinetlib.network import Network

_BLOCK = 64  # trajectories a thread takes at once: long enough to hide the hand-over


class Status(IntEnum):
    """What became of a trajectory."""

    SUCCESS = 0
    STEP_BUDGET = 1
    STEP_UNDERFLOW = 2
    NOT_FINITE = 3


@dataclass(frozen=True)
class Solution:
    """Trajectories at the output times.

    Attributes
    ----------
    concentration
        Shape (n, T, S); NaN from the first output a failed trajectory did not reach.
    status
        Shape (n,), a `Status` each.
    n_steps
        Shape (n,), accepted and rejected steps.
    """

    concentration: NDArray[np.float64]
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]


def integrate(
    network: Network,
    rate_constants: ArrayLike,
    initial: ArrayLike,
    times: ArrayLike,
    *,
    rtol: float = 1e-6,
    atol: float = 1e-9,
    max_steps: int = 100_000,
    threads: int | None = None,
) -> Solution:
    """Integrate n trajectories of a network from time 0.

    Parameters
    ----------
    network
        R reactions among S species.
    rate_constants
        Shape (n, R), in the order of ``network.constants``.
    initial
        Concentrations at time 0, shape (n, S), in the order of ``network.species``.
    times
        Output times, shape (T,) or (n, T), not negative and not falling.
    rtol, atol
        Relative and absolute tolerance of a step's error, root mean square over species.
    max_steps
        Steps after which a trajectory is given up.
    threads
        Threads to use; by default the processors this process may use.

    Returns
    -------
    Solution
        A failed trajectory is a status and NaNs, never an exception.
    """
    initial = np.ascontiguousarray(initial, dtype=np.float64)
    n = len(initial)
    constants = np.ascontiguousarray(
        np.broadcast_to(np.asarray(rate_constants, dtype=np.float64), (n, len(network.reactions)))
    )
    times = np.asarray(times, dtype=np.float64)
    times = np.broadcast_to(times, (n, times.shape[-1]))
    reactants, stoichiometry = _tables(network)

    concentration = np.empty((n, times.shape[1], len(network.species)))
    status = np.empty(n, dtype=np.int64)
    n_steps = np.empty(n, dtype=np.int64)

    def solve(start: int) -> None:
        block = slice(start, start + _BLOCK)
        integrate_block(
            reactants,
            stoichiometry,
            constants[block],
            initial[block],
            np.ascontiguousarray(times[block]),
            rtol,
            atol,
            max_steps,
            concentration[block],
            status[block],
            n_steps[block],
        )

    starts = range(0, n, _BLOCK)
    if threads is None:
        threads = (
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        )
    if threads == 1 or len(starts) < 2:
        for start in starts:
            solve(start)
    else:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(solve, starts):
                pass
    return Solution(concentration, status, n_steps)


def _tables(network: Network) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reactant slots (R, largest order), -1 where empty, and net stoichiometry (R, S)."""
    slots = [
        [network.index(name) for name, count in reaction.reactants.items() for _ in range(count)]
        for reaction in network.reactions
    ]
    width = max(1, max(len(row) for row in slots))
    reactants = np.array([row + [-1] * (width - len(row)) for row in slots], dtype=np.int64)
    return reactants, network.stoichiometry.astype(np.float64)
