"""How much of the space of curves a dataset covers, and where two mechanisms give the same curves.

Every parameter set is run under one standard design, so that distances compare mechanisms and
rate constants, not loadings or times. A distance is counted in standard deviations of the noise:
two sets of curves at distance d are told apart, by whoever knows both exactly, with an error of
Phi(-d/2).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.neighbors import NearestNeighbors

from kinetlib.kinetics.mechanisms import SUBSTRATE, Mechanism, constants_of
from kinetlib.kinetics.simulate import observed
from kinetlib.runs import sample
from kinetlib.runs.noise import Noise
from kinetlib.runs.sample import N_RUNS, Design, ParameterSets

# The standard design: four runs as a sample has them, twenty even times up to 90 % of the reference
# run's final conversion.
LOADINGS = (0.015, 0.05, 0.095, 0.05)
SUBSTRATES = (1.0, 1.0, 1.0, 0.6)
TIMES = np.arange(1, 21) / 20
PROGRESS = 0.9
#: Values of a set of curves: substrate and product.
N_POINTS = 2 * N_RUNS * len(TIMES)
#: What distances are counted in.
NOISE = Noise(0.01)


def parameter_sets(
    runs: xr.Dataset, catalogue: Sequence[Mechanism]
) -> dict[str, NDArray[np.float64]]:
    """Collect the distinct sets of rate constants of each mechanism of a dataset.

    Parameters
    ----------
    runs
        A dataset with ``mechanism`` and ``rate_constants``.
    catalogue
        The mechanisms that made it.

    Returns
    -------
    dict
        Shape (m, R) each, in the order of ``network.constants``.
    """
    found = {}
    for mechanism, _, rows in _by_mechanism(runs, catalogue):
        _, first = np.unique(rows, axis=0, return_index=True)
        found[mechanism.id] = rows[np.sort(first)]
    return found


def _by_mechanism(
    runs: xr.Dataset, catalogue: Sequence[Mechanism]
) -> Iterator[tuple[Mechanism, NDArray[np.int64], NDArray[np.float64]]]:
    """Yield each mechanism, the places of its samples, and their rate constants (m, R)."""
    labels, constants = runs.mechanism.values, runs.rate_constants.values
    names = list(runs.constant.values)
    for mechanism in catalogue:
        here = np.flatnonzero(labels == mechanism.id)
        own = [names.index(constant) for constant in mechanism.network.constants]
        yield mechanism, here, constants[here][:, own]


def curves(
    mechanism: Mechanism, rate_constants: NDArray[np.float64], drawn_from: Design
) -> NDArray[np.float64]:
    """Run parameter sets under the standard design.

    Parameters
    ----------
    rate_constants
        Shape (m, R).
    drawn_from
        The design of the dataset they belong to: how long the reference run is followed depends on
        its range of constants.

    Returns
    -------
    NDArray
        Substrate and product at the standard times, shape (m, 2, runs, T).
    """
    times = sample.reference_times(drawn_from)
    reference = sample.reference_runs(mechanism, rate_constants, times)
    conversion = 1.0 - reference[..., mechanism.network.index(SUBSTRATE)]
    m = len(rate_constants)
    sets = ParameterSets(rate_constants, conversion / conversion[:, -1:], times, m, m)
    horizon = sets.horizon(np.arange(m), np.full(m, PROGRESS))
    initial = mechanism.initial(LOADINGS, SUBSTRATES, 1.0 - np.array(SUBSTRATES))
    initial = np.broadcast_to(initial, (m, *initial.shape))
    seen = observed(mechanism, rate_constants, initial, horizon[:, None, None] * TIMES)
    return np.moveaxis(seen, -1, 1)


def in_noise(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale curves so that the noise of each value is one, shape (m, ...) to (m, features).

    See `kinetlib.runs.noise.Noise.stabilised`.
    """
    return NOISE.stabilised(curves).reshape(len(curves), -1)


