"""An archive with labels trains a network that is told them, and its forecasts follow the class that is asked for."""

import numpy as np
import pytest
import xarray as xr

from framecast.cli import run
from framecast.core.errors import ConfigError, DataError
from framecast.data.archive.reader import Archive, ArchiveWriter
from framecast.data.forecasts import open_forecast
from framecast.models.archive_forecast import check_label
from framecast.models.checkpoint import load, read_config
from framecast.models.header import find_model
from framecast.training.prepare import prepare
from framecast.training.recipe import load_recipe
from framecast.training.train import run_training

pytestmark = pytest.mark.thorough

CLASSES = ("quiet", "flare")
CHANGES = (
    "network.width=8",
    "data.past=2",
    "data.future=2",
    "data.labels=true",
    "data.curve=linear",
    "data.split.kind=region",
    "training.steps=150",
    "training.batch=16",
    "training.learning_rate=5e-3",
    "training.warmup=5",
    "training.label_dropout=0.2",
    "training.precision=float32",
    "training.checkpoint_every=1000",
    "training.validation_windows=8",
    "sampling.steps=5",
)


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    """Dim sequences of 4 frames; half of them flare up after the second frame, and only the label knows which."""
    path = tmp_path_factory.mktemp("labelled") / "labelled.zarr"
    random = np.random.default_rng(0)
    times = np.datetime64("2024-05-01", "ns") + np.arange(4) * np.timedelta64(1, "h")
    header = {"channels": ["94"], "unit": "DN/s", "cadence": 3600, "height": 8, "width": 8}
    with ArchiveWriter(path, classes=CLASSES, attrs={"independent_sequences": True}, **header) as writer:
        for k in range(60):
            frames = random.normal(10, 0.5, (4, 1, 8, 8)).astype(np.float32)
            flare = k % 2
            frames[2:] += 8 * flare
            label = np.array([-1, flare if k % 10 else -1, -1, -1], np.int8)
            data = {"intensity": (("time", "channel", "y", "x"), frames), "label": ("time", label)}
            writer.add(f"r{k:02d}", xr.Dataset(data, coords={"time": times}))
    return path


@pytest.fixture(scope="module")
def run_folder(labelled, tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "labels"
    for _ in run_training(prepare(load_recipe("tiny", CHANGES), Archive.open(labelled)), path):
        pass
    return path


@pytest.mark.slow
def test_the_model_knows_the_classes(run_folder):
    assert read_config(find_model(run_folder)).labels == CLASSES


@pytest.mark.slow
def test_a_forecast_follows_the_class(run_folder, labelled):
    forecaster = load(run_folder)
    past = Archive.open(labelled).sequence("r00")["intensity"].isel(time=slice(0, 2))
    mean = {label: float(forecaster.forecast(past, label, members=8).mean()) for label in (*CLASSES, None)}
    assert mean["quiet"] == pytest.approx(10, abs=2)
    assert mean["flare"] == pytest.approx(18, abs=2)
    assert 11 < mean[None] < 17  # without a class both can happen


def forecast(run_folder, labelled, out, *options):
    plain = ["--members", "4", "--split", "all", "--limit", "8"]
    return run(["forecast", str(run_folder), str(labelled), str(out), *plain, *options])


@pytest.mark.slow
def test_the_command_takes_a_class_or_what_was_observed(run_folder, labelled, tmp_path, capsys):
    assert forecast(run_folder, labelled, tmp_path / "flare.zarr", "--label", "flare") == 0
    assert forecast(run_folder, labelled, tmp_path / "seen.zarr", "--label", "observed") == 0
    with open_forecast(tmp_path / "flare.zarr") as file:
        assert (file["forecast"].mean(["member", "lead_time", "channel", "y", "x"]) > 15).all()
        assert file.attrs["label"] == "flare"
    with open_forecast(tmp_path / "seen.zarr") as file:
        bright = file["forecast"].mean(["member", "lead_time", "channel", "y", "x"]).values > 14
        flared = [int(name[1:]) % 2 == 1 for name in file["sequence"].values]
        known = [int(name[1:]) % 10 != 0 for name in file["sequence"].values]
        assert (bright == flared)[known].all()
        assert any(flared) and not all(flared)


@pytest.mark.slow
@pytest.mark.slow
def test_guidance_pushes_further(run_folder, labelled, tmp_path):
    brightness = []
    for scale in ("1", "2"):
        out = tmp_path / f"{scale}.zarr"
        assert forecast(run_folder, labelled, out, "--label", "flare", "--guidance", scale) == 0
        with open_forecast(out) as file:
            brightness.append(float(file["forecast"].mean()))
            assert file.attrs["guidance"] == float(scale)
    assert brightness[1] > brightness[0] + 0.5


@pytest.mark.slow
def test_mistakes_are_one_line(run_folder, labelled, small_run, small_archive, tmp_path, capsys):
    out = tmp_path / "f.zarr"
    assert forecast(run_folder, labelled, out, "--label", "X") == 2
    assert "'X' is not a class of tiny: give one of quiet, flare, observed or none" in capsys.readouterr().err
    assert not out.exists()
    config, plain = read_config(find_model(run_folder)), read_config(find_model(small_run))
    with pytest.raises(ConfigError, match="was trained without labels"):
        check_label(plain, Archive.open(small_archive), "flare")
    with pytest.raises(DataError, match="has no labels: name a class"):
        check_label(config, Archive.open(small_archive), "observed")
    check_label(plain, Archive.open(small_archive), None)


def test_training_with_labels_needs_some(small_archive, small_changes):
    with pytest.raises(DataError, match="has no labels and data"):
        prepare(load_recipe("tiny", [*small_changes, "data.labels=true"]), Archive.open(small_archive))


def test_labels_are_left_alone_unless_they_are_asked_for(labelled):
    changes = [change for change in CHANGES if change != "data.labels=true"]
    assert prepare(load_recipe("tiny", changes), Archive.open(labelled)).model.labels == ()
