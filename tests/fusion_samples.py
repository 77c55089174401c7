"""Samples that tests of the fusion networks share: first-order curves, and runs of any kind."""

from contextlib import contextmanager

import keras
import numpy as np
import tensorflow
import xarray as xr
from keras import layers
from numpy.random import default_rng

from kinetlib.fusion import Recipe, features
from kinetlib.runs.runs import Runs

CLASSES = ["slow", "fast"]
RECIPE = Recipe(fusion="hadamard", seed=3, sample_passes=300_000, batch_size=64, max_points=6)
MEASURED = ("time", "substrate", "product")
INITIAL = ("loading", "substrate_0", "product_0")


def curves(n=64, points=21, seed=0):
    """First-order curves, class 1 ten times faster: easy to tell apart once time is known."""
    rng = default_rng(seed)
    labels = rng.integers(0, 2, n)
    loading = np.sort(rng.uniform(0.01, 0.1, (n, 4)), axis=1)
    time = np.sort(rng.uniform(0, 1, (n, 4, points)), axis=-1)
    time[..., 0] = 0
    start = np.ones((n, 4))
    start[:, 3] = rng.uniform(0.4, 0.8, n)
    rate = loading * np.where(labels, 100.0, 10.0)[:, None]
    substrate = start[..., None] * np.exp(-rate[..., None] * time)
    arrays = (time, substrate, 1 - substrate, loading, start, 1 - start)
    return Runs(*(a.astype(np.float32) for a in arrays)), labels


def laboratory(n=6, n_runs=4, points=12, seed=0) -> Runs:
    """Runs of three points to `points`, NaN behind them."""
    rng = default_rng(seed)
    loading, length = np.exp(rng.uniform(-5, -2, (2, n, n_runs)))
    substrate_0, product_0 = rng.uniform(0.3, 1.5, (n, n_runs)), rng.uniform(0, 0.5, (n, n_runs))
    time = np.sort(rng.uniform(0, 1, (n, n_runs, points)), axis=-1) * length[..., None]
    substrate = substrate_0[..., None] * np.exp(-time / length[..., None])
    product = (substrate_0 + product_0)[..., None] - substrate - 0.5 * loading[..., None]
    absent = np.arange(points) >= rng.integers(3, points + 1, (n, n_runs, 1))
    averaged = np.ones_like(time) * rng.integers(1, 5, (n, n_runs, 1))
    starts = (loading, substrate_0, product_0)
    found = [np.where(absent, np.nan, a) for a in (time, substrate, product, averaged)]
    return Runs(*found[:3], *starts, found[3]).astype(np.float32)


def dataset(c: Runs, **more) -> xr.Dataset:
    runs = {name: (("sample", "run", "time"), getattr(c, name)) for name in MEASURED}
    starts = {name: (("sample", "run"), getattr(c, name)) for name in INITIAL}
    return xr.Dataset({**runs, **starts, **more})


def same(a: Runs, b: Runs) -> bool:
    """Tell whether two are the same to the bit, gaps included."""
    pairs = zip(vars(a).values(), vars(b).values(), strict=True)
    return all(np.array_equal(x, y, equal_nan=True) for x, y in pairs)


@contextmanager
def in_place_of_networks(monkeypatch):
    """Build a small network without memory whichever is asked for: what surrounds it is tested."""

    def build(fusion, n_classes, seed, *, seen="scaled", **others):
        keras.utils.set_random_seed(seed)
        static = keras.Input((4,), name="static")
        dynamic = keras.Input((None, features.N_DYNAMIC[seen]), name="dynamic")
        both = layers.Concatenate()([static, layers.GlobalAveragePooling1D()(dynamic)])
        hidden = layers.Dense(8, activation="tanh")(both)
        out = layers.Dense(n_classes, activation="softmax")(hidden)
        return keras.Model([static, dynamic], out, name=fusion)

    monkeypatch.setattr("kinetlib.fusion.networks.build", build)
    # Few steps: to compile them would take longer than to run them as they stand.
    tensorflow.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tensorflow.config.run_functions_eagerly(False)
