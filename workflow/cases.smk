"""Chapter 09's tables as jobs: cases by seeds, side by side on cores or machines.

`make book` asks for them where the profile has `seeds`; `snakemake cases` makes them alone. A job
leaves a stamp; its pieces are files that a job which died goes on from, in a folder named after the
code that made them.
"""

SEEDS = PROFILE.parameters(RUNS["09_discovery"]).seeds
SEEDS_PER_JOB = config.get("seeds_per_job", 5)
if not isinstance(SEEDS_PER_JOB, int) or SEEDS_PER_JOB < 1:
    raise WorkflowError(f"seeds_per_job: expected a whole number > 0, got {SEEDS_PER_JOB!r}")
CASES = []
if SEEDS:
    from studies.discovery import study

    PIECES = study.place(RESULTS)
    CASES = [f"{PIECES}/jobs/{name}-{first}-{most}" for name, first, most in study.blocks(SEEDS, SEEDS_PER_JOB)]


rule cases:
    input:
        CASES,


rule case:
    output:
        touch("{pieces}/jobs/{setting}-{first}-{most}"),
    log:
        "{pieces}/logs/{setting}-{first}-{most}.log",
    wildcard_constraints:
        first=r"\d+",
        most=r"\d+",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=240,
    shell:
        "python -m studies discovery {wildcards.setting} --folder {wildcards.pieces}"
        " --first {wildcards.first} --most {wildcards.most} > {log} 2>&1"
