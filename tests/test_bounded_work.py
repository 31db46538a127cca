"""What a stranger's store, file or folder claims costs no command more than seconds and a gigabyte, and one line."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from framecast.cli import run

pytestmark = pytest.mark.thorough

SECONDS = 20
"""Of the processor for a command that refuses; the first one imports libraries."""


@pytest.fixture
def bounded():
    """A gigabyte more than now, and seconds of the processor, for what follows."""
    if sys.platform != "linux":
        pytest.skip("bounds memory by Linux's means")
    import resource

    import torch  # noqa: F401  what commands import is no work of theirs

    import framecast.reports.report
    import framecast.training.job  # noqa: F401

    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)

    def ring(number, frame):
        raise TimeoutError(f"no end after {SECONDS} s")

    before = signal.signal(signal.SIGPROF, ring)
    resource.setrlimit(resource.RLIMIT_AS, (size + 2**30, limits[1]))

    def begin():
        signal.setitimer(signal.ITIMER_PROF, SECONDS)

    yield begin
    signal.setitimer(signal.ITIMER_PROF, 0)
    signal.signal(signal.SIGPROF, before)
    resource.setrlimit(resource.RLIMIT_AS, limits)


def edit(path, change):
    plain = json.loads(path.read_text())
    plain.pop("consolidated_metadata", None)
    change(plain)
    path.write_text(json.dumps(plain))


def many_channels(folder):
    names = [f"c{k}" for k in range(10**6)]
    for group in [path for path in folder.iterdir() if path.is_dir()]:
        edit(group / "zarr.json", lambda plain: None)
        edit(group / "intensity/zarr.json", lambda plain: plain["shape"].__setitem__(1, len(names)))
    edit(folder / "zarr.json", lambda plain: plain["attributes"].update(channels=names))


def many_frames(folder):
    edit(folder / "zarr.json", lambda plain: None)
    for group in [path for path in folder.iterdir() if path.is_dir()]:
        edit(group / "zarr.json", lambda plain: None)
        for variable in ("intensity", "time", "quality"):
            edit(group / variable / "zarr.json", lambda plain: plain["shape"].__setitem__(0, 10**9))


def deep_json(folder):
    document = folder / "zarr.json"
    document.write_text(document.read_text().replace('"attributes": {', '"attributes": {"deep": ' + "[" * 10**6, 1))


def long_attributes(folder):
    edit(folder / "zarr.json", lambda plain: None)
    edit(folder / "region-0000/zarr.json", lambda plain: None)
    edit(folder / "region-0000/intensity/zarr.json", lambda plain: plain["attributes"].update(long="x" * 10**8))


def bomb(folder):
    """A chunk of half a megabyte that unpacks to six hundred."""

    def change(plain):
        plain["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}]
        plain["codecs"] += [{"name": "gzip", "configuration": {"level": 5}}]

    edit(folder / "zarr.json", lambda plain: None)
    edit(folder / "region-0000/zarr.json", lambda plain: None)
    edit(folder / "region-0000/quality/zarr.json", change)
    (folder / "region-0000/quality/c/0").write_bytes(gzip.compress(bytes(6 * 10**8), 1))


COMMANDS = (
    "info {store}",
    "split tiny data.past=2 data.future=2 --data {store}",
    "import {store} new.zarr --variable intensity",
    "train tiny data.past=2 data.future=2 training.steps=1 --data {store} --out new",
    "forecast {model} {store} new.zarr --members 1 --steps 1 --split all --limit 1",
    "evaluate {store} --out new",
)


def refused(command, bounded, capsys, *, codes=(2,)):
    """Run a command that must refuse, and look at the line that it says."""
    bounded()
    code = run(command.split())
    lines = capsys.readouterr().err.strip().splitlines()
    assert code in codes, (command, lines)
    if not code:
        return
    assert lines[-1].startswith("framecast: ") and len(lines[-1]) < 1000, command
    assert "a bug" not in lines[-1] and not Path("new").exists() and not Path("new.zarr").exists(), (command, lines)


@pytest.mark.parametrize("change", [many_channels, many_frames, deep_json, long_attributes, bomb])
def test_a_hostile_archive_is_refused(small_archive, small_run, bounded, change, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    store = shutil.copytree(small_archive, tmp_path / "hostile.zarr")
    change(store)
    for command in COMMANDS:
        refused(command.format(store=store.name, model=small_run), bounded, capsys)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("device", [None, "/dev/zero", "/dev/null"])
def test_a_pipe_or_a_device_is_not_waited_for(small_archive, small_run, bounded, device, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    place = Path("pipe")
    if device is None:
        os.mkfifo(place)
    else:
        place.symlink_to(device)
    for command in (
        *COMMANDS,
        "import {store} new.zarr",
        "train {store} --data {archive} --out new",
        "split {store} --data {archive}",
        "forecast {store} {archive} new.zarr",
        "calibrate {store} {model}",
        "reference {store} {archive}",
        "export {store} new --format onnx",
    ):
        refused(command.format(store=place, model=small_run, archive=small_archive), bounded, capsys)
    # And behind the names that a folder has.
    model = shutil.copytree(small_run, tmp_path / "run")
    for name, command in {"recipe.yaml": "info run", "log.jsonl": "info run", "data.json": "info run"}.items():
        (model / name).rename(tmp_path / "kept")
        place.replace(model / name) if device is None else (model / name).symlink_to(device)
        refused(command, bounded, capsys, codes=(0, 2))  # a log that is no file counts as none
        (model / name).replace(place) if device is None else (model / name).unlink()
        (tmp_path / "kept").rename(model / name)


@pytest.mark.slow
def test_a_home_that_cannot_be_written_is_not_needed(small_archive, small_changes, tmp_path):
    """Nothing needs the home: what is kept there is made again each time. Even root cannot write below a file."""
    home = tmp_path / "home"
    home.write_text("")
    own = ("FRAMECAST_CACHE", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")
    environment = {key: value for key, value in os.environ.items() if key not in own}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "LOCALAPPDATA": str(home)}
    words = [word for word in small_changes if not word.startswith("data.future_channels")]
    program = (
        "import sys\n"
        "from framecast.cli import run\n"
        "from framecast.domains.corona.writing import write_corona\n"
        "archive, *changes = sys.argv[1:]\n"
        "for line in ('machine', f'import {archive}/region-0000 own.zarr --variable intensity',\n"
        "             f'train tiny --data {archive} --out run ' + ' '.join(changes),\n"
        "             f'forecast run {archive} f.zarr --members 2 --steps 2 --limit 4',\n"
        "             'evaluate f.zarr --out report --replicates 100'):\n"
        "    code = run(line.split())\n"
        "    assert code == 0, (line, code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(small_archive), *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert home.read_text() == ""
    assert np.array([(tmp_path / name).is_dir() for name in ("own.zarr", "run", "f.zarr", "report")]).all()
