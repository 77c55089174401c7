"""The whole answer: mechanisms composed by a grammar, evidence on real files, words."""

import signal
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.random import default_rng

import kinetlib
from kinetlib.answers import (
    Answer,
    Ending,
    Possible,
    answer,
    interruptible,
    sentences,
    sight,
    weighing,
)
from kinetlib.answers.asking import features
from kinetlib.answers.sight import LIVING, SECOND, seen, shown_to
from kinetlib.answers.weighing import probabilities, weighed
from kinetlib.inference import sampling
from kinetlib.inference.misfit import Misfit
from kinetlib.inference.observations import table
from kinetlib.inference.sources import observations
from kinetlib.kinetics import grammar as grammars
from kinetlib.kinetics import mechanisms
from kinetlib.runs import runs as runs_of
from kinetlib.runs.sample import TEST, TRAIN, accepted_sets, draw_samples

GRAMMAR = grammars.grammar()
SPECIES = ("S", "P", "cat")


@pytest.fixture(scope="module")
def dying():
    """Four runs of M9 with seven points each and 1 % noise, one reaction."""
    rng = default_rng(5)
    mechanism = mechanisms.get("M9")
    sets = accepted_sets(mechanism, 1, TRAIN, rng)
    exact = draw_samples(mechanism, sets, 1, TEST, rng).runs
    return runs_of.measured(exact, 0.01, rng)[0].checked()


def test_a_core_and_a_step_that_the_catalogue_holds_keep_their_name():
    made = {one.mechanism.id for one in GRAMMAR.extended(GRAMMAR.of("M1"))}
    deaths = {f"M{number}" for number in range(9, 20)}
    assert deaths | {"M2"} <= made and not made & {"M1", "M20"}
    assert GRAMMAR.made("M1", ("dies", "loaded_dies")).mechanism.id == "M20"


def test_composed_mechanisms_keep_their_catalyst_and_have_their_features():
    for core in (*GRAMMAR.cores(), *GRAMMAR.own_cores()):
        for one in GRAMMAR.extended(core):
            network = one.mechanism.network
            assert np.allclose(network.stoichiometry @ one.mechanism.catalyst_atoms, 0)
            assert core.features <= one.features
            names = {name for nothing in one.without for name in (*nothing.zero, *nothing.fast)}
            assert names <= set(network.constants)
            dies = one.mechanism.living.sum() < one.mechanism.catalyst_atoms.sum()
            assert dies == ("deactivation" in one.features), one.mechanism.id


def test_a_grammar_that_is_wrong_is_refused_in_one_line(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[cores.M1]\nfree = "cat"\nloaded = "catS"\n[steps.x]\nname = "x"\n')
    with pytest.raises(ValueError, match=r"mine.toml: steps, x, reactions: Field required") as told:
        grammars.load(path)
    assert "\n" not in str(told.value)


def test_the_evidence_names_what_happened_and_depends_on_nothing_beside_it(dying):
    asked = [GRAMMAR.of(name) for name in ("M1", "M6", "M9")]
    found = weighed(observations(dying, SPECIES), asked)
    shares = dict(zip([one.name for one in found], probabilities(found), strict=True))
    assert shares["M9"] > 0.9 and sum(shares.values()) == pytest.approx(1)
    alone = weighed(observations(dying, SPECIES), asked[2:])
    assert alone[0].log_evidence == found[2].log_evidence
    assert found[0].log_likelihood < found[2].log_likelihood


def test_time_that_is_up_leaves_mechanisms_out_and_says_so(dying):
    assert weighed(observations(dying, SPECIES), [GRAMMAR.of("M1")], ending=Ending(0.0)) == []
    with pytest.raises(ValueError, match="no mechanism was weighed in time; give more seconds"):
        answer(dying, seconds=1e-9)


def test_who_asks_for_the_end_gets_what_is_known_and_the_second_ctrl_c_leaves(dying):
    said = []

    def told(done, total, what):
        if what.startswith("weighing") and done == 1:
            signal.raise_signal(signal.SIGINT)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with interruptible(lambda: said.append("stopping")) as ending:
            found = answer(dying, progress=told, ending=ending)
            assert said == ["stopping"] and ending.asked
            with pytest.raises(KeyboardInterrupt):
                signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, handler)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.mechanisms[0].fit is None and found.explains is None and not found.was_opened
    assert any("whether the runs are explained is open" in line for line in found.remarks)


def test_an_ending_holds_for_all_its_parts():
    whole = Ending()
    part = whole.within(1e6)
    assert not part.here and Ending(-1.0).within(1e6).here
    whole.ask()
    assert part.asked and part.here


