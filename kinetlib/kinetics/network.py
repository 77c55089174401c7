"""Mass-action reaction networks: from text to stoichiometry, rate law and conservation laws.

One elementary step a line (or separated by ``;``), ``<=>`` reversible, ``->`` irreversible,
constants in parentheses at the end, ``#`` starts a comment, ``0`` stands for nothing::

    S + cat <=> catS (k1, k-1)
    catS -> P + cat (k2)

Rates follow the law of mass action as written: ``k [A][B]``, and ``k [A]^2`` for ``2 A``, which
then loses ``A`` at ``2 k [A]^2``.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.conservation import conservation_laws

_SPECIES = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[*'][A-Za-z0-9_]*)*")
_TERM = re.compile(rf"(?:([0-9]+)\s*)?({_SPECIES.pattern})")
_LARGEST_COEFFICIENT = 99  # a slip of the keyboard beyond it, and memory for nothing
_CONSTANTS = re.compile(r"\(([^()]*)\)\s*$")
_CONSTANT = re.compile(r"k-?[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Reaction:
    """One direction of an elementary step.

    ``reactants`` and ``products`` map species to molecularity; ``constant`` names the rate
    constant.
    """

    reactants: dict[str, int]
    products: dict[str, int]
    constant: str

    @property
    def equation(self) -> str:
        """The reaction without its constant, ``2 A -> B``."""
        return f"{_side(self.reactants)} -> {_side(self.products)}"

    def __str__(self) -> str:
        """Write the reaction as `parse` reads it."""
        return f"{self.equation} ({self.constant})"


@dataclass(frozen=True)
class Network:
    """A mass-action reaction network.

    Parameters
    ----------
    steps
        The elementary steps as written, each one reaction or a reversible pair.
    """

    steps: tuple[tuple[Reaction, ...], ...]

    @cached_property
    def reactions(self) -> tuple[Reaction, ...]:
        """Every direction of every step, length R."""
        return tuple(reaction for step in self.steps for reaction in step)

    @cached_property
    def species(self) -> tuple[str, ...]:
        """Names in order of appearance, length S."""
        names = (
            name for r in self.reactions for side in (r.reactants, r.products) for name in side
        )
        return tuple(dict.fromkeys(names))

    @cached_property
    def constants(self) -> tuple[str, ...]:
        """Names of the rate constants, one a reaction, length R."""
        return tuple(reaction.constant for reaction in self.reactions)

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Reaction orders, shape (R, S): molecules of a species that go into a reaction."""
        return self._matrix([r.reactants for r in self.reactions])

    @cached_property
    def stoichiometry(self) -> NDArray[np.int64]:
        """Net stoichiometry, shape (R, S): molecules of a species that a reaction makes."""
        net = self._matrix([r.products for r in self.reactions]) - self.orders
        net.flags.writeable = False
        return net

    def _matrix(self, sides: list[dict[str, int]]) -> NDArray[np.int64]:
        counts = [[side.get(name, 0) for name in self.species] for side in sides]
        matrix = np.array(counts, dtype=np.int64)
        matrix.flags.writeable = False
        return matrix

    def rates(self, concentrations: NDArray, constants: NDArray) -> NDArray:
        """Reaction rates.

        Parameters
        ----------
        concentrations
            Shape (..., S).
        constants
            Shape (..., R), in the order of `constants`.

        Returns
        -------
        NDArray
            Shape (..., R), concentration per time.
        """
        c = np.asarray(concentrations, dtype=float)[..., None, :]
        return np.asarray(constants, dtype=float) * np.prod(c**self.orders, axis=-1)

    def rhs(self, concentrations: NDArray, constants: NDArray) -> NDArray:
        """Return the time derivative of the concentrations, shape (..., S)."""
        return self.rates(concentrations, constants) @ self.stoichiometry

    def jacobian(self, concentrations: NDArray, constants: NDArray) -> NDArray:
        """Differentiate `rhs` by the concentrations: shape (..., S, S), row = equation."""
        c = np.asarray(concentrations, dtype=float)
        k = np.asarray(constants, dtype=float)
        columns = []
        for j in range(len(self.species)):
            reduced = self.orders.copy()
            reduced[:, j] = np.maximum(reduced[:, j] - 1, 0)
            slope = k * self.orders[:, j] * np.prod(c[..., None, :] ** reduced, axis=-1)
            columns.append(slope @ self.stoichiometry)
        return np.stack(columns, axis=-1)

    def conservation_laws(self) -> NDArray[np.int64]:
        """Find the conserved sums of concentrations.

        Returns
        -------
        NDArray
            Shape (L, S), L = S - rank of the stoichiometry. ``laws @ c`` is constant in time. All
            entries are integers without a common divisor, and non-negative where the network admits
            a basis of such laws.

        Examples
        --------
        >>> network = parse("S + cat <=> catS; catS -> P + cat")
        >>> for law in network.conservation_laws():
        ...     print(" + ".join(s for s, n in zip(network.species, law, strict=True) if n))
        cat + catS
        S + catS + P
        """
        return conservation_laws(self.stoichiometry)

    def law_with(self, weights: dict[str, int]) -> NDArray[np.float64]:
        """Return the conserved sum with prescribed weights for some species, shape (S,).

        Weights are whole numbers or fractions of them; species that are not named get what the
        conservation asks for.

        Raises
        ------
        ValueError
            If the weights leave no such conserved sum, or more than one.
        """
        laws = self.conservation_laws().astype(float)
        at = [self.index(name) for name in weights]
        wanted = np.array(list(weights.values()), dtype=float)
        mixture, _, rank, _ = np.linalg.lstsq(laws[:, at].T, wanted, rcond=None)
        if rank < len(laws) or not np.allclose(laws[:, at].T @ mixture, wanted):
            raise ValueError(
                f"no single conserved sum has the weights {weights}: the conservation laws of "
                f"{self.species} are {self.conservation_laws().tolist()}"
            )
        return np.round(mixture @ laws, 12) + 0.0  # small fractions stay, -0.0 and rounding go

    def index(self, species: str) -> int:
        """Return the position of a species; a ValueError names the valid ones."""
        if species not in self.species:
            raise ValueError(
                f"unknown species {species!r}: this network has {', '.join(self.species)}"
            )
        return self.species.index(species)

    def latex_reactions(self) -> list[str]:
        """Write the steps in LaTeX, constants over and under the arrow."""
        lines = []
        for step in self.steps:
            over = _latex_constant(step[0].constant)
            arrow = rf"\xrightarrow{{{over}}}"
            if len(step) == 2:
                arrow = rf"\underset{{{_latex_constant(step[1].constant)}}}"
                arrow += rf"{{\overset{{{over}}}{{\rightleftharpoons}}}}"
            lines.append(
                f"{_latex_side(step[0].reactants)} {arrow} {_latex_side(step[0].products)}"
            )
        return lines

    def latex_odes(self) -> list[str]:
        """Write the differential equations in LaTeX, one a species."""
        lines = []
        for j, name in enumerate(self.species):
            terms = []
            for r, reaction in enumerate(self.reactions):
                net = self.stoichiometry[r, j]
                if net:
                    factor = "" if abs(net) == 1 else f"{abs(net)}\\,"
                    powers = "".join(
                        rf"[{latex_species(s)}]" + (f"^{{{n}}}" if n > 1 else "")
                        for s, n in reaction.reactants.items()
                    )
                    sign = "-" if net < 0 else "+"
                    terms.append(f"{sign} {factor}{_latex_constant(reaction.constant)}{powers}")
            right = " ".join(terms).removeprefix("+ ") or "0"
            lines.append(rf"\frac{{d[{latex_species(name)}]}}{{dt}} = {right}")
        return lines

    def __str__(self) -> str:
        """Write the network as `parse` reads it, one step a line."""
        lines = []
        for step in self.steps:
            arrow = "<=>" if len(step) == 2 else "->"
            constants = ", ".join(reaction.constant for reaction in step)
            forward = step[0]
            sides = f"{_side(forward.reactants)} {arrow} {_side(forward.products)}"
            lines.append(f"{sides} ({constants})")
        return "\n".join(lines)


