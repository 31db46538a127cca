"""The program that makes an archive of a folder of pictures."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from framecast.data.archive.reader import Archive

pytestmark = pytest.mark.thorough

PROGRAM = Path(__file__).parents[2] / "examples" / "images.py"


def convert(folder: Path, archive: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, str(PROGRAM), str(folder), str(archive), *options]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), pytest.param(np.uint16, 65535, marks=pytest.mark.slow)])
def test_pictures_become_frames_in_physical_units(dtype: type, white: int, tmp_path: Path) -> None:
    folder = tmp_path / "bilder über alles"
    folder.mkdir()
    for hour in (3, 0, 1):
        grey = np.zeros((8, 16), dtype)
        grey[0, hour] = white  # in the top row
        Image.fromarray(grey).save(folder / f"20240101_{hour:02d}00.png")
    (folder / "notes.txt").write_text("no picture")
    made = convert(folder, tmp_path / "film.zarr", "--unit", "K", "--low", "180", "--high", "320")
    assert made.returncode == 0, made.stderr
    archive = Archive.open(tmp_path / "film.zarr")
    assert (archive.unit, archive.cadence) == ("K", 3600.0)
    frames = archive.read("film", [0, 1, 2], ["grey"])[0]
    assert np.unravel_index(frames.argmax(), frames.shape) == (0, 7, 0)  # upward
    assert [frame.argmax() % 16 for frame in frames] == [0, 1, 3]
    assert frames.min() == pytest.approx(180)
    assert frames.max() == pytest.approx(320)


@pytest.mark.slow
def test_pictures_that_make_no_film_are_told_of_in_a_line(tmp_path: Path) -> None:
    def refusal(folder: Path) -> str:
        made = convert(folder, tmp_path / "film.zarr")
        assert made.returncode == 2
        return made.stderr

    assert "is no folder" in refusal(tmp_path / "nowhere")
    Image.new("L", (8, 16)).save(tmp_path / "20240101_0000.png")
    assert "a video has at least two" in refusal(tmp_path)
    Image.new("L", (16, 16)).save(tmp_path / "20240101_0100.png")
    assert "all files must have the same size" in refusal(tmp_path)
    (tmp_path / "20240101_0100.png").write_text("no picture")
    assert "20240101_0100.png is not a picture that can be read" in refusal(tmp_path)
    assert not (tmp_path / "film.zarr").exists()


def test_a_folder_without_pictures_is_named(tmp_path: Path) -> None:
    made = convert(tmp_path, tmp_path / "film.zarr")
    assert made.returncode == 2
    assert "contains no picture" in made.stderr


@pytest.mark.slow
def test_pictures_of_32_bits_have_no_black_and_white(tmp_path: Path) -> None:
    kelvin = 280 + np.arange(128).reshape(8, 16) / 10
    for kind, scale in (("float32", 1), ("int32", 1000)):
        (tmp_path / kind).mkdir()
        for minute in range(3):
            picture = Image.fromarray((scale * (kelvin + minute)).astype(kind))
            picture.save(tmp_path / kind / f"20240101_00{minute:02d}.tif")
    options = ("--unit", "K", "--low", "180", "--high", "320")
    made = convert(tmp_path / "float32", tmp_path / "film.zarr", *options)
    assert made.returncode == 0, made.stderr
    assert "has no black and white" in made.stdout
    found = Archive.open(tmp_path / "film.zarr").read("film", [2])[0, 0]
    np.testing.assert_allclose(found, (kelvin + 2)[::-1], rtol=1e-6)
    made = convert(tmp_path / "int32", tmp_path / "other.zarr", *options)
    assert made.returncode == 2
    assert "has no black and white" in made.stderr
