"""Runs as discovery reads them: concentrations of all species over time, checked."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

GAS_CONSTANT = 8.31446261815324e-3  # kJ/(mol K), CODATA 2018
FLOOR = 1e-3  # of a species' range: noise that is not relative, and what the integrator leaves


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
    """

    species: tuple[str, ...]
    time: NDArray[np.float64]
    value: NDArray[np.float64]
    initial: NDArray[np.float64]
    start_known: NDArray[np.bool_]
    temperature: NDArray[np.float64] | None = None

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
        return (1 / self.reference_temperature - 1 / self.temperature) / GAS_CONSTANT

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
        """Largest concentration of each species, shape (S,); 1 for one that is never there.

        A hidden one counts as the largest of all.
        """
        largest = np.abs(np.nan_to_num(self.value)).max((0, 1))
        largest[self.hidden] = largest.max(initial=0.0)
        return np.where(largest > 0, largest, 1.0)


def read(runs: xr.Dataset) -> Curves:
    """Read and check runs.

    Parameters
    ----------
    runs
        ``concentration`` (run, time, species) and ``time`` (run, time) or (time,), NaN where there
        is no value; the first time of a run is its start. ``initial`` (run, species) where initial
        concentrations are known exactly; else, and where it is NaN, the first measured ones count,
        noise and all. One species may have no values, if its initial concentrations are given.
        ``temperature`` (run,) in kelvin where runs differ in it.

    Raises
    ------
    ValueError
        Variables that are missing or of other dimensions, times that fall, no point after the
        start, initial concentrations that are unknown or negative, temperatures that are none.
    """
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
    value = runs["concentration"].transpose("run", "time", "species").values.astype(np.float64)
    time = np.broadcast_to(np.asarray(runs["time"].values, dtype=np.float64), value.shape[:2])
    names = runs["species"].values if "species" in runs.coords else range(value.shape[2])
    species = _as_in_networks([str(name) for name in names])
    there = np.isfinite(time)
    order = np.where(there, time, np.inf).argsort(1, kind="stable")
    time = np.take_along_axis(time, order, 1)
    value = np.take_along_axis(value, order[..., None], 1)
    n_points = there.sum(1)
    if (n_points < 2).any():
        raise ValueError(
            f"run {int(np.flatnonzero(n_points < 2)[0])}: expected a start and at least one later "
            "time; leave the run out"
        )
    last = np.take_along_axis(time, n_points[:, None] - 1, 1)
    absent = np.arange(time.shape[1]) >= n_points[:, None]
    time = np.where(absent, last, time) - time[:, :1]
    value[absent] = np.nan
    infinite = np.isinf(value)
    if infinite.any():
        run, at, j = np.argwhere(infinite)[0]
        raise ValueError(f"run {run}, point {at}: {species[j]} is infinite; give NaN for no value")
    _refuse_gaps(value, species, runs)
    initial, start_known = value[:, 0].copy(), np.zeros(len(species), dtype=bool)
    if "initial" in runs:
        given = runs["initial"].transpose("run", "species").values.astype(np.float64)
        start_known = np.isfinite(given).all(0)
        initial = np.where(np.isfinite(given), given, initial)
    if np.isnan(initial).any() or (initial < 0).any():
        run, j = np.argwhere(np.isnan(initial) | (initial < 0))[0]
        raise ValueError(
            f"run {run}: {species[j]} starts at {initial[run, j]}, expected a concentration; give "
            "initial (run, species) where the start was not measured"
        )
    return Curves(species, time, value, initial, start_known, _temperature(runs))


def _refuse_gaps(value: NDArray[np.float64], species: tuple[str, ...], runs: xr.Dataset) -> None:
    """Refuse species that are not measured, but for one whose start is given."""
    lacking = ~np.isfinite(value[:, 1:]).any(1)
    hidden = lacking.all(0)
    names = ", ".join(np.array(species)[hidden])
    if hidden.any() and "initial" not in runs:
        raise ValueError(
            f"{names}: no value in any run; give initial (run, species), its concentrations at the "
            "start, or leave out what is not measured"
        )
    if hidden.sum() > 1:
        raise ValueError(f"{names}: no values; expected at most one species that is not measured")
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
    temperature = runs["temperature"].values.astype(np.float64)
    if temperature.shape != (runs.sizes["run"],) or not (temperature > 0).all():
        raise ValueError(
            "temperature: expected one number in kelvin for each run, got "
            f"{np.array2string(temperature, threshold=6)}"
        )
    return temperature if np.ptp(temperature) > 0 else None


def _as_in_networks(names: list[str]) -> tuple[str, ...]:
    """Bring names of columns to the form that reactions are written in."""
    species = [re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_") for name in names]
    species = [name if name[:1].isalpha() else f"X{name}" for name in species]
    for name in species:
        if species.count(name) > 1:
            same = [names[i] for i, other in enumerate(species) if other == name]
            raise ValueError(
                f"the species {' and '.join(map(repr, same))} would both be called {name}: give "
                "them names that differ in letters and digits"
            )
    return tuple(species)
