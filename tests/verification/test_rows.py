"""The tables hold what ``scores.json`` holds."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from framecast.verification.evaluation import Evaluation, evaluate
from framecast.verification.rows import as_csv, sample_rows, score_rows

pytestmark = pytest.mark.thorough

Write = Callable[..., Path]


@pytest.fixture(scope="module")
def judged(gaussian_forecast: Write, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    return evaluate(gaussian_forecast(tmp_path_factory.mktemp("tables") / "f.zarr"))


def _find(rows: list[dict], **wanted: str) -> dict[str, str]:
    found = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    assert len(found) == 1, (wanted, len(found))
    return found[0]


def test_every_row_of_scores_is_one_figure_with_its_intervals(judged: Evaluation) -> None:
    rows = list(csv.DictReader(io.StringIO(as_csv(score_rows(judged.scores)))))
    found = judged.scores
    row = _find(rows, forecast="gaussian", against="", score="rmse", lead_time_h="4.0")
    assert float(row["value"]) == found["gaussian"]["rmse"].by_lead.value[1]
    assert float(row["high_95"]) == found["gaussian"]["rmse"].by_lead.bounds(95)[1][1]
    row = _find(rows, forecast="gaussian", against="persistence", score="crps_skill", lead_time_h="")
    assert float(row["low_90"]) == found["gaussian"].skill["persistence"]["crps"].total.bounds(90)[0]
    row = _find(rows, forecast="gaussian", against="oracle", score="crps_difference", lead_time_h="6.0")
    pair = found.difference("gaussian", "oracle")
    assert float(row["value"]) == pair.scores["crps"].by_lead.value[2]
    row = _find(rows, forecast="oracle", against="", score="coverage_peak_90")
    assert float(row["value"]) == float(found["oracle"].quantities["peak"].intervals[90].coverage)
    keys = [tuple(row[key] for key in ("forecast", "against", "score", "lead_time_h")) for row in rows]
    assert len(set(keys)) == len(keys)


def test_one_row_for_each_sample_and_one_column_for_each_score(judged: Evaluation) -> None:
    assert len(judged.samples) == 12
    rows = sample_rows(judged.samples)
    for name, entry in judged.scores.forecasts.items():
        mean = sum(row[f"crps {name}"] for row in rows) / 12
        assert mean == pytest.approx(entry["crps"].value, rel=1e-6)
        square = sum(row[f"rmse {name}"] ** 2 for row in rows) / 12
        assert square**0.5 == pytest.approx(entry["rmse"].value, rel=1e-6)
    assert rows[7]["sequence"] == "region-001"
    assert rows[7]["issue_time"] == "2017-08-13T06:00:00"


def test_the_dataset_holds_the_same_figures(judged: Evaluation) -> None:
    found, scores = judged.to_dataset(), judged.scores
    assert list(found["forecast"].values) == list(scores.forecasts)
    assert found["crps"].attrs == {"long_name": "CRPS", "units": "DN/s", "better": "lower"}
    own = found.sel(forecast="oracle")
    assert own["crps"] == scores["oracle"]["crps"].value
    assert own["rmse_by_lead"].sel(lead_time=4) == scores["oracle"]["rmse"].by_lead.value[1]
    interval = own["crps_interval"].sel(interval=95)
    assert interval.values.tolist() == scores["oracle"]["crps"].total.bounds(95).tolist()
    coverage = own["coverage"].sel(quantity="peak", level=90)
    assert coverage == float(scores["oracle"].quantities["peak"].intervals[90].coverage)
    assert found["power_ratio"].sizes == {"forecast": len(scores.forecasts), "wavelength": 6}
