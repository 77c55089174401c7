"""How much catalyst each run holds: from a column, from the names of runs, or as stated."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kinetlib.lab import units
from kinetlib.lab.amounts import Amount, Amounts, in_name
from kinetlib.lab.remarks import Remark, listed
from kinetlib.lab.runs import Run
from kinetlib.lab.tables import number

_AGREES = 0.05  # between a column and the names of runs
_CONSUMED = 0.5  # of what the substrate loses, that a catalyst may lose


def catalyst_of(
    runs: Sequence[Run], column: str | None, stated: Amounts
) -> tuple[list[float], list[Remark]]:
    """Find the catalyst of each run, in the unit of its substrate.

    Parameters
    ----------
    runs : sequence of Run
        As measured.
    column : str or None
        Name of the column of the catalyst. Only its first number in a run is used.
    stated : Amounts
        By option, for all runs or some; a number without a unit is a share of the run's initial
        substrate.

    Returns
    -------
    catalyst : list of float
        0 for a blank run, and for all where there is no catalyst; NaN where it is told of other
        runs only.
    remarks : list of Remark
        What was decided.

    Raises
    ------
    ValueError
        Where the column does not tell it, holds no number, a negative one, or more than there is
        substrate, and where it is that of a reactant.
    """
    remarks: list[Remark] = []
    named = {run.name: in_name(run.name) for run in runs}
    found: list[float] = []
    from_names: list[str] = []
    for run in runs:
        amount = stated.of(run.name)
        if amount is not None:
            found.append(_of(run, amount, f"--loading for {run.name!r}"))
            continue
        value = None if column is None else _first(run, column)
        if value and column is not None:
            remarks += _on_unit(run, column)
        if value is None and named[run.name] is not None:
            value = _of(run, named[run.name], run.name)
            from_names.append(run.name)
        if value is None and column is not None:
            value = _unknown(run, column)
        elif value is None and (stated or any(named.values())):
            value = 0.0 if "blank" in run.name.casefold() else np.nan
        found.append(0.0 if value is None else value)
    untold = [run.name for run, value in zip(runs, found, strict=True) if np.isnan(value)]
    if untold:
        remarks.append(
            Remark(
                "Loading not told, as it is of other runs: kept, but not read by classify and "
                "design next.",
                f"--loading '{untold[0]}=5 mol%'",
                tuple(untold),
            )
        )
    if from_names:
        remarks.append(
            Remark("Loading taken from the name of the run.", "--loading", tuple(from_names))
        )
    elif column is not None and not stated:
        found, told = _against_names(runs, found, named, column)
        remarks += told
    if np.nansum(found) > 0:
        if column is not None and not stated:
            _refuse_reactant(runs, column)
        _refuse_more_than_substrate(runs, found, column)
        blanks = [run.name for run, value in zip(runs, found, strict=True) if value == 0]
        if blanks:
            remarks.append(
                Remark(
                    "Without catalyst, a blank run: kept, but it tells nothing of a catalytic "
                    "mechanism and is not read by networks.",
                    "--loading",
                    tuple(blanks),
                )
            )
    elif column is not None:
        _refuse_zero(runs[0], column)
    return found, remarks


def _first(run: Run, column: str) -> float | None:
    """Take the first number of the column; what stands below it does not matter."""
    table = run.table
    places = table.called(column)
    if not places:
        return None
    i = places[0]
    unit = units.concentration(table.titles[i].unit)
    for row, cells in table.rows:
        value = number(cells[i], table.address(row, i))
        if np.isnan(value):
            continue
        if value < 0:
            raise ValueError(
                f"{table.address(row, i)}: the catalyst is {value:g}, expected zero or more."
            )
        same = unit.kind == run.base.kind and unit.text.strip() == run.base.text.strip()
        if not unit.text or same:
            return value
        return _of(run, Amount(value, unit), table.titles[i].text)
    return 0.0 if "blank" in run.name.casefold() else None


def _on_unit(run: Run, column: str) -> list[Remark]:
    """Say in which unit the column was taken to be, where that is not the substrate's own."""
    title = run.table.titles[run.table.called(column)[0]]
    unit = units.concentration(title.unit)
    if unit.text == run.base.text:
        return []
    if not unit.text:
        text = f"Column {title.text!r} has no unit, and is taken to be in {run.base.text}."
    elif unit.kind == units.SHARE:
        text = f"Column {title.text!r} is read as {unit.text} of the run's own initial substrate."
    else:
        to = run.base.text or "the substrate's unit, which is not told: it is taken to be the same"
        text = f"Column {title.text!r} is converted from {unit.text} to {to}."
    return [Remark(text, f"--unit '{title.name}=...'")]


