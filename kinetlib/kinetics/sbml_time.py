"""Rules of SBML that fall or grow exponentially in time, written anew as species.

``x := a exp(-b t)``, a and b free of time, is what a species x does that starts at a and decays at
the rate b x. A signal that fades is read so as a reaction, and any law that holds it is of mass
action. Rules with time elsewhere stay as they are, for the reader of laws to refuse.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement


def without_time(model: Element) -> list[str]:
    """Replace such rules of a model, in place; return what is to be said of it."""
    remarks = []
    compartments = [c.get("id", "") for c in _listed(model, "listOfCompartments")]
    for rules in [part for part in model if _tag(part) == "listOfRules"]:
        for rule in list(rules):
            name, math_ = rule.get("variable", ""), _child(rule, "math")
            if _tag(rule) != "assignmentRule" or math_ is None or not compartments:
                continue
            split = _exponential(_factors(math_))
            if split is None:
                continue
            rules.remove(rule)
            _replace(model, name, compartments[0], *split)
            remarks.append(f"{name} changes exponentially in time: it is read as a species")
    return remarks


def _exponential(factors: list[Element]) -> tuple[list[Element], list[Element]] | None:
    """Split a product into what is free of time and the rate in exp(rate t), if it is such one."""
    timed = [node for node in factors if _holds_time(node)]
    if len(timed) != 1 or _tag(timed[0]) != "apply" or len(timed[0]) != 2:
        return None
    head, argument = timed[0]
    inside = _factors(argument)
    in_time = [node for node in inside if _holds_time(node)]
    if _tag(head) != "exp" or len(in_time) != 1 or _tag(in_time[0]) != "csymbol":
        return None
    return (
        [node for node in factors if node is not timed[0]],
        [node for node in inside if node is not in_time[0]],
    )


def _factors(node: Element) -> list[Element]:
    """Multiply nothing out: list the factors of a product, a minus sign as one of them."""
    kind, inside = _tag(node), [part for part in node if isinstance(part.tag, str)]
    if kind == "math" and len(inside) == 1:
        return _factors(inside[0])
    if kind != "apply" or not inside:
        return [node]
    if _tag(inside[0]) == "times":
        return [factor for part in inside[1:] for factor in _factors(part)]
    if _tag(inside[0]) == "minus" and len(inside) == 2:
        return [_number(-1), *_factors(inside[1])]
    return [node]


def _replace(
    model: Element, name: str, compartment: str, start: list[Element], rate: list[Element]
) -> None:
    """Put a species with its start and its change where a rule was."""
    for parameters in [part for part in model if _tag(part) == "listOfParameters"]:
        for parameter in [p for p in parameters if p.get("id") == name]:
            parameters.remove(parameter)
    SubElement(
        _list(model, "listOfSpecies"),
        "species",
        {"id": name, "compartment": compartment, "hasOnlySubstanceUnits": "true"},
    )
    assignment = SubElement(
        _list(model, "listOfInitialAssignments"), "initialAssignment", symbol=name
    )
    assignment.append(_product(start))
    reaction = SubElement(_list(model, "listOfReactions"), "reaction", id=f"change_of_{name}")
    SubElement(SubElement(reaction, "listOfReactants"), "speciesReference", species=name)
    symbol = Element("ci")
    symbol.text = name
    SubElement(reaction, "kineticLaw").append(_product([_number(-1), *rate, symbol]))


def _product(factors: list[Element]) -> Element:
    math_ = Element("math")
    product = SubElement(math_, "apply")
    SubElement(product, "times")
    product.extend(factors)
    return math_


def _number(value: int) -> Element:
    node = Element("cn", type="integer")
    node.text = str(value)
    return node


def _holds_time(node: Element) -> bool:
    return any(
        (part.get("definitionURL") or "").endswith("/time")
        for part in node.iter()
        if _tag(part) == "csymbol"
    )


def _list(model: Element, name: str) -> Element:
    found = next((part for part in model if _tag(part) == name), None)
    return SubElement(model, name) if found is None else found


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2] if isinstance(node.tag, str) else ""


def _child(node: Element, name: str) -> Element | None:
    return next((part for part in node if _tag(part) == name), None)


def _listed(model: Element, name: str) -> list[Element]:
    return [
        entry
        for part in model
        if _tag(part) == name
        for entry in part
        if isinstance(entry.tag, str)
    ]
