"""The open catalogue: mechanisms made of a core and steps that are added to it, one by one.

The twenty mechanisms have one thing to them each; a catalyst that wakes up and dies has two. The
grammar is data (``grammar.toml``), and another file may take its place.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinetlib.kinetics.mechanisms import Mechanism, catalogue
from kinetlib.kinetics.network import parse

Feature = Literal[
    "deactivation",
    "activation",
    "dimer",
    "product inhibition",
    "substrate inhibition",
    "background",
    "second reactant",
]
FEATURES: tuple[str, ...] = get_args(Feature)
_FAMILIES = {"activation": "activation", "deactivation": "deactivation"}
_DIMERS = ("M2", "M3")
_BARE = re.compile(r"\s*\([^()]*\)\s*$")
_CONSTANT = re.compile(r"\((k)(?:, (k-))?\)")


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Core(_Model):
    """What steps are added to; one of the catalogue unless it has reactions of its own."""

    free: str
    loaded: str
    features: tuple[Feature, ...] = ()
    name: str = ""
    reactions: tuple[str, ...] = ()
    others: dict[str, float | tuple[float, float]] = {}


class Step(_Model):
    """What may be added to a core."""

    name: str
    reactions: tuple[str, ...] = Field(min_length=1)
    features: tuple[Feature, ...]
    without: Literal["zero", "fast"]
    others: dict[str, float | tuple[float, float]] = {}
    price: Annotated[float, Field(ge=0)] = 2.0


class Nothing(_Model):
    """Constants that are zero, or fast, where something comes to nothing."""

    zero: tuple[str, ...] = ()
    fast: tuple[str, ...] = ()


class _File(_Model):
    cores: dict[str, Core]
    steps: dict[str, Step]
    without: dict[str, tuple[Nothing, ...]] = {}


@dataclass(frozen=True)
class Composed:
    """A mechanism, and what is known of its parts.

    Attributes
    ----------
    mechanism
        Its ``id`` is the core's with the reactions added: ``"M7 + catS -> dead"``.
    core, steps
        Names in the grammar.
    features
        What a chemist would say of it, of `FEATURES`.
    without
        How each thing that tells it from a simpler one comes to nothing.
    price
        nat that the prior takes for what was added.
    """

    mechanism: Mechanism
    core: str
    steps: tuple[str, ...]
    features: frozenset[str]
    without: tuple[Nothing, ...]
    price: float


class Grammar:
    """Cores and steps, and what can be made of them."""

    def __init__(self, file: _File) -> None:
        self._file = file
        #: Sets of reactions of the catalogue, so that what it holds keeps its name.
        self._known = {_written(one): name for name, one in catalogue().items()}

    @property
    def steps(self) -> Mapping[str, Step]:
        """Steps that may be added, by name."""
        return self._file.steps

    def closed(self) -> list[Composed]:
        """Return the twenty mechanisms."""
        return [self.of(name) for name in catalogue()]

    def of(self, name: str) -> Composed:
        """Return a mechanism of the catalogue with its features."""
        mechanism = catalogue()[name]
        features = {_FAMILIES[mechanism.family]} if mechanism.family in _FAMILIES else set()
        if name in _DIMERS:
            features.add("dimer")
        without = self._file.without.get(name, ())
        return Composed(mechanism, name, (), frozenset(features), without, 0.0)

    def cores(self) -> list[Composed]:
        """Return the cores that are mechanisms of the catalogue."""
        return [self._core(name) for name, core in self._file.cores.items() if not core.reactions]

    def own_cores(self) -> list[Composed]:
        """Return the cores that have reactions of their own, such as those of two reactants."""
        return [self._core(name) for name, core in self._file.cores.items() if core.reactions]

    def extended(self, base: Composed) -> Iterator[Composed]:
        """Yield a mechanism with one step more, for each step that it has not."""
        if base.core not in self._file.cores:
            return
        for name in self._file.steps:
            if name not in base.steps:
                yield self.made(base.core, (*base.steps, name))

    def made(self, core: str, steps: tuple[str, ...]) -> Composed:
        """Make a mechanism of a core and steps, in any order.

        One that the catalogue holds keeps its name there.
        """
        base = self._core(core)
        place = self._file.cores[core]
        others = dict(base.mechanism.others)
        reactions = _steps(base.mechanism)
        number = max(int(re.sub(r"\D", "", name)) for name in base.mechanism.network.constants)
        features, without, price, added = set(base.features), list(base.without), 0.0, []
        for name in sorted(steps, key=list(self._file.steps).index):
            step = self._file.steps[name]
            constants: list[str] = []
            for text in step.reactions:
                number += 1
                filled = text.format(free=place.free, loaded=place.loaded)
                found = _CONSTANT.search(filled)
                constants += [f"k{number}"] + ([f"k-{number}"] if found and found[2] else [])
                numbered = ", ".join(constants[-2:] if found and found[2] else constants[-1:])
                reactions.append(_CONSTANT.sub(f"({numbered})", filled))
                added.append(_CONSTANT.sub("", filled).strip())
            others |= step.others
            features |= set(step.features)
            without.append(Nothing(**{step.without: tuple(constants)}))
            price += step.price
        known = self._known.get(_shape(reactions))
        if known is not None:
            return replace(self.of(known), core=core, steps=tuple(steps))
        network = parse("\n".join(reactions))
        words = [base.mechanism.name, *(self._file.steps[name].name for name in steps)]
        mechanism = Mechanism(
            " + ".join([core, *added]), "; ".join(words), "composed", network, others, ()
        )
        return Composed(mechanism, core, tuple(steps), frozenset(features), tuple(without), price)

    def _core(self, name: str) -> Composed:
        place = self._file.cores[name]
        if not place.reactions:
            base = self.of(name)
            features = base.features | set(place.features)
            return Composed(base.mechanism, name, (), features, base.without, 0.0)
        network = parse("\n".join(place.reactions))
        mechanism = Mechanism(name, place.name, "composed", network, dict(place.others), ())
        without = self._file.without.get(name, ())
        return Composed(mechanism, name, (), frozenset(place.features), without, 0.0)


def _steps(mechanism: Mechanism) -> list[str]:
    """Write the elementary steps as they were read, reversible ones as one."""
    written = []
    for forward, *back in mechanism.network.steps:
        bare = _BARE.sub("", str(forward))
        if back:
            both = f"({forward.constant}, {back[0].constant})"
            written.append(f"{bare.replace(' -> ', ' <=> ')} {both}")
        else:
            written.append(f"{bare} ({forward.constant})")
    return written


def _written(mechanism: Mechanism) -> frozenset[str]:
    return _shape(_steps(mechanism))


def _shape(reactions: list[str]) -> frozenset[str]:
    """Return reactions without their constants, and without what names the dead and the idle."""
    bare = (_BARE.sub("", text) for text in reactions)
    return frozenset(
        re.sub(r"\bdead'|\bdead\b", "dead", re.sub(r"\bcat2\b$|\brest\b", "cat2", text))
        for text in bare
    )


@cache
def grammar() -> Grammar:
    """Return the grammar that comes with the package."""
    return load(resources.files("kinetlib.kinetics") / "grammar.toml")


def load(path: str | Path | Traversable) -> Grammar:
    """Read a grammar of your own.

    Raises
    ------
    ValueError
        What is wrong with which part, and what was expected.
    """
    source = Path(path) if isinstance(path, str) else path
    try:
        file = _File.model_validate(tomllib.loads(source.read_text(encoding="utf-8")))
        made = Grammar(file)
        for core in file.cores:
            for step in file.steps:
                made.made(core, (step,))
    except ValidationError as error:
        first = error.errors()[0]
        place = ", ".join(map(str, first["loc"]))
        raise ValueError(
            f"{source}: {place}: {first['msg'].removeprefix('Value error, ')}"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
        raise ValueError(f"{source}: {error}") from None
    return made
