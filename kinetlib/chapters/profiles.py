"""Profiles: how large the book is made, ``profiles/<name>.yaml`` in the schema of `parameters`.

What a profile leaves out keeps the chapter's default. Its name is the folder its results go to.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinetlib.chapters.parameters import (
    CHAPTERS,
    Chapters,
    FusionTrainingVariants,
    Parameters,
    expected,
)
from kinetlib.records import repository

DEFAULT = "laptop"


@dataclass(frozen=True)
class Run:
    """One execution of a chapter's notebook; `variant` is None where a chapter has none."""

    chapter: str
    variant: str | None = None

    @property
    def name(self) -> str:
        """Name of the executed notebook, without suffix."""
        return self.chapter if self.variant is None else f"{self.chapter}-{self.variant}"


class Profile(BaseModel):
    """Values of every parameter of every chapter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    description: str = ""
    chapters: Chapters = Chapters()

    @property
    def results(self) -> str:
        """Folder of everything this profile makes, relative to the repository."""
        return f"results/{self.name}"

    def variants(self, chapter: str) -> dict[str, Parameters]:
        """Return the values of each variant of a chapter; empty where it has none."""
        entry = self._entry(chapter)
        return dict(entry.variants) if isinstance(entry, FusionTrainingVariants) else {}

    def runs(self, chapter: str | None = None) -> list[Run]:
        """List the executions of one chapter or of all, each after those it reads from."""
        chapters = CHAPTERS if chapter is None else [chapter]
        return [
            Run(name, variant) for name in chapters for variant in (self.variants(name) or [None])
        ]

    def parameters(self, run: Run, overrides: Mapping[str, Any] | None = None) -> Parameters:
        """Validate the parameters of a run, `overrides` on top of the profile's values.

        Raises
        ------
        ValueError
            If the chapter has no such variant, or an override an unknown name or a wrong value.
        """
        variants = self.variants(run.chapter)
        if variants and run.variant not in variants:
            raise ValueError(
                f"profile {self.name}: {run.chapter} is run in variants, "
                f"{'none given' if run.variant is None else f'not {run.variant!r}'}"
                f"{_nearest(run.variant or '', variants)}"
            )
        if not variants and run.variant is not None:
            raise ValueError(
                f"profile {self.name}: {run.chapter} has no variants, not even {run.variant!r}"
            )
        own = self._own(run)
        values = {**own.model_dump(), "results": self.results, **(overrides or {})}
        try:
            return type(own).model_validate(values)
        except ValidationError as error:
            raise _explained(error, "given parameters", ("chapters", run.chapter)) from None

    def _own(self, run: Run) -> Parameters:
        """Return the profile's values for a run."""
        return self.variants(run.chapter).get(run.variant) or self._entry(run.chapter)

    def _entry(self, chapter: str) -> Parameters | FusionTrainingVariants:
        """Return the profile's entry of a chapter known by its full name."""
        by_alias = {field.alias: name for name, field in Chapters.model_fields.items()}
        return getattr(self.chapters, by_alias[chapter])


def find_chapter(text: str) -> str:
    """Return the full name of the chapter that `text` names or begins, such as ``03``.

    Raises
    ------
    ValueError
        If none or more than one fits.
    """
    start = text.zfill(2) if text.isdigit() else text
    fitting = [
        name
        for name in CHAPTERS
        if text and (name.startswith(start) or name.partition("_")[2] == text)
    ]
    if len(fitting) == 1:
        return fitting[0]
    problem = "more than one chapter begins with" if fitting else "no chapter is called"
    raise ValueError(f"{problem} {text!r}{_nearest(text, fitting or CHAPTERS)}")


def load(name_or_path: str | Path = DEFAULT) -> Profile:
    """Read a profile: ``smoke``, ``laptop``, ``paper`` or the path of a ``.yaml`` file.

    Raises
    ------
    ValueError
        If there is no such profile or it does not fit the schema; the message names the file,
        the chapter, the parameter, what was expected and the nearest valid name.
    """
    path = _find(name_or_path)
    content = _read(path)
    try:
        profile = Profile.model_validate({**content, "name": path.stem})
    except ValidationError as error:
        raise _explained(error, repository.relative(path)) from None
    for run in profile.runs():
        if "results" in profile._own(run).model_fields_set:
            raise ValueError(
                f"{repository.relative(path)}: chapter {run.chapter}, parameter results: a profile "
                f"writes to {profile.results}; give another folder with -p results=FOLDER"
            )
    return profile


