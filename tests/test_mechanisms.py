from collections import Counter

import numpy as np
import pytest
import reference_kinetics

from kinetlib import simulate
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.mechanisms import Mechanism, at_conversion

CONVERSION = np.linspace(0.0, 1.0, 101)
ALL = list(reference_kinetics.MECHANISMS)


def molecules(side):
    return Counter(side.split())


@pytest.mark.parametrize("name", ALL)
def test_reactions_are_those_of_the_table(name):
    declared = mechanisms.get(name).network.reactions
    expected = reference_kinetics.MECHANISMS[name]
    assert {r.constant: (Counter(r.reactants), Counter(r.products)) for r in declared} == {
        constant: (molecules(left), molecules(right)) for left, right, constant in expected
    }
    assert len(declared) == len(expected)


def test_catalogue_is_complete_and_in_order():
    assert list(mechanisms.catalogue()) == ALL
    families = {name: family for family, ids in reference_kinetics.FAMILIES.items() for name in ids}
    assert {name: m.family for name, m in mechanisms.catalogue().items()} == families
    assert all(m.id == name and m.name for name, m in mechanisms.catalogue().items())
    assert len({m.name for m in mechanisms.catalogue().values()}) == 20


def test_other_species_at_the_start():
    others = {name: m.others for name, m in mechanisms.catalogue().items() if m.others}
    impurity = {"I": (0.01, 0.10)}
    assert others == {"M4": {"X": 0.0}, "M8": {"L": 0.0}, "M10": impurity, "M15": impurity}
    assert mechanisms.get("M9").default_initial == {"S": 1.0, "cat": 0.05}
    assert mechanisms.get("M10").default_initial == pytest.approx(
        {"S": 1.0, "cat": 0.05, "I": 0.055}
    )


def test_initial_concentrations_are_put_together():
    mechanism = mechanisms.get("M10")
    at = mechanism.network.index
    reference = mechanism.initial()
    assert dict(zip(mechanism.network.species, reference, strict=True)) == pytest.approx(
        dict.fromkeys(mechanism.network.species, 0.0) | mechanism.default_initial
    )
    given = mechanism.initial([0.02, 0.03], [1.0, 0.4], 0.6, {"I": np.array([[0.01], [0.02]])})
    assert given.shape == (2, 2, len(mechanism.network.species))
    assert given[1, :, at("S")].tolist() == [1.0, 0.4]
    assert given[1, :, at("cat")].tolist() == [0.02, 0.03]
    assert given[:, 0, at("I")].tolist() == [0.01, 0.02]
    assert (given[..., at("P")] == 0.6).all()
    assert [mechanism.network.species[i] for i in mechanism.seen] == ["S", "P"]


@pytest.mark.parametrize("name", ALL)
def test_catalyst_atoms_are_those_of_the_chemistry(name):
    mechanism = mechanisms.get(name)
    atoms = dict(zip(mechanism.network.species, mechanism.catalyst_atoms, strict=True))
    assert atoms == {s: reference_kinetics.catalyst_atoms(name, s) for s in atoms}


def run(mechanism, final=0.9, **share):
    """One reference run with given shares of the catalyst, all else free cat; shape (1, T, S)."""
    network = mechanism.network
    atoms = mechanism.catalyst_atoms
    c = np.zeros((1, len(CONVERSION), len(network.species)))
    c[..., network.index("S")] = 1.0 - final * CONVERSION
    free = np.ones(len(CONVERSION))
    for species, part in share.items():
        j = network.index(species)
        c[..., j] = 0.05 * np.asarray(part) / atoms[j]
        free = free - part
    c[..., network.index("cat")] += 0.05 * free
    return c


def typical(mechanism):
    """Shares with which every rule of a mechanism holds, by species."""
    return {
        "M2": {"cat2": 0.5},
        "M3": {"cat2": 0.5},
        "M6": {"cat*S": 0.5},
        "M7": {"catS2": 0.5},
        "M8": {"cat*S": 0.5},
        "M20": {"dead": 0.15, "dead'": 0.15},
    }.get(mechanism.id, {"dead": 0.3} if mechanism.family == "deactivation" else {})


