"""A network with its numbers and units as SBML, level 3 version 1; no library is needed."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from kinetlib.kinetics.network import Network, Reaction

_SBML = "http://www.sbml.org/sbml/level3/version1/core"
_MATHML = "http://www.w3.org/1998/Math/MathML"
_VESSEL = "vessel"
_MARKS = {"*": "_star", "'": "_prime", "-": "_minus"}


def identifiers(network: Network) -> dict[str, str]:
    """Map the network's species and constants to names that SBML allows.

    ``cat*`` becomes ``cat_star``, ``dead'`` ``dead_prime``, ``k-1`` ``k_minus1``; any other mark
    its number in Unicode, ``H+`` ``H_u2b``.

    Raises
    ------
    ValueError
        If two names of the network become one.
    """
    names = {}
    for name in (*network.species, *network.constants):
        plain = name
        for mark, word in _MARKS.items():
            plain = plain.replace(mark, word)
        plain = re.sub(r"[^A-Za-z0-9_]", lambda mark: f"_u{ord(mark.group()):x}", plain)
        if not re.match("[A-Za-z_]", plain):
            plain = f"_{plain}"
        if plain in names.values():
            raise ValueError(f"{name!r} would be written {plain!r}, which another name already is")
        names[name] = plain
    return names


@dataclass(frozen=True)
class Units:
    """What times and concentrations are counted in.

    Attributes
    ----------
    time, concentration
        As they are called, "" where nobody says.
    seconds, molar
        Of one unit; NaN where it converts to nothing. Such a unit keeps its name only.
    """

    time: str = ""
    concentration: str = ""
    seconds: float = math.nan
    molar: float = math.nan


def to_sbml(
    network: Network,
    rate_constants: Mapping[str, float],
    initial: Mapping[str, float],
    name: str = "mechanism",
    *,
    units: Units | None = None,
    tied: Mapping[str, tuple[float, str]] | None = None,
) -> str:
    """Write a network with its numbers as SBML.

    Parameters
    ----------
    network
        The network.
    rate_constants
        A value for each of ``network.constants``.
    initial
        Initial concentrations by species; 0 for those that are not named.
    name
        Of the model, any text.
    units
        Of times and concentrations.
    tied
        Constants that are a multiple of another: the factor, and which.

    Returns
    -------
    str
        Species in one compartment of volume 1, rate laws of mass action. Species and constants keep
        their names, beside ids that SBML allows.

    Raises
    ------
    ValueError
        If a constant has no value, or a name is not the network's.
    """
    missing = [constant for constant in network.constants if constant not in rate_constants]
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}")
    for species in initial:
        network.index(species)
    return _Writing(network, units or Units(), name).document(rate_constants, initial, tied or {})


class _Writing:
    """Writes one model."""

    def __init__(self, network: Network, units: Units, name: str) -> None:
        self._network, self._units = network, units
        self._ids = identifiers(network)
        self._vessel = self._unused(_VESSEL)
        self._root = Element("sbml", xmlns=_SBML, level="3", version="1")
        about = {"substanceUnits": "substance", "timeUnits": "time", "volumeUnits": "volume"}
        about |= {"extentUnits": "substance"}
        self._model = SubElement(self._root, "model", id="model", name=name, **about)

    def document(
        self,
        rate_constants: Mapping[str, float],
        initial: Mapping[str, float],
        tied: Mapping[str, tuple[float, str]],
    ) -> str:
        self._write_units()
        vessels = SubElement(self._model, "listOfCompartments")
        SubElement(
            vessels, "compartment", id=self._vessel, spatialDimensions="3", size="1.0",
            units="volume", constant="true",
        )  # fmt: skip
        self._write_species(initial)
        self._write_constants(rate_constants, tied)
        self._write_ties(tied)
        reactions = SubElement(self._model, "listOfReactions")
        for number, reaction in enumerate(self._network.reactions, start=1):
            self._write_reaction(reactions, f"r{number}", reaction)
        ElementTree.indent(self._root)
        text = ElementTree.tostring(self._root, encoding="unicode")
        return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'

    def _unused(self, name: str) -> str:
        while name in self._ids.values():
            name = f"{name}_"
        return name

    def _write_units(self) -> None:
        """Define time, substance and volume, and the unit of constants of each order."""
        units = self._units
        definitions = SubElement(self._model, "listOfUnitDefinitions")
        time = ("second", 1, units.seconds)
        amount = ("mole", 1, units.molar)
        volume = ("litre", 1, 1.0)
        _define(definitions, "time", units.time, [time])
        _define(definitions, "substance", units.concentration, [amount])
        _define(definitions, "volume", "litre", [volume])
        for order in sorted(set(self._network.orders.sum(1).tolist())):
            power = 1 - order
            parts = [("second", -1, units.seconds)]
            if power:
                parts = [("mole", power, units.molar), ("litre", -power, 1.0), *parts]
            _define(definitions, f"per_time_{order}", "", parts)

    def _write_species(self, initial: Mapping[str, float]) -> None:
        listed = SubElement(self._model, "listOfSpecies")
        for species in self._network.species:
            held = "true" if species in self._network.held else "false"
            SubElement(
                listed, "species", id=self._ids[species], name=species, compartment=self._vessel,
                initialConcentration=repr(float(initial.get(species, 0.0))),
                hasOnlySubstanceUnits="false", boundaryCondition=held, constant=held,
            )  # fmt: skip

    def _write_constants(
        self, rate_constants: Mapping[str, float], tied: Mapping[str, tuple[float, str]]
    ) -> None:
        listed = SubElement(self._model, "listOfParameters")
        orders = self._network.orders.sum(1)
        for constant, order in zip(self._network.constants, orders, strict=True):
            free = "false" if constant in tied else "true"
            SubElement(
                listed, "parameter", id=self._ids[constant], name=constant,
                value=repr(float(rate_constants[constant])), units=f"per_time_{order}",
                constant=free,
            )  # fmt: skip

    def _write_ties(self, tied: Mapping[str, tuple[float, str]]) -> None:
        if not tied:
            return
        listed = SubElement(self._model, "listOfInitialAssignments")
        for constant, (factor, other) in tied.items():
            node = SubElement(listed, "initialAssignment", symbol=self._ids[constant])
            product = SubElement(SubElement(node, "math", xmlns=_MATHML), "apply")
            SubElement(product, "times")
            SubElement(product, "cn").text = repr(float(factor))
            SubElement(product, "ci").text = self._ids[other]

    def _write_reaction(self, listed: Element, name: str, reaction: Reaction) -> None:
        node = SubElement(
            listed, "reaction", id=self._unused(name), reversible="false", fast="false"
        )
        for kind, side in (
            ("listOfReactants", reaction.reactants), ("listOfProducts", reaction.products)
        ):  # fmt: skip
            if side:
                references = SubElement(node, kind)
            for species, count in side.items():
                SubElement(
                    references, "speciesReference", species=self._ids[species],
                    stoichiometry=str(count), constant="true",
                )  # fmt: skip
        law = SubElement(SubElement(node, "kineticLaw"), "math", xmlns=_MATHML)
        product = SubElement(law, "apply")
        SubElement(product, "times")
        SubElement(product, "ci").text = self._vessel
        SubElement(product, "ci").text = self._ids[reaction.constant]
        for species, order in reaction.reactants.items():
            factor = product
            if order > 1:
                factor = SubElement(product, "apply")
                SubElement(factor, "power")
            SubElement(factor, "ci").text = self._ids[species]
            if order > 1:
                SubElement(factor, "cn", type="integer").text = str(order)


def _define(
    definitions: Element, name: str, called: str, parts: list[tuple[str, int, float]]
) -> None:
    """Define a unit of powers of base units; what converts to nothing has none but its name."""
    node = SubElement(
        definitions, "unitDefinition", id=name, **({"name": called} if called else {})
    )
    listed = SubElement(node, "listOfUnits")
    known = all(math.isfinite(size) for _, _, size in parts)
    for kind, exponent, size in parts if known else [("dimensionless", 1, 1.0)]:
        SubElement(
            listed, "unit", kind=kind, exponent=str(exponent), scale="0", multiplier=repr(size)
        )
