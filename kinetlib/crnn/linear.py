"""Every reaction of a library at once, near a fit: how curves change when the rate law does.

Near trajectories y that fit, those of another rate law g are y + z, where z is 0 at first and
dz/dt = J z + g(y) - f(y), with f and its Jacobian J as fitted. That is linear in the constants of
g, so the sum of squares is quadratic in the constants of all reactions that there are, and which
few of them explain the curves is a question of linear algebra (`kinetlib.crnn.choose`). Unlike
integrals over smoothed curves (`kinetlib.crnn.start`) these residuals are those of the data.

The linear equations are integrated by TR-BDF2 (Bank et al., IEEE Trans. Electron Devices 32, 1992,
1985), which damps what is stiff, with y taken from the integrator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib.crnn.fit import Fit, Problem
from kinetlib.crnn.point import solve_blocks
from kinetlib.kinetics.integrate import integrate

_STEPS = 160  # of a run, about
_AT_FIRST = 8  # steps before the first measurement, where curves bend most
_GAMMA = 2 - np.sqrt(2)


@dataclass(frozen=True)
class Quadratic:
    """Sum of squares as a function of effects e, Q of them: c - 2 b e + e G e.

    Attributes
    ----------
    gram, right, constant
        G (Q, Q), b (Q,) and c.
    activation
        Activation energy in kJ/mol that goes without saying.
    slope
        Change of ln k with 1 kJ/mol, in the run where it is largest; 0 without temperatures.
    """

    gram: NDArray[np.float64]
    right: NDArray[np.float64]
    constant: float
    activation: float
    slope: float

    def activations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn coefficients of reactions, (n, 1) or (n, 2), into activation energies, (n,)."""
        if values.shape[1] == 1:
            return np.zeros(len(values))
        return self.activation + values[:, 1] / values[:, 0] / self.slope


def linearised(problem: Problem, fit: Fit, complexes: NDArray[np.int64]) -> Quadratic:
    """Linearise around a fit.

    Parameters
    ----------
    problem, fit
        What was fitted, and how.
    complexes
        Reactant complexes, shape (C, S). Where runs have temperatures effects come twice: rates
        with the activation energy that is usual in the fit, and their change with it.

    Returns
    -------
    Quadratic
        In the effects of each complex on each species, C S of them, or twice as many.
    """
    times, output = _grid(problem.curves.time)
    curves, place = problem.curves, problem.place
    constants = problem.constants(fit.unknowns)
    value = np.broadcast_to(
        fit.unknowns.initial[:, None], (len(times), times.shape[1], len(curves.species))
    ).copy()
    value[..., place] = integrate(
        problem.network,
        constants,
        np.ascontiguousarray(fit.unknowns.initial[:, place]),
        times,
        rtol=problem.rtol,
        atol=1e-9 * float(curves.scale.min()),
    ).concentration
    value = np.maximum(value, 0.0)
    slope, usual = curves.arrhenius, 0.0
    profile = np.ones((len(value), 1))
    if slope is not None:
        usual = float(np.median(fit.unknowns.activation[fit.present]))
        rate = np.exp(usual * slope)
        # In units that change a constant e-fold at the extreme temperature: both of one size.
        profile = np.stack([rate, rate * slope / np.abs(slope).max()], -1)
    model = _Model(problem, constants, complexes, profile)
    gram, right, constant = _accumulated(problem, fit, model, times, value, output)
    steepest = 0.0 if slope is None else float(np.abs(slope).max())
    return Quadratic(gram, right, constant, usual, steepest)


@dataclass(frozen=True)
class _Model:
    """The fitted rate law with its Jacobian, and the sources that complexes would be."""

    problem: Problem
    constants: NDArray[np.float64]
    complexes: NDArray[np.int64]
    profile: NDArray[np.float64]

    def jacobian(self, y: NDArray) -> NDArray:
        """Return the Jacobian of the rate law, (r, S, S) at y (r, S)."""
        network, place = self.problem.network, self.problem.place
        orders = network.orders
        own = y[:, place]
        found = np.zeros((*y.shape, y.shape[1]))
        for j in range(len(place)):
            less = orders.copy()
            less[:, j] = np.maximum(less[:, j] - 1, 0)
            slope = self.constants * orders[:, j] * (own[:, None] ** less).prod(-1)
            found[:, place, place[j]] = slope @ network.stoichiometry
        return found

    def sources(self, y: NDArray) -> tuple[NDArray, NDArray]:
        """Return the rates of complexes (r, parts C), and the fitted rate law (r, S), at y."""
        network, place = self.problem.network, self.problem.place
        monomials = (y[:, None] ** self.complexes).prod(-1)
        rates = (monomials[:, None] * self.profile[..., None]).reshape(len(y), -1)
        law = np.zeros_like(y)
        powers = (y[:, None, place] ** network.orders).prod(-1)
        law[:, place] = (self.constants * powers) @ network.stoichiometry
        return rates, law


