"""What a network is shown: recipes that hold together, batches, and pools made while it learns."""

import numpy as np
import pytest
from fusion_samples import RECIPE, curves, laboratory, same
from pydantic import ValidationError

from kinetlib import fusion
from kinetlib.fusion import Batches, Recipe, RunBatches, features
from kinetlib.fusion.batches import MOST_CONSTANTS, Padded, Taught
from kinetlib.fusion.stream import PUBLISHED, RUNS, Stream, Supply
from kinetlib.kinetics import mechanisms
from kinetlib.runs.runs import MOST_POINTS
from kinetlib.runs.sample import TEST
from studies.release import study, training

FEW = ("M1", "M2", "M6")


# --- recipes


@pytest.mark.parametrize(
    "wrong",
    [
        {"sample_passes": 0},
        {"batch_size": 0},
        {"learning_rate": 0},
        {"clip_norm": 0.0},
        {"optimizer": "sgd"},
        {"adam_ratio": 0.0},
        {"schedule": "steady"},
        {"fall": 0.0},
        {"features": "both"},
        {"features": "rates"},
        {"sizes": {"width": 0}, "fusion": "runset"},
        {"sizes": {"token": 50}, "fusion": "runset"},
        {"sizes": {"width": 96}},
        {"features": "raw", "fusion": "runset"},
        {"precision": "float16"},
        {"label_smoothing": 1.5},
        {"weight_average": -0.1},
        {"weight_average": 1.0},
        {"noise": ()},
        {"noise": (0.0, -0.01)},
        {"min_points": 1},
        {"min_points": 21},
        {"lengths": (7,)},
        {"lengths": (7, 7)},
        {"lengths": (7, 1)},
        {"unmeasured": (0.1, 2.0)},
        {"unmeasured": (0.6, 0.6)},
        {"leraning_rate": 1e-3},
    ],
    ids=str,
)
def test_recipes_that_cannot_be_followed_are_refused(wrong):
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Recipe(**{"fusion": "hadamard", "seed": 1, "sample_passes": 1000, **wrong})


def test_recipes_survive_json_and_do_not_change():
    assert Recipe.model_validate_json(RECIPE.model_dump_json()) == RECIPE
    with pytest.raises(ValidationError, match="frozen"):
        RECIPE.seed = 4


@pytest.mark.parametrize(
    ("passes", "epochs"), [(1, 4), (300_000, 4), (500_000, 5), (7_000_000, 70)]
)
def test_epochs_share_the_passes_out(passes, epochs):
    recipe = RECIPE.model_copy(update={"sample_passes": passes})
    assert recipe.epochs == epochs
    shown = recipe.epochs * recipe.steps * recipe.batch_size
    assert abs(shown - max(passes, 4 * 64)) <= 0.5 * recipe.epochs * recipe.batch_size


def test_the_published_recipe():
    recipe = fusion.published("gate", seed=2, sample_passes=500_000)
    assert (recipe.fusion, recipe.seed, recipe.features) == ("gate", 2, "raw")
    assert (recipe.learning_rate, recipe.schedule, recipe.batch_size) == (1e-4, "constant", 2048)
    assert recipe.clip_norm is None and recipe.label_smoothing == recipe.weight_average == 0


# --- batches of four-run curves

SMALL = Recipe(
    fusion="average", seed=1, sample_passes=1600, batch_size=50, min_points=3, max_points=6
)


def shown(batches):
    return [batches[step] for step in range(len(batches))]


def test_every_sample_is_shown_equally_often():
    c, labels = curves(100)
    made = shown(Batches(c, labels, SMALL, epoch=0))
    assert len(made) == SMALL.steps == 8
    seen = np.concatenate([inputs["static"] for inputs, _ in made])
    values, times = np.unique(seen, axis=0, return_counts=True)
    assert len(values) == 100 and np.all(times == 4)
    # Labels belong to their samples.
    class_of = {row.tobytes(): label for row, label in zip(features.static(c), labels, strict=True)}
    told = np.concatenate([answers for _, answers in made])
    assert [class_of[row.tobytes()] for row in seen] == told.tolist()


