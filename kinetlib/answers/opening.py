"""The open catalogue: from what fits best, one step more at a time, as long as evidence grows."""

from __future__ import annotations

import math
from collections.abc import Sequence

from kinetlib.answers.ending import Ending
from kinetlib.answers.sight import SECOND
from kinetlib.answers.weighing import Progress, Weighed, weighed
from kinetlib.inference.observations import Observations
from kinetlib.kinetics.grammar import Composed, Grammar

_BEAM = 3  # mechanisms that are extended in a round
_ROUNDS = 3  # steps that may be added
_GROWS = 1.0  # nat of evidence that a round must bring for another one


def opened(
    data: Observations,
    grammar: Grammar,
    found: Sequence[Weighed],
    *,
    seed: int = 0,
    progress: Progress = lambda done, total, said: None,
    ending: Ending | None = None,
) -> list[Weighed]:
    """Search forward from mechanisms that were weighed.

    Parameters
    ----------
    data
        The runs.
    grammar
        What may be added.
    found
        Mechanisms of the catalogue, weighed.
    seed, progress, ending
        As in `kinetlib.answers.weighing.weighed`.

    Returns
    -------
    list of Weighed
        Those given and all that were tried, evidences on one scale.
    """
    ending = ending or Ending()
    made = _by_name(grammar, SECOND in data.starts)
    everything = {one.name: one for one in found}
    for _ in range(_ROUNDS):
        before = max(one.log_evidence for one in everything.values())
        best_fit = max(one.log_likelihood for one in everything.values())
        asked = _extensions(grammar, made, everything)
        if not asked or ending.here:
            break
        new = weighed(data, asked, seed=seed, best=best_fit, progress=progress, ending=ending)
        made |= {one.name: one.composed for one in new}
        everything |= {one.name: one for one in new}
        if max((one.log_evidence for one in new), default=-math.inf) < before + _GROWS:
            break
    return list(everything.values())


def _by_name(grammar: Grammar, second: bool) -> dict[str, Composed]:
    """Say of what core and step a mechanism of the catalogue is made, where it is made of some."""
    cores = [*grammar.cores(), *(grammar.own_cores() if second else ())]
    made = {core.mechanism.id: core for core in cores}
    for core in list(made.values()):
        for one in grammar.extended(core):
            made.setdefault(one.mechanism.id, one)
    return made


def _extensions(
    grammar: Grammar, made: dict[str, Composed], everything: dict[str, Weighed]
) -> list[Composed]:
    """Return what is one step more than the best, and was not tried; likelihood breaks ties."""
    order = sorted(
        everything.values(), key=lambda one: (one.log_evidence, one.log_likelihood), reverse=True
    )
    asked: dict[str, Composed] = {}
    for one in [one for one in order if one.name in made][:_BEAM]:
        for more in grammar.extended(made[one.name]):
            if more.mechanism.id not in everything:
                asked.setdefault(more.mechanism.id, more)
    return list(asked.values())
