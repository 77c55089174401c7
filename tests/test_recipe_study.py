"""The study of recipes, at the smallest size: it goes on, and says what it measured."""

import json

import numpy as np
import pytest
from fusion_samples import in_place_of_networks
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import compute, done
from studies import recipes
from studies.recipes import VARIANTS, Variant

FEW = ("M1", "M2", "M6")
SMALL = {
    "hadamard": Variant("hadamard", {"batch_size": 16, "max_points": 4}),
    "few samples, repeated": Variant("average", {"batch_size": 16, "max_points": 4}, samples=10),
}


def test_every_variant_is_a_recipe_of_the_same_length():
    made = {name: variant.recipe(1, 500_000) for name, variant in VARIANTS.items()}
    for name, recipe in made.items():
        shown = recipe.epochs * recipe.steps * recipe.batch_size
        assert shown == pytest.approx(500_000, rel=0.01), name
    told = [json.dumps(recipe.model_dump(mode="json")) for recipe in made.values()]
    few = VARIANTS["few samples, repeated"]
    assert few.samples and few.changes == {}, "as ours but for its samples"
    assert len(set(told)) == len(told) - 1
    assert {recipe.fusion for recipe in made.values()} == set(fusion.NETWORKS)


def hits(*rows):
    return {seed: np.array(row, float) for seed, row in enumerate(rows, start=1)}


def test_intervals_hold_the_mean_and_know_what_varies():
    groups = np.repeat(np.arange(50), 4)
    rng = default_rng(0)
    right = np.tile(rng.random(200) < 0.7, (3, 1))
    right[1, :6] = ~right[1, :6]  # a seed that is a little different
    found = recipes._interval(hits(*right), groups, default_rng(1))
    assert found["value"] == pytest.approx(right.mean())
    assert found["low"] < found["value"] < found["high"]
    assert found["by_seed"] == {str(i + 1): row.mean() for i, row in enumerate(right)}
    # Seeds that err alike count as one: 200 answers, 0.7 of them right.
    assert found["high"] - found["low"] == pytest.approx(4 * (0.21 / 200) ** 0.5, rel=0.25)
    apart = hits(np.ones(200), np.zeros(200))
    wide = recipes._interval(apart, groups, default_rng(1))
    assert (wide["low"], wide["high"]) == pytest.approx((0, 1))
    # Four samples that share a parameter set tell no more than one.
    shared = hits(np.repeat(rng.random(50) < 0.7, 4))
    coarse = recipes._interval(shared, groups, default_rng(1))
    assert coarse["high"] - coarse["low"] > 1.4 * (found["high"] - found["low"])


@pytest.fixture
def small(monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)
    for name, value in {
        "VARIANTS": SMALL,
        "SEEDS": (1, 2),
        "SHARDS": {"train": 2, "validation": 1, "test": 1},
        "SIZE": {"sets_per_mechanism": 6, "samples_per_set": 2},
        "SHOWN": 20,
        "PASSES": 64,
    }.items():
        monkeypatch.setattr(recipes, name, value)
    with in_place_of_networks(monkeypatch):
        yield


@pytest.mark.slow
def test_a_study_goes_on_where_it_was_interrupted(small, tmp_path, monkeypatch):
    train, trained = fusion.train, []

    class Interrupted(Exception):
        pass

    def counted(epoch_of, validation, recipe, *rest, progress):
        def stop(record):
            progress(record)
            trained.append((recipe.fusion, recipe.seed, record["sample_passes"]))
            if len(trained) == 6:
                raise Interrupted

        return train(epoch_of, validation, recipe, *rest, progress=stop)

    monkeypatch.setattr(fusion, "train", counted)
    with pytest.raises(Interrupted):
        compute(tmp_path, recipes.pieces(tmp_path))
    assert [path.stem for path in (tmp_path / "runs").iterdir()] == ["hadamard-1"]
    compute(tmp_path, recipes.pieces(tmp_path))
    assert len(trained) == len(set(trained)) == 2 * 2 * 4, "no epoch twice"

    made = done(tmp_path, recipes.pieces(tmp_path), least=None)
    found = json.loads(json.dumps(recipes.record(tmp_path, made)))
    assert list(found["variants"]) == list(SMALL)
    assert found["test_samples"] == 36 and found["test_parameter_sets"] == 18
    for name, variant in found["variants"].items():
        assert variant["seeds"] == [1, 2]
        assert variant["samples"] == (10 if "few" in name else 72)
        assert variant["samples_per_second"] > 0
        assert variant["validation"]["sample_passes"] == [16, 32, 48, 64]
        assert len(variant["validation"]["accuracy"]) == 4
        assert set(variant["test"]) == {"0", "0.01", "0.05"}
        for measured in variant["test"].values():
            assert measured["low"] <= measured["value"] <= measured["high"]
            assert measured["value"] == pytest.approx(np.mean(list(measured["by_seed"].values())))
    assert "less_hadamard" not in found["variants"]["hadamard"]
    plain, few = (found["variants"][name]["test"]["0"]["value"] for name in SMALL)
    assert found["variants"]["few samples, repeated"]["less_hadamard"]["value"] == pytest.approx(
        few - plain
    )
    assert {"versions", "processor", "seed", "shards", "sets_per_mechanism"} <= set(found)
