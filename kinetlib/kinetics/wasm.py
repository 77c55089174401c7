"""Integrators as WebAssembly: shipped for the catalogue, the same bits, and no compiler needed.

They are the same C++ as the native ones, compiled by the package `ziglang` for WebAssembly with
SIMD. Lanes never mix and no operation is contracted, so a register of two doubles gives the bits
that one of eight does.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import queue
import subprocess
import sys
import tempfile
import weakref
from importlib import resources
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from kinetlib.kinetics import native

SHIPPED = "shipped"  # folder beside this file
TARGET = ("-target", "wasm32-wasi", "-msimd128", "-mexec-model=reactor", "-s", "-w")
OPTIMISED = "-O2"
EXPORTS = "-Wl,--export=integrate_block,--export=sensitivity_block,--export=__heap_base"
_PAGE = 65_536
_LARGEST = 64 << 20  # bytes of a module's memory that arrays may take; larger blocks go in parts


def name(code: str) -> str:
    """Name the module of a source: it is shipped under this name, or it is another's."""
    return f"{hashlib.sha256(code.encode()).hexdigest()[:24]}.wasm"


@functools.cache
def shipped(code: str) -> Module | None:
    """Return the module that comes with the package for a source (of both kernels), or None."""
    file = resources.files("kinetlib.kinetics") / SHIPPED / name(code)
    return Module(file.read_bytes()) if file.is_file() else None


class Module:
    """One network's integrators. Any number of threads may call: each has an instance of its own.

    Parameters
    ----------
    code
        The module, WebAssembly.
    """

    def __init__(self, code: bytes) -> None:
        import wasmtime  # a tenth of a second, which whoever has a compiler need not wait for

        self._module = wasmtime.Module(_engine(), code)
        weakref.finalize(self, self._module.close)
        self._idle: queue.SimpleQueue[_Instance] = queue.SimpleQueue()

    def values(self, *arguments: object) -> None:
        """Integrate a block; see `kernels.kernel`."""
        self._call("integrate_block", *arguments)

    def tangents(self, *arguments: object) -> None:
        """Integrate a block with derivatives; see `kernels.tangent_kernel`."""
        *shared, first, last, tested, out = arguments
        self._call("sensitivity_block", *shared, out, more=(int(first), int(last), int(tested)))

    def _call(
        self, entry, constants, initial, times, scale, rtol, atol, max_steps, *filled, more=()
    ) -> None:
        n = len(constants)
        filled = [np.empty((n, 0)) if array is None else array for array in filled]
        each = sum(array[:1].nbytes for array in (constants, initial, times, scale, *filled))
        part = max(1, _LARGEST // each)
        try:
            instance = self._idle.get_nowait()
        except queue.Empty:
            instance = _Instance(self._module)
        for start in range(0, n, part):
            rows = slice(start, start + part)
            instance.call(
                entry,
                [own[rows] if len(own) == n else own for own in (constants, initial, times, scale)],
                (rtol, atol, max_steps),
                [array[rows] for array in filled],
                more,
            )
        self._idle.put(instance)  # not after an error: its memory is as the error left it


class _Instance:
    """A module with a memory, for one thread at a time."""

    def __init__(self, module) -> None:
        import wasmtime

        self._store = wasmtime.Store(_engine())
        weakref.finalize(self, self._store.close)
        exports = wasmtime.Instance(self._store, module, []).exports(self._store)
        exports["_initialize"](self._store)
        self._memory, self._exports = exports["memory"], exports
        self._base = -(-exports["__heap_base"].value(self._store) // 16) * 16

    def call(self, entry, given, numbers, filled, more) -> None:
        """Copy arrays in, integrate, copy what was filled out."""
        arrays = [*given, *filled]
        ends = self._base + np.cumsum([0, *(-(-array.nbytes // 16) * 16 for array in arrays)])
        at = [int(end) for end in ends]
        lacking = at[-1] - self._memory.data_len(self._store)
        if lacking > 0:
            self._memory.grow(self._store, -(-lacking // _PAGE))
        memory = self._bytes()
        for place, array in zip(at, given, strict=False):
            memory[place : place + array.nbytes] = array.reshape(-1).view(np.uint8)
        constants, _, times, scale = given
        # A null pointer stands for an array that is not wanted.
        places = [
            place if array.size else 0
            for place, array in zip(at[len(given) :], filled, strict=False)
        ]
        arguments = [*native.lengths(constants, times, scale), *at[: len(given)], *numbers]
        self._exports[entry](self._store, *arguments, *places[:4], *more, *places[4:])
        for place, array in zip(places, filled, strict=True):
            size = array.nbytes
            array[...] = memory[place : place + size].view(array.dtype).reshape(array.shape)

    def _bytes(self) -> np.ndarray:
        length = self._memory.data_len(self._store)
        first = ctypes.addressof(self._memory.data_ptr(self._store).contents)
        return np.frombuffer((ctypes.c_uint8 * length).from_address(first), np.uint8)


@functools.cache
def _engine():
    import wasmtime

    engine = wasmtime.Engine()
    # Closed at exit, after all that depends on it: on its own it would go when Python itself does.
    weakref.finalize(engine, engine.close)
    return engine


def build(code: str) -> bytes:
    """Compile a source (of both kernels) to a module.

    Raises
    ------
    ValueError
        Without the package `ziglang`, or where it refuses the source.
    """
    if find_spec("ziglang") is None:
        raise ValueError(
            "building WebAssembly needs a compiler that has it as a target: pip install ziglang"
        )
    with tempfile.TemporaryDirectory() as scratch:
        written, made = Path(scratch, "integrator.cpp"), Path(scratch, "integrator.wasm")
        written.write_text(code, encoding="utf-8")
        command = [sys.executable, "-m", "ziglang", "cc", "-x", "c++", *TARGET, OPTIMISED]
        command += [*native.FLAGS, "-fno-exceptions", "-fno-rtti", EXPORTS]
        done = subprocess.run(
            [*command, str(written), "-o", str(made)], capture_output=True, text=True
        )
        if done.returncode:
            raise ValueError(f"ziglang could not build a module: {done.stderr.strip()[:400]}")
        return made.read_bytes()
