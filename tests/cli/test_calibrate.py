"""``framecast calibrate`` from the command line's side."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import zarr
from typer.testing import CliRunner

from framecast.cli import app
from framecast.verification.recalibration.calibration import read_calibration

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


def test_keeps_the_calibration_with_the_model_and_says_what_it_promises(
    gaussian_forecast: Write, tmp_path: Path
) -> None:
    forecast = gaussian_forecast(tmp_path / "f.zarr", samples=12, sequences=12, spread=0.5, oracle=False, draws=0)
    zarr.open_group(forecast, mode="r+").attrs["weights_sha256"] = "ab" * 32
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text(json.dumps({"weights_sha256": "ab" * 32}))
    result = CliRunner().invoke(app, ["calibrate", str(forecast), str(model)])
    assert result.exit_code == 0, result.output
    assert result.stdout.rstrip().splitlines()[-1] == str(model / "calibration.json")
    assert "12 windows in 12 blocks (sequence): levels up to 90 % can be guaranteed" in result.output
    assert "Fluence: half-width change, 50 %: +" in result.output
    found = read_calibration(model)
    assert found is not None
    assert found.offsets["integral"]["90"][0] > 0
    (model / "config.json").write_text(json.dumps({"weights_sha256": "cd" * 32}))
    refused = CliRunner().invoke(app, ["calibrate", str(forecast), str(model)])
    assert "calibrate a model on its own forecasts" in str(refused.exception)
