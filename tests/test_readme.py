"""README and page of results say what the committed records say; on speed: test_speed_page."""

import json
from pathlib import Path

import numpy as np
import pytest

from kinetlib.chapters import facts

ROOT = Path(__file__).parents[1]


def words(path):
    return " ".join((ROOT / path).read_text(encoding="utf-8").split())


@pytest.fixture(scope="module")
def text():
    return words("book/outcomes.md")


def test_the_readme_has_the_facts_of_the_records_and_is_short():
    readme = words("README.md")
    for told in (*facts.facts(), facts.limits()):
        assert told in readme
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 90


def test_every_claim_has_a_verdict():
    header, rule, *rows = facts.claims().splitlines()
    assert len(rows) >= 10
    assert {row.count("|") for row in (header, rule, *rows)} == {header.count("|")}
    assert all(cell.strip() for row in rows for cell in row.strip("| ").split("|"))


def record(name):
    return json.loads((ROOT / f"data/studies/{name}.json").read_text(encoding="utf-8"))


def share(measure):
    return f"({100 * measure['low']:.0f} to {100 * measure['high']:.0f} %)"


def test_the_best_possible_answer(text):
    limit = record("limit")
    right, n = limit["right"], len(limit["samples"])
    assert limit["noise"] == 0.01
    named = f"at 1 % noise {100 * right['value']:.0f} % of {n} samples named right {share(right)}"
    assert named in text


def test_how_the_fusions_compare(text):
    recipes = record("recipes")
    variants = recipes["variants"]
    assert recipes["passes"] == 500_000 and "budgets of half a million sample passes" in text
    assert len(variants["hadamard"]["seeds"]) == 3
    worse = ["average", "attention", "gate"]
    assert all(variants[name]["less_hadamard"]["high"] < 0 for name in worse)
    assert f"{worse[0]}, {worse[1]} and {worse[2]} are all worse than Hadamard" in text


def test_how_far_the_hadamard_network_gets(text):
    networks = record("fusions")["networks"]["hadamard"]
    few, many = (
        [one["test"]["0"]["top_1"] for one in networks[budget].values()]
        for budget in ("3 million", "20 million")
    )
    low, middle, high = sorted(f"{100 * one['value']:.1f}" for one in few)
    assert f"names {middle} % on a test like ours" in text
    assert f"({low}, {middle} and {high} % by seed)" in text
    (one,) = many
    told = "{:.1f} % ({:.1f} to {:.1f}, one seed)".format(
        *(100 * one[key] for key in ("value", "low", "high"))
    )
    assert told in text


def test_how_often_evidence_and_network_name_the_mechanism(text):
    study = record("answers")
    published, *others = study["priors"].values()

    def named(one):
        return round(one["right"]["value"] * one["reactions"])

    evidence, network = published["evidence"], published["network"]
    assert study["noise"] == 0.01
    assert f"of {evidence['reactions']} simulated reactions" in text
    assert (
        f"the evidence named {named(evidence)} {share(evidence['right'])} and the released network "
        f"{named(network)} {share(network['right'])}"
    ) in text
    told = [" and ".join(str(named(one[by])) for one in others) for by in ("evidence", "network")]
    assert f"from two other priors {told[0]}, and the network {told[1]}" in text


def test_what_chosen_crystals_are_worth(text):
    study = record("zirconium")["4"]
    place = study["sizes"].index(40)

    def worth(test):
        return study["equivalents"]["energies"][test]["energy"]["i_greedy"][place]

    value, low, high = worth("T1")
    assert f"{value:.1f} times as many random ones ({low:.1f} to {high:.1f})" in text
    value, low, high = worth("T3")
    assert f"{value:.1f} times ({low:.1f} to {high:.1f}) beyond it" in text
    assert study["pools"] == 10 and "(ten pools)" in text
    orders = {size: study["spearman"][size]["mean_variance"]["value"] for size in ("all", "40")}
    assert f"(Spearman {orders['all']:.2f}), hardly sets of one size ({orders['40']:.2f})" in text


def test_what_chosen_samples_are_worth(text):
    study = record("training_design")
    kernel, network = (study[name]["against"]["i_greedy"] for name in ("kernel", "network"))
    few = {key: 500 * kernel["500"]["equivalent"][key] for key in ("value", "low", "high")}
    value, low, high = (f"{5 * round(few[key] / 5):,}" for key in ("value", "low", "high"))
    assert f"what {value} ({low} to {high}) random ones do" in text
    assert f"at 4,000 the factor is {kernel['4000']['equivalent']['value']:.1f}" in text
    large = study["large"]
    assert 20 * large["settings"]["pool_sets"] == 50_000
    most = large["kernel"]["against"]["i_greedy"]["16000"]["equivalent"]
    assert "out of 50,000, {value:.1f} ({low:.1f} to {high:.1f})".format(**most) in text
    difference = network["700"]["more"]
    assert (difference["size"], difference["replicates"]) == (1000, 10)
    assert difference["test_cross_entropy"]["high"] < 0
    low, high = (network["1400"]["more"]["test_cross_entropy"][key] for key in ("low", "high"))
    assert low < 0 < high and "not decided for 1,400" in text
    curves = study["network"]["curves"].values()
    top = [100 * row["test_top_1"]["value"] for by_size in curves for row in by_size.values()]
    assert f"right in {min(top):.0f} to {max(top):.0f} % of cases" in text


