"""The files of a problem in PEtab, version 1, as rows of text; what is not supported is refused."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

_LARGEST = 50_000_000  # bytes of a file
_KINDS = ("sbml_files", "condition_files", "observable_files", "measurement_files")
_NEEDED = {
    "parameters": ("parameterId", "lowerBound", "upperBound", "estimate"),
    "conditions": ("conditionId",),
    "observables": ("observableId", "observableFormula", "noiseFormula"),
    "measurements": ("observableId", "simulationConditionId", "measurement", "time"),
}
Row = dict[str, str]


@dataclass(frozen=True)
class Tables:
    """Files of a problem: the text of its model, and the rows of its tables."""

    name: str
    sbml: str
    parameters: list[Row]
    conditions: list[Row]
    observables: list[Row]
    measurements: list[Row]


def read(path: Path) -> Tables:
    """Read the files that a problem's YAML names.

    Parameters
    ----------
    path
        Of the YAML.

    Raises
    ------
    ValueError
        What is no such problem, has several models, or files outside its folder.
    OSError
        A file that cannot be opened.
    """
    try:
        import yaml
    except ImportError:
        raise ValueError(
            "problems in PEtab are read with PyYAML, which is not installed: pip install pyyaml"
        ) from None
    try:
        named = yaml.safe_load(_text(path))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise ValueError(f"{path}: not YAML: it is too deep") from None
    if not isinstance(named, dict) or not {"parameter_file", "problems"} <= named.keys():
        raise ValueError(f"{path}: no problem in PEtab: expected parameter_file and problems in it")
    version = str(named.get("format_version", 1))
    if version.partition(".")[0] != "1":
        raise ValueError(f"{path}: format_version {version} is not supported, expected 1")
    problems = named["problems"]
    if not isinstance(problems, list) or len(problems) != 1 or not isinstance(problems[0], dict):
        raise ValueError(f"{path}: problems: expected one; several are not supported")
    found = {kind: _names(path, problems[0], kind) for kind in _KINDS}
    if len(found["sbml_files"]) != 1:
        raise ValueError(f"{path}: sbml_files: expected one; several are not supported")
    return Tables(
        path.stem,
        _text(_inside(path, found["sbml_files"][0])),
        _rows(path, _listed(named["parameter_file"]), "parameters"),
        *(_rows(path, found[f"{kind[:-1]}_files"], kind) for kind in list(_NEEDED)[1:]),
    )


def number(row: Row, column: str, where: str, otherwise: float = math.nan) -> float:
    """Return a number of a row, or what stands for none."""
    text = row.get(column, "")
    if not text:
        return otherwise
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: {column}: expected a number, got {text!r}") from None


def _listed(what: object) -> list[str]:
    return [str(one) for one in what] if isinstance(what, list) else [str(what)]


def _names(path: Path, problem: dict, kind: str) -> list[str]:
    if not problem.get(kind):
        raise ValueError(f"{path}: problems: expected {kind} in it")
    return _listed(problem[kind])


def _inside(path: Path, name: str) -> Path:
    """Return the path of a file that a problem names, which lies in its folder or below."""
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"{path}: {name!r} lies outside the folder of the problem: not read")
    return path.parent / name


def _text(path: Path) -> str:
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"{path}: larger than {_LARGEST // 1_000_000} MB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not text in UTF-8: {error}") from None


def _rows(path: Path, names: list[str], kind: str) -> list[Row]:
    rows = []
    for name in names:
        where = _inside(path, name)
        try:
            reader = csv.DictReader(_text(where).splitlines(), dialect="excel-tab", restval="")
            lacking = [
                column for column in _NEEDED[kind] if column not in (reader.fieldnames or ())
            ]
            if lacking:
                raise ValueError(f"{where}: expected the column {', '.join(lacking)}")
            for row in reader:
                if None in row:
                    raise ValueError(f"{where}: line {reader.line_num} has more cells than columns")
                if any(row.values()):
                    rows.append({column: cell.strip() for column, cell in row.items()})
        except csv.Error as error:
            raise ValueError(f"{where}: {error}") from None
    if not rows:
        raise ValueError(f"{path}: no {kind} in {', '.join(names)}")
    return rows
