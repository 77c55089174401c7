"""From runs to rate constants, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from kinetlib.inference.coordinates import Coordinates, Wishes, coordinates
from kinetlib.inference.observations import Observations, averaged
from kinetlib.inference.outcome import Fit, outcome
from kinetlib.inference.problem import Problem
from kinetlib.inference.profiles import profiles, threshold
from kinetlib.inference.sampling import Effort, drawn
from kinetlib.inference.search import Ends, search
from kinetlib.inference.shown import shown
from kinetlib.inference.sources import observations
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.reading import mechanism as read_mechanism
from kinetlib.runs.runs import Runs


def fit(
    runs: Observations | Runs | xr.Dataset,
    mechanism: str | Path | Mechanism,
    *,
    fix: Mapping[str, float] | None = None,
    tie: Mapping[str, str] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    observe: Mapping[str, str] | None = None,
    initial: Mapping[str, float | tuple[float, float]] | None = None,
    initial_error: Mapping[str, float] | None = None,
    scale: Sequence[str] = (),
    shift: bool = False,
    seed: int = 0,
    effort: Effort | None = None,
    threads: int | None = None,
) -> Fit:
    """Estimate the rate constants of a mechanism from runs.

    Parameters
    ----------
    runs
        As `kinetlib.lab.read` or `kinetlib.lab.read_species` returns them, or Observations.
    mechanism
        An id of the catalogue, reactions as text, a file, or a Mechanism.
    fix
        Known constants, in the file's units; 0 takes a step away.
    tie
        Constants equal to another: ``{"k3": "k4"}``, or ``{"k3": "2*k4"}``.
    bounds
        Lowest and highest value of constants, in the file's units. By default k T C^(n-1) lies
        between 1e-5 and 1e8: T the longest run, C the largest start, n the order.
    observe
        What columns show, where it is not the species they are named after: ``{"UV": "A + 2 B"}``.
    initial
        Initial concentrations that the file does not give, in its unit: a number, or a range within
        which one, the same in all runs, is fitted.
    initial_error
        Relative standard error of initial concentrations by species, which are then fitted in every
        run; the key ``"all"`` stands for each species that is there.
    scale
        Columns that are a signal: concentration times a factor, which is fitted.
    shift
        Fit by how much the clock is late or early, up to a tenth of the longest run.
    seed
        Of all draws.
    effort
        How much to compute.
    threads
        Threads of the integrator; all processors by default.

    Returns
    -------
    Fit
        Constants with central 95 % intervals of the posterior, profile intervals, verdicts, and how
        well the mechanism explains the runs. Constants are log-uniform within their bounds
        beforehand, the noise of each column has an unknown relative and absolute part.

    Raises
    ------
    ValueError
        Names that mechanism or runs do not have, values without sense, runs without a value.
    """
    chosen = _chosen(mechanism)
    data, remarks = shown(
        observations(runs, chosen.network.species), chosen, observe or {}, initial or {}
    )
    ranges = {name: value for name, value in (initial or {}).items() if not np.isscalar(value)}
    standard = data.scale
    for name, (low, high) in chosen.drawn.items():
        if name not in (initial or {}):
            ranges[name] = (low * standard, high * standard)
            remarks.append(
                f"{name} at the start is not known: {low * standard:.3g} to {high * standard:.3g}, "
                "the same in all runs, is fitted; a start of your own takes its place"
            )
    wishes = Wishes(
        fix or {}, tie or {}, bounds or {}, initial_error or {}, ranges, tuple(scale), shift
    )
    layout = coordinates(chosen.network, data, wishes)
    return _fitted(chosen, data, layout, remarks, seed, effort or Effort(), threads)


def _chosen(mechanism: str | Path | Mechanism) -> Mechanism:
    """Read a mechanism; one that is given as text is called by that text."""
    if isinstance(mechanism, Mechanism):
        return mechanism
    found = read_mechanism(mechanism)
    is_text = isinstance(mechanism, str) and found.id == "mechanism"
    return replace(found, id=" ".join(mechanism.split())) if is_text else found


def _fitted(
    chosen: Mechanism,
    data: Observations,
    layout: Coordinates,
    remarks: list[str],
    seed: int,
    effort: Effort,
    threads: int | None,
) -> Fit:
    rng = default_rng([seed, *chosen.id.encode()])
    few = averaged(data)
    problem = Problem(chosen.network, few, layout, threads=threads)
    ends = _searched(problem, rng, effort)
    if few is not data:
        # Now that a curve is known deviations from it are averaged, which bends do not bias.
        whole = Problem(chosen.network, data, layout, threads=threads)
        expected = whole.series(ends.x[:1])[0] * data.scale
        problem = Problem(chosen.network, averaged(data, expected), layout, threads=threads)
        ends = search(problem, rng, bank=effort.bank // 10, starts=8, given=ends.x[:32])
        remarks.append(
            f"{int(problem.n_readings)} values were averaged to {len(problem.values)}; how the "
            "readings scatter about each mean counts"
        )
    n_free = len(layout.names)
    drop = threshold(problem.n_readings, n_free + 2 * len(data.columns))
    followed = profiles(problem, ends.x[0], drop)
    along = np.concatenate([ends.x, *(one.x for one in followed)])
    sample = drawn(problem, along, rng, effort)
    found = replace(sample, best=_best(problem, np.stack([ends.x[0], sample.best, *along])))
    problem.tighten(found.best)
    return outcome(chosen, data, problem, ends, followed, found, drop, remarks, rng)


def _searched(problem: Problem, rng: Generator, effort: Effort) -> Ends:
    return search(problem, rng, bank=effort.bank, starts=effort.starts, steps=effort.steps)


def _best(problem: Problem, x: NDArray[np.float64]) -> NDArray[np.float64]:
    return x[problem.log_likelihood(x).argmax()]
