"""SBML of level 1, written anew as level 2: names become ids, formulas become MathML.

Level 1 (2001, 2003) names things by ``name``, gives compartments a ``volume``, stoichiometries a
``denominator``, and laws as text, ``k1 * pow(S2, 2)``; its first version says ``specie``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

_TOKEN = re.compile(
    r"\s*(?:(?P<cn>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r"|(?P<ci>[A-Za-z_][A-Za-z0-9_]*)|(?P<sign>[-+*/^(),]))\s*"
)
_TIGHTNESS = {"+": 1, "-": 1, "*": 2, "/": 2, "^": 4}
_OPERATORS = {"+": "plus", "-": "minus", "*": "times", "/": "divide", "^": "power"}
_MINUS = 3  # as tight as a sign before a number or name
_FUNCTIONS = {"pow": "power", "ceil": "ceiling", "log": "ln", "log10": "log", "sqrt": "root"} | {
    name: name for name in ("exp", "abs", "floor", "sin", "cos", "tan")
}


def upgraded(root: Element) -> Element:
    """Write a model of level 1 as one of level 2.

    Raises
    ------
    ValueError
        A formula that is none: what it belongs to is named.
    """
    new = Element("sbml", level="2")
    for model in _of(root, "model"):
        made = SubElement(new, "model", _named(model))
        for name in ("Compartments", "Species", "Parameters"):
            listing = SubElement(made, f"listOf{name}")
            for old in _listed(model, f"listOf{name}"):
                SubElement(listing, name.lower().rstrip("s"), _named(old))
        rules, reactions = SubElement(made, "listOfRules"), SubElement(made, "listOfReactions")
        for old in _listed(model, "listOfRules"):
            _rule(rules, old)
        for old in _listed(model, "listOfReactions"):
            _reaction(reactions, old)
    return new


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _of(node: Element, name: str) -> Iterator[Element]:
    return (part for part in node if _tag(part) == name)


def _listed(node: Element, name: str) -> Iterator[Element]:
    return (entry for part in _of(node, name) for entry in part if isinstance(entry.tag, str))


def _named(old: Element) -> dict[str, str]:
    """Name an element by an id; a compartment has a volume, by default 1."""
    given = dict(old.attrib) | {"id": old.get("name", "")}
    if _tag(old) == "compartment":
        given["size"] = given.pop("volume", "1")
    return given


def _rule(rules: Element, old: Element) -> None:
    """Write a rule: of what it is may stand in attributes of several names."""
    given = (old.get(name) for name in ("species", "specie", "compartment", "name"))
    variable = next(filter(None, given), "")
    kind = "rateRule" if old.get("type") == "rate" else "assignmentRule"
    if _tag(old) == "algebraicRule":
        kind, variable = "algebraicRule", ""
    made = SubElement(rules, kind, {"variable": variable} if variable else {})
    made.append(mathml(old.get("formula", ""), f"rule of {variable!r}"))


def _reaction(reactions: Element, old: Element) -> None:
    name = old.get("name", "")
    made = SubElement(reactions, "reaction", _named(old))
    for kind in ("listOfReactants", "listOfProducts"):
        listing = SubElement(made, kind)
        for one in _listed(old, kind):
            species = one.get("species") or one.get("specie") or ""
            count, parts = one.get("stoichiometry", "1"), one.get("denominator", "1")
            try:
                count = repr(int(count) / int(parts)) if parts != "1" else count
            except (ValueError, ZeroDivisionError):
                raise ValueError(
                    f"SBML: reaction {name!r}: {count}/{parts} of {species!r} is no number"
                ) from None
            SubElement(listing, "speciesReference", species=species, stoichiometry=count)
    for law in _of(old, "kineticLaw"):
        new = SubElement(made, "kineticLaw")
        new.append(mathml(law.get("formula", ""), f"reaction {name!r}"))
        listing = SubElement(new, "listOfParameters")
        for parameter in _listed(law, "listOfParameters"):
            SubElement(listing, "parameter", _named(parameter))


def mathml(formula: str, where: str) -> Element:
    """Write a formula as MathML; `where` it stands is for messages."""
    tokens, at = [], 0
    while found := _TOKEN.match(formula, at):
        tokens.append((found.lastgroup or "", found.group(found.lastgroup or 0)))
        at = found.end()
    math = Element("math")
    reader = _Formula(tokens)
    try:
        math.append(reader.expression(0))
    except (IndexError, ValueError):
        reader.tokens = []
    if at < len(formula) or not tokens or reader.at != len(reader.tokens):
        raise ValueError(f"SBML: {where}: {formula!r} is no formula of level 1")
    return math


class _Formula:
    """Reads tokens by how tightly operators bind."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.at = tokens, 0

    def _next(self) -> tuple[str, str]:
        self.at += 1
        return self.tokens[self.at - 1]

    def _ahead(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def expression(self, least: int) -> Element:
        """Read what operators of at least a tightness hold together."""
        left = self._first()
        while _TIGHTNESS.get(self._ahead(), 0) > least:
            _, sign = self._next()
            left = _applied(_OPERATORS[sign], left, self.expression(_TIGHTNESS[sign]))
        return left

    def _first(self) -> Element:
        kind, text = self._next()
        if text == "-":
            return _applied("minus", self.expression(_MINUS))
        if text == "+":
            return self.expression(_MINUS)
        if text == "(":
            inside = self.expression(0)
            self._close()
            return inside
        if kind == "sign":
            raise ValueError(text)
        if kind == "ci" and self._ahead() == "(":
            return self._called(text)
        leaf = Element(kind)
        leaf.text = text
        return leaf

    def _called(self, name: str) -> Element:
        self._next()
        given = [] if self._ahead() == ")" else [self.expression(0)]
        while self._ahead() == ",":
            self._next()
            given.append(self.expression(0))
        self._close()
        if name == "sqr":
            two = Element("cn")
            two.text = "2"
            return _applied("power", *given, two)
        if name in _FUNCTIONS and given:
            return _applied(_FUNCTIONS[name], *given)
        head = Element("ci")
        head.text = name
        return _applied(head, *given)

    def _close(self) -> None:
        if self._next()[1] != ")":
            raise ValueError("expected )")


def _applied(head: str | Element, *given: Element) -> Element:
    node = Element("apply")
    node.append(Element(head) if isinstance(head, str) else head)
    node.extend(given)
    return node
