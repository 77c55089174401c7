"""Reactions as chemists write them."""

from fractions import Fraction

import pytest
from drawn_networks import networks
from hypothesis import assume, given
from hypothesis import strategies as st

from kinetlib.kinetics import notation
from kinetlib.kinetics.network import Network, parse

LETTERS = st.characters(exclude_characters='"“”', exclude_categories=("C", "Z"))
NAMES = st.one_of(
    st.sampled_from(
        ["R-alcohol", "4-MeO", "H+", "OH-", "Cu2+", "Pd(OAc)2", "Fe(III)", "[Rh(cod)Cl]2", "0", "∅"]
        + ["2,6-lutidine", "benzyl alcohol", "A -> B", "k1", "constant", "a;b", "#1", "3a", "f(k1)"]
        + ["cat*S", "dead'", "A+B", "$x", "(k1)", "x = 1", "1", "½", "Ø", "HO•", "A'", "S:cat"]
    ),
    st.text(LETTERS, min_size=1, max_size=8),
)


@st.composite
def networks_that_hold(draw):
    network = draw(networks(NAMES, 4))
    held = draw(st.sets(st.sampled_from(network.species), max_size=2))
    return Network(network.steps, frozenset(held))


@given(networks_that_hold())
def test_any_names_are_written_so_that_they_are_read_back(network):
    assert parse(str(network)) == network


IRREVERSIBLE = ["->", "-->", "=>", "==>", "→", "⟶", "⇒", "–>", "−>"]
REVERSIBLE = ["<->", "<-->", "<=>", "<==>", "⇌", "⇄", "↔", "⇋"]


@pytest.mark.parametrize("arrow", IRREVERSIBLE)
@pytest.mark.parametrize("blank", ["", " "])
def test_arrows_of_one_direction(arrow, blank):
    assert parse(f"A + B{blank}{arrow}{blank}2 C") == parse("A + B -> 2 C")


@pytest.mark.parametrize("arrow", REVERSIBLE)
@pytest.mark.parametrize("blank", ["", " "])
def test_arrows_of_two_directions(arrow, blank):
    assert parse(f"A + B{blank}{arrow}{blank}2 C") == parse("A + B <=> 2 C")


def test_an_equals_sign_is_reversible_and_said():
    written = notation.read("A = B (kf, kr)")
    assert written.steps[0].constants == ("kf", "kr")
    assert "'=' is read as reversible" in written.remarks[0]


@pytest.mark.parametrize("nothing", ["0", "∅", "Ø"])
def test_nothing(nothing):
    assert parse(f"{nothing} -> A; A -> {nothing}") == parse("0 -> A; A -> 0")


@pytest.mark.parametrize(
    ("text", "left", "right"),
    [
        ("R-alcohol + 4-MeO -> P", {"R-alcohol": 1, "4-MeO": 1}, {"P": 1}),
        ("2 H+ + 2 e- -> H2", {"H+": 2, "e-": 2}, {"H2": 1}),
        ("Ca++ + 2 Cl- -> CaCl2", {"Ca++": 1, "Cl-": 2}, {"CaCl2": 1}),
        ("A+A->B", {"A": 2}, {"B": 1}),
        ("1,4-BQ + Pd(0)L2 -> x", {"1,4-BQ": 1, "Pd(0)L2": 1}, {"x": 1}),
        ("A -> Fe(III)", {"A": 1}, {"Fe(III)": 1}),
        ("A -> B(k1)", {"A": 1}, {"B": 1}),
        ('2 "benzyl alcohol" + “O 2” -> B', {"benzyl alcohol": 2, "O 2": 1}, {"B": 1}),
        ('"A;#+->" -> B # comment', {"A;#+->": 1}, {"B": 1}),
        ("2-butanol + 18-crown-6 -> β-lactam", {"2-butanol": 1, "18-crown-6": 1}, {"β-lactam": 1}),
        ("Na+ -> Na", {"Na+": 1}, {"Na": 1}),
    ],
)
def test_names(text, left, right):
    (step,) = notation.read(text).steps
    assert (step.reactants, step.products) == (left, right)
    assert notation.read(text).remarks == []


@pytest.mark.parametrize("text", ["1a + 2b -> c", "A -> 13C-urea", "A -> 2H-pyran"])
def test_a_number_that_may_belong_to_a_name_is_told(text):
    assert "a compound of that name is written" in notation.read(text).remarks[0]


def test_names_alike_but_for_case_are_told():
    assert notation.read("Cat -> cat").remarks == ["Cat and cat are read as different species"]


