"""The study of the limit: samples that stay, files that are enough, a record that adds up."""

import json

import numpy as np
import pytest

from kinetlib.inference.evidence import Effort
from kinetlib.inference.prior import draw_prior
from kinetlib.kinetics import mechanisms
from studies import limit

SMALL = Effort(
    bank=300, starts=4, steps=4, particles=100, kernels=50, draws=300, fresh=300, rounds=1
)


@pytest.fixture
def two(monkeypatch):
    """Two mechanisms, little effort."""
    chosen = {name: mechanisms.get(name) for name in ("M1", "M4")}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)
    monkeypatch.setattr(limit, "EFFORT", SMALL)
    monkeypatch.setattr(limit, "NOISE", 0.2)
    monkeypatch.setattr(limit, "BANK", 800)
    limit._round.cache_clear()
    yield
    limit._round.cache_clear()


def test_samples_do_not_depend_on_their_number(two):
    few, more = limit.samples(1), limit.samples(3)
    assert list(more.mechanism.values) == ["M1", "M4"] * 3
    assert list(more["round"].values) == [0, 0, 1, 1, 2, 2]
    assert more.isel(sample=slice(2)).identical(few)
    exact = limit.samples(3, exact=True)
    assert exact.sizes["time"] == 7 and np.all(exact.time.values[..., 0] == 0)
    scatter = more.product.values[..., 1:] / exact.product.values[..., 1:] - 1
    assert scatter.std() == pytest.approx(0.2, rel=0.2)


def test_study_goes_on_where_it_stopped(two, tmp_path, monkeypatch, capsys):
    limit.main(tmp_path, rounds=1)
    first = {path.name: path.read_bytes() for path in (tmp_path / "samples").iterdir()}
    assert sorted(first) == ["00000-M1.json", "00000-M4.json"]
    limit.main(tmp_path, rounds=2)
    assert len(list((tmp_path / "samples").iterdir())) == 4
    assert all((tmp_path / "samples" / name).read_bytes() == first[name] for name in first)
    (tmp_path / "samples" / "00000-M4.json").unlink()
    limit.main(tmp_path, rounds=2)
    again = json.loads((tmp_path / "samples" / "00000-M4.json").read_text())
    before = json.loads(first["00000-M4.json"])
    assert again["evidences"] == before["evidences"]
    capsys.readouterr()
    limit.main(tmp_path, rounds=2)
    assert "nothing left to do" in capsys.readouterr().out

    record = limit.summary(tmp_path)
    json.dumps(record, allow_nan=False)
    assert record["mechanisms"] == ["M1", "M4"]
    assert [entry["truth"] for entry in record["samples"]] == ["M1", "M4"] * 2
    assert np.allclose(np.sum(record["confusion"], axis=1), 1.0, atol=1e-3)
    assert record["right"]["low"] <= record["right"]["value"] <= record["right"]["high"]
    assert record["effort"]["bank"] == 300 and record["noise"] == 0.2
    monkeypatch.setattr(limit, "NOISE", 0.1)
    with pytest.raises(ValueError, match="made with other settings"):
        limit.summary(tmp_path)


def test_nothing_done_yet(tmp_path):
    with pytest.raises(ValueError, match="no sample in"):
        limit.summary(tmp_path)


def test_pairs_that_cannot_be_told_apart():
    labels = np.array([0, 1, 2])
    probabilities = np.array([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0], [0.0, 0.01, 0.99]])
    found = limit.pairs(probabilities, labels, ["A", "B", "C"])
    assert found == [{"pair": ["A", "B"], "error": 0.375, "samples": 2}]


def test_priors_of_the_study_are_drawn_from_its_design(two):
    prior = limit.priors()["M4"]
    assert prior.design == limit.TEST and len(prior.bank) == 800
    key = [limit.SEED, *b"M4"]
    again = draw_prior("M4", 800, limit.TEST, np.random.default_rng(key))
    assert np.array_equal(prior.bank, again.bank)
