"""Deformed crystals of zirconium: what a potential may be trained on, and what it is tested on.

Every configuration knows where it comes from: ``info["kind"]`` names its law, ``info["strain"]`` is
the norm of its strain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from studies.zirconium import reference

if TYPE_CHECKING:
    from ase import Atoms

THERMAL = 0.015
"""Standard deviation of each component of the strain of an elastic configuration."""

UNIFORM = 0.04
"""Largest component of the strain of a uniform configuration."""

PATH = 0.05
"""End of a path: change of c/a or of the volume, or a shear of the basal planes."""

LARGE = (0.05, 0.08)
"""Range of the largest component of a strain beyond the pool's."""

RATTLE = 0.05
"""Standard deviation of the displacement of each coordinate, angstrom."""

SHARES = {"elastic": 0.5, "uniform": 0.3, "path": 0.2}
"""What a pool is made of."""

PATHS = ("c/a", "shear", "volume")
TEMPERATURES = (600.0, 900.0)  # K
CELLS = {2: (1, 1, 1), 16: (2, 2, 2), 36: (3, 3, 2)}

_STEP = 2.0  # fs, of molecular dynamics
_BETWEEN = 10  # steps between two snapshots
_WARMING = 200  # steps before the first
_FRICTION = 0.02  # per fs


def crystal(n_atoms: int) -> Atoms:
    """Build perfect hcp zirconium.

    Parameters
    ----------
    n_atoms : int
        2, 16 or 36 for repeats of the primitive cell, 4 for the orthorhombic one.

    Raises
    ------
    ValueError
        If there is no such cell.
    """
    build = reference.optional("ase.build")
    a, c = reference.LATTICE
    if n_atoms == 4:
        return build.bulk("Zr", "hcp", a=a, c=c, orthorhombic=True)
    if n_atoms not in CELLS:
        raise ValueError(f"no cell of {n_atoms} atoms: choose 2, 4, 16 or 36")
    return build.bulk("Zr", "hcp", a=a, c=c).repeat(CELLS[n_atoms])


def deformed(atoms: Atoms, strain: NDArray[np.float64], kind: str) -> Atoms:
    """Strain a crystal, all atoms along with the cell.

    Parameters
    ----------
    atoms
        The crystal.
    strain
        Voigt's six components, xx, yy, zz, yz, xz, xy, the last three as engineering shears.
    kind
        What to note as its origin.
    """
    xx, yy, zz, yz, xz, xy = strain
    tensor = np.array([[xx, xy / 2, xz / 2], [xy / 2, yy, yz / 2], [xz / 2, yz / 2, zz]])
    made = atoms.copy()
    made.set_cell(atoms.cell.array @ (np.eye(3) + tensor), scale_atoms=True)
    made.info = {"kind": kind, "strain": float(np.linalg.norm(tensor))}
    return made


def pool(n: int, n_atoms: int, rng: Generator) -> list[Atoms]:
    """Make configurations to choose from.

    Half are elastic, the representative sample: thermal strains and displacements. The others are
    what a person would add: strains drawn uniformly from a box, and paths along one deformation.

    Parameters
    ----------
    n
        How many.
    n_atoms
        Size of the cell, 4 or 16.
    rng
        Source of randomness.
    """
    atoms = crystal(n_atoms)
    counts = {kind: round(share * n) for kind, share in SHARES.items()}
    counts["elastic"] += n - sum(counts.values())
    return [
        *(_rattled(deformed(atoms, s, "elastic"), rng) for s in _thermal(counts["elastic"], rng)),
        *uniform(counts["uniform"], n_atoms, rng),
        *_along_paths(atoms, counts["path"], rng),
    ]


def uniform(n: int, n_atoms: int, rng: Generator) -> list[Atoms]:
    """Make configurations whose six strains are uniform within the box."""
    atoms = crystal(n_atoms)
    strains = rng.uniform(-UNIFORM, UNIFORM, size=(n, 6))
    return [_rattled(deformed(atoms, strain, "uniform"), rng) for strain in strains]