def parse(text: str) -> Network:
    """Read a reaction network from text.

    Constants that are not given are named by the step's number: ``k1``, ``k-1``, ``k2``, ...

    Raises
    ------
    ValueError
        Malformed text; the message quotes the line and marks the place.

    Examples
    --------
    >>> network = parse("S + cat <=> catS; catS -> P + cat")
    >>> network.species
    ('S', 'cat', 'catS', 'P')
    >>> network.constants
    ('k1', 'k-1', 'k2')
    """
    steps: list[tuple[Reaction, ...]] = []
    used: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        code = line.split("#", 1)[0]
        start = 0
        for piece in code.split(";"):
            if piece.strip():
                place = _Place(line, number, start)
                step = _parse_step(piece, place, default=len(steps) + 1)
                for reaction in step:
                    if reaction.constant in used:
                        named = "(" in piece
                        place.fail(
                            piece.index("(") if named else _indent(piece),
                            f"the constant {reaction.constant!r} already belongs to step "
                            f"{used[reaction.constant]}; give every direction its own",
                        )
                    used[reaction.constant] = len(steps) + 1
                steps.append(step)
            start += len(piece) + 1
    if not steps:
        raise ValueError("no reaction in the text: write at least one step such as 'A -> B (k1)'")
    return Network(tuple(steps))


