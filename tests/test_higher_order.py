"""Second-order networks for reactions of third order: theory, fits, exactness, search, bound."""

import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng

from kinetlib.kinetics.integrate import integrate
from kinetlib.kinetics.network import parse
from kinetlib.records.pieces import Done, compute, done
from studies.discovery.published_recipe import Trained
from studies.higher_order import bound, failure, search, study
from studies.higher_order.exact import EXACT
from studies.higher_order.fit import best, curves_and_slopes, fit, slope
from studies.higher_order.library import Library, Round, Track, _residuals, screen
from studies.higher_order.limit_law import Law, law_of, limit_law, networks_of
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, errors, from_scales

CUBIC, CONSUMED = "3 A -> B", "3 A, consumed"
positive = st.floats(1e-3, 1e3)
every_stand_in = pytest.mark.parametrize("name", STAND_INS)
every_exact = pytest.mark.parametrize("name", EXACT)


@pytest.fixture
def starts():
    return TRUTHS[CUBIC].starts(6, default_rng(1)), TRUTHS[CUBIC].starts(20, default_rng(2))


@given(kappa=positive, ratio=positive, eps=positive)
def test_scales_and_constants_are_one_thing(kappa, ratio, eps):
    k1, back, k2 = from_scales(kappa, ratio, eps)
    np.testing.assert_allclose([k1 * k2 / back, k1 / back, 1 / back], [kappa, ratio, eps])


