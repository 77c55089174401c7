"""Networks to be found again: the cases of the reference, as data with a seed.

Case 1, biodiesel, the MAPK cascade and case 1 with reversible reactions are those of the public
code to Ji, Deng, J. Phys. Chem. A 125, 1082 (2021): networks, constants, initial concentrations,
times and noise. Curves differ from the reference's in three points. They are simulated a thousand
times as accurately; runs to learn from and held-out runs are drawn separately; and nothing that is
learned from has seen a held-out run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.random import Generator, SeedSequence, default_rng
from numpy.typing import ArrayLike, NDArray

from kinetlib.crnn.runs import FLOOR, GAS_CONSTANT, arrhenius
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import Network, parse
from kinetlib.kinetics.sensitivity import sensitivities

_CALORIE = 4.184  # J
_REFERENCE = 333.0  # K, in the middle of the biodiesel's runs
_ENTROPY = 20261  # of all seeds here, so that no other study draws the same numbers


@dataclass(frozen=True)
class Case:
    """A network with true constants, and what runs of it look like.

    Attributes
    ----------
    network
        R reactions among S species.
    constants
        True rate constants, shape (R,), at `reference_temperature` where they depend on it.
    start
        Draws initial concentrations of n runs: ``start(rng, n)`` has shape (n, S).
    horizon, n_times
        Last time, and number of times from 0 on, evenly spaced.
    n_runs, n_held_out
        Runs to learn from, and as many more to judge by.
    noise
        Standard deviation relative to the value.
    activation_energies
        In kJ/mol, shape (R,); None where all runs have one temperature.
    temperatures, reference_temperature
        Range that temperatures of runs are drawn from, and that of `constants`, in kelvin; None
        likewise.
    hidden
        Species that nobody measured.
    """

    network: Network
    constants: tuple[float, ...]
    start: Callable[[Generator, int], NDArray[np.float64]]
    horizon: float
    n_times: int
    n_runs: int
    n_held_out: int
    noise: float = 0.05
    activation_energies: tuple[float, ...] | None = None
    temperatures: tuple[float, float] | None = None
    reference_temperature: float | None = None
    hidden: tuple[str, ...] = ()

    def rate_constants(self, temperature: NDArray[np.float64] | None) -> NDArray[np.float64]:
        """Return the true constants of each run, shape (n, R), or (R,) of all."""
        constants = np.asarray(self.constants)
        if self.activation_energies is None:
            return constants
        slope = arrhenius(temperature, self.reference_temperature)[:, None]
        return constants * np.exp(np.asarray(self.activation_energies) * slope)

    def runs(
        self,
        seed: int,
        *,
        n_runs: int | None = None,
        n_times: int | None = None,
        noise: float | None = None,
    ) -> xr.Dataset:
        """Make runs to learn from.

        Parameters
        ----------
        seed
            Of initial concentrations, temperatures and noise.
        n_runs, n_times, noise
            Instead of those of the case.

        Returns
        -------
        xarray.Dataset
            ``concentration`` (run, time, species) with noise, NaN for what is hidden, ``exact``
            likewise without, ``initial`` (run, species), known exactly; ``temperature`` (run,)
            where it matters.
        """
        return self._made(seed, 0, n_runs or self.n_runs, n_times, noise)

    def held_out(
        self, seed: int, *, n_times: int | None = None, noise: float | None = None
    ) -> xr.Dataset:
        """Make runs to judge by, of the same kind as `runs`, nothing hidden."""
        made = self._made(seed, 1, self.n_held_out, n_times, noise)
        return made.assign(concentration=made["measured"])

    def exact(
        self,
        initial: NDArray[np.float64],
        times: NDArray[np.float64],
        temperature: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        """Simulate runs without noise, shape (n, T, S)."""
        return integrate(
            self.network, self.rate_constants(temperature), initial, times, rtol=1e-9, atol=1e-12
        ).concentration

    def _made(
        self, seed: int, part: int, n_runs: int, n_times: int | None, noise: float | None
    ) -> xr.Dataset:
        conditions, spread = (
            default_rng(child) for child in SeedSequence([_ENTROPY, seed, part]).spawn(2)
        )
        initial = self.start(conditions, n_runs)
        temperature = self.temperatures and conditions.uniform(*self.temperatures, n_runs)
        times = np.linspace(0, self.horizon, n_times or self.n_times)
        exact = self.exact(initial, times, temperature)
        level = self.noise if noise is None else noise
        measured = exact * (1 + level * spread.standard_normal(exact.shape))
        seen = ~np.isin(self.network.species, self.hidden)
        dims = ("run", "time", "species")
        data = {
            "concentration": (dims, np.where(seen, measured, np.nan)),
            "measured": (dims, measured),
            "exact": (dims, exact),
            "initial": (("run", "species"), initial),
        }
        if temperature is not None:
            data["temperature"] = ("run", temperature, {"units": "K"})
        return xr.Dataset(data, coords={"time": times, "species": list(self.network.species)})


def noisy_runs(
    network: Network,
    constants: ArrayLike,
    initial: NDArray[np.float64],
    times: NDArray[np.float64],
    noise: float,
    rng: Generator,
) -> xr.Dataset:
    """Simulate runs from initial concentrations (n, S) with relative noise, all species seen."""
    exact = integrate(network, constants, initial, times, rtol=1e-9, atol=1e-12).concentration
    value = exact * (1 + noise * rng.standard_normal(exact.shape))
    data = {
        "concentration": (("run", "time", "species"), value),
        "initial": (("run", "species"), initial),
    }
    return xr.Dataset(data, coords={"time": times, "species": list(network.species)})


def cramer_rao(
    case: Case, runs: xr.Dataset, noise: float, *, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Return the least standard errors that an unbiased fit of the true network can have.

    Parameters
    ----------
    case, runs
        The truth, and the runs it is estimated from; initial concentrations are known.
    noise
        Standard deviation relative to the value.
    floor
        Noise that is not relative, as a share of each species' largest value, added in squares. By
        default what fits take for granted. The runs of a case have none: with 0, the limit is that
        of a fit which trusts the smallest concentrations as much as the largest.

    Returns
    -------
    NDArray
        Of ln k, shape (R,); with temperatures, of ln k at the reference and then of the activation
        energies in kJ/mol, shape (2R,).
    """
    temperature = runs["temperature"].values if "temperature" in runs else None
    run = sensitivities(
        case.network,
        case.rate_constants(temperature),
        runs["initial"].values,
        runs["time"].values,
        rtol=1e-8,
        atol=1e-11,
    )
    scale = np.abs(run.concentration).max((0, 1))
    deviation = np.hypot(noise * run.concentration, floor * np.where(scale > 0, scale, 1.0))
    seen = np.isfinite(runs["concentration"].values) & (runs["time"].values > 0)[:, None]
    weight = np.where(seen & (deviation > 0), 1 / np.where(deviation > 0, deviation, 1.0), 0.0)
    slopes = run.log_constants * weight[..., None]
    if temperature is not None:
        slope = arrhenius(temperature, case.reference_temperature)[:, None, None, None]
        slopes = np.concatenate([slopes, slopes * slope], axis=-1)
    rows = slopes.reshape(-1, slopes.shape[-1])
    size = np.linalg.norm(rows, axis=0)
    information = (rows / size).T @ (rows / size)
    return np.sqrt(np.linalg.inv(information).diagonal()) / size


