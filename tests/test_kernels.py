"""The generated integrators: the same bits in every home, kept on disk, never in the way."""

import hashlib
import os
import platform
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from threading import Event

import general_rodas
import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.kinetics import kernels, mechanisms, native, wasm
from kinetlib.kinetics.integrate import _LARGEST_BLOCK, Status, integrate, share_out
from kinetlib.kinetics.native_source import tangent_source
from kinetlib.kinetics.network import parse
from kinetlib.kinetics.sensitivity import CONSTANTS, INITIAL, sensitivities
from kinetlib.kinetics.ship import ship

BOTH = (CONSTANTS, INITIAL)

OTHERS = {
    "autocatalysis": "A + B -> 2 B (k1); B -> C (k2)",
    "third order": "2 A + B <=> C (k1, k-1); C + A -> 0 (k2)",
    "source": "0 -> A (k1); 2 A -> B (k2); B -> 0 (k3)",
    "catalyst": "A + E -> B + E (k1); E -> 0 (k2)",
    "one species": "A -> 0 (k1)",
    "Robertson": "A -> B (k1); 2 B -> B + C (k2); B + C -> A + C (k3)",
}
NETWORKS = {m.id: m.network for m in mechanisms.catalogue().values()} | {
    name: parse(text) for name, text in OTHERS.items()
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty place on disk, and nothing loaded yet."""
    monkeypatch.setattr(native, "_folder", lambda: tmp_path)
    monkeypatch.setattr(kernels, "_ready", {})
    return tmp_path


@pytest.fixture
def built(folder, monkeypatch):
    """A compiler, and nothing shipped that would do instead of it."""
    if native.compiler() is None:
        pytest.skip("no C++ compiler at hand")
    monkeypatch.setattr(wasm, "shipped", lambda code: None)
    return folder


@pytest.fixture
def alone(folder, monkeypatch):
    """No compiler: what is shipped has to do."""
    monkeypatch.setattr(native, "compiler", lambda: None)
    return folder


def problem(network, n=200, seed=0):
    rng = default_rng(seed)
    constants = 10 ** rng.uniform(-5, 5, (n, len(network.constants)))
    initial = rng.uniform(0, 1, (n, len(network.species)))
    initial[:, rng.integers(0, len(network.species))] = 0.0
    return constants, initial, np.linspace(0, 100, 51)


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_the_general_kernel_which_pivots(name, monkeypatch):
    network = NETWORKS[name]
    generated = integrate(network, *problem(network))
    monkeypatch.setattr(kernels, "kernel", general_rodas.kernel)
    general = integrate(network, *problem(network))
    assert np.array_equal(generated.status, general.status)
    assert np.all(generated.status == Status.SUCCESS)
    scale = np.maximum(1.0, np.abs(general.concentration))
    assert np.max(np.abs(generated.concentration - general.concentration) / scale) < 1e-7


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e300])
def test_a_lane_that_fails_leaves_its_neighbours_alone(bad):
    network = NETWORKS["M2"]
    constants, initial, times = problem(network, n=50)
    alone = integrate(network, constants, initial, times)
    constants[7, 2] = bad
    beside = integrate(network, constants, initial, times, max_steps=5000)
    others = np.arange(50) != 7
    assert np.array_equal(beside.concentration[others], alone.concentration[others])
    if np.isfinite(bad):
        assert beside.status[7] in list(Status)
    else:
        assert beside.status[7] == Status.NOT_FINITE
        assert np.isnan(beside.concentration[7]).all()


def test_a_pivot_that_vanishes_costs_a_step_and_nothing_else():
    """Tolerances this loose make the first step the whole span, and 4/h - k is zero there."""
    network = parse("A -> 2 A (k1)")
    loose = integrate(network, [[1.0]], [[1e-3]], [4.0], rtol=0.5, atol=1e3)
    assert loose.status[0] == Status.SUCCESS and loose.n_steps[0] > 1
    tight = integrate(network, [[1.0]], [[1e-3]], [4.0], rtol=1e-9, atol=1e-12)
    assert tight.concentration[0, 0, 0] == pytest.approx(1e-3 * np.exp(4.0), rel=1e-7)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="asks for registers of another width")
@pytest.mark.parametrize("registers", ["-mno-avx", "-mavx"])
def test_values_do_not_depend_on_the_width_of_registers(registers, built, monkeypatch):
    network = NETWORKS["M20"]
    widest = integrate(network, *problem(network))
    monkeypatch.setattr(kernels, "_ready", {})
    monkeypatch.setattr(native, "_FOR_THIS_PROCESSOR", (registers,))
    monkeypatch.setattr(native, "_processor", lambda: registers)
    other = integrate(network, *problem(network))
    assert len(list(built.iterdir())) == 2
    assert np.array_equal(other.concentration, widest.concentration)
    assert np.array_equal(other.n_steps, widest.n_steps)


def solved(network):
    """Values and tangents of trajectories, some of which fail, as the kernels fill them."""
    constants, initial, times = problem(network, n=60, seed=5)
    constants[3, 0], initial[4, 0] = np.nan, np.inf
    values = integrate(network, constants, initial, times, max_steps=400)
    both = sensitivities(network, constants[:20], initial[:20], times[:9], wrt=BOTH)
    return [*vars(values).values(), *vars(both).values()]


@pytest.mark.parametrize("name", [m.id for m in mechanisms.catalogue().values()])
def test_webassembly_gives_the_bits_of_the_native_integrator(name, folder, monkeypatch):
    if native.compiler() is None:
        pytest.skip("no C++ compiler at hand")
    network = NETWORKS[name]
    monkeypatch.setattr(kernels, "RENT", np.inf)
    rented = solved(network)
    assert list(folder.iterdir()) == []  # nothing was built for it
    monkeypatch.setattr(kernels, "_ready", {})
    monkeypatch.setattr(wasm, "shipped", lambda code: None)
    native_ones = solved(network)
    assert len(list(folder.iterdir())) == 2
    for one, other in zip(rented, native_ones, strict=True):
        assert one.tobytes() == other.tobytes()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ziglang") is None, reason="no compiler for WebAssembly")
@pytest.mark.parametrize("name", OTHERS)
def test_other_networks_have_the_same_bits_as_webassembly(name, built):
    network = NETWORKS[name]
    native_ones = solved(network)
    module = wasm.Module(wasm.build(tangent_source(network)))
    ready = {(str(network), kind): getattr(module, kind) for kind in ("values", "tangents")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "_ready", ready)
        for one, other in zip(solved(network), native_ones, strict=True):
            assert one.tobytes() == other.tobytes()


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ziglang") is None, reason="no compiler for WebAssembly")
def test_what_is_shipped_comes_from_the_sources(tmp_path):
    fresh = {path.name: path.read_bytes() for path in ship(tmp_path / "made")}
    folder = Path(wasm.__file__).with_name(wasm.SHIPPED)
    assert {path.name: path.read_bytes() for path in folder.glob("*")} == fresh


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_do_not_change_what_webassembly_gives(threads, alone):
    network = NETWORKS["M13"]
    constants, initial, times = problem(network, n=700)
    whole = integrate(network, constants, initial, times, threads=threads)
    parts = [integrate(network, constants[i::3], initial[i::3], times, threads=1) for i in range(3)]
    for i, part in enumerate(parts):
        assert part.concentration.tobytes() == whole.concentration[i::3].copy().tobytes()


def test_a_block_larger_than_the_memory_of_a_module_goes_in_parts(alone, monkeypatch):
    network = NETWORKS["M2"]
    constants, initial, times = problem(network, n=200)
    own = np.sort(default_rng(1).uniform(0, 100, (200, 51)), axis=1)
    for at in (times, own):
        whole = integrate(network, constants, initial, at, threads=1).concentration
        monkeypatch.setattr(wasm, "_LARGEST", 60_000)
        assert integrate(network, constants, initial, at, threads=1).concentration.tobytes() == (
            whole.tobytes()
        )


def test_what_is_rented_is_bought_once_it_has_cost_as_much(folder, monkeypatch):
    if native.compiler() is None:
        pytest.skip("no C++ compiler at hand")
    network = NETWORKS["M1"]
    before = integrate(network, *problem(network))
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(kernels, "RENT", 0.0)
    after = integrate(network, *problem(network), threads=2)
    assert len(list(folder.iterdir())) == 1
    assert after.concentration.tobytes() == before.concentration.tobytes()
    # What is on disk is there at once in the next process.
    monkeypatch.setattr(kernels, "_ready", {})
    monkeypatch.setattr(wasm, "shipped", None)  # calling it would raise
    assert integrate(network, *problem(network)).concentration.tobytes() == (
        before.concentration.tobytes()
    )


def test_is_built_once_and_found_again(built, monkeypatch):
    network = NETWORKS["M3"]
    first = kernels.kernel(network)
    (library,) = built.iterdir()
    assert kernels.kernel(network) is first
    monkeypatch.setattr(kernels, "_ready", {})
    monkeypatch.setattr(native, "_build", None)  # calling it would raise
    assert kernels.kernel(network) is not first
    assert list(built.iterdir()) == [library]


def test_another_network_is_another_file(built):
    kernels.kernel(NETWORKS["M3"])
    kernels.kernel(NETWORKS["M4"])
    assert len(list(built.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut short", "a zeroed page", "one bit", "empty"])
def test_a_damaged_file_is_built_again(damage, built, monkeypatch):
    network = NETWORKS["M3"]
    kernels.kernel(network)
    (library,) = built.iterdir()
    whole = library.read_bytes()
    parts = {
        "cut short": whole[: len(whole) // 3],
        "a zeroed page": whole[:4096] + bytes(4096) + whole[8192:],
        "one bit": whole[:-1] + bytes([whole[-1] ^ 1]),
        "empty": b"",
    }
    other = built / "other"  # the system remembers a library it has loaded from one place
    other.mkdir()
    (other / library.name).write_bytes(parts[damage])
    monkeypatch.setattr(native, "_folder", lambda: other)
    monkeypatch.setattr(kernels, "_ready", {})
    solution = integrate(network, *problem(network, n=5))
    assert np.all(solution.status == Status.SUCCESS)
    (again,) = other.iterdir()
    assert hashlib.sha256(again.read_bytes()).hexdigest()[:16] == again.name.split(".")[1]


def test_what_killed_builds_leave_is_swept_and_so_is_what_nobody_uses(built):
    kernels.kernel(NETWORKS["M3"])
    (library,) = built.iterdir()
    left, young, unused = (
        built / "building-abc",
        built / "building-now",
        built / f"u.v{native._SUFFIX}",
    )
    left.mkdir(), young.mkdir(), unused.write_bytes(b"")
    long_ago = time.time() - 400 * 86_400
    for path in (left, unused):
        os.utime(path, (long_ago, long_ago))
    kernels.kernel(NETWORKS["M4"])
    assert library.exists() and young.exists()
    assert not left.exists() and not unused.exists()


def test_processes_may_build_at_once(tmp_path):
    script = (
        "from kinetlib.kinetics import get, integrate\n"
        "m = get('M5').network\n"
        "r = integrate(m, [1.0] * 6, [[1, 0.05, 0, 0, 0]], [1.0])\n"
        "print(repr(r.concentration.tolist()))\n"
    )
    environment = {"XDG_CACHE_HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def process(_):
        command = [sys.executable, "-c", script]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True)

    with ThreadPoolExecutor(4) as pool:
        answers = {done.stdout for done in pool.map(process, range(4))}
    assert len(answers) == 1


def test_without_a_compiler_the_catalogue_is_served_and_said_once(alone, monkeypatch):
    network = NETWORKS["M1"]
    solution = integrate(network, *problem(network, n=5))
    assert np.all(solution.status == Status.SUCCESS)
    monkeypatch.setattr(kernels, "RENT", 0.0)
    with pytest.warns(RuntimeWarning, match="pip install ziglang brings one"):
        integrate(network, *problem(network, n=5))
    integrate(network, *problem(network, n=5))  # not again: warnings are errors here
    assert list(alone.iterdir()) == []


def test_without_a_compiler_another_network_is_refused_by_name(alone):
    with pytest.raises(kernels.NoCompilerError, match="'A -> B .*pip install ziglang"):
        integrate(parse("A -> B (k1); B -> C (k2)"), [1.0, 2.0], [[1.0, 0.0, 0.0]], [1.0])


@pytest.mark.parametrize("named", ["false", "no such compiler"])
def test_a_named_compiler_that_does_not_answer_is_told(named, monkeypatch):
    monkeypatch.setenv("CXX", named)
    native.compiler.cache_clear()
    try:
        with pytest.warns(RuntimeWarning, match=f"CXX={named} is no C.. compiler"):
            assert native.compiler() is None
    finally:
        native.compiler.cache_clear()


def test_words_after_a_named_compiler_are_its_options(monkeypatch):
    if native.compiler() is None or "ziglang" in native.compiler().command:
        pytest.skip("no C++ compiler at hand")
    path = native.compiler().command[0]
    monkeypatch.setenv("CXX", f"{path} -DUNUSED=1")
    native.compiler.cache_clear()
    try:
        assert native.compiler().command == (path, "-DUNUSED=1")
    finally:
        native.compiler.cache_clear()


def test_a_compiler_that_fails_is_reported_and_replaced(folder, monkeypatch):
    broken = native.Compiler(("false",), "no version")
    monkeypatch.setattr(native, "compiler", lambda: broken)
    monkeypatch.setattr(kernels, "RENT", 0.0)
    network = NETWORKS["M1"]
    before = integrate(network, *problem(network, n=5))
    with pytest.warns(RuntimeWarning, match="could not build an integrator"):
        after = integrate(network, *problem(network, n=5))
    assert after.concentration.tobytes() == before.concentration.tobytes()
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_an_interrupt_waits_for_the_blocks_begun_and_not_for_the_batch(threads):
    n, begun, interrupted = 2_000_000, [], Event()

    def solve(block):
        begun.append(block)
        if len(begun) == threads + 3:
            interrupted.set()
            signal.raise_signal(signal.SIGINT)
        elif len(begun) > threads + 3:
            time.sleep(0.1)  # for the main thread to see it

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            share_out(solve, n, threads)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert interrupted.is_set()
    assert len(begun) < 60 < n / _LARGEST_BLOCK


@pytest.mark.slow
def test_an_interrupted_batch_ends_in_keyboard_interrupt():
    script = (
        "import numpy as np, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from kinetlib.kinetics import get, integrate\n"
        "network = get('M20').network\n"
        "rng = np.random.default_rng(0)\n"
        "constants = 10 ** rng.uniform(-3, 3, (300_000, len(network.constants)))\n"
        "initial = rng.uniform(0, 1, (300_000, len(network.species)))\n"
        "integrate(network, constants[:9], initial[:9], [1.0])\n"
        "print('begun', flush=True)\n"
        "integrate(network, constants, initial, np.linspace(0, 100, 9), rtol=1e-11, threads=2)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "begun\n"
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode != 0 and "KeyboardInterrupt" in told


@pytest.mark.parametrize("name", NETWORKS)
def test_no_failure_and_exact_conservation_over_ten_decades(name):
    network = NETWORKS[name]
    constants, initial, times = problem(network, n=2000, seed=1)
    solution = integrate(network, constants, initial, times)
    assert np.all(solution.status == Status.SUCCESS)
    laws = network.conservation_laws()
    totals = solution.concentration @ laws.T
    assert np.abs(totals - totals[:, :1]).max(initial=0.0) < 1e-9
