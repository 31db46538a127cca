"""Every file that framecast reads back, with one value changed: a documented error on one line, or it works.

The files are those that an earlier version wrote (`fixtures/make.py`), each changed at one place in one way at a time.
"""

import json
import math
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from framecast.cli import run
from framecast.cli.info import describe_run
from framecast.core.errors import FramecastError
from framecast.core.manifest import check_seal
from framecast.data.archive.reader import Archive
from framecast.data.forecasts import open_forecast
from framecast.models.checkpoint import read_config
from framecast.training.recipe import load_recipe
from framecast.training.run import FORMAT, Run
from framecast.verification.files import open_scores
from framecast.verification.recalibration.calibration import read_calibration

pytestmark = pytest.mark.thorough

FIXTURE = Path(__file__).with_name("fixtures") / "stored-0.1.0.tar.xz"

MISSING = object()
VALUES = (math.nan, "text", -1, [], None, MISSING, 1e300, {"a": 1}, 0, True, ["a", None], math.inf, 10**400)
"""What stands in the place of a value."""

COMMANDS: dict[str, tuple[str, ...]] = {
    "model/config.json": ("forecast model archive.zarr out.zarr --members 1 --limit 1 --steps 1", "info model"),
    "model/calibration.json": ("forecast model archive.zarr out.zarr --members 3 --limit 1 --steps 1",),
    "run/log.jsonl": ("info run",),
    "run/data.json": ("info run", "train run/recipe.yaml --data archive.zarr --out run"),
    "run/recipe.yaml": ("info run", "split run/recipe.yaml --data archive.zarr"),
    "run/checkpoints/00000004/manifest.json": ("train run/recipe.yaml --data archive.zarr --out run",),
    "forecast.zarr/zarr.json": ("info forecast.zarr", "calibrate forecast.zarr model"),
    "archive.zarr/zarr.json": ("info archive.zarr", "split tiny data.past=2 data.future=2 --data archive.zarr"),
    "archive.zarr/event-00/zarr.json": ("info archive.zarr",),
    "archive.zarr/event-00/time/zarr.json": ("info archive.zarr",),
}

READERS: dict[str, Callable[[Path], object]] = {
    "model/config.json": lambda folder: read_config(folder / "model"),
    "model/calibration.json": lambda folder: read_calibration(folder / "model"),
    "run/log.jsonl": lambda folder: describe_run(folder / "run"),
    "run/data.json": lambda folder: Run(folder / "run").begin("", {}, overwrite=False),
    "run/recipe.yaml": lambda folder: load_recipe(folder / "run/recipe.yaml"),
    "run/checkpoints/00000004/manifest.json": lambda folder: check_seal(folder / "run/checkpoints/00000004", FORMAT),
    "forecast.zarr/zarr.json": lambda folder: open_forecast(folder / "forecast.zarr").close(),
    "report/scores.json": lambda folder: open_scores(folder / "report/scores.json"),
    "archive.zarr/zarr.json": lambda folder: Archive.open(folder / "archive.zarr").times("event-00"),
    "archive.zarr/event-00/zarr.json": lambda folder: Archive.open(folder / "archive.zarr").times("event-00"),
    "archive.zarr/event-00/time/zarr.json": lambda folder: Archive.open(folder / "archive.zarr").times("event-00"),
}
"""What reads each of them."""

WHOLE = ("", "{", "[" * 100_000, "[]", "null", "\0", '{"format": "framecast-model", "version": 99}')
"""What stands in the place of a whole file."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    with tarfile.open(FIXTURE) as file:
        file.extractall(folder, filter="data")
    return folder


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the places of all values within each other; of a long list, or names that differ in a number, the ends."""
    if path:
        yield path
    if isinstance(value, dict):
        alike: dict[str, list[str]] = {}
        for name in value:
            alike.setdefault(re.sub(r"\d+", "0", name), []).append(name)
        for names in alike.values():
            for name in dict.fromkeys((names[0], names[-1])):
                yield from places(value[name], (*path, name))
    elif isinstance(value, list):
        for index in range(0, len(value), max(1, len(value) - 1)):
            yield from places(value[index], (*path, index))


