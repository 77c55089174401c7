"""The page "Ask the book" in a browser: from disk and served, and nothing leaves it."""

import csv
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest
import visit_book
import yaml
from ask_node import scripts
from test_ask_reader import COLUMN, SHEETS, agree, by_command, text, workbook

from kinetlib.chapters import book, browser

ROOT = Path(__file__).parents[1]
SOURCE = (ROOT / "book" / "ask.md").read_text()
EXAMPLE = (ROOT / "data" / "example.xlsx").read_bytes()
NAMES = {"substrate": "Substrate / M", "product": "Product / M", "catalyst": "Catalyst / M"}
DONE = "main#ask:is([data-state=answered], [data-state=fitted], [data-state=refused])"
pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, visit_book.BROWSERS)), reason="Chromium is not installed"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The page without the book's theme: its own markup, policy and scripts."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "book" / "_static" / "ask", folder / browser.SCRIPTS)
    for name, script in scripts().items():
        (folder / browser.SCRIPTS / name).write_text(script)
    _, front, _ = SOURCE.split("---\n", 2)
    policy = yaml.safe_load(front)["myst"]["html_meta"]["http-equiv=Content-Security-Policy"]
    body = re.search(r"```\{raw\} html\n(.*?)```", SOURCE, re.DOTALL)[1]
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}"><title>Ask</title>'
    (folder / "book").mkdir()
    (folder / browser.PAGE).write_text(
        f'<!DOCTYPE html><html lang="en"><meta charset="utf-8">{head}'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">{body}'
    )
    return folder


@pytest.fixture(scope="module")
def chromium():
    with visit_book._browser() as context:
        yield context


@pytest.fixture
def opened(site, chromium):
    """The page opened from disk, with what it asks for and complains of after loading."""
    page = chromium.new_page()
    heard = []
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.goto((site / browser.PAGE).as_uri())
    page.on("request", lambda request: heard.extend(beyond(request.url)))
    yield page
    page.close()
    assert heard == []


def beyond(url: str) -> list[str]:
    """Tell of a request, but not of one that stays in the page's own memory, as a worker's."""
    return [] if url.startswith("blob:") else [url]


def give(page, name: str, content: bytes) -> dict | None:
    """Choose a file, and return the answer."""
    file = {"name": name, "mimeType": "application/octet-stream", "buffer": content}
    page.set_input_files("#file", file)
    page.wait_for_selector(DONE)
    return answer(page)


def answer(page) -> dict | None:
    return json.loads(page.text_content("#answer"))


def test_example_is_answered_as_on_the_command_line(opened, tmp_path):
    assert opened.get_attribute("main#ask", "data-state") == "empty"
    opened.click("#ask-example")
    opened.wait_for_selector(DONE)
    agree(answer(opened), by_command("example.xlsx", EXAMPLE, tmp_path, NAMES))
    keys = {"probabilities", "set", "noise", "strangeness", "model", "runs", "runs_left_aside"}
    assert set(answer(opened)) == {*keys, "warnings"}
    assert opened.locator("#ask-rows tr").count() == 20
    assert "above 95 %, do not believe the table" in opened.inner_text("#ask-trust")


def test_served_page_answers_and_asks_nobody(site, chromium):
    with visit_book._served(site) as host:
        page = chromium.new_page()
        page.goto(f"{host}/{browser.PAGE}")
        asked = []
        page.on("request", lambda request: asked.extend(beyond(request.url)))
        assert give(page, "runs.xlsx", workbook(SHEETS))["runs"] == list(SHEETS)
        with pytest.raises(Exception, match="Content Security Policy|Failed to fetch"):
            page.evaluate("async () => { await fetch('/index.html') }")
        page.close()
    assert asked == []