def nearest(
    queries: Mapping[str, NDArray[np.float64]], pool: Mapping[str, NDArray[np.float64]]
) -> xr.DataArray:
    """Find the distance from each query to the nearest of every mechanism's curves.

    Parameters
    ----------
    queries, pool
        Scaled curves of each mechanism, shape (m, features).

    Returns
    -------
    xarray.DataArray
        (query, nearest), distances in standard deviations of the noise; the coordinate
        ``mechanism`` of a query is the mechanism that made it.
    """
    rows = [
        np.stack(
            [pairwise_distances_argmin_min(query, other)[1] for other in pool.values()], axis=-1
        )
        for query in queries.values()
    ]
    labels = np.repeat(list(queries), [len(query) for query in queries.values()])
    return xr.DataArray(
        np.concatenate(rows),
        dims=("query", "nearest"),
        coords={"mechanism": ("query", labels), "nearest": list(pool)},
        attrs={"long_name": "distance", "units": "standard deviations of the noise"},
    )


def neighbours(queries: NDArray[np.float64], pool: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the distance from curves that are in the pool to the nearest that are not the same."""
    distance, _ = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(pool).kneighbors(queries)
    return distance[:, 1]


def to_known(
    runs: xr.Dataset, known: xr.Dataset, catalogue: Sequence[Mechanism], drawn_from: Design
) -> NDArray[np.float64]:
    """Find how far the parameter set of each sample is from the nearest known of its mechanism.

    Parameters
    ----------
    runs, known
        Two datasets with ``mechanism`` and ``rate_constants``, such as test and training.
    catalogue
        The mechanisms that made them.
    drawn_from
        See `curves`.

    Returns
    -------
    NDArray
        Shape (sample,), in standard deviations of the noise; NaN where a mechanism is not known.
    """
    distance = np.full(runs.sizes["sample"], np.nan)
    sets = parameter_sets(known, catalogue)
    for mechanism, here, constants in _by_mechanism(runs, catalogue):
        if not len(here) or not len(sets[mechanism.id]):
            continue
        rows, member = np.unique(constants, axis=0, return_inverse=True)
        asked, pool = (
            in_noise(curves(mechanism, values, drawn_from)) for values in (rows, sets[mechanism.id])
        )
        distance[here] = pairwise_distances_argmin_min(asked, pool)[1][member]
    return distance


def others(distance: xr.DataArray) -> xr.DataArray:
    """Leave out, for each query, the mechanism that made it: NaN there."""
    return distance.where(distance.nearest != distance.mechanism)


def least_error(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least share of errors in telling two known curves at a distance apart, Phi(-d/2)."""
    return norm.cdf(-np.asarray(distance) / 2)


def narrowing(
    sets: Mapping[str, NDArray[np.float64]], catalogue: Sequence[Mechanism]
) -> xr.DataArray:
    """Say how acceptance narrows the ranges of the rate constants.

    Parameters
    ----------
    sets
        Accepted sets of each mechanism, shape (m, R).
    catalogue
        The mechanisms.

    Returns
    -------
    xarray.DataArray
        (mechanism, constant, quantile): the decimal logarithm of the constant at the quantiles
        0.05, 0.5 and 0.95, NaN where a mechanism lacks a constant.
    """
    names = constants_of(catalogue)
    levels = [0.05, 0.5, 0.95]
    table = np.full((len(catalogue), len(names), len(levels)), np.nan)
    for row, mechanism in zip(table, catalogue, strict=True):
        quantiles = np.quantile(np.log10(sets[mechanism.id]), levels, axis=0).T
        row[[names.index(constant) for constant in mechanism.network.constants]] = quantiles
    return xr.DataArray(
        table,
        dims=("mechanism", "constant", "quantile"),
        coords={"mechanism": list(sets), "constant": names, "quantile": levels},
        attrs={"long_name": "decimal logarithm of the rate constant"},
    )
