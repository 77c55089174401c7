"""What laboratories do: one to eight runs a reaction, each with its own start, points and end.

The published design (`kinetlib.runs.sample`) is one kind of campaign: four runs, one substrate but
for the last, one horizon. A laboratory varies all of it, and a network that is to read what
laboratories have must have seen the like.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinetlib.kinetics.mechanisms import CATALYST, SUBSTRATE, Mechanism, at_conversion
from kinetlib.kinetics.simulate import followed, observed
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import ParameterSets, Range, initial_concentrations

_UNCHANGED = 0.01  # a run that turns over less than this part of its material has no end of its own
_PILOT_TOLERANCE = {"rtol": 1e-4, "atol": 1e-7}
_LATEST = 40.0  # longest pilot, in horizons of the reference run per relative loading


class Campaign(BaseModel):
    """What runs are drawn from; concentrations are relative to the standard run's substrate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loading: Range = Field((0.001, 0.2), description="of all campaigns, log-uniform")
    loading_span: Range = Field((1.0, 20.0), description="largest over smallest of one campaign")
    substrate: Range = Field((0.25, 2.0), description="initial substrate, log-uniform")
    product: Range = Field((0.0, 1.0), description="initial product where some is added")
    stopped: Range = Field((0.3, 0.99), description="part of a run's own final conversion")
    points: tuple[int, int] = Field((3, 250), description="points a run, log-uniform")
    standard: float = Field(0.6, ge=0, le=1, description="share of runs with substrate 1")
    with_product: float = Field(0.2, ge=0, le=1, description="share of runs with added product")
    without_start: float = Field(0.3, ge=0, le=1, description="share of samples without t = 0")
    going_on: float = Field(0.0, ge=0, le=1, description="share of samples watched to their end")
    beyond: Range = Field((1.0, 6.0), description="how much longer they are watched, log-uniform")


def draw_runs(
    mechanism: Mechanism,
    sets: ParameterSets,
    which: NDArray[np.int64],
    n_runs: int,
    n_points: int,
    campaign: Campaign,
    rng: Generator,
    *,
    threads: int | None = None,
) -> Runs:
    """Simulate exact runs of laboratory campaigns.

    Parameters
    ----------
    mechanism, sets
        The mechanism and accepted parameter sets of it.
    which
        Parameter set of each sample, shape (n,).
    n_runs
        Runs of each sample.
    n_points
        Points a run is reduced to at most: of more readings, each point stands for the mean of
        several, simulated at the middle of its share and counted in ``averaged``.
    campaign
        What is drawn from.
    rng, threads
        Source of the draws; threads of the integrator, which do not change the values.

    Returns
    -------
    Runs
        Of shape (n, n_runs, n_points), exact: noise is for whoever reads them.
    """
    n, constants = len(which), sets.rate_constants[which]
    loading, substrate_0, product_0 = _starts(n, n_runs, campaign, rng)
    initial = initial_concentrations(mechanism, loading, substrate_0, product_0, rng)

    scale = sets.horizon(which, np.full(n, 0.9))
    stopped = rng.uniform(*campaign.stopped, (n, n_runs))
    longer = np.ones((n, n_runs))
    if campaign.going_on:
        on = rng.random((n, 1)) < campaign.going_on
        stopped = np.where(on, campaign.stopped[1], stopped)
        longer = np.where(on, np.exp(rng.uniform(*np.log(campaign.beyond), (n, n_runs))), 1.0)
    last = _ends(mechanism, constants, initial, scale, stopped, threads) * longer
    last = last[..., None]
    time, averaged = _times(n, n_runs, n_points, campaign, rng)
    time *= last
    absent = np.isnan(time)
    asked = np.where(absent, last, time)
    seen, living = followed(mechanism, constants, initial, asked, threads=threads)
    seen[absent], living[absent] = np.nan, np.nan
    values = (time, seen[..., 0], seen[..., 1], loading, substrate_0, product_0, averaged, living)
    return Runs(*values).astype(np.float32)


