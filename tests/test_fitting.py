"""`kinetlib.fit`: true constants in their units, verdicts, criteria, what is told and refused."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from fits import SMALL, runs_of
from numpy.random import default_rng

import kinetlib
from kinetlib.inference import compared
from kinetlib.inference.misfit import Misfit
from kinetlib.inference.verdicts import (
    ABOVE,
    BELOW,
    DETERMINED,
    OPEN,
    determined_combinations,
    unit_of,
    verdict,
    written,
)

M1 = "S + cat <=> catS (k1, k-1)\ncatS <=> P + cat (k2, k-2)"
TIMES = np.linspace(0, 30, 8)
TRUE = [5.0, 0.2, 0.5, 0.02]
STARTS = {"S": [2.0, 2.0, 1.0, 1.0], "cat": [0.1, 0.2, 0.1, 0.2], "P": [0.0, 0.0, 0.0, 1.0]}


@cache
def runs(noise=0.01, seed=0, text=M1, true=tuple(TRUE), shown=("S", "P")):
    return runs_of(
        text, list(true), STARTS, TIMES, list(shown), noise, default_rng(seed),
        time_unit="min", concentration_unit="M",
    )  # fmt: skip


@cache
def fitted(mechanism="M1", **wishes):
    return kinetlib.fit(runs(), mechanism, effort=SMALL, **wishes)


def test_constants_have_the_file_s_units_and_hold_the_truth():
    found = fitted()
    assert [one.unit for one in found.constants.values()] == [
        "M-1 min-1", "min-1", "min-1", "M-1 min-1",
    ]  # fmt: skip
    for name, true in zip(("k1", "k2"), (TRUE[0], TRUE[2]), strict=True):
        constant = found.constants[name]
        assert constant.verdict == DETERMINED
        wide = constant.high / constant.low
        assert constant.low / wide < true < constant.high * wide  # the interval, and as much again
        assert constant.low < constant.value < constant.high
        assert constant.profile[0] < constant.profile[1]
    assert found.explains and found.runs == ("run 1", "run 2", "run 3", "run 4")


def test_other_units_give_the_same_constants_in_those():
    changed = replace(runs().in_units(1 / 60, 1e-3), time_unit="s", concentration_unit="mM")
    found = kinetlib.fit(changed, "M1", effort=SMALL)
    for name, factor in (("k1", 1 / 60e3), ("k2", 1 / 60)):
        assert found.constants[name].value == pytest.approx(
            factor * fitted().constants[name].value, rel=1e-3
        )
    assert found.constants["k1"].unit == "mM-1 s-1"
    assert found.log_evidence == pytest.approx(fitted().log_evidence, abs=1e-3)


def test_a_known_constant_is_kept_and_a_tie_is_held():
    found = kinetlib.fit(runs(), "M1", fix={"k-2": TRUE[3]}, tie={"k-1": "0.4*k2"}, effort=SMALL)
    assert found.constants["k-2"].verdict == "fixed" and found.constants["k-2"].low == TRUE[3]
    assert found.constants["k-1"].value == pytest.approx(0.4 * found.constants["k2"].value)
    assert set(found.draws) == {"k1", "k-1", "k2"}


def test_bounds_hold_in_the_file_s_units():
    found = kinetlib.fit(runs(), "M1", bounds={"k-2": (1e-3, 0.5)}, effort=SMALL)
    assert (found.draws["k-2"] >= 1e-3).all() and (found.draws["k-2"] <= 0.5).all()


def test_a_signal_and_unknown_are_fitted_beside_the_constants():
    text = "A -> B (k1)"
    data = runs_of(text, [0.2], {"A": [1.0, 0.5]}, TIMES, ["A"], 0.01, default_rng(1))
    signal = replace(data, values=250.0 * data.values)
    found = kinetlib.fit(signal, text, scale=["A"], initial_error={"A": 0.02}, effort=SMALL)
    assert found.constants["k1"].value == pytest.approx(0.2, rel=0.03)
    factor = found.others["factor of A"]
    assert factor.low < 250 < factor.high and factor.high / factor.low < 1.2
    assert len(found.others) == 3  # the factor, and A in each of two runs
    without = replace(data, starts={"A": np.array([1.0, 1.0])}, values=data.values[:1].repeat(2, 0))
    ranged = kinetlib.fit(without, text, initial={"A": (0.1, 10.0)}, effort=SMALL)
    assert ranged.others["A at start"].value == pytest.approx(1.0, rel=0.05)


def test_columns_may_show_sums_of_species():
    data = runs(shown=("S", "catS"))
    total = replace(
        data, values=data.values.sum(-1, keepdims=True), columns=("UV",), shows=({"UV": 1.0},),
        readings=data.readings[..., :1], scatter=data.scatter[..., :1],
    )  # fmt: skip
    found = kinetlib.fit(total, "M1", observe={"UV": "S + catS"}, effort=SMALL)
    assert found.explains
    assert found.constants["k2"].value == pytest.approx(TRUE[2], rel=0.3)


def test_a_mechanism_that_cannot_explain_the_runs_is_told():
    first_order = kinetlib.fit(runs(noise=0.005), "S + cat -> P + cat (k)", effort=SMALL)
    assert not first_order.explains and first_order.chi_squared > 2
    assert "does not explain" in first_order.misfit.sentence("it")
    comparison = compared([first_order, kinetlib.fit(runs(noise=0.005), "M1", effort=SMALL)])
    assert [one.mechanism for one in comparison.fits] == ["M1", "S + cat -> P + cat (k)"]
    assert comparison.probabilities[0] > 0.999 and sum(comparison.probabilities) == pytest.approx(1)
    assert comparison.fits[0].aicc < first_order.aicc and comparison.fits[0].bic < first_order.bic
    assert comparison.alike == ("M1",)


def test_the_right_mechanism_is_seldom_said_to_fail():
    text = "A -> B (k1)"
    said = [
        kinetlib.fit(
            runs_of(text, [0.1], {"A": [1.0, 0.5]}, TIMES, ["A", "B"], 0.03, default_rng(seed)),
            text,
            effort=replace(SMALL, starts=6, rounds=2, kernels=30),
        ).explains
        for seed in range(25)
    ]
    assert np.mean(said) >= 0.88


def test_mechanisms_that_the_runs_do_not_tell_apart_are_said_so():
    # Of the same kinetics: the second step of the one is too fast to be seen.
    one = fitted("S + cat -> P + cat (k)")
    comparison = compared([one, replace(one, mechanism="other", log_evidence=one.log_evidence - 1)])
    assert len(comparison.alike) == 2
    assert comparison.sentence().endswith("these cannot be told apart by your runs.")


def test_a_fit_repeats_itself():
    again = kinetlib.fit(runs(), "M1", effort=SMALL)
    np.testing.assert_array_equal(again.draws["k1"], fitted().draws["k1"])


def test_many_readings_are_averaged_and_say_so():
    text = "A -> B (k1)"
    times = np.linspace(0, 30, 900)
    data = runs_of(text, [0.2], {"A": [1.0]}, times, ["A"], 0.05, default_rng(0))
    found = kinetlib.fit(data, text, effort=SMALL)
    assert any("averaged" in remark for remark in found.remarks)
    deviation = np.log(found.constants["k1"].high / found.constants["k1"].low) / 3.92
    information = (0.2 * times[1:] / 0.05) ** 2  # of ln k, from noise relative to the value
    assert deviation == pytest.approx(information.sum() ** -0.5, rel=0.2)
    assert abs(np.log(found.constants["k1"].value / 0.2)) < 3.5 * deviation


@pytest.mark.parametrize(
    ("mechanism", "wishes", "message"),
    [
        ("M99", {}, "M99"),
        ("M1", {"fix": {"k7": 1.0}}, "fix k7: unknown constant"),
        ("M1", {"observe": {"S": "A"}}, "observe A: unknown species"),
        ("M1", {"observe": {"X": "S"}}, "observe X: unknown column"),
        ("A -> B (k1)", {}, "no column shows a species"),
        ("S + X -> P (k1)", {}, "cannot happen: X is not there.*X=0.01"),
    ],
)
def test_what_does_not_fit_together_is_refused_in_one_line(mechanism, wishes, message):
    with pytest.raises(ValueError, match=message) as error:
        kinetlib.fit(runs(), mechanism, effort=SMALL, **wishes)
    assert "\n" not in str(error.value)


def test_verdicts_follow_from_where_the_draws_are():
    rng = default_rng(0)
    assert verdict(rng.normal(0, 0.2, 2000), -10, 10) == DETERMINED
    assert verdict(rng.uniform(-10, 1, 2000), -10, 10) == ABOVE
    assert verdict(rng.uniform(1, 10, 2000), -10, 10) == BELOW
    assert verdict(rng.uniform(-10, 10, 2000), -10, 10) == OPEN
    assert verdict(rng.normal(0, 2.5, 2000), -10, 10) == OPEN  # both ends excluded, but too wide


def test_combinations_are_found_where_the_factors_are_open():
    rng = default_rng(0)
    free = rng.uniform(0, 8, (3000, 2))
    noise = 0.02 * rng.standard_normal((3000, 2))
    # k1/k-1 and k2 k3 k-1 are determined, and k4.
    draws = np.column_stack(
        [free[:, 0] + noise[:, 0], free[:, 0], free[:, 1], 1 - free[:, 1] - free[:, 0], noise[:, 1]]
    )
    names = ["k1", "k-1", "k2", "k3", "k4"]
    found = determined_combinations(names, draws, [OPEN] * 4 + [DETERMINED])
    assert found[0] == {"k1": 1, "k-1": -1}
    assert len(found) == 2 and {name for name in found[1]} >= {"k2", "k3"}
    assert written(found[0]) == "k1/k-1"


def test_units_are_said_in_words_where_the_file_names_none():
    assert unit_of(-1, 0, "", "") == "per time unit of the file"
    assert unit_of(-1, -1, "s", "") == "per concentration unit of the file and s"
    assert unit_of(-1, -2, "h", "mM") == "mM-2 h-1"


def test_a_misfit_says_what_was_seen():
    assert Misfit(1.0, 0.5, 0.5, 0.5).explains
    found = Misfit(9.0, 1e-5, 0.5, 1e-3)
    assert not found.explains
    assert "3.0 times the noise" in found.sentence("M1")
