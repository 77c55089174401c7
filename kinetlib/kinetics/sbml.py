"""Mechanisms out of SBML, levels 1 to 3, as far as their laws are those of mass action.

A rate law is multiplied out (`kinetlib.kinetics.laws`); each of its terms becomes a reaction, a
negative one a reaction backwards. A catalyst, or any modifier, goes in and comes out. Compartments
and amounts are honoured: where all compartments are of one size, species are concentrations, else
amounts. What changes by anything but reactions (rate rules, events) is refused by name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from xml.etree.ElementTree import Element

from kinetlib.kinetics import notation
from kinetlib.kinetics.laws import NotASum, Powers, Sum, in_words
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.network import Network, Reaction
from kinetlib.kinetics.sbml_model import Model, child, listed, number, parsed


def from_sbml(text: str, identifier: str = "mechanism") -> Mechanism:
    """Read the text of an SBML file.

    Parameters
    ----------
    text
        SBML of level 1, 2 or 3.
    identifier
        Id of the mechanism, where the model has none.

    Returns
    -------
    Mechanism
        With the values of its constants, its initial concentrations, and remarks.

    Raises
    ------
    ValueError
        What is no SBML, or a model of more than mass action: the reaction and its law are named.
    """
    return expressions(parsed(text), identifier).mechanism


@dataclass(frozen=True)
class Expressions:
    """A mechanism, and what its numbers are made of.

    Attributes
    ----------
    mechanism, model
        As they were read.
    constants
        By name the sum, and the number that it is multiplied by.
    """

    mechanism: Mechanism
    model: Model
    constants: dict[str, tuple[Sum, float]]


def expressions(root: Element, identifier: str = "mechanism") -> Expressions:
    """Read a parsed SBML file, and keep the expressions of its constants; see `from_sbml`."""
    try:
        model = Model(root, identifier)
        reading = _Reactions(model)
        return Expressions(reading.mechanism(), model, reading.expressions)
    except RecursionError:
        raise ValueError("SBML: expressions or functions lie too deep in each other") from None


@dataclass
class _Constants:
    """Gives each term of a law a constant of its own, with a name and a value."""

    used: set[str] = field(default_factory=set)
    values: dict[str, float] = field(default_factory=dict)

    def name(self, wanted: str, value: float) -> str:
        name, number = wanted, 2
        while name in self.used:
            name, number = f"{wanted}_{number}", number + 1
        self.used.add(name)
        if math.isfinite(value):
            self.values[name] = value
        return name


class _Reactions:
    """Makes reactions of a model's."""

    def __init__(self, model: Model) -> None:
        self._model, self._remarks = model, model.remarks
        self._constants = _Constants()
        self.expressions: dict[str, tuple[Sum, float]] = {}
        sizes = {model.size(name) for name in model.species}
        self._common = sizes.pop() if len(sizes) == 1 else None
        if self._common is None and sizes:
            self._remarks.append("compartments differ in size: species are amounts")

    def mechanism(self) -> Mechanism:
        """Put the mechanism together."""
        reactions = list(listed(self._model.element, "listOfReactions"))
        terms = [self._terms(reaction) for reaction in reactions]
        uses = [name for each in terms for term in each for name in term.parameters]
        steps = [
            step
            for reaction, each in zip(reactions, terms, strict=True)
            for step in self._steps(reaction, each, uses)
        ]
        if not steps:
            raise ValueError("SBML: the model has no reaction that changes anything")
        held = {self._model.names[s] for s in self._model.species if self._model.is_held(s)}
        network = Network(tuple(_paired(steps)))
        network = Network(network.steps, frozenset(held & set(network.species)))
        return Mechanism(
            self._model.id,
            self._model.name,
            "own",
            network,
            others={},
            fingerprint=(),
            rate_constants=self._constants.values,
            start=self._initial(network),
            remarks=tuple(self._remarks),
        )

    def _initial(self, network: Network) -> dict[str, float]:
        initial = {}
        for species, name in self._model.names.items():
            if name not in network.species:
                self._remarks.append(f"species {name!r} takes part in no reaction: left out")
                continue
            amount = self._model.starts[species]
            if not math.isfinite(amount):
                self._remarks.append(f"species {name!r} has no initial value: 0 is taken")
                amount = 0.0
            if amount < 0:
                raise ValueError(f"SBML: species {name!r} starts at {amount!r}, below 0")
            initial[name] = amount / (self._common or 1.0)
        return initial

    def _terms(self, reaction: Element) -> list[_Term]:
        """Multiply the law of a reaction out; one term for each product of species."""
        name, law = reaction.get("id", ""), child(reaction, "kineticLaw")
        math_ = None if law is None else child(law, "math")
        if math_ is None:
            raise ValueError(f"SBML: reaction {name!r} has no rate law")
        if reaction.get("fast") == "true":
            raise ValueError(f"SBML: reaction {name!r} is fast, an equilibrium: not read")
        try:
            local = {}
            for kind in ("listOfParameters", "listOfLocalParameters"):
                for parameter in listed(law, kind):
                    own = f"{name}.{parameter.get('id')}"
                    self._model.values[own] = number(parameter, "value")
                    local[parameter.get("id", "")] = Sum.symbol(own)
            return self._grouped(self._model.reader.read(math_, local))
        except NotASum as error:
            raise ValueError(
                f"SBML: reaction {name!r}: its law {in_words(math_)} is not of mass action: {error}"
            ) from None

    def _grouped(self, law: Sum) -> list[_Term]:
        grouped: dict[Powers, dict[Powers, float]] = {}
        for powers, value in law.terms.items():
            orders = tuple((n, e) for n, e in powers if n in self._model.species)
            rest = tuple((n, e) for n, e in powers if n not in self._model.species)
            grouped.setdefault(orders, {})[rest] = value
        terms = []
        for orders, factors in grouped.items():
            if any(e < 0 for _, e in orders):
                raise NotASum(f"it divides by {', '.join(n for n, e in orders if e < 0)}")
            scale = 1.0 / (self._common or 1.0)
            for species, e in orders:
                if self._model.species[species].get("conversionFactor"):
                    raise NotASum(f"{species!r} has a conversion factor")
                if self._model.is_amount(species):
                    scale *= (self._common or 1.0) ** e
                elif self._common is None:
                    scale /= self._model.size(species) ** e
            terms.append(_Term(dict(orders), Sum(factors), scale, self._model.compartments))
        return terms

    def _steps(
        self, reaction: Element, terms: list[_Term], uses: list[str]
    ) -> list[tuple[Reaction, ...]]:
        """Make a reaction of each term of a law; two of opposite directions make one step."""
        name = reaction.get("id", "")
        net = self._net(reaction)
        if not any(net[s] for s in net if not self._model.is_held(s)):
            self._remarks.append(f"reaction {name!r} changes no species: left out")
            return []
        made = [
            self._reaction(name, part, term.times(share), terms, uses)
            for term in terms
            for part, share in self._parts(name, net, term)
        ]
        if not made:
            self._remarks.append(f"reaction {name!r} has the law 0: left out")
        if len(made) == 2 and made[0].reactants == made[1].products:
            if made[0].products == made[1].reactants:
                return [tuple(made)]
        return [(one,) for one in made]

    def _parts(
        self, name: str, net: dict[str, Fraction], term: _Term
    ) -> list[tuple[dict[str, Fraction], float]]:
        """Split S1 -> 0.3 S2, at the rate k [S1], into S1 -> 0 and, at 0.3 of it, S1 -> S1 + S2."""
        whole = math.lcm(*(n.denominator for n in net.values()))
        value = self._model.reader.evaluate(term.factors)
        used = {s: -n * whole * (-1 if value < 0 else 1) for s, n in net.items()}
        free = [s for s in net if not self._model.is_held(s)]
        if whole == 1 or math.isnan(value) or all(used[s] <= term.orders.get(s, 0) for s in free):
            return [(net, 1.0)]
        told = ", ".join(f"{float(abs(n)):g} {s!r}" for s, n in net.items() if n.denominator > 1)
        self._remarks.append(f"reaction {name!r}: {told}, written as a reaction with a part of k")
        parts = [({s: Fraction(int(n)) for s, n in net.items()}, 1.0)]
        for species, n in net.items():
            if rest := n - int(n):
                parts.append(({species: Fraction(1 if rest > 0 else -1)}, float(abs(rest))))
        return [(part, share) for part, share in parts if any(part.values())]

    def _reaction(
        self,
        name: str,
        net: dict[str, Fraction],
        term: _Term,
        terms: list[_Term],
        uses: list[str],
    ) -> Reaction:
        value = self._model.reader.evaluate(term.factors) * term.scale
        backwards = value < 0
        if math.isnan(value) and term.parameter is None:
            lacking = sorted(n for n in term.factors.symbols if math.isnan(self._model.values[n]))
            raise ValueError(f"SBML: reaction {name!r}: {', '.join(lacking)} has no value")
        if math.isnan(value):  # a constant that is to be found
            backwards = term.sign < 0
        whole = math.lcm(*(n.denominator for n in net.values()))
        change = {s: int(n * whole) * (-1 if backwards else 1) for s, n in net.items()}
        products = {s: term.orders.get(s, 0) + change.get(s, 0) for s in (*term.orders, *change)}
        for species, n in products.items():
            if n < 0 and not self._model.is_held(species):
                law = in_words(child(child(self._element(name), "kineticLaw"), "math"))
                raise ValueError(
                    f"SBML: reaction {name!r}: its law {law} is not of mass action: it uses up "
                    f"{-change[species]} {species!r} at order {term.orders.get(species, 0)}"
                )
        constant = self._constant(name, term, abs(value) / whole, len(terms), backwards, uses)
        self.expressions[constant] = (term.factors, (-1 if backwards else 1) * term.scale / whole)
        return Reaction(
            {self._model.names[s]: n for s, n in term.orders.items()},
            {self._model.names[s]: n for s, n in products.items() if n > 0},
            constant,
        )

    def _element(self, name: str) -> Element:
        return next(
            r for r in listed(self._model.element, "listOfReactions") if r.get("id") == name
        )

    def _constant(
        self,
        reaction: str,
        term: _Term,
        value: float,
        n_terms: int,
        backwards: bool,
        uses: list[str],
    ) -> str:
        """Name the constant of a term: as the parameter that it is, or after its reaction."""
        parameter = term.parameter
        alone = parameter is not None and uses.count(parameter) == 1
        if alone and (math.isnan(value) or math.isclose(value, self._model.values[parameter])):
            shown = parameter.rpartition(".")[2]
            name = self._constants.name(self._shown(parameter, shown), value)
            if name != shown and "." in parameter:
                self._remarks.append(
                    f"parameter {shown!r} of reaction {reaction!r} is called {name}"
                )
            return name
        wanted = f"k_{reaction}" + ("_back" if backwards and n_terms > 1 else "")
        name = self._constants.name(wanted, value)
        self._remarks.append(
            f"reaction {reaction!r}: its constant {name} is {term.in_words(value)}"
        )
        return name

    def _shown(self, parameter: str, identifier: str) -> str:
        """Name a parameter as the model does, where that is a name of a constant."""
        for element in listed(self._model.element, "listOfParameters"):
            if element.get("id") == parameter and notation.is_constant(element.get("name") or ""):
                return element.get("name", "")
        return identifier

    def _net(self, reaction: Element) -> dict[str, Fraction]:
        net: dict[str, Fraction] = {}
        for kind, sign in (("listOfReactants", -1), ("listOfProducts", 1)):
            for reference in listed(reaction, kind):
                species = reference.get("species", "")
                if species not in self._model.species:
                    raise ValueError(
                        f"SBML: reaction {reaction.get('id')!r}: no species {species!r}"
                    )
                if child(reference, "stoichiometryMath") is not None:
                    raise ValueError(
                        f"SBML: reaction {reaction.get('id')!r}: the stoichiometry of "
                        f"{species!r} is an expression, which is not read"
                    )
                text = reference.get("stoichiometry", "1")
                count = Fraction(text).limit_denominator(100)
                if not math.isclose(count, float(text), abs_tol=1e-9):
                    raise ValueError(
                        f"SBML: reaction {reaction.get('id')!r}: {text} of {species!r} is no "
                        "fraction of whole numbers"
                    )
                net[species] = net.get(species, Fraction(0)) + sign * count
        ruled = [s for s in net if s in self._model.ruled]
        if ruled:
            raise ValueError(f"SBML: {', '.join(ruled)} changes by a reaction and has a rule, too")
        return net


