"""The typed parameters of every chapter: one class per notebook.

A class and the ``parameters`` cell of its notebook say the same: names, types, defaults and help
(``tests/test_notebooks.py`` holds them together).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeVar, get_args, get_origin

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

if TYPE_CHECKING:
    from kinetlib.runs import shards


def _number(value: Any) -> Any:
    """Text such as ``1e-3`` as a number; YAML 1.1 only reads ``1.0e-3`` as one."""
    if isinstance(value, bool):
        raise ValueError("a truth value is not a number")
    if isinstance(value, str):
        return float(value) if re.search(r"[.eE]", value) else int(value)
    return value


def _items(value: Any) -> Any:
    """Text such as ``M1, M2`` or ``[M1, M2]`` (from a command line) as a list."""
    if isinstance(value, str):
        inner = value.strip().removeprefix("[").removesuffix("]")
        return [item.strip().strip("'\"") for item in inner.split(",") if item.strip()]
    return value


Element = TypeVar("Element")
Integer = Annotated[int, BeforeValidator(_number)]
Number = Annotated[float, BeforeValidator(_number), Field(allow_inf_nan=False)]
Count = Annotated[Integer, Gt(0)]
Seed = Annotated[Integer, Ge(0)]
Fraction = Annotated[Number, Ge(0), Le(1)]
Positive = Annotated[Number, Gt(0)]
Tolerance = Annotated[Number, Gt(0), Lt(1)]
ListOf = Annotated[list[Element], BeforeValidator(_items), MinLen(1)]
Network = Literal["average", "attention", "gate", "hadamard", "runset"]

Selector = Literal[
    "random",
    "stratified",
    "sobol",
    "k-medoids",
    "herding",
    "fps",
    "maximin",
    "leverage",
    "pivoted_cholesky",
    "rp_cholesky",
    "kdpp",
    "d_exchange",
    "i_greedy",
    "i_greedy by conversion",
]


def _rising(values: list[float]) -> list[float]:
    if any(a > b for a, b in zip(values[::2], values[1::2], strict=True)):
        raise ValueError("each range goes from a smaller to a larger number")
    return values


Range = Annotated[ListOf[Positive], Len(2, 2), AfterValidator(_rising)]
ThreeRanges = Annotated[ListOf[Positive], Len(6, 6), AfterValidator(_rising)]


class Parameters(BaseModel):
    """What a chapter can be told: the base of one class per notebook."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Seed = Field(0, description="root of all random numbers")
    results: str = Field(
        "results/laptop",
        min_length=1,
        description="folder read from and written to",
    )


class SolverExploration(Parameters):
    """Parameters of ``01_solver_exploration``."""

    seed: Seed = Field(1, description="root of all random numbers")
    mechanisms: ListOf[str] = Field(
        ["M1", "M2", "M8", "M20"], description="mechanisms every solver is tried on"
    )
    n_constants: Count = Field(40, description="sets of rate constants per mechanism")
    tolerances: ListOf[Tolerance] = Field(
        [1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-9], description="relative tolerances tried"
    )
    neural_ode_steps: Count = Field(200, description="gradient steps of the neural ODE")


class Mechanisms(Parameters):
    """Parameters of ``02_mechanisms``."""

    seed: Seed = Field(2, description="root of all random numbers")
    loading: Annotated[Number, Gt(0), Le(1)] = Field(
        0.05, description="catalyst loading, mole fraction of the substrate"
    )
    n_curves: Count = Field(12, description="sets of rate constants drawn per mechanism")


