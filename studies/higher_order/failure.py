"""What the published recipe makes of a reaction of third order when orders are held down.

The source trains networks whose reactions may not exceed a total order of about two, by a hinge in
the loss. Each reaction has the same reactants and products as all others, at the order where the
hinge begins: one lumped reaction, shared out among several. Only the sum of their constants means
anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import least_squares

from studies.discovery.cases import noisy_runs
from studies.discovery.published_recipe import START, Trained
from studies.higher_order.stand_ins import TRUTHS, errors

HINGE = 2.2  # total order beyond which the loss rises: where the slides' printed orders pile up
_LIVE = 1e-3  # of the largest extent in the runs; what does less is dead


@dataclass(frozen=True)
class Lumped:
    """What a trained network does in some runs, its reactions taken together.

    Attributes
    ----------
    orders
        Order in each species, mean over reactions weighted by how much they turn over, shape (S,).
    net
        Net stoichiometry over that of the first species, taken, shape (S,).
    rate
        Sum of the constants, each times what its reaction takes of the first species.
    n_live
        Reactions that turn over anything to speak of.
    moved
        How far the logarithms of the constants of all others got from where they started in
        general, -10, shape (dead,).
    mean, largest
        Error in runs that were not trained on, each species over its range.
    """

    orders: NDArray[np.float64]
    net: NDArray[np.float64]
    rate: float
    n_live: int
    moved: NDArray[np.float64]
    mean: float
    largest: float


def runs_of(truth: str, n: int, noise: float, rng: Generator) -> xr.Dataset:
    """Simulate runs of a reaction with relative noise, as the published recipe reads them."""
    known = TRUTHS[truth]
    initial = known.starts(n, rng)
    return noisy_runs(known.network, [known.constant], initial, known.times, noise, rng)


def lumped(trained: Trained, truth: str, initial: ArrayLike) -> Lumped:
    """Look at a trained network in runs from other initial concentrations, shape (n, S)."""
    known = TRUTHS[truth]
    value = trained.simulate(initial, known.times)
    logs = np.log(np.clip(value, 1e-5, 10.0))
    rates = np.exp(logs @ trained.w_in.T + trained.log_constants)
    extents = np.trapezoid(rates, known.times, axis=1).mean(0)
    size = extents * np.abs(trained.w_out).max(1)
    share = size / size.sum()
    live = share > _LIVE
    net = extents @ trained.w_out
    found = errors(value, known.curves(initial))
    return Lumped(
        orders=share @ trained.w_in,
        net=net / abs(net[0]),
        rate=float((np.exp(trained.log_constants) * -trained.w_out[:, 0])[live].sum()),
        n_live=int(live.sum()),
        moved=trained.log_constants[~live] - START,
        mean=found.mean,
        largest=found.largest,
    )


def power_law(order: float, initial: ArrayLike) -> tuple[float, float, float]:
    """Fit 3 A -> B as one reaction of another order, whose solution is known in closed form.

    Returns
    -------
    tuple
        Rate constant (A is taken at three times the rate), mean and largest error of A and B over
        their ranges in the runs fitted.
    """
    truth = TRUTHS["3 A -> B"]
    start = np.asarray(initial, dtype=float)
    true = truth.curves(start)
    span = np.ptp(true, axis=(0, 1))

    def curves(log_k: float) -> NDArray[np.float64]:
        first = start[:, :1]
        power = 1.0 - order
        decay = 1 - power * 3 * np.exp(log_k) * first ** (-power) * truth.times
        a = first * decay ** (1 / power)
        return np.stack([a, (first - a) / 3], axis=-1)

    found = least_squares(
        lambda x: ((curves(x[0]) - true) / span).ravel(), [np.log(truth.constant)]
    )
    left = errors(curves(found.x[0]), true)
    return float(np.exp(found.x[0])), left.mean, left.largest
