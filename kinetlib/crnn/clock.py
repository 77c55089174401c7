"""How long a search may take, and what it says meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable


class TimeUp(KeyboardInterrupt):
    """The time is over: as if someone had interrupted, the best so far counts."""


class Clock:
    """Ends a search when its time is over, and tells what it does.

    Parameters
    ----------
    seconds
        Its time; None for no end.
    told
        Called with a few words; None for silence.

    Raises
    ------
    ValueError
        If the time is no positive number.
    """

    def __init__(self, seconds: float | None, told: Callable[[str], None] | None = None) -> None:
        if seconds is not None and not seconds > 0:
            raise ValueError(f"seconds: expected a time above 0, got {seconds!r}")
        self._end = None if seconds is None else time.monotonic() + seconds
        self._told = told

    def tick(self) -> None:
        """End the search if its time is over."""
        if self._end is not None and time.monotonic() > self._end:
            raise TimeUp

    def stop(self) -> None:
        """Let what follows come to its end."""
        self._end = None

    def tell(self, words: str) -> None:
        """Say what is being done."""
        if self._told is not None:
            self._told(words)
