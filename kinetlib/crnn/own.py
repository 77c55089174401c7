"""A network of someone's own beside the one found, fitted to the same curves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_simpson

from kinetlib.crnn.constraints import OwnReaction, reactions
from kinetlib.crnn.doubt import POOR, TIED
from kinetlib.crnn.found import Own
from kinetlib.crnn.library import Library
from kinetlib.crnn.search import Candidate, Search
from kinetlib.crnn.start import non_negative, smoothed
from kinetlib.crnn.tied import equation

_LEAST = 1e-3  # constant to begin with where the curves ask for none


def compared(text: str, search: Search, best: Candidate, units: tuple[float, float]) -> Own:
    """Fit the constants of reactions given as text, and say how they stand to the best.

    Parameters
    ----------
    text
        As `kinetlib.crnn.constraints.reactions` reads it. Constants in it are where to begin, in
        the units of the runs.
    search, best
        What was searched, and what came out.
    units
        Of time and concentration, those of the fit in those of the runs.
    """
    species = search.curves.species
    own = reactions(text, species)
    left, net = (np.array([getattr(one, name) for one in own]) for name in ("reactants", "net"))
    members = np.arange(len(own))
    # A reaction costs as much as in the search, although nobody chose it out of many.
    alone = Search(
        search.curves,
        search.noise,
        Library(species, left, members, net),
        len(own),
        chosen_of=len(search.library),
    )
    time_unit, unit = units
    scale = time_unit * unit ** (left.sum(1) - 1.0)
    given = [np.nan if one.constant is None else one.constant for one in own] * scale
    begun = _begun(search, own)
    starts = [np.where(np.isfinite(given), given, begun), np.full(len(own), 1.0)]
    fits = [alone.fitted(tuple(members), one) for one in starts]
    fit = min(fits, key=lambda one: one.criterion)
    chi = fit.fit.chi_squared / max(fit.fit.n_values - len(fit.fit.information), 1)
    worse = fit.criterion - best.criterion
    return Own(_text(species, left, net, fit, scale), chi, worse, _verdict(chi, worse))


def _verdict(chi: float, worse: float) -> str:
    if chi > POOR:
        return (
            f"Not possible as it stands: it leaves chi squared {chi:.1f} a value, 1 by noise. What "
            f"was found is better by {worse:.1f} of the criterion."
        )
    if worse < -TIED:
        return f"Possible, and better than what was found, by {-worse:.1f} of the criterion."
    if worse < TIED:
        return f"Possible: these data do not tell it from what was found ({worse:+.1f})."
    return (
        f"Possible by its residuals (chi squared {chi:.2f} a value), but what was found is better "
        f"by {worse:.1f} of the criterion; 10 is much."
    )


def _begun(search: Search, own: list[OwnReaction]) -> NDArray[np.float64]:
    """Guess constants by what monomials, integrated over smoothed curves, make of each species."""
    if search.curves.hidden.any():
        return np.ones(len(own))
    smooth = smoothed(search.curves, search.noise)
    powers = np.stack([(smooth.value**one.reactants).prod(-1) for one in own], -1)
    integral = cumulative_simpson(powers, x=smooth.part, axis=1, initial=0.0)
    integral = integral * smooth.length[:, None, None]
    weight = 1 / np.sqrt(smooth.variance)
    net = np.array([one.net for one in own], dtype=float)
    made = np.einsum("rfn,nj,rfj->rfjn", integral, net, weight).reshape(-1, len(own))
    change = ((smooth.value - smooth.value[:, :1]) * weight).ravel()
    constants = non_negative(made, change)[0]
    return np.maximum(constants, _LEAST)


def _text(
    species: tuple[str, ...], left: NDArray, net: NDArray, one: Candidate, scale: NDArray
) -> str:
    errors = np.sqrt(one.fit.parameter_covariance.diagonal())
    equations = [equation(species, *pair) for pair in zip(left, net, strict=True)]
    width = max(map(len, equations))
    return "\n".join(
        f"{text:<{width}}  k = {constant:.4g} ± {100 * min(error, 1e3):.2g} %"
        for text, constant, error in zip(equations, one.fit.constants / scale, errors, strict=False)
    )
