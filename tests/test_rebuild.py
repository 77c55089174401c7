"""What makes a chapter run again covers what it computes with: no result goes stale."""

import ast
from pathlib import Path

import nbformat
import pytest
import yaml

from kinetlib.chapters import rebuild
from kinetlib.chapters.parameters import CHAPTERS
from kinetlib.chapters.profiles import load

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "kinetlib"
# What a page looks like and how a chapter is run does not make its results old.
PRESENTATION = {
    "files",
    "plot",
    "provenance",
    "repository",
    "profiles",
    "parameters",
    "chapters",
    "quiet",
    "rebuild",
}


def named(path: Path) -> set[str]:
    """Modules of kinetlib that a Python file or a notebook names, imported or as attributes."""
    if path.suffix == ".ipynb":
        cells = nbformat.read(path, as_version=4).cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    else:
        code = path.read_text()
    names = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kinetlib":
            names |= set(node.module.split(".")[1:2]) or {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {a.name.split(".")[1] for a in node.names if a.name.startswith("kinetlib.")}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names |= {node.attr} if node.value.id == "kinetlib" else set()
    return {
        name
        for name in names
        if any((ROOT / file).is_file() for file in rebuild.files([name], ROOT))
    }


def everything_behind(modules: set[str]) -> set[str]:
    """The modules and all of kinetlib that they import, presentation left out."""
    found, waiting = set(), modules - PRESENTATION
    while waiting:
        module = waiting.pop()
        found.add(module)
        for file in rebuild.files([module], ROOT):
            waiting |= named(ROOT / file) - found - PRESENTATION
    return found


def covered(chapter: str) -> set[str]:
    """Modules whose change runs a chapter again, by itself or because an earlier one ran."""
    earlier = [covered(name) for name in rebuild.EARLIER.get(chapter, [])]
    return set(rebuild.MODULES[chapter]).union(*earlier)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_module_behind_a_chapter_is_covered(chapter):
    needed = everything_behind(named(ROOT / "notebooks" / f"{chapter}.ipynb"))
    missing = needed - covered(chapter)
    assert not missing, f"list {sorted(missing)} for {chapter} in kinetlib/rebuild.py"


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_input_of_a_chapter_exists(chapter):
    files = rebuild.inputs(chapter, ROOT)
    assert [file for file in files if not (ROOT / file).is_file()] == []
    for pattern in rebuild.DATA.get(chapter, []):
        assert any(Path(file).match(pattern) for file in files), pattern


def test_pages_that_the_book_writes_are_covered():
    assert everything_behind({"catalogue_page"}) <= set(rebuild.BOOK)


@pytest.mark.parametrize("chapter", ["03_dataset_generation", "06_fusion_training"])
def test_a_new_colour_does_not_repeat_long_work(chapter):
    assert "plot" not in covered(chapter)


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_book_has_every_run_of_a_profile(profile):
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    chapters = [page.removeprefix("notebooks/") for page in pages if page.startswith("notebooks/")]
    assert chapters == [run.name for run in load(profile).runs()]
