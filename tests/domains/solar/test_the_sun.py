"""The main job on real observations, in small: from FITS files on disk to scores, on the command line."""

from pathlib import Path

import numpy as np
import pytest

from framecast.cli import run
from framecast.data.forecasts import open_forecast
from framecast.verification.files import open_scores

pytest.importorskip("sunpy")

CHANGES = (
    "network.width=24",
    "training.steps=300",
    "training.batch=16",
    "training.warmup=20",
    "training.ema=0.98",
    "training.validate_every=150",
    "training.validation_windows=32",
)


@pytest.mark.slow
def test_a_small_network_forecasts_the_real_sun_better_than_persistence(real_data, tmp_path):
    recipe = str(Path(__file__).parents[3] / "examples" / "sun-171.yaml")
    archive, model, forecast, report = (str(tmp_path / name) for name in ("sun.zarr", "run", "forecast.zarr", "report"))
    source = str(real_data / "aia171-fulldisk-2017")
    assert run(["solar", "prepare", source, archive, "--size", "32", "--fov", "307.2", "--wavelengths", "171"]) == 0
    assert run(["train", recipe, "--data", archive, "--out", model, *CHANGES]) == 0
    assert run(["forecast", model, archive, forecast, "--members", "10", "--limit", "24", "--steps", "8"]) == 0
    assert run(["evaluate", forecast, "--out", report]) == 0
    scores = open_scores(Path(report) / "scores.json")
    own = scores[scores.models[0]]
    assert (scores.samples, own.members) == (24, 10)
    assert own["crps"].value < 0.8 * scores["persistence"]["crps"].value
    assert 0.5 < own["spread_skill"].value < 2
    assert (tmp_path / "report" / "report.html").stat().st_size > 100_000
    with open_forecast(forecast) as file:
        members, truth = file["forecast"].values, file["truth"].values
    # The members have the Sun's range of brightness, not a blurred or a noisy one.
    assert np.nanquantile(members, 0.99) == pytest.approx(np.nanquantile(truth, 0.99), rel=0.3)
    assert np.nanmedian(members) == pytest.approx(np.nanmedian(truth), rel=0.2)
