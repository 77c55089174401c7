"""The two classifiers that training designs are tried on, and how they are judged."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.linear_model import LogisticRegression

from kinetlib import evaluate, fusion
from kinetlib.fusion import Batches, Recipe
from kinetlib.kinetics import mechanisms
from kinetlib.records import quiet
from kinetlib.runs.runs import Runs
from studies.training_design.points import Labelled, Representation

Classifier = Callable[[Runs], NDArray[np.float64]]
_SHOWN = 500  # validation samples, of all mechanisms


def kernel_classifier(
    seen: Representation, marks: Runs, train: Labelled, penalty: float
) -> tuple[Classifier, dict[str, Any]]:
    """Train multinomial logistic regression on features of the trajectory kernel.

    Parameters
    ----------
    seen
        How samples become points.
    marks
        Landmarks whose kernel with a sample gives its features (Williams and Seeger, NIPS 2000).
        They are the same whatever is trained on: selections differ in their samples alone.
    train
        Measured samples.
    penalty
        Inverse strength of the regularisation.

    Returns
    -------
    callable, dict
        Probabilities (n, mechanisms) of curves; and how many iterations it took.
    """
    points = seen(marks)

    def similar(curves: Runs) -> NDArray:
        return np.exp(-0.5 * cdist(seen(curves), points, "sqeuclidean") / seen.width**2)

    values, vectors = np.linalg.eigh(similar(marks))
    whiten = vectors / np.sqrt(np.maximum(values, 1e-8 * values[-1]))

    def features(curves: Runs) -> NDArray[np.float32]:
        return (similar(curves) @ whiten).astype(np.float32)

    model = LogisticRegression(C=penalty, tol=1e-3, max_iter=500)
    model.fit(features(train.curves), train.labels)

    def predict(curves: Runs) -> NDArray[np.float64]:
        found = np.full((len(curves), len(mechanisms.catalogue())), 0.0)
        found[:, model.classes_] = model.predict_proba(features(curves))
        return found

    return predict, {"iterations": int(model.n_iter_[0])}


def network_classifier(
    exact: Labelled,
    validation: Labelled,
    passes: int,
    noise: float,
    seed: int,
    checkpoints: Path,
) -> tuple[Classifier, dict[str, Any]]:
    """Train the Hadamard network.

    Parameters
    ----------
    exact
        Samples without noise, which each batch adds anew.
    validation
        Measured samples, of which a few tell how training goes; nothing is chosen by them.
    passes
        Samples shown, the same for all sizes: small sets are repeated more often.
    noise
        Relative standard deviation.
    seed
        Of first weights and batches.
    checkpoints
        Folder to go on from, removed when training is over.

    Returns
    -------
    callable, dict
        Probabilities (n, mechanisms) of curves; and the seconds it took.
    """
    recipe = Recipe(
        fusion="hadamard",
        seed=seed,
        sample_passes=passes,
        batch_size=256,
        noise=(noise,),
        min_points=12,
        max_points=20,
    )
    some = validation[:: max(1, len(validation) // _SHOWN)]
    shown = fusion.inputs_of(recipe.fusion, recipe.features)(some.curves)
    with quiet.tensorflow_warnings():  # each network has a compiled function of its own
        model, history = fusion.train(
            lambda epoch: Batches(exact.curves, exact.labels, recipe, epoch),
            (shown, some.labels),
            recipe,
            list(mechanisms.catalogue()),
            checkpoints,
        )
    shutil.rmtree(checkpoints)
    return lambda curves: fusion.predict(model, curves), {"seconds": history[-1]["seconds"]}


def measures(probabilities: NDArray, labels: NDArray) -> dict[str, float]:
    """Return accuracy, cross-entropy and the recall of the class that is told worst."""
    right = probabilities.argmax(1) == labels
    recall = [right[labels == c].mean() for c in np.unique(labels)]
    return {
        "top_1": float(right.mean()),
        "top_3": float(evaluate.top_k(probabilities, labels, 3).mean()),
        "cross_entropy": float(evaluate.cross_entropy(probabilities, labels).mean()),
        "worst_recall": float(min(recall)),
    }
