"""All that mass action of a limited order can do: effects, each one monomial on one species.

Where reactions share their reactants, concentrations tell only what they do together: how fast the
monomial of these reactants makes or takes each species. So the data determine *effects*, one rate
constant for each pair of reactant complex and species (Szederkényi, Banga, Alonso, BMC Syst. Biol.
5, 177, 2011, on networks with equal curves); near their fit whole reactions are chosen
(`kinetlib.crnn.search`). An effect is a legal reaction by itself: ``m -> m + X`` makes X,
``m -> m - X`` takes it, which only a complex that holds X can. So any set of effects is a network
that `kinetlib.kinetics.integrate` simulates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.network import Network, Reaction

Complex = tuple[int, ...]  # molecules of each species


@dataclass(frozen=True)
class Effects:
    """Effects of monomials on species, E of them.

    Attributes
    ----------
    species
        Names, length S.
    complexes
        Reactant complex of each effect, shape (E, S), whole numbers.
    changed
        Species that each effect makes or takes, shape (E,).
    sign
        1 where it makes it, -1 where it takes it, shape (E,).
    """

    species: tuple[str, ...]
    complexes: NDArray[np.int64]
    changed: NDArray[np.int64]
    sign: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of effects."""
        return len(self.changed)

    def __getitem__(self, which: NDArray) -> Effects:
        """Select effects."""
        return Effects(self.species, self.complexes[which], self.changed[which], self.sign[which])

    @classmethod
    def all(cls, species: tuple[str, ...], max_order: int, *, catalysts: bool = True) -> Effects:
        """List the effects of all complexes of one to `max_order` molecules.

        Without `catalysts` a complex does not make what it consists of.
        """
        rows = [
            (complex_, j, sign)
            for complex_ in complexes(len(species), max_order)[1:]
            for j in range(len(species))
            for sign in (1, -1)
            if (complex_[j] > 0 if sign < 0 else catalysts or complex_[j] == 0)
        ]
        columns = zip(*rows, strict=True)
        return cls(species, *(np.array(column, dtype=np.int64) for column in columns))

    @cached_property
    def network(self) -> Network:
        """The network in which each effect is one reaction, in their order."""
        steps = []
        for number, (complex_, j, sign) in enumerate(
            zip(self.complexes, self.changed, self.sign, strict=True)
        ):
            product = complex_.copy()
            product[j] += sign
            sides = (self._named(complex_), self._named(product))
            steps.append((Reaction(*sides, constant=f"k{number + 1}"),))
        return Network(tuple(steps))

    def monomials(self, concentrations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the monomial of each effect, shape (..., S) to (..., E)."""
        powers = np.asarray(concentrations)[..., None, :] ** self.complexes
        return powers.prod(-1)

    def _named(self, complex_: NDArray[np.int64]) -> dict[str, int]:
        return {self.species[j]: int(n) for j, n in enumerate(complex_) if n}


def complexes(n_species: int, most: int) -> list[Complex]:
    """List the complexes of 0 to `most` molecules, small ones first."""
    found = []
    for size in range(most + 1):
        for members in combinations_with_replacement(range(n_species), size):
            found.append(tuple(members.count(j) for j in range(n_species)))
    return found
