"""What is taken away: animations that every player knows, NetCDF, a folder that opens from disk."""

import io
import json
import re

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from framecast.core.errors import ConfigError, FramecastError
from framecast.view.library import opened
from framecast.view.static_export import chosen_windows, export

PANELS = "truth,mean,spread,member-2~truth,above-101,mean@other/3"


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animations_have_a_picture_for_each_time(served, kind):
    status, headers, body = served.ask(f"/api/files/good/windows/3/animation.{kind}?panels={PANELS}&speed=12")
    assert status == 200
    assert headers["content-disposition"].endswith(f'-2017-08-13T00-00-00.{kind}"'.replace("T", "T"))
    assert Image.open(io.BytesIO(body)).n_frames == 6


@pytest.mark.thorough
def test_mp4_is_h264_in_the_colours_that_every_player_knows(served):
    av = pytest.importorskip("av", reason="PyAV is not installed")
    _, _, body = served.ask(f"/api/files/good/windows/3/animation.mp4?panels={PANELS}&speed=12&stretch=log&map=viridis")
    with av.open(io.BytesIO(body)) as film:
        stream = film.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert float(film.duration / av.time_base) == pytest.approx(5 / 12 + 2, abs=0.1)


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("panels=nothing", "nothing"),
        ("panels=", "0 panels"),
        ("panels=" + ",".join(["mean"] * 13), "13 panels"),
        ("panels=mean&low=5&high=5", "5"),
        ("panels=mean@other/99", "99"),
        ("panels=mean@elsewhere/0", "no such forecast"),
        ("panels=mean&speed=0", "speed"),
    ],
)
def test_animations_that_cannot_be_made_are_refused(served, query, words):
    status, _, body = served.ask(f"/api/files/good/windows/3/animation.gif?{query}")
    assert status in (404, 422)
    assert words in json.loads(body)["error"]


def test_netcdf_holds_one_window(served, forecasts, tmp_path):
    (tmp_path / "e.nc").write_bytes(served.ask("/api/files/good/windows/8/ensemble.nc")[2])
    with xr.open_dataset(tmp_path / "e.nc", engine="h5netcdf") as found:
        [name] = [name for name, variable in found.data_vars.items() if "member" in variable.dims]
        wanted = xr.open_zarr(forecasts[0])["forecast"].isel(sample=8, channel=0)
        assert np.array_equal(
            found[name].transpose("member", "time", "y", "x").values,
            wanted.transpose("member", "lead_time", "y", "x").values,
            equal_nan=True,
        )
        assert str(found["sequence"].values) == "region-002"


def test_windows_are_chosen_by_number():
    assert chosen_windows("0,3,8-10", 12) == [0, 3, 8, 9, 10]
    assert chosen_windows(None, 24) == list(range(0, 24, 2))
    assert chosen_windows(None, 3) == [0, 1, 2]
    for text in ("12", "a", "3-1", ""):
        with pytest.raises(ConfigError, match="--windows"):
            chosen_windows(text, 12)


@pytest.mark.thorough
def test_an_export_is_a_folder_of_scripts_without_modules(forecasts, tmp_path):
    with opened(forecasts) as library:
        page = export(library, tmp_path / "out", windows="2,5")
        with pytest.raises(FramecastError, match="exists"):
            export(library, tmp_path / "out")
        export(library, tmp_path / "out", windows="2", overwrite=True)
    html = page.read_text(encoding="utf-8")
    assert "content-security-policy" in html
    for place in re.findall(r'(?:src|href)="([^"#]+)"', html):
        assert (page.parent / place).is_file(), place
    bundle = (page.parent / "pages" / "all.js").read_text(encoding="utf-8")
    assert not re.search(r"^(import|export) ", bundle, flags=re.MULTILINE)
    assert sorted(path.name for path in (page.parent / "data" / "good").iterdir()) == ["0-0.js", "0-0.webp"]
