"""Plans of experiments: candidate runs and times, and choices among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kinetlib.runs.runs import Runs

#: Loadings from 1 to 16 mol %, evenly spaced in their logarithm.
LOADINGS = tuple(np.geomspace(0.01, 0.16, 12).round(4).tolist())


#: Initial substrate; the rest, up to 1, is product already: the runs hold the same excess.
COMPOSITIONS = (1.0, 0.7, 0.4)


#: Times of a scheme are end (k / m)^bend; on the published grid of hundredths of the horizon.
BENDS = (0.5, 0.75, 1.0, 1.5, 2.0, 3.0)


ENDS = (0.4, 0.7, 1.0)


_GRID = 100


@dataclass(frozen=True)
class Candidates:
    """Runs and times to choose from.

    Attributes
    ----------
    loading, substrate_0, product_0
        Of each candidate run, relative to the standard run's substrate, shape (R,).
    times
        In horizons, rising, the first 0, shape (T,).

    Raises
    ------
    ValueError
        Runs that do not fit, concentrations or times that make no sense.
    """

    loading: NDArray[np.float64]
    substrate_0: NDArray[np.float64]
    product_0: NDArray[np.float64]
    times: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Bring to double precision and check."""
        for name in ("loading", "substrate_0", "product_0", "times"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shape = self.loading.shape
        for name in ("loading", "substrate_0", "product_0"):
            values = getattr(self, name)
            if values.ndim != 1 or values.shape != shape or not len(values):
                raise ValueError(
                    f"{name}: expected one number a candidate run, shape {shape}, got shape "
                    f"{values.shape}"
                )
            if not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(f"{name}: expected concentrations from 0 on, got {values}")
        times = self.times
        if times.ndim != 1 or len(times) < 2 or times[0] != 0 or not (np.diff(times) > 0).all():
            raise ValueError(f"times: expected 0 and times that rise, got {times}")

    def __len__(self) -> int:
        """Return the number of candidate runs."""
        return len(self.loading)

    @property
    def starts(self) -> tuple[NDArray[np.float64], ...]:
        """Loading, initial substrate and initial product."""
        return self.loading, self.substrate_0, self.product_0

    def only(self, which: Sequence[int]) -> Candidates:
        """Return some of the runs, in the order given."""
        at = list(which)
        return Candidates(*(start[at] for start in self.starts), self.times)

    def nearest(self, times: Sequence[float]) -> tuple[int, ...]:
        """Return the candidate times nearest to those asked for, each once, rising."""
        at = np.abs(self.times[:, None] - np.asarray(times)).argmin(0)
        return tuple(sorted(set(at.tolist())))


@dataclass(frozen=True)
class Experiment:
    """A choice among candidates: which runs, and the times of each, by their place.

    ``runs`` (r,) and ``times`` (r, m); the same run may not be chosen twice, because a bank holds
    its noise once.
    """

    runs: tuple[int, ...]
    times: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        """Check that it is a choice."""
        if len(set(self.runs)) != len(self.runs) or not self.runs:
            raise ValueError(f"an experiment is one or more different runs, got {self.runs}")
        if len(self.times) != len(self.runs):
            raise ValueError(
                f"an experiment of {len(self.runs)} runs has as many rows of times, "
                f"got {len(self.times)}"
            )
        if len({len(row) for row in self.times}) != 1 or not self.times[0]:
            raise ValueError("every run of an experiment is sampled as often, once or more")

    @classmethod
    def common(cls, runs: Sequence[int], times: Sequence[int]) -> Experiment:
        """Sample all runs at the same times."""
        return cls(tuple(runs), (tuple(times),) * len(runs))

    @property
    def points(self) -> int:
        """Points of each run."""
        return len(self.times[0])

    def shown(self, values: NDArray) -> NDArray:
        """Take what it shows of all candidates, shape (n, R, T, ...) to (n, runs, points, ...)."""
        return values[:, np.array(self.runs)[:, None], np.array(self.times)]

    def measured(self, candidates: Candidates, data: NDArray) -> Runs:
        """Return data of n reactions, shape (n, runs, points, 2), as runs; times in horizons.

        Raises
        ------
        ValueError
            Data that do not fit the experiment.
        """
        expected = (len(self.runs), self.points, 2)
        if data.ndim != 4 or data.shape[1:] != expected:
            raise ValueError(
                f"data: expected shape (n, {', '.join(map(str, expected))}), got {data.shape}"
            )
        chosen = candidates.only(self.runs)
        values = (chosen.times[np.array(self.times)], data[..., 0], data[..., 1], *chosen.starts)
        return Runs(*(np.broadcast_to(v, (len(data), *v.shape[-2:])) for v in values))

    def with_run(self, run: int, times: Sequence[int]) -> Experiment:
        """Add a run."""
        return Experiment((*self.runs, run), (*self.times, tuple(times)))

    def exchanged(self, place: int, run: int, times: Sequence[int]) -> Experiment:
        """Put another run, or other times, in the place of one."""
        runs, rows = list(self.runs), list(self.times)
        runs[place], rows[place] = run, tuple(times)
        return Experiment(tuple(runs), tuple(rows))


def schemes(n_times: int) -> dict[str, tuple[float, ...]]:
    """Name ways to place ``n_times`` times after the start, in horizons, by bend and end.

    Bend 1 is even, more is dense at the start and less dense at the end. Schemes that would need
    two points at one hundredth of the horizon are left out.
    """
    found = {}
    for end, bend in product(ENDS, BENDS):
        steps = np.arange(1, n_times + 1) / n_times
        times = np.maximum(np.round(_GRID * end * steps**bend), 1) / _GRID
        if len(set(times)) == n_times:
            found[f"to {end:g}, bend {bend:g}"] = tuple(times.tolist())
    return found


EVEN = "to 1, bend 1"


def grid(n_times: Sequence[int] = (6, 20)) -> Candidates:
    """Return the candidates of the book: 12 loadings, 3 compositions, the times of all schemes.

    Parameters
    ----------
    n_times
        Numbers of times after the start that schemes are wanted for.
    """
    loading, substrate_0 = (np.array(x) for x in zip(*product(LOADINGS, COMPOSITIONS), strict=True))
    of_six = {t for times in schemes(n_times[0]).values() for t in times}
    even = {t for n in n_times[1:] for t in schemes(n)[EVEN]}
    times = [0.0, *sorted(of_six | even)]
    return Candidates(loading, substrate_0, (1 - substrate_0).round(4), np.array(times))


def even_grid(n_times: int = 20) -> Candidates:
    """Return the candidate runs of the book, with ``n_times`` even times after the start."""
    runs = grid()
    return Candidates(*runs.starts, np.arange(n_times + 1) / n_times)


def described(one: Experiment, candidates: Candidates) -> dict[str, Any]:
    """Write an experiment in numbers: runs, and times in horizons."""
    return {
        "runs": [
            {
                "loading": float(candidates.loading[run]),
                "substrate_0": float(candidates.substrate_0[run]),
                "product_0": float(candidates.product_0[run]),
                "times": [float(candidates.times[i]) for i in times],
            }
            for run, times in zip(one.runs, one.times, strict=True)
        ]
    }


def read(record: dict[str, Any], candidates: Candidates) -> Experiment:
    """Find a written experiment among candidates.

    Raises
    ------
    ValueError
        If it is not among them.
    """
    runs, rows = [], []
    for run in record["runs"]:
        same = np.isclose(candidates.loading, run["loading"]) & np.isclose(
            candidates.substrate_0, run["substrate_0"]
        )
        times = candidates.nearest(run["times"])
        if same.sum() != 1 or not np.allclose(candidates.times[list(times)], run["times"]):
            raise ValueError(f"no candidate run like {run}: the record is of other candidates")
        runs.append(int(same.argmax()))
        rows.append(times)
    return Experiment(tuple(runs), tuple(rows))


def rows_of(candidates: Candidates, named: Mapping[str, Sequence[float]]) -> dict[str, tuple]:
    """Look the times of schemes up among the candidates' times, the start put before them."""
    return {name: (0, *candidates.nearest(times)) for name, times in named.items()}
