"""Runs simulated from a power law, in the form in which `kinetlib.lab.read_species` gives them."""

import numpy as np
import xarray as xr
from scipy.integrate import solve_ivp

SPECIES = ("A", "B", "cat", "P")
STARTS = np.array(
    [[1.0, 1.2, 0.02], [1.0, 2.0, 0.02], [0.6, 1.2, 0.02], [1.0, 1.2, 0.04], [1.3, 0.9, 0.03]]
)


def simulated(orders, *, k=None, noise=0.0, rng=None, starts=STARTS, n=10, died=0.0, kind="even"):
    """Simulate A + B -> P with rate = k A^a B^b cat^c, noise a share of each value.

    By default k is such that the first run is at 80 % after one unit of time. With ``died`` the
    catalyst loses activity at that rate, unseen.
    """
    rng = rng or np.random.default_rng(0)
    times, rows = [], []
    k = _reaches(orders, starts[0], 0.8) if k is None else k
    for start in starts:
        end = _reaches(orders, start, rng.uniform(0.7, 0.9)) / k
        time = np.linspace(0, end, n)
        if kind == "uneven":
            time[1:-1] = np.sort(rng.uniform(0.02, 0.98, n - 2)) * end
        found = solve_ivp(
            _rate, (0, end), [0.0], t_eval=time, args=(orders, k, start, died), rtol=1e-10,
            atol=1e-12, method="LSODA",
        )  # fmt: skip
        p = found.y[0]
        row = np.stack([start[0] - p, start[1] - p, np.full(n, start[2]), p], -1)
        row[1:, [0, 1, 3]] *= 1 + noise * rng.standard_normal((n - 1, 3))
        times.append(time)
        rows.append(row)
    return dataset(times, rows), k


def _rate(t, p, orders, k, start, died):
    left = np.maximum(start[:2] - p[0], 0.0)
    active = start[2] * np.exp(-died * t)
    return [k * left[0] ** orders[0] * left[1] ** orders[1] * active ** orders[2]]


def _reaches(orders, start, share):
    """Return when a share of the scarcer reactant is gone, with k = 1."""
    p = np.linspace(0, share * min(start[:2]), 400)
    return np.trapezoid([1 / _rate(0, [x], orders, 1.0, start, 0.0)[0] for x in p], p)


def dataset(times, rows, species=SPECIES, time_unit="min", unit="M"):
    """Put runs of equal length into a Dataset."""
    return xr.Dataset(
        {
            "time": (("run", "time"), np.array(times), {"units": time_unit}),
            "concentration": (("run", "time", "species"), np.array(rows)),
        },
        coords={"run": [f"run {i + 1}" for i in range(len(times))], "species": list(species)},
        attrs={"concentration_unit": unit, "remarks": ""},
    )
