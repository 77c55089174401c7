"""The rebuild: which chapter runs when, for `make book`.

A chapter runs again when its notebook, one of its parameters, a module it computes with or a
chapter before it changed; kinetlib/chapters/rebuild.py says which. Nobody needs to know Snakemake to use
or change this: `kinetlib run` executes a chapter, `kinetlib book` renders the book.
"""

import fcntl
from pathlib import Path

from kinetlib.chapters import profiles, rebuild

PROFILE = profiles.load(config.get("profile", profiles.DEFAULT))
RESULTS = PROFILE.results
RUNS = {run.name: run for run in PROFILE.runs()}
EXECUTED = [f"{RESULTS}/chapters/{name}.ipynb" for name in RUNS]

# One rebuild at a time. The lock ends with this process, however it ends, so an interrupted
# rebuild leaves nothing to clear away (Snakemake's own lock would, hence --nolock). Jobs on other
# machines read this file again; they work for the process that holds the lock.
if workflow.is_main_process:
    Path("results").mkdir(exist_ok=True)
    RUNNING = open("results/.running", "w")
    try:
        fcntl.flock(RUNNING, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise WorkflowError("another rebuild is at work in this folder: wait for it, or end it")


def inputs(wildcards):
    """Everything that makes an executed chapter old when it changes, but its parameters."""
    chapter = RUNS[wildcards.name].chapter
    earlier = rebuild.EARLIER.get(chapter, [])
    runs = [run.name for run in RUNS.values() if run.chapter in earlier]
    parameters = PROFILE.parameters(RUNS[wildcards.name])
    own = [parameters.catalogue] if getattr(parameters, "catalogue", "") else []
    jobs = CASES if chapter == "09_discovery" else []
    chapters = (f"{RESULTS}/chapters/{name}.ipynb" for name in runs)
    return [*rebuild.inputs(chapter), *own, *jobs, *chapters]


def variant(wildcards):
    """The option that names the variant of a chapter executed more than once."""
    name = RUNS[wildcards.name].variant
    return f"--variant {name}" if name else ""


def cores(wildcards):
    """How many cores to keep free for a chapter."""
    alone = RUNS[wildcards.name].chapter in rebuild.ALONE
    return workflow.cores if alone else max(1, workflow.cores // 2)


# The chapters are named beside the book: one that failed is missing, and must run again although
# an older book is there.
rule all:
    input:
        EXECUTED,
        f"{RESULTS}/book/index.html",


rule book:
    input:
        EXECUTED,
        [str(path) for path in sorted(Path("book").rglob("*")) if path.is_file()],
        ["_config.yml", "_toc.yml"],
        [
            str(path)
            for folder in ("data/benchmarks", "data/models", "kinetlib/kinetics/shipped")
            for path in sorted(Path(folder).iterdir())
        ],
        rebuild.pages(),
    output:
        f"{RESULTS}/book/index.html",
    shell:
        "kinetlib book --profile {PROFILE.name} 2>&1"


rule chapter:
    input:
        inputs,
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
    threads: cores
    shell:
        "kinetlib run {params.chapter} --profile {PROFILE.name} {params.variant} 2>&1"


include: "workflow/shards.smk"
include: "workflow/cases.smk"
