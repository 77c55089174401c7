r"""Experiments that tell mechanisms apart: two criteria, and one search.

*Information.* An experiment :math:`\xi` tells about the mechanism :math:`m` as much as it lowers
the entropy of :math:`m` on average. A classifier :math:`q` bounds it from below (Barber and Agakov,
Adv. Neural Inf. Process. Syst. 16, 2003; Foster et al., ibid. 32, 2019),

.. math:: I(m; y \mid \xi) \ge H(m) + \mathbb E \ln q(m \mid y, \xi),

that is, by the entropy beforehand less the cross-entropy of what it says of data simulated at the
experiment. A network that reads any experiment needs no training for that. Where it is weaker than
Bayes' rule the bound is too low, and lower where it is weaker: it favours what the network reads
well.

*T-optimality* (Atkinson and Fedorov, Biometrika 62, 57, 1975) asks for the largest distance between
what one mechanism makes and the nearest that another can make, in units of the noise. Here the
nearest is sought among the simulated parameter sets of all other mechanisms, and the median is
taken over those that make the data: the mean would be that of the pairs that nothing could confuse.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kinetlib import evaluate
from kinetlib.evaluate import calibration
from kinetlib.experiments.bank import Bank
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Experiment
from kinetlib.runs.runs import Runs

Score = Callable[[Experiment], float]
Asked = Callable[[Runs], NDArray[np.float64]]


def information(probabilities: NDArray, labels: NDArray[np.int64]) -> float:
    """Return the bound on the expected information gain, nats; mechanisms weigh alike.

    Parameters
    ----------
    probabilities
        What a classifier says of samples, shape (n, c).
    labels
        Their mechanisms, shape (n,), each as often.
    """
    beforehand = np.log(probabilities.shape[1])
    return float(beforehand - evaluate.cross_entropy(probabilities, labels).mean())


def tempered_information(probabilities: NDArray, labels: NDArray[np.int64]) -> float:
    """Return the bound after the best temperature, which is fitted to the same samples.

    One number for thousands of samples: what it overstates is below a thousandth of a nat.
    """
    temperature = calibration.fit_temperature(probabilities, labels)
    return information(calibration.at_temperature(probabilities, temperature), labels)


class NearestRival:
    """T-optimality over a bank: the distance to the nearest rival, median over what is true.

    Parameters
    ----------
    bank
        Some ten to a hundred parameter sets a mechanism: distances of all pairs are kept, for each
        run and times that are asked for.
    noise
        What distances are counted in.
    """

    def __init__(self, bank: Bank, noise: Noise) -> None:
        """Lay out what all experiments share."""
        self._curves = np.moveaxis(bank.values.astype(np.float64), 0, -2)  # (R, T, n, 2)
        self._weights = 1 / noise.variance(self._curves)
        self._rivals = bank.labels[:, None] != bank.labels
        self._known: dict[tuple[int, tuple[int, ...]], NDArray[np.float32]] = {}

    def distances(self, run: int, times: Sequence[int]) -> NDArray[np.float32]:
        """Squared distances from each parameter set (row) to each (column) at one run, (n, n)."""
        key = run, tuple(times)
        if key not in self._known:
            n = self._curves.shape[2]
            at = [i for i in times if i]  # t = 0 was weighed in and says nothing
            values = np.moveaxis(self._curves[run][at], 0, 1).reshape(n, -1)
            weights = np.moveaxis(self._weights[run][at], 0, 1).reshape(n, -1)
            own = (weights * values**2).sum(1, keepdims=True)
            square = own - 2 * (weights * values) @ values.T + weights @ (values**2).T
            self._known[key] = np.maximum(square, 0).astype(np.float32)
        return self._known[key]

    def forget(self) -> None:
        """Drop the distances that were kept."""
        self._known.clear()

    def __call__(self, experiment: Experiment) -> float:
        """Return the criterion of an experiment, in squared units of the noise."""
        total = sum(
            self.distances(run, times)
            for run, times in zip(experiment.runs, experiment.times, strict=True)
        )
        nearest = np.where(self._rivals, total, np.inf).min(1)
        return float(np.median(nearest))


class InformationBound:
    """The information that a classifier finds in an experiment, on a bank.

    Parameters
    ----------
    bank
        Parameter sets, each mechanism as often; thousands, or the best of many experiments is the
        luckiest.
    asked
        The classifier: runs in, probabilities (n, c) out.
    level
        Relative noise.
    """

    def __init__(self, bank: Bank, asked: Asked, level: float) -> None:
        """Remember every answer: a search asks for some experiments more than once."""
        self._bank, self._asked, self._level = bank, asked, level
        self._known: dict[Experiment, float] = {}

    def __call__(self, experiment: Experiment) -> float:
        """Return the bound of an experiment, nats."""
        if experiment not in self._known:
            said = self._asked(self._bank.measured(experiment, self._level))
            self._known[experiment] = tempered_information(said, self._bank.labels)
        return self._known[experiment]


@dataclass(frozen=True)
class Step:
    """One step of a search: the experiment it came to, and what the criterion says of it."""

    experiment: Experiment
    value: float
    what: str


class Search:
    """Greedy over runs, then exchange of runs and of their times.

    Parameters
    ----------
    score
        The criterion, larger is better.
    screen
        A cheaper criterion that orders the alternatives of each step, and how many of them, the
        best first, are put to `score`; all are, without.
    allowed
        Candidate runs to choose from.
    progress
        Called after each step.
    """

    def __init__(
        self,
        score: Score,
        allowed: Sequence[int],
        *,
        screen: tuple[Score, int] | None = None,
        progress: Callable[[Step], None] = lambda step: None,
    ) -> None:
        """Keep the criterion and the candidates."""
        self._score, self._screen, self._allowed = score, screen, tuple(allowed)
        self._progress = progress

    def greedy(self, n_runs: int, times: Sequence[int], start: Experiment | None = None) -> Step:
        """Add the best run, one after the other, all sampled at the same times."""
        step = Step(start, -np.inf, "start") if start else None
        while step is None or len(step.experiment.runs) < n_runs:
            taken = step.experiment.runs if step else ()
            options = [
                step.experiment.with_run(run, times) if step else Experiment.common((run,), times)
                for run in self._allowed
                if run not in taken
            ]
            step = self._best(options, f"run {len(taken) + 1}")
        return step

    def common_times(self, step: Step, rows: Mapping[str, Sequence[int]]) -> Step:
        """Try other times, the same for all runs."""
        options = [Experiment.common(step.experiment.runs, times) for times in rows.values()]
        return self._better(step, options, "common times")

    def exchange(self, step: Step, rows: Mapping[str, Sequence[int]], sweeps: int = 2) -> Step:
        """Exchange one run, or the times of one run, while that helps, ``sweeps`` times at most."""
        for _ in range(sweeps):
            before = step
            for place in range(len(step.experiment.runs)):
                own = step.experiment
                others = [run for run in self._allowed if run not in own.runs]
                options = [own.exchanged(place, run, own.times[place]) for run in others]
                step = self._better(step, options, f"exchange of run {place + 1}")
                own = step.experiment
                options = [own.exchanged(place, own.runs[place], times) for times in rows.values()]
                step = self._better(step, options, f"times of run {place + 1}")
            if step is before:
                break
        return step

    def _better(self, step: Step, options: Sequence[Experiment], what: str) -> Step:
        found = self._best(options, what)
        return found if found.value > step.value else step

    def _best(self, options: Sequence[Experiment], what: str) -> Step:
        if not options:
            raise ValueError("no candidate run is left to choose: allow more of them")
        if self._screen:
            cheap, most = self._screen
            options = sorted(options, key=cheap, reverse=True)[:most]
        values = [self._score(option) for option in options]
        best = int(np.argmax(values))
        step = Step(options[best], values[best], what)
        self._progress(step)
        return step
