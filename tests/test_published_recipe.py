"""The published recipe: its gradient, its limits, and that it learns."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.integrate import solve_ivp

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import parse
from studies.discovery import published_recipe
from studies.discovery.published_recipe import _loss_and_gradient

TIMES = np.linspace(0, 8, 25)


def first_order(n=6, seed=0):
    rng = default_rng(seed)
    initial = np.column_stack([rng.uniform(0.2, 1.2, n), np.zeros(n)])
    value = integrate(parse("A -> B"), [0.3], initial, TIMES).concentration
    return xr.Dataset(
        {
            "concentration": (("run", "time", "species"), value),
            "initial": (("run", "species"), initial),
        },
        coords={"time": TIMES, "species": ["A", "B"]},
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), hinge=st.sampled_from([np.inf, 0.7]), n=st.integers(1, 3))
def test_the_gradient_is_that_of_the_loss(seed, hinge, n):
    rng = default_rng(seed)
    weights = rng.normal(0, 0.6, (2, 4))
    weights[:, -1] -= 1.5
    data = rng.uniform(0.1, 1, (9, 3))
    data[3, 1] = np.nan
    rest = (data[0], np.linspace(0, 2, 9), data, np.array([1.0, 0.5, 2.0]), n, 2.5, hinge)
    loss, gradient = _loss_and_gradient(weights, *rest)
    step, numeric = 1e-6, np.empty_like(weights)
    for at in np.ndindex(weights.shape):
        up, down = weights.copy(), weights.copy()
        up[at] += step
        down[at] -= step
        numeric[at] = (_loss_and_gradient(up, *rest)[0] - _loss_and_gradient(down, *rest)[0]) / (
            2 * step
        )
    assert np.isfinite(loss)
    np.testing.assert_allclose(gradient, numeric, rtol=1e-4, atol=1e-6)


def test_a_simple_reaction_is_learned_and_simulated():
    found = published_recipe.train(first_order(), 1, steps=20_000, seed=1)
    assert found.losses[-1] < 0.02 < found.losses[0]
    assert found.skipped == 0
    assert found.error(first_order(seed=5)) < 0.02
    np.testing.assert_array_equal(found.w_in, np.clip(-found.w_out, 0, 2.5))

    def slope(_, c):
        rates = np.exp(found.log_constants + found.w_in @ np.log(np.clip(c, 1e-5, 10)))
        return rates @ found.w_out

    exact = solve_ivp(slope, (0, 8), [1.0, 0.1], t_eval=TIMES, rtol=1e-9, atol=1e-11).y.T
    np.testing.assert_allclose(found.simulate([[1.0, 0.1]], TIMES)[0], exact, atol=1e-4)


def test_a_hinge_holds_the_order_down_and_a_seed_makes_it_again():
    settings_ = {"steps": 600, "hinge": 0.05, "seed": 2}
    found = published_recipe.train(first_order(), 2, **settings_)
    free = published_recipe.train(first_order(), 2, steps=600, seed=2)
    assert found.w_in.sum(1).max() < free.w_in.sum(1).max()
    np.testing.assert_array_equal(
        found.w_out, published_recipe.train(first_order(), 2, **settings_).w_out
    )


def test_pruning_takes_the_small_weights_only():
    found = published_recipe.train(first_order(), 2, steps=6, seed=2)
    pruned = found.pruned(0.1)
    small = np.abs(found.w_out) < 0.1
    assert small.any() and not small.all()
    assert (pruned.w_out[small] == 0).all()
    assert (pruned.w_out[~small] == found.w_out[~small]).all()


@pytest.mark.parametrize("name", ["n_reactions", "steps", "substeps"])
def test_numbers_that_are_too_small_are_refused(name):
    arguments = {"n_reactions": 1, "steps": 1, "substeps": 1, name: 0}
    with pytest.raises(ValueError, match=f"{name}: expected at least 1"):
        published_recipe.train(first_order(), **arguments)
