"""Probabilities that mean what they say: temperature, calibration error, sets that keep coverage.

A network's probabilities order the classes well and exaggerate or understate how sure it may be.
Samples with known classes mend that: one temperature for all probabilities, or sets of classes
that hold the truth as often as was asked, for whatever probabilities.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar
from scipy.special import softmax

from kinetlib.evaluate.measures import cross_entropy

# Temperatures beyond these make every answer sure, or none.
_COLDEST, _HOTTEST = 0.01, 100.0

Condition = int | str | None


def at_temperature(probabilities: NDArray, temperature: float) -> NDArray[np.float64]:
    """Return probabilities proportional to ``probabilities ** (1 / temperature)``.

    Dividing logits by a temperature (Guo et al., Int. Conf. Machine Learning, 2017) does the same.
    Over 1 they are less sure, below 1 surer; the order of classes stays.

    Parameters
    ----------
    probabilities
        Shape (n, c), rows that add up to 1.
    temperature
        Above 0.

    Returns
    -------
    NDArray
        Shape (n, c).

    Raises
    ------
    ValueError
        A temperature that is no positive number, or values that are no probabilities.

    Examples
    --------
    >>> at_temperature([[0.8, 0.2]], 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    if not 0 < temperature < np.inf:
        raise ValueError(f"temperature: expected a positive number, got {temperature!r}")
    probabilities = _probabilities(probabilities)
    # A probability that rounded to 0 was some number below the smallest one, not nothing.
    logarithm = np.log(np.maximum(probabilities, np.finfo(float).tiny))
    return softmax(logarithm / temperature, axis=1)


def fit_temperature(probabilities: NDArray, labels: NDArray) -> float:
    """Find the temperature with the least cross-entropy.

    Parameters
    ----------
    probabilities
        Shape (n, c), of samples that the network was not trained on.
    labels
        True classes, shape (n,).

    Returns
    -------
    float
        Between 0.01 and 100; for `at_temperature`.

    Raises
    ------
    ValueError
        No sample, or values that are no probabilities or no classes.
    """
    probabilities = _probabilities(probabilities)
    labels = _labels(labels, probabilities)

    def loss(logarithm: float) -> float:
        scaled = at_temperature(probabilities, math.exp(logarithm))
        return float(cross_entropy(scaled, labels).mean())

    # Convex in the inverse temperature, so with a single minimum in the logarithm, too.
    bounds = (math.log(_COLDEST), math.log(_HOTTEST))
    return math.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x)


def expected_calibration_error(
    probabilities: NDArray,
    labels: NDArray,
    *,
    n_bins: int = 15,
    equal_mass: bool = False,
    weights: NDArray | None = None,
) -> float:
    """Return the mean gap between how sure a classifier is and how often it is right.

    Samples are binned by the most probable class's probability, as in `evaluate.reliability`; the
    gaps of the bins are averaged with the bins' weights (Guo et al., Int. Conf. Machine Learning,
    2017, equation 3). The measure is biased upwards: of a calibrated classifier it is about
    0.3 ``sqrt(n_bins / n)``, not 0.

    Parameters
    ----------
    probabilities, labels
        Shape (n, c) and (n,).
    n_bins
        Bins of equal width from 0 to 1, or, with `equal_mass`, of equally many samples.
    weights
        Weight of each sample, shape (n,); 1 by default.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        Values that are no probabilities or no classes, or weights or bins that do not fit.

    Examples
    --------
    An interval over parameter sets::

        evaluate.bootstrap(
            np.arange(len(labels)), groups, rng,
            statistic=lambda at, w: expected_calibration_error(p[at], labels[at], weights=w),
        )
    """
    probabilities = _probabilities(probabilities)
    labels = _labels(labels, probabilities)
    if n_bins < 1:
        raise ValueError(f"n_bins: expected at least 1, got {n_bins}")
    weights = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=float)
    if weights.shape != labels.shape or not (weights >= 0).all() or not weights.any():
        raise ValueError(
            f"weights: expected {len(labels)} numbers, none negative and not all 0, "
            f"got shape {weights.shape}"
        )
    top = probabilities.max(1)
    if equal_mass:
        bins = top.argsort(kind="stable").argsort() * n_bins // len(top)
    else:
        bins = np.minimum((top * n_bins).astype(int), n_bins - 1)
    gap = np.bincount(bins, weights * (top - (probabilities.argmax(1) == labels)))
    return float(np.abs(gap).sum() / weights.sum())


