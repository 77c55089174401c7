"""A problem in PEtab: its parameters, its readings, and what is refused because nobody fits it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kinetlib.petab import tables
from kinetlib.petab.formulas import Formula, formula
from kinetlib.petab.model import Model
from kinetlib.petab.tables import Row, Tables, number

LIN, LOG, LOG10 = "lin", "log", "log10"
_SCALES = (LIN, LOG10, LOG)
_PRIOR = "parameterScaleNormal"
_PLACEHOLDER = re.compile(r"(observable|noise)Parameter(\d+)_(.+)", re.ASCII)


@dataclass(frozen=True)
class Parameters:
    """Parameters that are estimated, D in number, and those that are not.

    Attributes
    ----------
    names, scales
        Length D.
    low, high, nominal
        On their scales, shape (D,).
    middle, deviation
        Of normal priors on the scale, shape (D,); infinite where there is none.
    fixed
        Values of the others.
    """

    names: tuple[str, ...]
    scales: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    nominal: NDArray[np.float64]
    middle: NDArray[np.float64]
    deviation: NDArray[np.float64]
    fixed: dict[str, float]

    def values(self, x: NDArray) -> dict[str, NDArray]:
        """Return all parameters at scaled ones, (D, n) to (n,) each; complex ones stay so."""
        back = {LIN: lambda v: v, LOG: np.exp, LOG10: lambda v: np.exp(np.log(10) * v)}
        free = {
            name: back[scale](row)
            for name, scale, row in zip(self.names, self.scales, x, strict=True)
        }
        return free | {name: value + 0 * x[0] for name, value in self.fixed.items()}


@dataclass(frozen=True)
class Observed:
    """Readings of one observable, N in number.

    Attributes
    ----------
    shows, noise
        Formulas.
    scale
        ``lin``, ``log`` or ``log10``, on which the noise is normal.
    condition, point
        Numbers of each reading's condition and time, shape (N,).
    values
        What was measured, shape (N,).
    time
        When, shape (N,).
    given
        What stands for the placeholders of both formulas, length N each: names or numbers.
    """

    name: str
    shows: Formula
    noise: Formula
    scale: str
    condition: NDArray[np.int64]
    point: NDArray[np.int64]
    values: NDArray[np.float64]
    time: NDArray[np.float64]
    given: dict[str, list[str | float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """What is to be fitted: model, parameters, readings; ``times`` (T,) are all that occur."""

    name: str
    model: Model
    parameters: Parameters
    observed: tuple[Observed, ...]
    times: NDArray[np.float64]

    @property
    def n_readings(self) -> int:
        """Readings of all observables."""
        return sum(len(one.values) for one in self.observed)


def read(path: Path) -> Problem:
    """Read a problem.

    Parameters
    ----------
    path
        Of its YAML.

    Raises
    ------
    ValueError
        What is no problem in PEtab, or has something that is not supported: that is named.
    OSError
        A file that cannot be opened.
    """
    found = tables.read(path)
    try:
        return _problem(found)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _problem(found: Tables) -> Problem:
    parameters = _parameters(found.parameters)
    values = {
        name: float(v[0]) for name, v in parameters.values(parameters.nominal[:, None]).items()
    }
    used = {row["simulationConditionId"] for row in found.measurements}
    named = {row["conditionId"] for row in found.conditions}
    if used - named:
        raise ValueError(f"no condition {sorted(used - named)[0]!r}")
    conditions = [row for row in found.conditions if row["conditionId"] in used]
    model = Model(found.sbml, conditions, values)
    times = np.unique([_time(row) for row in found.measurements])
    observed = _observed(found, model, times, set(values))
    return Problem(found.name, model, parameters, observed, times)


def _parameters(rows: list[Row]) -> Parameters:
    free, fixed = [], {}
    for row in rows:
        name = row["parameterId"]
        where = f"parameter {name}"
        scale = row.get("parameterScale") or LIN
        if scale not in _SCALES:
            raise ValueError(f"{where}: parameterScale {scale!r}: expected {', '.join(_SCALES)}")
        nominal = number(row, "nominalValue", where)
        if row["estimate"] not in ("0", "1"):
            raise ValueError(f"{where}: estimate: expected 0 or 1, got {row['estimate']!r}")
        if row["estimate"] == "0":
            if not np.isfinite(nominal):
                raise ValueError(f"{where}: it is not estimated and has no nominalValue")
            fixed[name] = nominal
            continue
        ends = [number(row, column, where) for column in ("lowerBound", "upperBound")]
        if not (np.isfinite(ends).all() and ends[0] < ends[1]) or (scale != LIN and ends[0] <= 0):
            raise ValueError(
                f"{where}: bounds {ends[0]:g} and {ends[1]:g} on the scale {scale}: expected a "
                "lower and a higher one, above 0 on a logarithmic scale"
            )
        forward = {LIN: float, LOG: np.log, LOG10: np.log10}[scale]
        low, high = map(forward, ends)
        start = (low + high) / 2
        if np.isfinite(nominal) and (scale == LIN or nominal > 0):
            start = forward(nominal)
        free.append((name, scale, low, high, start, *_prior(row, where)))
    if not free:
        raise ValueError("no parameter is estimated: nothing is left to fit")
    names, scales, *numbers = zip(*free, strict=True)
    return Parameters(names, scales, *(np.array(column) for column in numbers), fixed)


def _prior(row: Row, where: str) -> tuple[float, float]:
    kind = row.get("objectivePriorType", "")
    if not kind:
        return 0.0, np.inf
    parts = row.get("objectivePriorParameters", "").split(";")
    if kind != _PRIOR:
        raise ValueError(f"{where}: objectivePriorType {kind!r} is not supported, {_PRIOR} is")
    try:
        middle, deviation = map(float, parts)
    except ValueError:
        deviation = -1.0
    if not deviation > 0:
        raise ValueError(f"{where}: objectivePriorParameters: expected mean;standard deviation")
    return middle, deviation


def _time(row: Row) -> float:
    time = number(row, "time", "measurement")
    if not 0 <= time < np.inf:
        raise ValueError(
            f"time {row['time']!r}: steady states are not supported, expected 0 or more"
        )
    return time


def _observed(
    found: Tables, model: Model, times: NDArray[np.float64], parameters: set[str]
) -> tuple[Observed, ...]:
    by_id = {row["observableId"]: row for row in found.observables}
    conditions = {name: at for at, name in enumerate(model.names)}
    readings: dict[str, list[Row]] = {}
    for row in found.measurements:
        if row.get("preequilibrationConditionId"):
            raise ValueError("preequilibrationConditionId: preequilibration is not supported")
        if row["observableId"] not in by_id:
            raise ValueError(f"no observable {row['observableId']!r}")
        readings.setdefault(row["observableId"], []).append(row)
    made = []
    for name, rows in readings.items():
        one = by_id[name]
        time = np.array([_time(row) for row in rows])
        shows, noise = (formula(one[key]) for key in ("observableFormula", "noiseFormula"))
        made.append(
            Observed(
                name,
                shows,
                noise,
                _scale(one, name),
                np.array([conditions[row["simulationConditionId"]] for row in rows]),
                np.searchsorted(times, time),
                _measured(rows, name, one),
                time,
                _given(name, shows, noise, rows, parameters),
            )
        )
        unknown = (
            (shows.names | noise.names) - model.ids - parameters - set(made[-1].given) - {"time"}
        )
        if unknown:
            raise ValueError(f"observable {name}: nothing is called {', '.join(sorted(unknown))}")
    return tuple(made)


def _scale(row: Row, name: str) -> str:
    kind = row.get("noiseDistribution") or "normal"
    if kind != "normal":
        raise ValueError(f"observable {name}: noiseDistribution {kind!r} is not supported")
    scale = row.get("observableTransformation") or LIN
    if scale not in _SCALES:
        raise ValueError(f"observable {name}: observableTransformation {scale!r} is not supported")
    return scale


def _measured(rows: list[Row], name: str, observable: Row) -> NDArray[np.float64]:
    values = np.array([number(row, "measurement", f"observable {name}") for row in rows])
    logarithmic = _scale(observable, name) != LIN
    if not np.isfinite(values).all() or (logarithmic and (values <= 0).any()):
        wanted = "numbers above 0, as it is logarithmic" if logarithmic else "numbers"
        raise ValueError(f"observable {name}: measurement: expected {wanted}")
    return values


def _given(
    name: str, shows: Formula, noise: Formula, rows: list[Row], parameters: set[str]
) -> dict[str, list[str | float]]:
    """Find what each reading puts for the placeholders of its formulas."""
    found: dict[str, list[str | float]] = {}
    for symbol in sorted(shows.names | noise.names):
        match = _PLACEHOLDER.fullmatch(symbol)
        if match is None or match[3] != name:
            continue
        cells = [row.get(f"{match[1]}Parameters", "").split(";") for row in rows]
        place = int(match[2]) - 1
        if not all(0 <= place < len(cell) and cell[place].strip() for cell in cells):
            raise ValueError(f"observable {name}: a measurement gives nothing for {symbol}")
        found[symbol] = [_value(cell[place].strip(), parameters, name) for cell in cells]
    return found


def _value(text: str, parameters: set[str], name: str) -> str | float:
    if text in parameters:
        return text
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"observable {name}: {text!r} is no number and no parameter") from None
