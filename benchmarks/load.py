"""Is memory bounded and time proportional to the work? Each command at one size and at four times that size.

    python benchmarks/load.py [--only sequences] [--folder FOLDER]

Every row is a process of its own. Seconds are those of the processor, in the process and what it started; memory is
its peak (resident). The last columns say by how much the work, the seconds and the memory grow. A command takes some
seconds and 300 to 500 MB before it begins, so that growth below that of the work is what proportional work looks like.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

TINY = (
    "network.width=4",
    "network.blocks=1",
    "data.past=2",
    "data.future=2",
    "training.steps=2",
    "training.batch=1",
    "training.validation_windows=1",
    "training.precision=float32",
    "sampling.steps=2",
)
HOUR = 3600


class Jobs:
    """Runs commands and keeps what they took.

    Attributes:
        folder: for what they read and write.
        size: of the present case.
        rows: (case, command, size, seconds, megabytes).
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.size = 0
        self.rows: list[tuple[str, str, int, float, float]] = []

    def run(self, case: str, *arguments: object) -> None:
        own = [__file__] if arguments[0] == "write" else ["-m", "framecast"]
        command = [sys.executable, *own, *map(str, arguments)]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed: {(self.folder / 'log').read_text()[-2000:]}")
        scale = 2**20 if sys.platform == "darwin" else 2**10
        row = (case, str(arguments[0]), self.size, used.ru_utime + used.ru_stime, used.ru_maxrss / scale)
        print("   ", *row, flush=True)
        self.rows.append(row)


def sequences(jobs: Jobs, count: int) -> None:
    """So many sequences of eight frames: the same one under many names (hard links)."""
    from framecast.data.archive.format import consolidate
    from framecast.data.archive.reader import ArchiveWriter

    archive = jobs.folder / "sequences.zarr"
    times = np.datetime64("2020-01-01", "ns") + np.arange(8) * np.timedelta64(HOUR, "s")
    random = np.random.default_rng(0)
    attrs = {"independent_sequences": True}
    with ArchiveWriter(
        archive, channels=["rain"], unit="mm/h", cadence=HOUR, height=8, width=8, attrs=attrs, overwrite=True
    ) as writer:
        writer.create("s000000", times)
        for k in range(8):
            writer.write("s000000", k, random.gamma(1, size=(1, 8, 8)).astype("f4"))
    for k in range(1, count):
        shutil.copytree(archive / "s000000", archive / f"s{k:06d}", copy_function=os.link)
    root = json.loads((archive / "zarr.json").read_text())
    root.pop("consolidated_metadata", None)
    (archive / "zarr.json").write_text(json.dumps(root))
    if count <= 1000:
        consolidate(archive)
    jobs.run("sequences", "info", archive)
    jobs.run("sequences", "split", "tiny", *TINY, "--data", archive)
    jobs.run("sequences", "train", "tiny", *TINY, "--data", archive, "--out", jobs.folder / "run")


def written(jobs: Jobs, count: int) -> None:
    """An archive of so many clips of 20 frames of 64 by 64 pixels, written."""
    jobs.run("sequences written", "write", jobs.folder / "made.zarr", count)


def write(path: Path, count: int) -> None:
    import xarray as xr

    from framecast.data.archive.writer import ArchiveWriter

    times = np.datetime64("2020-01-01", "ns") + np.arange(20) * np.timedelta64(300, "s")
    clips = np.random.default_rng(0).gamma(1, size=(8, 20, 1, 64, 64)).astype("f4")
    with ArchiveWriter(path, channels=["rain"], unit="mm/h", cadence=300, height=64, width=64) as writer:
        for k in range(count):
            clip = xr.Dataset({"intensity": (("time", "channel", "y", "x"), clips[k % 8])}, {"time": times})
            writer.add(f"s{k:06d}", clip)


