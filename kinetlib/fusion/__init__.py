"""The fusion networks: what they see, how they are built, trained, saved and loaded."""

from kinetlib.records import quiet

with quiet.native_logs():
    import keras  # noqa: F401  Keras loads its backend here, before the modules below need it

from kinetlib.fusion.batches import Batches, RunBatches
from kinetlib.fusion.four_runs import arranged, from_dataset, thin
from kinetlib.fusion.networks import FUSIONS, NETWORKS, RUNSET, build, inputs_of, predict, read
from kinetlib.fusion.recipe import Recipe, published
from kinetlib.fusion.training import load, save, train

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
