"""The neural ODE flows, learns, and knows its gradient."""

import jax
import numpy as np
import pytest
from numpy.random import default_rng

from studies.solvers import neural_ode

STATE = 2 + neural_ode.EXTRA


@pytest.fixture
def weights():
    """Weights before training."""
    return neural_ode.init(default_rng(0))


def accuracy(weights, points, labels):
    """Share of points put into their class."""
    return ((neural_ode.predict(weights, points) > 0.5) == labels).mean()


def test_spirals_are_each_other_turned_by_half_a_circle():
    points, labels = neural_ode.spirals(2000, default_rng(3), noise=0.0)
    assert points.shape == (2000, 2) and labels.shape == (2000,)
    assert labels.mean() == 0.5
    radius, angle = np.hypot(*points.T), np.arctan2(*points.T[::-1])
    assert 0.1 < radius.min() and radius.max() <= 1.0
    turned = np.cos(angle - 3 * np.pi * radius)
    np.testing.assert_allclose(turned, np.where(labels == 1, -1.0, 1.0), atol=1e-12)


def test_seeds_are_reproducible_and_different():
    same = [neural_ode.init(default_rng(seed)) for seed in (1, 1, 2)]
    leaves = [np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(w)]) for w in same]
    np.testing.assert_array_equal(leaves[0], leaves[1])
    assert (leaves[0] != leaves[2]).any()


def test_paths_begin_at_the_points_with_zeros_beside_them(weights):
    points, _ = neural_ode.spirals(5, default_rng(1))
    found = neural_ode.paths(weights, points, [0.0, 0.5, 1.0])
    assert found.shape == (5, 3, STATE)
    np.testing.assert_allclose(found[:, 0, :2], points, rtol=1e-6)
    assert (found[:, 0, 2:] == 0.0).all()


def test_a_point_does_not_depend_on_its_company(weights):
    points, _ = neural_ode.spirals(6, default_rng(1))
    together = neural_ode.predict(weights, points)
    assert together.shape == (6,)
    np.testing.assert_allclose(neural_ode.predict(weights, points[:2]), together[:2], rtol=1e-5)


def test_gradient_is_that_of_finite_differences():
    points, labels = neural_ode.spirals(8, default_rng(2))
    rng = default_rng(4)
    with jax.enable_x64(True):
        weights = neural_ode.init(default_rng(0))
        along = jax.tree.map(lambda leaf: rng.normal(size=np.shape(leaf)), weights)
        loss = jax.jit(lambda w: neural_ode.loss(w, points, labels, rtol=1e-9))
        gradient = jax.jit(jax.grad(loss))(weights)
        slope = sum(
            float((g * a).sum())
            for g, a in zip(jax.tree.leaves(gradient), jax.tree.leaves(along), strict=True)
        )
        moved = [
            float(loss(jax.tree.map(lambda w, a, h=h: w + h * a, weights, along)))
            for h in (1e-4, -1e-4)
        ]
    assert moved[0] != moved[1]
    np.testing.assert_allclose((moved[0] - moved[1]) / 2e-4, slope, rtol=1e-5)


def test_training_lowers_the_loss(weights):
    points, labels = neural_ode.spirals(32, default_rng(5))
    trained, losses = neural_ode.train(weights, points, labels, 5)
    assert len(losses) == 5 and losses[-1] < losses[0]
    assert jax.tree.structure(trained) == jax.tree.structure(weights)


@pytest.mark.slow
def test_untrained_is_chance_and_trained_is_right(weights):
    rng = default_rng(6)
    points, labels = neural_ode.spirals(300, rng)
    others = neural_ode.spirals(1000, rng)
    assert 0.25 < accuracy(weights, *others) < 0.75
    trained, _ = neural_ode.train(weights, points, labels, 200)
    assert accuracy(trained, *others) > 0.9
