"""What is attacked: a good input of each kind, and what reads it."""

from __future__ import annotations

import io
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import NamedTuple

import openpyxl

PACKAGE, DATA = resources.files("kinetlib"), resources.files("kinetlib_data")
COLUMNS = ("Substrate", "Product", "Catalyst")


class Victim(NamedTuple):
    """A reader: the suffix its files have, good content, and what it does with a path."""

    suffix: str
    good: Callable[[], bytes]
    reads: Callable[[Path], object]


def example() -> bytes:
    """Return the workbook of the first chapter."""
    return (DATA / "example.xlsx").read_bytes()


def rows(separator: str, decimal: str = ".") -> bytes:
    """Write the example as text, one run below the other."""
    book = openpyxl.load_workbook(io.BytesIO(example()))
    lines = [separator.join(("run", "Time / min", "Substrate / M", "Product / M", "Catalyst / M"))]
    for sheet in book:
        for values in sheet.iter_rows(min_row=2, values_only=True):
            cells = [sheet.title, *(str(value).replace(".", decimal) for value in values)]
            lines.append(separator.join(cells))
    return "\n".join(lines).encode()


def _runs(path: Path) -> object:
    from kinetlib import lab

    return lab.read(path, *COLUMNS)


def _species(path: Path) -> object:
    from kinetlib import lab

    return lab.read_species(path)


def _mechanism(path: Path) -> object:
    import kinetlib

    return kinetlib.mechanism(path)


def _written(path: Path) -> object:
    import kinetlib

    return kinetlib.mechanism(path.read_text(encoding="utf-8", errors="replace"))


def _profile(path: Path) -> object:
    from kinetlib.chapters import profiles

    return profiles.load(path)


def _weights(path: Path) -> object:
    from kinetlib.fusion.evaluated import Evaluated

    return Evaluated.load(path)


def _card(path: Path) -> object:
    from kinetlib.fusion.card import read_card

    return read_card(path.with_suffix(".keras"))


def _grammar(path: Path) -> object:
    from kinetlib.kinetics import grammar

    return grammar.load(path)


def _catalogue(path: Path) -> object:
    from kinetlib.kinetics import mechanisms

    return mechanisms.load(path)


def _pickle(path: Path) -> object:
    from kinetlib.runs.published import unpickler

    return unpickler.load(path)


def _sbml() -> bytes:
    """Write A + B <=> C, as SBML of level 3."""
    law = "<apply><times/><ci>{k}</ci>{species}</apply>"
    forward = law.format(k="k1", species="<ci>A</ci><ci>B</ci>")
    back = law.format(k="k2", species="<ci>C</ci>")
    species = "".join(
        f'<species id="{name}" compartment="c" initialConcentration="{start}" '
        'hasOnlySubstanceUnits="false" boundaryCondition="false" constant="false"/>'
        for name, start in (("A", 1.0), ("B", 0.5), ("C", 0.0))
    )
    ends = '<speciesReference species="{}" stoichiometry="1" constant="true"/>'
    left, right = ends.format("A") + ends.format("B"), ends.format("C")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level3/version1/core" level="3" version="1"><model id="m">
<listOfCompartments><compartment id="c" size="1" constant="true"/></listOfCompartments>
<listOfSpecies>{species}</listOfSpecies>
<listOfParameters><parameter id="k1" value="2" constant="true"/>
<parameter id="k2" value="0.1" constant="true"/></listOfParameters>
<listOfReactions><reaction id="r" reversible="true" fast="false">
<listOfReactants>{left}</listOfReactants><listOfProducts>{right}</listOfProducts>
<kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML"><apply><times/><ci>c</ci>
<apply><minus/>{forward}{back}</apply></apply></math></kineticLaw></reaction></listOfReactions>
</model></sbml>""".encode()


def _arrays() -> bytes:
    import pickle

    import numpy as np

    return pickle.dumps(np.arange(12.0).reshape(3, 4), protocol=4)


TEXT = b"S + cat <=> catS (k1 = 0.3, k-1 = 2); catS -> P + cat (k2 = 5) # a cycle"

VICTIMS = {
    "workbook": Victim(".xlsx", example, _runs),
    "comma-separated runs": Victim(".csv", lambda: rows(","), _runs),
    "runs with decimal commas": Victim(".txt", lambda: rows(";", ","), _runs),
    "curves of species": Victim(".csv", lambda: rows(","), _species),
    "mechanism as text": Victim(".txt", lambda: TEXT, _written),
    "mechanism in SBML": Victim(".xml", _sbml, _mechanism),
    "catalogue": Victim(".toml", (PACKAGE / "kinetics" / "catalogue.toml").read_bytes, _catalogue),
    "grammar": Victim(".toml", (PACKAGE / "kinetics" / "grammar.toml").read_bytes, _grammar),
    "profile": Victim(".yaml", Path("profiles/smoke.yaml").read_bytes, _profile),
    "weights": Victim(".npz", (DATA / "models" / "runset.weights.npz").read_bytes, _weights),
    "model card": Victim(".json", (DATA / "models" / "runset.json").read_bytes, _card),
    "published pickle": Victim(".pickle", _arrays, _pickle),
}
