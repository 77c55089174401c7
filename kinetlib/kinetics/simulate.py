"""The one public call from names to trajectories."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import Solution, Status, integrate
from kinetlib.kinetics.mechanisms import Mechanism

if TYPE_CHECKING:
    import xarray as xr

_RTOL = 4e-8  # with which every species is within 1e-5 of its own maximum
_OWN = "follows the maximum of each species"  # what is said of an absolute tolerance not given


def simulate(
    mechanism: str | Mechanism,
    rate_constants: Mapping[str, ArrayLike],
    initial: Mapping[str, ArrayLike],
    times: ArrayLike,
    *,
    rtol: float | None = None,
    atol: float | None = None,
) -> xr.Dataset:
    """Simulate one trajectory of a mechanism, or many at once.

    Parameters
    ----------
    mechanism
        An id of the catalogue, ``"M1"`` to ``"M20"``, or what `kinetlib.mechanism` returns.
    rate_constants
        Every constant of the mechanism, ``"k1"``, ``"k-1"``, ...: a number, or one a sample (n,).
        First order 1/time, second order 1/(concentration time). Those that were written with the
        mechanism may be left out.
    initial
        Concentrations at time 0 by species: a number, or one a sample (n,). Species that are not
        named start as written with the mechanism, or else at 0; those of the catalogue at S = 1,
        cat = 0.05, an impurity at the middle of its range, all else 0.
    times
        Output times, shape (t,), or (n, t) with own times a sample; not negative, not falling.
    rtol, atol
        Relative and absolute tolerance of the integrator, by default 4e-8, or 1e-6 beside an
        absolute one. Without an absolute one each species of each sample has its own, from its own
        maximum, in any unit: see `kinetlib.kinetics.tolerance`. Where neither is given, values are
        within 1e-5 of the maximum of their species.

    Returns
    -------
    xarray.Dataset
        ``concentration`` (sample, time, species), ``status`` (sample), a
        `kinetlib.kinetics.integrate.Status`, and ``n_steps`` (sample). Where nothing was an array
        there is no sample dimension. A failed trajectory has a status that is not 0, and NaN where
        it could not be computed.

    Raises
    ------
    ValueError
        Unknown or missing names, negative or non-finite values, times that fall, arrays of
        different length: the message names what is wrong and what is valid.

    Examples
    --------
    >>> run = simulate("M1", {"k1": 10, "k-1": 1, "k2": 5, "k-2": 0.1}, {"cat": 0.02}, [0, 5, 20])
    >>> [round(float(s), 2) for s in run.concentration.sel(species="S")]
    [1.0, 0.7, 0.15]
    """
    chosen = mechanisms.get(mechanism)
    network = chosen.network
    _check_names("rate constant", rate_constants, network.constants, chosen.id)
    _check_names("species", initial, network.species, chosen.id)
    rate_constants = chosen.rate_constants | dict(rate_constants)
    missing = [name for name in network.constants if name not in rate_constants]
    if missing:
        raise ValueError(
            f"{chosen.id} needs the rate constants {', '.join(network.constants)}; "
            f"missing: {', '.join(missing)}"
        )
    constants = {name: _values(name, rate_constants[name]) for name in network.constants}
    filled = dict.fromkeys(network.species, 0.0) | chosen.default_initial | dict(initial)
    state = {name: _values(name, filled[name]) for name in network.species}
    output = _times(times)
    rtol = (_RTOL if atol is None else 1e-6) if rtol is None else rtol

    lengths = {name: len(v) for name, v in (constants | state).items() if v.ndim}
    if output.ndim == 2:
        lengths["times"] = len(output)
    n = _common_length(lengths)
    size = 1 if n is None else n
    solution = integrate(
        network,
        np.stack([np.broadcast_to(v, size) for v in constants.values()], axis=-1),
        np.stack([np.broadcast_to(v, size) for v in state.values()], axis=-1),
        output,
        rtol=rtol,
        atol=atol,
        own_maxima=True,
    )
    attributes = {"mechanism": chosen.id, "rtol": rtol, "atol": _OWN if atol is None else atol}
    units = "substrate of the standard run" if chosen.start is None else "as given"
    result = _dataset(solution, output, network.species, units, attributes)
    return result if n is not None else result.isel(sample=0)


def observed(
    mechanism: Mechanism,
    rate_constants: NDArray[np.float64],
    initial: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    rtol: float = 1e-6,
    atol: float | None = None,
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Simulate what is measured of r runs with each of n sets of rate constants.

    Parameters
    ----------
    mechanism
        Whose.
    rate_constants
        Shape (n, R), in the order of its network's.
    initial
        Of all species, shape (n, r, S), see `kinetlib.kinetics.mechanisms.Mechanism.initial`.
    times
        Of all runs (T,), or (n, r, T) or what broadcasts to it.
    rtol, atol, threads
        As for `kinetlib.kinetics.integrate.integrate`.

    Returns
    -------
    NDArray
        Substrate and product, shape (n, r, T, 2); NaN where a run failed.
    """
    options = {"rtol": rtol, "atol": atol, "threads": threads}
    return _concentrations(mechanism, rate_constants, initial, times, options)[..., mechanism.seen]