def _grid(time: NDArray[np.float64]) -> tuple[NDArray, list[int]]:
    """Refine times (r, T): those of all steps with their middles, and where measured ones are."""
    n_times = time.shape[1]
    steps = max(2, -(-_STEPS // n_times))
    found, output = [time[:, :1]], [0]
    for at in range(1, n_times):
        parts = max(steps, _AT_FIRST) if at == 1 else steps
        ends = np.linspace(0, 1, parts + 1) ** (2 if at == 1 else 1)
        before, length = time[:, at - 1 : at], time[:, at : at + 1] - time[:, at - 1 : at]
        for left, right in zip(ends[:-1], ends[1:], strict=True):
            inside = np.array([left + _GAMMA * (right - left), right])
            found.append(before + length * inside)
        output.append(sum(part.shape[1] for part in found) - 1)
    return np.concatenate(found, 1), output


def _accumulated(
    problem: Problem,
    fit: Fit,
    model: _Model,
    times: NDArray,
    value: NDArray,
    output: list[int],
) -> tuple[NDArray, NDArray, float]:
    """Integrate all effects, the fitted law and initial concentrations; gather their squares."""
    curves = problem.curves
    n_runs, n_species = curves.initial.shape
    n_rates = model.profile.shape[1] * len(model.complexes)
    n_effects = n_rates * n_species
    free = 0 if curves.start_known.all() else n_species
    z = np.zeros((n_runs, n_species, n_effects + 1 + free))
    z[:, np.arange(free), n_effects + 1 + np.arange(free)] = 1.0
    columns = np.arange(n_effects).reshape(n_rates, n_species)

    def sources(at: int) -> NDArray:
        rates, law = model.sources(value[:, at])
        b = np.zeros_like(z)
        for j in range(n_species):
            b[:, j, columns[:, j]] = rates
        b[:, :, n_effects] = law
        return b

    gram = np.zeros((n_runs, n_effects + free, n_effects + free)) if free else None
    total = np.zeros((n_effects, n_effects))
    right, constant = np.zeros((n_runs, n_effects + free)), 0.0
    jacobian, source, m = model.jacobian(value[:, 0]), sources(0), 1
    weight = np.where(problem.seen, 1 / fit.deviation, 0.0)
    identity = np.eye(n_species)
    for step in range(0, times.shape[1] - 1, 2):
        h = (times[:, step + 2] - times[:, step])[:, None, None]
        middle, end = model.jacobian(value[:, step + 1]), model.jacobian(value[:, step + 2])
        source_middle, source_end = sources(step + 1), sources(step + 2)
        half = 0.5 * _GAMMA * h
        inner = np.linalg.solve(
            identity - half * middle, z + half * (jacobian @ z + source + source_middle)
        )
        share = (1 - _GAMMA) / (2 - _GAMMA)
        z = np.linalg.solve(
            identity - share * h * end,
            (inner - (1 - _GAMMA) ** 2 * z) / (_GAMMA * (2 - _GAMMA)) + share * h * source_end,
        )
        jacobian, source = end, source_end
        if step + 2 == output[m]:
            seen = np.where(problem.seen[:, m, :, None], z * weight[:, m, :, None], 0.0)
            rest = np.where(problem.seen[:, m], curves.value[:, m] - value[:, output[m]], 0.0)
            rest = rest * weight[:, m] + seen[:, :, n_effects]
            seen = np.delete(seen, n_effects, axis=2)
            flat = seen.reshape(-1, seen.shape[2])
            if gram is not None:
                gram += seen.transpose(0, 2, 1) @ seen
            else:
                total += flat.T @ flat
            right += np.einsum("rsq,rs->rq", seen, rest)
            constant += float((rest**2).sum())
            m += 1
    if gram is None:
        return total, right.sum(0), constant
    return _without_starts(problem, fit, gram, right, constant, n_effects)


def _without_starts(
    problem: Problem,
    fit: Fit,
    gram: NDArray,
    right: NDArray,
    constant: float,
    n_effects: int,
) -> tuple[NDArray, NDArray, float]:
    """Eliminate initial concentrations, each run's own, held by their own measurement."""
    weight = problem.full_start_weight
    drift = problem.curves.initial - fit.unknowns.initial
    at = np.arange(n_effects, gram.shape[1])
    gram[:, at, at] += weight
    right[:, n_effects:] += weight * drift
    constant += float((weight * drift**2).sum())
    mixed, own = gram[:, :n_effects, n_effects:], gram[:, n_effects:, n_effects:]
    solved = solve_blocks(
        own, np.concatenate([mixed.transpose(0, 2, 1), right[:, n_effects:, None]], 2)
    )
    whole = gram[:, :n_effects, :n_effects].sum(0) - np.einsum(
        "rqs,rsp->qp", mixed, solved[..., :-1]
    )
    left = right[:, :n_effects].sum(0) - np.einsum("rqs,rs->q", mixed, solved[..., -1])
    constant -= float(np.einsum("rs,rs->", right[:, n_effects:], solved[..., -1]))
    return whole, left, constant