def test_changing_a_column_asks_anew(opened):
    first = give(opened, "runs.csv", text(COLUMN))
    opened.select_option("select[name=product]", "")
    opened.wait_for_selector(DONE)
    assert answer(opened)["probabilities"] != first["probabilities"]
    assert any("Product not measured" in line for line in answer(opened)["warnings"])
    opened.select_option("select[name=product]", "S")
    opened.wait_for_selector("main#ask[data-state=refused]")
    assert "is already the substrate" in opened.inner_text("#ask-said")
    assert answer(opened) is None and not opened.is_visible("#ask-found")


def test_text_of_a_file_stays_text(opened):
    markup = "<img src=x onerror=document.title=1><b>run</b>"
    content = text([[markup, *row[1:]] if row[0] == "half" else row for row in COLUMN])
    said = give(opened, "<b>runs.csv", content)
    assert markup in said["runs"]
    assert opened.locator("main#ask img, main#ask b").count() == 0
    assert opened.inner_text("#ask-said").startswith("<b>runs.csv, 3 runs")


def test_hostile_files_are_refused_in_a_sentence(opened, tmp_path):
    bomb = tmp_path / "bomb.xlsx"
    bomb.write_bytes(workbook(SHEETS))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/zeros", bytes(170 << 20))
    liar = bytearray(workbook(SHEETS))
    at = liar.find(b"PK\x01\x02")
    while not bytes(liar[at + 46 :]).startswith(b"xl/worksheets/sheet1.xml"):
        at = liar.find(b"PK\x01\x02", at + 4)
    liar[at + 24 : at + 28] = (10).to_bytes(4, "little")
    far = workbook({**SHEETS, "far": [["a"]]}, lambda b: b["far"].cell(1_000_000, 16_000, 1.0))
    hostile = {
        "bomb.xlsx": (bomb.read_bytes(), "unpacks to more than 160 MB"),
        "liar.xlsx": (bytes(liar), "not a readable workbook"),
        "far.xlsx": (far, "reaches beyond 100,000 rows"),
        "renamed.csv": (workbook(SHEETS), "by its content an Excel workbook"),
        "old.xls": ((ROOT / "tests" / "two-runs.xls").read_bytes(), "the command line does"),
    }
    for name, (content, expected) in hostile.items():
        assert give(opened, name, content) is None
        assert expected in opened.inner_text("#ask-said"), name
        opened.evaluate("document.getElementById('ask').dataset.state = 'empty'")


