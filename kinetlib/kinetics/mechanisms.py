"""Mechanisms: reactions with a name; the catalogue of catalytic ones, declared as data.

M1 to M20 stand in ``catalogue.toml`` beside this file. Others of substrate, product and catalyst
are written the same way in a file of your own, which `load` reads; `kinetlib.mechanism` reads any.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from kinetlib.kinetics import notation
from kinetlib.kinetics.fingerprint import Fingerprint, Necessary, at_conversion, holds_over
from kinetlib.kinetics.network import Network, parse
from kinetlib.kinetics.network import from_written as network_of

SUBSTRATE, PRODUCT, CATALYST = "S", "P", "cat"
FAMILIES = ("core", "bicatalytic", "activation", "deactivation")


class _Entry(BaseModel):
    """One table of a catalogue file: a reaction of S, P and cat."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str
    family: str
    reactions: list[str] = Field(min_length=1)
    others: dict[str, float | tuple[float, float]] = {}
    fingerprint: tuple[Fingerprint, ...] = ()
    necessary: tuple[Necessary, ...] = ()

    @field_validator("others")
    @classmethod
    def _start_concentrations(cls, others: dict) -> dict:
        for species, value in others.items():
            if species in (SUBSTRATE, PRODUCT, CATALYST):
                raise ValueError(f"{species}: expected a species other than S, P and cat")
            low, high = value if isinstance(value, tuple) else (value, value)
            if not 0 <= low <= high:
                raise ValueError(
                    f"{species}: expected a concentration or a rising pair of them, got {value}"
                )
        return others


_NotNegative = Annotated[float, Field(ge=0)]