def _case_1(rng: Generator, n: int) -> NDArray[np.float64]:
    return np.pad(rng.uniform(0.2, 1.2, (n, 2)), ((0, 0), (0, 3)))


def _biodiesel(rng: Generator, n: int) -> NDArray[np.float64]:
    return np.pad(rng.uniform(0.2, 2.2, (n, 2)), ((0, 0), (0, 4)))


def _biodiesel_with_products(rng: Generator, n: int) -> NDArray[np.float64]:
    """Start from some MG, GL and ester, too, without MG and GL in five runs; DG always at 0."""
    start = _biodiesel(rng, n)
    start[:, 3:] = rng.uniform(0, 1, (n, 3))
    start[:5, 3:5] = 0.0
    return start


def _cascade(rng: Generator, n: int) -> NDArray[np.float64]:
    start = 10 ** rng.uniform(-3, 0, (n, 9))
    start[:2, 2::2] = 0.0  # nothing is activated yet in two runs
    return start


def _reversible(rng: Generator, n: int) -> NDArray[np.float64]:
    return rng.uniform(0, 1, (n, 5)) + np.array([0.2, 0.2, 0, 0, 0])


_BIODIESEL_NETWORK = parse(
    "TG + ROH -> DG + ester (k1); DG + ROH -> MG + ester (k2); MG + ROH -> GL + ester (k3)"
)