@every_stand_in
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_the_slow_manifold_has_the_law_of_the_truth(name, seed):
    """Where k1 and k2 are small beside k-1 = L, K itself being small, the rates agree."""
    stand_in = STAND_INS[name]
    truth = TRUTHS[stand_in.truth]
    seen = default_rng(seed).uniform(0.2, 1.2, (1, len(truth.network.species)))
    k1, back, k2 = stand_in.by_theory(1e12)
    state = stand_in.initial(seen)
    network = stand_in.network
    z = network.index("Z")
    made = (network.rates(state, stand_in.constants([k1, back, k2])))[0, 0]
    state[0, z] = 1.0
    rates = network.rates(state, stand_in.constants([k1, back, k2]))[0]
    lost = rates @ -network.stoichiometry[:, z] + made  # at Z = 1, what forms it left out
    state[0, z] = made / lost
    slope_ = network.rhs(state, stand_in.constants([k1, back, k2]))[0, stand_in.observed]
    np.testing.assert_allclose(
        slope_, truth.network.rhs(seen, [truth.constant])[0], rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("name", [n for n, s in STAND_INS.items() if s.multiples == (1, 1, 1)])
def test_stand_ins_tend_to_the_law_of_their_truth(name):
    stand_in = STAND_INS[name]
    equations = [reaction.equation for reaction in stand_in.network.reactions]
    for order in (equations, equations[::-1]):
        assert limit_law(order) == law_of(TRUTHS[stand_in.truth].network)


def test_laws_are_told_apart():
    quartic = limit_law(["2 A -> Z", "Z -> 2 A", "2 Z -> A + B"])
    assert quartic.orders == {("A", 4)} and quartic.net == law_of(parse("3 A -> B")).net
    other = limit_law(["A + B -> B + Z", "Z -> A", "B + Z -> 2 B"])
    assert other == law_of(parse("A + 2 B -> 3 B")) != law_of(parse("A + B -> 2 B"))
    assert isinstance(other, Law)
    for none in (
        ["2 A -> Z", "Z -> B"],  # not three
        ["2 A -> Z", "Z -> A", "A + Z -> B"],  # does not undo what makes Z
        ["2 A -> B", "B -> 2 A", "A + B -> 2 B"],  # no Z
        ["Z -> A", "A + Z -> B", "2 Z -> A"],  # nothing makes Z
    ):
        assert limit_law(none) is None


def test_curves_agree_with_the_closed_solution():
    truth = TRUTHS[CUBIC]
    start = truth.starts(5, default_rng(0))
    a = start[:, :1] / np.sqrt(1 + 6 * truth.constant * start[:, :1] ** 2 * truth.times)
    closed = np.stack([a, (start[:, :1] - a) / 3], axis=-1)
    np.testing.assert_allclose(truth.curves(start), closed, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(EXACT[CUBIC].curves(start), closed, rtol=1e-7, atol=1e-9)
    assert errors(EXACT[CUBIC].curves(start, prepared=0.0), closed).largest > 0.9


@pytest.mark.parametrize(
    ("name", "n"), [("3 A -> B", 1), ("2 A + B -> C", 2), ("A + 2 B -> 3 B", 8)]
)
def test_all_networks_with_the_law_of_a_truth_have_its_slow_rate(name, n):
    """At the Z that makes up for what is taken: rates are those of the truth, up to a constant."""
    truth = TRUTHS[name]
    seen = truth.network.species
    found = networks_of(law_of(truth.network), Library(seen).network.reactions)
    assert len(found) == n
    assert {tuple(sorted(network)) for network in study.WANTED[name]} <= set(found)
    states = default_rng(0).uniform(0.2, 1.2, (9, len(seen)))
    wanted = truth.network.rhs(states, [truth.constant])
    for equations in found:
        network = parse("; ".join(equations))
        # Constants at which Z follows at once: k-1 is far above all others.
        k = [1e8 if equation.startswith("Z -> ") else 1.0 for equation in equations]
        z = network.index("Z")
        full = np.zeros((len(states), len(network.species)))
        full[:, [network.index(s) for s in seen if s in network.species]] = states[
            :, [i for i, s in enumerate(seen) if s in network.species]
        ]
        made = network.rhs(full, k)[:, z]
        full[:, z] = 1.0
        full[:, z] = made / (made - network.rhs(full, k)[:, z])  # linear in Z
        slopes = network.rhs(full, k)
        slopes = slopes[:, [network.index(s) for s in seen]]
        factor = (slopes * wanted).sum() / (wanted**2).sum()
        assert factor > 0
        np.testing.assert_allclose(slopes / factor, wanted, rtol=1e-4, atol=1e-6)


@every_exact
@settings(max_examples=20)
@given(seed=st.integers(0, 2**31))
def test_exact_networks_have_the_law_of_the_truth_and_keep_it(name, seed):
    exact, truth = EXACT[name], TRUTHS[name]
    seen = default_rng(seed).uniform(0, 2, (3, len(truth.network.species)))
    slopes = exact.network.rhs(exact.initial(seen), exact.constants)
    places = [exact.network.index(species) for species in truth.network.species]
    wanted = truth.network.rhs(seen, [truth.constant])
    np.testing.assert_allclose(slopes[:, places], wanted, atol=1e-12)
    np.testing.assert_allclose(exact.off(seen), 0, atol=1e-11)
    assert exact.network.orders.sum(1).max() == 2
    assert exact.off(seen).shape == (3, len(exact.hidden))


def test_slopes_are_derivatives():
    stand_in = STAND_INS["3 A, catalyst"]  # two constants are multiples of k2
    start, k = TRUTHS[CUBIC].starts(2, default_rng(3)), np.array([0.7, 8.0, 5.0])
    _, slopes = curves_and_slopes(stand_in, k, start)
    for i in range(3):
        step = np.where(np.arange(3) == i, 1e-4, 0)
        up, down = (stand_in.curves(k * np.exp(sign * step), start) for sign in (1, -1))
        np.testing.assert_allclose(slopes[..., i], (up - down) / 2e-4, atol=1e-5)


def test_a_fit_finds_the_constants_that_made_the_curves(starts):
    stand_in, k = STAND_INS[CONSUMED], np.array([0.8, 10.0, 4.0])
    curves = stand_in.curves(k, starts[0])
    np.testing.assert_allclose(
        fit(stand_in, starts[0], curves, {"k-1": 10.0}, start=[0.3, 10.0, 1.0]).k, k, rtol=1e-5
    )
    np.testing.assert_allclose(fit(stand_in, starts[0], curves, {}, start=2 * k).k, k, rtol=1e-3)


def test_the_goal_for_three_a_is_met_on_runs_that_were_not_fitted(starts):
    found = best(CONSUMED, 1e3, starts[0])
    error = found.errors(starts[1])
    assert error.relative <= 1e-2 and error.mean <= 1e-3
    assert found.kappa == pytest.approx(TRUTHS[CUBIC].constant, rel=0.04)
    largest = fit(
        STAND_INS[CONSUMED],
        starts[0],
        TRUTHS[CUBIC].curves(starts[0]),
        {"k-1": 1e3},
        start=found.k,
        exponent=16.0,
    )
    assert largest.errors(starts[0]).largest < 0.8 * found.errors(starts[0]).largest


def test_one_constant_alone_leads_nowhere(starts):
    true = TRUTHS[CUBIC].curves(starts[0])
    for name in ("k1", "k2"):
        near, far = (
            fit(STAND_INS[CONSUMED], starts[0], true, {"k-1": value, name: 1.0})
            .errors(starts[1])
            .mean
            for value in (1e4, 1e6)
        )
        assert far == pytest.approx(near, rel=0.02)
    two, four = (best(CONSUMED, value, starts[0]).errors(starts[1]).mean for value in (1e2, 1e4))
    assert two / four == pytest.approx(10, rel=0.1)


def test_what_cannot_be_fitted_is_refused(starts):
    for held in ({"k3": 1.0}, {"k1": 1.0, "k-1": 1.0, "k2": 1.0}):
        with pytest.raises(ValueError, match="held: expected at most two"):
            fit(STAND_INS[CONSUMED], starts[0], TRUTHS[CUBIC].curves(starts[0]), held)
    with pytest.raises(ValueError, match="could not be integrated"):
        STAND_INS[CONSUMED].curves([1.0, np.nan, 1.0], starts[0])


def test_a_slope_has_an_interval_that_covers_it():
    x = np.logspace(0, 4, 9)
    hits = 0
    for seed in range(200):
        found = slope(x, 3 * x**-0.5 * np.exp(0.2 * default_rng(seed).standard_normal(9)))
        hits += found.low <= -0.5 <= found.high
    assert 0.90 <= hits / 200 <= 0.99
    with pytest.raises(ValueError, match="3 points or more"):
        slope([1, 2], [1, 2])


def test_a_single_reaction_is_the_truth_at_its_order_only(starts):
    constant, mean, _ = failure.power_law(3.0, starts[0])
    assert constant == pytest.approx(0.3, rel=1e-6) and mean < 1e-8
    assert failure.power_law(2.2, starts[0])[1] > 1e-2


def test_equal_reactions_are_lumped_by_the_sum_of_their_constants():
    logs = np.log([0.1, 0.05, 1e-9])
    w_out = np.array([[-2.0, 0.5], [-2.0, 0.5], [-1.0, 1.0]])
    trained = Trained(
        ("A", "B"), np.maximum(-w_out, 0), w_out, logs, logs, np.ones(1), 0, np.ones(2)
    )
    seen = failure.lumped(trained, CUBIC, TRUTHS[CUBIC].starts(4, default_rng(0)))
    np.testing.assert_allclose(seen.orders, [2, 0], atol=1e-6)
    np.testing.assert_allclose(seen.net, [-1, 0.25], atol=1e-6)
    assert seen.rate == pytest.approx(0.3) and seen.n_live == 2
    np.testing.assert_allclose(seen.moved, logs[2:] + 10)


def test_the_library_holds_all_reactions_and_leaves_out_what_cannot_be():
    library = Library(("A", "B"))
    assert len(library.reactions) == 90 == len(library.network.reactions)
    loss = np.array([[-3.0, 1.0], [-1.5, 0.5]])
    kept = library.networks(2, loss)
    texts = {library.equations(which) for which in kept}
    assert ("2 A -> B", "A -> 0") in texts
    assert ("A -> B", "B -> A") not in texts  # three to one it cannot do
    assert ("2 A -> Z", "Z -> B") in texts
    assert ("A + Z -> B", "A -> B") not in texts  # nothing makes Z
    assert ("2 A -> B", "2 A -> Z") not in texts  # nothing sees Z: 2 A -> 0 is the same
    assert ("2 A -> 0", "2 A -> B") in texts


def test_networks_left_out_are_those_that_a_plain_search_leaves_out():
    library = Library(("A",))
    loss = np.array([[-1.0]])
    reactions = library.network.reactions
    kept = set()
    for pair in combinations(reactions, 2):
        sides = [(r.reactants, r.products) for r in pair]
        waits = [r for r in pair if "Z" in r.reactants]
        made = any("Z" in new and "Z" not in old for old, new in sides)
        seen = any(r.reactants.get("A", 0) != r.products.get("A", 0) for r in waits)
        has_z = any("Z" in old or "Z" in new for old, new in sides)
        takes = any(old.get("A", 0) > new.get("A", 0) for old, new in sides)
        if takes and (not waits or made) and (not has_z or seen):
            kept.add(tuple(sorted(r.equation for r in pair)))
    assert {library.equations(which) for which in library.networks(2, loss)} == kept
    assert 0 < len(kept) < len(list(combinations(reactions, 2))) / 2


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_screening_knows_its_derivatives(seed):
    rng = default_rng(seed)
    size, n_runs, n_times, n_seen = 3, 2, 7, 2
    orders = np.array([0, *rng.integers(0, 3, size - 1)])
    # Z is made by the first reaction only, so that it cannot explode.
    taken = [-min(int(order), 1) for order in orders[1:]]
    net = np.column_stack([rng.integers(-2, 3, (size, n_seen)), [1, *taken]]).astype(float)
    rates = rng.uniform(0.2, 1.2, (size, n_runs, n_times))
    widths = rng.uniform(0.1, 1.0, (n_runs, n_times - 1))
    changes = rng.standard_normal((n_runs, n_seen, n_times - 1))
    logs, step = rng.uniform(-2, 2, size), 1e-5

    def at(logs):
        out, slopes = np.empty(changes.shape), np.empty((size, *changes.shape))
        assert _residuals(logs, orders, net, rates, widths, changes, out, slopes)
        return out, slopes

    for i, row in enumerate(at(logs)[1]):
        ahead, behind = (at(logs + sign * step * np.eye(size)[i])[0] for sign in (1, -1))
        np.testing.assert_allclose(row, (ahead - behind) / (2 * step), rtol=1e-5, atol=1e-7)


def test_screening_follows_a_hidden_species_along_the_curves():
    library = Library(("A", "B"))
    network = parse("2 A <=> Z (k1, k-1); A + Z -> B (k2)")
    start, times = np.array([[1.0, 0, 0], [0.4, 0, 0]]), np.linspace(0, 30, 61)
    value = integrate(network, [0.5, 2.0, 3.0], start, times).concentration
    seen = value[..., [network.index("A"), network.index("B")]]
    track = Track.along(times, seen)
    at = {reaction.equation: i for i, reaction in enumerate(library.network.reactions)}
    right = [at["2 A -> Z"], at["Z -> 2 A"], at["A + Z -> B"]]
    wrong = [at["2 A -> B"], at["A -> Z"], at["Z -> A"]]
    once = (Round(2, 6, ((0.0, 0.0), (0.0, 2.3))),)
    ((networks, logs),) = screen(library, np.array([wrong, right]), track, once)
    assert networks[0].tolist() == right
    # Screening is coarse, and hardly sees how fast Z is: the branching ratio is what it sees.
    k1, back, k2 = np.exp(logs[0]) * track.pace
    np.testing.assert_allclose([k1, k2 / back], [0.5, 1.5], rtol=0.15)


def test_a_network_with_a_hidden_species_is_found_in_curves():
    network = parse("2 A -> Z (k1); Z -> B (k2)")
    start = np.zeros((5, 3))
    start[:, network.index("A")] = default_rng(0).uniform(0.3, 1.5, 5)
    times = np.linspace(0, 12, 40)
    value = integrate(network, [0.6, 0.4], start, times).concentration
    seen = [network.index(name) for name in "AB"]
    runs = xr.Dataset(
        {"concentration": (("run", "time", "species"), value[..., seen])},
        coords={"time": times, "species": ["A", "B"]},
    )
    found = search.find(runs, size=2, threads=1)
    assert search.rank(found, {"2 A -> Z", "Z -> B"}) == 1
    np.testing.assert_allclose(found[0].constants, [0.6, 0.4], rtol=1e-2)
    assert search.rank(found, {"A -> B"}) is None
    assert search.find(failure.runs_of(CUBIC, 2, 0.0, default_rng(0)), size=1) == []
    with pytest.raises(ValueError, match="B: the same throughout"):
        search.find(runs.assign(concentration=runs.concentration * [1, 0]), size=2)
    gap = runs.copy(deep=True)
    gap.concentration[1, 3, 0] = np.nan
    with pytest.raises(ValueError, match="all values measured"):
        search.find(gap, size=2)


@pytest.mark.slow
def test_the_stand_in_is_found_in_noisy_curves():
    runs = failure.runs_of(CUBIC, 6, 0.01, default_rng(11))
    assert search.rank(search.find(runs, threads=1), set(study.WANTED[CUBIC][0])) == 1


def test_a_profile_is_closed_below_and_open_above():
    drawn = bound.noisy(CONSUMED, np.inf, 5, 0.05, default_rng(1))
    found = bound.profile(CONSUMED, *drawn, 0.05)
    assert (found.deviance >= 0).all() and found.deviance.min() == 0
    assert found.bound > 100 and found.deviance[-1] < 2.71
    low, high = found.stiffness < found.bound, found.stiffness > 1.02 * found.bound
    assert (found.deviance[low] > 2.69).all() and found.deviance[high][0] < 2.72
    slow = bound.profile(CONSUMED, *bound.noisy(CONSUMED, 10.0, 5, 0.05, default_rng(2)), 0.05)
    assert 5 < slow.bound < 15 and slow.deviance[-1] > 20


def test_the_pieces_are_put_together_and_parts_without_any_stay(tmp_path):
    small = study.Settings(
        stiffness=(10.0, 100.0),
        failure_seeds=1,
        failure_steps=20,
        failures=((CUBIC, 2, "absent"), (CUBIC, 2, "silent"), (CUBIC, 2, "hidden")),
        searches=(),
        bound_simulations=1,
        bound_stiffness=(10.0, float("inf")),
    )
    work = list(study.pieces(tmp_path, settings=small))
    compute(tmp_path, work)
    made = done(tmp_path, work, least=None)
    with pytest.raises(ValueError, match="search: no pieces, and no earlier record"):
        study.summary(made, small, None)
    own = json.loads(small.model_dump_json())
    earlier = {"settings": own, "search": ["as it was"], "made": {"search": {"commit": "old"}}}
    record = json.loads(json.dumps(study.summary(made, small, earlier), allow_nan=False))
    assert {entry["L"] for entry in record["bound"]} == {10.0, "inf"}
    assert len(record["failure"]) == 3 and len(record["errors"]) == len(STAND_INS)
    assert record["search"] == ["as it was"] and record["made"]["search"] == {"commit": "old"}
    assert set(record["made"]) == set(study.PARTS)
    earlier["settings"] = own | {"search_runs": 7}
    with pytest.raises(ValueError, match="search: no pieces, and no earlier record"):
        study.summary(made, small, earlier)


def test_searches_are_counted_by_name_and_by_law():
    """Two seeds: the named network fourth behind one of its law, and not there at all."""
    name = "A + 2 B -> 3 B"
    law, other = ["2 B -> B + Z", "A + Z -> B + Z", "Z -> B"], ["A -> B", "A -> Z", "Z -> A"]
    named = list(study.WANTED[name][0])
    made = {}
    for seed, (networks, place) in enumerate([([law, other, other, named], 4), ([other], None)]):
        found = {"truth": name, "noise": 0.0, "places": [place]}
        found["candidates"] = [
            {"equations": network, "constants": [], "cost": float((i + 1) ** 2)}
            for i, network in enumerate(networks)
        ]
        by = {"seconds": 1.0, "creator": "", "commit": "new", "versions": "", "processor": ""}
        made["search", seed, name, "0"] = Done("", {}, found, by)
    settings_ = study.Settings()
    earlier = {
        "settings": json.loads(settings_.model_dump_json()),
        "made": dict.fromkeys(study.PARTS),
    }
    earlier |= dict.fromkeys(("errors", "failure", "bound"), [])
    (entry,) = study.summary(made, settings_, earlier)["search"]
    assert entry["places"] == [[4], [None]] and entry["others_off"] == [2.0, None]
    assert entry["found"]["hits"] == entry["all_found"]["hits"] == 0
    assert entry["commits"] == ["new"] and list(entry["first"].values()) == [1, 1]
    assert entry["right_law"]["hits"] == 1 and entry["right_law"]["n"] == 2


def test_shares_are_wilsons():
    found = study.share(18, 20)  # Wilson, J. Am. Stat. Assoc. 22, 209, 1927, by hand
    n, p, z = 20, 0.9, 1.959964
    centre, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    np.testing.assert_allclose(
        [found["low"], found["high"]], (centre + np.array([-half, half])) / (1 + z**2 / n)
    )


def test_the_record_is_that_of_the_study_as_it_is():
    path = Path(__file__).parent.parent / "data" / "studies" / "higher_order.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    assert record["settings"] == json.loads(study.Settings().model_dump_json())
    assert len(record["bound"]) == len(study.Settings().bound_stiffness)
    asked = {(truth, noise): n for truth, noise, n in study.Settings().searches}
    done = {(e["truth"], e["noise"]): e["found"]["n"] for e in record["search"]}
    assert done == asked
    top = study.TOP
    for entry in record["search"]:
        hits = sum(any(place and place <= top for place in seed) for seed in entry["places"])
        assert hits == entry["found"]["hits"]
    assert record["wanted"] == json.loads(json.dumps(study.WANTED))
    for name, truth in TRUTHS.items():
        library = Library(truth.network.species).network.reactions
        assert [tuple(n) for n in record["same_law"][name]] == networks_of(
            law_of(truth.network), library
        )
