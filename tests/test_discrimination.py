"""Criteria that tell mechanisms apart, and the search for the experiment that has most of them."""

from itertools import combinations

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.evaluate.intervals import interval
from kinetlib.experiments import discrimination
from kinetlib.experiments.bank import simulate_bank
from kinetlib.experiments.discrimination import InformationBound, NearestRival, Search, information
from kinetlib.kinetics import mechanisms
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Candidates, Experiment
from studies.experiment_design.kinds import Told, comparison

FEW = [mechanisms.get(name) for name in ("M1", "M6", "M13")]
CANDIDATES = Candidates(
    [0.01, 0.02, 0.05, 0.1, 0.05], [1, 1, 1, 1, 0.6], [0, 0, 0, 0, 0.4], [0, 0.1, 0.3, 0.6, 1.0]
)


@pytest.fixture(scope="module")
def bank():
    return simulate_bank(FEW, 10, CANDIDATES, 3, threads=1)[0]


def test_information_is_the_entropy_for_a_classifier_that_knows_and_nothing_for_a_guess():
    labels = np.array([0, 1, 2, 3])
    assert information(np.eye(4), labels) == pytest.approx(np.log(4))
    assert information(np.full((4, 4), 0.25), labels) == pytest.approx(0)


def test_the_bound_holds_for_a_classifier_that_is_too_sure():
    """Two normal distributions one deviation apart: the posterior by Bayes' rule, and a worse."""
    rng = default_rng(1)
    labels = rng.integers(2, size=20_000)
    y = labels + rng.standard_normal(20_000)
    logit = y - 0.5

    def said(sharpness):
        p = 1 / (1 + np.exp(-sharpness * logit))
        return np.stack([1 - p, p], 1)

    best = information(said(1.0), labels)
    assert information(said(6.0), labels) < best
    # One temperature makes the second into the first.
    assert discrimination.tempered_information(said(6.0), labels) == pytest.approx(best, abs=1e-3)


def test_the_nearest_rival_is_what_a_loop_finds(bank):
    level, floor = 0.02, 1e-3
    chosen = Experiment((1, 4), ((0, 1, 4), (0, 2, 3)))
    nearest = []
    for i in range(len(bank)):
        away = []
        for j in np.flatnonzero(bank.labels != bank.labels[i]):
            total = 0.0
            for run, times in zip(chosen.runs, chosen.times, strict=True):
                for t in times[1:]:
                    for curve in np.moveaxis(bank.values, -1, 0):
                        own, other = float(curve[i, run, t]), float(curve[j, run, t])
                        total += (own - other) ** 2 / ((level * own) ** 2 + floor**2)
            away.append(total)
        nearest.append(min(away))
    found = NearestRival(bank, Noise(level, floor))(chosen)
    assert found == pytest.approx(np.median(nearest), rel=1e-4)


def test_more_runs_and_points_never_bring_rivals_nearer(bank):
    score = NearestRival(bank, Noise(0.02))
    small = score(Experiment.common((1, 4), (0, 2, 4)))
    assert score(Experiment.common((1, 4, 0), (0, 2, 4))) >= small
    assert score(Experiment.common((1, 4), (0, 1, 2, 4))) >= small
    assert score(Experiment.common((4, 1), (0, 2, 4))) == pytest.approx(small)
    score.forget()
    assert score(Experiment.common((1, 4), (0, 2, 4))) == small


def test_search_finds_the_best_of_a_criterion_that_adds_up():
    worth = {0: 3.0, 1: 1.0, 2: 5.0, 3: 0.5, 4: 4.0}

    def score(one):
        return sum(worth[r] + max(t) / 10 for r, t in zip(one.runs, one.times, strict=True))

    rows = {"short": (0, 1), "long": (0, 4)}
    search = Search(score, range(5))
    step = search.exchange(search.greedy(3, rows["short"]), rows)
    assert set(step.experiment.runs) == {0, 2, 4}
    assert set(step.experiment.times) == {(0, 4)}
    assert step.value == pytest.approx(12 + 1.2)


def test_exchange_mends_what_greed_spoils(bank):
    """Of all pairs of runs the search finds one no worse than greed's, and no single swap helps."""
    score = NearestRival(bank, Noise(0.02))
    rows = {"even": (0, 1, 2, 3, 4)}
    search = Search(score, range(5))
    greedy = search.greedy(2, rows["even"])
    step = search.exchange(greedy, rows, sweeps=5)
    values = {
        pair: score(Experiment.common(pair, rows["even"])) for pair in combinations(range(5), 2)
    }
    assert greedy.value <= step.value <= max(values.values())
    own = set(step.experiment.runs)
    near = [value for pair, value in values.items() if len(own & set(pair)) == 1]
    assert step.value >= max(near) - 1e-6


def test_a_screen_asks_the_dear_criterion_less_often():
    calls = []

    def dear(one):
        calls.append(one)
        return -abs(one.runs[-1] - 3)

    step = Search(dear, range(20), screen=(lambda one: -abs(one.runs[-1] - 3.2), 4)).greedy(
        1, (0, 1)
    )
    assert step.experiment.runs == (3,)
    assert len(calls) == 4


def test_a_search_without_candidates_is_refused():
    with pytest.raises(ValueError, match="no candidate run is left"):
        Search(lambda one: 0.0, [1]).greedy(2, (0, 1))


def test_a_classifier_is_asked_once_for_an_experiment(bank):
    calls = []

    def asked(runs):
        calls.append(len(runs))
        said = np.full((len(runs), 3), 0.1)
        said[np.arange(len(runs)), bank.labels] = 0.8
        return said

    score = InformationBound(bank, asked, 0.01)
    one = Experiment.common((0, 3), (0, 2, 4))
    assert score(one) == score(Experiment.common((0, 3), (0, 2, 4)))
    assert calls == [30]
    assert score(one) == pytest.approx(np.log(3), abs=0.01)  # always right: the temperature says so


def test_paired_intervals_are_narrower_than_the_parts():
    rng = default_rng(2)
    hard = rng.exponential(size=4000)
    base, top = Told((hard < 1) + 0.0, hard), Told((hard < 2) + 0.0, 0.5 * hard)
    mid = Told((hard < 1.5) + 0.0, 0.8 * hard + 0.01 * rng.standard_normal(4000))
    table = comparison({"base": base, "mid": mid, "top": top}, "base", "top", default_rng(3))
    gain, own = table["mid"]["cross_entropy_gain"], table["mid"]["cross_entropy"]
    assert gain["high"] - gain["low"] < own["high"] - own["low"]
    assert table["mid"]["gap_closed"]["value"] == pytest.approx(0.4, abs=0.01)
    closed = table["mid"]["gap_closed"]
    assert closed["low"] < closed["value"] < closed["high"] < 0.41
    assert table["top"]["gap_closed"] == pytest.approx({"value": 1, "low": 1, "high": 1})
    assert table["base"]["top_1_gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_interval_of_a_mean_is_the_normal_one():
    values = default_rng(4).standard_normal(2000)
    found = interval(values, default_rng(5), n_resamples=4000)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found["value"] == pytest.approx(values.mean())
    assert (found["high"] - found["low"]) / 2 == pytest.approx(half, rel=0.08)


def test_several_experiments_of_a_set_count_as_one():
    said = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    told = Told.of(said, np.array([0, 1]), each=2)
    assert told.top_1.tolist() == [0.5, 1.0]
    assert told.cross_entropy[1] == pytest.approx(-(np.log(0.8) + np.log(0.7)) / 2)
