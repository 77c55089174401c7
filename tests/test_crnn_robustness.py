"""Curves as they come: noise of any kind, few points, points that lack; and what is refused."""

import numpy as np
import pytest
import xarray as xr
from numpy.random import default_rng
from openpyxl import Workbook
from test_crnn import CASE_1, CONSTANTS_1, case_1, runs_of, same

from kinetlib import lab
from kinetlib.crnn import discover, point, search, start
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.runs import read


def test_noise_is_estimated():
    for noise in (0.01, 0.05, 0.2):
        estimated, background = estimate_noise(read(case_1(1, 20, 100, noise)))
        assert estimated == pytest.approx(noise, rel=0.12)
        assert not background.any()


def test_a_species_without_noise_says_nothing_of_noise():
    runs = case_1(1)[["concentration"]]
    still = (0 * runs.isel(species=[0]) + 0.7).assign_coords(species=["Z"])
    level, background = estimate_noise(read(xr.concat([runs, still], "species")))
    assert level == estimate_noise(read(runs))[0]
    assert not background.any()


def with_background(runs, share, seed):
    """Add noise that is as large at any value: a share of each species' largest."""
    exact = runs.concentration
    size = share * exact.max(("run", "time"))
    spread = exact.copy(data=default_rng([seed, 9]).standard_normal(exact.shape))
    return runs.assign(concentration=exact + size * spread)


@pytest.mark.parametrize(("relative", "share"), [(0.0, 0.01), (0.0, 0.05), (0.03, 0.02)])
def test_noise_that_is_not_relative_is_estimated(relative, share):
    curves = read(with_background(case_1(1, 20, 100, relative), share, 0))
    largest = curves.value.max((0, 1))
    found, background = estimate_noise(curves)
    np.testing.assert_allclose(background, share * largest, rtol=0.4)
    total = np.hypot(found * largest, background)
    np.testing.assert_allclose(total, np.hypot(relative, share) * largest, rtol=0.4)
    np.testing.assert_allclose(estimate_noise(curves, relative)[1], background, rtol=0.4)


def test_reactions_are_found_through_noise_that_is_not_relative():
    """Half the products start below zero."""
    runs = with_background(case_1(4, 10, 40, 0.0), 0.01, 4).drop_vars("initial")
    assert (runs.concentration.isel(time=0) < 0).any()
    found = discover(runs, 6)
    same(found, CASE_1, CONSTANTS_1, 0.1)
    assert 0.8 < found.chi_squared < 1.2
    order = [found.species.index(name) for name in "ABCDE"]
    largest = runs.concentration.max(("run", "time")).sel(species=list("ABCDE"))
    np.testing.assert_allclose(found.background[order], 0.01 * largest, rtol=0.5)


def test_a_start_that_was_not_measured_is_fitted():
    exact = case_1(3, 10, 40, 0.0)
    noisy = case_1(3, 10, 40, 0.02)
    late = noisy.concentration.where((noisy.species != "A") | (noisy.time > 0))
    found = discover(noisy.drop_vars("initial").assign(concentration=late), 6)
    same(found, CASE_1, CONSTANTS_1, 0.05)
    curves = read(noisy.drop_vars("initial").assign(concentration=late))
    a = curves.species.index("A")
    assert not curves.start_seen[:, a].any() and curves.start_seen.sum() == 40
    assert (curves.initial[:, a] < exact.initial.sel(species="A")).all()


def test_few_points_look_noisy_and_are_not():
    """Between five points a run curves bend so much that the noise seems several times larger."""
    text, constants = "A -> B (k1); B -> C (k2)", (0.5, 0.2)
    initial = {"A": default_rng(1).uniform(0.2, 1.2, 8)}
    runs = runs_of(text, constants, initial, np.array([0.0, 1, 2, 4, 10]), 0.02, 6)
    level, background = estimate_noise(read(runs))
    assert np.hypot(level, background.max()) > 0.06
    for noise in (None, 0.02):
        found = discover(runs, 4, noise=noise)
        same(found, text, constants, 0.1)
        assert 0.6 < found.chi_squared < 1.6


