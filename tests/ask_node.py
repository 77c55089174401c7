"""The scripts of the page "Ask the book" under Node, and the runs that tests ask them about."""

import functools
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from kinetlib.chapters import browser
from kinetlib.kinetics.mechanisms import Mechanism
from kinetlib.runs.laboratory import Campaign, draw_runs
from kinetlib.runs.runs import Runs, measured
from kinetlib.runs.sample import TRAIN, accepted_sets

ROOT = Path(__file__).parents[1]
OWN = ROOT / "book" / "_static" / "ask"
scripts = functools.cache(browser.scripts)
# The last one is the page itself, which needs a document.
ORDER = (browser.VENDOR, *browser.ORDER[:-1])

_HARNESS = """
const fs = require("node:fs"), vm = require("node:vm");
const [scripts, code, given, out] = process.argv.slice(2);
for (const file of JSON.parse(scripts)) {
  vm.runInThisContext(fs.readFileSync(file, "utf8"), { filename: file });
}
const said = JSON.parse(fs.readFileSync(given, "utf8"));
const plain = (name, value) => Number.isNaN(value) ? null : value;
const save = (value) => fs.writeFileSync(out, JSON.stringify(value, plain));
Promise.resolve(vm.runInThisContext(code)(said, fs)).then(save);
"""


def in_node(code: str, given, folder: Path):
    """Return what a function in JavaScript makes of `given`, with the page's scripts loaded.

    NaN is null on both sides.
    """
    if shutil.which("node") is None:
        pytest.skip("Node is not installed: the scripts of the page cannot run")
    for name, text in scripts().items():
        (folder / name).write_text(text)
    files = [str(folder / n if (folder / n).is_file() else OWN / n) for n in ORDER]
    harness, said, out = folder / "harness.cjs", folder / "given.json", folder / "out.json"
    harness.write_text(_HARNESS)
    said.write_text(json.dumps(given))
    command = ["node", str(harness), json.dumps(files), code, str(said), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text())


def drawn(mechanism: Mechanism, n: int, n_runs: int, seed: int) -> Runs:
    """Noisy runs of one mechanism: 3 to 60 points, gaps, unmeasured species, no start."""
    rng = np.random.default_rng([seed, n_runs])
    sets = accepted_sets(mechanism, n, TRAIN, rng, threads=1)
    campaign = Campaign(points=(3, 60))
    exact = draw_runs(mechanism, sets, np.arange(n), n_runs, 60, campaign, rng, threads=1)
    runs = measured(exact, rng.choice([1e-4, 0.01, 0.04], n), rng).astype(np.float64)
    lost = (
        rng.random((2, *runs.time.shape)) < np.where(np.arange(n) % 3 == 2, 0.2, 0.0)[:, None, None]
    )
    lost[..., :1] = False
    substrate = np.where(lost[0] | (np.arange(n) % 5 == 3)[:, None, None], np.nan, runs.substrate)
    product = np.where(lost[1] | (np.arange(n) % 5 == 4)[:, None, None], np.nan, runs.product)
    return Runs(runs.time, substrate, product, runs.loading, runs.substrate_0, runs.product_0)


def dataset(runs: Runs) -> xr.Dataset:
    """Bring samples into the schema that `kinetlib.classify` takes."""
    points = {n: (("sample", "run", "time"), getattr(runs, n)) for n in ("substrate", "product")}
    starts = {
        n: (("sample", "run"), getattr(runs, n)) for n in ("loading", "substrate_0", "product_0")
    }
    return xr.Dataset({**points, **starts}, {"time": (("sample", "run", "time"), runs.time)})


def as_json(runs: Runs) -> list:
    """Write samples as lists of runs, as the page keeps them."""
    names = ("time", "substrate", "product", "loading", "substrate_0", "product_0")

    def plain(value):
        return json.loads(json.dumps(np.asarray(value).tolist()).replace("NaN", "null"))

    return [
        [
            {name: plain(getattr(runs, name)[i, r]) for name in names}
            for r in range(runs.time.shape[1])
        ]
        for i in range(len(runs))
    ]
