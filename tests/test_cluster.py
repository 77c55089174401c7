"""Shards one by one, by command and as jobs: the same files that the chapter makes."""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import xarray as xr
import yaml
from click.testing import CliRunner

from kinetlib.chapters.parameters import DatasetGeneration
from kinetlib.cli import main
from kinetlib.runs import dataset, shards
from studies.discovery import study
from studies.discovery.settings import SETTINGS

ROOT = Path(__file__).parents[1]
SIZE = {"sets_per_mechanism": 1, "samples_per_set": 2}
COUNTS = {"train_shards": 3, "validation_shards": 1, "test_shards": 1}
TINY = {"chapters": {"03_dataset_generation": {"seed": 4, **COUNTS, **SIZE}}}


@pytest.fixture
def compendium(tmp_path, monkeypatch):
    """A small repository of our own, and us in it."""
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def asked(monkeypatch):
    """Record which shards would be made instead of making them."""
    calls = []

    def record(folder, plan, numbers, **options):
        calls.append((Path(folder), plan, list(numbers), options))
        return Path(folder) / plan.split

    monkeypatch.setattr(shards, "make", record)
    return calls


def call(*arguments):
    return CliRunner().invoke(main, ["shards", "--profile", "tiny", *arguments])


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*.nc")}


def test_splits_of_the_chapter_are_splits_of_the_dataset():
    parameters = DatasetGeneration(train_shards=3, validation_shards=2, test_shards=1)
    assert parameters.shards == {"train": 3, "validation": 2, "test": 1}
    assert list(parameters.shards) == list(parameters.plans())


def test_parameters_are_those_of_the_chapter(compendium, asked):
    given = ["-p", "seed=9", "-p", "train_shards=8", "-p", "results=results/mine"]
    answer = call("--split", "train", "--first", "5", "--count", "2", "--threads", "1", *given)
    assert answer.exit_code == 0, answer.output
    assert answer.stdout == "train: shards 5 to 6, results/mine/dataset/train\n"
    ((folder, plan, numbers, options),) = asked
    assert (folder, numbers) == (compendium / "results/mine/dataset", [5, 6])
    assert plan == shards.Plan("train", 9, **SIZE)
    assert options["threads"] == 1


def test_without_a_count_all_from_the_first_on(compendium, asked):
    call("--split", "train")
    call("--split", "train", "--first", "1")
    assert [numbers for _, _, numbers, _ in asked] == [[0, 1, 2], [1, 2]]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "trian"], "unknown split 'trian': expected one of train, validation, test"),
        (["--split", "laboratory"], "unknown split 'laboratory'"),
        (["--split", "train", "--first", "-1"], "train has shards 0 to 2"),
        (["--split", "train", "--first", "3"], "train has shards 0 to 2"),
        (["--split", "train", "--first", "1", "--count", "3"], "got --first 1 --count 3"),
        (["--split", "test", "--count", "0"], "test has shards 0 to 0 (test_shards is 1)"),
        (["--split", "train", "-p", "train_shard=9"], "did you mean 'train_shards'"),
    ],
)
def test_wrong_input_is_one_line_and_makes_nothing(compendium, asked, arguments, words):
    answer = call(*arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stderr.count("\n") == 1
    assert asked == [] and not (compendium / "results").exists()


@pytest.mark.slow
def test_one_by_one_they_are_the_files_that_the_chapter_makes(compendium):
    assert call("--split", "train", "--first", "2").exit_code == 0
    answer = call("--split", "train", "--first", "0", "--count", "1")
    assert answer.stderr == "train: shard 1 of 1\n"
    folder = compendium / "results" / "tiny" / "dataset"
    before = times(folder)
    assert [path.name for path in sorted(before)] == ["shard-00000.nc", "shard-00002.nc"]

    shards.generate(folder, shards.Plan("train", 4, **SIZE), 3)
    assert {path: times(folder)[path] for path in before} == before
    alone = shards.generate(compendium / "alone", shards.Plan("train", 4, **SIZE), 3)
    for one, other in zip(dataset.shards(folder / "train"), dataset.shards(alone), strict=True):
        with xr.open_dataset(one) as left, xr.open_dataset(other) as right:
            assert left.identical(right)


@pytest.fixture
def workflow(tmp_path):
    """Return a function that runs Snakemake on a copy of the repository, and the copy."""
    home = tmp_path / "home"
    leave = shutil.ignore_patterns(".git", ".venv", ".snakemake", "results", "__pycache__")
    shutil.copytree(ROOT, home, ignore=leave)
    profile = home / "profiles" / "tiny.yaml"
    profile.write_text(yaml.safe_dump(TINY))
    programs = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": programs, "PYTHONPATH": str(home)}

    def snakemake(*options, target="shards", expected=0):
        command = [sys.executable, "-m", "snakemake", target, "--cores", "2", "--nolock"]
        command += [*options, "--config", "profile=tiny", "shards_per_job=2"]
        answer = subprocess.run(
            command, cwd=home, env=environment, capture_output=True, text=True, timeout=120
        )
        words = answer.stdout + answer.stderr
        assert answer.returncode == expected, words
        return words

    return snakemake, home


@pytest.mark.slow
def test_jobs_make_what_is_missing_or_old_and_nothing_else(workflow):
    snakemake, home = workflow
    folder = home / "results" / "tiny" / "dataset"
    snakemake()
    made = times(folder)
    assert len(made) == 5
    for split, n_shards in DatasetGeneration(**COUNTS).shards.items():
        shards.generate(folder, shards.Plan(split, 4, **SIZE), n_shards)
    assert times(folder) == made
    assert "Nothing to be done" in snakemake("--dry-run")

    lost = folder / "train" / "shard-00002.nc"
    lost.unlink()
    snakemake()
    again = times(folder)
    assert {path for path in again if again[path] != made[path]} == {lost}

    other = TINY["chapters"]["03_dataset_generation"] | {"samples_per_set": 3}
    chapters = {"chapters": {"03_dataset_generation": other}}
    (home / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(chapters))
    assert snakemake("--dry-run").count("rule block:") == 4


@pytest.mark.slow
def test_a_job_reads_the_workflow_while_its_rebuild_holds_the_lock(workflow):
    snakemake, home = workflow
    (home / "results").mkdir()
    with open(home / "results" / ".running", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another rebuild is at work" in snakemake("--dry-run", expected=1)
        snakemake("--dry-run", "--mode", "remote")


@pytest.mark.slow
def test_the_tables_of_chapter_9_are_jobs_where_a_profile_has_seeds(workflow):
    snakemake, home = workflow
    asked = {"chapters": {"09_discovery": {"seeds": 1}}}
    (home / "profiles" / "tiny.yaml").write_text(yaml.safe_dump(asked))
    place = study.place("results/tiny", home)
    jobs = snakemake("--dry-run", target="all")
    assert jobs.count("rule case:") == len(SETTINGS) and f"{place}/jobs/B1few-0-1" in jobs

    # In earnest one job, of a benchmark that is over in seconds.
    with open(home / "studies/discovery/settings.py", "a") as settings:
        settings.write(
            "SETTINGS = {'B1few': SETTINGS['B1few'].model_copy(update={'seeds': {'oracle': 3}})}\n"
        )
    snakemake(target="cases")
    place = home / study.place("results/tiny", home)
    assert [path.name for path in (place / "B1few").iterdir()] == ["oracle-0.json"]
    assert [path.name for path in (place / "jobs").iterdir()] == ["B1few-0-1"]
