"""The table in the Snakefile names what each chapter computes with: no result goes stale."""

import ast
import re
from pathlib import Path

import nbformat
import pytest
import yaml

from kinetlib.profiles import CHAPTERS, load

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kinetlib"
# What a page looks like and how it is run does not make a result old.
PRESENTATION = {
    "plot",
    "provenance",
    "repository",
    "profiles",
    "parameters",
    "chapters",
    "__init__",
}


def table() -> dict[str, set[str]]:
    """Modules by chapter, as the Snakefile lists them."""
    text = (ROOT / "Snakefile").read_text()
    kinetics = ast.literal_eval(re.search(r"^KINETICS = (\[.*?\])", text, re.M | re.S)[1])
    rows = re.findall(
        r'^    "(\d\d_\w+)": \[(.*?)\],$', text.split("SOURCES = {")[1].split("\n}")[0], re.M
    )
    modules = {
        chapter: ast.literal_eval(f"[{row.replace('*KINETICS', repr(kinetics)[1:-1])}]")
        for chapter, row in rows
    }
    return {chapter: {Path(name).stem for name in names} for chapter, names in modules.items()}


def used(code: str) -> set[str]:
    """Modules of kinetlib that Python code names, by import or as an attribute."""
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kinetlib":
            inner = node.module.split(".")[1:2]
            names |= set(inner) or {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("kinetlib.")}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names |= {node.attr} if node.value.id == "kinetlib" else set()
    return {name for name in names if sources(name)}


def sources(module: str) -> list[Path]:
    """Files of a module of kinetlib; none if there is no such module."""
    path = PACKAGE / module
    return sorted(path.rglob("*.py")) if path.is_dir() else [*PACKAGE.glob(f"{module}.py")]


def everything_behind(modules: set[str]) -> set[str]:
    """The modules and all of kinetlib that they import, presentation left out."""
    found, waiting = set(), modules - PRESENTATION
    while waiting:
        module = waiting.pop()
        found.add(module)
        code = "\n".join(path.read_text() for path in sources(module))
        waiting |= (
            used(code.replace("from __future__ import annotations", "")) - found - PRESENTATION
        )
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_lists_the_modules_it_computes_with(chapter):
    notebook = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    needed = everything_behind(used("\n".join(cells)))
    assert needed <= table()[chapter], f"list {needed - table()[chapter]} in the Snakefile"


def test_figures_do_not_train_networks():
    assert all(
        "plot" not in table()[chapter] for chapter in CHAPTERS if chapter[:2] in ("03", "06")
    )


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_book_has_every_run_of_a_profile(profile):
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    chapters = [page.removeprefix("notebooks/") for page in pages if page.startswith("notebooks/")]
    assert chapters == [run.name for run in load(profile).runs()]
