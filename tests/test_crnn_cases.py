"""The benchmark of reactions found in curves: its data, its judges, its baselines, its record."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.integrate import solve_ivp

from kinetlib.crnn import discover
from kinetlib.crnn.runs import FLOOR
from kinetlib.kinetics.network import parse
from kinetlib.records.pieces import chosen, compute, done
from studies.discovery import drawn, scores, study
from studies.discovery.answers import METHODS, Task, judged, threshold
from studies.discovery.baselines import derivative_matching, weak_sindy
from studies.discovery.cases import CASES, cramer_rao
from studies.discovery.scores import Law, equivalent
from studies.discovery.settings import COLD, NOISE, SETTINGS, Setting

CASE_1 = CASES["case 1"]
TRUTH = Law.of(CASE_1.network, CASE_1.constants)


@pytest.mark.parametrize("name", CASES)
def test_runs_follow_from_the_seed_and_keep_what_is_conserved(name):
    case = CASES[name]
    runs = case.runs(3, n_runs=4, n_times=9)
    xr.testing.assert_identical(runs, case.runs(3, n_runs=4, n_times=9))
    assert not np.array_equal(runs.initial, case.runs(4, n_runs=4, n_times=9).initial)
    assert not np.isin(case.held_out(3).initial.values, runs.initial.values[:, :1]).all()
    laws = case.network.conservation_laws()
    kept = runs.exact.values @ laws.T
    np.testing.assert_allclose(kept, np.broadcast_to(kept[:, :1], kept.shape), rtol=1e-6, atol=1e-9)


def test_noise_is_relative_and_leaves_zeros():
    runs = CASE_1.runs(0, noise=0.2)
    exact, measured = runs.exact.values, runs.concentration.values
    assert (measured[exact == 0] == 0).all() and (exact == 0).any()
    share = measured[exact > 0] / exact[exact > 0] - 1
    assert share.std() == pytest.approx(0.2, rel=0.03)
    assert share.mean() == pytest.approx(0, abs=4 * 0.2 / np.sqrt(share.size))


def test_constants_of_the_biodiesel_follow_arrhenius_as_the_reference_writes_it():
    logarithms, energies = np.array([18.60, 19.13, 7.93]), np.array([14.54, 14.42, 6.47])
    temperature = np.array([323.0, 343.0])
    expected = np.exp(logarithms - energies / 1.98720425864083e-3 / temperature[:, None])
    np.testing.assert_allclose(CASES["biodiesel"].rate_constants(temperature), expected, rtol=1e-6)


def test_what_is_hidden_is_hidden_in_training_alone():
    case = CASES["biodiesel, DG hidden"]
    runs = case.runs(0)
    assert np.isnan(runs.concentration.sel(species="DG")).all()
    assert not np.isnan(runs.concentration.drop_sel(species="DG")).any()
    assert not np.isnan(case.held_out(0).concentration).any()
    assert (runs.initial.sel(species="DG") == 0).all()


def test_cramer_rao_agrees_with_differences_of_other_hands():
    runs = CASE_1.runs(1, n_runs=3, n_times=12)

    def simulated(logs):
        return Law.of(CASE_1.network, np.exp(logs)).simulate(
            CASE_1.network.species, runs.initial.values, runs.time.values
        )

    logs, step = np.log(CASE_1.constants), 1e-3
    slopes = np.stack(
        [(simulated(logs + step * e) - simulated(logs - step * e)) / (2 * step) for e in np.eye(4)],
        axis=-1,
    )
    exact = simulated(logs)
    deviation = np.hypot(0.05 * exact, FLOOR * exact.max((0, 1)))[:, 1:, :, None]
    rows = (slopes[:, 1:] / deviation).reshape(-1, 4)
    expected = np.sqrt(np.linalg.inv(rows.T @ rows).diagonal())
    np.testing.assert_allclose(cramer_rao(CASE_1, runs, 0.05), expected, rtol=1e-3)


def test_cramer_rao_knows_activation_energies_the_better_the_wider_the_temperatures():
    case = CASES["biodiesel"]
    runs = case.runs(0)
    narrow = runs.assign(temperature=333 + (runs.temperature - 333) / 2)
    wide = cramer_rao(case, runs, 0.05)
    assert wide.shape == (6,)
    assert (cramer_rao(case, narrow, 0.05)[3:] > 1.7 * wide[3:]).all()
    assert (wide[3:] < 0.02 * np.array(case.activation_energies)).all()


def test_the_oracle_fits_activation_energies():
    case = CASES["biodiesel"]
    record = judged("oracle", Task(case, case.runs(0), 3, 0), case.held_out(0))
    limit = cramer_rao(case, case.runs(0), case.noise)
    assert (np.abs(record["log_errors"]) < 4 * limit[:3]).all()
    assert (np.abs(record["activation_errors"]) < 4 * limit[3:] / case.activation_energies).all()


def test_a_law_simulates_as_the_integrator_does():
    held_out = CASE_1.held_out(0, noise=0.0)
    found = TRUTH.simulate(CASE_1.network.species, held_out.initial.values, held_out.time.values)
    np.testing.assert_allclose(found, held_out.exact, atol=1e-6)
    assert scores.mean_absolute_error(found, held_out) < 1e-6
    assert scores.mean_absolute_log_error(found, held_out) < 1e-3


def test_a_law_that_runs_away_has_no_error():
    growing = Law(("A",), np.array([[2.0]]), np.array([[1.0]]))
    times = np.linspace(0, 40, 5)
    found = growing.simulate(("A", "X"), np.array([[1.0, 0.3]]), times)
    assert np.isnan(found[0, :, 0]).all() and (found[0, :, 1] == 0.3).all()
    runs = xr.Dataset({"concentration": (("run", "time", "species"), np.ones((1, 5, 2)))})
    assert scores.mean_absolute_error(found, runs) == np.inf
    assert scores.mean_absolute_log_error(found, runs) == np.inf


def test_real_orders_are_simulated():
    half = Law(("A",), np.array([[0.5]]), np.array([[-0.2]]))
    times = np.linspace(0, 4, 9)
    found = half.simulate(("A",), np.array([[1.0]]), times)[0, :, 0]
    np.testing.assert_allclose(found, (1 - 0.1 * times) ** 2, rtol=1e-5)


REACTIONS = ["2 A -> B", "A -> C", "C -> D", "B + D -> E", "A + E -> 2 E", "B -> A"]


@settings(max_examples=40, deadline=None)
@given(st.permutations(REACTIONS), st.lists(st.floats(0.05, 5), min_size=6, max_size=6))
def test_the_order_of_reactions_does_not_matter(order, values):
    constants = dict(zip(REACTIONS, values, strict=True))
    first = parse("; ".join(REACTIONS))
    other = parse("; ".join(order))
    other_constants = [constants[text] for text in order]
    found = scores.reactions(other, other_constants)
    np.testing.assert_allclose(scores.ratios(found, first, values), 1, rtol=1e-12)
    assert scores.equivalent(Law.of(other, other_constants), Law.of(first, values), 1e-9)


def test_other_reactions_with_equal_curves_are_equivalent_but_not_exact():
    truth = parse("2 A -> B + C (k1)")
    other = parse("2 A -> 2 B (k1); 2 A -> 2 C (k2)")
    law = Law.of(other, [0.1, 0.1])
    assert scores.equivalent(law, Law.of(truth, [0.2]), 1e-9)
    assert scores.ratios(scores.reactions(other, [0.1, 0.1]), truth, [0.2]) is None
    assert not scores.equivalent(Law.of(other, [0.1, 0.13]), Law.of(truth, [0.2]), 0.1)


@pytest.mark.parametrize(
    "text",
    [
        "2 A -> B; A -> C; C -> D",
        "2 A -> B; A -> C; C -> D; B + D -> E; E -> A",
        "2 A -> B; A -> C; C -> D; B + D -> 2 E",
        "A -> B; A -> C; C -> D; B + D -> E",
    ],
)
def test_what_is_not_the_truth_is_not_taken_for_it(text):
    network = parse(text)
    constants = [*CASE_1.constants, 0.2][: len(network.reactions)]
    assert (
        scores.ratios(scores.reactions(network, constants), CASE_1.network, CASE_1.constants)
        is None
    )
    assert not scores.equivalent(Law.of(network, constants), TRUTH, 0.1)


def test_derivatives_are_matched():
    network = parse("A -> B (k1)")
    times = np.linspace(0, 6, 40)
    start = default_rng(0).uniform(0.5, 1.5, (4, 1)) * [1.0, 0.0]
    curves = Law.of(network, [0.5]).simulate(network.species, start, times)
    runs = xr.Dataset(
        {
            "concentration": (("run", "time", "species"), curves),
            "initial": (("run", "species"), start),
        },
        coords={"time": times, "species": list(network.species)},
    )
    found = derivative_matching(runs, 0.2)
    assert scores.equivalent(found, Law.of(network, [0.5]), 0.05)
    assert derivative_matching(runs, 10.0).terms() == {}


@pytest.mark.slow
def test_weak_sindy_finds_the_terms_without_noise():
    pytest.importorskip("pysindy")
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    runs = CASE_1.runs(0, noise=0.0)
    found = weak_sindy(runs, threshold(CASE_1), seed=0, ridge=1e-6)
    assert scores.equivalent(found, TRUTH, 0.01)
    again = weak_sindy(runs, threshold(CASE_1), seed=0, ridge=1e-6)
    np.testing.assert_array_equal(found.coefficients, again.coefficients)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_half_of_the_smallest_coefficient_is_told():
    assert threshold(CASE_1) == pytest.approx(0.05)


def test_the_oracle_is_exact_and_near_the_limit():
    task = Task(CASE_1, CASE_1.runs(0), 4, 0)
    held_out = CASE_1.held_out(0)
    record = judged("oracle", task, held_out)
    assert record["exact"] and record["equivalent"] and record["same_terms"]
    limit = cramer_rao(CASE_1, task.runs, CASE_1.noise)
    assert (np.abs(record["log_errors"]) < 4 * limit).all()
    noise_alone = scores.mean_absolute_error(held_out.exact.values, held_out)
    assert record["held_out"] == pytest.approx(noise_alone, rel=0.01)


def test_a_refusal_is_a_result(monkeypatch):
    def refuse(_):
        raise ValueError("nothing changes")

    monkeypatch.setitem(METHODS, "discover", refuse)
    record = judged("discover", Task(CASE_1, CASE_1.runs(0), 4, 0), CASE_1.held_out(0))
    assert not record["exact"] and record["refused"] == "nothing changes"


SMALL = Setting(
    case="case 1",
    n_reactions=4,
    n_runs=4,
    n_times=20,
    seeds={"oracle": 2, "derivative matching": 2},
)


def test_the_study_is_summed_up(tmp_path, monkeypatch):
    monkeypatch.setattr(study, "SETTINGS", {"B1": SMALL})
    work = list(study.pieces(tmp_path))
    compute(tmp_path, work)
    path = tmp_path / "B1" / "oracle-0.json"
    marked = json.loads(path.read_text())
    marked["value"]["seconds"] = 77.0
    path.write_text(json.dumps(marked))
    found = study.record(tmp_path, done(tmp_path, work, least=None))
    record = json.loads(json.dumps(found))["settings"]["B1"]
    oracle, other = (record["methods"][name] for name in ("oracle", "derivative matching"))
    assert oracle["exact"]["value"] == 1.0 and oracle["exact"]["low"] < 0.5
    assert oracle["seconds"]["largest"] == 77.0
    assert oracle["held_out_over_oracle"] == {"median": 1.0, "largest": 1.0}
    assert np.shape(record["cramer_rao"]) == np.shape(oracle["errors"]["rms"]) == (4,)
    assert "errors" not in other and other["exact"]["value"] == 0.0


def test_tables_are_the_record_or_made_anew(tmp_path, monkeypatch):
    root = Path(__file__).parents[1]
    monkeypatch.chdir(root)
    record = json.loads((root / "data/studies/crnn.json").read_text(encoding="utf-8"))
    assert study.tables(tmp_path, 0) == record["settings"]
    monkeypatch.setattr(study, "SETTINGS", {"B1": SMALL})
    made = study.tables(tmp_path, 1)["B1"]["methods"]
    assert {name: found["seeds"] for name, found in made.items()} == dict.fromkeys(SMALL.seeds, 1)


@given(st.integers(1, 60), st.integers(1, 20))
def test_jobs_divide_the_seeds(seeds, size):
    asked = [
        (name, s) for name, setting in SETTINGS.items() for s in range(max(setting.seeds.values()))
    ]
    given_out = [
        (name, seed)
        for name, first, most in study.blocks(seeds, size)
        for seed in range(first, first + most)
        if most <= size
    ]
    assert sorted(given_out) == sorted((name, seed) for name, seed in asked if seed < seeds)


def test_pieces_of_other_code_are_elsewhere(tmp_path):
    root = Path(__file__).parents[1]
    for name in ("kinetlib", "studies"):
        shutil.copytree(root / name, tmp_path / name)
    before = study.place("results", tmp_path)
    assert before == study.place("results", root)
    with open(tmp_path / "kinetlib/plot/__init__.py", "a") as figure:
        figure.write("# another colour\n")
    assert study.place("results", tmp_path) == before
    with open(tmp_path / "kinetlib/crnn/fit.py", "a") as method:
        method.write("# another method\n")
    assert study.place("results", tmp_path) != before


def test_settings_and_methods_are_chosen_by_name(tmp_path):
    keys = [piece.key for piece in chosen(study.pieces(tmp_path), ["B1noise", "oracle"], 3, 1)]
    assert keys == [(f"B1noise-{level:g}", "oracle", 3) for level in NOISE]
    every = [piece.key for piece in study.pieces(tmp_path)]
    assert {key[0] for key in every} == {*SETTINGS} and {*METHODS} < {key[1] for key in every}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_makes_its_runs(name):
    setting = SETTINGS[name]
    task = setting.task(0)
    case = setting.case_of(0)
    assert task.runs.sizes["run"] == (setting.n_runs or case.n_runs)
    assert task.runs.sizes["time"] == (setting.n_times or case.n_times)
    assert set(setting.seeds) <= {*METHODS, COLD}


def test_the_cascade_is_that_of_the_reference():
    case = CASES["MAPK cascade"]
    order = "S MAPKKK MAPKKKp MAPKK MAPKKp MAPK MAPKp TF TFp".split()

    def change(_, y):
        r = [*(y[[0, 2, 4, 6]] * y[[1, 3, 5, 7]]), *y[[2, 4, 6, 8]]]
        return np.array([0.0, *(v for i in range(4) for v in (r[i + 4] - r[i], r[i] - r[i + 4]))])

    runs = case.runs(0, n_runs=3).sel(species=order)
    for i in range(3):
        solved = solve_ivp(
            change, (0, 10), runs.initial.values[i], t_eval=runs.time, rtol=1e-8, atol=1e-10
        )
        np.testing.assert_allclose(runs.exact.values[i], solved.y.T, atol=1e-6)
    assert (runs.initial.values[:2, 2::2] == 0).all() and (runs.initial.values[2] > 0).all()


def test_without_a_floor_of_the_noise_more_can_be_known():
    runs = CASE_1.runs(2, n_runs=4, n_times=20)
    with_floor, without = (cramer_rao(CASE_1, runs, 0.05, floor=f) for f in (FLOOR, 0.0))
    assert (without < with_floor).all()
    np.testing.assert_allclose(cramer_rao(CASE_1, runs, 0.1, floor=0.0), 2 * without, rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_drawn_networks_are_lively_and_found_again(seed):
    case = drawn.drawn(seed)
    assert (case.network.stoichiometry.min(1) < 0).all()
    runs = case.runs(seed)
    assert np.abs(runs.exact).max() < 30
    found = discover(runs, len(case.network.reactions) + 2)
    law = Law.of(found.to_network(), found.rate_constants)
    assert equivalent(law, Law.of(case.network, case.constants), 0.1)


def test_a_seed_draws_one_network():
    first, again = drawn.drawn(3), drawn.drawn(3)
    assert (str(first.network), first.constants) == (str(again.network), again.constants)
    np.testing.assert_array_equal(first.runs(1).concentration, again.runs(1).concentration)
    assert str(drawn.drawn(3).network) != str(drawn.drawn(4).network)


@pytest.mark.slow
def test_two_starts_that_agree_on_what_the_noise_rejects_are_not_the_end():
    task = SETTINGS["B1"].task(23)  # found by the third start alone
    found = discover(task.runs, task.n_reactions, seed=task.seed)
    assert found.chi_squared < 2 and found.agreeing < 0.5
    assert equivalent(Law.of(found.to_network(), found.rate_constants), TRUTH, 0.1)
