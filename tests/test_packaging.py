"""What installs the package agrees with pyproject.toml, and the package is whole."""

import ast
import importlib.metadata
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCK = ROOT / "requirements.lock"
PYTHONS = ("3.11", "3.12", "3.13")


def declared(*extras: str) -> list[Requirement]:
    """Return what the package asks for, with some of its extras."""
    chosen = (PROJECT["optional-dependencies"][extra] for extra in extras)
    return [Requirement(line) for lines in (PROJECT["dependencies"], *chosen) for line in lines]


def locked() -> list[Requirement]:
    """Return every pinned line of the lock."""
    lines = re.findall(r"^([\w.\[\]-]+==[^\\\n]+)", LOCK.read_text(), re.M)
    return [Requirement(line) for line in lines]


def pins(python: str, platform: str) -> dict[str, str]:
    """Return the versions that the lock installs on one Python and platform, by name."""
    environment = default_environment() | {
        "python_version": python,
        "python_full_version": f"{python}.1",
        "sys_platform": platform,
        "implementation_name": "cpython",
    }
    return {
        canonicalize_name(pin.name): next(iter(pin.specifier)).version
        for pin in locked()
        if pin.marker is None or pin.marker.evaluate(environment)
    }


def files(folder: Path) -> set[Path]:
    """Return all files below a folder, as paths from there."""
    return {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_lock_satisfies_every_declared_dependency(python, platform):
    versions = pins(python, platform)
    for requirement in declared(*PROJECT["optional-dependencies"]):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not in the lock: make lock"
        assert requirement.specifier.contains(version, prereleases=True), requirement


def test_lock_pins_what_builds_the_package():
    (build,) = [Requirement(line) for line in PYPROJECT["build-system"]["requires"]]
    assert build.specifier.contains(pins("3.11", "linux")[build.name])


def test_lock_has_hashes_and_no_addresses():
    text = LOCK.read_text()
    blocks = re.split(r"^(?=[\w.\[\]-]+==)", text, flags=re.M)[1:]
    assert len(blocks) == len(locked()) > 50
    assert all("--hash=sha256:" in block for block in blocks)
    assert not re.search(r"https?://|file:|--(extra-)?index-url|--find-links", text)


def test_every_dependency_says_what_it_is_for():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    for requirement in declared(*PROJECT["optional-dependencies"]):
        named = [line for line in lines if re.match(rf'\s+"{requirement.name}[<>=]', line)]
        assert named and all(re.search(r'",\s+# \w', line) for line in named), requirement


def test_every_import_is_declared():
    code = {path: path.read_text() for path in ROOT.glob("kinetlib/**/*.py")}
    code |= {path: path.read_text() for path in ROOT.glob("studies/**/*.py")}
    code |= {path: path.read_text() for path in ROOT.glob("tests/*.py")}
    for path in ROOT.glob("notebooks/*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        code[path] = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    wanted = {
        (name.split(".")[0], path.name)
        for path, text in code.items()
        for node in ast.walk(ast.parse(text))
        for name in imported(node)
    }
    own = {"kinetlib", "kinetlib_data", "studies", *(path.stem for path in ROOT.glob("tests/*.py"))}
    everything = declared(*PROJECT["optional-dependencies"])
    known = {canonicalize_name(requirement.name) for requirement in everything}
    distributions = importlib.metadata.packages_distributions()
    undeclared = {
        (name, file)
        for name, file in wanted
        if name not in sys.stdlib_module_names | own | known
        and not known & {canonicalize_name(dist) for dist in distributions.get(name, [])}
    }
    assert undeclared == set()


def imported(node: ast.AST) -> list[str]:
    """Return the modules that an import statement names, none for anything else."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and not node.level:
        return [node.module or ""]
    return []


def test_conda_environment_agrees():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    named = [entry for entry in environment if isinstance(entry, str)]
    (python,) = [entry for entry in named if entry.startswith("python")]
    assert python.removeprefix("python").strip() == PROJECT["requires-python"]
    # All else comes from the lock, which the tests above hold against pyproject.toml.
    assert set(named) - {python} == {"cxx-compiler", "make", "pip"}
    (pip,) = [entry["pip"] for entry in environment if isinstance(entry, dict)]
    assert pip == ["--requirement requirements.lock"]


def test_make_asks_for_the_same_python():
    low, high = (int(minor) for minor in re.findall(r"3\.(\d+)", PROJECT["requires-python"]))
    assert (
        f"(3, {low}) <= sys.version_info[:2] <= (3, {high - 1})" in (ROOT / "Makefile").read_text()
    )
    assert [f"3.{minor}" for minor in range(low, high)] == list(PYTHONS)


def test_every_package_folder_is_installed():
    folders = {
        ".".join(init.parent.relative_to(ROOT).parts)
        for init in (ROOT / "kinetlib").rglob("__init__.py")
    }
    assert set(PYPROJECT["tool"]["setuptools"]["packages"]) == folders | {"kinetlib_data"}


def test_wheel_holds_code_and_data(tmp_path):
    source = tmp_path / "source"  # setuptools builds in the tree it is given
    for name in ("kinetlib", "data"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--quiet", "-w", tmp_path, "."], cwd=source, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, tmp_path], check=True)
    assert (tmp_path / "kinetlib" / "kinetics" / "catalogue.toml").is_file()
    assert len(list((tmp_path / "kinetlib" / "kinetics" / "shipped").glob("*.wasm"))) == 20
    assert not (tmp_path / "studies").exists()
    assert files(source / "data") == files(tmp_path / "kinetlib_data")


def test_installed_package_finds_its_data():
    assert importlib.metadata.version("kinetlib") == PROJECT["version"]
    assert importlib.resources.files("kinetlib_data").joinpath("__init__.py").is_file()


@pytest.mark.parametrize(
    "module", ["tensorflow", "keras", "matplotlib", "pandas", "sklearn", "wasmtime"]
)
def test_import_stays_light(module):
    code = f"import sys, kinetlib; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("compiler", [None, "false"])
def test_what_a_chemist_installs_gives_the_same_bits_everywhere(compiler):
    environment = {**os.environ, **({"CXX": compiler, "PYTHONWARNINGS": ""} if compiler else {})}
    script = ROOT / "tests" / "light_install.py"
    done = subprocess.run(
        [sys.executable, script], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "M1 named" in done.stdout, done.stderr
