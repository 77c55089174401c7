r"""The likelihood of runs whose noise is not known: marginal over it.

The values y of a column scatter about what the mechanism says, m, with the variance

    s^2 (m^2 + a^2),

s being the relative noise and s a the absolute one, in the column's unit. Beforehand ln s is flat
over all that instruments do, and so is ln a, from where all noise is relative to where all of it is
absolute. Values are written in steps, such as 0.001, and nothing is known within one: the least a
is what rounding makes beside a relative noise of 1 %. With A = sum (y - m)^2 / (m^2 + a^2) and N
readings the integral over s is

    integral s^-N exp(-A / 2 s^2) d ln s  =  (A / 2)^(-N/2) Gamma(N/2) / 2,

and that over a is a sum. Each column has noise of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

#: ln of the ratio of the largest to the smallest relative noise that any column may have.
_LOG_RANGE = np.log(1e6)
_EXACT = 1e-6  # noise below this part of a value is none that an integrator could tell
#: a relative to the column's largest value: all relative at one end, all absolute at the other.
_SMALLEST, _LARGEST, _N_SHAPES = 1e-4, 10.0, 11
_BESIDE = 0.01  # relative noise beside which rounding counts: 1 % is usual


@dataclass(frozen=True)
class Level:
    """Noise of each column: ``relative`` and ``absolute`` standard deviations, shape (..., C)."""

    relative: NDArray[np.float64]
    absolute: NDArray[np.float64]


class Marginal:
    """Likelihood of values in columns, marginal over the noise of each.

    Parameters
    ----------
    values, readings, scatter
        Measured, readings behind each and their sum of squares about it, shape (V,).
    column
        Which column each value stands in, shape (V,).
    steps
        In which the values of each column are written, shape (C,); 0 where they are not rounded.

    Attributes
    ----------
    largest
        Largest value of each column, shape (C,).
    shapes
        The a that are summed over, relative to it, shape (C, shapes).
    """

    def __init__(
        self,
        values: NDArray[np.float64],
        readings: NDArray[np.float64],
        scatter: NDArray[np.float64],
        column: NDArray[np.int64],
        steps: NDArray[np.float64] | float = 0.0,
    ) -> None:
        """Sort values by column."""
        self._values, self._readings, self._scatter = values, readings, scatter
        self._columns = [np.flatnonzero(column == c) for c in range(column.max() + 1)]
        self.largest = np.array([np.abs(values[at]).max() or 1.0 for at in self._columns])
        self._counts = [readings[at].sum() for at in self._columns]
        rounding = np.broadcast_to(steps, self.largest.shape) / np.sqrt(12) / self.largest
        smallest = np.clip(rounding / _BESIDE, _SMALLEST, 1.0)
        self.shapes = np.geomspace(smallest, _LARGEST, _N_SHAPES, axis=-1)

    def log_likelihood(self, simulated: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | m), shape (n, V) to (n,); minus infinity where a run failed."""
        total = np.zeros(len(simulated))
        for c in range(len(self._columns)):
            squares, logs = self._sums(simulated, c)
            total += logsumexp(self._by_shape(squares, logs, c), axis=0)
        return np.where(np.isfinite(total), total, -np.inf)

    def largest_likelihood(self, simulated: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | m) with the noise that makes it largest, shape (n, V) to (n,)."""
        total = np.zeros(len(simulated))
        for c, count in enumerate(self._counts):
            squares, logs = self._sums(simulated, c)
            by_shape = -count / 2 * (np.log(2 * np.pi * squares / count) + 1) - logs / 2
            total += by_shape.max(0)
        return total

    def level(self, simulated: NDArray[np.float64]) -> Level:
        """Return the most probable noise about simulated values, (n, V) to (n, C)."""
        relative, absolute = [], []
        for c, count in enumerate(self._counts):
            squares, logs = self._sums(simulated, c)
            best = self._by_shape(squares, logs, c).argmax(0)
            s = np.sqrt(np.take_along_axis(squares, best[None], 0)[0] / count)
            relative.append(s)
            absolute.append(s * self.shapes[c][best] * self.largest[c])
        return Level(np.stack(relative, -1), np.stack(absolute, -1))

    def drawn(self, simulated: NDArray[np.float64], rng: Generator) -> Level:
        """Draw the noise from its posterior about simulated values, (n, V) to (n, C)."""
        relative, absolute = [], []
        for c, count in enumerate(self._counts):
            squares, logs = self._sums(simulated, c)
            log_mass = self._by_shape(squares, logs, c)
            luck = rng.gumbel(size=log_mass.shape)
            chosen = (log_mass + luck).argmax(0)
            # s^2 is A / 2 over a gamma variable.
            half = np.take_along_axis(squares, chosen[None], 0)[0] / 2
            s = np.sqrt(half / rng.gamma(count / 2, size=len(half)))
            relative.append(s)
            absolute.append(s * self.shapes[c][chosen] * self.largest[c])
        return Level(np.stack(relative, -1), np.stack(absolute, -1))

    def _sums(
        self, simulated: NDArray[np.float64], c: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return A and sum ln(m^2 + a^2) of a column for each a, shape (shapes, n)."""
        at = self._columns[c]
        exact, readings = simulated[:, at], self._readings[at]
        square = exact**2
        off = readings * (self._values[at] - exact) ** 2 + self._scatter[at]
        squares = np.empty((_N_SHAPES, len(simulated)))
        logs = np.empty_like(squares)
        for i, a in enumerate(self.shapes[c] * self.largest[c]):
            variance = square + a * a
            squares[i] = (off / variance).sum(1)
            logs[i] = np.log(variance) @ readings
        return squares + self._counts[c] * _EXACT**2, logs

    def _by_shape(
        self, squares: NDArray[np.float64], logs: NDArray[np.float64], c: int
    ) -> NDArray[np.float64]:
        """Return ln p(y | m, a) p(a), shape (shapes, n)."""
        half = self._counts[c] / 2
        constant = gammaln(half) - half * np.log(2 * np.pi) - np.log(2.0)
        constant -= np.log(_LOG_RANGE) + np.log(_N_SHAPES)
        return constant - half * np.log(squares / 2) - logs / 2
