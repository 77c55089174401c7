"""The law that a network with a fast intermediate tends to.

Networks that differ may tend to one law. In the limit, what makes Z and what undoes it are at
equilibrium, so Z is a ratio of monomials, and the third reaction turns over at a monomial of the
observed species alone; each Z that it takes is made good from what Z is made of.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import permutations

from kinetlib.higher_order.stand_ins import INTERMEDIATE
from kinetlib.network import Network, Reaction, parse


@dataclass(frozen=True)
class Law:
    """One reaction of any order, up to its constant.

    Attributes
    ----------
    orders
        Order in each observed species, those of order 0 left out.
    net
        Net stoichiometry, scaled to a sum of sizes of 1, species that do not change left out.
    """

    orders: frozenset[tuple[str, int]]
    net: frozenset[tuple[str, Fraction]]


def limit_law(equations: Iterable[str]) -> Law | None:
    """Return what three reactions with a hidden Z tend to as Z gets fast.

    None where they are not three, where none makes Z from observed species, or where nothing undoes
    what makes it: then there is no such limit.

    Examples
    --------
    >>> law = limit_law(["2 A -> Z", "Z -> 2 A", "A + Z -> B"])
    >>> law == law_of(parse("3 A -> B"))
    True
    """
    network = parse("; ".join(equations))
    if len(network.reactions) != 3:
        return None
    for make, back, use in permutations(network.reactions):
        orders = [reaction.reactants.get(INTERMEDIATE, 0) for reaction in (make, back, use)]
        made, taken = _net(make, INTERMEDIATE), -_net(back, INTERMEDIATE)
        if orders[:2] != [0, 1] or not orders[2] or made <= 0 or taken <= 0:
            continue
        seen = [name for name in network.species if name != INTERMEDIATE]
        if any(_net(make, name) * taken + _net(back, name) * made for name in seen):
            continue
        exponents = {
            name: _order(use, name) + orders[2] * (_order(make, name) - _order(back, name))
            for name in seen
        }
        net = {
            name: _net(use, name) - Fraction(_net(make, name) * _net(use, INTERMEDIATE), made)
            for name in seen
        }
        if any(net.values()):
            return _law(exponents, net)
    return None


def law_of(network: Network) -> Law:
    """Return the law of the first reaction of a network."""
    reaction = network.reactions[0]
    return _law(
        {name: _order(reaction, name) for name in network.species},
        {name: Fraction(_net(reaction, name)) for name in network.species},
    )


def _order(reaction: Reaction, name: str) -> int:
    return reaction.reactants.get(name, 0)


def _net(reaction: Reaction, name: str) -> int:
    return reaction.products.get(name, 0) - reaction.reactants.get(name, 0)


def _law(orders: dict[str, int], net: dict[str, Fraction]) -> Law:
    size = sum(abs(value) for value in net.values())
    return Law(
        frozenset((name, order) for name, order in orders.items() if order),
        frozenset((name, value / size) for name, value in net.items() if value),
    )
