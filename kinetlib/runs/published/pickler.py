"""Pickles of NumPy arrays, written as the numbers come: no array has to be in memory as a whole."""

from __future__ import annotations

import math
import pickle
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import DTypeLike, NDArray


@dataclass(frozen=True)
class Pieces:
    """An array that is written piece by piece, in C order.

    ``shape`` and ``dtype`` of the whole; ``pieces`` follow one another along the first axis.
    """

    shape: tuple[int, ...]
    dtype: DTypeLike
    pieces: Iterable[NDArray]


def dump(value: Pieces | dict[int | float, Any], file: BinaryIO) -> None:
    """Write an array, or a dict of arrays, as a pickle that ``pickle.load`` reads.

    Parameters
    ----------
    value
        The array in pieces, or a dict, nested or not, with numbers as keys.
    file
        Open for writing. The pickle has protocol 4 and names that NumPy 1 and 2 know.

    Raises
    ------
    ValueError
        If the pieces do not add up to the shape.
    """
    file.write(pickle.PROTO + b"\x04")
    _write(value, file)
    file.write(pickle.STOP)


def _write(value: Pieces | dict[int | float, Any], file: BinaryIO) -> None:
    if isinstance(value, dict):
        file.write(pickle.EMPTY_DICT + pickle.MARK)
        for key, item in value.items():
            file.write(_plain(key))
            _write(item, file)
        file.write(pickle.SETITEMS)
        return
    dtype = np.dtype(value.dtype)
    expected = math.prod(value.shape) * dtype.itemsize
    # What numpy.ndarray.__reduce__ gives; its last item is the numbers, so they can follow.
    file.write(
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
        + b"(K\x01("
        + b"".join(map(_plain, value.shape))
        + b"tcnumpy\ndtype\n"
        + _plain(dtype.str[1:])
        + b"\x89\x88\x87R(K\x03"
        + _plain(dtype.str[:1])
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + pickle.BINBYTES8
        + struct.pack("<Q", expected)
    )
    written = 0
    for piece in value.pieces:
        if piece.shape[1:] != value.shape[1:]:
            raise ValueError(f"a piece of shape {piece.shape} for an array of {value.shape}")
        written += file.write(np.ascontiguousarray(piece, dtype).reshape(-1).view(np.uint8).data)
    if written != expected:
        raise ValueError(f"pieces of {written:,} bytes for an array of {expected:,}")
    file.write(pickle.TUPLE + pickle.BUILD)


def _plain(value: int | float | str) -> bytes:
    """Write a number or a name, without the beginning and the end of a pickle."""
    return pickle.dumps(value, protocol=2)[2:-1]
