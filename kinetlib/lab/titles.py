"""Heads of columns: the name, the unit, and what kind of column it is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kinetlib.lab import units
from kinetlib.lab.remarks import printable

_UNIT = re.compile(
    r"(?P<name>.*?)\s*(?:"
    r"\[\s*(?P<square>[^\[\]]+?)\s*\]?|"
    r"\(\s*(?P<round>[^()]+?)\s*\)?|"
    r"(?P<sign>[/,_])\s*(?P<behind>[^,()\[\]]+?)|"
    r"\bin\s+(?P<told>\S+)|"
    r"\s(?P<word>\S+)"
    r")\s*$"
)
_TIME_WORDS = (
    "time elapsed reaction rxn run zeit reaktionszeit uhrzeit temps tiempo tempo tijd clock date "
    "datetime timestamp timepoint date/time date_time total relative since rel stamp point and"
).split()
_CERTAIN = frozenset(
    "time zeit reaktionszeit uhrzeit temps tiempo tempo tijd datetime timestamp date/time "
    "date_time timepoint elapsed date".split()
)
_RUNS = frozenset(
    "run|runs|run id|run_id|runid|run name|run no|run no.|run number|run #|experiment|experiments|"
    "experiment id|experiment_id|experiment name|experiment no|experiment no.|exp|exp.|expt|"
    "exp no|exp no.|exp. no.|reaction id|series|trial|batch|condition|condition id|"
    "simulationconditionid|conditionid|versuch|lauf|entry".split("|")
)
_SPECIES = frozenset(
    "species|compound|analyte|component|variable|observable|observableid|substance|molecule|"
    "species name|compound name|analyte name|name|stoff|verbindung".split("|")
)
_VALUES = frozenset(
    "value|values|measurement|concentration|conc|conc.|c|amount|signal|wert|konzentration|result|"
    "measured".split("|")
)
_STANDARDS = re.compile(
    r".*\b(int(ernal|\.)?[\s_-]*(std|standard)\w*|istd?|i\.s\.|is)(\b.*|$)|(std|standard)\.?"
    r"|(mesitylene|1,3,5-trimethoxybenzene|trimethoxybenzene|tmb|biphenyl|n-?dodecane|dodecane|"
    r"n-?hexadecane|hexadecane|n-?decane|durene|tetralin|hexamethylbenzene|dibromomethane|ch2br2|"
    r"tms|ferrocene|fluorobenzene|phf|adamantane|tridecane|tetradecane|undecane)",
    re.IGNORECASE,
)
_COUNTERS = re.compile(
    r"(sample|scan|point|row|vial|injection|spectrum|time\s?step|index|cycle|aliquot|replicate|rep)"
    r"[\s_]*(no|nr|number|id|#|index)?\.?|(no|nr|number|#|index|id)\.?|timestep",
    re.IGNORECASE,
)
_REMARKS = re.compile(r"(comment|remark|note|bemerkung|operator|file\s?name|filename)s?\b", re.I)


@dataclass(frozen=True)
class Title:
    """The head of a column.

    Attributes
    ----------
    text : str
        As written, on one line; "" where there is none.
    name : str
        Without its unit, where that is one of time or concentration.
    unit : str
        What stands behind the name as its unit, understood or not; "" where nothing does.
    stem : str
        Without whatever stands behind the name as if it were its unit.
    """

    text: str = ""
    name: str = ""
    unit: str = ""
    stem: str = ""

    @classmethod
    def of(cls, cell: object) -> Title:
        """Read the cell above a column: text, or the number of a compound.

        >>> Title.of("PhB(OH)2 (mM)"), Title.of(3.0).name, Title.of("Time / s").unit
        (Title(text='PhB(OH)2 (mM)', name='PhB(OH)2', unit='mM', stem=''), '3', 's')
        """
        if cell is None:
            return cls()
        if isinstance(cell, float) and cell.is_integer():
            cell = int(cell)
        text = printable(str(cell))
        match = _UNIT.fullmatch(text)
        if not match or not match["name"]:
            return cls(text, text)
        unit = next(
            match[part]
            for part in ("square", "round", "behind", "told", "word")
            if match[part] is not None
        )
        of_time = match["name"].casefold().split()[0] in (*_CERTAIN, "t")
        if match["word"] is None and match["told"] is None and match["sign"] != "_":
            # A comma without a space stands within a name: N,N-dimethyl.
            apart = match["sign"] != "," or text[match.start("behind") - 1].isspace()
            if units.known(unit) or (of_time and apart):
                return cls(text, match["name"], unit)
            return cls(text, text, unit if apart else "", match["name"] if apart else "")
        if of_time:
            known = bool(units.time(unit) or units.clock(unit))
        else:
            # One letter behind an underscore is an index: A_M.
            known = units.concentration(unit).kind != units.OTHER and (len(unit) > 1 or unit == "%")
        return cls(text, match["name"], unit) if known else cls(text, text)

    def is_called(self, name: str) -> bool:
        """Tell whether a user means this column, with its unit or without; case does not matter."""
        names = {key(self.text), key(self.name), key(self.stem)} - {""}
        return key(name) in names

    @property
    def is_time(self) -> bool:
        """Whether this names a time: ``Time / s``, ``t``, ``hr``, ``elapsed``."""
        if not self.name:
            return False
        words = self.name.casefold().replace("-", " ").split()
        if words and words[0] in _CERTAIN and all(word in _TIME_WORDS for word in words):
            return True
        if _CERTAIN & set(words):
            told = bool(units.time(self.unit) or units.clock(self.unit))
            return told or all(word in _TIME_WORDS for word in words)
        # One capital letter is a species: S is no second, T no time.
        alone = self.name.strip()
        return alone == "t" or (bool(units.time(alone)) and (len(alone) > 1 or alone in "sh"))

    @property
    def unit_of_time(self) -> str:
        """Unit of a column of times, which may be its name; "" where none is told."""
        return self.unit or (self.name if units.time(self.name) else "")

    @property
    def is_run(self) -> bool:
        """Whether this column tells runs apart."""
        return key(self.text) in _RUNS

    @property
    def is_species(self) -> bool:
        """Whether this column of a tidy table names what was measured."""
        return key(self.text) in _SPECIES

    @property
    def is_value(self) -> bool:
        """Whether this column of a tidy table holds what was measured."""
        return key(self.name) in _VALUES

    @property
    def is_temperature(self) -> bool:
        """Whether this column holds temperatures."""
        name = key(re.split(r"[/(\[,]", self.text)[0])
        return name in ("temperature", "temp", "temp.", "temperatur", "t / k", "t_k")

    @property
    def no_species(self) -> str:
        """What this column is if it is no species by its name, "" where it may be one."""
        if _STANDARDS.fullmatch(self.name.strip()):
            return "an internal standard"
        if _COUNTERS.fullmatch(self.name.strip()):
            return "a number of samples"
        return "a comment" if _REMARKS.match(self.name) else ""


def key(name: str) -> str:
    """Return a name as it is compared: without outer spaces and case."""
    return " ".join(str(name).split()).casefold()
