"""What reactions must keep: atoms of formulas, masses that are given, sums that the data keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn import formulas
from kinetlib.crnn.conserved import kept_sums, tests_of, written
from kinetlib.crnn.library import Library, parts_among
from kinetlib.crnn.runs import Curves


@dataclass(frozen=True)
class Kept:
    """What no reaction changes.

    Attributes
    ----------
    composition
        Shape (S, elements), NaN for species of which nobody knows; or None.
    certain
        Whether it is known, from formulas; else the data suggest it.
    sums
        Sums that the data keep, as text.
    remarks
        What was decided, a sentence each.
    """

    composition: NDArray[np.float64] | None
    certain: bool
    sums: tuple[str, ...]
    remarks: tuple[str, ...]

    def library(
        self, species: tuple[str, ...], max_order: int, *, catalysts: bool, free: bool = False
    ) -> Library:
        """List the reactions that keep it; `free`, all of them."""
        if self.composition is None or free:
            return Library.all(species, max_order, catalysts=catalysts)
        known = np.isfinite(self.composition).all(1)
        if known.all():
            return Library.all(
                species, max_order, catalysts=catalysts, conserve=self.composition, fractions=True
            )
        library = Library.all(species, max_order, catalysts=catalysts)
        judged = ~(library.net[:, ~known] != 0).any(1)
        broken = (~np.isclose(library.net[:, known] @ self.composition[known], 0.0)).any(1)
        return library.where(~(judged & broken))


def parts_remark(n_species: int, max_order: int) -> tuple[str, ...]:
    """Say which parts of molecules are not looked for, because there are too many species."""
    lacking = {2: "halves", 3: "thirds"}
    for parts in parts_among(n_species, max_order):
        lacking.pop(parts)
    if not lacking:
        return ()
    names = " and ".join(lacking.values())
    return (f"Among {n_species} species {names} of molecules are not looked for.",)


def kept(
    curves: Curves,
    noise: float,
    *,
    conserve: NDArray[np.float64] | None = None,
    atoms: Mapping[str, str] | None = None,
    open_to: tuple[str, ...] = (),
) -> Kept:
    """Find what reactions keep.

    Parameters
    ----------
    curves, noise
        The data.
    conserve
        Composition of the species, where it is given as numbers, shape (S, elements).
    atoms
        Formulas by species, where some are given. Without any, names that are formulas are read.
    open_to
        Species that are held or fed: what they bring or take is not balanced.
    """
    species = curves.species
    for name in atoms or {}:
        if name not in species:
            raise ValueError(f"formula: {name!r} is no species of these runs: {', '.join(species)}")
    measured = ~curves.hidden
    sums = kept_sums(_only(curves, measured), noise)
    wide = np.zeros((len(sums), len(species)), dtype=np.int64)
    wide[:, measured] = sums
    texts = tuple(written(one, species) for one in wide)
    if conserve is not None:
        return Kept(_closed(conserve, species, open_to), True, texts, ())
    composition, remarks = _by_formulas(curves, noise, dict(atoms or {}))
    if composition is not None:
        return Kept(_closed(composition, species, open_to), True, texts, remarks)
    # A hidden species may take any part in a sum, and what is held is in none.
    if not len(sums) or curves.hidden.any() or open_to:
        return Kept(None, False, texts, remarks)
    return Kept(wide.T.astype(float), False, texts, remarks)


def _only(curves: Curves, which: NDArray[np.bool_]) -> Curves:
    return Curves(
        tuple(name for name, own in zip(curves.species, which, strict=True) if own),
        curves.time,
        curves.value[..., which],
        curves.initial[:, which],
        curves.start_known[which],
        background=None if curves.background is None else curves.background[which],
    )


def _by_formulas(
    curves: Curves, noise: float, given: dict[str, str]
) -> tuple[NDArray[np.float64] | None, tuple[str, ...]]:
    """Read formulas given, and names, alone only where the data keep their atoms."""
    species = curves.species
    if given:
        atoms = {name: formulas.formula(text) for name, text in given.items()}
        others = [name for name in species if name not in given]
        read, unknown = [], []
        for name in others:
            try:
                atoms[name] = formulas.formula(name)
                read.append(name)
            except ValueError:
                unknown.append(name)
        remarks = ()
        if read:
            remarks += (f"Read as formulas, too: {', '.join(read)}.",)
        if unknown:
            names = ", ".join(unknown)
            remarks += (f"No formula of {names}: reactions with them are not balanced.",)
        return formulas.matrix(species, atoms), remarks
    atoms = formulas.read_names(species)
    if not atoms:
        return None, ()
    composition = formulas.matrix(species, atoms)
    for test in tests_of(curves, noise):
        lost = ~test.kept(composition.T)
        if lost.any():
            elements = sorted({symbol for own in atoms.values() for symbol in own})
            names = ", ".join(np.array(elements)[lost])
            return None, (
                f"The names read as formulas, but the data do not keep {names}: something is not "
                "measured, or they are none. Reactions are not balanced; --formula says otherwise.",
            )
    return composition, ("Names are read as formulas, and reactions keep their atoms.",)


def _closed(
    composition: NDArray[np.float64], species: tuple[str, ...], open_to: tuple[str, ...]
) -> NDArray[np.float64]:
    """Leave out of a composition what species that are held may bring or take."""
    for name in open_to:
        own = composition[species.index(name)]
        if np.isfinite(own).all() and own.any():
            composition = composition - np.outer(composition @ own, own) / (own @ own)
    return composition
