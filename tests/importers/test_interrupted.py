"""Imports that are interrupted, resumed, and begun twice."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from framecast.core.errors import DataError
from framecast.data.archive.reader import Archive
from framecast.importers.importing import import_data


def write_source(path: Path, *, frames: int = 700, value: float = 0.0) -> Path:
    values = np.random.default_rng(0).random((frames, 32, 32), dtype=np.float32) + np.float32(value)
    times = np.datetime64("2024-01-01", "ns") + np.arange(frames) * np.timedelta64(5, "m")
    data = xr.Dataset({"rain": (("time", "y", "x"), values, {"units": "mm/h"})}, {"time": times})
    data.to_netcdf(path, engine="h5netcdf")
    return path


def stop_at(number: int, signum: int | None = None):
    def progress(done: int, total: int) -> None:
        if done == number:
            if signum is None:
                raise KeyboardInterrupt
            os.kill(os.getpid(), signum)

    return progress


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_an_interrupted_import_resumes_and_ends_in_the_same_bytes(tmp_path):
    source = write_source(tmp_path / "rain.nc")
    whole = import_data(source, tmp_path / "whole.zarr")
    with pytest.raises(KeyboardInterrupt) as stopped:
        import_data(source, tmp_path / "a.zarr", progress=stop_at(600))
    assert "512 frames" in stopped.value.__notes__[0]
    seen = []
    again = import_data(source, tmp_path / "a.zarr", progress=lambda done, _: seen.append(done))
    assert seen[0] == 513
    assert again == whole
    assert bytes_of(tmp_path / "a.zarr") == bytes_of(tmp_path / "whole.zarr")
    assert Archive.open(tmp_path / "a.zarr").fingerprint() == Archive.open(tmp_path / "whole.zarr").fingerprint()


def test_it_does_not_resume_with_another_source(tmp_path):
    source = write_source(tmp_path / "rain.nc")
    with pytest.raises(KeyboardInterrupt):
        import_data(source, tmp_path / "a.zarr", progress=stop_at(600))
    write_source(source, value=1)
    with pytest.raises(DataError, match="started with a different source"):
        import_data(source, tmp_path / "a.zarr")
    imported = import_data(source, tmp_path / "a.zarr", overwrite=True)
    assert min(imported.low) >= 1


def test_a_source_that_changes_meanwhile_is_noticed(tmp_path):
    source = write_source(tmp_path / "rain.nc", frames=20)
    with pytest.raises(DataError, match="changed while it was read"):
        import_data(source, tmp_path / "a.zarr", progress=lambda done, _: os.utime(source, (done, done)))
    assert not (tmp_path / "a.zarr").exists()


@pytest.mark.slow
@pytest.mark.thorough
def test_of_two_imports_to_one_name_the_second_is_refused(tmp_path):
    source = write_source(tmp_path / "rain.nc")
    command = [sys.executable, "-m", "framecast", "import", str(source), str(tmp_path / "a.zarr")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        deadline = time.monotonic() + 60
        while not (tmp_path / ".a.zarr.partial" / "zarr.json").exists() and time.monotonic() < deadline:
            time.sleep(0.001)
        first.send_signal(signal.SIGSTOP)
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        first.send_signal(signal.SIGCONT)
        assert second.returncode == 2
        assert "another process is writing" in second.stderr.splitlines()[-1]
        assert "Traceback" not in second.stderr
        first.communicate()
    assert first.returncode == 0
    assert np.isfinite(Archive.open(tmp_path / "a.zarr").read("rain")).all()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.zarr", "rain.nc"]
