"""Checkpoints of a training: what each epoch leaves, and where a training goes on.

A training whose rate is steady before it falls can be made longer: until the fall, a longer one has
the same steps. The last checkpoint before the fall is kept for it.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from kinetlib.fusion.backend import keras
from kinetlib.fusion.optimizers import rate_of
from kinetlib.fusion.recipe import Recipe
from kinetlib.records.files import write_text

Records = list[dict[str, float]]
STATE = "state.json"


def leave(
    folder: Path, model: keras.Model, recipe: Recipe, classes: list[str], history: Records
) -> None:
    """Leave the network under a new name, then the state that points at it, then tidy up."""
    name = f"epoch-{len(history):05d}.keras"
    model.save(folder / name)
    steady = None
    if len(history) <= recipe.steady_epochs:
        steady = name
    elif recipe.steady_epochs:
        steady = _state(folder)["steady"]
    state = {
        "recipe": recipe.model_dump(mode="json"),
        "classes": classes,
        "model": name,
        "steady": steady,
        "history": history,
    }
    write_text(folder / STATE, json.dumps(state))
    for old in folder.glob("epoch-*.keras"):
        if old.name not in (name, steady):
            old.unlink()


def resume(folder: Path, recipe: Recipe, classes: list[str]) -> tuple[keras.Model | None, Records]:
    """Return the network and the records of a training that goes on; None and none of another."""
    state = _state(folder)
    if state is None or state["classes"] != classes:
        return None, []
    saved = Recipe.model_validate(state["recipe"])
    if saved == recipe:
        return _loaded(folder / state["model"]), state["history"]
    steady = state.get("steady")
    if steady is None or not saved.begins_as(recipe):
        return None, []
    epochs = int(Path(steady).stem.removeprefix("epoch-"))
    if epochs > recipe.steady_epochs:
        return None, []
    model = _loaded(folder / steady)
    model.optimizer.learning_rate = rate_of(recipe)
    return model, state["history"][:epochs]


def copied(source: Path, folder: Path) -> None:
    """Begin a folder of checkpoints with the last one of another, and the last of a steady rate."""
    state = _state(source)
    folder.mkdir(parents=True, exist_ok=True)
    for name in {state["model"], state["steady"]} - {None}:
        shutil.copyfile(source / name, folder / name)
    write_text(folder / STATE, json.dumps(state))


def history(folder: Path) -> Records:
    """Return the records of the training whose checkpoints are there, none where there are none."""
    state = _state(folder)
    return state["history"] if state else []


def recipe(folder: Path) -> Recipe | None:
    """Return the recipe of the training whose checkpoints are there."""
    state = _state(folder)
    return Recipe.model_validate(state["recipe"]) if state else None


def _state(folder: Path) -> dict | None:
    path = folder / STATE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def _loaded(path: Path) -> keras.Model:
    return keras.saving.load_model(path, safe_mode=True)