@dataclass(frozen=True)
class ConformalSets:
    """Sets of classes that hold the true one with the probability asked for.

    Split conformal prediction (Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World,
    2005), Mondrian: each family of classes has a least probability of its own in each condition,
    such as a bin of noise, and a class belongs to the set if its probability is no less. Of n
    calibration samples of that family and condition the least probability is the
    ``ceil((n + 1) level)``-th largest that the true class got, so that a new sample's true class is
    in its set with a probability of at least ``level`` and, without ties, at most
    ``level + 1 / (n + 1)``, whatever the network's faults (Lei et al., J. Am. Stat. Assoc. 113,
    1094, 2018). That holds for each family of the truth and each condition, averaged over the
    classes of the family; give each class a family of its own to have it for each class.

    What it needs is that calibration samples and the new one be exchangeable within family and
    condition: drawn independently from one design, with as many points, loadings and noise alike.
    Samples that share a parameter set are not independent; so calibrate with one sample a set, or
    read n as the number of sets. Reactions drawn otherwise than the calibration samples, or from
    outside the catalogue, have no guarantee.

    This score, one less the probability, gives the smallest sets on average (Sadinle, Lei and
    Wasserman, J. Am. Stat. Assoc. 114, 223, 2019). The adaptive score of Romano, Sesia and Candès
    (Adv. Neural Inf. Process. Syst. 33, 2020) covers too much where a network is sure, or, made
    exact by random numbers, leaves sets empty and gives larger ones.

    A set is never empty: the most probable class always belongs to it. That adds to the coverage
    only where the network's first choice alone is right more often than `level`.

    Attributes
    ----------
    level
        Probability with which a set holds the true class.
    families
        The family of each class, length c.
    conditions
        Conditions that were calibrated, in order.
    least
        Least probability of a class in a set, by condition and family (in order of appearance).
    n_samples
        How many calibration samples each of those comes from.
    """

    level: float
    families: tuple[str, ...]
    conditions: tuple[Condition, ...]
    least: tuple[tuple[float, ...], ...]
    n_samples: tuple[tuple[int, ...], ...]

    @classmethod
    def fit(
        cls,
        probabilities: NDArray,
        labels: NDArray,
        families: Sequence[str],
        condition: ArrayLike | None = None,
        *,
        level: float = 0.95,
    ) -> ConformalSets:
        """Calibrate on samples with known classes that the network was not trained on.

        Parameters
        ----------
        probabilities, labels
            Shape (n, c) and (n,).
        families
            The family of each class, length c.
        condition
            What is known of each sample beside its curves, whole numbers or texts, shape (n,); one
            condition for all by default.
        level
            Probability asked for, between 0 and 1.

        Raises
        ------
        ValueError
            Arrays that do not fit, or too few samples of a family in a condition: 19 for 95 %.
        """
        probabilities = _probabilities(probabilities)
        labels = _labels(labels, probabilities)
        families = tuple(map(str, families))
        if len(families) != probabilities.shape[1]:
            raise ValueError(
                f"families: expected one of each of {probabilities.shape[1]} classes, "
                f"got {len(families)}"
            )
        if not 0 < level < 1:
            raise ValueError(f"level: expected a probability between 0 and 1, got {level!r}")
        given = _conditions(condition, len(labels))
        conditions = tuple(sorted(set(given)))
        own = probabilities[np.arange(len(labels)), labels]
        family_of = np.array(families)[labels]
        at = np.array([conditions.index(c) for c in given])
        least, n_samples = [], []
        for i, name in enumerate(conditions):
            cells = {f: own[(at == i) & (family_of == f)] for f in dict.fromkeys(families)}
            least.append(tuple(_least(cell, level, f, name) for f, cell in cells.items()))
            n_samples.append(tuple(map(len, cells.values())))
        return cls(level, families, conditions, tuple(least), tuple(n_samples))

    def sets(self, probabilities: NDArray, condition: ArrayLike | None = None) -> NDArray[np.bool_]:
        """Tell which classes belong to the set of each sample.

        Parameters
        ----------
        probabilities
            Shape (n, c).
        condition
            As in `fit`, shape (n,).

        Returns
        -------
        NDArray
            Shape (n, c), at least one True a row.

        Raises
        ------
        ValueError
            Arrays that do not fit, or a condition that was not calibrated.
        """
        probabilities = _probabilities(probabilities)
        n, c = probabilities.shape
        if c != len(self.families):
            raise ValueError(
                f"probabilities: expected {len(self.families)} classes, as calibrated, got {c}"
            )
        given = _conditions(condition, n)
        if unknown := set(given) - set(self.conditions):
            raise ValueError(
                f"condition {next(iter(unknown))!r} was not calibrated, only "
                f"{', '.join(map(repr, self.conditions))}: calibrate it or choose one of these"
            )
        at = np.array([self.conditions.index(name) for name in given], dtype=int)
        names = list(dict.fromkeys(self.families))
        column = [names.index(family) for family in self.families]
        members = probabilities >= np.array(self.least)[at][:, column]
        members[np.arange(n), probabilities.argmax(1)] = True
        return members

    def to_dict(self) -> dict[str, Any]:
        """Return all that `from_dict` needs, as JSON can hold it."""
        return {
            "level": self.level,
            "families": list(self.families),
            "conditions": list(self.conditions),
            "least": [list(row) for row in self.least],
            "n_samples": [list(row) for row in self.n_samples],
        }

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> ConformalSets:
        """Read what `to_dict` wrote; a ValueError says what is missing or does not fit."""
        expected = ("level", "families", "conditions", "least", "n_samples")
        if missing := [name for name in expected if name not in saved]:
            raise ValueError(f"conformal sets lack {', '.join(missing)}: write them with to_dict")
        shape = (len(saved["conditions"]), len(set(saved["families"])))
        for name in ("least", "n_samples"):
            if np.shape(saved[name]) != shape:
                raise ValueError(
                    f"conformal sets, {name}: expected {shape[0]} conditions of {shape[1]} "
                    f"families, got shape {np.shape(saved[name])}"
                )
        return cls(
            float(saved["level"]),
            tuple(saved["families"]),
            tuple(saved["conditions"]),
            tuple(tuple(map(float, row)) for row in saved["least"]),
            tuple(tuple(map(int, row)) for row in saved["n_samples"]),
        )