def _paired(steps: list[tuple[Reaction, ...]]) -> list[tuple[Reaction, ...]]:
    """Put k1 and k-1 into one step, where they are the two directions of one."""
    paired: list[tuple[Reaction, ...]] = []
    for step in steps:
        last = paired[-1] if paired else ()
        if len(last) == len(step) == 1:
            (one,), (other,) = last, step
            opposite = (one.reactants, one.products) == (other.products, other.reactants)
            if opposite and other.constant == f"k-{one.constant.removeprefix('k')}":
                paired[-1] = (one, other)
                continue
        paired.append(step)
    return paired


class _Term:
    """A term of a law: orders of species, and what multiplies them."""

    def __init__(
        self, orders: dict[str, int], factors: Sum, scale: float, compartments: dict[str, Element]
    ) -> None:
        self.orders, self.factors, self.scale = orders, factors, scale
        self._compartments = compartments
        self.parameters = sorted(factors.symbols - set(compartments))

    def times(self, share: float) -> _Term:
        """Return the term multiplied by a number."""
        return _Term(self.orders, self.factors, self.scale * share, self._compartments)

    @property
    def parameter(self) -> str | None:
        """The one parameter that it is a multiple of, if there is one."""
        once = [n for powers in self.factors.terms for n, e in powers if e == 1]
        single = len(self.factors.terms) == 1 and len(self.parameters) == 1
        return self.parameters[0] if single and self.parameters[0] in once else None

    @property
    def sign(self) -> float:
        """Sign of a term whose parameter has no value."""
        return math.copysign(1.0, next(iter(self.factors.terms.values())))

    def in_words(self, value: float) -> str:
        """Say what it is made of."""
        parts = []
        for powers, factor in self.factors.terms.items():
            names = [n.rpartition(".")[2] + ("" if e == 1 else f"^{e}") for n, e in powers]
            parts.append(" * ".join(([] if abs(factor) == 1 else [f"{factor:g}"]) + names))
        scale = "" if math.isclose(self.scale, 1.0) else f" * {self.scale:g} (sizes, shares)"
        return f"{' + '.join(p or '1' for p in parts)}{scale} = {value!r}"
