"""FITS files of every kind that solar archives hold, whole and broken."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from framecast.core.errors import DataError
from framecast.domains.solar.reader import read_header, read_image

Writer = Callable[..., list[Path]]


@pytest.fixture
def sun(tmp_path: Path, write_sun: Writer) -> Path:
    (path,) = write_sun(tmp_path / "sun", hours=[0.0], size=128, scale=19.2)
    return path


@pytest.mark.thorough
def test_extension_and_primary_hold_the_same_image(tmp_path: Path, write_sun: Writer) -> None:
    options = {"hours": [0.0], "size": 128, "scale": 19.2}
    (packed,) = write_sun(tmp_path / "a", **options)
    (plain,) = write_sun(tmp_path / "b", extension=False, **options)
    first, second = read_image(packed), read_image(plain)
    assert np.abs(first.data - second.data).max() <= 0.5  # whole DN
    assert first.header.pointing == second.header.pointing
    assert first.header.time == second.header.time
    assert read_header(packed) == first.header


@pytest.mark.thorough
def test_cut_short_anywhere_is_an_error_and_never_a_picture(tmp_path: Path, write_sun: Writer) -> None:
    for extension in (True, False):
        (path,) = write_sun(tmp_path / str(extension), hours=[0.0], size=128, scale=19.2, extension=extension)
        content = path.read_bytes()
        for share in (0.0, 0.01, 0.1, 0.5, 0.8, 0.95):
            path.write_bytes(content[: int(len(content) * share)])
            with pytest.raises(DataError) as caught:
                read_image(path)
            assert "\n" not in str(caught.value)
            assert str(path) in str(caught.value)


def test_damaged_pixels_are_found_when_they_are_read(sun: Path) -> None:
    content = bytearray(sun.read_bytes())
    content[-4 * 2880 :] = b"\xff" * (4 * 2880)
    sun.write_bytes(bytes(content))
    try:
        image = read_image(sun)
    except DataError as error:
        assert "\n" not in str(error)
    else:
        assert image.data.shape == (128, 128)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"", "is not a FITS file"), (b"<html>404</html>", "is not a FITS file"), (b"\0" * 6000, "is not a FITS file")],
)
def test_what_is_no_fits_says_so(tmp_path: Path, content: bytes, complaint: str) -> None:
    path = tmp_path / "picture.fits"
    path.write_bytes(content)
    with pytest.raises(DataError, match=complaint):
        read_header(path)


def test_files_without_an_image(tmp_path: Path) -> None:
    fits.PrimaryHDU().writeto(tmp_path / "empty.fits")
    fits.PrimaryHDU(np.zeros((2, 4, 4), np.float32)).writeto(tmp_path / "cube.fits")
    for name in ("empty.fits", "cube.fits"):
        with pytest.raises(DataError, match="no two-dimensional image"):
            read_header(tmp_path / name)
    with pytest.raises(DataError, match="does not exist"):
        read_header(tmp_path / "absent.fits")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("extension", [False, True])
@pytest.mark.parametrize("keyword", ["NAXIS", "TFIELDS", "ZNAXIS"])
@pytest.mark.parametrize("packed", [False, True])
def test_more_axes_or_columns_than_fits_allows_are_damage(tmp_path, write_sun, extension, keyword, packed) -> None:
    (path,) = write_sun(tmp_path / "sun", hours=[0.0], size=128, scale=19.2, extension=extension)
    content, card = path.read_bytes(), f"{keyword:8}={10**18:21}".ljust(80).encode()
    place = content.find(f"{keyword:8}=".encode())
    if place < 0:
        pytest.skip("an image without a table has no columns")
    content = content[:place] + card + content[place + len(card) :]
    path.write_bytes(gzip.compress(content) if packed else content)
    with pytest.raises(DataError, match=keyword):
        read_header(path)


def test_blank_and_infinite_pixels_are_nan(tmp_path: Path, write_sun: Writer) -> None:
    (path,) = write_sun(tmp_path, hours=[0.0], size=128, scale=19.2, extension=False)
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[3:5, 7] = np.nan
        hdus[0].data[9, 9] = np.inf
    assert np.isnan(read_image(path).data).sum() == 3
    integers = np.full((8, 8), 7, np.int16)
    integers[2, 2] = -32768
    header = fits.getheader(path)
    header["BLANK"] = -32768
    fits.PrimaryHDU(integers, header).writeto(tmp_path / "blank.fits")
    image = read_image(tmp_path / "blank.fits")
    assert np.isnan(image.data[2, 2])
    assert np.isnan(image.data).sum() == 1
    fits.PrimaryHDU(np.full((8, 8), np.nan, np.float32), header).writeto(tmp_path / "void.fits")
    with pytest.raises(DataError, match="no pixel with a value"):
        read_image(tmp_path / "void.fits")


def test_date_may_stand_in_the_primary_header(sun: Path, edit_cards: Callable[..., None]) -> None:
    edit_cards(sun, DATE__OBS=None)
    with pytest.raises(DataError, match="no date"):
        read_header(sun)
    with fits.open(sun, mode="update") as hdus:
        hdus[0].header["DATE-OBS"] = "2017-08-08T00:00:00"
    assert read_header(sun).time == np.datetime64("2017-08-08", "ns")


def test_real_synoptic_images(real_data: Path) -> None:
    image = read_image(real_data / "aia171-fulldisk-2017/2017/08/08/H0000/AIA20170808_0000_0171.fits")
    assert image.data.shape == image.header.shape == (1024, 1024)
    assert image.header.time == np.datetime64("2017-08-07T23:59:45.350", "ns")
    assert image.header.wavelength == 171
    assert image.header.quality == 1 << 30
    assert image.header.pointing.scale == pytest.approx(2.397956)
    assert image.header.observer.longitude == pytest.approx(112.09998)
    assert image.rate[512, 512] == pytest.approx(image.data[512, 512] / 2.000168)


@pytest.mark.thorough
def test_real_cutouts_differ_in_shape_and_exposure_but_not_in_brightness(real_data: Path) -> None:
    for folder, shape in (("aia171", (501, 371)), ("aia193", (500, 370)), ("aia304", (500, 370))):
        paths = sorted((real_data / "aia-cutouts-2012-07-19" / folder).glob("*.fits"))
        images = [read_image(path) for path in paths]
        assert {image.header.shape for image in images} == {shape}
        assert {image.header.wavelength for image in images} == {int(folder[3:])}
        raw = [float(np.median(image.data)) for image in images]
        rate = [float(np.median(image.rate)) for image in images]
        assert max(rate) < 1.15 * min(rate)
        if folder != "aia304":  # whose exposure does not alternate
            assert max(raw) > 2 * min(raw)


@pytest.mark.thorough
def test_real_eit_has_its_scale_repaired_its_roll_read_and_its_missing_blocks_masked(real_data: Path) -> None:
    headers = [read_header(path) for path in sorted((real_data / "eit-2004-03-01").glob("*.fits"))]
    assert [h.wavelength for h in headers] == [195, 171, 195, 195, 195, 195, 195, 171, 195, 195, 195, 195, 195]
    first = headers[0]
    assert first.pointing.scale == pytest.approx(8 * 2.63)
    assert first.pointing.matrix == pytest.approx(np.diag([-8 * 2.63, -8 * 2.63]), abs=1e-4)  # turned by 180°
    assert any("multiplied by 8" in note for note in first.notes)
    assert first.observer.limb == pytest.approx(372.27 * 2.63, abs=2)  # the header's own SOLAR_R
    assert np.isnan(read_image(first.path).data).sum() == 16


def test_real_304_cutouts_have_two_layouts(real_data: Path) -> None:
    images = [read_image(path) for path in sorted((real_data / "aia304-cutouts-2022-04-02").glob("*.fits"))]
    assert len(images) == 11
    assert {image.header.wavelength for image in images} == {304}
    assert {image.header.unit for image in images} == {"DN"}
    medians = [float(np.median(image.rate)) for image in images]
    assert max(medians) < 1.4 * min(medians)
    times = np.array([image.header.time for image in images])
    assert set(np.diff(times).astype("timedelta64[s]").astype(int)) >= {12, 119}
