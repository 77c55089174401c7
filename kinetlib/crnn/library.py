"""All reactions of a limited order, to choose from, and networks of those chosen."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import block_diag, csr_matrix

from kinetlib.crnn.effects import complexes
from kinetlib.kinetics.network import Network, Reaction

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
        Net stoichiometry, shape (L, S).
    """

    species: tuple[str, ...]
    complexes: NDArray[np.int64]
    of_complex: NDArray[np.int64]
    net: NDArray[np.int64]

    @classmethod
    def all(
        cls,
        species: tuple[str, ...],
        max_order: int,
        *,
        catalysts: bool = True,
        conserve: NDArray[np.float64] | None = None,
    ) -> Library:
        """List all reactions of one to `max_order` molecules.

        Products are one molecule more at most, or 3.

        Parameters
        ----------
        catalysts
            Whether a product may be what goes in.
        conserve
            Composition of the species, shape (S, elements): reactions that break it are left out.

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
    def molecules(self) -> NDArray[np.int64]:
        """Molecules that come out, shape (L,)."""
        return (self.complexes[self.of_complex] + self.net).sum(1)

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

    def network(self, which: NDArray[np.int64]) -> Network:
        """Return the network of some reactions, in their order."""
        left = self.complexes[self.of_complex[which]]
        return network_of(self.species, left, left + self.net[which])


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
