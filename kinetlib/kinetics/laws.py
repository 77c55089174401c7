"""Rate laws as sums of products, out of MathML.

A law of mass action is a sum of terms, each a number times powers of parameters, compartments and
species. What MathML says is multiplied out to that; functions of what no species is in are
numbers. Anything else is no such sum, and refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

#: A product of powers, as sorted pairs of a symbol and its exponent.
Powers = tuple[tuple[str, int], ...]
_MOST_TERMS = 1_000  # of a law that is multiplied out
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "ln": math.log,
    "abs": abs,
    "floor": math.floor,
    "ceiling": math.ceil,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
}


class NotASum(ValueError):
    """A law that is no sum of products; the message says what in it is not."""


@dataclass(frozen=True)
class Sum:
    """A sum of products: a coefficient for each product of powers."""

    terms: dict[Powers, float] = field(default_factory=dict)

    @classmethod
    def number(cls, value: float) -> Sum:
        """Return a number."""
        return cls({(): float(value)} if value else {})

    @classmethod
    def symbol(cls, name: str) -> Sum:
        """Return a symbol."""
        return cls({((name, 1),): 1.0})

    @property
    def symbols(self) -> set[str]:
        """Names that occur."""
        return {name for powers in self.terms for name, _ in powers}

    def __add__(self, other: Sum) -> Sum:
        """Add."""
        terms = dict(self.terms)
        for powers, value in other.terms.items():
            terms[powers] = terms.get(powers, 0.0) + value
        return Sum({powers: value for powers, value in terms.items() if value})

    def __mul__(self, other: Sum) -> Sum:
        """Multiply out."""
        if len(self.terms) * len(other.terms) > _MOST_TERMS:
            raise NotASum(f"it has over {_MOST_TERMS} terms")
        total = Sum()
        for left, a in self.terms.items():
            for right, b in other.terms.items():
                total = total + Sum({_multiplied(left, right): a * b})
        return total

    def __pow__(self, exponent: int) -> Sum:
        """Raise to a whole power; a negative one only of a single product."""
        if exponent < 0:
            if len(self.terms) != 1:
                raise NotASum("it divides by a sum")
            ((powers, value),) = self.terms.items()
            inverse = tuple((name, -n) for name, n in powers)
            return Sum({inverse: 1.0 / value}) ** -exponent
        if exponent > 99:
            raise NotASum(f"it raises to the power {exponent}")
        result = Sum.number(1.0)
        for _ in range(exponent):
            result = result * self
        return result


def _multiplied(left: Powers, right: Powers) -> Powers:
    counts = dict(left)
    for name, n in right:
        counts[name] = counts.get(name, 0) + n
    return tuple(sorted((name, n) for name, n in counts.items() if n))


class Reader:
    """Reads MathML.

    Parameters
    ----------
    values
        Numbers of parameters and compartments, NaN where there is none.
    species
        Symbols that change in time.
    functions
        Functions of the model: names of their arguments, and what they are.
    definitions
        Symbols that stand for something else.
    """

    def __init__(
        self,
        values: Mapping[str, float],
        species: set[str],
        functions: Mapping[str, tuple[list[str], Element]],
        definitions: Mapping[str, Element],
    ) -> None:
        self._values, self._species = values, species
        self._functions, self._definitions = functions, definitions
        self._open: list[str] = []  # functions and definitions being read

    def read(self, node: Element, local: Mapping[str, Sum] | None = None) -> Sum:
        """Read an expression; `local` are the arguments of a function, or local parameters."""
        local = local or {}
        kind = _tag(node)
        if kind in ("math", "semantics"):
            return self.read(_children(node)[0], local)
        if kind == "cn":
            return Sum.number(_number(node))
        if kind == "ci":
            return self._symbol((node.text or "").strip(), local)
        if kind in _NUMBERS:
            return Sum.number(_NUMBERS[kind])
        if kind == "csymbol" and (node.get("definitionURL") or "").endswith("avogadro"):
            return Sum.number(6.02214179e23)
        if kind != "apply":
            what = "time" if (node.get("definitionURL") or "").endswith("time") else f"<{kind}>"
            raise NotASum(f"{what} is in it")
        return self._applied(_children(node), local)

    def _symbol(self, name: str, local: Mapping[str, Sum]) -> Sum:
        if name in local:
            return local[name]
        if name in self._definitions:
            return self._within(name, lambda: self.read(self._definitions[name]))
        if name not in self._species and name not in self._values:
            raise NotASum(f"{name!r} is no parameter, species or compartment")
        return Sum.symbol(name)

    def _within(self, name: str, read: Callable[[], Sum]) -> Sum:
        if name in self._open:
            raise NotASum(f"{name!r} is defined by itself")
        self._open.append(name)
        try:
            return read()
        finally:
            self._open.pop()

    def _applied(self, nodes: list[Element], local: Mapping[str, Sum]) -> Sum:
        head, kind = nodes[0], _tag(nodes[0])
        if kind == "ci":
            return self._called((head.text or "").strip(), nodes[1:], local)
        if kind in ("root", "log"):
            return self._with_qualifier(kind, nodes[1:], local)
        given = [self.read(node, local) for node in nodes[1:]]
        if kind == "plus":
            return _folded(given, Sum(), lambda a, b: a + b)
        if kind == "times":
            return _folded(given, Sum.number(1.0), lambda a, b: a * b)
        if kind == "minus" and len(given) in (1, 2):
            minus = Sum.number(-1.0)
            return given[0] * minus if len(given) == 1 else given[0] + given[1] * minus
        if kind == "divide" and len(given) == 2:
            return given[0] * self._inverse(given[1])
        if kind == "power" and len(given) == 2:
            return self._power(*given)
        if kind in _FUNCTIONS and len(given) == 1:
            return self._function(kind, given[0])
        raise NotASum(f"<{kind}> is in it")

    def _function(self, kind: str, given: Sum) -> Sum:
        value = self._constant(given, kind)
        try:
            return Sum.number(_FUNCTIONS[kind](value))
        except (ValueError, OverflowError):
            raise NotASum(f"{kind}({value!r}) is no number") from None

    def _called(self, name: str, nodes: list[Element], local: Mapping[str, Sum]) -> Sum:
        if name not in self._functions:
            raise NotASum(f"{name!r} is no function of the model")
        arguments, body = self._functions[name]
        if len(arguments) != len(nodes):
            raise NotASum(f"{name!r} takes {len(arguments)} arguments, here are {len(nodes)}")
        given = [self.read(node, local) for node in nodes]
        inner = dict(zip(arguments, given, strict=True))
        return self._within(name, lambda: self.read(body, inner))

    def _with_qualifier(self, kind: str, nodes: list[Element], local: Mapping[str, Sum]) -> Sum:
        """Read roots and logarithms, whose degree or base may come first."""
        usual = {"root": 2.0, "log": 10.0}[kind]
        if _tag(nodes[0]) in ("degree", "logbase"):
            usual = self._constant(self.read(_children(nodes[0])[0], local), kind)
            nodes = nodes[1:]
        value = self._constant(self.read(nodes[0], local), kind)
        if value <= 0 or usual <= 0 or (kind == "log" and usual == 1):
            raise NotASum(f"{kind} of {value!r} by {usual!r} is in it")
        return Sum.number(value ** (1.0 / usual) if kind == "root" else math.log(value, usual))

    def _inverse(self, what: Sum) -> Sum:
        if not what.terms:
            raise NotASum("it divides by 0")
        if len(what.terms) == 1:
            return what**-1
        value = self._constant(what, "what it divides by")
        if value == 0:
            raise NotASum("it divides by 0")
        return Sum.number(1.0 / value)

    def _power(self, base: Sum, exponent: Sum) -> Sum:
        power = self._constant(exponent, "an exponent")
        if not math.isfinite(power):
            raise NotASum(f"it raises to the power {power!r}")
        if power == int(power):
            return self._inverse(base) ** -int(power) if power < 0 else base ** int(power)
        value = self._constant(base, f"the power {power!r}")
        if value < 0:
            raise NotASum(f"{value!r} to the power {power!r} is in it")
        return Sum.number(value**power)

    def _constant(self, what: Sum, where: str) -> float:
        """Evaluate what no species is in."""
        moving = what.symbols & self._species
        if moving:
            raise NotASum(f"{', '.join(sorted(moving))} in {where}")
        value = self.evaluate(what)
        if not math.isfinite(value):
            raise NotASum(f"{', '.join(sorted(what.symbols))} has no value")
        return value

    def evaluate(self, what: Sum) -> float:
        """Put numbers in, NaN where there is none."""
        return sum(
            value * math.prod(self._values.get(name, math.nan) ** n for name, n in powers)
            for powers, value in what.terms.items()
        )


_NUMBERS = {"pi": math.pi, "exponentiale": math.e, "infinity": math.inf}


def _folded(given: list[Sum], start: Sum, step: Callable[[Sum, Sum], Sum]) -> Sum:
    for one in given:
        start = step(start, one)
    return start


def _tag(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _children(node: Element) -> list[Element]:
    found = [child for child in node if isinstance(child.tag, str)]
    if not found:
        raise NotASum(f"<{_tag(node)}> is empty")
    return found


def _number(node: Element) -> float:
    parts = [text.strip() for text in node.itertext() if text.strip()]
    try:
        if node.get("type") == "e-notation":
            return float(f"{parts[0]}e{parts[1]}")
        if node.get("type") == "rational":
            return float(parts[0]) / float(parts[1])
        return float(parts[0])
    except (ValueError, IndexError, ZeroDivisionError):
        raise NotASum(f"{' '.join(parts)!r} is no number") from None


def in_words(node: Element) -> str:
    """Write an expression on one line, for messages."""
    kind = _tag(node)
    if kind in ("ci", "cn", "csymbol"):
        return "".join(part.strip() for part in node.itertext())
    nodes = [child for child in node if isinstance(child.tag, str)]
    if kind != "apply" or not nodes:
        inside = ", ".join(map(in_words, nodes))
        return inside if kind in ("math", "semantics") else f"{kind}({inside})" if nodes else kind
    signs = {"plus": " + ", "minus": " - ", "times": " * ", "divide": " / ", "power": "^"}
    head, rest = nodes[0], [in_words(child) for child in nodes[1:]]
    sign = signs.get(_tag(head))
    if sign and len(rest) > 1:
        looser = {"times": "+-", "divide": "+-*/", "power": "+-*/^"}.get(_tag(head), "")
        return sign.join(f"({r})" if any(c in r for c in looser) else r for r in rest)
    name = "-" if _tag(head) == "minus" else in_words(head)
    return f"{name}({', '.join(rest)})"