def _starts(n: int, n_runs: int, campaign: Campaign, rng: Generator) -> tuple[NDArray, ...]:
    """Draw loading, initial substrate and initial product, shape (n, n_runs) each."""
    low, high = np.log(campaign.loading)
    half = np.log(rng.uniform(*campaign.loading_span, (n, 1))) / 2
    middle = rng.uniform(low, high, (n, 1))
    loading = np.exp(np.clip(middle + half * rng.uniform(-1, 1, (n, n_runs)), low, high))
    # Some repeat a loading, to vary something else.
    repeated = rng.random((n, n_runs)) < 0.25
    loading = np.where(repeated, loading[:, :1], loading)
    substrate = np.exp(rng.uniform(*np.log(campaign.substrate), (n, n_runs)))
    substrate[rng.random((n, n_runs)) < campaign.standard] = 1.0
    product = rng.uniform(*campaign.product, (n, n_runs))
    product[rng.random((n, n_runs)) >= campaign.with_product] = 0.0
    return loading, substrate, product


def _ends(
    mechanism: Mechanism,
    constants: NDArray,
    initial: NDArray,
    scale: NDArray,
    part: NDArray,
    threads: int | None,
) -> NDArray[np.float64]:
    """Time at which each run reaches `part` (n, n_runs) of its own final conversion, same shape.

    A pilot tells: as long as the reference run's horizon takes at this loading and substrate, and
    forty times as long.
    """
    network = mechanism.network
    substrate_0, loading = (initial[..., network.index(name)] for name in (SUBSTRATE, CATALYST))
    reference = mechanism.default_initial[CATALYST]
    longest = _LATEST * scale[:, None] * np.maximum(1.0, reference / loading)
    grid = np.concatenate([[0.0], np.geomspace(1e-5, 1.0, 60)])
    times = grid * longest[..., None]
    pilot = observed(mechanism, constants, initial, times, **_PILOT_TOLERANCE, threads=threads)
    change = pilot[..., 0] - pilot[..., :1, 0]
    turned = np.abs(change[..., -1]) > _UNCHANGED * substrate_0
    progress = change / np.where(turned, change[..., -1], 1.0)[..., None]
    progress = np.where(turned[..., None], progress, grid)
    share = at_conversion(progress.reshape(-1, len(grid)), grid, part.ravel())
    return share.reshape(part.shape) * longest


def _times(
    n: int, n_runs: int, n_points: int, campaign: Campaign, rng: Generator
) -> tuple[NDArray, NDArray]:
    """Draw times relative to a run's end, and the readings behind each, (n, n_runs, n_points).

    A sample's readings are even, random, or dense at the start; a run's own number of them varies
    about the sample's.
    """
    low, high = np.log(campaign.points)
    common = rng.uniform(low, high, (n, 1))
    readings = np.exp(np.clip(common + rng.uniform(-0.3, 0.3, (n, n_runs)), low, high))
    readings = np.maximum(np.round(readings), campaign.points[0])
    kept = np.minimum(readings, n_points)[..., None]
    place = np.arange(n_points) + np.zeros((n, n_runs, 1))
    even = (place + 1 - rng.uniform(0, 0.5, place.shape)) / kept
    uneven = np.where(place < kept, rng.random(place.shape), np.inf)
    uneven.sort(axis=-1)
    early = even ** rng.uniform(1.5, 3.0, (n, 1, 1))
    kind = rng.choice(3, (n, 1, 1), p=(0.5, 0.25, 0.25))
    time = np.select([kind == 0, kind == 1], [even, uneven], early)
    starts = rng.random((n, 1)) >= campaign.without_start
    time[..., 0] = np.where(starts, 0.0, time[..., 0])
    time = np.where(place == kept - 1, 1.0, time)
    time = np.where(place < kept, time, np.nan)
    return time, np.where(place < kept, readings[..., None] / kept, np.nan)
