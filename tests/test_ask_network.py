"""The page's network says what Python's says: probabilities, sets, noise, strangeness."""

import numpy as np
import pytest
from ask_node import as_json, dataset, drawn, in_node

import kinetlib
from kinetlib.kinetics import mechanisms
from kinetlib.runs.runs import MOST_READ, Runs

CODE = """async (cases) => {
  const numbers = (values) => values.map((value) => value === null ? NaN : value);
  const found = [];
  for (const runs of cases) {
    for (const run of runs) {
      for (const name of ["time", "substrate", "product"]) run[name] = numbers(run[name]);
    }
    found.push(await kinetlib.trust.classify(runs));
  }
  return found;
}"""


def asked(parts: list[Runs], folder) -> list[dict]:
    """Ask the page and Python of the same runs; return how far the two are apart."""
    said = in_node(CODE, [case for part in parts for case in as_json(part)], folder)
    expected = [kinetlib.classify(dataset(part)) for part in parts]
    samples = [one.isel(sample=i) for one in expected for i in range(one.sizes["sample"])]
    assert len(said) == len(samples)
    return [_apart(one, sample) for one, sample in zip(said, samples, strict=True)]


def _apart(said: dict, expected) -> dict:
    found = np.array([said["probabilities"][name] for name in expected["mechanism"].values])
    noise = np.nan if said["noise"] is None else said["noise"]
    same = np.isnan(noise) == np.isnan(float(expected["noise"]))
    return {
        "probability": float(np.abs(found - expected.values).max()),
        "set": list(expected["mechanism"].values[expected["in_set"].values]) == said["set"],
        "noise": abs(np.nan_to_num(noise) - np.nan_to_num(float(expected["noise"]))) + (not same),
        "strangeness": abs(said["strangeness"] - float(expected["strangeness"])),
    }


def test_page_and_package_agree_on_reactions_of_every_mechanism(tmp_path):
    catalogue = mechanisms.catalogue().values()
    parts = [drawn(one, 10, 1 + k % 8, seed=k) for k, one in enumerate(catalogue)]
    apart = asked(parts, tmp_path)
    assert len(apart) == 200
    worst = {
        name: max(one[name] for one in apart) for name in ("probability", "noise", "strangeness")
    }
    print("largest differences over 200 reactions:", worst)
    assert worst["probability"] < 1e-5
    assert worst["noise"] < 1e-4 and worst["strangeness"] < 1e-4
    assert all(one["set"] for one in apart)


def test_page_chooses_the_runs_that_start_most_differently(tmp_path):
    runs = drawn(mechanisms.get("M6"), 3, MOST_READ + 5, seed=7)
    apart = asked([runs], tmp_path)
    assert max(one["probability"] for one in apart) < 1e-5


def test_replicates_count_as_one_point_of_several_readings(tmp_path):
    one = drawn(mechanisms.get("M3"), 4, 2, seed=8)
    twice = Runs(
        *(np.concatenate([getattr(one, n), getattr(one, n) * more], -1)
          for n, more in (("time", 1.0), ("substrate", 1.01), ("product", 0.99))),
        one.loading, one.substrate_0, one.product_0,
    )  # fmt: skip
    apart = asked([twice], tmp_path)
    assert max(case["probability"] for case in apart) < 1e-5
    assert max(case["noise"] for case in apart) < 1e-4


@pytest.mark.parametrize(
    ("loading", "substrate"), [(np.nan, 0.5), (0.05, np.nan)], ids=["no loading", "no value"]
)
def test_runs_that_say_nothing_are_refused_alike(tmp_path, loading, substrate):
    curves = ([0.0, 1.0], [substrate, substrate], [np.nan, np.nan])
    starts = (loading, 1.0, 0.0)
    runs = Runs(*(np.array([[one]]) for one in (*curves, *starts)))
    code = f"(cases) => ({CODE})(cases).catch((error) => error.message)"
    with pytest.raises(ValueError) as refused:
        kinetlib.classify(dataset(runs))
    assert in_node(code, as_json(runs), tmp_path) == str(refused.value)
