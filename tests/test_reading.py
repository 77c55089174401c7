"""Any mechanism in: text, TOML, SBML, Antimony; and what comes out when it is simulated."""

import sys

import numpy as np
import pytest
import roadrunner
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

import kinetlib
from kinetlib import mechanism, simulate
from kinetlib.kinetics import interchange, mechanisms
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.kinetics.network import parse

CATALOGUE = mechanisms.catalogue()

# ---- text, TOML, files ---------------------------------------------------------------------------


def test_text_with_values():
    mine = mechanism(
        "R-alcohol + 4-MeO ⇌ adduct (k1 = 2, k-1 = 0.1) # binding\n"
        'adduct → "benzyl alcohol" (kcat)\nR-alcohol = 0.5; 4-MeO = 1'
    )
    assert isinstance(mine, Mechanism)
    assert mine.network.species == ("R-alcohol", "4-MeO", "adduct", "benzyl alcohol")
    assert mine.network.constants == ("k1", "k-1", "kcat")
    assert mine.rate_constants == {"k1": 2.0, "k-1": 0.1}
    assert mine.start == mine.default_initial == {"R-alcohol": 0.5, "4-MeO": 1.0}
    assert mine.remarks == ()
    run = simulate(mine, {"kcat": 3}, {"4-MeO": 0.8}, [0, 1e4])
    assert run.concentration.values[0].tolist() == [0.5, 0.8, 0.0, 0.0]
    assert run.concentration.values[1] == pytest.approx([0, 0.3, 0, 0.5], abs=1e-5)


def test_a_name_of_the_catalogue_and_the_public_name():
    assert mechanism("M3") is CATALOGUE["M3"]
    assert "mechanism" in kinetlib.__all__


TOML = """
[ester]
name = "Hydrolysis"
reactions = ["ester + $H2O <=> acid + alcohol (k1 = 0.1, k-1)", "acid -> salt"]
rate_constants = { k-1 = 0.02, k2 = 1 }
initial = { ester = 0.3, H2O = 55.5 }

[held]
reactions = ["A + B -> C"]
constant = ["B"]
"""


