"""From a server on loopback to a page: with the future and without, interrupted and taken up again."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from framecast.cli import run
from framecast.core.files import held
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.domains.solar.predict.images import link_image
from framecast.domains.solar.sources import SynopticSource

pytestmark = pytest.mark.thorough

Capture = pytest.CaptureFixture[str]


def predict(model: Path, out: Path, *options: str, time: str = "2017-08-08T08:00", center: str = "-150,60") -> int:
    given = ["--time", time, "--center", center, "--members", "3", "--out", str(out)]
    return run(["solar", "predict", str(model), *given, *options])


def members(out: Path) -> np.ndarray:
    return open_forecast(out / "forecast.zarr")["forecast"].values


def test_from_the_server_to_a_page(model: Path, server: Any, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "prediction"
    assert predict(model, out, "--base-url", server.url) == 0
    said = capsys.readouterr().out
    assert said.strip().endswith(str(out / "index.html"))
    assert "maximum flux" in said
    assert server.files == 4  # two frames seen, two of the future
    forecast = open_forecast(out / "forecast.zarr")
    assert forecast["forecast"].shape == (1, 3, 2, 1, 16, 16)
    assert np.isfinite(forecast["truth"].values).all()
    assert str(forecast["issue_time"].values[0])[:19] == "2017-08-08T08:00:09"
    region = Archive.open(out / "region.zarr")
    assert region.attrs["pixel_arcsec"] == 40.0  # as in the training
    sequence = region.sequence(region.sequences[0])
    at = int(np.abs(sequence["time"].values - forecast["issue_time"].values[0]).argmin())
    assert float(sequence["hpc_x"][at]) == pytest.approx(-150, abs=0.01)
    assert float(sequence["hpc_y"][at]) == pytest.approx(60, abs=0.01)
    assert np.diff(sequence["hpc_x"].values).min() > 10  # followed: the Sun turns to the west
    page = (out / "index.html").read_text()
    assert page.count("data:image/") == 2 + 2 + 1 + 1 + 1  # frames of the animation, curve, strip, disk
    assert "http://" not in page.replace(server.url, "")  # nothing is fetched to show it
    told = json.loads((out / "prediction.json").read_text())
    assert told["future_known"] == [True, True]
    assert np.array(told["total"]["171"]["members"]).shape == (3, 2)
    rows = list(csv.DictReader((out / "intervals.csv").open()))
    assert [row["quantity"] for row in rows] == ["peak", "integral", "time_of_peak"]
    for row in rows:
        assert float(row["low_90"]) <= float(row["low_50"]) <= float(row["median"]) <= float(row["high_50"])
        assert row["observed"]


@pytest.mark.slow
def test_in_real_time_there_is_no_future(model: Path, server: Any, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "prediction"
    server.moods = {"1000_0171": ["*404"], "1002_": ["*404"], "0958_": ["*404"]}
    assert predict(model, out, "--base-url", server.url) == 0
    said = capsys.readouterr().out
    assert "not known" in said
    assert "Unavailable images of the future (1)" in said
    first = members(out)
    issued = {path: path.read_bytes() for path in (out / "forecast.zarr").rglob("*") if path.is_file()}
    created = open_forecast(out / "forecast.zarr").attrs["created"]
    assert abs(np.datetime64("now") - np.datetime64(created.removesuffix("Z"))) < np.timedelta64(10, "m")
    assert open_forecast(out / "forecast.zarr").attrs["data_cutoff"] == "2017-08-08T08:00:09"
    assert json.loads((out / "prediction.json").read_text())["future_known"] == [False, True]
    server.moods = {}
    assert predict(model, out, "--base-url", server.url) == 0  # it has come since
    assert "not known" not in capsys.readouterr().out
    assert json.loads((out / "prediction.json").read_text())["future_known"] == [True, True]
    assert np.array_equal(members(out), first)  # the past is the same, and so is the forecast
    assert {path: path.read_bytes() for path in (out / "forecast.zarr").rglob("*") if path.is_file()} == issued
    assert predict(model, tmp_path / "alone", "--base-url", server.url, "--no-future") == 0
    assert json.loads((tmp_path / "alone" / "prediction.json").read_text())["future_known"] == [False, False]
    assert "not available yet" in (tmp_path / "alone" / "index.html").read_text()
    assert np.array_equal(members(tmp_path / "alone"), first)


@pytest.mark.slow
def test_local_files_of_any_name_give_the_same(model: Path, jsoc: Path, server: Any, tmp_path: Path) -> None:
    loose = tmp_path / "loose"
    loose.mkdir()
    for number, path in enumerate(sorted(jsoc.rglob("*.fits"))):
        shutil.copy(path, loose / f"IMG_{99 - number}.fts")
    assert predict(model, tmp_path / "a", "--base-url", server.url) == 0
    assert predict(model, tmp_path / "b", "--source", str(loose)) == 0
    assert np.array_equal(members(tmp_path / "a"), members(tmp_path / "b"))


@pytest.mark.slow
def test_finished_stages_are_not_repeated(model: Path, server: Any, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "prediction"
    assert predict(model, out, "--base-url", server.url) == 0
    made = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    capsys.readouterr()
    asked = server.files
    assert predict(model, out, "--base-url", server.url) == 0
    assert capsys.readouterr().out.count("done earlier") == 4
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == made
    assert server.files == asked
    assert predict(model, out, "--base-url", server.url, "--members", "4") == 2  # an issued forecast stays
    assert "issued forecasts are not overwritten" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == made
    assert predict(model, out, "--base-url", server.url, "--members", "4", "--overwrite") == 0
    capsys.readouterr()
    assert members(out).shape[1] == 4
    shutil.rmtree(out / "forecast.zarr")
    assert predict(model, out, "--base-url", server.url, "--members", "4") == 0
    assert capsys.readouterr().out.count("done earlier") == 2  # the page says when its forecast was made


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["cut_region", "forecast_region", "write_prediction"])
def test_interrupted_anywhere_it_goes_on(
    stage: str, model: Path, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import framecast.domains.solar.predict
    import framecast.domains.solar.predict.page

    assert predict(model, tmp_path / "whole", "--base-url", server.url) == 0
    home = framecast.domains.solar.predict.page if stage == "write_prediction" else framecast.domains.solar.predict

    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(home, stage, interrupted)
        assert predict(model, tmp_path / "cut", "--base-url", server.url) == 130
    assert predict(model, tmp_path / "cut", "--base-url", server.url) == 0
    assert np.array_equal(members(tmp_path / "cut"), members(tmp_path / "whole"))
    table = "intervals.csv"
    assert (tmp_path / "cut" / table).read_text() == (tmp_path / "whole" / table).read_text()


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"center": "3000,0"}, "beyond the limb, which is 946″"),
        ({"center": "east"}, "write x,y in arcsec"),
        ({"time": "yesterday"}, "write a time such as"),
        ({"time": "2099-01-01"}, "is in the future"),
        ({"time": "2017-08-07T12:00"}, "2 of the 2 images that the model needs are unavailable"),
        ({"center": "925,0"}, "of a past frame lies beyond the limb"),
    ],
)
def test_mistakes_are_told_in_one_line(
    changes: dict[str, str], complaint: str, model: Path, jsoc: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert predict(model, tmp_path / "out", "--source", str(jsoc), **changes) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("framecast:")]
    assert complaint in line
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_prediction_that_cannot_be_made_keeps_only_what_was_downloaded(
    model: Path, server: Any, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert predict(model, out, "--source", str(tmp_path / "nowhere")) == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    assert not out.exists()
    assert predict(model, out, "--base-url", server.url, center="925,0") == 2
    assert capsys.readouterr().err.startswith("forecasting the Sun at 925,0 on 2017-08-08T08:00 with")
    asked = server.files
    assert predict(model, out, "--base-url", server.url) == 0
    assert server.files == asked > 0


def test_a_folder_of_something_else_is_left_alone(model: Path, jsoc: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "thesis.tex").write_text("chapter 1")
    assert predict(model, tmp_path, "--source", str(jsoc)) == 2
    assert "is not a framecast prediction: choose another name" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_one_process_at_a_time_predicts_in_a_folder(model: Path, jsoc: Path, tmp_path: Path, capsys: Capture) -> None:
    with held(tmp_path, doing="predicting"):
        assert predict(model, tmp_path, "--source", str(jsoc)) == 2
    assert f"another process is predicting in {tmp_path}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_doubtful_frame_is_refused_until_it_is_accepted(
    model: Path, jsoc: Path, tmp_path: Path, capsys: Capture
) -> None:
    from astropy.io import fits

    shutil.copytree(jsoc, tmp_path / "sun")
    path = next((tmp_path / "sun").rglob("*0600_0171.fits"))
    with fits.open(path, mode="update") as hdus:
        hdus[0].header["QUALITY"] = 1 << 12
    assert predict(model, tmp_path / "out", "--source", str(tmp_path / "sun")) == 2
    assert "2017-08-08 06:00 is doubtful (the spacecraft was not in science pointing)" in capsys.readouterr().err
    assert predict(model, tmp_path / "out", "--source", str(tmp_path / "sun"), "--accept-quality", "12,30") == 0


@pytest.mark.slow
def test_a_models_calibration_widens_the_intervals(model: Path, jsoc: Path, tmp_path: Path) -> None:
    from framecast.models.header import find_model
    from framecast.verification.recalibration.calibration import Calibration, drawing, write_calibration
    from framecast.verification.scores.intervals import LEVELS

    assert predict(model, tmp_path / "own", "--source", str(jsoc)) == 0
    copy = tmp_path / "model"
    shutil.copytree(find_model(model), copy)
    widths = {str(round(100 * level)): [10.0 * level] for level in LEVELS} | {"90": [None], "96": [None]}
    calibration = Calibration(
        model="tiny",
        drawing=drawing(dict(open_forecast(tmp_path / "own" / "forecast.zarr").attrs)),
        unit="DN/s",
        channels=("171",),
        lead_times_h=(2.0, 4.0),
        size=(16, 16),
        blocks="day",
        number_of_blocks=4,
        windows=("other@2017-08-01T00:00",),
        scales=dict.fromkeys(("total", "peak", "integral", "time_of_peak"), "unit"),
        offsets=dict.fromkeys(("peak", "integral", "time_of_peak"), widths)
        | {"total": {level: [[offset[0]] * 2] for level, offset in widths.items()}},
    )
    write_calibration(copy, calibration)
    assert predict(copy, tmp_path / "calibrated", "--source", str(jsoc)) == 0
    own, widened = (list(csv.DictReader((tmp_path / name / "intervals.csv").open())) for name in ("own", "calibrated"))
    assert float(widened[0]["low_50"]) == pytest.approx(float(own[0]["low_50"]) - 5, rel=1e-5)
    assert float(widened[0]["high_50"]) == pytest.approx(float(own[0]["high_50"]) + 5, rel=1e-5)
    assert widened[0]["low_90"] == ""  # four blocks cannot promise 90 %
    assert "recalibrated on windows" in (tmp_path / "calibrated" / "index.html").read_text()
    assert np.array_equal(members(tmp_path / "own"), members(tmp_path / "calibrated"))


def test_where_no_links_can_be_made_images_are_copied(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError("a required privilege is not held by the client")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    (tmp_path / "image.fits").write_bytes(b"pixels")
    link_image(tmp_path / "image.fits", tmp_path / "copy.fits")
    assert (tmp_path / "copy.fits").read_bytes() == b"pixels"


@pytest.mark.slow
def test_the_newest_image_of_a_folder_and_what_the_files_say_of_places(
    model: Path, jsoc: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert predict(model, out, "--source", str(jsoc), "--region", "AR12670", time="latest-2h", center="N05E08") == 0
    assert "AR12670" in (out / "index.html").read_text()
    forecast = open_forecast(out / "forecast.zarr")
    assert str(forecast["issue_time"].values[0])[:16] == "2017-08-08T11:00"
    assert forecast.attrs["data_cutoff"].startswith("2017-08-08T11:00")
    assert {"created", "model", "weights_sha256", "framecast_version", "torch_version"} <= set(forecast.attrs)
    region = Archive.open(out / "region.zarr").sequence("AR12670")
    ahead = forecast["hpc_x"].values[0]
    # The frame two hours later is known: rotation puts it where it was.
    assert ahead[0] == pytest.approx(float(region["hpc_x"].values[-1]), abs=0.5)
    assert np.diff([*forecast["past_hpc_x"].values[0], *ahead]).min() > 10
    assert forecast["hpc_x"].attrs["units"] == "arcsec"
    assert {path.suffix for path in (out / "figures").glob("film-171.*")} >= {".webp", ".gif"}
    assert run(["solar", "maps", str(out / "forecast.zarr"), str(out / "maps"), "--statistics", "mean,0.9"]) == 0
    assert len(list((out / "maps").glob("171_*.fits"))) == 4
    capsys.readouterr()


@pytest.mark.slow
def test_maps_become_a_forecast_without_files(model: Path, jsoc: Path, tmp_path: Path) -> None:
    import sunpy.map
    from astropy.io import fits

    import framecast as fc
    from framecast.domains.solar.maps import forecast_maps, to_maps

    assert predict(model, tmp_path / "out", "--source", str(jsoc)) == 0
    wanted = open_forecast(tmp_path / "out" / "forecast.zarr")
    paths = [next(jsoc.rglob(f"*_{hour}00_0171.fits")) for hour in ("08", "06")]
    loaded = fc.load(model)
    units = {"CUNIT1": "arcsec", "CUNIT2": "arcsec", "CTYPE1": "HPLN-TAN", "CTYPE2": "HPLT-TAN"}
    maps = [sunpy.map.Map(fits.getdata(path), {**fits.getheader(path), **units}) for path in paths]
    made = forecast_maps(loaded, maps, center=(-150, 60), members=3)
    assert np.allclose(made["past"].values, wanted["past"].values[0], rtol=1e-4, atol=1e-3, equal_nan=True)
    assert made["hpc_x"].values == pytest.approx(wanted["hpc_x"].values[0], abs=0.05)
    (first, *_) = to_maps(made, "members")["member00"]
    assert first.date.isot[:16] == "2017-08-08T10:00"


def test_saturated_pixels_are_treated_as_in_training(model: Path) -> None:
    import framecast as fc
    from framecast.domains.solar.options import PredictOptions
    from framecast.domains.solar.predict import _radiometry

    options = PredictOptions(time=np.datetime64("2017-08-08T08:00"), center=(0.0, 0.0))
    config = fc.load(model).config
    assert _radiometry(config, options).saturation is None  # its archive masks them by the instrument's level
    assert _radiometry(fc.load("sun-171").config, options).saturation == 0  # its archive is older
    asked = PredictOptions(time=options.time, center=(0.0, 0.0), saturation=9000.0)
    assert _radiometry(config, asked).saturation == 9000


@pytest.mark.slow
def test_pictures_without_a_header_are_predicted_by_the_released_model(
    real_data: Path, tmp_path: Path, capsys: Capture
) -> None:
    """The newest of a folder of magnetograms: pointing, time and unit come from the options."""
    day, folder = real_data / "hmi-fulldisk-2026" / "2026" / "02" / "20", tmp_path / "hmi"
    folder.mkdir()
    for path in sorted(day.glob("*.jpg"))[:12]:
        (folder / path.name).symlink_to(path)
    command = ["solar", "predict", "hmi-los", "--time", "latest", "--center", "N05W10", "--source", str(folder)]
    command += ["--disk", "255.5,255.5,202.5", "--levels", "128,1", "--members", "3", "--out", str(tmp_path / "out")]
    assert run(command) == 0
    with open_forecast(tmp_path / "out" / "forecast.zarr") as file:
        assert file.attrs["domain"] == "magnetograms"
        assert abs(file["issue_time"].values[0] - np.datetime64("2026-02-20T11:00")) < np.timedelta64(1, "h")
        assert file["forecast"].values.min() < 0 < file["forecast"].values.max()
        assert 100 < file["hpc_x"].values[0, 0] < file["hpc_x"].values[0, -1]
    assert "AIA science team" not in (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert run(["solar", "predict", "hmi-los", *command[3:7], *command[9:-1], str(tmp_path / "other")]) == 2
    assert "--source" in capsys.readouterr().err


@pytest.mark.slow
def test_the_newest_image_of_a_server(model: Path, jsoc: Path, serve_archive: Any, tmp_path: Path) -> None:
    """Images every two minutes until a quarter of an hour ago, and those of two hours before."""
    source, first = SynopticSource(base_url="http://127.0.0.1/"), next(iter(sorted(jsoc.rglob("*.fits"))))
    newest = np.datetime64("now", "m") - 14
    newest -= newest.astype(int) % 2
    for minutes in (0, 2, 4, 120, 122, 124):
        path = tmp_path / "synoptic" / source.locate(newest - minutes, 171).path
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(first, path)
        fits.setval(path, "DATE-OBS", value=f"{(newest - minutes).astype('datetime64[s]')}.35")
    with serve_archive(tmp_path / "synoptic") as server:
        out = tmp_path / "out"
        assert predict(model, out, "--base-url", server.url, "--no-future", time="latest") == 0
    issued = open_forecast(out / "forecast.zarr")["issue_time"].values[0]
    assert abs(newest - issued) < np.timedelta64(6, "m")
