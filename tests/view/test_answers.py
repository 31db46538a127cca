"""Series, quantities and scores of a window agree with the file, the report and the evaluation."""

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import ConfigError
from framecast.verification.evaluation import evaluate
from framecast.verification.samples import Sample, interval_rows
from framecast.view.answers import Box, quantities, series, window_scores


@pytest.fixture(scope="module")
def file(forecasts):
    return xr.open_zarr(forecasts[0], decode_timedelta=True).load()


@pytest.fixture(scope="module")
def sample(file, forecasts):
    return Sample.of(file, 5, where=forecasts[0])


def test_the_series_of_a_pixel_are_the_numbers_of_the_file(sample, file):
    found = series(sample, 0, Box.parse("9,4", 12, 16))
    own = file.isel(sample=5, y=4, x=9)
    assert np.allclose(found["truth"], own["truth"].values[:, 0])
    assert np.allclose(found["past"], own["past"].values[:, 1])
    members = own["forecast"].transpose("member", "lead_time", "channel").values[..., 0]
    assert np.allclose(found["members"], members)
    assert np.allclose(found["median"], np.median(members, 0))
    low, high = found["intervals"]["50"]
    assert np.allclose(low, np.quantile(members, 0.25, axis=0, method="weibull"))
    assert np.allclose(high, np.quantile(members, 0.75, axis=0, method="weibull"))
    assert found["times"] == [-14400.0, -7200.0, 0.0, 7200.0, 14400.0, 21600.0]
    assert found["attainable"]["90"] == pytest.approx(9 / 11)


def test_a_box_is_the_mean_of_its_known_pixels(sample, file):
    found = series(sample, 0, Box.parse("5,3,0,1", 12, 16))  # columns 0 and 1 are masked
    truth = file["truth"].values[5, :, 0, 1:4, 0:6]
    assert np.allclose(found["truth"], np.nanmean(truth, axis=(-2, -1)))
    assert found["unit"] == "DN/s"


def test_a_masked_pixel_has_no_series(sample):
    found = series(sample, 0, Box.parse("0,0", 12, 16))
    assert set(found["truth"]) == {None}
    assert {value for member in found["members"] for value in member} == {None}


@pytest.mark.parametrize("text", ["16,0", "-1,2", "3", "a,b", "1,2,3", "1,2,3,12"])
def test_boxes_outside_of_the_frame_are_refused(text):
    with pytest.raises(ConfigError, match="box"):
        Box.parse(text, 12, 16)


def test_quantities_are_those_of_the_report(sample):
    found = {entry["name"]: entry for entry in quantities(sample, 0, None)}
    rows = interval_rows(sample)
    assert rows
    for row in rows:
        own = found[row.quantity]
        assert own["median"] == pytest.approx(row.median)
        assert own["intervals"]["90"] == pytest.approx([row.low_90, row.high_90])
        assert own["observed"] == pytest.approx(row.observed)
        assert len(own["members"]) == 10


def test_quantities_of_a_box_are_of_its_pixels(sample, file):
    found = {entry["name"]: entry for entry in quantities(sample, 0, Box.parse("4,2,7,6", 12, 16))}
    truth = file["truth"].values[5, :, 0, 2:7, 4:8]
    assert found["maximum"]["observed"] == pytest.approx(truth.max())
    assert found["peak"]["observed"] == pytest.approx(truth.sum(axis=(-2, -1)).max(), rel=1e-5)


@pytest.mark.thorough
def test_window_scores_are_those_of_the_evaluation(sample, forecasts):
    judged = evaluate(forecasts[0], replicates=100)
    model, persistence = judged.cases.models[0], judged.samples[5].forecasts["persistence"]
    found = window_scores(sample)
    own = judged.samples[5].forecasts[model]
    assert found["total"]["crps"][0] == pytest.approx(own["crps"], rel=1e-5)
    assert found["total"]["rmse"][0] == pytest.approx(own["rmse"], rel=1e-5)
    assert found["total"]["skill"][0] == pytest.approx(1 - own["crps"] / persistence["crps"], rel=1e-5)
    assert len(found["by_lead"]["crps"][0]) == 3
