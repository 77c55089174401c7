"""Reaction orders: from known power laws back to their orders, by VTNA and by a fitted law."""

import json
import tempfile
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from order_runs import STARTS, dataset, simulated
from scipy.integrate import solve_ivp

import kinetlib
from kinetlib import lab
from kinetlib.cli import main
from kinetlib.evaluate.intervals import wilson
from kinetlib.inference.courses import courses

NAMES = ("A", "B", "cat")
FOLDER = Path(__file__).parents[1] / "results" / "workbooks"
ORDERS = st.tuples(*[st.floats(0.0, 2.0)] * 3)


def values(found, method):
    return [getattr(found.orders[name], method).value for name in NAMES]


@settings(max_examples=6, deadline=None)
@given(orders=ORDERS, kind=st.sampled_from(["even", "uneven"]), seed=st.integers(0, 99))
def test_exact_runs_give_their_orders_back(orders, kind, seed):
    runs, k = simulated(orders, kind=kind, rng=default_rng(seed))
    found = kinetlib.orders(runs)
    assert list(found.orders) == list(NAMES) and found.followed == "P"
    assert values(found, "power_law") == pytest.approx(orders, abs=0.01)
    assert values(found, "vtna") == pytest.approx(orders, abs=0.05)
    assert found.rate_constant.value == pytest.approx(k, rel=0.05)
    assert max(found.score.overlay, found.score.power_law) < 0.005


@settings(max_examples=4, deadline=None)
@given(orders=ORDERS, seed=st.integers(0, 99))
def test_noisy_runs_give_them_back_within_a_tenth(orders, seed):
    runs, _ = simulated(orders, noise=0.01, rng=default_rng(seed), kind="uneven")
    found = kinetlib.orders(runs)
    assert values(found, "power_law") == pytest.approx(orders, abs=0.1)
    assert values(found, "vtna") == pytest.approx(orders, abs=0.2)
    assert any("With these orders the runs overlay:" in line for line in found.remarks)
    assert not any("does not describe" in line for line in found.remarks)


@pytest.fixture(scope="module")
def noisy():
    return simulated((1.0, 0.5, 1.0), noise=0.01, rng=default_rng(5))[0]


@pytest.fixture(scope="module")
def told(noisy):
    return kinetlib.orders(noisy)


def test_orders_do_not_depend_on_units(noisy, told):
    other = noisy.copy(deep=True)
    other["concentration"] *= 1000
    other["time"].values *= 60
    other["time"].attrs["units"], other.attrs["concentration_unit"] = "s", "mM"
    found = kinetlib.orders(other)
    for method, within in (("vtna", 2e-3), ("power_law", 1e-5)):
        assert values(found, method) == pytest.approx(values(told, method), abs=within)
    total = sum(values(told, "power_law"))
    expected = told.rate_constant.value / 60 * 1000 ** (1 - total)
    assert found.rate_constant.value == pytest.approx(expected, rel=1e-3)
    assert found.rate_constant.unit == f"mM{round(1 - total, 2)} s-1"


def test_the_order_of_runs_says_nothing(noisy, told):
    found = kinetlib.orders(noisy.isel(run=[3, 1, 4, 0, 2]))
    for method, within in (("vtna", 2e-3), ("power_law", 1e-5)):
        assert values(found, method) == pytest.approx(values(told, method), abs=within)
    assert found.runs == ("run 4", "run 2", "run 5", "run 1", "run 3")


def test_verdicts_say_first_and_half_order(told):
    assert [told.orders[name].verdict for name in NAMES] == [
        "first order", "half order", "first order",
    ]  # fmt: skip
    assert set(told.noise) == {"P", "A", "B"}
    assert told.noise["P"] == pytest.approx(0.005, rel=0.6)


def test_what_does_not_vary_is_named_and_gets_no_number():
    starts = STARTS[:2] * [1, 1, 0] + [0, 0, 0.02]
    starts[1] = [0.5, 1.2, 0.02]
    found = kinetlib.orders(simulated((1.0, 1.0, 1.0), starts=starts)[0])
    cat, b = found.orders["cat"], found.orders["B"]
    assert cat.vtna is None and cat.power_law is None
    assert cat.verdict == "not told: it is the same in all runs"
    assert b.vtna is None, "B starts alike: the common curve holds whatever its order"
    assert b.power_law.value == pytest.approx(1.0, abs=0.02), "its course bends the curves"
    assert any("contains what cat does" in line for line in found.remarks)


