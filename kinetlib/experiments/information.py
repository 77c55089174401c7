r"""Which experiments pin a mechanism's rate constants: Fisher information and D-optimal designs.

A run sampled at a time gives two values y, substrate and product, with independent Gaussian noise
of variance v = (c y)^2 + d^2: c relative to the value, d what the instrument cannot tell from
nothing. In the coordinates x = ln(k h) of `kinetlib.inference.prior` their Fisher information is

    F = sum over both of  s s^T (1 / v + (dv/dy)^2 / (2 v^2)),     s = dy / dx,

the second part, some 2 c^2 of the first, because the noise itself tells of the value. Without d the
information of a substrate that is used up would have no bound: ln y falls as long as the reaction
goes on, and a share of nothing is a small noise. A design would wait for the last molecules.

The criterion of an experiment is the pseudo-Bayesian D-criterion (Chaloner, Verdinelli, Stat. Sci.
10, 273, 1995): the mean over draws from the prior of ln det(P + sum F), P being the inverse of the
prior's covariance. It is half the information, in nats, that the experiment is expected to give on
x, as Laplace's approximation has it, and a constant. exp of a difference over the number p of
coordinates is a ratio of variances a coordinate, or of the number of repeats: the D-efficiency.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from kinetlib.experiments.bank import Candidates, Experiment
from kinetlib.inference.prior import Prior, drawn_species
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.mechanisms import CATALYST, PRODUCT, SUBSTRATE, Mechanism
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities

# What an instrument cannot tell from nothing, in units of the standard run's substrate.
FLOOR = 1e-3
_RTOL, _ATOL = 1e-6, 1e-9


@dataclass(frozen=True)
class Information:
    """What each candidate run and time tells of the coordinates, at draws from the prior.

    Attributes
    ----------
    candidates
        The runs and times.
    rows
        Sensitivities in units of the noise, shape (draws, runs, T, 2, p): the information of a
        run and time is ``rows.T @ rows`` over both values. Nothing at time 0.
    precision
        Inverse of the prior's covariance, shape (p, p).
    """

    candidates: Candidates
    rows: NDArray[np.float64]
    precision: NDArray[np.float64]

    @property
    def p(self) -> int:
        """Number of coordinates."""
        return len(self.precision)

    def __getitem__(self, draws: slice | NDArray) -> Information:
        """Select draws."""
        return Information(self.candidates, self.rows[draws], self.precision)

    def of(self, experiment: Experiment) -> NDArray[np.float64]:
        """Return P and the information of an experiment, shape (draws, p, p)."""
        at = self.rows[:, np.array(experiment.runs)[:, None], np.array(experiment.times)]
        return self.precision + np.einsum("drtvp,drtvq->dpq", at, at, optimize=True)

    def criterion(self, experiment: Experiment) -> float:
        """Return the mean of ln det(P + F)."""
        weights = np.zeros(self.rows.shape[1:3])
        weights[np.array(experiment.runs)[:, None], np.array(experiment.times)] = 1.0
        return log_determinant(self.factor(weights))

    def factor(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Factorise P and the information of weighted runs and times.

        Where some directions are known a million times better than others, squares and sums have
        no digits left for the others: the factor comes from the rows themselves (QR).

        Parameters
        ----------
        weights
            Shape (runs, T).

        Returns
        -------
        NDArray
            Upper triangles U, shape (draws, p, p), with U^T U = P + sum of weight F.
        """
        at = np.nonzero(weights)
        rows = self.rows[:, at[0], at[1]] * np.sqrt(weights[at])[:, None, None]
        before = np.linalg.cholesky(self.precision).T
        before = np.broadcast_to(before, (len(rows), self.p, self.p))
        stacked = np.concatenate([before, rows.reshape(len(rows), -1, self.p)], axis=1)
        return np.linalg.qr(stacked, mode="r")

    def efficiency(self, experiment: Experiment, best: float) -> float:
        """Return the D-efficiency of an experiment relative to a criterion, or to a bound of it."""
        return float(np.exp((self.criterion(experiment) - best) / self.p))


def log_determinant(factor: NDArray[np.float64]) -> float:
    """Mean of ln det(U^T U) over triangles U, shape (draws, p, p)."""
    return float(2 * np.log(np.abs(np.einsum("dpp->dp", factor))).sum(1).mean())


def values_of(
    mechanism: Mechanism, candidates: Candidates, x: NDArray[np.float64], *, threads: int | None = 1
) -> NDArray[np.float64]:
    """Simulate all candidates for some coordinates; see `curves`, of which it gives the values."""
    network = mechanism.network
    constants, initial = _conditions(mechanism, candidates, x)
    found = integrate(
        network, constants, initial, candidates.times, rtol=_RTOL, atol=_ATOL, threads=threads
    )
    seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
    return found.concentration[:, :, seen].reshape(len(x), len(candidates), -1, 2)


