r"""The dataset's prior over rate constants, as whoever sees only the data has to hold it.

Rate constants ``k`` are log-uniform in a box and kept where the reference run carries the
mechanism's fingerprint. A sample's time is then counted in horizons ``h``, the time at which the
reference run reaches a share f ~ U(f1, f2) of its final conversion, so that the data know the
scaled constants ``q = k h`` alone: first and second order constants scale alike, since
concentrations keep their unit. The density of ``x = ln q`` follows.

With R constants, ``u = ln k`` has the density

    p(u) = A(u) / (L^R Z)           where a <= u_i <= b,  L = b - a,

A being 1 for accepted sets and 0 for others, Z the share of the box that is accepted. Let F(t; k)
be the progress of the reference run, its conversion relative to the final one. The horizon solves
F(h; k) = f, and with s = ln h its density, given u, is

    p(s | u) = p_f(F(h; k)) dF(h; k) / d ln h,       p_f = 1 / (f2 - f1) between f1 and f2.

The pair (u, s) determines (x, s) = (u + s 1, s) with Jacobian 1, hence

    p(x) = integral of p_u(x - s 1) p(s | x - s 1) ds.

A run with all constants multiplied by h is the same run with time divided by h: F(h; k) = F(1; q).
So progress, its slope and acceptance are functions of x alone and leave the integral. What stays in
it is the length of those s for which all x_i - s lie in the box:

    p(x) = A(x) [f1 <= F(1; q) <= f2] / (f2 - f1)  .  dF/d ln t at (1; q)  .  W(x) / (L^R Z),
    W(x) = max(0, L - (max x_i - min x_i)).

`kinetlib.runs.sample` interpolates the progress linearly between output times some 15 % apart, so
that where a reaction ends in an avalanche (M5) its horizons are not those of the exact curve. Here
F is that interpolated progress, averaged over where the horizon may lie between two output times.

An impurity I ~ U(c1, c2) is one more coordinate, ln I, with the density I / (c2 - c1).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import SUBSTRATE, Mechanism
from kinetlib.runs.sample import Design, accepted_sets, reference_runs, reference_times

# The reference run in units of the horizon, from here on; fingerprints are read off before 1.
_EARLIEST = 1e-4
# Places of the horizon between two output times that the density is averaged over.
_PLACES = 8
# Ends of the reference run that it is averaged over: constants and horizon are not known apart.
_ENDS = 4
_ENDED = 1e-5  # changes of the conversion that do not matter
_TOLERANCE = {"rtol": 1e-5, "atol": 1e-8}


@dataclass(frozen=True)
class Prior:
    """Prior of one mechanism in the scaled coordinates x, with a bank of draws from it.

    Attributes
    ----------
    mechanism, design
        Whose prior; the ranges it was drawn from.
    bank
        Draws from it, shape (m, D): ln(k h) of the R constants in the order of
        ``mechanism.network.constants``, then ln of each concentration that is drawn once a sample.
    acceptance
        Share Z of the box of constants that carries the fingerprint; its relative standard error
        is about 1 / sqrt(m).
    """

    mechanism: Mechanism
    design: Design
    bank: NDArray[np.float64]
    acceptance: float

    @property
    def n_constants(self) -> int:
        """Number R of rate constants, the first coordinates."""
        return len(self.mechanism.network.constants)

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of the coordinates: rate constants, then species whose beginning is drawn."""
        return (*self.mechanism.network.constants, *self.mechanism.drawn)

    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and inverse covariance of the bank, shapes (D,) and (D, D)."""
        covariance = np.atleast_2d(np.cov(self.bank, rowvar=False))
        return self.bank.mean(0), np.linalg.inv(covariance)

    def unanchored(self) -> UnanchoredPrior:
        """Return the prior where nothing is known of the horizon."""
        return UnanchoredPrior(self.mechanism, self.design, self.bank, self.acceptance)

    def may_hold(self, x: NDArray[np.float64], *, beyond: float = 0.0) -> NDArray[np.bool_]:
        """Tell which coordinates, shape (n, D), lie in the box; no run is needed for that.

        ``beyond`` widens the ranges, those of the constants by so much in all and those of
        concentrations at either end.
        """
        n = self.n_constants
        length = np.log(self.design.constants[1] / self.design.constants[0])
        inside = np.ptp(x[:, :n], axis=1) < length + beyond
        for column, (low, high) in zip(x[:, n:].T, self.mechanism.drawn.values(), strict=True):
            inside &= (column >= np.log(low) - beyond) & (column <= np.log(high) + beyond)
        return inside

    def log_density(self, x: NDArray[np.float64], *, threads: int | None = 1) -> NDArray:
        """Return ln p(x), minus infinity outside the support, shape (n,).

        Parameters
        ----------
        x
            Coordinates, shape (n, D).
        threads
            Threads of the integrator.
        """
        density = self._log_volume(x)
        inside = np.flatnonzero(np.isfinite(density))
        if len(inside):
            density[inside] += self._log_progress(np.exp(x[inside, : self.n_constants]), threads)
        return density

    def _log_volume(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum up the factors of the density that need no reference run."""
        n = self.n_constants
        length = np.log(self.design.constants[1] / self.design.constants[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            density = np.log(np.maximum(0.0, length - np.ptp(x[:, :n], axis=1)))
        density -= n * np.log(length) + np.log(self.acceptance)
        for column, (low, high) in zip(x[:, n:].T, self.mechanism.drawn.values(), strict=True):
            inside = (column >= np.log(low)) & (column <= np.log(high))
            density += np.where(inside, column - np.log(high - low), -np.inf)
        return density

    def _log_progress(self, scaled: NDArray[np.float64], threads: int | None) -> NDArray:
        """Sum up the factors that the reference run decides: its fingerprint, progress, slope."""
        network = self.mechanism.network
        initial = np.tile(self.mechanism.initial(), (len(scaled), 1))
        # Output times of the dataset's reference run, first the steps between them, then the last.
        output = reference_times(self.design)
        step = np.log(output[2] / output[1])
        around = np.exp(step * (np.arange(-_PLACES, _PLACES) + 0.5) / _PLACES)
        early = np.exp(np.arange(np.log(_EARLIEST), np.log(around[0]), step))
        first_ends = 1 + len(early) + len(around)
        times = np.empty((len(scaled), first_ends + _ENDS))
        times[:, :first_ends] = np.concatenate([[0.0], early, around])
        # ln h lies between ln(q_max / high) and ln(q_min / low), and the last output time is as
        # much shorter in units of h.
        low, high = self.design.constants
        longest, shortest = output[-1] * high / scaled.max(1), output[-1] * low / scaled.min(1)
        at = (np.arange(_ENDS) + 0.5) / _ENDS
        ends = shortest[:, None] * (longest / shortest)[:, None] ** at
        times[:, first_ends:] = np.maximum(ends, around[-1])
        runs = integrate(network, scaled, initial, times, **_TOLERANCE, threads=threads)
        conversion = 1.0 - runs.concentration[..., network.index(SUBSTRATE)]
        near = conversion[:, first_ends - len(around) : first_ends]
        density = np.zeros(len(scaled))
        # Most runs have ended by the first of the ends, and the others tell nothing new.
        same = np.abs(conversion[:, first_ends] - conversion[:, -1]) < _ENDED
        same &= ends[:, 0] >= 1.0
        for end in range(_ENDS):
            rows = np.flatnonzero((ends[:, end] >= 1.0) & (~same | (end == _ENDS - 1)))
            kept = np.append(np.arange(first_ends), first_ends + end)
            rows = rows[self.mechanism.accepts(runs.concentration[np.ix_(rows, kept)])]
            progress = near[rows] / conversion[rows, first_ends + end, None]
            weight = np.where(same[rows], 1.0, 1.0 / _ENDS)
            density[rows] += weight * self._mean_slope(progress, around)
        with np.errstate(divide="ignore"):
            return np.log(density)

    def _mean_slope(self, progress: NDArray, around: NDArray) -> NDArray[np.float64]:
        """Average p_f dF/d ln t over the places that the horizon, 1, may have between two times."""
        before, after = around[:_PLACES], around[_PLACES:]
        slope = (progress[:, _PLACES:] - progress[:, :_PLACES]) / (after - before)
        there = progress[:, :_PLACES] + slope * (1.0 - before)
        first, last = self.design.horizon
        passing = (there >= first) & (there <= last) & (slope > 0)
        return np.where(passing, slope, 0.0).mean(1) / (last - first)


class UnanchoredPrior(Prior):
    r"""Prior where nothing is known of the horizon, as of runs from a laboratory.

    Coordinates are ln(k T), T being any unit of time, and s = ln(T / h) is flat: no length of a run
    is more probable than another. The integral over s then leaves

        p(x)  proportional to  A(x) W(x) / (L^R Z)

    of the density above: the progress at the horizon says nothing. It is improper, by the same
    factor for every mechanism.
    """

    def log_density(self, x: NDArray[np.float64], *, threads: int | None = 1) -> NDArray:
        """Return ln p(x) but for a constant, minus infinity outside the support, shape (n,)."""
        density = self._log_volume(x)
        inside = np.flatnonzero(np.isfinite(density))
        scaled = np.exp(x[inside, : self.n_constants])
        # Any unit of time will do that puts the constants into the box.
        unit = np.sqrt(scaled.min(1) * scaled.max(1) / np.prod(self.design.constants))
        constants = scaled / unit[:, None]
        worth = self.mechanism.may_accept(constants)
        density[inside[~worth]] = -np.inf
        inside, constants = inside[worth], constants[worth]
        if len(inside):
            times = reference_times(self.design)
            runs = reference_runs(self.mechanism, constants, times, threads=threads)
            density[inside[~self.mechanism.accepts(runs)]] = -np.inf
        return density


def draw_prior(
    mechanism: str | Mechanism,
    m: int,
    design: Design,
    rng: Generator,
    *,
    threads: int | None = None,
) -> Prior:
    """Draw a bank of m accepted sets, each scaled by a horizon of its own.

    Parameters
    ----------
    mechanism
        An id of the catalogue or a Mechanism.
    m
        Size of the bank; the share of the box that is accepted is known to 1 / sqrt(m).
    design
        Ranges of the constants and of the progress at the horizon.
    rng
        Source of the draws.
    threads
        Threads of the integrator.

    Raises
    ------
    ValueError
        A mechanism whose fingerprint is read off later than the horizon, or whose initial
        concentrations may be 0: their density in logarithms is not defined here.
    """
    chosen = mechanisms.get(mechanism)
    for rule in chosen.fingerprint:
        if np.max(rule.conversion) > design.horizon[0]:
            raise ValueError(
                f"{chosen.id}: a fingerprint at {100 * np.max(rule.conversion):.0f} % conversion, "
                f"expected none past the earliest horizon, {100 * design.horizon[0]:.0f} %; "
                "raise the lower end of the design's horizon"
            )
    for name, (low, high) in chosen.drawn.items():
        if not 0 < low < high:
            raise ValueError(
                f"{chosen.id}: {name} starts in {low} to {high}, expected a range above 0 and not "
                "empty; give a single number for a concentration that is not drawn"
            )
    sets = accepted_sets(chosen, m, design, rng, threads=threads)
    horizon = sets.horizon(np.arange(m), rng.uniform(*design.horizon, m))
    others = [np.log(rng.uniform(*limits, m)) for limits in chosen.drawn.values()]
    bank = np.column_stack([np.log(sets.rate_constants * horizon[:, None]), *others])
    return Prior(chosen, design, bank, sets.accepted / sets.proposed)
