"""Planned experiments by a method that is no network.

What a network makes of an experiment says as much about the network. The evidence of each mechanism
(`kinetlib.inference.evidence`), under the prior and the noise that the data come from, is Bayes'
rule up to its errors. It takes seconds a sample, so there are few: rounds of one sample of each
mechanism, the same rate constants for each kind of experiment.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from numpy.random import default_rng
from scipy.special import softmax

from kinetlib.evaluate.intervals import interval
from kinetlib.experiments.bank import simulate_bank
from kinetlib.inference.evidence import Effort, compare
from kinetlib.inference.prior import Prior, draw_prior
from kinetlib.inference.target import RESOLUTION, Target
from kinetlib.kinetics import mechanisms
from kinetlib.records.pieces import Done, Key
from kinetlib.runs import plans
from kinetlib.runs import runs as runs_of
from kinetlib.runs.noise import Noise
from kinetlib.runs.plans import Experiment
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TRAIN
from studies.experiment_design.kinds import BASELINE, FEWER, PLANNED, POINTS, SEED, Told

NAME, PART = "evidence", 3  # of the pieces, and of the seed beside choosing and judging
NOISE = 0.01
ROUNDS = 2
BANK = 6000
EFFORT = Effort(bank=4000, starts=64, kernels=300, draws=2000, fresh=1000)
KINDS = (PLANNED, FEWER, BASELINE)


def settings() -> dict[str, Any]:
    """Return what an evidence follows from, beside the planned experiment and the code."""
    return {"seed": SEED, "noise": NOISE, "bank": BANK, "effort": asdict(EFFORT)}


@cache
def samples(number: int, planned: Experiment) -> dict[str, Runs]:
    """Measure one parameter set of each mechanism by each kind of experiment: 20 samples each."""
    catalogue = list(mechanisms.catalogue().values())
    among = plans.grid().only(planned.runs)
    bank, free = simulate_bank(catalogue, 1, among, [SEED, PART, number], threads=1)
    rng = default_rng([SEED, PART, number, 1])
    noisy = runs_of.measured(free, NOISE, rng)
    here = Experiment(tuple(range(len(planned.runs))), planned.times)
    return {
        PLANNED: bank.measured(here, NOISE),
        FEWER: runs_of.thinned(noisy, POINTS, rng, keep_start=True),
        BASELINE: noisy,
    }


@cache
def _priors() -> dict[str, Prior]:
    return {
        name: draw_prior(name, BANK, TRAIN, default_rng([SEED, PART, *name.encode()]), threads=1)
        for name in mechanisms.catalogue()
    }


def judged(number: int, truth: str, kind: str, planned: Experiment) -> dict[str, Any]:
    """Find the evidence of every mechanism for one sample."""
    at = list(mechanisms.catalogue()).index(truth)
    runs = samples(number, planned)[kind][at : at + 1]
    rng = default_rng([SEED, PART, number, at, KINDS.index(kind)])
    priors = _priors()
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


def summary(made: Mapping[Key, Done]) -> dict[str, Any]:
    """Compare the kinds of experiments on the parameter sets that all of them are done for.

    Kinds that are not done for any parameter set are left out.
    """
    names = list(mechanisms.catalogue())
    found = {
        kind: {
            (number, truth): softmax(np.array(one.value["log_evidence"]))
            for (_, number, truth, own), one in made.items()
            if own == kind
        }
        for kind in KINDS
    }
    found = {kind: done for kind, done in found.items() if done}
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
                "top_1": interval(one.top_1, rng),
                "cross_entropy": interval(one.cross_entropy, rng),
                "gain_on_unplanned": interval(told[FEWER].cross_entropy - one.cross_entropy, rng),
            }
            for kind, one in told.items()
        },
    }
