"""Training: it learns, goes on where it was interrupted, and does what its recipe says."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from fusion_samples import CLASSES, RECIPE, curves, in_place_of_networks, laboratory, same

from kinetlib import fusion
from kinetlib.fusion import (
    Batches,
    Recipe,
    RunBatches,
    checkpoint,
    features,
    networks,
    training,
)
from kinetlib.fusion.batches import MOST_CONSTANTS, Taught
from kinetlib.fusion.evaluated import Evaluated
from kinetlib.fusion.optimizers import RISE, WARM_UP, rate_of
from kinetlib.fusion.runset import classifying
from kinetlib.fusion.training import SmoothedCrossEntropy, WhereKnown
from kinetlib.kinetics import mechanisms
from kinetlib.runs import runs
from kinetlib.runs.runs import Runs

# Two steps in each of four epochs.
SHORT = RECIPE.model_copy(
    update={"sample_passes": 4 * 2 * 64, "learning_rate": 0.02, "min_points": 3, "max_points": 4}
)


class Interrupted(Exception):
    pass


def interrupt_after(epochs, done=None):
    """A `progress` that ends the training there; records go to `done`."""
    done = [] if done is None else done

    def progress(record):
        done.append(record)
        if len(done) == epochs:
            raise Interrupted

    return progress


@pytest.fixture
def small_network(monkeypatch):
    with in_place_of_networks(monkeypatch):
        yield


def run(recipe, folder, classes=CLASSES, **options):
    c, labels = curves(512)
    v, v_labels = curves(256, points=7, seed=1)
    validation = fusion.inputs_of(recipe.fusion, recipe.features)(v), v_labels
    return fusion.train(
        lambda epoch: Batches(c, labels, recipe, epoch),
        validation,
        recipe,
        classes,
        folder,
        **options,
    )


def alike(model, other, **options):
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return all(np.allclose(a, b, **options) for a, b in pairs)


def told(history):
    """What was measured, without the seconds."""
    return [{k: v for k, v in record.items() if k != "seconds"} for record in history]


def checkpointed(folder):
    state = json.loads((folder / "state.json").read_text())
    return keras.saving.load_model(folder / state["model"])


# --- records and checkpoints


def test_each_epoch_leaves_a_record_and_one_checkpoint(tmp_path, small_network):
    shown = []
    model, history = run(SHORT, tmp_path, progress=shown.append)
    assert shown == history and len(history) == 4
    assert [record["sample_passes"] for record in history] == [128, 256, 384, 512]
    seconds = [record["seconds"] for record in history]
    assert seconds[0] > 0 and np.all(np.diff(seconds) > 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["epoch-00004.keras", "state.json"]
    # What is told of the last epoch is what the network that is returned does.
    v, labels = curves(256, points=7, seed=1)
    p = fusion.predict(model, v)
    assert history[-1]["val_accuracy"] == np.mean(p.argmax(1) == labels)
    loss = -np.log(p[np.arange(256), labels]).mean()
    assert history[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize(
    ("stopped", "changes"),
    [(1, {"weight_average": 0.5}), (3, {}), (2, {"optimizer": "muon", "schedule": "linear"})],
)
def test_a_training_goes_on_where_it_was_interrupted(tmp_path, small_network, stopped, changes):
    recipe = SHORT.model_copy(update=changes)
    model, history = run(recipe, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(recipe, tmp_path / "parts", progress=interrupt_after(stopped))
    shown = []
    resumed, continued = run(recipe, tmp_path / "parts", progress=shown.append)
    assert len(shown) == 4 - stopped
    assert alike(model, resumed, atol=1e-6)
    for one, other in zip(told(history), told(continued), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    again, same_history = run(recipe, tmp_path / "parts", progress=shown.append)
    assert len(shown) == 4 - stopped, "it is over"
    assert same_history == continued and alike(again, resumed)


def test_a_training_killed_while_it_leaves_a_checkpoint_loses_that_epoch_only(
    tmp_path, small_network, monkeypatch
):
    model, history = run(SHORT, tmp_path / "whole")
    folder, write = tmp_path / "killed", checkpoint.write_text

    def killed(path, content):
        if (folder / "epoch-00003.keras").exists():
            raise Interrupted
        write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write_text", killed)
        with pytest.raises(Interrupted):
            run(SHORT, folder)
    shown = []
    resumed, continued = run(SHORT, folder, progress=shown.append)
    assert [record["sample_passes"] for record in shown] == [384, 512]
    assert alike(model, resumed, atol=1e-6)
    assert len(list(folder.glob("*.keras"))) == 1


@pytest.mark.parametrize(
    "other", [{"seed": 4}, {"learning_rate": 0.01}, {"noise": (0.0,)}, {"sample_passes": 1024}]
)
def test_a_checkpoint_of_another_recipe_is_not_gone_on_with(tmp_path, small_network, other):
    with pytest.raises(Interrupted):
        run(SHORT, tmp_path, progress=interrupt_after(2))
    shown = []
    with pytest.raises(Interrupted):
        run(SHORT.model_copy(update=other), tmp_path, progress=interrupt_after(1, shown))
    assert shown[0]["sample_passes"] < 3 * 128, "it began anew"


def test_a_checkpoint_of_other_classes_is_not_gone_on_with(tmp_path, small_network):
    run(SHORT, tmp_path)
    shown = []
    with pytest.raises(Interrupted):
        run(SHORT, tmp_path, ["one", "two"], progress=interrupt_after(1, shown))
    assert shown[0]["sample_passes"] == 128


STEADY = SHORT.model_copy(update={"schedule": "linear", "fall": 0.5, "learning_rate": 2.0})


def test_a_training_whose_rate_is_steady_is_made_longer(tmp_path, small_network, monkeypatch):
    """As if it had been as long from the start: it goes on from before the fall."""
    monkeypatch.setattr("kinetlib.fusion.recipe.EPOCH", 2 * 64)
    longer = STEADY.model_copy(update={"sample_passes": 8 * 2 * 64, "fall": 0.25})
    model, history = run(longer, tmp_path / "whole")
    run(STEADY, tmp_path / "parts")
    assert sorted(path.name for path in (tmp_path / "parts").glob("*.keras")) == [
        "epoch-00002.keras",
        "epoch-00004.keras",
    ]
    shown = []
    resumed, continued = run(longer, tmp_path / "parts", progress=shown.append)
    assert [record["sample_passes"] for record in shown] == [384, 512, 640, 768, 896, 1024]
    assert alike(model, resumed, atol=1e-6)
    for one, other in zip(told(history), told(continued), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert len(list((tmp_path / "parts").glob("*.keras"))) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"sample_passes": 4 * 2 * 64 + 1, "seed": 5},
        {"sample_passes": 4 * 2 * 64 + 1, "schedule": "cosine"},
        {"sample_passes": 4 * 3 * 64},
        {"fall": 0.75},
    ],
    ids=str,
)
def test_other_recipes_do_not_go_on_from_a_steady_rate(tmp_path, small_network, other):
    """Another seed, schedule or number of steps an epoch; or one that would have fallen sooner."""
    run(STEADY, tmp_path)
    shown = []
    run(STEADY.model_copy(update=other), tmp_path, progress=shown.append)
    assert shown[0]["sample_passes"] == STEADY.model_copy(update=other).steps * 64


def test_a_checkpoint_from_before_recipes_named_an_optimizer_is_gone_on_with(
    tmp_path, small_network
):
    with pytest.raises(Interrupted):
        run(SHORT, tmp_path, progress=interrupt_after(3))
    state = json.loads((tmp_path / "state.json").read_text())
    for since in ("optimizer", "adam_ratio", "fall", "sizes"):
        del state["recipe"][since]
    del state["steady"]
    (tmp_path / "state.json").write_text(json.dumps(state))
    shown = []
    run(SHORT, tmp_path, progress=shown.append)
    assert [record["sample_passes"] for record in shown] == [512]


# --- what a recipe says


def test_the_rate_rises_then_falls_to_nothing():
    total = SHORT.epochs * 500
    recipe = SHORT.model_copy(update={"sample_passes": total * 64})
    rate = rate_of(recipe)
    steps = np.arange(0, total + 1, 20)
    rates = np.array([float(rate(step)) for step in steps])
    top = int(WARM_UP * total)
    assert rates[0] == 0 and rates.max() == pytest.approx(0.02, rel=0.01)
    assert np.all(np.diff(rates[steps <= top]) > 0) and np.all(np.diff(rates[steps > top]) < 0)
    assert rates[-1] == pytest.approx(0, abs=1e-6)
    assert rate_of(recipe.model_copy(update={"schedule": "constant"})) == 0.02


def test_a_linear_rate_rises_stays_and_falls():
    total = SHORT.epochs * 500
    update = {"sample_passes": total * 64, "schedule": "linear", "fall": 0.2}
    rate = rate_of(SHORT.model_copy(update=update))
    steps = [0, RISE // 2, RISE, 1000, 1600, 1800, 2000, 2100]
    rates = [float(rate(step)) for step in steps]
    assert rates == pytest.approx([0, 0.01, 0.02, 0.02, 0.02, 0.01, 0, 0], abs=1e-6)
    again = type(rate).from_config(rate.get_config())
    assert [float(again(step)) for step in steps] == rates


def test_muon_takes_matrices_and_adam_what_is_none():
    recipe = Recipe(fusion="runset", seed=1, sample_passes=1000, optimizer="muon", adam_ratio=0.1)
    model = training._start(recipe, 3)
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.Muon) and optimizer.adam_lr_ratio == 0.1
    optimizer.build(model.trainable_variables)
    taken = {v.path for v in model.trainable_variables if not optimizer._should_use_adamw(v)}
    assert {path for path in taken if "block" not in path} == {
        "encoder/lstm_1/lstm_cell/kernel",
        "encoder/lstm_1/lstm_cell/recurrent_kernel",
        "encoder/lstm_2/lstm_cell/kernel",
        "encoder/lstm_2/lstm_cell/recurrent_kernel",
        "token/kernel",
        "hidden/kernel",
    }
    assert {path for path in taken if "block_1" in path} == {
        "block_1_wide/kernel",
        "block_1_narrow/kernel",
    }
    before = model.get_weights()
    optimizer.apply([keras.ops.zeros_like(v) for v in model.trainable_variables])
    assert all(map(np.array_equal, before, model.get_weights())), "no weight decays by itself"


def test_smoothed_labels_cost_as_their_definition_says():
    p = np.random.default_rng(0).dirichlet(np.ones(5), 7).astype(np.float32)
    labels = np.arange(7) % 5
    for part in (0.0, 0.1):
        target = (1 - part) * np.eye(5)[labels] + part / 5
        expected = -(target * np.log(p)).sum(1).mean()
        loss = SmoothedCrossEntropy(part)
        assert float(loss(labels, p)) == pytest.approx(expected, rel=1e-5)
        again = SmoothedCrossEntropy.from_config(loss.get_config())
        assert float(again(labels, p)) == pytest.approx(expected, rel=1e-5)
    sure = np.eye(5, dtype=np.float32)[labels]
    assert np.isfinite(float(SmoothedCrossEntropy(0.1)(labels, sure)))


def test_smoothing_reaches_the_training(tmp_path, small_network):
    plain, history = run(SHORT, tmp_path / "plain")
    recipe = SHORT.model_copy(update={"label_smoothing": 0.3})
    smooth, smoothed = run(recipe, tmp_path / "smooth")
    assert not alike(plain, smooth, atol=1e-3)
    assert smoothed[0]["loss"] != pytest.approx(history[0]["loss"], rel=1e-4)
    # Validation measures the plain loss whatever the labels of the training are.
    v, labels = curves(256, points=7, seed=1)
    loss = -np.log(fusion.predict(smooth, v)[np.arange(256), labels]).mean()
    assert smoothed[-1]["val_loss"] == pytest.approx(loss, rel=1e-5)


def test_the_average_of_weights_is_that_of_each_step(tmp_path, small_network):
    one_step = {"sample_passes": 4 * 64, "weight_average": 0.6}
    recipe = SHORT.model_copy(update=one_step)
    steps = []
    averaged, history = run(
        recipe, tmp_path / "a", progress=lambda _: steps.append(checkpointed(tmp_path / "a"))
    )
    plain, plain_history = run(
        recipe.model_copy(update={"weight_average": 0.0}), tmp_path / "plain"
    )
    # The average is looked at; the training goes its way without it.
    assert alike(steps[-1], plain, atol=1e-6) and not alike(averaged, plain, atol=1e-4)
    expected = steps[0].get_weights()
    for step in steps[1:]:
        pairs = zip(expected, step.get_weights(), strict=True)
        expected = [0.6 * mean + 0.4 * own for mean, own in pairs]
    assert all(map(lambda a, b: np.allclose(a, b, atol=1e-6), averaged.get_weights(), expected))
    assert history[-1]["loss"] == pytest.approx(plain_history[-1]["loss"], abs=1e-5)
    assert history[-1]["val_loss"] != pytest.approx(plain_history[-1]["val_loss"], abs=1e-5)


# --- the networks learn


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_the_hadamard_network_learns(tmp_path, precision):
    update = {"sample_passes": 4 * 16 * 64, "learning_rate": 3e-3, "precision": precision}
    recipe = RECIPE.model_copy(update={**update, "min_points": 5})
    model, history = run(recipe, tmp_path)
    assert history[-1]["val_accuracy"] > 0.9
    assert history[-1]["loss"] < 0.6 * history[0]["loss"]
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert alike(checkpointed(tmp_path), model)


def test_what_is_not_known_costs_nothing():
    truth = np.array([[1.0, np.nan, 3.0], [np.nan] * 3], np.float32)
    said = np.array([[2.0, 5.0, 3.0], [1.0] * 3], np.float32)
    found = WhereKnown(10.0).call(truth, keras.ops.convert_to_tensor(said))
    assert np.allclose(found, [10 * 0.5, 0])


def test_what_was_learned_beside_the_class_is_left_behind(tmp_path):
    model = networks.build("runset", 20, 1, seen="rates", n_constants=4)
    card = {"classes": list(mechanisms.catalogue()), "recipe": RECIPE.model_dump(mode="json")}
    fusion.save(model, tmp_path / "a.keras", card)
    saved, _ = fusion.load(tmp_path / "a.keras")
    some = features.run_inputs(laboratory(3, 2))
    assert np.allclose(saved(some), model(some)["head"], atol=1e-6)
    asked, _ = Evaluated.load(tmp_path / "a.weights.npz").read(laboratory(3, 2))
    assert np.allclose(saved(some), asked, atol=1e-5)
    assert saved.count_params() < model.count_params() - 20 * 4 * 128


@pytest.mark.slow
@pytest.mark.parametrize("beside", [(0.0, 0.0), (0.1, 1.0)])
def test_the_network_of_sets_of_runs_learns(tmp_path, beside):
    classes = CLASSES if not any(beside) else list(mechanisms.catalogue())
    recipe = Recipe(
        fusion="runset",
        seed=1,
        sample_passes=4 * 10 * 32,
        batch_size=32,
        learning_rate=2e-3,
        lengths=(4, 5),
        noise=(0.0,),
        beside=beside,
    )
    design, labels = curves(256)
    lone = replace(design, living=np.ones_like(design.time))
    constants = np.zeros((256, MOST_CONSTANTS), np.float32)
    pools = {0: Taught(lone, labels, constants)}
    for n_runs in (2, 3):
        some = Runs(*(value[:, :n_runs] for value in vars(lone).values()))
        pools[n_runs] = Taught(some, labels, constants)
    shown = runs.thinned(lone[:128], 5, np.random.default_rng(1), keep_start=True)
    validation = features.run_inputs(shown), labels[:128]

    model, history = fusion.train(
        lambda epoch: RunBatches(pools, recipe, epoch), validation, recipe, classes, tmp_path
    )
    assert len(history) == 4 and history[-1]["val_accuracy"] > 0.9
    assert history[-1]["val_loss"] < 0.6 * history[0]["val_loss"]
    assert fusion.predict(classifying(model), laboratory(3, 8)).shape == (3, len(classes))
    assert same(replace(lone, living=design.living), design), "the samples are left as they were"
