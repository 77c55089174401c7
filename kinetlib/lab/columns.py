"""What the columns of a file are: roles that a user names, and what to make of all others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinetlib.lab.remarks import Remark
from kinetlib.lab.tables import Table
from kinetlib.lab.titles import Title, key

TEMPERATURE = "temperature"
_CONVERSION = re.compile(r"(conv|umsatz|turnover)", re.IGNORECASE)
_YIELD = re.compile(r"\b(yield|ausbeute|rendement)", re.IGNORECASE)
_STEADY = 0.2  # of its mean that an internal standard may stray within a run
_SAME = 1e-3  # of its mean within which a column is constant


@dataclass(frozen=True)
class Roles:
    """Which column is what.

    Attributes
    ----------
    substrate, product, catalyst, conversion, internal_standard : str or None
        Names of columns.
    reactants, by_products : tuple of str
        Names of columns of further species.
    observe : dict of str to str
        By column, the species or the sum of species that it shows.
    """

    substrate: str | None = None
    product: str | None = None
    catalyst: str | None = None
    conversion: str | None = None
    internal_standard: str | None = None
    reactants: Sequence[str] = ()
    by_products: Sequence[str] = ()
    observe: dict[str, str] = field(default_factory=dict)

    def role(self, column: str) -> str:
        """Return what a column beyond substrate and product is, "" where nothing is said."""
        title = Title.of(column)
        named = {"reactant": self.reactants, "by-product": self.by_products}
        for role, names in named.items():
            if any(title.is_called(name) for name in names):
                return role
        return "catalyst" if self.catalyst and title.is_called(self.catalyst) else ""

    def shows(self, column: str) -> str:
        """Return the species, or the sum of species, that a column shows, "" where none is told."""
        title = Title.of(column)
        return next((what for name, what in self.observe.items() if title.is_called(name)), "")

    @property
    def further(self) -> list[str]:
        """Columns beyond substrate, product and catalyst that the user names."""
        named = (*self.reactants, *self.by_products, *self.observe)
        taken = {key(name) for name in (self.substrate, self.product, self.conversion) if name}
        return list({key(name): name for name in named if key(name) not in taken}.values())


def observables(stated: Sequence[str] | dict[str, str]) -> dict[str, str]:
    """Read ``COLUMN = SPECIES + SPECIES``, or ``COLUMN`` for the species of its name.

    >>> observables(["Active catalyst = cat + catS", "Water"])
    {'Active catalyst': 'cat + catS', 'Water': 'Water'}

    Raises
    ------
    ValueError
        Where a side is empty, or a column stated twice.
    """
    if isinstance(stated, dict):
        return dict(stated)
    found: dict[str, str] = {}
    for text in stated:
        column, sign, species = (part.strip() for part in text.partition("="))
        if not column or (sign and not species):
            raise ValueError(
                f"--observe {text}: expected a column, or a column, = and a species or a sum of "
                "species, such as 'Active catalyst = cat + catS'"
            )
        if column in found:
            raise ValueError(f"--observe: the column {column!r} is stated twice")
        found[column] = species or column
    return found


def is_conversion(table: Table, column: int) -> bool:
    """Tell whether a column given as the substrate is conversion: called so, and not falling."""
    if not _CONVERSION.match(table.titles[column].name):
        return False
    values = np.array(table.seen(column))
    values = values[np.isfinite(values)]
    return len(values) > 0 and values[0] < 0.5 * values.max()


def is_yield(table: Table, column: int) -> bool:
    """Tell whether a column of product is called a yield."""
    return bool(_YIELD.search(table.titles[column].name))


def others(
    tables: Sequence[Table], used: Sequence[set[int]], named: Sequence[str], ignore: Sequence[str]
) -> tuple[list[str], list[Remark]]:
    """Find the columns in no role that may be species, by name, and say of the rest what it is.

    Parameters
    ----------
    tables : sequence of Table
        The runs.
    used : sequence of set of int
        Columns of each that have a role already.
    named : sequence of str
        Columns that the user names, which always count.
    ignore : sequence of str
        Columns that the user has ignored.

    Returns
    -------
    names : list of str
        As written, in the order in which they first appear.
    remarks : list of Remark
        What was ignored, and why.
    """
    found: dict[str, list[tuple[Table, int]]] = {}
    for table, taken in zip(tables, used, strict=True):
        for i, title in enumerate(table.titles):
            if not title.text or i in taken or i == table.time:
                continue
            if not (title.is_run or title.is_temperature):
                found.setdefault(key(title.text), []).append((table, i))
    wanted = {key(name) for name in named}
    names, remarks = [], []
    for places in found.values():
        table, i = places[0]
        title = table.titles[i]
        if any(title.is_called(name) for name in wanted):
            names.append(title.text)
            continue
        if any(title.is_called(name) for name in ignore):
            remarks.append(Remark(f"Column {title.text!r} is ignored, as asked."))
            continue
        reason = _no_species(places)
        if reason is None:
            names.append(title.text)
        elif reason:
            remarks.append(
                Remark(f"Column {title.text!r} is ignored: {reason}.", f"--observe '{title.text}'")
            )
    return names, remarks


def _no_species(places: list[tuple[Table, int]]) -> str | None:
    """Say why a column is no species, "" where it holds no number, None where it may be one."""
    table, i = places[0]
    title = table.titles[i]
    columns = [np.array(table.seen(i)) for table, i in places]
    columns = [values[np.isfinite(values)] for values in columns]
    columns = [values for values in columns if len(values)]
    if not columns:
        texts = any(cells[i] is not None for _, cells in table.rows)
        return "it holds no numbers" if texts else ""
    if title.is_time:
        return "it is another time"
    by_name = title.no_species
    if by_name == "an internal standard" and all(spread(v) < _STEADY for v in columns):
        return (
            "it is called like an internal standard and steady; --internal-standard "
            f"'{title.text}' relates all concentrations to it"
        )
    if by_name == "a number of samples" or all(map(_counts, columns)):
        return "it numbers samples"
    if by_name == "a comment":
        return "it is a comment by its name"
    return None


def spread(values: NDArray[np.float64]) -> float:
    """Return the range of values relative to their mean, infinite where that is zero."""
    mean = abs(values.mean())
    return float(np.ptp(values) / mean) if mean > 0 else (0.0 if not np.ptp(values) else np.inf)


def is_constant(values: NDArray[np.float64]) -> bool:
    """Tell whether known values are the same but for their last digits."""
    known = values[np.isfinite(values)]
    return not len(known) or spread(known) < _SAME


def _counts(values: NDArray[np.float64]) -> bool:
    """Tell whether values number the rows: whole, rising by the same step of 1 or more."""
    steps = np.diff(values)
    return bool(
        len(values) > 3
        and np.all(values == np.round(values))
        and np.all(steps == steps[0])
        and steps[0] >= 1
    )
