"""Forecasts drawn by a worker: the same members as `framecast forecast` draws, from an archive or an upload."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import psutil
import pytest
import xarray as xr
from PIL import Image

import framecast as fc
from framecast.data.archive.reader import Archive
from framecast.view.app import application
from framecast.view.jobs import Limits
from framecast.view.library import opened
from framecast.view.live import Studio
from framecast.view.videos import decode

PAGE = {"X_Page": "a-page-of-tests"}


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept")


@pytest.fixture(scope="module")
def studio(small_run, small_archive, serving, kept):
    studio = Studio(model=str(small_run), archive=small_archive, keep=kept)
    with opened([]) as library:
        yield serving(application(library, studio=studio, limits=Limits(patience=300)))


def send(server, path, body=None, method="POST"):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
    status, _, answer = server.ask(path, method, content, Content_Type=kind, **PAGE)
    return status, json.loads(answer)


def wait(server, job):
    states = []
    end = time.monotonic() + 120
    while (found := send(server, f"/api/jobs/{job['key']}", method="GET")[1])["state"] in ("waiting", "running"):
        assert time.monotonic() < end
        states.append(found)
        time.sleep(0.05)
    return found, states


def wanted(offer, **changes):
    sequence, times = next(iter(offer["sequences"].items()))
    return {"sequence": sequence, "time": times[-1], "members": 3, "seed": 4, "steps": 2} | changes


@pytest.mark.slow
def test_members_are_those_of_the_command(studio, small_run, small_archive, kept, tmp_path):
    offer = studio.json("/api/live")
    asked = wanted(offer)
    status, job = send(studio, "/api/jobs", asked)
    assert status == 200
    done, _ = wait(studio, job)
    assert done["state"] == "done", done
    _, _, body = studio.ask(f"/api/files/live-{job['key']}/windows/0/video?what=member-3")
    header, values = decode(body)
    path = fc.forecast(
        small_run, small_archive, tmp_path / "f.zarr", time=asked["time"], members=3, seed=4, steps=2, progress=False
    )
    file = xr.open_zarr(path)
    place = list(file["sequence"].values).index(asked["sequence"])
    members = file["forecast"].isel(sample=place, channel=0)
    coded = header["step"] * max(1.0, header["soft"])  # of a value near zero; of larger ones a part of them
    assert np.allclose(values[offer["past"] :], members.isel(member=2).values, rtol=header["step"], atol=coded)
    status, found = send(studio, f"/api/jobs/{job['key']}/keep")
    assert status == 200
    again = send(studio, f"/api/jobs/{job['key']}/keep")[1]
    assert again == found
    (own,) = kept.glob("*.zarr")
    assert np.array_equal(
        xr.open_zarr(own)["forecast"].isel(sample=0, channel=0).values, members.values, equal_nan=True
    )
    assert [entry["key"] for entry in studio.json("/api/library")["files"]] == [found["key"]]


@pytest.mark.slow
def test_an_upload_is_forecast_and_removed(studio, small_archive, tmp_path):
    archive = Archive.open(small_archive)
    videos = archive.read(archive.sequences[0])
    data = xr.Dataset(
        {
            name: (("time", "y", "x"), video, {"units": "DN/s"})
            for name, video in zip(archive.channels, videos, strict=True)
        },
        coords={"time": archive.times(archive.sequences[0])},
    )
    data.to_netcdf(tmp_path / "own.nc", engine="h5netcdf")
    status, job = send(studio, "/api/uploads?name=..%2Fown.nc", (tmp_path / "own.nc").read_bytes())
    assert status == 200, job
    read, _ = wait(studio, job)
    assert read["state"] == "done", read
    status, drawn = send(studio, "/api/jobs", wanted(read["found"]["live"], members=2, upload=job["key"]))
    assert status == 200, drawn
    assert wait(studio, drawn)[0]["state"] == "done"


@pytest.mark.slow
def test_zipped_pictures_are_forecast_in_the_unit_of_the_model(serving):
    """A folder of the pictures in the zip file does not matter, and what was assumed is said."""
    buffer, random = io.BytesIO(), np.random.default_rng(0)
    with zipfile.ZipFile(buffer, "w") as packed:
        for k in range(7):
            picture = io.BytesIO()
            Image.fromarray(random.integers(20, 200, (64, 64), np.uint8)).save(picture, "png")
            packed.writestr(f"frames/aia-2020-01-01T{2 * k:02d}0000.png", picture.getvalue())
    with opened([]) as library:
        server = serving(application(library, studio=Studio(model="sun-171-one-shot"), limits=Limits(patience=300)))
        status, job = send(server, "/api/uploads?name=frames.zip", buffer.getvalue())
        assert status == 200, job
        read, _ = wait(server, job)
        assert read["state"] == "done", read
        assert any("DN/s" in note for note in read["found"]["notes"])
        asked = {"members": 2, "steps": None, "upload": job["key"]}
        status, drawn = send(server, "/api/jobs", wanted(read["found"]["live"], **asked))
        assert status == 200, drawn
        done, _ = wait(server, drawn)
        assert done["state"] == "done", done


def pictures(*names):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in names:
            packed.writestr(name, b"no picture")
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "status"),
    [
        ("bad.npy", b"no array", 200),
        ("bad.nc", b"CDF\x01rubbish", 200),
        ("bad.zip", b"no zip", 200),
        ("out.zip", pictures("../../outside.png"), 200),
        ("same.zip", pictures("a/x.png", "b/x.png"), 200),
        ("program.exe", b"MZ", 422),
        ("empty.nc", b"", 422),
    ],
)
def test_bad_uploads_are_refused_in_one_line(studio, name, content, status):
    found, answer = send(studio, f"/api/uploads?name={name}", content)
    assert found == status, answer
    if status == 200:
        job, _ = wait(studio, answer)
        assert job["state"] == "failed", job
        assert job["told"]
        assert "\n" not in job["told"]


def start(*arguments):
    """Start the command, and return it with the address that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "framecast", "view", *map(str, arguments), "--no-browser", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, int(process.stdout.readline().strip().rstrip("/").rpartition(":")[2])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is a signal of POSIX")
