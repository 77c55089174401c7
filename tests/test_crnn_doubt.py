"""Doubt is told where there is reason, and nowhere else; nothing is printed that is not checked."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import default_rng
from test_crnn import runs_of, same

from kinetlib.crnn import discover, doubt, with_hidden
from kinetlib.crnn.conserved import makes_matter
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.library import Library
from kinetlib.crnn.runs import read
from kinetlib.crnn.search import Search
from kinetlib.kinetics.integrate import integrate

CHAIN, K = "A -> B (k1); B -> C (k2)", (0.6, 0.25)


def chain(times, runs=5, noise=0.02, seed=0, text=CHAIN, constants=K):
    initial = {"A": default_rng(seed).uniform(0.4, 1.2, runs)}
    return runs_of(text, constants, initial, times, noise, seed)


@pytest.fixture(scope="module")
def plain():
    return discover(chain(np.linspace(0, 8, 25)), 4)


def test_good_curves_leave_no_doubt(plain):
    same(plain, CHAIN, K, 0.05)
    assert plain.decided and not plain.ties and not plain.doubts
    assert plain.sums == ("A + B + C",)


def test_what_is_found_gives_its_curves(plain):
    """By other means than those of the fit: from its own start, with constants as printed."""
    constants = [float(f"{k:.4g}") for k in plain.rate_constants]
    network = plain.to_network()
    at = [plain.species.index(name) for name in network.species]
    runs = chain(np.linspace(0, 8, 25))
    value = integrate(network, constants, plain.initial[:, at], runs.time.values).concentration
    seen = runs.concentration.sel(species=list(network.species)).values
    away = (value - seen) / np.hypot(0.02 * seen, 1e-3)
    assert np.square(away[:, 1:]).mean() < 1.3


def test_few_rows_decide_nothing():
    runs = chain(np.array([0.0, 1, 2, 4, 8]), runs=1)
    found = discover(runs, 4, noise=0.02, starts=1)
    assert not found.decided
    assert any("values after the start" in one for one in found.doubts)


def test_equal_curves_are_a_tie_and_another_start_decides():
    """Of A, B and C that begin as A alone, in one run, C may come of A by way of B or by itself."""
    species = ("A", "B", "C")
    runs = chain(np.linspace(0, 6, 30), runs=2, noise=0.05)
    curves = read(runs)
    curves = curves.in_units(*curves.units)
    library = Library.all(species, 1, conserve=np.ones((3, 1)))
    search = Search(curves, 0.05, library, 3)
    members = [library.place(*one) for one in _chain_members()]
    first = search.fitted(tuple(members), np.ones(2))
    twin = tuple(sorted([*members, library.place(np.array([1, 0, 0]), np.array([-1, 0, 1]))]))
    second = search.fitted(twin, np.array([1.0, 0.1, 1.0]))
    # As if the data did not tell them apart.
    search.tried[twin] = replace(second, criterion=first.criterion + 1)
    assert doubt.tied_networks(search, first) == [twin]
    said = list(doubt.doubts(search, first, (1.0, 1.0)))
    assert said[0].startswith("Not decided by these data: as good are")
    assert said[1] == "In all of them: A -> B, B -> C."
    assert said[2].startswith(("To decide, start from", "None of 7 starts"))
    search.tried[twin] = replace(second, criterion=first.criterion + doubt.TIED)
    assert not doubt.tied_networks(search, first)


def _chain_members():
    return (
        (np.array([1, 0, 0]), np.array([-1, 1, 0])),
        (np.array([0, 1, 0]), np.array([0, -1, 1])),
    )


def test_a_network_that_cannot_begin_is_never_returned():
    """X, not there at first, would have to be there to be made."""
    species = ("A", "X")
    runs = chain(np.linspace(0, 6, 30), text="A -> X (k1)", constants=(0.5,))
    runs["initial"].loc[{"species": "X"}] = 0.0
    curves = read(runs)
    library = Library.all(species, 2)
    search = Search(curves, 0.02, library, 2)
    number = library.place(np.array([1, 1]), np.array([-1, 1]))  # A + X -> 2 X
    stuck = search.fitted((number,), np.array([1.0]))
    assert stuck.fit.unknowns.initial[:, 1].max() == 0
    # Such as a fit might claim that let the start drift.
    lie = replace(stuck, fit=replace(stuck.fit, chi_squared=float(stuck.fit.n_values)))
    search.tried = {lie.members: lie}
    with pytest.raises(ValueError, match="can never come to be"):
        doubt.reproducing(search, lie)
    right = search.fitted((library.place(np.array([1, 0]), np.array([-1, 1])),), np.array([1.0]))
    assert doubt.reproducing(search, lie) is right


@pytest.mark.slow
def test_hidden_species_come_of_what_is_there():
    text, constants = "A -> H (k1); H -> B (k2)", (0.8, 0.3)
    whole = chain(np.linspace(0, 10, 30), text=text, constants=constants)
    runs = with_hidden(whole[["concentration"]].sel(species=["A", "B"]), "H")
    found = discover(runs, 3, max_order=1)
    same(found, text, constants, 0.1)
    network = found.to_network()
    at = [found.species.index(name) for name in network.species]
    value = integrate(network, found.rate_constants, found.initial[:, at], runs.time.values)
    b = value.concentration[..., network.index("B")]
    np.testing.assert_allclose(b, whole.concentration.sel(species="B").values, atol=0.08)
    assert any("A + B + H" in remark or "H" in remark for remark in found.remarks)


def test_a_constant_that_falls_is_told_from_second_order():
    """First order, the catalyst ages: 2 A -> A + B would fit, and is doubted."""
    times = np.linspace(0, 12, 25)
    text = "A + E -> B + E (k1); E -> 0 (k2)"
    initial = {"A": np.array([1.0, 0.9, 1.1, 1.0]), "E": np.full(4, 1.0)}
    runs = runs_of(text, (0.6, 0.35), initial, times, 0.01, 3).sel(species=["A", "B"])
    found = discover(runs, 3, constraints=None, starts=1)
    assert not found.decided


def test_missing_mass_is_told():
    initial = {"A": np.array([1.0, 0.8, 0.6])}
    text = "A -> B (k1); A -> X (k2)"
    runs = runs_of(text, (0.05, 0.6), initial, np.linspace(0, 5, 25), 0.02, 5)
    found = discover(runs.sel(species=["A", "B"]), 3, starts=1)
    (said,) = [one for one in found.doubts if "of the mass that reacts is not seen" in one]
    assert "92%" in said or "93%" in said or "91%" in said


def test_rows_at_rest_are_told():
    runs = chain(np.append(np.linspace(0, 2, 6), np.linspace(60, 90, 40)))
    found = discover(runs, 3, max_order=1, starts=1, noise=0.02)
    assert any("have come to rest" in one or "come to rest" in one for one in found.doubts)


def test_what_makes_matter_pays_where_nobody_says():
    library = Library.all(("A", "B"), 1)
    runs = chain(np.linspace(0, 4, 15), text="A -> B (k1)", constants=(0.5,))
    curves = read(runs)
    weighed = np.ones(2, dtype=bool)
    priced = Search(curves, 0.02, library, 3, weighed=weighed)
    free = Search(curves, 0.02, library, 3)
    left, net = np.array([[1, 0], [0, 1]]), np.array([[-1, 2], [1, -1]])
    members = tuple(library.place(*pair) for pair in zip(left, net, strict=True))
    assert makes_matter(library.net[list(sorted(members))])[0]
    constants = np.array([0.5, 0.1])
    dear, cheap = (search.fitted(members, constants) for search in (priced, free))
    assert dear.criterion == pytest.approx(cheap.criterion + 6)
    assert isinstance(dear.problem, Problem)
