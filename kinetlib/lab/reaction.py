"""The measured runs of one reaction, from the tables of a file to the runs schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from kinetlib.lab.amounts import Amounts
from kinetlib.lab.catalyst import catalyst_of
from kinetlib.lab.columns import Roles, observables, others
from kinetlib.lab.completion import COMPLETE, after_completion
from kinetlib.lab.notes import (
    Relative,
    at_other_temperatures,
    comparable,
    doubts,
    notes,
    repeats,
    temperatures,
)
from kinetlib.lab.reader import How, in_one_unit, read_tables
from kinetlib.lab.remarks import Remark, gathered, listed
from kinetlib.lab.runs import MIN_POINTS, Known, Run, positions, read_run
from kinetlib.lab.schema import dataset_of, padded
from kinetlib.lab.tables import Table

NEGATIVE_TOLERANCE = 0.05
"""How far below zero a concentration may lie, as a share of the standard run's initial substrate:
a noisy baseline does that. Such values are kept as they are; clipping would bias the noise."""

Stated = str | float | Sequence[str | float] | None


def read(
    path: str | Path,
    substrate: str | None,
    product: str | None = None,
    catalyst: str | None = None,
    *,
    standard: str | None = None,
    reactants: Sequence[str] = (),
    by_products: Sequence[str] = (),
    observe: Sequence[str] | dict[str, str] = (),
    ignore: Sequence[str] = (),
    leave_out: Sequence[str] = (),
    conversion: str | None = None,
    internal_standard: str | None = None,
    substrate_0: Stated = None,
    product_0: Stated = None,
    loading: Stated = None,
    layout: str | None = None,
    header: int | None = None,
    time: str | None = None,
    units: Mapping[str, str] | None = None,
    start: float = 0.0,
    keep_tail: bool = False,
) -> xr.Dataset:
    """Read the measured runs of one reaction.

    A workbook (.xlsx, .xls, .ods) or a text file (.csv, .tsv, .txt) holds one run a sheet, runs
    beside or below each other, runs told apart by a column ``run``, or a tidy table. Column names
    are matched without regard to outer spaces, case and unit. All runs are kept, those included
    that no network of mechanisms can read; `comparable` tells which it can.

    Parameters
    ----------
    path : str or Path
        The file.
    substrate, product, catalyst : str or None
        Names of the columns. Of the catalyst only the first value in a run is used. None for a
        product that was not measured, which is then taken to be absent at the start, for a
        substrate that was not measured, if `substrate_0` is given, and where there is no catalyst.
    standard : str, optional
        Name of the standard run, to whose initial substrate all concentrations are related.
        Without it, the run called "standard" (in any case), else the first with "standard" in its
        name, else the first that has a catalyst.
    reactants : sequence of str
        Further reactants: columns, or ``NAME=AMOUNT`` for one known from its start alone.
    by_products : sequence of str
        Columns of by-products.
    observe : sequence of str, or dict
        ``COLUMN = SPECIES + SPECIES``: what a further column shows.
    ignore, leave_out : sequence of str
        Columns that take no part, and runs.
    conversion : str, optional
        Column of the conversion of the substrate, in percent or as a share.
    internal_standard : str, optional
        Column that all concentrations of its row are related to.
    substrate_0, product_0, loading : str, float, or sequence of them
        Initial substrate and product, and catalyst as a share of the initial substrate:
        ``AMOUNT`` for all runs, ``RUN=AMOUNT`` for one, with a unit where it is not the file's.
    layout, header, time, units, start
        See `kinetlib.lab.How`.
    keep_tail : bool
        Let networks read rows after a run is over, too.

    Returns
    -------
    xarray.Dataset
        The runs schema with one sample; dims (sample, run, time), NaN after a run's last point.

        - ``time`` (sample, run, time): since the start, in the unit of ``attrs["units"]``, ""
          where none is told; equal where points are replicates;
        - ``substrate``, ``product`` (sample, run, time): relative to the initial substrate of the
          standard run, NaN where it was not measured;
        - ``loading``, ``substrate_0``, ``product_0`` (sample, run): catalyst, and the values of
          the run's first row, on the same scale. The first row counts as the start whatever its
          time, unless the start is stated. 0 for no catalyst;
        - ``comparable`` (sample, run): whether a run differs from the standard run in nothing but
          substrate, product and catalyst, and has a catalyst;
        - ``completed`` (sample, run, time): which points come after a run is over, and are not
          read by networks, see `kinetlib.lab.completion`;
        - ``observed`` (sample, run, time, column): all other columns of numbers, on the same
          scale; coordinates ``column``, names as written, ``shows`` (column), the species or the
          sum of species of `observe`, and ``role`` (column), "reactant", "by-product", "catalyst"
          or "";
        - ``reactant_0`` (sample, run, reactant): what `reactants` start at, on the same scale;
        - ``temperature`` (run): in kelvin, where there is such a column;
        - ``run``: the names of the runs.

        ``attrs["remarks"]`` holds one sentence a line on what was decided in reading;
        ``attrs["warnings"]`` adds what lies outside of what the released networks were trained
        on; "" where there is nothing to say. Further attributes: ``source``, ``standard``,
        ``standard_substrate_0`` (in the file's unit), ``concentration_unit`` and the column names.

    Raises
    ------
    ValueError
        Where the file, its columns or its values are not as described: it names file, run and
        cell, what was expected and what to do.
    """
    file = Path(path).name
    how = How(layout, header, time, units, ignore, start, leave_out)
    amounts = {
        "--substrate-0": Amounts.read("--substrate-0", substrate_0),
        "--product-0": Amounts.read("--product-0", product_0),
        "--loading": Amounts.read("--loading", loading),
    }
    known_reactants = {
        name.strip(): Amounts.read("--reactant", said.strip())
        for name, sign, said in (text.partition("=") for text in reactants)
        if sign
    }
    roles = Roles(
        substrate,
        product,
        catalyst,
        conversion,
        internal_standard,
        [text for text in reactants if "=" not in text],
        by_products,
        observables(observe),
    )
    tables, remarks = read_tables(path, how)
    for option, stated in amounts.items():
        stated.refuse_unknown(option, [table.name for table in tables])
    tables, told = _of_this_reaction(tables, roles, amounts["--substrate-0"])
    remarks += told
    runs, told = _runs(tables, roles, amounts, how)
    remarks += told
    unit, factors, told = in_one_unit(file, [(run.name, run.unit) for run in runs])
    remarks += told
    catalysts, told = catalyst_of(runs, catalyst, amounts["--loading"])
    remarks += told
    reference = _standard_run(file, runs, catalysts, standard)
    scale = reference.substrate_0
    if not scale > 0:
        raise ValueError(
            f"{file}, run {reference.name!r}: the initial substrate is {scale:g}; the standard "
            "run, to which all others are related, needs more than zero. If this column is a "
            "product, give it by --product, and the start of the substrate by --substrate-0 (100 "
            "for percent)."
        )
    relative, told = _relative(runs, catalysts, factors, reference)
    remarks += told
    _check_negative(file, relative)
    measured = any(run.product is not None for run in runs)
    kept, told = comparable(relative, reference.name, measured, roles)
    remarks += [*told, *repeats(relative, reference.name), *doubts(relative, roles)]
    kelvin = temperatures(tables, [run.name for run in relative])
    apart, told = at_other_temperatures(kelvin, reference.name)
    kept, remarks = kept - apart, remarks + told
    dataset = dataset_of(relative, unit, roles, known_reactants, reference)
    dataset["comparable"] = (("sample", "run"), [[run.name in kept for run in relative]])
    if kelvin:
        dataset["temperature"] = ("run", [kelvin[run.name] for run in relative], {"units": "K"})
    tails = [_tail(run, keep_tail) for run in relative]
    dataset["completed"] = (("sample", "run", "time"), padded(tails) == 1)
    remarks += _on_tails(relative, tails, kept)
    told_apart = [run for run in relative if run.name in kept]
    sentences = [str(remark) for remark in gathered(remarks)]
    beyond = notes(told_apart, measured) if told_apart else []
    dataset.attrs = {
        "source": file,
        "standard": reference.name,
        "standard_substrate_0": float(scale),
        "concentration_unit": reference.base.text,
        "substrate_column": substrate or "",
        "product_column": product or "",
        "catalyst_column": catalyst or "",
        "remarks": "\n".join(sentences),
        "warnings": "\n".join([*sentences, *beyond]),
    }
    return dataset


def _of_this_reaction(
    tables: list[Table], roles: Roles, substrate_0: Amounts
) -> tuple[list[Table], list[Remark]]:
    """Leave out tables that hold none of the species; refuse names that no table has."""
    named = [
        (role, name)
        for role in ("substrate", "product", "conversion")
        if (name := getattr(roles, role)) is not None
    ]
    if not named:
        raise ValueError(
            f"{tables[0].file}: expected the name of a column: --substrate, --product or "
            "--conversion."
        )
    have = [[table for table in tables if table.called(name)] for _, name in named]
    for (role, name), those in zip(named, have, strict=True):
        for table in those:
            table.column(name, role)
    kept = [table for table in tables if any(table in those for those in have)]
    for (role, name), those in zip(named, have, strict=True):
        stands_in = role == "substrate" and (bool(substrate_0) or roles.conversion is not None)
        if those or stands_in:
            continue
        try:
            (kept or tables)[0].column(name, role)
        except ValueError as error:
            if role != "substrate" or roles.product is None:
                raise
            raise ValueError(
                f"{error} Where the substrate was not measured, state its start by --substrate-0 "
                "VALUE: in the unit of the product, 100 where that is in percent."
            ) from None
    for name in (roles.internal_standard, *roles.further):
        if name and not any(table.called(name) for table in kept):
            kept[0].column(name, "internal standard" if name == roles.internal_standard else "role")
    left = [table for table in tables if table not in kept]
    remarks = []
    if left:
        what = ", ".join(repr(name) for _, name in named)
        remarks.append(
            Remark(f"Left out, without a column {what}.", "", tuple(t.name for t in left))
        )
    return kept, remarks


def _runs(
    tables: list[Table], roles: Roles, amounts: dict[str, Amounts], how: How
) -> tuple[list[Run], list[Remark]]:
    """Take the runs out of their tables; too short ones are left out where others remain."""
    own = [_own(table, roles) for table in tables]
    used = []
    for table, mine in zip(tables, own, strict=True):
        at = positions(table, replace(mine, catalyst=None))
        used.append(set(at.values()) | {i for i in _catalyst_at(table, roles) if _idle(table, i)})
    names, remarks = others(tables, used, roles.further, how.ignore)
    runs, short = [], []
    for table, mine in zip(tables, own, strict=True):
        known = Known(
            amounts["--substrate-0"].of(table.name),
            amounts["--product-0"].of(table.name),
            how.start,
        )
        try:
            run, told = read_run(table, mine, names, known)
        except ValueError as error:
            if len(tables) == 1 or "rows with a concentration" not in str(error):
                raise
            short.append(table.name)
            first = error
            continue
        runs.append(run)
        remarks += told
    if not runs:
        raise first
    if short:
        remarks.append(
            Remark(f"Left out, with fewer than {MIN_POINTS} rows of values.", "", tuple(short))
        )
    return runs, remarks


def _own(table: Table, roles: Roles) -> Roles:
    """Return the roles without those that this table has no column for, where that may be."""
    lacking = {
        role: None
        for role in ("substrate", "product", "catalyst", "conversion", "internal_standard")
        if getattr(roles, role) is not None and not table.called(getattr(roles, role))
    }
    return replace(roles, **lacking)


def _catalyst_at(table: Table, roles: Roles) -> list[int]:
    return table.called(roles.catalyst) if roles.catalyst else []


def _idle(table: Table, column: int) -> bool:
    """Tell whether the catalyst's column says no more than its first number."""
    values = np.array(table.seen(column))
    known = values[np.isfinite(values)]
    return len(known) < 2 or np.ptp(known) <= 1e-9 * abs(known[0])


def _standard_run(file: str, runs: list[Run], catalysts: list[float], name: str | None) -> Run:
    keys = [run.name.strip().casefold() for run in runs]
    if name is not None:
        if name.strip().casefold() not in keys:
            raise ValueError(
                f"{file}: no run is called {name!r}, which was to be the standard run; "
                f"its runs are {listed(repr(run.name) for run in runs)}."
            )
        return runs[keys.index(name.strip().casefold())]
    if "standard" in keys:
        return runs[keys.index("standard")]
    named = next((run for run, key in zip(runs, keys, strict=True) if "standard" in key), None)
    active = (run for run, amount in zip(runs, catalysts, strict=True) if amount > 0)
    return named or next(active, runs[0])


def _relative(
    runs: list[Run], catalysts: list[float], factors: dict[str, float], reference: Run
) -> tuple[list[Relative], list[Remark]]:
    """Relate concentrations to the standard run's initial substrate, all in its unit."""
    found, remarks = [], []
    for run, amount in zip(runs, catalysts, strict=True):
        ratio = 1.0
        if run.base.text and reference.base.text and run.base.text != reference.base.text:
            if not run.base.converts(reference.base):
                raise ValueError(
                    f"{run.table.label}: in {run.base.text}, and the standard run in "
                    f"{reference.base.text}: different units; bring them to one."
                )
            ratio = run.base.factor / reference.base.factor
            remarks.append(
                Remark(
                    f"Converted to {reference.base.text}, the standard run's unit.", "", (run.name,)
                )
            )
        scale = reference.substrate_0 / ratio
        empty = np.full(len(run.time), np.nan)
        found.append(
            Relative(
                run.name,
                run.time * factors[run.name],
                empty if run.substrate is None else run.substrate / scale,
                empty if run.product is None else run.product / scale,
                amount / scale,
                run.substrate_0 / scale,
                run.product_0 / scale,
                {name: column / scale for name, column in run.others.items()},
            )
        )
    return found, remarks


def _check_negative(file: str, runs: list[Relative]) -> None:
    for run in runs:
        for species in ("substrate", "product"):
            values = getattr(run, species)
            for i in np.flatnonzero(values < -NEGATIVE_TOLERANCE):
                raise ValueError(
                    f"{file}, run {run.name!r}: the {species} at time {run.time[i]:g} is "
                    f"{values[i]:.3g} times the standard run's initial substrate; expected no "
                    f"less than -{NEGATIVE_TOLERANCE:g}. Check the columns, or the baseline."
                )


def _tail(run: Relative, keep: bool) -> np.ndarray:
    if keep:
        return np.zeros(len(run.time))
    starts = (run.substrate_0, run.product_0)
    return after_completion(run.time, run.substrate, run.product, *starts).astype(float)


def _on_tails(runs: list[Relative], tails: list[np.ndarray], kept: set[str]) -> list[Remark]:
    cut = [
        f"{run.name} ({int(tail.sum())} of {len(tail)})"
        for run, tail in zip(runs, tails, strict=True)
        if tail.any() and run.name in kept
    ]
    if not cut:
        return []
    text = (
        f"Rows after {COMPLETE:.0%} of the turnover tell nothing of the mechanism, and are not "
        "read by networks."
    )
    return [Remark(text, "--keep-tail", tuple(cut))]