@pytest.fixture
def write(tmp_path):
    def written(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
        return path

    return written


def test_toml_of_any_species(write):
    path = write("mine.toml", TOML)
    ester = mechanism(path, "ester")
    assert (ester.id, ester.name, ester.family) == ("ester", "Hydrolysis", "own")
    assert ester.rate_constants == {"k1": 0.1, "k-1": 0.02, "k2": 1.0}
    assert ester.start == {"ester": 0.3, "H2O": 55.5}
    assert ester.network.held == {"H2O"}
    assert mechanism(str(path), "held").network.held == {"B"}
    alone = write("alone.toml", 'reactions = ["A -> B"]')
    assert mechanism(alone).id == "alone"


def test_toml_as_in_the_catalogue_is_that_reaction(write):
    path = write(
        "m21.toml",
        '[M21]\nname = "x"\nfamily = "core"\nreactions = ["S + cat -> P + cat", "cat + I -> d"]\n'
        "others = { I = [0.01, 0.1] }",
    )
    assert mechanism(path) == mechanisms.load(path)["M21"]
    assert mechanism(path).default_initial["S"] == 1.0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_text(write, encoding):
    path = write("Mein Mechanismus.txt", "A → β (k1 = 2)\r\nA = 1\r\n", encoding)
    mine = mechanism(path)
    assert (mine.id, mine.network.species) == ("Mein Mechanismus", ("A", "β"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.toml", "[a]\nreactions = [", "a.toml: not a TOML file"),
        ("a.toml", "", "no mechanism"),
        ("a.toml", TOML, "holds ester, held: say which"),
        ("a.toml", "[a]\nreactions = ['A -> B']\nkonstants = {}", "konstants: not known; expected"),
        ("a.toml", "reactions = ['A > B']", "mechanism 'a': line 1, column 1: expected exactly"),
        (
            "a.toml",
            "reactions = ['A -> B']\ninitial = {Q = 1}",
            "'Q' is no constant and no species",
        ),
        ("a.toml", "reactions = ['A -> B']\ninitial = {A = -1}", "initial, A"),
        ("a.toml", "reactions = ['A -> B (k1=1)']\nrate_constants = {k1 = 2}", "k1 has two values"),
        ("a.txt", "A -> B; k3 = 1", "k3 = 1.0: 'k3' is no constant and no species"),
        ("a.txt", "k1 -> B (k1); k1 = 1", "'k1' is both a constant and a species"),
        ("a.txt", b"A -> \xff\xfeB", "not text in UTF-8"),
        ("a.txt", b"A -> B\0", "not a text file"),
        ("a.txt", "", "no reaction in the text"),
        ("a.xml", "<html/>", "expected <sbml>, found <html>"),
        ("a.xml", "<sbml level='2'><model>", "not well-formed"),
        ("a.xml", "<sbml level='4'><model/></sbml>", "level 4 is not read, 1 to 3 are"),
        ("a.xml", "<sbml level='2'/>", "no model"),
        ("a.txt", "A -> B (" * 2_000, "16,000 characters: expected at most 1,000,000 of reactions"),
        ("a.txt", "A -> B\n" * 200_000, "1,400,000 characters: expected at most"),
        ("a.xml", "<sbml level='2'>" + "<a>" * 300 + "</a>" * 300 + "</sbml>", "over 200 deep"),
    ],
)
def test_files_that_are_refused(write, name, text, message):
    path = write(name, text)
    with pytest.raises(ValueError) as caught:
        mechanism(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_entities_are_refused_before_they_grow(write):
    bomb = '<!DOCTYPE s [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><sbml level="2">&b;</sbml>'
    with pytest.raises(ValueError, match="a document type declaration is not read"):
        mechanism(write("bomb.xml", bomb))


def test_what_is_no_file_and_no_reaction():
    with pytest.raises(ValueError, match=r"'mine.txt': no such file, no reaction .* M1, M2"):
        mechanism("mine.txt")
    with pytest.raises(FileNotFoundError):
        mechanism(__import__("pathlib").Path("mine.txt"))
    with pytest.raises(ValueError, match="only TOML files hold several"):
        mechanism("A -> B", "other")


# ---- round trips ---------------------------------------------------------------------------------

ODD = (
    'H+ + OH- <=> "water (l)" (k1, k-1); 2 cat* -> dead\' (k2); α-pinene + $H2O -> 0 (kβ); 0 -> H+'
)


@pytest.mark.parametrize("text", [ODD, *(str(m.network) for m in CATALOGUE.values())])
@pytest.mark.parametrize("translate", [interchange.to_antimony, interchange.to_sbml])
def test_text_to_network_to_another_language_and_back(text, translate):
    network = parse(text)
    constants = {name: 0.5 + 0.25 * i for i, name in enumerate(network.constants)}
    initial = {name: 0.25 * i for i, name in enumerate(network.species)}
    back = mechanism(translate(network, constants, initial))
    assert back.network == network
    assert (back.rate_constants, back.start) == (constants, initial)
    assert back.remarks == ()


def test_antimony_needs_its_library_and_says_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "antimony", None)
    with pytest.raises(ValueError, match=r"pip install 'kinetlib\[antimony\]'"):
        mechanism("model a\n  J0: A -> B; k1*A\nend")


def test_antimony_that_is_wrong_is_refused_in_its_words():
    with pytest.raises(ValueError, match="antimony did not accept the model: .*line 2"):
        mechanism("model a\n  J0: A -> B; k1*A*\nend")


# ---- SBML against libRoadRunner ------------------------------------------------------------------


def tight(sbml, names, times):
    """Amounts by libRoadRunner (CVODE), shape (T, S)."""
    runner = roadrunner.RoadRunner(sbml)
    runner.integrator.setValue("relative_tolerance", 1e-10)
    runner.integrator.setValue("absolute_tolerance", 1e-14)
    runner.timeCourseSelections = names
    return np.asarray(runner.simulate(0, times[-1], len(times)))


SIZES = st.sampled_from([0.5, 1.0, 2.0, 3.0])
VALUES = st.floats(0.05, 3.0)


@st.composite
def models(draw):
    """An Antimony model of mass action, with all ways in which SBML says amounts and sizes."""
    n = draw(st.integers(2, 4))
    names = [f"X{i}" for i in range(n)]
    sizes = [draw(SIZES), draw(SIZES)]
    lines = ["model drawn", f"  compartment c0 = {sizes[0]}; compartment c1 = {sizes[1]};"]
    for name in names:
        sort = draw(st.sampled_from(["species", "substanceOnly species"]))
        lines.append(f"  {sort} {name} in c{draw(st.integers(0, 1))}; {name} = {draw(VALUES)};")
    held = draw(st.sets(st.sampled_from(names), max_size=1))
    lines += [f"  const {name};" for name in held]
    lines += [f"  k{i} = {draw(VALUES)};" for i in range(3)]
    for r in range(draw(st.integers(1, 4))):
        left = draw(st.lists(st.sampled_from(names), max_size=2))
        right = draw(st.lists(st.sampled_from(names), max_size=2))
        catalyst = draw(st.lists(st.sampled_from(names), max_size=1))
        assume(sorted(left) != sorted(right) and not held & {*left, *right})
        k = draw(st.sampled_from(["k0", "k1", "2*k2", "k0*k1", "k1/k2", "(k0+k2)", "c0*k1", "kl"]))
        law = "*".join([k, *left, *catalyst])
        if draw(st.booleans()):
            law = f"{law} - 0.3*{'*'.join(['k2', *right, *catalyst])}"
        if draw(st.booleans()):
            law = f"c1*({law})"
        lines.append(f"  r{r}: {' + '.join(left)} -> {' + '.join(right)}; {law};")
    return "\n".join([*lines, "  kl = 0.7;", "end"]), names


@given(models())
@settings(deadline=None, max_examples=25)
def test_models_of_mass_action_change_as_in_libroadrunner(model):
    text, names = model
    sbml = interchange.antimony_to_sbml(text)
    read, runner = mechanism(sbml), roadrunner.RoadRunner(sbml)
    network = read.network
    k = np.array([read.rate_constants[name] for name in network.constants])
    rates = network.rhs(np.array([read.start[name] for name in network.species]), k)
    ours = dict.fromkeys(names, 0.0) | dict(zip(network.species, rates, strict=True))
    if not any("are amounts" in remark for remark in read.remarks):
        size = runner.getValue(f"{names[0]}") / runner.getValue(f"[{names[0]}]")
        ours = {name: rate * size for name, rate in ours.items()}
    ids = runner.model.getFloatingSpeciesIds()
    theirs = dict(zip(ids, runner.getRatesOfChange(), strict=True))
    for name in ids:
        assert ours[name] == pytest.approx(theirs[name], rel=1e-9, abs=1e-12)
    assert all(ours[name] == 0.0 for name in set(names) - set(ids))


CASE = """<?xml version="1.0" encoding="UTF-8"?>
<sbml xmlns="http://www.sbml.org/sbml/level{level}" level="{level}" version="{version}">
 <model id="case">
  {functions}
  <listOfCompartments><compartment id="c" size="{size}"/></listOfCompartments>
  <listOfSpecies>
   <species id="S1" compartment="c" {start}/><species id="S2" compartment="c" initialAmount="0"/>
  </listOfSpecies>
  <listOfParameters>
   <parameter id="k1" value="{k}"/><parameter id="Km" value="1"/>
  </listOfParameters>
  {more}
  <listOfReactions>
   <reaction id="r1" reversible="false">
    <listOfReactants><speciesReference species="S1" {count}/></listOfReactants>
    <listOfProducts><speciesReference species="S2"/></listOfProducts>
    <kineticLaw><math xmlns="http://www.w3.org/1998/Math/MathML">{law}</math></kineticLaw>
   </reaction>
  </listOfReactions>
 </model>
</sbml>"""
FIRST_ORDER = "<apply><times/><ci>c</ci><ci> k1 </ci><ci>S1</ci></apply>"


def case(**changes):
    usual = {"level": "2", "version": "4", "functions": "", "size": "1", "k": "1", "more": ""}
    usual |= {"start": 'initialAmount="1.5e-15"', "count": "", "law": FIRST_ORDER}
    return CASE.format(**usual | changes)


@pytest.mark.parametrize(("level", "version"), [("2", "1"), ("2", "4"), ("3", "1"), ("3", "2")])
@pytest.mark.parametrize("size", ["1", "0.2"])
def test_first_order_decay_of_femtomoles(level, version, size):
    """The first case of the SBML test suite, rebuilt: 1.5e-15 of a substance decays at k = 1."""
    read = mechanism(case(level=level, version=version, size=size))
    assert (str(read.network), read.rate_constants) == ("S1 -> S2 (k1)", {"k1": 1.0})
    times = np.linspace(0, 5, 51)
    run = simulate(read, {}, {}, times)
    start = 1.5e-15 / float(size)
    expected = start * np.exp(-times)
    assert np.abs(run.concentration.values[:, 0] - expected).max() < 1e-5 * start
    assert np.abs(run.concentration.values[:, 1] - (start - expected)).max() < 1e-5 * start


HALF = "<apply><times/><ci>S1</ci><apply><ci>f</ci><ci>k1</ci><cn>0.5</cn></apply></apply>"
FUNCTION = (
    '<listOfFunctionDefinitions><functionDefinition id="f"><math><lambda><bvar><ci>x</ci></bvar>'
    "<bvar><ci>y</ci></bvar><apply><times/><ci>x</ci><ci>y</ci></apply></lambda></math>"
    "</functionDefinition></listOfFunctionDefinitions>"
)


def rule(kind, variable, what):
    name = f' variable="{variable}"' if variable else ""
    return f"<listOfRules><{kind}{name}><math>{what}</math></{kind}></listOfRules>"


@pytest.mark.parametrize(
    ("changes", "constant"),
    [
        ({"law": HALF, "functions": FUNCTION}, 0.5),
        ({"law": FIRST_ORDER, "more": rule("assignmentRule", "k1", "<cn>3</cn>")}, 3.0),
        (
            {"more": '<listOfInitialAssignments><initialAssignment symbol="k1"><math><apply><exp/>'
             "<cn>0</cn></apply></math></initialAssignment></listOfInitialAssignments>", "k": "9"},
            1.0,
        ),
        ({"law": "<apply><power/><apply><divide/><ci>S1</ci><ci>k1</ci></apply><cn>1</cn></apply>",
          "k": "4"}, 0.25),
        ({"law": '<apply><times/><cn type="e-notation">2<sep/>-3</cn><ci>S1</ci></apply>'}, 2e-3),
        ({"law": '<apply><times/><cn type="rational">1<sep/>4</cn><ci>S1</ci></apply>'}, 0.25),
        ({"law": "<apply><times/><apply><root/><cn>9</cn></apply><ci>S1</ci></apply>"}, 3.0),
    ],
)  # fmt: skip
def test_what_mathml_may_say(changes, constant):
    read = mechanism(case(**changes))
    assert list(read.rate_constants.values()) == [pytest.approx(constant)]
    assert read.network.orders.tolist() == [[1, 0]]


MENTEN = (
    "<apply><divide/><apply><times/><ci>k1</ci><ci>S1</ci></apply>"
    "<apply><plus/><ci>Km</ci><ci>S1</ci></apply></apply>"
)
EVENT = '<listOfEvents><event id="e"/></listOfEvents>'
TIME = '<csymbol definitionURL="http://www.sbml.org/sbml/symbols/time">t</csymbol>'


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"law": MENTEN},
            "reaction 'r1': its law (k1 * S1) / (Km + S1) is not of mass action: S1 in what it "
            "divides by",
        ),
        ({"law": "<ci>k1</ci>"}, "law k1 is not of mass action: it uses up 1 'S1' at order 0"),
        ({"count": 'stoichiometry="2"'}, "it uses up 2 'S1' at order 1"),
        ({"law": f"<apply><times/><ci>S1</ci>{TIME}</apply>"}, "time is in it"),
        ({"law": "<apply><sin/><ci>S1</ci></apply>"}, "S1 in sin"),
        ({"law": "<apply><power/><ci>S1</ci><cn>0.5</cn></apply>"}, "S1 in the power 0.5"),
        ({"law": "<ci>k7</ci>"}, "'k7' is no parameter, species or compartment"),
        ({"law": "<apply><divide/><ci>S1</ci><cn>0</cn></apply>"}, "it divides by 0"),
        ({"law": "<piecewise/>"}, "<piecewise> is in it"),
        ({"more": rule("rateRule", "k1", "<cn>1</cn>")}, "rateRule of k1: only reactions are read"),
        ({"more": rule("algebraicRule", "", "<cn>1</cn>")}, "algebraicRule of an equation"),
        ({"more": EVENT}, "event 'e': only reactions are read"),
        (
            {"more": rule("assignmentRule", "S1", "<cn>1</cn>")},
            "S1 changes by a reaction and has a",
        ),
        ({"k": "fast"}, "parameter 'k1': value is no number: 'fast'"),
        ({"size": "0"}, "compartment 'c' has the size 0.0"),
        ({"start": 'initialAmount="-1"'}, "species 'S1' starts at -1.0, below 0"),
    ],
)
def test_what_is_more_than_mass_action_is_refused_by_name(changes, message):
    with pytest.raises(ValueError) as caught:
        mechanism(case(**changes))
    assert str(caught.value).startswith("SBML: ") and message in str(caught.value)


