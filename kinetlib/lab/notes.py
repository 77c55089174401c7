"""What sets measured runs apart from the runs that the released networks were trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from kinetlib.lab.columns import Roles, is_constant
from kinetlib.lab.remarks import Remark
from kinetlib.lab.tables import Table
from kinetlib.runs.laboratory import Campaign

TRAINED_ON = Campaign()
"""What the released network's laboratory runs were drawn from."""

NO_PRODUCT = (
    "Product not measured, and taken to be absent at the start: substrate on the catalyst "
    "is not seen."
)

CALCULATED = (
    "Product equals the substrate consumed to the last digit, so it was calculated, not measured: "
    "leave it out, or the runs look free of noise and of substrate on the catalyst."
)
_LAST_DIGIT = 1e-9  # of the standard run's initial substrate

_ROUNDING = 0.05  # weighed-in amounts stray by some percent; that is no departure from the design
_WEIGHED = 0.1  # a species that stays as it is may differ so much from run to run: its weighing
_NOTHING = 0.02  # of the standard run's initial substrate: what a baseline may show at the start
_MORE = 0.15  # by which substrate and product may exceed what there was at the start
_FAR_MORE = 2.0  # times what there was at the start: columns of different units
_KELVIN = 1.0  # by which temperatures of one series may differ


@dataclass(frozen=True)
class Relative:
    """One run, concentrations related to the standard run's initial substrate.

    Attributes
    ----------
    name : str
        Name of the run.
    time, substrate, product : numpy.ndarray, shape (points,)
        NaN where a species was not measured.
    loading, substrate_0, product_0 : float
        What it starts with.
    others : dict of str to numpy.ndarray
        Further columns, by name.
    """

    name: str
    time: np.ndarray
    substrate: np.ndarray
    product: np.ndarray
    loading: float
    substrate_0: float
    product_0: float
    others: dict[str, np.ndarray] = field(default_factory=dict)

    def first(self, name: str) -> float:
        """Return the first number of a further column, NaN where it has none."""
        values = self.others.get(name, np.array([]))
        known = values[np.isfinite(values)]
        return float(known[0]) if len(known) else np.nan


def notes(runs: list[Relative], product_measured: bool) -> list[str]:
    """Plain sentences on whatever the networks have not met in training.

    Parameters
    ----------
    runs : list of Relative
        The runs of the reaction that are read.
    product_measured : bool
        Whether the product has a column.

    Returns
    -------
    list of str
        One sentence each; empty where the runs look like training samples.
    """
    on_product = [] if product_measured else [NO_PRODUCT]
    if product_measured and all(_calculated(run) for run in runs):
        on_product = [CALCULATED]
    return [*on_product, *_on_runs(runs)]


def comparable(
    runs: list[Relative], standard: str, product_measured: bool, roles: Roles
) -> tuple[set[str], list[Remark]]:
    """Find the runs that differ from the standard run in nothing but what mechanisms know.

    A series in water, say, or in a second reactant changes the rate for a reason that the networks
    would have to blame on the catalyst. Where the product was not measured, a species that the
    standard run starts without may be the product, and does not count.

    Returns
    -------
    names : set of str
        Those that a network of mechanisms can read: with catalyst, and otherwise alike.
    remarks : list of Remark
        For each species that others differ in, which.
    """
    reference = next(run for run in runs if run.name == standard)
    left_out, remarks = {run.name for run in runs if not run.loading > 0}, []
    for species in reference.others:
        value = reference.first(species)
        if roles.role(species) == "catalyst" or (abs(value) <= _NOTHING and not product_measured):
            continue
        steady = roles.role(species) == "" and all(
            is_constant(run.others[species]) for run in runs if species in run.others
        )
        # A baseline shows a little of what is not there; what stays as it is was weighed in.
        close = {"relative": _WEIGHED} if steady else {"relative": _ROUNDING, "zero": _NOTHING}
        apart = [run.name for run in runs if _differs(run.first(species), value, **close)]
        if apart:
            left_out.update(apart)
            remarks.append(
                Remark(
                    f"Kept, but not read by networks, since {species}, which no "
                    "mechanism knows, starts differently from the standard run.",
                    f"--ignore '{species}'",
                    tuple(apart),
                )
            )
    return {run.name for run in runs} - left_out, remarks


def repeats(runs: list[Relative], standard: str) -> Iterator[Remark]:
    """Name the runs that repeat the standard run."""
    reference = next(run for run in runs if run.name == standard)

    def starts(run: Relative) -> dict[str, float]:
        own = {"loading": run.loading, "substrate": run.substrate_0, "product": run.product_0}
        return own | {name: run.first(name) for name in run.others}

    wanted = starts(reference)
    same = [
        run.name
        for run in runs
        if run is not reference
        and not any(
            _differs(value, wanted.get(name, np.nan), relative=_LAST_DIGIT)
            for name, value in starts(run).items()
        )
    ]
    if same:
        yield Remark(
            f"Starts as {standard!r} does, and is read as a repeat of it.", "", tuple(same)
        )


