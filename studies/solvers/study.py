"""What an accuracy costs, by kinetlib and its peers, and how fast networks are trained.

Timings: each part on a machine that does nothing else, in a process of its own. Beside its piece
each leaves the record that is copied to ``data/benchmarks`` by hand, after a look.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from kinetlib.records import files, provenance
from kinetlib.records.pieces import Piece


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name what is measured."""
    settings = {
        "integrators": {"sets": 20, "tolerances": [1e-4, 1e-6, 1e-8]},
        "steps": {},
        "tolerances": {"sets": 1000, "seed": 51},
        "training": {"batch_sizes": [512, 2048], "steps": 10, "rounds": 3},
    }
    for name, own in settings.items():
        yield Piece(("pieces", name), own, partial(_measured, folder, name, own), alone=True)


def _measured(folder: Path, name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Measure, and leave the record. Modules are loaded late: libRoadRunner has to come first."""
    folder.mkdir(parents=True, exist_ok=True)
    run = import_module(f"studies.solvers.{name}").run
    found = run(folder, **settings) if name == "integrators" else run(**settings)
    made_with = {"processor": provenance.processor(), **provenance.attributes()}
    files.write_text(folder / f"{name}.json", json.dumps(found | made_with, indent=2))
    return found
