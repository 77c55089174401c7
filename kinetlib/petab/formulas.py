"""Formulas of PEtab's tables: arithmetic and a few functions, read by a parser of its own.

What a formula says is computed for complex arrays, too, so that a small imaginary step gives its
derivative with all digits.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Numbers, names and signs, and brackets within each other: few enough to be walked by recursion.
_MOST, _DEEPEST = 600, 100
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<sign>\*\*|[-+*/^(),]))",
    re.ASCII,
)
_FUNCTIONS: dict[str, tuple[int, Callable]] = {
    "exp": (1, np.exp),
    "log": (1, np.log),
    "ln": (1, np.log),
    "log10": (1, np.log10),
    "log2": (1, np.log2),
    "sqrt": (1, np.sqrt),
    "pow": (2, np.power),
}


@dataclass(frozen=True)
class Formula:
    """A formula that was read.

    Attributes
    ----------
    text
        As written.
    names
        Symbols that occur in it.
    """

    text: str
    names: frozenset[str]
    _node: tuple

    def __call__(self, values: Mapping[str, NDArray]) -> NDArray:
        """Compute it of arrays that go together, by name."""
        with np.errstate(all="ignore"):
            return _computed(self._node, values)


def formula(text: str) -> Formula:
    """Read a formula.

    >>> float(formula("2 * (A + B)^2 / sqrt(C)")({"A": 1.0, "B": 2.0, "C": 4.0}))
    9.0

    Raises
    ------
    ValueError
        What is no formula, or has a function that is not known.
    """
    parser = _Parser(text)
    return Formula(text, frozenset(parser.names), parser.node)


class _Parser:
    """Reads sums of products of powers, in that order."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._depth = text, 0, 0
        self._tokens = self._split()
        self.names: set[str] = set()
        self.node = self._sum()
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._at][1]!r} is too much")

    def _wrong(self, what: str) -> ValueError:
        return ValueError(f"formula {self._text!r}: {what}")

    def _split(self) -> list[tuple[str, str]]:
        tokens, at, text = [], 0, self._text.rstrip()
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"{text[at:].strip()[:1]!r} is not read")
            tokens.append((match.lastgroup or "", match[match.lastgroup or 0]))
            at = match.end()
            if len(tokens) > _MOST:
                raise ValueError(f"formula {text[:40]!r}...: over {_MOST} numbers, names and signs")
        return tokens

    def _next(self, *signs: str) -> str | None:
        """Take the next sign, if it is one of those."""
        if self._at < len(self._tokens) and self._tokens[self._at] in [("sign", s) for s in signs]:
            self._at += 1
            return self._tokens[self._at - 1][1]
        return None

    def _need(self, sign: str) -> None:
        if self._next(sign) is None:
            raise self._wrong(f"{sign!r} is missing")

    def _sum(self) -> tuple:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"brackets or powers lie over {_DEEPEST} deep in each other")
        node = self._product()
        while sign := self._next("+", "-"):
            node = (sign, node, self._product())
        self._depth -= 1
        return node

    def _product(self) -> tuple:
        node = self._signed()
        while sign := self._next("*", "/"):
            node = (sign, node, self._signed())
        return node

    def _signed(self) -> tuple:
        negative = False
        while sign := self._next("+", "-"):
            negative ^= sign == "-"
        node = self._power()
        return ("-", ("number", 0.0), node) if negative else node

    def _power(self) -> tuple:
        base = self._atom()
        if self._next("^", "**"):
            self._depth += 1
            if self._depth > _DEEPEST:
                raise self._wrong(f"brackets or powers lie over {_DEEPEST} deep in each other")
            node = ("^", base, self._signed())
            self._depth -= 1
            return node
        return base

    def _atom(self) -> tuple:
        if self._next("("):
            node = self._sum()
            self._need(")")
            return node
        if self._at == len(self._tokens):
            raise self._wrong("it ends too early")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return ("number", float(text))
        if kind != "name":
            raise self._wrong(f"{text!r} is not expected there")
        return self._called(text) if self._next("(") else self._symbol(text)

    def _symbol(self, name: str) -> tuple:
        self.names.add(name)
        return ("name", name)

    def _called(self, name: str) -> tuple:
        if name not in _FUNCTIONS:
            raise self._wrong(f"the function {name} is not supported: {', '.join(_FUNCTIONS)} are")
        count, _ = _FUNCTIONS[name]
        given = [self._sum()]
        while self._next(","):
            given.append(self._sum())
        self._need(")")
        if len(given) != count:
            raise self._wrong(f"{name} takes {count} arguments, here are {len(given)}")
        return ("call", name, *given)


def _computed(node: tuple, values: Mapping[str, NDArray]) -> NDArray:
    kind = node[0]
    if kind == "number":
        return node[1]
    if kind == "name":
        return values[node[1]]
    if kind == "call":
        return _FUNCTIONS[node[1]][1](*(_computed(one, values) for one in node[2:]))
    left, right = (_computed(one, values) for one in node[1:])
    if kind == "+":
        return left + right
    if kind == "-":
        return left - right
    if kind == "*":
        return left * right
    return np.true_divide(left, right) if kind == "/" else _power(left, right)


def _power(base: NDArray, exponent: NDArray) -> NDArray:
    """Raise; to small whole powers by products, which keep the smallest imaginary steps."""
    if isinstance(exponent, float) and exponent in (1.0, 2.0, 3.0):
        return base * (1.0 if exponent == 1.0 else base if exponent == 2.0 else base * base)
    return np.power(base, exponent)
