"""Mass-action cases of the SBML test suite, by what its authors computed; and SBML of level 1."""

import numpy as np
import pytest
import sbml_suite
from hypothesis import given, settings
from hypothesis import strategies as st
from sbml_suite import CASES

from kinetlib import mechanism, simulate
from kinetlib.kinetics import interchange
from kinetlib.kinetics.laws import in_words
from kinetlib.kinetics.sbml_level1 import mathml

RELATIVE = 1e-4  # of a value, as the suite's settings say


def written(case):
    """Write a case in all levels that can say it."""
    yield interchange.antimony_to_sbml(sbml_suite.antimony(case))
    if not case.function:
        yield from (sbml_suite.level1(case, version) for version in "12")


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_the_results_of_the_suite(name):
    case = CASES[name]
    for text in written(case):
        read = mechanism(text)
        run = simulate(read, {}, {}, list(case.results))
        for row, expected in zip(run.concentration, case.results.values(), strict=True):
            for species, amount in zip(case.start, expected, strict=True):
                if species in read.network.species:
                    found = float(row.sel(species=species)) * case.size
                    assert found == pytest.approx(amount, rel=RELATIVE, abs=1e-19), species
                else:  # all that it does is to be held
                    assert species in case.held and amount == case.start[species]


RULE = '<{kind} {what} formula="{formula}"/>'


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("k1 * S1", "k1 * S1 / (k1 + S1)"),
            "reaction 'r1': its law (k1 * S1) / (k1 + S1) is not of mass action: S1 in what it",
        ),
        (("k1 * S1", "uui(S1, k1)"), "law uui(S1, k1) is not of mass action: 'uui' is no function"),
        (("k1 * S1", "k1 * sqrt(S1)"), "its law k1 * root(S1) is not of mass action: S1 in root"),
        (("k1 * S1", "k1 * * S1"), "reaction 'r1': 'k1 * * S1' is no formula of level 1"),
        (("k1 * S1", "k1 * (S1"), "is no formula of level 1"),
        (("k1 * S1", ""), "'' is no formula of level 1"),
        (('stoichiometry="1"', 'stoichiometry="1" denominator="0"'), "1/0 of 'S1' is no number"),
        (
            (
                "<listOfReactions>",
                '<listOfRules><compartmentVolumeRule compartment="c" type="rate" formula="-0.1*c"/>'
                "</listOfRules><listOfReactions>",
            ),
            "rateRule of c: only reactions are read",
        ),
        (
            (
                "<listOfReactions>",
                '<listOfRules><algebraicRule formula="S1 + S2"/></listOfRules><listOfReactions>',
            ),
            "algebraicRule of an equation: only reactions are read",
        ),
    ],
)
def test_what_level_1_says_beyond_mass_action_is_refused_by_name(change, message):
    whole = sbml_suite.level1(CASES["00060"])
    changed = whole.replace(*change)
    assert changed != whole
    with pytest.raises(ValueError) as caught:
        mechanism(changed)
    assert str(caught.value).startswith("SBML: ") and message in str(caught.value)


def test_a_parameter_by_a_rule_of_level_1():
    rule = '<listOfRules><parameterRule name="k1" formula="2 ^ 2 / 8"/></listOfRules>'
    whole = sbml_suite.level1(CASES["00060"])
    read = mechanism(whole.replace("<listOfReactions>", f"{rule}<listOfReactions>"))
    assert list(read.rate_constants.values()) == [0.5]


@pytest.mark.parametrize(
    ("formula", "means"),
    [
        ("a - b - c", "(a - b) - c"),
        ("a * b + c / d", "(a * b) + (c / d)"),
        ("-a^2 * b", "-(a^2) * b"),
        ("a^-1", "a^-(1)"),
        ("sqr(a + 1)", "(a + 1)^2"),
        ("log(exp(2.5e-3))", "ln(exp(2.5e-3))"),
    ],
)
def test_what_binds_tighter(formula, means):
    def bare(text):
        return text.replace(" ", "").replace("(", "").replace(")", "")

    assert bare(in_words(mathml(formula, ""))) == bare(means)


@st.composite
def sums(draw, depth=0):
    if depth == 4 or draw(st.booleans()):
        return draw(st.sampled_from(["2", "0.5", "3e0", "x", "y"]))
    left, right = draw(sums(depth + 1)), draw(sums(depth + 1))
    sign = draw(st.sampled_from("+-*"))
    text = f"{left} {sign} {right}"
    return f"({text})" if draw(st.booleans()) else text


@given(sums())
@settings(deadline=None)
def test_formulas_are_read_as_arithmetic_is(text):
    from kinetlib.kinetics.laws import Reader

    values = {"x": 1.25, "y": -0.75}
    reader = Reader(values, set(), {}, {})
    found = reader.evaluate(reader.read(mathml(text, "")))
    assert found == pytest.approx(eval(text, {}, values), abs=1e-12)


@given(st.text("k1S2 *+-/^(),.e", max_size=30))
@settings(deadline=None, max_examples=200)
def test_any_text_is_read_or_refused_in_words(text):
    try:
        run = mechanism(sbml_suite.level1(CASES["00060"]).replace("k1 * S1", text))
    except ValueError as error:
        assert str(error).startswith("SBML: ")
    else:
        assert np.isfinite(list(run.rate_constants.values())).all()


def test_fractions_are_told():
    read = mechanism(sbml_suite.level1(CASES["00022"]))
    assert str(read.network).splitlines()[:2] == ["S1 -> 0 (k1)", "S1 -> S1 + S2 (k_r1)"]
    assert read.rate_constants["k_r1"] == pytest.approx(0.3 * 0.35)
    assert "reaction 'r1': 0.3 'S2', written as a reaction with a part of k" in read.remarks
