"""Evaluation of forecasts whose law is known: every figure has a value that theory gives."""

import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scoringrules
import xarray as xr
import zarr

from framecast.core.errors import ConfigError, DataError, FramecastError
from framecast.verification.baselines import BASELINES
from framecast.verification.blocks import choose_blocks
from framecast.verification.evaluation import Case, Cases, Evaluation, evaluate
from framecast.verification.files import to_plain
from framecast.verification.recalibration.fit import calibrate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]
ROOT_PI = math.sqrt(math.pi)


def _replace(path: Path, name: str, values: np.ndarray) -> None:
    """Put other values into a forecast file."""
    zarr.open_group(path, mode="r+")[name][...] = values


@pytest.fixture(scope="module")
def judged(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """A perfect forecast of N(last frame, (lead + 1)²)."""
    path = tmp_path_factory.mktemp("judged") / "forecast.zarr"
    return evaluate(gaussian_forecast(path, samples=40, sequences=20, size=(16, 24)))


def test_options_are_those_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"replicate .*replicates"):
        evaluate(tmp_path, replicate=100)
    with pytest.raises(ConfigError, match="99"):
        evaluate(tmp_path, replicates=99)


@pytest.mark.parametrize("name", ["gaussian", "dressed_persistence", "oracle"])
def test_figures_of_the_true_law_are_those_of_theory(judged: Evaluation, name: str) -> None:
    scores = judged.scores[name]
    scale = np.array([1.0, 2.0, 3.0])
    mean_square = np.mean(scale**2)
    np.testing.assert_allclose(scores["crps"].by_lead.value, scale / ROOT_PI, rtol=0.02)
    assert scores["crps"].value == pytest.approx(2 / ROOT_PI, rel=0.02)
    np.testing.assert_allclose(scores["rmse"].by_lead.value, scale * math.sqrt(1.1), rtol=0.02)
    assert scores["rmse"].value == pytest.approx(math.sqrt(1.1 * mean_square), rel=0.02)
    assert scores["mae"].value == pytest.approx(2 * math.sqrt(1.1 * 2 / math.pi), rel=0.02)
    np.testing.assert_allclose(scores["spread_skill"].by_lead.value, 1.0, rtol=0.03)
    assert scores["energy_score"].value > 0
    np.testing.assert_allclose(scores.ranks, 1 / 11, atol=0.008)
    for quantity in ("peak", "integral", "time_of_peak"):
        for level in (50, 80):
            low, high = scores.quantities[quantity].intervals[level].coverage.bounds()
            assert low - 0.08 <= level / 100 <= high + 0.08, (quantity, level)
    # the sum of 384 independent pixels: its standard deviation is sqrt(384) that of one
    np.testing.assert_allclose(scores["total_crps"].by_lead.value, scale * math.sqrt(384) / ROOT_PI, rtol=0.45)


def test_persistence_is_a_point(judged: Evaluation) -> None:
    scores = judged.scores["persistence"]
    expected = np.array([1.0, 2.0, 3.0]) * math.sqrt(2 / math.pi)
    np.testing.assert_allclose(scores["crps"].by_lead.value, expected, rtol=0.02)
    assert scores["crps"].value == scores["mae"].value
    assert scores["spread_skill"].value == 0.0
    assert {float(entry.coverage) for entry in scores.quantities["peak"].intervals.values()} == {0.0}
    assert scores.point


def test_skill_is_paired_and_says_nothing_where_nothing_is_certain(judged: Evaluation) -> None:
    skill = judged.scores["gaussian"].skill
    against = skill["persistence"]["crps"]
    value = float(against.total)
    assert value == pytest.approx(1 - math.sqrt(0.5), abs=0.01)
    assert against.verdict == "better"
    (low, high), (lower, higher) = against.total.bounds(90), against.total.bounds(95)
    assert lower < low < value < high < higher
    assert higher - lower < 0.02
    assert skill["dressed_persistence"]["crps"].verdict == "undecided"
    assert judged.scores["persistence"].skill["dressed_persistence"]["crps"].verdict == "worse"
    assert float(judged.scores["gaussian"].oracle_skill) == pytest.approx(1.0, abs=0.02)
    assert float(judged.scores["persistence"].oracle_skill) == 0.0


def test_faults_show(gaussian_forecast: Write, tmp_path: Path) -> None:
    narrow = evaluate(gaussian_forecast(tmp_path / "narrow.zarr", spread=0.5, oracle=False)).scores
    biased = evaluate(gaussian_forecast(tmp_path / "biased.zarr", bias=1.5, oracle=False)).scores
    assert narrow["gaussian"]["spread_skill"].value == pytest.approx(0.5, abs=0.05)
    assert narrow["gaussian"].ranks[0] > 2 / 11
    assert narrow["gaussian"].ranks[-1] > 2 / 11
    assert biased["gaussian"].ranks[0] > 2 * biased["gaussian"].ranks[-1]
    for faulty in (narrow, biased):
        assert faulty["gaussian"].skill["dressed_persistence"]["crps"].verdict == "worse"
        assert "oracle" not in faulty.forecasts
        assert faulty["gaussian"].oracle_skill is None