def test_batches_have_all_lengths_in_turn():
    made = shown(Batches(*curves(100), SMALL, epoch=0))
    lengths = [inputs["dynamic"].shape[1] for inputs, _ in made]
    assert sorted(lengths[:4]) == sorted(lengths[4:]) == [4, 5, 6, 7]  # t = 0 counted
    for inputs, labels in made:
        assert inputs["dynamic"].shape[::2] == (50, features.N_DYNAMIC["scaled"])
        assert inputs["static"].shape == (50, 4) and labels.shape == (50,)
        assert all(value.dtype == np.float32 for value in inputs.values())


def test_the_seed_and_the_epoch_decide_the_batches_and_nothing_else_does():
    c, labels = curves(100)
    first = Batches(c, labels, SMALL, epoch=0)
    backwards = Batches(c, labels, SMALL, epoch=0)
    for step in reversed(range(SMALL.steps)):
        (one, own), (other, others) = first[step], backwards[step]
        assert np.array_equal(one["dynamic"], other["dynamic"]) and np.array_equal(own, others)
    later = Batches(c, labels, SMALL, epoch=1)
    reseeded = Batches(c, labels, SMALL.model_copy(update={"seed": 2}), epoch=0)
    for different in (later, reseeded):
        assert not np.array_equal(different[2][0]["static"], first[2][0]["static"])


def test_noise_and_inputs_are_those_of_the_recipe():
    c, labels = curves(100)
    recipe = SMALL.model_copy(update={"noise": (0.0, 0.1), "features": "raw"})
    inputs, _ = Batches(c, labels, recipe, epoch=0)[0]
    loud = np.abs(inputs["dynamic"].reshape(50, -1, 4, 3)[..., 1:].sum(-1) - 1).max((1, 2)) > 1e-3
    assert 10 < loud.sum() < 40  # half of them, each with a level of its own
    exact, _ = Batches(c, labels, recipe.model_copy(update={"noise": (0.0,)}), epoch=0)[0]
    assert np.array_equal(exact["static"], inputs["static"])
    assert np.allclose(exact["dynamic"].reshape(50, -1, 4, 3)[..., 1:].sum(-1), 1, atol=1e-6)


# --- batches of sets of runs

SETS = Recipe(
    fusion="runset", seed=1, sample_passes=4 * 60 * 10, batch_size=10, lengths=(4, 8), noise=(0.0,)
)


def pools(n=40):
    """Samples of the published design, and of laboratories with 1, 2 and 4 runs."""
    design, labels = curves(n)
    made = {
        key: Taught(laboratory(n, key, 24, seed=key), np.arange(n), logarithms(n))
        for key in (1, 2, 4)
    }
    return {PUBLISHED: Taught(design, labels, logarithms(n)), **made}


def logarithms(n):
    """Two constants each, and no more."""
    known = np.arange(MOST_CONSTANTS) < 2
    return np.where(known, np.arange(n)[:, None], np.nan).astype(np.float32)


def test_batches_of_sets_have_the_runs_and_points_asked_for():
    made = shown(RunBatches(pools(), SETS, epoch=0))
    assert len(made) == 60
    shapes = [inputs["points"].shape for inputs, _ in made]
    assert {shape[1] for shape in shapes} == {1, 2, 4}
    assert {shape[2] for shape in shapes} == {4, 8}
    assert all(shape[0] == 10 and shape[3] == len(features.POINT_CHANNELS) for shape in shapes)
    assert shapes[0][1] != shapes[1][1] and shapes[0][2] != shapes[1][2]
    # Half of all batches have four runs of the design, a third of the others of a laboratory.
    assert 30 < sum(shape[1] == 4 for shape in shapes) < 50
    only = SETS.model_copy(update={"published_share": 1.0, "sample_passes": 4 * 1000})
    four = [inputs["points"].shape[1] for inputs, _ in shown(RunBatches(pools(), only, epoch=0))]
    assert four.count(4) >= len(four) - 1


def test_every_sample_of_a_pool_is_shown_about_equally_often():
    told = {}
    for inputs, labels in shown(RunBatches(pools(), SETS, epoch=0)):
        told.setdefault(inputs["points"].shape[1], []).append(labels)
    for n_runs in (1, 2):  # labels are the samples' numbers there
        times = np.bincount(np.concatenate(told[n_runs]), minlength=40)
        assert np.ptp(times) <= 1


