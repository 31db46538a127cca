"""The script of the operating guide, run as it stands there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import framecast as fc

GUIDE = Path(__file__).parents[1] / "docs" / "operating.md"


def hourly(folder: Path, hours: range) -> None:
    """One NetCDF file for each hour."""
    for hour in hours:
        time = np.datetime64("2026-03-01T00", "ns") + np.timedelta64(hour, "h")
        rain = np.random.default_rng(hour).gamma(2.0, 1.0, (1, 16, 16)).astype(np.float32)
        frame = xr.Dataset({"rain": (("time", "y", "x"), rain, {"units": "mm/h"})}, coords={"time": [time]})
        frame.to_netcdf(folder / f"rain-{str(time)[:13]}.nc")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the script is for a POSIX shell")
def test_the_script_forecasts_from_what_is_new_and_keeps_what_was_issued(tmp_path):
    place = tmp_path / "service"
    (place / "incoming").mkdir(parents=True)
    hourly(place / "incoming", range(30))
    data = fc.import_data([str(place / "incoming")], tmp_path / "all.zarr", progress=False)
    assert data is not None
    small = {
        "data.past": 3,
        "data.future": 2,
        "network": {"width": 4},
        "training": {"steps": 1, "batch": 2, "validation_windows": 2, "precision": "float32"},
        "sampling": {"steps": 2, "precision": "float32"},
    }
    fc.train("tiny", tmp_path / "all.zarr", out=place / "model", progress=False, **small)
    script = place / "hourly.sh"
    script.write_text(re.search(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)[1])
    command = place / "bin" / "framecast"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m framecast "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}

    def cycle() -> subprocess.CompletedProcess:
        return subprocess.run(
            [shutil.which("sh"), script], env=environment, capture_output=True, text=True, check=False
        )

    first = cycle()
    assert first.returncode == 0, first.stderr
    hourly(place / "incoming", range(30, 32))
    assert cycle().returncode == 0
    issued = [fc.open_forecast(path)["issue_time"].values.max() for path in sorted((place / "forecasts").iterdir())]
    assert [str(time)[:13] for time in issued] == ["2026-03-02T05", "2026-03-02T07"]
    newest = (place / "pages" / "latest").resolve()
    assert newest.name == max(path.name for path in (place / "forecasts").iterdir()).removesuffix(".zarr")
    assert list(newest.glob("*.html"))

    (place / "incoming" / "rain-2026-03-02T08.nc").write_bytes(b"half of a file")
    third = cycle()
    assert third.returncode == 2
    assert "rain-2026-03-02T08.nc" in third.stderr
    assert len(list((place / "forecasts").iterdir())) == 2
    assert fc.open_archive(place / "recent.zarr").times("rain")[-1] == np.datetime64("2026-03-02T07")
