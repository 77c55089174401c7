import numpy as np
import pytest
import reference_kinetics
from drawn_networks import networks
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.network import latex_species, parse

SPECIES = st.sampled_from(["S", "P", "cat", "cat2", "cat*S", "dead'", "A_1", "X"])


@st.composite
def networks_with_state(draw):
    network = draw(networks(SPECIES))
    positive = st.floats(1e-3, 1e3)
    c = draw(st.lists(positive, min_size=len(network.species), max_size=len(network.species)))
    k = draw(st.lists(positive, min_size=len(network.constants), max_size=len(network.constants)))
    return network, np.array(c), np.array(k)


def as_listed(network):
    """Return the reactions as `reference_kinetics` lists them."""
    return [
        (
            " ".join(name for name, n in r.reactants.items() for _ in range(n)),
            " ".join(name for name, n in r.products.items() for _ in range(n)),
            r.constant,
        )
        for r in network.reactions
    ]


@given(networks(SPECIES))
def test_what_is_written_is_read_back(network):
    again = parse(str(network))
    assert again == network
    assert again.species == network.species
    assert str(again) == str(network)


def test_text_is_read_as_written():
    network = parse(
        """
        S + cat <=> catS (k1, k-1)   # binding
        catS -> P + cat (k_cat);  2 cat -> cat + dead'
        0 -> S
        """
    )
    assert network.species == ("S", "cat", "catS", "P", "dead'")
    assert network.constants == ("k1", "k-1", "k_cat", "k3", "k4")
    assert network.orders.tolist() == [
        [1, 1, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 2, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert network.stoichiometry.tolist() == [
        [-1, -1, 1, 0, 0],
        [1, 1, -1, 0, 0],
        [0, 1, -1, 1, 0],
        [0, -1, 0, 0, 1],
        [1, 0, 0, 0, 0],
    ]
    assert network.index("P") == 3


@pytest.mark.parametrize("text", ["2 A -> B", "2A->B", "A + A -> B", "  A+A  ->  B  ;"])
def test_spaces_and_repetition_mean_nothing(text):
    assert parse(text) == parse("2 A -> B (k1)")


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("A B", 1, 1, "exactly one arrow"),
        ("  A -> B -> C", 1, 3, "exactly one arrow"),
        ("A <=> B -> C", 1, 1, "exactly one arrow"),
        ("A + -> B", 1, 5, "found nothing"),
        ("-> B", 1, 1, "found nothing"),
        ("A -> B C", 1, 8, "found 'B C'"),
        ("A + 3 -> B", 1, 5, "found '3'"),
        ("A -> 0 B", 1, 6, "from 1 to 99"),
        ("100 A -> B", 1, 1, "from 1 to 99"),
        ("A -> A", 1, 3, "nothing would happen"),
        ("A -> B (k1", 1, 8, "found 'B (k1'"),
        ("A -> B ()", 1, 8, "'' is no name of a constant"),
        ("A -> B (k1, k2)", 1, 8, "one constant, here are 2"),
        ("A <=> B (k1)", 1, 9, "two constants, here are 1"),
        ("A <=> B (k1, k1)", 1, 9, "'k1' already belongs to step 1"),
        ("A -> B (k2); C -> D", 1, 14, "'k2' already belongs to step 1"),
        ("A -> B\n\n  B -> C (k1)", 3, 10, "'k1' already belongs to step 1"),
        ("A -> B; B -> C;  C > D", 1, 18, "exactly one arrow"),
    ],
)
def test_malformed_text_is_pointed_at(text, line, column, message):
    with pytest.raises(ValueError) as caught:
        parse(text)
    first, quoted, marker = str(caught.value).split("\n")
    assert first.startswith(f"line {line}, column {column}: ")
    assert message in first
    assert quoted == "    " + text.splitlines()[line - 1]
    assert marker.index("^") == 4 + column - 1


@pytest.mark.parametrize("text", ["", "  \n ; ; # A -> B"])
def test_text_without_a_reaction(text):
    with pytest.raises(ValueError, match="no reaction in the text"):
        parse(text)


def test_unknown_species_names_the_valid_ones():
    with pytest.raises(ValueError, match="unknown species 'C': this network has A, B"):
        parse("A -> B").index("C")


def test_mass_action_by_hand():
    network = parse("2 A + B -> C (k1); 0 -> A (k2)")
    c, k = np.array([3.0, 5.0, 7.0]), np.array([2.0, 0.5])
    assert network.rates(c, k).tolist() == [2 * 9 * 5, 0.5]
    assert network.rhs(c, k).tolist() == [-180 + 0.5, -90, 90]
    assert network.jacobian(c, k).tolist() == [[-120, -36, 0], [-60, -18, 0], [60, 18, 0]]