def test_what_is_written_twice_counts_once():
    curves = read(case_1(0))
    twice = read(case_1(0).isel(time=np.repeat(np.arange(40), 2)))
    np.testing.assert_array_equal(twice.value[:, :40], curves.value)
    assert np.isnan(twice.value[:, 40:]).all()
    assert estimate_noise(twice)[0] == estimate_noise(curves)[0]


@pytest.mark.parametrize("unit", [1e-9, 1.0])
def test_a_species_that_is_never_there_changes_no_unit(unit):
    runs = case_1(0)[["concentration", "initial"]] * unit
    none = (0 * runs.isel(species=[0])).assign_coords(species=["Z"])
    joined = read(xr.concat([runs, none], "species"))
    assert joined.units == read(runs).units


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda runs: runs.drop_vars("concentration"), "lack concentration"),
        (lambda runs: runs.rename(species="kind"), "expected dims run, time and species"),
        (lambda runs: runs.isel(time=[0]), "at least one later"),
        (lambda runs: runs.to_dataframe(), "expected an xarray.Dataset"),
        (lambda runs: runs.isel(run=[]), "at least one run"),
        (lambda runs: runs.isel(species=[]), "at least one run, time and species"),
        (lambda runs: runs.astype(str), "concentration: expected numbers, got <U"),
        (lambda runs: runs.astype(object).where(runs.time > 0, "n.d."), "'n.d.'"),
        (lambda runs: runs.assign_coords(time=runs.time.astype("M8[s]")), "since the start"),
        (
            lambda runs: runs.assign_coords(time=runs.time.where(runs.time > 0, -np.inf)),
            "is infinite",
        ),
        (lambda runs: runs.isel(time=[0, 0, 0]), "at least one later"),
        (lambda runs: runs.assign(concentration=-runs.concentration), "expected concentrations"),
        (lambda runs: runs.assign(initial=runs.initial - 1), "starts at -"),
        (lambda runs: runs.assign(initial=runs.initial.isel(run=0)), "expected dims run and spec"),
        (lambda runs: runs.where(runs.species != "C").drop_vars("initial"), "C: no value in any"),
        (lambda runs: runs.where(~runs.species.isin(list("BCDE"))), "at most 3 species"),
        (lambda runs: runs.where((runs.species != "C") | (runs.run > 0)), "run 0: C has no value"),
        (lambda runs: runs.assign(temperature=("run", np.zeros(8))), "one number in kelvin"),
        (lambda runs: runs.assign(temperature=("run", 20 + np.arange(8.0))), "add 273.15"),
        (lambda runs: runs.where(runs.time != runs.time[3], np.inf), "infinite"),
    ],
)
def test_runs_that_cannot_be_read_are_refused(spoil, complaint):
    with pytest.raises(ValueError, match=complaint):
        discover(spoil(case_1(0)), 4)


def test_curves_without_a_reaction_are_refused():
    still = case_1(0)
    first = still.initial.expand_dims(time=still.time).transpose("run", "time", "species")
    noise = 1 + 0.05 * default_rng(0).standard_normal(first.shape)
    with pytest.raises(ValueError, match="nothing changes"):
        discover(still.assign(concentration=first * noise), 4, noise=0.05)


def test_curves_that_stay_as_they_are_are_refused():
    still = case_1(0)
    with pytest.raises(ValueError, match="nothing changes"):
        discover(still.assign(concentration=0 * still.concentration), 4)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        ({"n_reactions": 0}, "n_reactions: expected a whole number, 1 or more, got 0"),
        ({"n_reactions": 2.5}, "n_reactions"),
        ({"max_order": 0}, "max_order"),
        ({"max_order": 8}, "5 species and orders of up to 8 make about .* too many"),
        ({"seed": -1}, "seed: expected"),
        ({"conserve": [[1], [1.37], [1.91], [2.23], [3.71]], "max_order": 1}, "none to find"),
        ({"starts": True}, "starts"),
        ({"noise": -0.1}, "noise: expected a share"),
        ({"noise": "little"}, "noise: expected a share"),
        ({"loss": "squares"}, "loss: expected one of"),
        ({"conserve": [1, 2]}, "one row of numbers for each"),
        ({"conserve": [[np.nan]] * 5}, "expected numbers"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, complaint):
    with pytest.raises(ValueError, match=complaint):
        discover(case_1(0), **{"n_reactions": 4, **setting})


