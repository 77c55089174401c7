"""A first guess without a simulation: what monomials, integrated over time, make of each species.

Between two times a species changes by the sum over its effects of k times the integral of the
monomial. With curves smoothed, that is linear in the constants, and none of them is negative: one
problem of non-negative least squares a species (Lawson, Hanson, Solving Least Squares Problems,
1974), whose solutions are sparse by themselves (Slawski, Hein, Electron. J. Stat. 7, 3004, 2013).
Integrals instead of derivatives, because noise grows in a derivative and averages out in an
integral (Schaeffer, McCalla, Phys. Rev. E 96, 023302, 2017).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_simpson
from scipy.interpolate import PchipInterpolator, make_splrep
from scipy.optimize import nnls

from kinetlib.crnn.effects import Effects
from kinetlib.crnn.runs import FLOOR, Curves

_FINE = 201  # times of a smoothed run that integrals are taken over
_WINDOWS = 20  # parts of a run over which changes are compared
_FEWEST = 6  # points that a smoothing spline needs


def smoothed(curves: Curves, noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smooth all curves: times (r, F) and concentrations (r, F, S), none negative.

    Parameters
    ----------
    curves
        Runs; a species without any value in a run is an error.
    noise
        Standard deviation of the noise relative to the value.
    """
    n_runs, _, n_species = curves.value.shape
    # Dense at the start, where curves bend most.
    time = curves.time[:, -1:] * np.linspace(0, 1, _FINE) ** 2
    found = np.empty((n_runs, _FINE, n_species))
    for run in range(n_runs):
        for j in range(n_species):
            found[run, :, j] = _smooth(curves, run, j, noise)(time[run])
    return time, np.maximum(found, 0.0)


def _smooth(curves: Curves, run: int, j: int, noise: float) -> Callable[[NDArray], NDArray]:
    """Smooth one species in one run, the start as it is known.

    The spline has as few knots as leave residuals of the noise's size (Dierckx, Curve and Surface
    Fitting with Splines, 1993, chapter 5).
    """
    known = np.isfinite(curves.value[run, :, j])
    known &= np.append(True, np.diff(curves.time[run]) > 0)
    known[0] = True
    t, y = curves.time[run, known], curves.value[run, known, j]
    y[0] = curves.initial[run, j]
    if len(t) < _FEWEST:
        return PchipInterpolator(t, y)
    weight = 1 / np.hypot(noise * np.abs(y), FLOOR * curves.scale[j])
    return make_splrep(t, y, w=weight, s=len(t))


def first_constants(curves: Curves, effects: Effects, noise: float) -> NDArray[np.float64]:
    """Estimate the constant of each effect, zero for most, shape (E,)."""
    time, value = smoothed(curves, noise)
    # Simpson's rule wants one axis of times; all runs share the parts of their length.
    part = time[0] / time[0, -1]
    length = time[:, -1]
    monomials = effects.monomials(value) * length[:, None, None]
    integral = cumulative_simpson(monomials, x=part, axis=1, initial=0.0)
    ends = np.unique(np.searchsorted(part, np.linspace(0, 1, _WINDOWS + 1)).clip(0, _FINE - 1))
    changes = np.diff(value[:, ends], axis=1)
    made = np.diff(integral[:, ends], axis=1) * effects.sign
    middle = (value[:, ends[1:]] + value[:, ends[:-1]]) / 2
    deviation = np.hypot(noise * middle, FLOOR * curves.scale) + 1e-300
    constants = np.zeros(len(effects))
    for j in range(len(effects.species)):
        own = np.flatnonzero(effects.changed == j)
        weight = (1 / deviation[..., j]).reshape(-1)
        columns = made[..., own].reshape(-1, len(own)) * weight[:, None]
        size = np.linalg.norm(columns, axis=0)
        usable = size > 0
        if not usable.any():
            continue
        solved, _ = nnls(columns[:, usable] / size[usable], changes[..., j].reshape(-1) * weight)
        constants[own[usable]] = solved / size[usable]
    return constants
