"""Reactions found in curves: the reference's case, catalysts, properties, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.random import default_rng

from kinetlib import lab
from kinetlib.cli import main
from kinetlib.crnn import discover, search, with_hidden
from kinetlib.crnn.choose import Chooser
from kinetlib.crnn.effects import Effects, complexes
from kinetlib.crnn.fit import Problem
from kinetlib.crnn.library import Library
from kinetlib.crnn.linear import linearised
from kinetlib.crnn.point import Unknowns
from kinetlib.crnn.prune import leaving
from kinetlib.crnn.runs import GAS_CONSTANT, read
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import parse

CASE_1 = "2 A -> B (k1); A -> C (k2); C -> D (k3); B + D -> E (k4)"
CONSTANTS_1 = (0.1, 0.2, 0.13, 0.3)


def runs_of(text, constants, initial, times, noise, seed):
    """Simulate runs, tightly, and add relative noise; initial maps species to arrays (n,)."""
    network = parse(text)
    n = len(next(iter(initial.values())))
    start = np.zeros((n, len(network.species)))
    for name, values in initial.items():
        start[:, network.index(name)] = values
    exact = integrate(network, constants, start, times, rtol=1e-9, atol=1e-12).concentration
    noisy = exact * (1 + noise * default_rng(seed).standard_normal(exact.shape))
    return xr.Dataset(
        {
            "concentration": (("run", "time", "species"), noisy),
            "initial": (("run", "species"), start),
        },
        coords={"time": times, "species": list(network.species)},
    )


def case_1(seed, runs=8, points=40, noise=0.05):
    rng = default_rng([seed, 1])
    initial = {name: rng.uniform(0.2, 1.2, runs) for name in "AB"}
    return runs_of(CASE_1, CONSTANTS_1, initial, np.linspace(0, 40, points), noise, seed)


def canonical(network, constants):
    """Constants by reaction, whatever the order of species and reactions."""
    return {
        (tuple(sorted(reaction.reactants.items())), tuple(sorted(reaction.products.items()))): k
        for reaction, k in zip(network.reactions, constants, strict=True)
    }


def reactions(found):
    return canonical(found.to_network(), found.rate_constants)


def wanted(text, constants):
    return canonical(parse(text), constants)


def same(found, text, constants, within):
    got, want = reactions(found), wanted(text, constants)
    assert set(got) == set(want)
    for name, constant in want.items():
        assert got[name] == pytest.approx(constant, rel=within)


@pytest.fixture(scope="module")
def found():
    return discover(case_1(0), 6)


def test_the_reference_case_comes_out_in_whole_numbers(found):
    same(found, CASE_1, CONSTANTS_1, 0.02)
    assert found.noise == pytest.approx(0.05, rel=0.15)
    assert found.loss == pytest.approx(found.noise_floor, rel=0.1)
    assert found.criterion < found.criterion_without - 1000


def test_standard_errors_cover_the_truth(found):
    got, want = reactions(found), wanted(CASE_1, CONSTANTS_1)
    errors = dict(zip(got, found.standard_errors, strict=True))
    for name, constant in want.items():
        assert abs(np.log(got[name] / constant)) < 4 * errors[name]


@pytest.mark.slow
@pytest.mark.parametrize("noise", [0.0, 0.01, 0.1])
def test_at_other_noise(noise):
    same(discover(case_1(3, 12, 60, noise), 8), CASE_1, CONSTANTS_1, 0.002 + noise)


def test_a_catalyst_is_seen_as_one():
    text, constants = "S + cat -> P + cat (k1); cat -> dead (k2)", (4.0, 0.3)
    rng = default_rng(5)
    initial = {"S": rng.uniform(0.5, 1.5, 5), "cat": rng.uniform(0.05, 0.3, 5)}
    runs = runs_of(text, constants, initial, np.linspace(0, 8, 40), 0.02, 5)
    found = discover(runs, 4)
    same(found, text, constants, 0.05)
    row = int(np.argmax(found.rate_constants))
    at = found.species.index("cat")
    assert found.orders[row, at] == 1 and found.stoichiometry[row, at] == 0


def test_autocatalysis_and_reversibility():
    text, constants = "A + B -> 2 B (k1); B -> C (k2); C -> B (k3)", (1.0, 0.4, 0.1)
    rng = default_rng(6)
    initial = {"A": rng.uniform(0.5, 1.5, 6), "B": rng.uniform(0.05, 0.3, 6)}
    found = discover(runs_of(text, constants, initial, np.linspace(0, 12, 60), 0.02, 6), 4)
    same(found, text, constants, 0.05)


def test_two_reactions_of_the_same_reactant_are_told_apart():
    text, constants = "A -> B (k1); A -> C (k2)", (0.5, 0.2)
    initial = {"A": np.array([0.5, 1.0, 2.0])}
    found = discover(runs_of(text, constants, initial, np.linspace(0, 6, 40), 0.02, 7), 4)
    same(found, text, constants, 0.05)


def test_the_order_of_runs_and_species_does_not_matter(found):
    runs = case_1(0)
    other = discover(runs.isel(run=slice(None, None, -1), species=[3, 1, 0, 4, 2]), 6)
    assert reactions(other) == pytest.approx(reactions(found), rel=1e-3)


def test_a_unit_of_time_scales_the_constants(found):
    runs = case_1(0)
    other = discover(runs.assign_coords(time=runs.time / 60), 6)
    assert reactions(other) == pytest.approx(
        {name: 60 * constant for name, constant in reactions(found).items()}, rel=1e-3
    )


WARM = "A + B -> C (k1); C -> D (k2)"


def warm_runs(seed, hidden=()):
    """Case with activation energies of 60 and 30 kJ/mol, constants 0.3 and 0.1 at 330 K."""
    rng, network = default_rng([seed, 4]), parse(WARM)
    temperature, n = rng.uniform(315, 345, 10), 10
    energies = np.array([60.0, 30.0])
    inverse = 1 / 330 - 1 / temperature
    constants = np.array([0.3, 0.1]) * np.exp(energies * inverse[:, None] / GAS_CONSTANT)
    initial = np.concatenate([rng.uniform(0.3, 1.5, (n, 2)), np.zeros((n, 2))], 1)
    times = np.linspace(0, 20, 40)
    exact = integrate(network, constants, initial, times, rtol=1e-9, atol=1e-12).concentration
    noisy = exact * (1 + 0.03 * rng.standard_normal(exact.shape))
    noisy[..., [network.index(name) for name in hidden]] = np.nan
    return xr.Dataset(
        {
            "concentration": (("run", "time", "species"), noisy),
            "initial": (("run", "species"), initial),
            "temperature": ("run", temperature),
        },
        coords={"time": times, "species": list(network.species)},
    )


def test_constants_that_depend_on_temperature():
    found = discover(warm_runs(0), 4)
    assert set(reactions(found)) == set(wanted(WARM, (1, 1)))
    first = found.equations.index("A + B -> C")
    order = [first, 1 - first]
    errors = found.activation_energies[order] - [60.0, 30.0]
    assert (np.abs(errors) < 4 * found.activation_errors[order]).all()
    assert (found.activation_errors < 3).all()
    assert found.constants_at(330.0)[order] == pytest.approx([0.3, 0.1], rel=0.03)
    assert "kJ/mol" in found.text()


def test_constants_without_temperatures_have_none(found):
    with pytest.raises(ValueError, match="had no temperatures"):
        found.constants_at(300.0)


def test_a_hidden_species_is_found_by_what_is_conserved():
    found = discover(warm_runs(1, hidden=("C",)), 4)
    assert set(reactions(found)) == set(wanted(WARM, (1, 1)))
    assert found.constants_at(330.0) == pytest.approx(
        [0.3, 0.1] if found.equations[0].startswith("A + B") else [0.1, 0.3], rel=0.1
    )


def test_the_loss_of_the_source_is_smaller_where_it_is_asked_for(found):
    absolute = discover(case_1(0), 6, loss="absolute")
    assert absolute.same_reactions(found)
    assert found.loss - 1e-4 < absolute.loss <= found.loss
    same(absolute, CASE_1, CONSTANTS_1, 0.03)


def test_outliers_matter_less_to_it():
    runs = case_1(5, 10, 40, 0.02)
    spoilt = runs.concentration.values.copy()
    wrong = default_rng(1).random(spoilt.shape) < 0.01
    wrong[:, 0] = False
    runs = runs.assign(
        concentration=(runs.concentration.dims, np.where(wrong, 1.5 * spoilt, spoilt))
    )
    errors = {}
    for loss in ("likelihood", "absolute"):
        got = reactions(discover(runs, 4, loss=loss, noise=0.02))
        want = wanted(CASE_1, CONSTANTS_1)
        assert set(got) == set(want)
        errors[loss] = max(abs(np.log(got[name] / want[name])) for name in want)
    assert errors["absolute"] < errors["likelihood"]


def test_interrupted_the_best_so_far_is_returned(monkeypatch):
    descend, calls = search.Search.descend, []

    def once(self, *around):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return descend(self, *around)

    monkeypatch.setattr(search.Search, "descend", once)
    found = discover(case_1(0), 6)
    assert not found.complete
    # One descent may end at other reactions; then it is said that they do not explain the curves.
    assert found.chi_squared < 1.2 or "do not explain the curves" in found.doubts[0]
    with pytest.raises(KeyboardInterrupt):
        discover(case_1(0), 6)


def test_few_and_irregular_times():
    """Seven points a run, each run at times of its own, some values missing."""
    rng = default_rng(11)
    times = np.sort(rng.uniform(0.3, 40, (16, 7)), 1)
    times[:, 0] = 0.0
    initial = np.zeros((16, 5))
    network = parse(CASE_1)
    for name in "AB":
        initial[:, network.index(name)] = rng.uniform(0.2, 1.2, 16)
    exact = integrate(network, CONSTANTS_1, initial, times, rtol=1e-9, atol=1e-12).concentration
    noisy = exact * (1 + 0.02 * rng.standard_normal(exact.shape))
    noisy[:, 1:][rng.random(noisy[:, 1:].shape) < 0.1] = np.nan
    runs = xr.Dataset(
        {
            "concentration": (("run", "time", "species"), noisy),
            "time": (("run", "time"), times),
            "initial": (("run", "species"), initial),
        },
        coords={"species": list(network.species)},
    )
    same(discover(runs, 6, noise=0.02), CASE_1, CONSTANTS_1, 0.05)


def test_near_a_fit_the_sum_of_squares_is_known_for_all_reactions(found):
    """What the linear equations say of the true reactions is what their simulation says."""
    curves = read(case_1(0))
    library = Library.all(curves.species, 2)
    truth = parse(CASE_1)
    problem = Problem(truth, curves, 0.05)
    best = problem.fit(problem.unknowns(np.array(CONSTANTS_1)))
    near = replace(best, unknowns=problem.unknowns(best.constants * [1.02, 0.98, 1.01, 0.99]))
    quadratic = linearised(problem, near, library.complexes)
    members = tuple(
        next(at for at in range(len(library)) if library.equation(at) == reaction.equation)
        for reaction in truth.reactions
    )
    chooser = Chooser(library, quadratic, 0.0, 4)
    chosen = chooser.search(members)
    assert chosen.members == tuple(sorted(members))
    assert chosen.cost == pytest.approx(best.chi_squared, rel=0.01)
    np.testing.assert_allclose(
        chosen.values[np.argsort(np.argsort(members)), 0], best.constants, rtol=0.01
    )


def test_what_leaves_on_paper_costs_what_a_fit_says():
    runs = read(case_1(0))
    network = parse(CASE_1 + "; A + B -> C (k5)")
    problem = Problem(network, runs, 0.05)
    fit = problem.fit(problem.unknowns(np.array([*CONSTANTS_1, 0.01])))
    order, remaining = leaving(fit)
    assert order == [4]
    without = Unknowns(fit.constants * remaining[0], np.zeros(5), runs.initial)
    lower = problem.fit(without, fit.deviation, rounds=1)
    assert lower.chi_squared - fit.chi_squared < np.log(fit.n_values)
    np.testing.assert_allclose(lower.constants[:4], without.constants[:4], rtol=2e-3)


def test_the_library_keeps_what_is_asked_of_it():
    composition = np.array([[1.0], [2.0], [1.0]])
    library = Library.all(("A", "B", "C"), 2, conserve=composition)
    assert np.allclose(library.net @ composition, 0)
    plain = Library.all(("A", "B", "C"), 2, catalysts=False)
    reactants = plain.complexes[plain.of_complex]
    assert not ((reactants > 0) & (reactants + plain.net > 0)).any()
    # No two reactions of one complex do the same.
    pairs = np.column_stack([plain.of_complex, plain.net])
    assert len(np.unique(pairs, axis=0)) == len(plain)


@pytest.mark.parametrize("unit", [1e-9, 1e6])
def test_a_unit_of_concentration_scales_those_of_second_order(found, unit):
    runs = case_1(0)
    scaled = runs.assign(concentration=runs.concentration * unit, initial=runs.initial * unit)
    other = discover(scaled, 6)
    assert other.same_reactions(found)
    expected = found.rate_constants / unit ** (found.orders.sum(1) - 1.0)
    np.testing.assert_allclose(other.rate_constants, expected, rtol=1e-4)


def test_fewer_reactions_are_found_where_fewer_are_allowed():
    few = discover(case_1(0), 2, starts=1)
    assert len(few.rate_constants) == 2
    assert few.chi_squared > 5


def test_a_constant_species_takes_no_part():
    runs = case_1(0)
    still = runs.concentration.isel(species=[0]).copy(data=np.full((8, 40, 1), 0.7))
    joined = xr.concat([runs.concentration, still.assign_coords(species=["X"])], "species")
    found = discover(xr.Dataset({"concentration": joined}), 6, starts=1)
    assert not found.stoichiometry[:, found.species.index("X")].any()


def test_conservation_is_kept_where_it_is_asked_for():
    text, constants = "A -> B (k1)", (0.5,)
    initial = {"A": np.array([0.5, 1.0, 2.0])}
    runs = runs_of(text, constants, initial, np.linspace(0, 6, 40), 0.05, 8)
    found = discover(runs, 3, conserve=[[1], [1]])
    assert not (found.stoichiometry.sum(1)).any()
    same(found, text, constants, 0.05)


def test_effects_are_all_that_mass_action_can_do():
    effects = Effects.all(("A", "B"), 2)
    assert len(complexes(2, 2)) == 6
    # Five complexes make either species; they take those they hold.
    assert len(effects) == 5 * 2 + (1 + 1 + 1 + 2 + 1)
    assert (effects.network.stoichiometry.sum(1) == effects.sign).all()
    assert len(Effects.all(("A", "B"), 2, catalysts=False)) < len(effects)


def test_a_hidden_species_needs_a_new_name():
    with pytest.raises(ValueError, match="C: is measured"):
        with_hidden(case_1(0), "C")


def test_the_command_line_hides_a_species_and_reads_temperatures(tmp_path):
    runs = warm_runs(2)
    rows = ["run,time,temperature,A,B,D"]
    for i, warm in enumerate(runs.temperature.values):
        measured = runs.concentration.sel(species=["A", "B", "D"]).values[i]
        for time, values in zip(runs.time.values, measured, strict=True):
            rows.append(
                ",".join([f"{i}", f"{time:.9g}", f"{warm:.9g}", *map("{:.9g}".format, values)])
            )
    path = tmp_path / "warm.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    done = CliRunner().invoke(main, ["discover", str(path), "--hidden", "C", "--reactions", "3"])
    assert done.exit_code == 0, done.output
    assert "A + B -> C" in done.output and "C -> D" in done.output
    assert "kJ/mol" in done.output


def test_the_command_line_reads_a_file(tmp_path):
    runs = case_1(2).isel(species=slice(None))
    rows = ["run,time," + ",".join(runs.species.values)]
    for i in range(runs.sizes["run"]):
        for j, time in enumerate(runs.time.values):
            values = ",".join(f"{v:.6g}" for v in runs.concentration.values[i, j])
            rows.append(f"run {i},{time:.6g},{values}")
    path = tmp_path / "curves.csv"
    path.write_text("\n".join(rows), encoding="utf-8")
    read_back = lab.read_species(path)
    np.testing.assert_allclose(read_back.concentration, runs.concentration, rtol=1e-5)
    done = CliRunner().invoke(main, ["discover", str(path), "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.output)
    assert np.shape(answer["orders"]) == np.shape(answer["stoichiometry"])
    assert answer["chi_squared"] < 1.3