@pytest.mark.parametrize("name", ALL)
def test_final_conversion_of_at_least_a_half(name):
    mechanism = mechanisms.get(name)
    shares = typical(mechanism)
    assert mechanism.accepts(run(mechanism, final=0.501, **shares)).tolist() == [True]
    assert mechanism.accepts(run(mechanism, final=0.499, **shares)).tolist() == [False]
    # The integrator may leave S a little below zero.
    assert mechanism.accepts(run(mechanism, final=1 + 1e-9, **shares)).tolist() == [True]


@pytest.mark.parametrize("name", ALL)
def test_failed_run_is_never_accepted(name):
    mechanism = mechanisms.get(name)
    runs = np.repeat(run(mechanism, **typical(mechanism)), 3, axis=0)
    runs[0, 40:] = np.nan
    runs[2, 1:] = np.nan
    assert mechanism.accepts(runs).tolist() == [False, True, False]


def bump(level, inside, outside):
    """A share that has one value around a conversion, and another elsewhere."""
    return np.where(abs(CONVERSION - level) < 0.021, inside, outside)


# species whose share moves, conversion at which the rule looks, bounds of the share
AT_ONE_CONVERSION = {
    "M6": ("cat*", 0.2, 0.1, 0.9),
    "M7": ("catS", 0.2, 0.1, 0.8),
    "M8": ("cat*S", 0.5, 0.1, 0.9),
    **{name: ("dead", 0.5, 0.1, 0.5) for name in ("M9", "M11", "M12", "M14", "M16", "M17")},
    **{name: ("dead", 0.5, 0.2, 0.5) for name in ("M13", "M18", "M19")},
    **{name: ("dead", 0.5, 0.1, 1.0) for name in ("M10", "M15")},
}


@pytest.mark.parametrize(("name", "rule"), AT_ONE_CONVERSION.items())
def test_share_at_one_conversion(name, rule):
    species, level, low, high = rule
    mechanism = mechanisms.get(name)
    for share, accepted in [
        (low + 1e-3, True),
        (low - 1e-3, False),
        (high - 1e-3, True),
        *([(high + 1e-3, False)] if high < 1 else []),
    ]:
        for elsewhere in (0.0, 0.45, 1.0):
            one = run(mechanism, **{species: bump(level, share, elsewhere)})
            assert mechanism.accepts(one).tolist() == [accepted], (share, elsewhere)


def test_both_active_species_count_together():
    m6 = mechanisms.get("M6")
    assert m6.accepts(run(m6, **{"cat*": 0.06, "cat*S": 0.06})).tolist() == [True]
    assert m6.accepts(run(m6, **{"cat*": 0.46, "cat*S": 0.46})).tolist() == [False]
    m9 = mechanisms.get("M9")
    assert m9.accepts(run(m9, catS=0.5, dead=0.3)).tolist() == [True]


def test_m2_needs_the_dimer_somewhere_in_between():
    m2 = mechanisms.get("M2")
    for level, share, accepted in [
        (0.35, 0.11, True),
        (0.35, 0.09, False),
        (0.23, 0.11, True),
        (0.47, 0.11, True),
        (0.15, 0.99, False),
        (0.55, 0.99, False),
    ]:
        assert m2.accepts(run(m2, cat2=bump(level, share, 0.0))).tolist() == [accepted]


def test_m3_needs_free_catalyst_throughout_the_start():
    m3 = mechanisms.get("M3")
    for level, free, accepted in [
        (0.05, 0.06, True),
        (0.05, 0.04, False),
        (0.0, 0.04, False),
        (0.15, 0.0, True),
        (0.9, 0.0, True),
    ]:
        one = run(m3, cat2=bump(level, 1 - free, 0.5))
        assert m3.accepts(one).tolist() == [accepted], (level, free)


