"""``framecast solar fetch``: what it says, and that a missing frame is no failure."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

from framecast.cli import run

Capture = pytest.CaptureFixture[str]


def fetch(out: Path, *options: str, start: str = "2017-08-08", end: str = "2017-08-08T04:00") -> int:
    given = ["--start", start, "--end", end, "--wavelengths", "171", "--out", str(out), "--tries", "1"]
    return run(["solar", "fetch", *given, *options])


def test_missing_frames_end_in_a_table(serve_archive: Any, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "empty").mkdir()
    with serve_archive(tmp_path / "empty") as server:
        assert fetch(tmp_path / "out", "--base-url", server.url) == 0
        assert fetch(tmp_path / "nrt", "--base-url", server.url, "--nrt", "--cadence", "4h") == 0
        assert "/nrt/2017/08/08/H0400/AIA20170808_040000_0171.fits" in server.requests
    said = capsys.readouterr().out
    assert "Missing frames (3)" in said
    assert "2017-08-08 02:00  171 Å  the server answered 404 Not Found" in said
    assert str(tmp_path / "out") in said.splitlines()


@pytest.mark.parametrize(
    ("changes", "options", "complaint"),
    [
        ({"start": "tomorrow"}, [], "--start is 'tomorrow'; write a time"),
        ({"start": "2017-08-09"}, [], "is before --start"),
        ({}, ["--cadence", "30s"], "has an image every 120 s"),
        ({}, ["--cadence", "often"], "is not a duration"),
        ({}, ["--wavelengths", "195"], "jsoc has no 195 Å"),
        ({}, ["--wavelengths", "green"], "write whole numbers"),
        ({}, ["--base-url", "here"], "begins with https"),
        ({}, ["--source", "helioviewer", "--nrt"], "--nrt is for JSOC"),
        ({}, ["--base-url", "http://127.0.0.1:9", "--connections", "1"], "cannot be reached"),
    ],
)
def test_mistakes_are_told_in_one_line(
    changes: dict[str, str], options: list[str], complaint: str, tmp_path: Path, capsys: Capture
) -> None:
    assert fetch(tmp_path / "out", *options, **changes) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("framecast:")]
    assert complaint in line
