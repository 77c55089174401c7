"""The workbook that the book begins with: one simulated reaction, written as a chemist would.

``python -m studies.example`` writes it to ``data/example.xlsx``; a test holds the two together.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openpyxl
from numpy.random import default_rng

import kinetlib

PLACE = Path("data/example.xlsx")
SEED = 2026
NOISE = 0.01  # standard deviation relative to the value
MECHANISM = "M14"
CONSTANTS = {"k1": 60.0, "k-1": 0.4, "k2": 1.1, "k-2": 0.02, "k3": 0.05}  # M and min
STARTS = {  # mol/L of substrate, product and catalyst, by the name of the run
    "standard": (0.2, 0.0, 0.010),
    "half catalyst": (0.2, 0.0, 0.005),
    "double catalyst": (0.2, 0.0, 0.020),
    "less substrate": (0.12, 0.0, 0.010),
}
MINUTES = (0.0, 2.0, 4.0, 7.0, 10.0, 15.0, 20.0, 30.0, 45.0)
HEADER = ("Time / min", "Substrate / M", "Product / M", "Catalyst / M")


def sheets(noise: float = NOISE) -> dict[str, list[tuple[float, ...]]]:
    """Make the rows of each run: minutes, substrate, product and catalyst, in mol/L."""
    rng = default_rng(SEED)
    return {name: _rows(*start, noise, rng) for name, start in STARTS.items()}


def _rows(
    substrate: float, product: float, catalyst: float, noise: float, rng: np.random.Generator
) -> list[tuple[float, ...]]:
    run = kinetlib.simulate(
        MECHANISM,
        rate_constants=CONSTANTS,
        initial={"S": substrate, "P": product, "cat": catalyst},
        times=np.array(MINUTES),
    )
    exact = run.concentration.sel(species=["S", "P"]).values.reshape(len(MINUTES), 2)
    measured = exact * (1 + noise * rng.standard_normal(exact.shape))
    measured[0] = exact[0]  # the first row is what was weighed in
    return [
        (minute, *(round(float(value), 5) for value in row), catalyst)
        for minute, row in zip(MINUTES, measured, strict=True)
    ]


def write(place: Path = PLACE) -> None:
    """Write the workbook, a sheet a run."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets().items():
        sheet = book.create_sheet(name)
        for row in (HEADER, *rows):
            sheet.append(row)
    book.save(place)


if __name__ == "__main__":
    write()