def _find(name_or_path: str | Path) -> Path:
    """Find the file of a profile given by name or path."""
    text = str(name_or_path)
    if text.endswith((".yaml", ".yml")):
        if not Path(text).is_file():
            raise ValueError(f"no profile file {text}")
        return Path(text)
    folder = repository.root() / "profiles"
    known = sorted(path.stem for path in folder.glob("*.yaml"))
    if text not in known:
        raise ValueError(f"no profile is called {text!r}{_nearest(text, known)}")
    return folder / f"{text}.yaml"


_LONGEST = 300  # letters of what a parser says


class _UniqueKeysLoader(yaml.SafeLoader):
    """YAML in which a key given twice is an error, not the last one silently taken."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for position, key in enumerate(keys):
            if key in keys[:position]:
                mark = node.value[position][0].start_mark
                raise yaml.constructor.ConstructorError(
                    problem=f"{key!r} is given twice", problem_mark=mark
                )
        return super().construct_mapping(node, deep)


def _read(path: Path) -> dict[str, Any]:
    """Read the top level of a profile's YAML."""
    where = repository.relative(path)
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeysLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        at = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ValueError(f"{where}{at}: not readable as YAML: {error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        said = " ".join(str(error).split())[:_LONGEST]
        raise ValueError(f"{where} is not readable as YAML: {said}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{where}: expected `description:` and `chapters:` at the top level")
    if "name" in content:
        raise ValueError(f"{where}: a profile is named by its file, leave out `name:`")
    return content


def _nearest(text: str, valid: Iterable[str]) -> str:
    """End a message with the valid names and the one that was probably meant."""
    names = list(valid)
    close = difflib.get_close_matches(text, names, n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{meant} valid: {', '.join(names)}"


def _explained(error: ValidationError, source: str, prefix: tuple[str, ...] = ()) -> ValueError:
    """Turn what pydantic found in `source` into one ValueError of one line."""
    found = (_complaint(prefix + one["loc"], one) for one in error.errors(include_url=False))
    complaints = [" ".join(said.split())[:_LONGEST] for said in dict.fromkeys(found)]
    shown, others = complaints[:1], len(complaints) - 1
    for said in complaints[1:]:
        if len("; ".join([*shown, said])) <= _LONGEST:
            shown, others = [*shown, said], others - 1
    more = f"; and {others} more" if others else ""
    return ValueError(f"{source}: {'; '.join(shown)}{more}")


def _complaint(location: tuple[int | str, ...], detail: Mapping[str, Any]) -> str:
    """Say what is wrong at one place of a profile, and what was expected there."""
    unknown = detail["type"] == "extra_forbidden"
    if location[0] != "chapters":
        valid = [name for name in Profile.model_fields if name != "name"]
        what = f"unknown entry {location[0]!r}{_nearest(str(location[0]), valid)}"
        return what if unknown else f"{location[0]}: {detail['msg']}, got {detail['input']!r}"
    if len(location) == 1:
        return f"chapters: expected one entry per chapter, got {detail['input']!r}"
    chapter, *rest = map(str, location[1:])
    if chapter not in CHAPTERS:
        return f"unknown chapter {chapter!r}{_nearest(chapter, CHAPTERS)}"
    place = f"chapter {chapter}"
    if rest[:1] == ["variants"]:
        place, rest = f"{place}, variant {' '.join(rest[1:2])}", rest[2:]
    if detail["type"] == "value_error" and not rest:
        return f"{place}: {detail['ctx']['error']}"
    if not rest or rest[-1] == "[key]":
        return f"{place}: expected `name: value` lines, got {detail['input']!r}"
    return f"{place}, {_about_parameter(CHAPTERS[chapter], rest, detail)}"


def _about_parameter(
    parameters: type[Parameters], location: list[str], detail: Mapping[str, Any]
) -> str:
    """Say what is wrong with one parameter; `location` is its name and any list position."""
    fields = parameters.model_fields
    name, *position = location
    if name not in fields:
        return f"unknown parameter {name!r}{_nearest(name, fields)}"
    item = f", item {int(position[0]) + 1}" if position else ""
    hint = ""
    if isinstance(detail["input"], bool):
        hint = " (YAML reads yes, no, on and off as truth values: put text in quotes)"
    given = detail["input"]
    return f"parameter {name}{item}: expected {expected(fields[name])}, got {given!r}{hint}"
