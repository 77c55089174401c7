"""Advice on the next run: constants that agree with the runs, candidates, and whether it helps."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.random import default_rng

import kinetlib
from kinetlib.cli import main
from kinetlib.experiments import gain, next_run
from kinetlib.experiments.next_run import Wanted
from kinetlib.experiments.remarks import limits
from kinetlib.fusion.classify import reader
from kinetlib.inference.posterior import Effort, fitted, plausible
from kinetlib.inference.prior import draw_prior
from kinetlib.kinetics.mechanisms import catalogue, get
from kinetlib.plot import next_run as drawn
from kinetlib.runs.noise import Noise
from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import TRAIN
from studies.experiment_design import trial

REAL = Path(__file__).resolve().parents[1].parent / "shared" / "lab"
NOISE = Noise(0.01, 0.002)
SMALL = Effort(bank=400, starts=16, steps=10, kernels=60, draws=500, rounds=5, kept=60)
CONSTANTS = {"k1": 30.0, "k-1": 1.0, "k2": 20.0, "k-2": 0.5}


def _measured(loadings, times, rng, noise=0.01, unit=1.0):
    """Runs of M1 as `kinetlib.lab.read` gives them, time in any unit."""
    runs = kinetlib.simulate("M1", CONSTANTS, {"cat": np.asarray(loadings)}, times)
    seen = runs.concentration.sel(species=["S", "P"]).values
    seen = (
        seen
        * np.where(np.asarray(times) > 0, 1 + noise * rng.standard_normal(seen.shape[:2]), 1)[
            ..., None
        ]
    )
    n, points = len(loadings), ("sample", "run", "time")
    once = ("sample", "run")
    return xr.Dataset(
        {
            "substrate": (points, seen[None, ..., 0]),
            "product": (points, seen[None, ..., 1]),
            "loading": (once, [loadings]),
            "substrate_0": (once, np.ones((1, n))),
            "product_0": (once, np.zeros((1, n))),
        },
        coords={"time": (points, np.tile(unit * np.asarray(times, float), (1, n, 1)))},
        attrs={"standard_substrate_0": 1.0, "warnings": ""},
    )


@pytest.fixture(scope="module")
def runs():
    return _measured([0.02, 0.05], np.linspace(0, 3, 9), default_rng(1))


@pytest.fixture(scope="module")
def ask():
    return reader()


def _probabilities(values):
    return xr.DataArray(list(values.values()), dims="mechanism", coords={"mechanism": list(values)})


def test_constants_that_agree_with_the_runs_surround_the_truth(runs):
    unit = float(runs.time.max())
    known = Runs.of(runs, unit)
    rng = default_rng(2)
    found = plausible(fitted(known, "M1", NOISE, rng, SMALL), NOISE, rng, SMALL)
    assert found.weights.sum() == pytest.approx(1)
    assert found.effective > 20
    # What the data pin: the saturated rate k2 cat at the start, and k1, both within some percent.
    truth = np.log(np.array([CONSTANTS[k] for k in get("M1").network.constants]) * unit)
    mean = found.weights @ found.x
    spread = np.sqrt(found.weights @ (found.x - mean) ** 2)
    assert (np.abs(mean - truth) < 4 * spread + 0.05).all()


def test_the_prior_without_a_horizon_knows_no_unit_of_time():
    bank = draw_prior("M13", 60, TRAIN, default_rng(3), threads=1)
    prior = bank.unanchored()
    density = prior.log_density(bank.bank)
    assert np.isfinite(density).all()
    later = bank.bank.copy()
    later[:, : bank.n_constants] += 2.5
    assert prior.log_density(later) == pytest.approx(density)
    assert (prior.log_density(bank.bank + np.linspace(0, 20, bank.bank.shape[1])) == -np.inf).all()


def test_noise_of_small_values_has_a_floor():
    noise = Noise(0.02, 0.01)
    values = np.array([0.0, 1e-4, 0.01, 0.5, 1.0])
    step = 1e-6
    slope = (noise.stabilised(values + step) - noise.stabilised(values)) / step
    assert slope == pytest.approx(1 / np.hypot(0.02 * values, 0.01), rel=1e-3)


def test_what_is_in_question():
    names, now, left_out = next_run.in_question(
        _probabilities({"M1": 0.6, "M2": 0.395, "M3": 0.005})
    )
    assert names == ["M1", "M2"]
    assert now.sum() == pytest.approx(1)
    assert left_out == pytest.approx(0.005)


def test_advice_holds_together_and_does_not_depend_on_the_unit_of_time(runs, ask):
    said = _probabilities({"M1": 0.6, "M6": 0.4})
    found = []
    for factor in (1.0, 60.0):
        scaled = runs.assign_coords(time=runs.time * factor)
        wanted = Wanted.like(scaled)
        found.append(
            next_run.advise(scaled, said, wanted, ask, default_rng(4), noise=0.01, effort=SMALL)
        )
    one, other = found
    assert one.mechanisms == ["M1", "M6"]
    assert 0 <= one.gain.information <= one.entropy
    assert one.expected_entropy == pytest.approx(one.entropy - one.gain.information)
    assert 0 <= one.ideal.information <= one.entropy
    assert one.gain.rule == "network"
    assert ((one.times >= 0) & (one.times <= 3.0 + 1e-9)).all()
    assert other.times == pytest.approx(60 * one.times)
    assert other.gain.information == pytest.approx(one.gain.information, abs=1e-3)
    assert any("Effective draws" in line for line in limits(one, wanted, 0.01))
    assert drawn(one, "s").axes


def test_where_one_mechanism_is_left_there_is_nothing_to_decide(runs, ask):
    found = next_run.advise(
        runs,
        _probabilities({"M1": 1.0}),
        Wanted.like(runs),
        ask,
        default_rng(4),
        noise=0.01,
        effort=SMALL,
    )
    assert found.entropy == pytest.approx(0)
    assert found.gain.information == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted((0.1, 0.01), (0.4, 1), 1.0, 5), "loading: expected a range"),
        (Wanted((0.01, 0.1), (0.0, 1), 1.0, 5), "substrate: expected a range"),
        (Wanted((0.01, 0.1), (0.4, 1), 0.0, 5), "expected a positive time"),
        (Wanted((0.01, 0.1), (0.4, 1), 1.0, 1), "2 to 50 points"),
    ],
)
def test_wishes_that_make_no_run_are_refused(wanted, words):
    with pytest.raises(ValueError, match=words):
        wanted.candidates()


def test_candidates_stay_within_what_is_possible():
    made, rows = Wanted((0.02, 0.08), (0.5, 1.0), 7.0, 6).candidates()
    assert made.loading.min() == 0.02 and made.loading.max() == 0.08
    assert made.substrate_0.min() == 0.5 and made.substrate_0.max() == 1.0
    assert set(np.round(made.substrate_0 + made.product_0, 6)) <= {0.5, 0.75, 1.0}
    assert made.times.max() == 7.0
    assert all(len(row) == 6 for row in rows.values())
    plain, _ = Wanted((0.02, 0.08), (0.5, 1.0), 7.0, 6, add_product=False).candidates()
    assert (plain.product_0 == 0).all()


def _call(*arguments):
    return CliRunner().invoke(main, ["design", "next", *arguments])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--figure", "picture.bmp"], ".svg, .png or .pdf"),
        (["--noise", "2"], "a share above 0 and below 1"),
    ],
)
def test_wrong_wishes_end_in_one_message(tmp_path, more, words):
    file = tmp_path / "runs.csv"
    file.write_text("time,A,Cat\n0,1,0.1\n1,0.5,0.1\n2,0.2,0.1\n")
    answer = _call(str(file), "--substrate", "A", "--catalyst", "Cat", *more)
    assert answer.exit_code == 2
    assert words in answer.stderr and answer.stdout == ""


@pytest.mark.slow
@pytest.mark.skipif(not REAL.is_dir(), reason="the laboratory's files are not here")
@pytest.mark.parametrize(
    ("file", "columns"),
    [
        ("silane-oxidation", ("Silane", "Silanol", "Catalyst")),
        ("cyclopropanation", ("Diazo compound", None, "Catalyst")),
        ("hydroboration", ("Ketone", "Product", "Catalyst")),
    ],
)
def test_real_runs_get_advice(tmp_path, file, columns):
    named = ["--substrate", columns[0], "--catalyst", columns[2]]
    named += ["--product", columns[1]] if columns[1] else []
    picture = tmp_path / "next.svg"
    answer = _call(str(REAL / f"{file}.xlsx"), *named, "--json", "--figure", str(picture))
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout)
    assert sum(told["probabilities"].values()) == pytest.approx(1)
    assert 0 <= told["expected_entropy"] <= told["entropy"]
    ranked = [entry["information"] for entry in told["ranking"]]
    assert ranked == sorted(ranked, reverse=True)
    assert picture.stat().st_size > 5000


@pytest.mark.slow
def test_the_advised_run_decides_more_than_a_random_one(ask):
    """Two runs, then a third: the advised against one drawn at random from the same candidates.

    Paired by reaction; how sure one may be then is what the released network says of the three.
    """
    names = list(catalogue())
    tried = [
        trial.trial(
            get(names[i % 20]), ask, default_rng([9, i]), noise=0.01, effort=SMALL
        ).measures()
        for i in range(40)
    ]
    fall = np.array([one["entropy, random"] - one["entropy, advised"] for one in tried])
    error = fall.std(ddof=1) / np.sqrt(len(fall))
    assert fall.mean() > error, f"{fall.mean():.3f} +- {error:.3f}"
    truth = np.array([one["truth, advised"] - one["truth, random"] for one in tried])
    assert truth.mean() > -truth.std(ddof=1) / np.sqrt(len(truth))


def test_a_trial_does_the_same_reaction_thrice(ask):
    found = trial.trial(get("M1"), ask, default_rng(12), noise=0.01, effort=SMALL)
    measures = found.measures()
    assert set(measures) == {
        *(
            f"{what}, {when}"
            for what in ("entropy", "truth")
            for when in ("now", "advised", "random")
        ),
        "entropy, expected",
    }
    assert all(0 <= value <= np.log(20) for value in measures.values())
    assert measures["entropy, expected"] <= found.advice.entropy


def test_the_ranking_is_that_of_the_gains(runs):
    """A candidate that repeats what was done tells less than one at another loading, or as much."""
    draws = gain.Draws(np.array([0, 0, 1, 1]), np.full(4, 0.5), np.array([0.5, 0.5]))
    near = np.array([[0.0], [0.1], [0.2], [0.1]])
    far = np.array([[0.0], [0.1], [9.0], [9.1]])
    noise = default_rng(1).standard_normal((4, 1))
    assert gain.gain(far, noise, draws).information > gain.gain(near, noise, draws).information
