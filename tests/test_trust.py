"""Trust, on answers whose faults are known and samples that are exchangeable."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fusion_samples import curves, laboratory
from numpy.random import default_rng
from scipy.special import softmax
from scipy.stats import binom

from kinetlib.evaluate.calibration import at_temperature
from kinetlib.fusion.trust import Trust, conditions, noise_of, published_design
from kinetlib.runs import runs as runs_of
from kinetlib.runs.noise import NOISE_BINS
from kinetlib.runs.runs import Runs

CLASSES = ["A", "B", "C"]
N = 1500
PUBLISHED = "published design: points 2, noise 0"
SHORT = "published design: points 0, noise 0"
LONE = "laboratory: runs 0, noise 2"
SEVERAL = "laboratory: runs 2, noise 0"
FAULTS = {PUBLISHED: 0.4, SHORT: 1.0, LONE: 2.5, SEVERAL: 0.7}


def groups(seed, n=N):
    """Exact runs of each condition: of the design with many points and few, of laboratories."""
    design = curves(2 * n, 12, seed)[0]
    few = runs_of.thinned(design, 5, default_rng(seed), keep_start=True)
    # Bent curves look a little noisy.
    design, few = (runs[noise_of(runs) < NOISE_BINS[0]][:n] for runs in (design, few))
    lost = np.ones(n, dtype=bool)
    lone = runs_of.unmeasured(laboratory(n, 1, 9, seed), lost, ~lost)
    several = laboratory(2 * n, 3, 9, seed)
    several = several[np.isfinite(noise_of(several))][:n]  # some are too short to tell
    return {PUBLISHED: design, SHORT: few, LONE: lone, SEVERAL: several}


def said(seed, given):
    """What a network says of samples: probabilities wrong by a known temperature, and a layer."""
    rng = default_rng([seed, 1])
    found = []
    for name, runs in given.items():
        p = softmax(2 * rng.normal(size=(len(runs), 3)), axis=1)
        labels = (p.cumsum(1) < rng.random((len(runs), 1))).sum(1).clip(max=2)
        hidden = rng.normal(size=(len(runs), 4)) + 3 * labels[:, None]
        found.append((at_temperature(p, 1 / FAULTS[name]), hidden, labels))
    return [np.concatenate(column) for column in zip(*found, strict=True)]


@pytest.fixture(scope="module")
def trust():
    given = groups(0)
    return Trust.fit(list(given.values()), *said(0, given), CLASSES)


# --- conditions


def test_conditions_are_told_from_the_runs_alone():
    for name, runs in groups(3, 20).items():
        assert set(conditions(runs, noise_of(runs))) == {name}


@pytest.mark.parametrize(
    "change",
    [
        {"loading": np.float32(0.3)},
        {"substrate_0": np.float32(1.1)},
        {"product_0": np.float32(0.3)},
        {"product": np.float32(np.nan)},
    ],
    ids=str,
)
def test_the_published_design_is_told_from_others(change):
    runs = groups(0, 5)[PUBLISHED]
    assert published_design(runs).all()
    ((name, value),) = change.items()
    changed = getattr(runs, name).copy()
    changed[2, 1] = value
    found = published_design(replace(runs, **{name: changed}))
    assert found.tolist() == [True, True, False, True, True]


def test_three_runs_of_the_design_or_a_late_first_point_are_a_laboratory():
    runs = groups(0, 5)[PUBLISHED]
    three = Runs(*(value[:, 1:] for value in vars(runs).values()))
    late = replace(runs, time=runs.time + np.float32(0.1))
    assert not published_design(three).any() and not published_design(late).any()


def test_noise_and_number_of_runs_tell_conditions_apart():
    exact = groups(0, 200)[PUBLISHED]
    noisy = runs_of.measured(exact, 0.05, default_rng(1))
    assert np.median(noise_of(noisy)) == pytest.approx(0.05, rel=0.15)
    assert PUBLISHED not in conditions(noisy, noise_of(noisy))
    for n_runs, number in ((1, 0), (2, 1), (3, 2), (4, 3), (5, 4), (6, 4), (8, 5)):
        some = laboratory(20, n_runs, 9)
        assert all(f"runs {number}" in name for name in conditions(some, noise_of(some)))


# --- calibration


def test_the_fault_of_each_condition_is_found(trust):
    assert set(trust.temperatures) == set(FAULTS)
    for name, fault in FAULTS.items():
        assert trust.temperatures[name] == pytest.approx(fault, rel=0.12)


def test_sets_hold_the_true_class_as_often_as_promised(trust):
    given = groups(1)
    p, hidden, labels = said(1, given)
    for i, (name, runs) in enumerate(given.items()):
        own = slice(i * N, (i + 1) * N)
        answer = trust.answer(runs, p[own], hidden[own])
        assert answer.probabilities.shape == answer.members.shape == (N, 3)
        assert np.allclose(answer.probabilities.sum(1), 1)
        inside = answer.members[np.arange(N), labels[own]]
        for k in range(3):
            hits = inside[labels[own] == k]
            # The level itself varies with the calibration samples, as many as these.
            few, many = binom.ppf([1e-4, 1 - 1e-4], len(hits), 0.95)
            spread = np.sqrt(2) * (many - few) / 2
            assert abs(hits.sum() - 0.95 * len(hits)) < spread + 1, (name, k)
        assert answer.members.sum(1).min() >= 1
        shares = [0.25, 0.5, 0.9]
        assert np.allclose(np.quantile(answer.strangeness, shares), shares, atol=0.05)


def test_what_is_far_from_all_classes_is_strange(trust):
    runs = groups(2, 50)[SHORT]
    p = np.full((50, 3), 1 / 3)
    far = trust.answer(runs, p, np.full((50, 4), 40.0))
    near = trust.answer(runs, p, np.full((50, 4), 3.0))
    assert np.all(far.strangeness == 1) and np.all(near.strangeness < 0.1)


def test_the_order_of_runs_and_of_samples_does_not_matter(trust):
    runs = groups(4, 40)[SEVERAL]
    p, hidden, _ = (part[-40:] for part in said(4, groups(4, 40)))
    expected = trust.answer(runs, p, hidden)
    turned = Runs(*(value[:, [2, 0, 1]] for value in vars(runs).values()))
    order = default_rng(0).permutation(40)
    for found, at in (
        (trust.answer(turned, p, hidden), slice(None)),
        (trust.answer(runs[order], p[order], hidden[order]), order),
    ):
        assert np.allclose(found.probabilities, expected.probabilities[at], atol=1e-12)
        assert np.array_equal(found.members, expected.members[at])
        assert np.allclose(found.noise, expected.noise[at], rtol=1e-6, equal_nan=True)
        assert np.allclose(found.strangeness, expected.strangeness[at])


@pytest.mark.parametrize(
    ("asked", "taken"),
    [("d: noise 1", "d: noise 3"), ("d: noise 4", "d: noise 5"), ("d: noise 6", "d: noise 5")],
)
def test_a_condition_without_samples_takes_the_next_noisier_bin(trust, asked, taken):
    known = replace(trust, temperatures={"d: noise 0": 1, "d: noise 3": 1, "d: noise 5": 1, "e": 1})
    assert known._known(asked) == taken
    assert known._known("d: noise 0") == "d: noise 0"


def test_too_few_samples_of_a_class_are_refused():
    given = groups(0, 30)
    with pytest.raises(ValueError, match="too few|at least|19"):
        Trust.fit(list(given.values()), *said(0, given), CLASSES)


# --- files


def test_what_is_saved_answers_the_same(trust, tmp_path):
    card = json.loads(json.dumps(trust.save(tmp_path / "net.npz")))
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]
    loaded = Trust.load(tmp_path / "net.npz", card)
    given = groups(5, 50)
    p, hidden, _ = said(5, given)
    for i, runs in enumerate(given.values()):
        own = slice(i * 50, (i + 1) * 50)
        one, other = (t.answer(runs, p[own], hidden[own]) for t in (trust, loaded))
        assert np.array_equal(one.probabilities, other.probabilities)
        assert np.array_equal(one.members, other.members)
        assert np.allclose(one.strangeness, other.strangeness, atol=1e-4)


class Trap:
    """What a file must not be able to do: run code when it is read."""

    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


def test_files_that_are_no_calibration_are_refused(trust, tmp_path):
    path = tmp_path / "net.npz"
    card = trust.save(path)
    with np.load(path) as found:
        arrays = dict(found)
    with pytest.raises(ValueError, match="none.npz .*no calibration.*expected the .npz file"):
        Trust.load(tmp_path / "none.npz", card)
    np.savez(path, **{**arrays, "means": np.array([Trap()], dtype=object)})
    with pytest.raises(ValueError, match="no calibration: Object arrays"):
        Trust.load(path, card)
    np.savez(path, means=arrays["means"], precision=arrays["precision"])
    with pytest.raises(ValueError, match="no calibration: .*nearer"):
        Trust.load(path, card)
    np.savez(path, **{**arrays, "nearer": arrays["nearer"][:2]})
    with pytest.raises(ValueError, match="no calibration: .*shorter|longer"):
        Trust.load(path, card)
    for content in (b"", b"not a zip", b"PK\x03\x04 cut off"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="no calibration"):
            Trust.load(path, card)
