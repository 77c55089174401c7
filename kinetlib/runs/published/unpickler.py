"""Pickles of NumPy arrays, read as data: nothing that a file asks for is imported or called.

A pickle is a program for a small stack machine, and Python's own unpickler runs it, so that whoever
wrote the file decides what is called. The machine here knows how NumPy writes an array and nothing
else: a name in the file selects one of a few descriptions below, never an object of that name. The
numbers of an array stay where they are, mapped from the file, until they are asked for.

Read are protocols 2 to 5, with names of NumPy 1 and 2. Up to protocol 2 the numbers are escaped as
text and cannot be mapped; they are copied, `MOST_TEXT` bytes a file at most.
"""

from __future__ import annotations

import math
import pickle
import pickletools
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

MOST_TEXT = 2**26
# An array takes some fifty instructions, so these leave room for hundreds of arrays and stop a file
# that is made to take long.
_MOST_INSTRUCTIONS = 100_000
_DEEPEST = 32
_MOST_AXES = 64  # NumPy's own limit
_LONGEST_NAME = 4096
_DTYPE = re.compile(r"b1|[iu][1248]|f[248]|c8|c16")


class _Known(Enum):
    """What an array's pickle names."""

    RECONSTRUCT = auto()
    FROM_BUFFER = auto()
    SCALAR = auto()
    ENCODE = auto()
    DTYPE = auto()
    NDARRAY = auto()


_ADMITTED = {
    "_codecs.encode": _Known.ENCODE,
    "numpy.dtype": _Known.DTYPE,
    "numpy.ndarray": _Known.NDARRAY,
    **{
        f"numpy.{core}.{name}": known
        for core in ("core", "_core")
        for name, known in {
            "multiarray._reconstruct": _Known.RECONSTRUCT,
            "multiarray.scalar": _Known.SCALAR,
            "numeric._frombuffer": _Known.FROM_BUFFER,
        }.items()
    },
}


@dataclass(frozen=True)
class _Span:
    """Bytes of the file."""

    begin: int
    length: int


class _Text(_Span):
    """Bytes of the file that are text in UTF-8, too long for a name."""


@dataclass(eq=False)
class _Blank:
    """An array or a type whose state has not come yet, and the places of the memo that hold it."""

    code: str | None = None
    places: list[int] = field(default_factory=list)


_MARK = object()
_PLAIN = (str, int, float, bool, type(None), np.generic)


def load(path: str | Path) -> list[Any]:
    """Read all pickles of a file, one after the other, without running them.

    Parameters
    ----------
    path
        The file; it has to stay as it is while the arrays are in use.

    Returns
    -------
    list
        One value a pickle: arrays (read-only, mapped from the file), numbers, strings, None, and
        tuples, lists and dicts of these.

    Raises
    ------
    ValueError
        If the file is no pickle, is cut short, or asks for anything that an array does not need.
    """
    path = Path(path)
    if path.stat().st_size == 0:
        raise ValueError(f"{path} is empty: expected a pickle of NumPy arrays")
    return _Machine(path).run()


