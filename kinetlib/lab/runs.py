"""From the cells of a table to one checked kinetic run in the units of the file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from kinetlib.lab import units
from kinetlib.lab.amounts import Amount
from kinetlib.lab.columns import Roles, is_conversion, is_yield
from kinetlib.lab.reader import timed
from kinetlib.lab.remarks import Remark
from kinetlib.lab.tables import Table

MIN_POINTS = 3
"""Fewest rows with a time and a concentration that make a run."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Run:
    """One run as measured.

    Attributes
    ----------
    table : Table
        Where it stands.
    time : numpy.ndarray, shape (points,)
        Times in `unit`, from the start on; rising, equal for replicates.
    unit : str
        Unit of time, "" where none is told.
    base : units.Unit
        Unit of substrate and product.
    substrate, product : numpy.ndarray, shape (points,), or None
        Concentrations in `base`, NaN where one was not measured; None where the run has no such
        column.
    substrate_0, product_0 : float
        What the run starts with.
    others : dict of str to numpy.ndarray
        All other columns of numbers, by name as written, in `base` where their unit converts.
    """

    table: Table
    time: Array
    unit: str
    base: units.Unit
    substrate: Array | None
    product: Array | None
    substrate_0: float
    product_0: float
    others: dict[str, Array] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.table.name


@dataclass(frozen=True)
class Known:
    """What is known of one run beside its table."""

    substrate_0: Amount | None = None
    product_0: Amount | None = None
    start: float = 0.0


def positions(table: Table, roles: Roles) -> dict[str, int]:
    """Find the position of each column in the table, by its role; roles without one are left out.

    Raises
    ------
    ValueError
        Where a column is missing, or given for two roles.
    """
    found = {"time": table.time}
    for role in ("conversion", "substrate", "product", "catalyst", "internal_standard"):
        name = getattr(roles, role)
        if name is None:
            continue
        position = table.column(name, role.replace("_", " "))
        for other, taken in found.items():
            if position == taken:
                raise ValueError(
                    f"{table.label}: the column {table.titles[position].text!r} is given as "
                    f"{role.replace('_', ' ')} and is already the {other}; each needs a column "
                    "of its own."
                )
        found[role] = position
    return found


def read_run(
    table: Table, roles: Roles, names: list[str], known: Known
) -> tuple[Run, list[Remark]]:
    """Check one table and take the run out of it.

    Rows without a concentration are passed over, with or without a time.

    Parameters
    ----------
    table : Table
        The cells.
    roles : Roles
        Names of the columns; those that the table lacks are None.
    names : list of str
        Columns beyond the roles that are kept.
    known : Known
        What the user states.

    Returns
    -------
    run : Run
        In the unit of its substrate, or else of its product.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Naming file, run and cell, where a cell holds no number, a time is missing, the first row
        is incomplete, units do not convert, or fewer than three rows are left.
    """
    at = positions(table, roles)
    remarks: list[Remark] = []
    if "substrate" in at and is_conversion(table, at["substrate"]):
        at["conversion"] = at.pop("substrate")
        remarks.append(
            Remark(
                f"Column {table.titles[at['conversion']].text!r} rises, and is read as conversion.",
                f"--conversion '{table.titles[at['conversion']].text}'",
            )
        )
    # Of the catalyst the first number counts; what stands below it may be anything.
    read = {role: i for role, i in at.items() if role not in ("time", "catalyst")}
    values = {role: np.array(table.numbers(i)) for role, i in read.items()}
    measured = np.zeros(len(table.rows), dtype=bool)
    for role in ("conversion", "substrate", "product"):
        if role in values:
            measured |= np.isfinite(values[role])
    strict = {table.called(name)[0] for name in roles.further if table.called(name)}
    others = {}
    for name in names:
        for i in table.called(name)[:1]:
            others[name] = np.array(table.numbers(i) if i in strict else table.seen(i))
    if not {"conversion", "substrate", "product"} & set(values):
        for column in others.values():
            measured |= np.isfinite(column)
    if measured.sum() < MIN_POINTS:
        raise ValueError(
            f"{table.label}: {measured.sum()} rows with a concentration, expected at least "
            f"{MIN_POINTS}. Remove the sheet if it is no run."
        )
    times, told = timed(table, measured, known.start)
    remarks += told
    rows = times.rows
    if len(rows) < MIN_POINTS:
        raise ValueError(
            f"{table.label}: {len(rows)} rows with a concentration from the start on, expected at "
            f"least {MIN_POINTS}; give the time of the start by --start."
        )
    values = {role: column[rows] for role, column in values.items()}
    others = {name: column[rows] for name, column in others.items()}
    if "internal_standard" in values:
        factor = _by_standard(table, at["internal_standard"], rows, values["internal_standard"])
        for role in ("substrate", "product"):
            if role in values:
                values[role] = values[role] * factor
        others = {name: column * factor for name, column in others.items()}
        name = table.titles[at["internal_standard"]].text
        remarks.append(Remark(f"Concentrations are related to {name!r}, the internal standard."))
    run, told = _in_base(table, at, values, times.time, known)
    for name, column in others.items():
        unit = units.concentration(table.titles[table.called(name)[0]].unit)
        converts = unit.kind == run.base.kind == units.MOLAR
        run.others[name] = column * (unit.factor / run.base.factor) if converts else column
    object.__setattr__(run, "unit", times.unit)
    return run, remarks + told


