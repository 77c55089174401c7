"""From a first fit to the reactions of a library that explain the curves best.

Around a fit all reactions of the library are known at once (`kinetlib.crnn.linear`); the best few
subsets (`kinetlib.crnn.choose`) are fitted to the curves themselves, and around the best of them it
begins anew, until no better one comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.choose import LEAST, MOLECULE, Choice, Chooser
from kinetlib.crnn.conserved import makes_matter
from kinetlib.crnn.fit import COARSE, FINE, Fit, Problem
from kinetlib.crnn.library import Library
from kinetlib.crnn.linear import Quadratic, linearised
from kinetlib.crnn.point import Unknowns
from kinetlib.crnn.runs import Curves

_FITTED = 4  # subsets of each round that are fitted
_ROUNDS = 6
_FINISHED = 12  # candidates that are fitted well at the end, at most
_TELLING = 30  # residuals that tell the size of the noise
_MADE, _LOST = 6.0, 1.0  # what networks cost that make matter of nothing, or lose it
_ALIKE = 0.5  # of the criterion: what differs by less explains the curves as well
Members = tuple[int, ...]  # numbers of reactions in the library, sorted


@dataclass(frozen=True)
class Candidate:
    """Reactions fitted to the curves: ``members`` of the library, in a network that may have more.

    ``positions`` are their places in the network of the problem; ``criterion`` is the deviance with
    what the reactions cost.
    """

    members: Members
    problem: Problem
    positions: NDArray[np.int64]
    fit: Fit
    criterion: float


@dataclass
class Search:
    """What has been tried, for one data set.

    Attributes
    ----------
    curves, noise
        The data, and the relative standard deviation of their noise.
    library
        Reactions to choose from.
    most
        Most reactions.
    required
        Reactions that are in each answer, with their constants where they are known.
    one_way
        Whether no reaction goes both ways.
    weighed
        Species whose matter nobody made of nothing, shape (S,): a network that does costs more.
        None where the library keeps matter anyhow.
    chosen_of
        Number of reactions that each was chosen out of, where that is not the library.
    tick
        Called now and then; ends the search by an exception.
    tried
        By members, all that was fitted.
    """

    curves: Curves
    noise: float
    library: Library
    most: int
    required: Mapping[int, float | None] = field(default_factory=dict)
    one_way: bool = False
    weighed: NDArray[np.bool_] | None = None
    chosen_of: int | None = None
    tick: Callable[[], None] = lambda: None
    tried: dict[Members, Candidate] = field(default_factory=dict)

    @property
    def price(self) -> float:
        """What a reaction costs, see `kinetlib.crnn.choose`."""
        parts = 1 if self.curves.temperature is None else 2
        n_values = int(self.curves.measured.sum())
        return parts * np.log(n_values) + 2 * np.log(self.chosen_of or len(self.library))

    @property
    def best(self) -> Candidate | None:
        """The best of all that was tried; of those that explain alike, that of fewer molecules."""
        return min(self.tried.values(), key=self._rank, default=None)

    def _rank(self, one: Candidate) -> float:
        return one.criterion + MOLECULE * int(self.library.molecules[list(one.members)].sum())

    def as_good(self, members: Iterable[Members]) -> int:
        """Count the members that explain the curves as well as the best."""
        return sum(self.tried[one].criterion < self.best.criterion + _ALIKE for one in members)

    def written(self, members: Members) -> str:
        """Write reactions on one line."""
        return ", ".join(self.library.equation(one) for one in members)

    @property
    def rest(self) -> float:
        """Squared residuals that the best leaves, over their number less that of constants.

        NaN without a best, and where too few are left to tell the noise by.
        """
        if self.best is None:
            return np.nan
        fit = self.best.fit
        free = fit.n_values - len(fit.information)
        return fit.chi_squared / free if free >= _TELLING else np.nan

    def finish(self) -> tuple[Candidate | None, bool]:
        """Fit well what is nearly the best; return the best, and whether nobody interrupted."""
        if self.best is None:
            return None, True
        limit = self.best.criterion + 2 * COARSE
        near = [one for one in self.tried.values() if one.criterion < limit]
        try:
            for one in sorted(near, key=lambda one: one.criterion)[:_FINISHED]:
                self._well_fitted(one)
        except KeyboardInterrupt:
            return self.best, False
        return self.best, True

    def descend(self, problem: Problem, fit: Fit) -> Candidate | None:
        """Search from a fit on; None where no reaction explains anything."""
        around, best = (problem, fit), None
        for _ in range(_ROUNDS):
            quadratic = linearised(*around, self.library.complexes)
            if not np.isfinite(quadratic.gram).all():
                break  # a fit that can hardly be integrated: nothing is known around it
            chooser = Chooser(
                self.library,
                quadratic,
                self.price,
                self.most,
                required=self.required,
                one_way=self.one_way,
            )
            chooser.search(best.members if best else ())
            choices = [one for one in chooser.best(_FITTED) if one.members]
            candidates = self._fitted(choices, quadratic, around[1].unknowns.initial)
            found = min(candidates, key=lambda one: one.criterion, default=None)
            if found is None or (best is not None and found.criterion >= best.criterion - 1e-3):
                break
            best = found
            around = best.problem, best.fit
        return best and self._well_fitted(self._fewer(best))

    def _fewer(self, one: Candidate) -> Candidate:
        """Leave out reactions while the criterion falls.

        The quadratic form is that of trajectories nearby, and of those that fit, the ones of fewer
        reactions may be farther away.
        """
        while len(one.members) > 1:
            smaller = [
                self._without(one, gone)
                for gone, member in enumerate(one.members)
                if member not in self.required
            ]
            if not smaller:
                return one
            best = min(smaller, key=lambda other: other.criterion)
            if best.criterion >= one.criterion:
                return one
            one = best
        return one

    def _without(self, one: Candidate, gone: int) -> Candidate:
        members = one.members[:gone] + one.members[gone + 1 :]
        if members in self.tried:
            return self.tried[members]
        unknowns, positions = one.fit.unknowns, np.delete(one.positions, gone)
        constants = np.zeros_like(unknowns.constants)
        constants[positions] = unknowns.constants[positions]
        begun = replace(unknowns, constants=constants)
        fit = one.problem.fit(begun, one.fit.deviation, rounds=2, fall=COARSE)
        return self._keep(members, one.problem, positions, fit)

    def _fitted(
        self, choices: list[Choice], quadratic: Quadratic, initial: NDArray[np.float64]
    ) -> list[Candidate]:
        """Fit choices, new ones in one network of all their reactions."""
        new = [one for one in choices if one.members not in self.tried]
        pool = np.array(sorted({number for one in new for number in one.members}), dtype=int)
        if len(pool):
            problem = self._problem(pool)
        for choice in new:
            positions = np.searchsorted(pool, choice.members)
            constants, activation = np.zeros(len(pool)), np.zeros(len(pool))
            constants[positions] = np.maximum(choice.values[:, 0], LEAST * LEAST)
            activation[positions] = quadratic.activations(choice.values)
            unknowns = Unknowns(constants, activation, initial)
            fit = problem.fit(unknowns, rounds=2, fall=COARSE)
            self._keep(choice.members, problem, positions, fit)
        return [self.tried[one.members] for one in choices]

    def _problem(self, pool: NDArray[np.int64]) -> Problem:
        """Lay out the fit of some reactions, those with known constants fixed."""
        fixed = np.array([self.required.get(one) is not None for one in pool])
        return Problem(
            self.library.network(pool),
            self.curves,
            self.noise,
            fixed=fixed if fixed.any() else None,
            tick=self.tick,
        )

    def fitted(self, members: Members, constants: NDArray[np.float64]) -> Candidate:
        """Fit reactions of someone's own choice, from constants on."""
        order = np.argsort(members)
        members = tuple(int(members[i]) for i in order)
        problem = self._problem(np.array(members))
        fit = problem.fit(problem.unknowns(np.asarray(constants)[order]))
        return self._keep(members, problem, np.arange(len(members)), fit)

    def _matter(self, members: Members) -> float:
        """Return the price of matter that is made of nothing, or lost."""
        if self.weighed is None:
            return 0.0
        made, lost = makes_matter(self.library.net[list(members)][:, self.weighed])
        return _MADE if made else _LOST if lost else 0.0

    def _keep(
        self, members: Members, problem: Problem, positions: Iterable[int], fit: Fit
    ) -> Candidate:
        criterion = fit.deviance + self.price * len(members) + self._matter(members)
        self.tried[members] = Candidate(members, problem, np.array(positions), fit, criterion)
        return self.tried[members]

    def _well_fitted(self, one: Candidate) -> Candidate:
        fit = one.problem.fit(one.fit.unknowns, one.fit.deviation, fall=FINE)
        return self._keep(one.members, one.problem, one.positions, fit)
