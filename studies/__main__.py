"""Long computations whose records the book shows: ``python -m studies`` lists them.

Without parts, all of a study is computed that is not there yet; parts are words of the names that
pieces have, a method say. A piece is a file below results/studies/STUDY. What was interrupted goes
on, what was made under other settings is refused. The part "summary" puts the pieces together and
leaves the record beside them, to be looked at; with --record it takes the place of that in
data/studies.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from kinetlib.records import files, quiet
from kinetlib.records.pieces import Refused, chosen, compute, done

#: What each study is about, and how long it takes on one core.
STUDIES = {
    "limit": ("how often any method can be right", "two hours"),
    "recipes": ("what limits the four fusions", "two hours"),
    "release": ("the network in data/models", "two hours"),
    "training_design": ("which simulated samples to train on", "two hours"),
    "experiment_design": ("which experiments tell mechanisms apart", "an hour, then evidences"),
    "estimation_design": ("which experiments pin rate constants", "seven minutes"),
    "discovery": ("how often reactions are found in curves", "hours; needs the extra crnn"),
    "higher_order": ("reactions of third order by second-order ones", "forty minutes"),
    "zirconium": (
        "which crystals to train a potential on",
        "half an hour, 16 atoms ten times that",
    ),
    "solvers": ("what an accuracy costs, how fast networks train", "minutes; make bench"),
}
#: Records of another name; some studies have none.
RECORDS = {"discovery": "crnn.json", "release": None, "solvers": None}
PLACE, SUMMARY = Path("data/studies"), "summary"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.study is None:
            _list()
        elif given.study not in STUDIES:
            raise Refused(f"unknown study {given.study!r}: expected one of {', '.join(STUDIES)}")
        else:
            given.folder = given.folder or Path("results/studies", given.study)
            (_summarise if given.parts == [SUMMARY] else _compute)(given)
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: what is done is kept, the same command goes on from it", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m studies", description=__doc__)
    parser.add_argument("study", nargs="?", metavar="STUDY", help="one of those listed")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f'parts of it, or "{SUMMARY}"')
    parser.add_argument("--folder", type=Path, help="where its pieces are")
    parser.add_argument("--processes", type=int, default=1, help="pieces made side by side")
    parser.add_argument("--first", type=int, default=0, help="first seed, round, replicate or pool")
    parser.add_argument(
        "--most", type=int, help="how many of them, more than usual in some studies"
    )
    parser.add_argument("--record", action="store_true", help=f"{SUMMARY}: into {PLACE}")
    return parser


def record_of(name: str) -> str | None:
    """Return the file name of a study's record, None where there is none."""
    return RECORDS.get(name, f"{name}.json")


def module_of(name: str) -> ModuleType:
    """Load what a study is written in: ``pieces(folder, upto)`` and ``record(folder, made)``."""
    inside = ".study" if Path(__file__).with_name(name).is_dir() else ""
    with quiet.native_logs():
        return import_module(f"studies.{name}{inside}")


def _list() -> None:
    for name, (about, takes) in STUDIES.items():
        print(f"{name:<18} {about}: {record_of(name) or 'no record'}, {takes}")


def _upto(given: argparse.Namespace) -> int | None:
    return None if given.most is None else given.first + given.most


def _summarise(given: argparse.Namespace) -> None:
    name = record_of(given.study)
    if name is None:
        raise Refused(f"{given.study} has no record: what it leaves is in {given.folder}")
    module = module_of(given.study)
    made = done(given.folder, module.pieces(given.folder, _upto(given)))
    path = (PLACE if given.record else given.folder) / name
    files.write_text(path, json.dumps(module.record(given.folder, made)) + "\n")
    print(path)


def _compute(given: argparse.Namespace) -> None:
    console = Console()
    work = module_of(given.study).pieces(given.folder, _upto(given))
    work = chosen(work, given.parts, given.first, given.most)
    handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False)
    logging.getLogger("studies").addHandler(handler)
    logging.getLogger("studies").setLevel(logging.INFO)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        task = bar.add_task(given.study, total=len(work))

        def told(number: int, total: int, said: str) -> None:
            bar.update(task, completed=number)
            if said:
                console.print(f"{number} of {total}: {said}", markup=False, highlight=False)

        compute(given.folder, work, processes=given.processes, progress=told)


if __name__ == "__main__":
    sys.exit(main())