class DatasetGeneration(Parameters):
    """Parameters of ``03_dataset_generation``."""

    seed: Seed = Field(3, description="root of all random numbers")
    train_shards: Count = Field(40, description="files of training samples")
    validation_shards: Count = Field(2, description="files of validation samples")
    test_shards: Count = Field(2, description="files of test samples")
    sets_per_mechanism: Count = Field(
        150, description="accepted sets of rate constants per mechanism and file"
    )
    samples_per_set: Count = Field(5, description="samples of four runs per set of rate constants")
    constants: Range = Field(
        [1e-3, 1e3], description="rate constants are drawn log-uniformly from here to there"
    )
    horizon: Range = Field(
        [0.8, 0.99], description="part of the final conversion that is reached at the horizon"
    )
    loadings: Range = Field([0.01, 0.10], description="catalyst loadings, training and validation")
    test_loadings: ThreeRanges = Field(
        [0.01, 0.02, 0.045, 0.055, 0.09, 0.10], description="three ranges, in the test set"
    )
    substrate: Range = Field([0.4, 0.8], description="initial substrate of the fourth run")
    n_times: Count = Field(20, description="output times a run beside the start")
    n_test_times: Count = Field(6, description="output times a run of the test set")
    catalogue: str = Field("", description="file of mechanisms and rules of acceptance of your own")
    coverage_sets: Count = Field(
        1500,
        description="parameter sets per mechanism among which the nearest curves are sought",
    )

    def plans(self) -> dict[str, shards.Plan]:
        """Return what the shards of each split are made of."""
        from kinetlib.runs import shards  # takes a second, which checking a profile should not

        counts = {f"{split}_shards" for split in self.shards}
        return shards.plans(**self.model_dump(exclude={"results", "coverage_sets", *counts}))

    @property
    def shards(self) -> dict[str, int]:
        """Number of shards of each split."""
        return {
            "train": self.train_shards,
            "validation": self.validation_shards,
            "test": self.test_shards,
        }


class Potentials(Parameters):
    """Parameters of ``04_potentials``."""

    seed: Seed = Field(4, description="root of all random numbers")
    atoms: Annotated[Literal[4, 16], BeforeValidator(_number)] = Field(
        4, description="atoms of a cell, 4 or 16"
    )
    n_pool: Count = Field(400, description="configurations to choose from")
    n_test: Count = Field(150, description="configurations of each of the first three tests")
    n_pools: Count = Field(3, description="pools, each with tests of its own")
    n_random: Count = Field(20, description="random training sets of each size")
    sizes: ListOf[Count] = Field(
        [5, 10, 20, 27, 40, 50, 80, 160], description="configurations in a training set"
    )

    @model_validator(mode="after")
    def _pool_is_large_enough(self) -> Potentials:
        if 2 * max(self.sizes) > self.n_pool:
            raise ValueError(
                f"n_pool ({self.n_pool}) must be at least twice the largest of sizes "
                f"({max(self.sizes)})"
            )
        return self


class TrainingDesign(Parameters):
    """Parameters of ``05a_training_design``."""

    seed: Seed = Field(5, description="root of all random numbers")
    replicates: Count = Field(3, description="pools and test sets, each made anew")
    pool_sets: Count = Field(300, description="samples per mechanism in a pool")
    test_sets: Count = Field(60, description="samples per mechanism in a test set")
    methods: ListOf[Selector] = Field(
        ["random", "sobol", "herding", "fps", "i_greedy"], description="for the kernel classifier"
    )
    sizes: ListOf[Count] = Field([500, 1000], description="samples selected for it")
    network_replicates: Count = Field(1, description="of these, how many train networks")
    network_methods: ListOf[Selector] = Field(["random", "i_greedy"], description="for the network")
    network_sizes: ListOf[Count] = Field([700], description="samples selected for it")
    network_passes: Count = Field(20_000, description="samples shown to each network")


class ExperimentDesign(Parameters):
    """Parameters of ``05b_experiment_design``."""

    seed: Seed = Field(55, description="root of all random numbers")
    sets_per_mechanism: Count = Field(
        40, description="sets of rate constants per mechanism that experiments are tried on"
    )
    rivals: Count = Field(
        20, description="sets of rate constants per mechanism that rivals are sought among"
    )
    noise: Positive = Field(0.015, description="relative noise that experiments are chosen for")
    reactions: Count = Field(6, description="reactions that a next run is advised for")
    estimated: ListOf[str] = Field(
        ["M1", "M2"], description="mechanisms whose rate constants are estimated"
    )
    estimation_draws: Count = Field(
        3000, description="draws from the prior that estimators learn from"
    )
    estimation_passes: Count = Field(30, description="passes of the estimating network over them")
    estimation_samples: Count = Field(
        100, description="further draws whose constants are estimated"
    )
    estimation_unplanned: Count = Field(
        2, description="unplanned experiments that are estimated from"
    )


