"""The study of training designs, at the smallest size: it goes on, and says what it measured."""

import json
from pathlib import Path

import numpy as np
import pytest
from fusion_samples import in_place_of_networks
from numpy.random import default_rng

from kinetlib import design
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Refused
from studies import goals
from studies.goals import against_random, equivalent, student
from studies.training_design import classifiers, study
from studies.training_design.study import PART, PRIMARY, Settings, World, _beginnings

FEW = ("M1", "M6", "M9")
SMALL = Settings(
    replicates=2,
    pool_sets=20,
    test_sets=6,
    reference_sets=12,
    methods=("random", "sobol", "kdpp", "i_greedy", "i_greedy by conversion"),
    sizes=(15, 30),
    landmarks=20,
    network_replicates=1,
    network_methods=("random", "i_greedy"),
    network_sizes=(21,),
    network_passes=64,
)


@pytest.fixture
def few(monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)


def test_every_selector_named_is_one():
    settings = Settings()
    for learner in PART:
        for _, method, _ in settings.work(learner):
            name = method.removesuffix(study.BY_CONVERSION)
            assert name in design.METHODS or name == study.SOBOL
    assert set(study.NESTED) <= set(design.METHODS)
    assert PRIMARY in settings.methods and PRIMARY in settings.network_methods
    # Random is trained on what the goals ask it to be compared with.
    assert settings.sizes_of("kernel", "random") == (250, 500, 1000, 2000, 4000, 8000)
    assert settings.sizes_of("network", "random") == (700, 1000, 1400, 2000)


def test_beginnings_take_as_many_of_each_class():
    labels = np.array([2, 2, 0, 0, 0, 1, 1, 2])
    assert labels[_beginnings(labels, 6)].tolist() == [0, 0, 1, 1, 2, 2]
    assert _beginnings(labels, 4).tolist() == [2, 3, 5, 0]


