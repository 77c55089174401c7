"""Reading reactions off effects: whole numbers of molecules, as few reactions as the data allow.

The effects of one reactant complex m are a vector b over species. Reactions that start from m and
end in product complexes p add up to b = sum of k_p (p - m). Which set of products explains b, given
its covariance, with the smallest misfit and a price of ln n for each constant (BIC)? One product is
tried before two, two before three; where more would be needed, each effect stands as a reaction by
itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.effects import Effects, complexes
from kinetlib.crnn.fit import Fit
from kinetlib.network import Network, Reaction

_MOST_FROM_ONE = 3


@dataclass(frozen=True)
class Guess:
    """Reactions read off, with constants to start a fit from.

    Attributes
    ----------
    reactants, products
        Complexes, shape (R, S), whole numbers.
    constants
        Shape (R,).
    """

    reactants: NDArray[np.int64]
    products: NDArray[np.int64]
    constants: NDArray[np.float64]

    def network(self, species: tuple[str, ...]) -> Network:
        """Return the network of these reactions."""
        steps = []
        for number, (left, right) in enumerate(zip(self.reactants, self.products, strict=True)):
            sides = [
                {name: int(n) for name, n in zip(species, side, strict=True) if n}
                for side in (left, right)
            ]
            steps.append((Reaction(*sides, constant=f"k{number + 1}"),))
        return Network(tuple(steps))


def read_off(
    effects: Effects,
    fit: Fit,
    *,
    largest: int,
    conserve: NDArray[np.float64] | None = None,
) -> Guess:
    """Find reactions whose effects are those fitted.

    Parameters
    ----------
    effects, fit
        Effects, and their constants with covariance.
    largest
        Most molecules of a product complex.
    conserve
        Composition of each species, shape (S, elements): products of another composition than the
        reactants are left out.
    """
    n_species = len(effects.species)
    possible = np.array(complexes(n_species, largest))
    rows: list[tuple[NDArray, NDArray, float]] = []
    for complex_ in np.unique(effects.complexes[fit.present], axis=0):
        own = np.flatnonzero((effects.complexes == complex_).all(1) & fit.present)
        vector = effects.sign[own] * fit.constants[own]
        scale = fit.constants[own]
        covariance = fit.covariance[np.ix_(own, own)] * np.outer(vector, vector)
        # What is less sure than a ten thousandth need not be met better than that.
        covariance = covariance + np.diag((1e-4 * scale) ** 2)
        products = possible[(possible != complex_).any(1)]
        if conserve is not None:
            products = products[np.isclose(products @ conserve, complex_ @ conserve).all(1)]
        net = products - complex_
        try:
            found = _explained(
                net, products, effects.changed[own], vector, covariance, fit.n_values
            )
        except _Unexplained:
            found = [(complex_ + _unit(effects, one), float(fit.constants[one])) for one in own]
        rows += [(complex_, product, constant) for product, constant in found]
    reactants, products, constants = zip(*rows, strict=True)
    return Guess(np.array(reactants), np.array(products), np.array(constants))


def _unit(effects: Effects, one: int) -> NDArray[np.int64]:
    """Return what an effect does by itself, one molecule made or taken, shape (S,)."""
    change = np.zeros(len(effects.species), dtype=np.int64)
    change[effects.changed[one]] = effects.sign[one]
    return change


def _explained(
    net: NDArray,
    products: NDArray,
    changed: NDArray,
    vector: NDArray,
    covariance: NDArray,
    n_values: int,
) -> list[tuple[NDArray, float]]:
    """Choose the products of one complex."""
    others = np.setdiff1d(np.arange(net.shape[1]), changed)
    # No reaction may change what shows no effect, nor in the other direction.
    sign = np.sign(vector)
    usable = (net[:, others] == 0).all(1) & (net[:, changed] * sign >= 0).all(1)
    net, products = net[usable][:, changed], products[usable]
    whitening = np.linalg.inv(np.linalg.cholesky(covariance))
    target, columns = whitening @ vector, (whitening @ net.T).T
    price = np.log(n_values)
    best: tuple[float, tuple[int, ...], NDArray] | None = None
    for size in range(1, min(_MOST_FROM_ONE, len(net)) + 1):
        for members in combinations(range(len(net)), size):
            matrix = columns[list(members)].T
            constants, *_ = np.linalg.lstsq(matrix, target, rcond=None)
            if (constants <= 0).any():
                continue
            misfit = float(((target - matrix @ constants) ** 2).sum())
            # Of equal misfit the products of fewer molecules.
            cost = misfit + price * size + 1e-3 * products[list(members)].sum()
            if best is None or cost < best[0]:
                best = cost, members, constants
        if best is not None and best[0] < price * (size + 1):
            break
    if best is None:
        raise _Unexplained
    return [(products[i], float(k)) for i, k in zip(best[1], best[2], strict=True)]


class _Unexplained(Exception):
    """No few products explain the effects of a complex."""