class FusionTraining(Parameters):
    """Parameters of ``06_fusion_training``."""

    seed: Seed = Field(6, description="root of all random numbers")
    network: Network = Field("hadamard", description="average, attention, gate, hadamard or runset")
    sample_passes: Count = Field(400_000, description="training samples seen, repeats counted")
    batch_size: Count = Field(512, description="samples per gradient step")
    optimizer: Literal["muon", "adam"] = Field("muon", description="muon or adam")
    learning_rate: Positive = Field(2.0e-2, description="peak of the learning-rate schedule")
    adam_ratio: Annotated[Positive, Le(1)] = Field(
        0.15, description="of Muon: Adam's rate for what is no matrix, relative to its own"
    )
    noise: ListOf[Fraction] = Field(
        [0.0, 0.005, 0.012], description="standard deviations of the noise trained with"
    )
    min_points: Annotated[Integer, Ge(2)] = Field(3, description="fewest points per run")
    max_points: Annotated[Integer, Ge(2)] = Field(20, description="most points per run")

    @model_validator(mode="after")
    def _points_in_order(self) -> FusionTraining:
        if self.min_points > self.max_points:
            raise ValueError(
                f"min_points ({self.min_points}) must not exceed max_points ({self.max_points})"
            )
        return self


class Evaluation(Parameters):
    """Parameters of ``07_evaluation``."""

    seed: Seed = Field(7, description="root of all random numbers")
    networks: ListOf[Network] = Field(
        ["average", "attention", "gate", "hadamard", "runset"],
        description="networks to compare",
    )
    n_bootstrap: Count = Field(1000, description="bootstrap resamples behind each interval")
    sets_per_mechanism: Count = Field(
        100, description="parameter sets per mechanism of each test made on this page"
    )


class Limits(Parameters):
    """Parameters of ``08_limits``."""

    seed: Seed = Field(8, description="root of all random numbers")
    n_shown: Count = Field(12, description="samples shown side by side")


class TenMinutes(Parameters):
    """Parameters of ``00_ten_minutes``."""

    seed: Seed = Field(10, description="root of all random numbers")
    file: str = Field("data/example.xlsx", description="the runs; put your own here")
    substrate: str = Field("Substrate", description="its column")
    product: str = Field("Product", description="its column")
    catalyst: str = Field("Catalyst", description="its column")


class Answers(Parameters):
    """Parameters of ``08b_answers``."""

    seed: Seed = Field(19, description="root of all random numbers")
    mechanism: str = Field(
        "M9", pattern="^M([1-9]|1[0-9]|20)$", description="of the reaction that is asked about"
    )
    noise: Fraction = Field(0.01, description="standard deviation relative to the value")
    n_times: Annotated[Integer, Ge(4)] = Field(12, description="rows of a run, the start counted")


class ReactionDiscovery(Parameters):
    """Parameters of ``09_discovery``."""

    seed: Seed = Field(9, description="root of all random numbers")
    n_runs: Count = Field(20, description="runs of case 1 that reactions are sought in")
    n_times: Annotated[Integer, Ge(4)] = Field(100, description="times of a run, the start counted")
    noise: Fraction = Field(0.05, description="standard deviation relative to the value")
    n_reactions: Count = Field(8, description="most reactions allowed")
    repeats: Count = Field(3, description="times that all is done with other runs")
    seeds: Annotated[Integer, Ge(0)] = Field(
        0, description="most seeds of each case made anew for the tables; 0 shows the record"
    )


class HigherOrder(Parameters):
    """Parameters of ``10_higher_order``."""

    seed: Seed = Field(10, description="root of all random numbers")
    stiffness: Annotated[ListOf[Positive], MinLen(3)] = Field(
        [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6], description="largest constants, rising"
    )
    n_fitted: Count = Field(6, description="runs that constants are fitted to")
    n_held_out: Count = Field(20, description="other runs that errors are taken in")
    training_steps: Count = Field(16_000, description="updates of the published recipe")
    n_reactions: Count = Field(3, description="reactions that the recipe may use")
    network_size: Annotated[Integer, Ge(2), Le(3)] = Field(
        3, description="reactions of the networks searched, 3 of them take half a minute"
    )
    search_noise: Fraction = Field(0.01, description="noise of the curves searched, relative")
    n_bounds: Count = Field(3, description="simulations behind the profiles of the likelihood")


