"""All networks of a few second-order reactions with one hidden species, screened on curves.

The library holds every directed reaction between complexes of at most two molecules: 90 for two
observed species and Z, hence 117,480 networks of three. Screening solves no differential equation
but that of Z: the observed concentrations are taken from the curves themselves (spline), Z follows
along them by backward Euler steps, whose limit for fast reactions is the quasi-steady state, and
what the reactions then turn over is compared with what the curves changed by. A few
Levenberg-Marquardt steps find constants. What is promising is simulated afterwards
(`kinetlib.higher_order.search`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from kinetlib.crnn.effects import complexes
from kinetlib.higher_order.stand_ins import INTERMEDIATE
from kinetlib.network import Network, Reaction

_MOST_ORDER = 2
_NODES = 16  # points of a run at which reactions are compared, where it changed by equal amounts
_QUIET = 0.5  # of its change that a run is taken to change by for all of its length besides
_EARLY = 6  # further ones before the first of these, each twice as late as the one before
_DIRECTION = 0.1  # of a run's change: what may be left of it by networks that are screened
#: Range of ln k about the scale of the curves: a hundredfold slower, and a thousandfold faster.
SLOWEST, FASTEST = float(np.log(1e-2)), float(np.log(1e3))


@dataclass(frozen=True)
class Library:
    """All reactions between complexes of observed species and Z, R of them.

    Attributes
    ----------
    observed
        Names of the observed species, length S.
    """

    observed: tuple[str, ...]

    @cached_property
    def reactions(self) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]:
        """Reactant and product complex of each, Z last."""
        all_ = complexes(len(self.observed) + 1, _MOST_ORDER)
        return tuple((one, other) for one in all_ for other in all_ if one != other)

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Reactants, shape (R, S + 1)."""
        return np.array([reactants for reactants, _ in self.reactions])

    @cached_property
    def net(self) -> NDArray[np.int64]:
        """Net stoichiometry, shape (R, S + 1)."""
        return np.array([products for _, products in self.reactions]) - self.orders

    @cached_property
    def network(self) -> Network:
        """All reactions as one network, in their order: one integrator for any few of them."""
        names = (*self.observed, INTERMEDIATE)

        def side(complex_: tuple[int, ...]) -> dict[str, int]:
            return {name: n for name, n in zip(names, complex_, strict=True) if n}

        return Network(
            tuple(
                (Reaction(side(one), side(other), f"k{i + 1}"),)
                for i, (one, other) in enumerate(self.reactions)
            )
        )

    def equations(self, which: NDArray[np.int64]) -> tuple[str, ...]:
        """Write some reactions, in alphabetical order."""
        return tuple(sorted(self.network.reactions[i].equation for i in which))

    def networks(self, size: int, changes: NDArray[np.float64]) -> NDArray[np.int64]:
        """List the networks of `size` reactions that could have made some changes.

        Left out are those in which a reaction waits for a Z that no other makes, and those whose
        reactions, at any rates, leave more than a tenth of a change.

        Parameters
        ----------
        size
            Reactions in each.
        changes
            Changes of the observed species in runs, shape (n, S), in one unit.

        Returns
        -------
        NDArray
            Indices of reactions, shape (N, size).
        """
        makes = self.net[:, -1] > 0
        needs = self.orders[:, -1] > 0
        starts = makes & ~needs
        rows, kind = np.unique(self.net[:, :-1], axis=0, return_inverse=True)
        directions = changes / np.linalg.norm(changes, axis=1, keepdims=True)
        known: dict[tuple[int, ...], bool] = {}

        def possible(which: tuple[int, ...]) -> bool:
            key = tuple(sorted({int(kind[i]) for i in which}))
            if key not in known:
                sides = rows[list(key)].T.astype(float)
                known[key] = all(nnls(sides, d)[1] < _DIRECTION for d in directions)
            return known[key]

        def alive(which: tuple[int, ...]) -> bool:
            return not any(needs[i] for i in which) or any(starts[i] for i in which)

        found = [
            which
            for which in combinations(range(len(self.reactions)), size)
            if alive(which) and possible(which)
        ]
        return np.array(found, dtype=np.int64).reshape(-1, size)


