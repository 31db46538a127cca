"""Maps average what is judged at each pixel, and know where nothing is."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framecast.verification.baselines import BASELINES
from framecast.verification.evaluation import Cases, evaluate

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


def test_maps_are_the_means_over_samples_and_lead_times(gaussian_forecast: Write, tmp_path: Path) -> None:
    mask = np.zeros((12, 16), dtype=bool)
    mask[3:5, 2] = True
    path = gaussian_forecast(tmp_path / "f.zarr", mask=mask, samples=5)
    found = evaluate(path).maps["gaussian"]
    cases = list(Cases(path, baselines=BASELINES))
    members = np.stack([case.forecasts["gaussian"].numpy() for case in cases])
    error = members.mean(axis=1) - np.stack([case.truth.numpy() for case in cases])
    shown = ~np.isnan(error).any(axis=(0, 2))
    assert not shown[0, 3:5, 2].any()
    assert np.isnan(found.rmse[~shown]).all()
    assert found.bias[shown] == pytest.approx(error.mean(axis=(0, 2))[shown], rel=1e-5, abs=1e-6)
    assert found.rmse[shown] == pytest.approx(np.sqrt(np.square(error).mean(axis=(0, 2)))[shown], rel=1e-5)
    variance = members.var(axis=1, ddof=1).mean(axis=(0, 2)) * 11 / 10
    assert found.spread[shown] == pytest.approx(np.sqrt(variance)[shown], rel=1e-5)


def test_a_point_has_errors_but_no_spread(gaussian_forecast: Write, tmp_path: Path) -> None:
    found = evaluate(gaussian_forecast(tmp_path / "f.zarr", samples=2)).maps["persistence"]
    assert (found.spread == 0).all()
    assert (found.rmse > 0).all()


def test_the_map_adds_up_to_the_score(gaussian_forecast: Write, tmp_path: Path) -> None:
    evaluation = evaluate(gaussian_forecast(tmp_path / "f.zarr", channels=("171", "193"), samples=3))
    for name, maps in evaluation.maps.items():
        each = np.sqrt(maps.squared.sum((1, 2)) / maps.count.sum((1, 2)))
        assert each == pytest.approx(evaluation.scores[name]["rmse"].by_channel.value, rel=1e-6)
