"""The cells of one run, every cell with its address in the file."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches

from kinetlib.lab.remarks import listed, quoted
from kinetlib.lab.sheets import column_letter
from kinetlib.lab.titles import Title, key

Rows = tuple[tuple[int, tuple], ...]


@dataclass(frozen=True)
class Table:
    """The cells of one run.

    Attributes
    ----------
    file : str
        Name of the file, for messages.
    name : str
        Name of the run: that of the sheet, of its block, the value in the column ``run``, or the
        file's stem.
    titles : tuple of Title
        Heads of the columns; those of unnamed ones are empty.
    places : tuple of int
        Position of each column in the sheet, from 0.
    time : int
        Which of the columns holds the time.
    rows : tuple of (int, tuple)
        Row number in the file (the first is 1) and cells, one for each column.
    sheet : str
        Name of the sheet.
    """

    file: str
    name: str
    titles: tuple[Title, ...]
    places: tuple[int, ...]
    time: int
    rows: Rows
    sheet: str = ""

    @property
    def label(self) -> str:
        """Where this table is, for messages."""
        return f"{self.file}, run {self.name!r}"

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns as written."""
        return tuple(title.text for title in self.titles)

    def called(self, name: str) -> list[int]:
        """Positions of the columns called `name`; those with its unit as well first."""
        exact = [i for i, title in enumerate(self.titles) if key(title.text) == key(name)]
        return exact or [i for i, title in enumerate(self.titles) if title.is_called(name)]

    def column(self, name: str, role: str) -> int:
        """Position of the column called `name`, without regard to outer spaces, case and unit.

        Raises
        ------
        ValueError
            Where no column, or more than one, has that name.
        """
        found = self.called(name)
        if len(found) == 1:
            return found[0]
        if found:
            raise ValueError(
                f"{self.label}: {len(found)} columns are called {name!r} ({role}); "
                "give each column a name of its own."
            )
        present = [title.text for title in self.titles if title.text]
        close = get_close_matches(key(name), [key(title) for title in present], n=1, cutoff=0.5)
        nearest = next((title for title in present if close and key(title) == close[0]), None)
        hint = f" Did you mean {nearest!r}?" if nearest else ""
        raise ValueError(
            f"{self.label}: no column {name!r} for the {role}; "
            f"its columns are {listed(map(quoted, present))}.{hint}"
        )

    def numbers(self, column: int) -> list[float]:
        """All numbers of a column, NaN where a cell is empty.

        Raises
        ------
        ValueError
            Where a cell holds anything but a finite number.
        """
        return [number(cells[column], self.address(row, column)) for row, cells in self.rows]

    def seen(self, column: int) -> list[float]:
        """All numbers of a column, NaN where a cell holds none, whatever it holds."""
        cells = (cells[column] for _, cells in self.rows)
        return [cell if isinstance(cell, float) else math.nan for cell in cells]

    def address(self, row: int, column: int) -> str:
        """Name a cell as its reader finds it: file, run, cell and column name."""
        title = self.titles[column].text
        where = f"{column_letter(self.places[column])}{row}"
        return f"{self.label}, cell {where}" + (f" ({title})" if title else "")

    def of(self, name: str, rows: Iterable[tuple[int, tuple]]) -> Table:
        """Return another run with the same columns."""
        return replace(self, name=name, rows=tuple(rows))


def number(cell: object, where: str) -> float:
    """Take the value of one cell as a float, NaN where it is empty.

    Raises
    ------
    ValueError
        Where it holds anything but a finite number.
    """
    if cell is None:
        return math.nan
    if not isinstance(cell, float) or not math.isfinite(cell):
        advice = "correct the cell or leave it empty."
        if cell == "a formula that was never calculated":
            advice = "open the file in a spreadsheet program and save it."
        elif not isinstance(cell, (str, float, bool)):
            advice = "the date or clock time belongs into the column of times."
        raise ValueError(f"{where}: expected a number, found {quoted(cell)}; {advice}")
    return cell
