"""Scores that tell reactions a network never learned from those it did; the higher, the stranger.

A network that knows M1 to M20 spreads probabilities over them whatever it is shown. How sure it is
and where its inner activations lie may tell that it was shown something else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.special import logsumexp

from kinetlib.evaluate.intervals import bootstrap

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors


def doubt(probabilities: ArrayLike) -> NDArray[np.float64]:
    """Return one less the largest probability (Hendrycks and Gimpel, ICLR 2017).

    Parameters
    ----------
    probabilities
        Shape (n, c). `kinetlib.evaluate.entropy` of the same is another score.

    Returns
    -------
    NDArray
        Shape (n,).
    """
    return 1.0 - _matrix(probabilities, "probabilities").max(1)


def energy(logits: ArrayLike) -> NDArray[np.float64]:
    """Return minus the logarithm of the summed exponentials (Liu et al., NeurIPS 2020).

    Parameters
    ----------
    logits
        What goes into the softmax, shape (n, c): it holds more than the probabilities, which no
        longer tell how large all logits are.

    Returns
    -------
    NDArray
        Shape (n,).
    """
    return -logsumexp(_matrix(logits, "logits"), axis=1)


@dataclass(frozen=True)
class ClassDistance:
    """Mahalanobis distance to the nearest class (Lee et al., NeurIPS 2018).

    Classes have means of their own and share one covariance, shrunk (Ledoit and Wolf, J.
    Multivariate Anal. 88, 365, 2004), because units of a network that are never active have no
    variance.

    Attributes
    ----------
    means
        Shape (classes, d).
    precision
        Inverse of the shared covariance, shape (d, d).
    """

    means: NDArray[np.float64]
    precision: NDArray[np.float64]

    @classmethod
    def fit(cls, features: ArrayLike, labels: NDArray) -> ClassDistance:
        """Learn means and covariance.

        Parameters
        ----------
        features
            Activations of a hidden layer, shape (n, d), of known reactions.
        labels
            Their classes, shape (n,).

        Raises
        ------
        ValueError
            Arrays that do not fit, or numbers that are not finite.
        """
        from sklearn.covariance import LedoitWolf  # half a second, for those who calibrate

        features = _matrix(features, "features")
        labels = np.asarray(labels)
        if labels.shape != (len(features),):
            raise ValueError(
                f"labels: expected one of each of {len(features)} samples, got {labels.shape}"
            )
        _, member = np.unique(labels, return_inverse=True)
        means = np.stack([features[member == k].mean(0) for k in range(member.max() + 1)])
        spread = LedoitWolf(assume_centered=True).fit(features - means[member])
        return cls(means, spread.precision_)

    def score(self, features: ArrayLike) -> NDArray[np.float64]:
        """Return the squared distance to the nearest class, shape (n,)."""
        features = _matrix(features, "features", width=self.means.shape[1])
        distances = [
            np.einsum("nd,de,ne->n", away, self.precision, away, optimize=True)
            for away in (features - mean for mean in self.means)
        ]
        return np.min(distances, axis=0)


@dataclass(frozen=True)
class NeighbourDistance:
    """Distance to the k-th nearest known sample (Sun et al., Int. Conf. Machine Learning, 2022).

    Distances are measured in the covariance that classes share, see `ClassDistance`. Sun et al.
    scale features to length 1 instead, which hides what gives away a reaction without catalyst: the
    network is so sure of it that its activations are longer than any it was trained on.

    Attributes
    ----------
    whitening
        Brings features to unit covariance, shape (d, d).
    neighbours
        The known samples, whitened, ready to be asked.
    """

    whitening: NDArray[np.float64]
    neighbours: NearestNeighbors

    @classmethod
    def fit(cls, features: ArrayLike, labels: NDArray, k: int = 10) -> NeighbourDistance:
        """Learn where known reactions lie.

        Parameters
        ----------
        features, labels
            As for `ClassDistance`; as many samples of each class as are to count.
        k
            Which neighbour's distance is the score, from 1 to n.

        Raises
        ------
        ValueError
            Arrays that do not fit, numbers that are not finite, or too few samples.
        """
        from sklearn.neighbors import NearestNeighbors

        features = _matrix(features, "features")
        if not 1 <= k <= len(features):
            raise ValueError(f"k: expected 1 to {len(features)}, the number of samples, got {k}")
        whitening = np.linalg.cholesky(ClassDistance.fit(features, labels).precision)
        return cls(whitening, NearestNeighbors(n_neighbors=k).fit(features @ whitening))

    def score(self, features: ArrayLike) -> NDArray[np.float64]:
        """Return the distance to the k-th nearest known sample, shape (n,)."""
        features = _matrix(features, "features", width=len(self.whitening))
        return self.neighbours.kneighbors(features @ self.whitening)[0][:, -1]


def auroc(
    known: ArrayLike,
    foreign: ArrayLike,
    known_groups: NDArray,
    foreign_groups: NDArray,
    rng: Generator,
    *,
    n_resamples: int = 200,
) -> dict[str, float]:
    """Return the probability that a foreign reaction scores higher than a known one.

    Parameters
    ----------
    known, foreign
        Scores, shape (n,) and (m,).
    known_groups, foreign_groups
        Parameter set of each sample, numbers, shape (n,) and (m,).
    rng, n_resamples
        Source and number of bootstrap resamples, see `kinetlib.evaluate.bootstrap`.

    Returns
    -------
    dict
        ``value``, and ``low`` and ``high`` of the 95 % interval over parameter sets; 0.5 is chance.

    Raises
    ------
    ValueError
        Scores that are empty, not finite, or do not fit their groups.
    """
    from sklearn.metrics import roc_auc_score

    sides = {"known": (known, known_groups), "foreign": (foreign, foreign_groups)}
    scores, groups = [], []
    for name, (score, group) in sides.items():
        score, group = np.asarray(score, dtype=float), np.asarray(group)
        if not score.size or score.shape != group.shape or not np.isfinite(score).all():
            raise ValueError(
                f"{name}: expected finite scores and a group of each, got shapes {score.shape} "
                f"and {group.shape}"
            )
        scores.append(score)
        # A foreign and a known reaction never share a parameter set, whatever their numbers.
        groups.append(np.column_stack([group, np.full(len(group), name == "foreign")]))
    score = np.concatenate(scores)
    stranger = np.repeat([0, 1], [len(scores[0]), len(scores[1])])
    low, high = bootstrap(
        np.arange(len(score)),
        np.concatenate(groups),
        rng,
        n_resamples=n_resamples,
        statistic=lambda at, w: float(roc_auc_score(stranger[at], score[at], sample_weight=w)),
    )
    return {"value": float(roc_auc_score(stranger, score)), "low": low, "high": high}


def _matrix(values: ArrayLike, name: str, width: int | None = None) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=float)
    fits = values.ndim == 2 and values.size and width in (None, values.shape[1])
    if not fits or not np.isfinite(values).all():
        raise ValueError(
            f"{name}: expected finite numbers of shape (n, {width or 'any'}), got {values.shape}"
        )
    return values
