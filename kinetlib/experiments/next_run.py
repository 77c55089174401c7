"""From measured runs to the run worth doing next.

Three things are put together: how probable each mechanism is, as a trained network says
(`kinetlib.fusion.classify`); for those in question the rate constants that agree with the runs
(`kinetlib.inference.posterior`); and what each candidate run would tell the same network, together
with the runs so far (`kinetlib.experiments.gain`). A run is worth what its reader can read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments import gain
from kinetlib.experiments.gain import Draws, Gain
from kinetlib.inference.curves import values_of
from kinetlib.inference.mixtures import resampled
from kinetlib.inference.posterior import Effort, Plausible, fitted, plausible
from kinetlib.runs import dataset
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates
from kinetlib.runs.runs import Runs, comparable

FLOOR = 0.002  # noise of small concentrations, of the standard run's substrate
UNKNOWN_NOISE = 0.02  # where the runs do not tell
LEAST_NOISE = 0.003  # of runs that look exact: no next run will be
LEAST_PROBABILITY = 0.01  # mechanisms below it are not considered
MOST_MECHANISMS = 6
MOST_POINTS = 50
_LOADINGS, _SUBSTRATES = 6, 3  # of the candidates
_SCHEMES = {  # end of the sampling, of the duration, and its bend
    "evenly spaced": (1.0, 1.0),
    "denser at the start": (1.0, 2.0),
    "in the first half": (0.5, 1.0),
    "in the first half, denser at the start": (0.5, 2.0),
}
_REFINED = 3  # candidates for which all of these are tried
_ASKED = 30  # draws of each mechanism that the classifier is asked about
_RTOL = 3e-5  # of the integrator, below any noise


def in_question(probabilities: xr.DataArray) -> tuple[list[str], NDArray[np.float64], float]:
    """Return the mechanisms worth considering, their probabilities, and what is left out."""
    order = np.argsort(-probabilities.values, kind="stable")[:MOST_MECHANISMS]
    kept = [i for i in order if probabilities.values[i] >= LEAST_PROBABILITY]
    values = probabilities.values[kept].astype(float)
    names = [str(name) for name in probabilities["mechanism"].values[kept]]
    return names, values / values.sum(), float(max(0.0, 1 - values.sum()))


@dataclass(frozen=True)
class Wanted:
    """Which next runs are possible.

    Attributes
    ----------
    loading, substrate
        From the smallest to the largest, relative to the standard run's substrate.
    duration
        Of the run, in the unit of the data.
    points
        Samples taken after the start.
    add_product
        Whether product may be weighed in for the substrate that is left out.
    """

    loading: tuple[float, float]
    substrate: tuple[float, float]
    duration: float
    points: int
    add_product: bool = True

    @classmethod
    def like(cls, runs: xr.Dataset) -> Wanted:
        """Return what lies about runs that were done.

        Half to twice their loadings, four tenths to all of the standard substrate, the longest
        duration up to completion and the usual number of points, at most 20.
        """
        runs = comparable(runs)
        one = runs.isel(sample=0) if "sample" in runs.dims else runs
        if "completed" in one:
            one = one.assign_coords(time=one["time"].where(~one["completed"]))
        loading = one["loading"].values
        substrate = one["substrate_0"].values
        points = np.isfinite(one["time"].values).sum(-1)
        return cls(
            (float(max(loading.min() / 2, 0.001)), float(min(2 * loading.max(), 0.2))),
            (float(min(0.4, substrate.min())), float(max(1.0, substrate.max()))),
            float(np.nanmax(one["time"].values)),
            int(np.clip(np.median(points) - 1, 2, 20)),
            "product" in one and bool(np.isfinite(one["product"].values).any()),
        )

    def candidates(self) -> tuple[Candidates, dict[str, tuple[int, ...]]]:
        """Return candidate runs, and ways to sample them, the even one first.

        Raises
        ------
        ValueError
            Ranges that fall, a duration or points that make no run.
        """
        for name, (low, high) in (("loading", self.loading), ("substrate", self.substrate)):
            if not 0 < low <= high < np.inf:
                raise ValueError(
                    f"{name}: expected a range above 0 that rises, got {low} to {high}"
                )
        if not (0 < self.duration < np.inf and 2 <= self.points <= MOST_POINTS):
            raise ValueError(
                f"duration and points: expected a positive time and 2 to {MOST_POINTS} points, got "
                f"{self.duration} and {self.points}"
            )
        loadings = np.unique(np.geomspace(*self.loading, _LOADINGS).round(5))
        substrates = np.unique(np.linspace(*self.substrate, _SUBSTRATES).round(4))
        runs = [
            (loading, substrate, added)
            for loading, substrate in product(loadings, substrates)
            for added in {0.0, max(0.0, 1 - substrate) if self.add_product else 0.0}
        ]
        runs.sort()
        steps = np.arange(1, self.points + 1) / self.points
        rows = {
            name: np.maximum(self.duration * end * steps**bend, 1e-4 * self.duration)
            for name, (end, bend) in _SCHEMES.items()
        }
        times = np.concatenate([[0.0], np.unique(np.round(np.concatenate([*rows.values()]), 12))])
        made = Candidates(*(np.array(column) for column in zip(*runs, strict=True)), times)
        return made, {name: made.nearest(row) for name, row in rows.items()}


@dataclass(frozen=True)
class Advice:
    """The run worth doing next, and what is expected of it.

    Attributes
    ----------
    mechanisms, probabilities
        Those considered, the most probable first, and their probabilities now, adding to 1.
    left_out
        Probability of those that were not considered.
    candidates
        The runs that were compared, times in the unit of the data.
    gains
        What each is expected to tell, sampled evenly.
    best
        Place of the advised run.
    times
        When to sample it, in the unit of the data.
    gain
        What it is expected to tell when sampled so, to the network that reads the runs.
    ideal
        What Bayes' rule could make of it, were the draws all that is possible.
    noise
        Relative noise that was reckoned with.
    draws
        Rate constants that agree with the runs so far, by mechanism.
    curves
        Expected substrate and product of the advised run: by mechanism mean and standard
        deviation over draws, (2, T, 2), at `curve_times` (T,).
    """

    mechanisms: list[str]
    probabilities: NDArray[np.float64]
    left_out: float
    candidates: Candidates
    gains: list[Gain]
    best: int
    times: NDArray[np.float64]
    gain: Gain
    ideal: Gain
    noise: float
    draws: dict[str, Plausible]
    curves: dict[str, NDArray[np.float64]]
    curve_times: NDArray[np.float64]

    @property
    def entropy(self) -> float:
        """Entropy of the mechanism before the run, nats."""
        return float(-(self.probabilities * np.log(self.probabilities)).sum())

    @property
    def expected_entropy(self) -> float:
        """Bound on the expected entropy after it, nats."""
        return max(0.0, self.entropy - self.gain.information)


def advise(
    runs: xr.Dataset,
    probabilities: xr.DataArray,
    wanted: Wanted,
    ask: Callable[[xr.Dataset], xr.DataArray],
    rng: Generator,
    *,
    noise: float | None = None,
    floor: float = FLOOR,
    effort: Effort | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Advice:
    """Advise the next run.

    Parameters
    ----------
    runs
        One sample of the runs schema, see `kinetlib.lab.read`.
    probabilities
        Of the mechanisms (mechanism), as `kinetlib.classify` gives them for that sample.
    wanted
        Which runs are possible.
    ask
        Who will read the runs: samples of the schema in, probabilities (sample, mechanism) out,
        see `kinetlib.fusion.classify.reader`.
    rng
        Source of all draws.
    noise, floor
        Standard deviation of the noise, relative and absolute. Where even the best fit leaves more,
        that counts.
    effort
        How much to compute for each mechanism.
    progress
        Told what is done next.

    Raises
    ------
    ValueError
        Runs or wishes that are not as described, or runs that no mechanism explains.
    """
    effort = effort or Effort()
    runs = comparable(runs)
    unit = float(runs["time"].max())
    if not unit > 0:
        raise ValueError("the runs have no time after the start, expected at least one")
    known = Runs.of(runs, unit)
    candidates, rows = wanted.candidates()
    names, now, left_out = in_question(probabilities)
    least = Noise(LEAST_NOISE if noise is None else max(noise, LEAST_NOISE), floor)
    *streams, last = rng.spawn(len(names) + 1)
    fits = []
    for name, stream in zip(names, streams, strict=True):
        progress(f"{name}: fit")
        fits.append(fitted(known, name, least, stream, effort))
    reckoned = least.times(max(1.0, min(fit.misfit for fit in fits)))
    found = {}
    for name, fit, stream in zip(names, fits, streams, strict=True):
        progress(f"{name}: rate constants that agree with the runs")
        found[name] = plausible(fit, reckoned, stream, effort)
    progress("candidate runs")
    reading = _Reading(runs, found, now, candidates, reckoned, unit)
    even = next(iter(rows.values()))
    gains = reading.gains([(run, even) for run in range(len(candidates))], ask, last)
    first = sorted(range(len(candidates)), key=lambda run: -gains[run].information)[:_REFINED]
    options = [(run, times) for run in first for times in rows.values()]
    (best, times), told = max(
        zip(options, reading.gains(options, ask, last), strict=True),
        key=lambda option: option[1].information,
    )
    curve_times = np.linspace(0, wanted.duration, 61)
    shown = Candidates(*candidates.only([best]).starts, curve_times)
    return Advice(
        names,
        now,
        left_out,
        candidates,
        gains,
        best,
        candidates.times[list(times)],
        told,
        reading.ideal(best, times, last),
        reckoned.relative,
        found,
        {name: _band(one, shown, unit) for name, one in found.items()},
        curve_times,
    )


class _Reading:
    """What draws make of candidates, and what is read from it together with the runs so far."""

    def __init__(
        self,
        runs: xr.Dataset,
        found: dict[str, Plausible],
        now: NDArray[np.float64],
        candidates: Candidates,
        noise: Noise,
        unit: float,
    ) -> None:
        self._names, self._candidates, self._noise = list(found), candidates, noise
        self._done = runs if "sample" in runs.dims else runs.expand_dims("sample")
        self._with_product = "product" in runs and bool(np.isfinite(runs["product"]).any())
        curves, weights = [], []
        for name, one in found.items():
            seen = _simulated(one, candidates, unit)
            kept = np.isfinite(seen).all((1, 2, 3))
            if kept.sum() < 2:
                raise ValueError(
                    f"{name}: too few of its rate constants could be simulated on the candidate "
                    "runs; ask for shorter ones"
                )
            curves.append(seen[kept])
            weights.append(one.weights[kept] / one.weights[kept].sum())
        labels = np.repeat(np.arange(len(weights)), [len(own) for own in weights])
        self._curves = np.concatenate(curves)
        self._draws = Draws(labels, np.concatenate(weights), now)

    def gains(
        self,
        options: list[tuple[int, tuple[int, ...]]],
        ask: Callable[[xr.Dataset], xr.DataArray],
        rng: Generator,
    ) -> list[Gain]:
        """Let a classifier read runs, with their times, after those done: a few draws of each."""
        which, draws = self._few(rng)
        errors = rng.standard_normal((len(which), len(self._candidates.times), 2))
        asked = [self._after(run, times, which, errors) for run, times in options]
        said = ask(xr.concat(asked, "sample")).sel(mechanism=self._names).values
        said = said / np.maximum(said.sum(1, keepdims=True), np.finfo(float).tiny)
        return [gain.read_by(part, draws) for part in np.split(said, len(options))]

    def ideal(self, run: int, times: tuple[int, ...], rng: Generator) -> Gain:
        """Return what Bayes' rule could make of a run, were the draws all that is possible."""
        seen = self._curves[:, run][:, list(times), : 1 + self._with_product]
        seen = self._noise.stabilised(seen).reshape(len(seen), -1)
        return gain.gain(seen, rng.standard_normal(seen.shape), self._draws)

    def _few(self, rng: Generator) -> tuple[NDArray[np.int64], Draws]:
        """Draw a few of each mechanism by weight; return their places, and what they stand for."""
        mechanisms = np.arange(len(self._names))
        owns = [np.flatnonzero(self._draws.labels == k) for k in mechanisms]
        chosen = [own[resampled(self._draws.weights[own], _ASKED, rng)] for own in owns]
        labels = np.repeat(mechanisms, _ASKED)
        weights = np.full(len(labels), 1 / _ASKED)
        return np.concatenate(chosen), Draws(labels, weights, self._draws.probabilities)

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
        starts = (start[run] for start in self._candidates.starts)
        return dataset.joined(
            self._done.isel(sample=np.zeros(len(which), int)),
            dataset.of_samples(*starts, self._candidates.times[at], seen[:, None]),
        )


def _simulated(found: Plausible, candidates: Candidates, unit: float) -> NDArray[np.float64]:
    """Simulate draws on candidates: (n, R, T, 2)."""
    scaled = Candidates(*candidates.starts, candidates.times / unit)
    return values_of(found.prior.mechanism, scaled, found.x, rtol=_RTOL)


def _band(found: Plausible, shown: Candidates, unit: float) -> NDArray[np.float64]:
    """Return mean and deviation of one run over draws, of those that did not fail: (2, T, 2)."""
    curves = _simulated(found, shown, unit)[:, 0]
    kept = np.isfinite(curves).all((1, 2))
    shares = found.weights[kept, None, None] / found.weights[kept].sum()
    mean = (shares * curves[kept]).sum(0)
    return np.stack([mean, np.sqrt((shares * (curves[kept] - mean) ** 2).sum(0))])