def test_mechanisms_of_the_set_are_fitted_and_saved(opened, tmp_path):
    opened.click("#ask-example")
    opened.wait_for_selector("main#ask[data-state=fitted]", timeout=120_000)
    said = answer(opened)
    best = max(said["probabilities"], key=said["probabilities"].get)
    titles = opened.locator("#ask-fitted h2").all_inner_texts()
    assert titles[0].startswith(f"{best}:") and len(titles) == len(said["set"])
    assert not opened.is_visible("#ask-stop")
    figure = opened.locator("#ask-fitted svg").first
    assert "substrate (filled circles" in figure.get_attribute("aria-label")
    assert figure.locator("circle").count() == 4 * 9
    with opened.expect_download() as download:
        opened.click("#ask-constants")
    download.value.save_as(tmp_path / "constants.csv")
    with open(tmp_path / "constants.csv", newline="") as file:
        rows = {(row["mechanism"], row["constant"]): row for row in csv.DictReader(file)}
    dying = rows["M14", "k3"]
    assert dying["unit"] == "min-1"
    assert float(dying["low"]) < 0.05 < float(dying["high"])  # as the example was simulated
    with opened.expect_download() as download:
        opened.click(f"text=Save the figure of {best} as SVG")
    download.value.save_as(tmp_path / "fit.svg")
    assert (
        ElementTree.parse(tmp_path / "fit.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"
    )


def test_fits_can_be_stopped(opened):
    opened.click("#ask-example")
    opened.wait_for_selector(DONE)
    opened.click("#ask-stop")
    opened.wait_for_selector("text=Stopped after")
    assert opened.get_attribute("main#ask", "data-state") == "answered"
    assert answer(opened)["set"]


def test_keyboard_alone_gets_an_answer_and_saves_it(opened, tmp_path):
    opened.focus("#file")
    opened.keyboard.press("Tab")
    opened.keyboard.press("Enter")
    opened.wait_for_selector(DONE)
    for kind in ("json", "csv"):
        opened.focus(f"#ask-{kind}")
        with opened.expect_download() as download:
            opened.keyboard.press("Enter")
        download.value.save_as(tmp_path / f"answer.{kind}")
    assert json.loads((tmp_path / "answer.json").read_text()) == answer(opened)
    assert len((tmp_path / "answer.csv").read_text().splitlines()) == 21


def test_controls_have_names_and_the_narrow_page_does_not_scroll_sideways(opened):
    opened.set_viewport_size({"width": 360, "height": 700})
    opened.click("#ask-example")
    opened.wait_for_selector(DONE)
    for role, name in (("button", "Take the example"), ("combobox", "Catalyst")):
        assert opened.get_by_role(role, name=name).count() == 1
    assert opened.get_by_label(re.compile("Drop a file here")).count() == 1
    assert opened.get_attribute("#ask-said", "aria-live") == "polite"
    assert opened.evaluate("document.documentElement.scrollWidth") <= 360


def test_scripts_are_classic_small_and_hold_no_address():
    folder = ROOT / "book" / "_static" / "ask"
    assert {path.name for path in folder.glob("*.js")} | set(scripts()) == set(browser.ORDER)
    found = re.findall(r'<script src="\.\./_static/ask/(.+?)"', SOURCE)
    assert found == [browser.VENDOR, *browser.ORDER]
    for path in folder.glob("*.js"):
        code = path.read_text()
        assert len(code.splitlines()) <= 400, path.name
        assert not re.search(r"https?:|\bfetch\(|^import |^export |innerHTML|eval\(", code, re.M)
    weighs = sum(path.stat().st_size for path in folder.rglob("*.*"))
    assert weighs + sum(map(len, scripts().values())) < 4_000_000


def test_vendored_file_is_the_one_that_is_told():
    folder = ROOT / "book" / "_static" / "ask" / "vendor"
    told = re.search(r"SHA-256: (\w{64})", (folder / "README.md").read_text())[1]
    assert (
        browser.hashlib.sha256((folder / "read-excel-file.min.js").read_bytes()).hexdigest() == told
    )


def test_page_of_another_network_fails_the_build(site, tmp_path):
    browser.check(site)
    shutil.copytree(site / browser.SCRIPTS, tmp_path / browser.SCRIPTS)
    script = tmp_path / browser.SCRIPTS / "network-data.js"
    script.write_text(script.read_text().replace(browser.digest(), "0" * 64))
    with pytest.raises(ValueError, match=f"network {'0' * 64}, and the released one"):
        browser.check(tmp_path)
    script.unlink()
    with pytest.raises(ValueError, match="no digest"):
        browser.check(tmp_path)


@pytest.mark.slow
def test_page_in_the_book_passes_the_visit(tmp_path):
    repository, made = tmp_path / "repository", tmp_path / "results"
    shutil.copytree(ROOT / "book" / "_static", repository / "book" / "_static")
    shutil.copy2(ROOT / "book" / "ask.md", repository / "book")
    (repository / "book" / "references.bib").write_text("")
    (repository / "book" / "your_data.md").write_text("(your-data)=\n# Your data\n")
    shutil.copy2(ROOT / "_config.yml", repository)
    contents = {"format": "jb-book", "root": "book/your_data"}
    contents["parts"] = [{"caption": "Part", "chapters": [{"file": "book/ask"}]}]
    (repository / "_toc.yml").write_text(yaml.safe_dump(contents))
    made.mkdir()
    (made / "hero.svg").write_text("<svg/>")
    page = book.build(made, repository).parent / browser.PAGE
    assert page.read_text().count("<main") == 1
    visit = [sys.executable, str(ROOT / "tests" / "visit_book.py"), str(made / "book")]
    done = subprocess.run(visit, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
