"""Runs of small mechanisms, and as little effort as tests of fits need."""

import numpy as np
from scipy.integrate import solve_ivp

from kinetlib.inference.observations import table
from kinetlib.inference.sampling import Effort
from kinetlib.kinetics.network import parse

SMALL = Effort(
    bank=300, starts=16, steps=20, kernels=80, draws=600, rounds=3, moves=3, kept=500, last_moves=6
)


def curves(text, constants, starts, times):
    """Concentrations (R, T, S) by SciPy's Radau at tight tolerance."""
    network = parse(text)
    found = []
    for run in range(len(next(iter(starts.values())))):
        at_start = [starts[s][run] if s in starts else 0.0 for s in network.species]
        made = solve_ivp(
            lambda t, c: network.rhs(c, constants), (0, times[-1]), at_start, method="Radau",
            t_eval=times, rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        found.append(made.y.T)
    return network, np.stack(found)


def runs_of(text, constants, starts, times, shown, noise, rng, **units):
    """Noisy runs of a mechanism, showing some of its species."""
    starts = {name: np.atleast_1d(np.asarray(value, dtype=float)) for name, value in starts.items()}
    network, exact = curves(text, constants, starts, times)
    seen = exact[..., [network.index(name) for name in shown]]
    values = seen * (1 + noise * rng.standard_normal(seen.shape))
    values[:, 0] = np.nan
    time = np.repeat(np.asarray(times, dtype=float)[None], len(values), axis=0)
    what = tuple({name: 1.0} for name in shown)
    return table(time, values, what, starts, columns=list(shown), **units)
