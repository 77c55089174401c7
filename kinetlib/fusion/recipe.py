"""What decides a training run, beside its data."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

#: The four fusions of the source, and the network of sets of runs.
FUSIONS = ("average", "attention", "gate", "hadamard")
RUNSET = "runset"
NETWORKS = (*FUSIONS, RUNSET)
#: What each of them can be made to see.
SEEN = dict.fromkeys(FUSIONS, ("scaled", "few", "raw")) | {RUNSET: ("scaled", "rates")}

EPOCH = 100_000  # sample passes between two checkpoints
FEWEST_EPOCHS = 4  # so that even a short training shows a course

Share = Annotated[float, Ge(0), Le(1)]


class Sizes(BaseModel):
    """How large the network of sets of runs is; the four fusions are as large as the source's."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: int = Field(64, gt=0, description="of both LSTMs, half that of the last layer")
    token: int = Field(96, gt=0, description="numbers that stand for a run")
    heads: int = Field(4, gt=0, description="of the attention between runs, shares of a token")
    blocks: int = Field(2, gt=0, description="times that runs look at each other")

    @model_validator(mode="after")
    def _shared(self) -> Self:
        if self.token % self.heads:
            raise ValueError(
                f"token {self.token} with heads {self.heads}: expected a multiple, each head has "
                "an equal share"
            )
        return self


USUAL = Sizes()


class Recipe(BaseModel):
    """All that decides a training run, beside its data."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    fusion: str
    seed: int
    sample_passes: int = Field(gt=0, description="samples shown, repeats counted")
    batch_size: int = Field(512, gt=0)
    optimizer: Literal["adam", "muon"] = Field(
        "adam", description="Muon makes each update of a matrix orthogonal; Adam does the rest"
    )
    learning_rate: float = Field(3e-3, gt=0, description="at its peak")
    adam_ratio: float = Field(
        0.13, gt=0, le=1, description="of Muon: Adam's rate for what is no matrix, relative to its"
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        "cosine",
        description="a short rise, then a cosine to 0; a short rise, then the same rate, then "
        "straight to 0; or the same rate throughout",
    )
    fall: float = Field(
        0.3, gt=0, le=1, description="last part of the passes, in which a linear schedule falls"
    )
    clip_norm: float | None = Field(
        1.0, gt=0, description="largest norm of all gradients; None: any"
    )
    features: Literal["scaled", "few", "raw", "rates"] = Field(
        "scaled",
        description="what the network sees: few and raw are of the four fusions, rates of runset; "
        "see kinetlib.fusion.features and kinetlib.fusion.rates",
    )
    label_smoothing: Share = Field(0.0, description="part of each label spread over all classes")
    weight_average: float = Field(
        0.0, ge=0, lt=1, description="momentum of the average of weights; 0: none"
    )
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    noise: tuple[Annotated[float, Ge(0)], ...] = Field(
        (0.0, 0.005, 0.012), min_length=1, description="levels drawn, one a sample"
    )
    min_points: int = Field(3, ge=2, description="fewest points beside t = 0, drawn once a batch")
    max_points: int = Field(20, ge=2, description="most points beside t = 0")

    # Of the network of sets of runs only.
    beside: tuple[Annotated[float, Ge(0)], Annotated[float, Ge(0)]] = Field(
        (0.0, 0.0),
        description="weights of what it learns beside the class: the rate constants, and the share "
        "of living catalyst at each point",
    )
    background: float = Field(
        0.0, ge=0, description="largest absolute noise, relative to the standard substrate"
    )
    sizes: Sizes = USUAL
    published_share: Share = Field(0.5, description="batches of the published design")
    lengths: tuple[Annotated[int, Ge(2)], ...] = Field(
        (4, 5, 6, 7, 7, 8, 9, 12, 16, 24), min_length=2, description="most points a run, by batch"
    )
    unmeasured: tuple[Share, Share] = Field(
        (0.15, 0.1), description="samples without product, and without substrate"
    )

    @field_validator("lengths")
    @classmethod
    def _vary(cls, lengths: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(lengths)) < 2:
            raise ValueError(f"expected two different numbers of points or more, got {lengths}")
        return lengths

    @field_validator("unmeasured")
    @classmethod
    def _share_samples(cls, unmeasured: tuple[float, float]) -> tuple[float, float]:
        if sum(unmeasured) > 1:
            raise ValueError(
                f"expected shares of samples that add to 1 at most, got {unmeasured}: a sample "
                "keeps its product or its substrate"
            )
        return unmeasured

    @model_validator(mode="after")
    def _as_published(self) -> Self:
        if self.fusion in FUSIONS and self.sizes != USUAL:
            raise ValueError(f"sizes {self.sizes}: expected none, {self.fusion} is as published")
        if self.fusion in FUSIONS and any(self.beside):
            raise ValueError(f"beside {self.beside}: expected none, {self.fusion} is as published")
        return self

    @model_validator(mode="after")
    def _can_see(self) -> Self:
        known = SEEN.get(self.fusion, (self.features,))
        if self.features not in known:
            raise ValueError(
                f"features {self.features!r}: expected {' or '.join(known)} of {self.fusion}"
            )
        return self

    @model_validator(mode="after")
    def _rise(self) -> Self:
        if self.min_points > self.max_points:
            raise ValueError(
                f"min_points {self.min_points} is more than max_points {self.max_points}: expected "
                "the fewest points first"
            )
        return self

    @property
    def epochs(self) -> int:
        """Number of epochs, of about `EPOCH` sample passes unless there would be too few."""
        return max(FEWEST_EPOCHS, round(self.sample_passes / EPOCH))

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return max(1, round(self.sample_passes / self.epochs / self.batch_size))

    @property
    def steady_epochs(self) -> int:
        """Whole epochs before the rate of a linear schedule falls; 0 of other schedules."""
        return int((1 - self.fall) * self.epochs) if self.schedule == "linear" else 0

    def begins_as(self, other: Recipe) -> bool:
        """Tell whether a training differs from another in nothing but how long its rate stays."""
        same = self.model_copy(update={"sample_passes": other.sample_passes, "fall": other.fall})
        return same == other and self.schedule == "linear" and self.steps == other.steps


def published(fusion: str, *, seed: int, sample_passes: int) -> Recipe:
    """Return the recipe of the source: raw inputs, Adam 1e-4 throughout, batches of 2048."""
    return Recipe(
        fusion=fusion,
        seed=seed,
        sample_passes=sample_passes,
        batch_size=2048,
        learning_rate=1e-4,
        schedule="constant",
        clip_norm=None,
        features="raw",
        noise=(0.0, 0.005, 0.012),
        min_points=3,
        max_points=20,
    )
