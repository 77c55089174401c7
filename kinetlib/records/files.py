"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Name a file to be written beside `path`; it takes the place of `path` unless an error comes.

    Its name, `unfinished`, holds process and machine, so that two writers never share one, and ends
    as `path` does, for libraries that choose a format by it.

    Examples
    --------
    >>> from pathlib import Path
    >>> path = Path(getfixture("tmp_path"), "answer.txt")
    >>> with replacing(path) as beside:
    ...     _ = beside.write_text("42", encoding="utf-8")
    >>> path.read_text(encoding="utf-8")
    '42'
    """
    beside = path.with_name(unfinished(path.name, os.getpid()))
    try:
        yield beside
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, UTF-8, whole or not at all; its folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        beside.write_text(text, encoding="utf-8")


def refuse_unwritable(path: Path, option: str) -> None:
    """Refuse a name that nothing can be written to, before anything is computed.

    Parameters
    ----------
    path
        Of a file or folder that is to be made; folders above it that are missing are made, too.
    option
        What named it, for the message.

    Raises
    ------
    ValueError
        Where a folder above it cannot be written, or is no folder.
    """
    above = path.absolute().parent
    while not os.path.lexists(above):
        above = above.parent
    if not above.is_dir():
        raise ValueError(f"{option} {path}: {above} is no folder; give another place")
    if not os.access(above, os.W_OK | os.X_OK):
        raise ValueError(f"{option} {path}: the folder {above} cannot be written; give another")


def unfinished(name: str, process: int | str) -> str:
    """Name of the file that a process of this machine writes before it is called `name`."""
    return f".part-{process}-{platform.node()}-{name}"


def sweep(folder: Path, pattern: str) -> None:
    """Remove what processes of this machine left of files like `pattern` when they were killed."""
    for path in folder.glob(unfinished(pattern, "*")):
        if not psutil.pid_exists(int(path.name.split("-")[1])):
            path.unlink(missing_ok=True)
