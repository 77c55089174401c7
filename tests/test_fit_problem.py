"""What a fit may vary, and its posterior: units, prior, slopes."""

from functools import cache

import numpy as np
import pytest
from fits import runs_of
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy import integrate

from kinetlib.inference.coordinates import Wishes, coordinates
from kinetlib.inference.problem import Problem
from kinetlib.kinetics.network import parse

TEXT = "A + B <=> C (k1, k-1)\nC -> P + B (k2)\nP -> Q (k3)"
CONSTANTS = [0.8, 0.1, 0.5, 0.2]
TIMES = np.linspace(0, 20, 7)
STARTS = {"A": np.array([2.0, 1.0]), "B": np.array([0.2, 0.1])}


@cache
def data(noise=0.02):
    return runs_of(TEXT, CONSTANTS, STARTS, TIMES, ["A", "P"], noise, default_rng(0))


def problem(wishes=None, network=None, runs=None):
    runs = runs or data()
    network = network or parse(TEXT)
    return Problem(network, runs, coordinates(network, runs, wishes or Wishes()))


def test_constants_come_back_in_the_file_s_units():
    layout = problem().layout
    x = np.log(CONSTANTS) - layout.log_units()
    np.testing.assert_allclose(
        np.exp(layout.log_constants(x[None]) + layout.log_units())[0], CONSTANTS
    )


def test_exact_runs_are_met_by_the_true_constants_whatever_the_units():
    runs = data(noise=0.0)
    for units in ((1.0, 1.0), (1 / 60, 1e3)):
        changed = runs.in_units(*units)
        found = problem(runs=changed)
        scaled = np.log(CONSTANTS) + np.log(units[0])
        scaled += (found.layout.orders - 1) * np.log(units[1])
        x = (scaled - found.layout.log_units())[None]
        np.testing.assert_allclose(found.curves(x)[0], found.values, rtol=2e-3, atol=1e-6)


@settings(max_examples=10, deadline=None)
@given(st.lists(st.floats(-0.7, 0.7), min_size=10, max_size=10))
def test_slopes_are_those_of_the_residuals(moved):
    wishes = Wishes(
        tie={"k3": "2*k2"}, initial_error={"A": 0.05}, unknown={"B": (0.05, 0.5)},
        scale=("P",), shift=True,
    )  # fmt: skip
    found = problem(wishes)
    layout = found.layout
    at = {name: np.log(value) for name, value in zip(("k1", "k-1", "k2"), CONSTANTS, strict=False)}
    units = dict(zip(("k1", "k-1", "k2"), layout.log_units(), strict=False))
    x = np.array([at[name] - units[name] if name in at else 0.0 for name in layout.names])
    x[layout.names.index("B at start")] = np.log(0.15 / layout.units[1])
    x[layout.names.index("time shift")] = 0.01
    x += 0.5 * np.resize(moved, len(x)) * (np.array(layout.names) != "time shift")
    found._tolerance = {"rtol": 1e-9, "atol": 1e-12}
    step = 1e-4 * np.eye(len(x))
    by_difference = (found.residuals(x + step) - found.residuals(x - step)) / 2e-4
    slope = found.slopes(x[None])[0]
    scale = np.abs(slope).max()
    np.testing.assert_allclose(slope, by_difference.T, atol=2e-3 * scale)


def test_the_prior_of_each_coordinate_integrates_to_one():
    wishes = Wishes(initial_error={"A": 0.05}, unknown={"B": (0.05, 0.5)})
    layout = problem(wishes).layout
    middle = layout.drawn(1, default_rng(0))[0]
    for at in range(len(layout.names)):
        low, high = layout.box(at)
        grid = np.linspace(low, high, 4001)
        x = np.repeat(middle[None], len(grid), axis=0)
        x[:, at] = grid
        others = layout.log_prior(middle[None])[0]
        # What is left after the others' share, at one point, is taken out.
        one = np.exp(layout.log_prior(x) - others)
        share = integrate.trapezoid(one, grid) * _density(layout, middle, at)
        assert share == pytest.approx(1.0, abs=0.01)


def _density(layout, x, at):
    """p of one coordinate, from how the whole prior changes with it alone."""
    low, high = layout.low[at], layout.high[at]
    kind = layout.kinds[at]
    if kind == "flat":
        return 1 / (high - low)
    if kind == "uniform":
        return np.exp(x[at]) / (np.exp(high) - np.exp(low))
    return np.exp(-((x[at] / high) ** 2) / 2) / (high * np.sqrt(2 * np.pi))


def test_outside_the_box_there_is_no_posterior():
    found = problem()
    x = found.layout.high[None] + 0.1
    assert found.log_posterior(x)[1][0] == -np.inf
    np.testing.assert_array_equal(found.within(x)[0], found.layout.high)


def test_a_fixed_step_of_zero_is_as_if_it_were_not_there():
    less = parse("A + B <=> C (k1, k-1)\nC -> P + B (k2)")
    one, other = problem(Wishes(fix={"k3": 0.0})), problem(network=less)
    x = other.layout.drawn(4, default_rng(1))
    assert one.layout.names == other.layout.names
    np.testing.assert_allclose(one.curves(x), other.curves(x), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes(fix={"k9": 1.0}), "fix k9: unknown constant"),
        (Wishes(fix={"k1": -1.0}), "fix k1: expected a value from 0 on, got -1"),
        (Wishes(tie={"k2": "k1"}), "tie k2=k1: reactions of order 1 and 2"),
        (Wishes(tie={"k2": "k3", "k3": "k2"}), "tied to one that is not tied itself"),
        (Wishes(tie={"k2": "x*k3"}), "tie k2=x.k3: expected another constant, or 2.k4"),
        (Wishes(bounds={"k1": (2.0, 1.0)}), "bounds k1: expected a lower and a higher"),
        (Wishes(bounds={"k4": (1.0, 2.0)}), "bounds k4: unknown constant"),
        (Wishes(bounds={"k1": (1.0, 2.0)}, fix={"k1": 1.0}), "fixed or tied already"),
        (Wishes(scale=("X",)), "scale X: unknown column.*expected A, P"),
        (Wishes(initial_error={"A": 2.0}), "initial error A: expected a share"),
        (Wishes(unknown={"A": (0.0, 1.0)}), "initial A: expected a range"),
        (Wishes(fix={"k1": 1, "k-1": 1, "k2": 1, "k3": 1}), "nothing is left to fit"),
    ],
)
def test_wishes_without_sense_are_refused_in_one_line(wishes, message):
    with pytest.raises(ValueError, match=message) as error:
        problem(wishes)
    assert "\n" not in str(error.value)
