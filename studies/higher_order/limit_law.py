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

from kinetlib.kinetics.network import Network, Reaction, parse
from studies.higher_order.stand_ins import INTERMEDIATE


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
    laws = (_limit(*roles) for roles in permutations(network.reactions))
    return next((law for law in laws if law is not None), None)


def networks_of(law: Law, reactions: Iterable[Reaction]) -> list[tuple[str, ...]]:
    """List all networks of three of some reactions that tend to a law, each in alphabetical order.

    Examples
    --------
    >>> few = parse("2 A -> Z; Z -> 2 A; A + Z -> B; A -> B").reactions
    >>> networks_of(law_of(parse("3 A -> B")), few)
    [('2 A -> Z', 'A + Z -> B', 'Z -> 2 A')]
    """
    reactions = list(reactions)
    pairs = [(make, back) for make, back in permutations(reactions, 2) if _balanced(make, back)]
    found = {
        tuple(sorted(reaction.equation for reaction in (*pair, use)))
        for pair in pairs
        for use in reactions
        if use not in pair and _limit(*pair, use) == law
    }
    return sorted(found)


def law_of(network: Network) -> Law:
    """Return the law of the first reaction of a network."""
    reaction = network.reactions[0]
    return _law(
        {name: _order(reaction, name) for name in network.species},
        {name: Fraction(_net(reaction, name)) for name in network.species},
    )


def _limit(make: Reaction, back: Reaction, use: Reaction) -> Law | None:
    """Return the law of three reactions in these roles; None where they cannot have them."""
    order = _order(use, INTERMEDIATE)
    if not order or not _balanced(make, back):
        return None
    seen = _names(make, back, use)
    exponents = {
        name: _order(use, name) + order * (_order(make, name) - _order(back, name)) for name in seen
    }
    share = Fraction(_net(use, INTERMEDIATE), _net(make, INTERMEDIATE))
    net = {name: _net(use, name) - _net(make, name) * share for name in seen}
    return _law(exponents, net) if any(net.values()) else None


def _balanced(make: Reaction, back: Reaction) -> bool:
    """Whether one makes Z of observed species alone, and the other undoes it, at order 1 in Z."""
    made, taken = _net(make, INTERMEDIATE), -_net(back, INTERMEDIATE)
    if _order(make, INTERMEDIATE) or _order(back, INTERMEDIATE) != 1 or made <= 0 or taken <= 0:
        return False
    return not any(
        _net(make, name) * taken + _net(back, name) * made for name in _names(make, back)
    )


def _names(*reactions: Reaction) -> set[str]:
    sides = [side for reaction in reactions for side in (reaction.reactants, reaction.products)]
    return {name for side in sides for name in side} - {INTERMEDIATE}


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
