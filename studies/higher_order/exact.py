"""Networks of second order that are exact, without any fast step.

Products of concentrations become species of their own, which start at the product's value and keep
it, because their rates of change are again products of two (quadratisation; Bychkov, Pogudin,
IWOCA 2021; Hemery, Fages, Soliman, CMSB 2020). Each negative term contains the species it takes, so
every network here is mass action. The price: hidden species have to be prepared for each run. Where
they start anywhere else, the network does something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import Network, parse
from studies.higher_order.stand_ins import TOLERANCE, TRUTHS


@dataclass(frozen=True)
class Exact:
    """A second-order network with the curves of a reaction of third order.

    Attributes
    ----------
    truth
        The reaction, a key of `studies.higher_order.stand_ins.TRUTHS`.
    text
        The network.
    multiples
        Constants of its reactions over that of the truth.
    hidden
        Hidden species, each with the two species whose product it is.
    """

    truth: str
    text: str
    multiples: tuple[int, ...]
    hidden: Mapping[str, tuple[str, str]]

    @cached_property
    def network(self) -> Network:
        """The network, its hidden species included."""
        return parse(self.text)

    @property
    def constants(self) -> NDArray[np.float64]:
        """Constants of the reactions, shape (R,)."""
        return TRUTHS[self.truth].constant * np.array(self.multiples, dtype=float)

    def initial(self, observed: ArrayLike, prepared: float = 1.0) -> NDArray[np.float64]:
        """Return all initial concentrations, hidden ones `prepared` times their products."""
        names = TRUTHS[self.truth].network.species
        known = dict(zip(names, np.asarray(observed, dtype=float).T, strict=True))
        for name, (one, other) in self.hidden.items():
            known[name] = prepared * known[one] * known[other]
        return np.column_stack([known[name] for name in self.network.species])

    def curves(self, observed: ArrayLike, prepared: float = 1.0) -> NDArray[np.float64]:
        """Simulate the species of the truth from initial concentrations (n, S): (n, T, S)."""
        truth = TRUTHS[self.truth]
        start = self.initial(observed, prepared)
        run = integrate(self.network, self.constants, start, truth.times, threads=1, **TOLERANCE)
        return run.concentration[..., [self.network.index(s) for s in truth.network.species]]

    def off(self, observed: ArrayLike) -> NDArray[np.float64]:
        """Return the time derivatives of what each hidden species is ahead of its product.

        At any state in which hidden species equal their products; 0 where the network keeps them
        so. Shape (n, number of hidden species).
        """
        state = self.initial(observed)
        slope = self.network.rhs(state, self.constants)
        at = self.network.index
        return np.column_stack(
            [
                slope[:, at(name)]
                - slope[:, at(one)] * state[:, at(other)]
                - state[:, at(one)] * slope[:, at(other)]
                for name, (one, other) in self.hidden.items()
            ]
        )


#: One exact network for each reaction.
EXACT: Mapping[str, Exact] = {
    "3 A -> B": Exact(
        "3 A -> B", "A + W -> W; A + W -> B + W; 2 W -> 0", (2, 1, 3), {"W": ("A", "A")}
    ),
    "2 A + B -> C": Exact(
        "2 A + B -> C",
        "A + V -> V; A + V -> C + V; B + U -> U; U + V -> V; U + V -> 0; 2 V -> V",
        (1, 1, 1, 3, 1, 2),
        {"U": ("A", "A"), "V": ("A", "B")},
    ),
    "A + 2 B -> 3 B": Exact(
        "A + 2 B -> 3 B",
        "A + U -> B + U; U + V -> 2 U + V; U + V -> U; 2 V -> 3 V",
        (1, 2, 1, 1),
        {"U": ("B", "B"), "V": ("A", "B")},
    ),
}
