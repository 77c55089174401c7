"""The network of sets of runs, evaluated from its weights by NumPy: asking it needs no Keras.

The same layers as `kinetlib.fusion.runset`, in double precision, so that an answer is the same on
every machine; Keras, in single precision, differs from it by some 1e-4 in a probability at most.
Steps of the LSTMs behind the last point of a batch are left out: they change nothing before.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf
from threadpoolctl import threadpool_limits

from kinetlib.fusion.features import POINT_CHANNELS, RUN_CHANNELS, run_inputs
from kinetlib.fusion.rates import RATE_CHANNELS, rates
from kinetlib.kinetics.integrate import available_processors
from kinetlib.records.files import replacing
from kinetlib.runs.runs import Runs

#: What a file of weights is called, beside the network's other files.
SUFFIX = ".weights.npz"
_BATCH = 256  # samples at a time: what they need stays in the cache
_EPSILON = 1e-3  # of Keras' layer normalisation
_LAYERS = ("kernel", "bias")
_FIRST = "encoder/lstm_1/lstm_cell/kernel"  # whose rows tell what the network sees of a point

Array = NDArray[np.float64]


class Evaluated:
    """A trained network of sets of runs, ready to be asked.

    Parameters
    ----------
    weights
        Arrays by the names that Keras gives them, such as ``encoder/lstm_1/lstm_cell/kernel``.

    Raises
    ------
    ValueError
        Where weights are missing, or have shapes that do not fit, or are no numbers.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self._weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self._blocks = 1
        while f"block_{self._blocks + 1}_norm_1/gamma" in self._weights:
            self._blocks += 1
        self._checked()
        self._cells = {name: self._cell_of(name) for name in ("encoder/lstm_1", "encoder/lstm_2")}

    @classmethod
    def load(cls, path: str | Path) -> Evaluated:
        """Open a file of weights. It is data: nothing in it is executed.

        Raises
        ------
        ValueError
            If there is no such file, or it holds something else.
        """
        try:
            with np.load(path, allow_pickle=False) as found:
                return cls({name: found[name] for name in found.files})
        except FileNotFoundError:
            raise ValueError(f"no weights {path}") from None
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            raise ValueError(f"{path} holds no weights of a network: {error}") from None

    def save(self, path: Path) -> None:
        """Write the weights, whole or not at all."""
        with replacing(path) as beside, beside.open("wb") as file:
            np.savez(file, **{n: v.astype(np.float32) for n, v in self._weights.items()})

    def read(self, runs: Runs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the network says of n samples, (n, classes), and its last hidden layer."""
        batches = [runs[i : i + _BATCH] for i in range(0, len(runs), _BATCH)]
        # Batches share the processors; threads within each product of matrices would only wait.
        with (
            threadpool_limits(1, user_api="blas"),
            ThreadPoolExecutor(min(len(batches), available_processors()) or 1) as pool,
        ):
            probabilities, hidden = zip(*pool.map(self._read, batches), strict=True)
        return np.concatenate(probabilities), np.concatenate(hidden)

    def _read(self, runs: Runs) -> tuple[Array, Array]:
        shown = {name: value.astype(np.float64) for name, value in run_inputs(runs).items()}
        n_points = max(1, int(np.isfinite(runs.time).sum(-1).max(initial=0)))
        points = shown["points"][..., :n_points, :]
        if len(self._weights[_FIRST]) > len(POINT_CHANNELS):
            points = np.concatenate([points, rates(points, np)], -1)
        pooling = shown["pooling"][..., :n_points, :]
        n, n_runs = points.shape[:2]
        by_time = np.ascontiguousarray(np.moveaxis(points, 2, 0)).reshape(n_points, n * n_runs, -1)
        sequence = self._lstm("encoder/lstm_2", self._lstm("encoder/lstm_1", by_time))
        pooled = np.einsum("mtp,tmw->mpw", pooling.reshape(n * n_runs, n_points, 2), sequence)
        pooled = pooled.reshape(n, n_runs, -1)
        token = self._dense("token", np.concatenate([pooled, shown["runs"]], -1))
        present = shown["present"]
        for block in range(1, self._blocks + 1):
            token = self._attended(f"block_{block}", token, present)
        token = self._normalised("normalised", token)
        weight = present[..., None]
        mean = (weight * token).sum(1) / weight.sum(1)
        largest = (token - (1 - weight) * 1e4).max(1)
        hidden = _gelu(self._dense("hidden", np.concatenate([mean, largest], -1)))
        return _softmax(self._dense("head", hidden)), hidden

    def _lstm(self, name: str, sequence: Array) -> Array:
        """Run an LSTM over time: (T, m, c) to all its outputs, (T, m, width)."""
        kernel, recurrent, bias = self._cells[name]
        width = len(recurrent)
        # Half of what enters a gate: the logistic function is a shifted tanh of it, and tanh is the
        # fastest of both by far.
        entering = np.matmul(sequence, kernel)
        entering += bias
        output = np.empty((*sequence.shape[:2], width), sequence.dtype)
        memory = np.zeros((sequence.shape[1], width), sequence.dtype)
        for step, gates in enumerate(entering):
            if step:
                gates += output[step - 1] @ recurrent
            np.tanh(gates, out=gates)
            logistic = gates[:, width:]
            logistic += 1
            logistic *= 0.5
            memory *= gates[:, width : 2 * width]
            memory += gates[:, 2 * width : 3 * width] * gates[:, :width]
            np.tanh(memory, out=output[step])
            output[step] *= gates[:, 3 * width :]
        return output

    def _cell_of(self, name: str) -> tuple[Array, Array, Array]:
        """Kernel, recurrent kernel and bias of an LSTM; first what is new, then the gates, halved.

        Keras has the gates as: take, keep, new, show.
        """
        parts = ("kernel", "recurrent_kernel", "bias")
        found = [self._weights[f"{name}/lstm_cell/{part}"] for part in parts]
        take, keep, new, show = np.split(np.arange(found[0].shape[-1]), 4)
        order = np.concatenate([new, keep, take, show])
        scale = np.where(np.arange(len(order)) < len(new), 1.0, 0.5)
        return tuple(part[..., order] * scale for part in found)

    def _attended(self, name: str, token: Array, present: Array) -> Array:
        """Let runs look at each other, then each at itself; both add to what is there."""
        seen = self._normalised(f"{name}_norm_1", token)
        query, key, value = (
            np.einsum("nrd,dhk->nhrk", seen, self._weights[f"{name}_attention/{part}/kernel"])
            + self._weights[f"{name}_attention/{part}/bias"][:, None]
            for part in ("query", "key", "value")
        )
        scores = np.matmul(query / np.sqrt(query.shape[-1]), key.transpose(0, 1, 3, 2))
        scores = np.where(present[:, None, None] > 0, scores, -1e9)
        mixed = np.matmul(_softmax(scores), value)
        out = self._weights[f"{name}_attention/attention_output/kernel"]
        token = token + np.einsum("nhrk,hkd->nrd", mixed, out)
        token = token + self._weights[f"{name}_attention/attention_output/bias"]
        seen = self._normalised(f"{name}_norm_2", token)
        return token + self._dense(f"{name}_narrow", _gelu(self._dense(f"{name}_wide", seen)))

    def _dense(self, name: str, values: Array) -> Array:
        kernel, bias = (self._weights[f"{name}/{part}"] for part in _LAYERS)
        return np.matmul(values, kernel) + bias

    def _normalised(self, name: str, values: Array) -> Array:
        centred = values - values.mean(-1, keepdims=True)
        scale = np.sqrt((centred**2).mean(-1, keepdims=True) + _EPSILON)
        gamma, beta = self._weights[f"{name}/gamma"], self._weights[f"{name}/beta"]
        return centred / scale * gamma + beta

    def _checked(self) -> None:
        """Refuse what is no network of this kind, before it is asked."""
        try:
            seen = len(self._weights[_FIRST])
            width = len(self._weights["encoder/lstm_1/lstm_cell/recurrent_kernel"])
            token = self._weights["token/kernel"].shape[1]
            heads, size = self._weights["block_1_attention/query/kernel"].shape[1:]
            wide = self._weights["block_1_wide/kernel"].shape[1]
            hidden, classes = self._weights["head/kernel"].shape
        except (KeyError, ValueError, IndexError) as error:
            raise ValueError(f"not a network of sets of runs, it has no {error}") from None
        with_rates = len(POINT_CHANNELS) + len(RATE_CHANNELS)
        expected = {
            **_cell(
                "encoder/lstm_1", with_rates if seen == with_rates else len(POINT_CHANNELS), width
            ),
            **_cell("encoder/lstm_2", width, width),
            **_linear("token", 2 * width + len(RUN_CHANNELS), token),
            "normalised/gamma": (token,),
            "normalised/beta": (token,),
            **_linear("hidden", 2 * token, hidden),
            **_linear("head", hidden, classes),
        }
        for block in range(1, self._blocks + 1):
            name = f"block_{block}"
            for part in ("query", "key", "value"):
                expected[f"{name}_attention/{part}/kernel"] = (token, heads, size)
                expected[f"{name}_attention/{part}/bias"] = (heads, size)
            expected[f"{name}_attention/attention_output/kernel"] = (heads, size, token)
            expected[f"{name}_attention/attention_output/bias"] = (token,)
            for norm in ("norm_1", "norm_2"):
                expected |= {f"{name}_{norm}/{part}": (token,) for part in ("gamma", "beta")}
            expected |= _linear(f"{name}_wide", token, wide)
            expected |= _linear(f"{name}_narrow", wide, token)
        found = {name: value.shape for name, value in self._weights.items()}
        if found != expected:
            name = next(n for n in (*expected, *found) if found.get(n) != expected.get(n))
            raise ValueError(
                f"weights {name}: expected shape {expected.get(name)}, got {found.get(name)}"
            )
        if not all(np.isfinite(value).all() for value in self._weights.values()):
            raise ValueError("weights that are no finite numbers")


def _cell(name: str, channels: int, width: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}/lstm_cell/kernel": (channels, 4 * width),
        f"{name}/lstm_cell/recurrent_kernel": (width, 4 * width),
        f"{name}/lstm_cell/bias": (4 * width,),
    }


def _linear(name: str, given: int, made: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": (given, made), f"{name}/bias": (made,)}


def _gelu(values: Array) -> Array:
    return 0.5 * values * (1 + erf(values * np.sqrt(0.5)))


def _softmax(values: Array) -> Array:
    raised = np.exp(values - values.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)
