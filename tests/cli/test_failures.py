"""How commands fail: one line on stderr, the right exit code, no trace, nothing half-written."""

import errno
import os
import subprocess
import sys

import pytest

from framecast.cli import failures, run
from framecast.core.errors import ConfigError, DataError


def failing(error):
    """The error as it is when caught, with a trace."""
    try:
        raise error
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["bogus"], "bogus"),
        (["synth"], "Missing argument"),
        (["synth", "out.zarr", "--regions", "0"], "--regions"),
        (["synth", "out.zarr", "--regions", "many"], "--regions"),
        (["synth", "out.zarr", "--no-such-option"], "--no-such-option"),
        (["synth", "out.zarr", "--cadence", "soon"], "12s, 5min or 2h"),
        (["info", "nowhere"], "nothing at nowhere"),
        (["info", "."], "is not a framecast archive"),
    ],
)
def test_a_mistake_is_one_line_and_code_2(arguments, says, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(arguments) == failures.MISTAKEN
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("framecast: ")
    assert captured.err.count("\n") == 1
    assert says in captured.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "line", "code"),
    [
        (ConfigError("size is 7;\nit must be even"), "size is 7; it must be even", 2),
        (DataError("no time"), "no time", 2),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "a.yaml"), "a.yaml: No such file or directory", 2),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "run"), "run: Permission denied", 2),
        (OSError(errno.EIO, os.strerror(errno.EIO), "disk"), f"disk: {os.strerror(errno.EIO)}", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (
            ModuleNotFoundError("No module named 'sunpy'", name="sunpy"),
            "sunpy is not installed (required for solar data): pip install 'framecast[solar]'",
            2,
        ),
    ],
)
def test_lines_and_codes(error, line, code):
    assert failures.explain(failing(error)) == (line, code)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), RuntimeError("I/O error: No space left on device")]
)
def test_a_full_disk_is_told_as_such(error):
    line, code = failures.explain(failing(error))
    assert code == failures.FAILED
    assert "the disk is full" in line


def test_a_full_disk_is_seen_behind_another_error():
    try:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as cause:
            raise ValueError("cannot write the chunk") from cause
    except ValueError as error:
        line, code = failures.explain(error)
    assert (code, "disk is full" in line) == (1, True)


def test_a_defect_names_its_place_and_the_way_to_the_trace():
    line, code = failures.explain(failing(ZeroDivisionError("division by zero")))
    assert code == failures.FAILED
    assert line.startswith("ZeroDivisionError at test_failures.py:")
    assert "--debug" in line
    assert "\n" not in line


def test_debug_shows_the_trace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="nothing at nowhere"):
        run(["--debug", "info", "nowhere"])
    assert run(["info", "nowhere"]) == failures.MISTAKEN  # and only for the one command


def command_in(folder, *arguments, **options):
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "framecast", *arguments], cwd=folder, capture_output=True, text=True, **options
    )


@pytest.mark.thorough
def test_the_process_ends_with_the_code(tmp_path):
    result = command_in(tmp_path, "info", "nowhere")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("framecast: there is nothing at nowhere: give an archive")
    assert result.stderr.count("\n") == 1


@pytest.mark.thorough
def test_a_reader_that_goes_away_is_no_defect(tmp_path):
    """As in ``framecast --help | head -0``: the pipe is closed before anything is written to it."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run([sys.executable, "-m", "framecast", "--help"], stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert result.returncode == failures.FAILED
    assert b"Traceback" not in result.stderr
