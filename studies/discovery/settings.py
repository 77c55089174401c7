"""The settings of the benchmark: which case, how many runs, how much noise, over how many seeds."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from studies.discovery import drawn, public
from studies.discovery.answers import Task
from studies.discovery.cases import CASES, Case

COLD = "discover, compiling"  # a process of its own, with no integrator compiled before


class Setting(BaseModel):
    """A task that is repeated over seeds.

    Attributes
    ----------
    case
        Name of the case.
    n_reactions
        Most reactions that methods are told.
    seeds
        By method, how many.
    n_runs, n_times, noise
        Instead of those of the case.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    case: str
    n_reactions: int
    seeds: dict[str, int]
    n_runs: int | None = None
    n_times: int | None = None
    noise: float | None = None

    def case_of(self, seed: int) -> Case:
        """Return the case of a seed: the same for all, but where each is another network."""
        if self.case == public.NAME:
            return public.case(seed)
        return drawn.drawn(seed) if self.case == drawn.NAME else CASES[self.case]

    def task(self, seed: int) -> Task:
        """Make the runs of a seed."""
        case = self.case_of(seed)
        runs = case.runs(seed, n_runs=self.n_runs, n_times=self.n_times, noise=self.noise)
        return Task(case, runs, self.n_reactions, seed)

    @property
    def level(self) -> float:
        """Standard deviation of the noise, relative to the value."""
        return self.case_of(0).noise if self.noise is None else self.noise


_OURS = {"discover": 50, "oracle": 50}
_OTHERS = {"weak SINDy": 50, "weak SINDy, no ridge": 50, "derivative matching": 50}
NOISE = (0.0, 0.01, 0.1, 0.2, 0.5)

SETTINGS: dict[str, Setting] = {
    "B1": Setting(
        case="case 1",
        n_reactions=4,
        seeds={**_OURS, **_OTHERS, "published recipe": 10, COLD: 3},
    ),
    "B1many": Setting(case="case 1", n_reactions=8, seeds={**_OURS, "published recipe": 5}),
    "B1few": Setting(
        case="case 1", n_reactions=4, n_runs=5, n_times=30, seeds={**_OURS, **_OTHERS}
    ),
    **{
        f"B1noise-{level:g}": Setting(
            case="case 1",
            n_reactions=4,
            noise=level,
            seeds={name: 20 for name in (*_OURS, *_OTHERS)},
        )
        for level in NOISE
    },
    "B2": Setting(case="biodiesel", n_reactions=3, seeds=_OURS),
    "B2m": Setting(case="biodiesel, DG hidden", n_reactions=3, seeds=_OURS),
    "B3": Setting(
        case="MAPK cascade", n_reactions=8, seeds={name: 20 for name in (*_OURS, *_OTHERS)}
    ),
    "B4": Setting(
        case="case 1 reversible", n_reactions=10, seeds={name: 20 for name in (*_OURS, *_OTHERS)}
    ),
    "drawn": Setting(
        case=drawn.NAME, n_reactions=7, seeds={name: 50 for name in (*_OURS, *_OTHERS)}
    ),
    "public": Setting(
        case=public.NAME,
        n_reactions=9,
        seeds={name: len(public.NETWORKS) for name in (*_OURS, *_OTHERS)},
    ),
}
