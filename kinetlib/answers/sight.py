"""What every mechanism is shown of the runs: the same values, whatever it calls its species.

Evidences can be compared only where they are of the same data. A measured catalyst counts as what
of it lives; a second reactant is known by what was there of it at the start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import xarray as xr

from kinetlib.inference.observations import Observations, sum_of
from kinetlib.inference.sources import observations
from kinetlib.kinetics.mechanisms import CATALYST, PRODUCT, SUBSTRATE, Mechanism, catalogue
from kinetlib.runs.runs import Runs

#: Stands among what a column shows for all catalyst that lives.
LIVING = "living"
#: What a second reactant is called in the grammar.
SECOND = "B"
_SPECIES = (SUBSTRATE, PRODUCT, CATALYST)


def seen(runs: Observations | Runs | xr.Dataset) -> Observations:
    """Take runs in any form, with a measured catalyst and a second reactant where they have one.

    Raises
    ------
    ValueError
        See `kinetlib.inference.sources.observations`.
    """
    if not isinstance(runs, xr.Dataset) or "substrate" not in runs:
        return observations(runs, _SPECIES)
    one = runs.isel(sample=0) if "sample" in runs.dims else runs
    reactants = [str(name) for name in one["reactant"].values] if "reactant" in one else []
    remarks, known = [], "comparable" in one
    if reactants and known:
        # Runs that differ in what the mechanisms know are no others.
        one = one.assign(comparable=xr.ones_like(one["comparable"]))
    elif known and not bool(one["comparable"].all()) and bool(one["comparable"].any()):
        left = [str(name) for name in one["run"].values[~one["comparable"].values]]
        remarks.append(
            "left out, for they differ from the standard run in more than substrate, product and "
            f"catalyst: {', '.join(left)}; --reactant names what differs"
        )
        one = one.isel(run=np.flatnonzero(one["comparable"].values))
    one, living = _living(one)
    if living:
        remarks.append(f"column {living} was measured: it counts as the catalyst that lives")
    data = observations(one, (*_SPECIES, *reactants[:1], *([LIVING] if living else [])))
    starts = {name: value for name, value in data.starts.items() if name != LIVING}
    if reactants:
        starts[SECOND] = starts.pop(reactants[0])
        remarks.append(f"{reactants[0]} is the second reactant, B, of mechanisms that have one")
    if reactants[1:]:
        remarks.append(f"not used: {', '.join(reactants[1:])}; mechanisms know one reactant more")
    return replace(data, starts=starts, remarks=tuple(dict.fromkeys([*data.remarks, *remarks])))


def shown_to(data: Observations, mechanism: Mechanism) -> Observations:
    """Say what columns show in a mechanism's own species, and leave out starts that it lacks."""
    species = mechanism.network.species
    living = {
        name: float(atoms)
        for name, atoms in zip(species, mechanism.living, strict=True)
        if atoms > 0
    }
    shows: tuple[Mapping[str, float], ...] = tuple(
        living if LIVING in one else one for one in data.shows
    )
    starts = {name: value for name, value in data.starts.items() if name in species}
    return replace(data, shows=shows, starts=starts)


def _living(one: xr.Dataset) -> tuple[xr.Dataset, str | None]:
    """Let the column that shows the catalyst show what of it lives; other columns show nothing.

    That is the catalyst's own column where it was measured, or one said to be a sum of species that
    carry catalyst; one such species alone is not all of it.
    """
    if "observed" not in one:
        return one, None
    titles = [str(title) for title in one["column"].values]
    shows = [str(said) for said in one["shows"].values]
    roles = [str(role) for role in one["role"].values]
    found = [
        title
        for title, said, role in zip(titles, shows, roles, strict=True)
        if role == "catalyst" or (said and _carries(said))
    ]
    if not found:
        return one.drop_dims("column"), None
    return (
        one.sel(column=[found[0]]).assign_coords(shows=("column", [LIVING])),
        found[0],
    )


def _carries(said: str) -> bool:
    """Tell whether several species are summed, all of which carry catalyst in some mechanism."""
    carriers = {
        name
        for one in catalogue().values()
        for name, atoms in zip(one.network.species, one.living, strict=True)
        if atoms > 0
    }
    terms = set(sum_of(said))
    return len(terms) > 1 and terms <= carriers
