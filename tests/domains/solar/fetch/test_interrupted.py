"""Killed at any moment, fetching leaves whole files only, and ends in the same bytes when it is run again."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote
from urllib.request import urlopen

import numpy as np
import pytest

from framecast.domains.solar.fetch import fetch
from framecast.domains.solar.observations import scan
from framecast.domains.solar.options import Transfer
from framecast.domains.solar.sources import SynopticSource

SERVER = Path(__file__).parents[3] / "archive_server.py"


@pytest.fixture(scope="module")
def url(archive: Path) -> Iterator[str]:
    """The address of a server in a process of its own, which answers slowly enough to be interrupted."""
    command = [sys.executable, str(SERVER), str(archive), "0", "0.03"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.terminate()


def fall_silent(url: str, *, after: int | None) -> None:
    """Let the server break off ``after`` so many images in the middle of each further one; None lets it serve all."""
    moods = {} if after is None else {"AIA": [""] * after + ["*silent"]}
    with urlopen(f"{url}moods/{quote(json.dumps(moods))}") as answer:
        assert answer.status == 200


def contents(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def fetch_in_a_child(times: list[np.datetime64], folder: Path, url: str, *, stop: int, when: Callable[[], bool]) -> int:
    """Fetch in a child process that gets the signal ``stop`` as soon as ``when()`` holds; return how it ended."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])  # until the child is where it can be interrupted
    child = os.fork()
    if child == 0:
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            fetch(times, [171, 193], folder, source=SynopticSource(base_url=url), transfer=Transfer(connections=2))
        except BaseException:
            os._exit(130)
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    while not when():
        time.sleep(0.001)
    os.kill(child, stop)
    return os.waitpid(child, 0)[1]


@pytest.mark.slow
def test_twenty_interruptions_change_no_byte(url: str, times: list[np.datetime64], tmp_path: Path) -> None:
    source, transfer = SynopticSource(base_url=url), Transfer(connections=2)
    fetch(times, [171, 193], tmp_path / "whole", source=source, transfer=transfer)
    whole = contents(tmp_path / "whole")
    chance = random.Random(0)
    for number in range(20):
        folder = tmp_path / str(number)
        stop = signal.SIGKILL if number % 2 else signal.SIGINT
        files, pause = chance.randrange(len(whole) - 4), chance.uniform(0, 0.03)

        def so_far(folder: Path = folder, files: int = files, pause: float = pause) -> bool:
            if len(list(folder.rglob("AIA*.fits"))) < files:
                return False
            time.sleep(pause)  # into the next file
            return True

        fall_silent(url, after=files + 2)  # or it would be done on a machine that stops us for longer than it takes
        assert fetch_in_a_child(times, folder, url, stop=stop, when=so_far) != 0
        fall_silent(url, after=None)
        if folder.exists():
            named = [path for path in folder.rglob("*.fits") if not path.name.startswith(".")]
            if named:
                assert scan(folder).rejected == []  # whatever has a name is whole
        fetch(times, [171, 193], folder, source=source, transfer=transfer)
        assert contents(folder) == whole


def heed_interrupts() -> None:
    """Undo what a shell does to a suite that runs in its background: there, processes are born deaf to SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.slow
def test_an_interrupted_command_says_so_and_goes_on(url: str, archive: Path, tmp_path: Path) -> None:
    given = ["--start", "2017-08-08", "--end", "2017-08-08T10:00", "--wavelengths", "171,193", "--base-url", url]
    command = [
        sys.executable,
        "-m",
        "framecast",
        "solar",
        "fetch",
        *given,
        "--out",
        str(tmp_path),
        "--connections",
        "1",
    ]
    fall_silent(url, after=2)
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    while process.poll() is None and not list(tmp_path.rglob("AIA*.fits")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    fall_silent(url, after=None)
    assert process.returncode == 130
    assert error.strip().splitlines()[-1].startswith("framecast: interrupted; ")
    assert error.strip().endswith("of 12 images are saved: the same command resumes from there")
    done = len(list(tmp_path.rglob("AIA*.fits")))
    assert 1 <= done < 12
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"already there  {done} " in again.stdout
    assert len(list(tmp_path.rglob("AIA*.fits"))) == 12
    assert not list(tmp_path.rglob(".*"))
