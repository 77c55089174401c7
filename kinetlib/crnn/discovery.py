"""From curves to reactions: the one call, and what it returns."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr
from numpy.random import default_rng
from numpy.typing import ArrayLike, NDArray

from kinetlib.crnn.effects import Effects
from kinetlib.crnn.fit import Fit, Problem, pruned, reduced
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.reactions import Guess, read_off
from kinetlib.crnn.runs import Curves, read
from kinetlib.crnn.start import Balance
from kinetlib.network import Network


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
    loss
        Mean absolute residual, each species over its range.
    noise_floor
        What that loss would be if nothing but the noise were left.
    chi_squared
        Sum of squared residuals over the number of values less that of constants: 1 where the
        reactions leave nothing but noise.
    bic
        Schwarz's criterion of the reactions, up to a constant of the data: smaller is better.
    bic_effects, bic_without
        The same of free effects and of no reaction at all: larger where whole numbers, few
        reactions, and reactions at all are what the data ask for.
    agreeing
        Share of the starts that ended at these reactions.
    """

    species: tuple[str, ...]
    orders: NDArray[np.int64]
    stoichiometry: NDArray[np.int64]
    rate_constants: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    noise: float
    loss: float
    noise_floor: float
    chi_squared: float
    bic: float
    bic_effects: float
    bic_without: float
    agreeing: float = 1.0

    def same_reactions(self, other: Discovery) -> bool:
        """Tell whether another discovery has the same reactions, in any order."""
        return self._reactions() == other._reactions()

    def _reactions(self) -> list[tuple]:
        rows = zip(self.orders.tolist(), self.stoichiometry.tolist(), strict=True)
        return sorted((tuple(order), tuple(net)) for order, net in rows)

    def to_network(self) -> Network:
        """Return the reactions as a network, to be simulated or written as SBML."""
        return Guess(self.orders, self.orders + self.stoichiometry, self.rate_constants).network(
            self.species
        )

    def text(self) -> str:
        """Write the reactions as a chemist reads them, one a line, with constants and errors."""
        equations = [reaction.equation for reaction in self.to_network().reactions]
        width = max(map(len, equations), default=0)
        return "\n".join(
            f"{equation:<{width}}  k = {constant:.4g} ± {100 * error:.2g} %"
            for equation, constant, error in zip(
                equations, self.rate_constants, self.standard_errors, strict=True
            )
        )


def discover(
    runs: xr.Dataset,
    n_reactions: int,
    *,
    max_order: int = 2,
    catalysts: bool = True,
    conserve: ArrayLike | None = None,
    noise: float | None = None,
    starts: int = 3,
    seed: int = 0,
) -> Discovery:
    """Find reactions of mass action that explain measured curves.

    Parameters
    ----------
    runs
        ``concentration`` (run, time, species) and ``time`` (run, time) or (time,), NaN where there
        is no value; ``initial`` (run, species) where initial concentrations are known exactly; else
        they are fitted, the first measured ones being as noisy as all others.
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
    starts
        First guesses: one from all data, the others from bootstrap samples.
    seed
        Of these samples.

    Returns
    -------
    Discovery
        The reactions, in the order of their largest rate.

    Raises
    ------
    ValueError
        Runs that cannot be read, or curves in which nothing changes.
    """
    if n_reactions < 1:
        raise ValueError(f"n_reactions: expected 1 or more, got {n_reactions}")
    if max_order < 1:
        raise ValueError(f"max_order: expected 1 or more, got {max_order}")
    curves = read(runs)
    noise = estimate_noise(curves) if noise is None else _relative(noise)
    composition = None if conserve is None else _composition(conserve, curves.species)
    effects = Effects.all(curves.species, max_order, catalysts=catalysts)
    balance = Balance.of(curves, effects, noise)
    generator = default_rng(seed)
    found = [
        _descended(
            curves, effects, constants, noise, n_reactions, max(max_order, 2) + 1, composition
        )
        for constants in (balance.solve(generator if start else None) for start in range(starts))
        if constants.any()
    ]
    best = min(found, key=lambda one: one.bic, default=None)
    if best is None or best.bic > best.bic_without:
        raise ValueError(
            "nothing changes in these curves beyond their noise: there are no reactions to find"
        )
    return replace(best, agreeing=sum(one.same_reactions(best) for one in found) / len(found))


def _descended(
    curves: Curves,
    effects: Effects,
    constants: NDArray[np.float64],
    noise: float,
    n_reactions: int,
    largest: int,
    composition: NDArray[np.float64] | None,
) -> Discovery:
    """Fit effects from a first guess, prune, read reactions off them, and fit those."""
    effects, constants = effects[constants > 0], constants[constants > 0]
    free = pruned(Problem(effects.network, curves, noise), constants)
    guess = read_off(effects, free, largest=largest, conserve=composition)
    problem = Problem(guess.network(curves.species), curves, noise)
    fitted = reduced(problem, pruned(problem, guess.constants, free.initial), n_reactions)
    return _described(problem, guess, fitted, free)


def _described(problem: Problem, guess: Guess, fitted: Fit, free: Fit) -> Discovery:
    """Put the result together, fastest reactions first."""
    curves, noise = problem.curves, problem.noise
    loss, noise_floor = problem.losses(fitted)
    kept = np.flatnonzero(fitted.present)
    kept = kept[np.argsort(-problem.largest_rates(fitted.constants)[kept], kind="stable")]
    return Discovery(
        species=curves.species,
        orders=guess.reactants[kept],
        stoichiometry=(guess.products - guess.reactants)[kept],
        rate_constants=fitted.constants[kept],
        standard_errors=np.sqrt(fitted.covariance.diagonal()[kept]),
        noise=noise,
        loss=loss,
        noise_floor=noise_floor,
        chi_squared=fitted.chi_squared / max(fitted.n_values - len(kept), 1),
        bic=fitted.bic,
        bic_effects=free.bic,
        bic_without=problem.deviance_without(),
    )


def _relative(noise: float) -> float:
    if not (np.isfinite(noise) and noise >= 0):
        raise ValueError(f"noise: expected a share of the value, 0 or more, got {noise!r}")
    return float(noise)


def _composition(conserve: ArrayLike, species: tuple[str, ...]) -> NDArray[np.float64]:
    composition = np.asarray(conserve, dtype=float)
    if composition.ndim != 2 or len(composition) != len(species):
        raise ValueError(
            f"conserve: expected one row of numbers for each of {', '.join(species)}, got shape "
            f"{composition.shape}"
        )
    return composition
