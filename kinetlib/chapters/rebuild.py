"""What makes a chapter's results old: the table behind ``make book``, read by the ``Snakefile``."""

from __future__ import annotations

from pathlib import Path

_KINETICS = [
    "network",
    "_conservation",
    "_native",
    "_native_source",
    "_native.cpp",
    "_rodas",
    "integrate",
    "mechanisms",
    "catalogue.toml",
]

_CLASSIFIER = ["fusion", "campaign", "classification", "trust", "calibration", "noise", "novelty"]

#: Modules of kinetlib whose change makes a chapter's results old. `plot` is left out where a
#: chapter takes long: a new colour in a figure does not train a network again.
MODULES: dict[str, list[str]] = {
    "01_solver_exploration": [
        *_KINETICS,
        "interchange",
        "simulate",
        "evaluate",
        "peers",
        "work_precision",
        "neural_ode",
        "plot",
    ],
    "02_mechanisms": [*_KINETICS, "simulate", "sample", "plot"],
    "03_dataset_generation": [
        *_KINETICS,
        "sample",
        "dataset",
        "shards",
        "card",
        "coverage",
        "evaluate",
    ],
    "04_potentials": ["potentials", "design", "plot"],
    "05a_training_design": [
        *_KINETICS,
        "sample",
        "dataset",
        "shards",
        "campaign",
        "design",
        "fusion",
        "evaluate",
        "trajectories",
        "training_classifiers",
        "training_design",
        "sample_efficiency",
    ],
    "05b_experiment_design": [
        *_KINETICS,
        *_CLASSIFIER,
        "files",
        "simulate",
        "sample",
        "dataset",
        "evaluate",
        "prior",
        "likelihood",
        "_sampling",
        "experiment",
        "discrimination",
        "experiment_network",
        "experiment_study",
        "experiment_evidence",
        "infer",
        "next_run",
        "plausible",
        "reading",
        "advice",
        "advice_trial",
        "sensitivity",
        "_native_tangents.cpp",
        "_radau_tangents",
        "estimation",
        "estimation_bound",
        "estimation_design",
        "estimation_fit",
        "estimation_network",
        "estimation_errors",
        "estimation_study",
        "plot",
    ],
    "06_fusion_training": ["dataset", "fusion", "campaign"],
    "07_evaluation": [
        *_KINETICS,
        *_CLASSIFIER,
        "sample",
        "dataset",
        "shards",
        "coverage",
        "evaluate",
        "foreign",
        "foreign.toml",
        "plot",
    ],
    "08_limits": [
        *_KINETICS,
        *_CLASSIFIER,
        "sample",
        "dataset",
        "shards",
        "prior",
        "likelihood",
        "_sampling",
        "infer",
        "limit_study",
        "evaluate",
        "plot",
    ],
    "09_discovery": [
        *_KINETICS,
        "_native_tangents.cpp",
        "_radau_tangents",
        "sensitivity",
        "crnn",
        "evaluate",
        "plot",
    ],
    "10_higher_order": [
        *_KINETICS,
        "sensitivity",
        "_native_tangents.cpp",
        "_radau_tangents",
        "crnn",
        "higher_order",
        "evaluate",
        "plot",
    ],
}

#: Chapters whose files a chapter reads; when one of them ran again, so does the chapter.
EARLIER: dict[str, list[str]] = {
    "06_fusion_training": ["03_dataset_generation"],
    "07_evaluation": ["03_dataset_generation", "06_fusion_training"],
}

#: Chapters that run with nothing beside them: the first measures times, the third uses every core.
#: The networks of the sixth train two at a time.
ALONE = ["01_solver_exploration", "03_dataset_generation"]

#: Committed data that a chapter reads, as patterns below the repository.
DATA: dict[str, list[str]] = {
    "04_potentials": ["data/studies/zirconium.json"],
    "05a_training_design": ["data/studies/training_design.json"],
    "05b_experiment_design": ["data/models/*.*", "data/studies/*.json"],
    "06_fusion_training": ["data/published/*.csv"],
    "07_evaluation": ["data/published/*.csv", "data/models/*.*"],
    "08_limits": ["data/published/*.csv", "data/models/*.*", "data/studies/*.json"],
    "09_discovery": ["data/published/crnn.csv", "data/studies/crnn.json"],
    "10_higher_order": ["data/studies/higher_order.json"],
}

#: Modules that write a page of the book themselves.
BOOK = [*_KINETICS, "catalogue_page", "speed_page", "book"]


def files(modules: list[str], repository: str | Path = ".") -> list[str]:
    """List the files of modules of kinetlib.

    Parameters
    ----------
    modules : list of str
        Names without ``kinetlib.``; a folder stands for all Python files in it, a name with a
        suffix for itself.
    repository : path, optional
        Checkout to look in.

    Returns
    -------
    list of str
        Paths below `repository`, whether they exist or not.
    """
    home = Path(repository)
    found: list[Path] = []
    for module in modules:
        path = home / "kinetlib" / module
        if path.is_dir():
            found += sorted(path.rglob("*.py"))
        else:
            found.append(path if path.suffix else path.with_suffix(".py"))
    return [path.relative_to(home).as_posix() for path in found]


def inputs(chapter: str, repository: str | Path = ".") -> list[str]:
    """List what a chapter is made from, but its parameters and earlier chapters.

    Parameters
    ----------
    chapter : str
        Full name, such as ``03_dataset_generation``.
    repository : path, optional
        Checkout to look in.

    Returns
    -------
    list of str
        The notebook, the modules and the data, as paths below `repository`.
    """
    home = Path(repository)
    data = [path for pattern in DATA.get(chapter, []) for path in sorted(home.glob(pattern))]
    return [
        f"notebooks/{chapter}.ipynb",
        *files(MODULES[chapter], home),
        *(path.relative_to(home).as_posix() for path in data),
    ]
