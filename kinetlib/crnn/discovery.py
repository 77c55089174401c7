"""From curves to reactions: the one call, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral, Real

import numpy as np
import xarray as xr
from numpy.random import Generator, default_rng
from numpy.typing import ArrayLike, NDArray
from threadpoolctl import threadpool_limits

from kinetlib.crnn.absolute import least_absolute
from kinetlib.crnn.effects import Effects
from kinetlib.crnn.fit import Problem, Unknowns
from kinetlib.crnn.hidden import guesses, in_other_units
from kinetlib.crnn.library import Library, network_of
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.prune import pruned
from kinetlib.crnn.runs import Curves, arrhenius, read
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


@dataclass(frozen=True)
class Discovery:
    """Reactions found in curves, R of them among S species.

    Attributes
    ----------
    species
        Names, length S.
    orders
        Reaction orders, molecules of each species that go in, shape (R, S), whole numbers.
    stoichiometry
        Net stoichiometry, molecules made, shape (R, S), whole numbers. A catalyst has an order and
        a net stoichiometry of 0.
    rate_constants
        Shape (R,), in the units of the runs: 1/time for first order.
    standard_errors
        Of ln k, shape (R,), the structure taken for granted.
    noise
        Standard deviation of the noise relative to the value: as given, or as estimated.
    background
        What is added to it at any value, a standard deviation of each species in the unit of the
        runs, shape (S,): as estimated, 0 where there is none to be seen.
    loss
        Mean absolute residual, each species over its range.
    noise_floor
        What that loss would be if nothing but the noise were left.
    chi_squared
        Sum of squared residuals over the number of values less that of constants: 1 where the
        reactions leave nothing but noise.
    criterion
        Minus twice the logarithm of the likelihood and the price of the reactions (extended BIC,
        `kinetlib.crnn.choose`), up to a constant of the data: smaller is better.
    criterion_without
        The same of no reaction at all.
    alternatives
        Other reactions that explain the curves nearly as well, best first: each on one line, with
        how much larger the criterion is. Ten is much.
    agreeing
        Share of the starts that ended at these reactions, or at others that explain the curves as
        well.
    complete
        False where the search was interrupted.
    reference_temperature
        Temperature in kelvin of the rate constants; None where runs have none.
    activation_energies, activation_errors
        In kJ/mol, shape (R,), with standard errors; None where runs have no temperatures.
    names
        Of the species as the runs have them, length S; empty where they are `species`.
    """

    species: tuple[str, ...]
    orders: NDArray[np.int64]
    stoichiometry: NDArray[np.int64]
    rate_constants: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    noise: float
    background: NDArray[np.float64]
    loss: float
    noise_floor: float
    chi_squared: float
    criterion: float
    criterion_without: float
    alternatives: tuple[tuple[str, float], ...] = ()
    agreeing: float = 1.0
    complete: bool = True
    reference_temperature: float | None = None
    activation_energies: NDArray[np.float64] | None = None
    activation_errors: NDArray[np.float64] | None = None
    names: tuple[str, ...] = ()

    def same_reactions(self, other: Discovery) -> bool:
        """Tell whether another discovery has the same reactions, in any order."""
        return self._reactions() == other._reactions()

    def _reactions(self) -> list[tuple]:
        rows = zip(self.orders.tolist(), self.stoichiometry.tolist(), strict=True)
        return sorted((tuple(order), tuple(net)) for order, net in rows)

    def to_network(self) -> Network:
        """Return the reactions as a network, to be simulated or written as SBML.

        Its constants are ``rate_constants``; at another temperature, `constants_at`.
        """
        return network_of(self.species, self.orders, self.orders + self.stoichiometry)

    def constants_at(self, temperature: float) -> NDArray[np.float64]:
        """Return the rate constants at a temperature in kelvin, shape (R,).

        Raises
        ------
        ValueError
            If the runs had no temperatures.
        """
        if self.activation_energies is None:
            raise ValueError(
                "these runs had no temperatures: give discover() runs with temperature (run,)"
            )
        slope = arrhenius(temperature, self.reference_temperature)
        return self.rate_constants * np.exp(self.activation_energies * slope)

    def text(self) -> str:
        """Write the reactions as a chemist reads them, one a line, with constants and errors."""
        equations = self.equations
        width = max(map(len, equations), default=0)
        lines = [
            f"{equation:<{width}}  k = {constant:.4g} ± {100 * error:.2g} %"
            for equation, constant, error in zip(
                equations, self.rate_constants, self.standard_errors, strict=True
            )
        ]
        if self.activation_energies is None:
            return "\n".join(lines)
        activation = zip(self.activation_energies, self.activation_errors, strict=True)
        return "\n".join(
            f"{line} at {self.reference_temperature:.1f} K, E = {energy:.4g} ± {error:.2g} kJ/mol"
            for line, (energy, error) in zip(lines, activation, strict=True)
        )

    @property
    def equations(self) -> list[str]:
        """The reactions, each as text, with the names that the runs have."""
        return [self._written(reaction.equation) for reaction in self.to_network().reactions]

    def _written(self, equation: str) -> str:
        """Put names as the runs have them into an equation."""
        names = dict(zip(self.species, self.names or self.species, strict=True))
        return " ".join(names.get(word, word) for word in equation.split(" "))


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
) -> Discovery:
    """Find reactions of mass action that explain measured curves.

    Parameters
    ----------
    runs
        ``concentration`` (run, time, species) and ``time`` (run, time) or (time,), NaN where there
        is no value. ``initial`` (run, species) where initial concentrations are known exactly; else
        and where it is NaN they are fitted, the first measured ones being as noisy as all others.
        ``temperature`` (run,) in kelvin makes constants follow Arrhenius' law. One species may have
        no values, if its initial concentrations are given.
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
    curves = read(runs)
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
    library = Library.all(curves.species, max_order, catalysts=catalysts, conserve=composition)
    rng = _random(seed)
    # Small matrices are slower on many cores, where the integrator works already.
    with threadpool_limits(1, user_api="blas"):
        search = Search(curves, level, library, n_reactions)
        ends, complete = _searched(search, starts, rng, max_order, catalysts)
        if complete and (less := _less_noise(search, given)) is not None:
            again = Search(*less, library, n_reactions)
            others, complete = _searched(again, starts, rng, max_order, catalysts)
            if again.best is not None:
                search, ends = again, others
        best, finished = search.finish()
        without = _without_reactions(search.curves, search.noise)
        if best is None or not best.criterion < without:
            raise ValueError(_NOTHING)
        if loss == "absolute":
            best = replace(best, fit=least_absolute(best.problem, best.fit))
        agreeing = search.as_good(ends) / max(len(ends), 1)
        found = _described(search, best)
        named = (
            replace(found, names=tuple(map(str, runs["species"].values)))
            if ("species" in runs.coords)
            else found
        )
        order = found.orders.sum(1)
        return replace(
            named,
            alternatives=tuple((named._written(text), worse) for text, worse in named.alternatives),
            rate_constants=found.rate_constants / (time_unit * unit ** (order - 1.0)),
            background=found.background * unit,
            criterion_without=without,
            agreeing=agreeing,
            complete=complete and finished,
        )


