"""Integrators compiled for this processor: built once by a C++ compiler, then found on disk."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import platformdirs

# Multiplication and addition stay two roundings, so that every processor gives the same bits.
FLAGS = ("-std=gnu++17", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
# Derivatives run no faster for more, and are compiled three times as fast with less.
FOR_VALUES, FOR_DERIVATIVES = "-O3", "-O1"
LIBRARY = ("-shared", "-w", *(() if sys.platform == "win32" else ("-fPIC", "-lm")))
_FOR_THIS_PROCESSOR = ("-march=native", "-mcpu=native", None)  # the first that the compiler knows
_SUFFIX = ".dll" if sys.platform == "win32" else ".so"
_KEPT = 180 * 86_400.0  # seconds for which a library that nobody used is kept
_ABANDONED = 86_400.0  # seconds after which what a killed build has left is removed

Kernel = Callable[..., None]


class Compiler(NamedTuple):
    """A C++ compiler: the words that call it, and what it says of its version."""

    command: tuple[str, ...]
    version: str


def cached(code: str, bind: Callable[[Path], Kernel], optimised: str) -> Kernel | None:
    """Return an integrator that was built before, or None.

    Parameters
    ----------
    code
        C++ source.
    bind
        `values` or `tangents`: what to take from the library.
    optimised
        `FOR_VALUES` or `FOR_DERIVATIVES`.
    """
    found = compiler()
    path = found and _kept(_name(code, optimised, found))
    try:
        return bind(path) if path else None
    except (OSError, AttributeError):  # whole, and still not what it should be: of another system
        path.unlink(missing_ok=True)
        return None


def built(code: str, bind: Callable[[Path], Kernel], optimised: str) -> Kernel | None:
    """Build an integrator and return it; None, with a warning, where the compiler cannot.

    Parameters
    ----------
    code, bind, optimised
        See `cached`.
    """
    found = compiler()
    if found is None:
        return None
    try:
        return bind(_build(found, code, optimised))
    except (OSError, subprocess.SubprocessError) as error:
        detail = (getattr(error, "stderr", "") or str(error)).strip()[:400]
        warnings.warn(
            f"the C++ compiler {' '.join(found.command)} could not build an integrator: {detail}",
            RuntimeWarning,
            stacklevel=5,
        )
        return None


def values(path: Path) -> Kernel:
    """Bind the integrator of a library; what it takes is told by `kernels.kernel`."""
    entry = ctypes.CDLL(str(path)).integrate_block
    entry.restype, entry.argtypes = None, _ARGUMENTS

    def integrate_block(*arguments: object) -> None:
        entry(*_passed(*arguments))

    return integrate_block


def tangents(path: Path) -> Kernel:
    """Bind the integrator that carries derivatives, see `kernels.tangent_kernel`."""
    entry = ctypes.CDLL(str(path)).sensitivity_block
    entry.restype = None
    entry.argtypes = [*_ARGUMENTS, _COUNT, _COUNT, _COUNT, _POINTER]

    def sensitivity_block(*arguments: object) -> None:
        *shared, first, last, tested, out = arguments
        entry(*_passed(*shared), first, last, tested, out.ctypes.data)

    return sensitivity_block


_POINTER, _COUNT, _REAL = ctypes.c_void_p, ctypes.c_int64, ctypes.c_double
_ARGUMENTS = [*[_COUNT] * 4, *[_POINTER] * 4, _REAL, _REAL, _COUNT, *[_POINTER] * 4]


def _passed(constants, initial, times, scale, rtol, atol, max_steps, *filled) -> list[object]:
    """Lay out what every compiled integrator takes first."""
    given = [array.ctypes.data for array in (constants, initial, times, scale)]
    out = [None if array is None else array.ctypes.data for array in filled]
    return [*lengths(constants, times, scale), *given, rtol, atol, max_steps, *out]


def lengths(constants, times, scale) -> list[int]:
    """Trajectories, output times, and how far those and the scales of two trajectories lie apart.

    Times and scales that all trajectories share are one row, and lie 0 apart.
    """
    n = len(constants)
    steps = (array.shape[1] if len(array) == n else 0 for array in (times, scale))
    return [n, times.shape[1], *steps]


@functools.cache
def compiler() -> Compiler | None:
    """Return the C++ compiler: CXX, or c++, or the one of the package `ziglang`, or None.

    Where CXX is set and does not answer, nothing takes its place, and a warning says so.
    """
    named = os.environ.get("CXX")
    if named:
        found = _answering(tuple(shlex.split(named)))
        if found is None:
            warnings.warn(
                f"CXX={named} is no C++ compiler that answers; integrators are not compiled for "
                "this processor",
                RuntimeWarning,
                stacklevel=2,
            )
        return found
    zig = (sys.executable, "-m", "ziglang", "cc", "-x", "c++")
    return _answering(("c++",)) or (_answering(zig) if find_spec("ziglang") else None)


def _answering(command: tuple[str, ...]) -> Compiler | None:
    path = shutil.which(command[0])
    if path is None:
        return None
    command = (path, *command[1:])
    try:
        told = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return Compiler(command, told.stdout) if told.returncode == 0 and told.stdout else None


def _name(code: str, optimised: str, by: Compiler) -> str:
    """Name an integrator after all that decides its code."""
    parts = [code, optimised, *FLAGS, *by.command, by.version, _processor()]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _kept(name: str) -> Path | None:
    """Find an integrator on disk that is whole, and ours; what is damaged is removed.

    The digest of its content is part of a file's name: a library that was cut short would end the
    process without a word when it is used.
    """
    for path in _folder().glob(f"{name}.*{_SUFFIX}"):
        try:
            ours = not hasattr(os, "getuid") or path.stat().st_uid == os.getuid()
            if ours and path.name.split(".")[1] == _digest(path):
                os.utime(path)
                return path
            if ours:
                path.unlink(missing_ok=True)
        except OSError:
            continue
    return None


def _build(by: Compiler, code: str, optimised: str) -> Path:
    """Compile to a file beside its place and move it there: other processes see all or nothing."""
    folder, name = _folder(), _name(code, optimised, by)
    _swept(folder)
    with tempfile.TemporaryDirectory(dir=folder, prefix="building-") as scratch:
        written, made = Path(scratch, "integrator.cpp"), Path(scratch, f"integrator{_SUFFIX}")
        written.write_text(code, encoding="utf-8")
        for tuned in _FOR_THIS_PROCESSOR:
            command = [*by.command, optimised, *FLAGS, *([tuned] if tuned else [])]
            command += [str(written), "-o", str(made), *LIBRARY]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                break
        done.check_returncode()
        with made.open("rb+") as file:
            os.fsync(file.fileno())
        path = folder / f"{name}.{_digest(made)}{_SUFFIX}"
        os.replace(made, path)
    return path


def _swept(folder: Path) -> None:
    """Remove libraries that nobody has used for long, and what killed builds have left."""
    now = time.time()
    for path in folder.iterdir():
        try:
            age = now - path.stat().st_mtime
            if path.is_dir() and path.name.startswith(("building-", "tmp")) and age > _ABANDONED:
                shutil.rmtree(path, ignore_errors=True)
            elif path.suffix == _SUFFIX and age > _KEPT:
                path.unlink(missing_ok=True)
        except OSError:
            continue


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
        return Path(_for_this_process().name)


@functools.cache
def _for_this_process() -> tempfile.TemporaryDirectory:
    """Make a folder that goes with the process; those of processes that were killed go, too."""
    for left in Path(tempfile.gettempdir()).glob("kinetlib-integrators-*"):
        try:
            if time.time() - left.stat().st_mtime > _ABANDONED:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue
    return tempfile.TemporaryDirectory(prefix="kinetlib-integrators-", ignore_cleanup_errors=True)
