"""What the networks see of the curves: scaled so that a chemist's units and time span drop out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.fusion.four_runs import N_RUNS, Curves

CHANNELS = ("time", "substrate", "product", "residual", "bound catalyst", "catalyst time")
N_DYNAMIC = {"scaled": N_RUNS * len(CHANNELS), "raw": N_RUNS * 3}
N_STATIC = N_RUNS

# Middle and half width of the training set's log-uniform-like loadings, 1 to 10 %.
_LOG_LOADING, _LOG_WIDTH = np.float32(np.log(0.04)), np.float32(0.6)


def static(curves: Curves) -> NDArray[np.float32]:
    """Standardised logarithms of the loadings, shape (n, 4)."""
    return (np.log(curves.loading) - _LOG_LOADING) / _LOG_WIDTH


def dynamic(curves: Curves) -> NDArray[np.float32]:
    """Curves as the LSTM reads them, shape (n, T, 4 runs x 6 channels).

    Per run: time relative to the sample's last point; substrate and product, centred; the residual
    S0 + P0 - S - P, which is the substrate bound to catalyst; the same relative to all catalyst;
    and time multiplied by the relative loading, on which runs of a reaction first order in a
    lasting catalyst coincide (variable time normalisation, Burés, Angew. Chem. Int. Ed. 55, 2028,
    2016).
    """
    time = curves.time / curves.time.max(axis=(1, 2), keepdims=True)
    total = (curves.substrate_0 + curves.product_0)[..., None]
    residual = total - curves.substrate - curves.product
    loading = curves.loading[..., None]
    channels = [
        time,
        curves.substrate - np.float32(0.5),
        curves.product - np.float32(0.5),
        np.float32(10.0) * residual,
        np.tanh(residual / loading),
        time * loading / loading.mean(axis=1, keepdims=True),
    ]
    stacked = np.stack(channels, axis=-1).astype(np.float32)
    n, runs, points, width = stacked.shape
    return stacked.transpose(0, 2, 1, 3).reshape(n, points, runs * width)


def raw(curves: Curves) -> dict[str, NDArray[np.float32]]:
    """Both inputs as published: loadings, and per run time (0 to 1), substrate and product."""
    time = curves.time / curves.time.max(axis=(1, 2), keepdims=True)
    stacked = np.stack([time, curves.substrate, curves.product], axis=-1).astype(np.float32)
    n, runs, points, width = stacked.shape
    flat = stacked.transpose(0, 2, 1, 3).reshape(n, points, runs * width)
    return {"static": curves.loading, "dynamic": flat}


def inputs(curves: Curves) -> dict[str, NDArray[np.float32]]:
    """Both inputs of a fusion network by name."""
    return {"static": static(curves), "dynamic": dynamic(curves)}
