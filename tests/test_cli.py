"""The command line: what reaches standard output, standard error and the shell."""

import json
import subprocess
import sys
from importlib.metadata import version
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from kinetlib import lab
from kinetlib.chapters import execute, profiles
from kinetlib.cli import main
from kinetlib.kinetics import mechanisms

PROBABILITIES = {"M1": 0.2, "M2": 0.7, "M3": 0.1}
COLUMNS = ["--substrate", "A", "--catalyst", "Cat"]


@pytest.fixture(autouse=True)
def _compendium(tmp_path, monkeypatch):
    """Work in a small repository of our own."""
    for folder in ("notebooks", "profiles"):
        (tmp_path / folder).mkdir()
    (tmp_path / "profiles" / "laptop.yaml").write_text("{}")
    (tmp_path / "profiles" / "tiny.yaml").write_text("chapters: {02_mechanisms: {n_curves: 3}}")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")


@pytest.fixture
def executed(monkeypatch, tmp_path):
    """Record what would be executed instead of executing it."""
    calls = []

    def record(chapter, profile, overrides=None, variant=None):
        calls.append((profiles.Run(chapter, variant).name, profile.name, dict(overrides)))
        return tmp_path / "results" / f"{chapter}.ipynb"

    monkeypatch.setattr(execute, "run", record)
    return calls


def _call(*arguments):
    return CliRunner().invoke(main, list(arguments))


def test_version():
    answer = _call("--version")
    assert (answer.exit_code, answer.output) == (0, f"kinetlib, version {version('kinetlib')}\n")


def test_help_starts_without_the_heavy_packages():
    heavy = ("tensorflow", "keras", "matplotlib", "papermill", "rich")
    program = (
        "import sys\nfrom kinetlib.cli import main\n"
        "main(['run', '--help'], standalone_mode=False)\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert answer.stdout.splitlines()[-1] == "[]", answer.stderr


def test_run_passes_overrides_on(executed):
    answer = _call("run", "02", "--profile", "tiny", "-p", "loading=1e-2", "-p", "seed = 5")
    assert answer.exit_code == 0, answer.output
    assert executed == [("02_mechanisms", "tiny", {"loading": "1e-2", "seed": "5"})]
    assert answer.stdout.strip().endswith("results/02_mechanisms.ipynb")


def test_run_executes_all_variants_unless_a_network_is_given(executed):
    _call("run", "06", "--profile", "tiny")
    networks = ["average", "attention", "gate", "hadamard", "runset"]
    assert [name for name, _, _ in executed] == [f"06_fusion_training-{n}" for n in networks]
    executed.clear()
    _call("run", "06", "-p", "network=average")
    assert [name for name, _, _ in executed] == ["06_fusion_training-average"]
    executed.clear()
    _call("run", "06", "--variant", "hadamard")
    assert [name for name, _, _ in executed] == ["06_fusion_training-hadamard"]


def test_run_all_goes_in_order(executed):
    assert _call("run", "--all", "--profile", "tiny").exit_code == 0
    assert [name for name, _, _ in executed] == [run.name for run in profiles.load("tiny").runs()]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "02", "-p", "n_curve=3"], "did you mean 'n_curves'"),
        (["run", "02", "-p", "n_curves=x"], "expected whole number > 0, got 'x'"),
        (["run", "02_mechanism_"], "did you mean '02_mechanisms'"),
        (["run", "02", "--profile", "tyny"], "did you mean 'tiny'"),
        (["run", "06", "--variant", "hadamar"], "did you mean 'hadamard'"),
        (["run", "02", "-p", "n_curves"], "expected name=value"),
        (["run"], "give one of CHAPTER, --all or --list"),
        (["run", "02", "--all"], "give one of CHAPTER, --all or --list"),
        (["run", "--all", "-p", "seed=1"], "belong to one CHAPTER"),
        (["classify", "absent.xlsx", *COLUMNS, "--product", "P"], "absent.xlsx"),
    ],
)
def test_wrong_input_is_one_message_and_exit_code_2(executed, arguments, words):
    answer = _call(*arguments)
    assert answer.exit_code == 2
    assert words in answer.stderr
    assert answer.stdout == ""
    assert "Traceback" not in answer.stderr
    assert executed == []


