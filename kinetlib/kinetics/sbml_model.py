"""The parts of an SBML model that reactions are read with: sizes, values, species, definitions.

Read with the standard library; a document type declaration, with which entities come, is refused.
"""

from __future__ import annotations

import math
import xml.parsers.expat
from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from kinetlib.kinetics import notation
from kinetlib.kinetics.laws import NotASum, Reader, Sum, in_words
from kinetlib.kinetics.sbml_level1 import upgraded
from kinetlib.kinetics.sbml_time import without_time

_DEEPEST = 200  # elements within each other
_OTHER_RULES = ("rateRule", "algebraicRule")


def parsed(text: str) -> Element:
    """Parse XML that has no document type and is not too deep."""
    depth = 0

    def begins(name: str, attributes: dict) -> None:
        nonlocal depth
        depth += 1
        if depth > _DEEPEST:
            raise ValueError(f"SBML: elements lie over {_DEEPEST} deep in each other")

    def ends(name: str) -> None:
        nonlocal depth
        depth -= 1

    def document_type(*_: object) -> None:
        raise ValueError("SBML: a document type declaration is not read, as it may define entities")

    guard = xml.parsers.expat.ParserCreate()
    guard.StartElementHandler, guard.EndElementHandler = begins, ends
    guard.StartDoctypeDeclHandler = document_type
    try:
        guard.Parse(text, True)
        return ElementTree.fromstring(text)
    except (xml.parsers.expat.ExpatError, ElementTree.ParseError) as error:
        raise ValueError(f"SBML: not well-formed XML: {error}") from None


def tag(node: Element) -> str:
    """Return the name of an element without its namespace, nothing for a comment."""
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def listed(node: Element | None, name: str) -> Iterator[Element]:
    """Yield what stands in a list of a model or reaction."""
    for part in [] if node is None else node:
        if tag(part) == name:
            yield from (entry for entry in part if isinstance(entry.tag, str))


def child(node: Element, name: str) -> Element | None:
    """Return the first child of a name."""
    return next((part for part in node if tag(part) == name), None)


def number(node: Element, name: str) -> float:
    """Return a number of an element, NaN where there is none."""
    text = node.get(name)
    if text is None:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise ValueError(
            f"SBML: {tag(node)} {node.get('id')!r}: {name} is no number: {text!r}"
        ) from None


