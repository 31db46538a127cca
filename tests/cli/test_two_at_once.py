"""Every command that writes, while another process writes the same: it is refused, and what is there stays as it is."""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from framecast.cli import app, run
from framecast.core.files import lock
from framecast.models.header import find_model

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(os.name != "posix", reason="nothing is held on other systems"),
]

NEW = {
    "import archive.zarr/region-0000 out.zarr --variable intensity": ".out.zarr.partial",
    "train tiny {changes} --data archive.zarr --out out": "out",
    "distill model --out out --data archive.zarr --updates 1 --steps 2 --teacher-steps 4": "out",
    "forecast model archive.zarr out.zarr --members 1 --steps 1 --limit 1": ".out.zarr.partial",
    "forecast model archive.zarr out.nc --members 1 --steps 1 --limit 1": "..out.zarr.partial",
    "evaluate forecast.zarr --out out --replicates 100": ".out.partial",
    "export model out --format torch": ".out.partial",
    "export model out --format model": ".out.partial",
    "netcdf forecast.zarr out.nc": ".out.nc.partial",
    "view forecast.zarr --export out": ".out.partial",
    "demo --out out": "out",
    "synth out.zarr --regions 1 --frames 3 --size 16": ".out.zarr.partial",
    "solar fetch --start 2017-08-08 --end 2017-08-08 --wavelengths 171 --out out --base-url http://127.0.0.1:9/": "out",
}
"""Commands that make something new, and the folder that the other process holds."""

CHANGED = {
    "calibrate forecast.zarr model": "model",
    "reference model archive.zarr": "model",
}
"""Commands that add to what is there, and the folder that the other process holds."""

BY_PARTS = {"average", "solar import-png", "solar label", "solar maps", "solar predict", "solar prepare", "split"}
"""Commands whose writers (`ArchiveWriter`, `new_folder`, `write_labels` …) have tests of their own."""

WRITE_NOTHING = {"info", "machine"}


def test_every_command_is_here() -> None:
    found: set[str] = set()

    def walk(command: object, words: str) -> None:
        for name, child in getattr(command, "commands", {}).items():
            walk(child, f"{words} {name}".strip())
        found.update([] if hasattr(command, "commands") else [words])

    walk(typer.main.get_command(app), "")
    tried = {words for words in found if any(line.startswith(f"{words} ") for line in (*NEW, *CHANGED))}
    assert found == tried | BY_PARTS | WRITE_NOTHING
    assert not tried & BY_PARTS


@contextmanager
def held_by_another(folder: Path) -> Iterator[None]:
    """Hold ``folder`` as another process does: locks belong to open files, not to processes."""
    folder.mkdir(exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        lock(descriptor)
        yield
    finally:
        os.close(descriptor)


@pytest.fixture(scope="module")
def place(small_archive: Path, small_run: Path, gaussian_forecast, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    shutil.copytree(small_archive, folder / "archive.zarr")
    shutil.copytree(find_model(small_run), folder / "model")
    gaussian_forecast(folder / "forecast.zarr", samples=2, members=2)
    return folder


@pytest.mark.parametrize("command", [*NEW, *CHANGED], ids=lambda command: " ".join(command.split()[:2]))
def test_the_second_is_refused(command, place, small_changes, monkeypatch, capsys) -> None:
    monkeypatch.chdir(place)
    before = contents(place)
    with held_by_another(place / (NEW | CHANGED)[command]):
        assert run(shlex.split(command.format(changes=shlex.join(small_changes)))) == 2, capsys.readouterr().err
    assert "another process is " in capsys.readouterr().err.splitlines()[-1]
    if command in NEW:
        shutil.rmtree(place / NEW[command])
    assert contents(place) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
