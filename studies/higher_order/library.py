"""All networks of a few second-order reactions with one hidden species, screened on curves.

The library holds every directed reaction between complexes of at most two molecules: 90 for two
observed species and Z, hence 117,480 networks of three. Screening solves no differential equation
but that of Z: the observed concentrations are taken from the curves themselves (spline), Z follows
along them by backward Euler steps, whose limit for fast reactions is the quasi-steady state, and
what the reactions then turn over is compared with what the curves changed by. A few
Levenberg-Marquardt steps find constants. What is promising is simulated afterwards
(`studies.higher_order.search`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, combinations
from math import comb

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from kinetlib.crnn.effects import complexes
from kinetlib.kinetics.network import Network, Reaction
from studies.higher_order.stand_ins import INTERMEDIATE

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

    @cached_property
    def kinds(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """What reactions do to observed species: each way once, (K, S), and that of each, (R,)."""
        ways, kind = np.unique(self.net[:, :-1], axis=0, return_inverse=True)
        return ways, kind.ravel()

    def networks(self, size: int, changes: NDArray[np.float64]) -> NDArray[np.int64]:
        """List the networks of `size` reactions that could have made some changes.

        Left out are those in which a reaction waits for a Z that no other makes, those whose
        reactions, at any rates, leave more than a tenth of a change, and those in which Z has no
        part in any change of an observed species: the curves are those of a network without Z.

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
        needs = self.orders[:, -1] > 0
        starts = (self.net[:, -1] > 0) & ~needs
        touches = needs | (self.net[:, -1] != 0)
        acts = needs & self.net[:, :-1].any(1)
        n = len(self.reactions)
        each = np.fromiter(
            chain.from_iterable(combinations(range(n), size)), np.int64, comb(n, size) * size
        ).reshape(-1, size)
        each = each[~needs[each].any(1) | starts[each].any(1)]
        each = each[~touches[each].any(1) | acts[each].any(1)]
        ways, kind = self.kinds
        which = np.sort(kind[each], axis=1) @ len(ways) ** np.arange(size)
        _, first, which = np.unique(which, return_index=True, return_inverse=True)
        directions = changes / np.linalg.norm(changes, axis=1, keepdims=True)
        possible = np.array(
            [_reached(ways[sorted(set(kind[each[i]].tolist()))], directions) for i in first],
            dtype=bool,
        )
        return each[possible[which.ravel()]]


def _reached(ways: NDArray[np.int64], directions: NDArray[np.float64]) -> bool:
    """Whether sums of changes, each a row of `ways` at any extent, come near all directions."""
    return all(nnls(ways.T.astype(float), one)[1] < _DIRECTION for one in directions)


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


@dataclass(frozen=True)
class Round:
    """One round of screening.

    Attributes
    ----------
    keep
        Networks that are left after it.
    steps
        Levenberg-Marquardt steps from each start.
    starts
        Pairs: a factor of the ln k of the round before, 0 at first, and what is added to it where
        Z reacts.
    """

    keep: int
    steps: int
    starts: tuple[tuple[float, float], ...]


#: Three steps tell what is hopeless, and are most of the work; two lose networks with a fast Z.
ROUNDS = (
    Round(4000, 3, ((0.0, 0.0), (0.0, 2.3))),
    Round(1500, 6, ((1.0, 0.0),)),
    Round(60, 40, ((1.0, 0.0), (0.5, 0.0), (1.0, 1.5))),
)