def test_initial_values_that_stand_on_each_other():
    text = """model m
  compartment c = a / 2; species A in c, B in c; substanceOnly species D in c;
  a = 4 * b; b = 0.5; k = b * B; B = 3; A = B * k; D = 2 * A;
  r1: A + D -> B; c * k * A * D;
end"""
    sbml = interchange.antimony_to_sbml(text)
    read, runner = mechanism(sbml), roadrunner.RoadRunner(sbml)
    for name, value in read.start.items():
        assert value == pytest.approx(runner.getValue(f"[{name}]"))
    assert read.rate_constants == {"k": pytest.approx(1.5)}


@given(st.integers(0, 10**6), st.integers(1, 60), st.text(max_size=6))
@settings(deadline=None, max_examples=200)
def test_damaged_sbml_is_read_or_refused_in_words(at, length, instead):
    whole = case(functions=FUNCTION, more=rule("assignmentRule", "k1", "<cn>3</cn>"))
    at %= len(whole)
    try:
        assert mechanism(whole[:at] + instead + whole[at + length :]).network.reactions
    except ValueError as error:
        assert str(error)


def test_what_is_decided_is_told():
    law = "<apply><times/><ci>k1</ci><ci>Km</ci><ci>S1</ci></apply>"
    read = mechanism(case(law=law, start="", size="2"))
    assert read.rate_constants == {"k_r1": 0.5}
    assert read.remarks == (
        "reaction 'r1': its constant k_r1 is Km * k1 * 0.5 (sizes, shares) = 0.5",
        "species 'S1' has no initial value: 0 is taken",
    )