def _in_order(
    network: Network, species: str, start: Callable[[Generator, int], NDArray]
) -> Callable[[Generator, int], NDArray]:
    """Draw in the order of `species`, return in that of the network."""
    place = [species.split().index(name) for name in network.species]
    return lambda rng, n: start(rng, n)[:, place]


def _biodiesel_case(start: Callable[[Generator, int], NDArray], hidden: tuple[str, ...]) -> Case:
    logarithms = np.array([18.60, 19.13, 7.93])
    energies = np.array([14.54, 14.42, 6.47]) * _CALORIE
    at_reference = np.exp(logarithms - energies / GAS_CONSTANT / _REFERENCE)
    return Case(
        _BIODIESEL_NETWORK,
        tuple(at_reference.tolist()),
        _in_order(_BIODIESEL_NETWORK, "TG ROH DG MG GL ester", start),
        horizon=50.0,
        n_times=50,
        n_runs=20,
        n_held_out=10,
        activation_energies=tuple(energies.tolist()),
        temperatures=(323.0, 343.0),
        reference_temperature=_REFERENCE,
        hidden=hidden,
    )


_CASE_1 = parse("2 A -> B (k1); A -> C (k2); C -> D (k3); B + D -> E (k4)")
_CASCADE = parse(
    "S + MAPKKK -> S + MAPKKKp (k1); MAPKKKp + MAPKK -> MAPKKKp + MAPKKp (k2);"
    "MAPKKp + MAPK -> MAPKKp + MAPKp (k3); MAPKp + TF -> MAPKp + TFp (k4);"
    "MAPKKKp -> MAPKKK (k5); MAPKKp -> MAPKK (k6); MAPKp -> MAPK (k7); TFp -> TF (k8)"
)
_REVERSIBLE = parse("A <=> B; B <=> C; C <=> D; 2 C <=> D + E")

#: The cases by name. The cascade's species end in p where the reference has a star.
CASES: Mapping[str, Case] = {
    "case 1": Case(
        _CASE_1,
        (0.1, 0.2, 0.13, 0.3),
        _in_order(_CASE_1, "A B C D E", _case_1),
        horizon=40.0,
        n_times=100,
        n_runs=20,
        n_held_out=10,
    ),
    "biodiesel": _biodiesel_case(_biodiesel, ()),
    "biodiesel, DG hidden": _biodiesel_case(_biodiesel_with_products, ("DG",)),
    "MAPK cascade": Case(
        _CASCADE,
        (1.0,) * 8,
        _in_order(_CASCADE, "S MAPKKK MAPKKKp MAPKK MAPKKp MAPK MAPKp TF TFp", _cascade),
        horizon=10.0,
        n_times=100,
        n_runs=70,
        n_held_out=30,
    ),
    "case 1 reversible": Case(
        _REVERSIBLE,
        (1.0,) * 8,
        _in_order(_REVERSIBLE, "A B C D E", _reversible),
        horizon=10.0,
        n_times=100,
        n_runs=20,
        n_held_out=10,
        noise=1e-3,
    ),
}
