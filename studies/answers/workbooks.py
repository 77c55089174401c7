"""What published workbooks of runs answer: the files are read where they are, if they are there.

They were collected by the authors of Auto-VTNA (Digital Discovery 2024, doi:10.1039/D4DD00111G) and
lie in their repository, ddalland/Auto-VTNA, one workbook a reaction. They are not part of this one:
put them, under the names of `WORKBOOKS`, into the folder `FOLDER`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kinetlib import lab
from kinetlib.answers import Answer, answer, sentences
from kinetlib.records.pieces import Piece

FOLDER = Path("results/workbooks")
SHOWN = 5  # mechanisms that are told of an answer


class Workbook(NamedTuple):
    """The columns of a workbook, and its second reactant."""

    substrate: str | None
    product: str | None
    catalyst: str
    reactants: tuple[str, ...] = ()
    options: dict[str, Any] = {}


WORKBOOKS = {
    "alkyne-dimerisation": Workbook("Alkyne", None, "Catalyst"),
    "bromoesterification": Workbook("Alkene", "Product", "Catalyst", ("PhCO2H",)),
    "cyclopropanation": Workbook("Diazo compound", None, "Catalyst", ("Styrene",)),
    "cyclopropanation-dmc": Workbook("Diazo compound", None, "Catalyst", ("Styrene",)),
    "diels-alder": Workbook("Dieneophile", "Product", "Catalyst", ("Diene",)),
    "halogenation": Workbook("Xylene", "Product", "TripSMe", ("NBS",)),
    "hydroalkenylation": Workbook("Enyne", None, "Cobalt catalyst", ("Acrylate",)),
    "hydroboration": Workbook("HBPin", "Product", "Catalyst", ("Ketone",)),
    "ppm-loadings": Workbook(None, "Product", "Cat", options={"substrate_0": 100}),
    "silane-oxidation": Workbook("Silane", "Silanol", "Catalyst", ("H2O",)),
    "simulated-catalyst-order": Workbook("B", "P", "Catalyst"),
    "simulated-figure3": Workbook("B", "P", "Catalyst"),
    "simulated-figure5b": Workbook("B", "P", "cat", ("A",)),
    "simulated-two-reactants": Workbook("A", "P", "Catalyst", ("B",)),
    "sulfonylation": Workbook("Sulfinate", "Product", "TDG", ("Aldehyde",)),
}


def pieces(upto: int | None = None) -> Iterator[Piece]:
    """Name each workbook that is there."""
    for name, how in WORKBOOKS.items():
        if (FOLDER / f"{name}.xlsx").exists():
            work = partial(_asked, name)
            yield Piece(("workbooks", name), {"columns": list(how)}, work, _brief, alone=True)


def _asked(name: str) -> dict[str, Any]:
    how = WORKBOOKS[name]
    columns = (how.substrate, how.product, how.catalyst)
    runs = lab.read(FOLDER / f"{name}.xlsx", *columns, reactants=how.reactants, **how.options)
    began = time.monotonic()
    return told(answer(runs)) | {"seconds": time.monotonic() - began}


def told(found: Answer) -> dict[str, Any]:
    """Put what a table shows of an answer into plain values."""
    network, best = found.network, found.mechanisms[0].fit
    return {
        "runs": len(found.runs),
        "explains": found.explains,
        "opened": found.was_opened,
        "weighed": len(found.mechanisms),
        "mechanisms": [
            {
                "mechanism": one.name,
                "name": one.weighed.composed.mechanism.name,
                "probability": one.probability,
                "log_evidence": one.weighed.log_evidence,
            }
            for one in found.mechanisms[:SHOWN]
        ],
        "set": list(found.members),
        "features": found.features,
        "chi_squared": best.chi_squared if best else None,
        "noise": {name: vars(level) for name, level in best.noise.items()} if best else {},
        "network": network and network.probabilities,
        "strangeness": network and network.strangeness,
        "sentences": sentences(found),
        "remarks": list(found.remarks),
    }


def _brief(value: dict[str, Any]) -> str:
    best = value["mechanisms"][0]
    explained = "explained" if value["explains"] else "not explained"
    return f"{best['mechanism']} ({best['probability']:.0%}), {explained}"
