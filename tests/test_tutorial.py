"""The tutorial and the README work as they stand, and so do the examples at the end of every command's help."""

import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image

from framecast.cli import app, run

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def python_blocks(text: str) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", text, flags=re.S | re.M)


def commands(text: str) -> list[str]:
    return re.findall(r"^    (framecast .*)$", text, flags=re.M)


def examples(command: object, name: str) -> Iterator[str]:
    """The example of each command: what its help ends with."""
    inner = getattr(command, "commands", None)
    if inner:
        for word, each in inner.items():
            yield from examples(each, f"{name} {word}")
    else:
        example = command.epilog.splitlines()[-1]
        assert example.startswith(name)
        yield example


EXAMPLES = list(examples(typer.main.get_command(app), "framecast"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the tutorial leaves in its folder."""
    folder = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        data, python = python_blocks(TUTORIAL)
        exec(data, {})
        for command in commands(TUTORIAL):
            words = shlex.split(command.replace("training.steps=300", "training.steps=60"))[1:]
            if "--print-config" not in words:
                assert run(words) == 0, command
        exec(python, {})
    return folder


@pytest.mark.slow
def test_the_tutorial_makes_a_report(folder):
    assert (folder / "report" / "report.html").is_file()
    assert (folder / "runs" / "rain").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("example", [line for line in EXAMPLES if " solar " not in line and " view " not in line])
def test_examples_of_the_help_work_on_the_files_of_the_tutorial(folder, monkeypatch, example):
    monkeypatch.chdir(folder)
    assert run(shlex.split(example)[1:]) == 0


@pytest.mark.slow
def test_the_example_of_the_web_application_serves_until_it_is_interrupted(folder):
    (example,) = (line for line in EXAMPLES if " view " in line)
    words = [sys.executable, "-m", *shlex.split(example), "--no-browser"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        address = process.stdout.readline().split()[-1]
        assert "framecast" in urllib.request.urlopen(address, timeout=60).read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(60) in (0, 130)


@pytest.mark.slow
def test_solar_examples_of_the_help_work_one_after_the_other(real_data, serve_archive, tmp_path, monkeypatch):
    """On a week of real images, which a server on loopback offers in place of the observatory's."""
    monkeypatch.chdir(tmp_path)
    Path("flares.csv").write_text(
        "start,peak,class,region,location\n2017-08-13T05:00,2017-08-13T05:10,C1.5,12671,N12W60\n"
    )
    Path("pictures").mkdir()
    for hour in range(0, 24, 2):
        pixels = np.random.default_rng(hour).integers(0, 200, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(f"pictures/12671_20170813_{hour:02d}00_193x211x94.png")
    with serve_archive(real_data / "aia171-fulldisk-2017") as server:
        monkeypatch.setenv("FRAMECAST_JSOC_URL", server.url)
        for example in EXAMPLES:
            if " solar " in example:
                assert run(shlex.split(example)[1:]) == 0, example


@pytest.mark.slow
def test_the_lines_of_the_readme_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (block,) = python_blocks(README)
    exec(block, {})
    low, median, high = map(float, re.findall(r"[\d.]+", capsys.readouterr().out)[-3:])
    assert 0 < low < median < high
