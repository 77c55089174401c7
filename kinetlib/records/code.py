"""Which code a result was made by: the files behind a module or a notebook, read off its imports.

Nothing is imported, sources are parsed. A name that a package passes on counts as the module that
defines it, so that a room's ``__init__`` ties no results together.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from threading import Lock

#: Packages whose modules results come from.
PACKAGES = ("kinetlib", "studies")
#: Rooms that no number depends on.
IDLE = ("kinetlib.records", "kinetlib.chapters", "kinetlib.cli")
#: Figures: they make a page old, and no number.
FIGURES = ("kinetlib.plot",)
#: Where this checkout, or this installation, has its packages.
HOME = Path(__file__).resolve().parents[2]
# Python 3.11's parser counts its depth for all threads together.
_PARSER = Lock()


def sources(
    start: str | Path, *, without: Iterable[str] = (*IDLE, *FIGURES), home: str | Path = HOME
) -> list[Path]:
    """List the files that decide what a module or a notebook computes.

    Parameters
    ----------
    start
        Dotted name of a module, or path of a notebook.
    without
        Packages that are not looked into.
    home
        Folder that the packages lie in.

    Returns
    -------
    list of Path
        Python files, and the files beside them that they name (templates, catalogues), sorted; a
        notebook is not among its own.

    Raises
    ------
    ValueError
        For a module that is not there.
    """
    home, left_out = Path(home), tuple(without)
    notebook = Path(start).suffix == ".ipynb"
    if not notebook and _file(home, str(start)) is None:
        raise ValueError(f"no module {start!r} in {home}")
    found: set[Path] = set()
    waiting = set(_named(home, Path(start), None)) if notebook else {str(start)}
    seen: set[str] = set()
    while waiting:
        module = waiting.pop()
        if module in seen or _below(module, left_out):
            continue
        seen.add(module)
        path = _file(home, module)
        found |= {path, *_beside(path)}
        waiting |= set(_named(home, path, module))
    return sorted(found)


def digest(
    start: str | Path,
    *,
    suffixes: tuple[str, ...] = (".py", ".cpp", ".toml"),
    home: str | Path = HOME,
) -> str:
    """Return 16 hexadecimal digits that change with the code behind a module.

    Parameters
    ----------
    start, home
        As for `sources`.
    suffixes
        Files that count.
    """
    total = hashlib.sha256()
    for path in sources(start, home=home):
        if path.suffix in suffixes:
            total.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()[:16]


def _below(module: str, packages: Iterable[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in packages)


def _file(home: Path, module: str) -> Path | None:
    """Return the file of a module, None where there is none."""
    place = home / module.replace(".", "/")
    return next((p for p in (place.with_suffix(".py"), place / "__init__.py") if p.is_file()), None)


@cache
def _parsed(path: Path, changed: int) -> ast.Module:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        text = "\n".join(code)
    with _PARSER:
        return ast.parse(text, str(path))


def _tree(path: Path) -> ast.Module:
    return _parsed(path, path.stat().st_mtime_ns)


def _beside(path: Path) -> set[Path]:
    """Files beside a module, no Python, whose names stand in it."""
    texts = {
        node.value
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return {p for p in path.parent.iterdir() if p.suffix in (".cpp", ".toml") and p.name in texts}


def _named(home: Path, path: Path, module: str | None) -> Iterator[str]:
    """Modules that a file imports, each the one that defines what is taken from it."""
    tree = _tree(path)
    packages: dict[str, str] = {}  # names that stand for a package, whose attributes are used
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    packages[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
                    if "." in alias.name and not alias.asname:
                        yield alias.name
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                if _is_face(home, full):
                    packages[alias.asname or alias.name] = full
                else:
                    yield from _defining(home, node.module, alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            package = packages.get(node.value.id)
            if package is not None:
                yield from _defining(home, package, node.attr)


def _is_face(home: Path, module: str) -> bool:
    path = _file(home, module)
    return path is not None and path.name == "__init__.py"


def _defining(home: Path, module: str, name: str) -> Iterator[str]:
    """Return the module that a name taken from another comes from; nothing outside the packages."""
    if _file(home, f"{module}.{name}") is not None and not _passed_on(home, module, name):
        yield f"{module}.{name}"
        return
    if _file(home, module) is None:
        return
    passed = _passed_on(home, module, name) if _is_face(home, module) else None
    if passed is None:
        yield module
    else:
        yield from _defining(home, *passed)


def _passed_on(home: Path, module: str, name: str) -> tuple[str, str] | None:
    """Return where a package has a name from, None where the name is its own."""
    path = _file(home, module)
    if path is None or path.name != "__init__.py":
        return None
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in PACKAGES:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return node.module, alias.name
    return None
