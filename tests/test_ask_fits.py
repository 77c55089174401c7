"""The page integrates as Python does, to the bit, and its fits find what made the runs."""

import numpy as np
import pytest
from ask_node import as_json, in_node, scripts

from kinetlib.kinetics import mechanisms, sensitivity
from kinetlib.runs.runs import Runs

CODE = """async (cases) => {
  const hex = (array) => Buffer.from(array.buffer).toString("hex");
  const found = {};
  for (const [id, given] of Object.entries(cases)) {
    const { module } = kinetlib.data.kernels.mechanisms[id];
    const integrate = await kinetlib.kernel.integratorOf(await kinetlib.unpack.bytesOf(module));
    const { concentration, tangents } = integrate(given);
    found[id] = [hex(concentration), hex(tangents)];
  }
  return found;
}"""
FIT = """async (cases) => {
  const found = [];
  for (const { id, runs } of cases) {
    const { module, ...mechanism } = kinetlib.data.kernels.mechanisms[id];
    const integrate = await kinetlib.kernel.integratorOf(await kinetlib.unpack.bytesOf(module));
    found.push(kinetlib.fit.fitted(integrate, mechanism, runs, 0.01));
  }
  return found;
}"""


def test_integrators_give_the_bits_of_python(tmp_path):
    cases, expected = {}, {}
    for k, mechanism in enumerate(mechanisms.catalogue().values()):
        rng, network = np.random.default_rng(k), mechanism.network
        n, last = 20, len(network.constants) + len(network.species)
        constants = 10 ** rng.uniform(-3, 3, (n, len(network.constants)))
        initial = rng.uniform(0, 1, (n, len(network.species)))
        times = np.sort(rng.uniform(0, 5, (n, 6)), axis=1)
        cases[mechanism.id] = {
            "constants": constants.tolist(),
            "initial": initial.tolist(),
            "times": times.tolist(),
            "first": 0,
            "last": last,
            "tested": True,
            "rtol": 1e-6,
            "atol": 1e-9,
        }
        found = sensitivity.sensitivities(
            network, constants, initial, times, wrt=("constants", "initial"), atol=1e-9, threads=1
        )
        tangents = np.concatenate([found.log_constants, found.initial], -1)
        expected[mechanism.id] = [found.concentration.tobytes().hex(), tangents.tobytes().hex()]
    assert in_node(CODE, cases, tmp_path) == expected


@pytest.mark.parametrize("name", ["M1", "M6", "M9", "M10"])
def test_fit_finds_the_constants_that_made_exact_runs(tmp_path, name):
    mechanism = mechanisms.get(name)
    constants = np.array([30.0, 2.0, 10.0, 0.1, 0.3][: len(mechanism.network.constants)])
    loading, start = np.array([0.1, 0.05, 0.025]), np.array([1.0, 1.0, 0.6])
    times = np.linspace(0, 8, 15)
    others = {"I": 0.03} if mechanism.drawn else {}
    initial = mechanism.initial(loading, start, 1 - start, others)
    made = sensitivity.sensitivities(mechanism.network, constants, initial, times, threads=1)
    curves = (made.concentration[..., mechanism.network.index(one)] for one in ("S", "P"))
    runs = Runs(np.broadcast_to(times, (3, 15)), *curves, loading, start, 1 - start)
    [fit] = in_node(FIT, [{"id": name, "runs": as_json(runs[None])[0]}], tmp_path)
    assert fit["misfit"] < 0.02
    exact = np.log(constants * times[-1])
    apart = np.abs(np.log(fit["constants"]) - exact)
    errors = np.array([np.inf if e is None else e for e in fit["errors"]])
    assert np.isfinite(errors).sum() >= 2
    assert (apart < 0.2 + errors).all()


def test_every_mechanism_has_an_integrator_with_units():
    script = scripts()["kernels-data.js"]
    for one in mechanisms.catalogue().values():
        assert f'"{one.id}": {{"module": ' in script
