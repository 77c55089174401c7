"""Measured runs as a fit takes them: any columns, each a sum of species, in the file's units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 60  # points of a run that are simulated; of more, neighbours are averaged
_TERM = re.compile(r"(?:([0-9]+(?:\.[0-9]*)?)\s*\*?\s*)?([^\s*]+)")
_MOST_DECIMALS, _MOST_DIGITS, _WHOLE = 12, 1e7, 1e-6  # of values that count as rounded
_SAME = 1e-6  # of the largest change, within which two columns change alike


@dataclass(frozen=True)
class Observations:
    """Runs of one reaction: what was weighed in, and what was measured.

    Attributes
    ----------
    time
        Shape (R, T), rising from 0 on; behind a run's last point that time is repeated.
    values
        Measured, shape (R, T, C), NaN where nothing was. What stands at time 0 was weighed in: it
        is not among them.
    shows
        What each column shows, length C: species and the weight of each.
    starts
        Initial concentrations by species, shape (R,) each; species without one start at 0.
    columns, runs
        Names, lengths C and R.
    time_unit, concentration_unit
        As the file names them, "" where it does not.
    readings
        Readings behind each value, shape (R, T, C).
    scatter
        Sum of squares of the readings about their mean, shape (R, T, C).
    steps
        In which the values of each column are written, shape (C,); 0 where they are not rounded.
    remarks
        What was assumed or left out.
    """

    time: NDArray[np.float64]
    values: NDArray[np.float64]
    shows: tuple[Mapping[str, float], ...]
    starts: Mapping[str, NDArray[np.float64]]
    columns: tuple[str, ...]
    runs: tuple[str, ...]
    time_unit: str = ""
    concentration_unit: str = ""
    readings: NDArray[np.float64] | None = None
    scatter: NDArray[np.float64] | None = None
    steps: NDArray[np.float64] | None = None
    remarks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check, and count every value as one reading where nothing else is said."""
        _check(self)
        if self.readings is None:
            object.__setattr__(self, "readings", np.isfinite(self.values).astype(np.float64))
        if self.scatter is None:
            object.__setattr__(self, "scatter", np.zeros(self.values.shape))
        if self.steps is None:
            object.__setattr__(self, "steps", np.zeros(self.values.shape[-1]))

    @property
    def longest(self) -> float:
        """Time of the last measured point."""
        return float(self.time[np.isfinite(self.values).any(-1)].max())

    @property
    def scale(self) -> float:
        """Largest initial concentration."""
        return float(max(np.max(start) for start in self.starts.values()))

    def in_units(self, time: float, concentration: float) -> Observations:
        """Return the same runs with times and concentrations in multiples of those given."""
        return replace(
            self,
            time=self.time / time,
            values=self.values / concentration,
            starts={name: start / concentration for name, start in self.starts.items()},
            scatter=self.scatter / concentration**2,
            steps=self.steps / concentration,
        )


def sum_of(text: str) -> dict[str, float]:
    """Read a sum of species, with numbers before them: weights by species.

    >>> sum_of("A + 2 B")
    {'A': 1.0, 'B': 2.0}

    Raises
    ------
    ValueError
        A term that is none.
    """
    terms: dict[str, float] = {}
    for term in text.split("+"):
        match = _TERM.fullmatch(term.strip())
        if match is None:
            raise ValueError(f"observe {text!r}: expected species joined by +, such as A + 2 B")
        terms[match[2]] = terms.get(match[2], 0.0) + float(match[1] or 1.0)
    return terms


def table(
    time: NDArray[np.float64],
    values: NDArray[np.float64],
    shows: tuple[Mapping[str, float], ...],
    starts: Mapping[str, NDArray[np.float64]],
    *,
    columns: list[str],
    runs: list[str] | None = None,
    time_unit: str = "",
    concentration_unit: str = "",
    remarks: tuple[str, ...] = (),
) -> Observations:
    """Put observations together from arrays with gaps anywhere.

    Parameters as for `Observations`; times (R, T) may be NaN and in any order. Columns that were
    never measured are left out, and so is what stands at time 0.
    """
    there = np.isfinite(values) & (time > 0)[..., None]
    repeated = _repeated(values, there, shows, starts)
    remarks = (
        *remarks,
        *(
            f"column {columns[at]} is what {columns[other]} lost or gained, to the last digit: it "
            "was calculated, not measured, and counts once"
            for at, other in repeated.items()
        ),
    )
    there[..., list(repeated)] = False
    kept = there.any((0, 1))
    if not kept.any():
        raise ValueError("the runs have no value after time 0, expected at least one")
    values = np.where(there, values, np.nan)[..., kept]
    point = np.isfinite(values).any(-1)
    order = np.argsort(np.where(point, time, np.inf), axis=1, kind="stable")
    order = order[:, : point.sum(1).max()]
    time = np.take_along_axis(np.where(point, time, np.nan), order, 1)
    values = np.take_along_axis(values, order[..., None], 1)
    # Behind the last point the integrator stands still.
    time = np.fmax.accumulate(np.nan_to_num(time, nan=0.0), axis=1)
    return Observations(
        time,
        values,
        tuple(what for what, keep in zip(shows, kept, strict=True) if keep),
        {name: np.broadcast_to(start, len(time)) for name, start in starts.items()},
        tuple(name for name, keep in zip(columns, kept, strict=True) if keep),
        tuple(runs or (f"run {number + 1}" for number in range(len(time)))),
        time_unit,
        concentration_unit,
        steps=np.array([written_step(column) for column in np.moveaxis(values, -1, 0)]),
        remarks=remarks,
    )


