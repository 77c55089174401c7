"""Reactions with coefficients that are no whole numbers, as networks that can be integrated.

``H2O2 -> H2O + 1/2 O2`` happens at k [H2O2]. A network has whole numbers, so it is written as two
reactions of that rate, ``H2O2 -> H2O`` and ``H2O2 -> H2O2 + O2``, the second half as fast: they are
tied, one constant to both.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.network import Network, Reaction

_PARTS = 12  # largest denominator that is written


@dataclass(frozen=True)
class Tied:
    """A network of N reactions that share R constants.

    Attributes
    ----------
    network
        In whole numbers.
    owner
        Which constant each of its reactions has, shape (N,).
    share
        What part of it, shape (N,).
    """

    network: Network
    owner: NDArray[np.int64]
    share: NDArray[np.float64]

    @classmethod
    def of(cls, network: Network) -> Tied:
        """Tie nothing: each reaction has a constant of its own."""
        n = len(network.reactions)
        return cls(network, np.arange(n), np.ones(n))

    @property
    def plain(self) -> bool:
        """Whether each reaction has a constant of its own."""
        return len(self.owner) == 0 or len(self.owner) == int(self.owner.max()) + 1

    def spread(self, constants: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give each reaction of the network its constant, shape (..., R) to (..., N)."""
        return constants[..., self.owner] * self.share


def tied(species: tuple[str, ...], reactants: NDArray, net: NDArray) -> Tied:
    """Write reactions, reactants and net stoichiometry of shape (R, S), as a network."""
    sides, owner, share = [], [], []
    for number, (left, change) in enumerate(zip(reactants, net, strict=True)):
        whole = np.trunc(change + np.sign(change) * 1e-9).astype(np.int64)
        if whole.any():
            sides.append((left, left + whole))
            owner.append(number)
            share.append(1.0)
        for j in np.flatnonzero(np.abs(change - whole) > 1e-9):
            rest = change[j] - whole[j]
            one = np.zeros_like(left)
            one[j] = int(np.sign(rest))
            sides.append((left, left + one))
            owner.append(number)
            share.append(abs(float(rest)))
    steps = tuple(
        (Reaction(_named(left, species), _named(right, species), constant=f"k{number + 1}"),)
        for number, (left, right) in enumerate(sides)
    )
    return Tied(Network(steps), np.array(owner, dtype=np.int64), np.array(share))


def _named(side: NDArray, species: tuple[str, ...]) -> dict[str, int]:
    return {name: int(n) for name, n in zip(species, side, strict=True) if n}


def equation(species: tuple[str, ...], reactants: NDArray, net: NDArray) -> str:
    """Write one reaction, ``H2O2 -> H2O + 1/2 O2``."""
    return f"{_side(species, reactants)} -> {_side(species, reactants + net)}"


def _side(species: tuple[str, ...], side: NDArray) -> str:
    terms = [
        (Fraction(float(n)).limit_denominator(_PARTS), name)
        for name, n in zip(species, side, strict=True)
    ]
    return " + ".join(name if n == 1 else f"{n} {_counted(name)}" for n, name in terms if n) or "0"


def _counted(name: str) -> str:
    """Write a name behind a number: one without a letter, compound 1, stands in quotes."""
    return name if any(map(str.isalpha, name)) else f'"{name}"'