# Smaller steps for the largest network, as for the released one.
_EACH_NETWORK: dict[str, dict[str, Any]] = {
    network: {"network": network} for network in get_args(Network)
} | {"runset": {"network": "runset", "learning_rate": 1.5e-2}}


class FusionTrainingVariants(BaseModel):
    """Several runs of ``06_fusion_training``: common values first, each variant's own on top."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    parameters: ClassVar[type[Parameters]] = FusionTraining

    variants: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$")], FusionTraining] = Field(
        {name: FusionTraining(**own) for name, own in _EACH_NETWORK.items()}, min_length=1
    )

    @model_validator(mode="before")
    @classmethod
    def _merge(cls, entry: Any) -> Any:
        if not isinstance(entry, Mapping):
            return entry
        variants = entry.get("variants", _EACH_NETWORK)
        if not isinstance(variants, Mapping):
            return {"variants": variants}
        common = {name: value for name, value in entry.items() if name != "variants"}
        return {
            "variants": {
                variant: {**common, **own} if isinstance(own, Mapping) else own
                for variant, own in variants.items()
            }
        }


class Chapters(BaseModel):
    """The chapters in reading order, which is also an order in which they can be run."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ten_minutes: TenMinutes = Field(TenMinutes(), alias="00_ten_minutes")
    solver_exploration: SolverExploration = Field(
        SolverExploration(), alias="01_solver_exploration"
    )
    mechanisms: Mechanisms = Field(Mechanisms(), alias="02_mechanisms")
    dataset_generation: DatasetGeneration = Field(
        DatasetGeneration(), alias="03_dataset_generation"
    )
    potentials: Potentials = Field(Potentials(), alias="04_potentials")
    training_design: TrainingDesign = Field(TrainingDesign(), alias="05a_training_design")
    experiment_design: ExperimentDesign = Field(ExperimentDesign(), alias="05b_experiment_design")
    fusion_training: FusionTrainingVariants = Field(
        FusionTrainingVariants(), alias="06_fusion_training"
    )
    evaluation: Evaluation = Field(Evaluation(), alias="07_evaluation")
    limits: Limits = Field(Limits(), alias="08_limits")
    answers: Answers = Field(Answers(), alias="08b_answers")
    reaction_discovery: ReactionDiscovery = Field(ReactionDiscovery(), alias="09_discovery")
    higher_order: HigherOrder = Field(HigherOrder(), alias="10_higher_order")


CHAPTERS: Mapping[str, type[Parameters]] = {
    field.alias: getattr(field.annotation, "parameters", field.annotation)
    for field in Chapters.model_fields.values()
}

_PLAIN = {int: "whole number", float: "number", str: "text", bool: "true or false"}
_BOUNDS = {"gt": ">", "ge": ">=", "lt": "<", "le": "<="}


def type_name(field: FieldInfo) -> str:
    """Write the type of a parameter as its notebook annotates it: ``int``, ``list[str]``."""
    return _type_name(field.annotation)


def expected(field: FieldInfo) -> str:
    """Say in words what a parameter accepts: ``whole number > 0``."""
    return _expected(field.annotation, field.metadata)


def _type_name(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return type(arguments[0]).__name__
    if origin is list:
        return f"list[{_type_name(arguments[0])}]"
    return annotation.__name__


def _expected(annotation: Any, metadata: list[Any] | tuple[Any, ...]) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _expected(arguments[0], (*arguments[1:], *metadata))
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is list:
        return f"list of one or more, each {_expected(arguments[0], ())}"
    bounds = [
        f"{sign} {getattr(bound, name):g}"
        for bound in metadata
        for name, sign in _BOUNDS.items()
        if hasattr(bound, name)
    ]
    return " ".join([_PLAIN[annotation], " and ".join(bounds)]).strip()
