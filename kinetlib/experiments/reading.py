"""What a reader makes of candidate runs, together with the runs that were done.

Rate constants that agree with the runs so far make outcomes of each candidate; a classifier that
reads runs is asked about them.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments import gain
from kinetlib.experiments.gain import Draws, Gain
from kinetlib.inference.curves import values_of
from kinetlib.inference.posterior import Plausible
from kinetlib.inference.prior import Prior
from kinetlib.runs import dataset
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates

_ASKED = 30  # draws of each mechanism that the classifier is asked about
_RTOL = 3e-5  # below any noise


class Reading:
    """What draws make of candidates, and what is read from it together with the runs so far."""

    def __init__(
        self,
        runs: xr.Dataset,
        names: list[str],
        now: NDArray[np.float64],
        draws_of: list[Plausible],
        priors: list[Prior],
        noise: Noise,
        candidates: Candidates,
        unit: float,
    ) -> None:
        """Simulate all draws on all candidates."""
        self._names, self._candidates, self._noise = names, candidates, noise
        self._done = runs if "sample" in runs.dims else runs.expand_dims("sample")
        self._curves, self._draws = _outcomes(draws_of, priors, now, candidates, unit)
        self._with_product = "product" in runs and bool(np.isfinite(runs["product"]).any())

    def gains(
        self,
        options: list[tuple[int, tuple[int, ...]]],
        ask: Callable[[xr.Dataset], xr.DataArray],
        rng: Generator,
    ) -> list[Gain]:
        """Let a classifier read runs, with their times, after those done: a few draws of each."""
        which, draws = _few(self._draws, rng)
        errors = rng.standard_normal((len(which), len(self._candidates.times), 2))
        asked = [self._after(run, times, which, errors) for run, times in options]
        said = ask(xr.concat(asked, "sample")).sel(mechanism=self._names).values
        said = said / np.maximum(said.sum(1, keepdims=True), np.finfo(float).tiny)
        return [gain.read_by(part, draws) for part in np.split(said, len(options))]

    def ideal(self, run: int, times: tuple[int, ...], rng: Generator) -> Gain:
        """Return what Bayes' rule could make of a run, were the draws all that is possible."""
        seen = self._curves[:, run][:, list(times), : 1 + self._with_product]
        outcomes = self._noise.stabilised(seen).reshape(len(self._draws), -1)
        return gain.gain(outcomes, rng.standard_normal(outcomes.shape), self._draws)

    def _after(
        self,
        run: int,
        times: tuple[int, ...],
        which: NDArray[np.int64],
        errors: NDArray[np.float64],
    ) -> xr.Dataset:
        """Put a run of some draws, with noise, after the runs done: one sample a draw."""
        at = [0, *times]
        exact = self._curves[which, run][:, at]
        deviation = self._noise.deviation(exact)
        deviation[:, 0] = 0  # weighed in
        seen = exact + deviation * errors[:, : len(at)]
        if not self._with_product:
            seen[..., 1] = np.nan
        chosen = self._candidates
        starts = (start[run] for start in chosen.starts)
        return dataset.joined(
            self._done.isel(sample=np.zeros(len(which), int)),
            dataset.of_samples(*starts, chosen.times[at], seen[:, None]),
        )


def _few(draws: Draws, rng: Generator) -> tuple[NDArray[np.int64], Draws]:
    """Draw a few of each mechanism by weight; return their places, and what they stand for."""
    n_mechanisms = len(draws.probabilities)
    chosen = []
    for k in range(n_mechanisms):
        own = np.flatnonzero(draws.labels == k)
        # Systematic resampling: one draw of all, evenly spaced.
        places = (rng.random() + np.arange(_ASKED)) / _ASKED
        at = np.searchsorted(np.cumsum(draws.weights[own]), places).clip(max=len(own) - 1)
        chosen.append(own[at])
    labels = np.repeat(np.arange(n_mechanisms), _ASKED)
    weights = np.full(len(labels), 1 / _ASKED)
    return np.concatenate(chosen), Draws(labels, weights, draws.probabilities)


def _outcomes(
    draws_of: list[Plausible],
    priors: list[Prior],
    now: NDArray[np.float64],
    candidates: Candidates,
    unit: float,
) -> tuple[NDArray[np.float64], Draws]:
    """Return what draws make of all candidates, exact, (n, R, T, 2), and the draws."""
    seen, labels, weights = [], [], []
    for k, (found, prior) in enumerate(zip(draws_of, priors, strict=True)):
        curves = simulated(found, prior, candidates, unit)
        kept = np.isfinite(curves).all((1, 2, 3))
        if kept.sum() < 2:
            raise ValueError(
                f"{prior.mechanism.id}: too few of its rate constants could be simulated "
                "on the candidate runs; ask for shorter ones"
            )
        weights.append(found.weights[kept] / found.weights[kept].sum())
        labels.append(np.full(kept.sum(), k))
        seen.append(curves[kept])
    return np.concatenate(seen), Draws(np.concatenate(labels), np.concatenate(weights), now)


def simulated(
    found: Plausible, prior: Prior, candidates: Candidates, unit: float
) -> NDArray[np.float64]:
    """Simulate draws on candidates: (n, R, T, 2)."""
    scaled = Candidates(*candidates.starts, candidates.times / unit)
    return values_of(prior.mechanism, scaled, found.x, rtol=_RTOL)


def band(curves: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mean and deviation over draws (n, T, 2), of those that did not fail: (2, T, 2)."""
    kept = np.isfinite(curves).all((1, 2))
    shares = weights[kept, None, None] / weights[kept].sum()
    mean = (shares * curves[kept]).sum(0)
    return np.stack([mean, np.sqrt((shares * (curves[kept] - mean) ** 2).sum(0))])