def test_species_that_change_together_are_not_told_apart():
    starts = np.array([[1.0, 1.0, 0.02], [0.5, 0.5, 0.02], [1.0, 1.0, 0.05]])
    found = kinetlib.orders(simulated((1.0, 1.0, 1.0), starts=starts)[0])
    for name in "AB":
        assert found.orders[name].power_law is None and found.orders[name].vtna is None
        assert "A and B change together" in found.orders[name].verdict
    assert found.orders["cat"].vtna.value == pytest.approx(1.0, abs=0.02)


def test_a_catalyst_that_dies_unseen_is_noticed():
    runs, _ = simulated((1.0, 1.0, 1.0), k=2.0, died=0.12, noise=0.003, rng=default_rng(1))
    found = kinetlib.orders(runs)
    assert any(
        "does not describe the curves" in line and "the catalyst dies" in line
        for line in found.remarks
    )


def test_a_catalyst_measured_as_it_dies_is_taken_as_measured():
    times, rows = [], []
    for a, cat in ((1.0, 0.02), (1.0, 0.04), (0.6, 0.02)):
        time = np.linspace(0, 20, 12)
        p = solve_ivp(
            lambda t, p, a=a, cat=cat: [8 * (a - p[0]) * cat * np.exp(-0.1 * t)],
            (0, 20), [0.0], t_eval=time, rtol=1e-9, atol=1e-11,
        ).y[0]  # fmt: skip
        times.append(time)
        rows.append(np.stack([a - p, cat * np.exp(-0.1 * time), p], -1))
    found = kinetlib.orders(dataset(times, rows, ("A", "cat", "P")))
    for name in ("A", "cat"):
        for method in ("vtna", "power_law"):
            assert getattr(found.orders[name], method).value == pytest.approx(1.0, abs=0.03)
    assert found.rate_constant.value == pytest.approx(8, rel=0.05)


def test_runs_that_start_alike_and_differ_do_not_overlay():
    runs, _ = simulated((1.0, 1.0, 1.0), noise=0.003, rng=default_rng(0), n=20)
    runs["concentration"].values[1] = runs["concentration"].values[0]
    runs["time"].values[1] = runs["time"].values[0] * 4
    found = kinetlib.orders(runs)
    assert any("No one set of orders overlays the runs" in line for line in found.remarks)
    assert all(
        "do not overlay" in one.verdict or "not told" in one.verdict
        for one in found.orders.values()
    )


def test_gaps_replicates_and_long_runs_are_taken(noisy, told):
    holes = noisy.copy(deep=True)
    holes["concentration"][1, 4, 0] = np.nan
    holes["concentration"][:, 1:, 2] = np.nan
    found = kinetlib.orders(holes)
    assert values(found, "power_law") == pytest.approx(values(told, "power_law"), abs=0.02)
    long = simulated((1.0, 0.5, 1.0), noise=0.01, rng=default_rng(2), n=260)[0]
    long["time"][0, 5] = long["time"][0, 4]
    data = courses(long)
    assert len(data.time) == 5 * 100 and any("averaged" in line for line in data.remarks)
    assert values(kinetlib.orders(long), "power_law") == pytest.approx((1, 0.5, 1), abs=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda runs: runs.isel(run=[0]), "one run: reaction orders are told by runs"),
        (lambda runs: runs.isel(time=slice(2)), "2 rows with P, expected at least 3"),
        (lambda runs: runs.assign(temperature=("run", [298, 298, 298, 298, 320])), "temperatures"),
        (lambda runs: runs.assign(concentration=runs["concentration"] * 0 + 1), "is the same in"),
    ],
)
def test_runs_that_tell_no_orders_are_refused(noisy, change, message):
    with pytest.raises(ValueError, match=message):
        kinetlib.orders(change(noisy))


