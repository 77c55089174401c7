"""A first guess without a simulation: what monomials, integrated over time, make of each species.

Between two times a species changes by the sum over its effects of k times the integral of the
monomial. With curves smoothed, that is linear in the constants, and none of them is negative: one
problem of non-negative least squares a species (Lawson, Hanson, Solving Least Squares Problems,
1974), whose solutions are sparse by themselves (Slawski, Hein, Electron. J. Stat. 7, 3004, 2013).
Integrals instead of derivatives, because noise grows in a derivative and averages out in an
integral (Schaeffer, McCalla, Phys. Rev. E 96, 023302, 2017).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.integrate import cumulative_simpson
from scipy.interpolate import BSpline, PchipInterpolator, make_splrep
from scipy.optimize import lsq_linear, nnls

from kinetlib.crnn.effects import Effects
from kinetlib.crnn.runs import Curves

_FINE = 201  # times of a smoothed run that integrals are taken over
_WINDOWS = 20  # parts of a run over which changes are compared
_ENERGIES = (0.0, 50.0, 100.0)  # kJ/mol
_PASSES = 10  # of non-negative least squares over their unknowns, at most
_FEWEST = 6  # points that a smoothing spline needs


@dataclass(frozen=True)
class Smooth:
    """Curves without their noise, at F times of each run.

    Attributes
    ----------
    part
        Times as parts of a run's length, shape (F,).
    length
        Of each run, shape (r,).
    value
        Concentrations, shape (r, F, S), none negative; NaN for a hidden species.
    variance
        Of the noise of a value measured there, shape (r, F, S).
    """

    part: NDArray[np.float64]
    length: NDArray[np.float64]
    value: NDArray[np.float64]
    variance: NDArray[np.float64]

    def thinned(self, every: int) -> Smooth:
        """Return one time out of so many."""
        return Smooth(
            self.part[::every], self.length, self.value[:, ::every], self.variance[:, ::every]
        )


def smoothed(curves: Curves, noise: float) -> Smooth:
    """Smooth all curves, whose noise has a standard deviation relative to the value."""
    part, length = np.linspace(0, 1, _FINE) ** 2, curves.time[:, -1]  # dense where curves bend most
    value = np.full((len(length), _FINE, len(curves.species)), np.nan)
    for run in range(len(length)):
        for j in np.flatnonzero(~curves.hidden):
            value[run, :, j] = spline(curves, run, j, noise)(part * length[run])
    value = np.maximum(value, 0.0)
    return Smooth(part, length, value, curves.deviation(value, noise) ** 2)


def spline(curves: Curves, run: int, j: int, noise: float) -> BSpline | PchipInterpolator:
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
    weight = 1 / np.hypot(noise * np.abs(y), curves.floor[j])
    with warnings.catch_warnings():
        # Where no spline leaves just that much, one that leaves nearly that much does as well.
        warnings.simplefilter("ignore", RuntimeWarning)
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
        What each effect makes of its species meanwhile, over the same noise, with each of the
        activation energies, shape (windows, E, energies).
    energies
        These, in kJ/mol.
    """

    effects: Effects
    changes: NDArray[np.float64]
    made: NDArray[np.float64]
    energies: NDArray[np.float64]

    @classmethod
    def of(
        cls, smooth: Smooth, effects: Effects, arrhenius: NDArray[np.float64] | None = None
    ) -> Balance:
        """Integrate the monomials of smoothed curves.

        Parameters
        ----------
        smooth
            Curves of all species.
        effects
            What species may do.
        arrhenius
            Change of ln k in each run with 1 kJ/mol of activation energy, shape (r,). Effects then
            come with a few activation energies, and what they mix to is one in between.
        """
        value, part = smooth.value, smooth.part
        energies = np.array(_ENERGIES if arrhenius is not None else (0.0,))
        slope = np.zeros(len(value)) if arrhenius is None else arrhenius
        rate = smooth.length[:, None] * np.exp(slope[:, None] * energies)
        integral = cumulative_simpson(effects.monomials(value), x=part, axis=1, initial=0.0)
        ends = np.searchsorted(part, np.linspace(0, 1, _WINDOWS + 1)).clip(0, len(part) - 1)
        ends = np.unique(ends)
        deviation = np.sqrt((smooth.variance[:, ends[1:]] + smooth.variance[:, ends[:-1]]) / 2)
        changes = np.diff(value[:, ends], axis=1) / deviation
        made = np.diff(integral[:, ends], axis=1) * effects.sign / deviation[..., effects.changed]
        made = made[..., None] * rate[:, None, None]
        windows = changes.shape[0] * changes.shape[1]
        return cls(
            effects,
            changes.reshape(windows, -1),
            made.reshape(windows, len(effects), -1),
            energies,
        )

    def solve(
        self, rng: Generator | None = None, *, price: float | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Find the constant of each effect, zero for most.

        With `rng` the windows are a bootstrap sample, which gives another start. An effect has to
        lower the sum of squares by `price`, by default the logarithm of the number of windows.

        Returns
        -------
        ndarray, ndarray, ndarray
            Constants (E,) and activation energies (E,), and what is left of the changes of each
            species, as a sum of squares (S,).
        """
        n, n_species = self.changes.shape
        drawn = np.arange(n) if rng is None else rng.integers(0, n, n)
        price = np.log(n) if price is None else price
        shares = np.zeros(self.made.shape[1:])
        left = np.zeros(n_species)
        for j in range(n_species):
            own = np.flatnonzero(self.effects.changed == j)
            shares[own], left[j] = _sparse(
                self.made[np.ix_(drawn, own)], self.changes[drawn, j], price
            )
        constants = shares.sum(1)
        mixed = shares @ self.energies
        return constants, mixed / np.where(constants > 0, constants, 1.0), left


def _sparse(
    made: NDArray[np.float64], changes: NDArray[np.float64], price: float
) -> tuple[NDArray[np.float64], float]:
    """Explain changes (n,) by effects (n, E, energies), those that are worth a price.

    Effects leave one by one, that first which the fit misses least.

    Returns
    -------
    ndarray, float
        Shares of the energies in each effect (E, energies), none negative; and the sum of squares
        that is left.
    """
    n, n_effects, n_energies = made.shape
    size = np.linalg.norm(made, axis=0)
    size = np.where(size > 0, size, np.inf)
    # The same least squares in as many equations as unknowns.
    basis, columns = np.linalg.qr((made / size).reshape(n, -1))
    target = basis.T @ changes
    columns = columns.reshape(len(columns), n_effects, n_energies)
    staying, found, rest = np.arange(n_effects), np.zeros((n_effects, n_energies)), 0.0
    while len(staying):
        found, rest = non_negative(columns[:, staying].reshape(len(columns), -1), target)
        found = found.reshape(len(staying), n_energies)
        staying, found = staying[found.any(1)], found[found.any(1)]
        missed = _missed(columns[:, staying], found)
        if missed.min(initial=np.inf) > price:
            break
        weakest = int(missed.argmin())
        staying, found = np.delete(staying, weakest), np.delete(found, weakest, axis=0)
    if not len(staying):  # which nnls does not survive
        rest = float(np.linalg.norm(target))
    shares = np.zeros((n_effects, n_energies))
    shares[staying] = found / size[staying]
    return shares, rest**2 + float(changes @ changes - target @ target)


def non_negative(
    matrix: NDArray[np.float64], target: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Solve least squares without negative unknowns, (n, m) and (n,): unknowns (m,), residual norm.

    Where the exact algorithm does not come to an end, because columns are nearly the same, bounds
    are kept by an interior method.
    """
    try:
        return nnls(matrix, target, maxiter=_PASSES * matrix.shape[1])
    except RuntimeError:
        solved = lsq_linear(matrix, target, bounds=(0, np.inf))
        found = np.where(solved.active_mask < 0, 0.0, solved.x)
        return found, float(np.linalg.norm(matrix @ found - target))


def _missed(columns: NDArray[np.float64], found: NDArray[np.float64]) -> NDArray[np.float64]:
    """By how much the sum of squares grows without each effect, shape (E,)."""
    used = found > 0
    matrix = columns[:, used]
    covariance = np.linalg.pinv(matrix.T @ matrix, rcond=1e-12, hermitian=True)
    owner, values = np.nonzero(used)[0], found[used]
    missed = np.empty(len(found))
    for one in range(len(found)):
        at = np.flatnonzero(owner == one)
        block = covariance[np.ix_(at, at)]
        missed[one] = values[at] @ np.linalg.lstsq(block, values[at], rcond=None)[0]
    return missed
