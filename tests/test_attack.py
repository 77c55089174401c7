"""The attack on the readers: what it draws, how it judges, and some of it in every test run."""

import os
import time

import pytest
from numpy.random import default_rng

from studies.attack import study, trial
from studies.attack.mutations import changed
from studies.attack.victims import VICTIMS


def raising(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize("kind", VICTIMS)
def test_good_input_is_read_and_what_is_drawn_follows_from_the_seed(kind, tmp_path):
    victim = VICTIMS[kind]
    good = victim.good()
    path = tmp_path / f"good{victim.suffix}"
    path.write_bytes(good)
    path.with_suffix(".keras").touch()
    victim.reads(path)
    bad = [changed(good, victim.suffix, default_rng(seed)) for seed in (1, 1, 2)]
    assert bad[0] == bad[1] or victim.suffix == ".xlsx"  # a workbook holds the time it was saved
    assert bad[0] != bad[2]


@pytest.mark.parametrize(
    ("work", "said"),
    [
        (lambda: None, trial.ANSWERED),
        (raising(ValueError("file x: expected numbers")), trial.REFUSED),
        (raising(OSError("no such file")), trial.REFUSED),
        (raising(ValueError("line 1: what?\n    A -\n      ^")), trial.REFUSED),
        (raising(ValueError("one\ntwo")), "a refusal of several lines"),
        (raising(ValueError(" ")), "a refusal without a word"),
        (raising(ValueError("x" * 501)), "a refusal of more than 500 letters"),
        (raising(KeyError("x")), "KeyError in test_attack.py, work"),
        (raising(MemoryError()), "MemoryError in test_attack.py, work"),
        (lambda: os.abort(), "killed by SIGABRT"),
    ],
)
def test_outcomes_are_told_apart(work, said):
    assert trial._in_a_process(work).startswith(said)


def test_what_takes_too_much_memory_is_an_error_of_the_reader():
    assert "MemoryError in" in trial._in_a_process(lambda: bytearray(2 * trial.MEMORY))


def test_what_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 1)
    monkeypatch.setattr(trial, "_BUSY", 2)

    def busy():
        while True:
            pass

    for work in (busy, lambda: time.sleep(60)):
        assert trial._in_a_process(work) == "more than 1 s"


@pytest.mark.parametrize("kind", VICTIMS)
def test_bad_input_is_refused_or_read(kind):
    said = {seed: trial.outcome(kind, 10_000 + seed) for seed in range(6)}
    assert set(said.values()) <= {trial.ANSWERED, trial.REFUSED}, said


def test_the_record_counts_every_input():
    value = {"0": trial.REFUSED, "1": trial.ANSWERED, "2": "KeyError in a, b", "3": trial.REFUSED}
    made = {("profile", 0): study.Done("profile/0", {}, value, {"commit": "c", "versions": "v"})}
    told = study.record(None, made)
    assert told["inputs"] == 4 and told["sound"]["value"] == 0.75
    kind = told["kinds"]["profile"]
    assert (kind["answered"], kind["refused"]) == (1, 2)
    assert kind["faults"] == {"KeyError in a, b": {"times": 1, "seed": 2}}
