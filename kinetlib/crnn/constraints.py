"""What a chemist knows beforehand: reactions that must or must not be there, and species' parts."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.library import Library

_ARROW = re.compile(r"\s*(<=>|<->|⇌|⇄|->|→|⟶)\s*")
_CONSTANT = re.compile(r"\s*[({]([^(){}]*)[)}]\s*$")
_NUMBER = re.compile(r"\s*([0-9]+(?:[./][0-9]+)?|[½⅓⅔])\s*")
_WRITTEN = {"½": "1/2", "⅓": "1/3", "⅔": "2/3"}
_MOST = 99


@dataclass(frozen=True)
class OwnReaction:
    """A reaction as someone wrote it.

    ``reactants`` and ``net`` have shape (S,); ``constant`` is that given, in the units of the runs,
    or None.
    """

    reactants: NDArray[np.int64]
    net: NDArray
    constant: float | None = None


@dataclass(frozen=True)
class Constraints:
    """What reactions there may be.

    Attributes
    ----------
    require
        Reactions that are there: text, as `reactions` reads it. A constant that is given,
        ``A -> B (k = 0.3)`` in the units of the runs, is known and not fitted.
    forbid
        Reactions that are not: text.
    catalysts
        Species that no reaction uses up or makes.
    constant
        Species that are held or fed so that they stay as they are: the same, and no balance counts
        them.
    one_way
        Whether no reaction goes both ways.
    """

    require: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    catalysts: tuple[str, ...] = ()
    constant: tuple[str, ...] = ()
    one_way: bool = False

    def refuse_unknown(self, species: tuple[str, ...]) -> None:
        """Refuse species that are not there, and reactions both required and forbidden."""
        for name in (*self.catalysts, *self.constant):
            if name not in species:
                raise ValueError(f"{name!r} is no species of these runs: {', '.join(species)}")
        wanted, unwanted = self.required(species), self._forbidden(species)
        for one in wanted:
            if any(_same(one, other) for other in unwanted):
                raise ValueError("a reaction is both required and forbidden: give one of both")

    def required(self, species: tuple[str, ...]) -> list[OwnReaction]:
        """Read what is required."""
        return [one for text in self.require for one in reactions(text, species)]

    def _forbidden(self, species: tuple[str, ...]) -> list[OwnReaction]:
        return [one for text in self.forbid for one in reactions(text, species)]

    def applied(self, library: Library) -> tuple[Library, dict[int, float | None]]:
        """Leave reactions out of a library and put others in.

        Returns
        -------
        Library, dict
            What may be chosen; and which must, by number, with the constant where it is known.

        Raises
        ------
        ValueError
            If nothing is left.
        """
        species = library.species
        kept = np.ones(len(library), dtype=bool)
        for name in (*self.catalysts, *self.constant):
            kept &= library.net[:, species.index(name)] == 0
        for one in self._forbidden(species):
            number = library.place(one.reactants, one.net)
            if number is not None:
                kept[number] = False
        wanted = self.required(species)
        if not kept.any() and not wanted:
            raise ValueError("no reaction is left: allow more of what is forbidden or constant")
        library = library.where(kept)
        for one in wanted:
            library = library.having(one.reactants, one.net)
        return library, {library.place(one.reactants, one.net): one.constant for one in wanted}

    def in_units(self, time: float, concentration: float) -> Constraints:
        """Return the same with constants as runs in other units have them: nothing is text then."""
        return self if not self.require else _Scaled(**vars(self), units=(time, concentration))


@dataclass(frozen=True)
class _Scaled(Constraints):
    units: tuple[float, float] = (1.0, 1.0)

    def required(self, species: tuple[str, ...]) -> list[OwnReaction]:
        time, unit = self.units
        return [
            one
            if one.constant is None
            else replace(
                one, constant=one.constant * time * unit ** (float(one.reactants.sum()) - 1)
            )
            for one in super().required(species)
        ]


def _same(one: OwnReaction, other: OwnReaction) -> bool:
    return bool((one.reactants == other.reactants).all() and np.allclose(one.net, other.net))


def reactions(text: str, species: tuple[str, ...]) -> list[OwnReaction]:
    """Read reactions among species, one a line or separated by semicolons.

    Names are those of the species, whatever they hold; ``1/2 O2`` may come out. Reversible steps
    are two reactions. Constants follow in parentheses: ``(k = 0.3)``, ``(0.3)``, or a name, which
    says nothing.

    Raises
    ------
    ValueError
        What is no reaction of these species.
    """
    found: list[OwnReaction] = []
    for line in text.splitlines():
        for piece in line.split("#")[0].split(";"):
            if piece.strip():
                found += _step(piece.strip(), species)
    if not found:
        raise ValueError("no reaction in the text: write at least one such as 'A -> B'")
    return found


def _step(text: str, species: tuple[str, ...]) -> list[OwnReaction]:
    body, constants = text, [None, None]
    tail = _CONSTANT.search(text)
    if tail and not any(text.rstrip().endswith(name) for name in species):
        body = text[: tail.start()]
        given = [_number_of(part, text) for part in tail.group(1).split(",")]
        constants = [*given, None, None][:2]
    sides = _ARROW.split(body)
    if len(sides) != 3:
        raise ValueError(f"{text!r}: expected one arrow, '->' or '<=>', between two sides")
    left, right = _side(sides[0], species, text), _side(sides[2], species, text)
    if np.allclose(left, right):
        raise ValueError(f"{text!r}: both sides are the same, so nothing would happen")
    both = [(left, right)] + ([(right, left)] if sides[1] not in ("->", "→", "⟶") else [])
    for before, _ in both:
        if not np.allclose(before, np.round(before)):
            raise ValueError(
                f"{text!r}: whole numbers of molecules react, parts of one may only come out"
            )
    return [
        OwnReaction(np.round(before).astype(np.int64), after - before, constant)
        for (before, after), constant in zip(both, constants, strict=False)
    ]


def _number_of(text: str, whole: str) -> float | None:
    value = text.rpartition("=")[2].strip()
    try:
        number = float(value)
    except ValueError:
        return None
    if not 0 < number < np.inf:
        raise ValueError(f"{whole!r}: expected a constant above 0, got {value}")
    return number


def _side(text: str, species: tuple[str, ...], whole: str) -> NDArray[np.float64]:
    """Read molecules; the longest name that fits is meant."""
    count, rest = np.zeros(len(species)), text.strip()
    if rest in ("0", "∅"):
        return count
    names = sorted(species, key=len, reverse=True)
    while True:
        rest, number = rest.strip(), Fraction(1)
        name = next((one for one in names if _begins(rest, one)), None)
        if name is None and (match := _NUMBER.match(rest)):
            number = Fraction(_WRITTEN.get(match.group(1), match.group(1)))
            rest = rest[match.end() :]
            name = next((one for one in names if _begins(rest, one)), None)
        if name is None or not 0 < number <= _MOST:
            raise ValueError(
                f"{whole!r}: expected a species at {rest or 'the end'!r}; these runs have "
                f"{', '.join(species)}"
            )
        count[species.index(name)] += float(number)
        rest = rest[len(name) :].strip()
        if not rest:
            return count
        rest = rest.removeprefix("+")


def _begins(text: str, name: str) -> bool:
    after = text[len(name) :].lstrip()
    return text.startswith(name) and (not after or after.startswith("+"))
