"""A point of a fit: residuals with their derivatives, and the step that they ask for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NOTHING = 1e-200  # square of derivatives below which there are none
_SMALLEST = 1e-12  # share of the largest eigenvalue below which information is none


@dataclass(frozen=True)
class Unknowns:
    """What is fitted.

    Attributes
    ----------
    constants
        Shape (R,), at the temperature in the middle of the runs; 0 for those not in the model.
    activation
        Activation energies in kJ/mol, shape (R,); 0 where runs have no temperatures.
    initial
        Initial concentrations, shape (r, S).
    """

    constants: NDArray[np.float64]
    activation: NDArray[np.float64]
    initial: NDArray[np.float64]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which constants are in the model, shape (R,)."""
        return self.constants > 0


@dataclass(frozen=True)
class Point:
    """Unknowns, and what follows from them.

    ``residual`` (r, V) and its derivatives ``by_parameters`` (r, V, P) and ``by_initial``
    (r, V, S); ``drift`` (r, S), initial concentrations less measured ones over their noise; 0 where
    known.
    """

    unknowns: Unknowns
    value: NDArray[np.float64]
    residual: NDArray[np.float64]
    by_parameters: NDArray[np.float64]
    by_initial: NDArray[np.float64]
    drift: NDArray[np.float64]

    @property
    def cost(self) -> float:
        """Sum of squares; infinite where a run failed."""
        with np.errstate(over="ignore"):
            total = float((self.residual**2).sum() + (self.drift**2).sum())
        return total if np.isfinite(total) else np.inf


def reduced(
    point: Point, start_weight: NDArray, damping: float
) -> tuple[NDArray, NDArray, NDArray, NDArray, NDArray]:
    """Eliminate initial concentrations, run by run, from the damped normal equations.

    Returns the Schur complement (P, P), its gradient (P,), and per run what gives the initial
    concentrations back: the mixed block (r, P, S), and own block (r, S, S) and gradient (r, S).
    """
    by_parameters, by_initial = point.by_parameters, point.by_initial
    flat = by_parameters.reshape(-1, by_parameters.shape[2])
    own = flat.T @ flat
    own[np.diag_indices_from(own)] *= 1 + damping
    gradient = flat.T @ point.residual.ravel()
    n_free = by_initial.shape[2]
    mixed = by_parameters.transpose(0, 2, 1) @ by_initial
    block = by_initial.transpose(0, 2, 1) @ by_initial
    start_gradient = np.einsum("nvs,nv->ns", by_initial, point.residual)
    if n_free:
        at = np.arange(n_free)
        block[:, at, at] += start_weight
        block[:, at, at] *= 1 + damping
        start_gradient = start_gradient + point.drift * np.sqrt(start_weight)
        solved = solve_blocks(block, mixed.transpose(0, 2, 1))
        own = own - np.einsum("nas,nsb->ab", mixed, solved)
        gradient = gradient - np.einsum("nsa,ns->a", solved, start_gradient)
    return own, gradient, mixed, block, start_gradient


def step_of(point: Point, start_weight: NDArray, damping: float) -> tuple[NDArray, NDArray | float]:
    """Solve the damped normal equations: steps of parameters (P,) and initial values (r, S)."""
    own, gradient, mixed, block, start_gradient = reduced(point, start_weight, damping)
    step = -inverse(own) @ gradient
    if not block.shape[1]:
        return step, 0.0
    right = start_gradient + np.einsum("nas,a->ns", mixed, step)
    return step, -solve_blocks(block, right[..., None])[..., 0]


def solve_blocks(block: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve normal equations of each run, (r, S, S) and (r, S, n), scaled.

    Of starts that a fast run forgets at once only sums are determined: rounding makes no others.
    """
    scale = np.sqrt(np.maximum(block.diagonal(axis1=1, axis2=2), _NOTHING))[..., None]
    scaled = block / scale / scale.transpose(0, 2, 1) + _SMALLEST * np.eye(block.shape[1])
    return np.linalg.solve(scaled, right / scale) / scale


def inverse(information: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert normal equations, scaled; what they do not determine is very uncertain."""
    square = information.diagonal()
    scale = np.sqrt(np.where(square > _NOTHING, square, 1.0))
    if not np.isfinite(information).all():
        return np.full_like(information, np.nan)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(values, _SMALLEST * values.max(initial=1.0))
    return (vectors / values) @ vectors.T / np.outer(scale, scale)
