"""The network over sets of runs: what must not matter to it, and what it must be able to read."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from fusion_samples import dataset, laboratory
from numpy.random import default_rng

from kinetlib import fusion
from kinetlib.fusion import features
from kinetlib.fusion.features import POINT_CHANNELS, RUN_CHANNELS
from kinetlib.fusion.rates import RATE_CHANNELS, rates
from kinetlib.fusion.recipe import SEEN, Sizes
from kinetlib.fusion.runset import RunAttention
from kinetlib.runs import runs
from kinetlib.runs.runs import MOST_POINTS, MOST_RUNS, Runs

N_CLASSES = 20


@pytest.fixture(scope="module", params=SEEN["runset"])
def model(request):
    """A network whose answers differ much from sample to sample, so that tests can tell."""
    built = fusion.build("runset", N_CLASSES, seed=1, seen=request.param)
    head = built.get_layer("head")
    head.kernel.assign(8 * head.kernel)
    return built


def answers(model: keras.Model, some: Runs) -> np.ndarray:
    found = fusion.predict(model, some)
    assert np.isfinite(found).all() and np.allclose(found.sum(1), 1, atol=1e-5)
    return found


def close(a, b):
    return np.allclose(a, b, atol=1e-5)


def padded(some: Runs, more_runs=0, more_points=0) -> Runs:
    """The same runs with empty ones behind them, and with empty points behind theirs."""
    values = {}
    for name, value in vars(some).items():
        width = [(0, 0), (0, more_runs)] + [(0, more_points)] * (value.ndim - 2)
        values[name] = np.pad(value, width, constant_values=np.float32(np.nan))
    return Runs(**values)


def together(parts: list[Runs]) -> Runs:
    """Samples of all parts, one behind the other: one call of the network reads them all."""
    columns = zip(*(vars(part).values() for part in parts), strict=True)
    return Runs(*(np.concatenate(column) for column in columns))


@pytest.mark.parametrize(
    ("seen", "sizes", "parameters"),
    [
        ("scaled", Sizes(), 243_156),
        ("rates", Sizes(), 244_948),
        ("rates", Sizes(width=96, token=120, heads=3, blocks=1), None),
    ],
)
def test_its_layers_have_the_size_they_should(seen, sizes, parameters):
    width, token = sizes.width, sizes.token
    channels = len(POINT_CHANNELS) + (len(RATE_CHANNELS) if seen == "rates" else 0)
    lstms = sum(4 * (c * width + width**2 + width) for c in (channels, width))
    run = (2 * width + len(RUN_CHANNELS)) * token + token
    attention = 4 * (token**2 + token)
    wide_and_narrow = 2 * token * 2 * token + 3 * token
    blocks = sizes.blocks * (2 * 2 * token + attention + wide_and_narrow)
    classifier = (2 * token + 1) * 2 * width + (2 * width + 1) * N_CLASSES
    expected = lstms + run + blocks + 2 * token + classifier
    built = fusion.build("runset", N_CLASSES, seed=1, seen=seen, sizes=sizes)
    assert built.count_params() == expected == (parameters or expected)
    heads = built.get_layer("block_1_attention").get_weights()[0].shape[1:]
    assert heads == (sizes.heads, token // sizes.heads)


def decaying(constant, loading, last=(1.0, 2.0)) -> Runs:
    """Two runs, first order in substrate and loading, product as substrate lost."""
    time = np.linspace(0, 1, 6) * np.array(last)[:, None]
    substrate = np.exp(-constant * np.array(loading)[:, None] * time)
    values = (time, substrate, 1 - substrate, loading, (1, 1), (0, 0))
    return Runs(*(np.asarray(value, np.float32)[None] for value in values))


def test_rates_are_those_of_the_rate_law():
    """Relative to the mean length of runs and to 4 % of catalyst; none before the second point."""
    some = decaying(30.0, (0.02, 0.05))
    made = rates(features.run_inputs(some)["points"].astype(np.float64), np)[0]
    made = dict(zip(RATE_CHANNELS, np.moveaxis(made, -1, 0), strict=True))
    constant = 30.0 * 0.04 * np.sqrt(1.0 * 2.0)
    by_logarithm = np.sinh(5 * made["rate of the logarithm of substrate"][:, 1:]) / 20
    substrate = some.substrate[0].astype(float)
    expected = constant * np.diff(np.log(substrate + 2e-3)) / np.diff(np.log(substrate))
    np.testing.assert_allclose(by_logarithm, expected, rtol=1e-4)
    passed = np.diff(some.time[0] / np.sqrt(2.0)) * np.array([[0.5], [1.25]])
    for name, sign in (("substrate", -1), ("product", 1)):
        rate = np.sinh(5 * made[f"rate of {name}"][:, 1:]) / 50
        change = sign * np.diff(getattr(some, name)[0])
        np.testing.assert_allclose(rate, change / passed, rtol=1e-4)
        known = np.log(getattr(some, name)[0] + 2e-3) / 3
        np.testing.assert_allclose(made[f"logarithm of {name}"], known, rtol=0, atol=1e-5)
    assert all(np.all(made[name][:, 0] == 0) for name in RATE_CHANNELS[3:])


def test_rates_keep_their_digits_whatever_the_precision():
    built = fusion.build("runset", 3, seed=1, seen="rates", precision="mixed_bfloat16")
    assert built.get_layer("rates").compute_dtype == "float32"
    shown = features.run_inputs(decaying(30.0, (0.02, 0.05)))["points"]
    expected = rates(shown, np)
    made = built.get_layer("rates")(shown)[..., len(POINT_CHANNELS) :]
    np.testing.assert_allclose(made, expected, rtol=0, atol=1e-4)


def test_what_is_not_there_has_no_rates():
    some = laboratory(5, 3, 8)
    all_, none = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    there = np.isfinite(some.time)
    for lost, name in (((all_, none), "product"), ((none, all_), "substrate")):
        left = runs.unmeasured(some, *lost)
        made = rates(features.run_inputs(left)["points"], np)
        assert np.isfinite(made).all() and np.all(made[~there] == 0)
        of_it = [i for i, channel in enumerate(RATE_CHANNELS) if name in channel]
        assert len(of_it) >= 2 and np.all(made[..., of_it] == 0) and np.ptp(made) > 1


def test_runs_attend_to_each_other_as_keras_lets_them():
    tokens = default_rng(1).normal(size=(5, 6, 12)).astype(np.float32)
    present = (np.arange(6) < np.array([6, 1, 3, 2, 5])[:, None]).astype(np.float32)
    own = RunAttention(3, 4, name="attention")
    own(tokens, present)
    other = keras.layers.MultiHeadAttention(3, 4, name="attention")
    other(tokens, tokens)
    assert [(v.path, v.shape) for v in own.weights] == [(v.path, v.shape) for v in other.weights]
    other.set_weights([default_rng(2).normal(size=v.shape) for v in other.weights])
    own.set_weights(other.get_weights())
    expected = other(tokens, tokens, attention_mask=present[:, None])
    assert np.ptp(np.asarray(expected)) > 1
    np.testing.assert_allclose(own(tokens, present), expected, rtol=0, atol=1e-4)


def test_samples_have_answers_of_their_own(model):
    found = answers(model, laboratory(6))
    assert np.ptp(found, axis=0).max() > 0.1


@pytest.mark.parametrize("n_runs", range(1, MOST_RUNS + 1))
def test_any_number_of_runs_is_read_in_any_order(model, n_runs):
    some = laboratory(4, n_runs, 6, seed=n_runs)
    orders = [default_rng(seed).permutation(n_runs) for seed in range(5)]
    shuffled = [Runs(*(value[:, order] for value in vars(some).values())) for order in orders]
    first, *others = np.split(answers(model, together([some, *shuffled])), 6)
    assert first.shape == (4, N_CLASSES) and np.ptp(first, axis=0).max() > 1e-3
    for other in others:
        assert close(other, first)


@pytest.mark.parametrize(("more_runs", "more_points"), [(1, 0), (5, 0), (0, 1), (0, 20), (3, 7)])
def test_empty_runs_and_points_change_nothing(model, more_runs, more_points):
    some = laboratory(4, 3, 6, seed=more_runs)
    assert close(answers(model, padded(some, more_runs, more_points)), answers(model, some))


def test_an_empty_run_may_stand_anywhere(model):
    some = laboratory(4, 3, 6)
    wide = padded(some, more_runs=2)
    moved = Runs(*(value[:, [3, 0, 1, 4, 2]] for value in vars(wide).values()))
    assert close(answers(model, moved), answers(model, some))


def test_a_sample_is_answered_alone_as_among_others(model):
    many = laboratory(6, MOST_RUNS, 24)
    own = laboratory(1, 2, 5, seed=3)
    both = together([many, padded(own, more_runs=6, more_points=19)])
    assert close(answers(model, both)[6:], answers(model, own))
    assert close(answers(model, both)[:6], answers(model, many))


def test_the_unit_of_time_drops_out(model):
    some = laboratory(4, 3, 6)
    units = [replace(some, time=some.time * np.float32(10.0**e)) for e in (0, -6, -3, 1.3, 6)]
    first, *others = np.split(answers(model, together(units)), len(units))
    for other in others:
        assert close(other, first)


def test_the_length_of_one_run_beside_the_others_does_not_drop_out(model):
    some = laboratory(4, 3, 6)
    longer = replace(some, time=some.time * np.array([1, 3, 1], np.float32)[:, None])
    assert not close(answers(model, longer), answers(model, some))


def test_points_may_come_in_any_order_and_with_gaps_between(model):
    """From a dataset, as `kinetlib.classify` reads it: uneven times, each run with its own end."""
    some = laboratory(5, 3, 12)
    given = dataset(some)
    order = default_rng(1).permutation(12)
    assert close(
        answers(model, runs.from_dataset(given.isel(time=order))),
        answers(model, runs.from_dataset(given)),
    )


def test_a_run_of_two_points_is_read_and_one_of_hundreds(model):
    some = laboratory(5, 1)
    short = Runs(*(v[..., :2] if v.ndim == 3 else v for v in vars(some).values()))
    assert answers(model, short).shape == (5, N_CLASSES)
    read = runs.from_dataset(dataset(laboratory(3, 2, 300)))
    assert read.time.shape == (3, 2, MOST_POINTS) and np.nanmax(read.averaged) > 1
    assert answers(model, read).shape == (3, N_CLASSES)


@pytest.mark.parametrize("lost", ["product", "substrate"])
def test_what_was_not_measured_is_done_without(model, lost):
    some = laboratory(5)
    all_, none = np.ones(5, dtype=bool), np.zeros(5, dtype=bool)
    without = runs.unmeasured(some, *((all_, none) if lost == "product" else (none, all_)))
    found = answers(model, together([without, some]))
    assert not close(found[:5], found[5:])


def test_what_is_measured_matters(model):
    """Loading, initial concentrations, readings and values all reach the answer."""
    some = laboratory(5)
    parts = [some]
    for name, value in vars(some).items():
        by_run = np.linspace(0.5, 1, 4, dtype=np.float32)
        changed = value * (by_run[:, None] if value.ndim == 3 else by_run)
        parts.append(replace(some, **{name: changed}))
    first, *others = np.split(answers(model, together(parts)), len(parts))
    for name, other in zip(vars(some), others, strict=True):
        # How much of the catalyst lives is told in training only.
        assert close(other, first) == (name == "living"), name


def test_the_last_hidden_layer_comes_with_the_answers(model):
    some = laboratory(5)
    probabilities, hidden = fusion.read(model, some)
    assert np.array_equal(probabilities, answers(model, some))
    assert hidden.shape == (5, 2 * Sizes().width) and hidden.dtype == np.float64
    # The head is all that lies between the two.
    kernel, bias = model.get_layer("head").get_weights()
    logits = hidden @ kernel + bias
    expected = np.exp(logits - logits.max(1, keepdims=True))
    assert close(probabilities, expected / expected.sum(1, keepdims=True))
