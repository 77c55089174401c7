"""What a chemist knows beforehand, a network of one's own, and time."""

import json

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner
from numpy.random import default_rng
from test_crnn import case_1, runs_of, same

from kinetlib.cli import main
from kinetlib.crnn import Constraints, discover, with_hidden
from kinetlib.crnn.constraints import reactions
from kinetlib.crnn.library import Library
from kinetlib.crnn.runs import read

NAMES = ("4-bromoanisole", "PhB(OH)2", "4-MeO-biphenyl", "H2O2", "H2O", "O2")
CHAIN, K = "A -> B (k1); B -> A (k2); B -> C (k3)", (0.5, 0.2, 0.3)


def chain(seed=0, noise=0.02):
    rng = default_rng(seed)
    initial = {"A": rng.uniform(0.4, 1.2, 5), "B": rng.uniform(0, 0.3, 5)}
    return runs_of(CHAIN, K, initial, np.linspace(0, 8, 25), noise, seed)


def test_reactions_are_read_with_the_names_of_the_columns():
    (one,) = reactions("4-bromoanisole + PhB(OH)2 -> 4-MeO-biphenyl (k1 = 0.004)", NAMES)
    assert one.reactants.tolist() == [1, 1, 0, 0, 0, 0] and one.net.tolist() == [-1, -1, 1, 0, 0, 0]
    assert one.constant == 0.004
    both = reactions("2 H2O2 <=> 2 H2O + O2 (3, 0.5)  # a remark\nH2O2 → H2O + 1/2 O2", NAMES)
    assert [each.constant for each in both] == [3.0, 0.5, None]
    assert both[1].net.tolist() == (-both[0].net).tolist()
    assert both[2].net.tolist() == [0, 0, 0, -1, 1, 0.5]
    (names,) = reactions("4-bromoanisole -> 2 PhB(OH)2", NAMES)
    assert names.net.tolist() == [-1, 2, 0, 0, 0, 0] and names.constant is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("A + Z -> B", "expected a species at 'Z'"),
        ("A B", "expected one arrow"),
        ("A -> A", "nothing would happen"),
        ("1/2 A -> B", "whole numbers of molecules react"),
        ("A -> B (k = -1)", "above 0"),
        ("", "no reaction in the text"),
        ("A -> 2", "expected a species at 'the end'"),
    ],
)
def test_what_is_no_reaction_is_refused(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        reactions(text, ("A", "B"))


def test_constraints_change_the_library():
    species = ("A", "B", "C", "cat")
    library = Library.all(species, 2)
    asked = Constraints(
        require=("3 A -> B (k = 2)", "A -> C"),
        forbid=("A -> B",),
        catalysts=("cat",),
    )
    left, required = asked.applied(library)
    texts = [left.equation(one) for one in range(len(left))]
    assert "A -> B" not in texts and texts.count("A -> C") == 1
    assert {texts[one]: constant for one, constant in required.items()} == {
        "3 A -> B": 2.0,
        "A -> C": None,
    }
    assert not left.net[:, 3].any()
    # Other units: k [A]^3 with concentrations in tenths and times in halves.
    _, scaled = asked.in_units(0.5, 0.1).applied(library)
    assert scaled[len(left) - 1] == pytest.approx(2.0 * 0.5 * 0.1**2)
    back = left.reverse()
    assert all(back[other] == one for one, other in back.items())


@pytest.mark.parametrize(
    ("asked", "complaint"),
    [
        (Constraints(catalysts=("Z",)), "'Z' is no species"),
        (Constraints(constant=("A", "B", "C")), "no reaction is left"),
        (Constraints(require=("A -> B",), forbid=("A -> B",)), "both required and forbidden"),
    ],
)
def test_constraints_that_make_no_sense_are_refused(asked, complaint):
    with pytest.raises(ValueError, match=complaint):
        discover(chain(), 3, constraints=asked)


def test_what_is_known_is_kept_and_not_fitted():
    asked = Constraints(require=("B -> A (k = 0.2)", "C -> A"), forbid=("B -> 2 C",))
    found = discover(chain(), 4, max_order=1, constraints=asked, starts=1)
    at = {text: number for number, text in enumerate(found.equations)}
    assert {"A -> B", "B -> A", "B -> C", "C -> A"} == set(at)
    assert found.rate_constants[at["B -> A"]] == pytest.approx(0.2, rel=1e-9)
    assert found.standard_errors[at["B -> A"]] == 0
    assert found.rate_constants[at["C -> A"]] < 0.02
    assert found.rate_constants[at["A -> B"]] == pytest.approx(0.5, rel=0.03)


def test_one_way_no_reaction_has_its_reverse():
    found = discover(chain(), 5, max_order=1, constraints=Constraints(one_way=True), starts=1)
    sides = {tuple(text.split(" -> ")) for text in found.equations}
    assert not any(one[::-1] in sides for one in sides)


@pytest.fixture(scope="module")
def compared():
    return {
        text: discover(chain(), 3, max_order=1, own=text, starts=1).own
        for text in ("A <=> B; B -> C", "A -> C", "A <=> B; B -> C; C -> A; B + C -> A + C")
    }


def test_a_network_of_ones_own_is_fitted_beside(compared):
    right, wrong, long = compared.values()
    assert abs(right.worse) < 0.1 and right.chi_squared == pytest.approx(1, abs=0.3)
    assert "do not tell it" in right.verdict and "A -> B  k = 0.5" in right.text
    assert wrong.chi_squared > 10 and wrong.verdict.startswith("Not possible")
    assert long.worse > 6 and long.verdict.startswith("Possible by its residuals")


def test_names_of_columns_stay_as_they_are():
    runs = chain().assign_coords(species=["4-Br (A)", "2 H+", "ß-C"])
    assert read(runs).species == ("4-Br (A)", "2 H+", "ß-C")
    found = discover(runs, 3, max_order=1, starts=1)
    assert set(found.equations) == {"4-Br (A) -> 2 H+", "2 H+ -> 4-Br (A)", "2 H+ -> ß-C"}
    with pytest.raises(ValueError, match="two species are called"):
        read(chain().assign_coords(species=["A", "A ", "C"]))


def test_the_time_that_is_given_is_kept():
    with pytest.raises(ValueError, match="in 0.001 seconds nothing was found"):
        discover(case_1(0), 6, seconds=0.001)
    with pytest.raises(ValueError, match="a time above 0"):
        discover(case_1(0), 6, seconds=0)


def test_an_answer_out_of_time_says_so_and_what_is_done_is_told(monkeypatch):
    from kinetlib.crnn import clock

    told = []
    ends = iter([False] * 40 + [True] * 10_000)

    def tick(self):
        if self._end is not None and told[1:] and next(ends):
            raise clock.TimeUp

    monkeypatch.setattr(clock.Clock, "tick", tick)
    found = discover(chain(), 3, max_order=1, seconds=100, progress=told.append)
    assert not found.complete
    assert told[0].startswith("start 1")


@pytest.mark.slow
def test_two_hidden_species_are_found_by_what_is_conserved():
    """Nobody saw enzyme and complex; how much enzyme there was is known."""
    text, constants = "S + E -> ES (k1); ES -> P + E (k2)", (1.5, 0.8)
    initial = {"S": np.array([0.5, 1.0, 1.5, 2.0]), "E": np.full(4, 0.5)}
    whole = runs_of(text, constants, initial, np.linspace(0, 8, 40), 0.01, 4)
    runs = xr.Dataset({"concentration": whole.concentration.sel(species=["S", "P"])})
    runs = with_hidden(with_hidden(runs, "E", 0.5), "ES")
    found = discover(runs, 3)
    same(found, text, constants, 0.1)
    assert any("E + ES" in one or "ES + E" in one for one in found.remarks)


def test_the_command_line_takes_what_is_known(tmp_path):
    runs = chain().isel(run=[0, 1])
    lines = ["run,time,A,B,C"]
    for run in range(2):
        for at, time in enumerate(runs.time.values):
            values = ",".join(f"{v:.5f}" for v in runs.concentration.values[run, at])
            lines.append(f"{run},{time:.5f},{values}")
    path, mine = tmp_path / "chain.csv", tmp_path / "mine.txt"
    path.write_text("\n".join(lines), encoding="utf-8")
    mine.write_text("A -> B\nB -> C\n", encoding="utf-8")
    given = [
        "discover",
        str(path),
        "--max-order",
        "1",
        "--reactions",
        "3",
        "--require",
        "A -> B",
        "--json",
    ]
    done = CliRunner().invoke(main, [*given, "--mine", str(mine), "--seconds", "100"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["complete"] and found["sums"] and len(found["own"]["reactions"]) == 2
    assert found["decided"] == (not found["doubts"])
    done = CliRunner().invoke(main, [*given[:-1], "--mine", "A -> Z"])
    assert done.exit_code == 2 and "expected a species at 'Z'" in done.stderr
    done = CliRunner().invoke(main, [*given[:-1], "--formula", "A"])
    assert done.exit_code == 2 and "expected SPECIES=FORMULA" in done.stderr
