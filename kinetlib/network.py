"""Mass-action reaction networks: text in; stoichiometry, rate law, Jacobian and conservation laws out.

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

import numpy as np
from numpy.typing import NDArray

_SPECIES = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[*'][A-Za-z0-9_]*)*")
_TERM = re.compile(rf"(?:(\d+)\s*)?({_SPECIES.pattern})")
_CONSTANTS = re.compile(r"\(([^()]*)\)\s*$")
_CONSTANT = re.compile(r"k-?[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Reaction:
    """One direction of an elementary step.

    ``reactants`` and ``products`` map species to molecularity; ``constant`` names the rate constant.
    """

    reactants: dict[str, int]
    products: dict[str, int]
    constant: str

    def __str__(self) -> str:
        return f"{_side(self.reactants)} -> {_side(self.products)} ({self.constant})"


@dataclass(frozen=True)
class Network:
    """A mass-action reaction network.

    Parameters
    ----------
    steps
        The elementary steps as written, each one reaction or a reversible pair.

    Attributes
    ----------
    species
        Names in order of appearance, length S.
    reactions
        One entry a direction, length R; a reversible step gives two.
    constants
        Names of the rate constants, one a reaction, length R.
    """

    steps: tuple[tuple[Reaction, ...], ...]

    @cached_property
    def reactions(self) -> tuple[Reaction, ...]:
        return tuple(reaction for step in self.steps for reaction in step)

    @cached_property
    def species(self) -> tuple[str, ...]:
        names = (
            name for r in self.reactions for side in (r.reactants, r.products) for name in side
        )
        return tuple(dict.fromkeys(names))

    @cached_property
    def constants(self) -> tuple[str, ...]:
        return tuple(reaction.constant for reaction in self.reactions)

    @cached_property
    def orders(self) -> NDArray[np.int64]:
        """Reaction orders, shape (R, S): molecules of a species that go into a reaction."""
        return self._matrix([r.reactants for r in self.reactions])

    @cached_property
    def stoichiometry(self) -> NDArray[np.int64]:
        """Net stoichiometry, shape (R, S): molecules of a species that a reaction makes."""
        return self._matrix([r.products for r in self.reactions]) - self.orders

    def _matrix(self, sides: list[dict[str, int]]) -> NDArray[np.int64]:
        return np.array([[side.get(s, 0) for s in self.species] for side in sides], dtype=np.int64)

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
        """Time derivative of the concentrations, shape (..., S)."""
        return self.rates(concentrations, constants) @ self.stoichiometry

    def jacobian(self, concentrations: NDArray, constants: NDArray) -> NDArray:
        """Derivative of `rhs` by the concentrations, shape (..., S, S), row = equation."""
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

        Notes
        -----
        The minimal semi-positive conservation laws come from the Fourier-Motzkin (Farkas) procedure
        of Schuster and Höfer, J. Chem. Soc. Faraday Trans. 87, 2561 (1991). Where they do not span
        the left null space, vectors of an exact rational null-space basis complete it.
        """
        return _conservation_laws(self.stoichiometry)

    def law_with(self, weights: dict[str, int]) -> NDArray[np.float64]:
        """Return the conserved sum with prescribed weights for some species, shape (S,).

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
        """Position of a species, or a ValueError that names the valid ones."""
        if species not in self.species:
            raise ValueError(
                f"unknown species {species!r}: this network has {', '.join(self.species)}"
            )
        return self.species.index(species)

    def latex_reactions(self) -> list[str]:
        """Steps in LaTeX, constants over and under the arrow."""
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
        """Differential equations in LaTeX, one a species."""
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
                        place.fail(
                            piece.find("("),
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

    def fail(self, offset: int, message: str) -> None:
        column = self.start + max(offset, 0)
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
        at = len(body) - len(body.lstrip())
        place.fail(at, "expected exactly one arrow, '->' or '<=>', between reactants and products")
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
        at = offset + len(term) - len(term.lstrip())
        match = _TERM.fullmatch(term.strip())
        if match is None:
            found = repr(term.strip()) if term.strip() else "nothing"
            place.fail(at, f"expected a species such as 'cat' or '2 cat', found {found}")
        number = int(match.group(1) or 1)
        if number == 0:
            place.fail(at, "a species cannot take part zero times")
        count[match.group(2)] += number
        offset += len(term) + 1
    return dict(count)


def _side(side: dict[str, int]) -> str:
    return " + ".join(s if n == 1 else f"{n} {s}" for s, n in side.items()) or "0"


def _latex_side(side: dict[str, int]) -> str:
    terms = [latex_species(s) if n == 1 else rf"{n}\,{latex_species(s)}" for s, n in side.items()]
    return " + ".join(terms) or r"\varnothing"


def latex_species(name: str) -> str:
    """Name of a species in LaTeX: upright, digits as subscripts, stars and primes raised."""
    text = re.sub(r"(\d+)", r"$_{\1}$", name.replace("_", r"\_"))
    text = text.replace("*", "$^{*}$").replace("'", "$'$")
    return rf"\text{{{text}}}"


def _latex_constant(name: str) -> str:
    return rf"k_{{{name[1:].lstrip('_')}}}"


def _conservation_laws(stoichiometry: NDArray[np.int64]) -> NDArray[np.int64]:
    from sympy import Matrix  # exact rational arithmetic; slow to import and rarely needed

    n_species = stoichiometry.shape[1]
    wanted = n_species - int(np.linalg.matrix_rank(stoichiometry))
    chosen: list[NDArray[np.int64]] = []
    candidates = [*_semipositive_laws(stoichiometry)]
    if len(candidates) < wanted or np.linalg.matrix_rank(np.array(candidates)) < wanted:
        for vector in Matrix(stoichiometry.tolist()).nullspace():
            denominator = np.lcm.reduce([int(x.q) for x in vector])
            candidates.append(np.array([int(x * denominator) for x in vector], dtype=np.int64))
    for law in candidates:
        if len(chosen) < wanted and np.linalg.matrix_rank(np.array([*chosen, law])) > len(chosen):
            chosen.append(law // np.gcd.reduce(law))
    return np.array(chosen, dtype=np.int64).reshape(wanted, n_species)


def _semipositive_laws(stoichiometry: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Extreme rays of {w >= 0, stoichiometry w = 0}, sparsest first."""
    n_species = stoichiometry.shape[1]
    table = [(column, unit) for column, unit in zip(stoichiometry.T, np.eye(n_species, dtype=int))]
    for r in range(len(stoichiometry)):
        kept = [row for row in table if row[0][r] == 0]
        plus = [row for row in table if row[0][r] > 0]
        minus = [row for row in table if row[0][r] < 0]
        for p in plus:
            for m in minus:
                a, b = -m[0][r], p[0][r]
                law = a * p[1] + b * m[1]
                divisor = np.gcd.reduce(law)
                kept.append(((a * p[0] + b * m[0]) // divisor, law // divisor))
        table = _minimal(kept)
    return sorted((law for _, law in table), key=lambda law: (np.count_nonzero(law), law.sum()))


def _minimal(rows: list[tuple[NDArray, NDArray]]) -> list[tuple[NDArray, NDArray]]:
    """Drop rows whose support contains another row's support."""
    supports = [frozenset(np.flatnonzero(law)) for _, law in rows]
    return [
        row
        for i, row in enumerate(rows)
        if not any(
            other < supports[i] or (other == supports[i] and j < i)
            for j, other in enumerate(supports)
            if j != i
        )
    ]
