"""The shards as jobs of a real SLURM: ``make test-slurm``, as root on Debian or Ubuntu.

Installs slurm-wlm and munge if they are missing, starts a cluster of one node out of a temporary
folder, and makes a small dataset there in a copy of the repository, with the settings that the
page book/cluster.md gives. A job is killed at work; the same command again must finish the dataset
without touching what was made, and the shards must equal those made without SLURM. The packages
stay; all else is gone afterwards.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import xarray as xr
import yaml
from rich.console import Console

from kinetlib.runs import dataset, shards

ROOT = Path(__file__).parents[1]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun")
NOT_COPIED = (".git", ".venv", ".snakemake", "results", "__pycache__")
SIZE = {"sets_per_mechanism": 40, "samples_per_set": 5}  # seconds a shard: time to kill its job
SHARDS = {"train": 6, "validation": 1, "test": 1}
PER_JOB = 3
JOBS = 4
VICTIM = "rule_block_wildcards_train_0_2"
LIMIT = 900  # seconds for everything

console = Console(highlight=False, markup=False, soft_wrap=True)


class Failed(Exception):
    """Something was not as promised."""


def main() -> int:
    """Run the test; return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.signal(signal.SIGALRM, _out_of_time)
    signal.alarm(LIMIT)
    folder = Path(tempfile.mkdtemp(prefix="kinetlib-slurm-"))
    folder.chmod(0o711)  # munge wants everybody to be able to reach its socket
    try:
        install()
        home = compendium(folder)
        with cluster(folder) as environment:
            check(home, environment)
    except (Failed, OSError, subprocess.SubprocessError) as error:
        console.print(f"FAILED: {error}", style="red")
        for log in sorted(folder.glob("*.log")):
            console.print(f"--- {log.name}", *log.read_text().splitlines()[-15:], sep="\n")
        return 1
    finally:
        left = ended(folder)
        shutil.rmtree(folder)
    if left:
        console.print(f"FAILED: still running after the shutdown: {left}", style="red")
        return 1
    console.print("SLURM is shut down, nothing is left")
    return 0


def check(home: Path, environment: dict[str, str]) -> None:
    """Make the dataset on the cluster, with a killed job on the way."""
    place = home / "results" / "cluster" / "dataset"
    with open(home.parent / "snakemake-1.log", "w") as log:
        first = subprocess.Popen(
            snakemake("--retries", "0"), cwd=home, env=environment, stdout=log, stderr=log
        )
    train = place / "train"
    try:
        wait_for("the first shard", lambda: (train / "shard-00000.nc").exists() or first.poll())
        (killed,) = [job for job, state, block in queue(environment) if block == VICTIM]
        run(["scancel", "--full", "--signal=KILL", killed], home, environment)
        second = run(snakemake("--dry-run"), home, environment, expected=1)
        expect("another rebuild is at work" in second, f"a second rebuild was let in:\n{second}")
        expect(first.wait(180) == 1, "Snakemake did not report the killed job")
    finally:
        first.kill()
    jobs = queue(environment)
    states = {block: state for _, state, block in jobs}
    expect(states[VICTIM] == "CANCELLED", f"SLURM says of the killed job: {states[VICTIM]}")
    made = {path: path.stat().st_mtime_ns for path in place.glob("*/shard-*.nc")}
    expect(train / "shard-00002.nc" not in made, "the job was killed too late to test anything")
    console.print(f"job {killed} of {len(jobs)} killed at work, {len(made)} of 8 shards made")

    run(snakemake(), home, environment, seconds=300)
    jobs = queue(environment)
    done = {block: job for job, state, block in jobs if state == "COMPLETED"}
    expect(len(done) == JOBS, f"expected {JOBS} completed jobs, SLURM knows {jobs}")
    expect(done[VICTIM] != killed, "SLURM has no second job for the killed one")
    expect(all(path.stat().st_mtime_ns == t for path, t in made.items()), "made a shard twice")
    numbers = ", ".join(sorted(done.values(), key=int))
    console.print(f"the same command again: SLURM completed jobs {numbers}")

    compare(place, home.parent / "direct")
    made = {path: path.stat().st_mtime_ns for path in place.glob("*/shard-*.nc")}
    run(["kinetlib", "run", "03", "--profile", "cluster"], home, environment, seconds=120)
    expect(all(path.stat().st_mtime_ns == t for path, t in made.items()), "chapter 03 made shards")
    console.print("chapter 03 found them made")


