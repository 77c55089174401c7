"""The next experiment: the start and the time at which networks that tie differ most."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.search import Candidate, Search
from kinetlib.kinetics.integrate import integrate

_SEEN = 3.0  # deviations of the noise by which curves must differ to be told apart
_LONGER = 2.0  # times the longest run
_TIMES = 30
_AT_ONCE = 3  # species at the start, at most
_MOST = 200  # starts that are tried


def deciding_run(
    search: Search, best: Candidate, ties: list[Candidate], units: tuple[float, float]
) -> str:
    """Say which run would decide between networks, or that none that was tried does.

    Tried are starts of one to three of the species, each as concentrated as it ever was, over
    twice the time, and by simulation.
    """
    starts = _starts(search)
    times = np.linspace(0, _LONGER * float(search.curves.time.max()), _TIMES + 1)[1:]
    ours = _curves(search, best, starts, times)
    with np.errstate(invalid="ignore"):
        apart = np.stack(
            [
                np.abs(_curves(search, one, starts, times) - ours)
                / search.curves.deviation(np.maximum(ours, 0.0), search.noise)
                for one in ties
            ]
        )
    apart = np.nan_to_num(apart)  # (ties, starts, times, species)
    apart[..., search.curves.hidden] = 0.0
    told = apart.max((2, 3)).min(0)
    at = int(told.argmax())
    if told[at] < _SEEN:
        return (
            f"None of {len(starts)} starts that were tried tells them apart: their curves are the "
            "same within the noise, and only another kind of measurement decides."
        )
    worst = int(apart[:, at].max((1, 2)).argmin())
    when, j = np.unravel_index(int(apart[worst, at].argmax()), apart.shape[2:])
    other = _curves(search, ties[worst], starts[at : at + 1], times)[0, when, j]
    time_unit, unit = units
    names = search.curves.species
    present = [(name, value) for name, value in zip(names, starts[at], strict=True) if value]
    start = ", ".join(f"{name} = {value * unit:.3g}" for name, value in present)
    return (
        f"To decide, start from {start} and nothing else, and measure {names[j]} at "
        f"{times[when] * time_unit:.3g}: {ours[at, when, j] * unit:.3g} by the first, "
        f"{other * unit:.3g} by another, {apart[worst, at, when, j]:.0f} times the noise."
    )


def _starts(search: Search) -> NDArray[np.float64]:
    """List starts, (n, S): one to three species at their largest concentration."""
    scale = np.where(search.curves.hidden, 0.0, search.curves.scale)
    there = np.flatnonzero(scale > 0)
    found = [
        np.where(np.isin(np.arange(len(scale)), some), scale, 0.0)
        for size in range(1, _AT_ONCE + 1)
        for some in combinations(there, size)
    ]
    return np.array(found[:_MOST])


def _curves(search: Search, one: Candidate, starts: NDArray, times: NDArray) -> NDArray[np.float64]:
    network = one.problem.tied
    place = one.problem.place
    value = np.broadcast_to(starts[:, None], (len(starts), len(times), starts.shape[1])).copy()
    value[..., place] = integrate(
        network.network,
        network.spread(one.fit.constants),
        np.ascontiguousarray(starts[:, place]),
        times,
    ).concentration
    return value
