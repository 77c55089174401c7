"""Planned experiments by a method that is no network: ``python -m kinetlib.experiment_evidence``.

What a network makes of an experiment says as much about the network. The evidence of each mechanism
(`kinetlib.infer`), under the prior and the noise that the data come from, is Bayes' rule up to its
errors. It takes seconds a sample, so there are few: rounds of one sample of each mechanism, the
same rate constants for each kind of experiment. A sample that is done is a file.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import default_rng
from rich.console import Console
from scipy.special import softmax

from kinetlib import discrimination, experiment, experiment_study, files, mechanisms
from kinetlib.campaign import Runs
from kinetlib.discrimination import Told
from kinetlib.experiment_study import BASELINE, FEWER, PLANNED, POINTS, SEED
from kinetlib.infer import Effort, compare
from kinetlib.likelihood import Runs as Measured
from kinetlib.prior import draw_prior
from kinetlib.sample import TRAIN

PART = 3  # of the seed, beside choosing and judging
NOISE = 0.01
ROUNDS = 2
BANK = 6000
EFFORT = Effort(bank=4000, starts=64, kernels=300, draws=2000, fresh=1000)
KINDS = (PLANNED, FEWER, BASELINE)

console = Console()


def samples(number: int, folder: Path) -> dict[str, Runs]:
    """Measure one parameter set of each mechanism by each kind of experiment: 20 samples each."""
    from kinetlib.fusion import runs as runs_of

    full = experiment.grid()
    record = json.loads((folder / "released" / "information-7_points.json").read_text("utf-8"))
    one = experiment_study.read(record, full)
    catalogue = list(mechanisms.catalogue().values())
    among = full.only(one.runs)
    bank, free = experiment.simulate(catalogue, 1, among, [SEED, PART, number], threads=1)
    rng = default_rng([SEED, PART, number, 1])
    noisy = runs_of.measured(free, NOISE, rng)
    return {
        PLANNED: bank.measured(
            experiment.Experiment(tuple(range(len(one.runs))), one.times), NOISE
        ),
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
    for number in range(rounds):
        made = samples(number, folder)
        for i, truth in enumerate(names):
            for kind in KINDS:
                path = folder / "evidence" / f"{number}-{truth}-{kind.replace(', ', '-')}.json"
                if path.exists():
                    continue
                began = time.perf_counter()
                runs = made[kind][i : i + 1]
                columns = ("time", "substrate", "product", "loading", "substrate_0", "product_0")
                data = Measured(*(getattr(runs, name)[0] for name in columns))
                rng = default_rng([SEED, PART, number, i, KINDS.index(kind)])
                found = compare(data, priors, noise=NOISE, rng=rng, effort=EFFORT)
                record = {
                    "truth": truth,
                    "log_evidence": [found[name].log_evidence for name in names],
                    "given_up": [found[name].given_up for name in names],
                    "seconds": time.perf_counter() - began,
                }
                files.write_text(path, json.dumps(record))
                console.print(f"{number} {truth} {kind}: {record['seconds']:.0f} s")


def summary(folder: Path) -> dict[str, Any]:
    """Compare the kinds of experiments on the parameter sets that all of them are done for."""
    names = list(mechanisms.catalogue())
    found: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in KINDS}
    for kind in KINDS:
        for path in (folder / "evidence").glob(f"*-{kind.replace(', ', '-')}.json"):
            record = json.loads(path.read_text(encoding="utf-8"))
            key = "-".join(path.stem.split("-")[:2])
            # What was given up has a bound; its share is negligible.
            found[kind][key] = softmax(np.array(record["log_evidence"]))
    common = sorted(set.intersection(*(set(one) for one in found.values())))
    if not common:
        return {"samples": 0}
    labels = np.array([names.index(key.split("-")[1]) for key in common])
    told = {
        kind: Told.of(np.stack([one[key] for key in common]), labels) for kind, one in found.items()
    }
    table = discrimination.compared(told, BASELINE, PLANNED, default_rng(SEED))
    for measures in table.values():
        del measures["gap_closed"]  # there is no ceiling
    return {"samples": len(common), "noise": NOISE, "comparison": table}


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__)
    _parser.add_argument("folder", nargs="?", type=Path, default=experiment_study.FOLDER)
    _parser.add_argument("--rounds", type=int, default=ROUNDS)
    _given = _parser.parse_args()
    main(_given.folder, _given.rounds)
