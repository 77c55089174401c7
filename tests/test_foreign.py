"""Foreign reactions: that they show what makes them foreign, and which one cannot."""

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.kinetics import foreign, mechanisms
from kinetlib.kinetics.integrate import integrate
from kinetlib.runs import shards
from kinetlib.runs.sample import TEST, accepted_sets, reference_runs, reference_times

NAMES = list(foreign.reactions())


@pytest.fixture(scope="module")
def reference():
    """Accepted parameter sets and their reference runs, by reaction."""
    found = {}
    for name, mechanism in foreign.reactions().items():
        sets = accepted_sets(mechanism, 40, TEST, default_rng(1))
        runs = reference_runs(mechanism, sets.rate_constants, reference_times(TEST))
        found[name] = sets.rate_constants, runs
    return found


def test_none_is_a_mechanism_of_the_catalogue():
    def steps(mechanism):
        return {
            (frozenset(r.reactants.items()), frozenset(r.products.items()))
            for r in mechanism.network.reactions
        }

    known = [steps(m) for m in mechanisms.catalogue().values()]
    assert all(steps(m) not in known for m in foreign.reactions().values())
    assert not set(NAMES) & set(mechanisms.catalogue())
    assert set(foreign.COINCIDING) <= set(NAMES)
    assert set(foreign.COINCIDING.values()) <= set(mechanisms.catalogue())


def test_they_are_simulated_like_the_catalogue():
    plan = shards.Plan("test", 3, 4, 2, catalogue=tuple(foreign.reactions().values()))
    shard = shards.build(plan, 0)
    assert list(dict.fromkeys(shard.mechanism.values)) == NAMES
    assert shard.sizes["sample"] == 8 * len(NAMES)
    for name in ("substrate", "product"):
        assert np.isfinite(shard[name]).all() and shard[name].min() > -1e-4


def at_half(mechanism, runs):
    """Concentrations at half of the final conversion, by species."""
    conversion = 1 - runs[..., mechanism.network.index("S")]
    c = mechanisms.at_conversion(conversion / conversion[:, -1:], runs, 0.5)
    return dict(zip(mechanism.network.species, c.T, strict=True))


@pytest.mark.parametrize(
    ("name", "complex_"), [("substrate-inhibition", "catS2"), ("product-inhibition", "catP")]
)
def test_a_dead_end_holds_a_tenth_of_the_catalyst(reference, name, complex_):
    c = at_half(foreign.reactions()[name], reference[name][1])
    assert (c[complex_] > 0.1 * 0.05 - 1e-6).all()


@pytest.mark.parametrize(
    ("name", "foreign_step", "own_step", "least"),
    [
        ("background", "k3", "k2", 0.15),
        ("autocatalysis", "k3", "k2", 0.1),
        ("two-catalysts", "k4", "k2", 0.07),
        ("by-product", "k3", "k2", 0.08),
    ],
)
def test_the_foreign_way_carries_its_part_of_the_rate(
    reference, name, foreign_step, own_step, least
):
    mechanism = foreign.reactions()[name]
    constants, runs = reference[name]
    concentration = np.stack(list(at_half(mechanism, runs).values()), -1)
    rates = mechanism.network.rates(concentration, constants)
    alien, own = (rates[:, mechanism.network.constants.index(k)] for k in (foreign_step, own_step))
    assert (alien / (alien + own) > least).all()


def test_promoted_catalyst_shares_the_work(reference):
    c = at_half(foreign.reactions()["promotion"], reference["promotion"][1])
    active = (c["cat*"] + c["cat*S"]) / 0.05
    assert (active > 0.1 - 1e-5).all() and (active < 0.9 + 1e-5).all()


def test_without_catalyst_loading_does_nothing():
    for name, order in (("uncatalysed", 1), ("pairwise", 2)):
        network = foreign.reactions()[name].network
        initial = np.zeros((2, len(network.species)))
        initial[:, network.index("S")] = 1.0
        initial[:, network.index("cat")] = 0.01, 0.1
        times = np.linspace(0, 2, 9)
        s = integrate(network, [0.7, 0.3], initial, times).concentration[..., 0]
        expected = np.exp(-0.7 * times) if order == 1 else 1 / (1 + 1.4 * times)
        assert np.allclose(s, expected, atol=1e-5)


def test_product_inhibition_is_m1_where_product_comes_and_goes_quickly():
    """The identity of the module's docstring: one rate law, two mechanisms."""
    inhibited = foreign.reactions()["product-inhibition"].network
    m1 = mechanisms.get("M1").network
    k1, back, k2, hold = 50.0, 30.0, 20.0, 4.0  # hold: [catP] / ([P] [cat]) at equilibrium
    michaelis = (back + k2) / k1
    constants = {"k1": k1, "k-1": back, "k2": k2, "k-2": 0.0, "k3": hold * 1e5, "k-3": 1e5}
    equal = {"k1": k2 / michaelis, "k-1": 0.0, "k2": k2, "k-2": k2 * hold}
    times = np.linspace(0, 4, 30)
    curves = []
    for network, values in ((inhibited, constants), (m1, equal)):
        initial = np.zeros((4, len(network.species)))
        initial[:, network.index("S")] = 1.0, 1.0, 1.0, 0.6
        initial[:, network.index("P")] = 0.0, 0.0, 0.0, 0.4
        initial[:, network.index("cat")] = 0.01, 0.05, 0.1, 0.05
        found = integrate(network, [values[c] for c in network.constants], initial, times)
        at = [network.index("S"), network.index("P")]
        curves.append(found.concentration[..., at])
    # What is left is the first turnover: a small part of the catalyst, at any time.
    apart = np.abs(curves[0] - curves[1]).max((1, 2))
    assert (apart < 0.15 * np.array([0.01, 0.05, 0.1, 0.05])).all()
    assert (curves[0][:, -1, 0] < 0.9).all()


def test_fingerprints_hold_in_words():
    rule = foreign.reactions()["substrate-inhibition"].fingerprint[0]
    assert rule.in_words() == "catS2: over 10 % of the catalyst at 50 % conversion"