def _by_standard(table: Table, column: int, rows: NDArray, standard: Array) -> Array:
    """Return what brings an internal standard to its mean."""
    wrong = ~(standard > 0)
    if wrong.any():
        row = table.rows[rows[wrong.argmax()]][0]
        raise ValueError(
            f"{table.address(row, column)}: the internal standard is "
            f"{standard[wrong.argmax()]:g}, expected more than zero in every row."
        )
    return standard.mean() / standard


def _in_base(
    table: Table, at: dict[str, int], values: dict[str, Array], time: Array, known: Known
) -> tuple[Run, list[Remark]]:
    """Bring substrate and product to one unit, and find what the run starts with."""
    remarks: list[Remark] = []
    title = {role: table.titles[i] for role, i in at.items()}
    unit = {role: units.concentration(one.unit) for role, one in title.items()}
    stated = known.substrate_0
    if "substrate" in values:
        base = unit["substrate"]
        if not base.text and unit.get("product", base).text:
            base = unit["product"]
    elif stated is not None and stated.unit.text:
        base = stated.unit
    elif "conversion" in values or stated is None:
        base = units.Unit("%", units.SHARE, 0.01)
    else:
        base = unit["product"]
    first = time == time[0]

    def start(role: str) -> float:
        with np.errstate(invalid="ignore"):
            return (
                float(np.nanmean(values[role][first]))
                if np.isfinite(values[role][first]).any()
                else np.nan
            )

    substrate = values.get("substrate")
    if stated is not None:
        substrate_0 = _converted(table, stated.value, stated.unit, base, "--substrate-0")
    elif substrate is not None:
        substrate_0 = start("substrate")
        if np.isnan(substrate_0):
            row = table.rows[0][0]
            raise ValueError(
                f"{table.address(row, at['substrate'])}: empty, expected the initial substrate; "
                "the first row of a run must be complete, or --substrate-0 tell it."
            )
    elif "conversion" in values:
        substrate_0 = 1.0 / base.factor if base.kind == units.SHARE else 1.0
        remarks.append(
            Remark(
                "Conversion does not tell what a run starts with; all are taken to start alike.",
                "--substrate-0 RUN=AMOUNT",
            )
        )
    else:
        substrate_0 = np.nan
    if "conversion" in values:
        share = _share(unit["conversion"], values["conversion"])
        substrate = substrate_0 * (1 - share * values["conversion"])
    product = values.get("product")
    if product is not None:
        of_start = unit["product"].kind == units.SHARE and (
            base.kind != units.SHARE or "substrate" not in values
        )
        named_yield = is_yield(table, at["product"]) and "conversion" in values
        if (of_start or named_yield) and np.isfinite(substrate_0):
            product = product * _share(unit["product"], product) * substrate_0
            if base.kind != units.SHARE:
                text = (
                    f"Column {title['product'].text!r} is read as a share of the initial substrate."
                )
                remarks.append(Remark(text, "--unit"))
        else:
            factor = _factor(table, unit["product"], base, title["product"].text)
            product = product * factor
            if factor != 1:
                text = f"Column {title['product'].text!r} is converted to {base.text}."
                remarks.append(Remark(text, "--unit"))
    product_0, told = _product_0(table, at, product, first, time, known, base)
    remarks += told
    run = Run(table, time, "", base, substrate, product, substrate_0, product_0)
    return run, remarks


def _product_0(
    table: Table,
    at: dict[str, int],
    product: Array | None,
    first: NDArray[np.bool_],
    time: Array,
    known: Known,
    base: units.Unit,
) -> tuple[float, list[Remark]]:
    """Find the initial product: as stated, as measured in the first row, or none."""
    stated = known.product_0
    if stated is not None:
        return _converted(table, stated.value, stated.unit, base, "--product-0"), []
    if product is None:
        return 0.0, []
    if np.isfinite(product[first]).any():
        return float(np.nanmean(product[first])), []
    if time[0] > 0 and known.substrate_0 is None:
        raise ValueError(
            f"{table.address(table.rows[0][0], at['product'])}: empty, expected the initial "
            "product; the first row of a run must be complete, or --product-0 tell it."
        )
    return 0.0, [
        Remark("Product empty at the start is taken as none.", "--product-0", (table.name,))
    ]


def _share(unit: units.Unit, values: Array) -> float:
    """Return what a column of shares is multiplied by: its unit, or percent where it passes 1.5."""
    if unit.kind == units.SHARE:
        return unit.factor
    return 0.01 if np.nanmax(values, initial=0.0) > 1.5 else 1.0


def _converted(table: Table, value: float, unit: units.Unit, base: units.Unit, what: str) -> float:
    return value * _factor(table, unit, base, what) if unit.text else value


def _factor(table: Table, unit: units.Unit, base: units.Unit, what: str) -> float:
    """Return what brings values in a unit to the base; a unit that is not told is the base.

    Raises
    ------
    ValueError
        Where the units do not convert.
    """
    if not unit.text or not base.text:
        return 1.0
    if unit.converts(base):
        return unit.factor / base.factor if unit.kind != units.OTHER else 1.0
    raise ValueError(
        f"{table.label}: {what!r} is in {unit.text}, and the concentrations are in {base.text}: "
        "different units that do not convert; bring them to one, or tell them by --unit."
    )
