"""What made a result: parameters, commit, versions, time and memory.

A notebook ends with ``provenance.used()``; a file that a chapter writes carries
``provenance.attributes(...)``.
"""

from __future__ import annotations

import ast
import html
import json
import os
import platform
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from kinetlib.records import repository

PACKAGES = (
    *("kinetlib", "numpy", "scipy", "numba", "xarray", "keras", "tensorflow"),
    *("jax", "diffrax", "libroadrunner"),
)
NUMERICS = ("kinetlib", "numpy", "numba", "xarray")
RECORD_KEY = "kinetlib"

# Inherited colours, so that the table reads on light and on dark pages alike; on dark ones the
# theme paints a light card behind all HTML but a `dataframe`.
_CELL = (
    "color: inherit; background: transparent; "
    "text-align: left; vertical-align: top; padding: 0.3em 0.6em;"
)


@dataclass(frozen=True)
class Record:
    """What a notebook used up to now; shows itself as a table."""

    parameters: dict[str, Any]
    commit: str | None
    versions: dict[str, str]
    seconds: float
    peak_memory_mb: float

    def rows(self) -> list[tuple[str, str]]:
        """Return what the table says: a label and a value per row."""
        return [
            *((name, _shown(value)) for name, value in self.parameters.items()),
            ("commit", self.commit or "unknown, not a git checkout"),
            ("versions", ", ".join(f"{name} {number}" for name, number in self.versions.items())),
            ("wall time", f"{self.seconds:.1f} s"),
            ("peak memory", f"{self.peak_memory_mb:.0f} MB"),
        ]

    def __repr__(self) -> str:
        """Write the table as plain text."""
        width = max(len(label) for label, _ in self.rows())
        return "\n".join(f"{label:<{width}}  {value}" for label, value in self.rows())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict, dict]:
        """Offer the table to a notebook, and its content to programs that read the notebook.

        The content goes to the output's metadata: a MIME type of its own would be a warning, and
        so a failure, when the book is rendered.
        """
        content = json.loads(json.dumps(vars(self), default=str))
        data = {"text/plain": repr(self), "text/html": self._html()}
        return data, {RECORD_KEY: content}

    def _html(self) -> str:
        """Write the table as HTML, parameters in the typeface of code."""
        lines = []
        for label, value in self.rows():
            tag = "code" if label in self.parameters else "span"
            lines.append(
                '<tr style="background: transparent;">'
                f'<th scope="row" style="{_CELL} white-space: nowrap;">{html.escape(label)}</th>'
                f'<td style="{_CELL}"><{tag} style="color: inherit; background: transparent;">'
                f"{html.escape(value)}</{tag}></td></tr>"
            )
        return '<table class="dataframe">\n' + "\n".join(lines) + "\n</table>"


def used(**parameters: Any) -> Record:
    """Tell what this notebook used: the last cell of each chapter.

    Works under any runner: parameters are the names that the notebook's ``parameters`` cell
    annotates and assigns, with the values they have now.

    Parameters
    ----------
    **parameters
        What to list instead, for a session without such a cell.

    Raises
    ------
    ValueError
        If no parameters are given and none are found.
    """
    return Record(
        parameters=parameters or _notebook_parameters(),
        commit=repository.commit(),
        versions=versions(),
        seconds=round(_process_seconds(), 1),
        peak_memory_mb=round(peak_memory_mb(), 1),
    )


def attributes(**parameters: Any) -> dict[str, str]:
    """Return attributes for a file: commit, versions and `parameters`, as text.

    There is no time and no path among them (`results` is left out): the same work gives the
    same bytes.

    >>> attributes(seed=3)["parameter_seed"]
    '3'
    """
    numerics = ", ".join(f"{name} {number}" for name, number in versions(NUMERICS).items())
    return {
        "creator": "kinetlib",
        "commit": repository.commit() or "unknown",
        "versions": numerics,
        **{
            f"parameter_{name}": repr(value)
            for name, value in parameters.items()
            if name != "results"
        },
    }


def versions(packages: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Return the versions of Python and of those `packages` that are installed."""
    found = {"python": platform.python_version()}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def processor() -> str:
    """Name the processor and the widest vector registers it has, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return platform.processor() or platform.machine()
    told = dict(line.split(":", 1) for line in lines if ":" in line)
    told = {name.strip(): value.strip() for name, value in told.items()}
    flags = told.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2", "avx") if flag in flags), "")
    name = told.get("model name", platform.machine())
    return f"{name} ({widest.upper()})" if widest else name


def peak_memory_mb() -> float:
    """Return the most memory this process has held so far, in units of 10^6 bytes."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / 1e6
    import resource  # not on Windows

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _process_seconds() -> float:
    """Return the age of this process in seconds: in a notebook, the time since its kernel began."""
    import psutil

    return time.time() - psutil.Process().create_time()


def _notebook_parameters() -> dict[str, Any]:
    """Return the parameters of the running notebook with their present values."""
    shell = None
    if "IPython" in sys.modules:
        shell = sys.modules["IPython"].get_ipython()
    if shell is not None:
        for source in shell.user_ns.get("In", []):
            names = _annotated_names(source)
            if names:
                return _present(names, shell.user_ns)
    raise ValueError(
        "no `parameters` cell (annotated literals, `seed: int = 1`) has run here: "
        "run it, or name what to list, used(seed=seed)"
    )


def _shown(value: Any) -> str:
    """Write a value as in code, a path as its text."""
    return os.fspath(value) if isinstance(value, os.PathLike) else repr(value)


def _present(names: list[str], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Take those of `names` that still exist."""
    return {name: namespace[name] for name in names if name in namespace}


def _annotated_names(source: str) -> list[str]:
    """Return the names that a parameters cell sets; none if `source` holds anything else."""
    try:
        statements = ast.parse(source).body
    except SyntaxError:
        return []
    names = []
    for statement in statements:
        if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
            return []
        names.append(statement.target.id)
    return names
