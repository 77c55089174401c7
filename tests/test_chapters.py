"""Running a chapter: tried on stand-in notebooks in a repository of their own."""

import json
import logging
from pathlib import Path

import nbformat
import pytest

from kinetlib.chapters import execute
from kinetlib.chapters.profiles import Run, load
from kinetlib.records import provenance, repository

PARAMETERS = (
    'seed: int = 2\nresults: str = "results/laptop"\nloading: float = 0.05\nn_curves: int = 12'
)
USED = "from kinetlib.records import provenance\nprovenance.used()"


@pytest.fixture
def compendium(tmp_path, monkeypatch):
    """Return a function that writes the stand-in for chapter 02; works in its repository."""
    for folder in ("notebooks", "profiles"):
        (tmp_path / folder).mkdir()
    (tmp_path / "profiles" / "tiny.yaml").write_text("chapters: {02_mechanisms: {n_curves: 3}}")
    monkeypatch.chdir(tmp_path)

    def write(*sources):
        cells = [nbformat.v4.new_markdown_cell("# Stand-in")]
        cells += [nbformat.v4.new_code_cell(source) for source in (PARAMETERS, *sources)]
        cells[1].metadata["tags"] = ["parameters"]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        notebook.metadata["kernelspec"]["language"] = "python"
        nbformat.write(notebook, tmp_path / "notebooks" / "02_mechanisms.ipynb")
        return tmp_path

    return write


def _files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_run_writes_one_notebook_that_carries_what_it_was_run_with(compendium, monkeypatch, capfd):
    home = compendium("import os\nprint('here', os.getcwd(), n_curves, loading)", USED)
    stale = home / "results" / "tiny" / "chapters" / "02_mechanisms.failed.ipynb"
    stale.parent.mkdir(parents=True)
    stale.write_text("{}")
    monkeypatch.chdir(home / "notebooks")
    handlers = list(logging.getLogger("papermill").handlers)

    path = execute.run("02", "tiny", {"loading": "1e-2"})

    assert path == home / "results" / "tiny" / "chapters" / "02_mechanisms.ipynb"
    assert _files(path.parent) == ["02_mechanisms.ipynb"]
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert f"here {home} 3 0.01" in notebook.cells[3].outputs[0].text

    record = notebook.metadata["kinetlib"]
    values = {"seed": 2, "results": "results/tiny", "loading": 0.01, "n_curves": 3}
    assert record["parameters"] == values
    assert (record["chapter"], record["profile"]) == ("02_mechanisms", "tiny")
    assert record["versions"]["numpy"]
    assert record["seconds"] > 0
    assert record["peak_memory_mb"] > 10
    assert str(home) not in json.dumps(notebook.metadata)

    shown = notebook.cells[-1].outputs[0]
    assert shown.metadata[provenance.RECORD_KEY]["parameters"] == values
    assert set(shown.data) == {"text/plain", "text/html"}
    assert "<code" in shown.data["text/html"] and "0.01" in shown.data["text/html"]
    for cell in notebook.cells[1:3]:
        assert "hide-input" in cell.metadata["tags"]
    assert notebook.cells[2].metadata["mystnb"]["code_prompt_show"] == "Parameters of this run"

    assert "here" in (home / "results" / "tiny" / "logs" / "02_mechanisms.log").read_text()
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("papermill").handlers == handlers


def test_failing_cell_is_named_and_its_notebook_kept(compendium):
    home = compendium("\nn = 1\nraise RuntimeError('no convergence')", "print('never')")
    good = home / "results" / "tiny" / "chapters" / "02_mechanisms.ipynb"
    good.parent.mkdir(parents=True)
    good.write_text("an earlier run")
    with pytest.raises(execute.ChapterFailed) as raised:
        execute.run("02", "tiny")
    message = str(raised.value)
    assert "chapter 02_mechanisms failed in cell 3 of notebooks/02_mechanisms.ipynb" in message
    assert "begins `n = 1`" in message
    assert "RuntimeError: no convergence" in message
    assert "results/tiny/chapters/02_mechanisms.failed.ipynb" in message
    assert _files(good.parent) == ["02_mechanisms.failed.ipynb", "02_mechanisms.ipynb"]
    assert good.read_text() == "an earlier run"
    failed = nbformat.read(good.with_suffix(".failed.ipynb"), as_version=4)
    assert any(
        out.output_type == "error" for cell in failed.cells for out in cell.get("outputs", [])
    )
    assert str(home) not in json.dumps(failed.metadata)


