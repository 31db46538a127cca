"""A calibration kept with a model: it repairs intervals, survives the disk, and refuses the forecasts of others."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import zarr

from framecast.core.errors import DataError
from framecast.data.forecasts import open_forecast
from framecast.verification.evaluation import evaluate
from framecast.verification.recalibration.calibration import (
    Calibration,
    from_plain,
    read_calibration,
    write_calibration,
)
from framecast.verification.recalibration.fit import calibrate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]
SHAPE = {"samples": 60, "sequences": 60, "leads": 3, "size": (4, 4), "draws": 0, "oracle": False, "spread": 0.4}


@pytest.fixture(scope="module")
def calibration(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """Of a forecast whose spread is 0.4 of what it should be."""
    return calibrate(gaussian_forecast(tmp_path_factory.mktemp("calibration") / "validation.zarr", **SHAPE))


def _with(path: Path, calibration: Calibration) -> Path:
    group = zarr.open_group(path, mode="r+")
    group.attrs["calibration"] = calibration.to_plain()
    return path


@pytest.fixture(scope="module")
def later(gaussian_forecast: Write, calibration: Calibration, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("calibration") / "test.zarr"
    return _with(gaussian_forecast(path, **{**SHAPE, "seed": 5, "samples": 80, "sequences": 80}), calibration)


def test_it_repairs_intervals_that_are_too_narrow(later: Path) -> None:
    entry = evaluate(later, replicates=100).scores["gaussian"]
    about = entry.recalibrated

    def coverage(intervals: dict, level: int) -> float:
        return float(intervals[level].coverage)

    for quantity in ("total", "peak", "integral"):
        raw, repaired = entry.quantities[quantity].intervals, about.quantities[quantity]
        assert coverage(raw, 80) < 0.6, quantity
        # 60 windows to calibrate and 80 to judge: three standard deviations of both
        assert 0.8 - 0.25 < coverage(repaired, 80) < 0.8 + 0.2, quantity
        assert coverage(repaired, 80) > coverage(raw, 80) + 0.15
        assert repaired[80].half_width > 0
    assert coverage(about.quantities["time_of_peak"], 80) >= 0.7
    own, better = entry.quantities["integral"].intervals, about.quantities["integral"]
    assert better[90].interval_score < own[90].interval_score
    widths = [level.half_width for level in better.values()]
    assert widths == sorted(widths)  # outer intervals hold the inner ones
    assert (about.calibration_samples, about.number_of_blocks, about.blocks) == (60, 60, "sequence")
    assert about.seen_samples == 0  # windows of the same names and times, in which other things came


def test_a_level_that_cannot_be_promised_is_no_interval(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr", **{**SHAPE, "samples": 12, "sequences": 12})
    few = calibrate(path)
    assert re.fullmatch(r"region-000@2017-08-13T00:00:00=[\d.]+", few.windows[0])
    assert few.offsets["peak"]["90"][0] is not None  # 12 of 13 is 92.3 %
    assert few.offsets["peak"]["96"] == [None]
    found = evaluate(_with(path, few), replicates=100).scores["gaussian"].recalibrated
    assert found.seen_samples == 12
    assert np.isnan(float(found.quantities["peak"][96].coverage))
    assert np.isnan(found.quantities["peak"][96].half_width)
    assert float(found.quantities["peak"][90].coverage) >= 0.9


def test_windows_are_known_beside_a_file_that_knows_less_of_them(gaussian_forecast: Write, tmp_path: Path) -> None:
    shape = {**SHAPE, "samples": 12, "sequences": 12}
    whole = gaussian_forecast(tmp_path / "whole.zarr", **shape)
    corner = np.zeros(shape["size"], bool)
    corner[0, 0] = True
    masked = gaussian_forecast(tmp_path / "masked.zarr", **shape, mask=corner)
    judged = evaluate([_with(whole, calibrate(whole)), masked], replicates=100)
    assert judged.scores["whole"].recalibrated.seen_samples == 12


def test_the_offsets_of_each_channel_and_lead_time_are_its_own(gaussian_forecast: Write, tmp_path: Path) -> None:
    found = calibrate(gaussian_forecast(tmp_path / "f.zarr", **{**SHAPE, "channels": ("171", "193")}))
    total = found.offsets["total"]["50"]
    assert [len(leads) for leads in total] == [3, 3]
    low, high = found.intervals("total", torch.randn(10, 5, 2, 3))[0.5]
    assert low.shape == high.shape == (5, 2, 3)
    assert [name for name, scale in found.scales.items() if scale == "unit"] == ["time_of_peak"]
    point = calibrate(gaussian_forecast(tmp_path / "p.zarr", **{**SHAPE, "members": 1}))
    assert set(point.scales.values()) == {"unit"}
    assert point.offsets["integral"]["90"][0] > 0


def test_blocks_decide_what_can_be_promised(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr", **{**SHAPE, "sequences": 10})
    assert calibrate(path).number_of_blocks == 10
    assert calibrate(path).offsets["peak"]["96"] == [None]
    assert calibrate(path, blocks="sample").offsets["peak"]["96"] != [None]


def test_training_windows_are_refused(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr", samples=4)
    zarr.open_group(path, mode="r+").attrs["split"] = "train"
    with pytest.raises(DataError, match="train windows"):
        calibrate(path)


def test_it_survives_the_disk_and_stays_with_its_own_weights(calibration: Calibration, tmp_path: Path) -> None:
    own = replace(calibration, drawing={**calibration.drawing, "weights_sha256": "ab" * 32})
    (tmp_path / "config.json").write_text(json.dumps({"weights_sha256": "ab" * 32}))
    assert read_calibration(tmp_path) is None
    write_calibration(tmp_path, own)
    assert read_calibration(tmp_path) == own
    with pytest.raises(DataError, match="own forecasts"):
        write_calibration(tmp_path, replace(own, drawing={**own.drawing, "weights_sha256": "cd" * 32}))
    for text, words in (
        ("{", "cannot be read as JSON"),
        ("{}", "not a calibration"),
        (json.dumps({**own.to_plain(), "version": 99}), "reads up to 2"),
        (json.dumps({"format": "framecast-calibration", "version": 1}), "is missing"),
    ):
        (tmp_path / "calibration.json").write_text(text)
        with pytest.raises(DataError, match=words):
            read_calibration(tmp_path)


def test_it_objects_to_forecasts_made_otherwise(calibration: Calibration, later: Path) -> None:
    own, forecast = calibration.drawing, open_forecast(later)
    assert calibration.objection(forecast) is None
    said = "it was made for forecasts with members = 10, and these have 4"
    assert calibration.objection(forecast.isel(member=slice(4))) == said
    assert "other weights" in (calibration.objection(forecast.assign_attrs(weights_sha256="x")) or "")
    assert "frame size" in (calibration.objection(forecast.isel(x=slice(3))) or "")
    assert "lead times" in (calibration.objection(forecast.isel(lead_time=slice(2))) or "")
    assert "unit K" in (calibration.objection(forecast.assign_attrs(unit="K")) or "").replace("these have", "unit")
    plain = calibration.to_plain()
    assert from_plain(plain, where="here") == calibration
    changed = replace(calibration, drawing={**own, "steps": 7})
    entry = evaluate(_with(later, changed), replicates=100).scores["gaussian"]
    assert entry.objection == "it was made for forecasts with steps = 7, and these have 1"
    assert entry.recalibrated is None


def test_one_of_version_1_is_read_under_the_present_names(calibration: Calibration) -> None:
    former = {"total": "flux", "peak": "mpf", "integral": "fluence", "time_of_peak": "t2pf"}
    plain = calibration.to_plain()
    for key in ("scales", "offsets"):
        plain[key] = {old: plain[key][new] for new, old in former.items()}
    read = from_plain({**plain, "version": 1}, where="here")
    assert list(read.scales) == list(former)
    assert read.offsets["peak"] == calibration.offsets["peak"]
