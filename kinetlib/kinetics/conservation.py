"""Conserved and bounding sums of concentrations, found exactly from the stoichiometry.

The minimal semi-positive laws come from the Fourier-Motzkin (Farkas) procedure of Schuster and
Höfer, J. Chem. Soc. Faraday Trans. 87, 2561 (1991). Where they do not span the left null space,
vectors of an exact rational null-space basis complete it.
"""

from __future__ import annotations

from fractions import Fraction
from math import lcm

import numpy as np
from numpy.typing import NDArray

IntegerArray = NDArray[np.int64]
_MOST = 100  # sums of a network; the catalogue has at most six


def conservation_laws(stoichiometry: IntegerArray) -> IntegerArray:
    """Find a basis of ``{w: stoichiometry @ w = 0}``.

    Parameters
    ----------
    stoichiometry
        Net stoichiometry, shape (R, S).

    Returns
    -------
    NDArray
        Shape (S - rank, S): integers without a common divisor, non-negative and sparse first.
    """
    n_species = stoichiometry.shape[1]
    wanted = n_species - _rank(stoichiometry)
    laws = _independent(_semipositive(stoichiometry) or [], wanted)
    if len(laws) < wanted:
        laws = _independent([*laws, *_null_space(stoichiometry)], wanted)
    return np.array(laws, dtype=np.int64).reshape(wanted, n_species)


def bounding_sums(stoichiometry: IntegerArray, most: int = _MOST) -> IntegerArray:
    """Find sums of concentrations that never rise, ``{w >= 0: stoichiometry @ w <= 0}``.

    No concentration exceeds such a sum at the start, divided by its weight in it.

    Parameters
    ----------
    stoichiometry
        Net stoichiometry, shape (R, S).
    most
        Rows of a table at which the search ends: what is found so far need not bound anything.

    Returns
    -------
    NDArray
        Shape (L, S); no rows where there are none, or too many to look through.
    """
    n_reactions, n_species = stoichiometry.shape
    # What a reaction lets a sum fall by is counted as a species of its own: the rest is conserved.
    counted = np.hstack([stoichiometry, np.eye(n_reactions, dtype=np.int64)])
    rows = [row[:n_species] for row in _semipositive(counted, most) or []]
    return np.unique(np.array(rows, dtype=np.int64).reshape(-1, n_species), axis=0)


def _rank(rows: list[IntegerArray] | IntegerArray) -> int:
    return int(np.linalg.matrix_rank(np.array(rows)))


def _independent(candidates: list[IntegerArray], wanted: int) -> list[IntegerArray]:
    """Take candidates in order while they add to the space they span, at most ``wanted``."""
    chosen: list[IntegerArray] = []
    for law in candidates:
        if len(chosen) < wanted and _rank([*chosen, law]) > len(chosen):
            chosen.append(law // np.gcd.reduce(law))
    return chosen


def _null_space(stoichiometry: IntegerArray) -> list[IntegerArray]:
    """Exact null-space basis in integers, by Gauss and Jordan over the rationals."""
    rows = [[Fraction(int(value)) for value in row] for row in stoichiometry]
    n_species = stoichiometry.shape[1]
    pivots: list[int] = []
    for column in range(n_species):
        at = next((r for r in range(len(pivots), len(rows)) if rows[r][column]), None)
        if at is None:
            continue
        own = len(pivots)
        rows[own], rows[at] = rows[at], rows[own]
        rows[own] = [value / rows[own][column] for value in rows[own]]
        for r, row in enumerate(rows):
            if r != own and row[column]:
                factor = row[column]
                rows[r] = [x - factor * y for x, y in zip(row, rows[own], strict=True)]
        pivots.append(column)
    basis = []
    for free in (column for column in range(n_species) if column not in pivots):
        vector = [Fraction(int(column == free)) for column in range(n_species)]
        for row, column in zip(rows, pivots, strict=False):
            vector[column] = -row[free]
        denominator = lcm(*(value.denominator for value in vector))
        basis.append(np.array([int(value * denominator) for value in vector], dtype=np.int64))
    return basis


def _semipositive(
    stoichiometry: IntegerArray, most: int | None = None
) -> list[IntegerArray] | None:
    """Extreme rays of {w >= 0, stoichiometry w = 0}, sparsest first; None if too many to find."""
    # A row of the table pairs a non-negative combination of species with what reactions make of it.
    identity = np.eye(stoichiometry.shape[1], dtype=np.int64)
    table = list(zip(stoichiometry.T, identity, strict=True))
    for r in range(len(stoichiometry)):
        balanced = [row for row in table if row[0][r] == 0]
        gains = [row for row in table if row[0][r] > 0]
        losses = [row for row in table if row[0][r] < 0]
        for made, law in gains:
            for lost, other in losses:
                combined = -lost[r] * law + made[r] * other
                divisor = np.gcd.reduce(combined)
                net = -lost[r] * made + made[r] * lost
                balanced.append((net // divisor, combined // divisor))
        if most is not None and len(balanced) > 4 * most:
            return None
        table = _minimal(balanced)
        if most is not None and len(table) > most:
            return None
    return sorted((law for _, law in table), key=lambda law: (np.count_nonzero(law), law.sum()))


def _minimal(
    rows: list[tuple[IntegerArray, IntegerArray]],
) -> list[tuple[IntegerArray, IntegerArray]]:
    """Drop rows whose support contains another row's support."""
    supports = [frozenset(np.flatnonzero(law)) for _, law in rows]
    return [
        row
        for i, row in enumerate(rows)
        if not any(
            other < supports[i] or (other == supports[i] and j < i)
            for j, other in enumerate(supports)
        )
    ]
