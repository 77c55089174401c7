"""Native log lines: held back, and shown where they explain a failure."""

import ctypes
import logging
import os

import pytest

from kinetlib.records import quiet


def test_native_lines_are_held_back(capfd):
    with quiet.native_logs():
        os.write(2, b"no GPU here\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_native_lines_are_shown_when_the_work_fails(capfd):
    with pytest.raises(RuntimeError, match="broken"), quiet.native_logs():
        os.write(2, b"library not found\n")
        raise RuntimeError("broken")
    assert capfd.readouterr().err == "library not found\n"


def test_the_users_own_setting_stays(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    quiet.set_environment()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"


def test_either_stream_can_be_held_back(capfd):
    libc = ctypes.CDLL(None)
    with quiet.native_logs(1, 2):
        os.write(2, b"a warning\n")
        libc.printf(b"kept by the C library until it is flushed\n")
    libc.printf(b"after\n")
    libc.fflush(None)
    assert capfd.readouterr() == ("after\n", "")


def test_warnings_of_tensorflow_are_back_afterwards(caplog):
    logger = logging.getLogger("tensorflow")
    before = logger.level
    with quiet.tensorflow_warnings():
        assert not logger.isEnabledFor(logging.WARNING) and logger.isEnabledFor(logging.ERROR)
    assert logger.level == before
