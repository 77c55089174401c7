"""The page reads files as the command line does: the same runs, remarks and refusals."""

import io
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from ask_node import in_node

from kinetlib import lab
from kinetlib.cli import _classify

ROOT = Path(__file__).parents[1]
ELSEWHERE = "this page does not read that; the command line does"
CODE = """async (cases, fs) => {
  const found = [];
  for (const { path, name, roles } of cases) {
    let opened = {};
    try {
      opened = await kinetlib.reaction.open(new File([fs.readFileSync(path)], name));
      const reaction = kinetlib.reaction.read(opened, roles ?? opened.guess);
      found.push({ guess: opened.guess, ...(await kinetlib.reaction.answer(reaction)) });
    } catch (error) {
      const known = error instanceof kinetlib.words.Refusal || /^sample 0: /.test(error.message);
      if (!known) throw error;
      found.push({ guess: opened.guess, refused: error.message });
    }
  }
  return found;
}"""
ROLES = {"substrate": "S", "product": "P", "catalyst": "cat"}
TIMES = (0.0, 1.0, 2.0, 4.0, 7.0, 12.0)


def by_page(files: dict[str, bytes], folder: Path, roles=ROLES) -> list[dict]:
    """Read files by the page, each by the roles given or the page's guess."""
    cases = []
    for k, (name, content) in enumerate(files.items()):
        place = folder / f"{k}"
        place.mkdir()
        (place / name).write_bytes(content)
        cases.append({"path": str(place / name), "name": name, "roles": roles})
    return in_node(CODE, cases, folder)


def by_command(name: str, content: bytes, folder: Path, roles=ROLES) -> dict:
    """Read a file as the command line does, and answer by the network alone."""
    path = folder / name
    path.write_bytes(content)
    try:
        runs = lab.read(
            path, *(roles[role] or None for role in ("substrate", "product", "catalyst"))
        )
        asked = _classify._asked(runs, "runset")
        aside = _classify._aside(runs)
    except ValueError as error:
        return {"refused": str(error).replace(f"{folder}/", "")}
    names = [str(one) for one in runs["run"].values]
    told = runs.attrs["warnings"].splitlines()
    if aside:
        told.append(
            f"The network reads {len(names) - len(aside)} of {len(names)} runs; it leaves aside "
            f"{', '.join(aside)}."
        )
    return {**asked, "runs": names, "runs_left_aside": aside, "warnings": told}


def agree(page: dict, command: dict) -> None:
    """Hold an answer of the page to one of the command line."""
    if "refused" in command or "refused" in page:
        assert page.get("refused") == command.get("refused")
        return
    for name in ("runs", "runs_left_aside", "warnings", "set"):
        assert page[name] == command[name], name
    for name, value in command["probabilities"].items():
        assert page["probabilities"][name] == pytest.approx(value, abs=1e-5)
    assert page["noise"] == pytest.approx(command["noise"], abs=1e-4)
    assert page["strangeness"] == pytest.approx(command["strangeness"], abs=1e-4)


def rows(seed=0, start=(1.0, 0.0, 0.05), rate=6.0) -> list[list]:
    """Noisy first-order rows: time, substrate, product, catalyst."""
    rng = np.random.default_rng(seed)
    s0, p0, cat = start
    left = s0 * np.exp(-rate * cat * np.array(TIMES) / s0)
    made = p0 + s0 - left
    noisy = np.stack([left, made]) * (1 + 0.01 * rng.standard_normal((2, len(TIMES))))
    noisy[:, 0] = s0, p0
    return [[t, round(s, 5), round(p, 5), cat] for t, s, p in zip(TIMES, *noisy, strict=True)]


def text(table: list[list], separator=",", decimal=".", encoding="utf-8") -> bytes:
    """Write a table as a text file."""

    def cell(value):
        return str(value).replace(".", decimal) if isinstance(value, float) else str(value)

    lines = (separator.join("" if c is None else cell(c) for c in row) for row in table)
    return "\n".join(lines).encode(encoding)


