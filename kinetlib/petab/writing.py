"""A fit as a problem in PEtab, version 1: model, conditions, observables, readings, parameters.

Who opens it finds what was fitted, bounds and all, and the best fit as nominal values. PEtab
estimates the noise where the fit integrates it out, so that the optimum is nearly the same and not
quite.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from kinetlib.inference import Fit
from kinetlib.inference.coordinates import NORMAL, UNIFORM
from kinetlib.inference.verdicts import FIXED
from kinetlib.kinetics.sbml_writing import Units, identifiers, to_sbml
from kinetlib.lab import units as lab_units
from kinetlib.records.files import write_text

_FILES = {
    "model.xml": "sbml_files",
    "conditions.tsv": "condition_files",
    "observables.tsv": "observable_files",
    "measurements.tsv": "measurement_files",
}
_PARAMETERS, _PROBLEM = "parameters.tsv", "problem.yaml"
_RELATIVE, _ABSOLUTE = (1e-6, 10.0), (1e-9, 10.0)  # of the noise; the second of the largest value
_FAR = 5.0  # deviations of a normal prior that its bounds lie off


def write(folder: Path, fit: Fit) -> None:
    """Write a fit as a problem in PEtab.

    Parameters
    ----------
    folder
        Where its six files are put; the one that names the others comes last.
    fit
        What was fitted.

    Raises
    ------
    ValueError
        A fit with something that PEtab has no word for.
    """
    for name, text in problem(fit).items():
        write_text(folder / name, text)


def problem(fit: Fit) -> dict[str, str]:
    """Write a fit as a problem in PEtab: texts by the names of their files, see `write`."""
    writing = _Writing(fit)
    listed = "".join(f"    {kind}:\n      - {name}\n" for name, kind in _FILES.items())
    return {
        "model.xml": sbml(fit, tied=writing.tied()),
        "conditions.tsv": _table(writing.conditions()),
        "observables.tsv": _table(writing.observables()),
        "measurements.tsv": _table(writing.measurements()),
        _PARAMETERS: _table(writing.parameters()),
        _PROBLEM: (
            f"format_version: 1\nparameter_file: {_PARAMETERS}\nproblems:\n"
            f"  -{listed.removeprefix('   ')}"
        ),
    }


def sbml(fit: Fit, *, tied: Mapping[str, tuple[float, str]] | None = None) -> str:
    """Write the fitted model as SBML: constants and starts of the best fit.

    Parameters
    ----------
    fit
        What was fitted; the starts are those of its first run.
    tied
        Constants that are a multiple of another: the factor, and which.
    """
    best, layout = fit.traces.best[None], fit.traces.layout
    starts = layout.initials(best)[0, 0] * layout.units[1]
    return to_sbml(
        fit.traces.network,
        {name: one.best for name, one in fit.constants.items()},
        dict(zip(fit.traces.network.species, map(float, starts), strict=True)),
        fit.mechanism,
        units=_units(fit),
        tied=tied,
    )


def _units(fit: Fit) -> Units:
    time, concentration = fit.data.time_unit, fit.data.concentration_unit
    told = lab_units.concentration(concentration)
    return Units(
        time,
        concentration,
        lab_units.SECONDS.get(lab_units.time(time), np.nan),
        told.factor if told.kind == lab_units.MOLAR else np.nan,
    )


class _Writing:
    """Gives everything its id, and puts the tables together."""

    def __init__(self, fit: Fit) -> None:
        self._fit, self._layout = fit, fit.traces.layout
        self._refuse()
        self._ids = identifiers(fit.traces.network)
        self._taken = {*self._ids.values(), "time", "vessel"}
        self._columns = [self._new(f"observable_{name}") for name in fit.data.columns]
        self._noise = [
            tuple(self._new(f"noise_{kind}_{name}") for kind in ("relative", "absolute"))
            for name in fit.data.columns
        ]
        self._runs = [f"run_{number}" for number in range(1, len(fit.data.runs) + 1)]
        # A constant is called as in the model, what else was fitted after its own name.
        free = self._layout.names
        self._coordinates = [self._ids.get(name) or self._new(name) for name in free]

    def _refuse(self) -> None:
        if self._layout.shift is not None:
            raise ValueError("PEtab has no clock that may be late or early: leave out --shift")
        if np.nanmax(self._fit.data.readings) > 1:
            raise ValueError("PEtab has no means of several readings: give the readings themselves")

    def _new(self, name: str) -> str:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")
        plain = plain if re.match("[A-Za-z_]", plain) else f"_{plain}"
        found, number = plain, 2
        while found in self._taken:
            found, number = f"{plain}_{number}", number + 1
        self._taken.add(found)
        return found

    def tied(self) -> dict[str, tuple[float, str]]:
        """Find constants that have the coordinate of another."""
        names, layout, found = self._fit.traces.network.constants, self._layout, {}
        for at, name in enumerate(names):
            coordinate = int(layout.constant[at])
            if coordinate >= 0 and layout.names[coordinate] != name:
                other = names.index(layout.names[coordinate])
                factor = float(np.exp(layout.offset[at] - layout.offset[other]))
                found[name] = (factor, names[other])
        return found

    def conditions(self) -> Iterable[Sequence[object]]:
        """Yield what each run starts with: numbers, or parameters where starts were fitted."""
        layout, species = self._layout, self._fit.traces.network.species
        starts = layout.initial * layout.units[1]
        fitted = {
            (int(run), one.species): self._coordinates[one.at]
            for one in layout.starts
            for run in one.runs
        }
        yield ["conditionId", "conditionName", *(self._ids[name] for name in species)]
        for run, (name, row) in enumerate(zip(self._fit.data.runs, starts, strict=True)):
            cells = [fitted.get((run, at), float(value)) for at, value in enumerate(row)]
            yield [self._runs[run], name, *cells]

    def observables(self) -> Iterable[Sequence[object]]:
        """Yield what each column shows, and how it scatters."""
        yield [
            "observableId", "observableName", "observableFormula", "observableTransformation",
            "noiseFormula", "noiseDistribution",
        ]  # fmt: skip
        for at, (name, shows) in enumerate(
            zip(self._fit.data.columns, self._fit.data.shows, strict=True)
        ):
            formula = " + ".join(
                self._ids[s] if weight == 1 else f"{weight!r} * {self._ids[s]}"
                for s, weight in shows.items()
            )
            if at in self._layout.scales:
                formula = f"{self._coordinates[self._layout.scales[at]]} * ({formula})"
            relative, absolute = self._noise[at]
            noise = f"sqrt(({relative} * ({formula}))^2 + {absolute}^2)"
            yield [self._columns[at], name, formula, "lin", noise, "normal"]

    def measurements(self) -> Iterable[Sequence[object]]:
        """Yield one row a reading."""
        data = self._fit.data
        yield ["observableId", "simulationConditionId", "measurement", "time"]
        for run, point, column in np.argwhere(np.isfinite(data.values)):
            value, time = data.values[run, point, column], data.time[run, point]
            yield [self._columns[column], self._runs[run], float(value), float(time)]

    def parameters(self) -> Iterable[Sequence[object]]:
        """Yield constants, what else was fitted, and the noise."""
        yield [
            "parameterId", "parameterName", "parameterScale", "lowerBound", "upperBound",
            "nominalValue", "estimate", "objectivePriorType", "objectivePriorParameters",
        ]  # fmt: skip
        fit, layout = self._fit, self._layout
        for name, one in fit.constants.items():
            if one.verdict == FIXED:
                yield [self._ids[name], name, "lin", 0.0, "inf", one.best, 0, "", ""]
        for at, name in enumerate(layout.names):
            best = (fit.constants | fit.others)[name].best
            # A coordinate is a logarithm of the value: both ends lie as far off as their own.
            low, high = (best * np.exp(np.array(layout.box(at)) - fit.traces.best[at])).tolist()
            kind, prior = layout.kinds[at], ("", "")
            scale = {UNIFORM: "lin", NORMAL: "log"}.get(kind, "log10")
            if kind == NORMAL:
                middle = float(np.log(best) - fit.traces.best[at])
                prior = ("parameterScaleNormal", f"{middle!r};{float(layout.high[at])!r}")
            nominal = float(np.clip(best, low, high))
            yield [self._coordinates[at], name, scale, low, high, nominal, 1, *prior]
        yield from self._noise_parameters()

    def _noise_parameters(self) -> Iterable[Sequence[object]]:
        data = self._fit.data
        for at, (name, level) in enumerate(self._fit.noise.items()):
            largest = float(np.nanmax(np.abs(data.values[..., at]))) or 1.0
            ends = (_RELATIVE, tuple(end * largest for end in _ABSOLUTE))
            values = (level.relative, level.absolute)
            kinds = ("relative", "absolute")
            for parameter, kind, (low, high), value in zip(
                self._noise[at], kinds, ends, values, strict=True
            ):
                nominal = float(np.clip(value, low, high))
                said = f"{kind} noise of {name}"
                yield [parameter, said, "log10", low, high, nominal, 1, "", ""]


def _table(rows: Iterable[Sequence[object]]) -> str:
    """Write rows with tabs between their cells, numbers with all their digits."""
    text = io.StringIO()
    writer = csv.writer(text, dialect="excel-tab", lineterminator="\n")
    for row in rows:
        writer.writerow([repr(cell) if isinstance(cell, float) else _line(cell) for cell in row])
    return text.getvalue()


def _line(cell: object) -> str:
    return " ".join(str(cell).split())