# ---- problems with known answers -----------------------------------------------------------------

# Mazzia and Magherini, Test Set for Initial Value Problem Solvers, release 2.4 (2008).
HIRES = """
0 -> y1 (k1 = 0.0007)
y1 <=> y2 (k2 = 1.71, k-2 = 0.43)
y2 -> y4 (k3 = 8.32);  y3 -> y1 (k4 = 8.32)
y4 <=> y3 (k5 = 0.43, k-5 = 1.71)
y4 -> y6 (k6 = 0.69);  y5 -> y3 (k7 = 0.035)
y5 <=> y6 (k8 = 1.71, k-8 = 0.43)
y6 + y8 -> y7 (k9 = 280)
y7 -> y5 + y8 (k10 = 0.43);  y7 -> y6 + y8 (k11 = 0.69);  y7 -> y8 (k12 = 0.69)
y1 = 1;  y8 = 0.0057
"""
HIRES_END = {
    "y1": 0.7371312573325668e-3,
    "y2": 0.1442485726316185e-3,
    "y3": 0.5888729740967575e-4,
    "y4": 0.1175651343283149e-2,
    "y5": 0.2386356198831331e-2,
    "y6": 0.6238968252742796e-2,
    "y7": 0.2849998395185769e-2,
    "y8": 0.2850001604814231e-2,
}
ROBERTSON = "A -> B (k1 = 0.04); 2 B -> B + C (k2 = 3e7); B + C -> A + C (k3 = 1e4); A = 1"
ROBERTSON_END = {
    "A": 0.2083340149701255e-7,
    "B": 0.8333360770334713e-13,
    "C": 0.9999999791665050,
}
OREGONATOR = f"""
y2 -> y1 + y2 (k1 = 77.27);  y1 -> 2 y1 (k2 = 77.27);  2 y1 -> y1 (k3 = {77.27 * 8.375e-6!r})
y1 + y2 -> y2 (k4 = 77.27);  y2 -> 0 (k5 = {1 / 77.27!r});  y1 + y2 -> y1 (k6 = {1 / 77.27!r})
y3 -> y2 + y3 (k7 = {1 / 77.27!r});  y1 -> y1 + y3 (k8 = 0.161);  y3 -> 0 (k9 = 0.161)
y1 = 1;  y2 = 2;  y3 = 3
"""
OREGONATOR_END = {
    "y1": 0.1000814870318523e1,
    "y2": 0.1228178521549917e4,
    "y3": 0.1320554942846706e3,
}


