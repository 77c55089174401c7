"""Long work in pieces: each a file that appears whole and says what its value follows from.

A piece that is there is not made again, so work goes on where it was interrupted. One that was made
under other settings is refused. A piece made by other code is used: it names its commit.
"""

from __future__ import annotations

import json
import multiprocessing
import re
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from kinetlib.records import files, provenance

Key = tuple[str | int, ...]


class Refused(ValueError):
    """Words that name nothing, pieces of other settings, pieces that are not there."""


@dataclass(frozen=True)
class Piece:
    """A piece of long work.

    Attributes
    ----------
    key
        What it is called: the first word is its folder, the first number says which of many alike.
    settings
        What its value follows from beside the code, as JSON knows it.
    work
        Makes the value, which JSON can write. To be spread over processes it must be pickled.
    says
        Tells in some words what was found, if anything is to be told.
    alone
        Whether it needs pieces before it, or the whole machine.
    """

    key: Key
    settings: Mapping[str, Any]
    work: Callable[[], Any]
    says: Callable[[Any], str] | None = None
    alone: bool = False

    @property
    def name(self) -> str:
        """Its path below the folder, without suffix."""
        first, *others = (re.sub(r"[^\w.+-]+", "_", str(word)).strip("_") for word in self.key)
        return f"{first}/{'-'.join(others)}" if others else first

    def path(self, folder: Path) -> Path:
        """Return where it is once it is made."""
        return folder / f"{self.name}.json"


@dataclass(frozen=True)
class Done:
    """A piece that was made: name, settings, value, and commit, versions, processor and seconds."""

    name: str
    settings: dict[str, Any]
    value: Any
    made_with: dict[str, Any]


def chosen(
    pieces: Iterable[Piece], words: Sequence[str] = (), first: int = 0, most: int | None = None
) -> list[Piece]:
    """Choose pieces by words of their keys and by number.

    Parameters
    ----------
    pieces
        To choose from.
    words
        Words of keys, or what they begin with before a hyphen. Of words that stand at one place in
        keys any one will do; none means all.
    first, most
        The first number, and how many numbers; pieces without a number are not asked for theirs.

    Raises
    ------
    Refused
        For a word that no key has.
    """
    kept = list(pieces)
    alike: dict[frozenset[int], list[str]] = {}
    for word in words:
        places = {at for one in kept for at, own in enumerate(one.key) if _is(own, word)}
        if not places:
            known = dict.fromkeys(own for one in kept for own in one.key if isinstance(own, str))
            raise Refused(f"unknown part {word!r}: expected some of {', '.join(known)}")
        alike.setdefault(frozenset(places), []).append(word)
    for asked in alike.values():
        kept = [one for one in kept if any(_is(own, word) for own in one.key for word in asked)]
    last = float("inf") if most is None else first + most
    return [one for one in kept if first <= _number(one.key, first) < last]


def _is(own: str | int, word: str) -> bool:
    return str(own) == word or str(own).startswith(f"{word}-")


def _number(key: Key, otherwise: int) -> int:
    return next((word for word in key if isinstance(word, int)), otherwise)


def read(folder: Path, piece: Piece) -> Done | None:
    """Read a piece, None where it is not made yet.

    Raises
    ------
    Refused
        If it was made under other settings, or the file is no piece.
    """
    path = piece.path(folder)
    try:
        found = Done(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError):
        raise Refused(f"{path} is not a piece of this work: move it away") from None
    asked = json.loads(json.dumps(piece.settings))
    if found.settings != asked:
        raise Refused(
            f"{path} was made under other settings: {_difference(found.settings, asked)}; "
            f"remove what was made under those, or take another folder than {folder}"
        )
    return found


def _difference(made: Any, asked: Any, at: str = "") -> str:
    """Name the first setting that differs, by the names on the way to it."""
    if not (isinstance(made, dict) and isinstance(asked, dict)):
        return f"{at} is {made!r} there, expected {asked!r}"
    ends = {n: (made.get(n, "nothing"), asked.get(n, "nothing")) for n in {**made, **asked}}
    name, (one, other) = next((n, pair) for n, pair in ends.items() if pair[0] != pair[1])
    return _difference(one, other, f"{at}.{name}" if at else name)


