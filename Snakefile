"""The rebuild: which chapter runs when, for `make book`.

A chapter runs again when its notebook, one of its parameters, a module it computes with or a
chapter before it changed. Nobody needs to know Snakemake to use or change this: `kinetlib run`
executes a chapter, `kinetlib book` renders the book, and the table below says what depends on what.
"""

import fcntl
from pathlib import Path

from kinetlib import profiles

KINETICS = ["network", "_rodas", "integrate", "mechanisms", "catalogue.toml"]
# The modules whose change makes a chapter's results old. `plot` is left out where a chapter takes
# long: a new colour in a figure does not train a network again.
SOURCES = {
    "01_solver_exploration": [*KINETICS, "simulate", "plot"],
    "02_mechanisms": [*KINETICS, "simulate", "sample", "plot"],
    "03_dataset_generation": [*KINETICS, "sample", "dataset"],
    "06_fusion_training": ["dataset", "fusion"],
    "07_evaluation": ["dataset", "fusion", "evaluate", "plot"],
}
# The chapters whose files a chapter reads.
EARLIER = {
    "06_fusion_training": ["03_dataset_generation"],
    "07_evaluation": ["03_dataset_generation", "06_fusion_training"],
}
# Chapter 1 measures times and chapter 3 uses every core by itself: each runs alone. The two
# networks train side by side.
ALONE = ["01_solver_exploration", "03_dataset_generation"]
# The published tables that the evaluation stands beside.
PUBLISHED = {"07_evaluation": [str(path) for path in sorted(Path("data/published").glob("*.csv"))]}

PROFILE = profiles.load(config.get("profile", profiles.DEFAULT))
RESULTS = PROFILE.results
RUNS = {run.name: run for run in PROFILE.runs()}

# One rebuild at a time. The lock ends with this process, however it ends, so an interrupted
# rebuild leaves nothing to clear away (Snakemake's own lock would, hence --nolock).
Path("results").mkdir(exist_ok=True)
RUNNING = open("results/.running", "w")
try:
    fcntl.flock(RUNNING, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    raise WorkflowError("another make book is at work in this folder: wait for it, or end it")


def executed(chapter):
    """The executed notebooks of a chapter, one for each variant."""
    return [f"{RESULTS}/chapters/{run.name}.ipynb" for run in PROFILE.runs(chapter)]


def files(module):
    """The files of a module of kinetlib, which may be a folder or a file that is not Python."""
    path = Path("kinetlib", module)
    if path.is_dir():
        return [str(file) for file in sorted(path.rglob("*.py"))]
    return [str(path if path.suffix else path.with_suffix(".py"))]


def chapter_inputs(wildcards):
    """Everything that makes the executed notebook old when it changes, but its parameters."""
    chapter = RUNS[wildcards.name].chapter
    yield f"notebooks/{chapter}.ipynb"
    yield from PUBLISHED.get(chapter, [])
    for module in SOURCES[chapter]:
        yield from files(module)
    for earlier in EARLIER.get(chapter, []):
        yield from executed(earlier)


def variant(wildcards):
    """The option that names the variant of a chapter executed more than once."""
    name = RUNS[wildcards.name].variant
    return f"--variant {name}" if name else ""


def cores(wildcards):
    """How many cores to keep free for a chapter."""
    alone = RUNS[wildcards.name].chapter in ALONE
    return workflow.cores if alone else max(1, workflow.cores // 2)


CHAPTERS = [path for chapter in profiles.CHAPTERS for path in executed(chapter)]


# The chapters are named beside the book: one that failed is missing, and must run again although
# an older book is there.
rule all:
    input:
        CHAPTERS,
        f"{RESULTS}/book/index.html",


rule book:
    input:
        CHAPTERS,
        [str(path) for path in sorted(Path("book").rglob("*")) if path.is_file()],
        "_config.yml",
        "_toc.yml",
        [file for module in ["book", "catalogue_page", *KINETICS] for file in files(module)],
    output:
        f"{RESULTS}/book/index.html",
    shell:
        "kinetlib book --profile {PROFILE.name} 2>&1"


rule chapter:
    input:
        lambda wildcards: list(chapter_inputs(wildcards)),
    output:
        f"{RESULTS}/chapters/{{name}}.ipynb",
    log:
        f"{RESULTS}/logs/{{name}}.log",
    wildcard_constraints:
        name="|".join(RUNS),
    params:
        parameters=lambda wildcards: PROFILE.parameters(RUNS[wildcards.name]).model_dump(),
        chapter=lambda wildcards: RUNS[wildcards.name].chapter,
        variant=variant,
    threads:
        cores
    shell:
        "kinetlib run {params.chapter} --profile {PROFILE.name} {params.variant} 2>&1"
