import json
import warnings

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import DataError, FramecastError
from framecast.data.forecasts import SampleInfo, open_forecast, write_forecast
from framecast.videos.frames import FrameSpec

FRAMES = FrameSpec(
    past_channels=("a", "b"), future_channels=("b",), past=3, future=2, cadence=7200.0, height=4, width=6
)
SAMPLES = [SampleInfo(sequence=f"r{k}", issue_time=np.datetime64("2017-08-13") + k) for k in range(3)]


def begin(path, *, members=2, samples=SAMPLES, **options):
    settings = {"unit": "DN/s", "attrs": {"model": "m", "seed": 1}, "dressing": None} | options
    return write_forecast(path, frames=FRAMES, samples=samples, members=members, **settings)


def fill(writer, sample, members=2):
    random = np.random.default_rng(sample)
    arrays = {
        "past": random.normal(size=(2, 3, 4, 6)),
        "truth": random.normal(size=(1, 2, 4, 6)),
        "forecast": random.normal(size=(members, 1, 2, 4, 6)),
    }
    writer.write(sample, **arrays)
    return arrays


def test_a_forecast_reads_back_with_plain_xarray_and_without_a_warning(tmp_path):
    path = tmp_path / "f.zarr"
    with begin(path, dressing=np.ones((5, 1, 2, 4, 6))) as writer:
        written = [fill(writer, k) for k in range(3)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain = xr.open_zarr(path, decode_timedelta=True).load()
    xr.testing.assert_identical(plain, open_forecast(path).load())
    np.testing.assert_allclose(plain["truth"].values[2, :, 0], written[2]["truth"][0], rtol=1e-6)
    np.testing.assert_allclose(plain["past"].values[1, :, 1], written[1]["past"][1], rtol=1e-6)
    assert plain["dressing"].dims == ("draw", "lead_time", "channel", "y", "x")
    assert (plain["past_time"] / np.timedelta64(1, "h")).values.tolist() == [-4.0, -2.0, 0.0]
    assert plain["sequence"].values.tolist() == ["r0", "r1", "r2"]
    assert plain.attrs["format"] == "framecast-forecast"


def test_nothing_stands_under_the_name_until_every_sample_is_there(tmp_path):
    path = tmp_path / "f.zarr"
    with begin(path) as writer:
        fill(writer, 0)
    assert not path.exists()
    with begin(path) as writer:
        assert writer.done == [0]
        fill(writer, 1)
        fill(writer, 2)
    assert path.exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.zarr"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    "other", [{"members": 3}, {"samples": SAMPLES[:2]}, {"attrs": {"model": "m", "seed": 2}}, {"oracle": True}]
)
def test_a_different_request_starts_afresh(tmp_path, other):
    path = tmp_path / "f.zarr"
    with begin(path) as writer:
        fill(writer, 0)
    with begin(path, **other) as writer:
        assert writer.done == []


@pytest.mark.parametrize("other", [{}, {"members": 3}])
def test_two_processes_do_not_write_the_same(tmp_path, other):
    """One that asks for something else would otherwise delete what the other has written, and mix in its own."""
    path = tmp_path / "f.zarr"
    with begin(path) as writer:
        fill(writer, 0)
        with pytest.raises(FramecastError, match=r"another process is writing .*f\.zarr"), begin(path, **other):
            pytest.fail("the block must not run")
        fill(writer, 1)
        fill(writer, 2)
    assert open_forecast(path).sizes["member"] == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.zarr"]


def test_an_existing_forecast_is_kept_until_its_successor_is_whole(tmp_path):
    path = tmp_path / "f.zarr"
    with begin(path, samples=SAMPLES[:1]) as writer:
        fill(writer, 0)
    with pytest.raises(FramecastError, match="--overwrite"), begin(path):
        pass
    with begin(path, overwrite=True) as writer:
        fill(writer, 0)
    assert open_forecast(path).sizes["sample"] == 1


def test_what_is_no_forecast_is_refused_in_one_line(tmp_path):
    with pytest.raises(FramecastError, match="there is no forecast"):
        open_forecast(tmp_path / "none")
    with pytest.raises(DataError, match="not a forecast"):
        open_forecast(tmp_path)
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", consolidated=False)
    with pytest.raises(DataError, match="not a forecast"):
        open_forecast(tmp_path / "other.zarr")


def test_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "f.zarr"
    with begin(path, samples=SAMPLES[:1]) as writer:
        fill(writer, 0)
    root = json.loads((path / "zarr.json").read_text())
    root["attributes"]["version"] = 2
    (path / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(DataError, match="upgrade"):
        open_forecast(path)


@pytest.mark.filterwarnings("ignore:Failed to open Zarr store")
@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        (
            "truth",
            {"dimension_names": ["sample", "a", "b", "c", "d"]},
            "truth is float32 along sample, a, b, c, d",
        ),
        ("past", {"data_type": "int32", "fill_value": 0}, "past is int32"),
        ("", {"attributes": {"format": "framecast-forecast", "version": 1, "classes": 5}}, "classes"),
    ],
)
def test_variables_of_another_kind_are_damage(tmp_path, name, change, told):
    path = tmp_path / "f.zarr"
    with begin(path) as writer:
        for k in range(3):
            fill(writer, k)
    for place in dict.fromkeys((path, path / name)):
        document = json.loads((place / "zarr.json").read_text())
        document.pop("consolidated_metadata", None)
        (place / "zarr.json").write_text(json.dumps(document | (change if place == path / name else {})))
    with pytest.raises(DataError, match=told) as error:
        open_forecast(path)
    assert "\n" not in str(error.value)