def replaced(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return a copy of ``document`` with ``value`` at ``path``."""
    copy = json.loads(json.dumps(document))
    here = copy
    for part in path[:-1]:
        here = here[part]
    if value is MISSING:
        del here[path[-1]]
    else:
        here[path[-1]] = value
    return copy


def read(path: Path) -> Any:
    text = path.read_text()
    if path.suffix == ".yaml":
        return yaml.safe_load(text)
    return [json.loads(line) for line in text.splitlines()] if path.suffix == ".jsonl" else json.loads(text)


def write(path: Path, document: Any) -> None:
    if path.suffix == ".yaml":
        path.write_text(yaml.safe_dump(document))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(line) + "\n" for line in document))
    else:
        path.write_text(json.dumps(document))


@contextmanager
def as_it_was(folder: Path, name: str) -> Iterator[Path]:
    """Put everything back that a command may have changed."""
    kept = {path: path.read_bytes() for path in folder.glob("run/*.*")} | {folder / name: (folder / name).read_bytes()}
    checkpoints = folder / "run" / "checkpoints"
    shutil.copytree(checkpoints, folder / "checkpoints", copy_function=lambda a, b: Path(b).hardlink_to(a))
    (folder / name).unlink()  # the other name of a hard link keeps its content
    try:
        yield folder / name
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
        shutil.rmtree(checkpoints)
        (folder / "checkpoints").rename(checkpoints)
        if checkpoints in (folder / name).parents:
            (folder / name).unlink()
            (folder / name).write_bytes(kept[folder / name])
        shutil.rmtree(folder / "out.zarr", ignore_errors=True)


def check(folder: Path, name: str, change: str, write_changed: Callable[[Path], None], capsys) -> list[str]:
    """Return what is wrong with how commands take a changed file."""
    wrong = []
    with as_it_was(folder, name) as path:
        write_changed(path)
        for command in COMMANDS[name]:
            try:
                code = run(command.split())
                said = capsys.readouterr().err
            except BaseException as error:
                code, said = -1, f"{type(error).__name__}: {error} (a bug)"
            if code not in (0, 1, 2) or "a bug" in said or "Traceback" in said:
                wrong.append(f"{name} {change}: {command}: {said.strip().splitlines()[-1][:300]}")
            elif code and not said.strip().splitlines()[-1].startswith("framecast: "):
                wrong.append(f"{name} {change}: {command}: {said[-300:]}")
    return wrong


def changes(document: Any, every: int) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield places and values; all of them, or each place with every so many-th value."""
    for number, path in enumerate(places(document)):
        for k, value in enumerate(VALUES):
            if (number + k) % every == 0:
                yield path, value


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("most", [pytest.param(2000, marks=pytest.mark.slow), pytest.param(50)], ids=["more", "some"])
def test_values_changed_in_every_way(stored, name, most):
    """What reads the file, without the command around it: so many values can be tried; all of them in a small file."""
    document, wrong = read(stored / name), []
    every = -(-sum(1 for _ in changes(document, 1)) // most)
    with as_it_was(stored, name) as path:
        for place, value in changes(document, every):
            write(path, replaced(document, place, value))
            try:
                READERS[name](stored)
            except FramecastError as error:
                if len(str(error).splitlines()) > 1:
                    wrong.append(f"{place} = {value!r}: several lines")
            except Exception as error:
                wrong.append(f"{place} = {value!r}: {type(error).__name__}: {error}")
    assert not wrong, "\n".join(wrong[:20])


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("every", [pytest.param(41, marks=pytest.mark.slow), pytest.param(997)], ids=["more", "some"])
def test_one_value_changed(stored, name, every, monkeypatch, capsys):
    monkeypatch.chdir(stored)
    wrong = []
    document = read(stored / name)
    for path, value in changes(document, every):
        shown = "missing" if value is MISSING else value
        wrong += check(
            stored,
            name,
            f"{'.'.join(map(str, path))}={shown!r}",
            lambda file, path=path, value=value: write(file, replaced(document, path, value)),
            capsys,
        )
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), pytest.param(3)], ids=["more", "some"])
def test_the_file_is_something_else(stored, name, every, monkeypatch, capsys):
    monkeypatch.chdir(stored)
    wrong = []
    for content in WHOLE[::every]:
        wrong += check(stored, name, repr(content[:20]), lambda file, content=content: file.write_text(content), capsys)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("name", "value"), [("WORLD_SIZE", "abc"), ("WORLD_SIZE", "2"), ("WORLD_SIZE", "0"), ("RANK", "x"), ("RANK", "-1")]
)
def test_an_environment_that_makes_no_sense(stored, name, value, monkeypatch, capsys):
    monkeypatch.chdir(stored)
    monkeypatch.setenv(name, value)
    assert run(["train", "run/recipe.yaml", "--data", "archive.zarr", "--out", "other"]) == 2
    said = capsys.readouterr().err
    assert name in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.mark.parametrize("rate", ["1e300", ".nan", ".inf", "-1", "[]", "fast"])
def test_an_absurd_learning_rate(stored, rate, monkeypatch, capsys):
    monkeypatch.chdir(stored)
    words = ["train", "run/recipe.yaml", f"training.learning_rate={rate}", "--data", "archive.zarr", "--out", "other"]
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "training.learning_rate" in said.splitlines()[-1]
    assert "Traceback" not in said