class _OwnEntry(BaseModel):
    """One table of a file of mechanisms of one's own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    name: str = ""
    family: str = "own"
    reactions: list[str] = Field(min_length=1)
    rate_constants: dict[str, _NotNegative] = {}
    initial: dict[str, _NotNegative] = {}
    constant: list[str] = []


@dataclass(frozen=True)
class Mechanism:
    """Reactions with a name; one of the catalogue turns S into P by a catalyst.

    Attributes
    ----------
    id, name, family
        ``"M9"``, a few words, and one of core, bicatalytic, activation, deactivation (or your own).
    network
        Its elementary steps.
    others
        Species beside S, P and the catalyst that are there at the start or are let go by it, with
        their initial concentration, or the range it is drawn from once a sample.
    fingerprint
        What a parameter set must show in the reference run to be accepted.
    necessary
        Ratios of constants that the fingerprint is known to need.
    rate_constants
        Values that were written with the mechanism, by constant.
    start
        Initial concentrations that were written with it, those of all other species being 0; None
        for a reaction of S, P and cat, which starts as the reference run does.
    remarks
        What was decided in reading it, a sentence each.
    """

    id: str
    name: str
    family: str
    network: Network
    others: dict[str, float | tuple[float, float]]
    fingerprint: tuple[Fingerprint, ...]
    necessary: tuple[Necessary, ...] = ()
    rate_constants: dict[str, float] = field(default_factory=dict)
    start: dict[str, float] | None = None
    remarks: tuple[str, ...] = ()

    @cached_property
    def catalyst_atoms(self) -> NDArray[np.float64]:
        """Catalyst atoms in each species, shape (S,), from the conservation laws."""
        free = {SUBSTRATE: 0, PRODUCT: 0, CATALYST: 1} | dict.fromkeys(self.others, 0)
        return self.network.law_with(free)

    @cached_property
    def living(self) -> NDArray[np.float64]:
        """Catalyst atoms in each species that some step still uses, shape (S,); 0 of others."""
        used = (self.network.orders > 0).any(0)
        return np.where(used, self.catalyst_atoms, 0.0)

    @property
    def seen(self) -> list[int]:
        """Places of substrate and product among the species: what is measured."""
        return [self.network.index(SUBSTRATE), self.network.index(PRODUCT)]

    @property
    def drawn(self) -> dict[str, tuple[float, float]]:
        """Species whose initial concentration is drawn once a sample, and from where."""
        return {name: value for name, value in self.others.items() if isinstance(value, tuple)}

    @property
    def default_initial(self) -> dict[str, float]:
        """Initial concentrations: as written, or S = 1, cat = 0.05, the middle of ranges."""
        if self.start is not None:
            return dict(self.start)
        initial = {name: float(np.mean(value)) for name, value in self.others.items()}
        return {SUBSTRATE: 1.0, CATALYST: 0.05} | initial

    def initial(
        self,
        loading: ArrayLike = 0.05,
        substrate_0: ArrayLike = 1.0,
        product_0: ArrayLike = 0.0,
        others: Mapping[str, ArrayLike] | None = None,
    ) -> NDArray[np.float64]:
        """Put initial concentrations together; those not given are the reference run's.

        Parameters
        ----------
        loading, substrate_0, product_0
            Of catalyst, substrate, product: numbers, or arrays that broadcast to one shape (...).
        others
            Likewise of further species, by name.

        Returns
        -------
        NDArray
            Of all species, shape (..., S).
        """
        given = {SUBSTRATE: substrate_0, PRODUCT: product_0, CATALYST: loading, **(others or {})}
        filled = self.default_initial | given
        shape = np.broadcast_shapes(*map(np.shape, filled.values()))
        initial = np.zeros((*shape, len(self.network.species)))
        for species, value in filled.items():
            initial[..., self.network.index(species)] = value
        return initial

    def may_accept(self, rate_constants: NDArray, strictness: ArrayLike = 1.0) -> NDArray[np.bool_]:
        """Tell which parameter sets, shape (n, R), are worth a reference run.

        Less strict rules, see `accepts`, let up to twice as much catalyst be dead when half of the
        final conversion is reached, so that half of a necessary ratio may do.
        """
        part = np.where(np.less(strictness, 1.0), 0.5, 1.0)
        worth = np.ones(len(rate_constants), dtype=bool)
        for ratio in self.necessary:
            faster, slower = (
                rate_constants[:, self.network.constants.index(name)]
                for name in (ratio.faster, ratio.slower)
            )
            worth &= faster >= part * ratio.by * slower
        return worth

    def accepts(self, concentration: NDArray, strictness: ArrayLike = 1.0) -> NDArray[np.bool_]:
        """Tell which reference runs carry this mechanism's fingerprint.

        Parameters
        ----------
        concentration
            Shape (n, T, S), from the start of the reaction to its end; NaN where a run failed.
        strictness
            A number or one a run (n,), in (0, 1]: bounds of shares are so far from 0 and from 1,
            relative to those of the rules.

        Returns
        -------
        NDArray
            Shape (n,). A failed run is never accepted.
        """
        network = self.network
        substrate = concentration[..., network.index(SUBSTRATE)]
        conversion = 1.0 - substrate / substrate[:, :1]
        final = conversion[:, -1]
        # Nothing can pass full conversion, but for the integrator's tolerance.
        accepted = np.flatnonzero((final >= 0.5) & np.isfinite(concentration[:, -1]).all(-1))
        progress = conversion[accepted] / final[accepted, None]
        strict = np.broadcast_to(strictness, len(concentration))
        for rule in self.fingerprint:
            atoms = np.zeros(len(network.species))
            at = [network.index(name) for name in rule.share]
            atoms[at] = self.catalyst_atoms[at]
            holds = self._holds(rule, progress, concentration[accepted], atoms, strict[accepted])
            accepted, progress = accepted[holds], progress[holds]
        found = np.zeros(len(concentration), dtype=bool)
        found[accepted] = True
        return found

    def _holds(
        self,
        rule: Fingerprint,
        progress: NDArray,
        concentration: NDArray,
        atoms: NDArray,
        strictness: NDArray,
    ) -> NDArray[np.bool_]:
        # Catalyst atoms are conserved, so their total at the start is that at any time.
        total = concentration[:, 0] @ self.catalyst_atoms
        low, high = rule.range
        low, high = low * strictness, high + (1 - high) * (1 - strictness)
        if isinstance(rule.conversion, float):
            value = at_conversion(progress, concentration, rule.conversion) @ atoms / total
            return (value >= low) & (value <= high)
        share = concentration @ atoms / total[:, None]
        return holds_over(rule, progress, share, low, high)


@cache
def catalogue() -> dict[str, Mechanism]:
    """M1 to M20, in their order."""
    return load(resources.files("kinetlib.kinetics") / "catalogue.toml")


def constants_of(chosen: Iterable[Mechanism]) -> list[str]:
    """List the names of all rate constants, by step, forward before backward."""
    names = {name for mechanism in chosen for name in mechanism.network.constants}
    return sorted(names, key=lambda name: (name.lstrip("k-"), "-" in name))


def get(mechanism: str | Mechanism) -> Mechanism:
    """Look a mechanism of the catalogue up by its id; a Mechanism is passed through.

    Raises
    ------
    ValueError
        An id that the catalogue does not hold.
    """
    if isinstance(mechanism, Mechanism):
        return mechanism
    if not isinstance(mechanism, str) or mechanism not in catalogue():
        near = difflib.get_close_matches(str(mechanism).upper(), catalogue(), n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(
            f"unknown mechanism {mechanism!r}{hint}: the catalogue holds {', '.join(catalogue())}; "
            "kinetlib.mechanism(TEXT_OR_FILE) reads your own"
        )
    return catalogue()[mechanism]


def load(path: str | Path | Traversable) -> dict[str, Mechanism]:
    """Read mechanisms from a file laid out like the catalogue.

    Parameters
    ----------
    path
        A TOML file, one table a mechanism with ``name``, ``family``, ``reactions`` and, where
        needed, ``others``, ``fingerprint`` and ``necessary``.

    Returns
    -------
    dict
        Mechanisms by id.

    Raises
    ------
    ValueError
        What is wrong with which mechanism, and what was expected.
    OSError
        A file that is not there or cannot be read.

    Examples
    --------
    A file ``mine.toml``::

        [M21]
        name = "Catalyst held by product"
        family = "core"
        reactions = [
            "S + cat <=> catS (k1, k-1)",
            "catS -> P + cat (k2)",
            "P + cat <=> catP (k3, k-3)",
        ]

    gives ``load("mine.toml")["M21"]``, which `kinetlib.simulate` takes.
    """
    source = Path(path) if isinstance(path, str) else path
    try:
        tables = tomllib.loads(source.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{source}: not a TOML file: {error}") from None
    if not tables:
        raise ValueError(f"{source}: no mechanism; write a table such as [M21] for each")
    return {name: _catalytic(name, table, str(source)) for name, table in tables.items()}


def from_written(
    identifier: str,
    written: notation.Written,
    *,
    name: str = "",
    family: str = "own",
) -> Mechanism:
    """Make a mechanism of what a text says; its numbers are rate constants and concentrations.

    Raises
    ------
    ValueError
        A number for a name that is no constant and no species, or that is both.
    """
    network = network_of(written)
    values = written.values
    for given in values:
        known = (given in network.constants) + (given in network.species)
        if known != 1:
            what = "both a constant and a species" if known else "no constant and no species"
            raise ValueError(
                f"{given} = {values[given]!r}: {given!r} is {what}; the constants are "
                f"{', '.join(network.constants)}, the species {', '.join(network.species)}"
            )
    return Mechanism(
        identifier,
        name or identifier,
        family,
        network,
        others={},
        fingerprint=(),
        rate_constants={k: values[k] for k in network.constants if k in values},
        start={s: values[s] for s in network.species if s in values},
        remarks=tuple(written.remarks),
    )


def from_table(identifier: str, table: Mapping[str, object], source: str) -> Mechanism:
    """Read a mechanism of one's own from a table of a file.

    Parameters
    ----------
    identifier
        Its id.
    table
        ``reactions`` and, where wanted, ``name``, ``family``, ``rate_constants`` and ``initial``
        (values by name) and ``constant`` (species that are held). A table laid out as in the
        catalogue, with ``others``, ``fingerprint`` or ``necessary``, is read as one.
    source
        Where it stands, for messages.
    """
    if isinstance(table, Mapping) and set(table) - set(_OwnEntry.model_fields):
        if set(table) & {"others", "fingerprint", "necessary"}:
            return _catalytic(identifier, table, source)
    try:
        entry = _OwnEntry.model_validate(table)
        written = notation.read("\n".join(entry.reactions))
        written.held += entry.constant
        for values in (entry.rate_constants, entry.initial):
            for given, value in values.items():
                if written.values.setdefault(given, value) != value:
                    raise ValueError(
                        f"{given} has two values, {written.values[given]!r} and {value!r}"
                    )
        return from_written(identifier, written, name=entry.name, family=entry.family)
    except ValidationError as error:
        problem = _first_problem(error, _OwnEntry)
        raise ValueError(f"{source}: mechanism {identifier!r}{problem}") from None
    except ValueError as error:
        raise ValueError(f"{source}: mechanism {identifier!r}: {error}") from None


def _catalytic(name: str, table: object, source: str) -> Mechanism:
    try:
        entry = _Entry.model_validate(table)
        network = parse("\n".join(entry.reactions))
        for species in (SUBSTRATE, PRODUCT, CATALYST, *entry.others):
            network.index(species)
        mechanism = Mechanism(
            name,
            entry.name,
            entry.family,
            network,
            entry.others,
            entry.fingerprint,
            entry.necessary,
        )
        for ratio in entry.necessary:
            for constant in (ratio.faster, ratio.slower):
                if constant not in network.constants:
                    raise ValueError(
                        f"necessary: unknown rate constant {constant!r}, "
                        f"expected {', '.join(network.constants)}"
                    )
        for rule in entry.fingerprint:
            for species in rule.share:
                network.index(species)
        if entry.fingerprint:
            _ = mechanism.catalyst_atoms
    except ValidationError as error:
        raise ValueError(f"{source}: mechanism {name!r}{_first_problem(error)}") from None
    except ValueError as error:
        raise ValueError(f"{source}: mechanism {name!r}: {error}") from None
    return mechanism


def _first_problem(error: ValidationError, entry: type[BaseModel] = _Entry) -> str:
    """Say where and what, with the valid names where a name is not one."""
    first = error.errors()[0]
    place = "".join(f", {part}" for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        rules = {"fingerprint": Fingerprint, "necessary": Necessary}
        model = rules.get(str(first["loc"][0]) if len(first["loc"]) > 1 else "", entry)
        message = f"not known; expected {', '.join(model.model_fields)}"
    return f"{place}: {message}"
