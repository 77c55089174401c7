"""From curves to reactions: the one call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from kinetlib.crnn.absolute import least_absolute
from kinetlib.crnn.balance import Kept, kept, parts_remark
from kinetlib.crnn.clock import Clock, TimeUp
from kinetlib.crnn.constraints import Constraints
from kinetlib.crnn.doubt import doubts, reproducing, tied_networks
from kinetlib.crnn.effects import Effects
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.found import Discovery
from kinetlib.crnn.hidden import guesses, in_other_units, sums_with_hidden
from kinetlib.crnn.library import Library
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.own import compared
from kinetlib.crnn.point import Unknowns
from kinetlib.crnn.prune import pruned
from kinetlib.crnn.runs import Curves, read
from kinetlib.crnn.search import Candidate, Search
from kinetlib.crnn.start import Balance, smoothed
from kinetlib.kinetics.network import Network, Reaction

_LOSSES = ("likelihood", "absolute")
_AGREED = 2  # starts that end at the same reactions, and no more are needed
_MORE = 2.0  # times the noise's variance: what leaves more does not explain the curves
_LESS = 0.5  # of the noise's variance: where fits leave less, it was not that large
_NEARLY = 10.0  # of the criterion: what is worse by more is not told
_NOTHING = (
    "nothing changes in these curves beyond their noise that reactions explain: there are none to "
    "find"
)
_ROUGH = (1e-6, 1e-4)  # relative tolerances of the integrator while effects are pruned


def discover(
    runs: xr.Dataset,
    n_reactions: int,
    *,
    max_order: int = 2,
    catalysts: bool = True,
    conserve: ArrayLike | None = None,
    noise: float | None = None,
    loss: str = "likelihood",
    starts: int = 3,
    seed: int = 0,
    formulas: Mapping[str, str] | None = None,
    constraints: Constraints | None = None,
    own: str | None = None,
    seconds: float | None = None,
    progress: Callable[[str], None] | None = None,
) -> Discovery:
    """Find reactions of mass action that explain measured curves.

    Parameters
    ----------
    runs
        ``concentration`` (run, time, species) and ``time`` (run, time) or (time,), NaN where there
        is no value. ``initial`` (run, species) where initial concentrations are known exactly; else
        and where it is NaN they are fitted, the first measured ones being as noisy as all others.
        ``temperature`` (run,) in kelvin makes constants follow Arrhenius' law. Species may have no
        values, if their initial concentrations are given.
    n_reactions
        Most reactions, at least 1. Fewer are returned where fewer explain the curves.
    max_order
        Most molecules that go into a reaction.
    catalysts
        Whether a reaction may give back, or multiply, what goes into it.
    conserve
        Composition of the species, shape (species, elements): reactions that break it are left out.
    noise
        Standard deviation of the noise relative to the value; estimated from the curves by default.
        What noise there is at any value is always estimated, for each species.
    loss
        What the constants of the reactions minimise: ``"likelihood"``, or ``"absolute"``, the mean
        absolute residual of each species over its range, to which outliers matter less. Which
        reactions there are is judged by the likelihood.
    starts
        Most first guesses: one from all data, the others from bootstrap samples, or for a hidden
        species from other guesses of it. Two that end at the same reactions are enough.
    seed
        Of these samples.
    formulas
        Formulas of species, ``{"O2": "O2"}``: no reaction makes or loses an atom, and halves and
        thirds of molecules come out where whole ones do not balance. Without any, names that are
        formulas are read, if the data keep their atoms. Without these either, reactions keep the
        sums that the data keep, where others do not explain the curves better; and where there are
        none, a network that makes matter out of nothing has to explain them better by 6.
    constraints
        Reactions that are or are not there, and species that no reaction changes.
    own
        Reactions of one's own, as text, to be fitted beside.
    seconds
        Time after which the best so far is returned.
    progress
        Told in a few words what is being done.

    Returns
    -------
    Discovery
        The reactions, in the order of their largest rate.

    Raises
    ------
    ValueError
        Runs that cannot be read, settings that make no sense, or curves in which nothing changes.
    """
    _refuse_counts(n_reactions=n_reactions, max_order=max_order, starts=starts)
    if loss not in _LOSSES:
        raise ValueError(f"loss: expected one of {', '.join(_LOSSES)}, got {loss!r}")
    clock = Clock(seconds, progress)
    constraints = constraints or Constraints()
    curves = read(runs)
    constraints.refuse_unknown(curves.species)
    known = any(one.constant is not None for one in constraints.required(curves.species))
    if known and curves.temperature is not None:
        raise ValueError(
            "a known constant is that of one temperature, and these runs have several: leave its "
            "value out"
        )
    # Whatever the units of the runs, numbers of the size of 1 are fitted.
    time_unit, unit = curves.units
    curves = curves.in_units(time_unit, unit)
    seen = curves.value[..., ~curves.hidden]
    if (np.nanmax(seen, 1) == np.nanmin(seen, 1)).all():
        raise ValueError(_NOTHING)
    given = None if noise is None else _relative(noise)
    level, background = estimate_noise(curves, given)
    curves = replace(curves, background=background)
    composition = None if conserve is None else _composition(conserve, curves.species)
    asked = _Asked(
        n_reactions,
        max_order,
        catalysts,
        composition,
        formulas,
        constraints.in_units(time_unit, unit),
        starts,
        clock,
    )
    rng = _random(seed)
    # Small matrices are slower on many cores, where the integrator works already.
    with threadpool_limits(1, user_api="blas"):
        try:
            search, ends, complete, keeps = _balanced(curves, level, asked, rng)
        except TimeUp:
            raise ValueError(
                f"in {seconds:g} seconds nothing was found: give more, or fewer species, or a "
                "lower max_order"
            ) from None
        if complete and (less := _less_noise(search, given)) is not None:
            try:
                again, others, complete, other_keeps = _balanced(*less, asked, rng)
                if again.best is not None:
                    search, ends, keeps = again, others, other_keeps
            except TimeUp:
                complete = False
        clock.stop()
        best, finished = search.finish()
        if best is not None:
            best = reproducing(search, best)
        without = _without_reactions(search.curves, search.noise)
        required = any(search.required.values()) or bool(search.required)
        if best is None or not (required or best.criterion < without):
            raise ValueError(_NOTHING)
        mine = None if own is None else compared(own, search, best, (time_unit, unit))
        if loss == "absolute":
            best = replace(best, fit=least_absolute(best.problem, best.fit))
        agreeing = search.as_good(ends) / max(len(ends), 1)
        found = _described(search, best)
        remarks = (*keeps.remarks, *sums_with_hidden(found, search.curves))
        order = found.orders.sum(1)
        return replace(
            found,
            rate_constants=found.rate_constants / (time_unit * unit ** (order - 1.0)),
            background=found.background * unit,
            initial=found.initial * unit,
            criterion_without=without,
            agreeing=agreeing,
            complete=complete and finished,
            sums=keeps.sums,
            remarks=remarks,
            ties=tuple(map(search.written, tied_networks(search, best))),
            doubts=tuple(doubts(search, best, (time_unit, unit))),
            own=mine,
        )


@dataclass(frozen=True)
class _Asked:
    """What is asked for, constants in the units of the fit."""

    n_reactions: int
    max_order: int
    catalysts: bool
    composition: NDArray[np.float64] | None
    formulas: Mapping[str, str] | None
    constraints: Constraints
    starts: int
    clock: Clock

    def search(self, curves: Curves, noise: float, library: Library, keeps: bool) -> Search:
        """Lay out a search; `keeps`, in a library that makes no matter of nothing."""
        library, required = self.constraints.applied(library)
        held = (*self.constraints.constant,)
        weighed = np.array([name not in held for name in curves.species])
        return Search(
            curves,
            noise,
            library,
            max(self.n_reactions, len(required)),
            required=required,
            one_way=self.constraints.one_way,
            weighed=None if keeps else weighed,
            tick=self.clock.tick,
        )


def _balanced(
    curves: Curves, noise: float, asked: _Asked, rng: Generator
) -> tuple[Search, list[tuple[int, ...]], bool, Kept]:
    """Search among the reactions that keep what must be kept, and see whether others do better."""
    keeps = kept(
        curves,
        noise,
        conserve=asked.composition,
        atoms=asked.formulas,
        open_to=asked.constraints.constant,
    )
    listed = (curves.species, asked.max_order)
    if keeps.composition is not None:
        remark = parts_remark(len(curves.species), asked.max_order)
        keeps = replace(keeps, remarks=(*keeps.remarks, *remark))
    sure = keeps.composition is None or keeps.certain
    try:
        library = keeps.library(*listed, catalysts=asked.catalysts)
    except ValueError:
        if sure:
            raise
        sure, keeps = True, replace(keeps, composition=None)
        library = keeps.library(*listed, catalysts=asked.catalysts)
    closed = keeps.composition is not None and bool(np.isfinite(keeps.composition).all())
    search = asked.search(curves, noise, library, closed)
    ends, complete = _searched(search, asked, rng)
    if sure or not complete:
        return search, ends, complete, keeps
    asked.clock.tell("whether reactions that break the kept sums do better")
    free = asked.search(
        curves, noise, keeps.library(*listed, catalysts=asked.catalysts, free=True), False
    )
    if search.best is not None and search.rest <= _MORE:
        try:
            free.descend(search.best.problem, search.best.fit)
        except KeyboardInterrupt:
            return search, ends, False, keeps
        better = free.best is not None and free.best.criterion < search.best.criterion
        if not better:
            return search, ends, True, keeps
    # Nothing that keeps the sums explains the curves: only what does may break them.
    try:
        others, complete = _searched(free, asked, rng)
    except KeyboardInterrupt:
        if search.best is None:
            raise
        return search, ends, False, keeps
    wins = free.best is not None and (
        search.best is None
        or (free.best.criterion < search.best.criterion and not free.rest > _MORE)
    )
    if not wins:
        return search, ends, complete, keeps
    remark = "The sums above are kept only nearly: reactions that break them do better."
    return free, others, complete, replace(keeps, remarks=(*keeps.remarks, remark))


def _searched(search: Search, asked: _Asked, rng: Generator) -> tuple[list[tuple[int, ...]], bool]:
    """Search from several starts, until two agree; tell where each ended, and whether all did.

    What leaves much more than the noise is not the end, whoever agrees. Interrupted, the best so
    far counts.
    """
    curves, noise, ends, starts = search.curves, search.noise, [], asked.starts
    slope = curves.arrhenius
    try:
        effects = _effects(curves.species, asked)
        smooth = smoothed(curves, noise)
        filled = guesses(curves, smooth, effects) if curves.hidden.any() else [smooth]
        for start in range(starts):
            asked.clock.tell(f"start {start + 1} of at most {starts}")
            # Guesses of a hidden species first, then the best of them with other data.
            balance = Balance.of(filled[start if start < len(filled) else 0], effects, slope)
            constants, activation, _ = balance.solve(rng if start >= len(filled) else None)
            own = constants > 0
            if not own.any():
                continue
            begun = Unknowns(constants[own], activation[own], curves.initial)
            end = _descended(search, effects[own], begun)
            if end is not None:
                ends.append(end.members)
            if search.as_good(ends) >= _AGREED and not search.rest > _MORE:
                break
        if curves.hidden.any() and search.best is not None:
            for other, begun in in_other_units(curves, search.best):
                _descended(search, other, begun)
    except KeyboardInterrupt:
        if search.best is None:
            raise
        return ends, False
    return ends, True


def _effects(species: tuple[str, ...], asked: _Asked) -> Effects:
    """List what the reactants do to the species, but for those that stay as they are."""
    effects = Effects.all(species, asked.max_order, catalysts=asked.catalysts)
    still = {*asked.constraints.catalysts, *asked.constraints.constant}
    at = [j for j, name in enumerate(species) if name in still]
    return effects[~np.isin(effects.changed, at)] if at else effects


def _less_noise(search: Search, given: float | None) -> tuple[Curves, float] | None:
    """Judge the noise by what the best leaves; None where it is about what was taken for granted.

    Curves that bend between their points look noisier than they are.
    """
    if not search.rest <= _LESS:
        return None
    curves, best = search.curves, search.best
    fitted = best.problem.simulated(best.fit.unknowns)
    noise, background = estimate_noise(curves, given, fitted=fitted)
    judged = replace(curves, background=background)
    share = judged.deviation(fitted, noise) / curves.deviation(fitted, search.noise)
    return (judged, noise) if np.median(share[curves.measured]) ** 2 < _LESS else None


def _descended(search: Search, effects: Effects, begun: Unknowns) -> Candidate | None:
    """Fit effects, let some leave, and search reactions around that."""
    rtol = float(np.clip(search.noise / 100, *_ROUGH))
    rough = Problem(effects.network, search.curves, search.noise, rtol=rtol, tick=search.tick)
    return search.descend(rough, pruned(rough, begun))


def _without_reactions(curves: Curves, noise: float) -> float:
    """Return the deviance of curves in which nothing happens."""
    nothing = Network(((Reaction({curves.species[0]: 1}, {}, constant="k"),),))
    return Problem(nothing, curves, noise).deviance_without()


def _described(search: Search, best: Candidate) -> Discovery:
    """Put the result together, fastest reactions first."""
    library, problem, fit = search.library, best.problem, best.fit
    loss, noise_floor = problem.losses(fit)
    rates = problem.largest_rates(fit.unknowns)[best.positions]
    order = np.argsort(-rates, kind="stable")
    members, at = np.array(best.members)[order], best.positions[order]
    # Parameters stand in the order of the network, absent constants left out.
    row = np.cumsum(fit.present)[at] - 1
    errors = np.sqrt(fit.parameter_covariance.diagonal())
    if problem.fixed is not None:  # known ones have none
        errors = np.where(np.tile(problem.fixed[fit.present], fit.each), 0.0, errors)
    warm = search.curves.temperature is not None
    others = sorted(
        (one.criterion - best.criterion, one.members)
        for one in search.tried.values()
        if one is not best and one.criterion - best.criterion < _NEARLY
    )
    return Discovery(
        species=search.curves.species,
        orders=library.complexes[library.of_complex[members]],
        stoichiometry=library.net[members],
        rate_constants=fit.constants[at],
        standard_errors=errors[row],
        noise=search.noise,
        background=search.curves.background,
        loss=loss,
        noise_floor=noise_floor,
        chi_squared=fit.chi_squared / max(fit.n_values - len(fit.information), 1),
        criterion=best.criterion,
        criterion_without=np.nan,
        alternatives=tuple((search.written(members), worse) for worse, members in others),
        initial=fit.unknowns.initial,
        reference_temperature=search.curves.reference_temperature,
        activation_energies=fit.unknowns.activation[at] if warm else None,
        activation_errors=errors[int(fit.present.sum()) + row] if warm else None,
    )


def _refuse_counts(**counts: int) -> None:
    for name, count in counts.items():
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
            raise ValueError(f"{name}: expected a whole number, 1 or more, got {count!r}")


def _random(seed: int) -> Generator:
    if not isinstance(seed, Integral) or seed < 0:
        raise ValueError(f"seed: expected a whole number, 0 or more, got {seed!r}")
    return default_rng(seed)


def _relative(noise: float) -> float:
    if not (isinstance(noise, Real) and np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise: expected a share of the value, 0 or more, got {noise!r}")
    return float(noise)


def _composition(conserve: ArrayLike, species: tuple[str, ...]) -> NDArray[np.float64]:
    composition = np.asarray(conserve, dtype=float)
    if composition.ndim != 2 or len(composition) != len(species):
        raise ValueError(
            f"conserve: expected one row of numbers for each of {', '.join(species)}, got shape "
            f"{composition.shape}"
        )
    if not np.isfinite(composition).all():
        raise ValueError("conserve: expected numbers, got NaN or infinite ones")
    return composition
