"""Mass-action reaction networks: from text to stoichiometry, rate law and conservation laws.

One elementary step a line (or separated by ``;``), ``<=>`` reversible, ``->`` irreversible,
constants in parentheses at the end, ``#`` starts a comment, ``0`` stands for nothing; what else may
be written says `kinetlib.kinetics.notation`::

    S + cat <=> catS (k1, k-1)
    catS -> P + cat (k2)

Rates follow the law of mass action as written: ``k [A][B]``, and ``k [A]^2`` for ``2 A``, which
then loses ``A`` at ``2 k [A]^2``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics import notation
from kinetlib.kinetics.conservation import bounding_sums, conservation_laws

_DIGITS = re.compile(r"(\d+)")
# What LaTeX would take for a command within text.
_LATEX = {c: "\\" + c for c in "_#$%&{}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}


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
    held
        Species of constant concentration: they count in rates, and nothing changes them.
    """

    steps: tuple[tuple[Reaction, ...], ...]
    held: frozenset[str] = frozenset()

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
        """Net stoichiometry, shape (R, S): molecules of a species that a reaction makes.

        Columns of species that are held are 0.
        """
        net = self._matrix([r.products for r in self.reactions]) - self.orders
        net[:, [name in self.held for name in self.species]] = 0
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

    @cached_property
    def bounding_sums(self) -> NDArray[np.int64]:
        """Sums of concentrations that never rise, shape (L, S), see `conservation`."""
        return bounding_sums(self.stoichiometry)

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
        if self.held:
            held = (name for name in self.species if name in self.held)
            lines.append(f"constant: {notation.listed(held)}")
        return "\n".join(lines)


def parse(text: str) -> Network:
    """Read a reaction network from text that says nothing else.

    Constants that are not given are named by the step's number: ``k1``, ``k-1``, ``k2``, ...
    Text with numbers in it, of which a network would keep nothing, reads `kinetlib.mechanism`.

    Raises
    ------
    ValueError
        Malformed text; the message quotes the line and marks the place. Text that holds values, or
        that must be interpreted.

    Examples
    --------
    >>> network = parse("S + cat <=> catS; catS -> P + cat")
    >>> network.species
    ('S', 'cat', 'catS', 'P')
    >>> network.constants
    ('k1', 'k-1', 'k2')
    """
    written = notation.read(text)
    for lost in (*written.values, *written.remarks):
        raise ValueError(
            f"the text says more than a network holds, {lost!r}: kinetlib.mechanism(TEXT) keeps it"
        )
    return from_written(written)


def from_written(written: notation.Written) -> Network:
    """Make a network of steps that were read.

    Raises
    ------
    ValueError
        A species that is held and takes part in no step.
    """
    steps = []
    for step in written.steps:
        sides = (step.reactants, step.products)
        directions = (sides, sides[::-1])
        steps.append(
            tuple(
                Reaction(*side, name)
                for side, name in zip(directions, step.constants, strict=False)
            )
        )
    network = Network(tuple(steps), frozenset(written.held))
    for name in written.held:
        network.index(name)
    return network


def _side(side: dict[str, int]) -> str:
    names = ((notation.quoted(name), n) for name, n in side.items())
    return " + ".join(name if n == 1 else f"{n} {name}" for name, n in names) or "0"


def _latex_side(side: dict[str, int]) -> str:
    terms = [latex_species(s) if n == 1 else rf"{n}\,{latex_species(s)}" for s, n in side.items()]
    return " + ".join(terms) or r"\varnothing"


def latex_species(name: str) -> str:
    """Write a species in LaTeX: upright, digits as subscripts, stars and primes raised."""
    marks = {**_LATEX, "*": "$^{*}$", "'": "$'$"}
    parts = (p if p.isdigit() else "".join(marks.get(c, c) for c in p) for p in _DIGITS.split(name))
    return r"\text{" + "".join(f"$_{{{p}}}$" if p.isdigit() else p for p in parts) + "}"


def _latex_constant(name: str) -> str:
    """Write ``k-1`` as k with an index, any other name upright."""
    if name.startswith("k"):
        return rf"k_{{{_escaped(name[1:].lstrip('_'))}}}"
    return rf"\mathrm{{{_escaped(name)}}}"


def _escaped(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
