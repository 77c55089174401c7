"""Where the compendium lies on this machine, and which commit of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

MARKS = ("notebooks", "profiles")


def root(start: str | Path | None = None) -> Path:
    """Find the folder that holds ``notebooks/`` and ``profiles/``, looking upwards from `start`.

    Parameters
    ----------
    start : path, optional
        Where to begin; the working directory if not given.

    Raises
    ------
    ValueError
        If neither `start` nor a folder above it is a checkout of the compendium.
    """
    begin = Path(start or Path.cwd()).resolve()
    for folder in (begin, *begin.parents):
        if all((folder / mark).is_dir() for mark in MARKS):
            return folder
    raise ValueError(
        f"no folder with {' and '.join(f'{mark}/' for mark in MARKS)} at {begin} or above it: "
        "the chapters need a checkout of the repository, go into it (cd) and try again"
    )


def relative(path: str | Path, start: str | Path | None = None) -> str:
    """Write a path from the repository root on; only its name if it lies elsewhere."""
    absolute = Path(path).absolute()
    try:
        return absolute.relative_to(root(start)).as_posix()
    except ValueError:
        return absolute.name


def commit(start: str | Path | None = None) -> str | None:
    """Ask git for the commit, with ``-dirty`` if tracked files differ; None without git."""
    try:
        folder = root(start)
        head = _git(folder, "rev-parse", "HEAD")
        changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (ValueError, OSError, subprocess.SubprocessError):
        return None
    return f"{head}-dirty" if changes else head


def _git(folder: Path, *arguments: str) -> str:
    """Return what git prints when it is asked about `folder`."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout.strip()
