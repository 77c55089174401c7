"""The study of planned experiments: what is written is read back, and judged on other samples."""

import json
from pathlib import Path

import numpy as np
import pytest

from kinetlib.experiments.bank import simulate_bank
from kinetlib.kinetics import mechanisms
from kinetlib.records import repository
from kinetlib.records.pieces import chosen, compute, done
from kinetlib.runs import plans
from kinetlib.runs.plans import Experiment
from studies.experiment_design import study
from studies.experiment_design.kinds import BASELINE, CEILING, FEWER, PLANNED, RANDOM, T_OPTIMAL

CANDIDATES = plans.grid()


def _guess(runs):
    """A classifier that reads the substrate half-way of the first run, and little more."""
    middle = np.nanmean(runs.substrate, axis=(1, 2))
    said = np.exp(-((middle[:, None] - np.linspace(0, 1, 20)) ** 2) / 0.1)
    return said / said.sum(1, keepdims=True)


def test_what_is_described_is_read_back():
    rows = plans.rows_of(CANDIDATES, plans.schemes(6))
    one = Experiment(
        (3, 30, 17), (rows["to 1, bend 1"], rows["to 0.4, bend 2"], rows["to 1, bend 3"])
    )
    record = json.loads(json.dumps(plans.described(one, CANDIDATES)))
    assert plans.read(record, CANDIDATES) == one
    assert len(record["runs"][0]["times"]) == 7


@pytest.mark.parametrize(("key", "value"), [("loading", 0.5), ("times", [0.0, 0.002])])
def test_a_record_of_other_candidates_is_refused(key, value):
    rows = plans.rows_of(CANDIDATES, plans.schemes(6))
    record = plans.described(Experiment.common((1,), rows["to 1, bend 1"]), CANDIDATES)
    record["runs"][0][key] = value
    with pytest.raises(ValueError, match="of other candidates"):
        plans.read(record, CANDIDATES)


def test_every_kind_is_judged_on_the_same_parameter_sets_at_each_level():
    rows = plans.rows_of(CANDIDATES, plans.schemes(6))
    chosen = {
        PLANNED: Experiment.common((0, 9, 20, 33), rows["to 1, bend 1"]),
        CEILING: Experiment.common(tuple(range(8)), rows["to 1, bend 1"]),
    }
    told, labels = study.judge(chosen, _guess, sets=2, calibrating=2, seed=1)
    assert labels.tolist() == np.repeat(np.arange(20), 2).tolist()
    assert set(told) == set(study.NOISE)
    for kinds in told.values():
        assert set(kinds) == {BASELINE, FEWER, RANDOM, PLANNED, CEILING}
        for one in kinds.values():
            assert one.top_1.shape == one.cross_entropy.shape == (40,)
            assert (
                one.cross_entropy.mean() < np.log(20) + 0.1
            )  # the temperature mends overconfidence


def test_the_choice_by_distance_beats_what_it_starts_from():
    known = list(mechanisms.catalogue().values())
    bank, _ = simulate_bank(known, 3, CANDIDATES, 8)
    one, more = study.t_optimal(bank, 0.015, 3)
    course = more["criterion"]
    assert course["greedy"] <= course["common times"] <= course["exchange"]
    assert len(one.runs) == study.RUNS and one.points == study.POINTS
    assert one.times[0][0] == 0


def test_the_record_of_the_book_is_whole():
    path = repository.root(Path(__file__).parent) / "data" / "studies" / "experiment_design.json"
    study = json.loads(path.read_text())
    assert study["candidates"] == len(CANDIDATES)
    for record in study["networks"].values():
        for name, points in ((PLANNED, 7), (T_OPTIMAL, 7), (CEILING, 21)):
            one = plans.read(record["experiments"][name], CANDIDATES)
            assert one.points == points
        for table in record["comparison"].values():
            for measures in table.values():
                for measure in measures.values():
                    assert measure["low"] <= measure["value"] <= measure["high"]
            assert table[BASELINE]["cross_entropy_gain"]["value"] == 0


@pytest.mark.slow
def test_a_network_goes_on_learning_where_it_was_interrupted(tmp_path):
    from dataclasses import replace

    from kinetlib import fusion
    from studies.experiment_design.network import Lessons, learn_on

    lessons = Lessons(sets_per_mechanism=2, pools=2, batches=4, batch_size=16)
    whole = learn_on(fusion.build("runset", 20, 3), lessons, tmp_path / "whole")
    learn_on(fusion.build("runset", 20, 3), replace(lessons, pools=1), tmp_path / "parts")
    told = []
    # The rate of the second pool is that of two: only the number of pools done is remembered.
    resumed = learn_on(fusion.build("runset", 20, 4), lessons, tmp_path / "parts", told.append)
    assert [record["pool"] for record in told] == [2]
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_choices_are_judged_and_put_together(tmp_path, monkeypatch):
    few = {"SETS": 3, "FEW": 2, "PAIRED": 2, "JUDGED": 2, "CALIBRATING": 2, "SCREENED": 2}
    for name, value in {**few, "NETWORKS": ("released",)}.items():
        monkeypatch.setattr(study, name, value)
    monkeypatch.setattr(study, "_asked", lambda folder, network: _guess)
    work = list(study.pieces(tmp_path))
    with pytest.raises(ValueError, match="released/information_7_points is not: compute"):
        compute(tmp_path, chosen(work, ["evidence", "M1"], 0, 1))
    compute(tmp_path, chosen(work, ["released"]))
    made = done(tmp_path, work)
    record = json.loads(json.dumps(study.record(tmp_path, made), allow_nan=False))
    found = record["networks"]["released"]
    assert found["judged_on"] == 40 and set(found["comparison"]) == {"0.01", "0.02"}
    planned = plans.read(found["experiments"][PLANNED], CANDIDATES)
    assert planned == study._chosen(tmp_path, "released", PLANNED)[PLANNED]
    assert plans.read(found["experiments"][CEILING], CANDIDATES).points == 21
    assert record["evidence"] == {"samples": 0, "noise": 0.01, "kinds": {}}
