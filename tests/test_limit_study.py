"""The study of the limit: samples that stay, files that are enough, a record that adds up."""

import json

import numpy as np
import pytest

from kinetlib.inference.evidence import Effort
from kinetlib.inference.prior import draw_prior
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import compute, done
from studies import limit
from studies.__main__ import main

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
    caches = [limit._round, limit.priors]
    for kept in caches:
        kept.cache_clear()
    yield
    for kept in caches:
        kept.cache_clear()


def test_samples_do_not_depend_on_their_number(two):
    few, more = limit.samples(1), limit.samples(3)
    assert list(more.mechanism.values) == ["M1", "M4"] * 3
    assert list(more["round"].values) == [0, 0, 1, 1, 2, 2]
    assert more.isel(sample=slice(2)).identical(few)
    exact = limit.samples(3, exact=True)
    assert exact.sizes["time"] == 7 and np.all(exact.time.values[..., 0] == 0)
    scatter = more.product.values[..., 1:] / exact.product.values[..., 1:] - 1
    assert scatter.std() == pytest.approx(0.2, rel=0.2)


def test_a_sample_does_not_depend_on_the_others_and_the_record_adds_up(two, tmp_path, capsys):
    assert main(["limit", "--folder", str(tmp_path), "--most", "1"]) == 0
    assert "2 of 2: samples/0-M4, called M" in capsys.readouterr().out
    first = {path.name: path.read_bytes() for path in (tmp_path / "samples").iterdir()}
    assert sorted(first) == ["0-M1.json", "0-M4.json"]
    (tmp_path / "samples" / "0-M4.json").unlink()
    compute(tmp_path, limit.pieces(tmp_path, 2))
    assert (tmp_path / "samples" / "0-M1.json").read_bytes() == first["0-M1.json"]
    made = done(tmp_path, limit.pieces(tmp_path, 2), least=None)
    before = json.loads(first["0-M4.json"])["value"]
    assert made["samples", 0, "M4"].value["evidences"] == before["evidences"]

    record = limit.record(tmp_path, made)
    json.dumps(record, allow_nan=False)
    assert record["mechanisms"] == ["M1", "M4"]
    assert [entry["truth"] for entry in record["samples"]] == ["M1", "M4"] * 2
    assert np.allclose(np.sum(record["confusion"], axis=1), 1.0, atol=1e-3)
    assert record["right"]["low"] <= record["right"]["value"] <= record["right"]["high"]
    assert record["effort"]["bank"] == 300 and record["noise"] == 0.2


def test_a_round_without_a_mechanism_is_no_sample_of_it(two, tmp_path, monkeypatch):
    runs = limit._round(0)
    monkeypatch.setattr(limit, "_round", lambda _: runs.isel(sample=runs.mechanism == "M1"))
    compute(tmp_path, limit.pieces(tmp_path, 1))
    made = done(tmp_path, limit.pieces(tmp_path, 1), least=None)
    assert made["samples", 0, "M4"].value is None
    assert [entry["truth"] for entry in limit.record(tmp_path, made)["samples"]] == ["M1"]


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