def test_a_process_that_got_no_processor_has_its_seconds_still(monkeypatch):
    clock, worked = [0.0], [0.0]
    monkeypatch.setattr("kinetlib.answers.ending.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("kinetlib.answers.ending.time.process_time", lambda: worked[0])
    whole = Ending()
    by_clock, by_work = whole.within(60), whole.having_worked(60)
    clock[0], worked[0] = 61.0, 20.0
    assert by_clock.here and not by_work.here
    worked[0] = 61.0
    assert by_work.here
    clock[0] = 59.0  # two processors at once: the clock has not come so far
    assert not by_work.here


def test_what_came_near_and_was_not_integrated_has_no_probability(dying, monkeypatch):
    monkeypatch.setattr("kinetlib.answers.weighing._integrated", lambda one, seed, ending: None)
    asked = [GRAMMAR.of(name) for name in ("M1", "M9")]
    found = {one.name for one in weighed(observations(dying, SPECIES), asked)}
    assert "M9" not in found, "it fits best, and there was no time for its evidence"


def test_weights_with_a_heavy_tail_are_drawn_again_until_they_can_be_trusted(dying, monkeypatch):
    data, asked, efforts = observations(dying, SPECIES), [GRAMMAR.of("M9")], []
    (expected,) = weighed(data, asked)

    def missing_a_part(problem, centres, rng, effort):
        efforts.append(effort)
        found = sampling.drawn(problem, centres, rng, effort)
        off = {"pareto": 0.9, "log_evidence": found.log_evidence - 4}
        return replace(found, **off) if len(efforts) == 1 else found

    monkeypatch.setattr(weighing, "drawn", missing_a_part)
    (found,) = weighed(data, asked)
    assert found.log_evidence == pytest.approx(expected.log_evidence, abs=0.3)
    assert len(efforts) == 2 and efforts[1].draws > efforts[0].draws


def test_a_mechanism_that_cannot_be_simulated_leaves_the_others(dying, monkeypatch):
    search = weighing.search

    def fails(problem, *given, **options):
        if len(problem.network.constants) == 5:
            raise ValueError("could not be simulated")
        return search(problem, *given, **options)

    monkeypatch.setattr(weighing, "search", fails)
    asked = [GRAMMAR.of(name) for name in ("M1", "M9")]
    assert [one.name for one in weighed(observations(dying, SPECIES), asked)] == ["M1"]
    with pytest.raises(ValueError, match="could not be simulated"):
        weighed(observations(dying, SPECIES), asked[1:])


def test_one_species_alone_is_not_all_catalyst():
    assert sight._carries("cat + catS") and not sight._carries("cat")
    assert not sight._carries("cat + P")


def test_what_does_not_explain_the_runs_is_never_said_to_be_it(dying):
    """Nothing is stated of runs that no mechanism explains, but of what comes nearest."""
    found = weighed(observations(dying, SPECIES), [GRAMMAR.of("M1")])
    misfit = Misfit(chi_squared=4.0, size=1e-6, signs=1.0, replicas=1.0)
    fit = SimpleNamespace(misfit=misfit, explains=False, constants={})
    best = Possible(found[0], 1.0, fit)
    said = sentences(
        Answer({"M1": 1.0}, features([best]), (best,), ("M1",), False, None, False, ("a",))
    )
    assert said[0].startswith("None of the mechanisms weighed explains these runs")
    assert not any("It is" in line or "explained:" in line for line in said)


@pytest.mark.slow
def test_an_answer_holds_together(dying):
    found = answer(dying, catalogue_is="closed", seconds=600)
    shares = [one.probability for one in found.mechanisms]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(1)
    assert sum(found.probabilities.values()) == pytest.approx(1)
    assert found.features["deactivation"] > 0.9 and "M9" in found.members
    assert found.explains and found.mechanisms[0].fit
    assert sentences(found)[0].startswith("The catalyst dies (")


def test_every_mechanism_is_shown_the_same_values(dying):
    data = observations(dying, SPECIES)
    first, second = data.shows
    with_living = type(data)(
        data.time, data.values, (first, {LIVING: 1.0}), data.starts, data.columns, data.runs
    )
    for name in ("M3", "M6", "M9"):
        own = shown_to(with_living, mechanisms.get(name))
        assert own.shows[0] == first and SECOND not in own.starts
        assert set(own.shows[1]) <= set(mechanisms.get(name).network.species)
        assert np.array_equal(own.values, data.values, equal_nan=True)
    assert shown_to(with_living, mechanisms.get("M3")).shows[1]["cat2"] == 2
    assert second == {"P": 1.0}
    assert seen(dying).shows == data.shows


def test_replicates_that_rounding_made_alike_do_not_speak_for_another_mechanism():
    rng = default_rng(10)
    times = np.repeat([1.0, 2, 4, 6, 9, 12, 16, 22, 30], 3)
    starts = {"S": np.array([1, 1, 1, 0.6]), "cat": np.array([0.05, 0.025, 0.1, 0.05])}
    run = kinetlib.simulate(
        "M1",
        rate_constants={"k1": 39.0, "k-1": 1.6, "k2": 12.0, "k-2": 1e-3},
        initial=starts,
        times=np.concatenate([[0.0], np.unique(times)]),
    )
    exact = np.repeat(run.concentration.sel(species=["S", "P"]).values[:, 1:], 3, axis=1)
    values = np.round(exact * (1 + 0.01 * rng.standard_normal(exact.shape)), 4)
    shows = ({"S": 1.0}, {"P": 1.0})
    data = table(
        np.tile(times, (4, 1)), values, shows, {**starts, "P": np.zeros(4)}, columns=["S", "P"]
    )
    assert data.steps == pytest.approx([1e-4, 1e-4])
    first, second = weighed(data, [GRAMMAR.of("M1"), GRAMMAR.of("M2")])
    assert first.log_evidence > second.log_evidence + 2