def workbook(sheets: dict[str, list[list]], change=None) -> bytes:
    """Write tables as the sheets of a workbook."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, table in sheets.items():
        sheet = book.create_sheet(name)
        for row in table:
            sheet.append(row)
    if change:
        change(book)
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


HEAD = ["time", "S", "P", "cat"]
RUNS = {"standard": (1.0, 0.0, 0.05), "half": (1.0, 0.0, 0.025), "less": (0.6, 0.3, 0.05)}
TABLES = {name: rows(k, start) for k, (name, start) in enumerate(RUNS.items())}
SHEETS = {name: [HEAD, *table] for name, table in TABLES.items()}
COLUMN = [["run", *HEAD], *([name, *row] for name, table in TABLES.items() for row in table)]
STACK = [HEAD, *(row for table in TABLES.values() for row in [*table, [None] * 4])]
UNITS = ["Time / h", "S / mM", "P (M)", "cat [mol%]"]


def _in_units(table):
    return [[t / 60, 1e3 * s, p, 100 * c] for t, s, p, c in table]


def _hide(book):
    book["half"].sheet_state = "hidden"


def _odd(book):
    book["half"]["C4"] = "=1+1"


def _error(book):
    book["half"]["C4"].data_type, book["half"]["C4"].value = "e", "#DIV/0!"


def _text(book):
    book["half"]["C4"] = "0,21"


FILES = {
    "sheets.xlsx": workbook(SHEETS),
    "hidden.xlsx": workbook(SHEETS, _hide),
    "formula.xlsx": workbook(SHEETS, _odd),
    "error.xlsx": workbook(SHEETS, _error),
    "as text.xlsx": workbook(SHEETS, _text),
    "column.csv": text(COLUMN),
    "column.tsv": text(COLUMN, "\t"),
    "semicolons.csv": text(COLUMN, ";", ","),
    "spaces.txt": text(COLUMN, " "),
    "german.csv": text(
        [["Versuch", "Zeit", "S", "P", "cat", "Bemerkung é"], *([*r, "ß"] for r in COLUMN[1:])],
        ";",
        ",",
        "cp1252",
    ),
    "utf16.csv": text(COLUMN, "\t", encoding="utf-16"),
    "bare utf16.csv": text(COLUMN, "\t", encoding="utf-16-le"),
    "stack.csv": text(STACK),
    "stack without gaps.csv": text([row for row in STACK if row[0] is not None]),
    "labels.xlsx": workbook(
        {"all": [["one", None], HEAD, *TABLES["standard"], ["two", None], HEAD, *TABLES["half"]]}
    ),
    "title.xlsx": workbook(
        {"a": [["my reaction"], HEAD, *TABLES["half"]], "notes": [["nothing here"]]}
    ),
    "units.csv": text([UNITS, *_in_units(TABLES["half"])]),
    "row of units.csv": text([HEAD, ["min", "mM", "mM", "mM"], *TABLES["half"]]),
    "loading in names.csv": text(
        [[*COLUMN[0][:-1]], *([f"{r[0]} 5 mol%", *r[1:-1]] for r in COLUMN[1:])]
    ),
    "blank.csv": text([*COLUMN, *(["blank", *r[:3], 0.0] for r in TABLES["half"])]),
    "another species.csv": text(
        [[*COLUMN[0], "water"], *([*r, 0.1 if r[0] == "half" else 0.5] for r in COLUMN[1:])]
    ),
    "sample numbers.csv": text(
        [[*COLUMN[0], "sample"], *([*r, k + 1] for k, r in enumerate(COLUMN[1:]))]
    ),
    "temperatures.csv": text(
        [
            [*COLUMN[0], "temperature"],
            *([*r, 300.0 if r[0] == "half" else 310.0] for r in COLUMN[1:]),
        ]
    ),
    "long tail.csv": text(
        [HEAD, *TABLES["standard"], *([t, 0.001, 0.99, 0.05] for t in (40.0, 90.0, 120.0))]
    ),
    "unsorted.csv": text([HEAD, *TABLES["half"][::-1]]),
    "short run.csv": text([*COLUMN, ["short", 0.0, 1.0, 0.0, 0.05]]),
    "gaps.csv": text(
        [
            HEAD,
            *(
                [t, s, None if t == 2 else p, c if t == 0 else None]
                for t, s, p, c in TABLES["half"]
            ),
        ]
    ),
    "no start.csv": text([HEAD, *TABLES["half"][1:]]),
    "too few.csv": text([HEAD, *TABLES["half"][:2]]),
    "no number.csv": text([HEAD, *TABLES["half"][:3], [5.0, "much", 0.1, 0.05]]),
    "no time.csv": text([HEAD, *TABLES["half"][:3], [None, 0.4, 0.1, 0.05]]),
    "both signs.csv": text([*SHEETS["half"][:2], ["1,5", "0.5", "0.1", "1"]], ";"),
    "too wide.csv": text([HEAD, [0, 1, 2, 3, 4, 5]]),
    "numbers alone.csv": text(TABLES["half"]),
    "empty.csv": b"\n\n",
    "no catalyst.csv": text([HEAD, *([t, s, p, 0.0] for t, s, p, _ in TABLES["half"])]),
    "reactant.csv": text([HEAD, *([t, s, p, 0.9 * s] for t, s, p, _ in TABLES["standard"])]),
    "more catalyst.csv": text([HEAD, *([t, s, p, 50.0] for t, s, p, _ in TABLES["half"])]),
    "negative.csv": text([HEAD, *TABLES["half"][:4], [9.0, -0.2, 0.1, 0.05]]),
    "mass.csv": text([HEAD, *([t, s, 2 * p, c] for t, s, p, c in TABLES["standard"])]),
    "far too much.csv": text([HEAD, *([t, s, 50 * p, c] for t, s, p, c in TABLES["standard"])]),
    "twice.csv": text([[*HEAD, "S"], *([*r, 1.0] for r in TABLES["half"])]),
    "wrong kind.docx": b"PK",
    "renamed.xlsx": text(COLUMN),
    "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "pdf.xlsx": b"%PDF-1.7",
    "broken.xlsx": b"PK\x03\x04" + bytes(40),
    "encrypted.xlsx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
    "no text.csv": bytes(range(256)) * 8,
}


def test_page_reads_files_as_the_command_line_does(tmp_path):
    (tmp_path / "page").mkdir()
    page = by_page(FILES, tmp_path / "page")
    wrong = []
    for one, (name, content) in zip(page, FILES.items(), strict=True):
        try:
            agree(one, by_command(name, content, tmp_path))
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    assert not wrong, "\n".join(wrong)


BESIDE = [
    [*HEAD, *HEAD],
    *([*a, *b] for a, b in zip(TABLES["standard"], TABLES["half"], strict=True)),
]
TIDY = [
    ["run", "time", "species", "value"],
    *(["a", t, n, v] for t, s, p, _ in TABLES["half"] for n, v in (("S", s), ("P", p))),
]
OTHERS = {
    "beside.csv": text(BESIDE),
    "tidy.csv": text(TIDY),
    "groups.xlsx": workbook(
        {
            "a": [
                [None, "x", None, None, "y", None, None],
                ["time", "S", "P", "cat", "S", "P", "cat"],
                *([*a, *b[1:]] for a, b in zip(*list(TABLES.values())[:2], strict=True)),
            ]
        }
    ),
    "clock.csv": text([HEAD, *([f"0:0{k}:30", *r[1:]] for k, r in enumerate(TABLES["half"]))]),
    "old.xls": (ROOT / "tests" / "two-runs.xls").read_bytes(),
}


def test_page_names_what_only_the_command_line_reads(tmp_path):
    for one, name in zip(by_page(OTHERS, tmp_path), OTHERS, strict=True):
        assert ELSEWHERE in one.get("refused", ""), (name, one)


def test_page_refuses_a_large_file_before_it_is_read(tmp_path):
    code = "(file) => kinetlib.opening.openFile(file).catch((error) => error.message)"
    said = in_node(code, {"name": "large.csv", "size": 40_000_000}, tmp_path)
    assert said.startswith("large.csv: the file has 40 MB, expected kinetic runs in at most 34 MB")


def test_page_guesses_the_columns(tmp_path):
    heads = (
        ["time", "S", "P", "cat"],
        ["t / min", "ArBr", "Biaryl", "Pd catalyst"],
        ["min", "x", "y", "z"],
    )
    files = {f"{k}.csv": text([head, *TABLES["half"]]) for k, head in enumerate(heads)}
    for one, head in zip(by_page(files, tmp_path, None), heads, strict=True):
        assert one["guess"] == dict(
            zip(("substrate", "product", "catalyst"), head[1:], strict=True)
        )


def test_page_reads_random_files_as_the_command_line_does(tmp_path):
    files = {}
    for seed in range(40):
        rng = np.random.default_rng([5, seed])
        named = {
            f"run {k}": rows(10 * seed + k, tuple(rng.uniform((0.5, 0, 0.01), (1.5, 0.3, 0.1))))
            for k in range(rng.integers(1, 5))
        }
        for table in named.values():
            for row in table[1:]:
                row[int(rng.integers(1, 4))] = None if rng.random() < 0.3 else row[1]
        head = [
            f"{n}{u}"
            for n, u in zip(
                HEAD,
                (rng.choice(["", " / min", " (s)"]), *[rng.choice(["", " / M", " [mM]"])] * 3),
                strict=True,
            )
        ]
        long = [["run", *head], *([n, *row] for n, table in named.items() for row in table)]
        if seed % 3 == 0:
            files[f"{seed}.xlsx"] = workbook({n: [head, *t] for n, t in named.items()})
        elif seed % 3 == 1:
            sign, decimal = [(",", "."), (";", ","), ("\t", ",")][rng.integers(3)]
            files[f"{seed}.csv"] = text(long, sign, decimal, rng.choice(["utf-8", "utf-16"]))
        else:
            files[f"{seed}.csv"] = text(
                [head, *(r for t in named.values() for r in [*t, [None] * 4])]
            )
    (tmp_path / "page").mkdir()
    page = by_page(files, tmp_path / "page")
    for one, (name, content) in zip(page, files.items(), strict=True):
        agree(one, by_command(name, content, tmp_path))


def test_page_reads_workbooks_that_lie_in_the_results(tmp_path):
    found = sorted((ROOT / "results" / "workbooks").rglob("*.xlsx"))
    if not found:
        pytest.skip("no workbooks in results/workbooks")
    files = {f"{k} {path.name}": path.read_bytes() for k, path in enumerate(found)}
    (tmp_path / "page").mkdir()
    for one, (name, content) in zip(
        by_page(files, tmp_path / "page", None), files.items(), strict=True
    ):
        if ELSEWHERE in one.get("refused", "") or "guess" not in one:
            continue
        agree(one, by_command(name, content, tmp_path, one["guess"]))