def doubts(runs: list[Relative], roles: Roles) -> Iterator[Remark]:
    """Say where mass appears from nowhere.

    Raises
    ------
    ValueError
        Where there is more than twice what there was at the start.
    """
    more = []
    for run in runs:
        total = np.nan_to_num(run.substrate) + np.nan_to_num(run.product)
        known = np.isfinite(run.substrate) | np.isfinite(run.product)
        there = run.substrate_0 + run.product_0
        if not known.any() or not there > 0:
            continue
        largest = float(total[known].max())
        if largest > (1 + _FAR_MORE) * there:
            raise ValueError(
                f"run {run.name!r}: substrate and product come to {largest / there:.3g} times "
                "what there was at the start; if they are in different units, say so by --unit, "
                "and where the product is in percent, start at --substrate-0 100."
            )
        if largest > (1 + _MORE) * there:
            more.append(f"{run.name} ({largest / there:.2f} times)")
    if more:
        yield Remark(
            "Mass appears from nowhere: substrate and product come to more than there was at the "
            "start; check columns, units and calibration.",
            "--unit",
            tuple(more),
        )


def at_other_temperatures(found: dict[str, float], standard: str) -> tuple[set[str], list[Remark]]:
    """Find the runs at another temperature than the standard run's."""
    apart = [name for name, value in found.items() if abs(value - found[standard]) > _KELVIN]
    if not apart:
        return set(), []
    text = "Kept, but not read by networks, since the temperature is not the standard run's."
    return set(apart), [Remark(text, "--standard", tuple(apart))]


def temperatures(tables: Sequence[Table], runs: Sequence[str]) -> dict[str, float]:
    """Read the temperature of each run in kelvin, if all have such a column.

    Raises
    ------
    ValueError
        Where a run has several.
    """
    found = {}
    for table in tables:
        columns = [i for i, title in enumerate(table.titles) if title.is_temperature]
        if not columns or table.name not in runs:
            continue
        numbers = np.array(table.numbers(columns[0]))
        numbers = np.unique(numbers[np.isfinite(numbers)])
        if len(numbers) != 1:
            raise ValueError(
                f"{table.label}: expected one temperature in kelvin, got {len(numbers)} of them; "
                "a run has one"
            )
        celsius = "C" in table.titles[columns[0]].unit
        found[table.name] = float(numbers[0]) + (273.15 if celsius else 0.0)
    return found if set(found) == set(runs) else {}


def _on_runs(runs: list[Relative]) -> Iterator[str]:
    low, high = TRAINED_ON.loading
    yield from _listed(
        runs,
        lambda run: run.loading,
        lambda run: not _within(run.loading, low, high),
        f"Catalyst loading outside of the {low:g} to {high:g} trained on",
    )
    low, high = TRAINED_ON.substrate
    yield from _listed(
        runs,
        lambda run: run.substrate_0,
        lambda run: not _within(run.substrate_0, low, high),
        f"Initial substrate outside of the {low:g} to {high:g} times the standard run trained on",
    )
    low, high = TRAINED_ON.product
    yield from _listed(
        runs,
        lambda run: run.product_0,
        lambda run: not low - _ROUNDING <= run.product_0 <= high + _ROUNDING,
        f"Initial product outside of the {low:g} to {high:g} times the standard run trained on",
    )
    least = TRAINED_ON.stopped[0]
    yield from _listed(
        runs,
        _conversion,
        lambda run: _conversion(run) < least,
        f"Stopped below {least:.0%} conversion, where mechanisms look alike",
    )
    yield from _listed(
        runs,
        lambda run: run.time[0],
        lambda run: run.time[0] > 0,
        "First row not at time 0, yet taken as the start",
    )


def _calculated(run: Relative) -> bool:
    """Tell whether no more than rounding sets substrate and product apart from their first sum."""
    total = run.substrate + run.product
    known = np.isfinite(total)
    return bool(known.sum() > 1 and np.ptp(total[known]) < _LAST_DIGIT)


def _differs(value: float, reference: float, *, relative: float, zero: float = 0.0) -> bool:
    """Tell whether starts differ: by a share of the reference, or by more than nothing."""
    if np.isnan(value) or np.isnan(reference):
        return False
    return bool(abs(value - reference) > (relative * abs(reference) if reference else zero))


def _conversion(run: Relative) -> float:
    """Compute the share of the initial substrate consumed at the last measured point."""
    measured = run.substrate[~np.isnan(run.substrate)]
    if len(measured):
        return 1 - measured[-1] / run.substrate_0 if run.substrate_0 > 0 else np.nan
    made = run.product[~np.isnan(run.product)]
    return (made[-1] - run.product_0) / run.substrate_0 if len(made) else np.nan


def _within(value: float, low: float, high: float) -> bool:
    return low * (1 - _ROUNDING) <= value <= high * (1 + _ROUNDING)


def _listed(
    runs: list[Relative],
    value: Callable[[Relative], float],
    applies: Callable[[Relative], bool],
    sentence: str,
) -> Iterator[str]:
    """Complete the sentence with the runs to which it applies, if any, and their values."""
    found = [f"{run.name} ({value(run):.3g})" for run in runs if applies(run)]
    if found:
        yield f"{sentence}: {', '.join(found)}."
