"""Models written for other programs, and what a program by others makes of them."""

import numpy as np
import pytest
import roadrunner
from numpy.random import default_rng

from kinetlib.kinetics import interchange, mechanisms
from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import parse

CATALOGUE = mechanisms.catalogue()


def test_antimony_of_a_small_network():
    network = parse("2 A <=> B* (k1, k-1); B* -> 0 (k2)")
    text = interchange.to_antimony(network, {"k1": 2, "k-1": 0.5, "k2": 1e-7}, {"A": 1})
    assert text == (
        "model mechanism\n"
        "  compartment vessel = 1;\n"
        '  species A in vessel; A is "A";\n'
        '  species B_star in vessel; B_star is "B*";\n'
        "  A = 1.0;\n"
        "  B_star = 0.0;\n"
        "  k1 = 2.0;\n"
        "  k_minus1 = 0.5;\n"
        "  k2 = 1e-07;\n"
        '  k_minus1 is "k-1";\n'
        "  r1: 2 A -> B_star; vessel * k1 * A^2;\n"
        "  r2: B_star -> 2 A; vessel * k_minus1 * B_star;\n"
        "  r3: B_star -> ; vessel * k2 * B_star;\n"
        "end\n"
    )


@pytest.mark.parametrize("name", CATALOGUE)
def test_identifiers_are_distinct_and_plain(name):
    ids = interchange.identifiers(CATALOGUE[name].network)
    assert len(set(ids.values())) == len(ids)
    assert all(value.isidentifier() for value in ids.values())


def test_names_that_would_become_one_are_refused():
    network = parse("cat* -> B (k1); cat_star -> B (k2)")
    with pytest.raises(ValueError, match="'cat_star' would be written"):
        interchange.identifiers(network)


def test_missing_values_and_unknown_species_are_named():
    network = CATALOGUE["M1"].network
    with pytest.raises(ValueError, match="no value for k-1, k2, k-2"):
        interchange.to_antimony(network, {"k1": 1}, {})
    constants = dict.fromkeys(network.constants, 1.0)
    with pytest.raises(ValueError, match="unknown species 'Q'"):
        interchange.to_antimony(network, constants, {"Q": 1})


@pytest.mark.parametrize("name", CATALOGUE)
def test_roadrunner_simulates_the_same(name):
    """What is written, libRoadRunner (CVODE), which nobody here wrote, simulates as we do."""
    mechanism = CATALOGUE[name]
    network, rng = mechanism.network, default_rng([1, *name.encode()])
    initial = mechanism.default_initial
    times = np.linspace(0, 100, 11)
    for values in 10 ** rng.uniform(-3, 3, (3, len(network.constants))):
        constants = dict(zip(network.constants, values, strict=True))
        runner = roadrunner.RoadRunner(interchange.to_sbml(network, constants, initial))
        runner.integrator.setValue("relative_tolerance", 1e-10)
        runner.integrator.setValue("absolute_tolerance", 1e-13)
        ids = interchange.identifiers(network)
        runner.timeCourseSelections = [f"[{ids[s]}]" for s in network.species]
        theirs = np.asarray(runner.simulate(0, 100, 11))
        start = [[initial.get(s, 0.0) for s in network.species]]
        ours = integrate(network, [values], start, times, rtol=1e-9, atol=1e-12)
        assert np.abs(ours.concentration[0] - theirs).max() < 1e-6
