"""From nothing to a forecast on the command line, small; and what goes wrong on the way."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import xarray as xr

from framecast.cli import failures, run

pytestmark = pytest.mark.thorough

TINY = ("network.width=8", "training.batch=2", "training.validation_windows=2", "data.past=3", "data.future=2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with ``corona.zarr``, the ``run`` of three steps on it and ``forecast.zarr`` of two of its windows."""
    folder = tmp_path_factory.mktemp("way")
    archive, model, forecast = (str(folder / name) for name in ("corona.zarr", "run", "forecast.zarr"))
    assert run(["synth", archive, "--regions", "10", "--frames", "8", "--size", "16"]) == 0
    assert run(["train", "tiny", "--data", archive, "--out", model, "training.steps=3", *TINY]) == 0
    assert run(["forecast", model, archive, forecast, "--members", "3", "--limit", "2", "--steps", "2"]) == 0
    return folder


def test_the_forecast_holds_what_was_asked_for(folder):
    forecast = xr.open_zarr(folder / "forecast.zarr")
    assert dict(forecast["forecast"].sizes) == {
        "sample": 2,
        "member": 3,
        "lead_time": 2,
        "channel": 3,
        "y": 16,
        "x": 16,
    }
    assert forecast["forecast"].notnull().all()
    assert (forecast.attrs["seed"], forecast.attrs["steps"], forecast.attrs["split"]) == (0, 2, "validation")
    assert forecast.attrs["sampler"].startswith("dpm-solver++")


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("corona.zarr", ["archive", "10 (region-0000 … region-0009)", "80, 8 per sequence", "16 × 16 pixels", "2h"]),
        (
            "run",
            ["run", "finished: 3 steps", "checkpoints steps 3;", "video-unet (width 8", "parameters", "cosine"],
        ),
        ("run/checkpoints/00000003/model", ["model", "3 frames of 193, 211, 94", "dpm-solver++", "change"]),
        ("forecast.zarr", ["forecast", "2 of", "2, 2h to 4h", "oracle yes", "seed 0"]),
    ],
)
def test_info_says_what_a_folder_is(folder, name, lines, capsys):
    assert run(["info", str(folder / name)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    for line in lines:
        assert line in out


def test_the_same_training_again_is_complete_already(folder, capsys):
    before = sorted((folder / "run").rglob("*"))
    again = ["train", "tiny", "--data", str(folder / "corona.zarr"), "--out", str(folder / "run"), "training.steps=3"]
    assert run([*again, *TINY]) == 0
    assert sorted((folder / "run").rglob("*")) == before
    following = f"framecast forecast {folder / 'run'} {folder / 'corona.zarr'} forecast.zarr --split test"
    assert capsys.readouterr().err.splitlines()[-1] == f"next: {following}"


def test_a_forecast_ends_with_the_command_that_scores_it(folder, tmp_path, capsys):
    given = [str(folder / "run"), str(folder / "corona.zarr"), str(tmp_path / "few.zarr"), "--members", "2"]
    assert run(["forecast", *given, "--limit", "1", "--steps", "1", "--split", "test"]) == 0
    line = capsys.readouterr().err.splitlines()[-1]
    assert line == f"next: framecast evaluate {tmp_path / 'few.zarr'} --out report"
    assert run([*line.split()[2:-1], str(tmp_path / "report")]) == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["synth", "corona.zarr"], "--overwrite"),
        (["train", "tiny", "--out", "x"], "--data ARCHIVE"),
        (["train", "tinny", "--data", "corona.zarr", "--out", "x"], "tinny"),
        (["train", "tiny", "training.stepps=5", "--data", "corona.zarr", "--out", "x"], "did you mean steps?"),
        (["train", "tiny", "--data", "nowhere.zarr", "--out", "x"], "nowhere.zarr does not exist"),
        (["train", "tiny", *TINY, "--data", "corona.zarr", "--out", "run"], "different recipe"),
        (["train", "tiny", "data.past=30", "--data", "corona.zarr", "--out", "x"], "window"),
        (["train", "tiny", "data.past_channels=[171]", "--data", "corona.zarr", "--out", "x"], "171"),
        (["train", "tiny", "--device", "abacus", "--data", "corona.zarr", "--out", "x"], "abacus"),
        (["forecast", "nowhere", "corona.zarr", "x"], "no model at nowhere"),
        (["forecast", "run", "run", "x"], "not a framecast archive"),
        (["forecast", "run", "corona.zarr", "forecast.zarr"], "--overwrite"),
        (["forecast", "run", "corona.zarr", "x", "--steps", "5000"], "5000"),
        (["forecast", "run", "corona.zarr", "x", "--sampler", "ddin"], "ddin"),
        (["forecast", "run", "corona.zarr", "x", "--sampler", "ddim:eta"], "ddim:eta=0.5"),
        (["forecast", "run", "corona.zarr", "x", "--sampler", "ddim:eta=["], "'ddim:eta=[' is not valid YAML"),
        (["forecast", "run", "corona.zarr", "x", "--members", "9000000000"], "members is 9000000000, which take"),
        (["forecast", "run", "corona.zarr", "x", "--clip", "94=0"], "'94=0'; write a name and two numbers"),
        (
            ["forecast", "run", "corona.zarr", "x", "--clip", "95=0:1"],
            "clip names 95; what is forecast is 193, 211, 94",
        ),
        (["forecast", "run", "corona.zarr", "x", "--split", "yesterday"], "yesterday"),
        (["demo", "--out", "run"], "other than a demo"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_leaves_nothing_behind(folder, arguments, says, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    before = sorted(folder.rglob("*"))
    assert run(arguments) == failures.MISTAKEN
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("framecast: ")]
    assert says in line
    assert sorted(folder.rglob("*")) == before


def test_a_recipe_printed_can_be_trained_from(folder, capsys, tmp_path):
    assert run(["train", "tiny", "--print-config", "training.steps=7"]) == 0
    path = tmp_path / "mine.yaml"
    path.write_text(capsys.readouterr().out)
    assert run(["train", str(path), "--print-config"]) == 0
    assert capsys.readouterr().out == path.read_text()
    assert "steps: 7" in path.read_text()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_is_one_line(folder, unbuffered):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "framecast", "info", str(folder / "corona.zarr")]
        environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
    assert result.returncode == failures.FAILED
    assert result.stderr.startswith("framecast: the disk is full")
    assert result.stderr.count("\n") == 1


@pytest.mark.slow
def test_an_interrupt_saves_the_steps_made_and_the_same_command_goes_on(folder, tmp_path):
    out = tmp_path / "run"
    command = [sys.executable, "-m", "framecast", "train", "tiny", "--data", str(folder / "corona.zarr")]
    command += ["--out", str(out), *TINY, "training.checkpoint_every=100000", "training.validate_every=100000"]
    process = subprocess.Popen(
        [*command, "training.steps=100000"], stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    deadline = time.monotonic() + 300
    while steps_logged(out) < 10 and time.monotonic() < deadline:
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == failures.INTERRUPTED
    assert errors.splitlines()[-1] == "framecast: interrupted"
    assert "Traceback" not in errors
    [checkpoint] = (out / "checkpoints").iterdir()
    assert int(checkpoint.name) >= 10
    assert (checkpoint / "model" / "config.json").is_file()


def steps_logged(run: Path) -> int:
    log = run / "log.jsonl"
    lines = log.read_text().splitlines(keepends=True) if log.exists() else []
    return max((json.loads(line).get("step", 0) for line in lines if line.endswith("\n")), default=0)


def heed_interrupts() -> None:
    """Undo what a shell does to a suite that runs in its background: there, processes are born deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


WITHOUT = """
import sys
import psutil  # it knows the system, and what it has
sys.modules.update(dict.fromkeys(("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty")))
import numpy as np
import xarray as xr
from framecast.cli import run
times = np.datetime64("2020-01-01", "ns") + np.arange(60) * np.timedelta64(1, "h")
values = np.random.default_rng(0).gamma(1, size=(60, 16, 16)).astype("f4")
xr.Dataset({"rain": (("time", "y", "x"), values, {"units": "mm/h"})}, {"time": times}).to_netcdf("rain.nc")
for command in COMMANDS:
    assert run(command.split()) == 0, command
"""


@pytest.mark.slow
def test_every_command_works_without_what_only_unix_has(tmp_path):
    small = "network.width=4 network.blocks=1 data.past=2 data.future=2 sampling.steps=1 training.batch=1"
    small += " training.steps=1 training.validation_windows=1 training.precision=float32"
    commands = (
        "import rain.nc rain.zarr",
        "info rain.zarr",
        f"split tiny {small} --data rain.zarr --out split.csv",
        f"train tiny {small} --data rain.zarr --out run",
        "forecast run rain.zarr test.zarr --members 3 --limit 2",
        "forecast run rain.zarr validation.zarr --members 3 --split validation",
        "evaluate test.zarr --out report",
        "calibrate validation.zarr run --blocks sample",
        "netcdf test.zarr test.nc",
        "reference run rain.zarr",
        "view test.zarr --export pages",
        "machine",
    )
    code = WITHOUT.replace("COMMANDS", repr(commands))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
