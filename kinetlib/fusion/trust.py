"""How far an answer can be trusted: probabilities, sets and strangeness, by what is known of runs.

A network is too sure of some runs and not sure enough of others. What can be told without knowing
the mechanism decides which: whether runs follow the published design or are a laboratory's own,
how many there are, how many points they have, and how noisy they look. For each such condition
samples with known mechanism give a temperature, conformal sets and the usual distance to what the
network was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from kinetlib.evaluate.calibration import ConformalSets, at_temperature, fit_temperature
from kinetlib.evaluate.novelty import ClassDistance
from kinetlib.records.files import replacing
from kinetlib.runs.noise import NOISE_BINS, estimate_noise
from kinetlib.runs.runs import Runs

LEVEL = 0.95
PUBLISHED, LABORATORY = "published design", "laboratory"
_POINTS = (6, 11)  # bounds of the number of points a run, t = 0 included
_RUNS = (2, 3, 4, 5, 7)  # bounds of the number of runs, of laboratories
_COARSE = 0.014  # bound of estimated noise, of laboratories; where it is unknown, a third bin
_SHARES = np.concatenate([np.linspace(0, 0.9, 19), np.linspace(0.91, 1, 10)])


@dataclass(frozen=True)
class Answer:
    """What a network says of n samples, calibrated.

    Attributes
    ----------
    probabilities
        Shape (n, classes).
    members
        Which classes belong to the set that holds the true one with 95 %, shape (n, classes).
    noise
        Estimated relative noise of one reading, shape (n,); NaN where the runs do not tell.
    strangeness
        Share of known reactions, measured under the same condition, that lie nearer to what the
        network was trained on, shape (n,): near 1 the reaction may be from outside the catalogue.
    """

    probabilities: NDArray[np.float64]
    members: NDArray[np.bool_]
    noise: NDArray[np.float64]
    strangeness: NDArray[np.float64]


def noise_of(runs: Runs) -> NDArray[np.float64]:
    """Estimate the relative noise of each sample, see `kinetlib.runs.noise.estimate_noise`."""
    return estimate_noise(runs.time, runs.substrate, runs.product)


def published_design(runs: Runs) -> NDArray[np.bool_]:
    """Tell which samples are as the published design has them, shape (n,).

    Four runs with all species measured from t = 0; loadings of 1 to 10 %; three with the standard
    substrate alone, one with part of it turned into product.
    """
    present = np.isfinite(runs.loading)
    point = np.isfinite(runs.time)
    complete = (np.isfinite(runs.substrate) & np.isfinite(runs.product)) | ~point
    with np.errstate(invalid="ignore"):
        standard = (np.abs(runs.substrate_0 - 1) < 0.02) & (runs.product_0 < 0.02)
        turned = (np.abs(runs.substrate_0 + runs.product_0 - 1) < 0.02) & (runs.substrate_0 < 0.85)
        loadings = (runs.loading > 0.009) & (runs.loading < 0.11)
        started = runs.time[..., 0] == 0
    return (
        (present.sum(1) == 4)
        & ((standard | turned) & loadings & started | ~present).all(1)
        & (standard.sum(1) == 3)
        & complete.all((1, 2))
    )


def conditions(runs: Runs, noise: NDArray[np.float64]) -> NDArray[np.str_]:
    """Name the condition of each sample, from nothing but its runs, shape (n,)."""
    present = np.isfinite(runs.loading)
    counts = np.isfinite(runs.time).sum(-1)
    points = counts.sum(1) / present.sum(1)
    length = np.digitize(points, _POINTS)
    fine = np.digitize(noise, NOISE_BINS)
    coarse = np.where(np.isnan(noise), 2, noise >= _COARSE)
    number = np.digitize(present.sum(1), _RUNS)
    named = [
        f"{PUBLISHED}: points {length[i]}, noise {fine[i]}"
        if as_published
        else f"{LABORATORY}: runs {number[i]}, noise {coarse[i]}"
        for i, as_published in enumerate(published_design(runs))
    ]
    return np.array(named)


@dataclass(frozen=True)
class Trust:
    """Calibration of one network.

    Attributes
    ----------
    temperatures
        By condition.
    sets
        Conformal sets, each class a family of its own.
    distance
        Distance to the classes in the network's last hidden layer.
    nearer
        By condition the distances below which 0 to 100 % of known reactions lie, shape (shares,).
    """

    temperatures: dict[str, float]
    sets: ConformalSets
    distance: ClassDistance
    nearer: dict[str, NDArray[np.float64]]

    @classmethod
    def fit(
        cls,
        runs: Sequence[Runs],
        probabilities: NDArray,
        hidden: NDArray,
        labels: NDArray[np.int64],
        classes: Sequence[str],
    ) -> Trust:
        """Calibrate on samples that the network was not trained on.

        Parameters
        ----------
        runs
            Samples in groups of equal shape, n in all.
        probabilities, hidden, labels
            What the network says of them (n, classes), its last hidden layer (n, d), and their
            classes (n,).
        classes
            Names of the classes.

        Raises
        ------
        ValueError
            If a condition has too few samples of a class, see `ConformalSets.fit`.
        """
        noise = [noise_of(group) for group in runs]
        given = np.concatenate([conditions(*pair) for pair in zip(runs, noise, strict=True)])
        temperatures, calibrated = {}, np.empty_like(probabilities)
        distance = ClassDistance.fit(hidden, labels)
        away, nearer = distance.score(hidden), {}
        for name in np.unique(given):
            here = given == name
            temperatures[str(name)] = fit_temperature(probabilities[here], labels[here])
            calibrated[here] = at_temperature(probabilities[here], temperatures[str(name)])
            nearer[str(name)] = np.quantile(away[here], _SHARES)
        sets = ConformalSets.fit(calibrated, labels, classes, given, level=LEVEL)
        return cls(temperatures, sets, distance, nearer)

    def answer(self, runs: Runs, probabilities: NDArray, hidden: NDArray) -> Answer:
        """Calibrate what the network says of runs; shapes as in `fit`."""
        noise = noise_of(runs)
        given = np.array([self._known(name) for name in conditions(runs, noise)])
        away = self.distance.score(hidden)
        calibrated, strange = np.empty_like(probabilities), np.empty_like(away)
        for name in np.unique(given):
            here = given == name
            calibrated[here] = at_temperature(probabilities[here], self.temperatures[name])
            strange[here] = np.interp(away[here], self.nearer[name], _SHARES)
        readings = np.nanmean(runs.averaged, axis=(1, 2))
        members = self.sets.sets(calibrated, given)
        return Answer(calibrated, members, noise * np.sqrt(readings), strange)

    def _known(self, condition: str) -> str:
        """Return a condition that was calibrated: itself, or with the next noisier bin.

        Where none is noisier, the noisiest there is.
        """
        if condition in self.temperatures:
            return condition
        stem = condition.rsplit(" ", 1)[0]
        alike = [name for name in self.temperatures if name.startswith(f"{stem} ")]
        noisier = [name for name in alike if name > condition]  # bins have one digit
        return min(noisier) if noisier else max(alike or self.temperatures)

    def save(self, path: Path) -> dict[str, Any]:
        """Write arrays to an ``.npz`` file beside the network; return what goes into its card."""
        names = list(self.nearer)
        with replacing(path) as beside, beside.open("wb") as file:
            np.savez_compressed(
                file,
                means=self.distance.means.astype(np.float32),
                precision=self.distance.precision.astype(np.float32),
                nearer=np.stack([self.nearer[name] for name in names]).astype(np.float32),
            )
        return {"temperatures": self.temperatures, "sets": self.sets.to_dict(), "nearer": names}

    @classmethod
    def load(cls, path: Path, card: dict[str, Any]) -> Trust:
        """Read what `save` wrote; the file holds numbers only, and nothing in it is executed.

        Raises
        ------
        ValueError
            If the file is missing, is not what it should be, or does not fit the card.
        """
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                means, precision, shares = (
                    arrays[name].astype(float) for name in ("means", "precision", "nearer")
                )
            nearer = dict(zip(card["nearer"], shares, strict=True))
            temperatures = {name: float(value) for name, value in card["temperatures"].items()}
            sets = ConformalSets.from_dict(card["sets"])
        except (OSError, EOFError, BadZipFile, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"{path} with its card holds no calibration: {error}; expected the .npz file that "
                "was written with the network"
            ) from None
        return cls(temperatures, sets, ClassDistance(means, precision), nearer)
