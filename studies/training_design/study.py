"""Which simulated samples to train on.

Every replicate has a pool of its own, a test set of its own, and a test set shifted out of the box.
Each way to select takes samples from the pool, a classifier is trained on them, and asked once. The
parts: ``kernel`` and ``network``, the classifiers, and ``large``, the former with larger pools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from kinetlib import design
from kinetlib.chapters.parameters import Selector
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key, Piece, compute, done, signed
from kinetlib.runs.runs import Runs
from studies.goals import Results, against_random, by_size, curves, verdict
from studies.training_design import points
from studies.training_design.classifiers import kernel_classifier, measures, network_classifier
from studies.training_design.points import Labelled, Representation

#: The selector whose results decide the goals, named before there were any.
PRIMARY = "i_greedy"
#: Part of random's samples with which the goal is to do as well, by classifier.
PART = {"kernel": 0.5, "network": 0.7}
SOBOL = "sobol"
BY_CONVERSION = " by conversion"  # ends the name of a selector whose kernel compares times
#: Selectors whose smaller designs are the beginnings of larger ones.
NESTED = ("stratified", "herding", "fps", "leverage", "pivoted_cholesky", "rp_cholesky", "i_greedy")


class Settings(BaseModel):
    """All that decides the study; what a result does not depend on is not in its `recipe`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = 505
    replicates: int = 10
    pool_sets: int = Field(1000, description="parameter sets a mechanism in each pool")
    test_sets: int = Field(150, description="parameter sets a mechanism in each test set")
    reference_sets: int = Field(100, description="a mechanism, to learn the representation from")
    noise: float = Field(0.01, description="relative, in training and test")
    shifted_noise: float = Field(0.02, description="in the shifted test")
    methods: tuple[Selector, ...] = (
        *("random", "stratified", SOBOL, "k-medoids", "herding", "fps", "maximin", "leverage"),
        *("pivoted_cholesky", "rp_cholesky", "kdpp", "d_exchange", "i_greedy"),
        f"i_greedy{BY_CONVERSION}",
    )
    sizes: tuple[int, ...] = (500, 1000, 2000, 4000)
    kernel_noise: float = Field(0.1, description="standard deviation the selectors reckon with")
    landmarks: int = Field(600, description="features of the kernel classifier")
    penalty: float = Field(30.0, description="inverse strength of its regularisation")
    network_replicates: int = 10
    network_methods: tuple[Selector, ...] = ("random", SOBOL, "i_greedy")
    network_sizes: tuple[int, ...] = (700, 1400)
    network_passes: int = Field(30_000, description="samples shown, whatever the size")

    def work(self, learner: str) -> Iterator[tuple[int, str, int]]:
        """List replicate, method and size of all that a classifier is trained on."""
        kernel = learner == "kernel"
        methods = self.methods if kernel else self.network_methods
        for replicate in range(self.replicates if kernel else self.network_replicates):
            for method in methods:
                for size in self.sizes_of(learner, method):
                    yield replicate, method, size

    def sizes_of(self, learner: str, method: str) -> tuple[int, ...]:
        """Return the sizes of a method.

        Random has those the goals compare with, too, and the kernel classifier's, which trains in a
        second, a smaller one, so that less than random can be told.
        """
        sizes = self.sizes if learner == "kernel" else self.network_sizes
        if method != "random":
            return sizes
        part = PART[learner]
        smaller = {round(part * min(sizes))} if learner == "kernel" else set()
        return tuple(sorted({*sizes, *smaller, *(round(size / part) for size in sizes)}))

    def recipe(self, learner: str) -> dict[str, Any]:
        """Return what a single result depends on, beside replicate, method and size."""
        common = ("seed", "pool_sets", "test_sets", "reference_sets", "noise", "shifted_noise")
        own = {"kernel": ("landmarks", "penalty"), "network": ("network_passes",)}[learner]
        return {name: getattr(self, name) for name in (*common, "kernel_noise", *own)}


