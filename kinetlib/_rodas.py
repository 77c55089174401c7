"""The compiled kernel of `kinetlib.integrate`: Rodas4 for mass-action networks given as tables."""

from __future__ import annotations

import numpy as np
from numba import njit

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


@njit(cache=True, nogil=True)
def _rhs(reactants, stoichiometry, k, y, out):
    out[:] = 0.0
    for r in range(reactants.shape[0]):
        rate = k[r]
        for slot in range(reactants.shape[1]):
            if reactants[r, slot] >= 0:
                rate *= y[reactants[r, slot]]
        for i in range(y.size):
            out[i] += stoichiometry[r, i] * rate


@njit(cache=True, nogil=True)
def _iteration_matrix(reactants, stoichiometry, k, y, diagonal, out):
    """Fill ``out`` with ``diagonal I - J(y)``."""
    n = y.size
    out[:, :] = 0.0
    for i in range(n):
        out[i, i] = diagonal
    for r in range(reactants.shape[0]):
        for slot in range(reactants.shape[1]):
            j = reactants[r, slot]
            if j < 0:
                continue
            slope = k[r]
            for other in range(reactants.shape[1]):
                if other != slot and reactants[r, other] >= 0:
                    slope *= y[reactants[r, other]]
            for i in range(n):
                out[i, j] -= stoichiometry[r, i] * slope


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
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


@njit(cache=True, nogil=True)
def _first_step(reactants, stoichiometry, k, y, end, rtol, atol, work):
    """Step over which an explicit Euler step changes the state by about its tolerance."""
    _rhs(reactants, stoichiometry, k, y, work)
    change = 0.0
    for i in range(y.size):
        change = max(change, abs(work[i]) / (atol + rtol * abs(y[i])))
    if change > 0.0 and np.isfinite(change):
        return min(end, 1.0 / change)
    return end


@njit(cache=True, nogil=True)
def _trajectory(reactants, stoichiometry, k, y0, times, rtol, atol, max_steps, out):
    """Integrate one trajectory; return its status and the number of steps tried."""
    n = y0.size
    out[:, :] = np.nan
    if not (np.all(np.isfinite(k)) and np.all(np.isfinite(y0)) and np.all(np.isfinite(times))):
        return 3, 0
    y, y_new, work = y0.copy(), np.empty(n), np.empty(n)
    stages = np.empty((6, n))
    lu, pivots = np.empty((n, n)), np.empty(n, dtype=np.int64)

    done, t, end = 0, 0.0, times[-1]
    while done < times.size and times[done] <= 0.0:
        out[done] = y
        done += 1
    h = _first_step(reactants, stoichiometry, k, y, end, rtol, atol, work)
    rejected = False
    for step in range(max_steps):
        if done == times.size:
            return 0, step
        h = min(h, end - t)
        if not (t + h > t):
            return 2, step
        _iteration_matrix(reactants, stoichiometry, k, y, 1.0 / (GAMMA * h), lu)
        error = np.inf
        if _factorise(lu, pivots):
            _stages(reactants, stoichiometry, k, y, h, lu, pivots, stages, y_new, work)
            total = 0.0
            for i in range(n):
                scale = atol + rtol * max(abs(y[i]), abs(y_new[i]))
                total += (stages[5, i] / scale) ** 2
            error = np.sqrt(total / n)
        if not np.isfinite(error):
            h *= 0.1
            rejected = True
            continue
        factor = SAFETY * error**-0.25 if error > 0.0 else GROW_MOST
        factor = min(GROW_MOST, max(SHRINK_MOST, factor))
        if error > 1.0:
            h *= factor
            rejected = True
            continue
        # The last step lands on the end itself, whatever rounding makes of t + h.
        t_new = end if h >= end - t else t + h
        while done < times.size and times[done] <= t_new:
            s = (times[done] - t) / h
            for i in range(n):
                c2 = c3 = 0.0
                for m in range(5):
                    c2 += D2[m] * stages[m, i]
                    c3 += D3[m] * stages[m, i]
                out[done, i] = y[i] * (1.0 - s) + s * (y_new[i] + (1.0 - s) * (c2 + s * c3))
            done += 1
        t = t_new
        y[:] = y_new
        h *= min(factor, 1.0) if rejected else factor
        rejected = False
    return (0 if done == times.size else 1), max_steps


@njit(cache=True, nogil=True)
def integrate_block(
    reactants, stoichiometry, constants, initial, times, rtol, atol, max_steps, out, status, n_steps
):
    """Integrate a block of trajectories one after the other; see `kinetlib.integrate.integrate`."""
    for i in range(initial.shape[0]):
        status[i], n_steps[i] = _trajectory(
            reactants,
            stoichiometry,
            constants[i],
            initial[i],
            times[i],
            rtol,
            atol,
            max_steps,
            out[i],
        )
