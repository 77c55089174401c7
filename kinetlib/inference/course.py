"""The course of fitted runs: the best curves, where readings are to be expected, what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray

from kinetlib.inference.coordinates import Coordinates
from kinetlib.inference.misfit import in_deviations
from kinetlib.inference.observations import Observations
from kinetlib.inference.problem import Problem
from kinetlib.inference.profiles import Profile
from kinetlib.inference.verdicts import LEVEL
from kinetlib.kinetics.network import Network

_POINTS, _DRAWS = 121, 400


@dataclass(frozen=True)
class Traces:
    """What a fit has found in its own coordinates; figures and files are made of it.

    Attributes
    ----------
    network, layout
        What was fitted, and the coordinates that were free.
    best, x
        Coordinates of the best fit (D,), and draws from the posterior (n, D).
    profiles
        One a coordinate.
    drop
        Of ln p(y | x) at the ends of profile intervals.
    """

    network: Network
    layout: Coordinates
    best: NDArray[np.float64]
    x: NDArray[np.float64]
    profiles: tuple[Profile, ...]
    drop: float


@dataclass(frozen=True)
class Course:
    """Fitted runs in the file's units, R runs with C columns.

    Attributes
    ----------
    time
        Shape (R, N), evenly spaced from 0 to the last point of each run.
    best
        The best fit, shape (R, N, C).
    low, high
        Between them 95 % of readings are expected, constants and noise drawn from the posterior;
        shape (R, N, C).
    residuals
        Of what was measured, in standard deviations of the noise, shape (R, T, C), NaN where
        nothing was.
    """

    time: NDArray[np.float64]
    best: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    residuals: NDArray[np.float64]


def course(traces: Traces, data: Observations, seed: int = 0) -> Course:
    """Follow the runs of a fit from beginning to end.

    Parameters
    ----------
    traces, data
        Of the fit.
    seed
        Of the draws from the posterior.
    """
    rng = default_rng(seed)
    layout, unit = traces.layout, traces.layout.units[1]
    chosen = np.concatenate([traces.best[None], traces.x[rng.integers(len(traces.x), size=_DRAWS)]])
    measured = Problem(traces.network, data, layout, threads=None)
    curves = measured.curves(chosen)
    known = np.isfinite(curves).all(1)
    chosen, curves = chosen[known], curves[known]
    last = np.where(np.isfinite(data.values).any(-1), data.time, 0.0).max(1, keepdims=True)
    time = last * np.linspace(0, 1, _POINTS)
    shape = (len(data.runs), _POINTS, len(data.columns))
    everywhere = replace(
        data, time=time, values=np.zeros(shape), readings=np.ones(shape), scatter=np.zeros(shape)
    )
    series = Problem(traces.network, everywhere, layout, threads=None).series(chosen)
    noise = measured.marginal.drawn(curves, rng)
    relative, absolute = (part[:, None, None] for part in (noise.relative, noise.absolute))
    deviation = np.sqrt((relative * series) ** 2 + absolute**2)
    readings = (series + deviation * rng.standard_normal(series.shape))[1:]
    readings = readings[np.isfinite(readings).all((1, 2, 3))]
    low, high = np.quantile(readings, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    measured.tighten(traces.best)
    residuals = in_deviations(measured, curves[:1], measured.values)[0]
    return Course(time, series[0] * unit, low * unit, high * unit, residuals)
