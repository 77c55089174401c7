"""The book: its source put together from prose and executed chapters, then rendered.

The repository never receives an executed file. `assemble` copies what the table of contents names
into ``results/<profile>/source`` (the same layout as the repository, with the executed chapters in
the place of the notebooks); `build` renders that folder with Jupyter Book.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import yaml

from kinetlib.chapters import browser, facts, pages

EXAMPLE = "example.xlsx"  # the workbook that the first chapter reads, offered for download

# What MathJax 3 needs to show TeX as HTML: the bundle and its fonts, 2 MB of the package's 24.
MATHJAX = ("tex-chtml-full.js", "output/chtml/fonts")


def assemble(results: str | Path, repository: str | Path = ".") -> Path:
    """Put the source of the book together.

    Parameters
    ----------
    results : path
        Folder of one profile, ``results/<profile>``, whose ``chapters/`` holds the executed
        notebooks and which holds ``hero.svg`` of the first chapter.
    repository : path, optional
        Checkout that holds ``_config.yml``, ``_toc.yml`` and ``book/``.

    Returns
    -------
    Path
        ``<results>/source``, written anew.

    Raises
    ------
    ValueError
        If something that the table of contents names was not made yet; the message names it.
    """
    results, repository = Path(results), Path(repository)
    source = results / "source"
    if source.exists():
        shutil.rmtree(source)
    shutil.copytree(repository / "book", source / "book")
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy2(repository / name, source / name)
    (source / "book" / "catalogue.md").write_text(pages.catalogue(), encoding="utf-8")
    for name, text in pages.speed().items():
        (source / "book" / name).write_text(text, encoding="utf-8")
    (source / "book" / pages.DIAGRAM).write_bytes(pages.diagram())
    for name, text in facts.fragments().items():
        (source / "book" / name).write_text(text, encoding="utf-8")
    (source / "book" / EXAMPLE).write_bytes(
        (resources.files("kinetlib_data") / EXAMPLE).read_bytes()
    )
    scripts = source / "book" / browser.SCRIPTS
    scripts.mkdir(parents=True, exist_ok=True)
    for name, text in browser.scripts().items():
        (scripts / name).write_text(text, encoding="utf-8")
    _copy(results / "hero.svg", source / "book" / "hero.svg", "00_ten_minutes")
    for page in _pages(source / "_toc.yml"):
        if page.startswith("notebooks/"):
            chapter = page.removeprefix("notebooks/")
            _copy(results / "chapters" / f"{chapter}.ipynb", source / f"{page}.ipynb", chapter)
    _vendor_mathjax(source / "vendor" / "mathjax")
    return source


def build(results: str | Path, repository: str | Path = ".") -> Path:
    """Assemble and render the book; an earlier rendering stays until the new one is whole.

    Parameters
    ----------
    results, repository : path
        As for `assemble`.

    Returns
    -------
    Path
        ``<results>/book/index.html``.

    Raises
    ------
    ValueError
        If a chapter was not executed yet, or if Jupyter Book has anything to complain about: a
        warning fails the build. Its words are in the message and in ``<results>/logs/book.log``.
    """
    results = Path(results)
    source = assemble(results, repository)
    rendering = results / "rendering"
    if rendering.exists():
        shutil.rmtree(rendering)
    _render(source, rendering, results / "logs" / "book.log")
    html = rendering / "_build" / "html"
    if (html / browser.PAGE).is_file():
        browser.mend(html)
    browser.check(html)
    (html / "index.html").write_text(_landing(source / "_toc.yml"), encoding="utf-8")
    _replace(results / "book", html)
    shutil.rmtree(rendering)
    return results / "book" / "index.html"


def _pages(toc: Path) -> Iterator[str]:
    """Every ``file`` of a table of contents in the ``jb-book`` format."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    yield contents["root"]
    for part in contents["parts"]:
        for chapter in part["chapters"]:
            yield chapter["file"]


def _landing(toc: Path) -> str:
    """Write the page that leads on to the first one; unlike Jupyter Book's it names its icon.

    Without, a browser looks for ``/favicon.ico`` and complains on its console.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<meta charset="utf-8">\n'
        "<title>Mechanisms from kinetics</title>\n"
        '<link rel="icon" href="_static/mark.svg">\n'
        f'<meta http-equiv="refresh" content="0; url={next(_pages(toc))}.html">\n</html>\n'
    )


def _copy(made: Path, place: Path, chapter: str) -> None:
    """Copy a file that running `chapter` makes."""
    if not made.is_file():
        raise ValueError(
            f"{made} is missing: the book shows what chapter {chapter} made. Run it "
            f"(kinetlib run {chapter.partition('-')[0]}), or everything with make book."
        )
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(made, place)


def _vendor_mathjax(folder: Path) -> None:
    """Lay MathJax beside the pages, so that formulas need no other host."""
    package = resources.files("sphinx-mathjax-offline") / "static" / "mathjax"
    folder.mkdir(parents=True)
    with resources.as_file(package) as mathjax:
        for name in MATHJAX:
            place = folder / name
            if (mathjax / name).is_dir():
                shutil.copytree(mathjax / name, place)
            else:
                shutil.copy2(mathjax / name, place)


def _render(source: Path, rendering: Path, log: Path) -> None:
    """Run Jupyter Book; every warning, and every reference that leads nowhere, is an error."""
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command += ["build", str(source), "--path-output", str(rendering)]
    command += ["-n", "-W", "--keep-going", "-q"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout, encoding="utf-8")
    if done.returncode:
        complaints = [
            line for line in done.stdout.splitlines() if "WARNING" in line or "ERROR" in line
        ]
        told = "\n".join(complaints) or done.stdout[-2000:]
        raise ValueError(f"Jupyter Book did not accept the source of the book ({log}):\n{told}")


def _replace(place: Path, new: Path) -> None:
    """Move the folder `new` to `place`, where an older one may lie."""
    old = place.with_name(f"{place.name}.old")
    if old.exists():
        shutil.rmtree(old)
    if place.exists():
        place.rename(old)
    new.rename(place)
    if old.exists():
        shutil.rmtree(old)
