"""Accepted parameter sets and the runs of a sample: what is simulated, before it is written.

A parameter set is drawn log-uniformly and kept where the reference run (S = 1, cat = 0.05) carries
its mechanism's fingerprint. A sample is four runs with one parameter set: three loadings, and a
fourth run that starts with part of the substrate already turned into product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import SUBSTRATE, Mechanism, at_conversion
from kinetlib.kinetics.simulate import followed
from kinetlib.runs.runs import Runs, start_and

N_RUNS = 4
# Parameter sets tried at a time: fewest, so that no lane of the integrator stays empty, and most.
_FEWEST, _MOST = 64, 16_384
# The reference run's output times: relative to 1/k of the largest and the smallest constant, early
# enough for the fastest step and late enough for the slowest, and how many a decade.
_EARLIEST, _LATEST, _A_DECADE = 0.1, 1e4, 16
_REFERENCE_TOLERANCE = {"rtol": 1e-5, "atol": 1e-8}


def _rising(pair: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= pair[0] <= pair[1]:
        raise ValueError(f"expected a range, from and to, none below zero, got {list(pair)}")
    return pair


Range = Annotated[tuple[float, float], AfterValidator(_rising)]


class Design(BaseModel):
    """What samples are drawn from; ranges are uniform unless said otherwise.

    The defaults are the training set's; `TEST` and `LABORATORY` hold others.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    constants: Range = Field((1e-3, 1e3), description="rate constants, log-uniform")
    horizon: Range = Field((0.8, 0.99), description="part of the final conversion at the horizon")
    loadings: tuple[Range, Range, Range] = Field(
        ((0.01, 0.10),) * 3, description="catalyst loadings of the first three runs"
    )
    substrate: Range = Field((0.4, 0.8), description="initial substrate of the fourth run")
    added_product: Range = Field(
        (1.0, 1.0), description="initial product of the fourth run, part of the substrate it lacks"
    )
    span: Range = Field((1.0, 1.0), description="length of each run relative to the horizon")
    n_times: int = Field(20, ge=2, description="output times beside t = 0")
    n_grid: int = Field(100, ge=2, description="evenly spaced times they are chosen from")


TRAIN = Design()
TEST = Design(n_times=6, loadings=((0.01, 0.02), (0.045, 0.055), (0.09, 0.10)))
# Wider than the published box, as laboratories work: other loadings, product seldom added in full,
# runs stopped early or watched for longer.
LABORATORY = Design(
    loadings=((0.005, 0.2),) * 3, substrate=(0.25, 1.0), added_product=(0.0, 1.0), span=(0.3, 2.0)
)


class Family(BaseModel):
    """Priors over rate constants, one drawn for each parameter set.

    Whoever measures has another reaction than whoever drew a training set: constants that lie
    closer together or further apart, some steps slow by nature, a catalyst of which more or less
    dies than a rule would have it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    constants: Range = Field((1e-5, 1e5), description="no constant lies outside")
    decades: Range = Field((2.5, 8.0), description="width of the log-uniform range of one set")
    apart: float = Field(
        0.6, ge=0, description="decades, standard deviation of the middle of each constant's range"
    )
    strictness: Range = Field(
        (0.3, 1.0), description="of the rules of acceptance, see `Mechanism.accepts`"
    )


@dataclass(frozen=True)
class ParameterSets:
    """Accepted parameter sets of one mechanism.

    Attributes
    ----------
    rate_constants
        Shape (m, R), three significant figures.
    progress
        Conversion of the reference run relative to its final one, shape (m, T), at `times` (T,).
    proposed, accepted
        How many were tried, and how many of these carried the fingerprint (m or a few more).
    """

    rate_constants: NDArray[np.float64]
    progress: NDArray[np.float64]
    times: NDArray[np.float64]
    proposed: int
    accepted: int

    def horizon(self, which: NDArray[np.int64], part: NDArray[np.float64]) -> NDArray[np.float64]:
        """Time at which the reference runs `which` reach `part` of their final conversion."""
        return at_conversion(self.progress[which], self.times, part)


@dataclass(frozen=True)
class Samples:
    """Simulated samples of one mechanism.

    ``runs``, four each, exact and in double precision; ``rate_constants`` (n, R); ``horizon`` (n,).
    """

    runs: Runs
    rate_constants: NDArray[np.float64]
    horizon: NDArray[np.float64]


def propose(
    mechanism: Mechanism, n: int, prior: Design | Family, rng: Generator
) -> NDArray[np.float64]:
    """Draw n parameter sets, log-uniform and rounded to three significant figures, shape (n, R)."""
    low, high = np.log10(prior.constants)
    shape = n, len(mechanism.network.constants)
    if isinstance(prior, Family):
        width = rng.uniform(*prior.decades, (n, 1))
        middle = (low + high) / 2 + prior.apart * rng.standard_normal(shape)
        exponents = np.clip(middle + width * rng.uniform(-0.5, 0.5, shape), low, high)
    else:
        exponents = rng.uniform(low, high, shape)
    values = 10.0**exponents
    decimals = 2 - np.floor(np.log10(values))
    # Dividing by a power of ten, not multiplying by its inverse, lands on the nearest decimal.
    up, down = 10.0 ** np.maximum(decimals, 0), 10.0 ** np.maximum(-decimals, 0)
    return np.round(values * up / down) / up * down


def reference_times(prior: Design | Family) -> NDArray[np.float64]:
    """Output times of the reference run, shape (T,): 0, then evenly spaced in their logarithm."""
    smallest, largest = prior.constants
    first, last = _EARLIEST / largest, _LATEST / smallest
    n = int(np.ceil(_A_DECADE * np.log10(last / first))) + 1
    return np.concatenate([[0.0], np.geomspace(first, last, n)])


def reference_runs(
    mechanism: Mechanism,
    rate_constants: NDArray,
    times: NDArray,
    *,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Run the reference experiment to its end: concentrations, shape (n, T, S)."""
    solution = integrate(
        mechanism.network,
        rate_constants,
        np.tile(mechanism.initial(), (len(rate_constants), 1)),
        times,
        **_REFERENCE_TOLERANCE,
        threads=threads,
    )
    return solution.concentration


