"""The addresses of the application, asked over HTTP."""

import io
import json
import shutil

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from framecast.core.errors import FramecastError
from framecast.view.app import application
from framecast.view.library import Library, opened
from framecast.view.videos import decode


def test_the_library_says_what_is_open(served):
    library = served.json("/api/library")
    assert [file["key"] for file in library["files"]] == ["good", "other"]
    good = library["files"][0]
    assert (good["windows"], good["members"], good["height"], good["width"]) == (12, 10, 12, 16)
    assert good["channels"] == [{"name": "171", "unit": "DN/s", "colours": "aia171"}]
    assert "aia171" in library["colours"]


def test_windows_are_columns(served, forecasts):
    table = served.json("/api/files/good/windows")
    file = xr.open_zarr(forecasts[0])
    assert [table["sequences"][k] for k in table["sequence"]] == list(file["sequence"].values)
    assert table["issue"][0] == "2017-08-13 00:00"


def test_videos_are_those_of_the_file(served, forecasts):
    _, headers, body = served.ask("/api/files/other/windows/7/video?what=member-2")
    header, values = decode(body)
    file = xr.open_zarr(forecasts[1])
    wanted = file["forecast"].isel(sample=7, member=1, channel=0).values
    assert np.abs(values[3:] - wanted).max() <= header["step"]
    assert "max-age" in headers["cache-control"]


def test_thumbnails_are_pictures(served):
    _, headers, body = served.ask("/api/files/good/windows/0/thumbnail.webp")
    assert headers["content-type"] == "image/webp"
    assert Image.open(io.BytesIO(body)).size == (226, 84)


def test_all_windows_are_scored_in_the_background(served):
    while (found := served.json("/api/files/good/scores"))["done"] < found["total"]:
        pass
    one = served.json("/api/files/good/windows/4/scores")["total"]
    assert found["columns"]["crps"][4] == one["crps"][0]
    assert None not in found["columns"]["skill"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/files/nothing/windows", 404),
        ("/api/files/good/windows/12/video?what=mean", 404),
        ("/api/files/good/windows/0/video?what=nothing", 422),
        ("/api/files/good/windows/0/video?what=mean&channel=1", 422),
        ("/api/files/good/windows/0/series?box=99,0", 422),
        ("/api/files/good/windows/-1/scores", 422),
        ("/api/files/..%2f..%2fetc/windows", 404),
        ("/pages/..%2fapp.py", 404),
        ("/pages/../app.py", 404),
        ("/docs", 404),
        ("/openapi.json", 404),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(served, path, status):
    found, _, body = served.ask(path)
    assert found == status
    assert b"\n" not in body
    assert b"Traceback" not in body


@pytest.mark.thorough
def test_a_file_that_is_written_anew_is_read_anew(gaussian_forecast, serving, tmp_path):
    path = gaussian_forecast(tmp_path / "f.zarr", samples=2, seed=1)
    with opened([path]) as library:
        server = serving(application(library))
        before = decode(server.ask("/api/files/f/windows/0/video?what=truth")[2])[1]
        gaussian_forecast(path, samples=3, seed=2, overwrite=True)
        assert server.json("/api/library")["files"][0]["windows"] == 3
        after = decode(server.ask("/api/files/f/windows/0/video?what=truth")[2])[1]
    assert not np.allclose(before, after)


def test_a_damaged_window_is_told_and_the_others_are_shown(gaussian_forecast, serving, tmp_path):
    path = gaussian_forecast(tmp_path / "f.zarr", samples=2, oracle=False)
    (chunk,) = (file for file in (path / "forecast" / "c" / "1").rglob("0") if file.is_file())
    chunk.write_bytes(b"damaged")
    with opened([path]) as library:
        server = serving(application(library))
        status, _, body = server.ask("/api/files/f/windows/1/video?what=mean")
        assert status == 422
        assert "damaged" in json.loads(body)["error"]
        assert server.ask("/api/files/f/windows/0/video?what=mean")[0] == 200


def test_no_file_is_opened_twice_and_names_are_told_apart(gaussian_forecast, tmp_path):
    path = gaussian_forecast(tmp_path / "a" / "f 1.zarr", samples=1)
    shutil.copytree(path, tmp_path / "b" / "f 1.zarr")
    with opened([path, tmp_path / "b" / "f 1.zarr"]) as library:
        assert [file.key for file in library.files] == ["f-1", "f-1-2"]
        with pytest.raises(FramecastError, match="twice"):
            library.add(path)
    with pytest.raises(FramecastError, match="no forecast"):
        Library([tmp_path / "nothing.zarr"])
