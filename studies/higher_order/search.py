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

from kinetlib.crnn.runs import Curves, read
from kinetlib.kinetics.integrate import integrate
from studies.higher_order.library import FASTEST, SLOWEST, Library, Track, screen

_STEPS = 30  # of the fit of the last ones
_DIFFERENCE = 1e-3  # of ln k, for derivatives
_TOLERANCE = {"rtol": 1e-6, "atol": 1e-9}
_FAILED = 1e6  # residual of a run that could not be integrated


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
    logs, cost = _refined(library, left, logs, curves, value, unit, track.pace, threads)
    constants = np.exp(logs) * track.pace * unit ** (1.0 - library.orders[left].sum(2))
    found = []
    for i in cost.argsort(kind="stable"):
        equations = [library.network.reactions[r].equation for r in left[i]]
        order = np.argsort(equations)
        found.append(
            Candidate(
                tuple(equations[j] for j in order),
                tuple(float(constants[i, j]) for j in order),
                float(cost[i]),
            )
        )
    return found


def rank(found: list[Candidate], wanted: set[str]) -> int | None:
    """Return the place of a network among candidates, 1 the first; None where it is not there."""
    for place, candidate in enumerate(found, start=1):
        if set(candidate.equations) == wanted:
            return place
    return None


def _refined(
    library: Library,
    networks: NDArray[np.int64],
    logs: NDArray[np.float64],
    curves: Curves,
    value: NDArray[np.float64],
    unit: float,
    pace: float,
    threads: int | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Levenberg-Marquardt for all networks together: ln k (N, n) and mean squared residual (N,)."""
    n, size = networks.shape
    times, data = curves.time[0] * pace, value / unit
    weight = 1 / np.ptp(data, axis=(0, 1))
    at = library.network.index
    start = np.zeros((len(data), len(library.network.species)))
    seen = [at(name) for name in curves.species]
    start[:, seen] = data[:, 0]

    def residuals(which: NDArray, logs: NDArray) -> NDArray[np.float64]:
        constants = np.zeros((len(which), len(library.reactions)))
        np.put_along_axis(constants, which, np.exp(logs), 1)
        run = integrate(
            library.network,
            np.repeat(constants, len(start), 0),
            np.tile(start, (len(which), 1)),
            times,
            max_steps=5000,
            threads=threads,
            **_TOLERANCE,
        )
        found = run.concentration[..., seen].reshape(len(which), *data.shape)
        return np.nan_to_num(((found - data) * weight).reshape(len(which), -1), nan=_FAILED)

    damping = np.full(n, 1e-2)
    residual = residuals(networks, logs)
    cost = (residual**2).sum(1)
    open_ = np.ones(n, dtype=bool)
    for _ in range(_STEPS):
        live = np.flatnonzero(open_)
        if not len(live):
            break
        moved = np.repeat(logs[live, None], size, 1) - _DIFFERENCE * np.eye(size)
        there = residuals(np.repeat(networks[live], size, 0), moved.reshape(-1, size))
        slopes = (residual[live, None] - there.reshape(len(live), size, -1)) / _DIFFERENCE
        normal = slopes @ slopes.transpose(0, 2, 1)
        diagonal = np.arange(size)
        normal[:, diagonal, diagonal] *= 1 + damping[live, None]
        normal[:, diagonal, diagonal] += 1e-9
        step = -np.linalg.solve(normal, (slopes @ residual[live, :, None]))[..., 0]
        tried = np.clip(logs[live] + np.clip(step, -1.0, 1.0), SLOWEST, FASTEST)
        left = residuals(networks[live], tried)
        new = (left**2).sum(1)
        better = new < cost[live]
        small = better & (cost[live] - new < 1e-4 * cost[live])
        gone = live[better]
        logs[gone], residual[gone], cost[gone] = tried[better], left[better], new[better]
        damping[live] *= np.where(better, 0.2, 6.0)
        open_[live[small]] = False
        open_ &= damping < 1e6
    return logs, cost / residual.shape[1]
