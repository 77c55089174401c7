"""What reactions keep: atoms, sums in the data, matter; and parts of molecules."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from scipy.integrate import solve_ivp
from test_crnn import runs_of

from kinetlib.crnn import formulas
from kinetlib.crnn.balance import kept
from kinetlib.crnn.conserved import kept_sums, makes_matter, written
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.library import Library
from kinetlib.crnn.runs import read
from kinetlib.crnn.tied import equation, tied
from kinetlib.kinetics.conservation import conservation_laws


@pytest.mark.parametrize(
    ("text", "atoms"),
    [
        ("H2O2", {"H": 2, "O": 2}),
        ("PhB(OH)2", {"C": 6, "H": 7, "B": 1, "O": 2}),
        ("AcOEt", {"C": 4, "H": 8, "O": 2}),
        ("CO2", {"C": 1, "O": 2}),
        ("CoCl2", {"Co": 1, "Cl": 2}),
        ("Al2(SO4)3", {"Al": 2, "S": 3, "O": 12}),
    ],
)
def test_formulas_are_read(text, atoms):
    assert formulas.formula(text) == atoms


@pytest.mark.parametrize("text", ["", "Xyz", "HMF", "(OH", "OH)2", "a", "C-C", "oXy"])
def test_what_is_no_formula_is_refused(text):
    with pytest.raises(ValueError, match="is no formula"):
        formulas.formula(text)


def test_names_are_formulas_all_or_none():
    assert set(formulas.read_names(("H2O2", "H2O", "O2"))) == {"H2O2", "H2O", "O2"}
    assert not formulas.read_names(("B", "C", "N"))  # letters
    assert not formulas.read_names(("H2O2", "HMF"))


ISOMERS = "o -> m (k1); m -> o (k2); m -> p (k3); p -> m (k4)"


def isomers(seed, noise=0.02):
    rng = default_rng(seed)
    initial = {name: rng.uniform(0.1, 1, 4) for name in "omp"}
    return runs_of(ISOMERS, (1.0, 0.4, 0.5, 0.8), initial, np.linspace(0, 6, 25), noise, seed)


@pytest.mark.parametrize("noise", [0.005, 0.05])
def test_a_sum_is_found_through_noise(noise):
    curves = read(isomers(3, noise))
    assert [written(one, curves.species) for one in kept_sums(curves, noise)] in (
        ["m + o + p"],
        ["o + m + p"],
    )


def test_a_dimer_counts_twice_and_a_loss_leaves_no_sum():
    rng = default_rng(1)
    start = {"A": rng.uniform(0.5, 1, 4), "B": rng.uniform(0, 0.4, 4)}
    times = np.linspace(0, 4, 30)
    curves = read(runs_of("2 A -> B (k1)", (0.8,), start, times, 0.01, 1))
    sums = [written(one, curves.species) for one in kept_sums(curves, 0.01)]
    assert sums == ["A + 2 B"] or sums == ["2 B + A"]
    lossy = "A -> B (k1); B -> 0 (k2)"
    assert not len(kept_sums(read(runs_of(lossy, (0.8, 0.3), start, times, 0.01, 1)), 0.01))


def test_a_trace_determines_no_sum():
    """Of C there is too little to say whether A + B or A + B + C is kept, or A + B + 2 C."""
    start = {"A": np.array([0.5, 1.0, 0.8]), "B": np.zeros(3)}
    text = "A -> B (k1); A -> C (k2)"
    curves = read(runs_of(text, (0.5, 0.004), start, np.linspace(0, 4, 25), 0.03, 2))
    for one in kept_sums(curves, 0.03):
        assert one[curves.species.index("C")] == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-2, 2), min_size=3, max_size=3), min_size=1, max_size=3))
def test_matter_is_kept_where_there_is_a_positive_law(rows):
    net = np.array([row for row in rows if any(row)]).reshape(-1, 3)
    if not len(net):
        return
    made, lost = makes_matter(net)
    laws = conservation_laws(net)
    touched = (net != 0).any(0)
    semipositive = [law for law in laws if (law >= 0).all()]
    positive = bool(semipositive) and (np.sum(semipositive, 0)[touched] > 0).all()
    if positive:
        assert not made and not lost
    if not lost:  # masses were found: a law of the network that is positive
        assert len(laws)
    if made:
        assert lost and not (net.sum(1) <= 0).all()


def test_what_makes_matter_of_nothing_is_told():
    assert makes_matter(np.array([[-1, 2], [1, -1]])) == (True, True)  # A -> 2 B, B -> A
    assert makes_matter(np.array([[-1, 2]])) == (False, False)
    assert makes_matter(np.array([[-1, 1], [0, -1]])) == (False, True)  # A -> B, B -> 0


PEROXIDE = ("H2O2", "H2O", "O2")


def peroxide_library(max_order=1):
    atoms = {name: formulas.formula(name) for name in PEROXIDE}
    composition = formulas.matrix(PEROXIDE, atoms)
    return Library.all(PEROXIDE, max_order, conserve=composition, fractions=True)


def test_halves_come_out_where_whole_ones_do_not_balance():
    one = peroxide_library(1)
    assert [one.equation(r) for r in range(len(one))] == ["H2O2 -> H2O + 1/2 O2"]
    two = peroxide_library(2)
    texts = {two.equation(r) for r in range(len(two))}
    assert {"2 H2O2 -> 2 H2O + O2", "2 H2O + O2 -> 2 H2O2"} & texts == {"2 H2O2 -> 2 H2O + O2"}
    atoms = {name: formulas.formula(name) for name in PEROXIDE}
    assert np.allclose(two.net @ formulas.matrix(PEROXIDE, atoms), 0)


def test_parts_of_molecules_need_whole_ones_to_fail():
    """B -> 1/2 A + 1/2 C is B -> A and B -> C at once, and no reaction of its own."""
    library = Library.all(("A", "B", "C"), 1, conserve=np.ones((3, 1)), fractions=True)
    assert (library.net == np.round(library.net)).all()


def test_tied_reactions_are_integrated_as_one():
    left, net = np.array([[1, 0, 0]]), np.array([[-1, 1, 0.5]])
    assert equation(PEROXIDE, left[0], net[0]) == "H2O2 -> H2O + 1/2 O2"
    network = tied(PEROXIDE, left, net)
    assert not network.plain and len(network.network.reactions) == 2
    times = np.linspace(0, 3, 8)
    exact = solve_ivp(
        lambda _, y: 0.7 * y[0] * net[0], (0, 3), [1.0, 0, 0], t_eval=times, rtol=1e-10, atol=1e-12
    ).y.T
    runs = runs_of("H2O2 -> H2O (k1)", (0.7,), {"H2O2": np.array([1.0])}, times, 0.0, 0).reindex(
        species=list(PEROXIDE)
    )
    runs["concentration"][0] = exact
    runs["initial"].loc[{"species": "O2"}] = 0.0
    problem = Problem(network, read(runs), 0.01)
    fit = problem.fit(problem.unknowns(np.array([0.1])))
    assert fit.constants[0] == pytest.approx(0.7, rel=1e-4)
    np.testing.assert_allclose(problem.simulated(fit.unknowns)[0], exact, atol=1e-5)
    assert problem.largest_rates(fit.unknowns) == pytest.approx([0.7], rel=1e-3)


def test_atoms_that_the_data_lose_are_no_balance():
    rng = default_rng(0)
    start = {"H2O2": rng.uniform(0.5, 1, 3), "H2O": rng.uniform(0.1, 0.3, 3)}
    runs = runs_of("H2O2 -> H2O (k1)", (0.7,), start, np.linspace(0, 4, 25), 0.01, 0)
    found = kept(read(runs), 0.01)
    assert found.composition is None or not found.certain
    assert any("do not keep O" in remark for remark in found.remarks)
    told = kept(read(runs), 0.01, atoms={"H2O2": "H2O"})
    assert told.certain and not any("do not keep" in remark for remark in told.remarks)


def test_a_formula_of_a_stranger_is_refused():
    with pytest.raises(ValueError, match="'Z' is no species of these runs"):
        kept(read(isomers(0)), 0.02, atoms={"Z": "H2O"})


def test_a_name_without_a_letter_is_told_from_a_number():
    assert equation(("1", "3"), np.array([1, 1]), np.array([1, -1])) == '1 + 3 -> 2 "1"'