def test_failed_chapter_ends_with_exit_code_1(monkeypatch):
    def fail(*arguments):
        raise execute.ChapterFailed("chapter 02_mechanisms failed in cell 3")

    monkeypatch.setattr(execute, "run", fail)
    answer = _call("run", "02")
    assert answer.exit_code == 1
    assert answer.stderr.endswith("error: chapter 02_mechanisms failed in cell 3\n")


def test_list_shows_type_value_and_help_of_every_parameter():
    answer = _call("run", "--list", "--profile", "tiny")
    assert answer.exit_code == 0
    for run in profiles.load("tiny").runs():
        assert run.name in answer.stdout
        for name in profiles.CHAPTERS[run.chapter].model_fields:
            assert name in answer.stdout
    (line,) = [
        line
        for line in _call("run", "02", "--list", "--profile", "tiny").stdout.splitlines()
        if "n_curves" in line
    ]
    assert " int " in line
    assert " 3 " in line
    assert "sets of rate constants drawn per mechanism" in line


@pytest.fixture
def classified(monkeypatch, tmp_path):
    """Stand in for reader and network; return the arguments they were called with."""
    calls = {}

    def read(path, substrate, product, catalyst, **options):
        calls.update(options, columns=(substrate, product, catalyst))
        runs = xr.Dataset(coords={"run": ["standard", "excess"]})
        return runs.assign_attrs(warnings="run excess is short\nrun standard has a gap")

    def ask(runs, model):
        calls["model"] = model
        coordinates = {"mechanism": list(PROBABILITIES)}
        values = np.array([list(PROBABILITIES.values())])
        answer = xr.DataArray(values, dims=("sample", "mechanism"), coords=coordinates)
        if model != "runset":
            return answer
        return answer.assign_coords(
            in_set=(("sample", "mechanism"), values > 0.25),
            noise=("sample", [np.nan]),
            strangeness=("sample", [0.97]),
        )

    monkeypatch.setattr(lab, "read", read)
    monkeypatch.setitem(sys.modules, "kinetlib.fusion.classify", SimpleNamespace(classify=ask))
    (tmp_path / "data.xlsx").write_text("")
    return calls


def test_classify_json_is_one_object_and_nothing_else(classified):
    answer = _call("classify", "data.xlsx", "--quick", *COLUMNS, "--product", "P", "--json")
    assert answer.exit_code == 0, answer.output
    assert json.loads(answer.stdout) == {
        "probabilities": PROBABILITIES,
        "set": [name for name, value in PROBABILITIES.items() if value > 0.25],
        "noise": None,
        "strangeness": 0.97,
        "model": "runset",
        "runs": ["standard", "excess"],
        "runs_left_aside": [],
        "warnings": ["run excess is short", "run standard has a gap"],
    }
    assert answer.stderr.splitlines()[0] == "warning: run excess is short"
    assert classified["columns"] == ("A", "P", "Cat")


def test_classify_saves_what_json_prints(classified, tmp_path):
    asked = ("classify", "data.xlsx", "--quick", *COLUMNS)
    printed = _call(*asked, "--json").stdout
    saved = _call(*asked, "--save", tmp_path / "new" / "answer.json")
    assert saved.exit_code == 0 and "M2" in saved.stdout
    assert (tmp_path / "new" / "answer.json").read_text() == printed


def test_classify_prints_the_most_probable_first(classified):
    answer = _call("classify", "data.xlsx", "--quick", *COLUMNS, "--standard", "excess")
    assert answer.exit_code == 0, answer.output
    order = [word for word in answer.stdout.split() if word in PROBABILITIES]
    assert order == ["M2", "M1", "M3"]
    assert "70.0%" in answer.stdout
    assert mechanisms.get("M2").name in answer.stdout
    assert "Noise: not told by these runs. Strangeness: 97%" in answer.stdout
    assert classified["columns"] == ("A", None, "Cat")
    assert classified["standard"] == "excess"


def test_classify_by_a_network_without_calibration_says_less(classified):
    answer = _call("classify", "data.xlsx", "--quick", *COLUMNS, "--model", "mine.keras", "--json")
    assert set(json.loads(answer.stdout)) == {
        "probabilities",
        "model",
        "runs",
        "runs_left_aside",
        "warnings",
    }
    assert (
        "Strangeness"
        not in _call("classify", "data.xlsx", "--quick", *COLUMNS, "--model", "m").stdout
    )
