"""PEtab and SBML: what is written, others read; what others wrote, has the objective they say."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from fits import SMALL, runs_of
from numpy.random import default_rng
from scipy.stats import lognorm, norm

from kinetlib import petab
from kinetlib.cli import main
from kinetlib.inference import fitting
from kinetlib.kinetics import interchange, mechanisms
from kinetlib.kinetics.network import parse
from kinetlib.kinetics.reading import mechanism
from kinetlib.kinetics.sbml_writing import Units
from kinetlib.petab.formulas import formula
from kinetlib.petab.objective import Objective

PROBLEMS = Path(__file__).parents[1] / "results" / "petab"
OBJECTIVES = {
    "Boehm_JProteomeRes2014": 138.2220,
    "Bruno_JExpBot2016": -46.6882,
    "Crauste_CellSystems2017": 190.9640,
}
TEXT = "A + cat <=> X* (k1, k-1); X* -> P + cat (k2); P -> Q (k3); A -> Q (k4)"


@pytest.fixture(scope="module")
def fit():
    starts = {"A": [2.0, 1.0, 2.0], "cat": [0.1, 0.1, 0.2]}
    data = runs_of(
        "A + cat -> P + cat (k)", [0.9], starts, np.linspace(0, 40, 9), ["A", "P"], 0.02,
        default_rng(0), time_unit="min", concentration_unit="mM",
    )  # fmt: skip
    return fitting.fit(
        data, TEXT, fix={"k-1": 0.1}, tie={"k4": "2*k3"}, initial_error={"A": 0.02},
        initial={"Q": (0.001, 0.1)}, scale=["P"], effort=SMALL,
    )  # fmt: skip


@pytest.fixture
def folder(fit, tmp_path):
    petab.write(tmp_path / "problem", fit)
    return tmp_path / "problem"


@pytest.mark.parametrize("name", ["M1", "M9", "M20"])
def test_written_sbml_read_back_is_the_same(name):
    network, rng = mechanisms.catalogue()[name].network, default_rng(0)
    constants = dict(zip(network.constants, 10 ** rng.uniform(-9, 9, 20), strict=False))
    starts = {species: float(rng.uniform()) for species in network.species}
    read = mechanism(interchange.to_sbml(network, constants, starts, name))
    assert (read.network, read.rate_constants, read.start) == (network, constants, starts)
    assert read.name == name


def test_sbml_keeps_what_is_held_orders_of_any_kind_and_units():
    network = parse("2 A + vessel <=> r1 (k1, k-1); 0 -> A (k2); r1 -> 0 (k3)\nconstant: vessel")
    constants = {"k1": 1.0, "k-1": 0.0, "k2": 3.0, "k3": 4.0}
    units = Units("min", "mM", 60.0, 1e-3)
    text = interchange.to_sbml(network, constants, {"A": 1.0}, units=units)
    read = mechanism(text)
    assert read.network == network and read.rate_constants == constants
    assert '<unitDefinition id="time" name="min">' in text
    assert 'kind="second" exponent="1" scale="0" multiplier="60.0"' in text
    assert 'kind="mole" exponent="-2" scale="0" multiplier="0.001"' in text
    with pytest.raises(ValueError, match="no value for k3"):
        interchange.to_sbml(network, {"k1": 1, "k-1": 1, "k2": 1}, {})


def test_the_fitted_model_is_the_best_fit(fit, tmp_path):
    path = tmp_path / "model.xml"
    path.write_text(petab.sbml(fit))
    read = mechanism(path)
    assert read.network == fit.traces.network
    assert read.rate_constants == {name: one.best for name, one in fit.constants.items()}
    assert read.start["A"] == pytest.approx(fit.others["A at start, run 1"].best)
    assert read.start["cat"] == pytest.approx(0.1)


# petab 0.8 calls pandas by arguments that go out of use.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_petab_itself_finds_no_fault(folder):
    from petab.v1 import Problem
    from petab.v1.lint import lint_problem

    problem = Problem.from_yaml(str(folder / "problem.yaml"))
    assert not lint_problem(problem)
    assert len(problem.measurement_df) == 48
    assert {"k1", "k2", "k3"} <= set(problem.x_free_ids) and "k_minus1" in problem.x_fixed_ids


def test_a_written_problem_has_the_likelihood_of_the_fit_and_gives_its_constants(fit, folder):
    problem = petab.read(folder / "problem.yaml")
    found = Objective(problem)(problem.parameters.nominal[None])
    # The fit counts concentrations in the largest start.
    by_fit = -fit.log_likelihood + problem.n_readings * np.log(fit.data.scale)
    assert found.value[0] == pytest.approx(by_fit, abs=0.05)
    again = petab.fit(folder / "problem.yaml", starts=8)
    assert again.objective < found.value[0] + 0.5
    assert any(line.startswith("Priors of A_at_start") for line in again.remarks)
    k1 = fit.constants["k1"]
    assert k1.low < again.parameters["k1"].value < k1.high


def test_slopes_are_those_of_differences(folder):
    problem = petab.read(folder / "problem.yaml")
    objective, x = Objective(problem), problem.parameters.nominal[None] + 0.01
    step = 1e-6 * np.eye(x.shape[1])
    ahead, back = (objective.residuals(x + sign * step) for sign in (1, -1))
    slopes = objective(x).slopes[0]
    assert np.allclose(slopes, (ahead - back).T / 2e-6, rtol=2e-3, atol=2e-3 * abs(slopes).max())


def small(tmp_path, **changes):
    """A -> B with k, seen as 2 A, by hand; tables may be changed by their name."""
    model = interchange.to_sbml(parse("A -> B (k)"), {"k": 0.3}, {"A": 1.0})
    tables = {
        "model.xml": model,
        "p.tsv": "parameterId\tparameterScale\tlowerBound\tupperBound\tnominalValue\testimate\n"
        "k\tlog10\t1e-3\t1e3\t0.5\t1\ns\tlin\t0.01\t1\t0.1\t1\nf\tlin\t0\t9\t2\t0\n",
        "c.tsv": "conditionId\tA\nlow\t1\nhigh\t2\n",
        "o.tsv": "observableId\tobservableFormula\tobservableTransformation\tnoiseFormula\n"
        "a\tobservableParameter1_a * A\tlog10\tnoiseParameter1_a\n",
        "m.tsv": "observableId\tsimulationConditionId\tmeasurement\ttime\tobservableParameters\t"
        "noiseParameters\na\tlow\t1.3\t1\tf\ts\na\thigh\t2.0\t1.5\tf\t0.2\na\thigh\t0.9\t4\t3\ts\n",
        "p.yaml": "format_version: 1\nparameter_file: p.tsv\nproblems:\n- {sbml_files: "
        "[model.xml], condition_files: [c.tsv], observable_files: [o.tsv], measurement_files: "
        "[m.tsv]}\n",
    } | changes
    for name, text in tables.items():
        (tmp_path / name).write_text(text)
    return tmp_path / "p.yaml"


def test_the_objective_is_that_of_petab(tmp_path):
    expected = np.array([2 * 1, 2 * 2, 3 * 2]) * np.exp(-0.5 * np.array([1, 1.5, 4]))
    measured, sigma = np.array([1.3, 2.0, 0.9]), np.array([0.1, 0.2, 0.1])
    by_hand = -lognorm(s=sigma * np.log(10), scale=expected).logpdf(measured).sum()
    problem = petab.read(small(tmp_path))
    found = Objective(problem)(problem.parameters.nominal[None])
    assert found.value[0] == pytest.approx(by_hand, rel=1e-6)
    lin = (tmp_path / "o.tsv").read_text().replace("log10", "lin")
    problem = petab.read(small(tmp_path, **{"o.tsv": lin}))
    found = Objective(problem)(problem.parameters.nominal[None])
    assert found.value[0] == pytest.approx(-norm(expected, sigma).logpdf(measured).sum(), rel=1e-6)


def test_the_command_prints_objective_and_constants(tmp_path):
    path = small(tmp_path)
    found = CliRunner().invoke(main, ["fit", str(path), "--json"])
    assert found.exit_code == 0, found.output
    answer = json.loads(found.stdout)
    assert answer["objective"] <= answer["objective_at_nominal_values"]
    assert set(answer["constants"]) == {"k", "s", "f"}
    assert answer["constants"]["f"]["verdict"] == "fixed"
    assert answer["measurements"] == 3 and answer["descents_agreeing"] >= 1
    shown = CliRunner().invoke(main, ["fit", str(path)])
    assert f"{answer['objective']:.4f}" in shown.stdout and "Traceback" not in shown.output
    refused = CliRunner().invoke(main, ["fit", str(path), "--fix", "k=1"])
    assert refused.exit_code == 2 and "--fix: a problem in PEtab says all" in refused.output


MORE = "observableId\tsimulationConditionId\tmeasurement\ttime\tpreequilibrationConditionId\n"


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("p.yaml", "format_version: 1", "format_version: 2.0.0", "format_version 2.0.0 is not"),
        ("p.yaml", "model.xml", "../model.xml", "lies outside the folder"),
        ("p.yaml", "[model.xml]", "[model.xml, model.xml]", "several are not supported"),
        ("p.yaml", "{sbml", "{{sbml", "not YAML"),
        ("p.tsv", "log10", "log2", "parameterScale 'log2'"),
        ("p.tsv", "1e-3\t", "-1\t", "above 0 on a logarithmic scale"),
        ("p.tsv", "estimate\n", "estimated\n", "expected the column estimate"),
        ("c.tsv", "\tA\n", "\tnothing\n", "no such species or parameter"),
        ("c.tsv", "\tA\n", "\tvessel\n", "sizes of compartments that change"),
        ("o.tsv", "noiseParameter1_a\n", "sin(A)\n", "the function sin is not supported"),
        ("o.tsv", "noiseParameter1_a\n", "Z\n", "nothing is called Z"),
        ("o.tsv", "* A", "* __import__('os')", "is not read"),
        ("m.tsv", "\t4\t", "\tinf\t", "steady states are not supported"),
        ("m.tsv", "\t0.9\t", "\t-0.9\t", "numbers above 0"),
        ("m.tsv", "\t3\ts", "\t\ts", "gives nothing for observableParameter1_a"),
        ("m.tsv", None, f"{MORE}a\tlow\t1\t1\tlow\n", "preequilibration is not supported"),
    ],
)  # fmt: skip
def test_what_is_not_supported_is_refused_by_name(tmp_path, name, old, new, message):
    small(tmp_path)
    text = (tmp_path / name).read_text()
    text = new if old is None else text.replace(old, new)
    path = small(tmp_path, **{name: text})
    found = CliRunner().invoke(main, ["fit", str(path), "--json"])
    assert found.exit_code == 2 and message in found.output
    assert found.output.count("\n") == 1 and "Traceback" not in found.output


def test_formulas_are_arithmetic_and_nothing_else():
    values = {"a": np.array([2.0]), "b_1": np.array([3.0])}
    for text, value in {
        "-a^2 + b_1": -1.0, "2^-1": 0.5, "a**b_1 / 4e0": 2.0, "log10(100) * sqrt(a * 8)": 8.0,
        "exp(log(a)) - pow(b_1, 2)": -7.0, "a - b_1 - 1": -2.0, "2^3^2": 512.0, "+-a": -2.0,
    }.items():  # fmt: skip
        assert formula(text)(values) == pytest.approx(value), text
    moved = formula("a^2 / b_1 + sqrt(a)")(values | {"a": values["a"] + 1e-30j})
    assert moved.imag / 1e-30 == pytest.approx(4 / 3 + 0.5 / np.sqrt(2))
    for text in ("", "a +", "a b", "(a", "a)", "a.b", "a[0]", "lambda: a", "exp(a, a)", "eval(a)",
                 "(" * 101 + "a" + ")" * 101, "+".join("a" * 400)):  # fmt: skip
        with pytest.raises(ValueError, match="formula"):
            formula(text)


def problem_of(name):
    path = PROBLEMS / name / f"{name}.yaml"
    if not path.is_file():
        pytest.skip(f"no {path.relative_to(PROBLEMS.parents[1])}")
    return path


@pytest.mark.parametrize("name", OBJECTIVES)
def test_published_problems_have_their_objectives(name):
    problem = petab.read(problem_of(name))
    found = Objective(problem)(problem.parameters.nominal[None])
    assert found.value[0] == pytest.approx(OBJECTIVES[name], abs=2e-4)


def test_a_published_problem_that_is_not_of_mass_action_is_refused():
    with pytest.raises(ValueError, match="'v3': its law c \\* Vin is not of mass action"):
        petab.read(problem_of("Perelson_Science1996"))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Boehm_JProteomeRes2014", "Bruno_JExpBot2016"])
def test_random_starts_find_the_published_optimum(name):
    found = petab.fit(problem_of(name))
    assert found.objective == pytest.approx(OBJECTIVES[name], abs=1e-3)


def test_files_of_a_problem_come_whole_or_not_at_all(fit, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OSError, match="full"):
        petab.write(tmp_path / "problem", fit)
    assert list((tmp_path / "problem").iterdir()) == []
