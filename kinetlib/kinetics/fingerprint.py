"""Rules that a parameter set must keep: shares of the catalyst, ratios of constants."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= pair[0] <= pair[1] <= 1:
        raise ValueError(f"expected a pair that rises within [0, 1], got {list(pair)}")
    return pair


_RisingShares = Annotated[tuple[float, float], AfterValidator(_rising)]


class Fingerprint(BaseModel):
    """A bound on the share of some species among all catalyst atoms, at or over a conversion."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: tuple[str, ...] = Field(min_length=1)
    conversion: Annotated[float, Field(gt=0, le=1)] | _RisingShares
    range: _RisingShares
    where: Literal["somewhere", "throughout"] = "throughout"

    def in_words(self) -> str:
        """Put the rule in words."""
        low, high = (f"{100 * bound:.0f} %" for bound in self.range)
        bound = f"over {low}" if self.range[1] >= 1 else f"{low} to {high}"
        species = " + ".join(self.share)
        if isinstance(self.conversion, float):
            return f"{species}: {bound} of the catalyst at {100 * self.conversion:.0f} % conversion"
        start, stop = (f"{100 * level:.0f}" for level in self.conversion)
        return (
            f"{species}: {bound} of the catalyst {self.where} from {start} to {stop} % conversion"
        )


class Necessary(BaseModel):
    """A ratio of two rate constants without which no reference run shows the fingerprint.

    It saves the runs of parameter sets that would be refused anyway, and changes nothing else.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    faster: str
    slower: str
    by: float = Field(gt=0)


def holds_over(
    rule: Fingerprint,
    progress: NDArray,
    share: NDArray,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Tell which runs, (n, T), keep a rule over its range of conversions, bounds (n,): (n,)."""
    start, stop = rule.conversion
    inside = (progress >= start) & (progress <= stop)
    fits = (share >= low[:, None]) & (share <= high[:, None])
    if rule.where == "somewhere":
        return (inside & fits).any(1)
    return (fits | ~inside).all(1)


def at_conversion(progress: NDArray, value: NDArray, level: float | NDArray) -> NDArray:
    """Interpolate a quantity at the moment when the conversion first passes a level.

    Parameters
    ----------
    progress
        Conversion relative to the final one, shape (n, T).
    value
        Shape (T,), (n, T) or (n, T, ...).
    level
        A level in (0, 1), or one a run, shape (n,).

    Returns
    -------
    NDArray
        Shape (n,) or (n, ...).
    """
    level = np.broadcast_to(level, len(progress))
    after = np.maximum((progress >= level[:, None]).argmax(1), 1)
    rows = np.arange(len(progress))
    if value.ndim == 1:
        value = np.broadcast_to(value, progress.shape)
    left, right = progress[rows, after - 1], progress[rows, after]
    weight = ((level - left) / (right - left)).reshape(-1, *[1] * (value.ndim - 2))
    return (1 - weight) * value[rows, after - 1] + weight * value[rows, after]
