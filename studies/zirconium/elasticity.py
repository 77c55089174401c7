"""Elastic constants and lattice of hcp zirconium from the energies of eleven crystals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from studies.zirconium import crystals, reference

if TYPE_CHECKING:
    from ase import Atoms

STEP = 0.02
"""Strain of the finite differences: small errors of energies stay small errors of constants."""

CONSTANTS = ("C11", "C12", "C13", "C33", "C44")

_PATTERNS = {
    "a": (1, 0, 0, 0, 0, 0),
    "c": (0, 0, 1, 0, 0, 0),
    "shear": (0, 0, 0, 1, 0, 0),
    "basal": (1, 1, 0, 0, 0, 0),
    "both": (1, 0, 1, 0, 0, 0),
}
_GPA = 160.21766  # of one eV per cubic angstrom


def probes() -> list[Atoms]:
    """Build the crystals: the perfect one, then each pattern of strain with both signs."""
    atoms = crystals.crystal(2)
    strains = [np.zeros(6)]
    for pattern in _PATTERNS.values():
        strains += [sign * STEP * np.array(pattern, dtype=float) for sign in (1, -1)]
    return [crystals.deformed(atoms, strain, "probe") for strain in strains]


def elastic(energies: NDArray[np.float64]) -> dict[str, float]:
    """Derive elastic constants and c/a from the energies of the probes.

    The atoms keep their sites in the strained cell (clamped ions), and second derivatives are
    central differences at the reference's lattice, the same for every model.

    Parameters
    ----------
    energies
        eV per atom, shape (11,).

    Returns
    -------
    dict
        ``C11`` to ``C44`` in GPa; ``c/a`` at the minimum of the quadratic form in both lattice
        constants.
    """
    volume = crystals.crystal(2).get_volume() / 2
    pairs = dict(zip(_PATTERNS, energies[1:].reshape(-1, 2), strict=True))
    slope = {name: (up - down) / (2 * STEP) for name, (up, down) in pairs.items()}
    bend = {name: (up + down - 2 * energies[0]) / STEP**2 for name, (up, down) in pairs.items()}
    stiffness = {name: value / volume * _GPA for name, value in bend.items()}
    found = {
        "C11": stiffness["a"],
        "C12": stiffness["basal"] / 2 - stiffness["a"],
        "C13": (stiffness["both"] - stiffness["a"] - stiffness["c"]) / 2,
        "C33": stiffness["c"],
        "C44": stiffness["shear"],
    }
    mixed = bend["both"] - bend["a"] - bend["c"]
    form = np.array([[bend["basal"], mixed], [mixed, bend["c"]]])
    basal, axial = np.linalg.solve(form, [-slope["basal"], -slope["c"]])
    a, c = reference.LATTICE
    return {name: float(value) for name, value in found.items()} | {
        "c/a": float(c / a * (1 + axial) / (1 + basal))
    }
