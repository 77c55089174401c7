"""What the book writes of records and results: the numbers that are there, judged as was asked."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from kinetlib.chapters.tables import record
from kinetlib.runs import plans
from studies import tables
from studies.discovery import tables as discovery
from studies.estimation_design import tables as estimation
from studies.experiment_design import tables as experiment
from studies.higher_order import tables as higher_order
from studies.higher_order.fit import Slope
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, Errors
from studies.solvers import tables as solvers
from studies.solvers.work_precision import OURS


def measure(value, low, high):
    return {"value": value, "low": low, "high": high}


# --- chapter 8: recipes, and the best possible answer


def test_a_ranking_is_beside_hadamard_under_either_recipe():
    variants = record("recipes")["variants"]
    published = pd.DataFrame({"top_1": [81.41, 88.82]}, index=["average", "hadamard"])
    average, hadamard, runset = (
        tables.ranking(name, variants, published) for name in ("average", "hadamard", "runset")
    )
    assert average["published, at the end of training"] == "-7.41"
    assert hadamard["published recipe"] == hadamard["our recipe"] == "0.0 (0.0 to 0.0)"
    assert runset["published recipe"] == "none" and runset["our recipe"] != "none"


def test_who_is_worse_is_who_has_all_of_its_interval_below():
    less = {
        "a": measure(-0.2, -0.3, -0.1),
        "b": measure(0.1, -0.1, 0.2),
        "c": measure(0.2, 0.1, 0.3),
    }
    variants = {name: {"less_hadamard": one} for name, one in less.items()}
    assert tables.beside_hadamard(["a", "hadamard", "b", "c"], variants) == (
        "worse than Hadamard: a; better than Hadamard: c; not told apart from Hadamard: b"
    )


def test_shares_have_wilsons_interval_and_means_the_bootstraps():
    truth = np.array([0, 0, 1, 1])
    sure = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    found = tables.measured(sure, truth)
    assert found["top-1 / %"].tolist() == [True, True, True, False]
    written = tables.written(found, 1)
    assert written["top-1 / %"] == "75.0 (30.1 to 95.4)"
    assert written["sure of its answer / %"].startswith("75.0 (")
    none = tables.written(tables.difference(found, found), 1)
    assert set(none.values()) == {"0.0 (0.0 to 0.0)", "0.000 (0.000 to 0.000)"}


def test_the_hardest_samples_come_first():
    truth = np.array([0, 1, 1])
    one = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]])
    rows = tables.hardest(truth, {"evidence": one, "network": one[::-1]}, ["M1", "M2"], 2)
    assert list(rows) == ["sample 1", "sample 2"]
    assert rows["sample 1"]["evidence"] == "M1 80 %, M2 20 %"
    assert rows["sample 2"]["truth by network / %"] == "10.0"


def test_pairs_that_the_network_confuses_less_often_are_bounds():
    found = [{"pair": ["a", "b"], "error": 0.2, "samples": 3}]
    assert tables.pairs(found, [], 0.05)["a and b"]["wrong by network / %"] == "below 5"
    assert tables.pairs(found, found, 0.05)["a and b"]["wrong by network / %"] == "20"


# --- chapter 9: discovered reactions


def test_noise_levels_of_case_1_rise():
    levels = discovery.by_noise(record("crnn")["settings"])
    assert list(levels) == [0, 1, 5, 10, 20, 50]


def test_shares_are_empty_where_a_method_was_not_asked():
    methods = {"oracle": {"exact": measure(0.5, 0.25, 0.75)}}
    asked = ["oracle", "weak SINDy"]
    assert discovery.percents(methods, asked) == {"oracle": "50 (25 to 75)", "weak SINDy": ""}
    courses = discovery.courses({5.0: {"methods": methods}}, asked)
    assert courses == {"oracle": {5.0: methods["oracle"]["exact"]}}


def test_errors_over_the_limit_have_intervals_that_narrow_with_the_seeds():
    few, many = (
        {"seeds": n, "exact": {"value": 1.0}, "errors": {"rms": [0.2]}} for n in (10, 1000)
    )
    assert discovery.over_limit(many, [0.1]) == ["2.00 (1.92 to 2.09)"]
    assert discovery.over_limit(few, [0.1]) == ["2.00 (1.40 to 3.51)"]
    assert discovery.over_limit({"seeds": 3}, [0.1, 0.2]) == ["", ""]


def test_what_was_missed_is_listed_with_the_networks_drawn_at_random():
    told = discovery.fails(record("crnn")["settings"])
    assert "- case 1, 50 % noise: in 2 of 17 seeds." in told
    assert "- networks drawn at random: in 1 of 50." in told
    assert "Not tried" not in told
    assert "Not tried: case 1, many" in discovery.fails({"B1": record("crnn")["settings"]["B1"]})


def test_earlier_results_stand_beside_ours():
    published = pd.read_csv("data/published/crnn.csv", comment="#")
    table = discovery.earlier(published, record("crnn")["settings"])
    assert table.loc[("B1", "slides"), "error of k / %"] == "3"
    assert table.loc[("B1", "slides"), "loss"] == ""
    assert table.loc[("B3", "ours, median"), "of stoichiometry / %"] == "0"


def test_the_limit_is_first_of_the_errors():
    setting = record("crnn")["settings"]["B1"]
    limit, *_ = discovery.errors_of_constants(setting).values()
    np.testing.assert_allclose(limit[:, 1], 100 * np.array(setting["cramer_rao"]))
    assert np.isnan(limit[:, [0, 2]]).all()


# --- chapter 10: higher order


def test_goals_are_judged_on_the_side_that_was_asked():
    errors = {name: Errors(0.005, 0.02, 0.0005) for name in STAND_INS}
    laws = {
        name: {"mean": Slope(-1.0 if one.catalytic else -0.52, -2.0, 0.0)}
        for name, one in STAND_INS.items()
    }
    splits = {"2 A + B by 2 A": Errors(0.0, 0.009, 0.0)}
    kappa = 1.05 * TRUTHS[higher_order.CUBIC].constant
    rows = higher_order.goals(record("higher_order"), kappa, errors, laws, splits, 1e-9)
    met = {row["goal"]: row["met"] for row in rows}
    assert met["3 A: largest relative error of A"] == met["3 A: mean error"] == "reached"
    assert met["3 A: kappa, relative error"] == "missed"
    assert met["2 A + B, both ways: largest error, least squares"] == "missed"
    assert met["the same, fitted for it"] == met["slope less -1/2, consumed"] == "reached"
    assert met["search: A + 2 B -> 3 B found, share of seeds"] == "missed"
    assert all(row["asked"].split()[1] in ("most", "least") for row in rows)


def test_every_search_and_every_network_of_one_law_has_a_row():
    study = record("higher_order")
    assert len(higher_order.searches(study)) == len(study["search"])
    laws = higher_order.same_laws(study)
    assert [row["asked for"] for row in laws].count("yes") == 4
    assert len(laws) == sum(map(len, study["same_law"].values()))
    assert higher_order.percent({"hits": 2, "n": 20, "low": 0.028, "high": 0.301}) == (
        "2 of 20 (3 to 30 %)"
    )


def test_trainings_are_told_by_their_extremes():
    study = record("higher_order")
    seen, hidden = higher_order.failures(study)
    orders = [r["order"] for r in higher_order.cubic(study)]
    assert f"orders {min(orders):.3f} to {max(orders):.3f}" in seen
    assert "3 networks of three reactions" in hidden


# --- chapter 5b: experiments


def test_both_goals_of_planned_experiments_need_the_whole_interval():
    measures = {"top_1_gain": measure(0.01, 0.0, 0.02), "gap_closed": measure(0.6, 0.4, 0.8)}
    assert experiment.verdict(measures) == {
        "named at least as often": "reached, +1.0 (+0.0 to +2.0) points",
        "half of the gap closed": "not decided, 60 (40 to 80) %",
    }


def test_candidates_are_named_by_how_they_start_and_ranked_by_what_they_tell():
    candidates = plans.grid()
    told = [SimpleNamespace(information=float(i)) for i in range(len(candidates))]
    advice = SimpleNamespace(candidates=candidates, gains=told)
    rows = experiment.best_and_worst(advice)
    assert len(rows) == 8
    assert next(iter(rows)) == experiment.named(candidates, len(candidates) - 1)
    shown = experiment.runs(
        [{"loading": 0.02, "substrate_0": 1.0, "product_0": 0.0, "times": [0, 1]}]
    )
    assert shown["run 1"] == {"loading / %": "2", "S₀": "1", "P₀": "0", "times / horizon": "1"}


def test_the_certified_plans_are_told_with_the_goal():
    study = record("estimation_design")
    told = estimation.told(study, plans.even_grid())
    least = min(estimation.by_bound(study)["of the bound by branching"].values())
    assert least > study["goal"] and "Goal of 90 %: reached by all" in told
    assert f"is {100 * least:.1f} %" in told
    assert "the bound that is loose, not the search" in told
    missed = estimation.told(study | {"goal": 0.999}, plans.even_grid())
    assert "missed by " in missed and "loose, not the search" not in missed


# --- chapter 1: solvers


@pytest.fixture
def measured():
    """Two solvers on two mechanisms; the other takes ten and twenty times as long as ours."""
    rtol = [1e-3, 1e-6]
    error = np.array([[1e-4, 1e-7]] * 2)[..., None] * np.ones(3)

    def result(ratio):
        seconds = np.array([[1e-6, 1e-5], [ratio * 1e-6, ratio * 1e-5]])
        return xr.Dataset(
            {
                "error": (("solver", "rtol", "trajectory"), error),
                "seconds": (("solver", "rtol"), seconds),
            },
            {"solver": [OURS, "LSODA"], "rtol": rtol},
        )

    return {"M1": result(10.0), "M2": result(20.0)}


def test_times_are_compared_where_errors_are_equal(measured):
    assert solvers.times_over_ours(measured, "LSODA", 1e-5) == "15 (10 to 20)"
    assert solvers.times_over_ours({"M1": measured["M1"]}, "LSODA", 1e-5) == "10"
    assert solvers.times_over_ours(measured, "LSODA", 1e-9) == "–"


def test_a_solver_at_a_tolerance_is_told_with_its_failures(measured):
    measured["M1"].error[1, 1, 0] = np.nan
    row = solvers.at_tolerance(measured["M1"], "LSODA", 1e-6)
    assert row["failed"] == 1 and row["time relative to kinetlib"] == "10"
    assert row["time / µs"] == "100.0"