def test_death_of_the_kernel_is_a_failure_of_its_cell(compendium):
    compendium("import os", "os._exit(1)", "print('never')")
    with pytest.raises(execute.ChapterFailed, match=r"cell 4 of .* begins `os._exit\(1\)`\n.*died"):
        execute.run("02", "tiny")


@pytest.mark.parametrize(
    ("overrides", "words"),
    [({"n_curve": "4"}, "did you mean 'n_curves'"), ({"n_curves": "few"}, "whole number > 0")],
)
def test_wrong_parameter_stops_before_anything_runs(compendium, overrides, words):
    home = compendium("1/0")
    with pytest.raises(ValueError, match=words):
        execute.run("02", "tiny", overrides)
    assert not (home / "results").exists()


def test_missing_notebook_and_missing_repository_are_named(compendium, monkeypatch, tmp_path):
    compendium()
    with pytest.raises(ValueError, match="no notebook notebooks/03_dataset_generation.ipynb"):
        execute.run("03", "tiny")
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(ValueError, match="need a checkout of the repository"):
        repository.root()


def test_an_interrupted_run_leaves_no_notebook(compendium, monkeypatch):
    home = compendium()

    def interrupted(notebook, output, parameters, home):
        output.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(execute, "_execute", interrupted)
    with pytest.raises(KeyboardInterrupt):
        execute.run("02", "tiny")
    assert _files(home / "results" / "tiny" / "chapters") == []


def test_a_chapter_with_variants_runs_all_unless_one_is_picked(compendium):
    compendium()
    tiny, name = load("tiny"), "06_fusion_training"
    networks = ["average", "attention", "gate", "hadamard", "runset"]
    every = [Run(name, network) for network in networks]
    assert execute.runs("06", tiny) == every
    assert execute.runs("06", tiny, {"batch_size": "8"}) == every
    assert execute.runs("06", tiny, {"network": "runset"}) == every[4:]
    assert execute.runs("06", tiny, variant="average") == every[:1]
    assert execute.runs("02", tiny) == [Run("02_mechanisms")]
    with pytest.raises(ValueError, match="no variant of 06_fusion_training has network 'sum'"):
        execute.runs("06", tiny, {"network": "sum"})


def test_attributes_hold_neither_paths_nor_time(tmp_path, monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)
    first = provenance.attributes(seed=3, results=str(tmp_path))
    assert first == provenance.attributes(seed=3, results="elsewhere")
    assert first["parameter_seed"] == "3"
    assert len(first["commit"].removesuffix("-dirty")) == 40
    assert "numpy" in first["versions"]
    assert all(isinstance(value, str) for value in first.values())


def test_outside_of_a_checkout_the_commit_is_unknown(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert provenance.attributes()["commit"] == "unknown"


def test_used_escapes_what_it_shows_and_keeps_to_the_page_colours():
    record = provenance.used(name="<b>", folder=Path("results/x"), seed=3)
    page = record._repr_mimebundle_()[0]["text/html"]
    assert "&lt;b&gt;" in page and "<b>" not in page
    assert "results/x" in page and "PosixPath" not in page
    assert '<table class="dataframe">' in page
    assert "background: transparent" in page and "color: #" not in page
    assert record.parameters["seed"] == 3
    assert record.seconds > 0


def test_used_without_a_parameters_cell_says_what_to_do():
    with pytest.raises(ValueError, match=r"used\(seed=seed\)"):
        provenance.used()
