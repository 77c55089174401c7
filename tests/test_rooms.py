"""The floors of the package: what CONTRIBUTING says is what the linter holds, and it can fail."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import kinetlib

ROOT = Path(__file__).parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
FLOORS = [
    {room.strip() for room in floor.split("|")} for floor in CONTRACTS["contracts"][0]["layers"]
]
ROOMS = set().union(*FLOORS)


def test_contributing_has_the_floors_of_the_contract():
    rows = re.findall(r"^\| \d \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [set(re.findall(r"`(\w+)`:", row)) for row in rows] == FLOORS


def test_at_the_top_of_the_package_are_its_rooms_and_nothing_else():
    found = {path.name for path in (ROOT / "kinetlib").iterdir()} - {"__pycache__"}
    assert found == ROOMS | {"__init__.py", "py.typed"}


def test_the_package_lists_its_rooms_from_the_ground_up():
    listed = re.findall(r"^- `kinetlib\.(\w+)`", kinetlib.__doc__, re.MULTILINE)
    floor = {room: at for at, rooms in enumerate(reversed(FLOORS)) for room in rooms}
    assert set(listed) == ROOMS and len(listed) == len(ROOMS)
    assert [floor[room] for room in listed] == sorted(floor.values())


BREACHES = {
    "upward": ("kinetlib/runs/noise.py", "from kinetlib.inference import prior"),
    "sideways": ("kinetlib/plot/look.py", "from kinetlib.kinetics import mechanisms"),
    "studies": ("kinetlib/crnn/fit.py", "from studies import limit"),
    "circle": ("kinetlib/kinetics/network.py", "from kinetlib.kinetics import simulate"),
}


@pytest.mark.slow
@pytest.mark.parametrize("breach", [None, *BREACHES])
def test_the_contract_fails_where_it_is_broken(tmp_path, breach):
    for name in ("kinetlib", "studies"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    if breach:
        file, line = BREACHES[breach]
        with open(tmp_path / file, "a") as module:
            module.write(f"{line}\n")
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (answer.returncode == 0) == (breach is None), answer.stdout