@pytest.mark.parametrize(
    ("dead", "other", "accepted"),
    [
        (0.051, 0.1, True),
        (0.049, 0.1, False),
        (0.1, 0.051, True),
        (0.1, 0.049, False),
        (0.25, 0.249, True),
        (0.25, 0.251, False),
        (0.051, 0.051, True),
    ],
)
def test_m20_needs_both_dead_species(dead, other, accepted):
    m20 = mechanisms.get("M20")
    one = run(m20, **{"dead": bump(0.5, dead, 0), "dead'": bump(0.5, other, 0)})
    assert m20.accepts(one).tolist() == [accepted]


@pytest.mark.parametrize("name", ["M1", "M4", "M5"])
def test_mechanisms_without_a_fingerprint(name):
    assert mechanisms.get(name).fingerprint == ()


def test_conversion_counts_against_the_final_one():
    m9 = mechanisms.get("M9")
    # At half of the final conversion, not at half conversion, a third of the catalyst is dead.
    one = run(m9, final=0.6, dead=bump(0.5, 0.3, 0.0))
    assert m9.accepts(one).tolist() == [True]
    elsewhere = run(m9, final=0.6, dead=bump(0.5 / 0.6, 0.3, 0.0))
    assert m9.accepts(elsewhere).tolist() == [False]


def test_rules_pick_out_runs_of_a_batch():
    m20 = mechanisms.get("M20")
    runs = np.concatenate(
        [
            run(m20, **{"dead": dead, "dead'": other})
            for dead, other in [(0.2, 0.2), (0.0, 0.2), (0.1, 0.1), (0.2, 0.0), (0.3, 0.3)]
        ]
    )
    assert m20.accepts(runs).tolist() == [True, False, True, False, False]
    assert m20.accepts(runs[:0]).tolist() == []


def test_value_at_a_conversion_is_interpolated():
    progress = np.array([[0.0, 0.2, 0.6, 1.0], [0.0, 0.5, 0.9, 1.0]])
    value = np.array([[0.0, 1.0, 3.0, 4.0], [10.0, 20.0, 30.0, 40.0]])
    assert at_conversion(progress, value, 0.4) == pytest.approx([2.0, 18.0])
    assert at_conversion(progress, value, np.array([0.2, 0.7])) == pytest.approx([1.0, 25.0])
    times = np.array([0.0, 1.0, 2.0, 3.0])
    assert at_conversion(progress, times, 0.5) == pytest.approx([1.75, 1.0])


def test_rule_in_words():
    words = {
        name: [rule.in_words() for rule in m.fingerprint]
        for name, m in mechanisms.catalogue().items()
    }
    assert words["M2"] == ["cat2: over 10 % of the catalyst somewhere from 20 to 50 % conversion"]
    assert words["M3"] == ["cat: over 5 % of the catalyst throughout from 0 to 10 % conversion"]
    assert words["M7"] == ["catS + catS2: 10 % to 80 % of the catalyst at 20 % conversion"]


def test_unknown_id_names_the_valid_ones():
    with pytest.raises(ValueError, match=r"'m2'.*did you mean 'M2'.*M1, .*M20.*mechanism\(TEXT"):
        mechanisms.get("m2")
    with pytest.raises(ValueError, match="unknown mechanism 70: the catalogue holds M1"):
        mechanisms.get(70)
    with pytest.raises(ValueError, match=r"unknown mechanism \['M1'\]"):
        mechanisms.get(["M1"])


def test_mechanism_passes_through():
    m1 = mechanisms.get("M1")
    assert isinstance(m1, Mechanism)
    assert mechanisms.get(m1) is m1


OWN = """
[M21]
name = "Catalyst held by product and lost to an additive"
family = "inhibition"
reactions = [
    "S + cat <=> catS (k1, k-1)",
    "catS -> P + cat (k2)",
    "P + cat <=> catP (k3, k-3)",
    "cat + Q -> dead (k4)",
]
others = { Q = [0.1, 0.3] }
fingerprint = [{ share = ["catP"], conversion = 0.5, range = [0.1, 1.0] }]
"""


