"""Descents: to the least squares, many fits side by side, within what they may try."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.optimize import least_squares

from kinetlib.inference.descend import cost, descended, slopes


@dataclass
class Decays:
    """Sums of decays a exp(-k t) in ln a and ln k, of several series of data (n, T)."""

    data: np.ndarray
    low: float = -np.inf
    asked: int = 0
    difference = 0.01
    times = np.linspace(0.1, 3.0, 12)

    def residuals(self, x, which):
        self.asked += len(x)
        a, k = np.exp(x[:, ::2, None]), np.exp(x[:, 1::2, None])
        return (a * np.exp(-k * self.times)).sum(1) - self.data[which]

    def within(self, x):
        return np.maximum(x, self.low)


def series(n, seed):
    rng = default_rng(seed)
    decays = Decays(np.zeros((n, 12)))
    truth = rng.uniform(-1, 1, (n, 2))
    exact = decays.residuals(truth, np.arange(n))
    return Decays(exact + 0.02 * rng.standard_normal(exact.shape)), truth


@given(st.integers(0, 999))
@settings(deadline=None, max_examples=20)
def test_ends_are_the_least_squares_of_each_series(seed):
    fits, truth = series(4, seed)
    which = np.repeat(np.arange(4), 6)
    starts = truth[which] + default_rng(seed).uniform(-1.5, 1.5, (24, 2))
    before = starts.copy()
    x, value, of = descended(fits, starts, 30, which)
    assert np.array_equal(starts, before)
    assert of.tolist() == [0, 1, 2, 3]  # half of six, then half of three
    for i in range(4):
        best = least_squares(lambda y, i=i: fits.residuals(y[None], np.array([i]))[0], truth[i])
        assert value[i] == pytest.approx(best.cost, rel=2e-3, abs=1e-9)
        assert value[i] == pytest.approx(cost(fits.residuals(x[i : i + 1], of[i : i + 1]))[0])


def test_series_do_not_depend_on_one_another():
    fits, truth = series(3, 1)
    which = np.repeat(np.arange(3), 4)
    starts = truth[which] + default_rng(2).uniform(-1, 1, (12, 2))
    together, _, _ = descended(fits, starts, 20, which)
    alone, _, _ = descended(fits, starts[4:8], 20, which[4:8])
    assert together[1] == pytest.approx(alone[0], rel=1e-12)


def test_the_best_end_comes_first():
    fits, truth = series(1, 5)
    starts = truth[np.zeros(40, int)] + default_rng(3).uniform(-3, 3, (40, 2))
    x, value, _ = descended(fits, starts, 3)
    assert len(x) == 10 and (np.diff(value) >= 0).all()


def test_whoever_has_arrived_is_left_alone():
    fits, truth = series(1, 5)
    end, _, _ = descended(fits, truth, 40)
    fits.asked = 0
    descended(fits, end, 400)
    assert fits.asked < 200


def test_nothing_is_tried_that_may_not_be():
    fits, _ = series(1, 7)
    fits.data[:] = 0.0  # the amplitude would fall for ever
    fits.low = -2.0
    x, _, _ = descended(fits, np.zeros((1, 2)), 40)
    assert x.min() == -2.0


def test_a_start_without_residuals_comes_last():
    fits, truth = series(1, 8)
    starts = np.vstack([[np.nan, 0.0], truth, truth + 0.5])
    x, value, _ = descended(fits, starts, 0)
    assert np.isnan(x[-1, 0]) and value[-1] == np.inf and np.isfinite(value[:-1]).all()


def test_slopes_are_those_of_the_residuals():
    fits, truth = series(3, 4)
    which = np.array([2, 0])
    x = truth[which]
    found = slopes(fits, x, fits.residuals(x, which), which)
    a, k = np.exp(x.T)[..., None]
    decay = a * np.exp(-k * fits.times)
    expected = np.stack([decay, -k * fits.times * decay], axis=-1)
    assert found == pytest.approx(expected, abs=0.02)