def compare(place: Path, direct: Path) -> None:
    """Hold the shards against those of a process that knows no SLURM: data and attributes."""
    for split, n_shards in SHARDS.items():
        place_of_ours = shards.generate(direct, shards.Plan(split, 3, **SIZE), n_shards)
        expected = dataset.shards(place_of_ours)
        found = dataset.shards(place / split)
        expect([p.name for p in found] == [p.name for p in expected], f"{split} has {found}")
        for left, right in zip(found, expected, strict=True):
            with xr.open_dataset(left) as by_slurm, xr.open_dataset(right) as without:
                # The commit is of the folder that made it: the copy is not under git.
                by_slurm.attrs["commit"] = without.attrs["commit"]
                expect(by_slurm.identical(without), f"{split}/{left.name} differs")
    console.print(f"{sum(SHARDS.values())} shards, variables and recipes as made without SLURM")


def snakemake(*options: str) -> list[str]:
    """Return the command of the page, for the small dataset."""
    command = [sys.executable, "-m", "snakemake", "shards", "--profile", "../settings", *options]
    return [*command, "--config", "profile=cluster", f"shards_per_job={PER_JOB}"]


def compendium(folder: Path) -> Path:
    """Copy the repository; beside it, the settings of the page with what a test needs other."""
    home = folder / "compendium"
    shutil.copytree(ROOT, home, ignore=shutil.ignore_patterns(*NOT_COPIED))
    shards = {f"{split}_shards": n_shards for split, n_shards in SHARDS.items()}
    chapters = {"03_dataset_generation": {"seed": 3, **shards, **SIZE}}
    (home / "profiles" / "cluster.yaml").write_text(yaml.safe_dump({"chapters": chapters}))

    page = (ROOT / "book" / "cluster.md").read_text(encoding="utf-8")
    settings = yaml.safe_load(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    del settings["default-resources"]["slurm_account"]  # there is no accounting to ask
    settings["slurm-status-command"] = "squeue"
    settings["slurm-init-seconds-before-status-checks"] = 2
    (folder / "settings").mkdir()
    (folder / "settings" / "config.yaml").write_text(yaml.safe_dump(settings))
    return home


def install() -> None:
    """Install SLURM and munge from the distribution's packages where they are missing."""
    expect(os.getuid() == 0, "starting a cluster needs root")
    if all(map(shutil.which, PROGRAMS)):
        return
    expect(shutil.which("apt-get") is not None, "needs apt-get, or SLURM and munge installed")
    console.print("installing slurm-wlm and munge")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-qq"], ROOT, environment, seconds=300)
    packages = ["slurm-wlm", "munge"]
    install = ["apt-get", "install", "-qq", "--no-install-recommends", *packages]
    run([*install, "--yes"], ROOT, environment, seconds=300)


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, str]]:
    """Start munge and SLURM with all their files in `folder`; yield the environment to use them."""
    configure(folder)
    conf = folder / "slurm.conf"
    wrapper = folder / "bin" / "srun"  # the executor takes SLURM_CONF from the environment of srun
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nSLURM_CONF={conf} exec {shutil.which("srun")} "$@"\n')
    wrapper.chmod(0o755)
    environment = {name: text for name, text in os.environ.items() if not name.startswith("SLURM_")}
    environment["SLURM_CONF"] = str(conf)
    environment["PYTHONPATH"] = str(folder / "compendium")
    path = [str(wrapper.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment["PATH"] = os.pathsep.join(path)

    files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
    munge = [f"--{option}={folder / f'munge.{suffix}'}" for option, suffix in files.items()]
    commands = {
        "munged": ["munged", "--foreground", *munge, f"--log-file={folder / 'munged-own.log'}"],
        "slurmctld": ["slurmctld", "-D", "-f", str(conf)],
        "slurmd": ["slurmd", "-D", "-f", str(conf)],
    }
    daemons = []
    try:
        for name, command in commands.items():
            with open(folder / f"{name}.log", "w") as log:
                daemons.append(
                    subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
                )
            if name == "munged":
                wait_for("munge", (folder / "munge.socket").exists)
        wait_for("an idle node", lambda: "idle" in sinfo(environment))
        version = run(["slurmd", "-V"], folder, environment).strip()
        console.print(f"one node of {version}, started in a temporary folder")
        try:
            yield environment
        finally:
            run(["scancel", "--full", "--signal=KILL", "--user=root"], folder, environment)
            wait_for("the last job to end", lambda: "idle" in sinfo(environment))
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
        for daemon in daemons:
            try:
                daemon.wait(15)
            except subprocess.TimeoutExpired:
                daemon.kill()


def configure(folder: Path) -> None:
    """Write key and configuration: everything as root, no cgroups, no accounting database."""
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o600)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    host = socket.gethostname().partition(".")[0]
    control, node = free_ports()
    lines = {
        "ClusterName": "test",
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": control,
        "SlurmdPort": node,
        "SlurmUser": "root",
        "SlurmdUser": "root",
        "AuthType": "auth/munge",
        "AuthInfo": f"socket={folder / 'munge.socket'}",
        "StateSaveLocation": folder / "state",
        "SlurmdSpoolDir": folder / "spool",
        "SlurmctldPidFile": folder / "slurmctld.pid",
        "SlurmdPidFile": folder / "slurmd.pid",
        "MailProg": "/bin/true",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "JobAcctGatherType": "jobacct_gather/none",
        "AccountingStorageType": "accounting_storage/none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "SlurmdParameters": "config_overrides",  # two processors, whatever the machine has
        "NodeName": f"{host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN",
        "PartitionName": f"short Nodes={host} Default=YES MaxTime=60 State=UP",
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    (folder / "slurm.conf").write_text(text)
    # Older versions start a cgroup plugin in any case: this one leaves the machine's alone.
    version = run(["slurmd", "-V"], folder, {**os.environ, "SLURM_CONF": str(folder)})
    old = tuple(map(int, re.search(r"(\d+)\.(\d+)", version).groups())) < (23, 2)
    plugin = f"cgroup/v1\nCgroupMountpoint={folder / 'no-cgroups'}" if old else "disabled"
    (folder / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")


def free_ports() -> tuple[int, int]:
    """Return two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", 0))
        two.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


def queue(environment: dict[str, str]) -> list[tuple[str, str, str]]:
    """Return the jobs that SLURM knows, ended ones too: number, state, block."""
    command = ["squeue", "--states=all", "--noheader", "--sort=i", "--format=%i|%T|%k"]
    return [tuple(line.split("|")) for line in run(command, ROOT, environment).splitlines()]


def sinfo(environment: dict[str, str]) -> str:
    """Return the state of the node, nothing while SLURM does not answer."""
    command = ["sinfo", "--noheader", "--format=%T"]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60
    ).stdout


def run(
    command: list[str], cwd: Path, environment: dict[str, str], seconds: int = 60, expected: int = 0
) -> str:
    """Run a command to its end; return what it printed."""
    answer = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    words = f"{' '.join(command)} ended with {answer.returncode}:\n{answer.stdout}"
    expect(answer.returncode == expected, words)
    return answer.stdout


def wait_for(what: str, condition: Callable[[], object], seconds: int = 60) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < end, f"waited {seconds} s for {what}")
        time.sleep(0.1)


def expect(truth: bool, otherwise: str) -> None:
    """Fail with a message unless something is true."""
    if not truth:
        raise Failed(otherwise)


def ended(folder: Path) -> list[str]:
    """End every process that was started for the cluster and is still there; return their names."""
    left = [
        process
        for process in psutil.process_iter(["cwd", "environ", "name"])
        if str(folder) in str(process.info) and process.pid != os.getpid()
    ]
    for process in left:
        process.kill()
    psutil.wait_procs(left, timeout=15)
    return [process.info["name"] for process in left]


def _out_of_time(*_: object) -> None:
    raise Failed(f"not done after {LIMIT} s")


if __name__ == "__main__":
    sys.exit(main())