@pytest.fixture
def own_file(tmp_path):
    def write(text):
        path = tmp_path / "mine.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_own_mechanism_from_a_file(own_file, kind):
    loaded = mechanisms.load(kind(own_file(OWN)))
    assert list(loaded) == ["M21"]
    m21 = loaded["M21"]
    assert m21.family == "inhibition"
    assert m21.network.species == ("S", "cat", "catS", "P", "catP", "Q", "dead")
    assert m21.catalyst_atoms.tolist() == [0, 1, 1, 0, 1, 0, 1]
    constants = {"k1": 50, "k-1": 1, "k2": 20, "k3": 100, "k-3": 1, "k4": 0.01}
    run = simulate(m21, constants, {"cat": 0.1}, [0, 1, 1e7])
    assert run.attrs["mechanism"] == "M21"
    assert int(run.status) == 0
    end = run.concentration.isel(time=-1)
    assert float(run.concentration.sel(species="Q")[0]) == pytest.approx(0.2)
    assert float(end.sel(species="dead")) == pytest.approx(0.1, abs=1e-6)
    assert float(end.sel(species="P") + end.sel(species="S")) == pytest.approx(1.0, abs=1e-6)


def test_file_holds_several_mechanisms(own_file):
    second = OWN.replace("[M21]", "[mine]")
    assert list(mechanisms.load(own_file(OWN + second))) == ["M21", "mine"]


@pytest.mark.parametrize(
    ("was", "becomes", "message"),
    [
        (OWN, "", "no mechanism"),
        (OWN, "[M21", "not a TOML file"),
        (OWN, "M21 = 3", "mechanism 'M21': Input should be"),
        ('family = "inhibition"', "", "'M21', family: Field required"),
        ("family =", "famly =", "'M21', family: Field required"),
        ("others =", 'note = "x"\nothers =', "'M21', note: not known; expected name, family"),
        ("Q = [0.1, 0.3]", "Q = [0.3, 0.1]", "others: Q: expected a concentration or a rising"),
        ("Q = [0.1, 0.3]", "Q = -1", "others: Q: expected a concentration"),
        ("Q = [0.1, 0.3]", "Q = inf", "others, Q"),
        ("Q = [0.1, 0.3]", "Z = 0.1", "unknown species 'Z': this network has S, cat"),
        ("Q = [0.1, 0.3]", "cat = 0.1", "other than S, P and cat"),
        ("catS -> P + cat", "catS > P + cat", "line 2, column 1: expected exactly one arrow"),
        ("P", "B", "unknown species 'P': this network has S, cat, catS, B"),
        ('["catP"]', '["catQ"]', "unknown species 'catQ'"),
        ('["catP"]', "[]", "fingerprint, 0, share"),
        ("[0.1, 1.0]", "[1.0, 0.1]", "fingerprint, 0, range: expected a pair that rises within"),
        ("[0.1, 1.0]", "[0.1, 10.0]", "fingerprint, 0, range: expected a pair that rises within"),
        ("conversion = 0.5", "conversion = 1.5", "fingerprint, 0, conversion"),
        ("conversion = 0.5", "conversion = [0.5, 0.2]", "fingerprint, 0, conversion"),
        ("range =", "shares = 1, range =", "fingerprint, 0, shares: not known; expected share"),
        ('"cat + Q -> dead (k4)"', '"cat -> 0 (k4)"', "unknown species 'Q'"),
    ],
)
def test_malformed_file(own_file, was, becomes, message):
    assert was in OWN
    path = own_file(OWN.replace(was, becomes))
    with pytest.raises(ValueError) as caught:
        mechanisms.load(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_fingerprint_needs_a_conserved_catalyst(own_file):
    text = OWN.replace('"cat + Q -> dead (k4)"', '"cat + Q -> 0 (k4)"')
    with pytest.raises(ValueError, match="'M21': no single conserved sum has the weights"):
        mechanisms.load(own_file(text))


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="not a TOML file"):
        mechanisms.load(path)


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere.toml"):
        mechanisms.load(tmp_path / "nowhere.toml")
