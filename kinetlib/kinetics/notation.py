"""How reactions are written: from a chemist's text to steps, names and numbers.

One elementary step a line, or separated by ``;``::

    S + cat <=> catS (k1, k-1)      # binding; reversible steps have two constants
    catS -> P + cat (k2 = 0.3)      # a value beside a constant
    "benzyl alcohol" + $H2O → 4-MeO-BnOH
    A -> 0
    k1 = 12
    S = 0.5

``->``, ``=>``, ``→``, ``⟶``, ``⇒`` are irreversible, ``<=>``, ``<->``, ``⇌``, ``⇄``, ``↔``, ``=``
reversible; ``0`` and ``∅`` stand for nothing. A name is a word that holds a letter; what could be
read in two ways stands in double quotes. ``$`` before a species, or a line ``constant: H2O``, holds
its concentration. ``name = number`` gives a rate constant or an initial concentration.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NoReturn

_LARGEST_COEFFICIENT = 99  # a slip of the keyboard beyond it, and memory for nothing
_NOTHING = ("0", "∅", "Ø")
_REVERSIBLE = r"<[-–−=]+>|[⇌⇋⇄⇆↔⟷⇔]"
_FORWARD = r"[-–−=]+>|[→⟶⇒⟹⇀]"
_ARROW = re.compile(rf"(?P<both>{_REVERSIBLE})|(?P<one>{_FORWARD})|(?P<equals>=)")
_QUOTED = re.compile(r'["“”][^"“”]+["“”]')
# A number of molecules is told from the locant of a name (4-MeO, 2,6-lutidine) by what follows it.
_NUMBER = re.compile(r"([0-9]+(?:[./,][0-9]+)?|[½⅓⅔¼¾])(?:\s+|(?=[^\W\d]|[\"“$\[(]))")
_WRITTEN_FRACTIONS = {"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4"}
_NAME = re.compile(r"(?=[^\s]*[^\W\d_])[\w\[(•][\w*'′’\-.,()\[\]:/^~|•·‡†°]*\+*")
_CONSTANTS = re.compile(r"\(([^()]*)\)\s*$")
_CONSTANT = re.compile(r"[^\W\d]\w*(?:-\w+)?|k-\w+")
_OF_CONSTANTS = re.compile(r"\s*k[-\w]*\s*(?:[,=].*)?")  # in parentheses that touch a name
_VALUE = re.compile(r'\s*(?P<name>["“][^"“”]*["”]|[^\s=<>;"]+)\s*=\s*(?P<value>[^=<>]+?)\s*')
_NUMERAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_SHOWN = 80  # letters of a line that an error points into

# What stands after a number and is a unit, not a species: M, mol/L, 1/s, min^-1, L/(mol s).
_UNITS = re.compile(
    r"[0-9.eE+-]+\s*(?:[mµμun]?M|m?mol|m?s|sec|min|h|hr|day|1/)(?=$|[\s/^*·⋅-])[^+]*|[0-9.eE+-]+\s*%"
)
_HELD = re.compile(r"\s*(?:constant|const|fixed)(?:\s*:|\s)\s*(?P<names>.+)")


@dataclass(frozen=True)
class Step:
    """An elementary step: molecules by species, and one constant, or two of a reversible one."""

    reactants: dict[str, int]
    products: dict[str, int]
    constants: tuple[str, ...]


@dataclass
class Written:
    """What a text says.

    Attributes
    ----------
    steps
        In their order.
    held
        Species of constant concentration.
    values
        Numbers given to names: rate constants or initial concentrations.
    remarks
        What was decided in reading, a sentence each.
    """

    steps: list[Step] = field(default_factory=list)
    held: list[str] = field(default_factory=list)
    values: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def quoted(name: str) -> str:
    """Write a name as `read` reads it: bare where it can only be read as one."""
    if not name.isprintable() or re.search('["“”]', name) or not name.strip():
        raise ValueError(f"{name!r} cannot be written: expected a name on one line, without quotes")
    bare = _is_name(name) and not _NUMBER.match(name) and name not in _NOTHING
    return name if bare and not _CONSTANTS.search(name) else f'"{name}"'


def listed(names: Iterable[str]) -> str:
    """Write names in a line, those with a comma in quotes."""
    return ", ".join(f'"{name}"' if "," in name else quoted(name) for name in names)


def is_constant(text: str) -> bool:
    """Tell whether a text may be the name of a rate constant."""
    return bool(_CONSTANT.fullmatch(text))


def _is_name(text: str) -> bool:
    """Tell whether a text is a name that needs no quotes."""
    pairs = (("(", ")"), ("[", "]"))
    return bool(_NAME.fullmatch(text)) and all(text.count(a) == text.count(b) for a, b in pairs)


def read(text: str) -> Written:
    """Read steps, names and numbers from text.

    Raises
    ------
    ValueError
        Malformed text; the message quotes the line and marks the place.

    Examples
    --------
    >>> written = read("H2 + 0.5 O2 -> H2O (k1 = 0.3)")
    >>> written.steps[0].reactants, written.values
    ({'H2': 2, 'O2': 1}, {'k1': 0.3})
    >>> written.remarks
    ['line 1: multiplied by 2 for whole numbers of molecules; its rate is k1 [H2]^2 [O2]']
    """
    written, owner = Written(), {}
    for number, line in enumerate(text.splitlines(), start=1):
        start = 0
        for piece in _pieces(line):
            if piece.strip():
                _read_piece(piece, _Place(line, number, start), written, owner)
            start += len(piece) + 1
    if not written.steps:
        raise ValueError("no reaction in the text: write at least one step such as 'A -> B (k1)'")
    _remark_on_case(written)
    written.held = list(dict.fromkeys(written.held))
    return written


def _pieces(line: str) -> list[str]:
    """Split a line at semicolons and leave its comment out, neither of them within quotes."""
    masked = _masked(line)
    end = masked.find("#")
    ends = [m.start() for m in re.finditer(";", masked[: end if end >= 0 else None])]
    edges = [-1, *ends, end if end >= 0 else len(line)]
    return [line[a + 1 : b] for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _masked(text: str) -> str:
    """Put letters in place of what stands in quotes, so that no mark is found there."""
    return _QUOTED.sub(lambda match: '"' + "x" * (len(match.group()) - 2) + '"', text)


@dataclass(frozen=True)
class _Place:
    """Where a piece of text stands, so that an error can point at it."""

    line: str
    number: int
    start: int

    def fail(self, offset: int, message: str) -> NoReturn:
        column = self.start + offset
        first = max(0, column - _SHOWN // 2)
        part = "".join(c if c.isprintable() else " " for c in self.line[first : first + _SHOWN])
        raise ValueError(
            f"line {self.number}, column {column + 1}: {message}\n"
            f"    {part}\n    {' ' * (column - first)}^"
        )


def _read_piece(piece: str, place: _Place, written: Written, owner: dict[str, int]) -> None:
    """Read a step, a value or the names of species that are held."""
    held = _HELD.fullmatch(piece)
    if held and not _ARROW.search(_masked(piece)):
        names = held.group("names")
        commas = [m.start() for m in re.finditer(",", _masked(names))]
        for a, b in zip([-1, *commas], [*commas, len(names)], strict=True):
            written.held.append(_one_name(names[a + 1 : b], place, held.start("names")))
        return
    value = _VALUE.fullmatch(piece)
    if value and re.match("[0-9.]", value.group("value")):
        if _NUMERAL.fullmatch(value.group("value")) or _UNITS.fullmatch(value.group("value")):
            _take_value(value, place, written)
            return
    step = _Reader(piece, place, written).step(default=len(written.steps) + 1)
    for constant in step.constants:
        if constant in owner:
            at = piece.rindex("(") if piece.rstrip().endswith(")") else _indent(piece)
            place.fail(
                at,
                f"the constant {constant!r} already belongs to step {owner[constant]}; give every "
                "direction its own",
            )
        owner[constant] = len(written.steps) + 1
    written.steps.append(step)


def _take_value(value: re.Match[str], place: _Place, written: Written) -> None:
    name, given = value.group("name").strip('"“”'), value.group("value")
    if given in _NOTHING:
        place.fail(
            value.start("name"),
            f"{name} = {given} may be a reaction or a value; write {name} <=> {given} for the "
            f"first, {name} = {given}.0 for the second",
        )
    _keep(name.replace("−", "-"), given, place, value.start("value"), written)


def _keep(name: str, given: str, place: _Place, at: int, written: Written) -> None:
    number = float(given) if _NUMERAL.fullmatch(given) else math.nan
    if not 0 <= number < math.inf:
        place.fail(
            at, f"{name}: expected a number that is not negative, without a unit, got {given!r}"
        )
    if written.values.get(name, number) != number:
        place.fail(at, f"{name} has two values, {written.values[name]!r} and {number!r}")
    written.values[name] = number


def _one_name(text: str, place: _Place, at: int) -> str:
    name = text.strip()
    if _QUOTED.fullmatch(name) and len(name) > 2:
        return name[1:-1]
    if not _is_name(name):
        place.fail(at, f"expected the name of a species, found {name!r}")
    return name


class _Reader:
    """Reads one step.

    Parameters
    ----------
    piece, place
        Its text, and where that stands.
    written
        What takes values, held species and remarks.
    """

    def __init__(self, piece: str, place: _Place, written: Written) -> None:
        self._piece, self._place, self._written = piece, place, written

    def step(self, default: int) -> Step:
        """Read it; constants without a name are called by its number, `default`."""
        named = self._constants_at()
        body = self._piece[: named.start()] if named else self._piece
        arrow = self._arrow(body)
        left = self._side(body[: arrow.start()], 0)
        right = self._side(body[arrow.end() :], arrow.end())
        reversible = arrow.lastgroup != "one"
        constants = self._constants(named, reversible, default)
        left, right = self._whole(left, right, constants)
        if left == right:
            self._place.fail(
                arrow.start(), "reactants and products are the same: nothing would happen"
            )
        if arrow.lastgroup == "equals":
            self._remark(f"'=' is read as reversible, with the constants {', '.join(constants)}")
        return Step(left, right, constants)

    def _remark(self, text: str) -> None:
        self._written.remarks.append(f"line {self._place.number}: {text}")

    def _constants_at(self) -> re.Match[str] | None:
        """Find the constants; parentheses that touch a name belong to it, but for k's: Fe(III)."""
        found = _CONSTANTS.search(self._piece)
        touches = found and not self._piece[: found.start()].endswith((" ", "\t", '"', "”"))
        return None if touches and not _OF_CONSTANTS.fullmatch(found.group(1)) else found

    def _arrow(self, body: str) -> re.Match[str]:
        arrows = list(_ARROW.finditer(_masked(body)))
        if len(arrows) != 1:
            self._place.fail(
                _indent(body),
                "expected exactly one arrow, such as '->' or '<=>', between reactants and products",
            )
        return arrows[0]

    def _constants(
        self, named: re.Match[str] | None, reversible: bool, default: int
    ) -> tuple[str, ...]:
        defaults = (f"k{default}", f"k-{default}")[: 2 if reversible else 1]
        if named is None:
            return defaults
        given = named.group(1).split(",")
        if len(given) != len(defaults):
            kind = "a reversible step has two constants" if reversible else "'->' has one constant"
            self._place.fail(named.start(), f"{kind}, here are {len(given)}")
        names = []
        for entry, usual in zip(given, defaults, strict=True):
            name, sign, value = (part.strip() for part in entry.partition("="))
            name = name.replace("−", "-").replace("–", "-")
            if not sign and _NUMERAL.fullmatch(name):
                name, sign, value = usual, "=", name
                self._remark(f"{value} is read as the value of {name}")
            if not _CONSTANT.fullmatch(name):
                self._place.fail(
                    named.start(),
                    f"{name!r} is no name of a constant: write k1, k-1, k_cat or the like",
                )
            if sign:
                _keep(name, value, self._place, named.start(), self._written)
            names.append(name)
        return tuple(names)

    def _side(self, side: str, start: int) -> dict[str, Fraction]:
        """Read the molecules of a side, which begins at `start` of the piece."""
        count: Counter[str] = Counter()
        if side.strip() in _NOTHING:
            return {}
        for at, term in _terms(side):
            name, number = self._molecules(term, start + at)
            count[name] += number
        return dict(count)

    def _molecules(self, term: str, start: int) -> tuple[str, Fraction]:
        at, found = start + _indent(term), term.strip()
        match = _NUMBER.match(found)
        number, fits = Fraction(1), 0
        if match:
            number, fits = self._number(match.group(1), at), match.end()
        held = found[fits : fits + 1] == "$"
        fits += held
        name = _QUOTED.match(found, fits) or _NAME.match(found, fits)
        whole = name is not None and name.end() == len(found)
        if not whole or not (_QUOTED.fullmatch(name.group()) or _is_name(name.group())):
            fits = name.end() if name else fits
            self._place.fail(
                at + fits + _indent(found[fits:]),
                "expected a species such as 'cat', '2 cat' or '\"two words\"', found "
                + (repr(found) if found else "nothing"),
            )
        plain = name.group().strip('"“”')
        if match and match.end(1) == match.end() and match.group(1).isdecimal():
            self._remark_on_glued(found, match.group(1), plain)
        if held:
            self._written.held.append(plain)
        return plain, number

    def _number(self, text: str, at: int) -> Fraction:
        written = _WRITTEN_FRACTIONS.get(text, text.replace(",", "."))
        if not written.endswith("/0"):
            number = Fraction(written)
            if 0 < number <= _LARGEST_COEFFICIENT:
                return number
        self._place.fail(at, f"expected a number of molecules from 1 to {_LARGEST_COEFFICIENT}")

    def _remark_on_glued(self, found: str, number: str, name: str) -> None:
        odd = name[:1].islower() or name[1:2] == "-" or int(number) > 9
        if odd and '"' not in found:
            self._remark(
                f"{found!r} is read as {number} molecules of {name!r}; a compound of that name is "
                f'written "{found}"'
            )

    def _whole(
        self, left: dict[str, Fraction], right: dict[str, Fraction], constants: tuple[str, ...]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """Multiply a step until its molecules are whole, and say what its rate is then."""
        factor = math.lcm(*(n.denominator for n in (*left.values(), *right.values())))
        sides = tuple({name: int(n * factor) for name, n in side.items()} for side in (left, right))
        if max([0, *sides[0].values(), *sides[1].values()]) > _LARGEST_COEFFICIENT:
            self._place.fail(
                _indent(self._piece),
                f"whole numbers of molecules would be over {_LARGEST_COEFFICIENT}; write the step "
                "with whole numbers",
            )
        if factor > 1:
            names = " and ".join(map(rate_in_words, constants, sides))
            rate = f"multiplied by {factor} for whole numbers of molecules; its rate is {names}"
            if all(n.denominator == 1 for n in left.values()):
                plain = {name: int(n) for name, n in left.items()}
                rate += (
                    f", not {rate_in_words(constants[0], plain)}; for that write steps of whole "
                    "numbers that share the constant out"
                )
            self._remark(rate)
        return sides


def rate_in_words(constant: str, reactants: dict[str, int]) -> str:
    """Write the rate of mass action: ``k1 [H2]^2 [O2]``."""
    powers = (f"[{name}]" + (f"^{n}" if n > 1 else "") for name, n in reactants.items())
    return " ".join([constant, *powers])


def _terms(side: str) -> list[tuple[int, str]]:
    """Split a side at its plus signs, but for those of charges: ``H+ + OH-``, ``Cu2+``."""
    masked = _masked(side)
    charges = [m.span() for m in re.finditer(r"(?<=[^\s+])\++(?=\s+\+|\s*$)", masked)]
    signs = [
        m.start()
        for m in re.finditer(r"\+", masked)
        if not any(first <= m.start() < last for first, last in charges)
    ]
    edges = [-1, *signs, len(side)]
    return [(a + 1, side[a + 1 : b]) for a, b in zip(edges[:-1], edges[1:], strict=True)]


def _remark_on_case(written: Written) -> None:
    names = {name for step in written.steps for name in (*step.reactants, *step.products)}
    alike: dict[str, list[str]] = {}
    for name in sorted(names):
        alike.setdefault(name.casefold(), []).append(name)
    for group in alike.values():
        if len(group) > 1:
            written.remarks.append(f"{' and '.join(group)} are read as different species")


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())
