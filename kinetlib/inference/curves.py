"""What runs show at coordinates of a prior: substrate and product, and their slopes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
from kinetlib.kinetics.simulate import observed
from kinetlib.runs.plans import Candidates
from kinetlib.runs.runs import Runs

_RTOL, _ATOL = 1e-6, 1e-9


def conditions(
    mechanism: Mechanism, runs: Runs | Candidates, x: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return rate constants (n, R) and all initial concentrations (n, runs, S) of coordinates."""
    constants, rest = np.split(np.exp(x), [len(mechanism.network.constants)], axis=1)
    drawn = {name: value[:, None] for name, value in zip(mechanism.drawn, rest.T, strict=True)}
    initial = mechanism.initial(runs.loading, runs.substrate_0, runs.product_0, drawn)
    return constants, np.broadcast_to(initial, (len(x), *initial.shape[-2:]))


def values_of(
    mechanism: Mechanism,
    candidates: Candidates,
    x: NDArray[np.float64],
    *,
    rtol: float = _RTOL,
    threads: int | None = 1,
) -> NDArray[np.float64]:
    """Simulate all candidates for some coordinates.

    Parameters
    ----------
    mechanism
        Whose.
    candidates
        Runs and times.
    x
        Coordinates, shape (n, p): ln(k h) of the constants, then ln of each concentration that is
        drawn once a sample.
    rtol, threads
        Of the integrator.

    Returns
    -------
    NDArray
        Substrate and product, shape (n, runs, T, 2); NaN where a run failed.
    """
    at = conditions(mechanism, candidates, x)
    return observed(mechanism, *at, candidates.times, rtol=rtol, atol=_ATOL, threads=threads)


def values_and_slopes(
    mechanism: Mechanism, candidates: Candidates, x: NDArray[np.float64], *, threads: int | None = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate all candidates for some coordinates, with derivatives by these.

    Parameters as for `values_of`.

    Returns
    -------
    values
        Substrate and product, shape (n, runs, T, 2); NaN where a run failed.
    slopes
        Their derivatives by x, shape (n, runs, T, 2, p).
    """
    network, seen = mechanism.network, mechanism.seen
    constants, initial = conditions(mechanism, candidates, x)
    initial = initial.reshape(-1, len(network.species))
    found = sensitivities(
        network,
        np.repeat(constants, len(candidates), axis=0),
        initial,
        candidates.times,
        wrt=(CONSTANTS, INITIAL) if mechanism.drawn else CONSTANTS,
        rtol=_RTOL,
        atol=_ATOL,
        threads=threads,
    )
    slopes = [found.log_constants[:, :, seen]]
    for species in mechanism.drawn:
        at = network.index(species)
        slopes.append((found.initial[:, :, seen, at] * initial[:, None, None, at])[..., None])
    shape = (len(x), len(candidates), len(candidates.times), 2)
    return (
        found.concentration[:, :, seen].reshape(shape),
        np.concatenate(slopes, axis=-1).reshape(*shape, x.shape[1]),
    )
