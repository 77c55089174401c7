"""Runs in, probabilities of the mechanisms out, with a trained network."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import xarray as xr

from kinetlib import fusion


def classify(runs: xr.Dataset, model: str | Path = "hadamard") -> xr.DataArray:
    """Tell how probable each mechanism is, given the runs of a reaction.

    Parameters
    ----------
    runs
        ``time``, ``substrate``, ``product`` (sample, run, time), NaN where a run has no point;
        ``loading``, ``substrate_0``, ``product_0`` (sample, run). Concentrations relative to the
        initial substrate of the standard run; time in any unit. The network reads four runs: three
        with the standard substrate (1) and loadings spread from lowest to highest, and the one with
        least substrate. Other runs are passed over; where a sample has fewer, some are read twice.
    model
        A released network (``"hadamard"``), or the path of a ``.keras`` file of your own with its
        card beside it.

    Returns
    -------
    xarray.DataArray
        Probabilities (sample, mechanism), with the mechanisms' ids as coordinate.

    Raises
    ------
    ValueError
        If variables are missing, a sample has no usable run, or there is no such network.
    """
    network, card = fusion.load(_find(model))
    classes = card["classes"]
    probabilities = np.empty((runs.sizes["sample"], len(classes)))
    for members, curves in fusion.arranged(runs, card["recipe"]["max_points"]):
        probabilities[members] = fusion.predict(network, curves)
    return xr.DataArray(
        probabilities,
        dims=("sample", "mechanism"),
        coords={"mechanism": classes},
        name="probability",
        attrs={"long_name": "probability of the mechanism", "units": "1", "model": str(model)},
    )


def released() -> list[str]:
    """Names of the networks that come with the package."""
    folder = resources.files("kinetlib_data") / "models"
    return sorted(p.name.removesuffix(".keras") for p in folder.iterdir() if p.suffix == ".keras")


def _find(model: str | Path) -> Path:
    if Path(model).suffix == ".keras":
        return Path(model)
    if str(model) not in released():
        raise ValueError(
            f"no released network {str(model)!r}, only {', '.join(released()) or 'none'}; "
            "a network of your own is named by its path, which ends in .keras"
        )
    return Path(str(resources.files("kinetlib_data") / "models" / f"{model}.keras"))