def _searched(
    search: Search, starts: int, rng: Generator, max_order: int, catalysts: bool
) -> tuple[list[tuple[int, ...]], bool]:
    """Search from several starts, until two agree; tell where each ended, and whether all did.

    What leaves much more than the noise is not the end, whoever agrees. Interrupted, the best so
    far counts.
    """
    curves, noise, ends = search.curves, search.noise, []
    slope = curves.arrhenius
    try:
        effects = Effects.all(curves.species, max_order, catalysts=catalysts)
        smooth = smoothed(curves, noise)
        filled = guesses(curves, smooth, effects) if curves.hidden.any() else [smooth]
        for start in range(starts):
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
    rough = Problem(effects.network, search.curves, search.noise, rtol=rtol)
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
    kept, at = np.array(best.members)[order], best.positions[order]
    # Parameters stand in the order of the network, absent constants left out.
    row = np.cumsum(fit.present)[at] - 1
    errors = np.sqrt(fit.parameter_covariance.diagonal())
    warm = search.curves.temperature is not None
    others = sorted(
        (one.criterion - best.criterion, one.members)
        for one in search.tried.values()
        if one is not best and one.criterion - best.criterion < _NEARLY
    )
    return Discovery(
        species=search.curves.species,
        orders=library.complexes[library.of_complex[kept]],
        stoichiometry=library.net[kept],
        rate_constants=fit.constants[at],
        standard_errors=errors[row],
        noise=search.noise,
        background=search.curves.background,
        loss=loss,
        noise_floor=noise_floor,
        chi_squared=fit.chi_squared / max(fit.n_values - len(fit.information), 1),
        criterion=best.criterion,
        criterion_without=np.nan,
        alternatives=tuple(
            (", ".join(r.equation for r in library.network(np.array(members)).reactions), worse)
            for worse, members in others
        ),
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
