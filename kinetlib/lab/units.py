"""Units of time and concentration as chemists write them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_TIMES = {
    "ms": (1e-3, "ms msec millisecond milliseconds"),
    "s": (1.0, "s sec secs second seconds sekunde sekunden seconde secondes segundos"),
    "min": (60.0, "min mins minute minutes minuten minutos"),
    "h": (3600.0, "h hr hrs hour hours std stunde stunden heure heures hora horas"),
    "d": (86400.0, "d day days tag tage jour jours dia dias"),
}
SECONDS = {unit: seconds for unit, (seconds, _) in _TIMES.items()}
"""Seconds in each unit of time."""
_TIME_NAMES = {name: unit for unit, (_, names) in _TIMES.items() for name in names.split()}

CLOCKS = {
    "h:mm:ss": re.compile(r"h+:m+:s+(\.\w+)?"),
    "h:mm": re.compile(r"h+:m+"),
    "m:ss": re.compile(r"m+:s+(\.\w+)?"),
}
"""Ways to write a duration, and how the head of a column names them."""

_PREFIXES = {"k": 1e3, "": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12}
_MOLAR = re.compile(r"([munp]?)M|([mun]?)molar")
_PER_VOLUME = re.compile(
    r"([kmunp]?)mol(?:es?)?\s*(?:/\s*|per\s+|\s+)(?:(mL|ml|cm3|L|l|liter|litre|dm3|m3)|"
    r"(mL|ml|cm|L|l|dm|m)-([13]))"
)
_LITRES = {"ml": 1e-3, "cm3": 1e-3, "cm": 1e-3, "m3": 1e3, "m": 1e3}
_SHARES = {
    1e-2: ("%", "mol%", "mol-%", "%mol", "percent", "per cent", "pct", "prozent"),
    1e-6: ("ppm", "molppm", "ppmmol"),
    1e-9: ("ppb",),
    1.0: ("equiv", "equiv.", "eq", "eq.", "eqiv", "equivalent", "equivalents"),
}
_SHARE_NAMES = {name: factor for factor, names in _SHARES.items() for name in names}

MOLAR, SHARE, OTHER = "molar", "share", "other"


@dataclass(frozen=True)
class Unit:
    """A unit of concentration.

    Attributes
    ----------
    text : str
        As written; "" where none is.
    kind : str
        ``molar``; ``share`` of the initial substrate; ``other``, which converts to nothing.
    factor : float
        In mol/L, or of the whole.
    """

    text: str
    kind: str = OTHER
    factor: float = 1.0

    def converts(self, other: Unit) -> bool:
        """Tell whether a value in this unit can be told in the other without knowing more."""
        if self.kind == other.kind != OTHER:
            return True
        return self.kind == other.kind and self.text.casefold() == other.text.casefold()


def concentration(text: str) -> Unit:
    """Understand a unit of concentration.

    >>> concentration("mmol/L").factor, concentration("mol %").kind, concentration("g/L").kind
    (0.001, 'share', 'other')
    """
    plain = _plain(text)
    match = _MOLAR.fullmatch(plain)
    if match:
        return Unit(text, MOLAR, _PREFIXES[match[1] or match[2] or ""])
    match = _PER_VOLUME.fullmatch(plain)
    if match and (match[4] or "1") == ("3" if match[3] in ("cm", "dm", "m") else "1"):
        volume = _LITRES.get((match[2] or match[3]).lower(), 1.0)
        return Unit(text, MOLAR, _PREFIXES[match[1]] / volume)
    share = _SHARE_NAMES.get(plain.casefold().replace(" ", ""))
    return Unit(text) if share is None else Unit(text, SHARE, share)


def time(text: str) -> str:
    """Return the short name of a unit of time, "" where it is none that is known.

    >>> time("Minutes"), time("hrs."), time("fortnight")
    ('min', 'h', '')
    """
    return _TIME_NAMES.get(_plain(text).casefold().rstrip("."), "")


def clock(text: str) -> str:
    """Return the way to write a duration that is named, say ``h:mm:ss``, "" where none is."""
    plain = _plain(text).casefold()
    return next((name for name, pattern in CLOCKS.items() if pattern.fullmatch(plain)), "")


def known(text: str) -> bool:
    """Tell whether this is a unit of time or concentration, or a way to write durations."""
    return bool(time(text) or clock(text)) or concentration(text).kind != OTHER


def _plain(text: str) -> str:
    """Write a unit in plain letters: no superscripts, no dots between, one micro."""
    text = unicodedata.normalize("NFKC", text.strip())
    text = text.translate(str.maketrans({"\u2212": "-", "\u2013": "-", "\u03bc": "u", "^": None}))
    return " ".join(re.sub(r"[\u00b7\u22c5*]|(?<=l)\.(?=[lLdm])", " ", text).split())
