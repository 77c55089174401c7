"""Stiff solvers by others behind one call, to be measured beside `kinetlib.kinetics.integrate`.

Each is given what it can use: SciPy's solvers and scikit-sundae a compiled rate law and a compiled
analytic Jacobian, libRoadRunner the model as SBML, which it compiles itself, diffrax a rate law
that JAX compiles together with the solver. A library is imported when `solver` is asked for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from kinetlib.kinetics import interchange
from kinetlib.kinetics.network import Network
from kinetlib.records import quiet

ABSOLUTE = 1e-3  # absolute tolerance relative to the relative one: concentrations are of order one
_MAX_STEPS = 100_000  # of a trajectory, where a library has a bound; the same as ours

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

    def failed(self) -> NDArray[np.float64]:
        """Return what stands for a trajectory that a solver gave up: NaN, shape (T, S)."""
        return np.full((len(self.times), len(self.initial)), np.nan)


#: ``solver(problem, rtol)``: concentrations, shape (n, T, S); NaN throughout where it gave up, of
#: which CVODE writes to the streams of the process. The absolute tolerance is `ABSOLUTE` of `rtol`.
Solver = Callable[[Problem, float], NDArray[np.float64]]


def solver(name: str) -> Solver:
    """Make a solver.

    It keeps what it compiles for a network as long as it lives: the first call for a network takes
    longer, with diffrax also the first for a number of trajectories or of output times.

    Parameters
    ----------
    name
        One of `NAMES`.

    Raises
    ------
    ValueError
        For a name that is not known, or where the library is not installed.
    """
    if name not in _MAKE:
        raise ValueError(f"unknown solver {name!r}: expected one of {', '.join(NAMES)}")
    try:
        return _MAKE[name]()
    except ImportError as error:
        raise ValueError(
            f"the solver {name} needs {error.name}, which is not installed: "
            "pip install 'kinetlib[peers]'"
        ) from None


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
    return done.y.T if done.success else problem.failed()


class _SciPy:
    """One of the methods of `scipy.integrate.solve_ivp`."""

    def __init__(self, method: str) -> None:
        self._method = method

    def __call__(self, problem: Problem, rtol: float) -> NDArray[np.float64]:
        options = {"rtol": rtol, "atol": ABSOLUTE * rtol}
        indices = range(len(problem.rate_constants))
        return np.stack([scipy_trajectory(problem, i, self._method, **options) for i in indices])


class _RoadRunner:
    """libRoadRunner: CVODE of SUNDIALS on a model that it compiled from SBML."""

    def __init__(self) -> None:
        if "tensorflow" in sys.modules and "roadrunner" not in sys.modules:
            # Each brings an LLVM of its own, and this order of loading ends the process.
            raise ValueError("import libRoadRunner (import roadrunner) before TensorFlow")
        import roadrunner

        self._module = roadrunner
        self._models: dict[str, Any] = {}

    def __call__(self, problem: Problem, rtol: float) -> NDArray[np.float64]:
        model = self._model(problem)
        model.integrator.setValue("relative_tolerance", rtol)
        model.integrator.setValue("absolute_tolerance", ABSOLUTE * rtol)
        times = problem.times.tolist()
        ids = interchange.identifiers(problem.network)
        names = [ids[constant] for constant in problem.network.constants]
        found = []
        for constants in problem.rate_constants:
            model.resetToOrigin()
            for name, value in zip(names, constants, strict=True):
                model[name] = value
            try:
                found.append(np.array(model.simulate(times=times)))
            except RuntimeError:  # CVODE gave up
                found.append(problem.failed())
        return np.stack(found)

    def _model(self, problem: Problem) -> Any:
        """Build the model of a network, or find it; its initial state is part of it."""
        network = problem.network
        key = f"{network} from {problem.initial.tolist()}"
        if key not in self._models:
            ids = interchange.identifiers(network)
            start = dict(zip(network.species, problem.initial.tolist(), strict=True))
            ones = dict.fromkeys(network.constants, 1.0)
            model = self._module.RoadRunner(interchange.to_sbml(network, ones, start))
            model.timeCourseSelections = [f"[{ids[species]}]" for species in network.species]
            model.integrator.setValue("maximum_num_steps", _MAX_STEPS)
            self._models[key] = model
        return self._models[key]


class _Sundae:
    """scikit-sundae: CVODE of SUNDIALS, driven from Python."""

    def __init__(self) -> None:
        from sksundae.cvode import CVODE

        self._cvode = CVODE

    def __call__(self, problem: Problem, rtol: float) -> NDArray[np.float64]:
        return np.stack([self._trajectory(problem, k, rtol) for k in problem.rate_constants])

    def _trajectory(self, problem: Problem, constants: NDArray, rtol: float) -> NDArray:
        rhs, jacobian = rate_law(problem.network, constants)

        def fill(t: float, y: NDArray, out: NDArray) -> None:
            out[:] = rhs(t, np.array(y))

        def fill_jacobian(t: float, y: NDArray, _: NDArray, out: NDArray) -> None:
            out[:, :] = jacobian(t, np.array(y))

        # Steps to the next output, ten times its default. At loose tolerances a trajectory may
        # leave the solution; with a larger bound, the mean time would tell of nothing else.
        options = {"rtol": rtol, "atol": ABSOLUTE * rtol, "max_num_steps": 5_000}
        done = self._cvode(fill, jacfn=fill_jacobian, **options).solve(
            problem.times, problem.initial
        )
        return done.y if len(done.t) == len(problem.times) else problem.failed()


class _Diffrax:
    """diffrax: Kvaerno5 in double precision, compiled by JAX for the processor.

    ``together`` maps the solver over the trajectories (``vmap``), which then step in lockstep until
    the slowest is done; otherwise they are computed one after the other, in one compiled loop.
    """

    def __init__(self, *, together: bool = False) -> None:
        import diffrax
        import jax
        import optimistix

        self._diffrax, self._jax, self._newton = diffrax, jax, optimistix.Newton
        self._together = together
        self._compiled: dict[str, Callable] = {}

    def __call__(self, problem: Problem, rtol: float) -> NDArray[np.float64]:
        key = str(problem.network)
        # Double precision for these calls only: JAX has one switch for the whole process.
        with quiet.on_processor(), self._jax.enable_x64(True):
            if key not in self._compiled:
                self._compiled[key] = self._jax.jit(self._batch(problem.network))
            solve = self._compiled[key]
            return np.array(solve(problem.rate_constants, problem.initial, problem.times, rtol))

    def _batch(self, network: Network) -> Callable:
        """Return the solver of all trajectories of a network, to be compiled."""
        diffrax, jax = self._diffrax, self._jax
        law = written_out(network)
        term = diffrax.ODETerm(lambda t, c, k: jax.numpy.stack(law(c, k)))
        # Newton's method with a new Jacobian in each iteration. With diffrax's default, which keeps
        # one, now and then a trajectory close to its end takes 100,000 steps, most of them in vain.
        root_finder = diffrax.with_stepsize_controller_tols(self._newton)()

        def trajectory(constants, initial, times, rtol):
            # Coefficients that the documentation suggests for mildly stiff problems: with them the
            # median error is a fifth and the time six fifths of that with the default ones.
            control = diffrax.PIDController(rtol, ABSOLUTE * rtol, pcoeff=0.3, icoeff=0.4)
            done = diffrax.diffeqsolve(
                term,
                diffrax.Kvaerno5(root_finder=root_finder),
                times[0],
                times[-1],
                None,
                initial,
                args=constants,
                saveat=diffrax.SaveAt(ts=times),
                stepsize_controller=control,
                max_steps=_MAX_STEPS,
                throw=False,
            )
            succeeded = done.result == diffrax.RESULTS.successful
            return jax.numpy.where(succeeded, done.ys, np.nan)

        def batch(constants, initial, times, rtol):
            if self._together:
                each = jax.vmap(trajectory, (0, None, None, None))
                return each(constants, initial, times, rtol)
            return jax.lax.map(lambda k: trajectory(k, initial, times, rtol), constants)

        return batch


def written_out(network: Network) -> Callable:
    """Return the rate law in plain operations: ``law(c, k)`` lists what each species changes by."""
    reactants = [
        [j for j, order in enumerate(orders) for _ in range(order)] for orders in network.orders
    ]
    changes = [
        [(r, n) for r, n in enumerate(column) if n] for column in network.stoichiometry.T.tolist()
    ]

    def law(c, k):
        rates = []
        for rate, factors in zip(k, reactants, strict=True):
            for j in factors:
                rate = rate * c[j]
            rates.append(rate)
        return [sum(n * rates[r] for r, n in column) for column in changes]

    return law


_MAKE: dict[str, Callable[[], Solver]] = {
    "LSODA": lambda: _SciPy("LSODA"),
    "BDF": lambda: _SciPy("BDF"),
    "Radau": lambda: _SciPy("Radau"),
    "libRoadRunner": _RoadRunner,
    "scikit-sundae": _Sundae,
    "diffrax": _Diffrax,
    "diffrax, vmap": lambda: _Diffrax(together=True),
}
#: The solvers that `solver` makes.
NAMES = tuple(_MAKE)
