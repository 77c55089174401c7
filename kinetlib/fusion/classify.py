"""Runs in, probabilities of the mechanisms out, with a trained network."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from kinetlib import fusion
from kinetlib.fusion.card import read_card
from kinetlib.fusion.evaluated import SUFFIX, Evaluated
from kinetlib.fusion.trust import Trust
from kinetlib.runs import runs as runs_of

if TYPE_CHECKING:
    import keras


def classify(runs: xr.Dataset, model: str | Path = "runset") -> xr.DataArray:
    """Tell how probable each mechanism is, given the runs of a reaction.

    Parameters
    ----------
    runs
        ``time``, ``substrate``, ``product`` (sample, run, time), NaN where a run has no point;
        ``loading``, ``substrate_0``, ``product_0`` (sample, run). Concentrations relative to the
        initial substrate of the standard run; time in any unit. The released network reads any
        number of runs in any order, of more than sixteen those that start most differently, each
        with two points or more, also without product or without substrate; of more than 24 points
        neighbours are averaged. Runs that `kinetlib.lab.read` marks as not ``comparable``, and
        points as ``completed``, are left out. Networks of your own with one of
        the four fusions read four runs, see `kinetlib.fusion.arranged`.
    model
        A released network (``"runset"``), or the path of a ``.keras`` file of your own with its
        card beside it.

    Returns
    -------
    xarray.DataArray
        Probabilities (sample, mechanism), with the mechanisms' ids as coordinate. A calibrated
        network adds coordinates: ``in_set`` (sample, mechanism), the set that holds the true
        mechanism with 95 %; ``noise`` (sample), the relative noise the runs seem to have; and
        ``strangeness`` (sample), near 1 where the reaction looks like none of the catalogue. See
        `kinetlib.fusion.trust`.

    Raises
    ------
    ValueError
        If variables are missing, a sample has no usable run, or there is no such network.
    """
    return reader(model)(runs)


def reader(model: str | Path = "runset") -> Callable[[xr.Dataset], xr.DataArray]:
    """Open a network once, to ask it often: what comes back does what `classify` does."""
    path = _find(model)
    card = read_card(path)
    if card["recipe"]["fusion"] == fusion.RUNSET:
        asked, trust = _weights(path), _trust(path, card)
        return lambda runs: _of_sets(runs, asked, card["classes"], trust, str(model))
    network, _ = fusion.load(path)
    recipe = fusion.Recipe.model_validate(card["recipe"])

    def ask(runs: xr.Dataset) -> xr.DataArray:
        probabilities = np.empty((runs.sizes["sample"], len(card["classes"])))
        for members, curves in fusion.arranged(runs, recipe.max_points):
            probabilities[members] = fusion.predict(network, curves, seen=recipe.features)
        return _array(probabilities, card["classes"], str(model))

    return ask


def released() -> list[str]:
    """Names of the networks that come with the package."""
    folder = resources.files("kinetlib_data") / "models"
    return sorted(p.name.removesuffix(".keras") for p in folder.iterdir() if p.suffix == ".keras")


def open_network(model: str | Path = "runset") -> tuple[keras.Model, dict[str, Any], Trust | None]:
    """Open a network for Keras: itself, its card, and its calibration if it has one.

    Raises
    ------
    ValueError
        If there is no such network, or its files are not what they should be.
    """
    path = _find(model)
    network, card = fusion.load(path)
    return network, card, _trust(path, card)


def _trust(path: Path, card: dict[str, Any]) -> Trust | None:
    if "calibration" not in card:
        return None
    return Trust.load(path.with_suffix(".npz"), card["calibration"])


def _weights(path: Path) -> Evaluated:
    """Open what a network of sets of runs is asked by; one saved before has it in Keras' file."""
    weights = path.with_suffix(SUFFIX)
    if weights.is_file():
        return Evaluated.load(weights)
    model, _ = fusion.load(path)
    return Evaluated({variable.path: variable.numpy() for variable in model.weights})


def _of_sets(
    runs: xr.Dataset, network: Evaluated, classes: list[str], trust: Trust | None, model: str
) -> xr.DataArray:
    """Ask a network of sets of runs, and its calibration if it has one."""
    read = runs_of.from_dataset(runs)
    probabilities, hidden = network.read(read)
    if trust is None:
        return _array(probabilities, classes, model)
    answer = trust.answer(read, probabilities, hidden)
    return _array(answer.probabilities, classes, model).assign_coords(
        in_set=(("sample", "mechanism"), answer.members),
        noise=("sample", answer.noise),
        strangeness=("sample", answer.strangeness),
    )


def _array(probabilities: np.ndarray, classes: list[str], model: str) -> xr.DataArray:
    return xr.DataArray(
        probabilities,
        dims=("sample", "mechanism"),
        coords={"mechanism": classes},
        name="probability",
        attrs={"long_name": "probability of the mechanism", "units": "1", "model": model},
    )


def _find(model: str | Path) -> Path:
    if Path(model).suffix == ".keras":
        return Path(model)
    if str(model) not in released():
        raise ValueError(
            f"no released network {str(model)!r}, only {', '.join(released()) or 'none'}; "
            "a network of your own is named by its path, which ends in .keras"
        )
    return Path(str(resources.files("kinetlib_data") / "models" / f"{model}.keras"))