def test_streaming_gives_what_all_at_once_gives(gaussian_forecast: Write, tmp_path: Path) -> None:
    mask = np.zeros((12, 16), dtype=bool)
    mask[:, :3] = True
    path = gaussian_forecast(tmp_path / "f.zarr", mask=mask, members=7)
    scores = evaluate(path).scores
    found = scores["gaussian"]
    data = xr.open_zarr(path, chunks=None)
    forecast, truth = (data[name].values.astype(np.float64) for name in ("forecast", "truth"))
    each = scoringrules.crps_ensemble(truth, forecast, m_axis=1, estimator="fair")
    error = forecast.mean(1) - truth
    assert np.isnan(each).mean() == 3 / 16
    assert found["crps"].value == pytest.approx(np.nanmean(each), rel=1e-5)
    np.testing.assert_allclose(found["crps"].by_lead.value, np.nanmean(each, axis=(0, 2, 3, 4)), rtol=1e-5)
    assert found["rmse"].value == pytest.approx(np.sqrt(np.nanmean(error**2)), rel=1e-5)
    assert found["mae"].value == pytest.approx(np.nanmean(np.abs(error)), rel=1e-5)
    spread = np.sqrt(np.nanmean(forecast.var(1, ddof=1)) * 8 / 7)
    assert found["spread_skill"].value == pytest.approx(spread / found["rmse"].value, rel=1e-5)
    assert scores.left_out.unobserved == pytest.approx(3 / 16)
    assert scores.left_out.by_forecasts == 0.0


def test_a_missing_member_is_left_out_and_a_missing_forecast_is_left_out_everywhere(
    gaussian_forecast: Write, tmp_path: Path
) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr")
    data = xr.open_zarr(path, chunks=None)
    forecast = data["forecast"].values
    forecast[0, 3] = np.nan  # one member
    forecast[1] = np.nan  # all members
    forecast[2, :, 1, 0, 4, 5] = np.inf  # no number either
    _replace(path, "forecast", forecast)
    judged = evaluate(path)
    scores = judged.scores
    pixels = 3 * 12 * 16
    assert scores.judged_samples == 11
    assert scores["gaussian"].missing_members == pixels
    assert scores.judged_pixels == 11 * pixels - 1
    assert scores.left_out.by_forecasts == pytest.approx((pixels + 1) / (12 * pixels))
    for maps in judged.maps.values():
        np.testing.assert_array_equal(maps.count, judged.maps["gaussian"].count)
    assert math.isnan(judged.samples[1].forecasts["gaussian"]["crps"])
    assert 1 not in judged.ranked()
    assert len(judged.ranked()) == 11
    json.dumps(to_plain(scores), allow_nan=False)


@pytest.mark.slow
def test_two_channels_one_member_no_dressing(gaussian_forecast: Write, tmp_path: Path) -> None:
    two = evaluate(gaussian_forecast(tmp_path / "two.zarr", channels=("171", "193"))).scores
    assert two.channels == ["171", "193"]
    one = evaluate(gaussian_forecast(tmp_path / "one.zarr", members=1, oracle=False)).scores
    assert one["gaussian"]["crps"].value == one["gaussian"]["mae"].value
    assert one["dressed_persistence"].members == 20
    bare = evaluate(gaussian_forecast(tmp_path / "bare.zarr", draws=0)).scores
    assert "dressed_persistence" not in bare.forecasts
    assert list(bare["gaussian"].skill) == ["persistence"]
    unseen = evaluate(gaussian_forecast(tmp_path / "unseen.zarr", channels=("94",), draws=0))
    assert "persistence" not in unseen.scores.forecasts
    assert unseen.scores["gaussian"].skill == {}
    assert len(unseen.ranked()) == 12


