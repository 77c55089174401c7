"""How trajectories change with the logarithms of the rate constants, and with where they begin.

The tangents are those of the method itself. Each stage of a step solves a linear system, so its
derivative, with the length of the step held, is one more solve with the same LU factors: Bock's
internal numerical differentiation (in Modelling of Chemical Reaction Systems, Springer, 1981, 102).
A step is accepted where the errors of the values and of each tangent are within the tolerance. With
``tested=False`` only the values are asked, as by default in CVODES (Serban, Hindmarsh, ASME IDETC,
2005): the steps, and the concentrations to the bit, are those of
`kinetlib.kinetics.integrate.integrate`, a third fewer, and tangents by the constants err some
tenfold more. Not so where the values stand still and the tangents do not, as at an equilibrium or
for a species that is not there: such steps are far too long for them.

Derivatives are by ln k. They stay of the size of the concentrations where constants span decades,
and for a constant of 0 they are 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics import kernels, tolerance
from kinetlib.kinetics.integrate import checked, solved
from kinetlib.kinetics.network import Network

CONSTANTS, INITIAL = "constants", "initial"


@dataclass(frozen=True)
class Sensitivities:
    """Trajectories at the output times, and their derivatives.

    Attributes
    ----------
    concentration
        Shape (n, T, S), as `kinetlib.kinetics.integrate.integrate` gives it.
    log_constants
        Derivatives by ln k of each constant, shape (n, T, S, R), in units of concentration; None
        where not asked for.
    initial
        Derivatives by each initial concentration, shape (n, T, S, S), the last axis that of the
        initial one; None where not asked for.
    status, n_steps
        Shape (n,), as for `kinetlib.kinetics.integrate.integrate`; a tangent may grow without
        bound where its trajectory does not. Where a trajectory failed its derivatives are NaN, too.
    """

    concentration: NDArray[np.float64]
    log_constants: NDArray[np.float64] | None
    initial: NDArray[np.float64] | None
    status: NDArray[np.int64]
    n_steps: NDArray[np.int64]


def sensitivities(
    network: Network,
    rate_constants: ArrayLike,
    initial: ArrayLike,
    times: ArrayLike,
    *,
    wrt: Sequence[str] = (CONSTANTS,),
    tested: bool = True,
    rtol: float = 1e-6,
    atol: float | None = None,
    max_steps: int = 100_000,
    threads: int | None = None,
) -> Sensitivities:
    """Integrate n trajectories of a network from time 0, with their derivatives.

    Parameters
    ----------
    network, rate_constants, initial, times, rtol, atol, max_steps, threads
        As for `kinetlib.kinetics.integrate.integrate`. Tangents are held to the same tolerances,
        as if they were concentrations, or by initial concentrations, ratios of two. Below a
        relative one of 1e-9 their rounding gets in the way.
    wrt
        What to differentiate by: ``"constants"`` for the logarithms of the rate constants,
        ``"initial"`` for the initial concentrations, or both.
    tested
        Whether the errors of the tangents are tested, too.

    Returns
    -------
    Sensitivities
        Concentrations and their derivatives. A failed trajectory is a status and NaNs.

    Raises
    ------
    ValueError
        As `kinetlib.kinetics.integrate.integrate`, and for anything else in `wrt`.

    Examples
    --------
    A -> B loses A as exp(-k t), whose derivative by ln k is -k t exp(-k t).

    >>> from kinetlib.kinetics.network import parse
    >>> run = sensitivities(parse("A -> B"), [2.0], [[1.0, 0.0]], [0.5])
    >>> run.log_constants[0, 0, :, 0].round(4)
    array([-0.3679,  0.3679])
    """
    constants, initial, times = checked(network, rate_constants, initial, times, rtol, atol)
    n_reactions, n_species = len(network.reactions), len(network.species)
    first, last = _range(wrt, n_reactions, n_species)
    tangents = np.empty((len(initial), times.shape[1], n_species, last - first))
    found = solved(
        kernels.tangent_kernel(network),
        constants,
        initial,
        times,
        tolerance.scales(network, initial) if atol is None else None,
        (rtol, tolerance.base(rtol) if atol is None else atol, max_steps),
        threads,
        more=(first, last, tested),
        beside=tangents,
    )
    by_constants = tangents[..., : n_reactions - first] if first == 0 else None
    by_initial = tangents[..., n_reactions - first :] if last > n_reactions else None
    return Sensitivities(found.concentration, by_constants, by_initial, found.status, found.n_steps)


def _range(wrt: Sequence[str], n_reactions: int, n_species: int) -> tuple[int, int]:
    """First tangent asked for and the one after the last: constants come before species."""
    chosen = {wrt} if isinstance(wrt, str) else set(wrt)
    if not chosen or chosen - {CONSTANTS, INITIAL}:
        raise ValueError(
            f"wrt: expected {CONSTANTS!r}, {INITIAL!r} or both, got {', '.join(map(repr, wrt))}"
        )
    first = 0 if CONSTANTS in chosen else n_reactions
    return first, n_reactions + (n_species if INITIAL in chosen else 0)
