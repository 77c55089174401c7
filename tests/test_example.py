"""The workbook of the first chapter is what its recipe makes, and reads as four runs."""

from importlib import resources

import numpy as np
import pytest

from kinetlib import lab
from studies import example

FILE = resources.files("kinetlib_data") / "example.xlsx"


@pytest.fixture(scope="module")
def runs():
    return lab.read(str(FILE), "Substrate", "Product", "Catalyst")


def test_the_file_is_what_the_recipe_makes(runs):
    made = np.array(list(example.sheets().values()))
    standard = made[0, 0, 1]
    assert list(runs["run"].values) == list(example.sheets())
    for name, column in (("substrate", 1), ("product", 2)):
        np.testing.assert_allclose(runs[name][0], made[:, :, column] / standard, atol=1e-12)
    np.testing.assert_allclose(runs["time"][0], made[:, :, 0])
    np.testing.assert_allclose(runs["loading"][0], made[:, 0, 3] / standard)
    assert runs["time"].attrs["units"] == "min"


def test_the_noise_is_that_of_the_recipe():
    made = np.array(list(example.sheets().values()))
    exact = np.array(list(example.sheets(noise=0).values()))
    np.testing.assert_array_equal(made[:, 0], exact[:, 0])
    seen = exact[:, 1:, 1:3] > 0.01
    spread = (made[:, 1:, 1:3] / exact[:, 1:, 1:3] - 1)[seen]
    assert spread.std() == pytest.approx(example.NOISE, rel=0.25)
