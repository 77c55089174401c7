"""Long work in pieces: whole or not there, made once, refused under other settings, spread."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from kinetlib.records import files
from kinetlib.records.pieces import Piece, Refused, chosen, compute, done, read, signed

ROOT = Path(__file__).parents[1]


def square(number):
    return {"square": number**2, "process": os.getpid()}


def fail(number):
    raise ArithmeticError(f"no square of {number}")


def says(value):
    return f"it is {value['square']}"


def squares(n, work=square, **settings):
    return [Piece(("squares", i, "x, y"), settings, partial(work, i), says) for i in range(n)]


def test_a_piece_is_read_as_it_was_made_and_says_by_what(tmp_path):
    told = []
    work = squares(3, depth=(1, 2.5), deep={"noise": 0.1})
    compute(tmp_path, work, progress=lambda *given: told.append(given))
    assert [path.name for path in sorted((tmp_path / "squares").iterdir())] == [
        *("0-x_y.json", "1-x_y.json", "2-x_y.json")
    ]
    made = done(tmp_path, work)
    assert [one.value["square"] for one in made.values()] == [0, 1, 4]
    assert list(made) == [("squares", i, "x, y") for i in range(3)]
    one = made["squares", 2, "x, y"]
    assert one.name == "squares/2-x_y" and one.settings == {
        "depth": [1, 2.5],
        "deep": {"noise": 0.1},
    }
    assert {"commit", "versions", "processor", "seconds"} <= set(one.made_with)
    assert told == [
        (0, 3, ""),
        *((i + 1, 3, f"squares/{i}-x_y, it is {i**2}, 0 s") for i in range(3)),
    ]


def test_what_is_made_is_not_made_again(tmp_path):
    compute(tmp_path, squares(2))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.json")}
    told = []
    compute(tmp_path, squares(3), progress=lambda *given: told.append(given))
    assert [given[0] for given in told] == [2, 3] and told[1][2].startswith("squares/2-")
    assert before.items() <= {path: path.read_bytes() for path in tmp_path.rglob("*.json")}.items()


def test_pieces_of_other_settings_are_refused_before_anything_is_made(tmp_path):
    compute(tmp_path, squares(1, deep={"noise": 0.1, "draws": 3}))
    other = squares(2, deep={"noise": 0.2, "draws": 3})
    words = (
        r"squares/0-x_y.json was made under other settings: deep.noise is 0.1 there, expected 0.2"
    )
    for ask in (compute, done, lambda folder, pieces: read(folder, pieces[0])):
        with pytest.raises(Refused, match=words):
            ask(tmp_path, other)
    assert len(list(tmp_path.rglob("*.json"))) == 1
    with pytest.raises(Refused, match="deep is .* there, expected 'nothing'"):
        compute(tmp_path, squares(1))


@pytest.mark.parametrize("text", ["", "{", "[1]", '{"square": 4}'])
def test_a_file_that_is_no_piece_is_refused(tmp_path, text):
    files.write_text(tmp_path / "squares" / "0-x_y.json", text)
    with pytest.raises(Refused, match="is not a piece of this work"):
        compute(tmp_path, squares(1))


def test_a_piece_that_fails_leaves_nothing_and_the_others_stay(tmp_path):
    work = [*squares(2), Piece(("squares", 2, "x, y"), {}, partial(fail, 2))]
    with pytest.raises(ArithmeticError, match="no square of 2"):
        compute(tmp_path, work)
    assert len(done(tmp_path, work)) == len(list((tmp_path / "squares").iterdir())) == 2


def test_so_many_have_to_be_there(tmp_path):
    with pytest.raises(Refused, match="0 of 3 pieces are in .*, squares/0-x_y is not"):
        done(tmp_path, squares(3))
    assert done(tmp_path, squares(3), least=0) == {}
    compute(tmp_path, squares(2))
    assert len(done(tmp_path, squares(3))) == 2
    with pytest.raises(Refused, match="2 of 3 pieces are in .*, squares/2-x_y is not"):
        done(tmp_path, squares(3), least=None)


@pytest.mark.slow
def test_processes_share_the_work_and_leave_what_is_alone_to_one(tmp_path):
    alone = Piece(("alone", 0), {}, partial(square, 7), alone=True)
    work = [*squares(4), alone]
    told = []
    compute(tmp_path, work, processes=2, progress=lambda *given: told.append(given))
    made = done(tmp_path, work, least=None)
    assert [one.value["square"] for one in made.values()] == [0, 1, 4, 9, 49]
    assert made["alone", 0].value["process"] == os.getpid()
    assert os.getpid() not in {made["squares", i, "x, y"].value["process"] for i in range(4)}
    assert [given[0] for given in told] == [*range(6)] and told[-1][2].startswith("alone/0")
    with pytest.raises(ArithmeticError):
        compute(tmp_path / "other", squares(3, fail), processes=2)


LONG = """
import os, signal, sys, time
from functools import partial
from pathlib import Path
from kinetlib.records import files
from kinetlib.records.pieces import Piece, compute

