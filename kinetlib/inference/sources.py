"""Runs as they are read or simulated, made into what a fit takes."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.inference.observations import Observations, sum_of, table
from kinetlib.kinetics.mechanisms import CATALYST, PRODUCT, SUBSTRATE
from kinetlib.runs.runs import INITIAL, Runs, columns

_ROLES = {"substrate_column": SUBSTRATE, "product_column": PRODUCT, "catalyst_column": CATALYST}


def observations(runs: Observations | Runs | xr.Dataset, species: Collection[str]) -> Observations:
    """Take runs in any of the forms in which they are read.

    Parameters
    ----------
    runs
        As `kinetlib.lab.read` or `kinetlib.lab.read_species` gives them, Runs, or Observations.
    species
        Of the mechanism: columns of the file that are among them are read, too.

    Raises
    ------
    ValueError
        Runs of more than one sample or temperature, without a value after time 0, or without known
        starts.
    """
    if isinstance(runs, Observations):
        return runs
    if isinstance(runs, Runs):
        return _of_schema(runs)
    _refuse_temperatures(runs)
    if "concentration" in runs and "substrate" not in runs:
        return from_species(runs)
    return from_dataset(runs, species)


def _of_schema(runs: Runs) -> Observations:
    """Take one reaction in the units of the schema."""
    if np.nanmax(runs.averaged) > 1:
        raise ValueError("points that are means of several readings: give the readings themselves")
    starts = [np.asarray(getattr(runs, name), dtype=np.float64) for name in INITIAL]
    return table(
        np.asarray(runs.time, dtype=np.float64),
        np.stack([runs.substrate, runs.product], -1, dtype=np.float64),
        ({SUBSTRATE: 1.0}, {PRODUCT: 1.0}),
        dict(zip((CATALYST, SUBSTRATE, PRODUCT), starts, strict=True)),
        columns=["substrate", "product"],
    )


def from_dataset(runs: xr.Dataset, species: Collection[str]) -> Observations:
    """Take runs of the schema of `kinetlib.lab.read`, in the file's unit of concentration.

    Substrate, product and catalyst are S, P and cat, or what their columns are called where that is
    how the mechanism calls them. Where it knows nothing else, runs that differ from the standard
    run in something else are left out.
    """
    if runs.sizes.get("sample", 1) != 1:
        raise ValueError(
            f"expected the runs of one reaction, got {runs.sizes['sample']} samples; take one with "
            "runs.isel(sample=[0])"
        )
    one = runs.isel(sample=0) if "sample" in runs.dims else runs
    names = {role: _called(runs, column, role, species) for column, role in _ROLES.items()}
    further = _further(one, species)
    one, remarks = (one, []) if further else _comparable(one)
    time, substrate, product, *starts = columns(one, np.float64)
    scale = float(runs.attrs.get("standard_substrate_0", 1.0))
    titles = [runs.attrs.get(f"{role}_column") or role for role in ("substrate", "product")]
    seen = [substrate, product]
    shows: list[dict[str, float]] = [{names[SUBSTRATE]: 1.0}, {names[PRODUCT]: 1.0}]
    given = dict(zip((names[role] for role in (CATALYST, SUBSTRATE, PRODUCT)), starts, strict=True))
    for title in further:
        column = one["observed"].sel(column=title).transpose("run", "time").values
        seen.append(column)
        shows.append(further[title])
        if len(further[title]) == 1:  # nothing measured in the first row: not there at the start
            given[next(iter(further[title]))] = np.maximum(np.nan_to_num(column[:, 0]), 0.0)
        titles.append(title)
    for name in one["reactant"].values if "reactant" in one else ():
        if str(name) in species:
            given[str(name)] = one["reactant_0"].sel(reactant=name).values
    said = runs.attrs.get("remarks", runs.attrs.get("warnings", ""))
    return table(
        time,
        np.stack(seen, -1) * scale,
        tuple(shows),
        {name: start * scale for name, start in given.items()},
        columns=titles,
        runs=[str(name) for name in one["run"].values] if "run" in one.coords else None,
        time_unit=str(runs["time"].attrs.get("units", "")),
        concentration_unit=str(runs.attrs.get("concentration_unit", "")),
        remarks=(*filter(None, said.splitlines()), *remarks),
    )


def _called(runs: xr.Dataset, column: str, role: str, species: Collection[str]) -> str:
    """Return the species that a column's role stands for: S, or what the mechanism calls it."""
    title = str(runs.attrs.get(column, ""))
    return title if role not in species and title in species else role


