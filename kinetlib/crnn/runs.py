"""Runs as discovery reads them: concentrations of all species over time, checked."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

GAS_CONSTANT = 8.31446261815324e-3  # kJ/(mol K), CODATA 2018
FLOOR = 1e-3  # of a species' range: noise that is not relative, and what the integrator leaves
_COLDEST = 150.0  # K; what is colder in all runs is in degrees Celsius
_MOST_HIDDEN = 3  # species that sums of the others can be guessed for
_BELOW = 2.0  # times the largest value that noise may bring one below zero


@dataclass(frozen=True)
class Curves:
    """Measured curves: r runs, T times, S species.

    Attributes
    ----------
    species
        Names, length S.
    time
        Shape (r, T), rising, 0 first; where a run has fewer points its last time is repeated.
    value
        Concentrations, shape (r, T, S), NaN where nothing was measured; all NaN for a hidden
        species.
    initial
        Concentrations at time 0, shape (r, S).
    start_known
        Of which species these are exact, shape (S,); else they are measured like all others.
    temperature
        Of each run in kelvin, shape (r,), or None where all have the same.
    start_seen
        Where these are measured or given, shape (r, S), or None for everywhere; else they are a
        guess, the first measured ones.
    background
        Standard deviation of the noise that is not relative to the value, shape (S,), or None.
    """

    species: tuple[str, ...]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    initial: NDArray[np.float64]
    start_known: NDArray[np.bool_]
    temperature: NDArray[np.float64] | None = None
    start_seen: NDArray[np.bool_] | None = None
    background: NDArray[np.float64] | None = None

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which values say something: those after time 0, shape (r, T, S)."""
        return np.isfinite(self.value) & (self.time > 0)[..., None]

    @property
    def units(self) -> tuple[float, float]:
        """Units of time and concentration in which these runs are of the size of 1."""
        return float(self.time.max()), float(self.scale.max())

    def in_units(self, time: float, concentration: float) -> Curves:
        """Return the curves in other units, given in those of these."""
        return replace(
            self,
            time=self.time / time,
            value=self.value / concentration,
            initial=self.initial / concentration,
            background=None if self.background is None else self.background / concentration,
        )

    @property
    def hidden(self) -> NDArray[np.bool_]:
        """Which species are never measured after the start, shape (S,)."""
        return ~np.isfinite(self.value[:, 1:]).any((0, 1))

    @property
    def reference_temperature(self) -> float | None:
        """Temperature in kelvin in the middle of the runs, on the scale of 1/T."""
        return None if self.temperature is None else float(1 / (1 / self.temperature).mean())

    @property
    def arrhenius(self) -> NDArray[np.float64] | None:
        """Change of ln k in each run with 1 kJ/mol of activation energy, shape (r,)."""
        if self.temperature is None:
            return None
        return arrhenius(self.temperature, self.reference_temperature)

    @property
    def span(self) -> NDArray[np.float64]:
        """Range of each species' measured values, shape (S,); NaN for one that stays as it is."""
        value = np.where(self.measured, self.value, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a species that is not measured
            span = np.nanmax(value, axis=(0, 1)) - np.nanmin(value, axis=(0, 1))
        return np.where(span > 0, span, np.nan)

    @property
    def scale(self) -> NDArray[np.float64]:
        """Largest concentration of each species, shape (S,).

        One that is hidden, or never there, counts as the largest of all; 1 where all are 0.
        """
        largest = np.abs(np.nan_to_num(self.value)).max((0, 1))
        largest[self.hidden] = 0.0
        return np.where(largest > 0, largest, largest.max(initial=0.0) or 1.0)

    @property
    def floor(self) -> NDArray[np.float64]:
        """Noise that is not relative to the value, as fits take it for granted, shape (S,)."""
        least = FLOOR * self.scale
        return least if self.background is None else np.maximum(self.background, least)

    def deviation(self, value: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
        """Return the standard deviation of the noise of values (r, T, S), or (r, S).

        ``noise`` is relative to the value.
        """
        return np.hypot(noise * value, self.floor)


def arrhenius(temperature: ArrayLike, reference: float) -> NDArray[np.float64]:
    """Return the change of ln k with 1 kJ/mol of activation energy from a reference on, in kelvin.

    Arrhenius' law: d ln k = E (1/reference - 1/temperature) / R.
    """
    return (1 / reference - 1 / np.asarray(temperature, dtype=float)) / GAS_CONSTANT


def read(runs: xr.Dataset) -> Curves:
    """Read and check runs.

    Parameters
    ----------
    runs
        ``concentration`` (run, time, species) and ``time`` (run, time) or (time,), NaN where there
        is no value; the first time of a run is its start. ``initial`` (run, species) where initial
        concentrations are known exactly; else, and where it is NaN, the first measured ones count,
        noise and all, or as a guess where they are later than the start. Up to three
        species may have no values, if their initial concentrations are given.
        ``temperature`` (run,) in kelvin where runs differ in it.

    Raises
    ------
    ValueError
        Variables that are missing or of other dimensions, times that fall, no point after the
        start, initial concentrations that are unknown or negative, temperatures that are none.
    """
    if not isinstance(runs, xr.Dataset):
        raise ValueError(
            "runs: expected an xarray.Dataset with concentration (run, time, species) and time "
            f"(run, time), got {type(runs).__name__}; kinetlib.lab.read_species makes one of a file"
        )
    missing = [name for name in ("concentration", "time") if name not in runs.variables]
    if missing:
        raise ValueError(
            f"the runs lack {' and '.join(missing)}: expected concentration (run, time, species) "
            "and time (run, time)"
        )
    wanted = {"run", "time", "species"}
    if set(runs["concentration"].dims) != wanted:
        raise ValueError(
            "concentration: expected dims run, time and species, got "
            f"{', '.join(map(str, runs['concentration'].dims))}"
        )
    value = _numbers(runs["concentration"].transpose("run", "time", "species"))
    if not value.size:
        raise ValueError(
            "concentration: expected at least one run, time and species, got shape "
            f"{value.shape} (run, time, species)"
        )
    names = runs["species"].values if "species" in runs.coords else range(value.shape[2])
    species = _names([str(name) for name in names])
    time, value = _from_start(_times(runs, value.shape[:2]), value)
    infinite = np.isinf(value)
    if infinite.any():
        run, at, j = np.argwhere(infinite)[0]
        raise ValueError(f"run {run}, point {at}: {species[j]} is infinite; give NaN for no value")
    _refuse_gaps(value, species, runs)
    _refuse_negative(value, species)
    initial, start_known, start_seen = _start(runs, value, species)
    temperature = _temperature(runs)
    return Curves(species, time, value, initial, start_known, temperature, start_seen)


def _numbers(variable: xr.DataArray) -> NDArray[np.float64]:
    """Return a variable's numbers; what looks like one but is none is refused."""
    if variable.dtype.kind not in "fiuO":
        raise ValueError(f"{variable.name}: expected numbers, got {variable.dtype}")
    try:
        return variable.values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{variable.name}: expected numbers ({error})") from error


def _times(runs: xr.Dataset, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Read the times of each run, shape (r, T)."""
    time = runs["time"]
    if not {"time"} <= set(time.dims) <= {"run", "time"}:
        raise ValueError(
            f"time: expected dims run and time, or time, got {', '.join(map(str, time.dims))}"
        )
    if time.dtype.kind in "mM":
        raise ValueError(
            f"time: expected numbers, got {time.dtype}; give the time since the start as numbers, "
            "in the unit that constants shall have"
        )
    ordered = time.transpose("run", "time") if "run" in time.dims else time
    found = np.broadcast_to(_numbers(ordered), shape)
    if np.isinf(found).any():
        run, at = np.argwhere(np.isinf(found))[0]
        raise ValueError(f"run {run}, point {at}: the time is infinite; give NaN for no point")
    return found


def _from_start(
    time: NDArray[np.float64], value: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sort points by time, count it from the start, and repeat the last time at the end.

    A point that is there twice, all values the same, counts once.
    """
    there = np.isfinite(time)
    order = np.where(there, time, np.inf).argsort(1, kind="stable")
    time = np.take_along_axis(time, order, 1)
    value = np.take_along_axis(value, order[..., None], 1)
    twice = np.zeros_like(there)
    same = (value[:, 1:] == value[:, :-1]) | np.isnan(value[:, 1:])
    twice[:, 1:] = (np.diff(time, axis=1) == 0) & same.all(2)
    order = twice.argsort(1, kind="stable")
    time = np.take_along_axis(time, order, 1)
    value = np.take_along_axis(value, order[..., None], 1)
    n_points = there.sum(1) - twice.sum(1)
    absent = np.arange(time.shape[1]) >= n_points[:, None]
    last = np.take_along_axis(time, np.maximum(n_points[:, None] - 1, 0), 1)
    short = (n_points < 2) | ~(last > time[:, :1])[:, 0]
    if short.any():
        raise ValueError(
            f"run {int(short.argmax())}: expected a start and at least one later time; leave the "
            "run out"
        )
    time = np.where(absent, last, time) - time[:, :1]
    value[absent] = np.nan
    return time, value


def _start(
    runs: xr.Dataset, value: NDArray[np.float64], species: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_] | None]:
    """Read initial concentrations (r, S), which are known exactly (S,), and which at all (r, S).

    Noise takes measured ones below zero: none is there, then.
    """
    first = np.isfinite(value).argmax(1)[:, None]
    initial = np.maximum(np.take_along_axis(value, first, 1)[:, 0], 0.0)
    start_seen, start_known = first[:, 0] == 0, np.zeros(len(species), dtype=bool)
    if "initial" in runs:
        if set(runs["initial"].dims) != {"run", "species"}:
            raise ValueError(
                "initial: expected dims run and species, got "
                f"{', '.join(map(str, runs['initial'].dims))}"
            )
        given = _numbers(runs["initial"].transpose("run", "species"))
        start_known = np.isfinite(given).all(0)
        start_seen |= ~np.isnan(given)
        initial = np.where(np.isnan(given), initial, given)
    wrong = ~(np.isfinite(initial) & (initial >= 0))
    if wrong.any():
        run, j = np.argwhere(wrong)[0]
        raise ValueError(
            f"run {run}: {species[j]} starts at {initial[run, j]}, expected a concentration; give "
            "initial (run, species) where the start was not measured"
        )
    return initial, start_known, None if start_seen.all() else start_seen


def _refuse_negative(value: NDArray[np.float64], species: tuple[str, ...]) -> None:
    """Refuse values too far below zero to be noise: larger than all above it."""
    known = np.nan_to_num(value)
    lowest, highest = known.min((0, 1)), known.max((0, 1))
    for j in np.flatnonzero(-lowest > _BELOW * np.maximum(highest, 0.0)):
        raise ValueError(
            f"{species[j]}: from {lowest[j]:g} to {highest[j]:g}, expected concentrations, which "
            "only noise takes below zero"
        )


def _refuse_gaps(value: NDArray[np.float64], species: tuple[str, ...], runs: xr.Dataset) -> None:
    """Refuse species that are not measured, but for a few whose start is given."""
    lacking = ~np.isfinite(value[:, 1:]).any(1)
    hidden = lacking.all(0)
    names = ", ".join(np.array(species)[hidden])
    if hidden.any() and "initial" not in runs:
        raise ValueError(
            f"{names}: no value in any run; give initial (run, species), its concentrations at the "
            "start, or leave out what is not measured"
        )
    if hidden.sum() > _MOST_HIDDEN or hidden.all():
        raise ValueError(
            f"{names}: no values; expected at most {_MOST_HIDDEN} species that are not measured, "
            "and one that is"
        )
    if (lacking & ~hidden).any():
        run, j = np.argwhere(lacking & ~hidden)[0]
        raise ValueError(
            f"run {run}: {species[j]} has no value after the start but has in other runs; leave "
            "the run out"
        )


def _temperature(runs: xr.Dataset) -> NDArray[np.float64] | None:
    """Read temperatures; None where there are none, or all are the same."""
    if "temperature" not in runs.variables:
        return None
    temperature = _numbers(runs["temperature"])
    if temperature.shape != (runs.sizes["run"],) or not (temperature > 0).all():
        raise ValueError(
            "temperature: expected one number in kelvin for each run, got "
            f"{np.array2string(temperature, threshold=6)}"
        )
    if temperature.max() < _COLDEST:
        raise ValueError(
            f"temperature: expected kelvin, got {temperature.min():g} to {temperature.max():g}; "
            "add 273.15 where they are in degrees Celsius"
        )
    return temperature if np.ptp(temperature) > 0 else None


def _names(names: list[str]) -> tuple[str, ...]:
    """Take names of columns as they are; those that are none, or given twice, are refused."""
    species = [name.strip() for name in names]
    for number, name in enumerate(species):
        if not name:
            raise ValueError(f"species {number + 1} has no name: give it one")
        if species.count(name) > 1:
            raise ValueError(f"two species are called {name!r}: give them different names")
    return tuple(species)
