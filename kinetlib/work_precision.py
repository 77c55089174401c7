"""What an accuracy costs: SciPy's stiff solvers and `kinetlib.integrate` on the same problems.

SciPy's solvers get a compiled rate law and a compiled analytic Jacobian: the comparison is one of
methods, and of the language they are driven from. Everything runs on one core.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numba import njit
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from kinetlib.integrate import integrate
from kinetlib.mechanisms import Mechanism
from kinetlib.network import Network

OURS = "kinetlib"
METHODS = ("LSODA", "BDF", "Radau", OURS)
ABSOLUTE = 1e-3  # absolute tolerance relative to the relative one: concentrations are of order one
_REFERENCE = {"rtol": 1e-10, "atol": 1e-13}
#: Least number of trajectories that kinetlib is given in one call: a call has a price of its own.
BATCH = 2000
_REPEATS = 5  # of a batch; their median counts

RateLaw = Callable[[float, NDArray], NDArray]


@dataclass(frozen=True)
class Problem:
    """Trajectories of one network that every solver computes.

    Attributes
    ----------
    network
        R reactions among S species.
    rate_constants
        Shape (n, R).
    initial
        Concentrations at time 0, shape (S,).
    times
        Output times, shape (T,), from 0.
    """

    network: Network
    rate_constants: NDArray[np.float64]
    initial: NDArray[np.float64]
    times: NDArray[np.float64]


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
    start = mechanism.default_initial
    return Problem(
        network,
        10.0 ** rng.uniform(*np.log10(constants), (n, len(network.constants))),
        np.array([start.get(species, 0.0) for species in network.species]),
        np.linspace(0.0, 100.0, 101) if times is None else times,
    )


def rate_law(network: Network, constants: NDArray[np.float64]) -> tuple[RateLaw, RateLaw]:
    """Return right-hand side and Jacobian of one trajectory as SciPy calls them, compiled.

    Parameters
    ----------
    network
        R reactions among S species.
    constants
        Shape (R,).

    Returns
    -------
    tuple
        ``rhs(t, c)`` of shape (S,) and ``jacobian(t, c)`` of shape (S, S).
    """
    orders, stoichiometry = network.orders, network.stoichiometry.astype(np.float64)
    k = np.array(constants, dtype=np.float64)

    def rhs(t: float, c: NDArray) -> NDArray:
        return _rhs(orders, stoichiometry, k, c)

    def jacobian(t: float, c: NDArray) -> NDArray:
        return _jacobian(orders, stoichiometry, k, c)

    return rhs, jacobian


@njit(cache=True)
def _rhs(orders, stoichiometry, k, c):
    out = np.zeros(c.size)
    for r in range(k.size):
        rate = k[r]
        for j in range(c.size):
            rate *= c[j] ** orders[r, j]
        for i in range(c.size):
            out[i] += stoichiometry[r, i] * rate
    return out


@njit(cache=True)
def _jacobian(orders, stoichiometry, k, c):
    out = np.zeros((c.size, c.size))
    for r in range(k.size):
        for j in range(c.size):
            if orders[r, j] > 0:
                slope = k[r] * orders[r, j] * c[j] ** (orders[r, j] - 1)
                for other in range(c.size):
                    if other != j:
                        slope *= c[other] ** orders[r, other]
                for i in range(c.size):
                    out[i, j] += stoichiometry[r, i] * slope
    return out


def scipy_trajectory(
    problem: Problem, index: int, method: str, *, rtol: float, atol: float, max_step: float = np.inf
) -> NDArray[np.float64]:
    """Compute one trajectory of a problem with `scipy.integrate.solve_ivp`.

    Returns
    -------
    NDArray
        Shape (T, S); NaN throughout where the solver gave up.
    """
    rhs, jacobian = rate_law(problem.network, problem.rate_constants[index])
    times = problem.times
    done = solve_ivp(
        rhs,
        (times[0], times[-1]),
        problem.initial,
        method,
        t_eval=times,
        rtol=rtol,
        atol=atol,
        max_step=max_step,
        jac=jacobian,
    )
    if not done.success:
        return np.full((len(times), len(problem.initial)), np.nan)
    return done.y.T


def reference(problem: Problem) -> NDArray[np.float64]:
    """Compute all trajectories with Radau at rtol 1e-10 and atol 1e-13, shape (n, T, S)."""
    indices = range(len(problem.rate_constants))
    return np.stack([scipy_trajectory(problem, i, "Radau", **_REFERENCE) for i in indices])


def solve(problem: Problem, method: str, rtol: float) -> tuple[NDArray[np.float64], float]:
    """Compute all trajectories of a problem with one method on one core.

    Parameters
    ----------
    method
        One of `METHODS`.
    rtol
        Relative tolerance; the absolute one is `ABSOLUTE` of it.

    Returns
    -------
    concentration
        Shape (n, T, S).
    seconds
        Time for one trajectory, the mean over all.

    Raises
    ------
    ValueError
        For a method that is not known.
    """
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}: expected one of {', '.join(METHODS)}")
    n = len(problem.rate_constants)
    atol = ABSOLUTE * rtol
    if method == OURS:
        return _ours(problem, rtol, atol)
    begin = time.perf_counter()
    runs = [scipy_trajectory(problem, i, method, rtol=rtol, atol=atol) for i in range(n)]
    return np.stack(runs), (time.perf_counter() - begin) / n


def _ours(problem: Problem, rtol: float, atol: float) -> tuple[NDArray[np.float64], float]:
    """Solve all trajectories in one call, repeated to the size of a batch as datasets need them."""
    n = len(problem.rate_constants)
    constants = np.tile(problem.rate_constants, (-(-BATCH // n), 1))
    initial = np.broadcast_to(problem.initial, (len(constants), len(problem.initial)))
    seconds = []
    for _ in range(_REPEATS):
        begin = time.perf_counter()
        solution = integrate(
            problem.network, constants, initial, problem.times, rtol=rtol, atol=atol, threads=1
        )
        seconds.append(time.perf_counter() - begin)
    return solution.concentration[:n], float(np.median(seconds)) / len(constants)


def measure(
    problem: Problem, tolerances: Sequence[float], methods: Sequence[str] = METHODS
) -> xr.Dataset:
    """Measure error and time of each method at each tolerance.

    Returns
    -------
    xarray.Dataset
        ``error`` (solver, rtol, trajectory), the largest absolute error over species and
        output times against `reference`, NaN where a trajectory failed; ``seconds`` (solver,
        rtol), for one trajectory.
    """
    exact = reference(problem)
    error = np.empty((len(methods), len(tolerances), len(problem.rate_constants)))
    seconds = np.empty(error.shape[:2])
    for m, method in enumerate(methods):
        solve(problem, method, tolerances[0])  # compiles, or loads what was compiled
        for t, rtol in enumerate(tolerances):
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
        },
        coords={"solver": list(methods), "rtol": list(tolerances)},
    )