@pytest.mark.parametrize(
    ("text", "end", "expected"),
    [
        (HIRES, 321.8122, HIRES_END),
        (ROBERTSON, 1e11, ROBERTSON_END),
        (OREGONATOR, 360.0, OREGONATOR_END),
    ],
    ids=["HIRES", "Robertson", "Oregonator"],
)
def test_published_ends_of_stiff_problems(text, end, expected):
    run = simulate(mechanism(text), {}, {}, np.concatenate([[0], np.geomspace(1e-6, 1, 200)]) * end)
    found = run.concentration.isel(time=-1)
    for species, value in expected.items():
        maximum = float(run.concentration.sel(species=species).max())
        assert abs(float(found.sel(species=species)) - value) < 1e-5 * maximum


def test_published_end_of_hires_to_six_digits():
    found = simulate(mechanism(HIRES), {}, {}, [321.8122]).concentration.isel(time=0)
    for species, value in HIRES_END.items():
        assert float(found.sel(species=species)) == pytest.approx(value, rel=1e-6)


E5 = """
y1 -> y2 + y3 (k1 = 7.89e-10);  y1 + y3 -> y4 (k2 = 1.1e7)
y2 + y3 -> 0 (k3 = 1.13e9);  y4 -> y3 (k4 = 1.13e3)
y1 = 1.76e-3
"""


