"""Signals: one line that says what is saved, and the documented exit code, at any moment of any command."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

from framecast.cli import run

pytestmark = pytest.mark.thorough

FRAMECAST = [sys.executable, "-m", "framecast"]


def stopped(words, *, when, number, cwd):
    """Send a signal to a command as soon as ``when()`` is true; return code and what it said on stderr."""
    with subprocess.Popen(
        [*FRAMECAST, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd
    ) as p:
        deadline = time.monotonic() + 100
        while not when() and p.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        p.send_signal(number)
        said = p.communicate()[1]
    return p.returncode, said.strip().splitlines()[-1], said


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_a_signal_to_an_import_says_what_is_saved_and_it_resumes(tmp_path, number):
    values = np.random.default_rng(0).random((4000, 32, 32), dtype=np.float32)
    times = np.datetime64("2024-01-01", "ns") + np.arange(4000) * np.timedelta64(5, "m")
    data = xr.Dataset({"rain": (("time", "y", "x"), values, {"units": "mm/h"})}, {"time": times})
    data.to_netcdf(tmp_path / "rain.nc", engine="h5netcdf")
    journal = tmp_path / ".a.zarr.journal"
    code, line, said = stopped(
        ["import", "rain.nc", "a.zarr"],
        when=lambda: journal.exists() and '"block"' in journal.read_text(),
        number=number,
        cwd=tmp_path,
    )
    assert code == 128 + number, said
    assert "frames of a.zarr are saved" in line
    assert "Traceback" not in said
    assert run(["import", str(tmp_path / "rain.nc"), str(tmp_path / "a.zarr")]) == 0


@pytest.mark.slow
def test_a_signal_to_a_forecast_says_what_is_saved_and_it_resumes(small_archive, small_run, tmp_path):
    words = ["forecast", str(small_run), str(small_archive), "f.zarr", "--members", "100", "--split", "all"]
    complete = tmp_path / ".f.zarr.partial/complete/c"
    code, line, said = stopped(
        words, when=lambda: complete.is_dir() and any(complete.iterdir()), number=signal.SIGTERM, cwd=tmp_path
    )
    assert code == 128 + signal.SIGTERM, said
    assert "windows are saved: the same command resumes" in line
    assert "Traceback" not in said
    words[3] = str(tmp_path / "f.zarr")
    assert run(words) == 0


@pytest.mark.parametrize("delay", [0.05, 0.1, 0.2, 0.4])
def test_a_signal_at_the_beginning_prints_no_trace(tmp_path, delay):
    """Python's own start takes some hundredths of a second, in which nothing of framecast's is imported yet."""
    began = time.monotonic()
    program = "import framecast.__main__ as m, os; os.write(1, b'!'); m.main()"
    command = [sys.executable, "-c", program, "synth", "a.zarr", "--regions", "500"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path) as process:
        assert process.stdout.read(1) == b"!"
        while time.monotonic() < began + delay:
            time.sleep(0.001)
        time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        said = process.communicate()[1].decode()
    assert process.returncode == 130, said
    assert said.removeprefix("simulating 500 active regions\n") == "framecast: interrupted\n"


def test_the_end_of_a_command_gives_the_signals_back(tmp_path):
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    assert run(["info", str(tmp_path / "nothing")]) == 2
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