@dataclass
class World:
    """The pool, the tests and the representation of one replicate, made when asked for."""

    folder: Path
    settings: Settings
    replicate: int
    _orders: dict[str, NDArray[np.intp]] = field(default_factory=dict)
    _seen: dict[str, Representation] = field(default_factory=dict)
    _kernels: dict[str, design.Gaussian] = field(default_factory=dict)

    def _rng(self, *purpose: int) -> np.random.Generator:
        return default_rng([self.settings.seed, self.replicate, *purpose])

    @cached_property
    def pool(self) -> Labelled:
        """Return the exact samples to select from."""
        s = self.settings
        return points.simulated(self.folder / "pool", "train", s.seed, self.replicate, s.pool_sets)

    @cached_property
    def tests(self) -> dict[str, Labelled]:
        """Return the measured test sets: as in training, and shifted."""
        s, place = self.settings, (self.settings.seed, self.replicate, self.settings.test_sets)
        same = points.simulated(self.folder / "test", "test", *place)
        shifted = points.outside(self.folder / "shifted", *place)
        return {
            "test": points.measured(same, s.noise, self._rng(1)),
            "shifted": points.measured(shifted, s.shifted_noise, self._rng(2)),
        }

    @cached_property
    def reference(self) -> Labelled:
        """Return unlabelled samples, the same for all replicates."""
        s = self.settings
        return points.reference(self.folder / "reference", s.seed, s.reference_sets, s.noise)

    @cached_property
    def sobol(self) -> Labelled:
        """Return samples of a Sobol sequence, as many a mechanism as the largest design needs."""
        most = max(self.settings.sizes + self.settings.network_sizes)
        return points.sobol(-(-most // len(mechanisms.catalogue())), self._rng(3))

    def representation(self, view: str) -> Representation:
        """Return how samples become points, learned from the reference."""
        if view not in self._seen:
            rng = default_rng(self.settings.seed)
            self._seen[view] = Representation.fit(view, self.reference.curves, rng)
        return self._seen[view]

    def kernel(self, view: str) -> design.Gaussian:
        """Return the kernel over the exact samples of the pool."""
        if view not in self._kernels:
            self._kernels[view] = self.representation(view).kernel(self.pool.curves)
        return self._kernels[view]

    def train(self, method: str, size: int) -> Labelled:
        """Return the exact samples that a method selects."""
        if method == SOBOL:
            return self.sobol[_beginnings(self.sobol.labels, size)]
        return self.pool[self.selected(method, size)]

    @cached_property
    def marks(self) -> Runs:
        """Return the landmarks of the kernel classifier, from the reference."""
        n = len(self.reference)
        rng = default_rng(self.settings.seed)
        which = rng.choice(n, min(self.settings.landmarks, n), replace=False)
        return self.reference.curves[which]

    def measured(self, exact: Labelled) -> Labelled:
        """Add noise to what is trained on."""
        return points.measured(exact, self.settings.noise, self._rng(5, len(exact)))

    def selected(self, method: str, size: int) -> NDArray[np.intp]:
        """Return the positions in the pool that a method selects, shape (size,).

        All but random take the same number of each mechanism.

        Raises
        ------
        ValueError
            If the pool has no more than that.
        """
        if size > len(self.pool):
            raise ValueError(
                f"{size} samples asked for, but the pool has {len(self.pool)}: make pool_sets "
                f"larger than {size // len(mechanisms.catalogue())}, or select fewer"
            )
        if method == "random":
            return self._rng(4).permutation(len(self.pool))[:size]
        name = method.removesuffix(BY_CONVERSION)
        view = "conversion" if name != method else "time"
        if name not in NESTED:
            return self._select(name, view, size)
        if method not in self._orders:
            most = max(self.settings.sizes + self.settings.network_sizes)
            self._orders[method] = self._select(name, view, most)
        order = self._orders[method]
        return order[_beginnings(self.pool.labels[order], size)]

    def _select(self, method: str, view: str, size: int) -> NDArray[np.intp]:
        """Select within each mechanism the same number: else one would take most of the budget."""
        return design.select(
            self.kernel(view),
            size,
            method,
            noise=self.settings.kernel_noise,
            groups=self.pool.labels,
            rng=self._rng(6),
        )


def _beginnings(labels: NDArray[np.int64], size: int) -> NDArray[np.intp]:
    """Return the first ``size / classes`` samples of each class, shape (size,)."""
    classes = np.unique(labels)
    each = np.full(len(classes), size // len(classes))
    each[: size - each.sum()] += 1
    return np.concatenate(
        [np.flatnonzero(labels == c)[:n] for c, n in zip(classes, each, strict=True)]
    )


@lru_cache(maxsize=1)
def _world(folder: Path, settings: Settings, replicate: int) -> World:
    """Return the world of a replicate, which is not made again while it is asked for."""
    return World(folder, settings, replicate)


def pieces_of(
    folder: Path, settings: Settings, learner: str, part: str | None = None
) -> Iterator[Piece]:
    """Name each training of a classifier, for a part of another name if need be."""
    part = part or learner
    data = folder / ("data" if part == learner else f"data-{part}")
    for replicate, method, size in settings.work(learner):
        key = (part, replicate, method, size)
        checkpoints = folder / "checkpoints" / f"{part}-{replicate}-{method}-{size}"
        where = (data, settings, replicate)
        work = partial(_result, where, learner, method, size, checkpoints)
        yield Piece(key, settings.recipe(learner), work, _brief)


def run(folder: Path, settings: Settings, learner: str) -> None:
    """Train and test what has not been yet.

    Parameters
    ----------
    folder
        Results go to ``folder/<learner>``.
    settings
        Of the study.
    learner
        ``"kernel"`` or ``"network"``.
    """
    compute(folder, pieces_of(folder, settings, learner))


def _result(
    where: tuple[Path, Settings, int], learner: str, method: str, size: int, checkpoints: Path
) -> dict[str, Any]:
    world = _world(*where)
    exact = world.train(method, size)
    own = world.settings
    if learner == "kernel":
        seen, train = world.representation("time"), world.measured(exact)
        predict, told = kernel_classifier(seen, world.marks, train, own.penalty)
    else:
        predict, told = network_classifier(
            exact, world.reference, own.network_passes, own.noise, world.replicate, checkpoints
        )
    return {
        **told,
        **{name: measures(predict(t.curves), t.labels) for name, t in world.tests.items()},
    }


def _brief(value: dict[str, Any]) -> str:
    return f"{100 * value['test']['top_1']:.1f} % right"


def summary(folder: Path, settings: Settings) -> dict[str, Any]:
    """Collect what there is, with 95 % intervals over replicates.

    Returns
    -------
    dict
        By classifier: ``curves``, by method and size the measures of each test; ``against``, by
        method and size the difference to random with more samples (`PART`), paired by replicate,
        and at equal size; ``replicates``. And what the study was made of.
    """
    work = [piece for learner in PART for piece in pieces_of(folder, settings, learner)]
    return _collected(settings, done(folder, work, least=0), {learner: learner for learner in PART})


def _collected(
    settings: Settings, made: Mapping[Key, Done], parts: Mapping[str, str]
) -> dict[str, Any]:
    """Collect pieces, those of each classifier from a part."""
    tables: dict[str, Results] = {learner: {} for learner in PART}
    for learner, own in parts.items():
        for (part, replicate, method, size), one in made.items():
            if part == own:
                tables[learner].setdefault((method, size), {})[replicate] = one.value
    found = {
        learner: {
            "curves": by_size({key: curves(results) for key, results in table.items()}),
            "against": by_size(against_random(table, PART[learner])),
        }
        for learner, table in tables.items()
    }
    whole = {"settings": settings.model_dump(mode="json"), "primary": PRIMARY, "part": PART}
    return signed(whole | found, made.values())


def record(folder: Path, made: Mapping[Key, Done]) -> dict[str, Any]:
    """Collect what there is of all parts; ``large`` is like the rest."""
    usual = _collected(USUAL, made, {learner: learner for learner in PART})
    return usual | {"large": _collected(LARGE, made, {"kernel": "large"})}


def goals(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Judge the goals that were set beforehand, for the primary selector at every size.

    Parameters
    ----------
    record
        What `summary` returns.

    Returns
    -------
    list of dict
        ``classifier``, ``goal``, ``size``, ``random``, the size of random's samples,
        ``difference`` with its interval, ``replicates`` and ``verdict``.
    """
    asked = [
        ("kernel", "test_cross_entropy", "cross-entropy no larger", "most"),
        ("kernel", "shifted_worst_recall", "worst-class recall no smaller, shifted test", "least"),
        ("network", "test_cross_entropy", "cross-entropy no larger", "most"),
    ]
    return [
        {
            "classifier": learner,
            "goal": goal,
            "size": int(size),
            "random": found["more"]["size"],
            "difference": found["more"][measure],
            "replicates": found["more"]["replicates"],
            "verdict": verdict(found["more"][measure], side=side),
        }
        for learner, measure, goal, side in asked
        for size, found in record[learner]["against"].get(record["primary"], {}).items()
        if "more" in found
    ]


#: What the record is made of. From larger pools larger designs can be chosen, and what the size of
#: the pool does is seen: the tests, by replicate, are the same.
USUAL = Settings()
LARGE = Settings(
    pool_sets=2500,
    methods=("random", PRIMARY),
    sizes=(500, 1000, 2000, 4000, 8000, 16_000),
    network_replicates=0,
)


def pieces(folder: Path, upto: int | None = None) -> Iterator[Piece]:
    """Name each training of the study."""
    yield from pieces_of(folder, USUAL, "kernel")
    yield from pieces_of(folder, USUAL, "network")
    yield from pieces_of(folder, LARGE, "kernel", "large")
