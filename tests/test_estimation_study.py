"""The study of experiments that pin rate constants: it goes on, and its record is of this code."""

import json
from pathlib import Path

import pytest

from kinetlib.chapters import profiles
from kinetlib.kinetics import mechanisms
from kinetlib.records import repository
from kinetlib.records.pieces import chosen, compute, done
from kinetlib.runs import plans
from studies.estimation_design import study
from studies.estimation_design.study import Settings

SMALL = Settings(bank=40, draws=3, n_runs=2, n_times=2, candidate_times=4, parts=2, fresh=4)
FEW = ("M1", "M2")


@pytest.fixture
def few(monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)


@pytest.fixture(scope="module")
def record():
    path = repository.root(Path(__file__).parent) / "data" / "studies" / "estimation_design.json"
    return json.loads(path.read_text(encoding="utf-8"))


def test_a_plan_does_not_depend_on_the_others_and_the_record_needs_all(few, tmp_path):
    work = list(study.pieces(tmp_path, settings=SMALL))
    compute(tmp_path, chosen(work, ["M2"]))
    with pytest.raises(ValueError, match="no plan for M1 in"):
        study.record(tmp_path, done(tmp_path, work))
    compute(tmp_path, work)
    found = study.record(tmp_path, done(tmp_path, work))
    assert json.loads(json.dumps(found, allow_nan=False))["settings"] == SMALL.model_dump()
    assert list(found["mechanisms"]) == list(FEW)
    again = study.piece("M2", SMALL)
    assert again["runs"] == found["mechanisms"]["M2"]["runs"]
    assert again["criterion"] == pytest.approx(found["mechanisms"]["M2"]["criterion"], abs=1e-4)


def test_settings_are_those_of_the_chapter_on_a_laptop():
    chapter = profiles.load("laptop").chapters.experiment_design
    settings = Settings()
    assert settings.seed == chapter.seed
    assert settings.noise == chapter.noise
    assert settings.bank == chapter.estimation_draws + chapter.estimation_samples


def test_the_record_is_that_of_the_study_as_it_is(record):
    settings = Settings()
    assert record["settings"] == settings.model_dump(mode="json")
    assert list(record["mechanisms"]) == list(mechanisms.catalogue())
    candidates = plans.even_grid(settings.candidate_times)
    for name, found in record["mechanisms"].items():
        planned = plans.read(found, candidates)
        assert (len(planned.runs), planned.points) == (settings.n_runs, settings.n_times)
        assert found["relaxed"]["efficiency"] <= found["branched"]["efficiency"] <= 1, name
        assert found["criterion"] <= found["relaxed"]["criterion"]
        assert found["relaxed"]["efficiency"] <= found["given_runs"] + 0.01 <= 1.01
        assert 0 < found["draws"] <= settings.draws


def test_a_mechanism_planned_anew_agrees_with_the_record(record):
    found = record["mechanisms"]["M1"]
    again = study.planned("M1", Settings())
    candidates = again.told.candidates
    recorded = plans.read(found, candidates)
    # Another processor may round an exchange the other way, to an experiment as good.
    assert again.told.criterion(recorded) == pytest.approx(found["criterion"], abs=1e-3)
    assert again.told.criterion(again.experiment) == pytest.approx(found["criterion"], abs=1e-2)
    assert again.efficiency == pytest.approx(found["branched"]["efficiency"], abs=5e-3)


def test_the_page_of_results_says_what_the_record_says(record):
    page = repository.root(Path(__file__).parent) / "book" / "outcomes.md"
    text = " ".join(page.read_text(encoding="utf-8").split())
    least = min(found["branched"]["efficiency"] for found in record["mechanisms"].values())
    assert f"have at least {100 * least:.0f} % of the best possible D-efficiency" in text
