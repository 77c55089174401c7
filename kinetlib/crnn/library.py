"""All reactions of a limited order, to choose from, and networks of those chosen."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import block_diag, csr_matrix

from kinetlib.crnn.effects import complexes
from kinetlib.crnn.tied import Tied, equation, tied
from kinetlib.kinetics.network import Network, Reaction

_SAME = 1e-9  # molecules
_SIDES = 10_000  # that are looked through for parts of molecules
_PARTS = (2, 3)  # of a molecule that reactions may make, where whole ones do not balance
_LARGEST = 50_000_000  # numbers that relate reactions to the effects of complexes


@dataclass(frozen=True)
class Library:
    """Reactions among S species, L of them, of C reactant complexes.

    Of reactions that differ only in how much happens at once, like 2 A -> A + B and 2 A -> 2 B,
    concentrations tell a rate and not which: the one that changes least stands for both.

    Attributes
    ----------
    species
        Names, length S.
    complexes
        Reactant complexes, shape (C, S).
    of_complex
        Reactant complex of each reaction, shape (L,).
    net
        Net stoichiometry, shape (L, S): whole numbers, but for halves and thirds that were asked
        for.
    """

    species: tuple[str, ...]
    complexes: NDArray[np.int64]
    of_complex: NDArray[np.int64]
    net: NDArray

    @classmethod
    def all(
        cls,
        species: tuple[str, ...],
        max_order: int,
        *,
        catalysts: bool = True,
        conserve: NDArray[np.float64] | None = None,
        fractions: bool = False,
    ) -> Library:
        """List all reactions of one to `max_order` molecules.

        Products are one molecule more at most, or 3.

        Parameters
        ----------
        catalysts
            Whether a product may be what goes in.
        conserve
            Composition of the species, shape (S, elements): reactions that break it are left out.
        fractions
            Whether halves and thirds of molecules come out where whole ones do not conserve that:
            those that `parts_among` says.

        Raises
        ------
        ValueError
            If there are too many to choose from, or none.
        """
        _refuse_size(len(species), max_order)
        sides = np.array(complexes(len(species), max(max_order + 1, 3)))
        reactants = sides[(sides.sum(1) > 0) & (sides.sum(1) <= max_order)]
        of_complex, net = [], []
        for number, reactant in enumerate(reactants):
            change = sides - reactant
            usable = change.any(1) & np.array([np.gcd.reduce(row) == 1 for row in change])
            if not catalysts:
                usable &= ~((sides > 0) & (reactant > 0)).any(1)
            if conserve is not None:
                usable &= np.isclose(change @ conserve, 0.0).all(1)
            net.append(change[usable])
            if fractions and conserve is not None:
                net[-1] = _with_parts(reactant, net[-1], conserve, catalysts)
            of_complex.append(np.full(len(net[-1]), number))
        if not any(map(len, net)):
            raise ValueError(
                f"no reaction among {', '.join(species)} is left with these settings: check "
                "conserve, or allow catalysts"
            )
        return cls(species, reactants, np.concatenate(of_complex), np.concatenate(net))

    def __len__(self) -> int:
        """Return the number of reactions."""
        return len(self.net)

    @property
    def molecules(self) -> NDArray:
        """Molecules that come out, shape (L,)."""
        return (self.complexes[self.of_complex] + self.net).sum(1)

    def where(self, kept: NDArray[np.bool_]) -> Library:
        """Select reactions, shape (L,)."""
        return Library(self.species, self.complexes, self.of_complex[kept], self.net[kept])

    def place(self, reactants: NDArray, net: NDArray) -> int | None:
        """Find a reaction; None where it is not there."""
        same = (self.complexes[self.of_complex] == reactants).all(1)
        same &= np.isclose(self.net, net).all(1)
        return int(same.argmax()) if same.any() else None

    def having(self, reactants: NDArray, net: NDArray) -> Library:
        """Add a reaction, if it is not there."""
        if self.place(reactants, net) is not None:
            return self
        known = (self.complexes == reactants).all(1)
        complexes = self.complexes if known.any() else np.vstack([self.complexes, reactants])
        number = int(known.argmax()) if known.any() else len(self.complexes)
        return Library(
            self.species,
            complexes,
            np.append(self.of_complex, number),
            np.vstack([self.net, net]),
        )

    def equation(self, one: int) -> str:
        """Write a reaction."""
        return equation(self.species, self.complexes[self.of_complex[one]], self.net[one])

    def reverse(self) -> dict[int, int]:
        """Return the reverse of each reaction that has one here."""
        left = self.complexes[self.of_complex]
        pairs = zip(left, left + self.net, strict=True)
        sides = {(tuple(before), tuple(after)): r for r, (before, after) in enumerate(pairs)}
        return {r: sides[one[::-1]] for one, r in sides.items() if one[::-1] in sides}

    def made(self, parts: int = 1) -> csr_matrix:
        """Return what each reaction makes of each complex's effects, shape (L parts, C S parts).

        An effect is a change of one species at the rate of one complex; with several `parts` each
        has as many columns, those of one part together.
        """
        n_species = len(self.species)
        row, j = np.nonzero(self.net)
        column = self.of_complex[row] * n_species + j
        one = csr_matrix(
            (self.net[row, j].astype(float), (row, column)),
            shape=(len(self), len(self.complexes) * n_species),
        )
        return csr_matrix(block_diag([one] * parts))

    def network(self, which: NDArray[np.int64]) -> Tied:
        """Return the network of some reactions, in their order."""
        return tied(self.species, self.complexes[self.of_complex[which]], self.net[which])


def parts_among(n_species: int, max_order: int) -> list[int]:
    """Tell which parts of molecules are looked for: 2 for halves, 3 for thirds."""
    sizes = {parts: parts * (max_order + 1) for parts in _PARTS}
    return [parts for parts, size in sizes.items() if comb(n_species + size, size) <= _SIDES]


def _with_parts(
    reactant: NDArray[np.int64], whole: NDArray[np.int64], conserve: NDArray, catalysts: bool
) -> NDArray:
    """Add changes in halves and thirds of molecules, (n, S), where no whole ones go that way."""
    found = [whole.astype(float)]
    n_species, size = len(reactant), int(reactant.sum())
    for parts in parts_among(n_species, size):
        sides = np.array(complexes(n_species, parts * (size + 1)))
        change = sides - parts * reactant
        usable = np.isclose(change @ conserve, 0.0).all(1) & change.any(1)
        # What makes less than one molecule go in is the same, slower.
        usable &= (change.min(1) < 0) & (np.gcd.reduce(change, axis=1) == 1)
        usable &= (change < -reactant).any(1)
        if not catalysts:
            usable &= ~((sides > 0) & (reactant > 0)).any(1)
        # What is two whole reactions at once is no reaction of its own.
        cone = np.concatenate(found).T
        new = [one / parts for one in change[usable] if not _mixed(cone, one / parts)]
        found.append(np.array(new, dtype=float).reshape(-1, n_species))
    return np.concatenate(found)


def _mixed(cone: NDArray, change: NDArray) -> bool:
    """Tell whether a change is a sum of others, columns of (S, n)."""
    return bool(cone.size) and nnls(cone, change)[1] < _SAME


def _refuse_size(n_species: int, max_order: int) -> None:
    """Refuse more reactions than are searched in minutes and in the memory of a small machine."""
    reactants = comb(n_species + max_order, max_order) - 1
    reactions = reactants * comb(n_species + max(max_order + 1, 3), n_species)
    if reactions * reactants * n_species > _LARGEST:
        raise ValueError(
            f"{n_species} species and orders of up to {max_order} make about {reactions:,} "
            "reactions, too many to choose from: leave out species, or lower max_order"
        )


def network_of(
    species: tuple[str, ...], reactants: NDArray[np.int64], products: NDArray[np.int64]
) -> Network:
    """Return the network of reactions given as complexes, each of shape (R, S)."""
    steps = []
    for number, pair in enumerate(zip(reactants, products, strict=True)):
        sides = [
            {name: int(n) for name, n in zip(species, side, strict=True) if n} for side in pair
        ]
        steps.append((Reaction(*sides, constant=f"k{number + 1}"),))
    return Network(tuple(steps))
