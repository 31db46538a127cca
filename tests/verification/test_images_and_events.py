"""Likeness of images, spectra and events in an evaluation, against values computed all at once."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scoringrules
import xarray as xr
from skimage.metrics import structural_similarity

from framecast.verification.evaluation import Evaluation, evaluate
from framecast.verification.files import to_plain
from framecast.verification.rows import score_rows

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]
SIZE = (16, 24)


@pytest.fixture(scope="module")
def judged(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    path = tmp_path_factory.mktemp("events") / "f.zarr"
    gaussian_forecast(path, samples=16, sequences=16, size=SIZE, oracle=False)
    return evaluate(path, thresholds=[110.0, 90.0], replicates=200)


@pytest.fixture(scope="module")
def data(judged: Evaluation) -> xr.Dataset:
    return judged.cases.sources[0].dataset.load()


def test_images_are_judged_with_the_range_of_the_observations(judged: Evaluation, data: xr.Dataset) -> None:
    truth, forecast = data["truth"].values[:, :, 0], data["forecast"].values[:, :, :, 0]
    low, high = np.percentile(truth, [0.1, 99.9])
    (data_range,) = judged.scores.data_range
    assert data_range == pytest.approx(high - low)
    entry = judged.scores["gaussian"]
    assert entry["psnr"].value == pytest.approx(20 * math.log10(data_range / entry["rmse"].value), rel=1e-6)
    error = forecast.astype(float) - truth[:, None]
    assert entry["member_rmse"].value == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert entry["member_mae"].value == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert entry["member_psnr"].value == pytest.approx(
        20 * math.log10(data_range / entry["member_rmse"].value), rel=1e-6
    )
    expected = [
        structural_similarity(
            truth[s, 2], image, data_range=data_range, gaussian_weights=True, use_sample_covariance=False
        )
        for s in range(16)
        for image in forecast[s, :3, 2]
    ]
    assert entry["member_ssim"].by_lead.value[2] == pytest.approx(np.mean(expected), rel=1e-4)
    assert entry["ssim"].value > entry["member_ssim"].value
    persistence = judged.scores["persistence"]
    assert persistence["ssim"].value == persistence["member_ssim"].value
    assert persistence["psnr"].value == persistence["member_psnr"].value


def test_likeness_is_better_when_higher(judged: Evaluation) -> None:
    pair = judged.scores.difference("gaussian", "persistence").scores
    # a member errs by sqrt(2) of what the last frame does, which is the best point there is
    for name in ("psnr", "ssim", "member_psnr", "member_ssim"):
        assert (pair[name].verdict, float(pair[name].total) < 0) == ("worse", True), name
    assert pair["member_rmse"].verdict == "worse"
    assert pair["member_rmse"].relative == pytest.approx(math.sqrt(2) - 1, abs=0.02)
    assert pair["brier_110"].verdict == "better"
    assert float(pair["fss_110_1"].total) > 0


def test_members_have_the_power_of_the_truth_and_a_point_has_not(judged: Evaluation) -> None:
    assert len(judged.scores.wavelengths_px) == 8
    assert judged.scores.wavelengths_px[0] == 16
    entry, persistence = (judged.scores[name] for name in ("gaussian", "persistence"))
    np.testing.assert_allclose(entry["power_ratio"].total.value, 1, atol=0.06)
    # mean square 100 of the past, 14/3 of the changes
    np.testing.assert_allclose(persistence["power_ratio"].total.value, 100 / (100 + 14 / 3), atol=0.03)
    assert entry["mean_power_ratio"].total.value[0] < entry["power_ratio"].total.value[0]


def test_events_agree_with_scoringrules_and_a_slow_count(judged: Evaluation, data: xr.Dataset) -> None:
    assert judged.scores.thresholds == [90.0, 110.0]
    truth, forecast = data["truth"].values[:, :, 0], data["forecast"].values[:, :, :, 0]
    found = judged.scores["gaussian"]
    for threshold in (90.0, 110.0):
        happened, probability = (truth >= threshold).astype(float), (forecast >= threshold).mean(1)
        brier = scoringrules.brier_score(happened, probability) - probability * (1 - probability) / 9
        entry = found[f"brier_{threshold:g}"]
        assert entry.value == pytest.approx(brier.mean(), rel=1e-5)
        np.testing.assert_allclose(entry.by_lead.value, brier.mean((0, 2, 3)), rtol=1e-5)
        low, high = entry.total.bounds()
        assert low < entry.value < high
        fss = 1 - ((probability - happened) ** 2).sum() / (probability**2 + happened**2).sum()
        values = {name: result.value for name, result in found.scores.items() if name.startswith(f"fss_{threshold:g}_")}
        assert values[f"fss_{threshold:g}_1"] == pytest.approx(fss, rel=1e-6)
        assert list(values) == [f"fss_{threshold:g}_{width}" for width in (1, 3, 5, 9)]
        assert list(values.values()) == sorted(values.values())
        event = found.events[f"{threshold:g}"]
        assert event.base_rate == pytest.approx(happened.mean())
        place = np.rint(10 * probability).astype(int)
        observed = [happened[place == k].mean() for k in range(11)]
        np.testing.assert_allclose(event.observed.value, observed, rtol=1e-6)
        np.testing.assert_allclose(event.probability, np.arange(11) / 10, atol=1e-6)
        assert sum(event.fraction) == pytest.approx(1)
        assert 0 < float(found.skill["persistence"][f"brier_{threshold:g}"].total) < 1
        area = found.quantities[f"area_above_{threshold:g}"]
        assert 0 < area.mae < 0.2
    json.dumps(to_plain(judged.scores), allow_nan=False)


def test_a_point_forecasts_an_event_with_certainty(judged: Evaluation) -> None:
    found = judged.scores["persistence"]
    event = found.events["110"]
    assert event.probability.tolist() == [0.0, 1.0]
    missed, hit = event.observed.value
    assert found["brier_110"].value == pytest.approx(event.fraction[1] * (1 - hit) + event.fraction[0] * missed)


def test_the_table_holds_them_too(judged: Evaluation) -> None:
    rows = {(r["forecast"], r["against"], r["score"], r["lead_time_h"]): r["value"] for r in score_rows(judged.scores)}
    entry = judged.scores["gaussian"]
    assert rows["gaussian", "", "brier_110", ""] == entry["brier_110"].value
    assert rows["gaussian", "", "fss_90_3", ""] == entry["fss_90_3"].value
    assert rows["gaussian", "", "ssim", 4.0] == entry["ssim"].by_lead.value[1]
    assert rows["gaussian", "", "total_dtw", ""] == entry["total_dtw"].value > 0


def test_an_event_that_never_happens_has_defined_figures(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr", samples=4, oracle=False, draws=0)
    found = evaluate(path, thresholds=[1e6], replicates=100).scores["gaussian"]
    event = found.events["1e+06"]
    assert event.base_rate == found["brier_1e+06"].value == 0
    assert math.isnan(found["fss_1e+06_1"].value)
    assert math.isnan(float(found.skill["persistence"]["brier_1e+06"].total))
    assert (event.probability.tolist(), event.fraction.tolist()) == ([0.0], [1.0])
