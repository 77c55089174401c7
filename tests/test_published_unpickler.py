"""Pickles of arrays by any NumPy are read, lazily; others are refused, and nothing runs."""

import functools
import io
import os
import pickle
import struct
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinetlib.runs.published import pickler, unpickler
from kinetlib.runs.published.pickler import Pieces

ARRAY = np.arange(24, dtype=np.float64).reshape(2, 3, 4)
ARRAYS = {
    "double": ARRAY,
    "single": ARRAY.astype(np.float32),
    "integers": ARRAY.astype(np.int64),
    "bytes": ARRAY.astype(np.uint8),
    "truth": ARRAY > 3,
    "complex": ARRAY.astype(np.complex128),
    "big endian": ARRAY.astype(">f8"),
    "Fortran": np.asfortranarray(ARRAY),
    "transposed": ARRAY.transpose(1, 0, 2),
    "axes in another order": ARRAY.transpose(2, 0, 1).copy(order="K"),
    "strided": ARRAY[:, ::2],
    "one number": np.array(3.0),
    "long": np.arange(10_000.0),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "arrays.pkl"


def read(path, data):
    path.write_bytes(data)
    return unpickler.load(path)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("array", ARRAYS.values(), ids=list(ARRAYS))
def test_what_pickle_writes_is_read(path, array, protocol):
    (read_back,) = read(path, pickle.dumps(array, protocol))
    assert same(read_back, array)
    assert not read_back.flags.writeable
    # Up to protocol 2 the numbers are escaped as text and have to be copied.
    assert isinstance(read_back, np.memmap) == (protocol > 2)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_names_of_numpy_1_are_read(path, protocol):
    now = pickle.dumps(ARRAY, protocol)
    old = now.replace(b"numpy._core", b"numpy.core")
    if protocol > 3:  # the name comes after its length
        assert now[11:12] == pickle.SHORT_BINUNICODE
        old = now[:12] + bytes([now[12] - 1]) + now[13:].replace(b"numpy._core", b"numpy.core")
    assert same(read(path, old)[0], ARRAY)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_nested_and_repeated_values_are_read(path, protocol):
    value = {20: {0: ARRAY, 1.5: ARRAY}, "more": [ARRAY, (1, None, True, -2.5, 2**70, "é")]}
    value["scalar"] = np.float32(1.5)
    (back,) = read(path, pickle.dumps(value, protocol))
    assert list(back) == [20, "more", "scalar"] and list(back[20]) == [0, 1.5]
    assert same(back[20][1.5], ARRAY) and same(back["more"][0], ARRAY)
    assert back["more"][1] == value["more"][1]
    assert back["scalar"] == value["scalar"] and back["scalar"].dtype == np.float32


def test_several_pickles_in_a_row_are_read(path):
    with path.open("wb") as file:
        for array, protocol in zip(ARRAYS.values(), [2, 3, 4, 5] * 4, strict=False):
            pickle.dump(array, file, protocol)
    for back, array in zip(unpickler.load(path), ARRAYS.values(), strict=True):
        assert same(back, array)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i8", "u1", "b1"])
def test_what_is_written_in_pieces_is_read_by_pickle_and_here(path, dtype):
    array = ARRAY.astype(dtype)

    def pieces():
        return Pieces(array.shape, dtype, iter([array[:1], array[1:]]))

    with path.open("wb") as file:
        pickler.dump(pieces(), file)
        pickler.dump({6: {0: pieces(), 0.5: pieces()}, 300: pieces(), 70_000: {}}, file)
    with path.open("rb") as file:
        first, nested = pickle.load(file), pickle.load(file)
    assert same(first, array) and same(nested[6][0.5], array) and nested[70_000] == {}
    first.reshape(-1)[0] = 1  # as writable as any array
    first, nested = unpickler.load(path)
    assert same(first, array) and same(nested[300], array)
    assert b"numpy._core" not in path.read_bytes()  # a name that NumPy before 1.26 does not know


def test_pieces_that_do_not_add_up_are_refused():
    for pieces in ([ARRAY[:1]], [ARRAY, ARRAY], [ARRAY[:, :2]]):
        with pytest.raises(ValueError, match="piece"):
            pickler.dump(Pieces(ARRAY.shape, "f8", pieces), io.BytesIO())


class Call:
    """Asks, when it is unpickled, for a call."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


class State:
    """Asks for a state to be set."""

    def __init__(self, **state):
        vars(self).update(state)


def text(value):
    return pickle.BINUNICODE + struct.pack("<I", len(value)) + value.encode()


def in_objects(value):
    array = np.empty(2, dtype=object)
    array[:] = [value, 1]
    return array


HARMFUL = {
    "os.system": lambda mark: pickle.dumps(Call(os.system, f"touch {mark}")),
    "os.system, protocol 2": lambda mark: pickle.dumps(Call(os.system, f"touch {mark}"), 2),
    "eval": lambda mark: pickle.dumps(Call(eval, f"open({str(mark)!r}, 'w').close()")),
    "open": lambda mark: pickle.dumps(Call(open, str(mark), "w")),
    "numpy.save": lambda mark: pickle.dumps(Call(np.save, str(mark), 1)),
    "numpy.load": lambda mark: pickle.dumps(Call(np.load, str(mark), None, True)),
    "numpy.memmap": lambda mark: pickle.dumps(Call(np.memmap, str(mark), "u1", "w+", 0, 9)),
    "partial": lambda mark: pickle.dumps(functools.partial(os.mkdir, str(mark))),
    "among objects": lambda mark: pickle.dumps(in_objects(Call(os.mkdir, str(mark)))),
    "in a list": lambda mark: pickle.dumps([ARRAY, {1: Call(os.mkdir, str(mark))}]),
    "state": lambda mark: pickle.dumps(State(path=str(mark))),
    "INST": lambda mark: b"\x80\x02(" + text(str(mark)) + b"ios\nmkdir\n.",
    "OBJ": lambda mark: b"\x80\x02(cnumpy\nndarray\n" + text(str(mark)) + b"o.",
    "NEWOBJ": lambda mark: b"\x80\x02cnumpy\nndarray\n" + text(str(mark)) + b"\x85\x81.",
    "STACK_GLOBAL": lambda mark: (
        b"\x80\x04" + text("os") + text("mkdir") + b"\x93" + text(str(mark)) + b"\x85R."
    ),
    "dotted name": lambda mark: (
        b"\x80\x04" + text("numpy") + text("ndarray.tofile") + b"\x93" + text(str(mark)) + b"\x85R."
    ),
    "dotted module": lambda mark: b"\x80\x02cnumpy.f2py\ncompile\n" + text(str(mark)) + b"\x85R.",
    "admitted name called": lambda mark: b"\x80\x02cnumpy\nndarray\n" + text(str(mark)) + b"\x85R.",
    "admitted codec, other use": lambda mark: (
        b"\x80\x02c_codecs\nencode\n" + text(str(mark)) + text("idna") + b"\x86R."
    ),
    "string called": lambda mark: b"\x80\x02" + text("os.mkdir") + text(str(mark)) + b"\x85R.",
    "EXT1": lambda mark: b"\x80\x02\x82\x01.",
    "EXT4": lambda mark: b"\x80\x02\x84\x01\x00\x00\x00.",
    "PERSID": lambda mark: b"\x80\x02P" + str(mark).encode() + b"\n.",
    "BINPERSID": lambda mark: b"\x80\x02" + text(str(mark)) + b"Q.",
    "NEXT_BUFFER": lambda mark: b"\x80\x05\x97.",
    "BUILD of a dict": lambda mark: b"\x80\x02}}" + text("__setstate__") + text("x") + b"sb.",
    "BUILD of an array": lambda mark: (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R}b."
    ),
    "subclass": lambda mark: pickle.dumps(np.ma.masked_array([1.0], [True])),
    "records": lambda mark: pickle.dumps(np.zeros(2, dtype=[("a", "f8"), ("b", "O")])),
    "text": lambda mark: pickle.dumps(np.array(["a"])),
    "module that is not loaded": lambda mark: b"\x80\x02cantigravity\ngeohash\n)R.",
}


@pytest.mark.parametrize("make", HARMFUL.values(), ids=list(HARMFUL))
def test_pickles_that_ask_for_more_are_refused_and_not_run(path, tmp_path, make):
    mark = tmp_path / "mark"
    with pytest.raises(ValueError, match=r"arrays\.pkl, byte \d+: .*nothing in the file was run"):
        read(path, make(mark))
    assert not mark.exists()
    assert "antigravity" not in sys.modules


def test_the_refusal_names_what_was_asked_for(path):
    with pytest.raises(ValueError, match=r"asks for '(posix|nt)\.system', which no array needs"):
        read(path, HARMFUL["os.system"]("mark"))
    with pytest.raises(ValueError, match="byte 2.: the instruction INST"):
        read(path, b"\x80\x02(" + text("a long argument") + b"ios\nmkdir\n.")
    with pytest.raises(ValueError, match="type 'O8'; expected numbers"):
        read(path, HARMFUL["among objects"]("mark"))


def header(shape, dtype="f8"):
    """Return the pickle of an array up to its numbers, which may be more than there can be."""
    file = io.BytesIO()
    with pytest.raises(ValueError, match="a piece of shape"):
        pickler.dump(Pieces(shape, dtype, [np.zeros((1, 1, 1, 1, 1))]), file)
    return file.getvalue()


def doubled(times, begin=b")", wrap=b"\x86"):
    """Return a value that holds itself twice, many times over."""
    return b"\x80\x02" + begin + b"".join(b"q\x00h\x00" + wrap for _ in range(times)) + b"."


SHAPED = pickle.dumps(ARRAY, 3)
HOSTILE = {
    "empty": b"",
    "text": b"x1,x2,y\n0.01,0.5,3\n",
    "archive": b"PK\x03\x04" + bytes(100),
    "protocol 0": pickle.dumps(ARRAY, 0),
    "protocol 6": b"\x80\x06N.",
    "only a beginning": b"\x80\x04",
    "a value missing": b"\x80\x04.",
    "bytes after the end": pickle.dumps(ARRAY) + b"\n",
    "bytes alone": pickle.dumps(b"abc", 4),
    "more bytes than the file": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.",
    "more text than the file": b"\x80\x04\x8d" + struct.pack("<Q", 2**63 + 5) + b"abc.",
    "a larger array than the file": header((2**40, 21, 12)) + b"abctb.",
    "a smaller array than its bytes": SHAPED.replace(b"K\x02K\x03K\x04", b"K\x02K\x03K\x03"),
    "negative sizes": SHAPED.replace(b"K\x02K\x03", b"J\xfe\xff\xff\xffJ\xfd\xff\xff\xff"),
    "a size that is no number": SHAPED.replace(b"K\x02K\x03", b"NK\x03"),
    "many axes": SHAPED.replace(b"K\x02K\x03K\x04\x87", b"(" + b"K\x01" * 90 + b"t"),
    "empty, with endless axes": header((0, 2**62, 2**62)) + b"tb.",
    "a size of 2,000 bits": SHAPED.replace(b"K\x02K\x03", b"\x8a\xfa" + b"\x11" * 250 + b"K\x03"),
    "tuples that double": doubled(60),
    "lists that double": doubled(60, b"]", b"\x86"),
    "a key that takes for ever": doubled(60)[:-1].replace(b"\x80\x02", b"\x80\x02}") + b"Ns.",
    "a list in itself": b"\x80\x02]q\x00h\x00a.",
    "deep": b"\x80\x02" + b"]" * 50_000 + b"a" * 49_999 + b".",
    "long": b"\x80\x02" + b"N0" * 200_000 + b"N.",
    "many": b"\x80\x02](" + b"N" * 99_000 + b"eq\x00" + b"h\x00h\x00\x86.",
    "a name without end": b"\x80\x02c" + b"n" * 100_000,
    "a reference to nothing": b"\x80\x02h\x07.",
    "a mark missing": b"\x80\x02t.",
    "a mark for a value": b"\x80\x02(.",
    "an array without its state": SHAPED[: SHAPED.index(b"(K\x01")] + b".",
    "text that is not UTF-8": b"\x80\x02X\x02\x00\x00\x00\xff\xfe.",
    "an odd dict": b"\x80\x02}(NNNu.",
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_damaged_and_hostile_files_are_refused_at_no_cost(path, data):
    path.write_bytes(data)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"arrays\.pkl"):
            unpickler.load(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6 + 20 * len(data)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_a_file_cut_short_anywhere_is_refused(path, protocol):
    whole = pickle.dumps({1: ARRAY[0], "two": 2.0}, protocol)
    for length in range(len(whole)):
        with pytest.raises(ValueError, match=r"arrays\.pkl"):
            read(path, whole[:length])


def test_numbers_as_text_are_copied_up_to_a_limit_only(path, monkeypatch):
    monkeypatch.setattr(unpickler, "MOST_TEXT", 2**20)
    numbers = np.random.default_rng(1).integers(0, 128, 500_000, dtype=np.uint8)
    assert same(read(path, pickle.dumps([numbers, 1], 2))[0][0], numbers)
    with pytest.raises(ValueError, match=r"1 MiB .*protocol=4"):
        read(path, pickle.dumps([numbers, numbers[::-1], numbers + 1], 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


def read_or_refuse(path, data):
    """Read a file that may be anything; an error that is no ValueError fails the test."""
    path.write_bytes(data)
    try:
        values = unpickler.load(path)
    except ValueError as error:
        assert path.name in str(error)
        return
    for value in values:
        if isinstance(value, np.ndarray):
            value.sum()


VALID = [
    pickle.dumps(value, protocol)
    for protocol in (2, 3, 4, 5)
    for value in (ARRAY[0], {6: {0: ARRAY[0], 1: ARRAY[0, 0]}}, [np.float32(1), "x", (2, None)])
]


@given(
    st.sampled_from(VALID),
    st.lists(st.tuples(st.integers(0, 400), st.binary(max_size=4), st.integers(0, 4)), max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_a_changed_file_is_read_or_refused(folder, data, changes):
    for at, new, replaced in changes:
        at %= len(data)
        data = data[:at] + new + data[at + replaced :]
    read_or_refuse(folder / "changed.pkl", data)


OPCODES = st.sampled_from([bytes([code]) for code in b"().0]}NK\x00eastub\x85\x86\x87\x88\x94Rh"])
NAMES = st.sampled_from(
    [b"cnumpy\ndtype\n", b"cnumpy\nndarray\n", b"cnumpy.core.multiarray\n_reconstruct\n"]
)


@given(st.lists(st.one_of(OPCODES, NAMES, st.binary(max_size=3)), max_size=40))
@settings(max_examples=200, deadline=None)
def test_a_random_program_is_read_or_refused(folder, parts):
    read_or_refuse(folder / "random.pkl", b"\x80\x04" + b"".join(parts) + b".")
