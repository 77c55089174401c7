"""What columns of runs show of a mechanism, and where its species start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kinetlib.inference.coordinates import known
from kinetlib.inference.observations import Observations, sum_of
from kinetlib.kinetics.mechanisms import Mechanism


def shown(
    data: Observations,
    mechanism: Mechanism,
    observe: Mapping[str, str],
    initial: Mapping[str, float | tuple[float, float]],
) -> tuple[Observations, list[str]]:
    """Bring runs and a mechanism together.

    Parameters
    ----------
    data
        Runs as read.
    mechanism
        Whose species they show.
    observe
        Sums of species by column, such as ``"A + 2 B"``, for columns that are not a species; a
        single species also takes what was weighed in under the column's name.
    initial
        Initial concentrations of species that the runs do not give; ranges are left to the fit.

    Returns
    -------
    tuple
        The runs with the columns that show something, and what was left out or assumed.

    Raises
    ------
    ValueError
        Columns or species that are not there, or no column that shows anything.
    """
    network, remarks = mechanism.network, []
    sums, starts = dict(enumerate(data.shows)), dict(data.starts)
    for column, text in observe.items():
        terms = sum_of(text)
        for name in terms:
            known(name, network.species, "observe", "species")
        titled = dict(zip(data.columns, data.shows, strict=True)).get(column, {column: 1.0})
        bare = next(iter(titled))
        if len(terms) == 1 and bare in starts:
            starts[next(iter(terms))] = starts.pop(bare)
            if column not in data.columns:
                continue
        sums[known(column, data.columns, "observe", "column")] = terms
    kept = [at for at, terms in sums.items() if all(name in network.species for name in terms)]
    if not kept:
        raise ValueError(
            f"no column shows a species of {mechanism.id}: columns are {', '.join(data.columns)}, "
            f"species {', '.join(network.species)}; say what a column shows, such as "
            f"{data.columns[0]}={network.species[0]}"
        )
    remarks += [
        f"column {data.columns[at]} is no species of {mechanism.id} and was left out"
        for at in sums
        if at not in kept
    ]
    remarks += [
        f"{name}, there at the start, is no species of {mechanism.id} and was left out"
        for name, value in starts.items()
        if name not in network.species and np.any(value > 0)
    ]
    starts = {name: value for name, value in starts.items() if name in network.species}
    given = {name: value for name, value in initial.items() if np.isscalar(value)}
    for name, value in given.items():
        known(name, network.species, "initial", "species")
        starts[name] = np.full(len(data.time), float(value))
    # A catalogue's start is of the reference run; what a user wrote with a mechanism is meant.
    for name, value in (mechanism.start or {}).items():
        if name not in starts and name not in initial and value > 0:
            starts[name] = np.full(len(data.time), float(value))
            remarks.append(f"{name} starts at {value:g}, as written with the mechanism")
    absent = [name for name in network.species if name not in starts and name not in initial]
    if absent and mechanism.start is not None:
        remarks.append(f"{', '.join(absent)}: no start is given, 0 was assumed")
    _refuse_idle(mechanism, starts, initial)
    if mechanism.rate_constants:
        listed = ", ".join(f"{name}={value:g}" for name, value in mechanism.rate_constants.items())
        remarks.append(
            f"{listed}, written with the mechanism, are fitted; fix those that are known"
        )
    return (
        replace(
            data,
            values=data.values[..., kept],
            readings=data.readings[..., kept],
            scatter=data.scatter[..., kept],
            steps=data.steps[kept],
            shows=tuple(sums[at] for at in kept),
            columns=tuple(data.columns[at] for at in kept),
            starts=starts,
        ),
        remarks,
    )


def _refuse_idle(
    mechanism: Mechanism,
    starts: Mapping[str, NDArray[np.float64]],
    fitted: Mapping[str, object],
) -> None:
    """Refuse a mechanism with a reaction that cannot happen in any run.

    Raises
    ------
    ValueError
        Naming the reaction, and the species that is never there.
    """
    there = {name for name, value in starts.items() if np.any(value > 0)}
    there |= set(fitted) | set(mechanism.drawn)
    reactions, grown = mechanism.network.reactions, True
    while grown:
        made = {name for one in reactions if there >= set(one.reactants) for name in one.products}
        grown = not made <= there
        there |= made
    for one in reactions:
        missing = sorted(set(one.reactants) - there)
        if missing:
            raise ValueError(
                f"{one.equation} ({one.constant}) cannot happen: {', '.join(missing)} is not there "
                f"at the start and nothing makes it; give its start, such as {missing[0]}=0.01, or "
                f"say which column it is, such as COLUMN={missing[0]}"
            )
