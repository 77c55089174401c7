"""Open every page of a built book in headless Chromium, as a reader would, and complain.

    python tests/visit_book.py results/smoke/book [--screenshots FOLDER]

A page fails if the browser's console shows an error, if it asks another host for anything, if a
file it needs is missing, if an image has no text of its own for readers who do not see it, or if
a formula stayed TeX. ``--screenshots`` also writes each page as a picture, light and dark.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
QUIET += ["--disable-component-update", "--disable-sync"]
# What notebooks and Sphinx write into `alt` when nobody wrote anything.
EMPTY_ALT = re.compile(r"^\s*$|^<Figure size|_images/|\.(png|svg|jpe?g)$|^(image|figure)$", re.I)
FORMULAS = """() => [...document.querySelectorAll('.math')]
    .filter(m => !m.querySelector('mjx-container') || m.querySelector('mjx-merror'))
    .map(m => m.textContent.trim().slice(0, 60))"""
IMAGES = """() => [...document.images]
    .map(i => ({alt: i.getAttribute('alt'), src: i.getAttribute('src').slice(0, 80),
                broken: i.complete && i.naturalWidth === 0}))"""

# A warning of a library on a page, with the paths of the machine that made it.
STDERR = """() => [...document.querySelectorAll('.output.stderr')]
    .map(o => o.textContent.trim().slice(0, 80))"""
# Markup of the source that nothing turned into a link or a citation.
UNRENDERED = """() => [...document.querySelectorAll('article p, article li, article td')]
    .map(e => e.textContent.match(/\\{(cite|term|ref|doc|numref)[:a-z]*\\}/)).filter(m => m)
    .map(m => m.input.slice(m.index, m.index + 60))"""


def pages(book: Path) -> list[str]:
    """Every page of the book below `book`, as a path from there."""
    found = sorted(page.relative_to(book).as_posix() for page in book.rglob("*.html"))
    return [page for page in found if not page.startswith("_static/")]


def complaints(context: BrowserContext, host: str, page_path: str) -> Iterator[str]:
    """Open one page; yield what is wrong with it, one line each."""
    page = context.new_page()
    heard: list[str] = []
    page.on("console", lambda m: heard.append(f"console: {m.text}") if m.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(f"script error: {error}"))
    page.on("response", lambda r: heard.append(f"{r.status}: {r.url}") if r.status >= 400 else None)
    page.on(
        "request",
        lambda r: heard.append(f"asks another host: {r.url}") if _foreign(r.url, host) else None,
    )
    page.goto(f"{host}/{page_path}", wait_until="networkidle")
    _wait_for_formulas(page)
    yield from heard
    for formula in page.evaluate(FORMULAS):
        yield f"formula not rendered: {formula}"
    for output in page.evaluate(STDERR):
        yield f"a cell wrote to standard error: {output}"
    for markup in page.evaluate(UNRENDERED):
        yield f"markup not rendered: {markup}"
    for image in page.evaluate(IMAGES):
        if image["alt"] is None or EMPTY_ALT.search(image["alt"]):
            yield f"image without a text of its own (alt={image['alt']!r}): {image['src']}"
        if image["broken"]:
            yield f"image does not load: {image['src']}"
    page.close()


def screenshots(context: BrowserContext, host: str, page_path: str, folder: Path) -> None:
    """Write the whole page as a picture in the light and the dark theme."""
    for theme in ("light", "dark"):
        page = context.new_page()
        page.add_init_script(
            f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}');"
        )
        page.goto(f"{host}/{page_path}", wait_until="networkidle")
        _wait_for_formulas(page)
        name = page_path.removesuffix(".html").replace("/", "-")
        page.screenshot(path=folder / f"{name}-{theme}.png", full_page=True)
        page.close()


def visit(book: Path, pictures: Path | None = None) -> list[str]:
    """Open every page of `book`; return the complaints, each with its page."""
    found: list[str] = []
    with _served(book) as host, _browser() as context:
        for page_path in pages(book):
            found += [f"{page_path}: {line}" for line in complaints(context, host, page_path)]
            if pictures:
                pictures.mkdir(parents=True, exist_ok=True)
                screenshots(context, host, page_path, pictures)
    return found


def _foreign(url: str, host: str) -> bool:
    """Whether a request leaves the book."""
    return not url.startswith((host, "data:", "blob:", "about:"))


def _wait_for_formulas(page: Page) -> None:
    """Wait until MathJax, on pages that load it, has typeset the page."""
    if page.locator("script[src*=mathjax]").count():
        page.wait_for_function("() => window.MathJax?.startup?.promise !== undefined")
        page.evaluate("() => window.MathJax.startup.promise")


@contextmanager
def _served(book: Path) -> Iterator[str]:
    """Serve the folder on a free port of this machine; the address is the value."""

    # Both say nothing: the browser tells what a page could not get, and a page that it left early
    # is no error.
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(book))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@contextmanager
def _browser() -> Iterator[BrowserContext]:
    """The system's Chromium, with an empty profile."""
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        raise SystemExit(f"no browser found, looked for {', '.join(BROWSERS)}: install chromium")
    # A root user, as in a container, has no sandbox.
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=executable,
            headless=True,
            args=QUIET + root,
            viewport={"width": 1280, "height": 900},
        )
        yield context
        context.close()


def main() -> int:
    """Run from the command line; the exit status is 1 if there was anything to complain about."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("book", type=Path, help="folder of the built book, with index.html")
    parser.add_argument("--screenshots", type=Path, metavar="FOLDER", help="write pictures there")
    arguments = parser.parse_args()
    if not (arguments.book / "index.html").is_file():
        parser.error(f"{arguments.book} has no index.html: build the book first (make book)")
    found = visit(arguments.book.resolve(), arguments.screenshots)
    for line in found:
        print(line, file=sys.stderr)
    print(f"visited {len(pages(arguments.book))} pages, {len(found)} complaints")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
