"""What makes a chapter run again: its code, its data, and figures where that costs little."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest
import yaml

from kinetlib.chapters import rebuild
from kinetlib.chapters.parameters import CHAPTERS
from kinetlib.chapters.profiles import load

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_input_of_a_chapter_exists(chapter):
    files = rebuild.inputs(chapter, ROOT)
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert len(files) == len(set(files)) > 1
    for pattern in rebuild.DATA.get(chapter, []):
        assert any(Path(file).match(pattern) for file in files), pattern


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_committed_data_that_a_chapter_names_makes_it_old(chapter):
    cells = nbformat.read(ROOT / "notebooks" / f"{chapter}.ipynb", as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    named = {name for name in re.findall(r"data/[\w./-]+\.\w+", code) if (ROOT / name).is_file()}
    assert named <= set(rebuild.inputs(chapter, ROOT))


def test_what_a_chapter_computes_with_is_behind_it():
    behind = rebuild.inputs("03_dataset_generation", ROOT)
    for name in ("kinetics/native.cpp", "kinetics/catalogue.toml", "runs/sample.py"):
        assert f"kinetlib/{name}" in behind
    assert "studies/higher_order/search.py" in rebuild.inputs("10_higher_order", ROOT)
    assert not [file for file in behind if file.startswith(("kinetlib/fusion", "studies"))]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_new_colour_repeats_no_long_work(chapter):
    figures = [name for name in rebuild.inputs(chapter, ROOT) if name.startswith("kinetlib/plot")]
    assert bool(figures) == (chapter not in rebuild.LONG)


def test_pages_that_the_book_writes_are_made_from_the_catalogue():
    assert "kinetlib/kinetics/catalogue.toml" in rebuild.pages(ROOT)
    assert "kinetlib/chapters/book.py" in rebuild.pages(ROOT)


def test_an_import_that_is_added_counts_at_once(tmp_path):
    for name in ("kinetlib", "studies", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    assert "kinetlib/lab/tables.py" not in rebuild.inputs("02_mechanisms", tmp_path)
    with open(tmp_path / "kinetlib/kinetics/simulate.py", "a") as module:
        module.write("from kinetlib.lab.tables import Table\n")
    assert "kinetlib/lab/tables.py" in rebuild.inputs("02_mechanisms", tmp_path)


@pytest.mark.parametrize("profile", ["smoke", "laptop", "paper"])
def test_book_has_every_run_of_a_profile(profile):
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    pages = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    chapters = [page.removeprefix("notebooks/") for page in pages if page.startswith("notebooks/")]
    assert chapters == [run.name for run in load(profile).runs()]
