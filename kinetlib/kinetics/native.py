"""Integrators compiled for one network each: built once by the C++ compiler, then found on disk."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from kinetlib.kinetics.native_source import source, tangent_source
from kinetlib.kinetics.network import Network

# Multiplication and addition stay two roundings, so that every processor gives the same bits.
_FLAGS = ("-std=gnu++17", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# Derivatives run no faster for more, and are compiled three times as fast with less.
_FOR_VALUES, _FOR_DERIVATIVES = "-O3", "-O1"
_LIBRARY = ("-fPIC", "-shared", "-w", "-lm")
_FOR_THIS_PROCESSOR = ("-march=native", "-mcpu=native", None)  # the first that the compiler knows

Kernel = Callable[..., None]
# By the text of the network and the kind of kernel, for this process.
_loaded: dict[tuple[str, str], Kernel | None] = {}


def kernel(network: Network) -> Kernel | None:
    """Return the compiled integrator of a network, or None where it cannot be had.

    The function takes constants (n, R), initial (n, S), times (n, T) or, if all share them, (1, T),
    rtol, atol, max_steps, and the arrays it fills: concentration (n, T, S), status (n,),
    n_steps (n,); all of them contiguous, floats of 8 bytes and integers of 8 bytes. It runs without
    the interpreter's lock.
    """
    return _kernel(network, source, _function, _FOR_VALUES)


def tangent_kernel(network: Network) -> Kernel | None:
    """Return the compiled integrator that carries derivatives, or None where it cannot be had.

    The function takes what that of `kernel` takes, then the first tangent and the one after the
    last, those by ln k of the R constants coming before those by the S initial concentrations,
    whether their errors are tested, and the array it fills with them, (n, T, S, last - first).
    """
    return _kernel(network, tangent_source, _tangent_function, _FOR_DERIVATIVES)


def _kernel(
    network: Network,
    write: Callable[[Network], str],
    bind: Callable[[Path], Kernel],
    optimised: str,
) -> Kernel | None:
    wanted = (str(network), bind.__name__)
    if wanted not in _loaded:
        _loaded[wanted] = _load(write(network), bind, (optimised, *_FLAGS))
    return _loaded[wanted]


def _load(code: str, bind: Callable[[Path], Kernel], flags: tuple[str, ...]) -> Kernel | None:
    compiler = _compiler()
    if compiler is None:
        return None
    key = hashlib.sha256("\0".join([code, *flags, compiler[1], _processor()]).encode())
    path = _folder() / f"{key.hexdigest()[:32]}.so"
    try:
        if path.exists():
            try:
                return bind(path)
            except (OSError, AttributeError):  # damaged on disk: build it again
                path.unlink(missing_ok=True)
        _build(compiler[0], code, path, flags)
        return bind(path)
    except (OSError, subprocess.SubprocessError) as error:
        detail = getattr(error, "stderr", "") or error
        warnings.warn(
            f"the C++ compiler {compiler[0]} could not build an integrator; the general one, some "
            f"thirty times slower, takes its place: {detail}",
            RuntimeWarning,
            stacklevel=5,
        )
        return None


def _function(path: Path) -> Kernel:
    entry = ctypes.CDLL(str(path)).integrate_block
    entry.restype, entry.argtypes = None, _ARGUMENTS

    def integrate_block(*arguments: object) -> None:
        entry(*_passed(*arguments))

    return integrate_block


def _tangent_function(path: Path) -> Kernel:
    entry = ctypes.CDLL(str(path)).sensitivity_block
    entry.restype = None
    entry.argtypes = [*_ARGUMENTS, _COUNT, _COUNT, _COUNT, _POINTER]

    def sensitivity_block(*arguments: object) -> None:
        *shared, first, last, tested, tangents = arguments
        entry(*_passed(*shared), first, last, tested, tangents.ctypes.data)

    return sensitivity_block


_POINTER, _COUNT, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_ARGUMENTS = [_COUNT, _COUNT, _COUNT, *[_POINTER] * 3, _REAL, _REAL, _COUNT, *[_POINTER] * 3]


def _passed(
    constants: NDArray[np.float64],
    initial: NDArray[np.float64],
    times: NDArray[np.float64],
    rtol: float,
    atol: float,
    max_steps: int,
    concentration: NDArray[np.float64],
    status: NDArray[np.int64],
    n_steps: NDArray[np.int64],
) -> list[object]:
    """Lay out what every compiled integrator takes first."""
    given = [array.ctypes.data for array in (constants, initial, times)]
    filled = [array.ctypes.data for array in (concentration, status, n_steps)]
    n, n_times = len(constants), times.shape[1]
    step = n_times if len(times) == n else 0
    return [n, n_times, step, *given, rtol, atol, max_steps, *filled]


def _build(compiler: str, code: str, path: Path, flags: tuple[str, ...]) -> None:
    """Compile to a file beside its place and move it there: other processes see all or nothing."""
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        written, built = Path(scratch, "integrator.cpp"), Path(scratch, "integrator.so")
        written.write_text(code, encoding="utf-8")
        for tuned in _FOR_THIS_PROCESSOR:
            command = [compiler, *flags, *([tuned] if tuned else []), str(written)]
            command += ["-o", str(built), *_LIBRARY]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                break
        done.check_returncode()
        os.replace(built, path)


@functools.cache
def _compiler() -> tuple[str, str] | None:
    """Path and version of the C++ compiler, CXX or c++, or None where there is none."""
    path = shutil.which(os.environ.get("CXX") or "c++")
    if path is None:
        return None
    told = subprocess.run([path, "--version"], capture_output=True, text=True)
    return (path, told.stdout) if told.returncode == 0 else None


@functools.cache
def _processor() -> str:
    """Tell what decides the code that the compiler makes for this processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return f"{platform.system()} {platform.machine()} {platform.processor()}"
    flags = (line for line in lines if line.startswith(("flags", "Features", "model name")))
    return f"{platform.machine()} {sorted(set(flags))}"


@functools.cache
def _folder() -> Path:
    """Folder of the compiled integrators: the user's cache, or where it is read-only, a new one."""
    folder = platformdirs.user_cache_path("kinetlib") / "integrators"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        return Path(tempfile.mkdtemp(prefix="kinetlib-"))
