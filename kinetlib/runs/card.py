"""The card of a dataset: which files, their checksums, what is in them, how they came about.

Three files beside the splits. ``SHA256SUMS`` lists every shard (``sha256sum --check SHA256SUMS``).
``croissant.json`` says the same and what the variables are to programs, in the Croissant vocabulary
(Akhtar et al., 2024). ``README.md`` says it to a reader, with the questions of Datasheets for
Datasets (Gebru et al., 2021).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import xarray as xr

from kinetlib.records import provenance
from kinetlib.records.files import write_text
from kinetlib.runs.dataset import acceptance, shards

SUMS, CROISSANT, SHEET = "SHA256SUMS", "croissant.json", "README.md"
_NAME = "simulated-catalytic-kinetics"
_PURPOSE = (
    "Concentration-time curves of twenty catalytic mechanisms, simulated from elementary steps, to "
    "train and test classifiers of mechanisms."
)
_CITE = (
    "Simulated catalytic kinetics, made with kinetlib; mechanisms after J. Burés and I. Larrosa, "
    "Nature 613, 689-695 (2023), doi:10.1038/s41586-022-05639-4"
)
_LIMITS = (
    "All runs are simulated: mass action, isothermal, homogeneous, no side reactions but the "
    "mechanism's own, no noise. Rate constants are drawn, not measured, so the shares of "
    "mechanisms and constants say nothing about real reactions. Some mechanisms give nearly the "
    "same curves; a classifier cannot be right on all of them."
)


@dataclass(frozen=True)
class Split:
    """What the shards of one split hold together."""

    name: str
    paths: list[Path]
    samples: int
    acceptance: dict[str, tuple[int, int]]
    recipe: dict[str, Any]
    variables: dict[str, dict[str, str]]


def write(folder: str | Path) -> None:
    """Write the card of the dataset in a folder: checksums, Croissant, datasheet.

    Raises
    ------
    ValueError
        If the folder holds no shards.
    """
    folder = Path(folder)
    splits = _splits(folder)
    if not splits:
        raise ValueError(f"no shards (*/shard-*.nc) in {folder}: generate the dataset first")
    sums = checksums(folder)
    texts = {
        SUMS: "".join(f"{digest}  {name}\n" for name, digest in sums.items()),
        CROISSANT: json.dumps(_croissant(folder, splits, sums), indent=2) + "\n",
        SHEET: _sheet(splits),
    }
    for name, text in texts.items():
        write_text(folder / name, text)


def checksums(folder: str | Path) -> dict[str, str]:
    """Compute the SHA-256 of every shard, by its path below the folder, in order."""
    folder = Path(folder)
    paths = sorted(folder.glob("*/shard-*.nc"))
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(_sha256, paths))
    names = [path.relative_to(folder).as_posix() for path in paths]
    return dict(zip(names, digests, strict=True))


def verify(folder: str | Path) -> None:
    """Hold the shards in a folder against their checksums.

    Raises
    ------
    ValueError
        Names of shards that are missing, changed, or not listed.
    """
    folder = Path(folder)
    if not (folder / SUMS).exists():
        raise ValueError(f"{folder}: no {SUMS} there; kinetlib.runs.card.write makes one")
    lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    listed = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    found = checksums(folder)
    problems = [f"{name} is missing" for name in listed if name not in found]
    problems += [f"{name} is not listed" for name in found if name not in listed]
    problems += [
        f"{name} is not what was listed"
        for name, digest in found.items()
        if listed.get(name, digest) != digest
    ]
    if problems:
        shown = "; ".join(problems[:5]) + ("; ..." if len(problems) > 5 else "")
        raise ValueError(f"{folder}: {shown}; generate the dataset again")


def _splits(folder: Path) -> list[Split]:
    return list(filter(None, map(_split, sorted(p for p in folder.iterdir() if p.is_dir()))))


def _split(place: Path) -> Split | None:
    paths = shards(place)
    if not paths:
        return None
    samples = 0
    for path in paths:
        with xr.open_dataset(path, engine="netcdf4") as shard:
            samples += shard.sizes["sample"]
            recipe = json.loads(shard.attrs["recipe"])
            variables = {
                str(name): {
                    "dimensions": ", ".join(map(str, variable.dims)),
                    "type": "text" if variable.dtype.kind in "OU" else str(variable.dtype),
                    "meaning": variable.attrs.get("long_name", ""),
                    "units": variable.attrs.get("units", ""),
                }
                for name, variable in shard.variables.items()
                if "sample" in variable.dims
            }
    return Split(place.name, paths, samples, acceptance(place), recipe, variables)


def _croissant(folder: Path, splits: list[Split], sums: dict[str, str]) -> dict[str, Any]:
    import mlcroissant  # takes a second, and only a card needs it

    files = [
        mlcroissant.FileObject(
            id=name,
            name=name,
            content_url=name,
            content_size=f"{(folder / name).stat().st_size} B",
            encoding_formats=["application/netcdf"],
            sha256=digest,
        )
        for name, digest in sums.items()
    ]
    metadata = mlcroissant.Metadata(
        name=_NAME,
        description=_PURPOSE,
        license=["https://opensource.org/license/mit"],
        version=provenance.versions()["kinetlib"],
        cite_as=_CITE,
        date_published=datetime.now(UTC),
        distribution=files,
        data_collection=f"Simulated; each shard's attribute `recipe` says from what. {_LIMITS}",
    ).to_json()
    metadata["variableMeasured"] = [
        {
            "@type": "PropertyValue",
            "name": name,
            "description": f"{about['meaning']} ({about['dimensions']})",
            "unitText": about["units"],
        }
        for name, about in splits[0].variables.items()
    ]
    return metadata


def _sheet(splits: list[Split]) -> str:
    parts = [
        f"# {_NAME}",
        _PURPOSE,
        "## What is in it",
        "One NetCDF file a shard; a sample is four runs with one set of rate constants.",
        _table(
            ("split", "shards", "samples", "sets a mechanism and shard", "samples a set", "MB"),
            (
                (
                    split.name,
                    len(split.paths),
                    f"{split.samples:,}",
                    split.recipe["sets_per_mechanism"],
                    split.recipe["samples_per_set"],
                    f"{sum(path.stat().st_size for path in split.paths) / 1e6:,.0f}",
                )
                for split in splits
            ),
        ),
        _table(
            ("variable", "dimensions", "type", "meaning", "units"),
            ((f"`{name}`", *about.values()) for name, about in splits[0].variables.items()),
        ),
        "Labels are the variable `mechanism`. Nothing is missing but rate constants that a "
        "mechanism does not have (NaN). No two splits share a set of rate constants.",
        "## How it came about",
        "Rate constants are drawn log-uniformly and kept where the reference run shows the "
        "fingerprint of the mechanism; initial conditions and times are drawn as the design says. "
        "Every value follows from the `recipe` in the attributes of its shard.",
        *(
            f"`{split.name}`, seed {split.recipe['seed']}: `{json.dumps(split.recipe['design'])}`"
            for split in splits
        ),
        "Accepted of proposed sets of rate constants:",
        _table(("mechanism", *(split.name for split in splits)), _accepted(splits)),
        "## What it is not for",
        _LIMITS,
        "## Checks, licence, origin",
        f"`sha256sum --check {SUMS}` (on macOS `shasum -a 256 --check`) verifies the files; "
        f"`{CROISSANT}` lists them for programs. MIT licence. Made with kinetlib "
        f"{provenance.versions()['kinetlib']}, commit {provenance.attributes()['commit']}.",
    ]
    return "\n\n".join(parts) + "\n"


def _accepted(splits: list[Split]) -> Iterator[tuple[str, ...]]:
    for mechanism in splits[0].acceptance:
        counts = (split.acceptance[mechanism] for split in splits)
        yield (mechanism, *(f"{a:,} of {p:,} ({100 * a / p:.2g} %)" for a, p in counts))


def _table(heading: tuple[str, ...], rows: Iterable[tuple]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
