"""What makes a chapter's results old, for ``make book``: read by the ``Snakefile``."""

from __future__ import annotations

from pathlib import Path

from kinetlib.records import code

#: Chapters that take long, which a new colour in a figure does not run again.
LONG = ["03_dataset_generation", "05a_training_design", "06_fusion_training"]

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
    "00_ten_minutes": ["data/example.xlsx", "data/models/*.*"],
    "04_potentials": ["data/studies/zirconium.json"],
    "05a_training_design": ["data/studies/training_design.json"],
    "05b_experiment_design": ["data/models/*.*", "data/studies/*.json"],
    "06_fusion_training": ["data/published/*.csv"],
    "07_evaluation": ["data/published/*.csv", "data/models/*.*"],
    "08_limits": ["data/published/*.csv", "data/models/*.*", "data/studies/*.json"],
    "08b_answers": ["data/models/*.*", "data/studies/answers.json"],
    "09_discovery": ["data/published/crnn.csv", "data/studies/crnn.json"],
    "10_higher_order": ["data/studies/higher_order.json"],
}


def files(start: str | Path, repository: str | Path = ".", *, figures: bool = True) -> list[str]:
    """List the files of code behind a module or a notebook, see `kinetlib.records.code.sources`.

    Parameters
    ----------
    start
        Dotted name of a module, or path of a notebook.
    repository
        Checkout to look in.
    figures
        Whether what draws figures counts.

    Returns
    -------
    list of str
        Paths below `repository`.
    """
    home = Path(repository).resolve()
    without = code.IDLE if figures else (*code.IDLE, *code.FIGURES)
    found = code.sources(start, without=without, home=home)
    return [path.relative_to(home).as_posix() for path in found]


def pages(repository: str | Path = ".") -> list[str]:
    """List the files behind the pages that the book writes itself."""
    home = Path(repository).resolve()
    without = ["kinetlib.records", *code.FIGURES]
    found = code.sources("kinetlib.chapters.book", without=without, home=home)
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
        The notebook, the code and the data, as paths below `repository`.
    """
    home = Path(repository)
    notebook = f"notebooks/{chapter}.ipynb"
    data = [path for pattern in DATA.get(chapter, []) for path in sorted(home.glob(pattern))]
    return [
        notebook,
        *files(home / notebook, home, figures=chapter not in LONG),
        *(path.relative_to(home).as_posix() for path in data),
    ]
