"""What takes the steps of a training: the optimizer of a recipe and its learning rate."""

from __future__ import annotations

from typing import Any

from kinetlib.fusion.backend import keras
from kinetlib.fusion.recipe import Recipe

WARM_UP = 0.03  # part of the passes over which a rate rises that then falls along a cosine
RISE = 100  # batches over which a rate rises that then stays, however long


def of(recipe: Recipe) -> keras.optimizers.Optimizer:
    """Return the optimizer of a recipe."""
    shared = {
        "learning_rate": rate_of(recipe),
        "global_clipnorm": recipe.clip_norm,
        "use_ema": recipe.weight_average > 0,
        "ema_momentum": recipe.weight_average,
    }
    if recipe.optimizer == "adam":
        return keras.optimizers.Adam(**shared)
    return keras.optimizers.Muon(
        **shared,
        adam_lr_ratio=recipe.adam_ratio,
        weight_decay=None,
        adam_weight_decay=None,
        # The last layer is Adam's, after those who devised Muon; so are biases of two dimensions.
        exclude_layers=["head", "bias"],
    )


def rate_of(recipe: Recipe) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate of a recipe, a number or what gives it for each step."""
    total = recipe.epochs * recipe.steps
    if recipe.schedule == "cosine":
        rise = int(WARM_UP * total)
        return keras.optimizers.schedules.CosineDecay(
            0.0,
            decay_steps=total - rise,
            warmup_target=recipe.learning_rate,
            warmup_steps=rise,
        )
    if recipe.schedule == "linear":
        fall = max(1, round(recipe.fall * total))
        return RiseAndFall(recipe.learning_rate, RISE, total - fall, total)
    return recipe.learning_rate


@keras.saving.register_keras_serializable("kinetlib")
class RiseAndFall(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that rises over the first steps, stays, and falls to 0 from one step to another."""

    def __init__(self, peak: float, rise: int, stays_until: int, ends: int):
        self.peak, self.rise, self.stays_until, self.ends = peak, rise, stays_until, ends

    def __call__(self, step):
        """Return the rate of a step."""
        step = keras.ops.cast(step, "float32")
        risen = step / self.rise
        left = (self.ends - step) / (self.ends - self.stays_until)
        return self.peak * keras.ops.clip(keras.ops.minimum(risen, left), 0.0, 1.0)

    def get_config(self) -> dict[str, Any]:
        """Return what the schedule is built from."""
        return dict(vars(self))
