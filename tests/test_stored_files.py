"""Files of every kind as earlier versions wrote them open with this one; `fixtures/make.py` made them."""

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest

from framecast.cli import run
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.data.split_table import read_sides
from framecast.models.checkpoint import load
from framecast.verification.files import open_scores
from framecast.verification.recalibration.calibration import from_plain

FIXTURES = Path(__file__).with_name("fixtures")


@pytest.fixture(scope="module", params=sorted(FIXTURES.glob("*.tar.xz")), ids=lambda path: path.name)
def stored(request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(request.param) as file:
        file.extractall(folder, filter="data")
    return folder


def test_the_archive_opens(stored):
    archive = Archive.open(stored / "archive.zarr")
    assert (len(archive), archive.channels, archive.unit, archive.cadence) == (12, ("rain",), "mm/h", 300.0)
    frames = archive.read(archive.sequences[3])
    assert frames.shape == (1, 6, 8, 8)
    assert np.argwhere(np.isnan(frames)).tolist() == [[0, 2, 0, 0]]
    assert np.nanmax(frames) == 6
    corona = Archive.open(stored / "corona.zarr")
    assert corona.attrs["state_version"] == 1
    assert np.isfinite(corona.read(corona.sequences[0])).all()
    assert (archive.domain.name, corona.domain.name) == ("", "corona")
    assert corona.domain.oracle(corona) is not None


@pytest.mark.thorough
def test_the_model_draws_the_members_it_drew_then(stored, tmp_path):
    words = ["forecast", str(stored / "model"), str(stored / "archive.zarr"), str(tmp_path / "again.zarr")]
    assert run([*words, *"--members 3 --split all --limit 4 --seed 5".split()]) == 0  # noqa: SIM905
    then, now = open_forecast(stored / "forecast.zarr"), open_forecast(tmp_path / "again.zarr")
    assert then["sequence"].values.tolist() == now["sequence"].values.tolist()
    assert np.allclose(then["forecast"], now["forecast"], rtol=1e-4, atol=1e-4)
    was, is_now = (from_plain(each.attrs["calibration"], where="the forecast") for each in (then, now))
    assert was.offsets == is_now.offsets


@pytest.mark.slow
@pytest.mark.thorough
def test_the_forecast_is_scored_as_it_was(stored, tmp_path):
    out = tmp_path / "report"
    words = ["evaluate", str(stored / "forecast.zarr"), "--out", str(out), "--replicates", "100"]
    assert run([*words, "--blocks", "sequence"]) == 0  # four of them, which is too few for auto
    then, now = (open_scores(folder / "scores.json") for folder in (stored / "report", out))
    assert (then.unit, then.models, then.lead_times_h) == (now.unit, now.models, now.lead_times_h)
    for name in ("tiny", "persistence"):
        assert set(then[name].scores) <= set(now[name].scores)
        for score, found in then[name].scores.items():
            assert found.total.value == pytest.approx(now[name][score].total.value, rel=1e-4, nan_ok=True), score
        for quantity, entry in then[name].quantities.items():
            held = now[name].quantities[quantity].intervals[90]
            assert float(entry.intervals[90].coverage) == pytest.approx(float(held.coverage), rel=1e-6)
    for pair in then.differences:
        verdicts = now.difference(pair.first, pair.second).scores
        assert {name: found.verdict for name, found in pair.scores.items()}.items() <= {
            name: found.verdict for name, found in verdicts.items()
        }.items()


@pytest.mark.thorough
def test_the_unfinished_run_resumes(stored, tmp_path):
    shutil.copytree(stored / "run", tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints" / "00000004")
    recipe = tmp_path / "run" / "recipe.yaml"
    words = ["train", str(recipe), "--data", str(stored / "archive.zarr"), "--out", str(tmp_path / "run")]
    assert run(words) == 0
    assert (tmp_path / "run" / "checkpoints" / "00000004" / "manifest.json").is_file()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert [record["step"] for record in log if record["event"] == "session"] == [0, 2]


def test_every_folder_can_be_described(stored, capsys):
    for name in ("archive.zarr", "corona.zarr", "forecast.zarr", "model", "run"):
        assert run(["info", str(stored / name)]) == 0, capsys.readouterr().err


def test_the_model_and_the_averages_are_taken_over(stored, tmp_path):
    assert load(stored / "run").name == "tiny"
    assert run(["average", str(stored / "run"), str(tmp_path / "average"), "--width", "0.1"]) == 0
    assert load(tmp_path / "average").name == "tiny"


def test_the_split_table_is_read(stored):
    sides = read_sides(stored / "split.csv")
    assert sorted(set(sides.values())) == ["test", "train", "validation"]
    assert len(sides) == 36
