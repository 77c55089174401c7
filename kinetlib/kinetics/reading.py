"""Any mechanism in: text, TOML, SBML, Antimony, or an id of the catalogue."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from kinetlib.kinetics import mechanisms, notation
from kinetlib.kinetics.interchange import antimony_to_sbml
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.sbml import from_sbml

_ARROWS = (
    "->",
    "=>",
    "<-",
    "→",
    "⇌",
    "=",
    ";",
    "\n",
    "<",
)  # that no name of a file is likely to hold
# A line with which models begin, or a reaction with its name before it and its law behind.
_ANTIMONY = re.compile(
    r"^\s*(?:(?:model|module|compartment|species)\s+[*$\w]|\w+\s*:[^;\n]*[-=]>[^;\n]*;)", re.M
)
_LARGEST = 20_000_000  # bytes of a file; the largest published models have some five million
_LONGEST, _WIDEST = 1_000_000, 10_000  # characters of reactions as text, and of a line of it


def mechanism(text_or_path: str | Path, name: str | None = None) -> Mechanism:
    """Read a mechanism: reactions as text, a file, or an id of the catalogue.

    Parameters
    ----------
    text_or_path
        Reactions, as `kinetlib.kinetics.notation` reads them; the name of a file of such text, of
        TOML, SBML or Antimony; the text of SBML or Antimony itself; or ``"M1"`` to ``"M20"``.
    name
        Which mechanism of a TOML file that holds several.

    Returns
    -------
    Mechanism
        Its ``network``; in ``rate_constants`` and ``start`` the values written with it; in
        ``remarks`` what was decided in reading it.

    Raises
    ------
    ValueError
        What cannot be read, where, and what was expected.
    OSError
        A file that cannot be opened.

    Examples
    --------
    >>> mine = mechanism("A + B <=> C (k1 = 2, k-1 = 0.1); A = 1; B = 0.5")
    >>> mine.network.species, mine.rate_constants, mine.start
    (('A', 'B', 'C'), {'k1': 2.0, 'k-1': 0.1}, {'A': 1.0, 'B': 0.5})
    """
    if isinstance(text_or_path, str):
        if text_or_path in mechanisms.catalogue():
            return mechanisms.catalogue()[text_or_path]
        if not _is_file(text_or_path):
            if any(mark in text_or_path for mark in _ARROWS):
                return _of_text(text_or_path, "mechanism", name)
            raise ValueError(
                f"{text_or_path[:80]!r}: no such file, no reaction such as 'A -> B', and "
                f"the catalogue holds {', '.join(mechanisms.catalogue())} only"
            )
    path = Path(text_or_path)
    try:
        return _of_text(_contents(path), path.stem, name, path.suffix.lower())
    except ValueError as error:
        prefix = "" if str(error).startswith(str(path)) else f"{path}: "
        raise ValueError(f"{prefix}{error}") from None


def _is_file(text: str) -> bool:
    try:
        return "\n" not in text and Path(text).is_file()
    except (OSError, ValueError):  # too long, or with a zero byte: no name of a file
        return False


def _contents(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 that says so."""
    with path.open("rb") as file:
        raw = file.read(_LARGEST + 1)
    if len(raw) > _LARGEST:
        raise ValueError(f"larger than {_LARGEST // 1_000_000} MB: expected a mechanism")
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = raw.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"not text in UTF-8: {error}") from None
    if "\0" in text:
        raise ValueError("not a text file: expected reactions, TOML, SBML or Antimony")
    return text


def _of_text(text: str, identifier: str, name: str | None, suffix: str = "") -> Mechanism:
    """Read text by what it looks like; the suffix of its file tells TOML and Antimony."""
    if suffix == ".toml":
        return _of_toml(text, identifier, name)
    if name is not None:
        raise ValueError(f"no mechanism {name!r}: only TOML files hold several")
    if text.lstrip().startswith("<"):
        return from_sbml(text, identifier)
    if suffix in (".ant", ".antimony") or _ANTIMONY.search(text):
        return from_sbml(antimony_to_sbml(text), identifier)
    if len(text) > _LONGEST or max(map(len, text.splitlines()), default=0) > _WIDEST:
        raise ValueError(
            f"{len(text):,} characters: expected at most {_LONGEST:,} of reactions, in lines of at "
            f"most {_WIDEST:,}"
        )
    return mechanisms.from_written(identifier, notation.read(text))


def _of_toml(text: str, identifier: str, name: str | None) -> Mechanism:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"not a TOML file: {error}") from None
    if "reactions" in tables:  # one mechanism, without a table of its own
        tables = {identifier: tables}
    if not tables:
        raise ValueError("no mechanism; write reactions = [...], or a table such as [mine]")
    if name is None and len(tables) > 1:
        raise ValueError(f"holds {', '.join(tables)}: say which, kinetlib.mechanism(FILE, NAME)")
    chosen = next(iter(tables)) if name is None else name
    if chosen not in tables:
        raise ValueError(f"no mechanism {chosen!r}: it holds {', '.join(tables)}")
    return mechanisms.from_table(chosen, tables[chosen], "TOML")
