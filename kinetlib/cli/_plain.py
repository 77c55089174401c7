"""Values as JSON knows them."""

from __future__ import annotations

import math


def plain(value: float) -> float | None:
    """Return a number as JSON knows it: no infinity, no NaN."""
    return value if math.isfinite(value) else None
