"""Keep what TensorFlow's C++ writes while it loads off terminals and pages."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

# 3 hides even "no GPU here", which TensorFlow counts as an error; what fails still raises.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def set_environment() -> None:
    """Ask TensorFlow for silence, unless the user has asked for something else."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def native_logs() -> Iterator[None]:
    """Hold back what is written to the file descriptor of standard error; shown if work fails.

    TensorFlow writes some lines before it reads its environment, past Python's own streams, so
    nothing less reaches them.
    """
    set_environment()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held, os.fdopen(os.dup(2), "wb") as standard_error:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            standard_error.write(held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(standard_error.fileno(), 2)