@given(networks_with_state())
def test_rate_law_and_jacobian_against_complex_steps(case):
    network, c, k = case
    listed = as_listed(network)
    named_c = dict(zip(network.species, c, strict=True))
    named_k = dict(zip(network.constants, k, strict=True))
    # Terms may cancel, so what rounding leaves is measured against the largest of them.
    largest = network.rates(c, k).max()
    slope = list(reference_kinetics.rhs(listed, named_k, named_c).values())
    np.testing.assert_allclose(network.rhs(c, k), slope, rtol=1e-12, atol=1e-12 * largest)
    jacobian = reference_kinetics.jacobian(listed, named_k, named_c)
    np.testing.assert_allclose(
        network.jacobian(c, k), jacobian, rtol=1e-12, atol=1e-12 * largest / c.min()
    )


def test_rate_law_of_many_states_at_once():
    network = mechanisms.get("M2").network
    rng = np.random.default_rng(1)
    c, k = rng.random((2, 3, 5)), rng.random((2, 3, 6))
    assert network.rhs(c, k).shape == (2, 3, 5)
    assert network.jacobian(c, k).shape == (2, 3, 5, 5)
    np.testing.assert_allclose(network.rhs(c, k)[1, 2], network.rhs(c[1, 2], k[1, 2]), rtol=1e-14)
    np.testing.assert_allclose(
        network.jacobian(c, k)[1, 2], network.jacobian(c[1, 2], k[1, 2]), rtol=1e-14
    )


@given(networks(SPECIES))
@settings(deadline=None)  # the first rare network imports SymPy
def test_conservation_laws_are_a_basis_of_the_left_null_space(network):
    laws = network.conservation_laws()
    rank = np.linalg.matrix_rank(network.stoichiometry)
    assert laws.shape == (len(network.species) - rank, len(network.species))
    assert not (network.stoichiometry @ laws.T).any()
    if len(laws):
        assert np.linalg.matrix_rank(laws) == len(laws)
        assert (np.gcd.reduce(laws, axis=1) == 1).all()


@pytest.mark.parametrize("name", reference_kinetics.MECHANISMS)
def test_laws_of_the_catalogue_are_sums_of_amounts(name):
    network = mechanisms.get(name).network
    laws = network.conservation_laws()
    assert (laws >= 0).all()
    for atoms_of in (reference_kinetics.catalyst_atoms, reference_kinetics.substrate_atoms):
        atoms = np.array([atoms_of(name, species) for species in network.species])
        assert not (network.stoichiometry @ atoms).any()
        mixture = np.linalg.lstsq(laws.T.astype(float), atoms.astype(float), rcond=None)[0]
        np.testing.assert_allclose(laws.T @ mixture, atoms, atol=1e-12)


def test_a_law_that_needs_a_minus_sign():
    assert abs(parse("A + B -> 0").conservation_laws()).tolist() == [[1, 1]]
    assert parse("A + B -> 0").conservation_laws().sum() == 0


def test_laws_are_the_sparse_ones():
    network = parse("S + cat <=> catS; catS <=> P + cat; 2 cat <=> cat2")
    assert network.species == ("S", "cat", "catS", "P", "cat2")
    assert network.conservation_laws().tolist() == [[1, 0, 1, 1, 0], [0, 1, 1, 0, 2]]


def test_law_with_prescribed_weights():
    network = parse("S + cat <=> catS; catS <=> P + cat; 2 cat <=> cat2")
    assert network.law_with({"S": 0, "cat": 1}).tolist() == [0, 1, 1, 0, 2]
    assert network.law_with({"S": 1, "cat": 1}).tolist() == [1, 1, 2, 1, 2]
    with pytest.raises(ValueError, match="no single conserved sum"):
        network.law_with({"S": 1})
    with pytest.raises(ValueError, match="no single conserved sum"):
        network.law_with({"S": 1, "P": 0, "cat": 1})
    with pytest.raises(ValueError, match="unknown species 'Q'"):
        network.law_with({"Q": 1})


def test_latex():
    network = parse("S + 2 cat <=> cat*S (k1, k-1); cat*S -> 0 (k_off)")
    assert network.latex_reactions() == [
        r"\text{S} + 2\,\text{cat} \underset{k_{-1}}{\overset{k_{1}}{\rightleftharpoons}} "
        r"\text{cat$^{*}$S}",
        r"\text{cat$^{*}$S} \xrightarrow{k_{off}} \varnothing",
    ]
    assert network.latex_odes()[1] == (
        r"\frac{d[\text{cat}]}{dt} = - 2\,k_{1}[\text{S}][\text{cat}]^{2} "
        r"+ 2\,k_{-1}[\text{cat$^{*}$S}]"
    )
    assert latex_species("cat2_dead'") == r"\text{cat$_{2}$\_dead$'$}"


def test_matrices_cannot_be_changed_from_outside():
    network = parse("A -> B")
    with pytest.raises(ValueError, match="read-only"):
        network.stoichiometry[0, 0] = 5
    with pytest.raises(ValueError, match="read-only"):
        network.orders[0, 0] = 5
