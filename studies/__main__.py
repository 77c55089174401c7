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

from rich.logging import RichHandler
from rich.progress import Progress

from kinetlib.records import files, quiet
from kinetlib.records.pieces import Piece, Refused, chosen, compute, done

#: What each study is about, and how long it takes on one core.
STUDIES = {
    "limit": ("how often any method can be right", "two hours"),
    "recipes": ("what limits the four fusions", "two hours"),
    "fusions": ("the four fusions by sample passes", "four hours"),
    "reading": ("many runs, and rows after the end", "five minutes"),
    "orders": ("reaction orders of published workbooks", "half a minute, with the workbooks"),
    "answers": ("how often the evidence names the mechanism", "half an hour"),
    "release": ("the network in data/models", "a day"),
    "training_design": ("which simulated samples to train on", "two hours"),
    "experiment_design": ("which experiments tell mechanisms apart", "an hour, then evidences"),
    "inference": ("how often intervals of rate constants hold the truth", "two days; any part"),
    "estimation_design": ("which experiments pin rate constants", "seven minutes"),
    "discovery": ("how often reactions are found in curves", "hours; needs the extra crnn"),
    "higher_order": ("reactions of third order by second-order ones", "forty minutes"),
    "zirconium": ("which crystals to train a potential on", "half an hour, and five of 16-atoms"),
    "attack": ("what bad files do to the readers", "ten minutes; make attack"),
    "solvers": ("what an accuracy costs, how fast networks train", "minutes; make bench"),
}
#: Records of another name; some studies have none.
RECORDS = {"discovery": "crnn.json", "inference": None, "release": None, "solvers": None}
PLACE, SUMMARY = Path("data/studies"), "summary"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line asks for, and return the exit code."""
    given = _parser().parse_args(arguments)
    try:
        if given.study is None:
            for name, (about, takes) in STUDIES.items():
                print(f"{name:<18} {about}: {record_of(name) or 'no record'}, {takes}")
        elif given.study not in STUDIES:
            raise Refused(f"unknown study {given.study!r}: expected one of {', '.join(STUDIES)}")
        else:
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
    parser.add_argument("--processes", type=positive, default=1, help="pieces made side by side")
    parser.add_argument("--first", type=int, default=0, help="first seed, round or pool")
    parser.add_argument("--most", type=positive, help="how many, more than usual in some studies")
    parser.add_argument("--minutes", type=float, help="what can be had in so much time (release)")
    parser.add_argument("--record", action="store_true", help=f"{SUMMARY}: into {PLACE}")
    return parser


def positive(text: str) -> int:
    """Read a number of at least 1."""
    if int(text) < 1:
        raise ValueError
    return int(text)


def record_of(name: str) -> str | None:
    """Return the file name of a study's record, None where there is none."""
    return RECORDS.get(name, f"{name}.json")


def module_of(name: str) -> ModuleType:
    """Load what a study is written in: ``pieces(folder, upto)`` and ``record(folder, made)``."""
    inside = ".study" if Path(__file__).with_name(name).is_dir() else ""
    with quiet.native_logs():
        return import_module(f"studies.{name}{inside}")


def _opened(given: argparse.Namespace) -> tuple[ModuleType, Path, list[Piece]]:
    """Return a study's module, the folder of its pieces, and all of these by name."""
    module = module_of(given.study)
    folder = given.folder or Path("results/studies", given.study)
    upto = None if given.most is None else given.first + given.most
    return module, folder, list(module.pieces(folder, upto))


def _summarise(given: argparse.Namespace) -> None:
    name = record_of(given.study)
    if name is None:
        raise Refused(f"{given.study} has no record: what it leaves is among its pieces")
    module, folder, work = _opened(given)
    path = (PLACE if given.record else folder) / name
    files.write_text(path, json.dumps(module.record(folder, done(folder, work))) + "\n")
    print(path)


def _compute(given: argparse.Namespace) -> None:
    module, folder, work = _opened(given)
    if given.minutes is not None:
        if not hasattr(module, "within"):
            raise Refused(f"{given.study} cannot be had by --minutes, only release can")
        print(json.dumps(module.within(folder, given.minutes) | {"history": "measured.json"}))
        return
    work = chosen(work, given.parts, given.first, given.most)
    with Progress() as bar:
        plain = {"show_time": False, "show_level": False, "show_path": False}
        log, task = logging.getLogger("studies"), bar.add_task(given.study, total=len(work))
        log.handlers = [RichHandler(console=bar.console, **plain)]
        log.setLevel(logging.INFO)

        def told(number: int, total: int, said: str) -> None:
            bar.update(task, completed=number)
            if said:
                log.info("%d of %d: %s", number, total, said)

        compute(folder, work, processes=given.processes, progress=told)


if __name__ == "__main__":
    sys.exit(main())
