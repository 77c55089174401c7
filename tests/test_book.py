"""The source of the book: what it holds, and what is said when something is missing."""

import shutil
from pathlib import Path

import pytest
import yaml

from kinetlib.chapters import book, pages
from kinetlib.kinetics import mechanisms

ROOT = Path(__file__).parents[1]


@pytest.fixture
def results(tmp_path):
    """Results of a profile in which every chapter was executed."""
    made = tmp_path / "results" / "tiny"
    (made / "chapters").mkdir(parents=True)
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text())
    for part in contents["parts"]:
        for chapter in part["chapters"]:
            if chapter["file"].startswith("notebooks/"):
                name = chapter["file"].removeprefix("notebooks/")
                (made / "chapters" / f"{name}.ipynb").write_text("{}")
    (made / "hero.svg").write_text("<svg/>")
    return made


def test_source_holds_every_page_of_the_contents(results):
    source = book.assemble(results, ROOT)
    found = [*book._pages(source / "_toc.yml")]
    assert len(found) > 10
    for page in found:
        assert any((source / f"{page}{end}").is_file() for end in (".md", ".ipynb")), page
    assert (source / "book" / "hero.svg").read_text() == "<svg/>"
    assert (source / "book" / "example.xlsx").read_bytes()


def test_source_ships_mathjax_with_its_fonts(results):
    source = book.assemble(results, ROOT)
    path = yaml.safe_load((source / "_config.yml").read_text())["sphinx"]["config"]["mathjax_path"]
    assert (source / "vendor" / path).stat().st_size > 500_000
    assert len([*(source / "vendor").rglob("*.woff")]) > 10


def test_source_is_made_anew(results):
    source = book.assemble(results, ROOT)
    (source / "left-over.md").write_text("old")
    assert not (book.assemble(results, ROOT) / "left-over.md").exists()


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("chapters/02_mechanisms.ipynb", "kinetlib run 02_mechanisms"),
        ("chapters/06_fusion_training-average.ipynb", "kinetlib run 06_fusion_training"),
        ("hero.svg", "kinetlib run 00_ten_minutes"),
    ],
)
def test_missing_chapter_is_named_with_what_makes_it(results, missing, command):
    (results / missing).unlink()
    with pytest.raises(ValueError, match=command) as raised:
        book.assemble(results, ROOT)
    assert missing in str(raised.value)


def test_earlier_book_stays_until_the_new_one_is_whole(tmp_path):
    place, new = tmp_path / "book", tmp_path / "new"
    for folder, text in ((place, "old"), (new, "new")):
        folder.mkdir()
        (folder / "index.html").write_text(text)
    book._replace(place, new)
    assert (place / "index.html").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


@pytest.mark.slow
def test_warning_fails_the_build_and_keeps_the_old_book(tmp_path):
    repository, made = tmp_path / "repository", tmp_path / "results"
    (repository / "book").mkdir(parents=True)
    shutil.copytree(ROOT / "book" / "_static", repository / "book" / "_static")
    shutil.copy2(ROOT / "_config.yml", repository)
    contents = {"format": "jb-book", "root": "book/page"}
    contents["parts"] = [{"caption": "Part", "chapters": [{"file": "book/other"}]}]
    (repository / "_toc.yml").write_text(yaml.safe_dump(contents))
    (repository / "book" / "other.md").write_text("# Another page\n")
    (repository / "book" / "references.bib").write_text("")
    page = repository / "book" / "page.md"
    made.mkdir()
    (made / "hero.svg").write_text("<svg/>")

    page.write_text("# A page\n\nWith $x^2$.\n")
    index = book.build(made, repository)
    assert "page.html" in index.read_text()
    assert (made / "book" / "_static" / "mathjax" / "tex-chtml-full.js").is_file()

    page.write_text("# A page\n\nSee {term}`nothing of the kind`.\n")
    with pytest.raises(ValueError, match="nothing of the kind"):
        book.build(made, repository)
    assert index.is_file()


def test_catalogue_page_has_every_mechanism_in_full():
    page = pages.catalogue()
    for name, mechanism in mechanisms.catalogue().items():
        section = page.split(f"### {name}: {mechanism.name}")[1].split("###")[0]
        for reaction in mechanism.network.latex_reactions():
            assert reaction in section
        assert section.count(r"\frac{d") == len(mechanism.network.species)
        for rule in mechanism.fingerprint:
            assert f"{100 * rule.range[0]:.0f} %" in section