def _further(one: xr.Dataset, species: Collection[str]) -> dict[str, dict[str, float]]:
    """Return what further columns show, for those that show species of the mechanism alone."""
    if "observed" not in one:
        return {}
    titles = [str(title) for title in one["column"].values]
    sums = [
        sum_of(str(said)) if said else {title: 1.0}
        for said, title in zip(one["shows"].values, titles, strict=True)
    ]
    return {
        title: terms
        for title, terms in zip(titles, sums, strict=True)
        if all(name in species for name in terms)
    }


def _comparable(one: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Leave out runs that differ in more than substrate, product and catalyst."""
    if "comparable" not in one or bool(one["comparable"].all()):
        return one, []
    keep = one["comparable"].values.astype(bool)
    if not keep.any():
        return one, []
    left = [str(name) for name in one["run"].values[~keep]]
    return one.isel(run=np.flatnonzero(keep)), [
        f"left out, for they differ from the standard run in more than substrate, product and "
        f"catalyst, and the mechanism has nothing else: {', '.join(left)}"
    ]


def from_species(runs: xr.Dataset) -> Observations:
    """Take curves as `kinetlib.lab.read_species` reads them: each column is the species it names.

    The first row of each run counts as weighed in, and so does a column that never changes within a
    run, such as the catalyst's.

    Raises
    ------
    ValueError
        If a run's first row lacks a species.
    """
    time = np.atleast_2d(runs["time"].values).astype(np.float64)
    values = runs["concentration"].transpose("run", "time", "species").values.copy()
    titles = [str(name) for name in runs["species"].values]
    names = [str(name) for name in runs["run"].values]
    row = np.arange(len(values))
    first = np.argmin(np.where(np.isfinite(time), time, np.inf), axis=1)
    starts = values[row, first]
    for name, start in zip(names, starts, strict=True):
        if not np.isfinite(start).all():
            missing = [title for title, v in zip(titles, start, strict=True) if np.isnan(v)]
            raise ValueError(
                f"run {name!r}: {', '.join(missing)} has no value in the first row, expected what "
                "was weighed in; give it, 0 for a species that is not there"
            )
    begun = time[row, first]
    remarks = [
        f"run {name!r} begins at time {at:g}; its first row counts as the start at that time, and "
        "times are counted from there"
        for name, at in zip(names, begun, strict=True)
        if at != 0
    ]
    below = [title for title, column in zip(titles, starts.T, strict=True) if (column < 0).any()]
    if below:
        remarks.append(f"{', '.join(below)}: a start below 0 was taken for 0")
    values[row, first] = np.nan
    still = _still(values, starts)
    remarks += [
        f"column {title} does not change within a run: it counts as weighed in, not as measured"
        for title, same in zip(titles, still, strict=True)
        if same
    ]
    values[..., still] = np.nan
    said = str(runs.attrs.get("remarks", ""))
    return table(
        time - begun[:, None],
        values,
        tuple({name: 1.0} for name in titles),
        {name: np.maximum(column, 0.0) for name, column in zip(titles, starts.T, strict=True)},
        columns=titles,
        runs=names,
        time_unit=str(runs["time"].attrs.get("units", "")),
        concentration_unit=str(runs.attrs.get("concentration_unit", "")),
        remarks=(*filter(None, said.splitlines()), *remarks),
    )


def _still(values: NDArray[np.float64], starts: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which columns are measured after the start and never differ from it, shape (C,)."""
    same = np.isnan(values) | (values == starts[:, None])
    return same.all((0, 1)) & np.isfinite(values).any((0, 1))


def _refuse_temperatures(runs: xr.Dataset) -> None:
    if "temperature" in runs:
        kelvin = np.unique(np.round(runs["temperature"].values.astype(float), 1))
        if len(kelvin) > 1:
            raise ValueError(
                f"runs at {', '.join(f'{one:g}' for one in kelvin)} K: constants change with "
                "temperature; leave out all runs but those at one"
            )
