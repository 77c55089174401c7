"""The likelihood whose noise is integrated out, against integrals by SciPy and draws."""

import numpy as np
import pytest
from numpy.random import default_rng
from scipy import integrate, special

from kinetlib.inference import marginal
from kinetlib.inference.marginal import Marginal


def a_column(rng, n=14):
    exact = np.abs(rng.normal(size=n)) + 0.05
    values = exact * (1 + 0.03 * rng.normal(size=n))
    readings, scatter = rng.integers(1, 4, n).astype(float), np.zeros(n)
    scatter[readings > 1] = 1e-3
    return exact, values, readings, scatter


def likelihood_given(s, a, exact, values, readings, scatter):
    """ln p(y | m, s, a), reading by reading."""
    variance = s**2 * (exact**2 + a**2)
    squares = readings * (values - exact) ** 2 + scatter
    return (-squares / variance / 2 - readings * np.log(2 * np.pi * variance) / 2).sum()


@pytest.mark.parametrize("seed", range(3))
def test_it_is_the_integral_over_both_parts_of_the_noise(seed):
    exact, values, readings, scatter = a_column(default_rng(seed))
    found = Marginal(values, readings, scatter, np.zeros(len(values), dtype=int))
    parts = []
    for a in found.shapes[0] * found.largest[0]:

        def of_log_s(log_s, a=a):
            return np.exp(likelihood_given(np.exp(log_s), a, exact, values, readings, scatter))

        parts.append(integrate.quad(of_log_s, -12, 3, points=[-4, -3, -2, -1], limit=200)[0])
    expected = special.logsumexp(np.log(parts)) - np.log(len(parts) * marginal._LOG_RANGE)
    assert found.log_likelihood(exact[None])[0] == pytest.approx(expected, abs=1e-3)


def test_columns_have_noise_of_their_own():
    rng = default_rng(1)
    exact = rng.uniform(0.5, 1, 400)
    column = np.repeat([0, 1], 200)
    values = exact + np.where(column, 0.05, 0.01 * exact) * rng.normal(size=400)
    found = Marginal(values, np.ones(400), np.zeros(400), column)
    level = found.level(exact[None])
    total = np.hypot(level.relative * 0.75, level.absolute)[0]
    np.testing.assert_allclose(total, [0.0075, 0.05], rtol=0.15)
    apart = [
        Marginal(
            values[column == c], np.ones(200), np.zeros(200), np.zeros(200, dtype=int)
        ).log_likelihood(exact[None, column == c])[0]
        for c in range(2)
    ]
    assert found.log_likelihood(exact[None])[0] == pytest.approx(sum(apart))


def test_drawn_noise_holds_the_true_one_as_often_as_it_says():
    rng, held = default_rng(2), []
    for _ in range(200):
        exact = rng.uniform(0.2, 1, 12)
        values = exact + 0.02 * exact * rng.normal(size=12)
        found = Marginal(values, np.ones(12), np.zeros(12), np.zeros(12, dtype=int))
        level = found.drawn(np.repeat(exact[None], 400, axis=0), rng)
        middle = np.hypot(level.relative * 0.6, level.absolute)[:, 0]
        low, high = np.quantile(middle, [0.05, 0.95])
        held.append(low <= 0.02 * 0.6 <= high)
    assert 0.84 <= np.mean(held) <= 0.96


def test_a_failed_simulation_has_no_likelihood():
    found = Marginal(np.ones(3), np.ones(3), np.zeros(3), np.zeros(3, dtype=int))
    assert found.log_likelihood(np.full((1, 3), np.nan))[0] == -np.inf


def test_the_largest_likelihood_is_no_smaller_than_any():
    exact, values, readings, scatter = a_column(default_rng(3))
    found = Marginal(values, readings, scatter, np.zeros(len(values), dtype=int))
    top = found.largest_likelihood(exact[None])[0]
    for a in found.shapes[0] * found.largest[0]:
        for s in (0.01, 0.03, 0.1):
            assert top >= likelihood_given(s, a, exact, values, readings, scatter) - 1e-9


def test_the_least_absolute_noise_is_that_of_rounding():
    values = np.array([0.01, 0.2, 0.4])
    found = Marginal(values, np.ones(3), np.zeros(3), np.zeros(3, dtype=int), np.array([0.01]))
    assert 0.01 * found.shapes[0, 0] * 0.4 == pytest.approx(0.01 / np.sqrt(12))
    free = Marginal(values, np.ones(3), np.zeros(3), np.zeros(3, dtype=int))
    assert free.shapes[0, 0] == pytest.approx(1e-4)