@pytest.fixture(scope="module")
def workbook(noisy):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for run in range(noisy.sizes["run"]):
        sheet = book.create_sheet(f"run {run + 1}")
        sheet.append(["time / min", "A / M", "B / M", "cat / M", "P / M"])
        one = noisy.isel(run=run)
        for time, row in zip(one["time"].values, one["concentration"].values, strict=True):
            sheet.append([float(time), *map(float, row)])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.xlsx"
        book.save(path)
        yield str(path)


def asked(*arguments):
    return CliRunner().invoke(main, ["orders", *arguments])


def test_the_json_has_what_the_table_shows(workbook, told):
    found = asked(workbook, "--json")
    assert found.exit_code == 0, found.output
    answer = json.loads(found.stdout)
    assert list(answer) == [
        "orders", "score", "rate_constant", "noise", "followed", "runs", "remarks",
    ]  # fmt: skip
    assert list(answer["rate_constant"]) == ["value", "low", "high", "unit"]
    table = asked(workbook)
    assert table.exit_code == 0, table.output
    for name, one in answer["orders"].items():
        assert list(one) == ["vtna", "power_law", "verdict"]
        for method in ("vtna", "power_law"):
            assert one[method]["low"] < one[method]["value"] < one[method]["high"]
            assert f"{one[method]['value']:.2f}" in table.stdout
            assert one[method]["value"] == pytest.approx(
                getattr(told.orders[name], method).value, abs=2e-3
            )
        assert one["verdict"] in table.stdout
    assert f"k = {answer['rate_constant']['value']:.3g}" in table.stdout
    assert "remark: P is followed" in table.stderr


def test_roles_and_chosen_species_give_the_same_orders(workbook, told):
    found = asked(
        workbook, "--substrate", "A", "--product", "P", "--catalyst", "cat", "--reactant", "B",
        "--species", "cat", "--species", "A", "--species", "B", "--json",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    orders = json.loads(found.stdout)["orders"]
    assert list(orders) == ["cat", "A", "B"]
    for name in NAMES:
        assert orders[name]["power_law"]["value"] == pytest.approx(
            told.orders[name].power_law.value, abs=1e-3
        )


def test_a_figure_is_written(workbook, tmp_path):
    path = tmp_path / "orders.svg"
    assert asked(workbook, "--figure", str(path)).exit_code == 0
    text = path.read_text()
    assert text.startswith("<?xml") and "run 5" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--species", "X"), "X: no such species; the species are A, B, cat, P"),
        (("--follow", "X"), "X: no such species"),
        (("--figure", "orders.doc"), "--figure orders.doc: expected a name that ends in"),
        (("--catalyst", "cat"), "--catalyst: expected --substrate or --product beside it"),
        (("--leave-out", "run 9"), "--leave-out run 9: no such run"),
    ],
)
def test_refusals_are_one_line(workbook, arguments, message):
    found = asked(workbook, *arguments)
    assert found.exit_code == 2 and "Traceback" not in found.output
    assert message in found.output and len(found.output.strip().splitlines()) == 1


@pytest.mark.skipif(not FOLDER.exists(), reason="published workbooks are not here")
def test_the_simulated_workbook_gives_its_orders_and_its_constant():
    found = kinetlib.orders(lab.read_species(FOLDER / "simulated-two-reactants.xlsx"))
    assert [one.vtna.value for one in found.orders.values()] == pytest.approx([1] * 3, abs=0.01)
    assert found.rate_constant.value == pytest.approx(20, rel=0.01)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = default_rng(7)
    held = {"vtna": [], "power_law": []}
    for _ in range(200):
        true = rng.uniform(0, 2, 3)
        found = kinetlib.orders(simulated(true, noise=0.01, rng=rng, kind="uneven")[0])
        for method, hits in held.items():
            for name, order in zip(NAMES, true, strict=True):
                one = getattr(found.orders[name], method)
                hits.append(one.low <= order <= one.high)
    for method, least in (("vtna", 0.90), ("power_law", 0.93)):
        low, high = wilson(np.array(held[method]))
        assert high > least, (method, low, high)
