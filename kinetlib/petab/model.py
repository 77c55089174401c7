"""The model of a problem in PEtab: constants and starts of each condition, as parameters give them.

The network is read once, by what its parameters are worth nominally. Its constants and starts
remain expressions of the parameters, which are computed for complex numbers, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.laws import Sum
from kinetlib.kinetics.sbml import Expressions, expressions
from kinetlib.kinetics.sbml_model import listed, parsed
from kinetlib.petab.tables import Row

Values = dict[str, NDArray]
_OTHER = 1.37  # what parameters are multiplied by to see that expressions follow them


class Model:
    """A model of mass action whose numbers follow the parameters.

    Parameters
    ----------
    sbml
        Its text.
    conditions
        Rows of the table of conditions, C in number.
    nominal
        Values of the parameters.

    Attributes
    ----------
    network
        What was read.
    remarks
        What was decided in reading it.

    Raises
    ------
    ValueError
        A model, or a condition, with something that is not supported.
    """

    def __init__(self, sbml: str, conditions: Sequence[Row], nominal: Mapping[str, float]) -> None:
        """Read the model, and see that nothing in it is lost."""
        self._read = _with_values(parsed(sbml), nominal)
        model = self._read.model
        self.network, self.remarks = self._read.mechanism.network, list(model.remarks)
        self._conditions = conditions
        self._starts = {
            name: float(np.nan_to_num(self._as_symbol(name, amount)))
            for name, amount in model.starts.items()
        }
        sizes = {model.size(name) for name in model.species}
        common = sizes.pop() if len(sizes) == 1 else None
        self._per_symbol = {name: self._factor(name, common) for name in model.species}
        self.names = [row["conditionId"] for row in conditions]
        self._check_conditions(nominal)
        self._refuse_hidden(sbml, nominal)

    def _check_conditions(self, nominal: Mapping[str, float]) -> None:
        model = self._read.model
        known = {*model.values, *nominal}
        for row in self._conditions:
            for name, cell in row.items():
                if name in ("conditionId", "conditionName") or not cell:
                    continue
                where = f"condition {row['conditionId']}: {name}"
                if name in model.compartments:
                    raise ValueError(f"{where}: sizes of compartments that change, not supported")
                if name not in model.species and name not in model.values:
                    raise ValueError(f"{where}: the model has no such species or parameter")
                if not _is_number(cell) and cell not in known:
                    raise ValueError(f"{where}: {cell!r} is no number and no parameter")

    def _refuse_hidden(self, sbml: str, nominal: Mapping[str, float]) -> None:
        """Refuse parameters within functions, which are numbers once the model is read."""
        model = self._read.model
        changed = {name for row in self._conditions for name in row} | set(nominal)
        start = dict(model.values) | dict(nominal)
        moved = {name: _OTHER * start[name] for name in changed if name in model.values}
        again = _with_values(parsed(sbml), dict(nominal) | moved).mechanism
        values = self.values_in({}, {name: np.array([value]) for name, value in moved.items()})
        mine = [*self.constants_of(values)[0], *self.starts_of(values)[0]]
        theirs = [again.rate_constants.get(name, -1.0) for name in self.network.constants]
        theirs += [(again.start or {}).get(name, -1.0) for name in self.network.species]
        if again.network != self.network or not np.allclose(mine, theirs, rtol=1e-9, atol=0):
            raise ValueError(
                "the model has parameters that change within functions or as exponents, or its "
                "reactions depend on their values: not supported"
            )

    def values_in(self, row: Row, parameters: Values) -> Values:
        """Return all numbers of a condition: of parameters, compartments, and what was assigned.

        Each has the shape of the parameters' arrays.
        """
        model = self._read.model
        zero = 0 * next(iter(parameters.values()), np.ones(1))
        values = {name: value + zero for name, value in model.values.items()} | parameters
        own = {
            name: values[cell] if cell in values else float(cell) + zero
            for name, cell in row.items()
            if name not in ("conditionId", "conditionName") and cell
        }
        starts = {name: value + zero for name, value in self._starts.items()}
        values |= {name: cell for name, cell in own.items() if name not in model.species}
        for name, what in model.assignments.items():
            if name not in own and name not in model.species:
                values[name] = computed(what, starts | values)
        for name in model.species:
            if name in own:
                starts[name] = own[name]
            elif name in model.assignments:
                starts[name] = computed(model.assignments[name], starts | values)
        return values | starts

    def _as_symbol(self, species: str, amount: float) -> float:
        model = self._read.model
        return amount if model.is_amount(species) else amount / model.size(species)

    def constants_of(self, values: Values) -> NDArray:
        """Return the constants, shape (n, R), of a condition's numbers of shape (n,)."""
        found = [self._read.constants[name] for name in self.network.constants]
        return np.stack([computed(what, values) * factor for what, factor in found], -1)

    def starts_of(self, values: Values) -> NDArray:
        """Return the initial amounts or concentrations of the network's species, shape (n, S)."""
        ids = {name: one for one, name in self._read.model.names.items()}
        found = [values[ids[name]] / self.per_symbol(ids[name]) for name in self.network.species]
        return np.stack(found, -1)

    def per_symbol(self, species: str) -> float:
        """Return what the network's number of a species is multiplied by to be its symbol's."""
        return self._per_symbol[species]

    def _factor(self, species: str, common: float | None) -> float:
        model = self._read.model
        if model.is_amount(species):
            return 1.0 if common is None else common
        return 1.0 / model.size(species) if common is None else 1.0

    def conditions(self, parameters: Values) -> list[Values]:
        """Return the numbers of every condition."""
        return [self.values_in(row, parameters) for row in self._conditions]

    def symbols(self) -> dict[str, str]:
        """Return the species of the network by their ids."""
        names = self._read.model.names
        return {one: name for one, name in names.items() if name in self.network.species}

    def rule(self, name: str) -> Sum | None:
        """Return what an id stands for by a rule of the model, if it does."""
        model = self._read.model
        if name not in model.ruled:
            return None
        symbol = Element("ci")
        symbol.text = name
        return model.reader.read(symbol)

    @property
    def ids(self) -> set[str]:
        """All that formulas may name."""
        model = self._read.model
        return {*model.values, *model.species, *model.ruled}


def computed(what: Sum, values: Mapping[str, NDArray]) -> NDArray:
    """Compute a sum of products of arrays."""
    some = next(iter(values.values()))
    total = 0 * some
    for powers, factor in what.terms.items():
        product = factor + 0 * some
        for name, power in powers:
            product = product * values[name] ** power
        total = total + product
    return total


def _with_values(root: Element, values: Mapping[str, float]) -> Expressions:
    """Read a model whose parameters have other values."""
    model = next((part for part in root if part.tag.rpartition("}")[2] == "model"), root)
    for parameter in listed(model, "listOfParameters"):
        if parameter.get("id") in values:
            parameter.set("value", repr(float(values[parameter.get("id", "")])))
    return expressions(root)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
