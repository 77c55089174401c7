"""Chapter 03's dataset as jobs, for those who have more than one machine: `snakemake shards`.

Nothing in the book asks for these rules: the chapter makes the shards that it does not find. What a
job declares to Snakemake is a stamp beside the dataset and not its shards, because Snakemake
removes the outputs of a job that fails, and of one that it starts again.
"""

DATASET = PROFILE.parameters(RUNS["03_dataset_generation"])
SHARDS_PER_JOB = config.get("shards_per_job", 50)
if not isinstance(SHARDS_PER_JOB, int) or SHARDS_PER_JOB < 1:
    raise WorkflowError(f"shards_per_job: expected a whole number > 0, got {SHARDS_PER_JOB!r}")
STAMPS = {}
for split, n_shards in DATASET.shards.items():
    folder = Path(RESULTS, "dataset", split)
    for first in range(0, n_shards, SHARDS_PER_JOB):
        block = range(first, min(first + SHARDS_PER_JOB, n_shards))
        files = [folder / f"shard-{number:05d}.nc" for number in block]
        STAMPS[f"{RESULTS}/shards/{split}-{block[0]}-{block[-1]}"] = files

# A stamp is worth no more than the files it stands for: they may have been removed since, by hand
# or by the chapter when it was asked for fewer.
if workflow.is_main_process:
    for stamp, files in STAMPS.items():
        if Path(stamp).exists() and not all(file.exists() for file in files):
            Path(stamp).unlink()


rule shards:
    input:
        list(STAMPS),


rule block:
    input:
        rebuild.files("kinetlib.runs.shards"),
        DATASET.catalogue or [],
    output:
        touch(f"{RESULTS}/shards/{{split}}-{{first}}-{{last}}"),
    log:
        f"{RESULTS}/logs/shards/{{split}}-{{first}}-{{last}}.log",
    wildcard_constraints:
        split="|".join(DATASET.shards),
        first=r"\d+",
        last=r"\d+",
    params:
        # All that decides what is in a shard: how many there are makes no other one old.
        recipe=DATASET.model_dump(exclude={"results", "coverage_sets", *(f"{name}_shards" for name in DATASET.shards)}),
        n_shards=lambda wildcards: int(wildcards.last) - int(wildcards.first) + 1,
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    shell:
        "kinetlib shards --profile {PROFILE.name} --split {wildcards.split}"
        " --first {wildcards.first} --count {params.n_shards} --threads {threads} > {log} 2>&1"
