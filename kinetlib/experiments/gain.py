r"""The next run: which one is expected to decide most between the mechanisms still in question.

What is known is a probability of each mechanism and, for each, rate constants that agree with the
runs so far, as weighted draws. A candidate run makes of every draw an outcome. With :math:`y` the
outcome of a draw and noise on it, and :math:`q(m \mid y)` the probability that a rule gives to
mechanism :math:`m` after it,

.. math:: I \ge H(m) + \mathbb E \ln q(m \mid y)

for any rule (Barber and Agakov, 2003). Two rules are tried, and the larger bound counts. *Draws*:
the outcomes of each mechanism are its other draws with the noise, which is nested Monte Carlo
(Ryan, J. Comput. Graph. Stat. 12, 585, 2003) without the draw that made the data. *Normal*: they
are normally distributed with the mean and covariance of its other draws, as Box and Hill
(Technometrics 9, 57, 1967) have it, which needs fewer draws. Both leave the draw itself out:
whoever knew it would take every scatter of the constants for knowledge of the mechanism. Both are
tempered towards what was known before, by one number, so that no rule says less than nothing.

They are what Bayes' rule could make of the run, were the draws all that is possible. Whoever will
read the run with a network learns what the network can tell: `read_by` takes its answers for
:math:`q`, to data of the runs so far and the outcome together.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

_LEAST = 1e-12  # of a draw's weight: the others of its mechanism have at least so much


@dataclass(frozen=True)
class Draws:
    """Weighted draws of what may be true.

    Attributes
    ----------
    labels
        Mechanism of each draw, 0 to M - 1, each at least twice, shape (n,).
    weights
        Shape (n,): those of a mechanism add to 1.
    probabilities
        Of the mechanisms, shape (M,), adding to 1.

    Raises
    ------
    ValueError
        What does not add up, or a mechanism with fewer than two draws.
    """

    labels: NDArray[np.int64]
    weights: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    def __post_init__(self) -> None:
        """Check."""
        n_mechanisms = len(self.probabilities)
        if self.labels.shape != self.weights.shape or self.labels.ndim != 1:
            raise ValueError(
                f"labels and weights: expected one of each draw, got shapes {self.labels.shape} "
                f"and {self.weights.shape}"
            )
        counts = np.bincount(self.labels, minlength=n_mechanisms)
        if len(counts) != n_mechanisms or (counts < 2).any():
            raise ValueError(
                f"expected two or more draws of each of {n_mechanisms} mechanisms, got {counts}"
            )
        total = np.bincount(self.labels, self.weights)
        if (self.weights < 0).any() or not np.allclose(total, 1):
            raise ValueError(f"weights: expected none negative, and 1 a mechanism, got {total}")
        if (self.probabilities <= 0).any() or not np.isclose(self.probabilities.sum(), 1):
            raise ValueError(
                f"probabilities: expected positive numbers that add to 1, got {self.probabilities}"
            )

    def __len__(self) -> int:
        """Return the number of draws."""
        return len(self.labels)

    @property
    def entropy(self) -> float:
        """Entropy of the mechanism, nats."""
        return float(-(self.probabilities * np.log(self.probabilities)).sum())

    @property
    def shares(self) -> NDArray[np.float64]:
        """Probability of each draw, shape (n,)."""
        return self.probabilities[self.labels] * self.weights


@dataclass(frozen=True)
class Gain:
    """What a run is expected to tell.

    Attributes
    ----------
    information
        Bound on the expected information about the mechanism, nats; 0 to the entropy.
    rule
        Which rule gave it: ``"draws"``, ``"normal"`` or ``"network"``.
    truth
        Expected probability of each mechanism after the run where it is the true one, shape (M,).
    """

    information: float
    rule: str
    truth: NDArray[np.float64]


def gain(outcomes: NDArray[np.float64], noise: NDArray[np.float64], draws: Draws) -> Gain:
    """Bound the information that a run gives about the mechanism.

    Parameters
    ----------
    outcomes
        What each draw makes of the run, on a scale on which the noise is one, shape (n, V).
    noise
        Standard normal numbers, shape (n, V): give all candidates the same.
    draws
        What the draws stand for.

    Raises
    ------
    ValueError
        Arrays that do not fit, or outcomes that are not finite.
    """
    outcomes = np.asarray(outcomes, float)
    if outcomes.ndim != 2 or len(outcomes) != len(draws) or noise.shape != outcomes.shape:
        raise ValueError(
            f"outcomes and noise: expected one row of each of {len(draws)} draws, got shapes "
            f"{outcomes.shape} and {noise.shape}"
        )
    if not np.isfinite(outcomes).all():
        raise ValueError("outcomes: expected finite numbers; leave out draws whose runs failed")
    data = outcomes + noise
    rules = {"draws": by_draws, "normal": by_normal}
    found = {name: _told(rule(data, outcomes, draws), draws) for name, rule in rules.items()}
    best = max(found, key=lambda name: found[name][0])
    return _gained(*found[best], best, draws)


def read_by(probabilities: NDArray[np.float64], draws: Draws) -> Gain:
    """Bound the information by what a classifier says of each draw's data.

    Parameters
    ----------
    probabilities
        Of the M mechanisms, after the run, one row a draw: shape (n, M).
    draws
        What the draws stand for. Nothing is learned from them here, so they may repeat.

    Raises
    ------
    ValueError
        Probabilities of another shape.
    """
    probabilities = np.asarray(probabilities, float)
    if probabilities.shape != (len(draws), len(draws.probabilities)):
        raise ValueError(
            f"probabilities: expected shape {(len(draws), len(draws.probabilities))}, "
            f"got {probabilities.shape}"
        )
    said = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return _gained(*_told(said - np.log(draws.probabilities), draws), "network", draws)


def _gained(information: float, after: NDArray[np.float64], rule: str, draws: Draws) -> Gain:
    own = after[np.arange(len(draws)), draws.labels]
    return Gain(information, rule, np.bincount(draws.labels, draws.weights * own))


def by_draws(
    data: NDArray[np.float64], outcomes: NDArray[np.float64], draws: Draws
) -> NDArray[np.float64]:
    """Return ln p(y | m) by the other draws with their noise, but for a constant, (n, M)."""
    square = (data**2).sum(1)[:, None] - 2 * data @ outcomes.T + (outcomes**2).sum(1)
    with np.errstate(divide="ignore"):
        logarithm = np.log(draws.weights) - square / 2
    np.fill_diagonal(logarithm, -np.inf)
    columns = [draws.labels == k for k in range(len(draws.probabilities))]
    found = np.stack([logsumexp(logarithm[:, at], axis=1) for at in columns], 1)
    found[np.arange(len(draws)), draws.labels] -= np.log(np.maximum(1 - draws.weights, _LEAST))
    return found


def by_normal(
    data: NDArray[np.float64], outcomes: NDArray[np.float64], draws: Draws
) -> NDArray[np.float64]:
    """Return ln p(y | m) by normal outcomes, of the other draws, but for a constant, (n, M)."""
    n, width = data.shape
    found = np.empty((n, len(draws.probabilities)))
    for k in range(found.shape[1]):
        own = np.flatnonzero(draws.labels == k)
        weight, x = draws.weights[own], outcomes[own]
        mean = weight @ x
        spread = (weight[:, None] * (x - mean)).T @ (x - mean)
        rest = np.setdiff1d(np.arange(n), own)
        found[rest, k] = _log_normal(data[rest] - mean, spread + np.eye(width))
        # Without a draw of weight w the mean moves by w/(1-w) and the spread loses that draw.
        left = np.maximum(1 - weight, _LEAST)
        away = x - mean
        shift = (weight / left)[:, None] * away
        outer = away[:, :, None] * away[:, None, :]
        less = (spread - (weight / left)[:, None, None] * outer) / left[:, None, None]
        found[own, k] = _log_normal(data[own] - mean + shift, less + np.eye(width))
    return found


def _log_normal(away: NDArray[np.float64], covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ln N(away; 0, covariance) but for a constant; one covariance, or one a row."""
    covariance = (covariance + np.swapaxes(covariance, -1, -2)) / 2
    sign, volume = np.linalg.slogdet(covariance)
    if not np.all(sign > 0):  # a weight so near 1 that nothing is left: as good as no spread
        covariance = np.where((sign > 0)[..., None, None], covariance, np.eye(away.shape[1]))
        volume = np.where(sign > 0, volume, 0.0)
    if covariance.ndim == 2:
        solved = np.linalg.solve(covariance, away.T).T
    else:
        solved = np.linalg.solve(covariance, away[..., None])[..., 0]
    return -(away * solved).sum(1) / 2 - volume / 2


def _told(log_likelihood: NDArray[np.float64], draws: Draws) -> tuple[float, NDArray[np.float64]]:
    """Temper a rule towards what was known; return its information and probabilities (n, M)."""
    before = np.log(draws.probabilities)
    finite = np.maximum(log_likelihood, log_likelihood.max(1, keepdims=True) - 1e6)
    rows = np.arange(len(draws))

    def after(power: float) -> NDArray[np.float64]:
        logarithm = before + power * finite
        return logarithm - logsumexp(logarithm, axis=1, keepdims=True)

    def loss(power: float) -> float:
        return float(-(draws.shares * after(power)[rows, draws.labels]).sum())

    # Convex in the power; at 0 it is the entropy.
    found = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-4})
    power = min((0.0, 1.0, float(found.x)), key=loss)
    return max(draws.entropy - loss(power), 0.0), np.exp(after(power))
