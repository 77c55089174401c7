"""Files appear whole or not at all."""

import os

import pytest

from kinetlib.records.files import replacing, sweep, unfinished, write_text


def test_a_file_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    path = tmp_path / "kept.txt"
    write_text(path, "old")
    with pytest.raises(RuntimeError, match="halfway"), replacing(path) as beside:
        beside.write_text("half")
        raise RuntimeError("halfway")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_swept_and_no_more(tmp_path):
    dead = next(pid for pid in range(4_000_000, 5_000_000) if not _runs(pid))
    names = ["a-1.nc", "b.txt"]
    for name in names:
        (tmp_path / name).touch()
        for process in (dead, os.getpid()):
            (tmp_path / unfinished(name, process)).touch()
    sweep(tmp_path, "a-*.nc")
    assert not (tmp_path / unfinished("a-1.nc", dead)).exists()
    assert len(list(tmp_path.iterdir())) == 5


def _runs(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
