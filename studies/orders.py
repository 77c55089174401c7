"""Reaction orders of the published and simulated workbooks, beside Auto-VTNA's and the known ones.

The workbooks are those of `studies.answers.workbooks`, and are read where they are; one that is not
there is refused. No order was fitted to them; the distances from which a misfit is told in words,
the closeness and the width of intervals in verdicts, and the number of knots for runs of few rows
were chosen with their results in view.

`PEER` holds what Auto-VTNA 1.2.4 (Digital Discovery 2024, doi:10.1039/D4DD00111G) found in the same
files, run by run and species by species as in `WORKBOOKS`, on 29 November 2026, with all settings
by default for one and two species and with ``resolution=4, iterations=6`` for three (where the two
simulated workbooks have the default, too). It was given the amount consumed where a substrate is
followed. Its seconds are those of a machine that did much else beside.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from kinetlib import inference, lab
from kinetlib.records.pieces import Done, Key, Piece, Refused, signed
from studies.answers.workbooks import FOLDER

CLOSE = 0.1  # of an order


class Workbook(NamedTuple):
    """What is followed, whose orders are told, and what they are where runs were simulated."""

    follow: str
    species: tuple[str, ...]
    known: Mapping[str, float] = {}


WORKBOOKS = {
    "alkyne-dimerisation": Workbook("Alkyne", ("Alkyne", "H2O", "AcOH", "NaOAc", "Catalyst")),
    "bromoesterification": Workbook("Product", ("PhCO2H", "PhCONHBr", "Alkene", "Catalyst")),
    "cyclopropanation": Workbook("Diazo compound", ("Diazo compound", "Styrene", "Catalyst")),
    "cyclopropanation-dmc": Workbook("Diazo compound", ("Diazo compound", "Styrene", "Catalyst")),
    "defluorination": Workbook("Product", ("ArCF3", "KOtBu", "TMDSO")),
    "diels-alder": Workbook("Product", ("Diene", "Dieneophile", "Catalyst")),
    "halogenation": Workbook("Product", ("Xylene", "NBS", "TripSMe", "AgSbF6")),
    "hydroalkenylation": Workbook("Enyne", ("Enyne", "Acrylate", "Cobalt catalyst", "ZnBr2")),
    "hydroboration": Workbook("Product", ("HBPin", "Ketone", "Catalyst")),
    "ppm-loadings": Workbook("Product", ("Cat",)),
    "silane-oxidation": Workbook("Silanol", ("Silane", "H2O", "Catalyst")),
    "simulated-catalyst-order": Workbook("P", ("Catalyst",)),
    "simulated-figure3": Workbook("P", ("Catalyst",)),
    "simulated-figure5b": Workbook("P", ("A", "B", "cat")),
    "simulated-two-reactants": Workbook(
        "P", ("A", "B", "Catalyst"), {"A": 1.0, "B": 1.0, "Catalyst": 1.0}
    ),
    "solvent-DMSO": Workbook("3", ("1", "2")),
    "solvent-EtOH": Workbook("3", ("1", "2")),
    "solvent-IPA": Workbook("3", ("1", "2")),
    "solvent-THF": Workbook("3", ("1", "2")),
    "sulfonylation": Workbook(
        "Product", ("Aldehyde", "Sulfinate", "TDG", "CuF2", "K2CO3", "Cu(OAc)2")
    ),
}
#: Orders by Auto-VTNA, and its seconds; it was not waited for where a workbook is missing.
PEER: dict[str, tuple[dict[str, float], float]] = {
    "cyclopropanation-dmc": ({"Diazo compound": 0.990, "Styrene": -0.541, "Catalyst": 1.218}, 256),
    "silane-oxidation": ({"Silane": 0.970, "H2O": -0.578, "Catalyst": 0.970}, 401),
    "cyclopropanation": ({"Diazo compound": 1.044, "Styrene": -1.119, "Catalyst": 1.139}, 446),
    "defluorination": ({"ArCF3": 1.078, "KOtBu": 0.841, "TMDSO": 0.949}, 179),
    "diels-alder": ({"Diene": 0.722, "Dieneophile": 0.959, "Catalyst": 0.830}, 80),
    "hydroboration": ({"HBPin": 0.993, "Ketone": 0.907, "Catalyst": 0.907}, 157),
    "ppm-loadings": ({"Cat": 1.342}, 138),
    "simulated-catalyst-order": ({"Catalyst": 0.957}, 17),
    "simulated-figure3": ({"Catalyst": 0.957}, 15),
    "simulated-figure5b": ({"A": 1.005, "B": 1.013, "cat": 1.000}, 572),
    "simulated-two-reactants": ({"A": 1.001, "B": 1.001, "Catalyst": 1.000}, 479),
    "solvent-DMSO": ({"1": 0.766, "2": 1.927}, 40),
    "solvent-EtOH": ({"1": 1.028, "2": 1.013}, 69),
    "solvent-IPA": ({"1": 1.000, "2": 1.660}, 102),
    "solvent-THF": ({"1": 0.935, "2": 1.858}, 77),
}


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name the workbooks."""
    for name, how in WORKBOOKS.items():
        settings = {"follow": how.follow, "species": how.species}
        yield Piece(("workbooks", name), settings, partial(_told, name), _brief)


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect orders, and how far they lie from others'.

    Returns
    -------
    dict
        ``workbooks``: by name the orders by both methods with their intervals and the verdict, the
        score, the remarks, the ``seconds`` of a processor, ``peer`` and ``known``. ``close`` to the
        peer and to what is known: of how many workbooks, in how many all orders by VTNA lie within
        `CLOSE`, and which do not.
    """
    found = {str(name): one.value for (_, name), one in made.items()}
    for name, one in found.items():
        orders, seconds = PEER.get(name, ({}, None))
        one |= {"peer": {"orders": orders, "seconds": seconds}}
        one |= {"known": dict(WORKBOOKS[name].known)}
    close = {
        "peer": _close(found, {name: one["peer"]["orders"] for name, one in found.items()}),
        "known": _close(found, {name: one["known"] for name, one in found.items()}),
    }
    return signed({"close_within": CLOSE, "close": close, "workbooks": found}, made.values())


def _close(
    found: Mapping[str, dict[str, Any]], others: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Count workbooks in which all orders are as another has them."""
    apart = {}
    for name, expected in others.items():
        if expected:
            told = {species: one["vtna"]["value"] for species, one in found[name]["orders"].items()}
            apart[name] = max(abs((told[one] or 9.0) - order) for one, order in expected.items())
    return {
        "workbooks": len(apart),
        "close": sum(one <= CLOSE for one in apart.values()),
        "others": [name for name, one in apart.items() if one > CLOSE],
    }


def _told(name: str) -> dict[str, Any]:
    from kinetlib.cli._orders import answer

    how, path = WORKBOOKS[name], FOLDER / f"{name}.xlsx"
    if not path.is_file():
        raise Refused(f"no workbook {path}: put it there, or name those that are there")
    runs = lab.read_species(path)
    began = time.process_time()
    found = inference.orders(runs, how.species, follow=how.follow)
    return answer(found) | {"seconds": time.process_time() - began}


def _brief(value: dict[str, Any]) -> str:
    orders = ", ".join(f"{name}: {one['verdict']}" for name, one in value["orders"].items())
    return f"{orders} in {value['seconds']:.2f} s"
