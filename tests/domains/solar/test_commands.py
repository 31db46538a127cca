"""``framecast solar prepare``: one line for every mistake, and a table of what was left out."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sunpy", reason="the Sun needs pip install 'framecast[solar]'")

import numpy as np
from astropy.io import fits

from framecast.cli import run
from framecast.data.archive.reader import Archive

pytestmark = pytest.mark.thorough


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four hours of a plain disk, and three files of no use."""
    source = tmp_path / "src"
    source.mkdir()
    for hour in range(5):
        header = fits.Header()
        header.update(
            {
                "WAVELNTH": 171,
                "DATE-OBS": f"2017-08-08T{hour:02d}:00:00",
                "EXPTIME": 2.0,
                "QUALITY": 1 << 16 if hour == 2 else 0,
                "CRPIX1": 32.5,
                "CRPIX2": 32.5,
                "CDELT1": 38.4,
                "CDELT2": 38.4,
                "CROTA2": 0.0,
                "CRLN_OBS": 112.0 - 0.55 * hour,
                "CRLT_OBS": 6.26,
                "DSUN_OBS": 1.5167e11,
            }
        )
        fits.PrimaryHDU(np.full((64, 64), 100 + hour, np.float32), header).writeto(source / f"{hour}.fits")
    (source / "page.fits").write_text("<html>404</html>")
    (source / "short.fits").write_bytes((source / "0.fits").read_bytes()[:8000])
    with fits.open(source / "1.fits") as hdus:
        hdus[0].header["WAVELNTH"] = 304
        hdus.writeto(source / "other.fits")
    return source


def prepare(source: Path, out: Path, *options: str) -> int:
    plain = ["--size", "8", "--pixel", "38.4", "--min-frames", "3", "--spacing", "30", "--workers", "1"]
    return run(["solar", "prepare", str(source), str(out), *plain, *options])


def test_prepares_and_says_what_was_left_out(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sun.zarr"
    assert prepare(folder, out, "--wavelengths", "171", "--size", "8x16") == 0
    said, noted = capsys.readouterr()
    assert said.strip().endswith(str(out))
    assert f"next: framecast train auto --data {out} --out runs/sun" in noted
    for expected in ("1 files of 304 Å", "page.fits", "is not a FITS file", "truncated", "dark image", "every 1h"):
        assert expected in said.replace("\n", " ")
    archive = Archive.open(out)
    assert (archive.height, archive.width) == (8, 16)
    assert np.nanmax(archive.read(archive.sequences[0], [0], ["171"])) == 50


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--wavelengths", "94"], "no file has wavelength 94; the headers say 171, 304"),
        (["--wavelengths", "171;304"], "--wavelengths is '171;304'"),
        (["--size", "8x8x8"], "--size is '8x8x8'"),
        (["--wavelengths", "171", "--cadence", "soon"], "'soon' is not a duration"),
        (["--wavelengths", "171", "--start", "monday"], "--start is 'monday'"),
        (["--wavelengths", "171", "--start", "2018-01-01"], "between --start and --end"),
        (["--wavelengths", "171", "--strict"], "2 files cannot be used; the first"),
        (["--wavelengths", "171", "--angle", "95"], "angle is 95°"),
        (["--wavelengths", "171", "--min-frames", "50"], "the longest is in"),
    ],
)
def test_every_mistake_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], complaint: str
) -> None:
    assert prepare(folder, tmp_path / "sun.zarr", *options) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("framecast: ")]
    assert len(lines) == 1
    assert complaint in lines[0]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["src"]


def test_folders_of_no_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for source, complaint in ((tmp_path / "absent", "is not a folder"), (tmp_path / "empty", "contains no file")):
        assert prepare(source, tmp_path / "sun.zarr") == 2
        assert complaint in capsys.readouterr().err


def test_existing_output_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sun.zarr").mkdir()
    assert prepare(folder, tmp_path / "sun.zarr") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert prepare(folder, tmp_path / "sun.zarr", "--wavelengths", "171", "--overwrite") == 0


def test_missing_extra_is_told_with_its_remedy(folder: Path, tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['astropy'] = None\n"
        "from framecast.cli import run\n"
        f"sys.exit(run(['solar', 'prepare', {str(folder)!r}, {str(tmp_path / 'x.zarr')!r}]))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].endswith("pip install 'framecast[solar]'")


def test_help_is_light_and_has_an_example() -> None:
    code = (
        "import sys\nfrom framecast.cli import run\nrun(['solar', 'prepare', '--help'])\n"
        "heavy = {'torch', 'astropy', 'sunpy', 'xarray', 'zarr'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "framecast solar prepare aia " in result.stdout
