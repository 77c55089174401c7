"""How good probabilities are: accuracy, entropy, credible sets and confusion, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.special import entr

from kinetlib.evaluate.intervals import mean

SIZES = ("1", "2", "3", "4", "5", ">= 6")


def top_k(probabilities: NDArray, labels: NDArray, k: int) -> NDArray[np.bool_]:
    """Tell whether the true class is among the k most probable.

    Parameters
    ----------
    probabilities
        Shape (n, c).
    labels
        True classes, shape (n,).
    k
        At least 1. Ties count against the true class.

    Returns
    -------
    NDArray
        Shape (n,).
    """
    own = probabilities[np.arange(len(labels)), labels]
    rivals = (probabilities >= own[:, None]).sum(1) - 1
    return rivals < k


def cross_entropy(probabilities: NDArray, labels: NDArray) -> NDArray[np.float64]:
    """Return minus the logarithm of the true class's probability, nats, shape (n,)."""
    own = probabilities[np.arange(len(labels)), labels].astype(float)
    return -np.log(np.maximum(own, np.finfo(float).tiny))


def entropy(probabilities: NDArray) -> NDArray[np.float64]:
    """Return the Shannon entropy of each prediction, nats, shape (n,)."""
    return entr(probabilities / probabilities.sum(1, keepdims=True)).sum(1)


def credible_set_size(probabilities: NDArray, level: float = 0.95) -> NDArray[np.int64]:
    """Count the most probable classes whose probabilities add up to `level`, shape (n,)."""
    descending = -np.sort(-probabilities.astype(float), axis=1)
    reached = np.cumsum(descending, axis=1) >= level * descending.sum(1, keepdims=True)
    return reached.argmax(1) + 1


def credible_set_shares(sizes: NDArray[np.int64]) -> dict[str, float]:
    """Return the share of samples by size of their credible set: 1 to 5, and 6 or more."""
    return {
        label: float((sizes >= 6).mean() if label == SIZES[-1] else (sizes == int(label)).mean())
        for label in SIZES
    }


def in_credible_set(
    probabilities: NDArray, labels: NDArray, level: float = 0.95
) -> NDArray[np.bool_]:
    """Tell whether the credible set of a prediction holds the true class, shape (n,)."""
    own = probabilities[np.arange(len(labels)), labels]
    rank = (probabilities > own[:, None]).sum(1)
    return rank < credible_set_size(probabilities, level)


def reliability(
    probabilities: NDArray, labels: NDArray, *, n_bins: int = 10, fewest: int = 30
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compare how sure a classifier is with how often it is right.

    Parameters
    ----------
    probabilities, labels
        Shape (n, c) and (n,).
    n_bins
        Bins of equal width of the most probable class's probability.
    fewest
        Bins with fewer samples are NaN.

    Returns
    -------
    confidence, accuracy
        Mean probability, and share of right answers, of each bin, shape (n_bins,).
    """
    top, right = probabilities.max(1), probabilities.argmax(1) == labels
    bins = np.minimum((top * n_bins).astype(int), n_bins - 1)
    counts = np.bincount(bins, minlength=n_bins)
    known = np.where(counts >= max(fewest, 1), counts, np.nan)
    confidence, accuracy = (np.bincount(bins, x, n_bins) / known for x in (top, right))
    return confidence, accuracy


def confusion(probabilities: NDArray, labels: NDArray, n_classes: int) -> NDArray[np.int64]:
    """Count samples by true class (row) and most probable class (column), shape (c, c)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, probabilities.argmax(1), labels=np.arange(n_classes))


def merged(counts: NDArray, groups: Sequence[str]) -> tuple[list[str], NDArray]:
    """Add up a confusion matrix over groups of classes.

    Parameters
    ----------
    counts
        Shape (c, c).
    groups
        The group of each class, length c.

    Returns
    -------
    names, counts
        The g groups in order of first appearance, and the matrix of shape (g, g).
    """
    names = list(dict.fromkeys(groups))
    member = np.array([[group == name for group in groups] for name in names], dtype=int)
    return names, member @ counts @ member.T


def summary(
    probabilities: NDArray,
    labels: NDArray,
    groups: NDArray,
    rng: Generator,
    *,
    n_resamples: int = 1000,
) -> dict[str, dict[str, float]]:
    """Return the headline measures of a classifier with 95 % intervals over parameter sets.

    Parameters
    ----------
    probabilities
        Shape (n, c).
    labels
        True classes, shape (n,).
    groups
        Parameter set of each sample, shape (n,) or (n, any).
    rng, n_resamples
        Source and number of bootstrap resamples.

    Returns
    -------
    dict
        By measure (``top_1``, ``top_3``, ``cross_entropy``, ``entropy_mean``, ``coverage``):
        ``value``, ``low``, ``high``; for ``entropy_median`` and ``entropy_std`` the ``value``.
    """
    spread = entropy(probabilities)
    measures = {
        "top_1": top_k(probabilities, labels, 1),
        "top_3": top_k(probabilities, labels, 3),
        "cross_entropy": cross_entropy(probabilities, labels),
        "entropy_mean": spread,
        "coverage": in_credible_set(probabilities, labels),
    }
    table = {
        name: mean(values, groups, rng, n_resamples=n_resamples)
        for name, values in measures.items()
    }
    table["entropy_median"] = {"value": float(np.median(spread))}
    table["entropy_std"] = {"value": float(np.std(spread))}
    return table
