"""What sets measured runs apart from the runs that the released networks were trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

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


@dataclass(frozen=True)
class Relative:
    """One run, concentrations related to the standard run's initial substrate (see ``Run``)."""

    name: str
    time: np.ndarray
    substrate: np.ndarray
    product: np.ndarray
    loading: float
    others: dict[str, float] = field(default_factory=dict)

    @property
    def product_0(self) -> float:
        """Initial product, none where it was not measured."""
        return float(np.nan_to_num(self.product[0]))


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
    runs: list[Relative], standard: str, product_measured: bool
) -> tuple[list[Relative], list[str]]:
    """Leave out runs in which a species that no mechanism knows starts differently.

    A series in water, say, or in a second reactant changes the rate for a reason that the networks
    would have to blame on the catalyst. Where the product was not measured, a species that the
    standard run starts without may be the product, and does not count.

    Returns
    -------
    kept : list of Relative
        The runs that differ from the standard run in nothing but substrate, product and catalyst.
    remarks : list of str
        A sentence for each species that others differ in.
    """
    reference = next(run for run in runs if run.name == standard)
    left_out, remarks = set(), []
    for species, value in reference.others.items():
        if value == 0 and not product_measured:
            continue
        apart = [run.name for run in runs if _differs(run.others.get(species, value), value)]
        if apart:
            left_out.update(apart)
            remarks.append(
                f"Left out, since {species}, which no mechanism knows, starts differently from "
                f"the standard run: {', '.join(apart)}."
            )
    return [run for run in runs if run.name not in left_out], remarks


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
        lambda run: run.substrate[0],
        lambda run: not _within(run.substrate[0], low, high),
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


def _differs(value: float, reference: float) -> bool:
    return abs(value - reference) > _ROUNDING * abs(reference)


def _conversion(run: Relative) -> float:
    """Compute the share of the initial substrate consumed at the last measured point."""
    measured = run.substrate[~np.isnan(run.substrate)]
    return 1 - measured[-1] / measured[0] if measured[0] > 0 else np.nan


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
