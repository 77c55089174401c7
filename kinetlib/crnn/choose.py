"""Which few reactions of a library explain the curves: best subsets near a fit.

The sum of squares is a known quadratic function of all constants (`kinetlib.crnn.linear`).
Reactions enter it one by one, each time the one that lowers it most, leave again where they are not
missed, and are exchanged until no single exchange lowers it (orthogonal matching pursuit with
exchanges; Miller, Subset Selection in Regression, 2002, chapter 3). A reaction costs log n as in
BIC, and as it is chosen out of L, 2 log L more (Chen, Chen, Biometrika 95, 759, 2008, with gamma =
1): without that the best of a thousand useless ones would look useful.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.library import Library
from kinetlib.crnn.linear import Quadratic
from kinetlib.crnn.start import non_negative

_RIDGE = 1e-9  # of a column's own square: collinear columns
_SPARE = 4  # reactions more than wanted, on the way
_TRIED = 3  # reactions that are tried in full where one is to be added
LEAST = 1e-6  # constant of a required reaction that the data do not ask for, to begin with
MOLECULE = 1e-3  # what a product costs: of reactions that explain alike the smaller one


@dataclass(frozen=True)
class Choice:
    """Reactions chosen: their numbers in the library, sorted, and what is expected of them.

    ``cost`` is the sum of squares with the price of the reactions; ``values`` (n, parts) are the
    constants, and with temperatures the coefficients of their change.
    """

    members: tuple[int, ...]
    cost: float
    values: NDArray[np.float64] = field(compare=False, repr=False)


class Chooser:
    """Searches subsets of a library."""

    def __init__(
        self,
        library: Library,
        quadratic: Quadratic,
        price: float,
        most: int,
        *,
        required: Mapping[int, float | None] | None = None,
        one_way: bool = False,
    ) -> None:
        """Take a library, the quadratic form, the price of a reaction, the most reactions.

        Those required are in each choice, some with a constant that is known; one way, none is
        chosen with its reverse.
        """
        self._n, self._most = len(library), most
        self._required = dict(required or {})
        self._reverse = library.reverse() if one_way else {}
        self._parts = len(quadratic.right) // library.complexes.size
        self._made = library.made(self._parts)
        self._quadratic = quadratic
        self._through = self._made @ quadratic.gram  # (L parts, Q)
        self._right = self._made @ quadratic.right
        self._own = np.stack(
            [self._block(a, b) for a in range(self._parts) for b in range(self._parts)], -1
        ).reshape(self._n, self._parts, self._parts)
        scale = self._own.diagonal(axis1=1, axis2=2)
        self._dead = scale[:, 0] <= 1e-12 * scale[:, 0].max(initial=0.0)
        self._own[:, range(self._parts), range(self._parts)] += _RIDGE * scale + 1e-300
        self._price = price + MOLECULE * library.molecules
        self.seen: dict[tuple[int, ...], Choice] = {}

    def _block(self, a: int, b: int) -> NDArray:
        rows, columns = slice(a * self._n, (a + 1) * self._n), slice(b * self._n, (b + 1) * self._n)
        return np.asarray(self._made[columns].multiply(self._through[rows]).sum(1)).ravel()

    def _at(self, members: Iterable[int]) -> NDArray[np.int64]:
        """Columns of reactions, those of one reaction together."""
        return np.array(
            [one + part * self._n for one in members for part in range(self._parts)], dtype=int
        )

    def _solve(self, members: tuple[int, ...]) -> Choice:
        """Find the constants of a subset; members whose constant would be negative leave."""
        members = tuple(sorted({*members, *self._required}))
        while members:
            at = self._at(members)
            gram = (self._made[at] @ self._through[at].T).T
            gram[np.diag_indices_from(gram)] *= 1 + _RIDGE
            if not self._required:
                values = np.linalg.lstsq(gram, self._right[at], rcond=1e-12)[0]
            else:
                values = self._with_known(members, gram, self._right[at])
            first = values[:: self._parts]
            leaving = [
                (float(value), place)
                for place, (one, value) in enumerate(zip(members, first, strict=True))
                if one not in self._required and (value <= 0 or self._reverse.get(one) in members)
            ]
            if not leaving:
                cost = self._quadratic.constant - float(values @ self._right[at])
                if self._required:
                    cost += float(values @ gram @ values - values @ self._right[at])
                cost += float(self._price[list(members)].sum())
                return self._kept(Choice(members, cost, values.reshape(-1, self._parts)))
            worst = min(leaving)[1]
            members = members[:worst] + members[worst + 1 :]
        return self._kept(Choice((), self._quadratic.constant, np.empty((0, self._parts))))

    def _with_known(
        self, members: tuple[int, ...], gram: NDArray, right: NDArray
    ) -> NDArray[np.float64]:
        """Solve with constants that are known; one that is required is not negative."""
        values = np.zeros(len(right))
        free = np.ones(len(right), dtype=bool)
        for place, one in enumerate(members):
            known = self._required.get(one)
            if known is not None:
                own = slice(place * self._parts, (place + 1) * self._parts)
                values[own], free[own] = 0.0, False
                values[own.start] = known
        rest = right - gram @ values
        values[free] = np.linalg.lstsq(gram[np.ix_(free, free)], rest[free], rcond=1e-12)[0]
        for place, one in enumerate(members):
            own = place * self._parts
            if one in self._required and values[own] <= 0:
                values[own : own + self._parts] = 0.0
                values[own] = LEAST
        return values

    def _kept(self, choice: Choice) -> Choice:
        return self.seen.setdefault(choice.members, choice)

    def _gains(self, choice: Choice) -> NDArray[np.float64]:
        """How much the sum of squares falls with each reaction beside those chosen, shape (L,)."""
        at, n, parts = self._at(choice.members), self._n, self._parts
        right, own = self._right.copy(), self._own
        if len(at):
            cross = (self._made @ self._through[at].T).reshape(parts, n, len(at))
            gram = (self._made[at] @ self._through[at].T).T
            gram[np.diag_indices_from(gram)] *= 1 + _RIDGE
            right = right - (cross @ choice.values.ravel()).ravel()
            # A chosen reaction that makes what nobody sees leaves the matrix singular.
            solved = np.linalg.lstsq(gram, cross.reshape(-1, len(at)).T, rcond=1e-12)[0]
            solved = solved.T.reshape(parts, n, len(at))
            own = own - np.einsum("anm,bnm->nab", cross, solved)
        right = right.reshape(parts, n).T
        floor = 1e-7 * self._own.diagonal(axis1=1, axis2=2)
        own = own.copy()
        diagonal = own.diagonal(axis1=1, axis2=2)
        usable = (diagonal > floor).all(1) & ~self._dead & (right[:, 0] > 0)
        gain = np.full(n, -np.inf)
        if usable.any():
            step = np.linalg.solve(own[usable], right[usable][..., None])[..., 0]
            gain[usable] = np.where(step[:, 0] > 0, (step * right[usable]).sum(1), -np.inf)
        gain[list(choice.members)] = -np.inf
        return gain - self._price

    def search(self, start: Iterable[int] = ()) -> Choice:
        """Search from some reactions, from none, and from the best without a price.

        At first more reactions than wanted are let in, because the way from one good small set to
        a better one may lead over larger ones.
        """
        for first in ((), tuple(start), self._relaxed()):
            free = self._polished(self._shrunk(self._solve(first), self._most + _SPARE))
            self._polished(self._shrunk(free, self._most))
        return self.best(1)[0]

    def _relaxed(self) -> tuple[int, ...]:
        """Return the reactions of the least squares without negative constants and without a price.

        Convex, so there is no better one; with more reactions than are needed.
        """
        values, vectors = np.linalg.eigh(self._quadratic.gram)
        kept = values > 1e-10 * values.max(initial=0.0)
        root = vectors[:, kept] * np.sqrt(values[kept])
        alive = np.flatnonzero(~self._dead)
        columns = np.asarray(self._made[alive] @ root).T
        target = (vectors[:, kept].T @ self._quadratic.right) / np.sqrt(values[kept])
        size = np.linalg.norm(columns, axis=0)
        constants = non_negative(columns / size, target)[0]
        return tuple(int(one) for one in alive[constants > 0])

    def _shrunk(self, choice: Choice, most: int) -> Choice:
        """Drop what costs least to drop, until there are no more than `most`."""
        while len(choice.members) > most:
            at, parts = self._at(choice.members), self._parts
            covariance = np.linalg.pinv((self._made[at] @ self._through[at].T).T, hermitian=True)
            blocks = covariance.reshape(-1, parts, len(at) // parts, parts)
            own = blocks[np.arange(len(blocks)), :, np.arange(len(blocks))]
            step = np.linalg.solve(own, choice.values[..., None])[..., 0]
            loss = (choice.values * step).sum(1) - self._price[list(choice.members)]
            loss[[one in self._required for one in choice.members]] = np.inf
            if not np.isfinite(loss).any():
                return choice
            gone = int(loss.argmin())
            choice = self._solve(choice.members[:gone] + choice.members[gone + 1 :])
        return choice

    def _polished(self, choice: Choice) -> Choice:
        """Add, drop and exchange until nothing lowers the cost."""
        most = max(self._most, len(choice.members))
        while (better := self._improved(choice, most)) is not None:
            choice = better
        return choice

    def _smaller(self, choice: Choice) -> list[Choice]:
        members = choice.members
        return [
            self._solve(members[:i] + members[i + 1 :])
            for i in range(len(members))
            if members[i] not in self._required
        ]

    def _improved(self, choice: Choice, most: int) -> Choice | None:
        """Return the best neighbour, if it is better: one more, one less, or one exchanged."""
        smaller = self._smaller(choice)
        neighbours = list(smaller)
        for base in (choice, *smaller):
            if len(base.members) < most:
                gains = self._gains(base)
                promising = np.argsort(-gains)[:_TRIED]
                neighbours += [
                    self._solve((*base.members, int(one)))
                    for one in promising
                    if np.isfinite(gains[one])
                ]
        best = min(neighbours, key=lambda one: one.cost, default=choice)
        return best if best.cost < choice.cost - 1e-9 * abs(choice.cost) else None

    def best(self, count: int) -> list[Choice]:
        """Return the best subsets seen of the size wanted, best first."""
        small = [one for one in self.seen.values() if len(one.members) <= self._most]
        return sorted(small, key=lambda one: one.cost)[:count]
