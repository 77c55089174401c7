"""The notebooks and the schema say the same, and the notebooks keep the house's rules."""

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

from kinetlib.chapters.parameters import CHAPTERS, type_name

FOLDER = Path(__file__).parent.parent / "notebooks"
LONGEST_FUNCTION = 12

every_notebook = pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem
)


@pytest.fixture
def notebook(path):
    """Return the notebook as a validated document."""
    document = nbformat.read(path, as_version=4)
    nbformat.validate(document)
    return document


def _code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _parameter_cells(notebook):
    return [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]


def test_every_chapter_has_its_notebook_and_the_other_way_round():
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == list(CHAPTERS)


@every_notebook
def test_parameters_cell_agrees_with_the_schema(path):
    fields = CHAPTERS[path.stem].model_fields
    in_schema = {
        name: (type_name(field), field.default, field.description) for name, field in fields.items()
    }
    in_notebook = {
        name: (found["inferred_type_name"], ast.literal_eval(found["default"]), found["help"])
        for name, found in papermill.inspect_notebook(path).items()
    }
    assert in_notebook == in_schema


@every_notebook
def test_parameters_cell_holds_annotated_literals_one_a_line(notebook):
    (cell,) = _parameter_cells(notebook)
    lines = [line for line in cell.source.splitlines() if line.strip()]
    statements = ast.parse(cell.source).body
    assert len(statements) == len(lines)
    for line, statement in zip(lines, statements, strict=True):
        assert line.count("=") == 1, f"papermill passes over a line with another sign: {line}"
        assert isinstance(statement, ast.AnnAssign)
        ast.literal_eval(statement.value)


@every_notebook
def test_notebook_is_stripped(notebook):
    assert notebook.metadata["kernelspec"]["name"] == "python3"
    for cell in _code(notebook):
        assert cell.outputs == []
        assert cell.execution_count is None


@every_notebook
def test_cells_have_ids_of_their_own(path, notebook):
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    identifiers = [cell["id"] for cell in notebook.cells]
    assert len(set(identifiers)) == len(identifiers)


@every_notebook
def test_functions_are_short(notebook):
    for cell in _code(notebook):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= LONGEST_FUNCTION, f"{node.name} belongs into kinetlib"


@every_notebook
def test_last_code_cell_tells_what_the_run_used(notebook):
    last = ast.parse(_code(notebook)[-1].source).body[-1]
    assert isinstance(last, ast.Expr) and isinstance(last.value, ast.Call)
    assert ast.unparse(last.value.func).endswith("used")
