"""Rodas4 for mass-action networks given as tables: the check of the generated integrators.

The method is the same, the code another: one kernel for all networks, whose LU factorisation
pivots.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kinetlib.kinetics.network import Network

SUCCESS, STEP_BUDGET, STEP_UNDERFLOW, NOT_FINITE = range(4)  # of a trajectory

GAMMA = 0.25
# Hairer and Wanner's RODAS, METH = 1, in the transformed variables that spare matrix products.
A = np.array(
    [
        [0.0, 0.0, 0.0, 0.0],
        [1.544, 0.0, 0.0, 0.0],
        [0.9466785280815826, 0.2557011698983284, 0.0, 0.0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0.0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950],
    ]
)
C = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [-5.6688, 0.0, 0.0, 0.0, 0.0],
        [-2.430093356833875, -0.2063599157091915, 0.0, 0.0, 0.0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0.0, 0.0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0.0],
        [
            8.083246795921522,
            -7.981132988064893,
            -31.52159432874371,
            16.31930543123136,
            -6.058818238834054,
        ],
    ]
)
D2 = np.array(
    [
        10.12623508344586,
        -7.487995877610167,
        -34.80091861555747,
        -7.992771707568823,
        1.025137723295662,
    ]
)
D3 = np.array(
    [
        -0.6762803392801253,
        6.087714651680015,
        16.43084320892478,
        24.76722511418386,
        -6.594389125712872,
    ]
)

SAFETY, SHRINK_MOST, GROW_MOST = 0.9, 0.2, 6.0
SMALLEST_STEP = np.finfo(np.float64).tiny  # below it 1 / h loses digits, then overflows

# NumPy's error model: a division by zero gives inf, which the error test rejects, and no exception.
_compiled = njit(cache=True, nogil=True, error_model="numpy")


@_compiled
def _rhs(reactants, stoichiometry, k, y, out):
    """Rate law. A reaction that lacks a reactant (a negative concentration) runs backwards.

    ``k [A][B]`` would run forwards where rounding or the error of a step left both A and B below
    zero, and drive them to minus infinity in finite time; ``-k |A||B|`` brings them back.
    """
    out[:] = 0.0
    for r in range(reactants.shape[0]):
        rate, lacking = k[r], False
        for slot in range(reactants.shape[1]):
            j = reactants[r, slot]
            if j >= 0:
                rate *= abs(y[j])
                lacking = lacking or y[j] < 0.0
        if lacking:
            rate = -rate
        for i in range(y.size):
            out[i] += stoichiometry[r, i] * rate


@_compiled
def _slope(reactants, k, y, r, slot):
    """Differentiate the rate of reaction ``r`` by the species in one of its reactant slots."""
    slope, others_lacking = k[r], False
    for other in range(reactants.shape[1]):
        j = reactants[r, other]
        if other != slot and j >= 0:
            slope *= abs(y[j])
            others_lacking = others_lacking or y[j] < 0.0
    return -slope if others_lacking and y[reactants[r, slot]] >= 0.0 else slope


@_compiled
def _iteration_matrix(reactants, stoichiometry, k, y, diagonal, out):
    """Fill ``out`` with ``diagonal I - J(y)``."""
    n = y.size
    out[:, :] = 0.0
    for i in range(n):
        out[i, i] = diagonal
    for r in range(reactants.shape[0]):
        for slot in range(reactants.shape[1]):
            j = reactants[r, slot]
            if j >= 0:
                slope = _slope(reactants, k, y, r, slot)
                for i in range(n):
                    out[i, j] -= stoichiometry[r, i] * slope


@_compiled
def _factorise(matrix, pivots):
    """LU in place with partial pivoting; False where the matrix is singular or not finite."""
    n = matrix.shape[0]
    for j in range(n):
        p = j
        for i in range(j + 1, n):
            if abs(matrix[i, j]) > abs(matrix[p, j]):
                p = i
        pivots[j] = p
        if not (abs(matrix[p, j]) > 0.0) or not np.isfinite(matrix[p, j]):
            return False
        if p != j:
            for m in range(n):
                matrix[j, m], matrix[p, m] = matrix[p, m], matrix[j, m]
        inverse = 1.0 / matrix[j, j]
        for i in range(j + 1, n):
            if matrix[i, j] != 0.0:
                matrix[i, j] *= inverse
                for m in range(j + 1, n):
                    matrix[i, m] -= matrix[i, j] * matrix[j, m]
    return True


@_compiled
def _solve(lu, pivots, b):
    n = b.size
    for j in range(n):
        p = pivots[j]
        if p != j:
            b[j], b[p] = b[p], b[j]
    for i in range(n):
        for m in range(i):
            b[i] -= lu[i, m] * b[m]
    for i in range(n - 1, -1, -1):
        for m in range(i + 1, n):
            b[i] -= lu[i, m] * b[m]
        b[i] /= lu[i, i]


@_compiled
def _stages(reactants, stoichiometry, k, y, h, lu, pivots, stages, y_new, work):
    """Compute the six stages; leave the new solution in ``y_new`` and the error in stage 5."""
    n = y.size
    for s in range(6):
        if s < 5:
            for i in range(n):
                y_new[i] = y[i]
                for m in range(s):
                    y_new[i] += A[s, m] * stages[m, i]
        else:
            for i in range(n):
                y_new[i] += stages[4, i]
        _rhs(reactants, stoichiometry, k, y_new, work)
        for m in range(s):
            for i in range(n):
                work[i] += C[s, m] / h * stages[m, i]
        _solve(lu, pivots, work)
        stages[s] = work
    for i in range(n):
        y_new[i] += stages[5, i]


@_compiled
def _first_step(reactants, stoichiometry, k, y, end, rtol, atol, work):
    """Step over which an explicit Euler step changes the state by about its tolerance."""
    _rhs(reactants, stoichiometry, k, y, work)
    change = 0.0
    for i in range(y.size):
        change = max(change, abs(work[i]) / (atol[i] + rtol * abs(y[i])))
    if change > 0.0 and np.isfinite(change):
        return min(end, 1.0 / change)
    return end


@_compiled
def _error_norm(y, y_new, error, rtol, atol):
    """Root mean square of a step's error relative to the tolerance; inf where not finite."""
    total = 0.0
    for i in range(y.size):
        scale = atol[i] + rtol * max(abs(y[i]), abs(y_new[i]))
        total += (error[i] / scale) ** 2 if np.isfinite(scale) else np.inf
    norm = np.sqrt(total / y.size)
    return norm if np.isfinite(norm) else np.inf


