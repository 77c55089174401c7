"""Which constants the data bound from both sides, by profile likelihood.

A constant is held at a tenth and at ten times its value while all others are fitted anew. Where the
deviance rises by less than 3.84, the 95 % point of chi squared, the data do not exclude it (Raue et
al., Bioinformatics 25, 1923, 2009). Standard errors do not tell: they are those of the best point.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from kinetlib.crnn.fit import COARSE, Problem
from kinetlib.crnn.search import Candidate, Search

_RISE = 3.84
_FACTOR = 10.0
_SURE = 0.1  # standard error of ln k below which ten times as much is out of the question


def unbounded(search: Search, best: Candidate) -> Iterator[str]:
    """Say which constants may be ten times smaller or larger.

    Looked at are those with a standard error of more than a tenth, and all where a species is
    hidden.
    """
    fit, members = best.fit, np.array(best.members)
    errors = np.sqrt(np.diag(fit.covariance))[best.positions]
    constants = fit.constants[best.positions]
    network = search.library.network(members)
    for number, one in enumerate(best.members):
        known = search.required.get(one) is not None
        if known or (errors[number] < _SURE and not search.curves.hidden.any()):
            continue
        fixed = np.array([search.required.get(m) is not None for m in best.members])
        fixed[number] = True
        problem = Problem(network, search.curves, search.noise, fixed=fixed)
        open_ends = []
        for factor, word in ((1 / _FACTOR, "smaller"), (_FACTOR, "larger")):
            held = constants.copy()
            held[number] *= factor
            unknowns = replace(
                fit.unknowns,
                constants=held,
                activation=fit.unknowns.activation[best.positions],
            )
            rise = problem.fit(unknowns, rounds=2, fall=COARSE / 10).deviance - fit.deviance
            if rise < _RISE:
                open_ends.append(word)
        if open_ends:
            yield (
                f"The constant of {search.library.equation(one)} may be {_FACTOR:.0f} times "
                f"{' or '.join(open_ends)}: these data do not bound it there."
            )
