"""What else finds terms in curves: derivative matching, and SINDy in weak form.

Both regress on all monomials up to second order and drop coefficients below a threshold. What the
threshold should be depends on the answer; here it is an argument, and studies give half of the
smallest true coefficient, which nobody who needs the answer has.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.optimize import nnls

from kinetlib.crnn.effects import Effects, complexes
from kinetlib.crnn.noise import estimate_noise
from kinetlib.crnn.runs import Curves, read
from kinetlib.crnn.start import spline
from studies.discovery.scores import Law

_MOST_ORDER = 2  # molecules of a monomial
_POINTS = 100  # of a run, at which slopes are compared
_PASSES = 10  # of fitting and dropping
_DOMAINS = 100  # of a run that SINDy integrates over, its own default


def derivative_matching(runs: xr.Dataset, threshold: float) -> Law:
    """Fit monomials to the slopes of smoothed curves.

    A species' slope is regressed, without negative constants, on what mass action can make of it;
    constants below the threshold are dropped and the others fitted again, until none is.

    Parameters
    ----------
    runs
        As `kinetlib.crnn.discover` takes them, every species measured.
    threshold
        Smallest constant that stays.
    """
    curves = read(runs)
    effects = Effects.all(curves.species, _MOST_ORDER)
    noise, background = estimate_noise(curves)
    value, slope = _smoothed(replace(curves, background=background), noise)
    made = effects.monomials(value) * effects.sign
    constants = np.zeros(len(effects))
    for j in range(len(curves.species)):
        own = np.flatnonzero(effects.changed == j)
        for _ in range(_PASSES):
            columns = made[:, own]
            size = np.linalg.norm(columns, axis=0)
            own, columns, size = own[size > 0], columns[:, size > 0], size[size > 0]
            if not len(own):
                break
            fitted = nnls(columns / size, slope[:, j])[0] / size
            constants[effects.changed == j] = 0.0
            constants[own] = np.where(fitted >= threshold, fitted, 0.0)
            if (fitted >= threshold).all():
                break
            own = own[fitted >= threshold]
    kept = np.flatnonzero(constants)
    coefficients = np.zeros((len(kept), len(curves.species)))
    coefficients[np.arange(len(kept)), effects.changed[kept]] = (effects.sign * constants)[kept]
    return Law(curves.species, effects.complexes[kept].astype(float), coefficients)


def weak_sindy(runs: xr.Dataset, threshold: float, *, seed: int, ridge: float) -> Law:
    """Ask PySINDy, in weak form, with sequentially thresholded least squares.

    Weak form: Messenger, Bortz, Multiscale Model. Simul. 19, 1474 (2021), as PySINDy has it.

    Parameters
    ----------
    runs
        As for `derivative_matching`; all runs at the same times.
    threshold
        Smallest coefficient that stays.
    seed
        Of the domains that are integrated over.
    ridge
        Penalty on the squares of coefficients; 0.05 is PySINDy's own default.

    Raises
    ------
    ImportError
        Without PySINDy, which comes with the extra ``crnn``.
    """
    import pysindy  # optional, and takes seconds

    species = tuple(str(name) for name in runs["species"].values)
    # It draws its domains from NumPy's global generator, which is put back as it was, and warns of
    # the axes of any ODE, and of a species that nothing changes.
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(seed)  # noqa: NPY002
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="pysindy")
            model = _sindy(pysindy, runs["time"].values, threshold, ridge)
            model.fit(
                list(runs["concentration"].values),
                t=runs["time"].values,
                feature_names=list(species),
            )
    finally:
        np.random.set_state(before)  # noqa: NPY002
    orders = np.array(complexes(len(species), _MOST_ORDER)[1:], dtype=float)
    names = [_sindy_name(species, row) for row in orders]
    place = [model.get_feature_names().index(name) for name in names]
    return Law(species, orders, model.coefficients().T[place])


def _sindy(pysindy: ModuleType, times: NDArray, threshold: float, ridge: float) -> Any:
    """Set PySINDy up."""
    library = pysindy.WeakPDELibrary(
        function_library=pysindy.PolynomialLibrary(degree=_MOST_ORDER, include_bias=False),
        spatiotemporal_grid=times,
        K=_DOMAINS,
    )
    return pysindy.SINDy(
        feature_library=library, optimizer=pysindy.STLSQ(threshold=threshold, alpha=ridge)
    )


def _sindy_name(species: tuple[str, ...], orders: NDArray[np.float64]) -> str:
    """Write a monomial as PySINDy does: ``A B``, ``A^2``."""
    return " ".join(
        name if order == 1 else f"{name}^{order:g}"
        for name, order in zip(species, orders, strict=True)
        if order
    )


def _smoothed(curves: Curves, noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Smooth all curves: values and slopes at times within, each (points, S)."""
    values, slopes = [], []
    for run, time in enumerate(curves.time):
        within = time[-1] * np.linspace(0, 1, _POINTS) ** 2
        splines = [spline(curves, run, j, noise) for j in range(len(curves.species))]
        values.append(np.stack([np.maximum(one(within), 0.0) for one in splines], -1))
        slopes.append(np.stack([one.derivative()(within) for one in splines], -1))
    return np.concatenate(values), np.concatenate(slopes)
