"""When a long answer ends: after a time, or as soon as somebody asks for it."""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Ending:
    """Tells those who work whether to begin anything more.

    Parameters
    ----------
    seconds
        From now until the end; infinite by default.
    """

    def __init__(self, seconds: float = math.inf) -> None:
        self._end = time.monotonic() + seconds
        self._worked = -math.inf
        self._asked = threading.Event()

    def within(self, seconds: float) -> Ending:
        """Return the ending of a part of the work: so many seconds from now, or when asked for."""
        part = Ending(min(seconds, self._end - time.monotonic()))
        part._asked = self._asked
        return part

    def having_worked(self, seconds: float) -> Ending:
        """Return the ending of a part that has had so many seconds of a processor by then.

        On a busy machine that is later than by the clock: what can be done does not depend on it.
        """
        part = self.within(seconds)
        part._worked = time.process_time() + seconds
        return part

    def ask(self) -> None:
        """Begin nothing more, here and in every part."""
        self._asked.set()

    @property
    def asked(self) -> bool:
        """Whether somebody asked for it."""
        return self._asked.is_set()

    @property
    def here(self) -> bool:
        """Whether nothing more should be begun."""
        over = time.monotonic() > self._end and time.process_time() > self._worked
        return self.asked or over


@contextmanager
def interruptible(told: Callable[[], None] = lambda: None) -> Iterator[Ending]:
    """Let the first Ctrl-C ask for the end, and the second interrupt as usual.

    Outside the main thread, where no signal arrives, nothing is changed.
    """
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return
    before = signal.getsignal(signal.SIGINT)

    def asked(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, before)
        ending.ask()
        told()

    if before not in (None, signal.SIG_IGN):
        signal.signal(signal.SIGINT, asked)
    try:
        yield ending
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
