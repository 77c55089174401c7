"""Keep what compiled libraries write while they load or work off terminals and pages."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

# 3 hides even "no GPU here", which TensorFlow counts as an error; what fails still raises.
ENVIRONMENT = {"TF_CPP_MIN_LOG_LEVEL": "3"}


def set_environment() -> None:
    """Ask TensorFlow for silence, unless the user has asked for something else."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


@contextmanager
def native_logs(*descriptors: int) -> Iterator[None]:
    """Hold back what is written to file descriptors of the process; shown if work fails.

    TensorFlow writes some lines before it reads its environment, SUNDIALS a line for each warning,
    all past Python's own streams, so nothing less reaches them.

    Parameters
    ----------
    *descriptors
        1 for standard output, 2 for standard error; by default the latter.
    """
    set_environment()
    _flush()
    with ExitStack() as stack:
        streams = []
        for descriptor in descriptors or (2,):
            held = stack.enter_context(tempfile.TemporaryFile())
            stream = stack.enter_context(os.fdopen(os.dup(descriptor), "wb"))
            os.dup2(held.fileno(), descriptor)
            streams.append((descriptor, stream, held))
        try:
            yield
        except BaseException:
            _flush()
            for _, stream, held in streams:
                held.seek(0)
                stream.write(held.read())
            raise
        finally:
            _flush()
            for descriptor, stream, _ in streams:
                os.dup2(stream.fileno(), descriptor)


def _flush() -> None:
    """Write out what Python's streams and those of C still keep."""
    sys.stdout.flush()
    sys.stderr.flush()
    ctypes.CDLL("msvcrt" if sys.platform == "win32" else None).fflush(None)


@contextmanager
def tensorflow_warnings() -> Iterator[None]:
    """Keep TensorFlow's warnings back, such as of a function compiled for each network anew."""
    logger = logging.getLogger("tensorflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def on_processor() -> Iterator[None]:
    """Let JAX compute on the processor, and not complain about a graphics card left alone."""
    import jax

    logger = logging.getLogger("jax._src.xla_bridge")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        processor = jax.local_devices(backend="cpu")[0]
    finally:
        logger.setLevel(level)
    with jax.default_device(processor):
        yield
