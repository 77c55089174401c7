"""What a network is shown in training: random samples, random points, random noise, each batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import NDArray

from kinetlib.fusion.backend import keras
from kinetlib.fusion.features import run_inputs, time_scale
from kinetlib.fusion.four_runs import thin
from kinetlib.fusion.networks import inputs_of
from kinetlib.fusion.recipe import Recipe
from kinetlib.kinetics.mechanisms import catalogue
from kinetlib.runs import runs as runs_of
from kinetlib.runs.runs import MOST_POINTS, MOST_RUNS, Runs
from kinetlib.runs.sample import N_RUNS

N_CLASSES = len(catalogue())
#: Most rate constants of a mechanism of the catalogue.
MOST_CONSTANTS = max(len(mechanism.network.constants) for mechanism in catalogue().values())
SPREAD = 3.0  # about the standard deviation of the logarithm of a scaled rate constant
PADDED_RUNS, PADDED_POINTS = (2, 4, MOST_RUNS), (8, 16, MOST_POINTS)
WITH_BACKGROUND = 0.4  # share of samples with absolute noise, where a recipe has any


class Batches(keras.utils.PyDataset):
    """One epoch over samples of the published design, all random numbers from one seed."""

    def __init__(self, curves: Runs, labels: NDArray[np.int64], recipe: Recipe, epoch: int):
        super().__init__()
        self._curves, self._labels, self._recipe = curves, labels, recipe
        self._inputs = inputs_of(recipe.fusion, recipe.features)
        self._stream = SeedSequence(recipe.seed, spawn_key=(epoch,))
        rng = default_rng(self._stream)
        wanted = recipe.steps * recipe.batch_size
        self._order = rng.permutation(np.resize(rng.permutation(len(labels)), wanted))
        # Every length in turn: two batches in a row differ, so that no backend takes one for fixed.
        lengths = np.arange(recipe.min_points, recipe.max_points + 1)
        rounds = -(-recipe.steps // len(lengths))
        self._lengths = np.concatenate([rng.permutation(lengths) for _ in range(rounds)])

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._recipe.steps

    def __getitem__(self, step: int) -> tuple[dict[str, NDArray], NDArray]:
        """Make one batch."""
        rng = _stream_of(self._stream, step)
        size = self._recipe.batch_size
        which = np.sort(self._order[step * size : (step + 1) * size])
        curves = thin(self._curves[which], int(self._lengths[step]), rng)
        curves = runs_of.measured(curves, rng.choice(self._recipe.noise, len(which)), rng)
        return self._inputs(curves), self._labels[which]


@dataclass(frozen=True)
class Taught:
    """Samples, and what a network is to say of them.

    Attributes
    ----------
    runs
        Exact runs of n samples.
    labels
        Their classes (n,).
    logarithms
        Of the rate constants of each sample's own mechanism, shape (n, `MOST_CONSTANTS`), NaN where
        it has fewer.
    """

    runs: Runs
    labels: NDArray[np.int64]
    logarithms: NDArray[np.float32]

    @classmethod
    def of(cls, runs: Runs, label: int, rate_constants: NDArray[np.float64]) -> Taught:
        """Put samples of one class together, of rate constants (n, R)."""
        logarithms = np.full((len(runs), MOST_CONSTANTS), np.nan, np.float32)
        logarithms[:, : rate_constants.shape[1]] = np.log(rate_constants)
        return cls(runs, np.full(len(runs), label), logarithms)

    @classmethod
    def joined(cls, parts: Sequence[Taught]) -> Taught:
        """Put samples one behind the other."""
        runs, labels, logarithms = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(Runs.joined(runs), np.concatenate(labels), np.concatenate(logarithms))

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.labels)


Pools = Mapping[int, Taught]


class RunBatches(keras.utils.PyDataset):
    """One epoch over runs of laboratories and of the published design, for sets of runs.

    Parameters
    ----------
    pools
        Samples by number of runs; those of four runs of a design under 0.
    recipe, epoch
        How, and which epoch: what decides the random numbers.
    """

    def __init__(self, pools: Pools, recipe: Recipe, epoch: int):
        super().__init__()
        self._pools, self._recipe = pools, recipe
        self._stream = SeedSequence(recipe.seed, spawn_key=(epoch,))
        rng = default_rng(self._stream)
        campaigns = [key for key in pools if key]
        share = np.array([len(pools[key]) for key in campaigns], dtype=float)
        published = rng.random(recipe.steps) < recipe.published_share
        drawn = rng.choice(campaigns, recipe.steps, p=share / share.sum())
        self._kinds = np.where(published, 0, drawn)
        self._lengths = rng.choice(recipe.lengths, recipe.steps)
        _differ(self._kinds, campaigns, self._lengths, recipe.lengths)
        self._orders = {
            key: rng.permutation(np.resize(rng.permutation(len(pool)), self._wanted(key)))
            for key, pool in pools.items()
        }
        self._place = [int((self._kinds[:i] == k).sum()) for i, k in enumerate(self._kinds)]

    def _wanted(self, kind: int) -> int:
        return max(1, int((self._kinds == kind).sum())) * self._recipe.batch_size

    def __len__(self) -> int:
        """Return the number of batches."""
        return self._recipe.steps

    def __getitem__(self, step: int) -> tuple[dict[str, NDArray], Targets]:
        """Make one batch: as many runs a sample, and at most as many points a run."""
        rng, recipe, kind = _stream_of(self._stream, step), self._recipe, int(self._kinds[step])
        first = self._place[step] * recipe.batch_size
        which = np.sort(self._orders[kind][first : first + recipe.batch_size])
        pool, n_points = self._pools[kind], int(self._lengths[step])
        runs = runs_of.thinned(pool.runs[which], n_points, rng, keep_start=kind == 0)
        levels = _levels(len(which), recipe, rng)
        runs = runs_of.measured(runs, levels, rng, backgrounds(len(which), recipe, rng))
        if kind:
            lost = rng.random(len(which))
            product, substrate = recipe.unmeasured
            runs = runs_of.unmeasured(runs, lost < product, lost > 1 - substrate)
        labels = pool.labels[which]
        if not any(recipe.beside):
            return run_inputs(runs), labels
        return run_inputs(runs), {
            "head": labels,
            "constants": _own(labels, pool.logarithms[which], time_scale(runs)),
            "living": runs.living,
        }


class Padded(keras.utils.PyDataset):
    """Batches filled up with runs and points that are not there, so that there are few shapes.

    Where every shape is compiled anew, that saves more than it costs; what is not there weighs
    nothing (`kinetlib.fusion.runset`).
    """

    def __init__(self, batches: RunBatches):
        super().__init__()
        self._batches = batches

    def __len__(self) -> int:
        """Return the number of batches."""
        return len(self._batches)

    def __getitem__(self, step: int) -> tuple[dict[str, NDArray], Targets]:
        """Make one batch, and fill it up."""
        shown, targets = self._batches[step]
        none, (n_runs, n_points) = (0, 0), shown["points"].shape[1:3]
        runs, points = (
            (0, next(size for size in sizes if size >= n) - n)
            for sizes, n in ((PADDED_RUNS, n_runs), (PADDED_POINTS, n_points))
        )
        widths = {
            "points": [none, runs, points, none],
            "pooling": [none, runs, points, none],
            "runs": [none, runs, none],
            "present": [none, runs],
        }
        filled = {name: np.pad(value, widths[name]) for name, value in shown.items()}
        if isinstance(targets, dict):
            living = np.pad(targets["living"], [none, runs, points], constant_values=np.nan)
            targets = targets | {"living": living}
        return filled, targets


def _differ(kinds: NDArray, campaigns: list[int], lengths: NDArray, known: tuple) -> None:
    """Make the first two batches differ in runs and points, so that no backend fixes either."""
    if len(kinds) > 1:
        kinds[:2] = 0, next(key for key in campaigns if key != N_RUNS)
        lengths[1] = next(length for length in known if length != lengths[0])


def _levels(n: int, recipe: Recipe, rng: Generator) -> NDArray[np.float64]:
    """Noise levels from none to the largest of the recipe, small ones more often."""
    levels = max(recipe.noise) * rng.random(n) ** 2
    return np.where(rng.random(n) < 0.25, 0.0, levels)


def backgrounds(n: int, recipe: Recipe, rng: Generator) -> NDArray[np.float64] | float:
    """Draw absolute noise for some samples, small ones more often."""
    if not recipe.background:
        return 0.0
    levels = recipe.background * rng.random(n) ** 2
    return np.where(rng.random(n) < WITH_BACKGROUND, levels, 0.0)


def _own(labels: NDArray, logarithms: NDArray, scale: NDArray) -> NDArray[np.float32]:
    """Place what is known of the constants of each class, scaled by the lengths of runs.

    Shape (n, classes, `MOST_CONSTANTS`), NaN of other classes than a sample's own.
    """
    targets = np.full((len(labels), N_CLASSES, MOST_CONSTANTS), np.nan, np.float32)
    targets[np.arange(len(labels)), labels] = (logarithms + scale[:, None]) / SPREAD
    return targets


def _stream_of(stream: SeedSequence, step: int) -> Generator:
    return default_rng(SeedSequence(stream.entropy, spawn_key=(*stream.spawn_key, step)))


Targets = NDArray | dict[str, NDArray]
EpochOf = Callable[[int], keras.utils.PyDataset]
