"""Derivatives of trajectories by other means: slow, and right.

SciPy's Radau integrates values and tangents as one system, ds/dt = J(y) s + df/dp, with its exact
Jacobian. It shares no code with the compiled integrators, and is a check of them.
"""

from __future__ import annotations

import numpy as np
from general_rodas import NOT_FINITE, STEP_BUDGET, STEP_UNDERFLOW, SUCCESS
from numpy.typing import NDArray
from scipy.integrate import Radau

from kinetlib.kinetics.network import Network

_SMALLEST_RTOL = 100 * np.finfo(np.float64).eps  # Radau takes none below


def solve_block(
    network: Network,
    constants: NDArray,
    initial: NDArray,
    times: NDArray,
    scale: NDArray,
    rtol: float,
    atol: float,
    max_steps: int,
    concentration: NDArray,
    status: NDArray,
    n_steps: NDArray,
    peak: None,
    first: int,
    last: int,
    tested: bool,
    tangents: NDArray,
) -> None:
    """Fill the arrays of a block as `kernels.tangent_kernel` does; all errors are tested."""
    if (scale != 1.0).any():
        raise ValueError("Radau is given one absolute tolerance for all")
    options = {"rtol": max(rtol, _SMALLEST_RTOL), "atol": atol, "max_steps": max_steps}
    times = np.broadcast_to(times, (len(constants), times.shape[1]))
    for i, (k, y, at) in enumerate(zip(constants, initial, times, strict=True)):
        system = _System(network, k, first, last)
        out, status[i], n_steps[i] = _trajectory(system, y, at, **options)
        concentration[i] = out[..., 0]
        tangents[i] = out[..., 1:]


class _System:
    """Values y and tangents s, an array of (S, 1 + P) as a vector: law, Jacobian and beginning."""

    def __init__(self, network: Network, k: NDArray, first: int, last: int) -> None:
        self.network, self.k = network, k
        n_reactions, n_species = len(network.reactions), len(network.species)
        which = np.eye(n_reactions + n_species)[first:last]
        self.direct = which[:, :n_reactions]  # (P, R): the constant that a tangent belongs to
        self.start = which[:, n_reactions:].T  # (S, P)
        self.shape = (n_species, 1 + len(which))

    def law(self, t: float, state: NDArray) -> NDArray:
        y, s = np.split(state.reshape(self.shape), [1], axis=1)
        rates = self.network.rates(y[:, 0], self.k)
        net = self.network.stoichiometry
        slope = self.network.jacobian(y[:, 0], self.k) @ s + net.T @ (self.direct * rates).T
        return np.column_stack([rates @ net, slope]).ravel()

    def jacobian(self, t: float, state: NDArray) -> NDArray:
        y, s = np.split(state.reshape(self.shape), [1], axis=1)
        n, width = self.shape
        inner = self.network.jacobian(y[:, 0], self.k)
        whole = np.zeros((n, width, n, width))
        for p in range(width):
            whole[:, p, :, p] = inner
        slopes, curvatures = _derivatives(self.network, y[:, 0], self.k)
        net = self.network.stoichiometry
        bent = np.einsum("ri,rjl,jp->ipl", net, curvatures, s)
        whole[:, 1:, :, 0] = bent + np.einsum("ri,pr,rl->ipl", net, self.direct, slopes)
        return whole.reshape(n * width, n * width)


def _derivatives(network: Network, y: NDArray, k: NDArray) -> tuple[NDArray, NDArray]:
    """First and second derivatives of the rates by the concentrations, (R, S) and (R, S, S)."""
    orders = network.orders
    n = len(y)
    slopes, curvatures = np.zeros((len(k), n)), np.zeros((len(k), n, n))
    one = np.eye(n, dtype=np.int64)
    for j in range(n):
        left = np.maximum(orders - one[j], 0)
        slopes[:, j] = k * orders[:, j] * np.prod(y**left, axis=1)
        for m in range(n):
            rest = np.maximum(left - one[m], 0)
            curvatures[:, j, m] = k * orders[:, j] * left[:, m] * np.prod(y**rest, axis=1)
    return slopes, curvatures


def _trajectory(
    system: _System, y: NDArray, times: NDArray, *, rtol: float, atol: float, max_steps: int
) -> tuple[NDArray, int, int]:
    """Integrate one trajectory: values and tangents (T, S, 1 + P), status, steps."""
    out = np.full((len(times), *system.shape), np.nan)
    if not all(np.isfinite(given).all() for given in (system.k, y, times)):
        return out, NOT_FINITE, 0
    start = np.column_stack([y, system.start])
    done = int((times <= 0).sum())
    out[:done] = start
    if done == len(times):
        return out, SUCCESS, 0
    with np.errstate(all="ignore"):
        solver = Radau(
            system.law, 0.0, start.ravel(), times[-1], rtol=rtol, atol=atol, jac=system.jacobian
        )
        for step in range(max_steps):
            if not _stepped(solver):
                return out, STEP_UNDERFLOW, step
            reached = int((times <= solver.t).sum())
            if reached > done:
                there = solver.dense_output()(times[done:reached])
                out[done:reached] = there.T.reshape(-1, *system.shape)
                done = reached
            if done == len(times):
                return out, SUCCESS, step + 1
    return out, STEP_BUDGET, max_steps


def _stepped(solver: Radau) -> bool:
    """Take a step; False where none is possible."""
    try:
        solver.step()
    except ValueError:  # numbers that are not finite reach the factorisation
        return False
    return solver.status != "failed" and bool(np.isfinite(solver.y).all())