@_compiled
def _dense_output(s, y, y_new, stages, out):
    """Write the solution at the fraction ``s`` of a step."""
    for i in range(y.size):
        c2 = c3 = 0.0
        for m in range(5):
            c2 += D2[m] * stages[m, i]
            c3 += D3[m] * stages[m, i]
        out[i] = y[i] * (1.0 - s) + s * (y_new[i] + (1.0 - s) * (c2 + s * c3))


@_compiled
def _trajectory(reactants, stoichiometry, k, y0, times, rtol, atol, max_steps, out, peak):
    """Integrate one trajectory; return its status and the number of steps tried."""
    n = y0.size
    out[:, :] = np.nan
    peak[:] = np.nan
    if not (np.all(np.isfinite(k)) and np.all(np.isfinite(y0)) and np.all(np.isfinite(times))):
        return NOT_FINITE, 0
    y, y_new, work = y0.copy(), np.empty(n), np.empty(n)
    stages = np.empty((6, n))
    lu, pivots = np.empty((n, n)), np.empty(n, dtype=np.int64)
    peak[:] = np.abs(y)

    done, t, end = 0, 0.0, times[-1]
    while done < times.size and times[done] <= 0.0:
        out[done] = y
        done += 1
    h = _first_step(reactants, stoichiometry, k, y, end, rtol, atol, work)
    rejected = False
    for step in range(max_steps):
        if done == times.size:
            return SUCCESS, step
        h = min(h, end - t)
        if t + h <= t or h < SMALLEST_STEP:
            return STEP_UNDERFLOW, step
        _iteration_matrix(reactants, stoichiometry, k, y, 1.0 / (GAMMA * h), lu)
        error = np.inf
        if _factorise(lu, pivots):
            _stages(reactants, stoichiometry, k, y, h, lu, pivots, stages, y_new, work)
            error = _error_norm(y, y_new, stages[5], rtol, atol)
        factor = SAFETY * error**-0.25 if error > 0.0 else GROW_MOST
        factor = min(GROW_MOST, max(SHRINK_MOST, factor))
        if error > 1.0:
            h *= factor
            rejected = True
            continue
        # The last step lands on the end itself, whatever rounding makes of t + h.
        t_new = end if h >= end - t else t + h
        while done < times.size and times[done] <= t_new:
            _dense_output((times[done] - t) / h, y, y_new, stages, out[done])
            done += 1
        t = t_new
        y[:] = y_new
        peak[:] = np.maximum(peak, np.abs(y))
        h *= min(factor, 1.0) if rejected else factor
        rejected = False
    return (SUCCESS if done == times.size else STEP_BUDGET), max_steps


@_compiled
def integrate_block(
    reactants,
    stoichiometry,
    constants,
    initial,
    times,
    scale,
    rtol,
    atol,
    max_steps,
    out,
    status,
    n_steps,
    peak,
):
    """Integrate a block of trajectories one after the other; see `integrate`."""
    for i in range(initial.shape[0]):
        status[i], n_steps[i] = _trajectory(
            reactants,
            stoichiometry,
            constants[i],
            initial[i],
            times[i],
            rtol,
            atol * scale[i],
            max_steps,
            out[i],
            peak[i],
        )


def kernel(network: Network) -> Callable[..., None]:
    """Return this kernel for a network, called as `kinetlib.kinetics.kernels.kernel` is."""
    tables = tables_of(network)

    def integrate_network(constants, initial, *rest) -> None:
        times, scale = (
            np.array(np.broadcast_to(rows, (len(constants), rows.shape[1])), order="C")
            for rows in rest[:2]
        )
        peak = np.empty(initial.shape) if rest[-1] is None else rest[-1]
        integrate_block(*tables, constants, initial, times, scale, *rest[2:-1], peak)

    return integrate_network


def tables_of(network: Network) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Reactant slots (R, largest order), -1 where empty, and net stoichiometry (R, S)."""
    slots = [
        [network.index(name) for name, count in reaction.reactants.items() for _ in range(count)]
        for reaction in network.reactions
    ]
    width = max(1, max(len(row) for row in slots))
    reactants = np.array([row + [-1] * (width - len(row)) for row in slots], dtype=np.int64)
    return reactants, network.stoichiometry.astype(np.float64)
