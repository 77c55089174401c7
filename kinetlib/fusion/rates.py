"""Rates and logarithms of concentrations, made from what a network is shown of each point.

A rate law is a product of powers: in logarithms it is a sum, and how fast a run is at each point is
what tells mechanisms apart. An LSTM that sees only concentrations has to learn both first.
"""

from __future__ import annotations

from types import ModuleType

from kinetlib.fusion.features import POINT_CHANNELS, SPREAD

RATE_CHANNELS = (
    "logarithm of substrate",
    "logarithm of product",
    "logarithm of bound catalyst",
    "rate of substrate",
    "rate of product",
    "logarithm of the step",
    "rate of the logarithm of substrate",
)
_LEAST = 2e-3  # a concentration, below which it is as good as zero
_LEAST_BOUND = 5e-3  # the same of bound substrate relative to all catalyst
_LEAST_STEP = 1e-4  # of time, relative to the mean length of the sample's runs


def rates(points, functions: ModuleType):
    """Return further channels of points.

    Rates are relative to loading and to the mean length of runs, between a point and the one
    before, and 0 at a run's first point. An inverse hyperbolic sine puts them on a scale that is
    logarithmic for large ones of either sign.

    Parameters
    ----------
    points
        As `kinetlib.fusion.features.run_inputs` makes them, shape (n, R, T, 14).
    functions
        What they are computed with: NumPy, or Keras' operations.

    Returns
    -------
    array
        Shape (n, R, T, 7), 0 where there is no point or a species was not measured.
    """
    m = functions
    shown = {name: points[..., i] for i, name in enumerate(POINT_CHANNELS)}
    knows_s, knows_p = shown["substrate known"], shown["product known"]
    there, both = m.maximum(knows_s, knows_p), knows_s * knows_p
    substrate = knows_s * (shown["substrate"] + 0.5)
    product = knows_p * (shown["product"] + 0.5)
    loading = m.exp(1.2 * shown["loading"])  # relative to 4 %
    relative = 3 * (shown["logarithm of time"] - 0.5) - m.log(shown["time"] + SPREAD)
    time = there * shown["time"] * m.exp(there * relative)
    missing = shown["initial substrate"] + 1 + shown["initial product"] - substrate - product
    logarithm = m.log(m.maximum(substrate, 0.0) + _LEAST)

    step = m.maximum(_since_before(time, m), _LEAST_STEP)
    passed = step * loading
    s_twice, p_twice, twice = (_twice(known, m) for known in (knows_s, knows_p, there))
    channels = [
        knows_s * logarithm / 3,
        knows_p * m.log(m.maximum(product, 0.0) + _LEAST) / 3,
        both * m.log(m.maximum(missing / (0.04 * loading), 0.0) + _LEAST_BOUND) / 3,
        s_twice * m.arcsinh(-50 * _since_before(substrate, m) / passed) / 5,
        p_twice * m.arcsinh(50 * _since_before(product, m) / passed) / 5,
        twice * (m.log(step) / 3 + 0.5),
        s_twice * m.arcsinh(-20 * _since_before(logarithm, m) / passed) / 5,
    ]
    return m.stack(channels, -1)


def _since_before(values, functions: ModuleType):
    """Differences to the point before, 0 at the first."""
    change = values[..., 1:] - values[..., :-1]
    return functions.concatenate([0 * values[..., :1], change], -1)


def _twice(known, functions: ModuleType):
    """Where a point and the one before are known."""
    return functions.concatenate([0 * known[..., :1], known[..., 1:] * known[..., :-1]], -1)
