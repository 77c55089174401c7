"""Planned experiments by a method that is no network.

What a network makes of an experiment says as much about the network. The evidence of each mechanism
(`kinetlib.inference.evidence`), under the prior and the noise that the data come from, is Bayes'
rule up to its errors. It takes seconds a sample, so there are few: rounds of one sample of each
mechanism, the same rate constants for each kind of experiment. A sample that is done is a file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from rich.console import Console
from scipy.special import softmax

from kinetlib.experiments import discrimination
from kinetlib.experiments.bank import simulate_bank
from kinetlib.experiments.discrimination import Told
from kinetlib.inference.evidence import Effort, compare
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.kinetics import mechanisms
from kinetlib.records import files
from kinetlib.runs import plans
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TRAIN
from studies.experiment_design import study
from studies.experiment_design.kinds import BASELINE, FEWER, PLANNED, POINTS, SEED

PART = 3  # of the seed, beside choosing and judging
NOISE = 0.01
ROUNDS = 2
BANK = 6000
EFFORT = Effort(bank=4000, starts=64, kernels=300, draws=2000, fresh=1000)
KINDS = (PLANNED, FEWER, BASELINE)

console = Console()


def samples(number: int, folder: Path) -> dict[str, Runs]:
    """Measure one parameter set of each mechanism by each kind of experiment: 20 samples each."""
    from kinetlib.runs import runs as runs_of

    full = plans.grid()
    record = json.loads((folder / "released" / "information-7_points.json").read_text("utf-8"))
    one = plans.read(record, full)
    catalogue = list(mechanisms.catalogue().values())
    among = full.only(one.runs)
    bank, free = simulate_bank(catalogue, 1, among, [SEED, PART, number], threads=1)
    rng = default_rng([SEED, PART, number, 1])
    noisy = runs_of.measured(free, NOISE, rng)
    return {
        PLANNED: bank.measured(plans.Experiment(tuple(range(len(one.runs))), one.times), NOISE),
        FEWER: runs_of.thinned(noisy, POINTS, rng, keep_start=True),
        BASELINE: noisy,
    }


def main(folder: Path, rounds: int) -> None:
    """Compute what has not been computed yet."""
    names = list(mechanisms.catalogue())
    priors = {
        name: draw_prior(name, BANK, TRAIN, default_rng([SEED, PART, *name.encode()]), threads=1)
        for name in names
    }
    # Planned and unplanned with as few points first: what is asked most.
    for number, kind in ((n, kind) for n in range(rounds) for kind in KINDS):
        made = samples(number, folder)[kind]
        for i, truth in enumerate(names):
            path = _path(folder, number, truth, kind)
            if not path.exists():
                rng = default_rng([SEED, PART, number, i, KINDS.index(kind)])
                record = {"truth": truth, **_judged(made[i], priors, rng)}
                files.write_text(path, json.dumps(record))
                console.print(f"{number} {truth} {kind}: {record['seconds']:.0f} s")


def _judged(runs: Runs, priors: dict[str, Prior], rng: Generator) -> dict[str, Any]:
    """Find the evidence of every mechanism for one sample."""
    began = time.perf_counter()
    noise = Noise(NOISE, RESOLUTION)
    targets = {name: Target(runs, prior, noise) for name, prior in priors.items()}
    found = compare(targets, rng=rng, effort=EFFORT)
    return {
        # What was given up has a bound, and by it a negligible share.
        "log_evidence": [one.log_evidence for one in found.values()],
        "effective": [
            None if one.given_up else one.effective_sample_size for one in found.values()
        ],
        "seconds": time.perf_counter() - began,
    }


def _path(folder: Path, number: int, truth: str, kind: str) -> Path:
    return (
        folder / "evidence" / f"{number}-{truth}-{kind.replace(', ', '-').replace(' ', '_')}.json"
    )


def summary(folder: Path) -> dict[str, Any]:
    """Compare the kinds of experiments on the parameter sets that all of them are done for.

    Kinds that are not done for any parameter set are left out.
    """
    names = list(mechanisms.catalogue())
    found: dict[str, dict[tuple[int, str], NDArray[np.float64]]] = {}
    for kind in KINDS:
        done = {}
        for path in (folder / "evidence").glob("*.json"):
            number, truth = path.stem.split("-")[:2]
            if path == _path(folder, int(number), truth, kind):
                record = json.loads(path.read_text(encoding="utf-8"))
                done[int(number), truth] = softmax(np.array(record["log_evidence"]))
        if done:
            found[kind] = done
    common = sorted(set.intersection(*(set(done) for done in found.values()))) if found else []
    labels = np.array([names.index(truth) for _, truth in common], dtype=int)
    told = {
        kind: Told.of(np.stack([done[key] for key in common]), labels)
        for kind, done in found.items()
        if common
    }
    rng = default_rng(SEED)
    return {
        "samples": len(common),
        "noise": NOISE,
        "kinds": {
            kind: {
                "top_1": discrimination.interval(one.top_1, rng),
                "cross_entropy": discrimination.interval(one.cross_entropy, rng),
                "gain_on_unplanned": discrimination.interval(
                    told[FEWER].cross_entropy - one.cross_entropy, rng
                ),
            }
            for kind, one in told.items()
        },
    }


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    _parser.add_argument("folder", nargs="?", type=Path, default=study.FOLDER)
    _parser.add_argument("--rounds", type=int, default=ROUNDS)
    _given = _parser.parse_args()
    main(_given.folder, _given.rounds)
