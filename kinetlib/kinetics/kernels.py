"""The integrator of a network, generated as C++, and where it runs: three homes, the same bits.

*Native*: compiled for this processor, where a compiler is. *WebAssembly*: shipped for the networks
of the catalogue (`wasm`), some two times slower, at once and anywhere. The third is a browser.

Where both are to be had, WebAssembly works until it has cost as much time as a build takes, and is
then replaced: whatever follows, that is at most twice what the better of both would have taken.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from functools import partial

from kinetlib.kinetics import native, wasm
from kinetlib.kinetics.native import Kernel
from kinetlib.kinetics.native_source import source, tangent_source
from kinetlib.kinetics.network import Network

#: Seconds of WebAssembly, all threads together, after which an integrator is built. It takes two to
#: four seconds, and half of the time would have been saved.
RENT = 6.0

# By the text of the network and the kind of kernel, for this process.
_ready: dict[tuple[str, str], Kernel] = {}
_lock = threading.Lock()


class NoCompilerError(OSError):
    """A network for which no integrator is shipped, on a machine that cannot build one."""


def kernel(network: Network) -> Kernel:
    """Return the integrator of a network.

    The function takes constants (n, R), initial (n, S), times (n, T), scale (n, S), by which the
    absolute tolerance of each species is multiplied, the last two with one row where all share it,
    rtol, atol, max_steps, and the arrays it fills: concentration (n, T, S), status (n,),
    n_steps (n,), peak (n, S), the largest magnitude of each species at any step, or None; all of
    them contiguous, floats of 8 bytes and integers of 8 bytes. It runs without the interpreter's
    lock.

    Raises
    ------
    NoCompilerError
        If none is shipped and none can be built.
    """
    return _kernel(network, "values", source, native.values, native.FOR_VALUES)


def tangent_kernel(network: Network) -> Kernel:
    """Return the integrator that carries derivatives.

    The function takes what that of `kernel` takes, then the first tangent and the one after the
    last, those by ln k of the R constants coming before those by the S initial concentrations,
    whether their errors are tested, and the array it fills with them, (n, T, S, last - first).

    Raises
    ------
    NoCompilerError
        As for `kernel`.
    """
    return _kernel(network, "tangents", tangent_source, native.tangents, native.FOR_DERIVATIVES)


def prepare(network: Network) -> None:
    """Have the native integrator of a network from now on, where there is a compiler.

    For whoever times it, or has a batch of minutes before them; else it comes when it is worth it.
    """
    code = source(network)
    wanted = (code, native.values, native.FOR_VALUES)
    found = native.cached(*wanted) or native.built(*wanted)
    if found is not None:
        _ready[str(network), "values"] = found


def _kernel(
    network: Network,
    kind: str,
    write: Callable[[Network], str],
    bind: Callable[..., Kernel],
    optimised: str,
) -> Kernel:
    wanted = (str(network), kind)
    if wanted not in _ready:
        code = write(network)
        build = partial(native.built, code, bind, optimised)
        found = native.cached(code, bind, optimised)
        if found is None:
            module = wasm.shipped(code if kind == "tangents" else tangent_source(network))
            found = _Rented(getattr(module, kind), build) if module else build()
        if found is None:
            raise NoCompilerError(
                f"no integrator is shipped for the network {str(network).splitlines()[0]!r} ..., "
                "and no C++ compiler is at hand to build one: pip install ziglang brings one"
            )
        _ready[wanted] = found
    return _ready[wanted]


class _Rented:
    """A kernel that works at once, until it has cost as much as the better one's making."""

    def __init__(self, rented: Kernel, build: Callable[[], Kernel | None]) -> None:
        self._rented, self._build = rented, build
        self._bought: Kernel | None = None
        self._spent, self._tried = 0.0, False

    def __call__(self, *arguments: object) -> None:
        """Integrate a block; see `kernel`."""
        if self._bought is None and self._spent > RENT and not self._tried:
            self._buy()
        if self._bought is not None:
            return self._bought(*arguments)
        began = time.perf_counter()
        self._rented(*arguments)
        self._spent += time.perf_counter() - began

    def _buy(self) -> None:
        """Build, in the thread that comes first; the others go on meanwhile."""
        if not _lock.acquire(blocking=False):
            return
        try:
            if not self._tried:
                self._tried = True
                self._bought = self._build()
                if self._bought is None and native.compiler() is None:
                    warnings.warn(
                        "no C++ compiler is at hand: integrators run as WebAssembly, some two "
                        "times slower, with the same results; pip install ziglang brings one",
                        RuntimeWarning,
                        stacklevel=2,
                    )
        finally:
            _lock.release()
