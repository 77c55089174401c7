"""What an accuracy costs: solvers by others and `kinetlib.kinetics.integrate` on the same problems.

Everything runs on one core. Compilation is measured, but apart.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass, replace
from io import StringIO

import numpy as np
import psutil
import xarray as xr
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics import kernels
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.records import quiet
from studies.solvers import peers
from studies.solvers.peers import ABSOLUTE, Problem

OURS = "kinetlib"
METHODS = ("LSODA", "BDF", "Radau", "libRoadRunner", "diffrax", OURS)
_REFERENCE = {"rtol": 1e-10, "atol": 1e-13}
#: Least number of trajectories that kinetlib is given in one call: a call has a price of its own.
BATCH = 2000
_REPEATS = 5  # of a batch; their median counts


def random_problem(
    mechanism: Mechanism,
    n: int,
    rng: Generator,
    *,
    constants: tuple[float, float] = (1e-5, 1e5),
    times: NDArray[np.float64] | None = None,
) -> Problem:
    """Draw n sets of rate constants, log-uniform, for the reference run of a mechanism.

    Parameters
    ----------
    constants
        Range of the rate constants; by default the ten decades of the published prior.
    times
        Output times; by default 0, 1, ..., 100.
    """
    network = mechanism.network
    return Problem(
        network,
        10.0 ** rng.uniform(*np.log10(constants), (n, len(network.constants))),
        mechanism.initial(),
        np.linspace(0.0, 100.0, 101) if times is None else times,
    )


def reference(problem: Problem) -> NDArray[np.float64]:
    """Compute all trajectories with Radau at rtol 1e-10 and atol 1e-13, shape (n, T, S)."""
    indices = range(len(problem.rate_constants))
    return np.stack([peers.scipy_trajectory(problem, i, "Radau", **_REFERENCE) for i in indices])


@contextmanager
def one_core() -> Iterator[bool]:
    """Keep all threads of this process on the core where it runs, also those that begin meanwhile.

    Yields
    ------
    bool
        Whether that is so: macOS has no such call. There kinetlib, SciPy, scikit-sundae and
        libRoadRunner have one thread anyway; JAX may have more.
    """
    if not hasattr(os, "sched_setaffinity"):
        yield False
        return
    before = os.sched_getaffinity(0)
    core = psutil.Process().cpu_num()
    _set_affinity({core} & before or {min(before)})
    try:
        yield True
    finally:
        _set_affinity(before)


def _set_affinity(cores: set[int]) -> None:
    """Set the cores that each thread of this process may use; Linux counts by thread."""
    for thread in os.listdir("/proc/self/task"):
        with suppress(ProcessLookupError):  # it has ended meanwhile
            os.sched_setaffinity(int(thread), cores)


@contextmanager
def _alone_and_quiet() -> Iterator[None]:
    """One core, and nothing written: CVODE and its wrappers comment on trajectories that fail."""
    with one_core(), quiet.native_logs(1, 2), redirect_stdout(StringIO()):
        yield


@functools.cache
def _solver(method: str) -> peers.Solver:
    """One solver of a kind in a process, so that what it compiled serves again."""
    known = (*peers.NAMES, OURS)
    if method not in known:
        raise ValueError(f"unknown method {method!r}: expected one of {', '.join(known)}")
    return _integrate if method == OURS else peers.solver(method)


def solve(problem: Problem, method: str, rtol: float) -> tuple[NDArray[np.float64], float]:
    """Compute all trajectories of a problem with one method on one core.

    Parameters
    ----------
    method
        One of ``peers.NAMES``, or `OURS`.
    rtol
        Relative tolerance; the absolute one is `ABSOLUTE` of it.

    Returns
    -------
    concentration
        Shape (n, T, S); NaN where a trajectory failed.
    seconds
        Time for one trajectory, the mean over all; it includes compilation in the first call for a
        network.

    Raises
    ------
    ValueError
        For a method that is not known or whose library is not installed.
    """
    solver = _solver(method)
    with _alone_and_quiet():
        if method == OURS:
            return ours(problem, rtol)
        begin = time.perf_counter()
        found = solver(problem, rtol)
        return found, (time.perf_counter() - begin) / len(problem.rate_constants)


def ours(
    problem: Problem, rtol: float, *, batch: int = BATCH, threads: int | None = 1
) -> tuple[NDArray[np.float64], float]:
    """Solve with kinetlib in one call, the problem repeated to the size datasets need.

    Parameters
    ----------
    batch
        Least number of trajectories in the call.
    threads
        As for `kinetlib.kinetics.integrate`.

    Returns
    -------
    concentration, seconds
        As `solve`; the time is the median of several calls.
    """
    kernels.prepare(problem.network)
    n = len(problem.rate_constants)
    constants = np.tile(problem.rate_constants, (-(-batch // n), 1))
    seconds = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        found = _integrate(replace(problem, rate_constants=constants), rtol, threads)
        seconds.append(time.perf_counter() - begin)
    return found[:n], float(np.median(seconds)) / len(constants)


def _integrate(problem: Problem, rtol: float, threads: int | None = 1) -> NDArray[np.float64]:
    constants = problem.rate_constants
    initial = np.broadcast_to(problem.initial, (len(constants), len(problem.initial)))
    options = {"rtol": rtol, "atol": ABSOLUTE * rtol, "threads": threads}
    return integrate(problem.network, constants, initial, problem.times, **options).concentration


def alone(problem: Problem, method: str, rtol: float) -> NDArray[np.float64]:
    """Time calls for a single trajectory each, on one core and after a first call that compiles.

    Returns
    -------
    NDArray
        Seconds for each trajectory, shape (n,).

    Raises
    ------
    ValueError
        As `solve`.
    """
    solver = _solver(method)
    singles = [replace(problem, rate_constants=k[None]) for k in problem.rate_constants]
    seconds = []
    with _alone_and_quiet():
        solver(singles[0], rtol)
        for single in singles:
            begin = time.perf_counter()
            solver(single, rtol)
            seconds.append(time.perf_counter() - begin)
    return np.array(seconds)


def measure(
    problem: Problem,
    tolerances: Sequence[float],
    methods: Sequence[str] = METHODS,
    *,
    exact: NDArray[np.float64] | None = None,
) -> xr.Dataset:
    """Measure error and time of each method at each tolerance, the methods taking turns.

    Parameters
    ----------
    tolerances
        Relative tolerances.
    methods
        Of ``peers.NAMES`` and `OURS`.
    exact
        What errors are counted from, shape (n, T, S); by default `reference`.

    Returns
    -------
    xarray.Dataset
        ``error`` (solver, rtol, trajectory), the largest absolute error over species and
        output times, NaN where a trajectory failed; ``seconds`` (solver, rtol), for one trajectory;
        ``preparation`` (solver), what the first call took beyond the trajectories themselves.
    """
    exact = reference(problem) if exact is None else exact
    n = len(problem.rate_constants)
    error = np.empty((len(methods), len(tolerances), n))
    seconds = np.empty(error.shape[:2])
    first = np.empty(len(methods))
    for m, method in enumerate(methods):
        solver, begin = _solver(method), time.perf_counter()
        with _alone_and_quiet():
            solver(problem, tolerances[0])
        first[m] = time.perf_counter() - begin
    for t, rtol in enumerate(tolerances):
        for m, method in enumerate(methods):
            found, seconds[m, t] = solve(problem, method, rtol)
            error[m, t] = np.abs(found - exact).max(axis=(1, 2))
    return xr.Dataset(
        {
            "error": (
                ("solver", "rtol", "trajectory"),
                error,
                {"long_name": "largest absolute error", "units": "substrate of the standard run"},
            ),
            "seconds": (
                ("solver", "rtol"),
                seconds,
                {"long_name": "time for one trajectory", "units": "s"},
            ),
            "preparation": (
                "solver",
                np.maximum(first - n * seconds[:, 0], 0.0),
                {"long_name": "time of the first call without the trajectories", "units": "s"},
            ),
        },
        coords={"solver": list(methods), "rtol": list(tolerances)},
    )


@dataclass(frozen=True)
class EqualError:
    """Two solvers where both make the same error.

    Attributes
    ----------
    error
        Errors compared at, shape (K,).
    ratio
        Time of the one over that of the other, shape (K,); NaN where one of them was not measured
        on both sides of the error.
    common
        Smallest and largest error that both were measured to reach; None if there is none.
    """

    error: NDArray[np.float64]
    ratio: NDArray[np.float64]
    common: tuple[float, float] | None


def equal_error(
    one: tuple[ArrayLike, ArrayLike],
    other: tuple[ArrayLike, ArrayLike],
    at: ArrayLike | None = None,
) -> EqualError:
    """Compare the times of two solvers at equal error instead of equal tolerance.

    Between measured tolerances the logarithm of the time is interpolated linearly in the logarithm
    of the error; beyond them nothing is said. A tolerance that gave a larger error in a longer time
    than another one is left out.

    Parameters
    ----------
    one, other
        Errors and seconds a trajectory at several tolerances, each pair of shape (tolerances,).
    at
        Errors to compare at, shape (K,); by default those measured of `one`.

    Returns
    -------
    EqualError
        ``ratio`` is the time of `one` over that of `other`.

    Raises
    ------
    ValueError
        If no tolerance of one of them has a finite error and time above zero.
    """
    errors = np.atleast_1d(np.asarray(one[0] if at is None else at, dtype=np.float64))
    curves = [_front(*curve) for curve in (one, other)]
    with np.errstate(divide="ignore"):  # no error at all lies left of every curve
        where = np.log(errors)
    times = [np.interp(where, *curve, left=np.nan, right=np.nan) for curve in curves]
    low = max(curve[0][0] for curve in curves)
    high = min(curve[0][-1] for curve in curves)
    common = (float(np.exp(low)), float(np.exp(high))) if low <= high else None
    return EqualError(errors, np.exp(times[0] - times[1]), common)


def _front(errors: ArrayLike, seconds: ArrayLike) -> tuple[NDArray, NDArray]:
    """Logarithms of error and time, by rising error, where no other point is better in both."""
    errors, seconds = np.asarray(errors, np.float64), np.asarray(seconds, np.float64)
    known = np.isfinite(errors) & np.isfinite(seconds) & (errors > 0) & (seconds > 0)
    if not known.any():
        raise ValueError(
            f"no point to compare at: errors {errors.tolist()}, seconds {seconds.tolist()}; "
            "expected at least one tolerance with both finite and above zero"
        )
    points = np.log(np.stack([errors[known], seconds[known]]))
    x, y = points[:, np.lexsort(points[::-1])]
    best = y <= np.minimum.accumulate(y)
    return x[best], y[best]