def test_a_constant_target_has_defined_figures(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr")
    data = xr.open_zarr(path, chunks=None)
    for name in ("forecast", "truth", "past", "dressing", "oracle"):
        _replace(path, name, np.full(data[name].shape, 0.0 if name == "dressing" else 5.0, dtype=np.float32))
    scores = evaluate(path).scores
    found = scores["gaussian"]
    assert found["crps"].value == found["rmse"].value == 0.0
    assert math.isnan(found["spread_skill"].value)
    assert math.isnan(float(found.skill["persistence"]["crps"].total))
    assert found.skill["persistence"]["crps"].verdict == "undecided"
    assert float(found.quantities["time_of_peak"].intervals[50].coverage) == pytest.approx(0.5)
    json.dumps(to_plain(scores), allow_nan=False)


@pytest.mark.slow
def test_seed_decides_the_dressing_and_the_same_seed_gives_the_same_scores(
    gaussian_forecast: Write, tmp_path: Path
) -> None:
    path = gaussian_forecast(tmp_path / "f.zarr")
    first, again, other = (evaluate(path, seed=seed).scores for seed in (0, 0, 1))
    assert to_plain(first) == to_plain(again)
    assert first["dressed_persistence"]["crps"].value != other["dressed_persistence"]["crps"].value
    assert first["gaussian"]["crps"].value == other["gaussian"]["crps"].value


def test_blocks(gaussian_forecast: Write, tmp_path: Path) -> None:
    few = Cases(gaussian_forecast(tmp_path / "few.zarr", samples=12, sequences=2))
    assert choose_blocks(few) == "sequence-day"  # 2 sequences, 2 days
    assert len(set(few.named("sequence-day"))) == 4
    assert len(set(few.named("sample"))) == 12
    many = Cases(gaussian_forecast(tmp_path / "many.zarr", samples=12, sequences=12))
    assert choose_blocks(many) == "sequence"
    scores = evaluate(many.sources[0].path, blocks="day").scores
    assert scores.bootstrap.number_of_blocks == 1
    assert np.isnan(scores["gaussian"]["crps"].total.bounds()).all()
    assert scores["gaussian"].skill["persistence"]["crps"].verdict == "undecided"


@pytest.mark.slow
def test_only_a_sample_at_a_time_is_in_memory(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(
        tmp_path / "f.zarr", samples=24, members=20, size=(32, 48), oracle=False, draws=20, sequences=24
    )
    size = Cases(path).sources[0].dataset["forecast"].nbytes
    assert size > 8e6
    tracemalloc.start()
    # opening the file and the bootstrap draws take memory too, whatever the number of samples
    evaluate(path, replicates=100, progress=lambda done, total: tracemalloc.reset_peak() if done == 1 else None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * size


def test_what_cannot_be_judged_is_said_in_one_line(gaussian_forecast: Write, tmp_path: Path) -> None:
    with pytest.raises(FramecastError, match="no forecast at"):
        evaluate(tmp_path / "absent.zarr")
    (tmp_path / "folder").mkdir()
    with pytest.raises(DataError, match="not a forecast"):
        evaluate(tmp_path / "folder")
    with pytest.raises(DataError, match="contains 0 samples of 10 members"):
        evaluate(gaussian_forecast(tmp_path / "empty.zarr", samples=0))
    everything = np.ones((12, 16), dtype=bool)
    with pytest.raises(DataError, match="there is no pixel where"):
        evaluate(gaussian_forecast(tmp_path / "masked.zarr", mask=everything))


def test_the_forecasts_of_a_case_are_physical_and_ordered(gaussian_forecast: Write, tmp_path: Path) -> None:
    cases = Cases(gaussian_forecast(tmp_path / "f.zarr"), baselines=BASELINES)
    case = cases[3]
    assert isinstance(case, Case)
    assert list(case.forecasts) == ["gaussian", "persistence", "dressed_persistence", "oracle"]
    assert case.truth.shape == (1, 3, 12, 16)
    seen = cases.sources[0].dataset["past"].isel(sample=3, past_time=-1).sel(past_channel="171").values
    np.testing.assert_array_equal(case.forecasts["persistence"][0, 0, 1], seen)
    assert cases.cadence == 7200.0


@pytest.mark.parametrize("name", ["forecast", "truth", "past", "dressing", "oracle"])
def test_a_damaged_array_is_named_as_such(gaussian_forecast: Write, tmp_path: Path, name: str) -> None:
    path = gaussian_forecast(tmp_path / "forecast.zarr", samples=2, sequences=2)
    for chunk in (chunk for chunk in (path / name / "c").rglob("*") if chunk.is_file()):
        chunk.write_bytes(chunk.read_bytes()[:20])
    with pytest.raises(DataError, match=r"forecast.zarr is damaged"):
        evaluate(path)


def test_a_file_that_is_written_meanwhile_is_refused(gaussian_forecast: Write, tmp_path: Path) -> None:
    path = gaussian_forecast(tmp_path / "forecast.zarr", samples=4, sequences=2, size=(8, 8))

    def write_anew(done: int, _: int) -> None:
        if done == 2:
            _replace(path, "forecast", np.zeros(zarr.open_group(path)["forecast"].shape, np.float32))

    for judge in (evaluate, calibrate):
        with pytest.raises(DataError, match="changed while it was read"):
            judge(path, progress=write_anew)
        assert judge(path) is not None
