"""Which simulated samples to train on: ``python -m studies.training_design.study``.

Every replicate has a pool of its own, a test set of its own, and a test set shifted out of the box.
Each way to select takes samples from the pool, a classifier is trained on them, and asked once. It
goes on where it was interrupted: each of these is a file. ``python -m studies.training_design.study
kernel``, ``network`` or ``large`` runs a part: of `STUDIES`, the last has larger pools.
``python -m studies.training_design.study summary`` writes the record that the book shows.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from rich.console import Console

from kinetlib import design
from kinetlib.chapters.parameters import Selector
from kinetlib.kinetics import mechanisms
from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.runs.runs import Runs
from studies.sample_efficiency import Results, against_random, by_size, curves, verdict
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


def run(
    folder: Path,
    settings: Settings,
    learner: str,
    progress: Callable[[int, int, str], None] = lambda done, total, what: None,
) -> None:
    """Train and test what has not been yet.

    Parameters
    ----------
    folder
        Results go to ``folder/<learner>``.
    settings
        Of the study; a result made with others is made anew.
    learner
        ``"kernel"`` or ``"network"``.
    progress
        Called with the number of results there are, of all, and the name of the last.
    """
    work, world = list(settings.work(learner)), None
    for done, (replicate, method, size) in enumerate(work, start=1):
        path = _piece(folder, learner, replicate, method, size)
        if _read(path, settings.recipe(learner)) is None:
            if world is None or world.replicate != replicate:
                world = World(folder / "data", settings, replicate)
            _write(path, _result(world, learner, method, size, path.with_suffix("")))
        progress(done, len(work), path.stem)


def _result(world: World, learner: str, method: str, size: int, checkpoints: Path) -> dict:
    exact = world.train(method, size)
    own = world.settings
    if learner == "kernel":
        predict, told = kernel_classifier(
            world.representation("time"),
            world.marks,
            world.measured(exact),
            own.penalty,
        )
    else:
        predict, told = network_classifier(
            exact, world.reference, own.network_passes, own.noise, world.replicate, checkpoints
        )
    return {
        "recipe": world.settings.recipe(learner),
        "replicate": world.replicate,
        "method": method,
        "size": size,
        **told,
        **{name: measures(predict(t.curves), t.labels) for name, t in world.tests.items()},
        **provenance.attributes(),
    }


def _piece(folder: Path, learner: str, replicate: int, method: str, size: int) -> Path:
    return folder / learner / f"{replicate:02d}-{method.replace(' ', '_')}-{size}.json"


def _read(path: Path, recipe: dict[str, Any]) -> dict[str, Any] | None:
    """Read a result, if there is one and it was made this way."""
    if not path.is_file():
        return None
    found = json.loads(path.read_text(encoding="utf-8"))
    return found if found["recipe"] == json.loads(json.dumps(recipe)) else None


def _write(path: Path, record: dict[str, Any]) -> None:
    write_text(path, json.dumps(record, indent=1) + "\n")


def summary(folder: Path, settings: Settings) -> dict[str, Any]:
    """Collect what there is, with 95 % intervals over replicates.

    Returns
    -------
    dict
        By classifier: ``curves``, by method and size the measures of each test; ``against``, by
        method and size the difference to random with more samples (`PART`), paired by replicate,
        and at equal size; ``replicates``. And what the study was made of.
    """
    found = {}
    for learner in PART:
        table: Results = {}
        for replicate, method, size in settings.work(learner):
            result = _read(
                _piece(folder, learner, replicate, method, size), settings.recipe(learner)
            )
            if result is not None:
                table.setdefault((method, size), {})[replicate] = result
        found[learner] = {
            "curves": by_size({key: curves(results) for key, results in table.items()}),
            "against": by_size(against_random(table, PART[learner])),
        }
    return {
        "settings": settings.model_dump(mode="json"),
        "primary": PRIMARY,
        "part": PART,
        **found,
        "processor": provenance.processor(),
        **provenance.attributes(),
    }


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
        ("kernel", "test_cross_entropy", "cross-entropy no larger", 1.0),
        ("kernel", "shifted_worst_recall", "worst-class recall no smaller, shifted test", -1.0),
        ("network", "test_cross_entropy", "cross-entropy no larger", 1.0),
    ]
    return [
        {
            "classifier": learner,
            "goal": goal,
            "size": int(size),
            "random": found["more"]["size"],
            "difference": found["more"][measure],
            "replicates": found["more"]["replicates"],
            "verdict": verdict(found["more"][measure], sign),
        }
        for learner, measure, goal, sign in asked
        for size, found in record[learner]["against"].get(record["primary"], {}).items()
        if "more" in found
    ]


#: By folder, what the record is made of. From larger pools larger designs can be chosen, and what
#: the size of the pool does is seen: the tests, by replicate, are the same.
STUDIES = {
    "training_design": Settings(),
    "training_design_large": Settings(
        pool_sets=2500,
        methods=("random", PRIMARY),
        sizes=(500, 1000, 2000, 4000, 8000, 16_000),
        network_replicates=0,
    ),
}


def main(results: Path, parts: list[str]) -> None:
    """Run parts of the studies, or write the record of both."""
    usual, large = ((results / name, settings) for name, settings in STUDIES.items())
    if parts == ["summary"]:
        record = summary(*usual) | {"large": summary(*large)}
        _write(usual[0] / "summary.json", record)
        return
    console = Console()
    work = {
        "kernel": (*usual, "kernel"),
        "network": (*usual, "network"),
        "large": (*large, "kernel"),
    }
    for part in parts or work:
        run(*work[part], lambda done, total, what: console.print(f"{done} of {total}: {what}"))


if __name__ == "__main__":
    main(Path("results"), sys.argv[1:])