@given(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12))
def test_fractions_of_molecules_are_scaled_to_whole_ones(a, b, divisor):
    ratio = Fraction(a, divisor)
    assume(ratio.denominator * b <= 99)
    written = notation.read(f"{ratio} A + {b} B -> C")
    step = written.steps[0]
    assert step.reactants["A"] * b == ratio * step.reactants["B"]
    assert step.products["C"] == ratio.denominator
    assert bool(written.remarks) == (ratio.denominator > 1)


@pytest.mark.parametrize("half", ["0.5 O2", "0,5 O2", "1/2 O2", "½ O2", "0.5O2"])
def test_half_a_molecule(half):
    written = notation.read(f"H2 + {half} -> H2O (k1 = 2)")
    assert written.steps[0].reactants == {"H2": 2, "O2": 1}
    assert written.remarks == [
        "line 1: multiplied by 2 for whole numbers of molecules; its rate is k1 [H2]^2 [O2]"
    ]


def test_where_scaling_changes_a_whole_order_the_remark_says_so():
    (remark,) = notation.read("H2O2 -> H2O + 0.5 O2").remarks
    assert "its rate is k1 [H2O2]^2, not k1 [H2O2]" in remark


def test_values():
    written = notation.read("A <=> B (k1 = 0.3, k-1 = 2e-3); B -> C (5.5)\nA = 1.5\nk9=.5; B = 0.0")
    assert written.values == {"k1": 0.3, "k-1": 2e-3, "k2": 5.5, "A": 1.5, "k9": 0.5, "B": 0.0}
    assert written.remarks == ["line 1: 5.5 is read as the value of k2"]


def test_species_that_are_held():
    for text in ("A + $H2O -> B", "A + H2O -> B; constant: H2O", "const H2O\nA + H2O -> B"):
        network = parse(text)
        assert network.held == {"H2O"}
        assert network.stoichiometry.tolist() == [[-1, 0, 1]]
        assert network.orders.tolist() == [[1, 1, 0]]
        assert parse(str(network)) == network
    with pytest.raises(ValueError, match="unknown species 'D'"):
        parse("A -> B; constant: D")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A = 0", "A = 0 may be a reaction or a value; write A <=> 0"),
        ("S -> P; S = 2 mM", "S: expected a number .* without a unit, got '2 mM'"),
        ("A -> B; k1 = 1 s-1", "k1: expected a number .* without a unit, got '1 s-1'"),
        ("A -> B; k1 = 1 M^-1 s^-1", "k1: expected a number"),
        ("A -> B (k1 = fast)", "k1: expected a number that is not negative"),
        ("A -> B (k1 = -1)", "k1: expected a number that is not negative"),
        ("A -> B (k1 = 1e999)", "k1: expected a number"),
        ("A -> B (k1 = 1); k1 = 2", "k1 has two values, 1.0 and 2.0"),
        ("A -> B(k1", "found 'B.k1'"),
        ("A -> B -> C", "exactly one arrow"),
        ("A <- B", "exactly one arrow"),
        ("1/0 A -> B", "from 1 to 99"),
        ("0.01 A -> B + 0.9999 C", "over 99"),
        ('"" -> B', "found"),
        ('"A -> B', "found"),
        ("constant: 3; A -> B", "expected the name of a species, found '3'"),
    ],
)
def test_what_is_refused_is_pointed_at(text, message):
    with pytest.raises(ValueError, match=message) as caught:
        notation.read(text)
    assert str(caught.value).startswith("line ") and "^" in str(caught.value)


@pytest.mark.parametrize("name", ["two\nlines", 'a"b', "", " "])
def test_names_that_cannot_be_written(name):
    with pytest.raises(ValueError, match="cannot be written"):
        notation.quoted(name)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_in_words(text):
    try:
        assert notation.read(text).steps
    except ValueError as error:
        assert str(error)


def test_a_long_line_is_shown_where_it_is_wrong():
    text = "A -> B; " * 200 + "\x00" * 900 + " -> C"
    with pytest.raises(ValueError) as told:
        notation.read(text)
    assert len(str(told.value)) < 500


@given(st.text("AB2 +->=<k1(),.;#$\"'0½\n", max_size=40))
def test_text_of_the_marks_of_reactions_too(text):
    try:
        assert notation.read(text).steps
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize("text", ["A -> B (k1 = 1)", "0.5 A -> B"])
def test_a_network_alone_is_not_read_where_it_would_lose_something(text):
    with pytest.raises(ValueError, match=r"kinetlib.mechanism\(TEXT\) keeps it"):
        parse(text)
