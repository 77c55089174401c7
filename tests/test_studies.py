"""The command line of the studies: all are listed, have their record, and refuse alike."""

import json
import pickle
from pathlib import Path

import pytest

from kinetlib.records import files
from studies import __main__ as command
from studies.__main__ import STUDIES, main, module_of, record_of

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A place for pieces, in the checkout."""
    monkeypatch.chdir(ROOT)
    return tmp_path


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_is_listed_has_its_record_and_refuses_other_settings(name, folder, capsys):
    assert main([]) == 0
    (line,) = (one for one in capsys.readouterr().out.splitlines() if one.startswith(f"{name} "))
    record = record_of(name)
    assert record is None or (record in line and (ROOT / "data/studies" / record).is_file())

    piece = next(iter(module_of(name).pieces(folder)))
    made = {"name": piece.name, "settings": {**piece.settings, "seed": "other"}}
    path = piece.path(folder)
    files.write_text(path, json.dumps({**made, "value": {}, "made_with": {"commit": ""}}))
    for words in ([], ["summary"] if record else []):
        assert main([name, *words, "--folder", str(folder)]) == 2
        told = capsys.readouterr()
        assert f"{path} was made under other settings: seed is 'other' there" in told.err
        assert told.err.count("\n") == 1
    assert [one for one in folder.rglob("*") if one.is_file()] == [path]


@pytest.mark.parametrize("name", STUDIES)
def test_no_two_pieces_share_a_file_and_other_processes_can_make_them(name, folder):
    pieces = list(module_of(name).pieces(folder))
    assert len({piece.path(folder) for piece in pieces}) == len(pieces)
    again = pickle.loads(pickle.dumps(pieces))
    assert [piece.key for piece in again] == [piece.key for piece in pieces]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["limt"], "unknown study 'limt': expected one of limit, recipes, "),
        (["limit", "M21"], "unknown part 'M21': expected some of samples, M1, "),
        (["discovery", "B9"], "unknown part 'B9': expected some of B1, discover, oracle, "),
        (["limit", "summary"], "0 of 200 pieces are in "),
        (["estimation_design", "summary"], "0 of 20 pieces are in "),
        (["release", "summary"], "release has no record"),
    ],
)
def test_wrong_words_are_one_line_that_lists_the_right_ones(words, told, folder, capsys):
    assert main([*words, "--folder", str(folder)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {told}") and error.count("\n") == 1


def test_an_interrupted_study_says_how_it_goes_on(folder, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "compute", interrupt)
    assert main(["limit", "--folder", str(folder)]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_the_pieces_are_told_and_put_together_beside_them_or_in_place(folder, monkeypatch, capsys):
    asked = ["discovery", "B1few", "oracle", "--folder", str(folder / "pieces")]
    assert main([*asked, "--first", "1", "--most", "2"]) == 0
    told = capsys.readouterr().out
    assert "1 of 2: B1few/oracle-1, exact" in told and "2 of 2: B1few/oracle-2, exact" in told
    assert main(["discovery", "summary", "--folder", str(folder / "pieces")]) == 0
    record = json.loads((folder / "pieces" / "crnn.json").read_text())
    assert record["settings"]["B1few"]["methods"]["oracle"]["seeds"] == 2
    monkeypatch.setattr(command, "PLACE", folder)
    assert main(["discovery", "summary", "--record", "--folder", str(folder / "pieces")]) == 0
    assert json.loads((folder / "crnn.json").read_text())["settings"] == record["settings"]
