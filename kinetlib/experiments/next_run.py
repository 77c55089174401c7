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

from kinetlib.experiments.gain import Gain
from kinetlib.experiments.reading import Reading, band, simulated
from kinetlib.inference.posterior import Effort, Plausible, fitted, plausible
from kinetlib.runs.laboratory import Campaign
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates
from kinetlib.runs.runs import Runs

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
_FEW_DRAWS = 20
_REFINED = 3  # candidates for which all of these are tried


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
        duration and the usual number of points, at most 20.
        """
        one = runs.isel(sample=0) if "sample" in runs.dims else runs
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
    unit = float(runs["time"].max())
    if not unit > 0:
        raise ValueError("the runs have no time after the start, expected at least one")
    known = Runs.of(runs, unit)
    candidates, rows = wanted.candidates()
    names, now, left_out = in_question(probabilities)
    least = Noise(LEAST_NOISE if noise is None else max(noise, LEAST_NOISE), floor)
    streams = rng.spawn(len(names) + 1)
    fits = []
    for name, stream in zip(names, streams, strict=False):
        progress(f"{name}: fit")
        fits.append(fitted(known, name, least, stream, effort))
    reckoned = least.times(max(1.0, min(fit.misfit for fit in fits)))
    draws_of = []
    for name, fit, stream in zip(names, fits, streams, strict=False):
        progress(f"{name}: rate constants that agree with the runs")
        draws_of.append(plausible(fit, reckoned, stream, effort))
    progress("candidate runs")
    priors = [fit.target.prior for fit in fits]
    reading = Reading(runs, names, now, draws_of, priors, reckoned, candidates, unit)
    even = next(iter(rows.values()))
    gains = reading.gains([(run, even) for run in range(len(candidates))], ask, streams[-1])
    first = sorted(range(len(candidates)), key=lambda run: -gains[run].information)[:_REFINED]
    options = [(run, times) for run in first for times in rows.values()]
    refined = reading.gains(options, ask, streams[-1])
    (best, times), gain = max(
        zip(options, refined, strict=True), key=lambda option: option[1].information
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
        gain,
        reading.ideal(best, times, streams[-1]),
        reckoned.relative,
        dict(zip(names, draws_of, strict=True)),
        {
            name: band(simulated(found, prior, shown, unit)[:, 0], found.weights)
            for name, found, prior in zip(names, draws_of, priors, strict=True)
        },
        curve_times,
    )


def limits(advice: Advice, wanted: Wanted, noise: float, *, assumed: bool = False) -> list[str]:
    """Say in sentences what the advice rests on.

    Parameters
    ----------
    advice, wanted
        The advice, and what was asked for.
    noise
        Relative noise that `advise` was given.
    assumed
        Whether that was not told by the runs.
    """
    listed = ", ".join(f"{name} {found.effective:.0f}" for name, found in advice.draws.items())
    found = [
        "Only mechanisms of the catalogue are considered, and of these only the "
        f"{len(advice.mechanisms)} most probable; the others have {advice.left_out:.1%} together.",
        f"Effective draws of rate constants: {listed}.",
    ]
    if len(advice.mechanisms) == 1:
        found.append(
            f"Only {advice.mechanisms[0]} is in question, so no run is better than another."
        )
    wide = [name for name, drawn in advice.draws.items() if drawn.widening > 1]
    if wide:
        found.append(
            f"Rate constants of {', '.join(wide)} count as known less well than the runs tell: "
            "the noise had to be taken for "
            f"{max(drawn.widening for drawn in advice.draws.values()):g} times as much to find "
            "enough draws."
        )
    poor = [name for name, drawn in advice.draws.items() if drawn.effective < _FEW_DRAWS]
    if poor:
        found.append(
            f"Of {', '.join(poor)} fewer than {_FEW_DRAWS} effective draws were found even so: "
            "what it would make of a run is known worse than the numbers say."
        )
    found.append(
        f"The network is expected to learn {advice.gain.information:.2f} nat from the run; Bayes' "
        f"rule could learn {advice.ideal.information:.2f} nat, if the draws were all that is "
        "possible."
    )
    source = "assumed, as the runs do not tell" if assumed else "as estimated or given"
    if advice.noise > 1.01 * max(noise, LEAST_NOISE):
        source = (
            f"more than the {noise:.1%} {source}: no mechanism fits better, so errors other than "
            "noise, or a mechanism from outside, are taken for noise"
        )
    found.append(f"Noise reckoned with: {advice.noise:.1%} of the value, {source}.")
    low, high = Campaign().loading
    if not low <= wanted.loading[0] <= wanted.loading[1] <= high:
        found.append(f"Loadings outside of {low:g} to {high:g}: the network has not seen such.")
    return found