def test_the_seed_and_the_epoch_decide_batches_of_sets():
    first, again = (RunBatches(pools(), SETS, epoch=3) for _ in range(2))
    for step in (5, 0, 7):
        (one, own), (other, others) = first[step], again[step]
        assert all(np.array_equal(one[name], other[name]) for name in one)
        assert np.array_equal(own, others)
    later = shown(RunBatches(pools(), SETS, epoch=4))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(later, shown(first), strict=True))


def test_runs_of_the_design_keep_their_start_and_all_they_measured():
    recipe = SETS.model_copy(update={"published_share": 1.0, "unmeasured": (0.5, 0.5)})
    for inputs, _ in shown(RunBatches({**pools()}, recipe, epoch=0))[2:8]:
        first = inputs["points"][:, :, 0]
        assert np.all(first[..., features.POINT_CHANNELS.index("time")] == 0)
        assert np.all(inputs["points"][..., features.POINT_CHANNELS.index("product known")] == 1)


def test_laboratories_lose_as_much_as_the_recipe_says():
    recipe = SETS.model_copy(update={"published_share": 0.0, "unmeasured": (0.3, 0.2)})
    found = {"substrate known": [], "product known": []}
    for inputs, _ in shown(RunBatches(pools(), recipe, epoch=0))[1:]:
        for name, lost in found.items():
            known = inputs["points"][..., features.POINT_CHANNELS.index(name)]
            lost.append(known.max((1, 2)) == 0)
    substrate, product = (np.concatenate(lost) for lost in found.values())
    assert product.mean() == pytest.approx(0.3, abs=0.08)
    assert substrate.mean() == pytest.approx(0.2, abs=0.08)
    assert not np.any(substrate & product)


# --- pools made while the network learns


@pytest.fixture
def few(monkeypatch):
    chosen = {name: mechanisms.get(name) for name in FEW}
    monkeypatch.setattr(mechanisms, "catalogue", lambda: chosen)


SUPPLY = Supply(5, sets_per_mechanism=8, samples_per_set=(2, 3))


def test_shares_of_the_numbers_of_runs_add_up():
    assert sum(RUNS.values()) == pytest.approx(1) and set(RUNS) == set(range(1, 9))


def test_pools_hold_what_was_asked_for(few):
    pool = SUPPLY.pool(0)
    design, labels = pool[PUBLISHED].runs, pool[PUBLISHED].labels
    assert design.time.shape == (3 * 8 * 2, 4, 21) and not np.isnan(design.time).any()
    assert np.array_equal(labels, np.repeat([0, 1, 2], 16))
    campaigns = {key: value for key, value in pool.items() if key != PUBLISHED}
    assert sum(map(len, campaigns.values())) == 3 * 8 * 3
    for n_runs, made in campaigns.items():
        assert made.runs.time.shape == (len(made), n_runs, MOST_POINTS)
        assert set(np.isfinite(made.logarithms).sum(1)) == {4, 5, 6}
    tested = Supply(5, 2, (1, 1), design=TEST).pool(0)[PUBLISHED].runs
    assert tested.time.shape[-1] == 7


def test_the_seed_and_the_number_decide_a_pool(few):
    pool, again = SUPPLY.pool(1), SUPPLY.pool(1, threads=None)
    assert pool.keys() == again.keys()
    for kind in pool:
        assert same(pool[kind].runs, again[kind].runs)
        assert np.array_equal(pool[kind].labels, again[kind].labels)


def test_a_share_of_a_pool_comes_from_a_family_of_priors(few):
    mixed = Supply(5, sets_per_mechanism=8, samples_per_set=(2, 3), family_share=0.5).pool(0)
    design = mixed[PUBLISHED].runs
    assert len(design) == 3 * 8 * 2
    # A quarter of the samples of four runs has another design: it starts with other substrate.
    published = np.isclose(design.substrate_0 + design.product_0, 1).all(1)
    assert (~published).sum() == 3 * 4
    whole = SUPPLY.pool(0)[PUBLISHED].runs
    assert np.isclose(whole.substrate_0 + whole.product_0, 1).all()


