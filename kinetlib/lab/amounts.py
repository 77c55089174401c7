"""Amounts that a user states beside the file: one for all runs, or one a run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kinetlib.lab import units
from kinetlib.lab.remarks import listed
from kinetlib.lab.titles import key

_AMOUNT = re.compile(r"([+-]?\d+(?:[.,]\d*)?(?:[eE][+-]?\d+)?|[.,]\d+)\s*(.*)")
_IN_NAME = re.compile(
    r"(?<![\w.,])(\d+(?:[.,]\d+)?)\s*(mol\s*-?\s*%|mol\s*-?\s*percent|ppm|%)", re.IGNORECASE
)
_CATALYST = re.compile(r"cat|load|\[?(pd|ni|cu|rh|ru|ir|co|fe|mn|au|pt|ag|zn)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Amount:
    """A number with its unit, which may be empty."""

    value: float
    unit: units.Unit = field(default_factory=lambda: units.Unit(""))


@dataclass(frozen=True)
class Amounts:
    """Amounts as an option states them.

    Attributes
    ----------
    all_runs : Amount or None
        For every run that has none of its own.
    by_run : dict of str to Amount
        By the name of the run, in small letters.
    """

    all_runs: Amount | None = None
    by_run: dict[str, Amount] = field(default_factory=dict)

    def of(self, run: str) -> Amount | None:
        """Return what is stated for a run, None where nothing is."""
        return self.by_run.get(key(run), self.all_runs)

    def __bool__(self) -> bool:
        """Whether anything is stated."""
        return self.all_runs is not None or bool(self.by_run)

    @classmethod
    def read(cls, option: str, stated: Sequence[str | float] | str | float | None) -> Amounts:
        """Read ``VALUE``, ``VALUE UNIT`` or ``RUN=VALUE UNIT``, one or several.

        >>> Amounts.read("--loading", ["5 mol%", "blank=0"]).of("blank").value
        0.0

        Raises
        ------
        ValueError
            Where this is no amount, or two are stated for one run.
        """
        if stated is None:
            return cls()
        texts = [stated] if isinstance(stated, (str, float, int)) else list(stated)
        by_run: dict[str, Amount] = {}
        for text in map(str, texts):
            run, _, said = text.rpartition("=")
            match = _AMOUNT.fullmatch(said.strip())
            unit = units.concentration(match[2]) if match and match[2] else units.Unit("")
            if not match or (match[2] and unit.kind == units.OTHER):
                raise ValueError(
                    f"{option} {text}: expected a number, with a unit such as mM, % or mol% where "
                    "that is not the file's, after the name of a run and = where it is of one run"
                )
            if key(run) in by_run:
                raise ValueError(f"{option}: {run or 'all runs'} stated twice; give one amount")
            by_run[key(run)] = Amount(float(match[1].replace(",", ".")), unit)
        return cls(by_run.pop("", None), by_run)

    def refuse_unknown(self, option: str, runs: Iterable[str]) -> None:
        """Refuse names that no run has.

        Raises
        ------
        ValueError
            Naming the runs that there are.
        """
        names = list(runs)
        for run in self.by_run:
            if run not in map(key, names):
                raise ValueError(
                    f"{option}: no run is called {run!r}; the runs are {listed(map(repr, names))}."
                )


def in_name(name: str) -> Amount | None:
    """Find the loading in the name of a run.

    >>> in_name("DE cat 3.5mol%").value, in_name("200 ppm").unit.factor, in_name("80 % done")
    (3.5, 1e-06, None)
    """
    match = _IN_NAME.search(name)
    if not match or (match[2] == "%" and not _CATALYST.search(name)):
        return None
    unit = "ppm" if match[2].lower() == "ppm" else "mol%"
    return Amount(float(match[1].replace(",", ".")), units.concentration(unit))
