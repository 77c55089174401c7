"""Integrators built for one network: same as the general kernel, kept on disk, never in the way."""

import os
import platform
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.random import default_rng

from kinetlib.kinetics import mechanisms, native
from kinetlib.kinetics.integrate import Status, integrate
from kinetlib.kinetics.network import parse

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


@pytest.fixture(autouse=True)
def compiler():
    if native._compiler() is None:
        pytest.skip("no C++ compiler at hand")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty place on disk, and nothing loaded yet."""
    monkeypatch.setattr(native, "_folder", lambda: tmp_path)
    monkeypatch.setattr(native, "_loaded", {})
    return tmp_path


def problem(network, n=200, seed=0):
    rng = default_rng(seed)
    constants = 10 ** rng.uniform(-5, 5, (n, len(network.constants)))
    initial = rng.uniform(0, 1, (n, len(network.species)))
    initial[:, rng.integers(0, len(network.species))] = 0.0
    return constants, initial, np.linspace(0, 100, 51)


@pytest.mark.parametrize("name", NETWORKS)
def test_agrees_with_the_general_kernel_which_pivots(name, monkeypatch):
    network = NETWORKS[name]
    built = integrate(network, *problem(network))
    assert native.kernel(network) is not None
    monkeypatch.setattr(native, "kernel", lambda network: None)
    general = integrate(network, *problem(network))
    assert np.array_equal(built.status, general.status)
    assert np.all(built.status == Status.SUCCESS)
    scale = np.maximum(1.0, np.abs(general.concentration))
    assert np.max(np.abs(built.concentration - general.concentration) / scale) < 1e-7


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
def test_values_do_not_depend_on_the_width_of_registers(registers, folder, monkeypatch):
    network = NETWORKS["M20"]
    widest = integrate(network, *problem(network))
    monkeypatch.setattr(native, "_loaded", {})
    monkeypatch.setattr(native, "_FOR_THIS_PROCESSOR", (registers,))
    monkeypatch.setattr(native, "_processor", lambda: registers)
    other = integrate(network, *problem(network))
    assert len(list(folder.iterdir())) == 2
    assert np.array_equal(other.concentration, widest.concentration)
    assert np.array_equal(other.n_steps, widest.n_steps)


def test_is_built_once_and_found_again(folder, monkeypatch):
    network = NETWORKS["M3"]
    first = native.kernel(network)
    (built,) = folder.iterdir()
    assert native.kernel(network) is first
    monkeypatch.setattr(native, "_loaded", {})
    monkeypatch.setattr(native, "_build", None)  # calling it would raise
    assert native.kernel(network) is not None
    assert list(folder.iterdir()) == [built]


def test_another_network_is_another_file(folder):
    native.kernel(NETWORKS["M3"])
    native.kernel(NETWORKS["M4"])
    assert len(list(folder.iterdir())) == 2


def test_a_damaged_file_is_built_again(folder, monkeypatch):
    network = NETWORKS["M3"]
    native.kernel(network)
    (built,) = folder.iterdir()
    other = folder / "other"  # the system remembers a library it has loaded from one place
    other.mkdir()
    (other / built.name).write_bytes(b"half a library")
    monkeypatch.setattr(native, "_folder", lambda: other)
    monkeypatch.setattr(native, "_loaded", {})
    assert native.kernel(network) is not None
    assert (other / built.name).stat().st_size == built.stat().st_size


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


def test_without_a_compiler_the_general_kernel_serves(folder, monkeypatch):
    monkeypatch.setattr(native, "_compiler", lambda: None)
    network = NETWORKS["M1"]
    assert native.kernel(network) is None
    solution = integrate(network, *problem(network, n=5))
    assert np.all(solution.status == Status.SUCCESS)
    assert list(folder.iterdir()) == []


def test_a_compiler_that_fails_is_reported_and_replaced(folder, monkeypatch):
    monkeypatch.setattr(native, "_compiler", lambda: ("false", "no version"))
    network = NETWORKS["M1"]
    with pytest.warns(RuntimeWarning, match="could not build an integrator"):
        solution = integrate(network, *problem(network, n=5))
    assert np.all(solution.status == Status.SUCCESS)
    assert integrate(network, *problem(network, n=5)).n_steps.all()  # said once, not each time
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", NETWORKS)
def test_no_failure_and_exact_conservation_over_ten_decades(name):
    network = NETWORKS[name]
    constants, initial, times = problem(network, n=2000, seed=1)
    solution = integrate(network, constants, initial, times)
    assert np.all(solution.status == Status.SUCCESS)
    laws = network.conservation_laws()
    totals = solution.concentration @ laws.T
    assert np.abs(totals - totals[:, :1]).max(initial=0.0) < 1e-9