def test_what_is_learned_beside_the_class_is_scaled_and_of_its_own_class():
    recipe = SETS.model_copy(update={"beside": (1.0, 10.0)})
    for inputs, targets in shown(RunBatches(pools(12), recipe, epoch=0))[:6]:
        assert targets["living"].shape == inputs["points"].shape[:3]
        own = targets["constants"][np.arange(10), targets["head"]]
        assert np.isfinite(targets["constants"]).sum() == np.isfinite(own).sum() == 20
        assert np.array_equal(own[:, 0], own[:, 1])
    sample = laboratory(5, 3, 8)
    scale = features.time_scale(sample)
    length = np.nanmax(sample.time, -1)
    assert scale == pytest.approx(np.log(length).mean(1), abs=1e-5)


def test_batches_filled_up_have_few_shapes_and_the_same_content():
    recipe = SETS.model_copy(update={"beside": (1.0, 10.0)})
    plain = RunBatches(pools(12), recipe, epoch=0)
    filled = Padded(plain)
    shapes = set()
    for step in range(len(filled)):
        (own, targets), (more, others) = plain[step], filled[step]
        n, n_runs, n_points, _ = own["points"].shape
        shapes.add(more["points"].shape[1:3])
        assert np.array_equal(more["points"][:, :n_runs, :n_points], own["points"])
        assert np.array_equal(more["present"].sum(1), own["present"].sum(1))
        assert np.array_equal(more["pooling"].sum((1, 2)), own["pooling"].sum((1, 2)))
        assert more["runs"].shape[1] == more["points"].shape[1] == others["living"].shape[1]
        assert np.isfinite(others["living"]).sum() == np.isfinite(targets["living"]).sum()
    assert shapes <= {(runs, points) for runs in (2, 4, 8) for points in (8, 16, 24)}


def test_noise_has_a_background_where_the_recipe_has_one():
    quiet = SETS.model_copy(update={"published_share": 1.0})
    noisy = quiet.model_copy(update={"background": 0.02})
    channel = features.POINT_CHANNELS.index("substrate")
    changes = []
    batches = (shown(RunBatches(pools(), recipe, 0))[2:] for recipe in (quiet, noisy))
    for plain, other in zip(*batches, strict=True):
        difference = (other[0]["points"] - plain[0]["points"])[..., channel]
        assert not difference[:, :, 0].any(), "what was weighed in is known"
        changes.append(difference[:, :, 1:].std((1, 2)))
    changes = np.concatenate(changes)
    assert 0.3 < (changes > 0).mean() < 0.5 and 0.01 < changes.max() < 0.03


def test_no_two_pools_share_a_sample(few):
    reseeded = Supply(6, sets_per_mechanism=8, samples_per_set=(2, 3))
    made = [SUPPLY.pool(0), SUPPLY.pool(1), SUPPLY.pool(training.VALIDATION), reseeded.pool(0)]
    curves_of = [row.tobytes() for pool in made for row in pool[PUBLISHED].runs.substrate]
    assert len(set(curves_of)) == len(curves_of) == 4 * 48


def test_training_never_reaches_the_pools_that_judge_it():
    last = (training.RECIPE.epochs - 1) // training.SUPPLY.epochs_per_pool + 1  # one ahead is made
    judges = {training.VALIDATION, study.CALIBRATION, study.TEST}
    assert len(judges) == 3 and last < min(judges)


def test_a_stream_shows_each_pool_for_its_epochs_and_makes_it_once(few, monkeypatch):
    asked, make = [], Supply.pool
    monkeypatch.setattr(
        Supply, "pool", lambda self, number, **o: asked.append(number) or make(self, number, **o)
    )
    stream = Stream(SUPPLY, SETS)
    epochs = [stream.epoch(number) for number in range(4)]
    stream.epoch(4)  # waits for pool 2
    assert asked[:3] == [0, 1, 2]
    assert epochs[0]._pools is epochs[1]._pools is not epochs[2]._pools is epochs[3]._pools
    # Another stream that begins at epoch 3, as after an interruption, shows the same.
    resumed = Stream(SUPPLY, SETS).epoch(3)
    for name, value in resumed[0][0].items():
        assert np.array_equal(value, epochs[3][0][0][name])
