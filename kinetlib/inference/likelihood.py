"""How probable measured runs are, given a mechanism's rate constants and the noise."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from kinetlib.inference.prior import Prior
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import CATALYST, PRODUCT, SUBSTRATE

# What the integrator leaves undecided, in units of the substrate.
RESOLUTION = 1e-8
_ATOL = 1e-9
# Errors of the integrator stay this far below the noise, and never grow past a coarse bound.
_BELOW_NOISE, _COARSEST = 0.01, 1e-4


@dataclass(frozen=True)
class Runs:
    """Measured runs of one reaction.

    Attributes
    ----------
    time
        Shape (r, T), in units of the horizon: the design spans 0 to 1.
    substrate, product
        Shape (r, T), relative to the standard run's substrate; NaN where there is no value. Points
        at time 0 were weighed in and say nothing.
    loading, substrate_0, product_0
        Initial concentrations, shape (r,).

    Raises
    ------
    ValueError
        Shapes that do not fit, negative or unknown concentrations or times, no value at all.
    """

    time: NDArray[np.float64]
    substrate: NDArray[np.float64]
    product: NDArray[np.float64]
    loading: NDArray[np.float64]
    substrate_0: NDArray[np.float64]
    product_0: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Bring to double precision and check."""
        for name in _NAMES:
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        shape = self.time.shape
        if self.time.ndim != 2:
            raise ValueError(f"time: expected shape (runs, times), got {shape}")
        for name in ("substrate", "product"):
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name}: expected the shape of time, {shape}, got {getattr(self, name).shape}"
                )
        for name in ("loading", "substrate_0", "product_0"):
            values = getattr(self, name)
            if values.shape != shape[:1] or not (np.isfinite(values) & (values >= 0)).all():
                raise ValueError(
                    f"{name}: expected {shape[0]} concentrations, one a run, got {values}"
                )
        if not (np.isfinite(self.time) & (self.time >= 0)).all():
            raise ValueError("time: expected finite times from 0 on; leave out points without one")
        if not self.measured.any():
            raise ValueError("the runs have no value after time 0, expected at least one")

    @property
    def measured(self) -> NDArray[np.bool_]:
        """Which values say something, substrate and product, shape (r, T, 2)."""
        values = np.stack([self.substrate, self.product], axis=-1)
        return np.isfinite(values) & (self.time > 0)[..., None]

    @classmethod
    def of(cls, sample: xr.Dataset) -> Runs:
        """Read one sample of the schema of `kinetlib.runs.dataset`, with its ``horizon``.

        Parameters
        ----------
        sample
            ``time``, ``substrate``, ``product`` (run, time), ``loading``, ``substrate_0``,
            ``product_0`` (run) and ``horizon``, in the unit of the time.

        Raises
        ------
        ValueError
            If variables are missing, or there is more than one sample.
        """
        missing = [name for name in (*_NAMES, "horizon") if name not in sample]
        if missing or "sample" in sample.dims:
            raise ValueError(
                "expected one sample of a dataset, of dims run and time, got dims "
                f"{', '.join(map(str, sample.dims))} and no {' or '.join(missing) or 'gap'}; "
                "take one with dataset.isel(sample=0)"
            )
        values = {
            name: sample[name].transpose("run", ...).values.astype(np.float64) for name in _NAMES
        }
        values["time"] = values["time"] / float(sample.horizon)
        return cls(**values)


_NAMES = [field.name for field in fields(Runs)]


