"""The networks: what they see, how they are built, trained, saved, and asked.

Asking the released network needs NumPy alone. Building and training one needs Keras, which comes
with the extra ``train`` and is loaded when the first of the names that need it is used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kinetlib.fusion.four_runs import arranged, from_dataset, thin
from kinetlib.fusion.recipe import FUSIONS, NETWORKS, RUNSET, Recipe, published

if TYPE_CHECKING:
    from kinetlib.fusion.batches import Batches, RunBatches
    from kinetlib.fusion.networks import build, inputs_of, predict, read
    from kinetlib.fusion.training import load, save, train

_NEED_KERAS = {
    "batches": ("Batches", "RunBatches"),
    "networks": ("build", "inputs_of", "predict", "read"),
    "training": ("load", "save", "train"),
}

__all__ = [
    "FUSIONS",
    "NETWORKS",
    "RUNSET",
    "Batches",
    "Recipe",
    "RunBatches",
    "arranged",
    "build",
    "from_dataset",
    "inputs_of",
    "load",
    "predict",
    "published",
    "read",
    "save",
    "thin",
    "train",
]


def __getattr__(name: str):
    for module, names in _NEED_KERAS.items():
        if name in names:
            return getattr(import_module(f"kinetlib.fusion.{module}"), name)
    raise AttributeError(f"module 'kinetlib.fusion' has no attribute {name!r}")