class _Machine:
    """The stack machine of pickle, with a file for a program."""

    def __init__(self, path: Path):
        self._path = path
        self._mapped = np.memmap(path, dtype=np.uint8, mode="r")
        self._view = memoryview(self._mapped)
        self._at = self._begin = 0
        self._executed = self._copied = self._seen = 0
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self) -> list[Any]:
        values = []
        while self._at < len(self._view):
            values.append(self._one())
        return values

    def _one(self) -> Any:
        self._stack, self._memo = [], {}
        self._begin = self._at
        head = bytes(self._view[self._at : self._at + 2])
        if len(head) < 2 or head[:1] != pickle.PROTO or not 2 <= head[1] <= 5:
            self._refuse(
                "here no pickle of protocol 2 to 5 begins; expected NumPy arrays written by "
                "pickle.dump (an archive has to be unpacked first)"
            )
        self._take(2)
        while True:
            self._begin = self._at
            self._executed += 1
            if self._executed > _MOST_INSTRUCTIONS:
                self._refuse(
                    f"more than {_MOST_INSTRUCTIONS:,} instructions; expected a few large arrays"
                )
            code = bytes(self._take(1))
            if code == pickle.STOP:
                return self._checked(self._pop())
            if code not in _INSTRUCTIONS:
                known = pickletools.code2op.get(code.decode("latin1"))
                name = known.name if known else f"0x{code.hex()}"
                self._refuse(f"the instruction {name}, which no array needs")
            _INSTRUCTIONS[code](self)

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"{self._path}, byte {self._begin}: {what} (nothing in the file was run)")

    def _take(self, length: int) -> memoryview:
        """Advance over bytes; checked against the file before anything is made of them."""
        left = len(self._view) - self._at
        if length > left:
            self._refuse(f"{length:,} bytes announced, {left:,} left: the file is cut short")
        self._at += length
        return self._view[self._at - length : self._at]

    def _number(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _line(self) -> str:
        for length in range(_LONGEST_NAME):
            if self._at + length < len(self._view) and self._view[self._at + length] == 0x0A:
                text = bytes(self._take(length + 1))[:-1]
                return text.decode("ascii", errors="replace")
        self._refuse("a name without an end")

    def _push(self, value: Any) -> None:
        self._stack.append(value)

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            self._refuse("the stack is empty: the file is damaged")
        return self._stack.pop()

    def _top(self, kind: type, what: str) -> Any:
        if not self._stack or not isinstance(self._stack[-1], kind):
            self._refuse(f"{what}: the file is damaged or no file of arrays")
        return self._stack[-1]

    def _since_mark(self) -> list[Any]:
        for place in range(len(self._stack) - 1, -1, -1):
            if self._stack[place] is _MARK:
                items = self._stack[place + 1 :]
                del self._stack[place:]
                return items
        self._refuse("a mark is missing: the file is damaged")

    def _remember(self, place: int) -> None:
        value = self._pop()
        self._push(value)
        self._memo[place] = value
        if isinstance(value, _Blank):
            value.places.append(place)

    def _recall(self, place: int) -> None:
        if place not in self._memo:
            self._refuse("a reference to nothing: the file is damaged")
        self._push(self._memo[place])

    def _bytes(self, form: str) -> None:
        length = self._number(form)
        self._push(_Span(self._at, length))
        self._take(length)

    def _string(self, form: str) -> None:
        length = self._number(form)
        begin, data = self._at, self._take(length)
        if length > _LONGEST_NAME:
            self._push(_Text(begin, length))
            return
        try:
            self._push(str(data, "utf-8"))
        except UnicodeDecodeError:
            self._refuse("a string that is not UTF-8")

    def _tuple(self, length: int) -> None:
        items = [self._pop() for _ in range(length)]
        self._push(tuple(reversed(items)))

    def _append(self, items: list[Any]) -> None:
        self._top(list, "items for no list").extend(items)

    def _set(self, items: list[Any]) -> None:
        target = self._top(dict, "items for no dict")
        # A key that is a tuple of tuples of ... could take for ever to hash.
        if len(items) % 2 or not all(isinstance(key, _PLAIN) for key in items[::2]):
            self._refuse("a dict with other keys than numbers and strings")
        target.update(zip(items[::2], items[1::2], strict=True))

    def _name(self, module: Any, name: Any) -> None:
        full = f"{module}.{name}"
        if full not in _ADMITTED:
            self._refuse(
                f"the file asks for {full!r}, which no array needs; expected arrays of numbers, "
                "and numbers, strings, tuples, lists and dicts"
            )
        self._push(_ADMITTED[full])

    def _stack_global(self) -> None:
        name, module = self._pop(), self._pop()
        if not (isinstance(name, str) and isinstance(module, str)):
            self._refuse("a name that is no text")
        self._name(module, name)

    def _reduce(self) -> None:
        arguments, called = self._pop(), self._pop()
        match called, arguments:
            case _Known.RECONSTRUCT, (_Known.NDARRAY, tuple(), _Span() | bytes()):
                self._push(_Blank())
            case _Known.DTYPE, (str(code), _, _):
                if not _DTYPE.fullmatch(code):
                    self._refuse(
                        f"an array of type {code!r}; expected numbers, as other types hold objects "
                        "or text"
                    )
                self._push(_Blank(code))
            case _Known.ENCODE, ((str() | _Text()) as text, str("latin1")):
                self._push(self._encoded(text))
            case _Known.SCALAR, (np.dtype() as dtype, (_Span() | bytes()) as data):
                self._push(self._array(data, dtype, (1,), "C")[0])
            case _Known.FROM_BUFFER, (_Span() as data, np.dtype() as dtype, shape, str("K"), axes):
                array = self._array(data, dtype, shape, "C")
                try:
                    self._push(array.transpose(axes))
                except (ValueError, TypeError, OverflowError):
                    self._refuse(f"axes that do not fit the shape {shape}")
            case _Known.FROM_BUFFER, (
                _Span() as data,
                np.dtype() as dtype,
                shape,
                str("C" | "F" as order),
            ):
                self._push(self._array(data, dtype, shape, order))
            case _:
                self._refuse("a call that NumPy does not write")

    def _build(self) -> None:
        state = self._pop()
        blank = self._top(_Blank, "a state for no array")
        match blank.code, state:
            case None, (
                int(1),
                shape,
                np.dtype() as dtype,
                bool(fortran),
                (_Span() | bytes()) as data,
            ):
                built: Any = self._array(data, dtype, shape, "F" if fortran else "C")
            case str(code), (int(3), str("<" | ">" | "|" as order), None, None, None, *_):
                built = np.dtype(order + code)
            case _:
                self._refuse("an array in a form that NumPy does not write")
        self._stack[-1] = built
        for place in blank.places:
            if self._memo[place] is blank:
                self._memo[place] = built

    def _encoded(self, text: str | _Text) -> bytes:
        length = text.length if isinstance(text, _Text) else len(text)
        self._copied += length
        if self._copied > MOST_TEXT:
            self._refuse(
                f"more than {MOST_TEXT // 2**20} MiB of numbers as text (protocol 2), which would "
                "have to be copied into memory; write the array again by "
                "pickle.dump(array, file, protocol=4)"
            )
        try:
            if isinstance(text, _Text):
                text = str(self._view[text.begin : text.begin + text.length], "utf-8")
            return text.encode("latin1")
        except UnicodeError:
            self._refuse("numbers as text that is not Latin-1")

    def _array(self, data: _Span | bytes, dtype: np.dtype, shape: Any, order: str) -> NDArray:
        if (
            not isinstance(shape, tuple)
            or len(shape) > _MOST_AXES
            or not all(type(n) is int and 0 <= n < 2**63 for n in shape)
        ):
            self._refuse("an array whose shape is no tuple of sizes")
        length = data.length if isinstance(data, _Span) else len(data)
        expected = math.prod(shape) * dtype.itemsize
        if expected != length:
            self._refuse(
                f"an array of shape {shape} and type {dtype} takes {expected:,} bytes, "
                f"but {length:,} are there"
            )
        try:
            if isinstance(data, _Span):
                flat = self._mapped[data.begin : data.begin + length].view(dtype)
            else:
                flat = np.frombuffer(data, dtype)
            return flat.reshape(shape, order=order)
        except (ValueError, OverflowError):
            self._refuse(f"an array of shape {shape}, which NumPy cannot make")

    def _checked(self, value: Any) -> Any:
        """Refuse what is no finished value, and what is deep or endless."""
        level = [value]
        for _ in range(_DEEPEST):
            deeper: list[Any] = []
            for item in level:
                if isinstance(item, dict):
                    deeper.extend(item.values())
                elif isinstance(item, tuple | list):
                    deeper.extend(item)
                elif isinstance(item, _Span | bytes):
                    self._refuse("bytes that belong to no array")
                elif not isinstance(item, (*_PLAIN, np.ndarray)):
                    self._refuse("an array or a type that is not complete")
                # Counted in between: one tuple that stands a hundred times in another makes many.
                if self._seen + len(deeper) > _MOST_INSTRUCTIONS:
                    self._refuse(f"more than {_MOST_INSTRUCTIONS:,} values")
            self._seen += len(deeper)
            level = deeper
        if level:
            self._refuse(f"values nested deeper than {_DEEPEST}")
        return value


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    pickle.FRAME: lambda m: m._take(8),
    pickle.MARK: lambda m: m._push(_MARK),
    pickle.POP: lambda m: m._pop(),
    pickle.POP_MARK: lambda m: m._since_mark(),
    pickle.NONE: lambda m: m._push(None),
    pickle.NEWTRUE: lambda m: m._push(True),
    pickle.NEWFALSE: lambda m: m._push(False),
    pickle.BININT: lambda m: m._push(m._number("<i")),
    pickle.BININT1: lambda m: m._push(m._number("<B")),
    pickle.BININT2: lambda m: m._push(m._number("<H")),
    pickle.LONG1: lambda m: m._push(pickle.decode_long(m._take(m._number("<B")))),
    pickle.BINFLOAT: lambda m: m._push(m._number(">d")),
    pickle.SHORT_BINBYTES: lambda m: m._bytes("<B"),
    pickle.BINBYTES: lambda m: m._bytes("<I"),
    pickle.BINBYTES8: lambda m: m._bytes("<Q"),
    pickle.BYTEARRAY8: lambda m: m._bytes("<Q"),
    pickle.SHORT_BINUNICODE: lambda m: m._string("<B"),
    pickle.BINUNICODE: lambda m: m._string("<I"),
    pickle.BINUNICODE8: lambda m: m._string("<Q"),
    pickle.EMPTY_TUPLE: lambda m: m._push(()),
    pickle.TUPLE1: lambda m: m._tuple(1),
    pickle.TUPLE2: lambda m: m._tuple(2),
    pickle.TUPLE3: lambda m: m._tuple(3),
    pickle.TUPLE: lambda m: m._push(tuple(m._since_mark())),
    pickle.EMPTY_LIST: lambda m: m._push([]),
    pickle.APPEND: lambda m: m._append([m._pop()]),
    pickle.APPENDS: lambda m: m._append(m._since_mark()),
    pickle.EMPTY_DICT: lambda m: m._push({}),
    pickle.SETITEM: lambda m: m._set([m._pop(), m._pop()][::-1]),
    pickle.SETITEMS: lambda m: m._set(m._since_mark()),
    pickle.MEMOIZE: lambda m: m._remember(len(m._memo)),
    pickle.BINPUT: lambda m: m._remember(m._number("<B")),
    pickle.LONG_BINPUT: lambda m: m._remember(m._number("<I")),
    pickle.BINGET: lambda m: m._recall(m._number("<B")),
    pickle.LONG_BINGET: lambda m: m._recall(m._number("<I")),
    pickle.GLOBAL: lambda m: m._name(m._line(), m._line()),
    pickle.STACK_GLOBAL: lambda m: m._stack_global(),
    pickle.REDUCE: lambda m: m._reduce(),
    pickle.BUILD: lambda m: m._build(),
}
