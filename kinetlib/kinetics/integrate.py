"""Many stiff trajectories of one reaction network at once.

The method is Rodas4 of Hairer and Wanner (Solving Ordinary Differential Equations II, 1996,
section IV.7, table "METH=1" of their code RODAS): a linearly implicit Rosenbrock method of order 4
with an embedded third-order solution, six stages, stiffly accurate and L-stable, with dense output
of order 3. The Jacobian is analytic. Linear conservation laws hold to rounding error. A
concentration may fall below zero by as much as the tolerances allow, and is left there: clipping it
would break the conservation laws.

A network's own integrator is generated as C++ (`native_source`): straight code, as many
trajectories in lock step as two vector registers hold. It runs natively or as WebAssembly, with the
same bits (`kernels`), without the GIL, and plain threads share the trajectories. A trajectory never
sees another, so results do not depend on the number of threads or on the batch.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics import kernels, tolerance
from kinetlib.kinetics.network import Network

# Trajectories that a thread takes at once: enough to keep all lanes busy, few enough that an
# interrupt is not kept waiting.
_SMALLEST_BLOCK, _LARGEST_BLOCK = 64, 16_384
_SCOUTING = 1e-3  # relative tolerance at which maxima are looked for
_MOST_ROUNDS = 6  # of tolerances that follow maxima after that; one in sixty needs any


class Status(IntEnum):
    """What became of a trajectory.

    ``STEP_BUDGET``: `max_steps` did not suffice. ``STEP_UNDERFLOW``: no step is short enough, as
    where a concentration grows without bound. ``NOT_FINITE``: a constant, an initial concentration
    or an output time is infinite or NaN.
    """

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
    atol: float | None = None,
    max_steps: int = 100_000,
    threads: int | None = None,
    own_maxima: bool = False,
) -> Solution:
    """Integrate n trajectories of a network from time 0.

    Parameters
    ----------
    network
        R reactions among S species.
    rate_constants
        Shape (n, R) or (R,), in the order of ``network.constants``, not negative.
    initial
        Concentrations at time 0, shape (n, S), in the order of ``network.species``.
    times
        Output times, shape (T,) or (n, T), not negative and not falling.
    rtol, atol
        Relative and absolute tolerance of a step's error, root mean square over species. Without an
        absolute one each species of each trajectory has its own, see `kinetlib.kinetics.tolerance`:
        1e-9 where it can come to between 1e-3 and 10.
    max_steps
        Steps after which a trajectory is given up.
    threads
        Threads to use; by default the processors this process may use.
    own_maxima
        Whether a coarse integration looks first for the maximum of each species, so that the
        tolerance of one that stays far below what it can come to follows that; not where an
        absolute one is given. At a relative tolerance of 4e-8 each species is then within 1e-5 of
        its own maximum, the largest it comes to between the outputs, too; mostly much less.

    Returns
    -------
    Solution
        A failed trajectory is a status and NaNs, never an exception.

    Raises
    ------
    ValueError
        Arrays whose shapes do not fit the network or each other, times that are negative or fall,
        tolerances that are not positive: a mistake of the caller, not of one trajectory.
    """
    constants, initial, times = checked(network, rate_constants, initial, times, rtol, atol)
    kernel = kernels.kernel(network)
    if atol is not None:
        return solved(kernel, constants, initial, times, None, (rtol, atol, max_steps), threads)
    limits = rtol, tolerance.base(rtol), max_steps
    scale = tolerance.scales(network, initial)
    if not own_maxima:
        return solved(kernel, constants, initial, times, scale, limits, threads)
    scouting = max(rtol, _SCOUTING), tolerance.base(_SCOUTING), max_steps
    ends = np.ascontiguousarray(times[:, [0, -1]])
    _, peak = _with_peaks(kernel, constants, initial, ends, scale, scouting, threads)
    _, scale = tolerance.below_peaks(np.broadcast_to(scale, initial.shape), peak)
    found, peak = _with_peaks(kernel, constants, initial, times, scale, limits, threads)
    again = np.arange(len(initial))
    # What a coarse tolerance lets through may be larger than the maximum it is measured by.
    for _ in range(_MOST_ROUNDS):
        coarse, scale = tolerance.below_peaks(scale, peak)
        coarse &= found.status[again] == Status.SUCCESS
        again, scale = again[coarse], scale[coarse]
        if not len(again):
            break
        own = times[again] if len(times) == len(initial) else times
        finer, peak = _with_peaks(
            kernel, constants[again], initial[again], own, scale, limits, threads
        )
        for whole, part in zip(vars(found).values(), vars(finer).values(), strict=True):
            whole[again] = part
    return found


def _with_peaks(*arguments: Any) -> tuple[Solution, NDArray[np.float64]]:
    """Let a kernel fill what `solved` fills, and the largest magnitudes, (n, S)."""
    peak = np.empty(arguments[2].shape)
    return solved(*arguments, peak=peak), peak


def solved(
    kernel: kernels.Kernel,
    constants: NDArray[np.float64],
    initial: NDArray[np.float64],
    times: NDArray[np.float64],
    scale: NDArray[np.float64] | None,
    limits: tuple[float, float, int],
    threads: int | None,
    peak: NDArray[np.float64] | None = None,
    more: tuple[int, ...] = (),
    beside: NDArray[np.float64] | None = None,
) -> Solution:
    """Let a kernel fill blocks of trajectories, in threads.

    Parameters
    ----------
    kernel
        See `kinetlib.kinetics.kernels`.
    constants, initial, times
        As `checked` returns them.
    scale
        What the absolute tolerance of each species is multiplied by, (n, S) or (1, S), or nothing.
    limits
        Relative and absolute tolerance, and most steps.
    threads
        As for `integrate`.
    peak
        What is filled with the largest magnitude of each species at any step, (n, S), if wanted.
    more, beside
        What a kernel with derivatives takes besides, and what it fills, (n, ...).
    """
    n, rtol, atol, max_steps = len(initial), *limits
    concentration = np.empty((n, times.shape[1], initial.shape[1]))
    status, n_steps = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    if scale is None:
        scale = np.ones((1, initial.shape[1]))

    def solve(block: slice) -> None:
        kernel(
            constants[block],
            initial[block],
            times[block] if len(times) == n else times,
            scale[block] if len(scale) == n else scale,
            float(rtol),
            float(atol),
            int(max_steps),
            concentration[block],
            status[block],
            n_steps[block],
            None if peak is None else peak[block],
            *more,
            *(() if beside is None else (beside[block],)),
        )

    # Derivatives take some twenty times as long: an interrupt should not wait for more.
    share_out(solve, n, threads, _LARGEST_BLOCK if beside is None else _LARGEST_BLOCK // 16)
    return Solution(concentration, status, n_steps)


def share_out(
    solve: Callable[[slice], None], n: int, threads: int | None, largest: int = _LARGEST_BLOCK
) -> None:
    """Call `solve` for blocks of n trajectories, in as many threads as asked for or there are."""
    threads = threads or available_processors()
    remaining = deque(_blocks(n, threads, largest))

    def solve_remaining() -> None:
        while remaining:
            try:
                block = remaining.popleft()
            except IndexError:  # another thread took the last
                return
            solve(block)

    if threads == 1 or n <= _SMALLEST_BLOCK:
        solve_remaining()
        return
    with ThreadPoolExecutor(threads) as pool:
        try:
            for running in [pool.submit(solve_remaining) for _ in range(threads)]:
                running.result()
        except BaseException:
            remaining.clear()  # an interrupt waits for the blocks begun, not for the batch
            raise


def _blocks(n: int, threads: int, largest: int) -> list[slice]:
    """Share out n trajectories: large blocks first, small ones last, to end all together.

    This is "guided self-scheduling" (Polychronopoulos and Kuck, IEEE Trans. Comput. C-36, 1425,
    1987). Large blocks also keep threads out of each other's pages of memory.
    """
    blocks, start = [], 0
    while start < n:
        size = int(np.clip((n - start) // (2 * threads), _SMALLEST_BLOCK, largest))
        blocks.append(slice(start, min(start + size, n)))
        start += size
    return blocks


def available_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def checked(
    network: Network,
    rate_constants: ArrayLike,
    initial: ArrayLike,
    times: ArrayLike,
    rtol: float,
    atol: float | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Bring the arrays of n trajectories to their full shapes; the kernel checks no bounds.

    Times that all share stay one row: copies of it would cost as much as some mechanisms do.
    """
    if not (0 < rtol < np.inf and (atol is None or 0 < atol < np.inf)):
        raise ValueError(f"rtol and atol must be positive numbers, got {rtol!r} and {atol!r}")
    initial = np.asarray(initial, dtype=np.float64)
    n_species, n_reactions = len(network.species), len(network.reactions)
    if initial.ndim != 2 or initial.shape[1] != n_species:
        raise ValueError(
            f"initial: expected shape (n, {n_species}) for {', '.join(network.species)}, "
            f"got {initial.shape}"
        )
    n = len(initial)
    constants = np.asarray(rate_constants, dtype=np.float64)
    if constants.shape not in ((n_reactions,), (n, n_reactions)):
        raise ValueError(
            f"rate_constants: expected shape ({n}, {n_reactions}) or ({n_reactions},) for "
            f"{', '.join(network.constants)}, got {constants.shape}"
        )
    times = np.asarray(times, dtype=np.float64)
    if times.ndim not in (1, 2) or times.shape[-1] == 0 or times.shape[:-1] not in ((), (n,)):
        raise ValueError(f"times: expected shape (T,) or ({n}, T), T > 0, got {times.shape}")
    if (times < 0).any() or (times[..., 1:] < times[..., :-1]).any():
        raise ValueError("times: expected values that are not negative and do not fall; sort them")
    return (
        _own(constants, (n, n_reactions)),
        _own(initial, (n, n_species)),
        np.array(times, order="C", ndmin=2),
    )


def _own(array: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Copy to the contiguous, writable array that either kernel takes."""
    return np.array(np.broadcast_to(array, shape), order="C")
