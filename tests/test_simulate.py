import numpy as np
import pytest
import xarray as xr

import kinetlib
from kinetlib import simulate
from kinetlib.kinetics import mechanisms
from kinetlib.kinetics.integrate import Status

CONSTANTS = {"k1": 10.0, "k-1": 1.0, "k2": 5.0, "k-2": 0.1}
TIMES = [0.0, 1.0, 5.0, 20.0]


def test_one_trajectory_has_no_sample_dimension():
    run = simulate("M1", CONSTANTS, {}, TIMES)
    assert isinstance(run, xr.Dataset)
    assert dict(run.sizes) == {"time": 4, "species": 4}
    assert run.concentration.dims == ("time", "species")
    assert run.status.dims == run.n_steps.dims == ()
    assert run.species.values.tolist() == ["S", "cat", "catS", "P"]
    assert run.time.values.tolist() == TIMES
    assert int(run.status) == Status.SUCCESS
    assert int(run.n_steps) > 0


def batch(argument):
    """Arguments of a call with three samples, all through one of them."""
    constants, initial, times = dict(CONSTANTS), {"S": 1.0}, TIMES
    if argument == "rate_constants":
        constants["k2"] = np.array([1.0, 5.0, 10.0])
    elif argument == "initial":
        initial["S"] = [0.5, 1.0, 2.0]
    else:
        times = np.outer([1.0, 2.0, 3.0], TIMES)
    return constants, initial, times


@pytest.mark.parametrize("argument", ["rate_constants", "initial", "times"])
def test_an_array_anywhere_gives_samples(argument):
    constants, initial, times = batch(argument)
    run = simulate("M1", constants, initial, times)
    assert run.concentration.dims == ("sample", "time", "species")
    assert run.concentration.shape == (3, 4, 4)
    assert run.status.dims == run.n_steps.dims == ("sample",)
    assert run.time.dims == (("sample", "time") if argument == "times" else ("time",))
    for i in range(3):
        alone = simulate(
            "M1",
            {name: np.broadcast_to(value, 3)[i] for name, value in constants.items()},
            {name: np.broadcast_to(value, 3)[i] for name, value in initial.items()},
            np.broadcast_to(times, (3, 4))[i],
        )
        assert alone.concentration.values.tobytes() == run.concentration[i].values.tobytes()


def test_array_of_one_keeps_the_sample_dimension():
    assert simulate("M1", CONSTANTS | {"k1": [10.0]}, {}, TIMES).sizes["sample"] == 1


def test_array_of_none_gives_no_samples():
    run = simulate("M1", CONSTANTS | {"k1": []}, {}, TIMES)
    assert run.concentration.shape == (0, 4, 4)


def test_species_that_are_not_named_start_as_in_the_catalogue():
    constants = CONSTANTS | {"k3": 1.0}
    start = simulate("M10", constants, {}, [0.0]).concentration.isel(time=0)
    expected = {"S": 1.0, "cat": 0.05, "catS": 0.0, "P": 0.0, "I": 0.055, "dead": 0.0}
    assert dict(zip(start.species.values, start.values, strict=True)) == pytest.approx(expected)
    start = simulate("M10", constants, {"P": 0.4, "I": 0.0}, [0.0]).concentration.isel(time=0)
    changed = expected | {"P": 0.4, "I": 0.0}
    assert dict(zip(start.species.values, start.values, strict=True)) == pytest.approx(changed)


def test_an_id_and_its_mechanism_are_the_same():
    xr.testing.assert_identical(
        simulate("M1", CONSTANTS, {}, TIMES),
        simulate(mechanisms.get("M1"), CONSTANTS, {}, TIMES),
    )


def test_order_of_names_means_nothing():
    backwards = dict(reversed(CONSTANTS.items()))
    xr.testing.assert_identical(
        simulate("M1", CONSTANTS, {"S": 0.9, "cat": 0.02}, TIMES),
        simulate("M1", backwards, {"cat": 0.02, "S": 0.9}, TIMES),
    )


def test_arrays_may_come_from_xarray():
    constants = CONSTANTS | {"k1": xr.DataArray([1.0, 2.0], dims="sample")}
    run = simulate("M1", constants, {}, xr.DataArray(TIMES, dims="time"))
    expected = simulate("M1", CONSTANTS | {"k1": [1.0, 2.0]}, {}, TIMES)
    xr.testing.assert_identical(run, expected)


def test_result_says_what_it_is():
    run = simulate("M1", CONSTANTS, {}, TIMES, rtol=1e-4, atol=1e-7)
    assert run.attrs == {"mechanism": "M1", "rtol": 1e-4, "atol": 1e-7}
    assert run.status.attrs["flag_values"].tolist() == [0, 1, 2, 3]
    assert run.status.attrs["flag_meanings"] == "success step_budget step_underflow not_finite"
    assert all(run[name].attrs["long_name"] for name in ("concentration", "n_steps", "time"))


