"""Second-order networks with a hidden species, found in curves without any structure given.

All networks of a few reactions of the `library` are screened; the best are simulated and fitted to
the curves, all at once: the library is one network, in which reactions that a candidate lacks have
the constant 0, so one compiled integrator serves them all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.crnn.runs import read
from kinetlib.inference.descend import descended
from kinetlib.kinetics.integrate import integrate
from studies.higher_order.library import FASTEST, SLOWEST, Library, Track, screen

_STEPS = 30  # of the fit of the last ones
_TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}


@dataclass(frozen=True)
class Candidate:
    """A network that may have made the curves.

    Attributes
    ----------
    equations
        Its reactions, in alphabetical order.
    constants
        Their rate constants, in the units of the curves.
    cost
        Mean squared residual, each species over its range.
    """

    equations: tuple[str, ...]
    constants: tuple[float, ...]
    cost: float


def find(
    runs: xr.Dataset,
    *,
    size: int = 3,
    threads: int | None = None,
) -> list[Candidate]:
    """Rank networks of second-order reactions among the observed species and a hidden Z.

    Nothing but the curves is used; Z starts at 0. No constant is more than a thousand times as
    fast as the curves.

    Parameters
    ----------
    runs
        As `kinetlib.crnn.discover` takes them, all at the same times, every value measured.
    size
        Reactions of a network; 3 of them take some five seconds for two observed species
        and a quarter of a minute for three, on one core; more take long.
    threads
        Threads that simulate, by default as many as there are processors; screening uses one.

    Returns
    -------
    list of Candidate
        Best first; none where no network of this size could have made the changes.

    Raises
    ------
    ValueError
        As `kinetlib.crnn.runs.read`; runs that differ in their times, values that are missing;
        a species that never changes; `size` below 1.
    """
    if size < 1:
        raise ValueError(f"size: expected one reaction or more, got {size!r}")
    curves = read(runs)
    value = curves.value.copy()
    if curves.start_known.all():
        value[:, 0] = curves.initial
    if (curves.time != curves.time[0]).any() or not np.isfinite(value).all():
        raise ValueError(
            "the search needs runs at the same times with all values measured: interpolate, or "
            "leave out what is not"
        )
    still = np.ptp(value, axis=(0, 1)) == 0
    if still.any():
        names = ", ".join(np.array(curves.species)[still])
        raise ValueError(
            f"{names}: the same throughout all runs, which no reaction explains; "
            "leave out what never changes"
        )
    library = Library(curves.species)
    unit = value.max()
    track = Track.along(curves.time[0], value / unit)
    networks = library.networks(size, track.value[:, -1] - track.value[:, 0])
    if not len(networks):
        return []
    *_, (left, logs) = screen(library, networks, track)
    times = curves.time[0] * track.pace
    fits = _Fits(library, left, curves.species, times, value / unit, threads)
    logs, cost, _ = descended(fits, logs, _STEPS, np.arange(len(left)))
    constants = np.exp(logs) * track.pace * unit ** (1.0 - library.orders[left].sum(2))
    found = []
    for i in cost.argsort(kind="stable"):
        equations = [library.network.reactions[r].equation for r in left[i]]
        order = np.argsort(equations)
        found.append(
            Candidate(
                tuple(equations[j] for j in order),
                tuple(float(constants[i, j]) for j in order),
                float(2 * cost[i] / value.size),
            )
        )
    return found


def rank(found: list[Candidate], wanted: set[str]) -> int | None:
    """Return the place of a network among candidates, 1 the first; None where it is not there."""
    for place, candidate in enumerate(found, start=1):
        if set(candidate.equations) == wanted:
            return place
    return None


class _Fits:
    """Simulations of networks (N, n) of the library's reactions against curves (runs, T, species).

    Each species counts over its range.
    """

    difference = 1e-3  # of ln k

    def __init__(
        self,
        library: Library,
        networks: NDArray[np.int64],
        species: tuple[str, ...],
        times: NDArray[np.float64],
        data: NDArray[np.float64],
        threads: int | None,
    ) -> None:
        self._library, self._networks, self._threads = library, networks, threads
        self._times, self._data = times, data
        self._weight = 1 / np.ptp(data, axis=(0, 1))
        self._seen = [library.network.index(name) for name in species]
        self._start = np.zeros((len(data), len(library.network.species)))
        self._start[:, self._seen] = data[:, 0]

    def residuals(self, x: NDArray, which: NDArray) -> NDArray[np.float64]:
        constants = np.zeros((len(which), len(self._library.reactions)))
        np.put_along_axis(constants, self._networks[which], np.exp(x), 1)
        run = integrate(
            self._library.network,
            np.repeat(constants, len(self._start), 0),
            np.tile(self._start, (len(which), 1)),
            self._times,
            max_steps=5000,
            threads=self._threads,
            **_TOLERANCE,
        )
        found = run.concentration[..., self._seen].reshape(len(which), *self._data.shape)
        return ((found - self._data) * self._weight).reshape(len(which), -1)

    def within(self, x: NDArray) -> NDArray[np.float64]:
        return np.clip(x, SLOWEST, FASTEST)