def test_e5_whose_species_span_ten_decades():
    """Published is its end at 1e13, which is nothing; here is the way, by SciPy's Radau."""
    read, times = mechanism(E5), np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 40)])
    run = simulate(read, {}, {}, times)
    network = read.network
    k = np.array([read.rate_constants[name] for name in network.constants])
    maxima = run.concentration.values.max(axis=0)
    expected = solve_ivp(
        lambda t, y: network.rhs(y, k),
        (0, times[-1]),
        [read.start.get(name, 0.0) for name in network.species],
        method="Radau",
        t_eval=times,
        rtol=1e-9,
        atol=1e-10 * maxima,
        jac=lambda t, y: network.jacobian(y, k),
    ).y.T
    assert maxima.max() > 1e6 * maxima.min()
    assert (np.abs(run.concentration.values - expected).max(axis=0) < 1e-5 * maxima).all()


# Vilar, Kueh, Barkai and Leibler, PNAS 99, 5988 (2002), rates an hour.
VILAR = """
A + D_A <=> D_A' (γA = 1, θA = 50);  A + D_R <=> D_R' (γR = 1, θR = 100)
D_A -> D_A + M_A (αA = 50);  D_A' -> D_A' + M_A (α'A = 500);  M_A -> A + M_A (βA = 50)
D_R -> D_R + M_R (αR = 0.01);  D_R' -> D_R' + M_R (α'R = 50);  M_R -> R + M_R (βR = 5)
A + R -> C (γC = 2);  C -> R (δA' = 1)
A -> 0 (δA = 1);  R -> 0 (δR = 0.2);  M_A -> 0 (δMA = 10);  M_R -> 0 (δMR = 0.5)
D_A = 1;  D_R = 1
""".replace("α'", "α_b_").replace("δA'", "δC")


def test_vilars_oscillator_as_in_libroadrunner():
    read, times = mechanism(VILAR), np.linspace(0, 60, 61)
    sbml = interchange.to_sbml(read.network, read.rate_constants, read.start)
    ids = interchange.identifiers(read.network)
    theirs = tight(sbml, [ids[name] for name in read.network.species], times)
    ours = simulate(read, {}, {}, times, rtol=1e-9)
    maxima = theirs.max(axis=0)
    assert (np.abs(ours.concentration.values - theirs).max(axis=0) < 1e-4 * maxima).all()
    assert maxima[read.network.index("A")] > 1000  # it did oscillate