@dataclass(frozen=True)
class _Place:
    """Where a piece of text stands, so that an error can point at it."""

    line: str
    number: int
    start: int

    def fail(self, offset: int, message: str) -> NoReturn:
        column = self.start + offset
        raise ValueError(
            f"line {self.number}, column {column + 1}: {message}\n"
            f"    {self.line}\n    {' ' * column}^"
        )


def _parse_step(piece: str, place: _Place, default: int) -> tuple[Reaction, ...]:
    named = _CONSTANTS.search(piece)
    body = piece[: named.start()] if named else piece
    reversible = "<=>" in body
    arrow = "<=>" if reversible else "->"
    if body.count(arrow) != 1 or (reversible and "->" in body):
        place.fail(
            _indent(body),
            "expected exactly one arrow, '->' or '<=>', between reactants and products",
        )
    left, right = body.split(arrow)
    reactants = _parse_side(left, place, 0)
    products = _parse_side(right, place, len(left) + len(arrow))
    if reactants == products:
        place.fail(len(left), "reactants and products are the same: nothing would happen")
    names = _parse_constants(named, place, reversible, default)
    forward = Reaction(reactants, products, names[0])
    if not reversible:
        return (forward,)
    return (forward, Reaction(products, reactants, names[1]))


def _parse_constants(
    named: re.Match[str] | None, place: _Place, reversible: bool, default: int
) -> list[str]:
    wanted = 2 if reversible else 1
    if named is None:
        return [f"k{default}", f"k-{default}"][:wanted]
    names = [name.strip() for name in named.group(1).split(",")]
    if len(names) != wanted:
        kind = "a reversible step has two constants" if reversible else "'->' has one constant"
        place.fail(named.start(), f"{kind}, here are {len(names)}")
    for name in names:
        if not _CONSTANT.fullmatch(name):
            place.fail(
                named.start(),
                f"{name!r} is no name of a constant: write k1, k-1, k_cat or the like",
            )
    return names


def _parse_side(side: str, place: _Place, start: int) -> dict[str, int]:
    count: Counter[str] = Counter()
    if side.strip() == "0":
        return {}
    offset = start
    for term in side.split("+"):
        at = offset + _indent(term)
        found = term.strip()
        match = _TERM.match(found)
        fits = match.end() if match else 0
        if match is None or fits < len(found):
            place.fail(
                at + fits + _indent(found[fits:]),
                "expected a species such as 'cat' or '2 cat', found "
                + (repr(found) if found else "nothing"),
            )
        number = int(match.group(1) or 1)
        if not 1 <= number <= _LARGEST_COEFFICIENT:
            place.fail(at, f"expected a number of molecules from 1 to {_LARGEST_COEFFICIENT}")
        count[match.group(2)] += number
        offset += len(term) + 1
    return dict(count)


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _side(side: dict[str, int]) -> str:
    return " + ".join(s if n == 1 else f"{n} {s}" for s, n in side.items()) or "0"


def _latex_side(side: dict[str, int]) -> str:
    terms = [latex_species(s) if n == 1 else rf"{n}\,{latex_species(s)}" for s, n in side.items()]
    return " + ".join(terms) or r"\varnothing"


def latex_species(name: str) -> str:
    """Write a species in LaTeX: upright, digits as subscripts, stars and primes raised."""
    text = re.sub(r"(\d+)", r"$_{\1}$", name.replace("_", r"\_"))
    text = text.replace("*", "$^{*}$").replace("'", "$'$")
    return rf"\text{{{text}}}"


def _latex_constant(name: str) -> str:
    return rf"k_{{{name[1:].lstrip('_')}}}"