def screen(
    library: Library,
    networks: NDArray[np.int64],
    track: Track,
    rounds: tuple[Round, ...] = ROUNDS,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Fit all networks along the curves, and those that are best at greater length.

    Parameters
    ----------
    library, networks, track
        Reactions, indices of those of each network (N, n), curves.
    rounds
        What is done, in turn.

    Yields
    ------
    tuple
        After each round the networks that are left, best first, shape (keep, n), and their
        ln k, over the pace of the curves, of the same shape.
    """
    monomials = np.stack(
        [(track.value**order).prod(-1) for order in library.orders[:, :-1]]
    )  # (R, n, M)
    orders = library.orders[:, -1].copy()
    net = library.net * np.append(track.weight, 1.0)
    widths = np.diff(track.times * track.pace)
    changes = (track.value[:, 1:] - track.value[:, :1]) * track.weight
    curves = (monomials, widths, np.ascontiguousarray(changes.transpose(0, 2, 1)))
    logs = np.zeros(networks.shape)
    for round_ in rounds:
        starts = [scale * logs + shift * (orders[networks] > 0) for scale, shift in round_.starts]
        logs, cost = starts[0].copy(), np.full(len(networks), np.inf)
        for i, start in enumerate(starts):
            # A start that is faster where Z reacts is the first one where none does.
            new = np.flatnonzero((start != starts[0]).any(1)) if i else np.arange(len(networks))
            fitted, costs = _fit_all(
                networks[new], start[new], orders, net, *curves, round_.steps, SLOWEST, FASTEST
            )
            better = costs < cost[new]
            logs[new[better]], cost[new[better]] = fitted[better], costs[better]
        order = cost.argsort(kind="stable")[: round_.keep]
        networks, logs = networks[order], logs[order]
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


@njit(cache=True, error_model="numpy")
def _follow(k, orders, net, rates, widths, z, moved):
    """Fill in Z along one run, and its derivatives by ln k; False where it explodes.

    Between two points Z takes a backward Euler step, a quadratic equation.
    """
    z[0], moved[:, 0] = 0.0, 0.0
    for m in range(len(widths)):
        a, b, c = 0.0, -1.0, z[m]
        for i in range(len(k)):
            made = widths[m] * net[i] * k[i] * rates[i, m + 1]
            if orders[i] == 0:
                c += made
            elif orders[i] == 1:
                b += made
            else:
                a += made
        inside = b * b - 4 * a * c
        if inside <= 0 or (b >= 0 and a >= 0):
            return False
        root = np.sqrt(inside)
        now = 2 * c / (-b + root)
        if not 0 <= now < 1e6:
            return False
        z[m + 1] = now
        for i in range(len(k)):
            made = widths[m] * net[i] * k[i] * rates[i, m + 1] * _power(now, orders[i])
            moved[i, m + 1] = (moved[i, m] + made) / root
    return True


@njit(cache=True, error_model="numpy")
def _turn_over(rate, widths, net, out):
    """Add to `out` what a reaction gives each species by each time, by the trapezoidal rule.

    Of `net`, Z stands last and is left out; `rate` is overwritten.
    """
    turned, last = 0.0, rate[0]
    for m in range(len(widths)):
        turned += 0.5 * widths[m] * (rate[m + 1] + last)
        last = rate[m + 1]
        rate[m] = turned
    for s in range(len(net) - 1):
        if net[s] != 0.0:
            for m in range(len(widths)):
                out[s, m] += net[s] * rate[m]


@njit(cache=True, error_model="numpy")
def _residuals(logs, orders, net, rates, widths, changes, out, slopes):
    """Fill in what reactions turned over less what the curves did; False where Z explodes.

    Of the reactions are given the order in Z, (n,), the net stoichiometry, Z last, (n, S + 1), and
    the rates but for k and Z, (n, runs, M); of the curves the changes (runs, S, M - 1), in units
    of which residuals are wanted, as is the stoichiometry. The derivatives by ln k go to `slopes`,
    (n, runs, S, M - 1).
    """
    size, n_runs, n_times = rates.shape
    k = np.exp(logs)
    z, moved_z = np.empty(n_times), np.empty((size, n_times))
    rate = np.empty(n_times)
    slopes[:] = 0.0
    for run in range(n_runs):
        if not _follow(k, orders, net[:, -1], rates[:, run], widths[run], z, moved_z):
            return False
        for s in range(changes.shape[1]):
            for m in range(n_times - 1):
                out[run, s, m] = -changes[run, s, m]
        for i in range(size):
            for m in range(n_times):
                rate[m] = k[i] * rates[i, run, m] * _power(z[m], orders[i])
            _turn_over(rate, widths[run], net[i], out[run])
            for j in range(size):
                if orders[i] == 0 and i != j:
                    continue
                for m in range(n_times):
                    by_z = orders[i] * _power(z[m], orders[i] - 1) * moved_z[j, m]
                    own = _power(z[m], orders[i]) if i == j else 0.0
                    rate[m] = k[i] * rates[i, run, m] * (by_z + own)
                _turn_over(rate, widths[run], net[i], slopes[j, run])
    return True


@njit(cache=True)
def _power(z, order):
    """Return z to a power of 2 at most; below 0, where it is multiplied by 0, 1."""
    return z * z if order == 2 else z if order == 1 else 1.0


@njit(cache=True, error_model="numpy")
def _fit_all(networks, starts, orders, net, monomials, widths, changes, steps, lowest, highest):
    """Levenberg-Marquardt for each network by itself, ln k in a box: ln k (N, n) and cost (N,)."""
    n, size = networks.shape
    residual, tried = np.empty(changes.shape), np.empty(changes.shape)
    slopes, tried_slopes = np.empty((size, *changes.shape)), np.empty((size, *changes.shape))
    all_logs, all_costs = np.empty((n, size)), np.empty(n)
    for network in range(n):
        which = networks[network]
        logs = np.minimum(np.maximum(starts[network], lowest), highest)
        arguments = (orders[which], net[which], monomials[which], widths, changes)
        for _ in range(6):  # too fast to be followed: slower
            fine = _residuals(logs, *arguments, residual, slopes)
            if fine:
                break
            logs = logs - 1.0
        cost = (residual**2).sum() if fine else np.inf
        damping = 1e-2
        for _ in range(steps if fine else 0):
            rows = slopes.reshape(size, -1)
            normal, gradient = rows @ rows.T, rows @ residual.ravel()
            fallen = False
            for _ in range(4):
                damped = normal.copy()
                for i in range(size):
                    damped[i, i] = damped[i, i] * (1 + damping) + 1e-9
                step = np.linalg.solve(damped, -gradient)
                moved = logs + np.minimum(np.maximum(step, -1.5), 1.5)
                moved = np.minimum(np.maximum(moved, lowest), highest)
                fine = _residuals(moved, *arguments, tried, tried_slopes)
                if fine and (tried**2).sum() < cost:
                    fallen = True
                    break
                damping *= 6
            if not fallen:
                break
            before = cost
            cost = (tried**2).sum()
            residual[:] = tried
            slopes[:] = tried_slopes
            logs = moved
            damping = max(damping / 6, 1e-7)
            if before - cost < 1e-5 * before:
                break
        all_logs[network] = logs
        all_costs[network] = cost
    return all_logs, all_costs