def gridded(path: Path, frames: int, side: int, channels: int = 1) -> Path:
    """Write a NetCDF file of smooth noise, a block of frames at a time."""
    import h5netcdf

    random = np.random.default_rng(0)
    path.unlink(missing_ok=True)
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"time": frames, "channel": channels, "y": side, "x": side}
        time = file.create_variable("time", ("time",), "i8")
        time.attrs["units"] = "hours since 2000-01-01"
        time[:] = np.arange(frames)
        rows = max(1, 2**24 // (channels * side * side))
        chunks = (min(rows, frames), 1, side, side)
        rain = file.create_variable("rain", ("time", "channel", "y", "x"), "f4", chunks=chunks)
        rain.attrs["units"] = "mm/h"
        for start in range(0, frames, rows):
            count = min(rows, frames - start)
            rain[start : start + count] = random.gamma(1, size=(count, channels, side, side)).astype("f4")
    return path


def frames(jobs: Jobs, count: int) -> None:
    """One sequence of so many frames."""
    archive = jobs.folder / "frames.zarr"
    jobs.run("frames", "import", gridded(jobs.folder / "frames.nc", count, 16), archive, "--overwrite")
    jobs.run("frames", "info", archive)
    jobs.run("frames", "split", "tiny", *TINY, "--data", archive)
    jobs.run("frames", "train", "tiny", *TINY, "--data", archive, "--out", jobs.folder / "run")


def trained(jobs: Jobs, case: str, side: int, channels: int) -> tuple[Path, Path]:
    """Return an archive of 40 frames and a model that was hardly trained on it."""
    archive, run = jobs.folder / f"{case}.zarr", jobs.folder / "run"
    jobs.run(case, "import", gridded(jobs.folder / f"{case}.nc", 40, side, channels), archive, "--overwrite")
    shutil.rmtree(run, ignore_errors=True)
    jobs.run(case, "train", "tiny", *TINY, "--data", archive, "--out", run)
    return archive, run


def forecast(jobs: Jobs, case: str, archive: Path, run: Path, *options: object) -> None:
    out, report = jobs.folder / f"{case}-forecast.zarr", jobs.folder / f"{case}-report"
    jobs.run(case, "forecast", run, archive, out, "--seed", 0, "--overwrite", *options)
    jobs.run(case, "evaluate", out, "--out", report, "--overwrite")


def members(jobs: Jobs, count: int) -> None:
    """So many members of one window."""
    forecast(jobs, "members", *trained(jobs, "members", 64, 1), "--members", count, "--limit", 1)


def pixels(jobs: Jobs, count: int) -> None:
    """Frames of so many pixels."""
    side = round(count**0.5)
    forecast(jobs, "pixels", *trained(jobs, "pixels", side, 1), "--members", 2, "--limit", 1)


def channels(jobs: Jobs, count: int) -> None:
    """So many channels, seen and forecast."""
    forecast(jobs, "channels", *trained(jobs, "channels", 64, count), "--members", 4, "--limit", 1)


def windows(jobs: Jobs, count: int) -> None:
    """So many windows evaluated."""
    from framecast.data.forecasts import SampleInfo, write_forecast
    from framecast.videos.frames import FrameSpec

    path, report = jobs.folder / "windows.zarr", jobs.folder / "windows-report"
    names = ("rain",)
    spec = FrameSpec(past_channels=names, future_channels=names, past=2, future=3, cadence=HOUR, height=16, width=16)
    start = np.datetime64("2020-01-01", "ns")
    samples = [SampleInfo(sequence=f"s{k % 50}", issue_time=start + np.timedelta64(k, "h")) for k in range(count)]
    random = np.random.default_rng(0)
    dressing = random.normal(size=(50, 1, 3, 16, 16)).astype("f4")
    with write_forecast(
        path, frames=spec, samples=samples, members=5, unit="mm/h", attrs={}, dressing=dressing, overwrite=True
    ) as writer:
        for k in range(count):
            values = random.gamma(1, size=(8, 1, 3, 16, 16)).astype("f4")
            writer.write(k, past=values[0, :, :2], truth=values[1], forecast=values[2:7])
    jobs.run("windows", "evaluate", path, "--out", report, "--overwrite")


CASES: dict[str, tuple[Callable[[Jobs, int], None], int]] = {
    "sequences": (sequences, 20_000),
    "sequences written": (written, 10_000),
    "frames": (frames, 100_000),
    "members": (members, 500),
    "pixels": (pixels, 1024**2),
    "channels": (channels, 30),
    "windows": (windows, 5_000),
}
"""What is made large, and how large: the other size is a quarter."""


def main() -> None:
    if sys.argv[1:2] == ["write"]:
        return write(Path(sys.argv[2]), int(sys.argv[3]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=CASES)
    parser.add_argument("--folder", type=Path, help="for the files; a temporary one by default")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sizes, to try the script")
    options = parser.parse_args()
    print(f"{'case, command':<28}{'size':>9}{'CPU s':>8}{'MB':>7}{'work ×':>9}{'CPU ×':>8}{'MB ×':>7}", flush=True)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        for case in options.only or CASES:
            make, size = CASES[case]
            jobs = Jobs(Path(name))
            for jobs.size in (max(2, round(size * options.scale) // 4), max(4, round(size * options.scale))):
                shutil.rmtree(jobs.folder, ignore_errors=True)
                jobs.folder.mkdir()
                make(jobs, jobs.size)
            half = len(jobs.rows) // 2
            for small, large in zip(jobs.rows[:half], jobs.rows[half:], strict=True):
                print(f"{f'{case}, {small[1]}':<28}{small[2]:>9}{small[3]:>8.1f}{small[4]:>7.0f}")
                growth = [large[k] / small[k] for k in (2, 3, 4)]
                print(
                    f"{'':<28}{large[2]:>9}{large[3]:>8.1f}{large[4]:>7.0f}"
                    + "".join(f"{factor:>{width}.1f}" for factor, width in zip(growth, (9, 8, 7), strict=True)),
                    flush=True,
                )


if __name__ == "__main__":
    main()