def _least(own: NDArray, level: float, family: str, condition: Condition) -> float:
    """Return the least probability that lets in a new true class with probability `level`."""
    exact = Fraction(str(float(level)))
    rank = math.ceil((len(own) + 1) * exact)
    if rank > len(own):
        needed = math.ceil(exact / (1 - exact))
        where = f"family {family!r}" + ("" if condition is None else f", condition {condition!r}")
        raise ValueError(
            f"{where}: {len(own)} calibration samples cannot promise {100 * level:g} %, expected "
            f"at least {needed}: simulate more, or merge families or conditions"
        )
    return float(np.sort(own)[len(own) - rank])


def _conditions(condition: ArrayLike | None, n: int) -> list[Condition]:
    if condition is None:
        return [None] * n
    values: Iterable = np.asarray(condition)
    if values.shape != (n,) or values.dtype.kind not in "iuU":
        raise ValueError(
            f"condition: expected {n} whole numbers or texts, got {values.dtype} of shape "
            f"{values.shape}; numpy.digitize makes bins of other numbers"
        )
    return values.tolist()


def _probabilities(values: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=float)
    if values.ndim != 2 or not values.shape[1]:
        raise ValueError(f"probabilities: expected shape (n, c), got {values.shape}")
    # Networks compute in single precision.
    wrong = ~((values >= 0).all(1) & (np.abs(values.sum(1) - 1) < 1e-3))
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"probabilities, row {row}: expected numbers from 0 that add up to 1, "
            f"got {values[row].tolist()}"
        )
    return values


def _labels(labels: ArrayLike, probabilities: NDArray) -> NDArray[np.int64]:
    n, c = probabilities.shape
    labels = np.asarray(labels)
    fits = n and labels.shape == (n,) and labels.dtype.kind in "iu"
    if not fits or labels.min() < 0 or labels.max() >= c:
        raise ValueError(
            f"labels: expected {max(n, 1)} whole numbers from 0 to {c - 1}, a class each, "
            f"got {labels.dtype} of shape {labels.shape}"
        )
    return labels
