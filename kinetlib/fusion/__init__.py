"""The fusion networks: what they see, how they are built, trained, saved and loaded."""

from kinetlib import quiet

with quiet.native_logs():
    import keras  # noqa: F401  Keras loads its backend here, before the modules below need it

from kinetlib.fusion.curves import Curves, add_noise, arranged, from_dataset, thin
from kinetlib.fusion.networks import FUSIONS, build, predict
from kinetlib.fusion.training import Recipe, load, save, train

__all__ = [
    "FUSIONS",
    "Curves",
    "Recipe",
    "add_noise",
    "arranged",
    "build",
    "from_dataset",
    "load",
    "predict",
    "save",
    "thin",
    "train",
]
