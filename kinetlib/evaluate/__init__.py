"""Measures of answers, their intervals, calibration and novelty: numbers in, numbers out."""

from kinetlib.evaluate.intervals import Interval, bootstrap, formatted, mean, text, wilson
from kinetlib.evaluate.measures import (
    SIZES,
    confusion,
    credible_set_shares,
    credible_set_size,
    cross_entropy,
    entropy,
    in_credible_set,
    merged,
    reliability,
    summary,
    top_k,
)

__all__ = [
    "SIZES",
    "Interval",
    "bootstrap",
    "confusion",
    "credible_set_shares",
    "credible_set_size",
    "cross_entropy",
    "entropy",
    "formatted",
    "in_credible_set",
    "mean",
    "merged",
    "reliability",
    "summary",
    "text",
    "top_k",
    "wilson",
]
