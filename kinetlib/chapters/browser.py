"""What the page "Ask the book" reads: the released network as data for a reader's browser.

A page that is opened from disk can load nothing but classic scripts, so weights, calibration,
catalogue and example are such scripts: numbers in base64, no code. Each carries the digest of the
network that it was made from.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from kinetlib.kinetics import mechanisms, wasm
from kinetlib.kinetics.native_source import tangent_source
from kinetlib.runs.laboratory import Campaign
from kinetlib.runs.noise import NOISE_BINS

NETWORK = "runset"
EXAMPLE = "example.xlsx"
PAGE = "book/ask.html"  # of the rendered book
SCRIPTS = "_static/ask"  # of the rendered book, and of its source below book/
#: The scripts of the page, in the order in which they build on each other.
ORDER = (
    "network-data.js",
    "trust-data.js",
    "catalogue-data.js",
    "kernels-data.js",
    "data.js",
    "words.js",
    "titles.js",
    "text.js",
    "archive.js",
    "opening.js",
    "layout.js",
    "stacks.js",
    "runs.js",
    "notes.js",
    "features.js",
    "network.js",
    "trust.js",
    "reaction.js",
    "kernel.js",
    "fit.js",
    "figure.js",
    "fits.js",
    "fitted.js",
    "page.js",
)
VENDOR = "vendor/read-excel-file.min.js"  # what ORDER needs before it
_SHOWN = {
    "substrate": mechanisms.SUBSTRATE,
    "product": mechanisms.PRODUCT,
    "catalyst": mechanisms.CATALYST,
}
_DIGEST = re.compile(r'"sha256": "([0-9a-f]{64})"')
_MAIN = '<main id="main-content" class="bd-main" role="main">'


def scripts() -> dict[str, str]:
    """Write the data scripts of the page.

    Returns
    -------
    dict
        JavaScript by name of file: ``network-data.js``, the weights; ``trust-data.js``, the
        calibration; ``catalogue-data.js``, names of the mechanisms, what the network was trained
        on, and the example; ``kernels-data.js``, the integrators and their species and constants.
    """
    models = resources.files("kinetlib_data") / "models"
    card = json.loads((models / f"{NETWORK}.json").read_text(encoding="utf-8"))
    with np.load(io.BytesIO((models / f"{NETWORK}.weights.npz").read_bytes())) as weights:
        network = {"classes": card["classes"], **_packed(weights)}
    calibration = card["calibration"]
    with np.load(io.BytesIO((models / f"{NETWORK}.npz").read_bytes())) as arrays:
        trust = {
            "temperatures": calibration["temperatures"],
            "conditions": calibration["sets"]["conditions"],
            "least": calibration["sets"]["least"],
            "nearerConditions": calibration["nearer"],
            "noiseBins": NOISE_BINS,
            **_packed(arrays),
        }
    example = (resources.files("kinetlib_data") / EXAMPLE).read_bytes()
    catalogue = {
        "mechanisms": {
            one.id: {"name": one.name, "family": one.family}
            for one in mechanisms.catalogue().values()
        },
        "trainedOn": Campaign().model_dump(include={"loading", "substrate", "product", "stopped"}),
        "example": {"name": EXAMPLE, "base64": base64.b64encode(example).decode()},
    }
    made = {"network": network, "trust": trust, "catalogue": catalogue, "kernels": _kernels()}
    return {f"{name}-data.js": _script(name, value) for name, value in made.items()}


def digest() -> str:
    """Return the SHA-256 of the released network, as hexadecimal digits."""
    file = resources.files("kinetlib_data") / "models" / f"{NETWORK}.keras"
    return hashlib.sha256(file.read_bytes()).hexdigest()


def check(book: Path) -> None:
    """Refuse a rendered book whose page answers by another network than the released one.

    Parameters
    ----------
    book
        Folder of the rendered book.

    Raises
    ------
    ValueError
        If a data script is missing, or was made from another network.
    """
    expected = digest()
    for name in (name for name in ORDER if name.endswith("-data.js")):
        file = book / SCRIPTS / name
        found = _DIGEST.search(file.read_text(encoding="utf-8")[:200]) if file.is_file() else None
        if found is None or found[1] != expected:
            raise ValueError(
                f"{file}: the page answers by network {found[1] if found else 'of no digest'}, "
                f"and the released one is {expected}; build the book anew"
            )


def mend(book: Path) -> None:
    """Leave the page one main element, its own: a page of HTML has no second one.

    Raises
    ------
    ValueError
        If the theme no longer writes what is to be changed.
    """
    page = book / PAGE
    before, main, rest = page.read_text(encoding="utf-8").partition(_MAIN)
    inside, end, after = rest.rpartition("</main>")
    if not main or not end:
        raise ValueError(f"{page}: expected the theme's {_MAIN}")
    text = f'{before}<div id="main-content" class="bd-main">{inside}</div>{after}'
    page.write_text(text, encoding="utf-8")


def _kernels() -> dict[str, Any]:
    """Pack the integrators that the package ships, with what their numbers mean."""
    folder = resources.files("kinetlib.kinetics") / wasm.SHIPPED
    found = {}
    for one in mechanisms.catalogue().values():
        code = (folder / wasm.name(tangent_source(one.network))).read_bytes()
        network = one.network
        drawn = [
            {"species": network.index(name), "low": low, "high": high}
            for name, (low, high) in one.drawn.items()
        ]
        found[one.id] = {
            "module": base64.b64encode(gzip.compress(code, 9, mtime=0)).decode(),
            "species": list(network.species),
            "constants": list(network.constants),
            "orders": network.orders.sum(1).tolist(),
            **{role: network.index(name) for role, name in _SHOWN.items()},
            "drawn": drawn[0] if drawn else None,
        }
    return {"mechanisms": found}


def _packed(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Pack arrays behind each other: shapes by name, and single-precision numbers as base64."""
    numbers = b"".join(np.ascontiguousarray(arrays[name], "<f4").tobytes() for name in arrays)
    return {
        "shapes": {name: list(arrays[name].shape) for name in arrays},
        "packed": base64.b64encode(gzip.compress(numbers, 9, mtime=0)).decode(),
    }


def _script(name: str, value: dict[str, Any]) -> str:
    text = json.dumps({"sha256": digest(), **value})
    return f"((globalThis.kinetlib ??= {{}}).data ??= {{}}).{name} = {text};\n"
