"""The models that come with the package: small, whole, described, and loaded by name."""

import re

import pytest
import torch
from typer.testing import CliRunner

from framecast.cli import app
from framecast.core.errors import ConfigError, FramecastError
from framecast.models.checkpoint import load, read_config
from framecast.models.header import WEIGHTS, find_model
from framecast.models.released import CARD, released_models
from framecast.videos.motion import KnownMotion

MODELS = released_models()


def test_these_are_released():
    trained = {"corona-synth", "hmi-los", "hmi-los-rotation", "radar-rain", "sun-171"}
    assert set(MODELS) == trained | {"corona-synth-one-shot", "sun-171-one-shot"}


@pytest.mark.parametrize("name", MODELS)
def test_it_is_small_and_its_card_describes_these_weights(name):
    folder = MODELS[name]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12e6
    config, card = read_config(folder), (folder / CARD).read_text(encoding="utf-8")
    assert config.name == name
    assert config.weights_sha256[:12] in card
    assert config.provenance["training"]["hashes"]["train"][:12] in card
    for heading in ("Data", "Scores", "Limits", "Licence"):
        assert re.search(rf"^## {heading}", card, re.MULTILINE), heading
    assert "/work" not in card + (folder / "config.json").read_text(encoding="utf-8")


@pytest.mark.thorough
@pytest.mark.parametrize("name", MODELS)
def test_it_forecasts_by_name(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    forecaster = load(name)
    random = torch.Generator().manual_seed(0)
    signed = forecaster.config.unit == "level"  # a magnetic field; a brightness has one sign
    past = 100 * torch.rand(forecaster.frames.past_shape, generator=random).add(-0.5 if signed else 0.5)
    if getattr(forecaster.config.target, "motion", None) == KnownMotion():
        with pytest.raises(ConfigError, match="forecast from an archive"):
            forecaster.forecast(past, members=2, seed=0)
        return
    ensemble = forecaster.forecast(past, members=2, seed=0)
    assert ensemble.shape == (2, forecaster.frames.future, 1, *past.shape[-2:])
    assert bool((ensemble < 0).any()) == signed
    assert float(ensemble.std("member").mean()) > 0


def test_info_describes_it_by_name(tmp_path, monkeypatch, capsys):
    from framecast.cli import run

    monkeypatch.chdir(tmp_path)
    assert run(["info", "sun-171"]) == 0
    assert "6 frames of 171" in " ".join(capsys.readouterr().out.split())


def test_a_folder_of_that_name_goes_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sun-171").mkdir()
    with pytest.raises(FramecastError, match="sun-171 contains no model"):
        find_model("sun-171")


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(FramecastError, match=", ".join(sorted(MODELS))):
        find_model("sun-172")
    assert (find_model("sun-171") / WEIGHTS).is_file()


@pytest.mark.parametrize("name", MODELS)
def test_its_calibration_is_not_replaced(name, tmp_path):
    before = {path.name: path.stat().st_mtime_ns for path in MODELS[name].iterdir()}
    result = CliRunner().invoke(app, ["calibrate", str(tmp_path / "forecast.zarr"), name])
    assert isinstance(result.exception, ConfigError)
    assert "copy" in str(result.exception)
    assert {path.name: path.stat().st_mtime_ns for path in MODELS[name].iterdir()} == before