def test_what_planned_experiments_tell(text):
    made = record("experiment_design")["networks"]["released"]["comparison"]["0.01"]
    top = {name: measures["top_1"] for name, measures in made.items()}
    planned = {key: 100 * top["information, 7 points"][key] for key in ("value", "low", "high")}
    assert "in {value:.1f} % ({low:.1f} to {high:.1f}), unplanned".format(**planned) in text
    few, many = (100 * top[f"unplanned, {n} points"]["value"] for n in (7, 21))
    assert f"unplanned ones in {few:.1f} %, and in {many:.1f} % with 21 samples" in text


def test_how_often_reactions_are_found(text):
    study = record("crnn")["settings"]

    def made(setting, method="discover"):
        return study[setting]["methods"][method]

    first, random, sindy = made("B1"), made("drawn"), made("drawn", "weak SINDy")
    right = round(first["exact"]["value"] * first["seeds"])
    assert f"in {right} of {first['seeds']} sets of runs {share(first['exact'])}" in text
    assert f"constants within {np.ceil(1000 * first['errors']['largest']) / 10:.1f} %" in text
    assert f"at {first['processor_seconds']['median']:.0f} s of processor time each" in text
    cold = made("B1", "discover, compiling")["processor_seconds"]["median"]
    assert f"{cold:.0f} s with nothing compiled before" in text
    others = [made(name) for name in ("B2", "B3", "B4")]
    assert all(one["exact"]["value"] == 1 for one in others)
    biodiesel, cascade, reversible = (one["seeds"] for one in others)
    assert f"in all of {biodiesel} and {cascade} sets" in text
    levels = [study[name]["noise"] for name in ("B2", "B3", "B4", "drawn")]
    assert levels == [0.05, 0.05, 0.001, 0.05]
    assert f"the reversible case at 0.1 % noise in all of {reversible};" in text
    drawn = round(random["equivalent"]["value"] * random["seeds"])
    assert f"of {random['seeds']} networks drawn at random {drawn}, up to" in text
    assert f"equal curves {share(random['equivalent'])}" in text
    assert f"in {100 * sindy['same_terms']['value']:.0f} % of the first {sindy['seeds']}." in text
    recipe = made("B1", "published recipe")
    hits = round(recipe["exact"]["value"] * recipe["seeds"])
    assert f"published training, rounded, in {hits} of {recipe['seeds']}." in text


def test_which_stand_ins_are_found(text):
    searches = {one["truth"]: one for one in record("higher_order")["search"] if one["noise"]}
    for truth in ("3 A -> B", "2 A + B -> C"):
        assert [min(places) for places in searches[truth]["places"]] == [1] * 20
        assert (
            f"in 20 of 20 sets of curves with 1 % noise each {share(searches[truth]['found'])}"
            in text
        )
        assert f"in {searches[truth]['seconds']:.0f} s in the median" in text
    missed = searches["A + 2 B -> 3 B"]
    assert missed["right_law"]["value"] == 1
    assert (
        f"among the first three in {missed['found']['hits']} of {missed['found']['n']} only" in text
    )


def test_what_the_released_network_does(text):
    clean = json.loads((ROOT / "data/models/runset.json").read_text(encoding="utf-8"))["test"]
    clean = clean["published design, 7 points, 0 % noise"]
    cells = ["{value:.1f} ({low:.1f} to {high:.1f})"] * 2
    top = [{k: 100 * v for k, v in clean[name].items()} for name in ("top_1", "top_3")]
    first, third = (cell.format(**one) for cell, one in zip(cells, top, strict=True))
    assert f"on the test of its card | {first} | none | {third} |" in text


def test_how_many_runs_and_rows_are_read():
    page, study = words("book/your_data.md"), record("reading")

    def told(measure):
        return "{:.0f} % {} ({:.0f} to {:.0f} %)".format(
            100 * measure["value"], "{}", 100 * measure["low"], 100 * measure["high"]
        )

    many = study["runs"]["all at once"]["right"]
    assert "named " + told(many).format("rightly from all runs at once") in page
    long = study["rows"]["four times as long"]
    assert "named " + told(long["all rows"]["right"]).format("rightly from all rows") in page
    assert told(long["until the end"]["right"]).format("without these") in page
    held = [f"{100 * long[rows]['held']['value']:.0f} %" for rows in ("all rows", "until the end")]
    assert f"held the true mechanism in {held[0]} and in {held[1]}" in page