class Model:
    """Reads one model."""

    def __init__(self, root: Element, identifier: str) -> None:
        if tag(root) != "sbml":
            raise ValueError(f"SBML: expected <sbml>, found <{tag(root)}>")
        level = root.get("level", "")
        root = upgraded(root) if level == "1" else root
        model = child(root, "model")
        if level not in ("1", "2", "3") or model is None:
            what = "no model in it" if model is None else f"level {level} is not read, 1 to 3 are"
            raise ValueError(f"SBML: {what}")
        for name, value in root.attrib.items():
            if name.endswith("}required") and value == "true":
                raise ValueError(f"SBML: it needs the package {name[1:].partition('}')[0]}")
        self.element = model
        self.id = model.get("id") or identifier
        self.name = model.get("name") or self.id
        self.remarks: list[str] = without_time(model)
        self._refuse_other_changes()
        self.starts: dict[str, float] = {}
        self._read_values()
        self.names = self._displayed()

    def _refuse_other_changes(self) -> None:
        for rule in listed(self.element, "listOfRules"):
            if tag(rule) in _OTHER_RULES:
                what = rule.get("variable") or "an equation"
                raise ValueError(f"SBML: {tag(rule)} of {what}: only reactions are read")
        for event in listed(self.element, "listOfEvents"):
            raise ValueError(f"SBML: event {event.get('id')!r}: only reactions are read")

    def _read_values(self) -> None:
        """Read compartments, parameters, species and what defines them."""
        model = self.element
        self.species = {s.get("id", ""): s for s in listed(model, "listOfSpecies")}
        self.compartments = {c.get("id", ""): c for c in listed(model, "listOfCompartments")}
        self.values = {name: number(c, "size") for name, c in self.compartments.items()}
        for parameter in listed(model, "listOfParameters"):
            self.values[parameter.get("id", "")] = number(parameter, "value")
        functions = {}
        for function in listed(model, "listOfFunctionDefinitions"):
            functions[function.get("id", "")] = self._function(function)
        definitions = {}
        for rule in listed(model, "listOfRules"):
            math_ = child(rule, "math")
            if math_ is not None:
                definitions[rule.get("variable", "")] = math_
        self.reader = Reader(self.values, set(self.species), functions, definitions)
        self.ruled = set(definitions)
        assigned = {}
        for assignment in listed(model, "listOfInitialAssignments"):
            math_ = child(assignment, "math")
            if math_ is not None:
                assigned[assignment.get("symbol", "")] = math_
        self.assignments: dict[str, Sum] = {}
        for symbol in set(assigned) & set(self.compartments):  # sizes come before what they hold
            self.values[symbol] = self._assigned(symbol, assigned, functions, definitions)
        self.starts = {name: self._start(species) for name, species in self.species.items()}
        for symbol in set(assigned) - set(self.compartments):
            value = self._assigned(symbol, assigned, functions, definitions)
            if symbol in self.species:
                self.starts[symbol] = value * (1.0 if self.is_amount(symbol) else self.size(symbol))
            else:
                self.values[symbol] = value

    def _function(self, function: Element) -> tuple[list[str], Element]:
        math_ = child(function, "math")
        body = None if math_ is None else child(math_, "lambda")
        if body is None or not len(body):
            raise ValueError(f"SBML: function {function.get('id')!r} says nothing")
        arguments = ["".join(n.itertext()).strip() for n in body if tag(n) == "bvar"]
        return arguments, body[-1]

    def _assigned(
        self,
        symbol: str,
        assigned: dict[str, Element],
        functions: dict[str, tuple[list[str], Element]],
        definitions: dict[str, Element],
    ) -> float:
        """Return an initial value that is an expression; species are meant as in rate laws."""
        others = {name: math_ for name, math_ in assigned.items() if name != symbol}
        starts = {name: self._as_symbol(name) for name in self.starts}
        values = self.values | dict.fromkeys(self.species, math.nan) | starts
        reader = Reader(values, set(), functions, definitions | others)
        try:
            self.assignments[symbol] = reader.read(assigned[symbol])
            return reader.evaluate(self.assignments[symbol])
        except NotASum as error:
            raise ValueError(
                f"SBML: initial assignment of {symbol!r}, {in_words(assigned[symbol])}: {error}"
            ) from None

    def _start(self, species: Element) -> float:
        """Return the initial amount of a species."""
        amount, concentration = (
            number(species, name) for name in ("initialAmount", "initialConcentration")
        )
        if math.isfinite(amount):
            return amount
        if math.isfinite(concentration):
            return concentration * self.size(species.get("id", ""))
        return math.nan

    def size(self, species: str) -> float:
        """Size of a species' compartment; without dimensions it is 1, and amounts are meant."""
        name = self.species[species].get("compartment", "")
        compartment = self.compartments.get(name)
        if compartment is None:
            raise ValueError(f"SBML: species {species!r} is in no compartment of the model")
        if compartment.get("spatialDimensions") in ("0", "0.0"):
            return 1.0
        size = self.values.get(name, math.nan)
        if not math.isfinite(size):
            self.values[name] = size = 1.0
            self.remarks.append(f"compartment {name!r} has no size: 1 is taken")
        if size <= 0:
            raise ValueError(f"SBML: compartment {name!r} has the size {size!r}")
        return size

    def is_amount(self, species: str) -> bool:
        """Tell whether a species stands for its amount in laws, not for its concentration."""
        return self.species[species].get("hasOnlySubstanceUnits") in ("true", "1")

    def _as_symbol(self, species: str) -> float:
        """Return the initial value of a species as its symbol has it."""
        amount = self.starts[species]
        return amount if self.is_amount(species) else amount / self.size(species)

    def _displayed(self) -> dict[str, str]:
        """Name species as the model does, where names tell them apart, or by their ids."""
        given = {name: (s.get("name") or name).strip() for name, s in self.species.items()}
        names = list(given.values())
        shown = {}
        for name, wanted in given.items():
            try:
                notation.quoted(wanted)
                plain = names.count(wanted) == 1
            except ValueError:
                plain = False
            shown[name] = wanted if plain else name
        if len(set(shown.values())) < len(shown):  # an id that is another's name
            return {name: name for name in shown}
        return shown

    def is_held(self, species: str) -> bool:
        """Tell whether reactions leave a species as it is."""
        element = self.species[species]
        return "true" in (element.get("boundaryCondition"), element.get("constant"))