def done(folder: Path, pieces: Iterable[Piece], *, least: int | None = 1) -> dict[Key, Done]:
    """Read those of some pieces that are made, by key.

    Parameters
    ----------
    folder, pieces
        As for `compute`.
    least
        How many have to be there; None for all.

    Raises
    ------
    Refused
        If fewer are there, or one was made under other settings.
    """
    found = [(piece, read(folder, piece)) for piece in pieces]
    made = {piece.key: one for piece, one in found if one is not None}
    if len(made) < (len(found) if least is None else least):
        missing = next(piece.name for piece, one in found if one is None)
        raise Refused(
            f"{len(made)} of {len(found)} pieces are in {folder}, {missing} is not: compute what "
            "is missing first"
        )
    return made


def compute(
    folder: Path,
    pieces: Iterable[Piece],
    *,
    processes: int = 1,
    progress: Callable[[int, int, str], None] = lambda done, total, said: None,
) -> None:
    """Make the pieces that are not there yet.

    Parameters
    ----------
    folder
        Where they are.
    pieces
        In the order in which they are made.
    processes
        How many are made side by side; values do not depend on it.
    progress
        Called with how many there are, of how many, and what the last one said.

    Raises
    ------
    Refused
        If one was made under other settings; then none is made.
    """
    pieces = list(pieces)
    for place in {piece.path(folder).parent for piece in pieces}:
        files.sweep(place, "*.json")
    missing = [piece for piece in pieces if read(folder, piece) is None]
    made_with = {**provenance.attributes(), "processor": provenance.processor()}
    progress(len(pieces) - len(missing), len(pieces), "")
    made = _made(folder, missing, made_with, processes)
    for number, said in enumerate(made, start=1 + len(pieces) - len(missing)):
        progress(number, len(pieces), said)


def _made(folder: Path, missing: list[Piece], made_with: dict, processes: int) -> Iterator[str]:
    for alone, some in groupby(missing, key=lambda piece: piece.alone or processes == 1):
        if alone:
            yield from (_make(folder, piece, made_with) for piece in some)
        else:
            yield from _side_by_side(folder, some, made_with, processes)


def _side_by_side(
    folder: Path, some: Iterable[Piece], made_with: dict, processes: int
) -> Iterator[str]:
    others = {*multiprocessing.active_children()}
    # Spawned, not forked: the threads of NumPy and of integrators do not survive a fork. It is we
    # who are interrupted, and end them.
    spawned, deaf = multiprocessing.get_context("spawn"), (signal.SIGINT, signal.SIG_IGN)
    with ProcessPoolExecutor(processes, spawned, signal.signal, deaf) as pool:
        running = [pool.submit(_make, folder, piece, made_with) for piece in some]
        try:
            yield from (one.result() for one in as_completed(running))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in {*multiprocessing.active_children()} - others:
                process.terminate()
            raise


def _make(folder: Path, piece: Piece, made_with: dict[str, Any]) -> str:
    """Make a piece, write it, and return what it says."""
    begun = time.perf_counter()
    value = piece.work()
    seconds = round(time.perf_counter() - begun, 3)
    made = Done(piece.name, dict(piece.settings), value, {**made_with, "seconds": seconds})
    files.write_text(piece.path(folder), json.dumps(vars(made)) + "\n")
    said = [piece.says(value)] if piece.says else []
    return ", ".join([piece.name, *said, f"{seconds:.0f} s"])


def signed(record: dict[str, Any], made: Iterable[Done]) -> dict[str, Any]:
    """Add to a record what it was made with, and the commits of its pieces, ``made_by``."""
    return {
        **record,
        "processor": provenance.processor(),
        "made_by": sorted({one.made_with["commit"] for one in made}),
        **provenance.attributes(),
    }