def test_a_killed_server_loses_nothing_that_was_kept(small_run, small_archive, make_served, tmp_path):
    arguments = ("--model", small_run, "--data", small_archive, "--keep", tmp_path)
    process, port = start(*arguments)
    server = make_served(port)
    asked = wanted(server.json("/api/live"), members=2)
    done, _ = wait(server, send(server, "/api/jobs", asked)[1])
    assert done["state"] == "done", done
    key = send(server, f"/api/jobs/{done['key']}/keep")[1]["key"]
    send(server, "/api/jobs", asked | {"members": 200, "steps": 1000})
    time.sleep(1)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert workers
    process.kill()
    process.wait()
    assert not psutil.wait_procs(workers, timeout=20)[1]
    process, port = start(*arguments)
    try:
        assert [file["key"] for file in make_served(port).json("/api/library")["files"]] == [key]
    finally:
        process.kill()
        process.wait()


def test_numbers_out_of_range_and_other_pages_are_refused(studio):
    offer = studio.json("/api/live")
    for changes in ({"members": 0}, {"members": 10_000}, {"steps": 0}, {"seed": -1}):
        status, answer = send(studio, "/api/jobs", wanted(offer, **changes))
        assert (status, next(iter(changes)) in answer["error"]) == (422, True)
    assert send(studio, "/api/jobs", wanted(offer, upload="nothing"))[0] == 404
    status, _, _ = studio.ask("/api/jobs", "POST", json.dumps(wanted(offer)).encode(), Content_Type="application/json")
    assert status == 422  # without the header that other sites cannot send


def test_without_a_model_nothing_is_drawn(served):
    status, _, body = served.ask("/api/live")
    assert status == 404
    assert "--model" in json.loads(body)["error"]
