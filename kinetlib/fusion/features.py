"""What the networks see of the curves: scaled so that a chemist's units and time span drop out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kinetlib.runs.runs import Runs
from kinetlib.runs.sample import N_RUNS

CHANNELS = ("time", "substrate", "product", "residual", "bound catalyst", "catalyst time")
N_DYNAMIC = {"scaled": N_RUNS * len(CHANNELS), "few": N_RUNS * 3, "raw": N_RUNS * 3}
N_STATIC = N_RUNS

# Middle and half width of the training set's log-uniform-like loadings, 1 to 10 %.
_LOG_LOADING, _LOG_WIDTH = np.float32(np.log(0.04)), np.float32(0.6)


def static(curves: Runs) -> NDArray[np.float32]:
    """Standardised logarithms of the loadings, shape (n, 4)."""
    return (np.log(curves.loading) - _LOG_LOADING) / _LOG_WIDTH


def dynamic(curves: Runs) -> NDArray[np.float32]:
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


def few(curves: Runs) -> dict[str, NDArray[np.float32]]:
    """Both inputs by name, of each run as many channels as published: time, substrate, residual.

    They are the first, second and fourth of `dynamic`, so that a network has the published number
    of parameters.
    """
    shown = dynamic(curves).reshape(*curves.time.shape[::2], N_RUNS, len(CHANNELS))
    chosen = shown[..., [CHANNELS.index(name) for name in ("time", "substrate", "residual")]]
    return {"static": static(curves), "dynamic": chosen.reshape(*shown.shape[:2], -1)}


def raw(curves: Runs) -> dict[str, NDArray[np.float32]]:
    """Both inputs as published: loadings, and per run time (0 to 1), substrate and product."""
    time = curves.time / curves.time.max(axis=(1, 2), keepdims=True)
    stacked = np.stack([time, curves.substrate, curves.product], axis=-1).astype(np.float32)
    n, runs, points, width = stacked.shape
    flat = stacked.transpose(0, 2, 1, 3).reshape(n, points, runs * width)
    return {"static": curves.loading, "dynamic": flat}


def inputs(curves: Runs) -> dict[str, NDArray[np.float32]]:
    """Both inputs of a fusion network by name."""
    return {"static": static(curves), "dynamic": dynamic(curves)}


POINT_CHANNELS = (
    "time",
    "logarithm of time",
    "substrate",
    "product",
    "conversion",
    "residual",
    "bound catalyst",
    "catalyst time",
    "substrate known",
    "product known",
    "readings",
    "loading",
    "initial substrate",
    "initial product",
)


RUN_CHANNELS = ("loading", "initial substrate", "initial product", "length", "points")


SPREAD = np.float32(0.002)  # of a run's length: earlier times are as good as zero


_HALF = np.float32(0.5)


def time_scale(runs: Runs) -> NDArray[np.float32]:
    """Return the logarithm of the geometric mean of the lengths of each sample's runs, (n,)."""
    there = np.isfinite(runs.time)
    return _mean_length(there, np.where(there, runs.time, 0).max(-1))[1][:, 0]


def _mean_length(there: NDArray[np.bool_], length: NDArray) -> tuple[NDArray, NDArray]:
    """Return the logarithms of lengths of runs (n, R), and their mean (n, 1)."""
    present = there.any(-1)
    logarithm = np.log(np.maximum(length, np.finfo(np.float32).tiny))
    mean = (logarithm * present).sum(1, keepdims=True) / present.sum(1, keepdims=True)
    return logarithm, mean


def run_inputs(runs: Runs) -> dict[str, NDArray[np.float32]]:
    """Return what the network takes.

    Time enters relative to each run's length, and as a logarithm relative to the geometric mean of
    all lengths of the sample, so that the unit of time drops out.

    Returns
    -------
    dict
        ``points`` (n, R, T, 14), 0 where there is none; ``pooling`` (n, R, T, 2), weights that take
        the last point of a run and the mean of all; ``runs`` (n, R, 5); ``present`` (n, R).
    """
    there = np.isfinite(runs.time)
    present = there.any(-1)
    count = there.sum(-1).astype(np.float32)
    length = np.where(there, runs.time, 0).max(-1)
    logarithm, mean = _mean_length(there, length)
    relative = np.clip(np.where(present, logarithm - mean, 0), -8, 8).astype(np.float32)

    knows_s, knows_p = np.isfinite(runs.substrate) & there, np.isfinite(runs.product) & there
    time = np.where(there, runs.time, 0) / np.where(present, length, 1)[..., None]
    substrate = np.where(knows_s, runs.substrate, 0)
    product = np.where(knows_p, runs.product, 0)
    loading, substrate_0, product_0 = (
        np.where(present, a, fill)[..., None]
        for a, fill in ((runs.loading, 0.05), (runs.substrate_0, 1), (runs.product_0, 0))
    )
    both = knows_s & knows_p
    residual = np.where(both, substrate_0 + product_0 - substrate - product, 0)
    log_loading = (np.log(loading) - np.float32(np.log(0.04))) / np.float32(1.2)
    fast = np.exp(relative)[..., None] * loading / 0.04
    channels = [
        time,
        (np.log(time + SPREAD) + relative[..., None]) / 3 + _HALF,
        np.where(knows_s, substrate - _HALF, 0),
        np.where(knows_p, product - _HALF, 0),
        np.where(knows_s, substrate / substrate_0 - _HALF, 0),
        np.clip(10 * residual, -3, 3),
        np.tanh(residual / loading),
        np.tanh(time * fast / 2),
        knows_s,
        knows_p,
        np.log(np.where(there, runs.averaged, 1)) / 2,
        *(np.broadcast_to(a, time.shape) for a in (log_loading, substrate_0 - 1, product_0)),
    ]
    points = np.stack([np.where(there, c, 0) for c in channels], -1).astype(np.float32)
    steps = np.arange(time.shape[-1])
    last = there & (steps == count[..., None] - 1)
    pooling = np.stack([last, there / np.maximum(count, 1)[..., None]], -1).astype(np.float32)
    described = [log_loading, substrate_0 - 1, product_0]
    described = [a[..., 0] for a in described] + [relative / 2, np.log(count + 1) / 2 - 1]
    static = np.where(present[..., None], np.stack(described, -1), 0).astype(np.float32)
    return {
        "points": points,
        "pooling": pooling,
        "runs": static,
        "present": present.astype(np.float32),
    }
