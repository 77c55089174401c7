"""Why reactions that were found may be others, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.conserved import makes_matter
from kinetlib.crnn.deciding import deciding_run
from kinetlib.crnn.fit import Fit, Problem
from kinetlib.crnn.profile import unbounded
from kinetlib.crnn.runs import Curves
from kinetlib.crnn.search import Candidate, Members, Search
from kinetlib.crnn.tied import tied
from kinetlib.kinetics.integrate import integrate

TIED = 6.0  # of the criterion, odds of 20: what is worse by less may be the truth
POOR = 2.0  # squared residuals a value over the noise's, above which reactions explain nothing
_FEW = 10  # values for each constant, with which networks are told apart
_LEFT = 0.25  # of what goes that must come back: three molecules may become one, not four
_STANDARD = 5.0  # deviations of the noise that a change has to be larger
_RESTING = 0.7  # share of the rows at rest that is told
_DIGITS = 4  # of constants as they are printed
_GROWN = 1.1  # times the sum of squares, and a little, that printing may cost
_SHOWN = 3  # networks that tie and are told


def doubts(search: Search, best: Candidate, units: tuple[float, float]) -> Iterator[str]:
    """Say why the best may not be the truth, nothing where there is no reason.

    Parameters
    ----------
    search, best
        What was searched, and what came out.
    units
        Of time and concentration, those of the fit in those of the runs.
    """
    yield from _poor(search, best)
    yield from _few(search.curves, best.fit)
    yield from _undecided(search, best, units)
    yield from _stand_ins(search, best)
    yield from unbounded(search, best)
    yield from _matter(search, best)
    yield from _missing(search.curves)
    yield from _resting(search.curves, best.fit)


def tied_networks(search: Search, best: Candidate) -> list[Members]:
    """List the networks that the data do not tell from the best."""
    near = [
        one
        for one in search.tried.values()
        if one.members != best.members and one.criterion < best.criterion + TIED
    ]
    return [one.members for one in sorted(near, key=lambda one: one.criterion)]


def _chi(fit: Fit) -> float:
    return fit.chi_squared / max(fit.n_values - len(fit.information), 1)


def _poor(search: Search, best: Candidate) -> Iterator[str]:
    if _chi(best.fit) > POOR:
        orders = int(search.library.complexes.sum(1).max())
        yield (
            "These reactions do not explain the curves (chi squared a value "
            f"{_chi(best.fit):.1f}, 1 by noise): something that is not measured takes part, a "
            f"constant changes with time, or the law is not mass action of order up to {orders}."
        )


def _few(curves: Curves, fit: Fit) -> Iterator[str]:
    n, constants = fit.n_values, len(fit.information)
    if n < _FEW * constants:
        yield (
            f"Not decided by these data: {n} values after the start for {constants} constants are "
            f"too few to tell networks apart ({_FEW} each would be the least); other networks, "
            "also such that were not tried, may do as well. Measure more rows."
        )


def _undecided(search: Search, best: Candidate, units: tuple[float, float]) -> Iterator[str]:
    ties = tied_networks(search, best)
    if not ties:
        return
    shown = [f"{search.written(one)}" for one in ties[:_SHOWN]]
    more = f", and {len(ties) - _SHOWN} more" if len(ties) > _SHOWN else ""
    yield f"Not decided by these data: as good are {'; or '.join(shown)}{more}."
    common = set(best.members).intersection(*map(set, ties))
    if common:
        yield f"In all of them: {search.written(tuple(sorted(common)))}."
    yield deciding_run(search, best, [search.tried[one] for one in ties[:_SHOWN]], units)


def _stand_ins(search: Search, best: Candidate) -> Iterator[str]:
    """Name reactions whose reactant helps in its own change, with rates that fall too fast."""
    library, members = search.library, np.array(best.members)
    left, net = library.complexes[library.of_complex[members]], library.net[members]
    own = ((net < 0) & (left > -net)).any(1)
    if not own.any():
        return
    least = np.ceil(np.maximum(-net, 0) - 1e-9).astype(np.int64)
    catalysts = ~net.any(0)  # what no reaction changes: a catalyst proper
    least[:, catalysts] = left[:, catalysts]
    pairs = np.unique(np.hstack([least, net]), axis=0)
    n_species = len(search.curves.species)
    plain = tied(search.curves.species, pairs[:, :n_species].astype(np.int64), pairs[:, n_species:])
    problem = Problem(plain, search.curves, search.noise)
    fits = [problem.fit(problem.unknowns(np.full(len(pairs), size))) for size in (0.3, 3.0)]
    chi = _chi(min(fits, key=lambda fit: fit.chi_squared))
    yield (
        f"{search.written(tuple(members[own]))}: a change of fewer molecules than its rate "
        f"asks for. With rates by what is used up alone chi squared a value is {chi:.1f}. That "
        "may stand for a constant that falls with time, as of a catalyst that ages: no "
        "plain network fits then. A run with fresh catalyst, or half of it, tells; "
        "--mine fits a network of your own."
    )


def _matter(search: Search, best: Candidate) -> Iterator[str]:
    if search.weighed is None:
        return
    if makes_matter(search.library.net[list(best.members)][:, search.weighed])[0]:
        yield (
            "Together these reactions make matter out of nothing, whatever the species weigh: "
            "something that is not measured goes in, or they are others. --formula keeps atoms."
        )


def _missing(curves: Curves) -> Iterator[str]:
    """Say where most of what goes does not come back, or most of what comes was not there."""
    lost = gained = noise = 0.0
    for value, start in zip(curves.value, curves.initial, strict=True):
        for j in np.flatnonzero(~curves.hidden):
            seen = value[np.isfinite(value[:, j]), j]
            change = float(seen[-1] - start[j]) if len(seen) else 0.0
            lost, gained = lost + max(-change, 0.0), gained + max(change, 0.0)
            noise += float(curves.floor[j])
    names = ", ".join(name for name, own in zip(curves.species, curves.hidden, strict=True) if own)
    beside = f" ({names} aside)" if names else ""
    if lost > _STANDARD * noise and gained < _LEFT * lost:
        yield (
            f"Of the molecules that go {gained / lost:.0%} come back in what is measured{beside}: "
            f"{1 - gained / lost:.0%} of the mass that reacts is not seen. What becomes of it, and "
            "what it does, these data do not say."
        )
    if gained > _STANDARD * noise and lost < _LEFT * gained:
        yield (
            f"More comes than goes, {gained / max(lost, 1e-9 * gained):.3g} molecules for each: "
            f"what it is made of is not measured{beside}. These data do not say what it is."
        )


def _resting(curves: Curves, fit: Fit) -> Iterator[str]:
    at_rest = rows = 0
    for run in range(len(curves.value)):
        seen = np.isfinite(curves.value[run]).any(1)
        value, own = curves.value[run][seen], fit.deviation[run][seen]
        rows += len(value)
        moving = [
            start for start in range(len(value) - 1) if not _still(value[start:], own[start:])
        ]
        at_rest += len(value) - (moving[-1] + 2 if moving else 1)
    if rows and at_rest > _RESTING * rows:
        yield (
            f"{at_rest / rows:.0%} of the rows come after everything has come to rest and say only "
            "where it ends, not how fast: measure earlier."
        )


def _still(value: NDArray, deviation: NDArray) -> bool:
    seen = np.isfinite(value)
    away = (
        np.abs(value - np.nanmedian(np.where(seen, value, np.nan), 0, keepdims=True))
        if (seen.any(0).all())
        else np.zeros_like(value)
    )
    return bool((away[seen] < 3 * deviation[seen]).all())


def reproducing(search: Search, best: Candidate) -> Candidate:
    """Return the best of what was tried whose own simulation gives the curves it was fitted to.

    Constants are taken as they are printed, initial concentrations as fitted, and only the
    reactions themselves.

    Raises
    ------
    ValueError
        If there is none.
    """
    near = sorted(search.tried.values(), key=lambda one: one.criterion)
    for one in [best, *near[: 2 * _SHOWN]]:
        if _reproduces(search, one):
            return one
    raise ValueError(
        "the reactions that fit these curves do not give them when they are simulated from their "
        "own start: something in them can never come to be. Give hidden species a start, or other "
        "settings"
    )


def _reproduces(search: Search, one: Candidate) -> bool:
    problem, fit = one.problem, one.fit
    network = search.library.network(np.array(one.members))
    factor = 10.0 ** (_DIGITS - 1 - np.floor(np.log10(fit.constants[one.positions])))
    constants = np.round(fit.constants[one.positions] * factor) / factor
    slope = search.curves.arrhenius
    if slope is not None:
        energies = fit.unknowns.activation[one.positions]
        constants = constants * np.exp(slope[:, None] * energies)
    place = [search.curves.species.index(name) for name in network.network.species]
    initial = fit.unknowns.initial
    value = np.broadcast_to(initial[:, None], search.curves.value.shape).copy()
    value[..., place] = integrate(
        network.network,
        network.spread(constants),
        np.ascontiguousarray(initial[:, place]),
        search.curves.time,
        rtol=1e-7,
        atol=1e-10,
    ).concentration
    away = np.where(problem.seen, value - np.nan_to_num(search.curves.value), 0.0) / fit.deviation
    return float((away**2).sum()) < _GROWN * fit.chi_squared + fit.n_values**0.5
