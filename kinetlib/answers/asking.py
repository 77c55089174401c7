"""From the runs of one reaction to an answer in words, with what it rests on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from kinetlib.answers.ending import Ending
from kinetlib.answers.opening import opened
from kinetlib.answers.sight import SECOND, seen, shown_to
from kinetlib.answers.weighing import Progress, Weighed, probabilities, weighed
from kinetlib.inference.fitting import fit
from kinetlib.inference.observations import Observations
from kinetlib.inference.outcome import Fit
from kinetlib.kinetics.grammar import FEATURES, Grammar, grammar
from kinetlib.kinetics.integrate import available_processors
from kinetlib.kinetics.kernels import NoCompilerError
from kinetlib.kinetics.mechanisms import catalogue
from kinetlib.runs.runs import Runs

LEVEL = 0.95  # of the set of mechanisms
_FITTED = 3  # mechanisms of which all constants are given, at most
_WORTH = 0.05  # probability from which they are
CATALOGUE_SECONDS, OPEN_SECONDS = 55.0, 240.0

Open = Literal["auto", "open", "closed"]


@dataclass(frozen=True)
class Proposal:
    """What the network says.

    Attributes
    ----------
    probabilities
        Of M1 to M20.
    members
        Mechanisms of the set that holds the true one with 95 %.
    noise, strangeness
        See `kinetlib.fusion.trust.Answer`; NaN where they cannot be told.
    """

    probabilities: dict[str, float]
    members: tuple[str, ...]
    noise: float
    strangeness: float


@dataclass(frozen=True)
class Possible:
    """A mechanism that was weighed, with its fit where it is probable."""

    weighed: Weighed
    probability: float
    fit: Fit | None = None

    @property
    def name(self) -> str:
        """Its id, composed ones named by their parts."""
        return self.weighed.name


@dataclass(frozen=True)
class Answer:
    """What the runs of a reaction say.

    Attributes
    ----------
    probabilities
        Of M1 to M20, among all that were weighed: where the catalogue was opened they may add up
        to less than one.
    features
        Probability that the catalyst dies, wakes up, and so on, of `FEATURES`: summed over all
        mechanisms that have it.
    mechanisms
        All that were weighed, the most probable first.
    members
        The most probable ones that add up to 95 %.
    explains
        Whether the most probable one explains the runs; None where it was not fitted.
    network
        What the network proposed, None where it could not be asked.
    was_opened
        Whether mechanisms beyond the twenty were weighed.
    runs, remarks
        Names of the runs; what was assumed, left out or not done.
    """

    probabilities: dict[str, float]
    features: dict[str, float]
    mechanisms: tuple[Possible, ...]
    members: tuple[str, ...]
    explains: bool | None
    network: Proposal | None
    was_opened: bool
    runs: tuple[str, ...]
    remarks: tuple[str, ...] = field(default=())


class NothingWeighed(ValueError):
    """The time was over before any evidence was there."""


def answer(
    runs: Observations | Runs | xr.Dataset,
    *,
    model: str | Path = "runset",
    catalogue_is: Open = "auto",
    rules: Grammar | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total, said: None,
    seconds: float | None = None,
    ending: Ending | None = None,
) -> Answer:
    """Tell which mechanisms explain the runs of a reaction, and what they have in common.

    Parameters
    ----------
    runs
        As `kinetlib.lab.read` returns them, `Runs` of one reaction, or Observations.
    model
        The network that proposes, see `kinetlib.fusion.classify.classify`.
    catalogue_is
        ``"open"``: weigh mechanisms beyond the twenty, too; ``"closed"``: never; ``"auto"``: where
        none of the twenty explains the runs.
    rules
        Of the open catalogue; those that come with the package by default.
    seed
        Of all draws.
    progress
        Told how many of how many are done, and what is done.
    seconds
        After so many nothing more is weighed, and the answer is of what is done. By default the
        twenty have 55 and the open catalogue 240 seconds of a processor, whatever the clock says.
    ending
        By which somebody may ask for the answer of what is done; constants are then not fitted.

    Returns
    -------
    Answer

    Raises
    ------
    ValueError
        Runs without a value, or of which nothing could be simulated.
    NothingWeighed
        Where it ended before anything was weighed.
    """
    ending = ending or Ending()
    data = seen(runs)
    rules = rules or grammar()
    whole = None if seconds is None else ending.within(seconds)
    part = whole or ending.having_worked(CATALOGUE_SECONDS)
    remarks = list(data.remarks)
    network = proposal(runs, model, remarks)
    asked = [*rules.closed(), *(rules.own_cores() if SECOND in data.starts else ())]
    found = weighed(data, asked, seed=seed, progress=progress, ending=part)
    names = {one.name for one in found}
    missing = [one.mechanism.id for one in asked if one.mechanism.id not in names]
    if missing:
        remarks.append(
            f"not weighed, since {_over(ending)} or they could not be simulated, and so in "
            f"none of the probabilities: {', '.join(missing)}"
        )
    possible = _fitted(data, found, seed, progress, ending)
    explains = possible[0].fit.explains if possible[0].fit else None
    opens = catalogue_is == "open" or (catalogue_is == "auto" and explains is False)
    opens = opens and not ending.asked
    if opens:
        part = whole or ending.having_worked(OPEN_SECONDS)
        possible, remark = _opened(data, rules, found, seed, progress, part, ending)
        remarks += remark
        explains = possible[0].fit.explains if possible[0].fit else None
    if ending.asked and explains is None:
        remarks.append(
            "stopped before constants were fitted: whether the runs are explained is open"
        )
    for one in possible:
        if one.fit:
            remarks += one.fit.remarks
    return Answer(
        probabilities={name: _of(possible, name) for name in catalogue()},
        features=features(possible),
        mechanisms=tuple(possible),
        members=_members(possible),
        explains=explains,
        network=network,
        was_opened=opens,
        runs=data.runs,
        remarks=tuple(dict.fromkeys(remarks)),
    )


def proposal(
    runs: Observations | Runs | xr.Dataset, model: str | Path, remarks: list[str]
) -> Proposal | None:
    """Ask the network; where it cannot read the runs, say why among the remarks."""
    from kinetlib.fusion.classify import classify

    if not isinstance(runs, xr.Dataset):
        return None
    try:
        found = classify(runs, model=model).isel(sample=0)
    except ValueError as error:
        remarks.append(f"the network was not asked: {error}")
        return None
    names = [str(name) for name in found["mechanism"].values]
    told = "in_set" in found.coords
    inside = found["in_set"].values if told else np.zeros(len(names), bool)
    return Proposal(
        dict(zip(names, map(float, found.values), strict=True)),
        tuple(name for name, member in zip(names, inside, strict=True) if member),
        float(found["noise"]) if told else math.nan,
        float(found["strangeness"]) if told else math.nan,
    )


def features(possible: Sequence[Possible]) -> dict[str, float]:
    """Sum the probabilities of mechanisms by what they have in them."""
    return {
        feature: math.fsum(
            one.probability for one in possible if feature in one.weighed.composed.features
        )
        for feature in FEATURES
    }


def _opened(
    data: Observations,
    rules: Grammar,
    found: list[Weighed],
    seed: int,
    progress: Progress,
    part: Ending,
    ending: Ending,
) -> tuple[list[Possible], list[str]]:
    remarks = []
    try:
        found = opened(data, rules, found, seed=seed, progress=progress, ending=part)
    except NoCompilerError as error:
        remarks.append(f"the open catalogue was not weighed: {error}")
    if part.here:
        remarks.append(f"the open catalogue was not weighed to its end: {_over(ending)}")
    return _fitted(data, found, seed, progress, ending), remarks


def _over(ending: Ending) -> str:
    return "it was stopped" if ending.asked else "the time for it was over"


def _fitted(
    data: Observations, found: Sequence[Weighed], seed: int, progress: Progress, ending: Ending
) -> list[Possible]:
    """Order mechanisms by probability, and fit the constants of the first few if there is time."""
    if not any(math.isfinite(one.log_evidence) for one in found):
        raise NothingWeighed("no mechanism was weighed in time; give more seconds (--seconds 600)")
    shares = probabilities(found)
    order = np.argsort(-shares, kind="stable")
    possible = [Possible(found[i], float(shares[i])) for i in order]
    wanted = [one for one in possible[:_FITTED] if one.probability >= _WORTH]
    if ending.asked:
        return possible
    with ThreadPoolExecutor(min(len(wanted), available_processors())) as pool:
        fits = []
        asked = [one.weighed.composed.mechanism for one in wanted]
        made = pool.map(lambda one: fit(shown_to(data, one), one, seed=seed, threads=1), asked)
        for number, one in enumerate(made, start=1):
            fits.append(one)
            progress(number, len(wanted), "fitting constants")
    return [
        Possible(one.weighed, one.probability, fits[i] if i < len(fits) else None)
        for i, one in enumerate(possible)
    ]


def _of(possible: Sequence[Possible], name: str) -> float:
    return math.fsum(one.probability for one in possible if one.name == name)


def _members(possible: Sequence[Possible], level: float = LEVEL) -> tuple[str, ...]:
    """Return the fewest that add up to the level."""
    shares = np.cumsum([one.probability for one in possible])
    return tuple(one.name for one in possible[: int(np.searchsorted(shares, level)) + 1])
