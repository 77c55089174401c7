"""What was decided in reading a file: one sentence each, and the option that decides otherwise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

MOST_SHOWN = 60
"""Longest piece of a file that a message repeats, in characters."""
_MOST_LISTED = 12


@dataclass(frozen=True)
class Remark:
    """A decision, or a doubt.

    Attributes
    ----------
    text : str
        One sentence, with the run or the cell that it is about.
    option : str
        The option that decides otherwise, "" where there is nothing to decide.
    where : tuple of str
        Names of the runs or sheets that it is about, where the text does not say.
    """

    text: str
    option: str = ""
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the sentence with its runs and its option."""
        text = self.text
        if self.where:
            text = f"{text.removesuffix('.')}: {listed(self.where)}."
        return f"{text} [{self.option}]" if self.option else text


def gathered(remarks: Iterable[Remark]) -> list[Remark]:
    """Join remarks that say the same of several runs, in the order in which they first appear."""
    found: dict[tuple[str, str], list[str]] = {}
    for remark in remarks:
        names = found.setdefault((remark.text, remark.option), [])
        names += [name for name in remark.where if name not in names]
    return [Remark(*said, tuple(names)) for said, names in found.items()]


def quoted(value: object) -> str:
    """Repeat what a file holds, cut and without control characters."""
    text = repr(value)
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 4]}...{text[-1]}"


def listed(names: Iterable[object]) -> str:
    """List what a file holds, not more than a reader takes in."""
    known = [str(name) for name in names]
    more = len(known) - _MOST_LISTED
    return ", ".join(known[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")


def printable(text: str) -> str:
    """Return a name from a file on one line, without control characters, at most 200 long."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
