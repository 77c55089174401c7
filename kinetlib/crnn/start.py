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
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
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


@dataclass(frozen=True)
class Balance:
    """Changes of species between times, and what one unit of each constant makes of them.

    Attributes
    ----------
    effects
        The effects, E of them.
    changes
        Change of each species over each window, over its noise, shape (windows, S).
    made
        What each effect makes of its species meanwhile, over the same noise, shape (windows, E).
    """

    effects: Effects
    changes: NDArray[np.float64]
    made: NDArray[np.float64]

    @classmethod
    def of(cls, curves: Curves, effects: Effects, noise: float) -> Balance:
        """Integrate the monomials of smoothed curves."""
        time, value = smoothed(curves, noise)
        # All runs share the parts of their length.
        part, length = time[0] / time[0, -1], time[:, -1]
        monomials = effects.monomials(value) * length[:, None, None]
        integral = cumulative_simpson(monomials, x=part, axis=1, initial=0.0)
        ends = np.unique(np.searchsorted(part, np.linspace(0, 1, _WINDOWS + 1)).clip(0, _FINE - 1))
        middle = (value[:, ends[1:]] + value[:, ends[:-1]]) / 2
        deviation = np.hypot(noise * middle, FLOOR * curves.scale)
        changes = np.diff(value[:, ends], axis=1) / deviation
        made = np.diff(integral[:, ends], axis=1) * effects.sign / deviation[..., effects.changed]
        windows = changes.shape[0] * changes.shape[1]
        return cls(effects, changes.reshape(windows, -1), made.reshape(windows, -1))

    def solve(self, rng: Generator | None = None) -> NDArray[np.float64]:
        """Return the constant of each effect, zero for most, shape (E,).

        With `rng` the windows are a bootstrap sample, which gives another start.
        """
        n = len(self.changes)
        drawn = np.arange(n) if rng is None else rng.integers(0, n, n)
        constants = np.zeros(len(self.effects))
        for j in range(self.changes.shape[1]):
            own = np.flatnonzero(self.effects.changed == j)
            columns = self.made[np.ix_(drawn, own)]
            size = np.linalg.norm(columns, axis=0)
            own, columns, size = own[size > 0], columns[:, size > 0], size[size > 0]
            if len(own):
                constants[own] = nnls(columns / size, self.changes[drawn, j])[0] / size
        return constants