def followed(
    mechanism: Mechanism,
    rate_constants: NDArray[np.float64],
    initial: NDArray[np.float64],
    times: NDArray[np.float64],
    *,
    threads: int | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate what is measured, as `observed`, and how much of the catalyst still lives.

    Returns
    -------
    tuple
        Substrate and product, shape (n, r, T, 2); the share of catalyst atoms in species that some
        step still uses, shape (n, r, T).
    """
    options = {"threads": threads}
    whole = _concentrations(mechanism, rate_constants, initial, times, options)
    total = initial @ mechanism.catalyst_atoms
    return whole[..., mechanism.seen], whole @ mechanism.living / total[..., None]


def _concentrations(
    mechanism: Mechanism, rate_constants: NDArray, initial: NDArray, times: NDArray, options: dict
) -> NDArray[np.float64]:
    """Simulate all species, shape (n, r, T, S)."""
    n, r, n_species = initial.shape
    if times.ndim > 1:
        times = np.broadcast_to(times, (n, r, times.shape[-1])).reshape(n * r, -1)
    solution = integrate(
        mechanism.network,
        np.repeat(rate_constants, r, axis=0),
        initial.reshape(n * r, n_species),
        times,
        **options,
    )
    return solution.concentration.reshape(n, r, -1, n_species)


def _check_names(kind: str, given: Iterable[str], valid: tuple[str, ...], mechanism: str) -> None:
    for name in given:
        if name not in valid:
            near = difflib.get_close_matches(str(name), valid, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise ValueError(f"unknown {kind} {name!r}{hint}: {mechanism} has {', '.join(valid)}")


def _values(name: str, value: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}: expected a number or an array of numbers, got {value!r}"
        ) from None
    if array.ndim > 1:
        raise ValueError(f"{name}: expected a number or a 1-d array, got shape {array.shape}")
    bad = ~(np.isfinite(array) & (array >= 0))
    if bad.any():
        at = f" at sample {int(np.argmax(bad))}" if array.ndim else ""
        worst = float(array[bad].flat[0])
        raise ValueError(f"{name}: expected finite values that are not negative, got {worst}{at}")
    return array


def _times(times: ArrayLike) -> NDArray[np.float64]:
    try:
        array = np.asarray(times, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"times: expected numbers, got {times!r}") from None
    if array.ndim not in (1, 2) or array.shape[-1] == 0:
        raise ValueError(f"times: expected shape (t,) or (n, t) with t > 0, got {array.shape}")
    if not np.isfinite(array).all() or (array < 0).any():
        bad = array[~(np.isfinite(array) & (array >= 0))].flat[0]
        raise ValueError(f"times: expected finite values that are not negative, got {bad}")
    falls = np.diff(array, axis=-1) < 0
    if falls.any():
        where = tuple(int(i) for i in np.argwhere(falls)[0])
        later = where[:-1] + (where[-1] + 1,)
        raise ValueError(
            f"times fall from {array[where]} to {array[later]} at index {later[-1]}: sort them"
        )
    return array


def _common_length(lengths: dict[str, int]) -> int | None:
    """Return the number of samples, None where nothing is an array."""
    if not lengths:
        return None
    if len(set(lengths.values())) > 1:
        listed = ", ".join(f"{name}: {n}" for name, n in lengths.items())
        raise ValueError(f"arrays must have one length, the number of samples; got {listed}")
    return next(iter(lengths.values()))


def _dataset(
    solution: Solution, times: NDArray, species: tuple[str, ...], units: str, attributes: dict
) -> xr.Dataset:
    import xarray as xr  # which brings pandas, a third of a second

    status_flags = {  # as the CF conventions write them
        "long_name": "status of the integration",
        "flag_values": np.array(list(Status), dtype=np.int64),
        "flag_meanings": " ".join(status.name.lower() for status in Status),
    }
    time_dims = ("time",) if times.ndim == 1 else ("sample", "time")
    return xr.Dataset(
        {
            "concentration": (
                ("sample", "time", "species"),
                solution.concentration,
                {"long_name": "concentration", "units": units},
            ),
            "status": ("sample", solution.status, status_flags),
            "n_steps": ("sample", solution.n_steps, {"long_name": "integrator steps tried"}),
        },
        coords={
            "time": (time_dims, times, {"long_name": "time", "units": "1"}),
            "species": list(species),
        },
        attrs=attributes,
    )