def curves(
    mechanism: Mechanism, candidates: Candidates, x: NDArray[np.float64], *, threads: int | None = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Simulate all candidates for some coordinates, with derivatives.

    Parameters
    ----------
    mechanism
        Whose.
    candidates
        Runs and times.
    x
        Coordinates, shape (n, p): ln(k h) of the constants, then ln of each concentration that is
        drawn once a sample.
    threads
        Threads of the integrator.

    Returns
    -------
    values
        Substrate and product, shape (n, runs, T, 2); NaN where a run failed.
    slopes
        Their derivatives by x, shape (n, runs, T, 2, p).
    """
    network, drawn = mechanism.network, drawn_species(mechanism)
    constants, initial = _conditions(mechanism, candidates, x)
    found = sensitivities(
        network,
        constants,
        initial,
        candidates.times,
        wrt=(CONSTANTS, INITIAL) if drawn else CONSTANTS,
        rtol=_RTOL,
        atol=_ATOL,
        threads=threads,
    )
    seen = [network.index(SUBSTRATE), network.index(PRODUCT)]
    slopes = [found.log_constants[:, :, seen]]
    for species in drawn:
        at = network.index(species)
        slopes.append((found.initial[:, :, seen, at] * initial[:, None, None, at])[..., None])
    shape = (len(x), len(candidates), len(candidates.times), 2)
    return (
        found.concentration[:, :, seen].reshape(shape),
        np.concatenate(slopes, axis=-1).reshape(*shape, x.shape[1]),
    )


def _conditions(
    mechanism: Mechanism, candidates: Candidates, x: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rate constants and initial concentrations, a row for each draw and, within it, each run."""
    network, n_constants = mechanism.network, len(mechanism.network.constants)
    initial = np.zeros((len(x), len(candidates), len(network.species)))
    for species, value in mechanism.default_initial.items():
        initial[..., network.index(species)] = value
    for species, column in zip(drawn_species(mechanism), x[:, n_constants:].T, strict=True):
        initial[..., network.index(species)] = np.exp(column)[:, None]
    given = (candidates.substrate_0, candidates.product_0, candidates.loading)
    for species, value in zip((SUBSTRATE, PRODUCT, CATALYST), given, strict=True):
        initial[..., network.index(species)] = value
    constants = np.repeat(np.exp(x[:, :n_constants]), len(candidates), axis=0)
    return constants, initial.reshape(len(constants), -1)


def noise_variance(
    values: NDArray[np.float64], noise: float, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Return the variance of the noise of some values, same shape."""
    return (noise * values) ** 2 + floor**2


def information(
    prior: Prior,
    candidates: Candidates,
    x: NDArray[np.float64],
    *,
    noise: float,
    floor: float = FLOOR,
    threads: int | None = None,
) -> Information:
    """Find what each candidate run and time tells at draws from the prior.

    Parameters
    ----------
    prior
        The mechanism's, for the precision that its bank has.
    candidates
        Runs and times.
    x
        Draws, shape (n, p), such as rows of the prior's bank.
    noise, floor
        Standard deviation of the noise relative to the value, and that of a value of zero.
    threads
        Threads of the integrator.

    Raises
    ------
    ValueError
        Noise or floor that are not positive; fewer draws in the bank than coordinates.
    """
    for name, value in (("noise", noise), ("floor", floor)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a positive number, got {value!r}")
    if len(prior.bank) <= prior.bank.shape[1]:
        raise ValueError(
            f"the prior's bank holds {len(prior.bank)} draws of {prior.bank.shape[1]} coordinates, "
            "expected more draws than coordinates; draw a larger one"
        )
    values, slopes = curves(prior.mechanism, candidates, x, threads=threads)
    known = np.isfinite(values).all((1, 2, 3)) & np.isfinite(slopes).all((1, 2, 3, 4))
    values, slopes = values[known], slopes[known]
    variance = noise_variance(values, noise, floor)
    weight = 1 / variance + 2 * (noise**2 * values / variance) ** 2
    weight[:, :, candidates.times == 0] = 0.0  # weighed in, not measured
    rows = slopes * np.sqrt(weight)[..., None]
    return Information(candidates, rows, moments(prior)[1])


def moments(prior: Prior) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and inverse covariance of a prior's bank, shapes (p,) and (p, p)."""
    covariance = np.atleast_2d(np.cov(prior.bank, rowvar=False))
    return prior.bank.mean(0), np.linalg.inv(covariance)


def shown(values: NDArray[np.float64], experiment: Experiment) -> NDArray[np.float64]:
    """Take what an experiment shows of all candidates, (n, runs, T, ...) to (n, r, m, ...)."""
    return values[:, np.array(experiment.runs)[:, None], np.array(experiment.times)]


def measured(
    values: NDArray[np.float64], noise: float, rng: Generator, *, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Return values with noise, same shape."""
    deviation = np.sqrt(noise_variance(values, noise, floor))
    return values + deviation * rng.standard_normal(values.shape)


def levelled(
    values: NDArray[np.float64], noise: float, floor: float = FLOOR
) -> NDArray[np.float64]:
    """Stretch values so that the noise is one wherever a value lies: asinh(c y / d) / c."""
    return np.arcsinh(noise * values / floor) / noise