def test_result_survives_a_file(tmp_path):
    run = simulate("M1", CONSTANTS | {"k1": [1.0, 2.0]}, {}, TIMES)
    run.to_netcdf(tmp_path / "run.nc")
    with xr.open_dataset(tmp_path / "run.nc") as again:
        np.testing.assert_array_equal(again.concentration, run.concentration)
        np.testing.assert_array_equal(again.status.attrs["flag_values"], [0, 1, 2, 3])


def test_tolerances_take_effect():
    loose = simulate("M1", CONSTANTS, {}, TIMES, rtol=1e-3, atol=1e-5)
    tight = simulate("M1", CONSTANTS, {}, TIMES, rtol=1e-9, atol=1e-12)
    assert int(tight.n_steps) > 2 * int(loose.n_steps)
    np.testing.assert_allclose(loose.concentration, tight.concentration, rtol=0, atol=5e-3)


def test_failed_trajectory_is_a_status_beside_good_ones():
    run = simulate("M1", CONSTANTS | {"k1": [10.0, 1.7e308, 10.0]}, {"S": 1e10}, [0.0, 1.0])
    assert run.status.values.tolist() == [Status.SUCCESS, Status.STEP_UNDERFLOW, Status.SUCCESS]
    assert np.isnan(run.concentration[1, 1]).all()
    assert np.isfinite(run.concentration[[0, 2]]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mechanism": "M21"}, r"unknown mechanism 'M21'.*M1, M2, .*M20"),
        ({"mechanism": None}, r"unknown mechanism None.*M1, M2"),
        (
            {"rate_constants": CONSTANTS | {"k9": 1.0}},
            r"unknown rate constant 'k9'.*M1 has k1, k-1, k2, k-2",
        ),
        (
            {"rate_constants": {"k_1": 1.0}},
            r"unknown rate constant 'k_1' \(did you mean 'k-?1'\?\)",
        ),
        (
            {"rate_constants": {"k1": 1.0, "k2": 1.0}},
            r"M1 needs the rate constants k1, k-1, k2, k-2; missing: k-1, k-2",
        ),
        ({"rate_constants": CONSTANTS | {"k1": -1.0}}, r"k1: expected finite .* got -1\.0$"),
        ({"rate_constants": CONSTANTS | {"k1": np.nan}}, r"k1: expected finite .* got nan$"),
        (
            {"rate_constants": CONSTANTS | {"k-2": [1.0, np.inf]}},
            r"k-2: expected finite .* got inf at sample 1$",
        ),
        ({"rate_constants": CONSTANTS | {"k1": "fast"}}, "k1: expected a number .* got 'fast'"),
        ({"rate_constants": CONSTANTS | {"k1": [[1.0]]}}, r"k1: .*got shape \(1, 1\)"),
        ({"rate_constants": CONSTANTS | {"k1": 1 + 2j}}, r"k1: expected a number .* got \(1\+2j\)"),
        ({"initial": {"cat2": 0.1}}, r"unknown species 'cat2'.*M1 has S, cat, catS, P"),
        ({"initial": {"s": 0.1}}, r"unknown species 's'.*M1 has S, cat, catS, P"),
        ({"initial": {"S": -0.1}}, r"S: expected finite .* got -0\.1$"),
        ({"initial": {"S": [1.0, -0.1]}}, r"S: expected finite .* got -0\.1 at sample 1"),
        ({"initial": {"cat": np.inf}}, r"cat: expected finite .* got inf$"),
        ({"times": [0.0, 2.0, 1.0]}, r"times fall from 2\.0 to 1\.0 at index 2"),
        ({"times": [[0.0, 1.0], [1.0, 0.0]]}, r"times fall from 1\.0 to 0\.0 at index 1"),
        ({"times": [-1.0, 2.0]}, r"times: .*not negative, got -1\.0"),
        ({"times": [0.0, np.nan]}, "times: expected finite .*got nan"),
        ({"times": [0.0, np.inf]}, "times: expected finite .*got inf"),
        ({"times": []}, r"times: expected shape .* got \(0,\)"),
        ({"times": 3.0}, r"times: expected shape .* got \(\)"),
        ({"times": "soon"}, "times: expected numbers, got 'soon'"),
        (
            {"rate_constants": CONSTANTS | {"k1": [1.0, 2.0]}, "initial": {"S": [1.0, 1.0, 1.0]}},
            "arrays must have one length, .*k1: 2, S: 3",
        ),
        (
            {"rate_constants": CONSTANTS | {"k1": [1.0, 2.0]}, "times": [[0.0, 1.0]] * 3},
            "arrays must have one length, .*k1: 2, times: 3",
        ),
        ({"rtol": 0.0}, "rtol and atol must be positive numbers, got 0.0"),
        ({"atol": np.nan}, "rtol and atol must be positive numbers, got .*nan"),
    ],
)
def test_one_error_that_names_what_is_wrong(change, message):
    arguments = {"mechanism": "M1", "rate_constants": CONSTANTS, "initial": {}, "times": TIMES}
    with pytest.raises(ValueError, match=message):
        simulate(**(arguments | change))


def test_public_name():
    assert kinetlib.simulate is simulate
    assert "simulate" in kinetlib.__all__
