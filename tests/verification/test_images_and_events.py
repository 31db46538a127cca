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

from framecast.verification.evaluation import Evaluation, evaluate, score_table

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
    (data_range,) = judged.scores["data_range"]
    assert data_range == pytest.approx(high - low)
    entry = judged.scores["forecasts"]["gaussian"]
    assert entry["psnr"] == pytest.approx(20 * math.log10(data_range / entry["rmse"]), rel=1e-6)
    error = forecast.astype(float) - truth[:, None]
    assert entry["member_rmse"] == pytest.approx(np.sqrt((error**2).mean()), rel=1e-5)
    assert entry["member_mae"] == pytest.approx(np.abs(error).mean(), rel=1e-5)
    assert entry["member_psnr"] == pytest.approx(20 * math.log10(data_range / entry["member_rmse"]), rel=1e-6)
    expected = [
        structural_similarity(
            truth[s, 2], image, data_range=data_range, gaussian_weights=True, use_sample_covariance=False
        )
        for s in range(16)
        for image in forecast[s, :3, 2]
    ]
    assert entry["member_ssim_by_lead"][2] == pytest.approx(np.mean(expected), rel=1e-4)
    assert entry["ssim"] > entry["member_ssim"]
    persistence = judged.scores["forecasts"]["persistence"]
    assert persistence["ssim"] == persistence["member_ssim"]
    assert persistence["psnr"] == persistence["member_psnr"]


def test_likeness_is_better_when_higher(judged: Evaluation) -> None:
    pairs = judged.scores["differences"]
    pair = next(p["scores"] for p in pairs if (p["first"], p["second"]) == ("gaussian", "persistence"))
    # a member errs by sqrt(2) of what the last frame does, which is the best point there is
    for name in ("psnr", "ssim", "member_psnr", "member_ssim"):
        assert (pair[name]["verdict"], pair[name]["value"] < 0) == ("worse", True), name
    assert pair["member_rmse"]["verdict"] == "worse"
    assert pair["member_rmse"]["relative"] == pytest.approx(math.sqrt(2) - 1, abs=0.02)
    assert pair["brier_110"]["verdict"] == "better"
    assert pair["fss_110_1"]["value"] > 0


def test_members_have_the_power_of_the_truth_and_a_point_has_not(judged: Evaluation) -> None:
    assert len(judged.scores["wavelengths_px"]) == 8
    assert judged.scores["wavelengths_px"][0] == 16
    entry, persistence = (judged.scores["forecasts"][name] for name in ("gaussian", "persistence"))
    np.testing.assert_allclose(entry["power_ratio"], 1, atol=0.06)
    # mean square 100 of the past, 14/3 of the changes
    np.testing.assert_allclose(persistence["power_ratio"], 100 / (100 + 14 / 3), atol=0.03)
    assert entry["mean_power_ratio"][0] < entry["power_ratio"][0]


def test_events_agree_with_scoringrules_and_a_slow_count(judged: Evaluation, data: xr.Dataset) -> None:
    assert judged.scores["thresholds"] == [90.0, 110.0]
    truth, forecast = data["truth"].values[:, :, 0], data["forecast"].values[:, :, :, 0]
    found = judged.scores["forecasts"]["gaussian"]["thresholds"]
    for threshold in (90.0, 110.0):
        entry = found[f"{threshold:g}"]
        happened, probability = (truth >= threshold).astype(float), (forecast >= threshold).mean(1)
        brier = scoringrules.brier_score(happened, probability) - probability * (1 - probability) / 9
        assert entry["brier"] == pytest.approx(brier.mean(), rel=1e-5)
        np.testing.assert_allclose(entry["brier_by_lead"], brier.mean((0, 2, 3)), rtol=1e-5)
        assert entry["base_rate"] == pytest.approx(happened.mean())
        fss = 1 - ((probability - happened) ** 2).sum() / (probability**2 + happened**2).sum()
        assert entry["fss"]["1"] == pytest.approx(fss, rel=1e-6)
        assert list(entry["fss"]) == ["1", "3", "5", "9"]
        assert list(entry["fss"].values()) == sorted(entry["fss"].values())
        table = entry["reliability"]
        place = np.rint(10 * probability).astype(int)
        observed = [happened[place == k].mean() for k in range(11)]
        np.testing.assert_allclose(table["observed"]["value"], observed, rtol=1e-6)
        np.testing.assert_allclose(table["probability"], np.arange(11) / 10, atol=1e-6)
        assert sum(table["share"]) == pytest.approx(1)
        assert 0 < entry["brier_skill"]["persistence"]["value"] < 1
        low, high = entry["confidence"]["brier"]["95"]
        assert low < entry["brier"] < high
    json.dumps(judged.scores, allow_nan=False)


def test_a_point_forecasts_an_event_with_certainty(judged: Evaluation) -> None:
    entry = judged.scores["forecasts"]["persistence"]["thresholds"]["110"]
    assert entry["reliability"]["probability"] == [0.0, 1.0]
    assert entry["brier"] == pytest.approx(
        entry["reliability"]["share"][1] * (1 - entry["reliability"]["observed"]["value"][1])
        + entry["reliability"]["share"][0] * entry["reliability"]["observed"]["value"][0]
    )


def test_the_table_holds_them_too(judged: Evaluation) -> None:
    rows = {(r["forecast"], r["against"], r["score"], r["lead_time_h"]): r["value"] for r in score_table(judged.scores)}
    entry = judged.scores["forecasts"]["gaussian"]
    assert rows["gaussian", "", "brier_110", ""] == entry["thresholds"]["110"]["brier"]
    assert rows["gaussian", "", "fss_90_3", ""] == entry["thresholds"]["90"]["fss"]["3"]
    assert rows["gaussian", "", "ssim", 4.0] == entry["ssim_by_lead"][1]
    assert rows["gaussian", "", "flux_dtw", ""] == entry["flux_dtw"] > 0


def test_an_event_that_never_happens_has_defined_figures(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr", samples=4, oracle=False, draws=0)
    entry = evaluate(path, thresholds=[1e6], replicates=100).scores["forecasts"]["gaussian"]["thresholds"]["1e+06"]
    assert entry["base_rate"] == entry["brier"] == 0
    assert entry["fss"]["1"] is None
    assert entry["brier_skill"]["persistence"]["value"] is None
    assert entry["reliability"] == {**entry["reliability"], "probability": [0.0], "share": [1.0]}
