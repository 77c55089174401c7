"""The card of a dataset: complete, true, readable by others' programs, and it notices damage."""

import json
import subprocess

import pytest

from kinetlib.kinetics import mechanisms
from kinetlib.runs import card, dataset, shards
from kinetlib.runs.shards import Plan

FEW = [mechanisms.get(name) for name in ("M1", "M9")]


@pytest.fixture
def folder(tmp_path):
    for split, n in (("train", 3), ("test", 1)):
        shards.generate(tmp_path, Plan(split, 1, 2, 3, catalogue=FEW), n)
    card.write(tmp_path)
    return tmp_path


def test_a_fresh_card_agrees_with_the_files(folder):
    card.verify(folder)
    sums = (folder / card.SUMS).read_text()
    assert len(sums.splitlines()) == 4
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", card.SUMS], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_damage_is_named(folder):
    paths = dataset.shards(folder / "train")
    paths[0].write_bytes(paths[0].read_bytes()[:-1] + b"?")
    paths[1].unlink()
    (folder / "train" / "shard-00009.nc").write_bytes(b"new")
    with pytest.raises(ValueError) as error:
        card.verify(folder)
    for said in ("00000.nc is not what", "00001.nc is missing", "00009.nc is not listed"):
        assert said in str(error.value)


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning")
def test_croissant_is_valid_and_complete(folder):
    mlcroissant = pytest.importorskip("mlcroissant")
    read = mlcroissant.Dataset(str(folder / card.CROISSANT))
    assert not read.metadata.ctx.issues.errors and not read.metadata.ctx.issues.warnings
    digests = {file.id: file.sha256 for file in read.metadata.distribution}
    assert digests == card.checksums(folder)
    written = json.loads((folder / card.CROISSANT).read_text())
    named = {variable["name"] for variable in written["variableMeasured"]}
    assert {"time", "substrate", "product", "mechanism", "rate_constants"} <= named


def test_the_sheet_counts_what_is_there(folder):
    sheet = (folder / card.SHEET).read_text()
    with dataset.open_shards(folder / "train") as train:
        assert f"| train | 3 | {train.sizes['sample']} | 2 | 3 |" in sheet
    accepted, proposed = dataset.acceptance(folder / "train")["M9"]
    assert f"{accepted} of {proposed}" in sheet


def test_an_empty_folder_has_no_card(tmp_path):
    with pytest.raises(ValueError, match="no shards"):
        card.write(tmp_path)
    with pytest.raises(ValueError, match="no SHA256SUMS"):
        card.verify(tmp_path)
    assert list(tmp_path.iterdir()) == []
