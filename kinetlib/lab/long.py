"""Long tables, one value a row: tidy ones, and measurement tables of PEtab."""

from __future__ import annotations

from kinetlib.lab.remarks import Remark, listed, printable
from kinetlib.lab.sheets import Sheet, cell_of, is_number, is_text, said
from kinetlib.lab.tables import Rows, Table
from kinetlib.lab.titles import Title, key

_PETAB = {"observableid", "simulationconditionid", "time", "measurement"}
_OF_PETAB = {
    "preequilibrationconditionid", "observableparameters", "noiseparameters", "datasetid",
    "replicateid", "observabletransformation", "noisedistribution",
}  # fmt: skip


def unfold(
    sheet: Sheet, titles: tuple[Title, ...], rows: Rows, time: str | None
) -> tuple[list[Table], list[Remark]] | None:
    """Turn a long table into one wide table a run, None where this is no long table.

    It has a column of times, one that names species, one of values, and usually one that names
    runs. Values of one species at one time in one run are replicates, and get a row each. Further
    columns of numbers stay as they are, a value a time.
    """
    keys = [key(title.text) for title in titles]
    times = [i for i, t in enumerate(titles) if (t.is_called(time) if time else t.is_time)]
    species = [i for i, title in enumerate(titles) if title.is_species]
    values = [i for i, title in enumerate(titles) if title.is_value]
    if not times or not species or len(values) != 1:
        return None
    at, what, value = times[0], species[0], values[0]
    if not all(cells[what] is None or not is_number(cells[what]) for _, cells in _of(rows, what)):
        return None
    runs = [i for i, t in enumerate(titles) if t.is_run and i not in (at, what, value)]
    unit = next((i for i, name in enumerate(keys) if name in ("unit", "units")), None)
    skipped = {at, what, value, *runs, unit} | {i for i, k in enumerate(keys) if k in _OF_PETAB}
    kept = [i for i, t in enumerate(titles) if t.text and i not in skipped and _numeric(rows, i)]
    names: dict[str, str] = {}
    by_run: dict[str, dict] = {}
    for number, cells in _of(rows, max(at, what, value)):
        if cells[at] is None and cells[value] is None:
            continue
        if not is_text(cells[what]) and not is_number(cells[what]):
            raise ValueError(
                f"{sheet.file}, row {number}: the column {titles[what].text!r} is empty; name what "
                "was measured."
            )
        name = printable(said(cells[what]))
        names.setdefault(name, said(cells[unit]) if unit is not None and cells[unit] else "")
        run = printable(said(cells[runs[0]])) if runs and cells[runs[0]] is not None else ""
        rows_of_run = by_run.setdefault(run or sheet.name, {})
        slots = rows_of_run.setdefault(cells[at], [])
        slot = next((s for s in slots if name not in s[1]), None)
        if slot is None:
            slot = (number, {}, [cell_of(cells, i) for i in kept])
            slots.append(slot)
        slot[1][name] = cells[value]
    heads = (
        titles[at],
        *(Title(n, n, u or titles[value].unit) for n, u in names.items()),
        *(titles[i] for i in kept),
    )
    places = (at, *(value for _ in names), *kept)
    found = []
    for run, slots_by_time in by_run.items():
        wide = [
            (number, (moment, *(seen.get(name) for name in names), *more))
            for moment, slots in slots_by_time.items()
            for number, seen, more in slots
        ]
        found.append(Table(sheet.file, run, heads, places, 0, tuple(wide), sheet.name))
    kind = "PEtab's measurements" if set(keys) >= _PETAB else "a tidy table"
    remark = Remark(
        f"Sheet {sheet.name!r} is read as {kind}: runs {listed(by_run)}; species {listed(names)}.",
        "--layout sheets",
    )
    return found, [remark]


def _of(rows: Rows, least: int) -> Rows:
    """Fill rows up to a width, so that each has the columns that are needed."""
    return tuple((n, cells + (None,) * (least + 1 - len(cells))) for n, cells in rows)


def _numeric(rows: Rows, i: int) -> bool:
    cells = [cell_of(cells, i) for _, cells in rows]
    return any(map(is_number, cells)) and not any(map(is_text, cells))