# What a shell runs in the background inherits that an interrupt is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

def slow(number):
    if number == 1 and len(sys.argv) > 2:
        # Half of a file, as it is while a piece is written.
        Path(sys.argv[1], "long", files.unfinished("1.json", os.getpid())).write_text("{")
        print("in the middle", flush=True)
        time.sleep(60)
    return number**2

if __name__ == "__main__":
    work = [Piece(("long", i), {}, partial(slow, i)) for i in range(3)]
    compute(Path(sys.argv[1]), work)
"""


@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGINT])
def test_killed_in_mid_piece_it_goes_on_to_the_same(tmp_path, by):
    script = tmp_path / "long.py"
    script.write_text(LONG)
    command = [sys.executable, str(script), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*command, "stop"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        assert running.stdout.readline() == b"in the middle\n"
        running.send_signal(by)
    place = tmp_path / "long"
    first = (place / "0.json").read_bytes()
    assert sorted(path.suffix for path in place.iterdir()) == [".json", ".json"]
    assert not (place / "1.json").exists()
    subprocess.run(command, env=environment, check=True)
    assert sorted(path.name for path in place.iterdir()) == ["0.json", "1.json", "2.json"]
    assert (place / "0.json").read_bytes() == first
    values = [json.loads(path.read_text())["value"] for path in sorted(place.iterdir())]
    assert values == [0, 1, 4]


def names(pieces):
    return [piece.name for piece in pieces]


def test_pieces_are_chosen_by_words_and_numbers():
    work = [
        Piece((part, method, seed), {}, partial(square, 0))
        for part in ("B1", "B1noise-0", "B1noise-0.5")
        for method in ("one", "one, other")
        for seed in range(3)
    ]
    assert names(chosen(work)) == names(work)
    assert names(chosen(work, ["B1"], 1, 1)) == ["B1/one-1", "B1/one_other-1"]
    assert names(chosen(work, ["B1", "B1noise"], 2)) == names(p for p in work if p.key[2] == 2)
    assert names(chosen(work, ["B1noise", "one"], 0, 1)) == ["B1noise-0/one-0", "B1noise-0.5/one-0"]
    assert chosen(work, first=3) == []
    with pytest.raises(Refused, match=r"unknown part 'B9': expected some of B1, one, one, other, "):
        chosen(work, ["B9"])
    mixed = [Piece(("evidence", 0, "one"), {}, fail), Piece(("network", "one"), {}, fail)]
    assert names(chosen(mixed, ["one"])) == ["evidence/0-one", "network/one"]


def test_a_record_names_the_commits_of_its_pieces(tmp_path):
    compute(tmp_path, squares(2))
    path = tmp_path / "squares" / "1-x_y.json"
    other = json.loads(path.read_text())
    other["made_with"]["commit"] = "an earlier one"
    path.write_text(json.dumps(other))
    made = done(tmp_path, squares(2))
    record = signed({"found": 1}, made.values())
    assert record["found"] == 1 and {"processor", "commit", "versions"} <= set(record)
    assert record["made_by"] == sorted({record["commit"], "an earlier one"})


@pytest.mark.slow
def test_interrupted_processes_end_at_once(tmp_path):
    script = tmp_path / "long.py"
    sharing = LONG.replace("Path(sys.argv[1]), work)", "Path(sys.argv[1]), work, processes=2)")
    script.write_text(sharing.replace("time.sleep(60)", "time.sleep(600)"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    (tmp_path / "long").mkdir()
    with subprocess.Popen(
        [sys.executable, str(script), str(tmp_path), "stop"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as running:
        assert running.stdout.readline() == b"in the middle\n"
        begun = time.monotonic()
        os.killpg(running.pid, signal.SIGINT)
        running.wait(30)
    assert time.monotonic() - begun < 30
    assert not (tmp_path / "long" / "1.json").exists()
