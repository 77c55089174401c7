"""The released network: priors it never saw, and trainings that go on elsewhere."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from fusion_samples import laboratory

from kinetlib import fusion
from kinetlib.fusion import checkpoint
from kinetlib.runs.sample import TEST, Family
from studies.release import priors, training
from studies.release.training import RECIPE, SUPPLY


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(priors, "SETS_PER_MECHANISM", 3)


def test_no_prior_that_tests_is_one_that_trains():
    trained = [(SUPPLY.design, SUPPLY.design), (SUPPLY.family, None)]
    for name, where in priors.PRIORS.items():
        assert where.prior != SUPPLY.family, name
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


@pytest.mark.parametrize(("steady", "falling"), [(1, 3), (7, 3), (113, 41), (420, 1)])
def test_a_release_on_the_way_begins_as_the_whole_training(steady, falling):
    short = training.shortened(RECIPE, steady, falling)
    assert RECIPE.begins_as(short)
    assert (short.epochs, short.steady_epochs) == (steady + falling, steady)


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


@pytest.mark.parametrize(("before", "speed"), [(0, 200 / 7.5), (1, 40.0), (2, 40.0)])
def test_the_epoch_that_compiles_does_not_count_as_slow(before, speed):
    """Epochs of 100 passes in 10, 5 and 2.5 s: the first since is left out where another is."""
    history = [
        {"sample_passes": 100 * (i + 1), "seconds": s} for i, s in enumerate((10.0, 15.0, 17.5))
    ]
    assert training._speed(history, before) == pytest.approx(speed)


REHEARSAL = """
import json, sys
from pathlib import Path
from kinetlib.fusion import recipe
from kinetlib.fusion.recipe import Sizes
from kinetlib.fusion.stream import Supply
from studies.release import training
recipe.EPOCH = training.EPOCH = 640
small = Sizes(width=8, token=8, heads=2, blocks=1)
short = training.RECIPE.model_copy(
    update={"batch_size": 64, "sizes": small, "sample_passes": 10**6, "lengths": (4, 5, 6)}
)
supply = Supply(1, sets_per_mechanism=4, samples_per_set=(2, 4), family_share=0.5)
folder = Path(sys.argv[1])
training.KEPT = folder / "none"
print(json.dumps(training.within(folder, float(sys.argv[2]), short, supply)))
"""


def rehearsed(folder, backend, minutes):
    done = subprocess.run(
        [sys.executable, "-c", REHEARSAL, str(folder), str(minutes)],
        env={**os.environ, "KERAS_BACKEND": backend},
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_what_a_processor_began_an_accelerators_backend_goes_on_with(tmp_path):
    begun = rehearsed(tmp_path, "tensorflow", 0.3)
    assert begun["sample_passes"][0] == 0 < begun["sample_passes"][1]
    found = rehearsed(tmp_path, "jax", 1.0)
    assert found["backend"] == "jax" and found["samples_per_second"] > 0
    steady = checkpoint.history(tmp_path / "checkpoints" / training.WHOLE)
    timed = checkpoint.history(tmp_path / "checkpoints" / training.TIMED)
    before, after = found["sample_passes"]
    assert 0 < before < 640 * len(steady) and after == 640 * len(timed)
    assert timed[: len(steady)] == steady and len(timed) > len(steady)
    assert json.loads((tmp_path / "measured.json").read_text())["history"] == timed
    card = json.loads((tmp_path / "models/timed/runset.json").read_text())
    assert len(card["history"]) == len(timed)
    model, _ = fusion.load(tmp_path / "models/timed/runset.keras")
    assert np.allclose(fusion.predict(model, laboratory(3, 2)).sum(1), 1, atol=1e-5)