def accepted_sets(
    mechanism: Mechanism,
    m: int,
    prior: Design | Family,
    rng: Generator,
    *,
    threads: int | None = None,
) -> ParameterSets:
    """Draw parameter sets until m of them carry the mechanism's fingerprint.

    The next batch is as large as the share accepted so far asks for. Every set is drawn from the
    same distribution and judged by itself, and the first m that are accepted are kept, so the sizes
    of batches do not show in what comes out.

    Raises
    ------
    ValueError
        If fewer than one in 20,000 proposals is accepted: such a mechanism needs another range of
        constants or another fingerprint.
    """
    substrate = mechanism.network.index(SUBSTRATE)
    times = reference_times(prior)
    constants, progress = [], []
    proposed = found = 0
    while found < m:
        if proposed >= 20_000 * (found + 1):
            raise ValueError(
                f"{mechanism.id}: {found} of {proposed} parameter sets carry its fingerprint with "
                f"constants in {prior.constants}; widen the range or loosen the fingerprint"
            )
        wanted = 1.1 * (m - found) * (proposed + 2) / (found + 1)
        batch = propose(mechanism, int(np.clip(wanted, _FEWEST, _MOST)), prior, rng)
        strictness = np.ones(len(batch))
        if isinstance(prior, Family):
            strictness = rng.uniform(*prior.strictness, len(batch))
        worth = mechanism.may_accept(batch, strictness)
        drawn = batch[worth]
        runs = reference_runs(mechanism, drawn, times, threads=threads)
        kept = np.flatnonzero(mechanism.accepts(runs, strictness[worth]))
        conversion = 1.0 - runs[kept, :, substrate]
        constants.append(drawn[kept])
        progress.append(conversion / conversion[:, -1:])
        proposed += len(batch)
        found += len(kept)
    return ParameterSets(
        np.concatenate(constants)[:m],
        np.concatenate(progress)[:m],
        times,
        proposed,
        accepted=found,
    )


def draw_samples(
    mechanism: Mechanism,
    sets: ParameterSets,
    samples_per_set: int,
    design: Design,
    rng: Generator,
    *,
    threads: int | None = None,
) -> Samples:
    """Simulate samples of accepted parameter sets, ``samples_per_set`` of each, set by set."""
    which = np.repeat(np.arange(len(sets.rate_constants)), samples_per_set)
    n = len(which)
    horizon = sets.horizon(which, rng.uniform(*design.horizon, n))
    loading, substrate_0, product_0 = _initial_conditions(n, design, rng)
    span = rng.uniform(*design.span, (n, N_RUNS)) * horizon[:, None]
    time = _output_times(n, design, rng) * span[..., None]
    initial = initial_concentrations(mechanism, loading, substrate_0, product_0, rng)
    constants = sets.rate_constants[which]
    seen, living = followed(mechanism, constants, initial, time, threads=threads)
    starts = (loading, substrate_0, product_0)
    runs = Runs(time, seen[..., 0], seen[..., 1], *starts, living=living)
    return Samples(runs, constants, horizon)


def initial_concentrations(
    mechanism: Mechanism,
    loading: NDArray[np.float64],
    substrate_0: NDArray[np.float64],
    product_0: NDArray[np.float64],
    rng: Generator,
) -> NDArray[np.float64]:
    """Put together all species' initial concentrations, shape (n, runs, species).

    Those given have shape (n, runs). Others follow the mechanism; what it leaves open is drawn once
    a sample, the same in all its runs.
    """
    others = drawn_others(mechanism, len(loading), rng)
    return mechanism.initial(loading, substrate_0, product_0, others)


def drawn_others(mechanism: Mechanism, n: int, rng: Generator) -> dict[str, NDArray[np.float64]]:
    """Draw initial concentrations that a mechanism leaves open, by species, shape (n, 1) each."""
    return {name: rng.uniform(*limits, (n, 1)) for name, limits in mechanism.drawn.items()}


def _initial_conditions(n: int, design: Design, rng: Generator) -> tuple[NDArray, NDArray, NDArray]:
    """Draw loading, initial substrate and initial product, shape (n, 4) each."""
    loading = np.stack([rng.uniform(*bounds, n) for bounds in design.loadings], axis=-1)
    loading = np.sort(loading, axis=-1)
    again = rng.integers(0, N_RUNS - 1, n)
    loading = np.column_stack([loading, loading[np.arange(n), again]])
    substrate_0 = np.ones((n, N_RUNS))
    substrate_0[:, -1] = rng.uniform(*design.substrate, n)
    product_0 = (1.0 - substrate_0) * rng.uniform(*design.added_product, (n, 1))
    return loading, substrate_0, product_0


def _output_times(n: int, design: Design, rng: Generator) -> NDArray[np.float64]:
    """Draw times relative to the horizon, shape (n, 4, 1 + n_times); the first is 0."""
    order = rng.random((n, N_RUNS, design.n_grid)).argsort(axis=-1)
    return start_and(order, design.n_times) / design.n_grid