def _of(run: Run, amount: Amount, what: str) -> float:
    """Bring an amount to the unit of the run's substrate; a share is one of its own start."""
    if amount.unit.kind == units.SHARE or not amount.unit.text:
        factor = amount.unit.factor if amount.unit.text else 1.0
        return amount.value * factor * run.substrate_0
    if amount.unit.converts(run.base):
        return amount.value * amount.unit.factor / run.base.factor
    if not run.base.text:
        return amount.value
    raise ValueError(
        f"{run.table.label}: {what!r} is in {amount.unit.text}, and the substrate is in "
        f"{run.base.text}: different units; give the start by --substrate-0, as '0.2 M', or the "
        "catalyst as a share by --loading, as '5 mol%'."
    )


def _unknown(run: Run, column: str) -> float:
    """Refuse a run of which nothing tells the catalyst; a blank has none."""
    table = run.table
    if "blank" in run.name.casefold():
        return 0.0
    way_out = f"or tell it by --loading '{run.name}=5 mol%', or in the run's name"
    if not table.called(column):
        try:
            table.column(column, "catalyst")
        except ValueError as error:
            raise ValueError(f"{error} Add one, {way_out}.") from None
    raise ValueError(
        f"{table.label}: the column {column!r} is empty; expected the catalyst's concentration in "
        f"its first row, in the unit of the substrate, {way_out}."
    )


def _against_names(
    runs: Sequence[Run],
    found: list[float],
    named: dict[str, Amount | None],
    column: str,
) -> tuple[list[float], list[Remark]]:
    """Where names of runs tell loadings in another unit than the column's, believe the names."""
    told = {
        run.name: (value, _of(run, named[run.name], run.name))
        for run, value in zip(runs, found, strict=True)
        if named[run.name] is not None and value > 0 and run.substrate_0 > 0
    }
    if not told:
        return found, []
    ratio = np.array([value / by_name for value, by_name in told.values()])
    if np.all(np.abs(ratio - 1) < _AGREES):
        return found, []
    if len(told) == len(runs) > 1 and np.ptp(ratio) < _AGREES * ratio.mean():
        remark = Remark(
            f"Column {column!r} is {ratio.mean():.3g} times the loadings in the names of the runs, "
            "so in another unit than the substrate's: the names are believed.",
            "--loading",
        )
        return [told[run.name][1] for run in runs], [remark]
    apart = [name for name, r in zip(told, ratio, strict=True) if abs(r - 1) >= _AGREES]
    return found, [
        Remark(
            f"Column {column!r} and the names of the runs tell different loadings; the column is "
            "believed.",
            "--loading",
            tuple(apart),
        )
    ]


def _refuse_reactant(runs: Sequence[Run], column: str) -> None:
    """Refuse a catalyst that is consumed as the substrate is."""
    for run in runs:
        places = run.table.called(column)
        if not places or run.substrate is None:
            continue
        seen = np.array(run.table.seen(places[0]))
        seen = seen[np.isfinite(seen)]
        known = run.substrate[np.isfinite(run.substrate)]
        if len(seen) < 3 or len(known) < 3 or seen[0] <= 0:
            continue
        lost, consumed = seen[0] - seen[-1], known[0] - known[-1]
        if lost > 0.2 * seen[0] and lost > _CONSUMED * consumed > 0:
            raise ValueError(
                f"{run.table.label}: {column!r} falls from {seen[0]:g} to {seen[-1]:g} while the "
                f"substrate loses {consumed:.3g}: a reactant, not a catalyst, so the reaction "
                "looks uncatalysed, and the mechanisms told apart are catalytic. kinetlib "
                f"discover finds its reactions; --reactant {column!r} keeps it beside a catalyst."
            )


def _refuse_more_than_substrate(
    runs: Sequence[Run], found: list[float], column: str | None
) -> None:
    """Refuse more catalyst than substrate: a unit that is not told, most likely."""
    above = [
        f"{run.name} ({value / run.substrate_0:.3g} times)"
        for run, value in zip(runs, found, strict=True)
        if value > run.substrate_0 > 0
    ]
    if len(above) > len(runs) / 2:
        name = column or "catalyst"
        raise ValueError(
            f"{runs[0].table.file}: the catalyst exceeds the substrate in {listed(above)}; if it "
            f"is in another unit, say so by --unit '{name}=mM', with the substrate's likewise, or "
            "state it by --loading '5 mol%'."
        )


def _refuse_zero(run: Run, column: str) -> None:
    i = run.table.called(column)[0]
    row = next(row for row, cells in run.table.rows if cells[i] is not None)
    raise ValueError(
        f"{run.table.address(row, i)}: the catalyst is 0, here and in all runs, expected more than "
        "zero; a blank run without catalyst carries no mechanism."
    )
