"""Simulated samples as points: what a kernel over trajectories sees.

All runs are sampled at the same shares of the horizon, so that curves are vectors. What is seen of
them are leading principal components of substrate, product, bound substrate and bound catalyst,
each of unit variance, and the logarithms of the loadings; the kernel between two samples is a
Gaussian of their distance.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from scipy.stats import qmc
from sklearn.decomposition import PCA

from kinetlib.design import Gaussian, median_width
from kinetlib.fusion import from_dataset
from kinetlib.kinetics import mechanisms
from kinetlib.runs import runs as runs_of
from kinetlib.runs import sample, shards
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import Design

#: As in training, but every run at the same twenty times.
SAME_TIMES = Design(n_times=20, n_grid=20)
#: Rate constants a decade outside the box, loadings outside the range.
SHIFTED = Design(
    constants=(1e-4, 1e4),
    loadings=((0.005, 0.01), (0.04, 0.06), (0.10, 0.15)),
    n_times=20,
    n_grid=20,
)
N_COMPONENTS = 16
# Weights of bound substrate and of bound catalyst beside the concentrations; with `N_COMPONENTS`
# chosen on validation samples for random selections, as was the penalty of the classifier.
_BOUND, _SHARE = 3.0, 0.2
_LEVELS = np.arange(0.05, 0.96, 0.05)  # of conversion


@dataclass(frozen=True)
class Labelled:
    """Samples without noise: curves of n samples, and their mechanisms (n,), numbered."""

    curves: Runs
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)

    def __getitem__(self, which: NDArray | slice) -> Labelled:
        """Select samples."""
        return Labelled(self.curves[which], self.labels[which])


def simulated(
    folder: Path, split: str, seed: int, number: int, sets: int, design: Design = SAME_TIMES
) -> Labelled:
    """Simulate one sample of each of `sets` parameter sets a mechanism, or read what was.

    Parameters
    ----------
    folder
        Where the shard is kept.
    split, seed, number
        What decides the random numbers, see `kinetlib.runs.shards.Plan`.
    sets
        Accepted parameter sets a mechanism.
    design
        What is drawn from.
    """
    plan = shards.Plan(split, seed, sets, 1, design)
    place = shards.make(folder, plan, [number])
    with xr.open_dataset(place / f"shard-{number:05d}.nc", engine="netcdf4") as shard:
        return _labelled(shard.load())


def outside(folder: Path, seed: int, number: int, sets: int) -> Labelled:
    """Simulate samples with a rate constant outside the box of training, and other loadings."""
    plan = shards.Plan("test", seed, sets, 1, SHIFTED)
    place = shards.make(folder, plan, [number])
    low, high = SAME_TIMES.constants
    with xr.open_dataset(place / f"shard-{number:05d}.nc", engine="netcdf4") as shard:
        constants = shard.rate_constants
        beyond = ((constants < low) | (constants > high)).any("constant")
        return _labelled(shard.load().isel(sample=np.flatnonzero(beyond.values)))


class _SobolUniform:
    """In place of a generator: each call of `uniform` is the next stretch of a Sobol sequence."""

    def __init__(self, dimensions: int, rng: Generator):
        self._engine = qmc.Sobol(dimensions, scramble=True, rng=rng)
        self._first = self._engine.random(1)

    def uniform(self, low: float, high: float, shape: tuple[int, int]) -> NDArray[np.float64]:
        """Return the next points, scaled, shape (n, dimensions)."""
        n = shape[0] - len(self._first)
        points = np.concatenate([self._first, self._engine.random(n)])
        self._first = self._first[:0]
        return low + (high - low) * points


def sobol(sets: int, rng: Generator) -> Labelled:
    """Simulate samples whose parameter sets fill the box of log k by a scrambled Sobol sequence.

    Of each mechanism's sequence (Owen's scrambling, J. Complex. 14, 466, 1998) the first `sets`
    that carry its fingerprint are kept. Loadings, horizon and initial substrate are drawn as ever.
    The sets stand in the order of the sequence, mechanism by mechanism.
    """
    parts, labels = [], []
    for label, mechanism in enumerate(mechanisms.catalogue().values()):
        source = _SobolUniform(len(mechanism.network.constants), rng)
        accepted = sample.accepted_sets(mechanism, sets, SAME_TIMES, source)
        parts.append(sample.draw_samples(mechanism, accepted, 1, SAME_TIMES, rng))
        labels.append(np.full(sets, label))
    curves = Runs.joined([part.runs for part in parts]).astype(np.float32)
    return Labelled(curves, np.concatenate(labels))


def measured(samples: Labelled, level: float, rng: Generator) -> Labelled:
    """Add relative noise to the curves, see `kinetlib.runs.noise.noisy`."""
    return Labelled(runs_of.measured(samples.curves, level, rng), samples.labels)


def by_time(curves: Runs) -> NDArray[np.float32]:
    """Return curves on their common times as vectors, shape (n, d): four channels of each run.

    Substrate, product, the substrate bound to catalyst, and the same relative to all catalyst, as
    the networks see them (`kinetlib.fusion.features`).
    """
    total = (curves.substrate_0 + curves.product_0)[..., None]
    bound = total - curves.substrate - curves.product
    channels = [
        curves.substrate[..., 1:],
        curves.product[..., 1:],
        _BOUND * bound[..., 1:],
        _SHARE * np.tanh(bound / curves.loading[..., None])[..., 1:],
    ]
    return np.concatenate([c.reshape(len(curves), -1) for c in channels], axis=1)


def by_conversion(curves: Runs) -> NDArray[np.float32]:
    """Return the times at which each run reaches shares of conversion, shape (n, d).

    Relative to the length of the first run; runs that never reach a conversion are given its end,
    and a mark. The overall rate drops out; where catalyst dies early, much is marked.
    """
    time = curves.time / curves.time[:, :1, -1:]
    substrate = np.minimum.accumulate(curves.substrate, axis=-1) / curves.substrate_0[..., None]
    found, missing = [], []
    for level in _LEVELS:
        above = substrate > 1.0 - level
        after = np.clip(above.sum(-1), 1, time.shape[-1] - 1)[..., None]
        (t0, t1), (s0, s1) = (
            (np.take_along_axis(a, after - 1, -1)[..., 0], np.take_along_axis(a, after, -1)[..., 0])
            for a in (time, substrate)
        )
        share = np.clip((s0 - (1.0 - level)) / np.maximum(s0 - s1, 1e-9), 0.0, 1.0)
        never = above.all(-1)
        found.append(np.where(never, time[..., -1], t0 + share * (t1 - t0)))
        missing.append(never.astype(np.float32))
    return np.concatenate([*found, *missing], axis=1).astype(np.float32)


#: What of the curves a kernel compares.
VIEWS: dict[str, Callable[[Runs], NDArray[np.float32]]] = {
    "time": by_time,
    "conversion": by_conversion,
}


@dataclass(frozen=True)
class Representation:
    """How samples become points, learned without labels from a reference pool."""

    view: str
    components: PCA
    loading_scale: tuple[NDArray, NDArray]
    width: float

    @classmethod
    def fit(cls, view: str, curves: Runs, rng: Generator) -> Representation:
        """Learn principal components and the median distance.

        Parameters
        ----------
        view
            One of `VIEWS`.
        curves
            Reference samples, as noisy as they will be.
        rng
            Draws the pairs whose median distance is taken.
        """
        components = PCA(N_COMPONENTS, whiten=True, svd_solver="full").fit(VIEWS[view](curves))
        loading = np.log(curves.loading)
        scale = loading.mean(0), loading.std(0)
        points = cls(view, components, scale, 1.0)(curves)
        return cls(view, components, scale, median_width(points, rng))

    def __call__(self, curves: Runs) -> NDArray[np.float64]:
        """Return the points of samples, shape (n, d)."""
        mean, deviation = self.loading_scale
        loading = (np.log(curves.loading) - mean) / deviation
        shape = self.components.transform(VIEWS[self.view](curves))
        return np.concatenate([shape, loading], axis=1).astype(float)

    def kernel(self, curves: Runs) -> Gaussian:
        """Return the kernel over samples."""
        return Gaussian(self(curves), self.width)


def _labelled(shard: xr.Dataset) -> Labelled:
    classes = list(mechanisms.catalogue())
    labels = np.array([classes.index(name) for name in shard.mechanism.values])
    return Labelled(from_dataset(shard), labels)


def reference(folder: Path, seed: int, sets: int, noise: float) -> Labelled:
    """Simulate the reference pool, measured: from it the representation is learned."""
    exact = simulated(folder, "validation", seed, 0, sets)
    return measured(exact, noise, default_rng([seed, 0]))
