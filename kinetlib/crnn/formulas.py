"""Atoms of species, from their formulas: what no reaction may make or lose."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_ELEMENTS = frozenset(
    "H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se "
    "Br Kr Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Sm Eu Gd Tb Dy "
    "Ho Er Tm Yb Lu Hf Ta W Re Os Ir Pt Au Hg Tl Pb Bi Th U D".split()
)
_GROUPS = {
    "Me": {"C": 1, "H": 3},
    "Et": {"C": 2, "H": 5},
    "Bu": {"C": 4, "H": 9},
    "Ph": {"C": 6, "H": 5},
    "Bn": {"C": 7, "H": 7},
    "Ac": {"C": 2, "H": 3, "O": 1},
    "Bz": {"C": 7, "H": 5, "O": 1},
    "Ts": {"C": 7, "H": 7, "S": 1, "O": 2},
    "Ms": {"C": 1, "H": 3, "S": 1, "O": 2},
    "Tf": {"C": 1, "F": 3, "S": 1, "O": 2},
    "R": {"R": 1},
    "Ar": {"Ar": 1},  # an aryl rest, not argon: which of both does not matter to a balance
}
_TOKEN = re.compile(r"([A-Z][a-z]?)([0-9]*)|([(\[])|([)\]])([0-9]*)")
Formula = dict[str, int]


def formula(text: str) -> Formula:
    """Count the atoms of a formula such as ``CH3CO2H``, ``PhB(OH)2`` or ``AcOEt``.

    Raises
    ------
    ValueError
        If the text is none.
    """
    open_: list[Formula] = [{}]
    at, wrong = 0, f"{text!r} is no formula: expected symbols of elements with numbers, as C2H6O"
    while at < len(text):
        found = _TOKEN.match(text, at)
        symbol = found.group(1) if found else None
        if symbol and symbol not in _ELEMENTS and symbol not in _GROUPS:
            found = re.compile(r"([A-Z])([0-9]*)").match(text, at)  # CO: not cobalt's business
            symbol = found.group(1)
            if symbol not in _ELEMENTS and symbol not in _GROUPS:
                raise ValueError(wrong)
        if found is None:
            raise ValueError(wrong)
        at = found.end()
        if symbol:
            parts = _GROUPS.get(symbol, {symbol: 1})
            _add(open_[-1], parts, int(found.group(2) or 1))
        elif found.group(3):
            open_.append({})
        elif len(open_) > 1:
            _add(open_[-2], open_.pop(), int(found.group(5) or 1))
        else:
            raise ValueError(wrong)
    if len(open_) > 1 or not open_[0]:
        raise ValueError(wrong)
    return open_[0]


def _add(total: Formula, parts: Mapping[str, int], times: int) -> None:
    for symbol, number in parts.items():
        total[symbol] = total.get(symbol, 0) + times * number


def read_names(species: tuple[str, ...]) -> dict[str, Formula]:
    """Read names that are formulas: those of all species, or none.

    Letters alone, like A, B and C, are names, although some are symbols, too.
    """
    found: dict[str, Formula] = {}
    for name in species:
        try:
            found[name] = formula(name)
        except ValueError:
            return {}
    telling = sum(len(re.findall("[A-Z]", name)) > 1 or name[-1].isdigit() for name in species)
    one_letter = any(len(name) == 1 for name in species)
    return {} if one_letter or 2 * telling <= len(species) else found


def matrix(species: tuple[str, ...], atoms: Mapping[str, Formula]) -> NDArray[np.float64]:
    """Return the composition of species, shape (S, elements); NaN where there is no formula."""
    elements = sorted({symbol for own in atoms.values() for symbol in own})
    rows = [
        [float(atoms[name].get(symbol, 0)) if name in atoms else np.nan for symbol in elements]
        for name in species
    ]
    return np.array(rows).reshape(len(species), len(elements))