@pytest.mark.parametrize("method", [*SMALL.methods, "fps", "rp_cholesky"])
def test_designs_are_even_over_mechanisms_and_of_the_size_asked(few, tmp_path, method):
    world = World(tmp_path, SMALL, 0)
    for size in (15, 30):
        train = world.train(method, size)
        assert len(train) == size
        if method != "random":
            assert np.bincount(train.labels).tolist() == [size // 3] * 3
    if method in study.NESTED or method == "random":
        smaller = {a.tobytes() for a in world.train(method, 15).curves.product}
        assert smaller <= {a.tobytes() for a in world.train(method, 30).curves.product}
    noisy = world.measured(world.train(method, 15))
    again = world.measured(world.train(method, 15))
    assert np.array_equal(noisy.curves.product, again.curves.product)
    assert not np.array_equal(noisy.curves.product, world.train(method, 15).curves.product)


def test_selectors_see_no_test_sample(few, tmp_path):
    world = World(tmp_path, SMALL, 1)
    pool = {a.tobytes() for a in world.pool.curves.loading}
    for tests in world.tests.values():
        assert not pool & {a.tobytes() for a in tests.curves.loading}
    assert not pool & {a.tobytes() for a in world.reference.curves.loading}


def test_measures_of_a_known_answer():
    probabilities = np.array([[0.5, 0.5, 0], [0.2, 0.8, 0], [0.9, 0.1, 0], [0.1, 0.2, 0.7]])
    found = classifiers.measures(probabilities, np.array([0, 1, 1, 2]))
    assert found["top_1"] == 0.75 and found["top_3"] == 1.0
    assert found["worst_recall"] == 0.5
    assert found["cross_entropy"] == pytest.approx(-np.log([0.5, 0.8, 0.1, 0.7]).mean())


def made(course, replicates=6, noise=0.0, seed=0):
    """Results of a method whose cross-entropy follows a course over sizes."""
    rng = default_rng(seed)
    return {
        (method, size): {
            r: {
                t: dict.fromkeys(goals.MEASURES, 0.0)
                | {"cross_entropy": value + noise * rng.normal()}
                for t in goals.TESTS
            }
            for r in range(replicates)
        }
        for (method, size), value in course.items()
    }


def test_a_design_worth_twice_the_samples_is_told_as_that():
    law = {("random", n): 3.0 - np.log(n / 500) for n in (500, 1000, 2000, 4000)}
    table = made(law | {("better", n): 3.0 - np.log(2 * n / 500) for n in (500, 1000, 2000)})
    for size in (500, 1000, 2000):
        found = equivalent(table, "better", size)
        assert found["value"] == pytest.approx(2.0) and found["beyond"] == 0
        assert against_random(table, 0.5)["better", size]["more"]["test_cross_entropy"][
            "value"
        ] == pytest.approx(0.0)
    assert equivalent(table, "random", 1000)["value"] == pytest.approx(1.0)
    far = made(law | {("perfect", 1000): 0.0})
    assert equivalent(far, "perfect", 1000) | {"beyond": 6} == {
        "value": pytest.approx(4.0),
        "low": pytest.approx(4.0),
        "high": pytest.approx(4.0),
        "beyond": 6,
    }
    assert "more" not in against_random(table, 0.5)["random", 4000]
    assert equivalent(made({("random", 500): 1.0, ("a", 500): 1.0}), "a", 500) is None


def test_differences_are_paired():
    shared = default_rng(5).normal(size=20)
    table = made({("random", 100): 2.0, ("a", 100): 1.9}, replicates=20)
    for results in table.values():
        for r, result in results.items():
            result["test"]["cross_entropy"] += shared[r]
    found = against_random(table, 0.5)["a", 100]["equal"]["test_cross_entropy"]
    assert found["value"] == pytest.approx(-0.1)
    assert found["high"] - found["low"] < 1e-9


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = default_rng(1)
    ends = [student(list(rng.normal(3.0, 1.0, 5))) for _ in range(2000)]
    covered = np.mean([e["low"] <= 3.0 <= e["high"] for e in ends])
    assert covered == pytest.approx(0.95, abs=0.02)
    assert student([2.0]) == {"value": 2.0, "low": None, "high": None}


@pytest.mark.parametrize(
    ("low", "high", "bound", "side", "expected"),
    [
        (-0.2, -0.1, 0.0, "most", "reached"),
        (-0.2, 0.0, 0.0, "most", "reached"),
        (-0.2, 0.1, 0.0, "most", "not decided"),
        (0.1, 0.2, 0.0, "most", "missed"),
        (0.1, 0.2, 0.0, "least", "reached"),
        (-0.2, -0.1, 0.0, "least", "missed"),
        (0.0, 0.0, 0.0, "least", "not decided"),
        (None, None, 0.0, "most", "not decided"),
        (0.5, 0.9, 1.0, "most", "reached"),
        (0.5, 0.9, 0.5, "least", "reached"),
        (0.5, 0.9, 0.7, "least", "not decided"),
        (1.0, 1.0, 1.0, "most", "not decided"),
    ],
)
def test_a_goal_is_reached_by_the_whole_interval(low, high, bound, side, expected):
    assert goals.verdict({"low": low, "high": high}, bound, side) == expected


def test_too_small_a_pool_is_told(few, tmp_path):
    with pytest.raises(ValueError, match="100 samples asked for, but the pool has 60.*pool_sets"):
        World(tmp_path, SMALL, 0).train("fps", 100)


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_interrupted(few, tmp_path, monkeypatch):
    monkeypatch.setattr(study.points, "N_COMPONENTS", 6)
    asked = []
    result = study._result

    def counted(*given):
        if len(asked) == 5:
            raise KeyboardInterrupt
        asked.append(given)
        return result(*given)

    monkeypatch.setattr(study, "_result", counted)
    with pytest.raises(KeyboardInterrupt):
        study.run(tmp_path, SMALL, "kernel")
    before = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "kernel").iterdir()}
    assert len(before) == 5
    monkeypatch.setattr(study, "_result", result)
    with in_place_of_networks(monkeypatch):
        for learner in PART:
            study.run(tmp_path, SMALL, learner)
    after = {p.name: p.stat().st_mtime_ns for p in (tmp_path / "kernel").iterdir()}
    assert before.items() <= after.items(), "what was done stays"
    assert len(after) == 24 and len(list((tmp_path / "network").iterdir())) == 3
    assert not list((tmp_path / "checkpoints").iterdir())

    found = json.loads(json.dumps(study.summary(tmp_path, SMALL)))
    for learner, sizes in (("kernel", {"15", "30"}), ("network", {"21"})):
        curves, against = found[learner]["curves"], found[learner]["against"]
        assert set(curves[PRIMARY]) == sizes
        for size in sizes:
            assert 0 <= curves[PRIMARY][size]["test_top_1"]["value"] <= 1
            difference = (
                curves[PRIMARY][size]["test_cross_entropy"]["value"]
                - curves["random"][size]["test_cross_entropy"]["value"]
            )
            equal = against[PRIMARY][size]["equal"]
            assert equal["test_cross_entropy"]["value"] == pytest.approx(difference)
            assert against[PRIMARY][size]["more"]["size"] == round(int(size) / PART[learner])
    assert {"versions", "commit", "settings", "processor"} <= set(found)

    told = study.goals(found)
    assert {g["classifier"] for g in told} == {"kernel", "network"} and len(told) == 2 * 2 + 1
    assert {g["verdict"] for g in told} <= {"reached", "missed", "not decided"}
    other = SMALL.model_copy(update={"noise": 0.02})
    with pytest.raises(Refused, match="noise is 0.01 there, expected 0.02"):
        study.summary(tmp_path, other)


def test_the_record_holds_both_sizes_of_pools(tmp_path):
    result = {name: dict.fromkeys(goals.MEASURES, 0.5) for name in goals.TESTS}
    made = {
        piece.key: Done(piece.name, dict(piece.settings), result, {"commit": "old"})
        for piece in study.pieces(tmp_path)
        if piece.key[1] < 2
    }
    record = study.record(tmp_path, made)
    path = Path(__file__).parents[1] / "data" / "studies" / "training_design.json"
    committed = json.loads(path.read_text(encoding="utf-8"))
    for found, known in ((record, committed), (record["large"], committed["large"])):
        assert found["settings"] == known["settings"]
        for learner in PART:
            for kind in ("curves", "against"):
                for method, own in known[learner][kind].items():
                    assert own.keys() <= found[learner][kind][method].keys()