class Likelihood:
    """Likelihood of rate constants: data, mechanism and noise, in the prior's coordinates.

    The noise is Gaussian, relative to the exact value, and independent from value to value, as
    `kinetlib.runs.dataset.noisy` draws it.

    Parameters
    ----------
    runs, prior
        The data; whose mechanism and coordinates.
    noise
        Standard deviation of the noise relative to the value, positive.
    floor
        Standard deviation of what a value errs by besides, in units of the substrate: added to the
        noise as squares. By default what the integrator leaves undecided; a laboratory's is larger.

    Attributes
    ----------
    data
        Measured values, shape (values,).
    evaluations
        Sets of constants simulated so far.

    Raises
    ------
    ValueError
        A noise or a floor that is not positive.
    """

    def __init__(
        self, runs: Runs, prior: Prior, noise: float, *, floor: float = RESOLUTION
    ) -> None:
        """Lay out what all simulations share."""
        if not (np.isfinite(noise) and noise > 0):
            raise ValueError(f"noise: expected a positive share of the value, got {noise!r}")
        if not (np.isfinite(floor) and floor > 0):
            raise ValueError(f"floor: expected a positive concentration, got {floor!r}")
        network = prior.mechanism.network
        self.runs, self.prior = runs, prior
        self.noise, self.floor, self.evaluations = noise, floor, 0
        self._at = np.flatnonzero(runs.measured.reshape(-1))
        self.data = np.stack([runs.substrate, runs.product], axis=-1).reshape(-1)[self._at]
        # The integrator wants times that do not fall.
        order = np.argsort(runs.time, axis=1)
        self._times = np.take_along_axis(runs.time, order, axis=1)
        self._back = np.argsort(order, axis=1)[None, :, :, None]
        self._initial = np.zeros((len(runs.time), len(network.species)))
        for species, value in prior.mechanism.default_initial.items():
            self._initial[:, network.index(species)] = value
        given = {SUBSTRATE: runs.substrate_0, PRODUCT: runs.product_0, CATALYST: runs.loading}
        for species, values in given.items():
            self._initial[:, network.index(species)] = values
        self._seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
        self._rtol = min(noise * _BELOW_NOISE, _COARSEST)

    def curves(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Simulate the measured values, shape (n, D) to (n, values); NaN where a run failed."""
        prior, network = self.prior, self.prior.mechanism.network
        n, r = len(x), len(self._times)
        initial = np.broadcast_to(self._initial, (n, *self._initial.shape)).copy()
        for species, column in zip(prior.drawn, x[:, prior.n_constants :].T, strict=True):
            initial[..., network.index(species)] = np.exp(column)[:, None]
        solution = integrate(
            network,
            np.repeat(np.exp(x[:, : prior.n_constants]), r, axis=0),
            initial.reshape(n * r, -1),
            np.tile(self._times, (n, 1)),
            rtol=self._rtol,
            atol=_ATOL,
            threads=1,
        )
        self.evaluations += n
        seen = solution.concentration.reshape(n, r, self._times.shape[1], -1)[..., self._seen]
        return np.take_along_axis(seen, self._back, axis=2).reshape(n, -1)[:, self._at]

    def of_curves(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x) of simulated values, shape (n, values) to (n,)."""
        deviation = np.hypot(self.noise * curves, self.floor)
        terms = ((self.data - curves) / deviation) ** 2 / 2 + np.log(deviation)
        total = -terms.sum(1) - self.data.size * np.log(2 * np.pi) / 2
        return np.where(np.isfinite(total), total, -np.inf)

    def log_density(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return ln p(y | x), shape (n, D) to (n,); minus infinity outside the prior's box."""
        density = np.full(len(x), -np.inf)
        inside = np.flatnonzero(self.prior.may_hold(x))
        if len(inside):
            density[inside] = self.of_curves(self.curves(x[inside]))
        return density

    def residuals(self, curves: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return simulated minus measured, scaled so that the noise is one wherever a value lies.

        See `stabilised`.
        """
        return self.stabilised(curves) - self.stabilised(self.data)

    def stabilised(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values on the scale on which their noise is one, wherever they lie.

        The noise is ``noise`` times the value and ``floor``, added as squares; its inverse
        integrates to asinh.
        """
        return np.arcsinh(self.noise / self.floor * values) / self.noise
