"""Runs as courses of concentration, for reaction orders: what is followed, what changes with it.

The species whose course is followed is the product, or the substrate where no product was measured.
Extent is the amount of it that was formed or consumed since the start of its run.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

_MOVES = 0.02  # change of a species within a run, relative to its most, from which it counts
_OFF = 0.2  # of a change that is in proportion to the extent: its most deviation
_SAME = 1e-6  # deviation from proportion below which a column was calculated from another
_LEAST = 1e-4  # of a species' most, below which it does not count: logarithms are taken
NODES, WEIGHTS = (part / 2 for part in np.polynomial.legendre.leggauss(4))
NODES = NODES + 0.5
"""Places and weights of four points between 0 and 1, by Gauss and Legendre."""
MIN_ROWS = 3
MOST_ROWS = 100  # of a run; of more, neighbours are averaged


@dataclass(frozen=True)
class Courses:
    """Runs of one reaction, rows of all runs one below the other.

    Attributes
    ----------
    run, time
        Which run a row (N,) is of, and its time since the run's first row.
    values
        Concentrations, shape (N, C), in the file's unit; gaps are interpolated in time.
    measured
        Which of these were measured, shape (N, C).
    species, runs
        Names, lengths C and R.
    followed
        Number of the species whose extent is fitted.
    products
        Which species grow, shape (C,).
    time_unit, concentration_unit
        As the file names them, "" where it does not.
    remarks
        What was assumed.
    """

    run: NDArray[np.int64]
    time: NDArray[np.float64]
    values: NDArray[np.float64]
    measured: NDArray[np.bool_]
    species: tuple[str, ...]
    runs: tuple[str, ...]
    followed: int
    products: NDArray[np.bool_]
    time_unit: str = ""
    concentration_unit: str = ""
    remarks: tuple[str, ...] = ()

    @property
    def first(self) -> NDArray[np.int64]:
        """First row of each run, shape (R,)."""
        return np.searchsorted(self.run, np.arange(len(self.runs)))

    @property
    def change(self) -> NDArray[np.float64]:
        """Concentrations less those in the run's first row, shape (N, C)."""
        return self.values - self.values[self.first][self.run]

    @property
    def extent(self) -> NDArray[np.float64]:
        """Amount formed or consumed of what is followed, shape (N,)."""
        sign = 1.0 if self.products[self.followed] else -1.0
        return sign * self.change[:, self.followed]

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Rows behind the first of a run, which is what was weighed in, shape (N,)."""
        scored = np.ones(len(self.run), dtype=bool)
        scored[self.first] = False
        return scored

    @property
    def range(self) -> float:
        """Largest extent."""
        return float(self.extent.max())

    def varies(self) -> NDArray[np.bool_]:
        """Tell which species differ by more than noise between rows of any run, shape (C,)."""
        low, high = self.values.min(0), self.values.max(0)
        return high - low > _MOVES * np.maximum(np.abs(high), 1e-300)

    def alike(self) -> NDArray[np.bool_]:
        """Tell which species are the same function of the extent in every run, shape (C,).

        Those that change in proportion to it, or not at all, and start alike.
        """
        ratio, _ = self.stoichiometry()
        start = self.values[self.first]
        return np.isfinite(ratio) & (np.ptp(start, axis=0) <= _MOVES * np.abs(start).max(0))

    def stoichiometry(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Relate changes to the extent.

        Returns
        -------
        ratio
            Change of each species a unit of extent, shape (C,): 0 where it does not change, NaN
            where it changes otherwise than in proportion, as a catalyst does that dies.
        off
            Root mean square deviation from proportion, relative to the change, shape (C,).
        """
        change, extent = self.change, self.extent
        largest = np.abs(self.values).max(0)
        ratio = extent @ change / (extent @ extent)
        size = np.sqrt((change**2).mean(0))
        off = np.sqrt(((change - np.outer(extent, ratio)) ** 2).mean(0))
        off = off / np.maximum(size, 1e-300)
        moves = np.abs(change).max(0) > _MOVES * largest
        return np.where(moves, np.where(off < _OFF, ratio, np.nan), 0.0), off

    def refined(self) -> Courses:
        """Return the same runs with four rows more before each but the first, interpolated.

        They are those that `logarithms` wants, in its order.
        """
        time = np.repeat(self.time[:, None], 5, axis=1)
        values = np.repeat(self.values[:, None], 5, axis=1)
        for rows in np.split(np.arange(len(self.time)), self.first[1:]):
            width = np.diff(self.time[rows])[:, None]
            time[rows[1:], :-1] = self.time[rows[:-1], None] + width * NODES
            curve = PchipInterpolator(self.time[rows], self.values[rows])
            values[rows[1:], :-1] = curve(time[rows[1:], :-1])
        kept = np.ones(time.shape, dtype=bool)
        kept[self.first, :-1] = False
        return replace(
            self,
            run=np.repeat(self.run[:, None], 5, axis=1)[kept],
            time=time[kept],
            values=values[kept],
            measured=np.repeat(self.measured[:, None], 5, axis=1)[kept],
        )

    def logarithms(
        self, refined: Courses, extent: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Interpolate ln c at four points between each row and the one before it.

        Parameters
        ----------
        refined
            These runs as `refined` returns them.
        extent
            Of a law that describes the runs more or less, at the rows of ``refined``. Of species
            that change in proportion to the extent what is interpolated is then the deviation from
            the law, which is flatter than the course: few rows suffice.

        Returns
        -------
        numpy.ndarray
            Shape (N, 4, C); those before the first row of a run are of no meaning. Values below a
            ten-thousandth of the species' largest count as that much.
        """
        kept = np.ones((len(self.time), 5), dtype=bool)
        kept[self.first, :-1] = False
        found = np.ones((*kept.shape, len(self.species)))
        found[kept] = refined.values
        if extent is not None:
            ratio, _ = self.stoichiometry()
            inner = np.flatnonzero(np.nan_to_num(ratio) != 0)
            law = np.zeros(found.shape[:2])
            law[kept] = extent
            off = self.change[:, inner] - law[:, -1, None] * ratio[inner]
            before = np.roll(off, 1, axis=0)[:, None]
            between = before + (off[:, None] - before) * NODES[:, None]
            start = self.values[self.first][self.run][:, None, inner]
            found[:, :-1, inner] = start + law[:, :-1, None] * ratio[inner] + between
        least = _LEAST * np.maximum(self.values.max(0), 1e-300)
        return np.log(np.maximum(found[:, :-1], least))

    def transformed(
        self, logarithms: NDArray[np.float64], orders: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Integrate the product of all c^order over time, from the start of each run, shape (N,).

        Parameters
        ----------
        logarithms
            Of the species that have an order, from `logarithms`, shape (N, 4, S).
        orders
            Shape (S,).
        """
        step = np.diff(self.time, prepend=0.0)
        step[self.first] = 0.0
        total = np.cumsum(step * (np.exp(logarithms @ orders) @ WEIGHTS))
        return total - total[self.first][self.run]

    def sources(self) -> dict[int, int]:
        """Tell which column each species that changes in proportion to the extent was read from.

        Returns
        -------
        dict of int to int
            Of each such species, the followed one first, itself; or, where its change is that of an
            earlier one times a number to the last digit, that one: it was calculated, and its noise
            is no other noise.
        """
        ratio, _ = self.stoichiometry()
        moving = [int(one) for one in np.flatnonzero(np.nan_to_num(ratio)) if one != self.followed]
        change = self.change
        found: dict[int, int] = {}
        for one in (self.followed, *moving):
            found[one] = one
            for other in set(found.values()) - {one}:
                factor = change[:, one] @ change[:, other] / (change[:, other] @ change[:, other])
                left = np.abs(change[:, one] - factor * change[:, other]).max()
                if left <= _SAME * np.abs(change[:, one]).max():
                    found[one] = other
                    break
        return found


def courses(runs: xr.Dataset, follow: str | None = None) -> Courses:
    """Take runs from either of the forms in which they are read.

    Parameters
    ----------
    runs
        As `kinetlib.lab.read` or `kinetlib.lab.read_species` returns them.
    follow
        Species whose formation or consumption is fitted; by default the product, of several the one
        that grows most, else the species of which the largest share is consumed.

    Raises
    ------
    ValueError
        Runs of several reactions or temperatures, fewer than two runs, without a change, or without
        the species named.
    """
    if "temperature" in runs and np.ptp(runs["temperature"].values) > 0.1:
        raise ValueError("runs at several temperatures: leave out all runs but those at one")
    if "substrate" in runs:
        time, values, names, known = _by_roles(runs)
    else:
        time, values, names, known = _by_names(runs)
    titles = [str(name) for name in runs["run"].values]
    if len(titles) < 2:
        raise ValueError(
            "one run: reaction orders are told by runs that start differently, give at least two"
        )
    remarks = [line for line in str(runs.attrs.get("remarks", "")).splitlines() if line]
    followed = _followed(values, names, known, follow)
    rows = [
        _rows(title, time[r], values[r], names, followed, remarks) for r, title in enumerate(titles)
    ]
    flat = np.concatenate([part[1] for part in rows])
    change = np.concatenate([part[1] - part[1][0] for part in rows])
    extent = change[:, followed]
    if np.abs(extent).max() <= 1e-12 * max(np.abs(flat[:, followed]).max(), 1e-300):
        raise ValueError(
            f"{names[followed]} is the same in all rows, expected what reacts or forms"
        )
    return Courses(
        np.repeat(np.arange(len(titles)), [len(part[0]) for part in rows]),
        np.concatenate([part[0] for part in rows]),
        flat,
        np.concatenate([part[2] for part in rows]),
        tuple(names),
        tuple(titles),
        followed,
        _grows(change) & (change.max(0) > _MOVES * np.abs(flat).max(0)),
        str(runs["time"].attrs.get("units", "")),
        str(runs.attrs.get("concentration_unit", "")),
        tuple(dict.fromkeys(remarks)),
    )


Table = tuple[NDArray[np.float64], NDArray[np.float64], list[str], str | None]


def _by_names(runs: xr.Dataset) -> Table:
    time = runs["time"].transpose("run", "time").values
    values = runs["concentration"].transpose("run", "time", "species").values
    return time, values, [str(name) for name in runs["species"].values], None


def _by_roles(runs: xr.Dataset) -> Table:
    """Take the roles of `kinetlib.lab.read` as species, in the file's unit of concentration."""
    if runs.sizes.get("sample", 1) != 1:
        raise ValueError(
            f"expected the runs of one reaction, got {runs.sizes['sample']} samples; take one with "
            "runs.isel(sample=[0])"
        )
    one = runs.isel(sample=0) if "sample" in runs.dims else runs
    time = one["time"].transpose("run", "time").values
    product = one["product"].transpose("run", "time").values
    substrate = one["substrate"].transpose("run", "time").values
    unmeasured = ~np.isfinite(substrate).any(1, keepdims=True)
    formed = product - one["product_0"].values[:, None]
    # A substrate that was not measured is what was weighed in less what has formed.
    substrate = np.where(unmeasured, one["substrate_0"].values[:, None] - formed, substrate)
    columns = {runs.attrs.get("substrate_column") or "substrate": substrate}
    has_product = np.isfinite(product).any()
    product_name = runs.attrs.get("product_column") or "product"
    if has_product:
        columns[product_name] = product
    for name in map(str, one["column"].values):
        bare = _bare(name)
        column = one["observed"].sel(column=name).transpose("run", "time").values
        columns[name if bare in columns else bare] = column
    for name in one["reactant"].values:
        if _bare(str(name)) not in columns:
            # Known from its start alone: it is consumed with the substrate, one to one.
            start = one["reactant_0"].sel(reactant=name).values[:, None]
            columns[str(name)] = start - (substrate[:, :1] - substrate)
    catalyst = runs.attrs.get("catalyst_column") or "catalyst"
    if catalyst not in columns:
        columns[catalyst] = np.broadcast_to(one["loading"].values[:, None], time.shape)
    scale = float(runs.attrs.get("standard_substrate_0", 1.0))
    values = np.stack(list(columns.values()), -1) * scale
    return time, values, list(columns), product_name if has_product else next(iter(columns))


def _bare(name: str) -> str:
    """Take the unit off a name, as `kinetlib.lab.read_species` does.

    >>> _bare("H2O / M"), _bare("H2O (mM)"), _bare("Cu(OAc)2")
    ('H2O', 'H2O', 'Cu(OAc)2')
    """
    return re.sub(r"\s+[/(\[].*$", "", name)


def _grows(change: NDArray[np.float64]) -> NDArray[np.bool_]:
    return change.max(0) > -change.min(0)


def _followed(
    values: NDArray[np.float64], names: list[str], known: str | None, follow: str | None
) -> int:
    """Choose the species whose extent is fitted."""
    wanted = follow or known
    if wanted is not None:
        if wanted not in names:
            raise ValueError(f"{wanted}: no such species; the species are {', '.join(names)}")
        return names.index(wanted)
    change = np.where(np.isfinite(values), values - values[:, :1], 0.0).reshape(-1, len(names))
    grown = change.max(0) * _grows(change)
    if (grown > _MOVES * np.nanmax(values, axis=(0, 1))).any():
        return int(grown.argmax())
    return int((-change.min(0) / np.maximum(np.nanmax(values, axis=(0, 1)), 1e-300)).argmax())


def _rows(
    title: str,
    time: NDArray[np.float64],
    values: NDArray[np.float64],
    names: Sequence[str],
    followed: int,
    remarks: list[str],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return time, values without gaps, and what was measured, of the rows that count of a run."""
    kept = np.isfinite(time) & np.isfinite(values[:, followed])
    if kept.sum() < MIN_ROWS:
        raise ValueError(
            f"run {title!r}: {kept.sum()} rows with {names[followed]}, expected at least "
            f"{MIN_ROWS}; leave the run out"
        )
    when, place = np.unique(time[kept], return_inverse=True)
    if len(when) < kept.sum():
        remarks.append(f"run {title!r}: rows at the same time were averaged")
    if len(when) < MIN_ROWS:
        raise ValueError(f"run {title!r}: fewer than {MIN_ROWS} different times; leave the run out")
    known = np.isfinite(values[kept])
    count = np.zeros((len(when), len(names)))
    total = np.zeros_like(count)
    np.add.at(count, place, known)
    np.add.at(total, place, np.nan_to_num(values[kept]))
    if when[0] != 0:
        remarks.append(f"run {title!r} begins at time {when[0]:g}: its first row is the start")
    filled = np.empty_like(total)
    for column, name in enumerate(names):
        seen = np.flatnonzero(count[:, column])
        if not len(seen):
            raise ValueError(f"run {title!r}: {name} has no value; give it, or --ignore {name!r}")
        at = total[seen, column] / count[seen, column]
        filled[:, column] = np.interp(when, when[seen], at)
    if len(when) > MOST_ROWS:
        remarks.append(f"runs of more than {MOST_ROWS} rows: neighbouring rows were averaged")
        parts = np.array_split(np.arange(1, len(when)), MOST_ROWS - 1)
        parts = [np.array([0]), *parts]
        when = np.array([when[part].mean() for part in parts])
        filled = np.array([filled[part].mean(0) for part in parts])
        count = np.array([count[part].sum(0) for part in parts])
    return when - when[0], filled, count > 0