def written_step(values: NDArray[np.float64]) -> float:
    """Return the step in which values are written, 0 where they have more digits than matter.

    >>> written_step(np.array([0.125, 0.5, np.nan, 0.0]))
    0.001
    >>> written_step(np.array([1 / 3, 0.5]))
    0.0
    """
    there = np.abs(values[np.isfinite(values)])
    for decimals in range(_MOST_DECIMALS + 1):
        digits = there * 10.0**decimals
        if digits.max(initial=0.0) > _MOST_DIGITS:
            break
        if np.abs(digits - np.round(digits)).max(initial=0.0) < _WHOLE:
            return 10.0**-decimals
    return 0.0


def _repeated(
    values: NDArray[np.float64],
    there: NDArray[np.bool_],
    shows: tuple[Mapping[str, float], ...],
    starts: Mapping[str, NDArray[np.float64]],
) -> dict[int, int]:
    """Find columns that change just as an earlier one does, or just against it: which, and which.

    Such a column was calculated from the other, so that its noise is no other noise.
    """
    change = np.full(values.shape, np.nan)
    for at, terms in enumerate(shows):
        if all(name in starts for name in terms):
            start = sum(weight * np.asarray(starts[name]) for name, weight in terms.items())
            change[..., at] = np.where(there[..., at], values[..., at] - start[:, None], np.nan)
    found: dict[int, int] = {}
    for at in range(len(shows)):
        for other in range(at):
            both = np.isfinite(change[..., at]) & np.isfinite(change[..., other])
            one, two = change[both, at], change[both, other]
            if other in found or both.sum() < 3 or both.sum() < there[..., at].sum():
                continue
            exact = _SAME * max(np.abs(one).max(), np.abs(two).max())
            if exact > 0 and min(np.abs(one - two).max(), np.abs(one + two).max()) < exact:
                found[at] = other
                break
    return found


def averaged(data: Observations, expected: NDArray[np.float64] | None = None) -> Observations:
    """Reduce runs of more than `MOST_POINTS` points to means of neighbours.

    Parameters
    ----------
    data
        Runs.
    expected
        What a fit expects, shape (R, T, C). Then it is the deviations from it that are averaged,
        and a mean of a bent curve is not taken for its middle.

    Returns
    -------
    Observations
        With as many ``readings`` behind each value, and their ``scatter``: nothing that the data
        say of the noise is lost.
    """
    n_runs, n_times, n_columns = data.values.shape
    if n_times <= MOST_POINTS:
        return data
    point = np.isfinite(data.values).any(-1)
    count = point.sum(1, keepdims=True)
    part = np.arange(n_times) * np.minimum(MOST_POINTS, count) // np.maximum(count, 1)
    part = np.where(point, part, MOST_POINTS)
    smooth = np.zeros_like(data.values) if expected is None else expected
    deviation = data.values - smooth

    def summed(values: NDArray[np.float64]) -> NDArray[np.float64]:
        total = np.zeros((n_runs, MOST_POINTS + 1, *values.shape[2:]))
        np.add.at(total, (np.arange(n_runs)[:, None], part), np.nan_to_num(values))
        return total[:, :-1]

    n_points = np.maximum(summed(point.astype(np.float64)), 1)
    time = np.fmax.accumulate(summed(data.time) / n_points, axis=1)
    readings = summed(data.readings)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = summed(data.readings * deviation) / readings
    at = np.minimum(part, MOST_POINTS - 1)
    inner = data.values - smooth - np.take_along_axis(mean, at[..., None], 1)
    scatter = summed(data.scatter + data.readings * np.nan_to_num(inner) ** 2)
    middle = np.stack(
        [
            [np.interp(time[r], data.time[r], smooth[r, :, c]) for c in range(n_columns)]
            for r in range(n_runs)
        ]
    ).transpose(0, 2, 1)
    return replace(
        data,
        time=time,
        values=np.where(readings > 0, mean + middle, np.nan),
        readings=readings,
        scatter=scatter,
    )


def _check(data: Observations) -> None:
    shape = data.values.shape
    if len(shape) != 3 or data.time.shape != shape[:2]:
        raise ValueError(
            f"values: expected shape (runs, times, columns) beside times (runs, times), got "
            f"{shape} and {data.time.shape}"
        )
    if len(data.columns) != shape[2] or len(data.shows) != shape[2]:
        raise ValueError(
            f"columns: expected {shape[2]} names and what each shows, got {len(data.columns)} and "
            f"{len(data.shows)}"
        )
    for name, start in data.starts.items():
        bad = ~(np.isfinite(start) & (np.asarray(start) >= 0))
        if np.shape(start) != shape[:1] or bad.any():
            where = data.runs[int(np.argmax(bad))] if np.shape(start) == shape[:1] else "all runs"
            raise ValueError(
                f"{where}: the initial concentration of {name} is "
                f"{np.asarray(start).flat[int(np.argmax(bad))]:g}, expected 0 or more in each run"
            )
    if not any(np.any(np.asarray(start) > 0) for start in data.starts.values()):
        raise ValueError("no species is there at the start of any run; give initial concentrations")