@dataclass(frozen=True)
class Track:
    """Curves at a few points of each run: all that screening looks at.

    Attributes
    ----------
    times
        Shape (n, M).
    value
        Observed concentrations, in one unit in which they are of order 1, shape (n, M, S).
    """

    times: NDArray[np.float64]
    value: NDArray[np.float64]

    @property
    def weight(self) -> NDArray[np.float64]:
        """One over the range of each species, shape (S,)."""
        return 1 / np.ptp(self.value, axis=(0, 1))

    @classmethod
    def along(cls, times: NDArray[np.float64], value: NDArray[np.float64]) -> Track:
        """Interpolate runs, times (T,) and values (n, T, S), where they change."""
        rows = [_nodes(times, run) for run in value]
        return cls(np.stack([t for t, _ in rows]), np.stack([c for _, c in rows]))

    @property
    def pace(self) -> float:
        """Rate at which the curves change: one over the mean time of half a run's change."""
        far = (np.abs(self.value - self.value[:, :1]) * self.weight).sum(2)
        half = (far >= far[:, -1:] / 2).argmax(1)
        return float(1 / self.times[np.arange(len(half)), half].mean())


def screen(
    library: Library, networks: NDArray[np.int64], track: Track, keep: tuple[int, ...]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Fit all networks along the curves, and those that are best at greater length.

    Parameters
    ----------
    library, networks, track
        Reactions, indices of those of each network (N, n), curves.
    keep
        How many networks are left after each round.

    Yields
    ------
    tuple
        After each round the networks that are left, best first, shape (keep, n), and their
        ln k, over the pace of the curves, of the same shape.
    """
    monomials = np.stack(
        [(track.value**order).prod(-1) for order in library.orders[:, :-1]]
    )  # (R, n, M)
    orders, net = library.orders[:, -1].copy(), library.net.astype(float)
    starts = np.stack([np.zeros(networks.shape), 2.3 * (orders[networks] > 0)])
    for number, count in enumerate(keep):
        steps = 6 if number == 0 else 40
        found = [
            _fit_all(
                networks, start, orders, net, monomials, track.times * track.pace, track.value,
                track.weight, steps, SLOWEST, FASTEST,
            )
            for start in starts
        ]  # fmt: skip
        cost = np.stack([c for _, c in found])
        best = cost.argmin(0)
        logs = np.take_along_axis(np.stack([k for k, _ in found]), best[None, :, None], 0)[0]
        order = cost.min(0).argsort(kind="stable")[:count]
        networks, logs = networks[order], logs[order]
        starts = np.stack([logs, 0.5 * logs, logs + 1.5 * (orders[networks] > 0)])
        yield networks, logs


def _nodes(times: NDArray[np.float64], run: NDArray[np.float64]) -> tuple[NDArray, NDArray]:
    """Return points of one run where it has changed by equal amounts, shapes (M,) and (M, S)."""
    course = PchipInterpolator(times, run)
    fine = np.linspace(times[0], times[-1], 20 * len(times))
    moved = np.abs(np.diff(course(fine), axis=0)) / np.maximum(np.ptp(run, axis=0), 1e-12)
    far = np.concatenate([[0.0], moved.sum(1).cumsum()])
    far += _QUIET * far[-1] * np.linspace(0, 1, len(far))
    even = np.interp(np.linspace(0, far[-1], _NODES), far, fine)
    early = even[1] * 0.5 ** np.arange(_EARLY, 0, -1)
    at = np.concatenate([[times[0]], early, even[1:]])
    return at - times[0], course(at)


@njit(cache=True)
def _residuals(which, logs, orders, net, monomials, times, value, weight, out):
    """Fill `out` with what reactions turned over less what the curves did; False where Z explodes.

    Between two points Z takes a backward Euler step, a quadratic equation; what the observed
    species gain is integrated by the trapezoidal rule.
    """
    n_runs, n_times, n_seen = value.shape
    k = np.exp(logs)
    rates, before = np.zeros(len(which)), np.zeros(len(which))
    gained = np.zeros(n_seen)
    at = 0
    for run in range(n_runs):
        z = 0.0
        gained[:] = 0.0
        for i in range(len(which)):
            r = which[i]
            before[i] = k[i] * monomials[r, run, 0] if orders[r] == 0 else 0.0
        for m in range(1, n_times):
            h = times[run, m] - times[run, m - 1]
            a, b, c = 0.0, -1.0, z
            for i in range(len(which)):
                r = which[i]
                rates[i] = k[i] * monomials[r, run, m]
                made = h * net[r, -1] * rates[i]
                if orders[r] == 0:
                    c += made
                elif orders[r] == 1:
                    b += made
                else:
                    a += made
            inside = b * b - 4 * a * c
            if inside < 0 or (b >= 0 and a >= 0):
                return False
            z = 2 * c / (-b + np.sqrt(inside))
            if not 0 <= z < 1e6:
                return False
            for i in range(len(which)):
                r = which[i]
                rates[i] *= z ** orders[r]
                turned = 0.5 * h * (rates[i] + before[i])
                before[i] = rates[i]
                for j in range(n_seen):
                    gained[j] += net[r, j] * turned
            for j in range(n_seen):
                out[at] = (value[run, 0, j] + gained[j] - value[run, m, j]) * weight[j]
                at += 1
    return True


@njit(cache=True)
def _fit_all(
    networks, starts, orders, net, monomials, times, value, weight, steps, lowest, highest
):  # fmt: skip
    """Levenberg-Marquardt for each network by itself, ln k in a box: ln k (N, n) and cost (N,)."""
    n, size = networks.shape
    length = value.shape[0] * (value.shape[1] - 1) * value.shape[2]
    residual, tried = np.empty(length), np.empty(length)
    slopes = np.empty((size, length))
    all_logs, all_costs = np.empty((n, size)), np.empty(n)
    for network in range(n):
        which = networks[network]
        logs = np.minimum(np.maximum(starts[network], lowest), highest)
        arguments = (orders, net, monomials, times, value, weight)
        for _ in range(6):  # too fast to be followed: slower
            fine = _residuals(which, logs, *arguments, residual)
            if fine:
                break
            logs = logs - 1.0
        cost = (residual**2).sum() if fine else np.inf
        damping = 1e-2
        for _ in range(steps if fine else 0):
            for i in range(size):
                moved = logs.copy()
                moved[i] -= 1e-5
                if not _residuals(which, moved, *arguments, tried):
                    tried[:] = residual
                slopes[i] = (residual - tried) / 1e-5
            normal, gradient = slopes @ slopes.T, slopes @ residual
            fallen = False
            for _ in range(4):
                damped = normal.copy()
                for i in range(size):
                    damped[i, i] = damped[i, i] * (1 + damping) + 1e-9
                step = np.linalg.solve(damped, -gradient)
                moved = logs + np.minimum(np.maximum(step, -1.5), 1.5)
                moved = np.minimum(np.maximum(moved, lowest), highest)
                if _residuals(which, moved, *arguments, tried) and (tried**2).sum() < cost:
                    fallen = True
                    break
                damping *= 6
            if not fallen:
                break
            before = cost
            cost = (tried**2).sum()
            residual[:] = tried
            logs = moved
            damping = max(damping / 6, 1e-7)
            if before - cost < 1e-5 * before:
                break
        all_logs[network] = logs
        all_costs[network] = cost
    return all_logs, all_costs
