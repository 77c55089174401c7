"""One bad input and what became of it, in a process of its own that may be killed."""

from __future__ import annotations

import os
import re
import resource
import signal
import traceback
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from numpy.random import default_rng

from studies.attack.mutations import changed
from studies.attack.victims import VICTIMS

_BUSY = 20  # times as long by the clock
_POINTER = re.compile(r"\n +\^$")  # under the line of text that an error is about
SECONDS, MEMORY, LONGEST = 5, 1 << 30, 500  # a refusal takes no more, and has no more letters
ANSWERED, REFUSED = "answered", "refused"


def outcome(kind: str, seed: int) -> str:
    """Attack a reader once.

    Parameters
    ----------
    kind
        Of `VICTIMS`.
    seed
        Of what is drawn.

    Returns
    -------
    str
        `ANSWERED`, `REFUSED`, or what went wrong: an error that is no refusal and its place, a
        refusal of several lines or too many letters, a limit that was passed, a signal.
    """
    victim = VICTIMS[kind]
    rng = default_rng([seed, *kind.encode()])
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"input{victim.suffix}"
        path.write_bytes(changed(victim.good(), victim.suffix, rng))
        path.with_suffix(".keras").touch()  # the network that a card is beside
        return _in_a_process(lambda: victim.reads(path))


def _in_a_process(work: object) -> str:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # From 3.12 on Python warns of threads that a child does not have; readers need none.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os.close(reading)
        with os.fdopen(writing, "w", encoding="utf-8", errors="replace") as told:
            told.write(_judged(work))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        said = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        return f"more than {SECONDS} s" if name in ("SIGXCPU", "SIGALRM") else f"killed by {name}"
    return said or "ended without a word"


def _judged(work: object) -> str:
    """Do the work under its limits and say what came of it."""
    # Seconds of a processor: what a busy machine takes longer for is no fault of the reader.
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_BUSY * SECONDS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        work()
    except (ValueError, OSError) as error:
        return _refusal(str(error))
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {Path(place.filename).name}, {place.name}"
    return ANSWERED


def _refusal(said: str) -> str:
    if not said.strip():
        return "a refusal without a word"
    if said.count("\n") > (2 if _POINTER.search(said) else 0):
        return "a refusal of several lines"
    if len(said) > LONGEST:
        return f"a refusal of more than {LONGEST} letters"
    return REFUSED