def test_least_squares_without_negative_unknowns_come_to_an_end(monkeypatch):
    rng = default_rng(0)
    matrix, target = rng.random((30, 8)), rng.standard_normal(30)
    expected = start.non_negative(matrix, target)

    def fails(*_, **__):
        raise RuntimeError("Maximum number of iterations reached.")

    monkeypatch.setattr(start, "nnls", fails)
    found = start.non_negative(matrix, target)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-6)
    assert found[1] == pytest.approx(expected[1])


def test_normal_equations_of_starts_that_are_forgotten_are_solved():
    row = np.array([[1e9, 1e9, 1.0]])
    block = (row.T @ row + np.diag([1e-3, 1e-3, 1.0]))[None]  # singular as rounded
    assert np.isfinite(point.solve_blocks(block, np.ones((1, 3, 1)))).all()
    sound = np.diag([1e-8, 1.0, 1e8])[None] * (1 + 0.3 * np.eye(3))
    right = np.ones((1, 3, 1))
    np.testing.assert_allclose(
        point.solve_blocks(sound, right), np.linalg.solve(sound, right), rtol=1e-9
    )


def test_interrupted_at_the_end_the_best_is_returned(monkeypatch):
    def interrupted(self, one):
        raise KeyboardInterrupt

    monkeypatch.setattr(search.Search, "_well_fitted", interrupted)
    text, constants = "A -> B (k1)", (0.5,)
    runs = runs_of(text, constants, {"A": np.array([0.5, 1.0])}, np.linspace(0, 6, 30), 0.02, 2)
    found = discover(runs, 2)
    assert not found.complete
    same(found, text, constants, 0.05)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("time,A,B\n0,1,0\n1,0,5,0,5\n", "row 3: 5 values under 3 names.*semicolons"),
        ("time,A,\n0,1,0\n1,0.5,0.5\n", r"cell C2: a number in a column that has no name"),
        ("time,A / M,B / g/L\n0,1,0\n1,0.5,0.5\n", "different units that do not convert"),
        ("time,A\n0,1\n1,n.d.\n", r"cell B3 \(A\): expected a number, found 'n.d.'"),
        ("time\n0\n1\n", "no numbers below names of columns.*Layouts that are read"),
    ],
)
def test_files_that_would_be_misread_are_refused(tmp_path, text, complaint):
    path = tmp_path / "curves.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=complaint):
        lab.read_species(path)


def test_a_species_of_one_sheet_alone_is_refused(tmp_path):
    book = Workbook()
    for row in (["time", "A"], [0, 1.0], [1, 0.5]):
        book.active.append(row)
    other = book.create_sheet("second")
    for row in (["time", "A", "B"], [0, 1.0, 0.0], [1, 0.5, 0.5]):
        other.append(row)
    book.save(tmp_path / "curves.xlsx")
    with pytest.raises(
        ValueError, match=r"'Sheet': no column 'B', which other runs have.*--ignore 'B'"
    ):
        lab.read_species(tmp_path / "curves.xlsx")


def test_a_first_column_that_counts_rows_is_passed_over(tmp_path):
    path = tmp_path / "curves.csv"
    path.write_text(",time,A\n0,0,1\n1,2,0.5\n", encoding="utf-8")
    runs = lab.read_species(path)
    assert runs.time.values.tolist() == [[0, 2]] and runs.species.values.tolist() == ["A"]
