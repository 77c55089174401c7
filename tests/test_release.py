"""The released network: priors it never saw, and trainings that go on elsewhere."""

import json

import numpy as np
import pytest

from kinetlib.fusion import checkpoint
from kinetlib.runs.sample import TEST, Family
from studies import priors, release


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(priors, "SETS_PER_MECHANISM", 3)


def test_no_prior_that_tests_is_one_that_trains():
    trained = [(release.SUPPLY.design, release.SUPPLY.design), (release.SUPPLY.family, None)]
    for name, where in priors.PRIORS.items():
        assert where.prior != release.SUPPLY.family, name
        plain = where.prior in (TEST, *(prior for prior, _ in trained))
        assert not plain or where.design != TEST or where.freedom, name
        if isinstance(where.prior, Family):
            assert where.prior.decades[0] == where.prior.decades[1], name


def test_samples_of_each_prior_are_measured_runs(few):
    made = priors.tested()
    assert len(made) == 6
    for name, (runs, labels) in made.items():
        assert len(runs) == len(labels) == 60 and np.bincount(labels).tolist() == [3] * 20, name
        assert runs.time.shape == (60, 4, 7) and np.isfinite(runs.substrate).all(), name
        assert np.array_equal(runs.substrate[..., 0], np.float32(runs.substrate_0)), name
    again = priors.tested()
    assert all(np.array_equal(made[n][0].product, again[n][0].product) for n in made)


def test_a_release_on_the_way_begins_as_the_whole_training():
    whole, interim = release.RECIPES["whole"], release.RECIPES["interim"]
    assert whole.begins_as(interim) and interim.epochs < whole.epochs


def test_a_training_is_carried_to_another_folder(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    state = {"model": "epoch-00002.keras", "steady": "epoch-00001.keras", "history": [1, 2]}
    for name in (state["model"], state["steady"], "epoch-00000.keras"):
        (here / name).write_text(name)
    (here / "state.json").write_text(json.dumps(state))
    checkpoint.copied(here, there)
    assert json.loads((there / "state.json").read_text()) == state
    assert sorted(p.name for p in there.glob("*.keras")) == [state["steady"], state["model"]]