def large(n: int, n_atoms: int, rng: Generator) -> list[Atoms]:
    """Make configurations whose largest strain is beyond the box of the pool."""
    atoms = crystal(n_atoms)
    directions = rng.uniform(-1, 1, size=(n, 6))
    directions /= np.abs(directions).max(1, keepdims=True)
    strains = rng.uniform(*LARGE, size=(n, 1)) * directions
    return [_rattled(deformed(atoms, strain, "large"), rng) for strain in strains]


def snapshots(n: int, rng: Generator, n_atoms: int = 16) -> list[Atoms]:
    """Take snapshots of Langevin dynamics with the reference potential, a temperature each half."""
    half = n // 2
    counts = dict(zip(TEMPERATURES, (n - half, half), strict=True))
    return [
        atoms
        for temperature, count in counts.items()
        for atoms in _dynamics(count, temperature, n_atoms, rng)
    ]


def other_phases(n: int, rng: Generator) -> list[Atoms]:
    """Make bcc and omega crystals and hcp with a vacancy, a third each, strained and rattled."""
    build = reference.optional("ase.build")
    bcc = build.bulk("Zr", "bcc", a=3.57, cubic=True)
    omega = reference.optional("ase").Atoms(
        "Zr3",
        scaled_positions=[(0, 0, 0), (1 / 3, 2 / 3, 1 / 2), (2 / 3, 1 / 3, 1 / 2)],
        cell=[5.04, 5.04, 3.14, 90, 90, 120],
        pbc=True,
    )
    vacancy = crystal(36)
    del vacancy[0]
    third = n // 3
    return [
        _rattled(deformed(atoms, strain, kind), rng)
        for kind, atoms, count in (
            ("bcc", bcc, third),
            ("omega", omega, third),
            ("vacancy", vacancy, n - 2 * third),
        )
        for strain in _thermal(count, rng)
    ]


def fingerprint(configurations: Sequence[Atoms]) -> str:
    """Return the SHA-256 of cells and positions, rounded to a ten-thousandth of an angstrom."""
    digest = hashlib.sha256()
    for atoms in configurations:
        for values in (atoms.cell.array, atoms.positions):
            digest.update(np.round(values * 1e4).astype("<i8").tobytes())
    return digest.hexdigest()


def _thermal(n: int, rng: Generator) -> NDArray[np.float64]:
    return rng.normal(0, THERMAL, size=(n, 6))


def _rattled(atoms: Atoms, rng: Generator) -> Atoms:
    atoms.positions += rng.normal(0, RATTLE, size=atoms.positions.shape)
    return atoms


def _along_paths(atoms: Atoms, n: int, rng: Generator) -> list[Atoms]:
    """Draw points uniformly from each path in turn, atoms at their sites."""
    made = []
    for i, amount in enumerate(rng.uniform(-PATH, PATH, size=n)):
        path = PATHS[i % len(PATHS)]
        made.append(deformed(atoms, _path_strain(path, amount), path))
    return made


def _path_strain(path: str, amount: float) -> NDArray[np.float64]:
    """Return Voigt's strain at a point of a path; c/a changes at constant volume."""
    if path == "shear":
        return np.array([0, 0, 0, 0, amount, 0])
    if path == "volume":
        return np.array([1, 1, 1, 0, 0, 0]) * ((1 + amount) ** (1 / 3) - 1)
    basal = (1 + amount) ** (-1 / 3)
    return np.array([basal - 1, basal - 1, basal * (1 + amount) - 1, 0, 0, 0])


def _dynamics(n: int, temperature: float, n_atoms: int, rng: Generator) -> list[Atoms]:
    """Run Langevin dynamics at constant volume; the first steps are thrown away."""
    md = reference.optional("ase.md.langevin")
    units = reference.optional("ase.units")
    atoms = crystal(n_atoms)
    atoms.calc = reference.calculator()
    thermal = np.sqrt(atoms.get_masses() * units.kB * temperature)
    atoms.set_momenta(thermal[:, None] * rng.standard_normal((n_atoms, 3)))
    dynamics = md.Langevin(
        atoms,
        _STEP * units.fs,
        temperature_K=temperature,
        friction=_FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(_WARMING)
    made = []
    for _ in range(n):
        dynamics.run(_BETWEEN)
        snapshot = atoms.copy()
        snapshot.info = {"kind": f"{temperature:.0f} K", "strain": 0.0}
        made.append(snapshot)
    return made
